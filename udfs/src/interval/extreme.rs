//! `GREATEST` and `LEAST` of intervals.

use std::sync::{Arc, LazyLock};

use arrow::array::{Array, ArrayRef, Decimal128Array, UInt32Array};
use arrow::compute::interleave;
use arrow::datatypes::DataType;
use datafusion::common::{Result, ScalarValue, internal_err};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use super::length::measure;

/// The longest or the shortest of `args`, intervals of one type.
pub(super) fn extreme(greatest: bool, args: Vec<Expr>) -> Expr {
    if greatest { GREATEST.call(args) } else { LEAST.call(args) }
}

static GREATEST: LazyLock<ScalarUDF> = LazyLock::new(|| ScalarUDF::from(Extreme::new(true)));
static LEAST: LazyLock<ScalarUDF> = LazyLock::new(|| ScalarUDF::from(Extreme::new(false)));

/// `interval_greatest(..)` and `interval_least(..)`: stand in plans only and are not registered.
///
/// NULL arguments are passed over, as by DataFusion's own functions; of equal ones the first is taken.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Extreme {
    greatest: bool,
    signature: Signature,
}

impl Extreme {
    fn new(greatest: bool) -> Self {
        Self { greatest, signature: Signature::variadic_any(Volatility::Immutable) }
    }

    /// For each row the index of the argument to take; none where all are NULL.
    fn choose(&self, lengths: &[Decimal128Array], rows: usize) -> UInt32Array {
        let chosen = (0..rows).map(|row| {
            let mut best: Option<(u32, i128)> = None;
            for (argument, lengths) in (0_u32..).zip(lengths) {
                if lengths.is_null(row) {
                    continue;
                }
                let length = lengths.value(row);
                let is_better =
                    best.is_none_or(|(_, known)| if self.greatest { length > known } else { length < known });
                if is_better {
                    best = Some((argument, length));
                }
            }
            best.map(|(argument, _)| argument)
        });
        chosen.collect()
    }
}

impl ScalarUDFImpl for Extreme {
    fn name(&self) -> &str {
        if self.greatest { "interval_greatest" } else { "interval_least" }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arg_types: &[DataType]) -> Result<DataType> {
        match arg_types.first() {
            Some(first) => Ok(first.clone()),
            None => internal_err!("{} without arguments", self.name()),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let is_constant = args.args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let rows = arrays.first().map_or(0, |array| array.len());
        let lengths: Vec<Decimal128Array> = arrays.iter().map(measure).collect::<Result<_>>()?;
        let chosen = self.choose(&lengths, rows);
        // Where all are NULL the first one is.
        let places: Vec<(usize, usize)> = chosen
            .iter()
            .enumerate()
            .map(|(row, argument)| (argument.map_or(0, |index| index as usize), row))
            .collect();
        let columns: Vec<&dyn Array> = arrays.iter().map(|array| array.as_ref()).collect();
        let values: ArrayRef = interleave(&columns, &places)?;
        if is_constant {
            return Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&values, 0)?));
        }
        Ok(ColumnarValue::Array(Arc::clone(&values)))
    }
}
