//! Arguments that speak of steps, by number or name.

use arrow::datatypes::DataType;
use datafusion::common::{Result, ScalarValue, plan_err};
use datafusion::logical_expr::Expr;

use crate::journey::product_funnel::{ByValue, Exclusion};
use crate::table::{Condition, TableCall};

/// Argument `by_value`.
pub(super) fn by_value(call: &mut TableCall<'_>, steps: usize) -> Result<ByValue> {
    let function = call.function();
    let Some(text) = call.text("by_value")? else {
        return Ok(ByValue::default());
    };
    if !call.is_given("by") {
        return plan_err!("{function}: argument by_value needs by => expression");
    }
    let lower = text.trim().to_ascii_lowercase();
    match lower.as_str() {
        "first" => return Ok(ByValue::First),
        "last" => return Ok(ByValue::Last),
        "all" => return Ok(ByValue::All),
        _ => {}
    }
    match lower.strip_prefix("step").map(|number| number.trim().parse::<usize>()) {
        Some(Ok(step)) if (1..=steps).contains(&step) => Ok(ByValue::Step(step)),
        _ => plan_err!(
            "{function}: argument by_value must be one of 'first', 'last', 'all', 'step 1' to 'step {steps}', \
             got '{text}'"
        ),
    }
}

/// A step by its number or name.
pub(super) fn step(call: &TableCall<'_>, argument: &str, names: &[String], expr: &Expr) -> Result<usize> {
    let found = match expr {
        Expr::Literal(value, _) => match value.try_as_str() {
            Some(Some(name)) => names.iter().position(|known| known == name).map(|index| index + 1),
            _ => match value.cast_to(&DataType::Int64) {
                Ok(ScalarValue::Int64(Some(number))) if value.data_type().is_integer() => {
                    usize::try_from(number).ok().filter(|step| (1..=names.len()).contains(step))
                }
                _ => None,
            },
        },
        _ => None,
    };
    match found {
        Some(step) => Ok(step),
        None => plan_err!(
            "{}: argument {argument} must be the name of a step or its number, 1 to {}; got {expr}",
            call.function(),
            names.len()
        ),
    }
}

/// Argument `optional`: for each step whether it is.
pub(super) fn optional(call: &mut TableCall<'_>, names: &[String]) -> Result<Vec<bool>> {
    let mut optional = vec![false; names.len()];
    for expr in call.expr_list("optional")?.unwrap_or_default() {
        let step = step(call, "optional", names, &expr)?;
        if step == 1 || step == names.len() {
            return plan_err!(
                "{}: argument optional must not name the first or the last step; step {step} is {}",
                call.function(),
                if step == 1 { "the first" } else { "the last" }
            );
        }
        optional[step - 1] = true;
    }
    Ok(optional)
}

/// Arguments `exclude`, `exclude_from` and `exclude_to`.
pub(super) fn exclusions(
    call: &mut TableCall<'_>,
    names: &[String],
) -> Result<(Vec<Condition>, Vec<Exclusion>)> {
    let function = call.function();
    let conditions = call.conditions("exclude")?.unwrap_or_default();
    let mut ends = Vec::new();
    for (argument, default) in [("exclude_from", 1), ("exclude_to", names.len())] {
        let given = call.expr_list(argument)?;
        let steps = match given {
            None => vec![default; conditions.len()],
            Some(_) if conditions.is_empty() => {
                return plan_err!("{function}: argument {argument} needs exclude => [condition, ...]");
            }
            Some(exprs) => {
                let steps: Vec<usize> =
                    exprs.iter().map(|expr| step(call, argument, names, expr)).collect::<Result<_>>()?;
                match steps.as_slice() {
                    [step] => vec![*step; conditions.len()],
                    steps if steps.len() == conditions.len() => steps.to_vec(),
                    steps => {
                        return plan_err!(
                            "{function}: argument {argument} must have one step, or one for each of the {} \
                             exclusions; got {}",
                            conditions.len(),
                            steps.len()
                        );
                    }
                }
            }
        };
        ends.push(steps);
    }
    let ranges = ends[0].iter().zip(&ends[1]).map(|(from, to)| Exclusion { from: *from, to: *to }).collect();
    let ranges: Vec<Exclusion> = ranges;
    if names.len() > 1
        && let Some(Exclusion { from, to }) = ranges.iter().find(|range| range.from >= range.to)
    {
        return plan_err!(
            "{function}: argument exclude_to must be a step after exclude_from; got from step {from} to step {to}"
        );
    }
    Ok((conditions, ranges))
}
