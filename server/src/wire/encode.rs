//! Result rows on the wire.
//!
//! arrow-pg encodes the values. What it lacks is here: NULL intervals, timestamps in the session's time zone and
//! without a fraction of zeros, PostgreSQL's text of floating-point numbers, decimals of more than 28 digits, the JSON
//! union of `->`, and types that PostgreSQL does not have, which are cast to the nearest one that it has.

mod list;

use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Decimal128Array, Float32Array, Float64Array, IntervalMonthDayNanoArray,
    RecordBatch, StringArray, TimestampMicrosecondArray, UnionArray,
};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{
    DataType, DurationMicrosecondType, Field, FieldRef, Int32Type, IntervalMonthDayNano, IntervalUnit,
    Schema, Time64MicrosecondType, TimeUnit, TimestampMicrosecondType,
};
use arrow_pg::datatypes::field_into_pg_type;
use arrow_pg::encoder::encode_value;
use bytes::{BufMut, BytesMut};
use chrono::{NaiveTime, Timelike};
use datafusion::error::DataFusionError;
use pgwire::api::Type;
use pgwire::api::portal::Format;
use pgwire::api::results::{DataRowEncoder, FieldFormat, FieldInfo};
use pgwire::error::PgWireResult;
use pgwire::messages::data::DataRow;
use pgwire::types::format::FormatOptions;

use super::datetime::{DateLayout, Zone, interval_text, timestamp_text};
use super::types::{OID_ALIAS_KEY, PG_CHAR_KEY, marked_length, marked_type, name_alias};
use super::{float, marked, numeric};
use crate::catalog::reg::RegNames;
use crate::error::{error, from_datafusion, sqlstate, user_error};
use crate::limits::MAX_RESULT_COLUMNS;
use list::Lists;
pub(crate) use list::array_type;

/// Microseconds from the Unix epoch to 2000-01-01, the epoch of PostgreSQL's binary timestamps.
pub(crate) const POSTGRES_EPOCH_US: i64 = 946_684_800_000_000;
/// Prefix that datafusion-pg-catalog gives to columns it had to rename.
const RENAMED_PREFIX: &str = "__alias_";

/// Describes the columns of `schema` as the client sees them, named by `names` where given.
///
/// # Errors
/// 08P01 if the client gave another number of formats than there are columns, 54011 for too many columns, 0A000 for a
/// column type that cannot be shown.
pub(crate) fn field_infos(
    schema: &Schema,
    names: Option<&[String]>,
    format: &Format,
    options: &Arc<FormatOptions>,
) -> PgWireResult<Vec<FieldInfo>> {
    let columns = schema.fields().len();
    if columns > MAX_RESULT_COLUMNS {
        return Err(error(
            sqlstate::TOO_MANY_COLUMNS,
            format!("target lists can have at most {MAX_RESULT_COLUMNS} entries"),
        ));
    }
    if let Format::Individual(formats) = format
        && formats.len() != columns
    {
        return Err(error(
            sqlstate::PROTOCOL_VIOLATION,
            format!("bind message has {} result formats but query has {columns} columns", formats.len()),
        ));
    }
    let names = names.filter(|names| names.len() == columns);
    let infos = schema.fields().iter().enumerate().map(|(index, field)| {
        let shown = shown_field(field);
        let pg_type = shown_pg_type(&shown, field)?;
        let name = names.map_or_else(
            || field.name().strip_prefix(RENAMED_PREFIX).unwrap_or(field.name()),
            |names| names[index].as_str(),
        );
        let size = type_size(&pg_type);
        Ok(FieldInfo::new(name.to_owned(), None, None, pg_type, format.format_for(index))
            .with_format_options(Arc::clone(options))
            .with_type_size(size)
            .with_type_modifier(type_modifier(&shown)))
    });
    infos.collect()
}

