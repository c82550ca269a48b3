//! Two segments side by side: `compare_by`.

use std::sync::Arc;

use arrow::array::{Array, AsArray, BooleanArray, Float64Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type};
use datafusion::common::{Result, exec_err, internal_err};
use datafusion::functions_aggregate::min_max::{max_udaf, min_udaf};
use datafusion::logical_expr::expr::WindowFunction;
use datafusion::logical_expr::{
    ColumnarValue, Expr, LogicalPlanBuilder, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility, cast as cast_expr, ident, lit, when,
};

use super::figures::{ratio, sum_over, windows};
use crate::aggregate::sum_function;
use crate::journey::stats::two_proportions;

/// Turns rows (`by`, keys, measures) into one for each key, with the figures of both segments: `segment_a`, `segment_b`,
/// both of `measure` and of `others`, the shares of `measure` among the rows that are equal in `partition`, their
/// difference and its p-value.
///
/// `a` is the first of the two values of `by` in order of text, `b` the second.
pub(super) fn compared(
    rows: LogicalPlanBuilder,
    function: &'static str,
    keys: &[&str],
    partition: &[&str],
    measure: &str,
    others: &[&str],
) -> Result<LogicalPlanBuilder> {
    let over_all = |function, of: &str| Expr::from(WindowFunction::new(function, vec![ident(of)]));
    let ends = [over_all(min_udaf(), "by").alias("__a"), over_all(max_udaf(), "by").alias("__b")];
    let rows = windows(rows, ends)?
        .filter(ScalarUDF::from(OneOfTwo::new(function)).call(["by", "__a", "__b"].map(ident).to_vec()))?;
    let is = |segment: &str| ident("by").eq(ident(segment));
    // With one value only, it is `a`, and `b` has nothing.
    let is_b = || is("__b").and(ident("__a").not_eq(ident("__b")));
    let sum = |condition: Expr, of: &str| -> Result<Expr> {
        Ok(sum_function().call(vec![when(condition, ident(of)).otherwise(lit(0))?]))
    };
    let group: Vec<Expr> = keys.iter().map(|key| ident(*key)).collect();
    let mut figures = vec![
        max_udaf().call(vec![ident("__a")]).alias("segment_a"),
        max_udaf()
            .call(vec![when(ident("__a").not_eq(ident("__b")), ident("__b")).end()?])
            .alias("segment_b"),
    ];
    let measures = || std::iter::once(&measure).chain(others);
    for measure in measures() {
        figures.push(sum(is("__a"), measure)?.alias(format!("{measure}_a")));
        figures.push(sum(is_b(), measure)?.alias(format!("{measure}_b")));
    }
    let [count_a, count_b] = ["a", "b"].map(|segment| format!("{measure}_{segment}"));
    let partition: Vec<Expr> = partition.iter().map(|column| ident(*column)).collect();
    let totals = [
        sum_over(ident(&count_a), partition.clone())?.alias("__all_a"),
        sum_over(ident(&count_b), partition)?.alias("__all_b"),
    ];
    let rows = windows(rows.aggregate(group.clone(), figures)?, totals)?;
    let share_a = ratio(ident(&count_a), ident("__all_a"))?;
    let share_b = ratio(ident(&count_b), ident("__all_b"))?;
    let p_value = ScalarUDF::from(PValue::new()).call(
        [count_a.as_str(), count_b.as_str(), "__all_a", "__all_b"]
            .map(|column| cast_expr(ident(column), DataType::Float64))
            .to_vec(),
    );
    let whole = |column: &str| cast_expr(ident(column), DataType::Int64).alias(column);
    let mut columns = group;
    columns.extend(["segment_a", "segment_b"].map(ident));
    for measure in measures() {
        columns.extend(["a", "b"].map(|segment| whole(&format!("{measure}_{segment}"))));
    }
    columns.extend([
        share_a.clone().alias("share_a"),
        share_b.clone().alias("share_b"),
        (share_a - share_b).alias("difference"),
        p_value.alias("p_value"),
    ]);
    rows.project(columns)
}

/// True; an error for a segment that is neither of the two.
#[derive(Debug, PartialEq, Eq, Hash)]
struct OneOfTwo {
    function: &'static str,
    signature: Signature,
}

impl OneOfTwo {
    fn new(function: &'static str) -> Self {
        // Volatile, so that it is not moved to where the two are not known.
        Self { function, signature: Signature::any(3, Volatility::Volatile) }
    }
}

impl ScalarUDFImpl for OneOfTwo {
    fn name(&self) -> &str {
        "one_of_two_segments"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arg_types: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let texts =
            arrays.iter().map(|array| cast(array, &DataType::Utf8View)).collect::<Result<Vec<_>, _>>()?;
        let [segments, first, last] = texts.as_slice() else {
            return internal_err!("segments are compared with two others");
        };
        let (segments, first, last) =
            (segments.as_string_view(), first.as_string_view(), last.as_string_view());
        let mut is_one = Vec::with_capacity(segments.len());
        for row in 0..segments.len() {
            // Paths without a segment are left out.
            is_one.push(segments.is_valid(row));
            let segment = segments.value(row);
            if segments.is_valid(row) && segment != first.value(row) && segment != last.value(row) {
                return exec_err!(
                    "{}: compare_by needs two values, there are more: '{}', '{segment}' and '{}'; compare two of them, \
                     as in compare_by => x in a query WHERE x IN ('a', 'b'), or write a condition",
                    self.function,
                    first.value(row),
                    last.value(row)
                );
            }
        }
        Ok(ColumnarValue::Array(Arc::new(BooleanArray::from(is_one))))
    }
}

/// The p-value of the difference between two shares: counts of both, then totals of both.
#[derive(Debug, PartialEq, Eq, Hash)]
struct PValue {
    signature: Signature,
}

impl PValue {
    fn new() -> Self {
        Self { signature: Signature::exact(vec![DataType::Float64; 4], Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for PValue {
    fn name(&self) -> &str {
        "p_value_of_shares"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arg_types: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let numbers: Vec<&Float64Array> =
            arrays.iter().filter_map(|array| array.as_primitive_opt::<Float64Type>()).collect();
        let [count_a, count_b, all_a, all_b] = numbers.as_slice() else {
            return internal_err!("shares are made of four numbers");
        };
        let p_values = (0..count_a.len()).map(|row| {
            two_proportions([count_a.value(row), count_b.value(row)], [all_a.value(row), all_b.value(row)])
        });
        Ok(ColumnarValue::Array(Arc::new(Float64Array::from_iter(p_values))))
    }
}
