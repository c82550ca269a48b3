//! Durability: a load that is killed at any moment leaves all of its rows or none, and a repeat completes it.

use std::process::Stdio;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use wayfare_datasets::{GeneratorConfig, OutputFormat, write_dataset};

use super::support::{Finished, Place, figure};

const KILLS: u32 = 50;
const ROWS: u64 = 200_000;
const KNOWN_ROWS: u64 = 3;
/// Set it to the printed seed to get the same moments again.
const SEED_VARIABLE: &str = "WAYFARE_TEST_SEED";

#[test]
fn killed_loads_leave_all_or_nothing() {
    let seed = match std::env::var(SEED_VARIABLE) {
        Ok(text) => text.parse().expect("a number"),
        Err(_) => rand::random::<u64>(),
    };
    let mut random = StdRng::seed_from_u64(seed);
    let place = Place::with_three_rows();
    let config = GeneratorConfig { events: ROWS, users: 6_000, days: 14, seed, ..GeneratorConfig::default() };
    write_dataset(&config, &place.path("input"), OutputFormat::Parquet, None, 2).expect("input");

    let duration = unkilled_duration(&place);
    eprintln!("{SEED_VARIABLE}={seed}, an unkilled load of {ROWS} rows takes {duration:?}");
    let (mut nothing, mut everything, mut signalled) = (0, 0, 0);
    for kill in 0..KILLS {
        // One moment in each fiftieth of the time that a load takes.
        let moment = duration.mul_f64((f64::from(kill) + random.random::<f64>()) / f64::from(KILLS));
        let store = format!("killed-{kill}");
        // Half of the loads find a table with rows, the others must create the store too.
        let before = if kill % 2 == 0 { 0 } else { KNOWN_ROWS };
        if before > 0 {
            place.ok(&["load", "three.csv", "--store", &store]);
        }
        signalled += u32::from(kill_load(&place, &store, moment));
        let after = rows_in(&place, &store);
        match after - before {
            0 => nothing += 1,
            ROWS => everything += 1,
            part => panic!("kill {kill} after {moment:?} left {part} of {ROWS} rows (seed {seed})"),
        }
        let report = place.ok(&["load", "input", "--store", &store]);
        assert_eq!(
            figure(&report, "rows loaded"),
            before + ROWS - after,
            "kill {kill}, seed {seed}: {report}"
        );
        assert_eq!(place.touchpoints(&store), before + ROWS, "kill {kill}, seed {seed}");
        std::fs::remove_dir_all(place.path(&store)).expect("the store goes");
    }
    eprintln!("{KILLS} kills, {signalled} before the end: {nothing} left no rows, {everything} left all");
    assert!(nothing > 0 && signalled >= KILLS / 2, "the moments are spread over the load");
}

/// The median of three loads.
fn unkilled_duration(place: &Place) -> Duration {
    let mut durations = [(); 3].map(|()| {
        let started = Instant::now();
        place.ok(&["load", "input", "--store", "measured"]);
        let duration = started.elapsed();
        assert_eq!(place.touchpoints("measured"), ROWS);
        std::fs::remove_dir_all(place.path("measured")).expect("the store goes");
        duration
    });
    durations.sort_unstable();
    durations[1]
}

/// Starts a load and kills it after `moment`; whether it was still running.
fn kill_load(place: &Place, store: &str, moment: Duration) -> bool {
    let mut load = place.command(&["load", "input", "--store", store]);
    let mut load = load.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("a load");
    std::thread::sleep(moment);
    // SIGKILL; a process that has ended already is no error.
    load.kill().expect("a kill");
    load.wait().expect("an end").code().is_none()
}

/// Touchpoints in `store`, which may not have come into being.
fn rows_in(place: &Place, store: &str) -> u64 {
    let args = ["query", "--format", "csv", "--store", store, "SELECT count(*) FROM touchpoints"];
    let finished = Finished::of(&mut place.command(&args));
    if finished.code == Some(0) {
        return place.touchpoints(store);
    }
    let absent = ["no Wayfare store", "relation \"touchpoints\" does not exist"];
    assert!(absent.iter().any(|text| finished.stderr.contains(text)), "{finished:#?}");
    0
}
