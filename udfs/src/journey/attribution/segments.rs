//! Shares for kinds of touches, or for stretches of the path: Teradata's EVENT_REGULAR and SEGMENT_ROWS.

/// What makes a segment.
#[derive(Debug, Clone, PartialEq)]
pub enum Segments {
    /// Touches of a key; the number is that of [`super::Path::keys`]. Other touches get nothing.
    Keys(Vec<(u32, Segment)>),
    /// Stretches of so many touches, counted back from the conversion. Older touches get nothing.
    Rows(Vec<(usize, Segment)>),
}

/// The share of a segment, and how its touches divide it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Segment {
    /// Finite and not negative.
    pub weight: f64,
    /// How the touches of the segment divide its weight.
    pub within: Within,
}

/// How the touches of a segment divide its weight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Within {
    /// The first takes it.
    FirstTouch,
    /// The last takes it.
    LastTouch,
    /// All get the same.
    Linear,
}

impl Within {
    /// All with their names in SQL, Teradata's names behind ours.
    pub const NAMES: [(&'static str, Self); 6] = [
        ("first_touch", Self::FirstTouch),
        ("last_touch", Self::LastTouch),
        ("linear", Self::Linear),
        ("FIRST_CLICK", Self::FirstTouch),
        ("LAST_CLICK", Self::LastTouch),
        ("UNIFORM", Self::Linear),
    ];
}

impl Segments {
    /// Weighs touches with these keys, in order. The weight of a segment without a touch is left out, so the others
    /// get more of the whole.
    pub(super) fn weights(&self, keys: impl Iterator<Item = u32>, weights: &mut Vec<f64>) {
        let keys: Vec<u32> = keys.collect();
        weights.clear();
        weights.resize(keys.len(), 0.0);
        match self {
            Self::Keys(segments) => {
                for (key, segment) in segments {
                    let members: Vec<usize> = (0..keys.len()).filter(|touch| keys[*touch] == *key).collect();
                    segment.share(&members, weights);
                }
            }
            Self::Rows(segments) => {
                let mut end = keys.len();
                for (rows, segment) in segments {
                    let start = end.saturating_sub(*rows);
                    let members: Vec<usize> = (start..end).collect();
                    segment.share(&members, weights);
                    end = start;
                }
            }
        }
    }
}

impl Segment {
    fn share(&self, members: &[usize], weights: &mut [f64]) {
        let (Some(first), Some(last)) = (members.first(), members.last()) else {
            return;
        };
        match self.within {
            Within::FirstTouch => weights[*first] += self.weight,
            Within::LastTouch => weights[*last] += self.weight,
            Within::Linear => {
                let each = self.weight / members.len() as f64;
                members.iter().for_each(|member| weights[*member] += each);
            }
        }
    }
}
