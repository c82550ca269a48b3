//! Sessions by inactivity: a gap longer than the limit starts the next session.

use std::fmt;

use super::time::Window;

/// Numbers the sessions of one person, fed with that person's event times in ascending order.
///
/// A new session starts when the time since the previous event is *longer* than the gap; a
/// pause of exactly the gap stays in the session. Numbers count from 1. O(1) time and memory
/// per event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SessionCounter {
    /// Time of the previous event and the last instant that still continues its session.
    previous: Option<(i64, i64)>,
    number: i64,
}

impl SessionCounter {
    /// Returns the number of the session that the event at `time` belongs to.
    ///
    /// `gap` says how long a session outlives its latest event; pass the same one each time.
    ///
    /// # Errors
    /// [`OutOfOrder`] if `time` is before the previous one; the state is unchanged.
    pub fn push<W: Window>(&mut self, gap: &W, time: i64) -> Result<i64, OutOfOrder> {
        match self.previous {
            Some((previous, _)) if time < previous => {
                return Err(OutOfOrder { previous, time });
            }
            Some((_, continues_until)) if time <= continues_until => {}
            _ => self.number += 1,
        }
        self.previous = Some((time, gap.end(time)));
        Ok(self.number)
    }
}

/// An event that is earlier than the one before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutOfOrder {
    /// Time of the previous event.
    pub previous: i64,
    /// Time of the event that came too late.
    pub time: i64,
}

impl fmt::Display for OutOfOrder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "time goes back from {} to {}", self.previous, self.time)
    }
}

impl std::error::Error for OutOfOrder {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journey::time::FixedWindow;

    fn numbers(gap: i64, times: &[i64]) -> Vec<i64> {
        let gap = FixedWindow::new(gap).unwrap();
        let mut sessions = SessionCounter::default();
        times.iter().map(|time| sessions.push(&gap, *time).unwrap()).collect()
    }

    #[test]
    fn gap_equal_to_the_limit_stays_in_the_session() {
        assert_eq!(numbers(30, &[0, 30, 61, 62]), [1, 1, 2, 2]);
    }

    #[test]
    fn gap_is_measured_from_the_previous_event() {
        assert_eq!(numbers(10, &[0, 9, 18, 27]), [1, 1, 1, 1]);
    }

    #[test]
    fn zero_gap_keeps_one_instant_together() {
        assert_eq!(numbers(0, &[5, 5, 6, 6]), [1, 1, 2, 2]);
    }

    #[test]
    fn no_events_and_one_event() {
        assert_eq!(numbers(10, &[]), [0_i64; 0]);
        assert_eq!(numbers(10, &[i64::MIN]), [1]);
    }

    #[test]
    fn overflowing_gap_never_ends() {
        assert_eq!(numbers(i64::MAX, &[1, i64::MAX]), [1, 1]);
        assert_eq!(numbers(10, &[i64::MAX - 3, i64::MAX]), [1, 1]);
        assert_eq!(numbers(10, &[i64::MIN, i64::MAX]), [1, 2]);
    }

    #[test]
    fn time_must_not_go_back() {
        let gap = FixedWindow::new(10).unwrap();
        let mut sessions = SessionCounter::default();
        assert_eq!(sessions.push(&gap, 7), Ok(1));
        let error = sessions.push(&gap, 6).unwrap_err();
        assert_eq!(error, OutOfOrder { previous: 7, time: 6 });
        assert_eq!(error.to_string(), "time goes back from 7 to 6");
        assert_eq!(sessions.push(&gap, 8), Ok(1));
    }
}
