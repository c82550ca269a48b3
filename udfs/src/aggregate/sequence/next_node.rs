//! `sequence_next_node(direction, base, ts, value, [sequence,] base_condition, event1, .., eventN)`.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Int64Array, UInt64Array};
use arrow::compute::take;
use arrow::datatypes::DataType;
use datafusion::common::{Result, ScalarValue, internal_err, plan_err};
use datafusion::logical_expr::function::AccumulatorArgs;
use datafusion::logical_expr::{Documentation, Expr};

use super::{NAMED_CONDITIONS, docs, planner};
use crate::aggregate::buffered::{
    Buffered, Call, ConstantArguments, Kept, SortedRows, condition_columns, kept_column, kept_type,
};
use crate::arguments::{LengthArgument, constant, is_text, ticks};
use crate::journey::event::words_for;
use crate::journey::sequence::{Base, Direction, NextNode};

pub(super) const NAME: &str = "sequence_next_node";

const DIRECTION: usize = 0;
const BASE: usize = 1;
const TS: usize = 2;
const VALUE: usize = 3;

/// The function.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct SequenceNextNode {
    aliases: Vec<String>,
}

impl SequenceNextNode {
    pub(super) fn new() -> Self {
        Self { aliases: vec!["sequencenextnode".to_owned()] }
    }
}

/// Position of the base condition, and whether a sequence stands before it.
fn base_condition(types: &[DataType]) -> Result<(usize, bool)> {
    let first = VALUE + 1;
    let has_sequence =
        types.len() > first + 1 && types.get(first).is_some_and(|first| *first != DataType::Boolean);
    match types.len() {
        given if given > first => Ok((first + usize::from(has_sequence), has_sequence)),
        _ => plan_err!(
            "{NAME} needs a direction, a base, a time, a value and a base condition: \
             write {NAME}('forward', 'head', ts, value, base_condition, event1, ..., eventN)"
        ),
    }
}

/// A sequence that was left out has the type NULL.
fn sequence_type(types: &[DataType]) -> Result<Option<DataType>> {
    let (position, has_sequence) = base_condition(types)?;
    Ok(Some(kept_type(&types[position - 1])).filter(|given| has_sequence && !given.is_null()))
}

impl Buffered for SequenceNextNode {
    fn name(&self) -> &'static str {
        NAME
    }

    fn aliases(&self) -> &[String] {
        &self.aliases
    }

    fn parameter_names(&self) -> Vec<String> {
        let names = ["direction", "base", "ts", "value", "sequence", "base_condition"];
        let mut names = names.map(str::to_owned).to_vec();
        names.extend((1..=NAMED_CONDITIONS).map(|number| format!("event{number}")));
        names
    }

    fn coerce(&self, arg_types: &[DataType]) -> Result<Vec<DataType>> {
        let (base_condition, _) = base_condition(arg_types)?;
        let mut coerced = arg_types.to_vec();
        for (position, name) in [(DIRECTION, "direction"), (BASE, "base")] {
            let given = &arg_types[position];
            if !is_text(given) && !given.is_null() {
                return plan_err!("{NAME}: {name} must be text, got {given}");
            }
            coerced[position] = DataType::Utf8;
        }
        let ts = LengthArgument { function: NAME, name: "ts" };
        [coerced[TS], _] = ts.coerce(&arg_types[TS], &DataType::Null)?;
        for (number, condition) in (0..).zip(base_condition..arg_types.len()) {
            let given = &arg_types[condition];
            if !matches!(given, DataType::Boolean | DataType::Null) {
                let name = if number == 0 { "base_condition".to_owned() } else { format!("event{number}") };
                return plan_err!("{NAME}: {name} must be a condition (BOOLEAN), got {given}");
            }
            coerced[condition] = DataType::Boolean;
        }
        Ok(coerced)
    }

    fn return_type(&self, arg_types: &[DataType]) -> Result<DataType> {
        base_condition(arg_types)?;
        Ok(kept_type(&arg_types[VALUE]))
    }

    /// The time, the sequence if there is one, the value, the sets of conditions.
    fn kept_types(&self, arg_types: &[DataType]) -> Result<Vec<DataType>> {
        let (first, _) = base_condition(arg_types)?;
        let mut kept = vec![DataType::Int64];
        kept.extend(sequence_type(arg_types)?);
        kept.push(kept_type(&arg_types[VALUE]));
        kept.extend(std::iter::repeat_n(DataType::UInt64, words_for(arg_types.len() - first)));
        Ok(kept)
    }

    fn call(&self, args: &AccumulatorArgs) -> Result<Arc<dyn Call>> {
        let types: Vec<DataType> = args.expr_fields.iter().map(|field| field.data_type().clone()).collect();
        if self.coerce(&types)? != types {
            return internal_err!("{NAME}: arguments were not coerced: {types:?}");
        }
        let (first_condition, _) = base_condition(&types)?;
        let conditions = types.len() - first_condition;
        let direction = constant(&args.exprs[DIRECTION], NAME, "direction")?;
        let base = constant(&args.exprs[BASE], NAME, "base")?;
        let search = next_node(&direction, &base, conditions - 1)?;
        let has_sequence = sequence_type(&types)?.is_some();
        Ok(Arc::new(NextNodeCall { search, first_condition, words: words_for(conditions), has_sequence }))
    }

    fn unpack(&self, args: Vec<Expr>) -> Vec<Expr> {
        planner::unpacked(args)
    }

    fn check(&self, types: &[DataType], constants: ConstantArguments, _exprs: &[Expr]) -> Result<()> {
        if let (Some(direction), Some(base)) = (constants(DIRECTION), constants(BASE)) {
            let (first, _) = base_condition(types)?;
            next_node(&direction, &base, types.len() - first - 1)?;
        }
        Ok(())
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(docs::next_node())
    }
}

