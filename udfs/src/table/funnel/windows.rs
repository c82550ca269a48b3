//! Arguments that are times and lengths of time.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, IntervalMonthDayNanoType};
use datafusion::common::{Result, ScalarValue, plan_err};
use datafusion::logical_expr::expr::Placeholder;
use datafusion::logical_expr::{Expr, ExprSchemable, lit};

use crate::arguments::is_text;
use crate::journey::product_funnel::Count;
use crate::table::TableCall;

const DEFAULT_DAYS: i32 = 14;
const SESSION_GAP_NANOS: i64 = 30 * 60 * 1_000_000_000;

/// What bounds a chain: a length, a session, or both.
#[derive(Debug, Default)]
pub(super) struct SessionWindow {
    pub(super) within: Option<Expr>,
    pub(super) session: Option<Expr>,
    pub(super) session_gap: Option<Expr>,
}

/// Arguments `within`, `session` and `session_gap`.
pub(super) fn window(call: &mut TableCall<'_>, ts: &DataType, count: Count) -> Result<SessionWindow> {
    let function = call.function();
    let mut window = SessionWindow::default();
    let within_session = call.word("within").is_some_and(|word| word.eq_ignore_ascii_case("session"));
    if !within_session {
        window.within = call.length("within", ts)?;
    }
    let by_session = within_session || count == Count::Sessions;
    if !by_session {
        for name in ["session", "session_gap"] {
            if call.is_given(name) {
                return plan_err!(
                    "{function}: argument {name} needs within => 'session' or count => 'sessions'"
                );
            }
        }
        if window.within.is_none() && ts.is_integer() {
            return call
                .missing("within", "ts is an integer: give the window in its unit, as in within => 1209600");
        }
        let default = IntervalMonthDayNanoType::make_value(0, DEFAULT_DAYS, 0);
        window.within.get_or_insert_with(|| lit(ScalarValue::IntervalMonthDayNano(Some(default))));
        return Ok(window);
    }
    window.session = call.expr("session")?;
    window.session_gap = call.length("session_gap", ts)?;
    if window.session_gap.is_none() {
        if ts.is_integer() {
            return call.missing(
                "session_gap",
                "ts is an integer: give the gap in its unit, as in session_gap => 1800",
            );
        }
        let default = IntervalMonthDayNanoType::make_value(0, 0, SESSION_GAP_NANOS);
        window.session_gap = Some(lit(ScalarValue::IntervalMonthDayNano(Some(default))));
    }
    Ok(window)
}

/// An expression without columns, as a time of type `ts`.
pub(super) fn constant_time(call: &mut TableCall<'_>, name: &str, ts: &DataType) -> Result<Option<Expr>> {
    match call.expr(name)? {
        None => Ok(None),
        Some(expr) => time(call, name, expr, ts).map(Some),
    }
}

fn time(call: &TableCall<'_>, name: &str, expr: Expr, ts: &DataType) -> Result<Expr> {
    if let Expr::Placeholder(Placeholder { id, field }) = expr {
        let field = field.or_else(|| Some(Arc::new(Field::new("", ts.clone(), true))));
        return Ok(Expr::Placeholder(Placeholder::new_with_field(id, field)));
    }
    if let Some(column) = expr.column_refs().into_iter().min() {
        return plan_err!(
            "{}: argument {name} must be a constant, the same for every row; it reads column {column}",
            call.function()
        );
    }
    let given = call.type_of(&expr)?;
    let fits = given.is_null()
        || given.is_integer() == ts.is_integer()
            && (given.is_integer() || given.is_temporal() || is_text(&given));
    if !fits {
        return plan_err!("{}: argument {name} must be a time like ts ({ts}), got {given}", call.function());
    }
    // A date is its midnight on the clock of the zone of ts.
    let local = match (&given, ts) {
        (DataType::Date32 | DataType::Date64, DataType::Timestamp(unit, _)) => {
            expr.cast_to(&DataType::Timestamp(*unit, None), call.schema())?
        }
        _ => expr,
    };
    let time = local.cast_to(ts, call.schema())?;
    // Checked, not replaced: now() in a view is the time of each query.
    call.folded(name, time.clone())?;
    Ok(time)
}

/// Argument `entered`: where chains may start.
pub(super) fn entered(call: &mut TableCall<'_>, ts: &DataType) -> Result<[Option<Expr>; 2]> {
    match call.expr_list("entered")? {
        None => Ok([None, None]),
        Some(bounds) => match <[Expr; 2]>::try_from(bounds) {
            Ok([from, to]) => {
                Ok([Some(time(call, "entered", from, ts)?), Some(time(call, "entered", to, ts)?)])
            }
            Err(other) => plan_err!(
                "{}: argument entered must be a list of two times, [from, to), either may be NULL; got {} elements",
                call.function(),
                other.len()
            ),
        },
    }
}
