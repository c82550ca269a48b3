//! Arguments `models`, `weights` and `segments`.

use arrow::datatypes::DataType;
use datafusion::common::{DFSchema, Result, ScalarValue, plan_err};
use datafusion::logical_expr::{Expr, ExprSchemable};

use crate::aggregate::attribution::{
    CUSTOM, DEFAULT_MODELS, EVENT_REGULAR, ModelKind, NamedModel, SEGMENT_ROWS, SegmentSpec, names,
};
use crate::journey::attribution::{Within, position_weights};
use crate::table::TableCall;

/// Reads the models of a call.
pub(super) fn models(call: &mut TableCall<'_>) -> Result<Vec<NamedModel>> {
    let function = call.function();
    let given = call.texts("models")?;
    let given = given.unwrap_or_else(|| DEFAULT_MODELS.map(str::to_owned).to_vec());
    if given.is_empty() {
        return plan_err!("{function}: argument models must name at least one model");
    }
    let mut models: Vec<NamedModel> = Vec::with_capacity(given.len());
    for name in &given {
        let model = match NamedModel::plain(name) {
            Some(model) => model,
            None => special(call, name)?,
        };
        if models.iter().any(|known| known.name == model.name) {
            return plan_err!("{function}: argument models names '{}' twice", model.name);
        }
        models.push(model);
    }
    let needs = |wanted: &[&str]| models.iter().any(|model| wanted.contains(&model.name));
    for (argument, wanted) in [("weights", vec![CUSTOM]), ("segments", vec![EVENT_REGULAR, SEGMENT_ROWS])] {
        if call.is_given(argument) && !needs(&wanted) {
            return plan_err!("{function}: argument {argument} is for model '{}'", wanted.join("' or '"));
        }
    }
    let decays = models.iter().any(|model| model.kind == ModelKind::TimeDecay);
    if call.is_given("half_life") && !decays {
        return plan_err!("{function}: argument half_life is for model 'time_decay'");
    }
    Ok(models)
}

fn special(call: &mut TableCall<'_>, name: &str) -> Result<NamedModel> {
    let is = |known: &str| known.eq_ignore_ascii_case(name);
    if is(CUSTOM) {
        return Ok(NamedModel { name: CUSTOM, kind: ModelKind::ByPosition(weights(call)?) });
    }
    if is(EVENT_REGULAR) {
        return Ok(NamedModel { name: EVENT_REGULAR, kind: ModelKind::EventRegular(segments(call, false)?) });
    }
    if is(SEGMENT_ROWS) {
        return Ok(NamedModel { name: SEGMENT_ROWS, kind: ModelKind::SegmentRows(segments(call, true)?) });
    }
    let allowed: Vec<String> = names().map(|name| format!("'{name}'")).collect();
    plan_err!("{}: argument models must name some of {}; got '{name}'", call.function(), allowed.join(", "))
}

/// Argument `weights`: first, middle, last.
fn weights(call: &mut TableCall<'_>) -> Result<[u64; 3]> {
    let function = call.function();
    let Some(given) = call.expr_list("weights")? else {
        return call.missing(
            "weights",
            "model 'custom' needs first, middle and last, as in weights => [30, 40, 30]",
        );
    };
    let mut numbers = Vec::with_capacity(given.len());
    for expr in given {
        numbers.push(number(call, "weights", expr)?);
    }
    let Ok(three) = <[f64; 3]>::try_from(numbers.as_slice()) else {
        return plan_err!(
            "{function}: argument weights must be three numbers, for the first, middle and last touches; got {}",
            numbers.len()
        );
    };
    match position_weights(three) {
        Some(weights) => Ok(weights),
        None => plan_err!(
            "{function}: argument weights must be numbers from 0, not all of them 0; got {}, {}, {}",
            three[0],
            three[1],
            three[2]
        ),
    }
}

/// A constant number.
fn number(call: &TableCall<'_>, name: &str, expr: Expr) -> Result<f64> {
    if let Some(column) = expr.column_refs().into_iter().min() {
        return plan_err!(
            "{}: argument {name} must be constant numbers; it reads column {column}",
            call.function()
        );
    }
    let number = expr.cast_to(&DataType::Float64, &DFSchema::empty())?;
    match call.folded(name, number)? {
        Expr::Literal(ScalarValue::Float64(Some(number)), _) => Ok(number),
        other => plan_err!(
            "{}: argument {name} must be constant numbers written in the statement, got {other}",
            call.function()
        ),
    }
}

/// Argument `segments`: `'key:weight:model'`, or `'rows:weight:model'`.
fn segments(call: &mut TableCall<'_>, by_rows: bool) -> Result<Vec<SegmentSpec>> {
    let function = call.function();
    let form = if by_rows { "'3:0.5:linear'" } else { "'email:0.2:last_touch'" };
    let Some(given) = call.texts("segments")? else {
        return call.missing("segments", &format!("the model needs it, as in segments => [{form}]"));
    };
    let mut segments: Vec<SegmentSpec> = Vec::with_capacity(given.len());
    for text in &given {
        let mut parts = text.rsplitn(3, ':');
        let (within, weight, of) = (parts.next(), parts.next(), parts.next());
        let within = within.and_then(|within| {
            Within::NAMES
                .iter()
                .find(|(name, _)| name.eq_ignore_ascii_case(within.trim()))
                .map(|(_, within)| *within)
        });
        let weight = weight.and_then(|weight| weight.trim().parse::<f64>().ok());
        let weight = weight.filter(|weight| weight.is_finite() && *weight >= 0.0);
        let of = of.filter(|of| !by_rows || of.trim().parse::<usize>().is_ok_and(|rows| rows > 0));
        let (Some(within), Some(weight), Some(of)) = (within, weight, of) else {
            let what = if by_rows { "number of touches" } else { "key" };
            return plan_err!(
                "{function}: argument segments must be texts '{what}:weight:model' such as {form}, where the weight is \
                 a number from 0 and the model first_touch, last_touch or linear; got '{text}'"
            );
        };
        let of = if by_rows { of.trim().to_owned() } else { of.to_owned() };
        if !by_rows && segments.iter().any(|known| known.of == of) {
            return plan_err!("{function}: argument segments names '{of}' twice");
        }
        segments.push(SegmentSpec { of, weight: weight.to_bits(), within });
    }
    if segments.iter().all(|segment| f64::from_bits(segment.weight) == 0.0) {
        return plan_err!("{function}: argument segments must have a weight above 0");
    }
    Ok(segments)
}
