//! Sessions by looking at all earlier rows for each row, in hours.

/// Rules; lengths and times are whole hours.
#[derive(Debug, Clone, Default)]
pub(super) struct Rules {
    pub(super) gap: Option<i64>,
    pub(super) inclusive: bool,
    pub(super) start_if: bool,
    pub(super) end_if: bool,
    pub(super) max_length: Option<i64>,
    pub(super) max_events: Option<usize>,
    pub(super) split_on: bool,
    /// Days of a zone five hours ahead of UTC.
    pub(super) midnight: bool,
    pub(super) click_lag: Option<i64>,
    pub(super) separator: bool,
}

impl Rules {
    pub(super) fn is_any(&self) -> bool {
        self.gap.is_some()
            || self.max_length.is_some()
            || self.max_events.is_some()
            || [self.start_if, self.end_if, self.split_on, self.midnight, self.separator].contains(&true)
    }
}

/// A row; a condition that is `None` is NULL.
#[derive(Debug, Clone, Default)]
pub(super) struct Row {
    pub(super) hour: Option<i64>,
    pub(super) starts: Option<bool>,
    pub(super) ends: Option<bool>,
    pub(super) separates: Option<bool>,
    pub(super) value: Option<&'static str>,
}

/// What all functions say about a row in a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) number: i64,
    pub(super) depth: i64,
    pub(super) gap: Option<i64>,
    pub(super) elapsed: i64,
    pub(super) reason: &'static str,
    pub(super) is_robot: bool,
    pub(super) start: i64,
    /// Position among the sessions that start at `start`.
    pub(super) ordinal: i64,
}

/// Places of rows that are in order of time.
pub(super) fn places(rules: &Rules, rows: &[Row]) -> Vec<Option<Place>> {
    let mut sessions: Vec<(Vec<usize>, &'static str)> = Vec::new();
    let mut places = Vec::new();
    for (index, row) in rows.iter().enumerate() {
        places.push(place(rules, rows, &mut sessions, index, row));
    }
    places
}

fn place(
    rules: &Rules,
    rows: &[Row],
    sessions: &mut Vec<(Vec<usize>, &'static str)>,
    index: usize,
    row: &Row,
) -> Option<Place> {
    let hour = row.hour?;
    let is_separator = |row: &Row| rules.separator && row.hour.is_some() && row.separates == Some(true);
    if is_separator(row) || (rules.separator && !rows[..index].iter().any(is_separator)) {
        return None;
    }
    let before = rows[..index].iter().rfind(|row| row.hour.is_some() && !is_separator(row));
    let gap = before.and_then(|before| before.hour).map(|before| hour - before);
    let reason = match sessions.last() {
        None => Some("first"),
        Some((members, _)) => {
            let (first, last) = (members[0], members[members.len() - 1]);
            let value = members.iter().rev().find_map(|member| rows[*member].value);
            let day = |hour: i64| (hour + 5).div_euclid(24);
            let latest_day = members.iter().filter_map(|member| rows[*member].hour).map(day).max().unwrap();
            let pause = hour - rows[last].hour.unwrap();
            let reasons = [
                ("separator", rows[last + 1..index].iter().any(is_separator)),
                ("end_if", rules.end_if && rows[last].ends == Some(true)),
                ("start_if", rules.start_if && row.starts == Some(true)),
                (
                    "gap",
                    rules.gap.is_some_and(|gap| if rules.inclusive { pause >= gap } else { pause > gap }),
                ),
                ("midnight", rules.midnight && day(hour) > latest_day),
                ("split_on", rules.split_on && row.value.is_some() && row.value != value),
                ("max_length", rules.max_length.is_some_and(|most| hour - rows[first].hour.unwrap() > most)),
                ("max_events", rules.max_events.is_some_and(|most| members.len() >= most)),
            ];
            reasons.into_iter().find(|(_, applies)| *applies).map(|(name, _)| name)
        }
    };
    match (reason, sessions.last_mut()) {
        (None, Some((members, _))) => members.push(index),
        (reason, _) => sessions.push((vec![index], reason.unwrap())),
    }
    let start_of = |session: &(Vec<usize>, &str)| rows[session.0[0]].hour.unwrap();
    let (members, reason) = sessions.last().unwrap();
    let start = start_of(sessions.last().unwrap());
    let depth = members.len();
    Some(Place {
        number: i64::try_from(sessions.len()).unwrap(),
        depth: i64::try_from(depth).unwrap(),
        gap,
        elapsed: hour - start,
        reason,
        is_robot: depth > 1 && rules.click_lag.is_some_and(|lag| gap.unwrap() < lag),
        start,
        ordinal: i64::try_from(sessions.iter().filter(|session| start_of(session) == start).count()).unwrap(),
    })
}