fn next_node(direction: &ScalarValue, base: &ScalarValue, events: usize) -> Result<NextNode> {
    let direction = choice("direction", direction, &Direction::NAMES)?;
    let base = choice("base", base, &Base::NAMES)?;
    match NextNode::new(direction, base, events) {
        Some(search) => Ok(search),
        None => plan_err!(
            "{NAME}: nothing comes after the last row or before the first: direction 'forward' goes with base 'head', \
             'first_match' and 'last_match', 'backward' with 'tail', 'first_match' and 'last_match'"
        ),
    }
}

fn choice<T: Copy>(name: &str, value: &ScalarValue, choices: &[(&str, T)]) -> Result<T> {
    let given = value.try_as_str().flatten();
    let found =
        choices.iter().find(|(choice, _)| given.is_some_and(|given| given.eq_ignore_ascii_case(choice)));
    match found {
        Some((_, choice)) => Ok(*choice),
        None => {
            let allowed: Vec<String> = choices.iter().map(|(choice, _)| format!("'{choice}'")).collect();
            plan_err!("{NAME}: {name} must be one of {}, got {value}", allowed.join(", "))
        }
    }
}

#[derive(Debug)]
struct NextNodeCall {
    search: NextNode,
    first_condition: usize,
    words: usize,
    has_sequence: bool,
}

impl NextNodeCall {
    /// The kept column with the values.
    fn value(&self) -> usize {
        1 + usize::from(self.has_sequence)
    }
}

impl Call for NextNodeCall {
    fn name(&self) -> &'static str {
        NAME
    }

    fn keep(&self, arguments: &[ArrayRef]) -> Result<Kept> {
        let Some(conditions) = arguments.get(self.first_condition..) else {
            return internal_err!("{NAME} was called with {} columns", arguments.len());
        };
        let (ts, value) = (&arguments[TS], kept_column(&arguments[VALUE])?);
        let present = |column: &ArrayRef| column.logical_nulls().map(|nulls| nulls.inner().clone());
        let rows = match (present(ts), present(&value)) {
            (Some(ts), Some(value)) => Some(&ts & &value),
            (ts, value) => ts.or(value),
        };
        let mut columns: Vec<ArrayRef> = vec![Arc::new(Int64Array::new(ticks(ts)?, None))];
        if self.has_sequence {
            columns.push(kept_column(&arguments[self.first_condition - 1])?);
        }
        columns.push(value);
        columns.extend(condition_columns(conditions)?.into_iter().map(|set| Arc::new(set) as ArrayRef));
        Ok(Kept { columns, rows })
    }

    fn evaluate(&self, rows: &SortedRows) -> Result<ArrayRef> {
        let words = self.words;
        let sets = rows.sets(self.value() + 1, words)?;
        let found: UInt64Array = rows
            .groups()
            .map(|group| {
                let row = self.search.find(&sets[group.start * words..group.end * words], words)?;
                Some((group.start + row) as u64)
            })
            .collect();
        Ok(take(rows.column(self.value()), &found, None)?)
    }
}
