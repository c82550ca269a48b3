use super::*;
use crate::journey::time::FixedWindow;

/// Numbers that look random, the same in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }

    fn chance(&mut self, one_in: u64) -> bool {
        self.below(one_in) == 0
    }
}

fn rules() -> Rules<FixedWindow> {
    Rules {
        lookback: None,
        lookback_touches: None,
        session_gap: None,
        ties: Ties::SameInstant,
        cut_at_conversion: false,
        required: 0,
    }
}

#[derive(Debug, Clone, Default)]
struct Rows {
    times: Vec<i64>,
    marks: Vec<u64>,
    keys: Vec<u32>,
    container: Option<Vec<Option<u32>>>,
    session: Option<Vec<Option<u32>>>,
}

impl Rows {
    fn person(&self) -> PersonRows<'_> {
        PersonRows {
            times: &self.times,
            marks: &self.marks,
            keys: &self.keys,
            container: self.container.as_deref(),
            session: self.session.as_deref(),
        }
    }

    fn random(numbers: &mut Numbers) -> Self {
        let count = numbers.below(14) as usize;
        let mut rows = Self::default();
        let mut time = 0;
        for _ in 0..count {
            time += numbers.below(4) as i64;
            rows.times.push(time);
            let mut marks = 0;
            if numbers.chance(3) {
                marks |= mark::CONVERSION;
            }
            match numbers.below(6) {
                0 => marks |= mark::EXCLUDED,
                1 => {}
                2 => marks |= mark::TOUCH | mark::OPTIONAL,
                3 => marks |= mark::TOUCH | mark::DIRECT,
                _ => marks |= mark::TOUCH,
            }
            for bit in [mark::EXPIRES, mark::required(0), mark::required(1)] {
                if numbers.chance(5) {
                    marks |= bit;
                }
            }
            rows.marks.push(marks);
            rows.keys.push(numbers.below(4) as u32);
        }
        let mut values = |count: usize| -> Option<Vec<Option<u32>>> {
            numbers.chance(3).then(|| {
                let value = |_| (!numbers.chance(6)).then(|| numbers.below(2) as u32);
                (0..count).map(value).collect()
            })
        };
        rows.container = values(count);
        rows.session = values(count);
        rows
    }
}

fn random_rules(numbers: &mut Numbers) -> Rules<FixedWindow> {
    let mut length =
        |one_in| numbers.chance(one_in).then(|| FixedWindow::new(numbers.below(8) as i64)).flatten();
    let (lookback, session_gap) = (length(2), length(4));
    Rules {
        lookback,
        session_gap,
        lookback_touches: numbers.chance(3).then(|| numbers.below(4) as usize),
        ties: Ties::NAMES[numbers.below(3) as usize].1,
        cut_at_conversion: numbers.chance(3),
        required: if numbers.chance(4) { numbers.below(3) as usize } else { 0 },
    }
}

