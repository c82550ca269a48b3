//! Models as they are named in SQL.

use super::keys::Keys;
use crate::journey::attribution::{INVERSE_J, J_SHAPED, Model, Segment, Segments, U_SHAPED, Within};

/// A model and its name in SQL.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct NamedModel {
    pub(crate) name: &'static str,
    pub(crate) kind: ModelKind,
}

/// What is known of a model while the statement is planned.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum ModelKind {
    FirstTouch,
    LastTouch,
    LastNonDirect,
    Linear,
    ByPosition([u64; 3]),
    TimeDecay,
    Participation,
    SameTouch,
    /// Shares of keys.
    EventRegular(Vec<SegmentSpec>),
    /// Shares of so many touches, counted back from the conversion.
    SegmentRows(Vec<SegmentSpec>),
}

/// A segment as written.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct SegmentSpec {
    /// A key, or a number of touches.
    pub(crate) of: String,
    /// The bits of the weight.
    pub(crate) weight: u64,
    pub(crate) within: Within,
}

/// Names of the models that need no other argument, and what they are.
const PLAIN: [(&str, ModelKind); 11] = [
    ("first_touch", ModelKind::FirstTouch),
    ("last_touch", ModelKind::LastTouch),
    ("last_non_direct", ModelKind::LastNonDirect),
    ("linear", ModelKind::Linear),
    ("position_based", ModelKind::ByPosition(U_SHAPED)),
    ("u_shaped", ModelKind::ByPosition(U_SHAPED)),
    ("j_shaped", ModelKind::ByPosition(J_SHAPED)),
    ("inverse_j", ModelKind::ByPosition(INVERSE_J)),
    ("time_decay", ModelKind::TimeDecay),
    ("participation", ModelKind::Participation),
    ("same_touch", ModelKind::SameTouch),
];

/// Position by weights of the caller's.
pub(crate) const CUSTOM: &str = "custom";
/// Teradata's EVENT_REGULAR.
pub(crate) const EVENT_REGULAR: &str = "event_regular";
/// Teradata's SEGMENT_ROWS.
pub(crate) const SEGMENT_ROWS: &str = "segment_rows";

/// The models when none is named.
pub(crate) const DEFAULT_MODELS: [&str; 6] =
    ["first_touch", "last_touch", "last_non_direct", "linear", "position_based", "time_decay"];

/// All names of models.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    PLAIN.iter().map(|(name, _)| *name).chain([CUSTOM, EVENT_REGULAR, SEGMENT_ROWS])
}

impl NamedModel {
    /// A model that needs no other argument, in any case.
    pub(crate) fn plain(name: &str) -> Option<Self> {
        let (name, kind) = PLAIN.iter().find(|(known, _)| known.eq_ignore_ascii_case(name))?;
        Some(Self { name, kind: kind.clone() })
    }

    /// The model for rows with these keys.
    pub(super) fn bind(&self, half_life: f64, keys: &Keys) -> Model {
        match &self.kind {
            ModelKind::FirstTouch => Model::FirstTouch,
            ModelKind::LastTouch => Model::LastTouch,
            ModelKind::LastNonDirect => Model::LastNonDirect,
            ModelKind::Linear => Model::Linear,
            ModelKind::ByPosition(weights) => Model::ByPosition(*weights),
            ModelKind::TimeDecay => Model::TimeDecay { half_life },
            ModelKind::Participation => Model::Participation,
            ModelKind::SameTouch => Model::SameTouch,
            ModelKind::EventRegular(specs) => {
                let segments = specs.iter().map(|spec| (keys.number(&spec.of), spec.segment()));
                Model::Segments(Segments::Keys(segments.collect()))
            }
            ModelKind::SegmentRows(specs) => {
                let rows = |spec: &SegmentSpec| spec.of.parse().unwrap_or(0);
                let segments = specs.iter().map(|spec| (rows(spec), spec.segment()));
                Model::Segments(Segments::Rows(segments.collect()))
            }
        }
    }
}

impl SegmentSpec {
    fn segment(&self) -> Segment {
        Segment { weight: f64::from_bits(self.weight), within: self.within }
    }
}