/// The field as it is sent: types that PostgreSQL lacks become their nearest one.
fn shown_field(field: &FieldRef) -> FieldRef {
    let shown = match field.data_type() {
        DataType::Float16 => DataType::Float32,
        // Counts and numbers of rows.
        DataType::UInt64 => DataType::Int64,
        DataType::Decimal32(precision, scale)
        | DataType::Decimal64(precision, scale)
        | DataType::Decimal256(precision, scale) => {
            DataType::Decimal128((*precision).min(numeric::MAX_PRECISION), *scale)
        }
        DataType::Map(_, _) => DataType::Utf8,
        // Cast to another type, which keeps the mark of the number or character that it was.
        DataType::Int32 => return Arc::clone(field),
        other if field.metadata().contains_key(OID_ALIAS_KEY) => {
            return Arc::new(
                field.as_ref().clone().with_data_type(other.clone()).with_metadata(Default::default()),
            );
        }
        other if !other.is_string() && field.metadata().contains_key(PG_CHAR_KEY) => {
            return Arc::new(field.as_ref().clone().with_metadata(Default::default()));
        }
        _ => return Arc::clone(field),
    };
    Arc::new(field.as_ref().clone().with_data_type(shown))
}

/// The type under which catalogs list a column.
pub(crate) fn pg_type_of(field: &FieldRef) -> Type {
    shown_pg_type(&shown_field(field), field).unwrap_or(Type::TEXT)
}

fn shown_pg_type(shown: &FieldRef, original: &FieldRef) -> PgWireResult<Type> {
    if let Some(marked) = marked_type(shown) {
        return Ok(marked);
    }
    if matches!(shown.data_type(), DataType::Union(_, _)) {
        return Ok(Type::JSON);
    }
    // PostgreSQL resolves what has no type to text.
    if matches!(shown.data_type(), DataType::Null) {
        return Ok(Type::TEXT);
    }
    if matches!(shown.data_type(), DataType::Duration(_)) {
        return Ok(Type::INTERVAL);
    }
    if let Some(item) = innermost_item(shown)
        && let Ok(element) = shown_pg_type(&shown_field(item), item)
        && let Some(array) = array_type(&element)
    {
        return Ok(array);
    }
    field_into_pg_type(shown).map_err(|_| {
        error(
            sqlstate::FEATURE_NOT_SUPPORTED,
            format!(
                "column \"{}\" of type {} cannot be sent to a client: cast it to a simpler type",
                original.name(),
                original.data_type()
            ),
        )
    })
}

/// The element of an array, in however many dimensions.
fn innermost_item(field: &FieldRef) -> Option<&FieldRef> {
    match field.data_type() {
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
            innermost_item(item).or(Some(item))
        }
        _ => None,
    }
}

/// Bytes of a value of this type; -1 if they differ.
pub(crate) fn type_size(pg_type: &Type) -> i16 {
    match *pg_type {
        Type::BOOL | Type::CHAR => 1,
        Type::INT2 => 2,
        Type::INT4 | Type::FLOAT4 | Type::DATE | Type::OID | Type::XID => 4,
        Type::REGCLASS | Type::REGTYPE | Type::REGPROC | Type::REGNAMESPACE | Type::REGROLE => 4,
        Type::INT8 | Type::FLOAT8 | Type::TIMESTAMP | Type::TIMESTAMPTZ | Type::TIME => 8,
        Type::INTERVAL | Type::UUID => 16,
        Type::TIMETZ => 12,
        Type::NAME => 64,
        _ => -1,
    }
}

/// Precision and scale, or a length, as a type modifier; -1 for types without.
pub(crate) fn type_modifier(field: &Field) -> i32 {
    if let Some(length) = marked_length(field) {
        return length.saturating_add(4);
    }
    match field.data_type() {
        DataType::Decimal128(precision, scale) if *scale >= 0 => {
            ((i32::from(*precision) << 16) | i32::from(*scale)) + 4
        }
        _ => -1,
    }
}

/// Encodes batches of one result.
pub(crate) struct BatchEncoder {
    fields: Arc<Vec<FieldInfo>>,
    // What the plan promised; a batch may come with another type of the same kind.
    schema: Schema,
    zone: Zone,
    layout: DateLayout,
    other: DataRowEncoder,
    // For identifiers that are shown as names.
    names: Option<RegNames>,
    /// Rows lie one behind the other in blocks: a block is freed with its last row, and no row has an allocation of its
    /// own, which another thread would have to free.
    block: BytesMut,
    block_bytes: usize,
}

