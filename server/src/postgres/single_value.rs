//! `single_value(x)`: the value of the only row, NULL of none, an error for more.
//!
//! What a sub-query in an expression means; see `wire/rewrite/subqueries.rs`. O(1) state.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Field, FieldRef, Int64Type};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::format_state_name;
use datafusion::logical_expr::{Accumulator, AggregateUDF, AggregateUDFImpl, Signature, Volatility};

use crate::error::SqlError;

/// SQLSTATE of a sub-query that gives more rows than its place can take.
const CARDINALITY_VIOLATION: &str = "21000";

/// The aggregate function.
pub(super) fn function() -> AggregateUDF {
    AggregateUDF::from(SingleValue { signature: Signature::any(1, Volatility::Immutable) })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct SingleValue {
    signature: Signature,
}

impl AggregateUDFImpl for SingleValue {
    fn name(&self) -> &str {
        "single_value"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        Ok(arguments[0].clone())
    }

    fn return_field(&self, arguments: &[FieldRef]) -> Result<FieldRef> {
        // The marks of a type stay with its values.
        Ok(Arc::new(arguments[0].as_ref().clone().with_name(self.name()).with_nullable(true)))
    }

    fn accumulator(&self, arguments: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        let value = ScalarValue::try_from(arguments.return_field.data_type())?;
        Ok(Box::new(OneRow { rows: 0, value }))
    }

    fn state_fields(&self, arguments: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        let value = Field::new(
            format_state_name(arguments.name, "value"),
            arguments.input_fields[0].data_type().clone(),
            true,
        );
        let rows = Field::new(format_state_name(arguments.name, "rows"), DataType::Int64, true);
        Ok(vec![Arc::new(value), Arc::new(rows)])
    }
}

#[derive(Debug)]
struct OneRow {
    rows: i64,
    value: ScalarValue,
}

impl OneRow {
    fn add(&mut self, rows: i64, value: impl FnOnce() -> Result<ScalarValue>) -> Result<()> {
        if rows > 0 {
            self.rows += rows;
            if self.rows > 1 {
                let message = "more than one row returned by a subquery used as an expression";
                return Err(SqlError::new(CARDINALITY_VIOLATION, message).into());
            }
            self.value = value()?;
        }
        Ok(())
    }
}

impl Accumulator for OneRow {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let rows = i64::try_from(values[0].len()).unwrap_or(i64::MAX);
        self.add(rows, || ScalarValue::try_from_array(&values[0], 0))
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let counts = states[1].as_primitive::<Int64Type>();
        for (index, rows) in counts.iter().enumerate() {
            self.add(rows.unwrap_or(0), || ScalarValue::try_from_array(&states[0], index))?;
        }
        Ok(())
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![self.value.clone(), ScalarValue::Int64(Some(self.rows))])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        Ok(self.value.clone())
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.value.size() - size_of_val(&self.value)
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::Int64Array;

    use super::*;

    #[test]
    fn one_row_is_its_value_and_two_are_an_error() {
        let mut none = OneRow { rows: 0, value: ScalarValue::Int64(None) };
        assert_eq!(none.evaluate().unwrap(), ScalarValue::Int64(None));
        let one: ArrayRef = Arc::new(Int64Array::from(vec![7]));
        none.update_batch(&[Arc::clone(&one)]).unwrap();
        assert_eq!(none.evaluate().unwrap(), ScalarValue::Int64(Some(7)));
        let error = none.update_batch(&[one]).unwrap_err();
        assert!(error.to_string().contains("more than one row"));
    }

    #[test]
    fn states_merge() {
        let mut whole = OneRow { rows: 0, value: ScalarValue::Int64(None) };
        let values: ArrayRef = Arc::new(Int64Array::from(vec![None, Some(3)]));
        let rows: ArrayRef = Arc::new(Int64Array::from(vec![0, 1]));
        whole.merge_batch(&[Arc::clone(&values), rows]).unwrap();
        assert_eq!(whole.evaluate().unwrap(), ScalarValue::Int64(Some(3)));
        let two: ArrayRef = Arc::new(Int64Array::from(vec![1, 1]));
        assert!(whole.merge_batch(&[values, two]).is_err());
    }
}
