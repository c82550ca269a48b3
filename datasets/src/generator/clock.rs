//! Places the sessions of a user on the time line: arrival, heavy-tailed pauses, busy and quiet hours.

use super::rng::Rng;

pub(crate) const DAY_US: u64 = 86_400_000_000;
const HOUR_US: u64 = 3_600_000_000;

/// Share of visits per hour of the day (UTC), in 1/960.
const HOUR_WEIGHTS: [u64; 24] =
    [22, 20, 20, 20, 20, 22, 28, 36, 44, 48, 50, 50, 50, 48, 48, 48, 48, 50, 56, 62, 62, 52, 34, 22];
const WEIGHT_SUM: u64 = 960;
const SLOT_US: u64 = DAY_US / WEIGHT_SUM;
/// A slot of weight w is stretched from w * SLOT_US to one hour, so by HOUR_US / SLOT_US / w.
const STRETCH: u64 = HOUR_US / SLOT_US;

/// Hour of the day by slot, and the first slot of each hour.
static HOURS: ([u8; WEIGHT_SUM as usize], [u64; 24]) = hours();

const fn hours() -> ([u8; WEIGHT_SUM as usize], [u64; 24]) {
    let mut hour_of_slot = [0; WEIGHT_SUM as usize];
    let mut first_slot = [0; 24];
    let mut hour = 0;
    let mut slot = 0;
    while hour < 24 {
        first_slot[hour] = slot;
        let end = slot + HOUR_WEIGHTS[hour];
        while slot < end {
            hour_of_slot[slot as usize] = hour as u8;
            slot += 1;
        }
        hour += 1;
    }
    assert!(slot == WEIGHT_SUM, "the weights must fill the day");
    (hour_of_slot, first_slot)
}

/// Maps an even time line onto one with busy and quiet hours. Monotone; keeps the day.
pub(crate) fn daily_rhythm(even_us: u64) -> u64 {
    let (hour_of_slot, first_slot) = &HOURS;
    let time_of_day = even_us % DAY_US;
    let hour = usize::from(hour_of_slot[(time_of_day / SLOT_US) as usize]);
    let inside = time_of_day - first_slot[hour] * SLOT_US;
    even_us - time_of_day + hour as u64 * HOUR_US + inside * STRETCH / HOUR_WEIGHTS[hour]
}

/// Where the sessions of one user lie on the even time line.
#[derive(Debug)]
pub(crate) struct Calendar {
    lead_us: u64,
    active_us: u64,
    total_weight: u64,
    step_numerator: u64,
    step_denominator: u64,
}

impl Calendar {
    /// Plans the sessions of a user within `span_us` microseconds.
    ///
    /// `inside_us`: sum of the gaps inside sessions; `total_weight`: sum of the weights of the pauses between sessions.
    pub(crate) fn new(rng: &mut Rng, span_us: u64, inside_us: u64, sessions: u64, total_weight: u64) -> Self {
        // Sessions may fill half of the range; above that they are squeezed.
        let half_us = span_us / 2;
        let (step_numerator, step_denominator) =
            if inside_us > half_us { (half_us, inside_us) } else { (1, 1) };
        let free_us = span_us - 1 - inside_us.min(half_us);

        // Four of ten were customers before the range began, the others arrive in it.
        let arrival = u64::from(rng.next_u32());
        let arrival = if rng.chance(102) { (arrival * arrival) >> 35 } else { arrival };
        // Few stay active until the end; but many sessions need room.
        let stay = u64::from(rng.next_u32());
        let stay = (stay * stay) >> 32;
        let wanted_us = sessions.saturating_sub(1) * 12 * HOUR_US;
        let needed_us = wanted_us.min(free_us / 16 * 15);
        let lead_us = scale(free_us - needed_us, arrival);
        let active_us = scale(free_us - lead_us, stay).max(needed_us);
        Self { lead_us, active_us, total_weight: total_weight.max(1), step_numerator, step_denominator }
    }

    /// Returns the start of a session, gaps inside sessions not counted. `weight`: sum of the pauses before it.
    pub(crate) fn session_start_us(&self, weight: u64) -> u64 {
        let share = weight as f64 / self.total_weight as f64;
        self.lead_us + ((self.active_us as f64 * share) as u64).min(self.active_us)
    }

    /// Returns a gap inside a session, squeezed where the range is too short.
    pub(crate) fn step_us(&self, gap_us: u64) -> u64 {
        if self.step_denominator == 1 {
            return gap_us;
        }
        let squeezed =
            u128::from(gap_us) * u128::from(self.step_numerator) / u128::from(self.step_denominator);
        squeezed as u64
    }
}

/// `length * fraction / 2^32`
fn scale(length: u64, fraction: u64) -> u64 {
    ((u128::from(length) * u128::from(fraction)) >> 32) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rhythm_is_monotone_and_keeps_the_day() {
        let mut previous = 0;
        for step in 0..20_000_u64 {
            let mapped = daily_rhythm(step * 17_280_001);
            assert!(mapped >= previous);
            assert_eq!(mapped / DAY_US, step * 17_280_001 / DAY_US);
            previous = mapped;
        }
        assert_eq!(daily_rhythm(DAY_US), DAY_US);
        assert!(daily_rhythm(DAY_US - 1) < DAY_US);
    }

    #[test]
    fn sessions_fit_into_the_range() {
        for (inside_us, sessions) in [(0, 1), (DAY_US, 3), (50 * DAY_US, 1000)] {
            for seed in 0..50 {
                let calendar = Calendar::new(&mut Rng::new(seed), 2 * DAY_US, inside_us, sessions, 100);
                let last = calendar.session_start_us(100) + calendar.step_us(inside_us);
                assert!(last < 2 * DAY_US, "{last}");
                assert!(calendar.session_start_us(0) <= calendar.session_start_us(50));
            }
        }
    }
}
