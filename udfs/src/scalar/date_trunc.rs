//! `date_trunc` as DataFusion has it, without asking the calendar for each row.
//!
//! Times with the zone UTC are cut by arithmetic. In any other zone nearly every quarter of an hour has one answer, which
//! is remembered: that of its first and of its last moment, if they are the same, since no clock is set twice in it.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, PrimitiveArray, make_array};
use arrow::datatypes::{DataType, FieldRef, TimeUnit, TimestampMicrosecondType};
use datafusion::common::{Result, ScalarValue};
use datafusion::functions::datetime::date_trunc;
use datafusion::logical_expr::sort_properties::{ExprProperties, SortProperties};
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
};

/// Microseconds of a quarter of an hour.
const QUARTER_US: i64 = 900_000_000;
/// Quarters before and after 1970 that are remembered: 250 years, within which no arithmetic leaves its range.
const NEAR: i64 = 250 * 365 * 96;
/// Quarters that are remembered at once, by the remainder of their number: a month has less.
const REMEMBERED: usize = 4096;

/// Cuts times to the beginning of a unit. O(rows).
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct DateTrunc {
    general: Arc<ScalarUDF>,
}

impl DateTrunc {
    pub(crate) fn new() -> Self {
        Self { general: date_trunc() }
    }

    /// The general function of one column.
    fn ask(&self, args: &ScalarFunctionArgs, times: ArrayRef) -> Result<ArrayRef> {
        let rows = times.len();
        let mut asked = args.clone();
        let time_type = times.data_type().clone();
        asked.args[1] = ColumnarValue::Array(times);
        asked.arg_fields[1] = Arc::new(args.arg_fields[1].as_ref().clone().with_data_type(time_type.clone()));
        asked.return_field = Arc::new(args.return_field.as_ref().clone().with_data_type(time_type));
        asked.number_rows = rows;
        self.general.invoke_with_args(asked)?.into_array(rows)
    }

    fn utc(&self, args: &ScalarFunctionArgs, times: &ArrayRef) -> Result<ArrayRef> {
        let cut = self.ask(args, renamed(times, DataType::Timestamp(TimeUnit::Microsecond, None))?)?;
        renamed(&cut, times.data_type().clone())
    }

    fn by_quarters(&self, args: &ScalarFunctionArgs, times: &ArrayRef, key: &Key) -> Result<ArrayRef> {
        let microseconds = times.as_primitive::<TimestampMicrosecondType>();
        let ask = |values: Vec<i64>| -> Result<PrimitiveArray<TimestampMicrosecondType>> {
            let asked = PrimitiveArray::<TimestampMicrosecondType>::from_iter_values(values);
            let cut = self.ask(args, Arc::new(asked.with_data_type(times.data_type().clone())))?;
            Ok(cut.as_primitive().clone())
        };
        REMEMBERED_CUTS.with_borrow_mut(|cuts| {
            let cuts = cuts.of(key);
            let unknown: BTreeSet<i64> = microseconds
                .iter()
                .flatten()
                .map(|time| time.div_euclid(QUARTER_US))
                .filter(|quarter| (-NEAR..NEAR).contains(quarter) && cuts.get(*quarter).is_none())
                .collect();
            let first = ask(unknown.iter().map(|quarter| quarter * QUARTER_US).collect())?;
            let last = ask(unknown.iter().map(|quarter| quarter * QUARTER_US + QUARTER_US - 1).collect())?;
            for ((quarter, first), last) in unknown.iter().zip(first.values()).zip(last.values()) {
                if first == last {
                    cuts.set(*quarter, *first);
                }
            }
            let mut cut: Vec<Option<i64>> = Vec::with_capacity(times.len());
            // In quarters that are not the same throughout, or that gave their place to others of this batch.
            let mut others: Vec<usize> = Vec::new();
            for (row, time) in microseconds.iter().enumerate() {
                let known = time.and_then(|time| cuts.get(time.div_euclid(QUARTER_US)));
                if known.is_none() && time.is_some() {
                    others.push(row);
                }
                cut.push(known);
            }
            let found = ask(others.iter().map(|row| microseconds.value(*row)).collect())?;
            for (row, found) in others.iter().zip(found.values()) {
                cut[*row] = Some(*found);
            }
            let cut = PrimitiveArray::<TimestampMicrosecondType>::from(cut);
            Ok(Arc::new(cut.with_data_type(times.data_type().clone())) as ArrayRef)
        })
    }
}