/// Bytes of the first block of a result, which may have one short row.
const FIRST_BLOCK: usize = 512;
/// Bytes of the blocks of a long one.
const LONGEST_BLOCK: usize = 32 * 1024;
/// A row is not begun in a block with less room.
const LEAST_ROOM: usize = 256;

impl BatchEncoder {
    /// `fields` must come from [`field_infos`] for `schema`.
    ///
    /// # Errors
    /// 22023 if `time_zone` is no zone.
    pub(crate) fn new(
        fields: Arc<Vec<FieldInfo>>,
        schema: &Schema,
        time_zone: &str,
        names: Option<RegNames>,
    ) -> PgWireResult<Self> {
        let zone = Zone::new(time_zone).ok_or_else(|| {
            error(sqlstate::INVALID_PARAMETER_VALUE, format!("time zone \"{time_zone}\" not recognized"))
        })?;
        // All columns of a result have the same options.
        let layout = fields.first().map_or("", |field| field.format_options().date_style.as_str());
        Ok(Self {
            layout: DateLayout::new(layout),
            other: DataRowEncoder::new(Arc::clone(&fields)),
            fields,
            schema: Schema::new(schema.fields().clone()),
            zone,
            names,
            block: BytesMut::new(),
            block_bytes: FIRST_BLOCK,
        })
    }

    /// Prepares a batch for [`Self::row`].
    ///
    /// # Errors
    /// A value does not fit the type that was promised to the client.
    pub(crate) fn prepare(&self, batch: &RecordBatch) -> PgWireResult<Vec<Column>> {
        let columns = batch.columns().iter().zip(batch.schema_ref().fields());
        columns
            .zip(self.fields.iter().zip(self.schema.fields()))
            .map(|((array, field), (info, promised))| self.column(array, field, info, promised))
            .collect()
    }

