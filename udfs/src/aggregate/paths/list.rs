//! `path_agg(ts, node, [sequence, collapse, depth])` and `path_string(ts, node, [separator, sequence, collapse, depth])`:
//! the path of each group, as a list or as text.
//!
//! O(n log n) time for n rows of a group, O(n) if they arrive in time order.

use std::sync::{Arc, LazyLock};

use arrow::array::{
    Array, ArrayRef, AsArray, Int64Array, ListArray, StringViewBuilder, UInt64Array, make_comparator,
};
use arrow::buffer::OffsetBuffer;
use arrow::compute::{SortOptions, take};
use arrow::datatypes::{DataType, Field};
use datafusion::common::{Result, ScalarValue, internal_err, plan_err, resources_err};
use datafusion::logical_expr::function::AccumulatorArgs;
use datafusion::logical_expr::{AggregateUDF, DocSection, Documentation, Expr};

use crate::aggregate::buffered::{
    Buffered, BufferedAggregate, Call, ConstantArguments, Kept, SortedRows, kept_column, kept_type,
};
use crate::arguments::{LengthArgument, constant, is_text, ticks};
use crate::docs;

const TS: usize = 0;
const NODE: usize = 1;
const DEFAULT_SEPARATOR: &str = " > ";

/// Returns the functions.
pub(crate) fn path_list_functions() -> Vec<Arc<AggregateUDF>> {
    let function = |is_text| Arc::new(AggregateUDF::from(BufferedAggregate::new(PathList { is_text })));
    [false, true].map(function).to_vec()
}

/// One of the two functions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct PathList {
    is_text: bool,
}

/// The constants of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Options {
    separator: String,
    collapse: bool,
    depth: Option<usize>,
}

impl PathList {
    fn separator(self) -> Option<usize> {
        self.is_text.then_some(2)
    }

    fn sequence(self) -> usize {
        2 + usize::from(self.is_text)
    }

    fn collapse(self) -> usize {
        self.sequence() + 1
    }

    fn depth(self) -> usize {
        self.sequence() + 2
    }

    fn sequence_type(self, types: &[DataType]) -> Option<DataType> {
        types.get(self.sequence()).map(kept_type).filter(|given| !given.is_null())
    }

    /// Reads the constants as far as `value` knows them.
    fn options(self, value: impl Fn(usize, &'static str) -> Result<Option<ScalarValue>>) -> Result<Options> {
        let name = self.name();
        let mut options = Options { separator: DEFAULT_SEPARATOR.to_owned(), collapse: false, depth: None };
        if let Some(place) = self.separator()
            && let Some(Some(separator)) =
                value(place, "separator")?.as_ref().and_then(ScalarValue::try_as_str)
        {
            options.separator = separator.to_owned();
        }
        options.collapse = value(self.collapse(), "collapse")? == Some(ScalarValue::Boolean(Some(true)));
        if let Some(ScalarValue::Int64(Some(depth))) = value(self.depth(), "depth")? {
            options.depth = match usize::try_from(depth) {
                Ok(depth) if depth > 0 => Some(depth),
                _ => return plan_err!("{name}: depth must be at least 1, got {depth}"),
            };
        }
        Ok(options)
    }
}

impl Buffered for PathList {
    fn name(&self) -> &'static str {
        if self.is_text { "path_string" } else { "path_agg" }
    }

    fn parameter_names(&self) -> Vec<String> {
        let mut names = vec!["ts", "node"];
        names.extend(self.is_text.then_some("separator"));
        names.extend(["sequence", "collapse", "depth"]);
        names.into_iter().map(str::to_owned).collect()
    }

