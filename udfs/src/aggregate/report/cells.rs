//! Contributions as an Arrow list of structs: between the two aggregates, and as partial state of the second.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, Int64Array, ListArray, StructArray, UInt32Array};
use arrow::buffer::{OffsetBuffer, ScalarBuffer};
use arrow::compute::take;
use arrow::datatypes::{DataType, Field, FieldRef, Fields, Float64Type, Int64Type};
use datafusion::common::{Result, internal_err, resources_err};

use crate::journey::retention::cells::{Contribution, Place};

/// Type of a list of contributions of groups of type `by`.
pub(super) fn list_type(by: &DataType) -> DataType {
    DataType::List(item_field(by))
}

fn item_field(by: &DataType) -> FieldRef {
    Arc::new(Field::new_list_field(DataType::Struct(fields(by)), true))
}

fn fields(by: &DataType) -> Fields {
    let mut fields = vec![Field::new("by", by.clone(), true)];
    for name in ["row", "column", "detail", "people", "values"] {
        fields.push(Field::new(name, DataType::Int64, false));
    }
    fields.push(Field::new("sum", DataType::Float64, false));
    Fields::from(fields)
}

/// Collects contributions of consecutive lists.
#[derive(Debug, Default)]
pub(super) struct Builder {
    offsets: Vec<i32>,
    by: Vec<u32>,
    integers: [Vec<i64>; 5],
    sums: Vec<f64>,
}

impl Builder {
    /// Adds a contribution to the list that is open; `by` is the row of the array of groups.
    pub(super) fn push(&mut self, by: u32, contribution: &Contribution) {
        let Contribution { place, people, values, sum, .. } = contribution;
        self.by.push(by);
        for (column, value) in
            self.integers.iter_mut().zip([place.row, place.column, place.detail, *people, *values])
        {
            column.push(value);
        }
        self.sums.push(*sum);
    }

    /// Closes the list.
    pub(super) fn end_list(&mut self, name: &str) -> Result<()> {
        match i32::try_from(self.by.len()) {
            Ok(end) => self.offsets.push(end),
            Err(_) => {
                return resources_err!(
                    "{name}: more than {} numbers in one partition; use more partitions, a longer period or fewer \
                     periods",
                    i32::MAX
                );
            }
        }
        Ok(())
    }

    /// The lists; `groups` holds the values that `by` refers to.
    pub(super) fn finish(self, groups: &ArrayRef) -> Result<ListArray> {
        let by = take(groups, &UInt32Array::from(self.by), None)?;
        let fields = fields(by.data_type());
        let field = item_field(by.data_type());
        let mut columns = vec![by];
        columns
            .extend(self.integers.into_iter().map(|column| Arc::new(Int64Array::from(column)) as ArrayRef));
        columns.push(Arc::new(Float64Array::from(self.sums)));
        let items = StructArray::try_new(fields, columns, None)?;
        let mut offsets = vec![0];
        offsets.extend(self.offsets);
        let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
        Ok(ListArray::try_new(field, offsets, Arc::new(items), None)?)
    }
}

/// Contributions as they come out of lists.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    /// The group of each contribution.
    pub(super) by: &'a ArrayRef,
    integers: [&'a [i64]; 5],
    sums: &'a [f64],
    /// The contributions of lists that are not NULL.
    pub(super) indexes: Vec<usize>,
}

impl<'a> Reader<'a> {
    pub(super) fn try_new(name: &str, lists: &'a ArrayRef) -> Result<Self> {
        let Some(lists) = lists.as_list_opt::<i32>() else {
            return internal_err!("{name}: contributions have type {}", lists.data_type());
        };
        let Some(items) = lists.values().as_struct_opt().filter(|items| items.num_columns() == 7) else {
            return internal_err!("{name}: contributions have type {}", lists.data_type());
        };
        let mut integers: [&[i64]; 5] = [&[]; 5];
        for (index, column) in integers.iter_mut().enumerate() {
            match items.column(index + 1).as_primitive_opt::<Int64Type>() {
                Some(array) => *column = array.values(),
                None => return internal_err!("{name}: contribution {index} is no integer"),
            }
        }
        let Some(sums) = items.column(6).as_primitive_opt::<Float64Type>() else {
            return internal_err!("{name}: a sum is no number");
        };
        let mut indexes = Vec::with_capacity(items.len());
        for list in (0..lists.len()).filter(|list| lists.is_valid(*list)) {
            let offset = |list: usize| usize::try_from(lists.value_offsets()[list]).unwrap_or(0);
            indexes.extend(offset(list)..offset(list + 1));
        }
        Ok(Self { by: items.column(0), integers, sums: sums.values(), indexes })
    }

    /// A contribution by its index.
    pub(super) fn get(&self, index: usize) -> Contribution {
        let [row, column, detail, people, values] = self.integers.map(|column| column[index]);
        Contribution {
            place: Place { row, column, detail },
            people,
            values,
            sum: self.sums[index],
            decided_by: 0,
        }
    }
}