    fn column(
        &self,
        array: &ArrayRef,
        field: &FieldRef,
        info: &FieldInfo,
        promised: &FieldRef,
    ) -> PgWireResult<Column> {
        if let Some(column) = self.marked(array, info, promised)? {
            return Ok(column);
        }
        let is_nested = |item: &FieldRef| innermost_item(item).is_some();
        if let DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) =
            promised.data_type()
            && (is_nested(item) || is_own_item(item))
        {
            return self.lists(array, info, promised);
        }
        let mut shown = shown_field(field);
        let mut array = Arc::clone(array);
        let is_union = matches!(shown.data_type(), DataType::Union(_, _));
        if !is_union && !same_kind(&shown, promised, info) {
            let promised = shown_field(promised);
            if is_lossy(shown.data_type(), promised.data_type()) {
                let message = format!(
                    "internal error: column {:?} came as {} instead of {}",
                    info.name(),
                    shown.data_type(),
                    promised.data_type()
                );
                return Err(error(sqlstate::INTERNAL_ERROR, message));
            }
            shown = Arc::new(shown.as_ref().clone().with_data_type(promised.data_type().clone()));
        }
        if array.data_type() != shown.data_type() {
            array = cast(&array, shown.data_type())?;
        }
        Ok(match shown.data_type() {
            DataType::Timestamp(unit, zone) => {
                if !matches!(unit, TimeUnit::Microsecond) {
                    let target = DataType::Timestamp(TimeUnit::Microsecond, zone.clone());
                    array = cast(&array, &target)?;
                }
                Column::Timestamp {
                    values: array.as_primitive::<TimestampMicrosecondType>().clone(),
                    zone: zone.as_ref().map(|_| self.zone),
                    layout: self.layout,
                }
            }
            DataType::Decimal128(_, scale) => {
                Column::Decimal { values: array.as_primitive().clone(), scale: *scale }
            }
            DataType::Interval(IntervalUnit::MonthDayNano) => Column::Interval(array.as_primitive().clone()),
            DataType::Float64 if writes_shortest_text(info) => Column::Double(array.as_primitive().clone()),
            DataType::Float32 if writes_shortest_text(info) => Column::Real(array.as_primitive().clone()),
            DataType::Time32(_) | DataType::Time64(_) if info.format() == FieldFormat::Text => {
                let times = cast(&array, &DataType::Time64(TimeUnit::Microsecond))?;
                let times = times.as_primitive::<Time64MicrosecondType>();
                let texts: StringArray = times.iter().map(|time| time.map(time_text)).collect();
                Column::Text { values: texts, binary: None }
            }
            DataType::Duration(_) => {
                let lengths = cast(&array, &DataType::Duration(TimeUnit::Microsecond))?;
                let lengths = lengths.as_primitive::<DurationMicrosecondType>();
                Column::Interval(lengths.iter().map(|length| length.map(in_days)).collect())
            }
            DataType::Union(_, _) => Column::Json(array.as_union().clone()),
            DataType::Null => Column::Null,
            _ => Column::Other { array, field: shown },
        })
    }

    /// A column of arrays whose elements are written here.
    fn lists(&self, array: &ArrayRef, info: &FieldInfo, promised: &FieldRef) -> PgWireResult<Column> {
        let item = match promised.data_type() {
            DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => item,
            _ => return Ok(Column::Null),
        };
        let found = match array.data_type() {
            DataType::List(found) | DataType::LargeList(found) | DataType::FixedSizeList(found, _) => found,
            _ => item,
        };
        let lists = cast(array, &DataType::List(Arc::clone(found)))?;
        let lists = lists.as_list::<i32>().clone();
        let innermost = innermost_item(promised).unwrap_or(item);
        let pg_type = shown_pg_type(&shown_field(innermost), innermost)?;
        let element = FieldInfo::new(info.name().to_owned(), None, None, pg_type, info.format())
            .with_format_options(Arc::clone(info.format_options()));
        let values = match innermost_item(item) {
            Some(_) => self.lists(lists.values(), &element, item)?,
            None => self.column(lists.values(), found, &element, item)?,
        };
        Ok(Column::List(Lists { lists, values: Box::new(values), element }))
    }

    /// A column whose field has a mark: identifiers with names, and types that are text with a binary form of their own.
    fn marked(
        &self,
        array: &ArrayRef,
        info: &FieldInfo,
        promised: &FieldRef,
    ) -> PgWireResult<Option<Column>> {
        if let (Some(kind), Some(names)) = (name_alias(promised), &self.names)
            && info.format() == FieldFormat::Text
        {
            let oids = cast(array, &DataType::Int32)?;
            let oids = oids.as_primitive::<Int32Type>();
            let texts: StringArray = oids.iter().map(|oid| oid.map(|oid| names.name(kind, oid))).collect();
            return Ok(Some(Column::Text { values: texts, binary: None }));
        }
        let Some(pg_type) = marked_type(promised) else {
            return Ok(None);
        };
        if !array.data_type().is_string() {
            let values = marked::encoded(array, &pg_type, info.format())?;
            return Ok(Some(Column::Encoded(values)));
        }
        let texts = cast(array, &DataType::Utf8)?;
        let texts = texts.as_string::<i32>();
        if pg_type == Type::BPCHAR
            && let Some(length) = marked_length(promised)
        {
            let width = usize::try_from(length).unwrap_or_default();
            let values = texts.iter().map(|text| text.map(|text| format!("{text:width$}"))).collect();
            return Ok(Some(Column::Text { values, binary: None }));
        }
        let binary = (info.format() == FieldFormat::Binary).then_some(pg_type);
        Ok(Some(Column::Text { values: texts.clone(), binary }))
    }

    /// Encodes row `index` of the prepared columns.
    ///
    /// # Errors
    /// A nested value that arrow-pg cannot encode.
    pub(crate) fn row(&mut self, columns: &[Column], index: usize) -> PgWireResult<DataRow> {
        // Values of arrow-pg gather in its own encoder; ours are appended to `data` between them.
        let mut data = std::mem::take(&mut self.block);
        if data.capacity() < LEAST_ROOM {
            data = BytesMut::with_capacity(self.block_bytes);
            self.block_bytes = (self.block_bytes * 2).min(LONGEST_BLOCK);
        }
        let mut pending = false;
        for (column, info) in columns.iter().zip(self.fields.iter()) {
            match column {
                Column::Other { array, field } if !array.is_null(index) => {
                    encode_value(&mut self.other, array, index, field, info)
                        .map_err(|e| encode_failed(e, field))?;
                    pending = true;
                    continue;
                }
                _ => {}
            }
            if std::mem::take(&mut pending) {
                data.extend_from_slice(&self.other.take_row().data);
            }
            column.put(index, info, &mut data)?;
        }
        if pending {
            data.extend_from_slice(&self.other.take_row().data);
        }
        let count = i16::try_from(columns.len()).unwrap_or(i16::MAX);
        let row = data.split();
        self.block = data;
        Ok(DataRow::new(row, count))
    }
}

