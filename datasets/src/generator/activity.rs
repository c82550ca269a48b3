//! How many rows each user has: a Zipf-like curve over ranks.
//!
//! Rank r has the mass of the Zipf-Mandelbrot law (r + q)^(-9/8). Its integral is an eighth root, hence three
//! square roots, which IEEE 754 rounds alike everywhere. Rounding the *cumulated* mass makes the counts add up exactly and
//! gives each rank its range of row numbers without a table.

/// Rows by activity rank. Rank 0 is the most active user.
#[derive(Debug, Clone)]
pub(crate) struct Activity {
    events: u64,
    users: u64,
    /// Rows that every rank has; the curve distributes the rest.
    floor_rows: u64,
    offset: f64,
    total_mass: f64,
}

impl Activity {
    pub(crate) fn new(events: u64, users: u64) -> Self {
        let offset = users as f64 / 1000.0 + 1.0;
        let mut activity = Self {
            events,
            users,
            floor_rows: u64::from(events >= users && users > 0),
            offset,
            total_mass: 1.0,
        };
        activity.total_mass = activity.mass(users);
        activity
    }

    /// Returns the number of rows of a rank.
    pub(crate) fn row_count(&self, rank: u64) -> u64 {
        self.first_row(rank + 1) - self.first_row(rank)
    }

    /// Returns the number of the first row of a rank: the number of rows of all ranks before it.
    /// Never falls with the rank.
    pub(crate) fn first_row(&self, rank: u64) -> u64 {
        if rank >= self.users {
            return self.events;
        }
        let distributed = self.events - self.floor_rows * self.users;
        let share = self.mass(rank) / self.total_mass;
        let rows = (distributed as f64 * share) as u64;
        rank * self.floor_rows + rows.min(distributed)
    }

    /// Mass of the ranks below `rank`, up to a constant factor.
    fn mass(&self, rank: u64) -> f64 {
        eighth_root(self.offset).recip() - eighth_root(rank as f64 + self.offset).recip()
    }
}

fn eighth_root(value: f64) -> f64 {
    value.sqrt().sqrt().sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_add_up_and_fall_with_the_rank() {
        for (events, users) in [(0, 5), (1, 1), (7, 1000), (1000, 7), (100_000, 3000), (12_345, 12_345)] {
            let activity = Activity::new(events, users);
            let counts: Vec<u64> = (0..users).map(|rank| activity.row_count(rank)).collect();
            assert_eq!(counts.iter().sum::<u64>(), events, "{events} rows of {users} users");
            if events >= users {
                assert!(counts.iter().all(|count| *count >= 1));
                assert!(counts.windows(2).all(|pair| pair[0] + 1 >= pair[1]));
            }
        }
    }

    #[test]
    fn activity_is_uneven() {
        let activity = Activity::new(1_000_000, 30_000);
        assert!(activity.row_count(0) > 3000);
        assert!(activity.row_count(15_000) < 20);
    }
}
