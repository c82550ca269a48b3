//! `path_transform(path, transform [, argument])`: paths made simpler, as attribution models want them.
//!
//! Source: the path transforms of Snowplow's fractribution package; O(n) for each path.

use std::sync::{Arc, LazyLock};

use arrow::array::{Array, ArrayRef, AsArray, ListArray, StringViewBuilder};
use arrow::buffer::OffsetBuffer;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result, ScalarValue, exec_err, internal_err, plan_err, resources_err};
use datafusion::logical_expr::{
    ColumnarValue, DocSection, Documentation, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};

use crate::arguments::is_text;
use crate::docs;
use crate::journey::paths::Transform;

const NAME: &str = "path_transform";
const SEPARATOR: &str = " > ";

/// The function.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct PathTransform {
    signature: Signature,
}

impl PathTransform {
    pub(crate) fn new() -> Self {
        let mut signature = Signature::user_defined(Volatility::Immutable);
        signature.parameter_names = Some(["path", "transform", "argument"].map(str::to_owned).to_vec());
        Self { signature }
    }
}

/// What is done, as it was named.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Named {
    Unique,
    Exposure,
    First,
    Frequency,
    Last(usize),
    RemoveLast(usize),
    RemoveIfNotAll(String),
    RemoveIfLastAndNotAll(String),
}

/// Names, and what the argument is.
const NAMES: [(&str, Wanted); 8] = [
    ("unique", Wanted::Nothing),
    ("exposure", Wanted::Nothing),
    ("first", Wanted::Nothing),
    ("frequency", Wanted::Nothing),
    ("last", Wanted::Count),
    ("remove_last", Wanted::Count),
    ("remove_if_not_all", Wanted::Node),
    ("remove_if_last_and_not_all", Wanted::Node),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Nothing,
    Count,
    Node,
}

impl Named {
    fn read(name: &str, argument: Option<&str>) -> Result<Self> {
        let lower = name.to_ascii_lowercase();
        let Some((_, wanted)) = NAMES.iter().find(|(known, _)| *known == lower) else {
            let known: Vec<String> = NAMES.iter().map(|(known, _)| format!("'{known}'")).collect();
            return plan_err!("{NAME}: transform must be one of {}, got '{name}'", known.join(", "));
        };
        let count = || match argument.map(str::parse::<usize>) {
            Some(Ok(count)) => Ok(count),
            _ => plan_err!(
                "{NAME}: '{lower}' needs a whole number as third argument, not negative, got {}",
                argument.unwrap_or("nothing")
            ),
        };
        let node = || match argument {
            Some(node) => Ok(node.to_owned()),
            None => plan_err!("{NAME}: '{lower}' needs the name of a node as third argument"),
        };
        if *wanted == Wanted::Nothing && argument.is_some() {
            return plan_err!("{NAME}: '{lower}' takes no third argument");
        }
        Ok(match lower.as_str() {
            "unique" => Self::Unique,
            "exposure" => Self::Exposure,
            "first" => Self::First,
            "frequency" => Self::Frequency,
            "last" => Self::Last(count()?),
            "remove_last" => Self::RemoveLast(count()?),
            "remove_if_not_all" => Self::RemoveIfNotAll(node()?),
            _ => Self::RemoveIfLastAndNotAll(node()?),
        })
    }

    /// Nodes of the new path.
    fn apply(&self, path: &[&str], result: &mut Vec<String>) {
        result.clear();
        let node;
        let transform = match self {
            Self::Unique => Transform::Unique,
            Self::Exposure => Transform::Exposure,
            Self::First | Self::Frequency => Transform::First,
            Self::Last(count) => Transform::Last(*count),
            Self::RemoveLast(count) => Transform::RemoveLast(*count),
            Self::RemoveIfNotAll(name) => {
                node = name.as_str();
                Transform::RemoveIfNotAll(&node)
            }
            Self::RemoveIfLastAndNotAll(name) => {
                node = name.as_str();
                Transform::RemoveIfLastAndNotAll(&node)
            }
        };
        let kept = transform.apply(path);
        if *self == Self::Frequency {
            let mut counts = std::collections::HashMap::new();
            path.iter().for_each(|node| *counts.entry(*node).or_insert(0_usize) += 1);
            let counted = |at: usize| format!("{}({})", path[at], counts.get(path[at]).copied().unwrap_or(0));
            result.extend(kept.into_iter().map(counted));
        } else {
            result.extend(kept.into_iter().map(|at| path[at].to_owned()));
        }
    }
}

fn item() -> FieldRef {
    Arc::new(Field::new_list_field(DataType::Utf8View, true))
}

