//! Sums of contributions, group by group: what both steps keep.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, ListArray};
use arrow::compute::SortOptions;
use arrow::datatypes::DataType;
use arrow::row::{OwnedRow, Row, RowConverter, Rows, SortField};
use datafusion::common::{Result, internal_err};

use super::cells::Builder;
use crate::journey::retention::cells::{Cell, Cells, Contribution};

/// Cells of all groups seen so far.
#[derive(Debug)]
pub(super) struct GroupedCells {
    converter: RowConverter,
    groups: HashMap<OwnedRow, usize>,
    cells: Vec<Cells>,
    /// Neighbours mostly belong to one group.
    latest: Option<(OwnedRow, usize)>,
}

impl GroupedCells {
    /// No groups, of type `by`.
    pub(super) fn try_new(by: DataType) -> Result<Self> {
        let order = SortOptions { descending: false, nulls_first: false };
        let converter = RowConverter::new(vec![SortField::new_with_options(by, order)])?;
        Ok(Self { converter, groups: HashMap::new(), cells: Vec::new(), latest: None })
    }

    /// Keys of the groups in a column.
    pub(super) fn keys(&self, by: &ArrayRef) -> Result<Rows> {
        Ok(self.converter.convert_columns(&[Arc::clone(by)])?)
    }

    /// Adds to the group with this key.
    pub(super) fn add(&mut self, key: Row, contribution: &Contribution) {
        let group = match &self.latest {
            Some((latest, group)) if latest.row() == key => *group,
            _ => {
                let next = self.groups.len();
                let group = *self.groups.entry(key.owned()).or_insert(next);
                if group == next {
                    self.cells.push(Cells::default());
                }
                self.latest = Some((key.owned(), group));
                group
            }
        };
        let Contribution { place, people, values, sum, .. } = *contribution;
        self.cells[group].add(place, people, values, sum);
    }

    /// The cells of the groups in their order, NULL last, and the array of their values.
    pub(super) fn sorted(&self) -> Result<(Vec<&Cells>, ArrayRef)> {
        let mut groups: Vec<(&OwnedRow, usize)> =
            self.groups.iter().map(|(key, group)| (key, *group)).collect();
        groups.sort_unstable_by(|left, right| left.0.cmp(right.0));
        let values = self.converter.convert_rows(groups.iter().map(|(key, _)| key.row()))?;
        match values.into_iter().next() {
            Some(values) => Ok((groups.iter().map(|(_, group)| &self.cells[*group]).collect(), values)),
            None => internal_err!("no column of groups"),
        }
    }

    /// `lists` lists of contributions whose sum is what is kept here: the first has all of them.
    pub(super) fn to_lists(&self, name: &str, lists: usize) -> Result<ListArray> {
        let (groups, values) = self.sorted()?;
        let mut builder = Builder::default();
        for (by, cells) in (0_u32..).zip(groups) {
            for (place, cell) in cells.iter() {
                let Cell { people, values, sum } = cell;
                let whole =
                    Contribution { place: *place, people: *people, values: *values, sum: 0.0, decided_by: 0 };
                builder.push(by, &whole);
                for sum in sum.parts() {
                    builder.push(by, &Contribution { people: 0, values: 0, sum, ..whole });
                }
            }
        }
        for _ in 0..lists {
            builder.end_list(name)?;
        }
        builder.finish(&values)
    }

    /// Bytes that all of it occupies, about.
    pub(super) fn size(&self) -> usize {
        let keys: usize =
            self.groups.keys().map(|key| key.as_ref().len() + size_of::<(OwnedRow, usize)>()).sum();
        let cells: usize = self.cells.iter().map(Cells::allocated_bytes).sum();
        keys + cells + self.converter.size()
    }
}