impl ScalarUDFImpl for DateTrunc {
    fn name(&self) -> &str {
        self.general.name()
    }

    fn aliases(&self) -> &[String] {
        self.general.aliases()
    }

    fn signature(&self) -> &Signature {
        self.general.signature()
    }

    fn return_type(&self, arg_types: &[DataType]) -> Result<DataType> {
        self.general.return_type(arg_types)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        self.general.return_field_from_args(args)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let (Some(unit), Some(ColumnarValue::Array(times))) = (unit_of(&args.args), args.args.get(1)) else {
            return self.general.invoke_with_args(args);
        };
        match times.data_type() {
            DataType::Timestamp(TimeUnit::Microsecond, Some(zone)) if is_utc(zone) && are_near(times) => {
                self.utc(&args, times).map(ColumnarValue::Array)
            }
            DataType::Timestamp(TimeUnit::Microsecond, Some(zone)) if is_coarse(&unit) => {
                let key = Key { zone: zone.to_string(), unit };
                self.by_quarters(&args, times, &key).map(ColumnarValue::Array)
            }
            _ => self.general.invoke_with_args(args),
        }
    }

    fn output_ordering(&self, input: &[ExprProperties]) -> Result<SortProperties> {
        self.general.output_ordering(input)
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.general.documentation()
    }
}

/// Whether the arithmetic of all of them stays in its range, NULLs' numbers too.
fn are_near(times: &ArrayRef) -> bool {
    let near = -NEAR * QUARTER_US..NEAR * QUARTER_US;
    times.as_primitive::<TimestampMicrosecondType>().values().iter().all(|time| near.contains(time))
}

/// The same numbers under another type.
fn renamed(times: &ArrayRef, data_type: DataType) -> Result<ArrayRef> {
    Ok(make_array(times.to_data().into_builder().data_type(data_type).build()?))
}

/// The unit in small letters, if it is a literal.
fn unit_of(args: &[ColumnarValue]) -> Option<String> {
    match args.first()? {
        ColumnarValue::Scalar(
            ScalarValue::Utf8(Some(unit))
            | ScalarValue::LargeUtf8(Some(unit))
            | ScalarValue::Utf8View(Some(unit)),
        ) => Some(unit.to_lowercase()),
        _ => None,
    }
}

fn is_utc(zone: &str) -> bool {
    ["UTC", "Etc/UTC", "Z", "+00:00"].iter().any(|name| name.eq_ignore_ascii_case(zone))
}

/// Finer units are arithmetic already.
fn is_coarse(unit: &str) -> bool {
    matches!(unit, "hour" | "day" | "week" | "month" | "quarter" | "year")
}

/// What answers depend on, beside the time.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Key {
    zone: String,
    unit: String,
}

/// Answers of one unit and zone.
#[derive(Debug)]
struct Cuts {
    key: Key,
    /// Number of a quarter and the answer, in microseconds.
    known: Vec<(i64, i64)>,
}

impl Cuts {
    fn get(&self, quarter: i64) -> Option<i64> {
        let (number, cut) = self.known[place(quarter)];
        (number == quarter).then_some(cut)
    }

    fn set(&mut self, quarter: i64, cut: i64) {
        self.known[place(quarter)] = (quarter, cut);
    }
}

fn place(quarter: i64) -> usize {
    quarter.rem_euclid(REMEMBERED as i64) as usize
}

/// Those that this thread asked for last.
#[derive(Debug, Default)]
struct LastCuts(Option<Cuts>);

impl LastCuts {
    fn of(&mut self, key: &Key) -> &mut Cuts {
        let kept = self.0.take().filter(|cuts| cuts.key == *key);
        self.0
            .insert(kept.unwrap_or_else(|| Cuts { key: key.clone(), known: vec![(i64::MIN, 0); REMEMBERED] }))
    }
}