    fn coerce(&self, arg_types: &[DataType]) -> Result<Vec<DataType>> {
        let name = self.name();
        if arg_types.len() < 2 || arg_types.len() > self.depth() + 1 {
            return plan_err!(
                "{name} needs a time and a node, and takes at most {} arguments: {}",
                self.depth() + 1,
                self.parameter_names().join(", ")
            );
        }
        let mut coerced = arg_types.to_vec();
        [coerced[TS], _] =
            LengthArgument { function: name, name: "ts" }.coerce(&arg_types[TS], &DataType::Null)?;
        if self.is_text {
            coerced[NODE] = DataType::Utf8View;
        }
        let mut option =
            |place: Option<usize>, wanted: &str, data_type: DataType, fits: fn(&DataType) -> bool| {
                let Some(given) = place.and_then(|place| coerced.get_mut(place)) else {
                    return Ok(());
                };
                if !fits(given) && !given.is_null() {
                    return plan_err!("{name}: {wanted}, got {given}");
                }
                *given = data_type;
                Ok(())
            };
        let is_boolean = |given: &DataType| *given == DataType::Boolean;
        option(self.separator(), "separator must be text", DataType::Utf8, is_text)?;
        option(Some(self.collapse()), "collapse must be true or false", DataType::Boolean, is_boolean)?;
        option(Some(self.depth()), "depth must be a whole number", DataType::Int64, DataType::is_integer)?;
        Ok(coerced)
    }

    fn return_type(&self, arg_types: &[DataType]) -> Result<DataType> {
        Ok(match self.is_text {
            true => DataType::Utf8View,
            false => DataType::List(Arc::new(Field::new_list_field(kept_type(&arg_types[NODE]), true))),
        })
    }

    /// The time, the sequence if there is one, the node.
    fn kept_types(&self, arg_types: &[DataType]) -> Result<Vec<DataType>> {
        let mut kept = vec![DataType::Int64];
        kept.extend(self.sequence_type(arg_types));
        kept.push(kept_type(&arg_types[NODE]));
        Ok(kept)
    }

    fn call(&self, args: &AccumulatorArgs) -> Result<Arc<dyn Call>> {
        let types: Vec<DataType> = args.expr_fields.iter().map(|field| field.data_type().clone()).collect();
        if self.coerce(&types)? != types {
            return internal_err!("{}: arguments were not coerced: {types:?}", self.name());
        }
        let value = |place: usize, name: &'static str| {
            args.exprs.get(place).map(|expr| constant(expr, self.name(), name)).transpose()
        };
        Ok(Arc::new(ListCall {
            function: *self,
            options: self.options(value)?,
            has_sequence: self.sequence_type(&types).is_some(),
        }))
    }

    fn check(&self, _types: &[DataType], constants: ConstantArguments, _exprs: &[Expr]) -> Result<()> {
        self.options(|place, _| Ok(constants(place))).map(|_| ())
    }

    fn is_nullable(&self) -> bool {
        false
    }

    fn default_value(&self, data_type: &DataType) -> Result<ScalarValue> {
        match data_type {
            DataType::List(item) => {
                Ok(ScalarValue::List(ScalarValue::new_list_nullable(&[], item.data_type())))
            }
            _ => Ok(ScalarValue::Utf8View(Some(String::new()))),
        }
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(if self.is_text { &STRING } else { &AGG })
    }
}

#[derive(Debug)]
struct ListCall {
    function: PathList,
    options: Options,
    has_sequence: bool,
}

impl Call for ListCall {
    fn name(&self) -> &'static str {
        self.function.name()
    }

    fn keep(&self, arguments: &[ArrayRef]) -> Result<Kept> {
        let (ts, node) = (&arguments[TS], kept_column(&arguments[NODE])?);
        let present = |column: &ArrayRef| column.logical_nulls().map(|nulls| nulls.inner().clone());
        let rows = match (present(ts), present(&node)) {
            (Some(ts), Some(node)) => Some(&ts & &node),
            (ts, node) => ts.or(node),
        };
        let mut columns: Vec<ArrayRef> = vec![Arc::new(Int64Array::new(ticks(ts)?, None))];
        if self.has_sequence {
            columns.push(kept_column(&arguments[self.function.sequence()])?);
        }
        columns.push(node);
        Ok(Kept { columns, rows })
    }

    fn evaluate(&self, rows: &SortedRows) -> Result<ArrayRef> {
        let nodes = rows.column(1 + usize::from(self.has_sequence));
        let compare = make_comparator(nodes, nodes, SortOptions::default())?;
        let mut places: Vec<u64> = Vec::new();
        let mut lengths = Vec::with_capacity(rows.group_count());
        for group in rows.groups() {
            let first = group.start;
            let kept =
                group.filter(|row| !self.options.collapse || *row == first || compare(row - 1, *row).is_ne());
            let before = places.len();
            places.extend(kept.take(self.options.depth.unwrap_or(usize::MAX)).map(|row| row as u64));
            lengths.push(places.len() - before);
        }
        let nodes = take(nodes, &UInt64Array::from(places), None)?;
        if self.function.is_text {
            return self.texts(&nodes, &lengths);
        }
        if i32::try_from(nodes.len()).is_err() {
            return resources_err!("{}: more than {} nodes in one partition", self.name(), i32::MAX);
        }
        let item = Arc::new(Field::new_list_field(nodes.data_type().clone(), true));
        let offsets = OffsetBuffer::from_lengths(lengths);
        Ok(Arc::new(ListArray::try_new(item, offsets, nodes, None)?))
    }
}

