//! From rows to sessions.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, ListArray, UInt8Array};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{DataType, Field, UInt8Type};
use datafusion::common::{DataFusionError, Result, exec_err, internal_err, resources_err};

use super::columns::Shown;
use super::layout::{Layout, WantedFields, is_coded, session_type};
use super::spans::{Span, Spans};
use super::{NAME, Position, engaged_limit, rules};
use crate::aggregate::buffered::{Call, Kept, SortedRows, kept_column};
use crate::arguments::{ticks, true_rows};
use crate::journey::session::{Limit, Sessions};
use crate::length::Length;
use crate::session::{Argument, Marks, Role, RowReader, SessionCall};

/// Bits of a row, so that those of one instant without a sequence come in a sensible order: separators first,
/// then rows that start a session, rows that end one last.
pub(super) const CONVERSION: u8 = 1;
pub(super) const PAGE_VIEW: u8 = 1 << 1;
const NOT_START: u8 = 1 << 2;
const END: u8 = 1 << 3;
const NOT_SEPARATOR: u8 = 1 << 4;

/// One call: the rules and what is counted.
#[derive(Debug)]
pub(super) struct SessionListCall {
    types: Vec<DataType>,
    ts: DataType,
    layout: Layout,
    rules: SessionCall,
    /// Whether nothing but a pause cuts.
    has_only_gap: bool,
    too_short: Limit<Length>,
    wanted: WantedFields,
}

impl SessionListCall {
    pub(super) fn try_new(
        types: Vec<DataType>,
        arguments: &[Argument],
        engaged: &Argument,
        wanted: WantedFields,
    ) -> Result<Self> {
        let call = rules(&types);
        let ts = call.time()?;
        let (Some(rules), Argument::Constant(engaged)) = (call.rules(arguments)?, engaged) else {
            return internal_err!("{NAME} runs with a parameter that has no value");
        };
        let too_short = engaged_limit(engaged, &ts)?;
        let looks_at_rows = [Role::StartIf, Role::EndIf, Role::Separator, Role::SplitOn]
            .into_iter()
            .any(|role| arguments[Position::of(role)] != Argument::Missing);
        let has_only_gap = rules.rules.only_gap().is_some() && !looks_at_rows && rules.midnight.is_none();
        let layout = Layout::new(&types, wanted);
        Ok(Self { types, ts, layout, rules, has_only_gap, too_short, wanted })
    }

    fn marks(&self, arguments: &[ArrayRef]) -> Result<UInt8Array> {
        let rows = arguments.first().map_or(0, |column| column.len());
        let mut marks = vec![NOT_START | NOT_SEPARATOR; rows];
        for (position, bit) in [
            (Position::CONVERSION, CONVERSION),
            (Position::PAGE_VIEW, PAGE_VIEW),
            (Position::of(Role::StartIf), NOT_START),
            (Position::of(Role::EndIf), END),
            (Position::of(Role::Separator), NOT_SEPARATOR),
        ] {
            let Some(condition) = arguments[position].as_boolean_opt() else {
                return internal_err!("{NAME}: a condition has type {}", arguments[position].data_type());
            };
            for row in true_rows(condition).set_indices() {
                // NOT_START and NOT_SEPARATOR are set in every row and taken away here.
                marks[row] ^= bit;
            }
        }
        Ok(UInt8Array::from(marks))
    }

    fn push_person(
        &self,
        rows: std::ops::Range<usize>,
        kept: &KeptRows,
        reader: &mut RowReader,
        spans: &mut Spans,
    ) -> Result<()> {
        let mut sessions = Sessions::default();
        for row in rows {
            let marks = kept.marks[row];
            let seen = Marks {
                separator: marks & NOT_SEPARATOR == 0,
                starts: marks & NOT_START == 0,
                ends: marks & END != 0,
            };
            let session_row = reader.row(kept.times[row], seen, kept.split_on, row)?;
            let place = sessions
                .push(&self.rules.rules, &session_row)
                .map_err(|error| DataFusionError::Internal(format!("{NAME}: {error}")))?;
            if let Some(place) = place {
                spans.push_row(row, &place);
            }
        }
        spans.end_person();
        Ok(())
    }
}

/// The rows of all people, as they were kept.
pub(super) struct KeptRows<'a> {
    pub(super) times: &'a [i64],
    marks: &'a [u8],
    split_on: Option<&'a ArrayRef>,
    pub(super) revenue: Option<&'a ArrayRef>,
}

impl<'a> KeptRows<'a> {
    fn try_new(layout: &Layout, rows: &'a SortedRows) -> Result<Self> {
        let Some(marks) = rows.column(layout.marks).as_primitive_opt::<UInt8Type>() else {
            return internal_err!("{NAME}: the marks are not kept as such");
        };
        Ok(Self {
            times: rows.integers(0)?,
            marks: marks.values(),
            split_on: layout.split_on.map(|index| rows.column(index)),
            revenue: layout.revenue.map(|index| rows.column(index)),
        })
    }

    /// Rows of a session that have a mark.
    pub(super) fn count(&self, session: &Span, mark: u8) -> i64 {
        self.marks[session.rows()].iter().map(|marks| i64::from(marks & mark != 0)).sum()
    }
}

impl Call for SessionListCall {
    fn name(&self) -> &'static str {
        NAME
    }

    fn keep(&self, arguments: &[ArrayRef]) -> Result<Kept> {
        let ts = &arguments[Position::of(Role::Ts)];
        let times: ArrayRef = Arc::new(Int64Array::new(ticks(ts)?, None));
        let mut columns = vec![Arc::clone(&times); self.layout.copied().len() + 2];
        columns[self.layout.marks] = Arc::new(self.marks(arguments)?);
        for (place, argument) in self.layout.copied() {
            let column = &arguments[argument];
            columns[place] =
                if is_coded(column.data_type()) { Arc::clone(column) } else { kept_column(column)? };
        }
        Ok(Kept { columns, rows: ts.nulls().map(|nulls| nulls.inner().clone()) })
    }

    fn evaluate(&self, rows: &SortedRows) -> Result<ArrayRef> {
        let kept = KeptRows::try_new(&self.layout, rows)?;
        let mut reader = RowReader::new(&self.ts, self.rules.midnight);
        let mut spans = Spans::default();
        let mut ends = vec![0_i32];
        let gap = self.rules.rules.only_gap().filter(|_| self.has_only_gap);
        for person in rows.groups() {
            match gap {
                Some(gap) => spans.push_person(person, kept.times, gap),
                None => self.push_person(person, &kept, &mut reader, &mut spans)?,
            }
            match i32::try_from(spans.as_slice().len()) {
                Ok(end) => ends.push(end),
                Err(_) => {
                    return resources_err!(
                        "{NAME}: more than {} sessions at once; use more partitions",
                        i32::MAX
                    );
                }
            }
        }
        let shown = Shown {
            types: &self.types,
            ts: &self.ts,
            layout: &self.layout,
            wanted: self.wanted,
            too_short: &self.too_short,
        };
        let sessions = shown.columns(spans.as_slice(), &kept, rows)?;
        let field = Arc::new(Field::new_list_field(session_type(&self.types, self.wanted)?, true));
        match ListArray::try_new(field, OffsetBuffer::new(ends.into()), Arc::new(sessions), None) {
            Ok(list) => Ok(Arc::new(list)),
            Err(error) => exec_err!("{NAME}: {error}"),
        }
    }
}
