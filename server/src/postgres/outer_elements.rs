//! `pg_outer_elements(array)`: the array, or one of a single NULL if it is NULL or has no elements, so that what gives a row
//! for each element keeps every row. `LEFT JOIN unnest(array) ON true` becomes it.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListArray, UInt64Array};
use arrow::buffer::OffsetBuffer;
use arrow::compute::take;
use arrow::datatypes::{DataType, Field};
use datafusion::common::{Result, ScalarValue, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

pub(crate) const NAME: &str = "pg_outer_elements";

pub(super) fn function() -> ScalarUDF {
    ScalarUDF::from(OuterElements { signature: Signature::user_defined(Volatility::Immutable) })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct OuterElements {
    signature: Signature,
}

impl ScalarUDFImpl for OuterElements {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, arguments: &[DataType]) -> Result<Vec<DataType>> {
        match arguments {
            [DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _)] => {
                Ok(vec![DataType::List(Arc::new(Field::new_list_field(item.data_type().clone(), true)))])
            }
            _ => plan_err!("unnest needs one array"),
        }
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        Ok(arguments[0].clone())
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        match &arguments.args[0] {
            ColumnarValue::Array(arrays) => Ok(ColumnarValue::Array(Arc::new(outer(arrays)?))),
            ColumnarValue::Scalar(array) => {
                let arrays = outer(&array.to_array()?)?;
                Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&arrays, 0)?))
            }
        }
    }
}

fn outer(arrays: &ArrayRef) -> Result<ListArray> {
    let arrays = arrays.as_list::<i32>();
    let mut kept: Vec<Option<u64>> = Vec::with_capacity(arrays.values().len());
    let mut lengths = Vec::with_capacity(arrays.len());
    for (row, place) in arrays.value_offsets().windows(2).enumerate() {
        let before = kept.len();
        if arrays.is_valid(row) {
            kept.extend((place[0]..place[1]).map(|element| u64::try_from(element).ok()));
        }
        if kept.len() == before {
            kept.push(None);
        }
        lengths.push(kept.len() - before);
    }
    let values = take(arrays.values(), &UInt64Array::from(kept), None)?;
    let item = Arc::new(Field::new_list_field(arrays.value_type(), true));
    Ok(ListArray::try_new(item, OffsetBuffer::from_lengths(lengths), values, None)?)
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::Int32Type;

    use super::*;

    #[test]
    fn every_row_keeps_an_element() {
        let lists = [Some(vec![Some(1), None]), None, Some(vec![]), Some(vec![Some(2)])];
        let arrays: ArrayRef = Arc::new(ListArray::from_iter_primitive::<Int32Type, _, _>(lists));
        let kept = [vec![Some(1), None], vec![None], vec![None], vec![Some(2)]].map(Some);
        assert_eq!(outer(&arrays).unwrap(), ListArray::from_iter_primitive::<Int32Type, _, _>(kept));
        let sliced = arrays.slice(2, 2);
        assert_eq!(outer(&sliced).unwrap().value_offsets(), [0, 1, 2]);
    }
}