/// The rows of the touches that count, row by row from the definition.
fn slow(rules: &Rules<FixedWindow>, rows: &Rows, conversion: usize) -> Vec<usize> {
    let person = rows.person();
    let all = 0..rows.times.len();
    let time = |row: usize| rows.times[row];
    let has = |row: usize, bit: u64| rows.marks[row] & bit != 0;
    let before = |touch: usize, row: usize| match rules.ties {
        Ties::SameInstant => time(touch) <= time(row),
        Ties::Strict => time(touch) < time(row),
        Ties::Order => touch <= row,
    };
    let after = |later: usize, row: usize| match rules.ties {
        Ties::Order => later > row,
        _ => time(later) > time(row),
    };
    let session_of = |row: usize| {
        let gap = rules.session_gap.as_ref()?;
        Some(
            (1..=row)
                .filter(|later| crate::journey::time::Window::end(gap, time(later - 1)) < time(*later))
                .count(),
        )
    };
    let shares = |one: usize, other: usize| {
        let same = |values: &Option<Vec<Option<u32>>>| match values {
            None => true,
            Some(values) => values[one].is_some() && values[one] == values[other],
        };
        let by_gap = rows.session.is_some() || session_of(one) == session_of(other);
        same(&rows.container) && same(&rows.session) && by_gap
    };
    let alone = |touch: usize| {
        let uses_up = |other: usize| {
            let is_earlier = match rules.ties {
                Ties::Order => other < conversion,
                _ => time(other) < time(conversion),
            };
            rules.cut_at_conversion
                && has(other, mark::CONVERSION)
                && is_earlier
                && shares(other, conversion)
                && before(touch, other)
        };
        let expires = |row: usize| has(row, mark::EXPIRES) && !after(touch, row) && after(conversion, row);
        let is_met = |index: usize| {
            all.clone()
                .any(|row| has(row, mark::required(index)) && after(row, touch) && before(row, conversion))
        };
        let window = rules.lookback.as_ref();
        has(touch, mark::TOUCH)
            && before(touch, conversion)
            && shares(touch, conversion)
            && !all.clone().any(uses_up)
            && !all.clone().any(expires)
            && (0..rules.required).all(is_met)
            && window.is_none_or(|window| {
                crate::journey::time::Window::end(window, time(touch)) >= time(conversion)
            })
    };
    let mut touches: Vec<usize> = all.clone().filter(|touch| alone(*touch)).collect();
    if touches.iter().any(|touch| !has(*touch, mark::OPTIONAL)) {
        touches.retain(|touch| !has(*touch, mark::OPTIONAL));
    }
    let most = rules.lookback_touches.unwrap_or(usize::MAX);
    let first = touches.len().saturating_sub(most);
    assert_eq!(person.times.len(), rows.times.len());
    touches.split_off(first)
}

#[test]
fn the_touches_of_random_journeys_are_those_of_the_definition() {
    let mut numbers = Numbers(1);
    let mut evaluator = Evaluator::default();
    let (mut conversions, mut with_touches) = (0, 0);
    for _ in 0..10_000 {
        let rules = random_rules(&mut numbers);
        let rows = Rows::random(&mut numbers);
        let mut seen = Vec::new();
        evaluator.conversions(&rules, &rows.person(), |conversion| {
            let expected = slow(&rules, &rows, conversion.row);
            assert_eq!(conversion.touches, expected, "{rules:?} {rows:?} {}", conversion.row);
            let keys: Vec<u32> = expected.iter().map(|row| rows.keys[*row]).collect();
            assert_eq!(conversion.path.keys, keys);
            let verdicts = verdicts(&rules, &rows.person(), conversion.row);
            let counts: Vec<usize> = verdicts
                .iter()
                .filter(|(_, verdict)| *verdict == Verdict::Counts)
                .map(|(row, _)| *row)
                .collect();
            assert_eq!(counts, expected, "{rules:?} {rows:?} {} {verdicts:?}", conversion.row);
            seen.push(conversion.row);
            conversions += 1;
            with_touches += usize::from(!expected.is_empty());
        });
        seen.sort_unstable();
        let wanted: Vec<usize> =
            (0..rows.times.len()).filter(|row| rows.marks[*row] & mark::CONVERSION != 0).collect();
        assert_eq!(seen, wanted);
    }
    // The cases are worth something: many conversions, with and without touches.
    assert!(conversions > 10_000 && with_touches > 2_000 && with_touches < conversions - 2_000);
}

fn weights(model: &Model, count: Count, keys: &[u32], ages: &[i64]) -> Vec<f64> {
    let times: Vec<i64> = ages.iter().map(|age| -age).collect();
    let direct = vec![false; keys.len()];
    let path = Path { times: &times, keys, direct: &direct, own: None, conversion: 0 };
    let mut parts = Vec::new();
    model.weights(&path, count, &mut Scratch::default()).divide(CREDIT_UNITS, keys.len(), &mut parts);
    parts.iter().map(|part| *part as f64 / CREDIT_UNITS as f64).collect()
}

fn assert_close(found: &[f64], expected: &[f64]) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() < 1e-12, "{found} is not {expected}");
    }
}