fn encode_failed(failure: pgwire::error::PgWireError, field: &Field) -> pgwire::error::PgWireError {
    match failure {
        pgwire::error::PgWireError::UserError(_) => failure,
        _ => error(
            sqlstate::FEATURE_NOT_SUPPORTED,
            format!(
                "a value of column \"{}\" of type {} cannot be sent to a client",
                field.name(),
                field.data_type()
            ),
        ),
    }
}

/// Whether arrays of such elements are written here and not by arrow-pg.
fn is_own_item(item: &FieldRef) -> bool {
    marked_type(item).is_some()
        || !matches!(
            item.data_type(),
            DataType::Boolean
                | DataType::Int16
                | DataType::Int32
                | DataType::Int64
                | DataType::Utf8
                | DataType::LargeUtf8
                | DataType::Utf8View
                | DataType::Struct(_)
        )
}

/// A difference of two times: PostgreSQL counts its whole days.
fn in_days(micros: i64) -> IntervalMonthDayNano {
    const DAY: i64 = 86_400_000_000;
    let days = i32::try_from(micros / DAY).unwrap_or(i32::MAX);
    IntervalMonthDayNano::new(0, days, micros % DAY * 1_000)
}

/// Whether numbers of a column are written so that they read back the same, which is the default.
fn writes_shortest_text(info: &FieldInfo) -> bool {
    info.format() == FieldFormat::Text && info.format_options().extra_float_digits > 0
}

/// Whether `batch` can be sent as the type that was promised, without a cast.
fn same_kind(batch: &FieldRef, promised: &FieldRef, info: &FieldInfo) -> bool {
    if batch.data_type() == promised.data_type() {
        return true;
    }
    let same_type = field_into_pg_type(batch).is_ok_and(|found| &found == info.datatype());
    let same_scale = match (batch.data_type(), promised.data_type()) {
        (DataType::Decimal128(_, a), DataType::Decimal128(_, b)) => a == b,
        _ => true,
    };
    same_type && same_scale
}

/// Whether values of one type lose something as values of another: sent so they would be wrong.
fn is_lossy(from: &DataType, to: &DataType) -> bool {
    match (from, to) {
        (from, to) if from.is_floating() || from.is_decimal() => to.is_integer(),
        (DataType::Timestamp(..), DataType::Date32 | DataType::Date64) => true,
        _ => false,
    }
}

fn cast(array: &ArrayRef, target: &DataType) -> PgWireResult<ArrayRef> {
    let options = CastOptions { safe: false, ..CastOptions::default() };
    cast_with_options(array, target, &options)
        .map_err(|e| user_error(from_datafusion(&DataFusionError::ArrowError(Box::new(e), None))))
}

/// A column of a batch, ready to be encoded row by row.
pub(crate) enum Column {
    Timestamp {
        values: TimestampMicrosecondArray,
        /// `None` for `timestamp` without a zone.
        zone: Option<Zone>,
        layout: DateLayout,
    },
    Interval(IntervalMonthDayNanoArray),
    List(Lists),
    Decimal {
        values: Decimal128Array,
        scale: i8,
    },
    /// `double precision` as text.
    Double(Float64Array),
    /// `real` as text.
    Real(Float32Array),
    /// The union type of the JSON functions.
    Json(UnionArray),
    /// Text, and the type whose binary form it takes.
    Text {
        values: StringArray,
        binary: Option<Type>,
    },
    /// Values as they are sent.
    Encoded(Vec<Option<Vec<u8>>>),
    Null,
    /// Left to arrow-pg.
    Other {
        array: ArrayRef,
        field: FieldRef,
    },
}

