//! Places of arguments, of kept columns, and of the fields of a session.

use arrow::datatypes::{DataType, Field, FieldRef, Fields};
use std::sync::Arc;

use datafusion::common::Result;

use super::rules;
use crate::aggregate::buffered::kept_type;
use crate::session::{RULES, Role, span};

/// Columns of which a session shows a value: argument name, result name, which row's.
pub(crate) const DIMENSIONS: [(&str, &str, Pick); 7] = [
    ("page", "entry_page", Pick::First),
    ("page", "exit_page", Pick::Last),
    ("channel", "entry_channel", Pick::Origin),
    ("source", "entry_source", Pick::Origin),
    ("campaign", "entry_campaign", Pick::Origin),
    ("device", "device", Pick::First),
    ("country", "country", Pick::First),
];

/// Where the first of them is among the fields of a session.
const DIMENSIONS_AT: usize = 7;

/// Which row of a session gives the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pick {
    /// The first one that has a value.
    First,
    /// The last one that has a value.
    Last,
    /// The first one that has a value in any of the columns that say where the session came from.
    Origin,
}

/// Places of the arguments behind the rules.
#[derive(Debug)]
pub(crate) struct Position;

impl Position {
    pub(crate) const SEQUENCE: usize = RULES.len();
    pub(crate) const PAGE_VIEW: usize = RULES.len() + 1;
    pub(crate) const CONVERSION: usize = RULES.len() + 2;
    pub(crate) const REVENUE: usize = RULES.len() + 3;
    pub(crate) const ENGAGED_AFTER: usize = RULES.len() + 4;
    /// page, channel, source, campaign, device, country.
    pub(crate) const COLUMNS: usize = RULES.len() + 5;
    pub(crate) const COUNT: usize = Self::COLUMNS + COLUMN_NAMES.len();

    /// Place of a rule.
    pub(crate) fn of(wanted: Role) -> usize {
        RULES.iter().position(|(role, _)| *role == wanted).unwrap_or(0)
    }
}

/// Columns of the data in the order of their arguments.
pub(crate) const COLUMN_NAMES: [&str; 6] = ["page", "channel", "source", "campaign", "device", "country"];

/// Which kept column holds what; `None` for what is not there.
///
/// The order of kept columns is the order of rows of one instant: by sequence, then by what the rules look at, then by
/// what is shown. What only tells which row is shown comes last, so that whoever leaves it out changes nothing.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    pub(super) sequence: Option<usize>,
    pub(super) marks: usize,
    pub(super) split_on: Option<usize>,
    pub(super) revenue: Option<usize>,
    /// As in [`COLUMN_NAMES`].
    pub(super) columns: [Option<usize>; COLUMN_NAMES.len()],
}

impl Layout {
    pub(super) fn new(types: &[DataType], wanted: WantedFields) -> Self {
        let mut next = 1;
        let mut place = |position: usize| {
            let is_there = types.get(position).is_some_and(|given| !given.is_null());
            is_there.then(|| {
                next += 1;
                next - 1
            })
        };
        let sequence = place(Position::SEQUENCE);
        // Always there: the place of an argument that always has a type.
        let marks = place(Position::PAGE_VIEW).unwrap_or(1);
        let split_on = place(Position::of(Role::SplitOn));
        let revenue = place(Position::REVENUE);
        let mut columns = [None; COLUMN_NAMES.len()];
        for are_shown in [true, false] {
            for (index, column) in columns.iter_mut().enumerate() {
                if wanted.shows(COLUMN_NAMES[index]) == are_shown {
                    *column = place(Position::COLUMNS + index);
                }
            }
        }
        Self { sequence, marks, split_on, revenue, columns }
    }

    /// Kept columns that are arguments as they are: place, argument.
    pub(super) fn copied(&self) -> Vec<(usize, usize)> {
        let named = [
            (self.sequence, Position::SEQUENCE),
            (self.split_on, Position::of(Role::SplitOn)),
            (self.revenue, Position::REVENUE),
        ];
        let columns =
            self.columns.iter().enumerate().map(|(index, place)| (*place, Position::COLUMNS + index));
        named.into_iter().chain(columns).filter_map(|(place, argument)| Some((place?, argument))).collect()
    }

    pub(super) fn kept_types(&self, types: &[DataType]) -> Vec<DataType> {
        let copied = self.copied();
        let mut kept = vec![DataType::Int64; copied.len() + 2];
        kept[self.marks] = DataType::UInt8;
        for (place, argument) in copied {
            kept[place] = if is_coded(&types[argument]) {
                types[argument].clone()
            } else {
                kept_type(&types[argument])
            };
        }
        kept
    }

    /// Kept column of the data's column called `name`.
    pub(super) fn column(&self, name: &str) -> Option<usize> {
        let index = COLUMN_NAMES.iter().position(|column| *column == name)?;
        self.columns[index]
    }
}

/// Whether a column of this type is kept as it is: codes into a dictionary of text.
pub(super) fn is_coded(data_type: &DataType) -> bool {
    *data_type == DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8))
}

