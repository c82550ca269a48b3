//! Functions of `json` and `jsonb` beside `->` and `->>`, which the engine has: paths, containment, keys, kinds.

use std::collections::BTreeMap;

use arrow::array::{Array, AsArray};
use arrow::datatypes::DataType;
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::{ScalarUDF, Volatility};
use serde_json::Value;
use serde_json::value::RawValue;

use super::jsonb_text;
use super::typed::typed;
use crate::catalog::row_function::{RowFunction, returns, text, text_of};
use crate::error::{SqlError, sqlstate};

/// Functions behind operators; their names are nobody's business.
pub(super) const PATH: &str = "jsonb_path_value";
pub(super) const PATH_TEXT: &str = "jsonb_path_text";
pub(super) const CONTAINS: &str = "jsonb_contains";
pub(super) const EXISTS_ANY: &str = "jsonb_exists_any";
pub(super) const EXISTS_ALL: &str = "jsonb_exists_all";
/// What the aggregates of JSON become: functions of lists of texts.
pub(crate) const ELEMENT: &str = "pg_json_element";
pub(crate) const MEMBER: &str = "pg_json_member";
pub(crate) const ARRAY_OF: &str = "pg_json_array_of";
pub(crate) const JSONB_ARRAY_OF: &str = "pg_jsonb_array_of";
pub(crate) const OBJECT_OF: &str = "pg_json_object_of";
pub(crate) const JSONB_OBJECT_OF: &str = "pg_jsonb_object_of";

pub(super) fn all() -> Vec<ScalarUDF> {
    let pure = |name, counts: &[usize], result, evaluate: fn(&[ScalarValue]) -> Result<ScalarValue>| {
        RowFunction::udf(name, counts, result, Volatility::Immutable, evaluate)
    };
    let counts: Vec<usize> = (2..=16).collect();
    vec![
        pure(PATH, &[2], typed("jsonb"), |a| at_path(&a[0], &a[1..], false)),
        pure(PATH_TEXT, &[2], returns(DataType::Utf8), |a| at_path(&a[0], &a[1..], true)),
        pure("jsonb_extract_path", &counts, typed("jsonb"), |a| at_path(&a[0], &a[1..], false)),
        pure("json_extract_path", &counts, typed("json"), |a| at_path(&a[0], &a[1..], false)),
        pure("jsonb_extract_path_text", &counts, returns(DataType::Utf8), |a| at_path(&a[0], &a[1..], true)),
        pure("json_extract_path_text", &counts, returns(DataType::Utf8), |a| at_path(&a[0], &a[1..], true)),
        pure(CONTAINS, &[2], returns(DataType::Boolean), |a| {
            let (Some(outer), Some(inner)) = (value(&a[0])?, value(&a[1])?) else {
                return Ok(ScalarValue::Null);
            };
            Ok(ScalarValue::from(contains(&outer, &inner, true)))
        }),
        pure(EXISTS_ANY, &[2], returns(DataType::Boolean), |a| exists(&a[0], &a[1], false)),
        pure(EXISTS_ALL, &[2], returns(DataType::Boolean), |a| exists(&a[0], &a[1], true)),
        pure("jsonb_typeof", &[1], returns(DataType::Utf8), kind),
        pure("json_typeof", &[1], returns(DataType::Utf8), kind),
        pure("jsonb_array_length", &[1], returns(DataType::Int32), array_length),
        pure("json_array_length", &[1], returns(DataType::Int32), array_length),
        pure(ARRAY_OF, &[1], typed("json"), |a| joined(&a[0], "[", "]")),
        pure(JSONB_ARRAY_OF, &[1], typed("jsonb"), |a| normalized(&joined(&a[0], "[", "]")?)),
        pure(OBJECT_OF, &[1], typed("json"), |a| joined(&a[0], "{ ", " }")),
        pure(JSONB_OBJECT_OF, &[1], typed("jsonb"), |a| normalized(&joined(&a[0], "{", "}")?)),
    ]
}

fn value(argument: &ScalarValue) -> Result<Option<Value>> {
    let Some(json) = text_of(argument) else { return Ok(None) };
    serde_json::from_str(json).map(Some).map_err(|_| invalid().into())
}

fn invalid() -> SqlError {
    SqlError::new(sqlstate::INVALID_TEXT_REPRESENTATION, "invalid input syntax for type json")
}

/// The steps of a path: one text array, `{a,b}` as text, or several texts. `None` if one is NULL.
fn steps(arguments: &[ScalarValue]) -> Option<Vec<String>> {
    if let [ScalarValue::List(list)] = arguments {
        let items = list.value(0);
        let items = arrow::compute::cast(&items, &DataType::Utf8).ok()?;
        return items.as_string::<i32>().iter().map(|item| item.map(str::to_owned)).collect();
    }
    if let [one] = arguments
        && let Some(literal) = text_of(one).and_then(|text| text.strip_prefix('{')?.strip_suffix('}'))
    {
        if literal.trim().is_empty() {
            return Some(Vec::new());
        }
        return Some(literal.split(',').map(|step| step.trim().trim_matches('"').to_owned()).collect());
    }
    arguments.iter().map(|step| text_of(step).map(str::to_owned)).collect()
}