impl Column {
    fn put(&self, index: usize, info: &FieldInfo, out: &mut BytesMut) -> PgWireResult<()> {
        let binary = info.format() == FieldFormat::Binary;
        match self {
            Self::Timestamp { values, .. } if values.is_null(index) => out.put_i32(-1),
            Self::Timestamp { values, zone, layout } => {
                let micros = values.value(index);
                if binary {
                    let since = match micros {
                        // The infinities, in both forms.
                        i64::MAX | i64::MIN => micros,
                        _ => micros.checked_sub(POSTGRES_EPOCH_US).ok_or_else(timestamp_out_of_range)?,
                    };
                    out.put_i32(8);
                    out.put_i64(since);
                } else {
                    let text = timestamp_text(micros, zone.as_ref(), *layout);
                    put_text(out, &text.ok_or_else(timestamp_out_of_range)?);
                }
            }
            Self::Interval(values) if values.is_null(index) => out.put_i32(-1),
            Self::Interval(values) => {
                let interval = values.value(index);
                if binary {
                    out.put_i32(16);
                    out.put_i64(interval.nanoseconds / 1_000);
                    out.put_i32(interval.days);
                    out.put_i32(interval.months);
                } else {
                    put_text(out, &interval_text(interval, &info.format_options().interval_style));
                }
            }
            Self::Decimal { values, .. } if values.is_null(index) => out.put_i32(-1),
            Self::Decimal { values, scale } => {
                let value = values.value(index);
                put_value(out, |out| {
                    if binary {
                        numeric::put_binary(value, *scale, out);
                    } else {
                        numeric::put_text(value, *scale, out);
                    }
                });
            }
            Self::Double(values) if values.is_null(index) => out.put_i32(-1),
            Self::Double(values) => put_text(out, &float::double_text(values.value(index))),
            Self::Real(values) if values.is_null(index) => out.put_i32(-1),
            Self::Real(values) => put_text(out, &float::real_text(values.value(index))),
            Self::Json(union) => match json_text(union, index) {
                Some(text) => put_text(out, &text),
                None => out.put_i32(-1),
            },
            Self::Text { values, .. } if values.is_null(index) => out.put_i32(-1),
            Self::Text { values, binary } => put_marked(out, values.value(index), binary.as_ref())?,
            Self::Encoded(values) => match values.get(index).and_then(Option::as_ref) {
                Some(bytes) => put_value(out, |out| out.put_slice(bytes)),
                None => out.put_i32(-1),
            },
            // Only NULLs of `Other` come here.
            Self::Null | Self::Other { .. } => out.put_i32(-1),
            Self::List(lists) => lists.put(index, out)?,
        }
        Ok(())
    }

    /// [`Self::put`] for a value that is not in a row: an element of an array.
    fn put_alone(&self, index: usize, info: &FieldInfo, out: &mut BytesMut) -> PgWireResult<()> {
        let Self::Other { array, field } = self else { return self.put(index, info, out) };
        if array.is_null(index) {
            out.put_i32(-1);
            return Ok(());
        }
        let mut encoder = DataRowEncoder::new(Arc::new(vec![info.clone()]));
        encode_value(&mut encoder, array, index, field, info).map_err(|e| encode_failed(e, field))?;
        out.extend_from_slice(&encoder.take_row().data);
        Ok(())
    }
}

fn put_text(out: &mut BytesMut, text: &str) {
    put_value(out, |out| out.put_slice(text.as_bytes()));
}