/// The fields of a session that someone looks at; a session has no others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct WantedFields(u64);

impl WantedFields {
    pub(crate) const ALL: Self = Self(u64::MAX);

    /// The fields whose names are wanted; `events` if none is, since a row of a session must have some field.
    pub(crate) fn of(types: &[DataType], is_wanted: impl Fn(&str) -> bool) -> Result<Self> {
        let fields = session_fields(types, Self::ALL)?;
        let bits_of = |is_wanted: &dyn Fn(&str) -> bool| {
            let wanted = fields.iter().enumerate().filter(|(_, field)| is_wanted(field.name()));
            wanted.fold(0, |bits, (position, _)| bits | 1 << position)
        };
        Ok(Self(match bits_of(&is_wanted) {
            0 => bits_of(&|name| name == "events"),
            bits => bits,
        }))
    }

    /// Whether the field at `position` is among them.
    fn contains(self, position: usize) -> bool {
        self.0 >> position.min(63) & 1 == 1
    }

    /// Whether a value of the data's column `name` is among them.
    fn shows(self, name: &str) -> bool {
        let mut dimensions = DIMENSIONS.iter().enumerate();
        dimensions.any(|(place, (column, ..))| *column == name && self.contains(DIMENSIONS_AT + place))
    }
}

/// Type of a column of the result that shows values of the data's column `name`.
pub(super) fn dimension_type(types: &[DataType], name: &str) -> DataType {
    let index = COLUMN_NAMES.iter().position(|column| *column == name).unwrap_or(0);
    match types.get(Position::COLUMNS + index) {
        None | Some(DataType::Null) => DataType::Utf8View,
        Some(given) => kept_type(given),
    }
}

/// Type of the sum of revenues.
pub(super) fn revenue_type(types: &[DataType]) -> DataType {
    match &types[Position::REVENUE] {
        DataType::Decimal128(precision, scale) => DataType::Decimal128((*precision + 10).min(38), *scale),
        DataType::Float64 => DataType::Float64,
        _ => DataType::Decimal128(28, 4),
    }
}

/// Fields of a session.
pub(crate) fn session_fields(types: &[DataType], wanted: WantedFields) -> Result<Fields> {
    let ts = rules(types).time()?;
    let mut fields: Vec<FieldRef> = Vec::new();
    let mut push = |name: &str, data_type: DataType| fields.push(Arc::new(Field::new(name, data_type, true)));
    push("session_start", DataType::Utf8);
    push("session_number", DataType::Int64);
    push("start_ts", ts.clone());
    push("end_ts", ts.clone());
    push("duration_seconds", span::data_type(&ts));
    push("events", DataType::Int64);
    push("page_views", DataType::Int64);
    for (column, name, _) in DIMENSIONS {
        push(name, dimension_type(types, column));
    }
    push("is_bounce", DataType::Boolean);
    push("is_engaged", DataType::Boolean);
    push("conversions", DataType::Int64);
    push("revenue", revenue_type(types));
    push("cut_reason", DataType::Utf8);
    let fields = fields.into_iter().enumerate().filter(|(position, _)| wanted.contains(*position));
    Ok(fields.map(|(_, field)| field).collect())
}

pub(super) fn session_type(types: &[DataType], wanted: WantedFields) -> Result<DataType> {
    Ok(DataType::Struct(session_fields(types, wanted)?))
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::TimeUnit;

    use super::*;

    fn types() -> Vec<DataType> {
        let mut types = vec![DataType::Null; Position::COUNT];
        types[Position::of(Role::Ts)] = DataType::Timestamp(TimeUnit::Microsecond, None);
        types[Position::PAGE_VIEW] = DataType::Boolean;
        types[Position::COLUMNS..].fill(DataType::Utf8View);
        types
    }

    #[test]
    fn dimensions_are_where_they_are_said_to_be() {
        let fields = session_fields(&types(), WantedFields::ALL).unwrap();
        let names: Vec<&str> = fields.iter().skip(DIMENSIONS_AT).map(|field| field.name().as_str()).collect();
        assert_eq!(names[..DIMENSIONS.len()], DIMENSIONS.map(|(_, name, _)| name));
    }

    #[test]
    fn what_is_not_shown_orders_last() {
        let types = types();
        let wanted = |names: &[&str]| WantedFields::of(&types, |name| names.contains(&name)).unwrap();
        let places = |names: &[&str]| Layout::new(&types, wanted(names)).columns.map(Option::unwrap);
        // page, channel, source, campaign, device, country
        assert_eq!(places(&["entry_channel", "device"]), [4, 2, 5, 6, 3, 7]);
        assert_eq!(places(&["exit_page", "entry_campaign"]), [2, 4, 5, 3, 6, 7]);
        assert_eq!(Layout::new(&types, WantedFields::ALL).columns.map(Option::unwrap), [2, 3, 4, 5, 6, 7]);
    }
}
