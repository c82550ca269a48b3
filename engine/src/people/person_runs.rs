//! Whose the rows of a row group are: runs of rows of one person.

use std::ops::Range;

use arrow::array::{Array, StringArray};
use datafusion::common::Result;

use super::ahead;
use super::ids::Ids;
use super::slices::Slices;

/// Rows of one person that follow each other. There are nearly as many runs as rows, so that as little as possible is
/// said of each.
#[derive(Debug, Clone, Copy)]
pub(super) struct Run {
    /// What tells people of a slice apart, but for a few: see [`Slices::apart`].
    pub(super) apart: u32,
    /// How many rows.
    pub(super) rows: u32,
    /// Bytes of the person's id.
    id_bytes: u32,
}

/// Where the runs of a slice begin.
#[derive(Debug, Clone, Copy)]
struct Start {
    run: u32,
    row: u32,
    id: usize,
}

/// The runs of a row group.
#[derive(Debug)]
pub(super) struct PersonRuns {
    runs: Vec<Run>,
    /// The id of the person of each run, one behind the other.
    ids: String,
    /// The slices that were told apart.
    slices: Slices,
    /// Where the runs of each slice begin, and the end; only that of the first and the end mean something if people do not
    /// come in the order of their keys.
    starts: Vec<Start>,
    is_ordered: bool,
}

/// The runs of a slice in a row group.
#[derive(Debug, Clone)]
pub(super) struct RunsOfSlice<'a> {
    pub(super) runs: &'a [Run],
    ids: &'a str,
    /// Their rows, among those of people who belong.
    pub(super) rows: Range<usize>,
}

/// Runs in the making.
#[derive(Debug)]
pub(super) struct PersonRunsBuilder<'a> {
    runs: Vec<Run>,
    ids: Ids<'a>,
    slices: Slices,
    starts: Vec<Start>,
    rows: usize,
    last_key: i64,
    is_ordered: bool,
}

impl<'a> PersonRunsBuilder<'a> {
    /// None yet, of at most `most_rows` rows, of people whose ids are in `ids`, who are in `slices`.
    pub(super) fn new(ids: &'a StringArray, most_rows: usize, slices: Slices) -> Self {
        // Mostly each has one run.
        let runs = ids.len().min(most_rows);
        let bytes = (ids.value_data().len() * runs).checked_div(ids.len()).unwrap_or(0);
        Self {
            runs: Vec::with_capacity(runs),
            ids: Ids::of(ids, bytes),
            slices,
            starts: Vec::with_capacity(slices.count() + 1),
            rows: 0,
            last_key: i64::MIN,
            is_ordered: true,
        }
    }

    /// How many rows they have.
    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// Adds a run of so many rows of the person whose id is at `id`, with its `user_key`.
    ///
    /// # Errors
    /// If ids are not text, which no file of ours can have.
    pub(super) fn push(&mut self, id: usize, user_key: i64, rows: usize) -> Result<()> {
        self.is_ordered &= self.last_key <= user_key;
        self.last_key = user_key;
        self.begin_slices(self.slices.of_key(user_key));
        self.rows += rows;
        let id = self.ids.take(id)?;
        // Lengths of text and numbers of rows are counted in 32 bits.
        let (rows, id_bytes) = (rows as u32, id.len() as u32);
        self.runs.push(Run { apart: self.slices.apart(user_key), rows, id_bytes });
        Ok(())
    }

    /// The runs; if `has_fewer` than were expected, with no more memory than they need.
    ///
    /// # Errors
    /// As those of [`Self::push`].
    pub(super) fn finish(mut self, has_fewer: bool) -> Result<PersonRuns> {
        self.begin_slices(self.slices.count());
        let Self { mut runs, ids, slices, starts, is_ordered, .. } = self;
        let mut ids = ids.finish()?;
        if has_fewer {
            runs.shrink_to_fit();
            ids.shrink_to_fit();
        }
        Ok(PersonRuns { runs, ids, slices, starts, is_ordered })
    }

    /// Begins slices up to that at `slice`: they have no run before the next one.
    fn begin_slices(&mut self, slice: usize) {
        if self.starts.len() <= slice {
            // No more than the rows of the row group, which were counted.
            let (run, row) = (self.runs.len() as u32, self.rows as u32);
            self.starts.resize(slice + 1, Start { run, row, id: self.ids.bytes() });
        }
    }
}

impl PersonRuns {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.runs.len()
    }

    /// The slices that can be put together one by one.
    pub(super) fn slices(&self) -> Slices {
        if self.is_ordered { self.slices } else { self.slices.all() }
    }

    /// Those of a slice of `slices`, which are not finer than those that can be put together one by one.
    pub(super) fn of_slice(&self, slices: Slices, slice: usize) -> RunsOfSlice<'_> {
        let finer = self.slices.bits().saturating_sub(slices.bits());
        let (start, end) = (self.starts[slice << finer], self.starts[(slice + 1) << finer]);
        RunsOfSlice {
            runs: &self.runs[start.run as usize..end.run as usize],
            ids: &self.ids[start.id..end.id],
            rows: start.row as usize..end.row as usize,
        }
    }

    /// Bytes that they occupy.
    pub(super) fn allocated_bytes(&self) -> usize {
        let Self { runs, ids, starts, .. } = self;
        runs.capacity() * size_of::<Run>() + ids.capacity() + starts.capacity() * size_of::<Start>()
    }
}

impl<'a> RunsOfSlice<'a> {
    /// Begins to fetch them.
    pub(super) fn fetch_ahead(&self) {
        ahead::fetch(self.runs);
        ahead::fetch(self.ids.as_bytes());
    }

    /// The runs and the id of the person of each.
    pub(super) fn people(&self) -> impl Iterator<Item = (Run, &'a str)> {
        let mut ids = self.ids;
        self.runs.iter().map(move |run| {
            let (id, rest) = ids.split_at(run.id_bytes as usize);
            ids = rest;
            (*run, id)
        })
    }
}