/// Appends a value of a type that is text here, in the binary form of `pg_type` if there is one.
fn put_marked(out: &mut BytesMut, text: &str, pg_type: Option<&Type>) -> PgWireResult<()> {
    match pg_type {
        Some(&Type::JSONB) => put_value(out, |out| {
            // The version of the format.
            out.put_u8(1);
            out.put_slice(text.as_bytes());
        }),
        Some(&Type::INET) => match IpAddr::from_str(text) {
            // Family, bits of the network, whether it is a network, bytes of the address.
            Ok(IpAddr::V4(address)) => put_value(out, |out| {
                out.put_slice(&[2, 32, 0, 4]);
                out.put_slice(&address.octets());
            }),
            Ok(IpAddr::V6(address)) => put_value(out, |out| {
                out.put_slice(&[3, 128, 0, 16]);
                out.put_slice(&address.octets());
            }),
            Err(_) => {
                let message = format!("invalid input syntax for type inet: \"{text}\"");
                return Err(error(sqlstate::INVALID_TEXT_REPRESENTATION, message));
            }
        },
        Some(&Type::UUID) => {
            let digits = text.bytes().filter(|byte| *byte != b'-');
            let digits =
                digits.map(|byte| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok()));
            let digits: Vec<u8> = digits.collect::<Option<_>>().unwrap_or_default();
            if digits.len() != 32 {
                return Err(error(
                    sqlstate::INVALID_TEXT_REPRESENTATION,
                    format!("invalid input syntax for type uuid: \"{text}\""),
                ));
            }
            put_value(out, |out| digits.chunks(2).for_each(|pair| out.put_u8(pair[0] << 4 | pair[1])));
        }
        Some(&Type::TIMETZ) => {
            let (micros, west) = timetz_parts(text).ok_or_else(|| {
                error(
                    sqlstate::INVALID_TEXT_REPRESENTATION,
                    format!("invalid input syntax for type time with time zone: \"{text}\""),
                )
            })?;
            out.put_i32(12);
            out.put_i64(micros);
            out.put_i32(west);
        }
        _ => put_text(out, text),
    }
    Ok(())
}

/// Microseconds of the day and seconds west of UTC in `12:30:00.5+05:30`.
fn timetz_parts(text: &str) -> Option<(i64, i32)> {
    let sign = text.rfind(['+', '-'])?;
    let (time, zone) = text.split_at(sign);
    let time = NaiveTime::from_str(time.trim()).ok()?;
    let micros =
        i64::from(time.num_seconds_from_midnight()) * 1_000_000 + i64::from(time.nanosecond() / 1_000);
    let mut east = 0;
    for (part, seconds) in zone[1..].split(':').zip([3_600, 60, 1]) {
        east += part.parse::<i32>().ok()? * seconds;
    }
    Some((micros, if zone.starts_with('-') { east } else { -east }))
}

/// Appends a length and the bytes that `put` writes.
fn put_value(out: &mut BytesMut, put: impl FnOnce(&mut BytesMut)) {
    let start = out.len();
    out.put_i32(0);
    put(out);
    let length = i32::try_from(out.len() - start - 4).unwrap_or(i32::MAX);
    out[start..start + 4].copy_from_slice(&length.to_be_bytes());
}

fn timestamp_out_of_range() -> pgwire::error::PgWireError {
    error(sqlstate::DATETIME_FIELD_OVERFLOW, "timestamp out of range")
}

