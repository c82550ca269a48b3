//! The plain funnel algorithms for generated rows: the slow answer, for any order of arrival.

use proptest::prelude::*;
use wayfare_udfs::journey::event::contains_step;
use wayfare_udfs::journey::funnel::{Follow, FunnelModes};

use crate::funnel_cases::{STEPS, cut, modes, plain_chain, plain_count, plain_depth_in, reach, rows};
use crate::funnel_reference::Funnel;
use crate::reference::Row;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn depth_equals_the_slow_reference(
        modes in modes(),
        reach in reach(),
        rows in rows(0..11),
    ) {
        let parsed = FunnelModes::parse(modes).unwrap();
        let slow = Funnel { steps: STEPS, modes: parsed, reach, rows: &rows };
        prop_assert_eq!(plain_depth_in(STEPS, modes, reach, &rows), slow.depth());
    }

    #[test]
    fn count_equals_the_slow_reference(
        modes in modes(),
        reach in reach(),
        steps in 1..=3_usize,
        rows in rows(0..11),
    ) {
        let rows = cut(steps, &rows);
        let parsed = FunnelModes::parse(modes).unwrap();
        let slow = Funnel { steps, modes: parsed, reach, rows: &rows };
        let count = plain_count(steps, modes, reach, &rows);
        prop_assert_eq!(count, slow.count());
        prop_assert_eq!(count > 0, plain_depth_in(steps, modes, reach, &rows) == steps);
    }

    #[test]
    fn chain_equals_the_slow_reference(
        modes in modes(),
        reach in reach(),
        steps in 1..=STEPS,
        rows in rows(0..11),
    ) {
        let rows = cut(steps, &rows);
        let parsed = FunnelModes::parse(modes).unwrap();
        let slow = Funnel { steps, modes: parsed, reach, rows: &rows };
        let chain = plain_chain(steps, modes, reach, &rows);
        let times: Vec<i64> = chain.iter().map(|(_, time, _)| *time).collect();
        prop_assert_eq!(times, slow.chain_times());
        for (place, (row, _, set)) in chain.iter().enumerate() {
            prop_assert!(contains_step(&[*set], place + 1), "{:?}", chain);
            let again = chain[..place].iter().any(|(other, _, _)| other == row);
            prop_assert!(!again || (parsed.follow == Follow::AnyRows && !parsed.strict_once), "{:?}", chain);
        }
    }

    #[test]
    fn order_of_arrival_does_not_matter(
        modes in modes(),
        reach in reach(),
        (rows, shuffled) in rows(0..40).prop_flat_map(|rows| {
            (Just(rows.clone()), Just(rows).prop_shuffle())
        }),
    ) {
        let depth = |rows: &[Row]| plain_depth_in(STEPS, modes, reach, rows);
        prop_assert_eq!(depth(&rows), depth(&shuffled));
        let count = |rows: &[Row]| plain_count(2, modes, reach, &cut(2, rows));
        prop_assert_eq!(count(&rows), count(&shuffled));
        let chain = |rows: &[Row]| {
            let chain = plain_chain(STEPS, modes, reach, rows);
            chain.into_iter().map(|(_, time, _)| time).collect::<Vec<_>>()
        };
        prop_assert_eq!(chain(&rows), chain(&shuffled));
    }
}
