//! Durability: a load that is killed at any moment leaves all of its rows or none, and a repeat completes it.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use wayfare_datasets::{GeneratorConfig, OutputFormat, write_dataset};

use super::support::{Finished, Place, figure};
use crate::support::tell;

const KILLS: u32 = 50;
/// Kills that wait for a file to appear.
const COMMIT_KILLS: u32 = 10;
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
    let place = place_with_input(seed, ROWS);
    let mut duration = unkilled_duration(&place);
    tell(format!("{SEED_VARIABLE}={seed}, an unkilled load of {ROWS} rows takes {duration:?}"));
    let (mut kills, mut too_late, mut left_all) = (0, 0, 0);
    while kills < KILLS {
        assert!(too_late < 4 * KILLS, "loads are never met alive (seed {seed})");
        // One moment in each fiftieth of the time that a load takes.
        let share = (f64::from(kills) + random.random::<f64>()) / f64::from(KILLS);
        // Half of the loads find a table with rows, the others must create the store too.
        let trial = Trial::new(&place, format!("kill-{kills}-{too_late}"), kills % 2 == 0);
        let moment = duration.mul_f64(share);
        match kill_load(&mut trial.load(), |started| started.elapsed() >= moment) {
            Killed::Alive => kills += 1,
            Killed::TooLate(ended) => {
                too_late += 1;
                // The machine has become faster; later moments count from what is true now.
                duration = ended;
            }
        }
        left_all += u32::from(trial.complete(ROWS) == ROWS);
    }
    tell(format!(
        "{KILLS} loads killed, {too_late} more had ended before; all rows were there {left_all} times, else none"
    ));
}

#[test]
fn loads_killed_around_their_commit_leave_all_or_nothing() {
    let rows = 20_000;
    let place = place_with_input(7, rows);
    for kill in 0..COMMIT_KILLS {
        let trial = Trial::new(&place, format!("kill-{kill}"), true);
        // From the first data file of the load until its commit can be seen.
        let log = place.path(format!("{}/touchpoints/_delta_log/00000000000000000002.json", trial.store));
        let data_files = place.files(&trial.store, ".parquet").len();
        let until_commit = kill % 2 == 0;
        kill_load(&mut trial.load(), |_| match until_commit {
            true => log.exists(),
            false => place.files(&trial.store, ".parquet").len() > data_files,
        });
        let is_committed = log.exists();
        let left = trial.complete(rows);
        assert_eq!(left, if is_committed { rows } else { 0 }, "the log decides");
        assert!(is_committed || !until_commit);
    }
}

/// One load to be killed, with its own store.
struct Trial<'a> {
    place: &'a Place,
    store: String,
    rows_before: u64,
}

impl<'a> Trial<'a> {
    fn new(place: &'a Place, store: String, has_rows: bool) -> Self {
        let rows_before = if has_rows { KNOWN_ROWS } else { 0 };
        if has_rows {
            place.ok(&["load", "three.csv", "--store", &store]);
        }
        Self { place, store, rows_before }
    }

    fn load(&self) -> Command {
        self.place.command(&["load", "input", "--store", &self.store])
    }

    /// Asserts that the load left all of its `rows` or none and that a repeat completes it; how many it left.
    fn complete(self, rows: u64) -> u64 {
        let store = &self.store;
        let left = rows_in(self.place, store) - self.rows_before;
        assert!(left == 0 || left == rows, "{store}: {left} of {rows} rows");
        let report = self.place.ok(&["load", "input", "--store", store]);
        assert_eq!(figure(&report, "rows loaded"), rows - left, "{store}: {report}");
        assert_eq!(self.place.touchpoints(store), self.rows_before + rows, "{store}");
        std::fs::remove_dir_all(self.place.path(store)).expect("the store goes");
        left
    }
}

fn place_with_input(seed: u64, rows: u64) -> Place {
    let place = Place::with_three_rows();
    let config =
        GeneratorConfig { events: rows, users: rows / 30, days: 14, seed, ..GeneratorConfig::default() };
    write_dataset(&config, &place.path("input"), OutputFormat::Parquet, None, 2).expect("input");
    place
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

/// How a load was met by its kill.
enum Killed {
    Alive,
    /// It had ended after this time.
    TooLate(Duration),
}

/// Starts a load and kills it with SIGKILL as soon as `is_time`.
fn kill_load(load: &mut Command, is_time: impl Fn(Instant) -> bool) -> Killed {
    let started = Instant::now();
    let mut load = load.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("a load");
    while !is_time(started) {
        if load.try_wait().expect("a state").is_some() {
            return Killed::TooLate(started.elapsed());
        }
        std::thread::sleep(Duration::from_micros(200));
    }
    // A process that has ended in this moment is no error.
    load.kill().expect("a kill");
    match load.wait().expect("an end").code() {
        None => Killed::Alive,
        Some(_) => Killed::TooLate(started.elapsed()),
    }
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
