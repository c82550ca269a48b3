//! Followers: killed at any moment while files arrive, and through faults; every file counts exactly once.

use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::emulators::{Emulator, Kind};
use super::files::{ROWS, csv, write_files};
use super::proxy::{Fault, Proxy};
use crate::cli::support::{Finished, Place};
use crate::support::tell;

/// How often followers are killed, if set.
const KILLS_VARIABLE: &str = "WAYFARE_TEST_KILLS";
const DEFAULT_KILLS: u32 = 15;
const SEED_VARIABLE: &str = "WAYFARE_TEST_SEED";
const WHOLE_FILES: &str =
    "SELECT count(*) FROM (SELECT campaign FROM touchpoints GROUP BY campaign HAVING count(*) = 5)";

/// Puts file `number` into `directory` at once, under a name that was never there.
fn arrive(directory: &Path, number: u64) {
    let hidden = directory.join(format!(".f{number}.csv"));
    std::fs::write(&hidden, csv(number)).unwrap();
    std::fs::rename(hidden, directory.join(format!("f{number}.csv"))).unwrap();
}

#[test]
fn killed_followers_load_every_file_exactly_once() {
    let kills = std::env::var(KILLS_VARIABLE).map_or(DEFAULT_KILLS, |text| text.parse().expect("a number"));
    let seed =
        std::env::var(SEED_VARIABLE).map_or_else(|_| rand::random(), |text| text.parse().expect("a number"));
    let mut random = StdRng::seed_from_u64(seed);
    let place = Place::new();
    let input = place.path("in");
    std::fs::create_dir(&input).unwrap();
    let (arrived, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let arriving = {
        let (arrived, stop, input) = (Arc::clone(&arrived), Arc::clone(&stop), input.clone());
        let mut random = StdRng::seed_from_u64(seed ^ 1);
        std::thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                arrive(&input, arrived.fetch_add(1, Ordering::Relaxed));
                std::thread::sleep(Duration::from_millis(random.random_range(5..120)));
            }
        })
    };
    // Rows are not compared: a file that is loaded twice shows.
    let follow = ["load", "--follow", "--every", "40ms", "--dedup", "none", "in"];
    let mut alive = 0;
    for _ in 0..kills {
        let mut follower =
            place.command(&follow).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("a follower");
        std::thread::sleep(Duration::from_millis(random.random_range(20..1500)));
        alive += u32::from(follower.try_wait().expect("a state").is_none());
        follower.kill().expect("a kill");
        follower.wait().expect("an end");
    }
    stop.store(true, Ordering::Relaxed);
    arriving.join().expect("no panic");
    let files = arrived.load(Ordering::Relaxed);
    assert_eq!(alive, kills, "every one was met alive (seed {seed})");
    let before = place.ok(&["query", "--format", "csv", WHOLE_FILES]);
    place.ok(&["load", "--follow", "--once", "--dedup", "none", "in"]);
    assert_eq!(place.value(WHOLE_FILES), files, "seed {seed}");
    assert_eq!(place.touchpoints("store"), files * ROWS, "seed {seed}");
    let commits = place.ok(&["history"]).lines().count() - 2;
    tell(format!(
        "{kills} followers killed while {files} files arrived ({KILLS_VARIABLE}, {SEED_VARIABLE}={seed}): {} were loaded by \
         then, in {commits} commits in all, each exactly once",
        before.lines().nth(1).unwrap_or_default()
    ));
}

#[test]
fn one_look_tells_each_batch_and_each_wrong_file() {
    let place = Place::new();
    std::fs::create_dir(place.path("in")).unwrap();
    let once = ["load", "--follow", "--once", "in"];
    assert_eq!(place.ok(&once), "", "nothing has arrived");
    for number in 0..3 {
        arrive(&place.path("in"), number);
    }
    let line = place.ok(&once);
    assert!(line.contains("touchpoints: 3 files, 15 rows loaded, 0 duplicates, 0 rejected"), "{line}");
    assert_eq!(line.lines().count(), 1, "{line}");
    assert_eq!(place.ok(&once), "", "nothing is new");

    // One wrong file among others: they are loaded, it is told, and stays the only one.
    place.write("in/wrong.csv", "event_id,user_id,ts,event\ne,u,no time,view\n");
    arrive(&place.path("in"), 3);
    arrive(&place.path("in"), 4);
    for loads in [true, false] {
        let looked = place.run(&once);
        assert_eq!(looked.code, Some(1), "{looked:#?}");
        assert!(looked.stderr.contains("in/wrong.csv") && looked.stderr.contains("no time"), "{looked:#?}");
        assert_eq!(looked.stdout.is_empty(), !loads, "{looked:#?}");
    }
    assert_eq!(place.touchpoints("store"), 25);
    place.write("in/wrong.csv", "event_id,user_id,ts,event\ne,u,2026-01-01T00:00:00Z,view\n");
    place.ok(&once);
    assert_eq!(place.touchpoints("store"), 26, "it was corrected");
}

#[test]
fn rejected_rows_of_each_batch_go_to_a_file_of_their_own() {
    let place = Place::new();
    std::fs::create_dir(place.path("in")).unwrap();
    let follow = ["load", "--follow", "--once", "--on-error", "skip", "--rejects", "bad.csv", "in"];
    for number in 0..2 {
        place.write(
            &format!("in/{number}.csv"),
            format!("event_id,user_id,ts,event\ne{number},u,no time,view\n"),
        );
        let line = place.ok(&follow);
        assert!(line.contains("0 rows loaded, 0 duplicates, 1 rejected"), "{line}");
    }
    assert_eq!(place.files(".", ".csv").iter().filter(|p| p.to_string_lossy().contains("bad-")).count(), 2);
}

/// A follower of a bucket whose service fails for a while goes on by itself.
#[test]
fn a_follower_survives_an_outage() {
    let directory = tempfile::tempdir().unwrap();
    write_files(&directory.path().join("in"), 11);
    let Some(emulator) = Emulator::start(Kind::S3, directory.path()) else { return };
    // It works, is out for some requests, and works again.
    let proxy = Proxy::start(&emulator.address, |request| {
        (30..70).contains(&request.number).then_some(Fault::Status(503))
    });
    let store = emulator.url("store");
    let args = [
        "--store",
        &store,
        "--remote-deadline",
        "2s",
        "load",
        "--follow",
        "--every",
        "200ms",
        "s3://journeys/in/",
    ];
    let mut follower = emulator.command_at(&proxy.address, &args);
    let log = std::fs::File::create(directory.path().join("log")).unwrap();
    let mut follower = follower.stdout(Stdio::null()).stderr(log).spawn().unwrap();
    let count = "SELECT count(*) FROM touchpoints";
    let mut rows = String::new();
    for _ in 0..300 {
        std::thread::sleep(Duration::from_millis(200));
        let counted =
            Finished::of(&mut emulator.command(&["--store", &store, "query", "--format", "csv", count]));
        rows = counted.stdout.lines().nth(1).unwrap_or_default().to_owned();
        if rows == (11 * ROWS).to_string() && proxy.faults() >= 40 {
            break;
        }
    }
    let ended = follower.try_wait().unwrap();
    follower.kill().unwrap();
    follower.wait().unwrap();
    let said = std::fs::read_to_string(directory.path().join("log")).unwrap();
    assert!(ended.is_none(), "it went on: {said}");
    assert_eq!(rows, (11 * ROWS).to_string(), "{said}");
    assert_eq!(emulator.value(&store, WHOLE_FILES), "11");
}