#[test]
fn weights_by_position_are_those_of_adobe() {
    let of = |weights: [u64; 3], count: usize| {
        let keys: Vec<u32> = (0..).take(count).collect();
        self::weights(&Model::ByPosition(weights), Count::Touch, &keys, &vec![0; count])
    };
    assert_close(&of(U_SHAPED, 1), &[1.0]);
    assert_close(&of(U_SHAPED, 2), &[0.5, 0.5]);
    assert_close(&of(J_SHAPED, 2), &[0.25, 0.75]);
    assert_close(&of(INVERSE_J, 4), &[0.6, 0.1, 0.1, 0.2]);
    assert_close(&of([0, 1, 0], 2), &[0.5, 0.5]);
    assert_eq!(position_weights([0.3, 0.4, 0.3]), Some([3, 4, 3]));
    assert_eq!(position_weights([10.0, 60.0, 30.0]), Some([10, 60, 30]));
    assert_eq!(position_weights([0.0, 0.0, 0.0]), None);
    assert_eq!(position_weights([f64::NAN, 0.0, 1.0]), None);
    assert_eq!(position_weights([-1.0, 0.0, 1.0]), None);
    assert_eq!(position_weights([1.0, 0.0, 1e12]).map(|weights| weights[2]), Some(100_000_000));
}

#[test]
fn decay_halves_with_each_half_life_however_old() {
    let decay = Model::TimeDecay { half_life: 7.0 };
    assert_close(
        &weights(&decay, Count::Touch, &[0, 1, 2, 3], &[28, 21, 14, 7]),
        &[1.0 / 15.0, 2.0 / 15.0, 4.0 / 15.0, 8.0 / 15.0],
    );
    let old = i64::MAX - 1;
    assert_close(&weights(&decay, Count::Touch, &[0, 1], &[old, old]), &[0.5, 0.5]);
    assert_close(&weights(&decay, Count::Touch, &[0, 1], &[old, 0]), &[0.0, 1.0]);
}