fn at_path(json: &ScalarValue, path: &[ScalarValue], as_text: bool) -> Result<ScalarValue> {
    let (Some(json), Some(steps)) = (text_of(json), steps(path)) else {
        return Ok(ScalarValue::Null);
    };
    jsonb_text::check(json)?;
    let mut current = json.trim().to_owned();
    for step in &steps {
        let found = match current.as_bytes().first() {
            Some(b'{') => {
                let members: Option<BTreeMap<jsonb_text::Key, Box<RawValue>>> =
                    serde_json::from_str(&current).ok();
                members.and_then(|mut members| members.remove(&jsonb_text::Key(step.clone())))
            }
            Some(b'[') => {
                let items: Vec<Box<RawValue>> = serde_json::from_str(&current).unwrap_or_default();
                step.parse::<i64>().ok().and_then(|index| {
                    let length = i64::try_from(items.len()).ok()?;
                    let index = if index < 0 { length + index } else { index };
                    items.into_iter().nth(usize::try_from(index).ok()?)
                })
            }
            _ => None,
        };
        match found {
            Some(value) => current = value.get().to_owned(),
            None => return Ok(ScalarValue::Null),
        }
    }
    if !as_text {
        return Ok(text(current));
    }
    Ok(match current.as_bytes().first() {
        Some(b'n') => ScalarValue::Null,
        Some(b'"') => text(serde_json::from_str::<String>(&current).map_err(|_| invalid())?),
        _ => text(current),
    })
}

/// Containment of `jsonb`: objects by member, arrays by element in any order; at the top an array may hold the bare
/// scalar itself.
fn contains(outer: &Value, inner: &Value, top: bool) -> bool {
    match (outer, inner) {
        (Value::Object(outer), Value::Object(inner)) => {
            inner.iter().all(|(key, value)| outer.get(key).is_some_and(|found| contains(found, value, false)))
        }
        (Value::Array(outer), Value::Array(inner)) => {
            inner.iter().all(|wanted| outer.iter().any(|found| contains(found, wanted, false)))
        }
        (Value::Array(outer), scalar) if top && !scalar.is_object() => {
            outer.iter().any(|found| equal(found, scalar))
        }
        _ => equal(outer, inner),
    }
}

/// Equality of scalars; numbers by value.
fn equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        _ => a == b,
    }
}

fn exists(json: &ScalarValue, keys: &ScalarValue, all: bool) -> Result<ScalarValue> {
    let (Some(json), Some(keys)) = (value(json)?, steps(std::slice::from_ref(keys))) else {
        return Ok(ScalarValue::Null);
    };
    let has = |key: &String| match &json {
        Value::Object(members) => members.contains_key(key),
        Value::Array(items) => items.iter().any(|item| item.as_str() == Some(key)),
        Value::String(text) => text == key,
        _ => false,
    };
    Ok(ScalarValue::from(if all { keys.iter().all(has) } else { keys.iter().any(has) }))
}

fn kind(arguments: &[ScalarValue]) -> Result<ScalarValue> {
    Ok(match value(&arguments[0])? {
        None => ScalarValue::Null,
        Some(value) => text(match value {
            Value::Null => "null",
            Value::Bool(_) => "boolean",
            Value::Number(_) => "number",
            Value::String(_) => "string",
            Value::Array(_) => "array",
            Value::Object(_) => "object",
        }),
    })
}

fn array_length(arguments: &[ScalarValue]) -> Result<ScalarValue> {
    match value(&arguments[0])? {
        None => Ok(ScalarValue::Null),
        Some(Value::Array(items)) => Ok(ScalarValue::Int32(i32::try_from(items.len()).ok())),
        Some(Value::Object(_)) => {
            Err(SqlError::new(sqlstate::INVALID_PARAMETER_VALUE, "cannot get array length of a non-array")
                .into())
        }
        Some(_) => {
            Err(SqlError::new(sqlstate::INVALID_PARAMETER_VALUE, "cannot get array length of a scalar")
                .into())
        }
    }
}

/// The texts of a list one behind the other; NULL for no list.
fn joined(list: &ScalarValue, open: &str, close: &str) -> Result<ScalarValue> {
    let ScalarValue::List(list) = list else { return Ok(ScalarValue::Null) };
    if list.is_null(0) {
        return Ok(ScalarValue::Null);
    }
    let items = arrow::compute::cast(&list.value(0), &DataType::Utf8)?;
    let items: Vec<&str> = items.as_string::<i32>().iter().map(|item| item.unwrap_or("null")).collect();
    // What is nested begins a line, but for the first.
    Ok(text(format!("{open}{}{close}", items.join(", ").trim_start())))
}

fn normalized(json: &ScalarValue) -> Result<ScalarValue> {
    match text_of(json) {
        Some(json) => Ok(text(jsonb_text::normalized(json)?)),
        None => Ok(ScalarValue::Null),
    }
}
