//! Where journeys come from: rows of people, or paths with their counts.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field};
use datafusion::common::{Result, ScalarValue, plan_err};
use datafusion::functions_nested::string::string_to_array_udf;
use datafusion::logical_expr::{Expr, ExprSchemable, lit};

use crate::arguments::is_text;
use crate::table::TableCall;
use crate::table::attribution::{AttributionArguments, Wanted, amount};

/// Arguments for rows of people.
pub(super) const OF_ROWS: [&str; 13] = [
    "conversion",
    "touch",
    "by",
    "lookback",
    "lookback_touches",
    "first_conversion",
    "exclude",
    "expire_if",
    "ties",
    "sequence",
    "per",
    "ts",
    "event",
];

/// Arguments for paths with counts.
const OF_PATHS: [&str; 4] = ["path", "separator", "conversions", "nulls"];

/// Between the keys of a path that is text.
const SEPARATOR: &str = " > ";

/// Where journeys come from.
#[derive(Debug)]
pub(super) enum Source {
    /// Arguments of the aggregate over a person's rows, and whether only the first conversion counts.
    Rows(Box<AttributionArguments>, bool),
    /// Path as a list of texts, conversions, value, nulls.
    Paths(Vec<Expr>),
}

/// Reads the source.
pub(super) fn source(call: &mut TableCall<'_>) -> Result<Source> {
    let function = call.function();
    if !call.is_given("path") {
        for name in OF_PATHS {
            if call.is_given(name) {
                return call
                    .missing("path", &format!("{name} is about paths that are given with their counts"));
            }
        }
        if call.word("lookback").is_some_and(|word| word.eq_ignore_ascii_case("session")) {
            return plan_err!(
                "{function}: argument lookback must be an INTERVAL, 'person' or a number of touches; for sessions as \
                 journeys give them as persons, as in per => session_id"
            );
        }
        let wanted = Wanted { all_touches: true, ..Wanted::default() };
        let mut arguments = AttributionArguments::read(call, vec![], wanted)?;
        arguments.layout.cut_at_conversion = true;
        let first_only = call.boolean("first_conversion")?.unwrap_or(false);
        return Ok(Source::Rows(Box::new(arguments), first_only));
    }
    for name in OF_ROWS {
        if call.is_given(name) {
            return plan_err!(
                "{function}: argument {name} is about rows of people; it does not go with path"
            );
        }
    }
    let Some(conversions) = count(call, "conversions")? else {
        return call
            .missing("conversions", "say how many journeys of each path converted, as in conversions => n");
    };
    let nulls = count(call, "nulls")?.unwrap_or_else(|| lit(0_i64));
    let value = match call.expr("value")? {
        Some(value) => amount(call, "value", value)?,
        None => lit(ScalarValue::Decimal128(None, 28, 4)),
    };
    Ok(Source::Paths(vec![path(call)?, conversions, value, nulls]))
}

fn count(call: &mut TableCall<'_>, name: &str) -> Result<Option<Expr>> {
    let Some(count) = call.expr(name)? else {
        return Ok(None);
    };
    match call.type_of(&count)? {
        given if given.is_integer() || given.is_null() => {
            count.cast_to(&DataType::Int64, call.schema()).map(Some)
        }
        other => plan_err!("{}: argument {name} must be a count, an integer; got {other}", call.function()),
    }
}

/// Argument `path` as a list of texts.
fn path(call: &mut TableCall<'_>) -> Result<Expr> {
    let function = call.function();
    let separator = call.text("separator")?;
    if separator.as_deref() == Some("") {
        return plan_err!("{function}: argument separator must not be empty");
    }
    let Some(path) = call.expr("path")? else {
        return call.missing("path", "say what the paths are");
    };
    let texts = DataType::List(Arc::new(Field::new_list_field(DataType::Utf8, true)));
    let given = call.type_of(&path)?;
    match given {
        text if is_text(&text) => {
            let separator = separator.unwrap_or_else(|| SEPARATOR.to_owned());
            let path = path.cast_to(&DataType::Utf8, call.schema())?;
            string_to_array_udf().call(vec![path, lit(separator)]).cast_to(&texts, call.schema())
        }
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _)
            if !item.data_type().is_nested() =>
        {
            if separator.is_some() {
                return plan_err!("{function}: argument separator is for paths that are text, not for lists");
            }
            path.cast_to(&texts, call.schema())
        }
        other => plan_err!(
            "{function}: argument path must be text such as 'search > email' or a list of keys, got {other}"
        ),
    }
}

/// A constant whole number with a default.
pub(super) fn integer(
    call: &mut TableCall<'_>,
    name: &str,
    range: std::ops::RangeInclusive<i64>,
    default: i64,
) -> Result<i64> {
    Ok(call.integer(name, range)?.unwrap_or(default))
}

/// Argument `seed`, bits of which are taken.
pub(super) fn seed(call: &mut TableCall<'_>) -> Result<u64> {
    integer(call, "seed", 0..=i64::MAX, 1).map(i64::cast_unsigned)
}

/// Argument `smoothing`: a constant number from 0.
pub(super) fn smoothing(call: &mut TableCall<'_>) -> Result<f64> {
    let Some(given) = call.constant("smoothing")? else {
        return Ok(0.0);
    };
    match given.cast_to(&DataType::Float64) {
        Ok(ScalarValue::Float64(Some(number))) if number.is_finite() && number >= 0.0 => Ok(number),
        _ => plan_err!("{}: argument smoothing must be a number from 0, got {given}", call.function()),
    }
}
