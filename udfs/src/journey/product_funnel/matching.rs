//! Which row stands for which step, if each row stands for one step at most.

/// An assignment of steps to rows that grows one step at a time (Kuhn's augmenting paths).
#[derive(Debug, Clone, Default)]
pub(super) struct Matching {
    /// For each row the step it stands for.
    step_of_row: Vec<Option<usize>>,
}

impl Matching {
    /// No step assigned yet; `rows` is the number of rows.
    pub(super) fn new(rows: usize) -> Self {
        Self { step_of_row: vec![None; rows] }
    }

    /// Gives `step` a row, moving other steps to other rows where needed. Leaves everything as it is if that is not
    /// possible. `rows_of` lists the rows that meet a step. O(edges).
    pub(super) fn add<'a>(&mut self, step: usize, rows_of: &impl Fn(usize) -> &'a [usize]) -> bool {
        if self.take_free(step, rows_of(step)) {
            return true;
        }
        let mut visited = vec![false; self.step_of_row.len()];
        self.place(step, rows_of, &mut visited)
    }

    fn take_free(&mut self, step: usize, rows: &[usize]) -> bool {
        let free = rows.iter().find(|row| self.step_of_row[**row].is_none());
        if let Some(row) = free {
            self.step_of_row[*row] = Some(step);
        }
        free.is_some()
    }

    fn place<'a>(
        &mut self,
        step: usize,
        rows_of: &impl Fn(usize) -> &'a [usize],
        visited: &mut [bool],
    ) -> bool {
        if self.take_free(step, rows_of(step)) {
            return true;
        }
        for row in rows_of(step) {
            if std::mem::replace(&mut visited[*row], true) {
                continue;
            }
            let taken_by = self.step_of_row[*row];
            match taken_by {
                Some(other) if !self.place(other, rows_of, visited) => {}
                _ => {
                    self.step_of_row[*row] = Some(step);
                    return true;
                }
            }
        }
        false
    }

    /// Pairs of (step, row), ascending by step.
    pub(super) fn pairs(&self) -> Vec<(usize, usize)> {
        let rows = self.step_of_row.iter().enumerate();
        let mut pairs: Vec<(usize, usize)> =
            rows.filter_map(|(row, step)| step.map(|step| (step, row))).collect();
        pairs.sort_unstable();
        pairs
    }
}
