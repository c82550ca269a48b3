//! The template language of `to_char`, `to_timestamp` and `to_date`: a text read into parts.

/// A template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Template(pub(super) Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    /// A character that stands for itself.
    Text(char),
    Field(FieldPart),
}

/// A field with its modifiers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FieldPart {
    pub(super) field: Field,
    pub(super) case: Case,
    /// `FM`: no padding.
    pub(super) bare: bool,
    /// `TH` or `th`: the ending of an ordinal number.
    pub(super) ordinal: Option<Case>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Case {
    Upper,
    Capital,
    Lower,
}

/// Fields by their upper-case names in templates; each before those that are its beginning.
const FIELDS: [(&str, Field); 52] = [
    ("A.D.", Field::EraDots),
    ("A.M.", Field::HalfDots),
    ("AD", Field::Era),
    ("AM", Field::Half),
    ("B.C.", Field::EraDots),
    ("BC", Field::Era),
    ("CC", Field::Century),
    ("DAY", Field::DayName),
    ("DDD", Field::DayOfYear),
    ("DD", Field::Day),
    ("DY", Field::DayShort),
    ("D", Field::DayOfWeek),
    ("FF1", Field::Fraction(1)),
    ("FF2", Field::Fraction(2)),
    ("FF3", Field::Fraction(3)),
    ("FF4", Field::Fraction(4)),
    ("FF5", Field::Fraction(5)),
    ("FF6", Field::Fraction(6)),
    ("HH24", Field::Hour24),
    ("HH12", Field::Hour12),
    ("HH", Field::Hour12),
    ("IDDD", Field::IsoDayOfYear),
    ("ID", Field::IsoDay),
    ("IW", Field::IsoWeek),
    ("IYYY", Field::IsoYear(4)),
    ("IYY", Field::IsoYear(3)),
    ("IY", Field::IsoYear(2)),
    ("I", Field::IsoYear(1)),
    ("J", Field::Julian),
    ("MI", Field::Minute),
    ("MM", Field::Month),
    ("MONTH", Field::MonthName),
    ("MON", Field::MonthShort),
    ("MS", Field::Fraction(3)),
    ("OF", Field::Offset),
    ("P.M.", Field::HalfDots),
    ("PM", Field::Half),
    ("Q", Field::Quarter),
    ("RM", Field::MonthRoman),
    ("SSSSS", Field::SecondOfDay),
    ("SSSS", Field::SecondOfDay),
    ("SS", Field::Second),
    ("TZH", Field::OffsetHours),
    ("TZM", Field::OffsetMinutes),
    ("TZ", Field::Zone),
    ("US", Field::Fraction(6)),
    ("WW", Field::Week),
    ("W", Field::WeekOfMonth),
    ("Y,YYY", Field::YearComma),
    ("YYYY", Field::Year(4)),
    ("YYY", Field::Year(3)),
    ("YY", Field::Year(2)),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    Era,
    EraDots,
    Half,
    HalfDots,
    Century,
    DayName,
    DayShort,
    DayOfYear,
    Day,
    DayOfWeek,
    /// Of a second, with so many digits.
    Fraction(u8),
    Hour24,
    Hour12,
    IsoDayOfYear,
    IsoDay,
    IsoWeek,
    /// The last so many digits.
    IsoYear(u8),
    Julian,
    Minute,
    Month,
    MonthName,
    MonthShort,
    MonthRoman,
    Offset,
    OffsetHours,
    OffsetMinutes,
    Quarter,
    SecondOfDay,
    Second,
    Zone,
    Week,
    WeekOfMonth,
    YearComma,
    /// The last so many digits.
    Year(u8),
}

impl Field {
    /// Digits of a number of this field that is read; `None` for fields that are no number.
    pub(super) fn digits(self) -> Option<u8> {
        match self {
            Self::Year(digits) | Self::IsoYear(digits) | Self::Fraction(digits) => Some(digits),
            Self::DayOfYear | Self::IsoDayOfYear => Some(3),
            Self::Day | Self::Hour12 | Self::Hour24 | Self::Minute | Self::Second => Some(2),
            Self::Month | Self::IsoWeek | Self::Week | Self::Century => Some(2),
            Self::DayOfWeek | Self::IsoDay | Self::WeekOfMonth | Self::Quarter => Some(1),
            Self::SecondOfDay => Some(5),
            Self::Julian => Some(7),
            _ => None,
        }
    }

    /// Its name in messages.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Year(1) => "Y",
            _ => FIELDS.iter().find(|(_, field)| *field == self).map_or("", |(name, _)| name),
        }
    }
}

impl Template {
    /// Reads a template; any text is one. O(length).
    pub(super) fn parse(text: &str) -> Self {
        let mut parts = Vec::new();
        let mut rest = text;
        let mut bare = false;
        while let Some(first) = rest.chars().next() {
            if let Some(after) = strip(rest, "FM") {
                (bare, rest) = (true, after);
                continue;
            }
            if let Some(after) = strip(rest, "FX").or_else(|| strip(rest, "TM")) {
                rest = after;
                continue;
            }
            if first == '"' {
                rest = quoted(&rest[1..], &mut parts);
                continue;
            }
            if let Some(after) = rest.strip_prefix("\\\"") {
                parts.push(Part::Text('"'));
                rest = after;
                continue;
            }
            let known = FIELDS.iter().chain(&[("Y", Field::Year(1))]);
            let found = known.into_iter().find_map(|(name, field)| Some((*name, *field, strip(rest, name)?)));
            let Some((name, field, after)) = found else {
                parts.push(Part::Text(first));
                rest = &rest[first.len_utf8()..];
                continue;
            };
            let case = case_of(&rest[..name.len()]);
            let ordinal = ["TH", "th"].into_iter().find(|ending| after.starts_with(ending));
            rest = &after[ordinal.map_or(0, str::len)..];
            let ordinal = ordinal.map(case_of);
            parts.push(Part::Field(FieldPart { field, case, bare, ordinal }));
            bare = false;
        }
        Self(parts)
    }
}

/// Takes text up to the closing quote, or all, and gives what is after it.
fn quoted<'a>(text: &'a str, parts: &mut Vec<Part>) -> &'a str {
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return &text[at + 1..],
            '\\' => parts.extend(characters.next().map(|(_, escaped)| Part::Text(escaped))),
            other => parts.push(Part::Text(other)),
        }
    }
    ""
}

fn strip<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let start = text.get(..name.len())?;
    start.eq_ignore_ascii_case(name).then(|| &text[name.len()..])
}

fn case_of(name: &str) -> Case {
    let mut letters = name.chars().filter(|character| character.is_alphabetic()).map(char::is_uppercase);
    match (letters.next(), letters.next()) {
        (Some(true), Some(false)) => Case::Capital,
        (Some(true), _) => Case::Upper,
        _ => Case::Lower,
    }
}
