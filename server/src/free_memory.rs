//! How long the allocator keeps memory that is free.
//!
//! Usually ten seconds, because queries that aggregate take the same memory again and again. A result that is streamed frees
//! blocks of other sizes than it takes next, on other threads: with that delay a server grows by far more than the rows that
//! are on their way, so while long results are sent free memory goes back to the system at once.

use std::ffi::c_long;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};
use wayfare_allocator::{give_back, purge_delay_ms, set_purge_delay_ms};

use crate::metrics::Metrics;

/// How often the flow of rows is looked at.
const INTERVAL: Duration = Duration::from_millis(50);
/// Rows within an interval that make a flow: more than tables that people look at have.
const FLOW_ROWS: u64 = 16_384;
/// Intervals without a flow until memory is kept again.
const CALM_INTERVALS: u32 = 20;
/// How long it is kept while rows flow, in milliseconds.
const FLOW_DELAY_MS: c_long = 10;

/// Watches the rows that are sent. Never ends.
pub(crate) async fn run(metrics: Arc<Metrics>) {
    let usual_ms = purge_delay_ms();
    let mut ticks = interval(INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut flow = Flow::default();
    loop {
        ticks.tick().await;
        match flow.look(metrics.rows.get()) {
            Some(true) => give_back(FLOW_DELAY_MS.min(usual_ms)),
            Some(false) => set_purge_delay_ms(usual_ms),
            None => {}
        }
    }
}

/// Whether rows flow.
#[derive(Debug, Default)]
struct Flow {
    rows: u64,
    flows: bool,
    calm: u32,
}

impl Flow {
    /// Looks at the number of rows sent so far. Returns whether they flow if that has changed.
    fn look(&mut self, rows: u64) -> Option<bool> {
        let more = rows.saturating_sub(self.rows);
        self.rows = rows;
        if more >= FLOW_ROWS {
            self.calm = 0;
            return (!std::mem::replace(&mut self.flows, true)).then_some(true);
        }
        self.calm += 1;
        (self.calm >= CALM_INTERVALS && std::mem::replace(&mut self.flows, false)).then_some(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flow_begins_with_many_rows_and_ends_after_a_while() {
        let mut flow = Flow::default();
        assert_eq!(flow.look(100), None);
        assert_eq!(flow.look(100 + FLOW_ROWS), Some(true));
        assert_eq!(flow.look(100 + 3 * FLOW_ROWS), None);
        let calm: Vec<_> = (0..2 * CALM_INTERVALS).map(|_| flow.look(200 + 3 * FLOW_ROWS)).collect();
        assert_eq!(calm.iter().flatten().collect::<Vec<_>>(), [&false]);
        assert_eq!(calm[CALM_INTERVALS as usize - 1], Some(false));
    }
}