impl ScalarUDFImpl for PathTransform {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, arg_types: &[DataType]) -> Result<Vec<DataType>> {
        let (path, rest) = match arg_types {
            [path, rest @ ..] if matches!(rest.len(), 1 | 2) => (path, rest),
            _ => {
                return plan_err!(
                    "{NAME} needs a path and the name of a transform: write {NAME}(path, 'exposure')"
                );
            }
        };
        let mut coerced = vec![match path {
            text if is_text(text) || text.is_null() => DataType::Utf8View,
            DataType::List(_) | DataType::LargeList(_) | DataType::FixedSizeList(_, _) => {
                DataType::List(item())
            }
            other => {
                return plan_err!(
                    "{NAME}: path must be a list of nodes, or text with ' > ' between them, got {other}"
                );
            }
        }];
        for (given, name) in rest.iter().zip(["transform", "argument"]) {
            let is_number = name == "argument" && given.is_integer();
            if !(is_text(given) || given.is_null() || is_number) {
                return plan_err!("{NAME}: {name} must be text, got {given}");
            }
            coerced.push(DataType::Utf8);
        }
        Ok(coerced)
    }

    fn return_type(&self, arg_types: &[DataType]) -> Result<DataType> {
        match arg_types.first() {
            Some(path) => Ok(path.clone()),
            None => plan_err!("{NAME} needs a path"),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let constant = |place: usize, name: &str| match args.args.get(place) {
            None => Ok(None),
            Some(ColumnarValue::Scalar(value)) => Ok(value.try_as_str().flatten().map(str::to_owned)),
            Some(ColumnarValue::Array(_)) => {
                exec_err!("{NAME}: {name} must be a constant, the same for every row")
            }
        };
        let Some(transform) = constant(1, "transform")? else {
            return plan_err!("{NAME}: transform must not be NULL");
        };
        let transform = Named::read(&transform, constant(2, "argument")?.as_deref())?;
        let (path, is_scalar) = match args.args.first() {
            Some(ColumnarValue::Array(path)) => (Arc::clone(path), false),
            Some(ColumnarValue::Scalar(path)) => (path.to_array()?, true),
            None => return internal_err!("{NAME} was called without a path"),
        };
        let result = match path.data_type() {
            DataType::Utf8View => texts(&path, &transform)?,
            _ => lists(&path, &transform)?,
        };
        Ok(if is_scalar {
            ColumnarValue::Scalar(ScalarValue::try_from_array(&result, 0)?)
        } else {
            ColumnarValue::Array(result)
        })
    }

    fn documentation(&self) -> Option<&Documentation> {
        Some(&DOCUMENTATION)
    }
}

fn texts(paths: &ArrayRef, transform: &Named) -> Result<ArrayRef> {
    let mut builder = StringViewBuilder::with_capacity(paths.len());
    let mut result = Vec::new();
    for path in paths.as_string_view() {
        let Some(path) = path else {
            builder.append_null();
            continue;
        };
        // An empty text is a path of no nodes.
        let nodes: Vec<&str> = if path.is_empty() { vec![] } else { path.split(SEPARATOR).collect() };
        transform.apply(&nodes, &mut result);
        builder.append_value(result.join(SEPARATOR));
    }
    Ok(Arc::new(builder.finish()))
}

fn lists(paths: &ArrayRef, transform: &Named) -> Result<ArrayRef> {
    let Some(paths) = paths.as_list_opt::<i32>() else {
        return internal_err!("{NAME}: path was not coerced: {}", paths.data_type());
    };
    let mut nodes = StringViewBuilder::new();
    let mut lengths = Vec::with_capacity(paths.len());
    let mut result = Vec::new();
    let mut total = 0_usize;
    for row in 0..paths.len() {
        if paths.is_null(row) {
            lengths.push(0);
            continue;
        }
        let path = cast(&paths.value(row), &DataType::Utf8View)?;
        // A node that is NULL is none.
        let path: Vec<&str> = path.as_string_view().iter().flatten().collect();
        transform.apply(&path, &mut result);
        result.iter().for_each(|node| nodes.append_value(node));
        lengths.push(result.len());
        total += result.len();
    }
    if i32::try_from(total).is_err() {
        return resources_err!("{NAME}: more than {} nodes in one batch", i32::MAX);
    }
    let offsets = OffsetBuffer::from_lengths(lengths);
    Ok(Arc::new(ListArray::try_new(item(), offsets, Arc::new(nodes.finish()), paths.nulls().cloned())?))
}

static DOCUMENTATION: LazyLock<Documentation> = LazyLock::new(|| {
    Documentation::builder(
        DocSection { include: true, label: docs::PATHS, description: None },
        "Makes a path simpler, as models of attribution want it. The result has the type of `path`; NULL stays NULL, and \
         nodes that are NULL are left out.\n\n\
         | transform | |\n|---|---|\n\
         | `'unique'` | nothing |\n\
         | `'exposure'` | neighbouring equal nodes become one |\n\
         | `'first'` | only the first of equal nodes |\n\
         | `'frequency'` | as `'first'`, with the number of equal nodes behind each: `email(2)` |\n\
         | `'last'`, n | only the last n nodes |\n\
         | `'remove_last'`, n | all but the last n nodes |\n\
         | `'remove_if_not_all'`, node | the node nowhere, unless there is nothing else |\n\
         | `'remove_if_last_and_not_all'`, node | the node not at the end, unless there is nothing else |\n\n\
         Definitions: Snowplow's fractribution package.",
        "path_transform(path, transform [, argument])",
    )
    .with_argument("path", "A list of nodes, or text with `' > '` between them.")
    .with_argument("transform", "Constant text, see above.")
    .with_argument("argument", "Constant: the number or the node that the transform needs.")
    .with_sql_example(
        r"```sql
> SELECT path_transform('ad > ad > email > direct > direct', 'exposure') AS exposure,
         path_transform('ad > ad > email > direct > direct', 'remove_if_last_and_not_all', 'direct') AS without_direct,
         path_transform(['ad', 'ad', 'email'], 'frequency') AS frequency;
+---------------------+-----------------+-------------------+
| exposure            | without_direct  | frequency         |
+---------------------+-----------------+-------------------+
| ad > email > direct | ad > ad > email | [ad(2), email(1)] |
+---------------------+-----------------+-------------------+
```",
    )
    .build()
});