#[test]
fn keys_count_once_if_asked_to() {
    let keys = [0, 0, 0, 0, 0, 1, 2];
    let ages = [6, 5, 4, 3, 2, 1, 0];
    assert_close(
        &weights(&Model::Linear, Count::Distinct, &keys, &ages),
        &[0.0, 0.0, 0.0, 0.0, 1.0 / 3.0, 1.0 / 3.0, 1.0 / 3.0],
    );
    assert_close(
        &weights(&Model::Participation, Count::Touch, &keys, &ages),
        &[0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0],
    );
    assert_close(
        &weights(&Model::FirstTouch, Count::Distinct, &keys, &ages),
        &[1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
    );
    assert_close(&weights(&Model::SameTouch, Count::Touch, &keys, &ages), &[0.0; 7]);
}

#[test]
fn segments_leave_out_what_has_no_touch() {
    let segment = |weight, within| Segment { weight, within };
    let rows = Model::Segments(Segments::Rows(vec![
        (3, segment(0.5, Within::Linear)),
        (4, segment(0.3, Within::LastTouch)),
        (3, segment(0.2, Within::FirstTouch)),
    ]));
    let keys: Vec<u32> = (1..=4).collect();
    assert_close(
        &weights(&rows, Count::Touch, &keys, &[4, 3, 2, 1]),
        &[0.3 / 0.8, 0.5 / 0.8 / 3.0, 0.5 / 0.8 / 3.0, 0.5 / 0.8 / 3.0],
    );
    let kinds = Model::Segments(Segments::Keys(vec![(1, segment(0.5, Within::Linear))]));
    assert_close(&weights(&kinds, Count::Touch, &[0, 2], &[1, 0]), &[0.0, 0.0]);
}

/// The method of largest remainders, unit by unit.
fn slow_division(total: i128, shares: &[u64]) -> Vec<i128> {
    let sum: i128 = shares.iter().map(|share| i128::from(*share)).sum();
    let mut parts: Vec<i128> = shares.iter().map(|share| total * i128::from(*share) / sum).collect();
    let mut order: Vec<usize> = (0..shares.len()).collect();
    order.sort_by_key(|index| -((total * i128::from(shares[*index])) % sum).abs());
    let left = (total - parts.iter().sum::<i128>()).unsigned_abs() as usize;
    order[..left].iter().for_each(|index| parts[*index] += total.signum());
    parts
}

#[test]
fn amounts_are_divided_without_a_rest() {
    let mut numbers = Numbers(2);
    let mut parts = Vec::new();
    for _ in 0..10_000 {
        let count = 1 + numbers.below(6) as usize;
        let mut shares: Vec<u64> = (0..count).map(|_| numbers.below(5) * numbers.below(1 << 20)).collect();
        if shares.iter().all(|share| *share == 0) {
            shares[0] = 1;
        }
        let total = numbers.below(200_000) as i128 - 100_000;
        Weights::Shares(shares.clone()).divide(total, count, &mut parts);
        assert_eq!(parts, slow_division(total, &shares), "{total} by {shares:?}");
        Weights::Equal(count).divide(total, count, &mut parts);
        assert_eq!(parts, slow_division(total, &vec![1; count]), "{total} by {count}");
    }
    for total in [i128::MAX, i128::MIN, i128::MIN + 1, 0, -1] {
        for weights in [
            Weights::Shares(vec![1, 0, 0]),
            Weights::Shares(vec![3, (1 << 61) - 1, 5]),
            Weights::in_proportion(&[0.1, 0.7, 1e-30]),
            Weights::Equal(3),
            Weights::One(2),
        ] {
            weights.divide(total, 3, &mut parts);
            let sum = parts.iter().try_fold(0_i128, |sum, part| sum.checked_add(*part));
            assert_eq!(sum, Some(total), "{weights:?}");
        }
    }
}

#[test]
fn every_model_gives_all_of_every_conversion() {
    let segment = |weight| Segment { weight, within: Within::Linear };
    let models = [
        Model::FirstTouch,
        Model::LastTouch,
        Model::LastNonDirect,
        Model::Linear,
        Model::ByPosition(U_SHAPED),
        Model::ByPosition([7, 0, 1]),
        Model::TimeDecay { half_life: 0.3 },
        Model::Participation,
        Model::SameTouch,
        Model::Segments(Segments::Rows(vec![(2, segment(0.7)), (2, segment(0.3))])),
    ];
    let mut numbers = Numbers(3);
    let mut evaluator = Evaluator::default();
    let mut scratch = Scratch::default();
    let mut parts = Vec::new();
    for _ in 0..10_000 {
        let rules = random_rules(&mut numbers);
        let rows = Rows::random(&mut numbers);
        let value = numbers.below(1_000_000) as i128 - 1_000;
        let count = Count::NAMES[numbers.below(2) as usize].1;
        evaluator.conversions(&rules, &rows.person(), |conversion| {
            for model in &models {
                let weights = model.weights(&conversion.path, count, &mut scratch);
                let touches = conversion.touches.len();
                weights.divide(value, touches, &mut parts);
                let sum: i128 = parts.iter().sum();
                match model {
                    Model::Participation => {
                        let mut keys = conversion.path.keys.to_vec();
                        keys.sort_unstable();
                        keys.dedup();
                        assert_eq!(sum, value * keys.len() as i128);
                    }
                    Model::SameTouch => assert_eq!(sum, conversion.path.own.map_or(0, |_| value)),
                    _ if touches == 0 => assert!(!weights.has_credit()),
                    _ => {
                        assert!(weights.has_credit());
                        assert_eq!(sum, value, "{model:?} {weights:?}");
                    }
                }
            }
        });
    }
}

#[test]
fn nothing_and_one_row() {
    let mut evaluator = Evaluator::default();
    let rows = Rows::default();
    evaluator.conversions(&rules(), &rows.person(), |conversion| panic!("{conversion:?}"));
    let rows = Rows {
        times: vec![5],
        marks: vec![mark::CONVERSION | mark::TOUCH],
        keys: vec![0],
        ..Rows::default()
    };
    let mut own = Vec::new();
    for ties in [Ties::SameInstant, Ties::Order, Ties::Strict] {
        evaluator.conversions(&Rules { ties, ..rules() }, &rows.person(), |conversion| {
            own.push(conversion.path.own);
        });
    }
    assert_eq!(own, [Some(0), Some(0), None]);
}