impl ListCall {
    fn texts(&self, nodes: &ArrayRef, lengths: &[usize]) -> Result<ArrayRef> {
        let Some(nodes) = nodes.as_string_view_opt() else {
            return internal_err!("{}: nodes have type {}", self.name(), nodes.data_type());
        };
        let mut texts = StringViewBuilder::with_capacity(lengths.len());
        let mut text = String::new();
        let mut next = 0;
        for length in lengths {
            text.clear();
            for position in 0..*length {
                if position > 0 {
                    text.push_str(&self.options.separator);
                }
                text.push_str(nodes.value(next + position));
            }
            next += length;
            texts.append_value(&text);
        }
        Ok(Arc::new(texts.finish()))
    }
}

fn documented(is_text: bool) -> Documentation {
    let (name, what, empty) = match is_text {
        true => ("path_string", "as one text", "an empty text"),
        false => ("path_agg", "as a list of the type of `node`", "an empty list"),
    };
    let separator = if is_text { " [, separator]" } else { "" };
    let section = DocSection { include: true, label: docs::PATHS, description: None };
    let entry = Documentation::builder(
        section,
        format!(
            "The nodes of the group in order of time, {what}. Rows without a time or a node take no part; a group \
             without any has {empty}."
        ),
        format!("{name}(ts, node{separator} [, sequence] [, collapse] [, depth])"),
    )
    .with_argument("ts", "When the row happened: a timestamp of any unit and zone, a date, or an integer.")
    .with_argument("node", if is_text { "What is listed; cast to text." } else { "What is listed, of any type." });
    let entry = match is_text {
        true => entry.with_argument("separator", "Constant text between nodes; default `' > '`."),
        false => entry,
    };
    let call = match is_text {
        true => "path_string(ts, page, collapse => true, depth => 3)",
        false => "path_agg(ts, page, collapse => true, depth => 3)",
    };
    let output = match is_text {
        true => {
            "+---------+--------------------+\n\
             | user_id | path               |\n\
             +---------+--------------------+\n\
             | ann     | home > item > cart |\n\
             | ben     | home               |\n\
             +---------+--------------------+"
        }
        false => {
            "+---------+--------------------+\n\
             | user_id | path               |\n\
             +---------+--------------------+\n\
             | ann     | [home, item, cart] |\n\
             | ben     | [home]             |\n\
             +---------+--------------------+"
        }
    };
    entry
        .with_argument(
            "sequence",
            "Optional: what orders rows of one instant. Without it, and where it is equal, they are in the order of \
             `node`.",
        )
        .with_argument("collapse", "Constant: with `true` neighbouring equal nodes are one. Default `false`.")
        .with_argument("depth", "Constant: the most nodes, counted from the first; behind `collapse`. Default: all.")
        .with_sql_example(format!(
            "```sql\n> SELECT user_id, {call} AS path\n  FROM (VALUES\n    ('ann', 1, 'home'), ('ann', 2, 'item'), \
             ('ann', 3, 'item'), ('ann', 4, 'cart'), ('ann', 5, 'pay'),\n    ('ben', 1, 'home')\n  ) AS t (user_id, \
             ts, page)\n  GROUP BY user_id\n  ORDER BY user_id;\n{output}\n```"
        ))
        .build()
}

static AGG: LazyLock<Documentation> = LazyLock::new(|| documented(false));
static STRING: LazyLock<Documentation> = LazyLock::new(|| documented(true));
