//! `pg_subscripts(a)` and `pg_expanded(a)`: what `generate_subscripts(a, 1)` and `_pg_expandarray(a)` give, as arrays.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int32Array, ListArray, StructArray};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field, FieldRef, Fields};
use datafusion::common::{Result, ScalarValue, exec_err, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use crate::wire::types::PG_TYPE_KEY;

/// Both functions.
pub(super) fn all() -> Vec<ScalarUDF> {
    let function =
        |kind| ScalarUDF::from(Elements { kind, signature: Signature::any(1, Volatility::Immutable) });
    vec![function(Kind::Subscripts), function(Kind::Expanded)]
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    /// The subscripts: from 1, of the vectors of the catalogs from 0.
    Subscripts,
    /// Each element as `x` with its number from 1 as `n`.
    Expanded,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Elements {
    kind: Kind,
    signature: Signature,
}

impl Elements {
    fn item(&self, element: &FieldRef) -> FieldRef {
        match self.kind {
            Kind::Subscripts => Arc::new(Field::new_list_field(DataType::Int32, true)),
            Kind::Expanded => {
                let x = Field::new("x", element.data_type().clone(), true);
                let n = Field::new("n", DataType::Int32, true);
                Arc::new(Field::new_list_field(DataType::Struct(Fields::from(vec![x, n])), true))
            }
        }
    }

    fn evaluate(&self, array: &ArrayRef, first: i32) -> Result<ArrayRef> {
        let Some(lists) = array.as_list_opt::<i32>() else {
            return exec_err!("{} takes an array", self.name());
        };
        let DataType::List(element) = lists.data_type() else { return exec_err!("no list") };
        let mut numbers: Vec<i32> = Vec::with_capacity(lists.values().len());
        let mut lengths = Vec::with_capacity(lists.len());
        let mut kept: Vec<ArrayRef> = Vec::new();
        for row in 0..lists.len() {
            let length = if lists.is_null(row) { 0 } else { lists.value(row).len() };
            numbers.extend((first..).take(length));
            lengths.push(length);
            if length > 0 {
                kept.push(lists.value(row));
            }
        }
        let numbers: ArrayRef = Arc::new(Int32Array::from(numbers));
        let item = self.item(element);
        let values: ArrayRef = match item.data_type() {
            DataType::Struct(fields) => {
                let kept: Vec<&dyn Array> = kept.iter().map(AsRef::as_ref).collect();
                let elements = if kept.is_empty() {
                    arrow::array::new_empty_array(element.data_type())
                } else {
                    arrow::compute::concat(&kept)?
                };
                Arc::new(StructArray::try_new(fields.clone(), vec![elements, numbers], None)?)
            }
            _ => numbers,
        };
        let nulls = lists.nulls().cloned();
        Ok(Arc::new(ListArray::try_new(item, OffsetBuffer::from_lengths(lengths), values, nulls)?))
    }
}

impl ScalarUDFImpl for Elements {
    fn name(&self) -> &str {
        match self.kind {
            Kind::Subscripts => "pg_subscripts",
            Kind::Expanded => "pg_expanded",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        match arguments {
            [DataType::List(element)] => Ok(DataType::List(self.item(element))),
            _ => plan_err!("{} takes an array", self.name()),
        }
    }

    fn return_field_from_args(&self, arguments: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let types: Vec<DataType> =
            arguments.arg_fields.iter().map(|field| field.data_type().clone()).collect();
        Ok(Arc::new(Field::new(self.name(), self.return_type(&types)?, true)))
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let is_vector = arguments.arg_fields.first().is_some_and(|field| {
            field.metadata().get(PG_TYPE_KEY).is_some_and(|pg_type| pg_type.ends_with("vector"))
        });
        let first = i32::from(self.kind == Kind::Expanded || !is_vector);
        match &arguments.args[0] {
            ColumnarValue::Array(array) => Ok(ColumnarValue::Array(self.evaluate(array, first)?)),
            ColumnarValue::Scalar(value) => {
                let array = self.evaluate(&value.to_array()?, first)?;
                Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&array, 0)?))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::Int32Type;

    use super::*;

    #[test]
    fn elements_are_numbered() {
        let lists: ArrayRef = Arc::new(ListArray::from_iter_primitive::<Int32Type, _, _>([
            Some(vec![Some(7), Some(9)]),
            None,
            Some(vec![Some(5)]),
        ]));
        let of = |kind| Elements { kind, signature: Signature::any(1, Volatility::Immutable) };
        let subscripts = of(Kind::Subscripts).evaluate(&lists, 0).unwrap();
        let subscripts = subscripts.as_list::<i32>();
        assert_eq!(subscripts.values().as_primitive::<Int32Type>().values(), &[0, 1, 0]);
        assert!(subscripts.is_null(1));
        let expanded = of(Kind::Expanded).evaluate(&lists, 1).unwrap();
        let expanded = expanded.as_list::<i32>().values().as_struct();
        assert_eq!(expanded.column_by_name("x").unwrap().as_primitive::<Int32Type>().values(), &[7, 9, 5]);
        assert_eq!(expanded.column_by_name("n").unwrap().as_primitive::<Int32Type>().values(), &[1, 2, 1]);
    }
}