thread_local! {
    static REMEMBERED_CUTS: RefCell<LastCuts> = RefCell::default();
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::Field;
    use datafusion::config::ConfigOptions;
    use proptest::prelude::*;

    use super::*;

    const UNITS: [&str; 10] =
        ["microsecond", "millisecond", "second", "minute", "hour", "day", "week", "month", "quarter", "Year"];
    const ZONES: [&str; 11] = [
        "UTC",
        "+00:00",
        "Europe/Berlin",
        "America/St_Johns",
        "Asia/Kathmandu",
        "Australia/Lord_Howe",
        "America/Sao_Paulo",
        "Pacific/Apia",
        "Africa/Monrovia",
        "+05:45",
        "-09:30",
    ];

    fn cut(function: &dyn ScalarUDFImpl, unit: &str, times: &ArrayRef) -> ArrayRef {
        answer(function, unit, times).expect("an answer")
    }

    fn answer(function: &dyn ScalarUDFImpl, unit: &str, times: &ArrayRef) -> Result<ArrayRef> {
        let field = Arc::new(Field::new("t", times.data_type().clone(), true));
        let args = ScalarFunctionArgs {
            args: vec![
                ColumnarValue::Scalar(ScalarValue::from(unit)),
                ColumnarValue::Array(Arc::clone(times)),
            ],
            arg_fields: vec![Arc::new(Field::new("u", DataType::Utf8, false)), Arc::clone(&field)],
            number_rows: times.len(),
            return_field: field,
            config_options: Arc::new(ConfigOptions::new()),
        };
        function.invoke_with_args(args)?.into_array(times.len())
    }

    fn times(values: Vec<Option<i64>>, zone: &str) -> ArrayRef {
        let zone = DataType::Timestamp(TimeUnit::Microsecond, Some(zone.into()));
        Arc::new(PrimitiveArray::<TimestampMicrosecondType>::from(values).with_data_type(zone))
    }

    fn same_as_general(values: &[Option<i64>]) {
        let ours = DateTrunc::new();
        for zone in ZONES {
            let times = times(values.to_vec(), zone);
            for unit in UNITS {
                let expected = cut(ours.general.inner().as_ref(), unit, &times);
                assert_eq!(&cut(&ours, unit, &times), &expected, "{unit} {zone}");
            }
        }
    }

    /// Times at the ends of the range have the general function's answer, or its error.
    #[test]
    fn times_far_away_do_not_overflow() {
        for unit in ["day", "year"] {
            for zone in ["UTC", "Europe/Berlin"] {
                for time in [i64::MIN, i64::MAX, 253_370_764_800_000_000] {
                    let times = times(vec![Some(time)], zone);
                    let ours = DateTrunc::new();
                    let expected = answer(ours.general.inner().as_ref(), unit, &times).ok();
                    let found = answer(&ours, unit, &times).ok();
                    assert!(expected.is_none() || found == expected, "{unit} {zone} {time}: {found:?}");
                }
            }
        }
    }

    /// Newfoundland set its clocks a minute after midnight: back to the day before, within a quarter.
    #[test]
    fn a_clock_that_is_set_within_a_quarter() {
        let around = |second: i64| (-1_800..1_800).map(move |more| Some((second + more) * 1_000_000));
        // 2006-04-02T03:31Z and 2006-10-29T02:31Z.
        same_as_general(&around(1_143_948_660).chain(around(1_162_089_060)).collect::<Vec<_>>());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]

        #[test]
        fn answers_are_those_of_the_general_function(
            values in prop::collection::vec(prop::option::of(-3_000_000_000_000_000_i64..4_000_000_000_000_000), 0..40),
            near in prop::collection::vec(1_300_000_000_000_000_i64..1_310_000_000_000_000, 0..200),
        ) {
            same_as_general(&values);
            same_as_general(&near.into_iter().map(Some).collect::<Vec<_>>());
        }
    }
}
