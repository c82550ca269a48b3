//! The models: which touch of a conversion gets how much.

use super::segments::Segments;
use super::weights::Weights;

/// A rule that divides a conversion among its touches.
#[derive(Debug, Clone, PartialEq)]
pub enum Model {
    /// The first touch gets everything.
    FirstTouch,
    /// The last touch gets everything.
    LastTouch,
    /// The last touch that is not direct gets everything; if all are direct, the last one.
    LastNonDirect,
    /// All touches get the same.
    Linear,
    /// First touch, middle ones together, last touch: [`Weights::by_position`].
    ByPosition([u64; 3]),
    /// Half of the weight for each half-life, in ticks, that a touch is older.
    TimeDecay { half_life: f64 },
    /// Every key gets everything, at its latest touch.
    Participation,
    /// The converting row gets everything, if it is a touch.
    SameTouch,
    /// Shares for kinds of touches or for stretches of the path.
    Segments(Segments),
}

/// 40 % first, 20 % middle, 40 % last.
pub const U_SHAPED: [u64; 3] = [40, 20, 40];
/// 20 % first, 20 % middle, 60 % last; of two touches 25 % and 75 %.
pub const J_SHAPED: [u64; 3] = [20, 20, 60];
/// 60 % first, 20 % middle, 20 % last; of two touches 75 % and 25 %.
pub const INVERSE_J: [u64; 3] = [60, 20, 20];

/// What models that share a conversion count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Count {
    /// Every touch.
    #[default]
    Touch,
    /// Every key once, at its latest touch.
    Distinct,
}

impl Count {
    /// Both with their names in SQL.
    pub const NAMES: [(&'static str, Self); 2] = [("touch", Self::Touch), ("distinct", Self::Distinct)];
}

/// The touches of one conversion, in order.
#[derive(Debug, Clone, Copy)]
pub struct Path<'a> {
    /// Time of each touch.
    pub times: &'a [i64],
    /// Key of each touch.
    pub keys: &'a [u32],
    /// Whether each touch is direct.
    pub direct: &'a [bool],
    /// Position of the converting row, if it is one of the touches.
    pub own: Option<usize>,
    /// Time of the conversion.
    pub conversion: i64,
}

/// Working memory that models share.
#[derive(Debug, Default)]
pub struct Scratch {
    /// The run in which a key was seen last.
    seen: Vec<u64>,
    run: u64,
    positions: Vec<usize>,
    weights: Vec<f64>,
}

impl Scratch {
    /// Positions of the latest touch of each key, ascending.
    fn latest_of_keys(&mut self, keys: &[u32]) {
        self.run += 1;
        self.positions.clear();
        for (position, key) in keys.iter().enumerate().rev() {
            let key = *key as usize;
            if key >= self.seen.len() {
                self.seen.resize(key + 1, 0);
            }
            if self.seen[key] != self.run {
                self.seen[key] = self.run;
                self.positions.push(position);
            }
        }
        self.positions.reverse();
    }
}

impl Model {
    /// What each touch of `path` weighs. Models that pick one touch pick it among all touches, whatever `count` says;
    /// [`Count::Distinct`] lets the others see each key once, at its latest touch. O(touches).
    pub fn weights(&self, path: &Path, count: Count, scratch: &mut Scratch) -> Weights {
        let touches = path.keys.len();
        if touches == 0 {
            return Weights::Nothing;
        }
        match self {
            Self::FirstTouch => return Weights::One(0),
            Self::LastTouch => return Weights::One(touches - 1),
            Self::LastNonDirect => {
                let last = path.direct.iter().rposition(|direct| !direct);
                return Weights::One(last.unwrap_or(touches - 1));
            }
            Self::SameTouch => return path.own.map_or(Weights::Nothing, Weights::One),
            Self::Participation => {
                scratch.latest_of_keys(path.keys);
                let all = Weights::Each(vec![true; scratch.positions.len()]);
                return all.at(&scratch.positions, touches);
            }
            Self::Linear | Self::ByPosition(_) | Self::TimeDecay { .. } | Self::Segments(_) => {}
        }
        match count {
            Count::Touch => {
                scratch.positions.clear();
                scratch.positions.extend(0..touches);
            }
            Count::Distinct => scratch.latest_of_keys(path.keys),
        }
        let counted = scratch.positions.len();
        let weights = match self {
            Self::Linear => Weights::Equal(counted),
            Self::ByPosition([first, middle, last]) => Weights::by_position(counted, *first, *middle, *last),
            Self::TimeDecay { half_life } => {
                let age = |position: &usize| {
                    let time = path.times[*position];
                    match path.conversion.checked_sub(time) {
                        Some(ticks) => ticks as f64,
                        None => (i128::from(path.conversion) - i128::from(time)) as f64,
                    }
                };
                // Against the latest touch: the weight of at least one is 1, however old all are.
                let youngest = scratch.positions.last().map_or(0.0, age);
                scratch.weights.clear();
                let decayed =
                    scratch.positions.iter().map(|position| (-(age(position) - youngest) / half_life).exp2());
                scratch.weights.extend(decayed);
                Weights::in_proportion(&scratch.weights)
            }
            Self::Segments(segments) => {
                let keys = scratch.positions.iter().map(|position| path.keys[*position]);
                segments.weights(keys, &mut scratch.weights);
                Weights::in_proportion(&scratch.weights)
            }
            _ => Weights::Nothing,
        };
        weights.at(&scratch.positions, touches)
    }
}