/// `12:30:00.5` from microseconds of the day.
fn time_text(micros: i64) -> String {
    let (seconds, fraction) = (micros / 1_000_000, micros % 1_000_000);
    let text = format!("{:02}:{:02}:{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60);
    if fraction == 0 { text } else { format!("{text}.{fraction:06}").trim_end_matches('0').to_owned() }
}

/// The JSON text of one value of the union; `None` if it is SQL NULL or JSON null of an absent path.
pub(crate) fn json_text(union: &UnionArray, index: usize) -> Option<String> {
    let value = union.value(index);
    if value.is_null(0) || matches!(value.data_type(), DataType::Null) {
        return None;
    }
    let DataType::Union(fields, _) = union.data_type() else {
        return None;
    };
    let type_id = union.type_id(index);
    let (_, field) = fields.iter().find(|(id, _)| *id == type_id)?;
    match value.data_type() {
        DataType::Boolean => Some(value.as_boolean().value(0).to_string()),
        DataType::Int64 => Some(value.as_primitive::<arrow::datatypes::Int64Type>().value(0).to_string()),
        DataType::Float64 => {
            let number = value.as_primitive::<arrow::datatypes::Float64Type>().value(0);
            Some(serde_json::Value::from(number).to_string())
        }
        DataType::Utf8 => {
            let text = value.as_string::<i32>().value(0);
            Some(match field.name().as_str() {
                "array" | "object" => text.to_owned(),
                _ => serde_json::Value::from(text).to_string(),
            })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{Int64Array, StringViewArray};
    use arrow::datatypes::IntervalMonthDayNano;

    use super::*;

    fn encode(array: ArrayRef, format: &Format) -> Vec<Option<Vec<u8>>> {
        encode_in(array, format, "UTC")
    }

    fn encode_in(array: ArrayRef, format: &Format, zone: &str) -> Vec<Option<Vec<u8>>> {
        let schema = Arc::new(Schema::new(vec![Field::new("c", array.data_type().clone(), true)]));
        let options = Arc::new(FormatOptions::default());
        let fields = Arc::new(field_infos(&schema, None, format, &options).unwrap());
        let batch = RecordBatch::try_new(Arc::clone(&schema), vec![array]).unwrap();
        let mut encoder = BatchEncoder::new(fields, &schema, zone, None).unwrap();
        let columns = encoder.prepare(&batch).unwrap();
        (0..batch.num_rows())
            .map(|row| {
                let data = encoder.row(&columns, row).unwrap().data;
                let length = i32::from_be_bytes(data[..4].try_into().unwrap());
                (length >= 0).then(|| data[4..].to_vec())
            })
            .collect()
    }

    fn text(array: ArrayRef) -> Vec<Option<String>> {
        let rows = encode(array, &Format::UnifiedText).into_iter();
        rows.map(|row| row.map(|bytes| String::from_utf8(bytes).unwrap())).collect()
    }

    fn some(value: &str) -> Option<String> {
        Some(value.to_owned())
    }

    #[test]
    fn timestamps_are_written_as_postgres_writes_them() {
        let values = vec![
            Some(1_700_000_000_000_000),
            Some(1_700_000_000_120_000),
            None,
            Some(-62_198_755_200_000_000),
        ];
        let naive = TimestampMicrosecondArray::from(values.clone());
        assert_eq!(
            text(Arc::new(naive)),
            [
                some("2023-11-14 22:13:20"),
                some("2023-11-14 22:13:20.12"),
                None,
                some("0002-01-01 00:00:00 BC")
            ]
        );
        let zoned: ArrayRef = Arc::new(TimestampMicrosecondArray::from(values).with_timezone("UTC"));
        assert_eq!(text(Arc::clone(&zoned))[0], some("2023-11-14 22:13:20+00"));
        let kolkata = encode_in(zoned, &Format::UnifiedText, "Asia/Kolkata");
        assert_eq!(kolkata[0].as_deref(), Some(b"2023-11-15 03:43:20+05:30".as_slice()));
    }

    #[test]
    fn binary_timestamps_count_from_2000() {
        let array = TimestampMicrosecondArray::from(vec![POSTGRES_EPOCH_US + 1]).with_timezone("UTC");
        assert_eq!(encode(Arc::new(array), &Format::UnifiedBinary), [Some(vec![0, 0, 0, 0, 0, 0, 0, 1])]);
    }

    #[test]
    fn long_decimals_and_null_intervals() {
        let decimals = Decimal128Array::from(vec![Some(i128::MAX), None]).with_precision_and_scale(38, 30);
        // i128::MAX has 39 digits, one more than the precision promises; the encoder does not care.
        let decimals = decimals.unwrap();
        assert_eq!(text(Arc::new(decimals)), [some("170141183.460469231731687303715884105727"), None]);
        let month = IntervalMonthDayNano::new(1, 2, 3_000_000_000);
        let intervals = IntervalMonthDayNanoArray::from(vec![None, Some(month)]);
        assert_eq!(text(Arc::new(intervals)), [None, some("1 mon 2 days 00:00:03")]);
    }

    #[test]
    fn ordinary_types_come_from_arrow_pg() {
        assert_eq!(text(Arc::new(StringViewArray::from(vec![Some("a"), None]))), [some("a"), None]);
        assert_eq!(
            encode(Arc::new(Int64Array::from(vec![7])), &Format::UnifiedBinary),
            [Some(vec![0, 0, 0, 0, 0, 0, 0, 7])]
        );
    }

    #[test]
    fn wrong_numbers_of_formats_are_refused() {
        let schema = Schema::new(vec![Field::new("c", DataType::Int64, true)]);
        let options = Arc::new(FormatOptions::default());
        let format = Format::Individual(vec![0, 1]);
        let refused = field_infos(&schema, None, &format, &options).unwrap_err();
        assert!(refused.to_string().contains("08P01"));
    }
}
