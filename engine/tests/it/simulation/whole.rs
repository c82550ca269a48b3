//! The same races with whole commands: real loads of files, compactions and erasures, on the same faulty store.
//!
//! They use threads of their own, so that a seed decides about the faults alone, and a failure may need several runs.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::AsArray;
use object_store::ObjectStore;
use object_store::ObjectStoreExt;
use object_store::memory::InMemory;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use wayfare_engine::load::read::{ReadOptions, SourceFile, discover};
use wayfare_engine::load::{self, Dedup, LoadRequest, NoProgress, OnError};
use wayfare_engine::maintain::erase::{self, EraseRequest};
use wayfare_engine::maintain::optimize::{self, OptimizeRequest};
use wayfare_engine::maintain::{check, expire};
use wayfare_engine::storage::{ObjectStores, StorageLocation};
use wayfare_engine::store::snapshot::TableSnapshot;
use wayfare_engine::store::{Store, TOUCHPOINTS};
use wayfare_engine::{EngineConfig, Error};

use super::faulty::{Faults, FaultyStore};
use super::rows::{self, Attempt, Row};
use super::schedule::{Actor, Random};
use super::seen::Seen;
use super::{DAYS, ERASED, LOADERS, OLD, OLD_DAY, PEOPLE, actors, location, number};

/// Seeds without the variable.
const SEEDS: u64 = 12;
const SEEDS_VARIABLE: &str = "WAYFARE_TEST_WHOLE_SEEDS";
/// Tries of one command.
const TRIES: usize = 200;
/// Faults of each kind in a thousand calls.
const FAULTS: u64 = 25;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whole_commands_on_a_faulty_store_keep_the_invariants() {
    let count = number(SEEDS_VARIABLE).unwrap_or(SEEDS);
    let directory = tempfile::tempdir().expect("a directory");
    let inputs = Inputs::write(directory.path()).await;
    let faults = Arc::new(Faults::default());
    for seed in 1..=count {
        eprintln!("seed {seed} of whole commands");
        simulate(seed, &inputs, &faults).await;
    }
    eprintln!("{count} seeds of whole commands: {faults:?}");
    let [failed, lost, torn] = [&faults.failed, &faults.lost_answers, &faults.torn]
        .map(|kind| kind.load(std::sync::atomic::Ordering::Relaxed));
    assert!(failed > count && lost > 0 && torn > 0, "{faults:?}");
}

/// A file for each batch, in order of the loaders.
#[derive(Debug)]
struct Inputs {
    old: Vec<SourceFile>,
    of_loaders: Vec<Vec<SourceFile>>,
}

impl Inputs {
    async fn write(directory: &Path) -> Self {
        let old = PEOPLE.map(|person| (OLD_DAY, Row::new(OLD, format!("old-{person}"), person)));
        let old = sources(&[write_csv(directory, OLD, &old)]).await;
        let mut of_loaders = Vec::new();
        for batches in actors::batches(LOADERS) {
            let files: Vec<PathBuf> = batches
                .iter()
                .map(|batch| {
                    let of_day = |day: i32| rows::of_batch(batch, day).into_iter().map(move |row| (day, row));
                    let rows: Vec<(i32, Row)> = DAYS.into_iter().flat_map(of_day).collect();
                    write_csv(directory, batch, &rows)
                })
                .collect();
            of_loaders.push(sources(&files).await);
        }
        Self { old, of_loaders }
    }
}

fn write_csv(directory: &Path, name: &str, rows: &[(i32, Row)]) -> PathBuf {
    let path = directory.join(format!("{name}.csv"));
    let mut text = "event_id,user_id,ts,event,campaign\n".to_owned();
    for (day, row) in rows {
        text += &format!("{},{},1970-01-0{}T10:00:00Z,view,{}\n", row.event, row.person, day + 1, row.batch);
    }
    std::fs::write(&path, text).expect("a file");
    path
}

async fn sources(files: &[PathBuf]) -> Vec<SourceFile> {
    let names: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
    discover(&names, &ReadOptions::default(), &ObjectStores::default()).await.expect("the files")
}

