use super::*;
use crate::journey::retention::cells::{Cells, Place};
use crate::journey::retention::range::{Range, TooManyRows};

fn spec(kind: Kind, last: i64) -> MatrixSpec {
    MatrixSpec {
        kind,
        columns: MatrixSpec::single_periods(last),
        or_after: false,
        min_events: 1,
        period_length: 1,
        own_windows: false,
    }
}

/// A row that is a start and a return.
fn visit(at: i64) -> PersonRow {
    PersonRow { cohort: at, at, is_start: true, in_range: true, is_return: true, value: None }
}

fn cells(spec: &MatrixSpec, people: &[&[PersonRow]]) -> Cells {
    let mut cells = Cells::default();
    for rows in people {
        contributions(spec, rows, false, |c| cells.add(c.place, c.people, c.values, c.sum));
    }
    cells
}

fn range(from: Option<i64>, to: Option<i64>, latest: i64) -> Observed {
    Observed { range: Range { from, to, latest, row_limit: 1_000 }, latest_at: latest }
}

fn returned(spec: &MatrixSpec, cells: &Cells, observed: Observed) -> Vec<Vec<Option<i64>>> {
    let rows = rows(spec, &[cells], observed).unwrap();
    rows.chunks(spec.columns.len() + 1).map(|row| row.iter().map(|cell| cell.returned).collect()).collect()
}

#[test]
fn periods_to_come_are_unknown() {
    let spec = spec(Kind::Recurring, 2);
    let cells = cells(&spec, &[&[visit(0), visit(1)], &[visit(0)]]);
    assert_eq!(
        returned(&spec, &cells, range(None, None, 2)),
        [
            [Some(2), Some(1), Some(0)],
            [Some(1), Some(0), None],
            // Nobody began in the latest period; it has begun all the same.
            [Some(0), None, None],
        ]
    );
}

#[test]
fn rates_have_intervals_only_where_there_are_people() {
    let spec = spec(Kind::FirstTime, 1);
    let cells = cells(&spec, &[&[visit(0), visit(1)], &[visit(0)]]);
    let rows = rows(&spec, &[&cells], range(None, None, 2)).unwrap();
    assert_eq!((rows[1].rate, rows[1].cohort_size), (Some(0.5), 2));
    // 1 of 2: Wilson 0.0945 to 0.9055.
    let (low, high) = rows[1].bounds.unwrap();
    assert!((low - 0.0945).abs() < 5e-5 && (high - 0.9055).abs() < 5e-5);
    assert_eq!((rows[2].returned, rows[2].rate, rows[2].bounds), (Some(0), None, None));
}

#[test]
fn brackets_lie_one_behind_the_other() {
    assert_eq!(MatrixSpec::brackets(&[1, 6, 7]), [(1, 2), (2, 8), (8, 15)]);
    assert_eq!(MatrixSpec::brackets(&[i64::MAX, 1]), [(1, i64::MAX), (i64::MAX, i64::MAX)]);
    let spec = MatrixSpec { columns: MatrixSpec::brackets(&[1, 6]), ..spec(Kind::FirstTime, 0) };
    let cells = cells(&spec, &[&[visit(0), visit(7)]]);
    assert_eq!(returned(&spec, &cells, range(None, Some(0), 9)), [[Some(1), Some(0), Some(1)]]);
}

#[test]
fn first_of_the_range_and_first_of_all_differ() {
    let mut rows = [visit(0), visit(5)];
    rows[0].in_range = false;
    let first_time = spec(Kind::FirstTime, 1);
    assert_eq!(cells(&first_time, &[&rows]).row_range(), Some((5, 5)));
    assert_eq!(cells(&spec(Kind::FirstEver, 1), &[&rows]).row_range(), None);
}

#[test]
fn a_day_that_returns_is_one_day() {
    // A clock that goes back over midnight: day 1 for a minute, day 0 again, day 1.
    let spec = spec(Kind::Recurring, 1);
    let cells = cells(&spec, &[&[visit(1), visit(0), visit(1)]]);
    let size = |row| cells.get(Place { row, column: SIZE, detail: 0 }).map(|cell| cell.people);
    assert_eq!((size(0), size(1)), (Some(1), Some(1)));
}

#[test]
fn answers_have_a_limit() {
    let spec = spec(Kind::Recurring, 1);
    let cells = || cells(&spec, &[&[visit(0)]]);
    assert_eq!(rows(&spec, &[&cells()], range(None, None, 499)).map(|rows| rows.len()), Ok(1_000));
    assert_eq!(rows(&spec, &[&cells()], range(None, None, 500)), Err(TooManyRows));
    assert_eq!(rows(&spec, &[&cells()], range(Some(i64::MIN), None, i64::MAX)), Err(TooManyRows));
    assert_eq!(rows(&spec, &[], range(Some(0), None, 10)), Ok(vec![]));
    // A range that ends before it begins.
    assert_eq!(rows(&spec, &[&cells()], range(Some(3), Some(2), 10)), Ok(vec![]));
}
