//! Results that are lists.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ListArray};
use arrow::buffer::{OffsetBuffer, ScalarBuffer};
use arrow::datatypes::Field;
use datafusion::common::{Result, resources_err};

/// Lists of the given lengths that hold `values`, one behind the other.
pub(crate) fn list(name: &str, counts: Vec<usize>, values: ArrayRef) -> Result<ArrayRef> {
    let mut offsets = Vec::with_capacity(counts.len() + 1);
    let mut end = 0_usize;
    offsets.push(0_i32);
    for count in counts {
        end += count;
        match i32::try_from(end) {
            Ok(offset) => offsets.push(offset),
            Err(_) => return resources_err!("{name}: more than {} results in one partition", i32::MAX),
        }
    }
    let field = Arc::new(Field::new_list_field(values.data_type().clone(), true));
    let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
    Ok(Arc::new(ListArray::try_new(field, offsets, values, None)?))
}