async fn simulate(seed: u64, inputs: &Inputs, faults: &Arc<Faults>) {
    let memory: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let plain = location(Arc::clone(&memory));
    let store = Store::open_or_create(plain.clone()).await.expect("a store");
    load_file(&store, &inputs.old[0]).await.expect("the old batch");
    let random = Arc::new(Random::new(seed));
    let faulty = FaultyStore::new(memory, random, Arc::clone(faults), FAULTS);
    let faulty = location(Arc::new(faulty));

    let place = &faulty;
    let mut actors: Vec<Actor<'_>> = Vec::new();
    for files in &inputs.of_loaders {
        actors.push(Box::pin(async move {
            for file in files {
                until_done(place, "load", async |store| load_file(store, file).await).await;
            }
        }));
    }
    actors.push(Box::pin(async move {
        let request = OptimizeRequest { table: TOUCHPOINTS.to_owned(), days: None };
        for _ in 0..3 {
            until_done(place, "optimize", async |store| {
                optimize::optimize(store, &config(), &request).await.map(|_| ())
            })
            .await;
        }
    }));
    actors.push(Box::pin(async move {
        let request = EraseRequest { ids: [ERASED.to_owned()].into(), ..EraseRequest::default() };
        until_done(place, "erase", async |store| erase::erase(store, &config(), &request).await.map(|_| ()))
            .await;
        until_done(place, "expire", async |store| {
            expire::expire(store, TOUCHPOINTS, OLD_DAY + 1).await.map(|_| ())
        })
        .await;
    }));
    actors.push(Box::pin(async move {
        let mut seen = Seen::default();
        for _ in 0..20 {
            // A fault is tried again later.
            let _ = look(place, &mut seen).await;
        }
    }));
    futures::future::join_all(actors).await;

    let mut seen = Seen::default();
    look(&plain, &mut seen).await.expect("no fault");
    let expected = actors::expected(LOADERS);
    assert!(seen.batches().into_iter().eq(expected.iter()), "{:?}, not {expected:?}", seen.batches());
    assert_eq!(seen.shared(), DAYS.len(), "events that all batches have");
    assert!(seen.is_erased, "the erasure is lost");
    let store = Store::open(plain).await.expect("the store");
    assert_eq!(check::check(&store, TOUCHPOINTS).await.expect("a check").problems, [""; 0]);
}

fn config() -> EngineConfig {
    EngineConfig { target_partitions: 2, ..EngineConfig::default() }
}

/// Gives a command again and again, each time as a new process, until it succeeds.
async fn until_done(place: &StorageLocation, what: &str, command: impl AsyncFn(&Store) -> Result<(), Error>) {
    let mut last = String::new();
    for _ in 0..TRIES {
        let done = match Store::open(place.clone()).await {
            Ok(store) => command(&store).await,
            Err(error) => Err(error.into()),
        };
        match done {
            Ok(()) => return,
            // Data is never found damaged: what is torn was never committed.
            Err(error) => last = error.to_string(),
        }
        assert!(!last.contains("damaged") && !last.contains("missing"), "{what}: {last}");
    }
    panic!("{what} is never done: {last}");
}

async fn load_file(store: &Store, file: &SourceFile) -> Result<(), Error> {
    let request = LoadRequest {
        table: TOUCHPOINTS.to_owned(),
        inputs: Vec::new(),
        read: ReadOptions::default(),
        on_error: OnError::Abort,
        dedup: Dedup::EventId,
        force: false,
    };
    load::load_files(store, &config(), &request, vec![file.clone()], Arc::new(NoProgress)).await.map(|_| ())
}

async fn look(place: &StorageLocation, seen: &mut Seen) -> Attempt<()> {
    let store = Store::open(place.clone()).await.map_err(|e| e.to_string())?;
    let snapshot = store.newest(TOUCHPOINTS).await.map_err(|e| e.to_string())?.expect("the table");
    let rows = rows::each_once(rows_of(&snapshot).await?, snapshot.version());
    seen.look(&store, &snapshot, rows).await
}

/// All rows of a version, read without the engine.
async fn rows_of(snapshot: &TableSnapshot) -> Attempt<Vec<Row>> {
    let mut rows = Vec::new();
    for file in snapshot.files() {
        let got = snapshot.table().location().store.get(&file.path).await;
        let bytes = match got {
            Err(object_store::Error::NotFound { .. }) => panic!("{} is missing", file.path),
            got => got.map_err(|e| e.to_string())?.bytes().await.map_err(|e| e.to_string())?,
        };
        assert_eq!(bytes.len() as u64, file.size, "{} is torn", file.path);
        let reader = ParquetRecordBatchReaderBuilder::try_new(bytes).expect("a Parquet file");
        for batch in reader.build().expect("a reader") {
            let batch = batch.expect("rows");
            let column = |name| batch.column_by_name(name).expect("a column").as_string::<i32>();
            let (events, people, batches) = (column("event_id"), column("user_id"), column("campaign"));
            rows.extend(
                (0..batch.num_rows())
                    .map(|row| Row::new(batches.value(row), events.value(row).to_owned(), people.value(row))),
            );
        }
    }
    Ok(rows)
}
