//! How long the algorithms take. Run by hand:
//! `cargo nextest run --workspace -E 'package(wayfare-udfs)' --run-ignored only attribution::timing --no-capture`.

use std::time::Instant;

use wayfare_udfs::journey::attribution::{
    CREDIT_UNITS, Count, Evaluator, Model, PersonRows, Rules, Scratch, U_SHAPED, mark,
};
use wayfare_udfs::journey::markov::{Chain, Exits, attribute};
use wayfare_udfs::journey::random::Random;
use wayfare_udfs::journey::shapley::{Games, Worth, exact};
use wayfare_udfs::journey::ties::Ties;
use wayfare_udfs::journey::time::FixedWindow;

use crate::sql::tell;

const DAY_US: i64 = 86_400_000_000;

#[test]
#[ignore = "measures, and takes its time"]
fn six_models_over_ten_million_rows() {
    const PEOPLE: usize = 300_000;
    const ROWS: usize = 33;
    let mut random = Random::new(3);
    let (mut times, mut marks, mut keys) = (vec![], vec![], vec![]);
    for _ in 0..PEOPLE {
        let mut time = 0;
        for _ in 0..ROWS {
            time += random.below(DAY_US.cast_unsigned() * 3 / 2).cast_signed();
            times.push(time);
            marks.push(if random.below(30) == 0 { mark::CONVERSION } else { mark::TOUCH });
            keys.push(u32::try_from(random.below(8)).unwrap());
        }
    }
    let models = [
        Model::FirstTouch,
        Model::LastTouch,
        Model::LastNonDirect,
        Model::Linear,
        Model::ByPosition(U_SHAPED),
        Model::TimeDecay { half_life: 7.0 * DAY_US as f64 },
    ];
    let rules = Rules {
        lookback: FixedWindow::new(30 * DAY_US),
        lookback_touches: None,
        session_gap: None,
        ties: Ties::SameInstant,
        cut_at_conversion: false,
        required: 0,
    };
    let (mut evaluator, mut scratch) = (Evaluator::default(), Scratch::default());
    let (mut credits, mut values) = (Vec::new(), Vec::new());
    let (mut conversions, mut pairs, mut sum) = (0, 0, 0_i128);
    let all = PersonRows { times: &times, marks: &marks, keys: &keys, container: None, session: None };
    let start = Instant::now();
    for person in 0..PEOPLE {
        let rows = all.slice(person * ROWS..(person + 1) * ROWS);
        evaluator.conversions(&rules, &rows, |conversion| {
            conversions += 1;
            pairs += conversion.touches.len();
            for model in &models {
                let weights = model.weights(&conversion.path, Count::Touch, &mut scratch);
                weights.divide(CREDIT_UNITS, conversion.touches.len(), &mut credits);
                weights.divide(1_234_567, conversion.touches.len(), &mut values);
                sum += values.iter().sum::<i128>();
            }
        });
    }
    tell(format!(
        "{} rows, {conversions} conversions, {pairs} pairs with touches, 6 models: {:?}",
        times.len(),
        start.elapsed()
    ));
    assert!(sum <= 6 * 1_234_567 * conversions);
}

#[test]
#[ignore = "measures, and takes its time"]
fn a_chain_of_order_2_with_60_keys() {
    let mut random = Random::new(5);
    let mut chain = Chain::new(2);
    for _ in 0..300_000 {
        let path: Vec<u32> =
            (0..1 + random.below(10)).map(|_| u32::try_from(random.below(60)).unwrap()).collect();
        let converts = u64::from(random.below(10) == 0);
        assert!(chain.add_journeys(&path, Exits { conversions: converts, value: 0, nulls: 1 - converts }));
    }
    let transitions = chain.transitions().len();
    let start = Instant::now();
    assert_eq!(attribute(&chain, 0.0).keys.len(), 60);
    tell(format!("order 2, 60 keys, {transitions} transitions: {:?}", start.elapsed()));
}

#[test]
#[ignore = "measures, and takes its time"]
fn shapley_values_of_16_keys() {
    let mut random = Random::new(6);
    let journeys: Vec<(Vec<u32>, Exits)> = (0..200_000)
        .map(|_| {
            let path = (0..1 + random.below(8)).map(|_| u32::try_from(random.below(16)).unwrap()).collect();
            (path, Exits { conversions: random.below(2), value: 0, nulls: random.below(9) })
        })
        .collect();
    let start = Instant::now();
    let games = Games::new(journeys.iter().map(|(path, exits)| (path.as_slice(), *exits))).unwrap();
    assert_eq!(exact(&games, Worth::RateWithin).unwrap().len(), 16);
    tell(format!("16 keys, {} journeys: {:?}", journeys.len(), start.elapsed()));
}
