//! The embedded engine: one store, shared memory pool and caches, any number of sessions.

use std::sync::Arc;

use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::{FairSpillPool, TrackConsumersPool};
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::logical_expr::ScalarUDF;

use crate::clock::SystemClock;
use crate::config::{EngineConfig, SessionOptions};
use crate::error::{Error, Result, StoreError};
use crate::identity::links::{self, IdentifyReport, IdentifyRequest};
use crate::load::follow::{FollowEvent, Follower};
use crate::load::read::{ReadOptions, Rejected, SourceFile};
use crate::load::{self, LoadProgress, LoadReport, LoadRequest};
use crate::maintain::background::{self, Policy};
use crate::maintain::check::{self, CheckReport};
use crate::maintain::erase::{self, EraseReport, EraseRequest};
use crate::maintain::expire::{self, ExpireReport};
use crate::maintain::optimize::{self, OptimizeReport, OptimizeRequest};
use crate::maintain::restore;
use crate::maintain::stitch::{self, StitchReport};
use crate::maintain::vacuum::{self, VacuumReport, VacuumRequest};
use crate::session::Session;
use crate::storage::ObjectStores;
use crate::store::Store;
use crate::store::history::{self, CommitSummary};
use crate::store::table::TableKind;

/// How many of the largest memory consumers an out-of-memory error names.
const TOP_CONSUMERS: std::num::NonZeroUsize = std::num::NonZeroUsize::MIN.saturating_add(4);

/// A store that is open for loads and queries. Cheap to share through an [`Arc`].
#[derive(Debug)]
pub struct Engine {
    config: EngineConfig,
    stores: ObjectStores,
    store: Arc<Store>,
    runtime: Arc<RuntimeEnv>,
    functions: Vec<ScalarUDF>,
}

/// A table of the store, in short.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableSummary {
    /// Its name.
    pub name: String,
    /// What it holds.
    pub kind: TableKind,
    /// Its newest version.
    pub version: u64,
    /// Rows, if every file says how many it has.
    pub rows: Option<u64>,
    /// Data files.
    pub files: u64,
    /// Bytes of data files.
    pub bytes: u64,
    /// First and last UTC day, as days since the epoch.
    pub days: Option<(i32, i32)>,
}

/// What the queries of an engine hold at this moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResourceUsage {
    /// Reserved memory.
    pub memory_reserved_bytes: usize,
    /// Spilled data on disk.
    pub temp_bytes: u64,
}

impl Engine {
    /// Opens the store that `config` names.
    ///
    /// # Errors
    /// [`StoreError::NotAStore`] if there is none.
    pub async fn open(config: EngineConfig) -> Result<Self> {
        let stores = ObjectStores::new(config.remote_deadline);
        let location = stores.directory(&config.store_url)?;
        let store = Store::open(location).await?;
        Self::with_store(config, stores, store)
    }

    /// Opens the store that `config` names, or creates it.
    pub async fn open_or_create(config: EngineConfig) -> Result<Self> {
        let stores = ObjectStores::new(config.remote_deadline);
        let location = stores.directory(&config.store_url)?;
        let store = Store::open_or_create(location).await?;
        Self::with_store(config, stores, store)
    }

    fn with_store(config: EngineConfig, stores: ObjectStores, store: Store) -> Result<Self> {
        let store = if config.verify_files { store.verifying() } else { store };
        let mut disk = DiskManagerBuilder::default().with_max_temp_directory_size(config.temp_limit_bytes);
        if let Some(dir) = &config.temp_dir {
            disk = disk.with_mode(DiskManagerMode::Directories(vec![dir.clone()]));
        }
        let pool = TrackConsumersPool::new(FairSpillPool::new(config.memory_limit_bytes), TOP_CONSUMERS);
        let runtime = RuntimeEnvBuilder::new()
            .with_memory_pool(Arc::new(pool))
            .with_disk_manager_builder(disk)
            .build_arc()
            .map_err(|e| match &config.temp_dir {
                Some(dir) => StoreError::io("spill to", dir.display().to_string(), e).into(),
                None => Error::from(e),
            })?;
        let location = store.location();
        runtime.register_object_store(&location.root_url(), Arc::clone(&location.store));
        Ok(Self { config, stores, store: Arc::new(store), runtime, functions: Vec::new() })
    }

    /// The same engine, whose sessions know `function` too: one of the embedding program. It takes the place of a
    /// function of that name.
    #[must_use]
    pub fn with_function(mut self, function: ScalarUDF) -> Self {
        self.functions.push(function);
        self
    }

    /// Starts a session.
    pub fn session(&self, options: &SessionOptions) -> Result<Session> {
        let (store, runtime) = (Arc::clone(&self.store), Arc::clone(&self.runtime));
        Session::new(store, runtime, &self.config, options, &self.functions)
    }

    /// Loads files into a touchpoint table: one commit, everything or nothing.
    pub async fn load(&self, request: &LoadRequest, progress: Arc<dyn LoadProgress>) -> Result<LoadReport> {
        self.store.require_writable().await?;
        load::load(&self.store, &self.stores, &self.config, request, progress).await
    }

    /// As [`Self::load`], for files that the caller has itself: `request.inputs` is not looked at, and history shows
    /// the files by their `display` names.
    pub async fn load_files(
        &self,
        request: &LoadRequest,
        files: Vec<SourceFile>,
        progress: Arc<dyn LoadProgress>,
    ) -> Result<LoadReport> {
        self.store.require_writable().await?;
        load::load_files(&self.store, &self.config, request, files, progress).await
    }

    /// Reads `file` as [`Self::load`] would, and answers the first row that it would refuse.
    ///
    /// # Errors
    /// Those of opening and reading the file. O(rows) time, memory of one batch.
    pub async fn first_bad_row(&self, file: SourceFile, options: ReadOptions) -> Result<Option<Rejected>> {
        load::first_bad_row(file, options).await
    }

    /// Looks for new files and loads them: see [`Follower::look`].
    ///
    /// # Errors
    /// What was told to `tell` is done, the rest is for the next look.
    pub async fn follow(
        &self,
        follower: &mut Follower,
        progress: &Arc<dyn LoadProgress>,
        tell: &mut (dyn FnMut(FollowEvent<'_>) + Send),
    ) -> Result<()> {
        self.store.require_writable().await?;
        follower.look(&self.store, &self.stores, &self.config, progress, tell).await
    }

    /// Loads files into a reference table: any columns, appended, one commit.
    pub async fn load_reference(&self, request: &LoadRequest) -> Result<LoadReport> {
        self.store.require_writable().await?;
        load::reference::load_reference(&self.store, &self.stores, request).await
    }

    /// Merges the files of each day of a touchpoint table into the layout; no answer changes.
    ///
    /// # Errors
    /// A damaged file ends it with an error that names the file.
    pub async fn optimize(&self, request: &OptimizeRequest) -> Result<OptimizeReport> {
        self.store.require_writable().await?;
        optimize::optimize(&self.store, &self.config, request).await
    }

    /// Erases people from one touchpoint table or all of them: see [`erase::erase`].
    pub async fn erase(&self, request: &EraseRequest) -> Result<Vec<EraseReport>> {
        self.store.require_writable().await?;
        erase::erase(&self.store, &self.config, request).await
    }

    /// Loads links between ids into the table of identities: see [`crate::identity`].
    pub async fn identify(&self, request: &IdentifyRequest) -> Result<IdentifyReport> {
        self.store.require_writable().await?;
        links::identify(&self.store, &self.stores, request).await
    }

    /// Gives the rows of a touchpoint table to the people that the links make: see [`stitch::stitch`].
    pub async fn stitch(&self, table: &str) -> Result<StitchReport> {
        self.store.require_writable().await?;
        stitch::stitch(&self.store, &self.config, table).await
    }

    /// Deletes data files that no version within the retention needs.
    pub async fn vacuum(&self, request: &VacuumRequest) -> Result<VacuumReport> {
        self.store.require_writable().await?;
        vacuum::vacuum(&self.store, request, &SystemClock).await
    }

    /// Drops the days of a touchpoint table before `first_kept`, days since the epoch, in one commit.
    pub async fn expire(&self, table: &str, first_kept: i32) -> Result<ExpireReport> {
        self.store.require_writable().await?;
        expire::expire(&self.store, table, first_kept).await
    }

    /// Makes a touchpoint table what it was at `version`: see [`restore::restore`].
    pub async fn restore(&self, table: &str, version: u64) -> Result<Option<u64>> {
        self.store.require_writable().await?;
        restore::restore(&self.store, table, version).await
    }

    /// Compares the files of a touchpoint table with its log.
    pub async fn check(&self, table: &str) -> Result<CheckReport> {
        check::check(&self.store, table).await
    }

    /// Merges small files in the background until it is dropped: see [`background`].
    pub async fn maintain(&self, policy: Policy) {
        background::run(Arc::clone(&self.store), self.config.clone(), policy, Arc::new(SystemClock)).await;
    }

    /// The tables of the store, by name.
    pub async fn tables(&self) -> Result<Vec<TableSummary>> {
        let mut tables = Vec::new();
        for name in self.store.table_names().await? {
            let Some(snapshot) = self.store.newest(&name).await? else { continue };
            let days = snapshot.files().iter().filter_map(|f| f.day);
            tables.push(TableSummary {
                name,
                kind: snapshot.kind(),
                version: snapshot.version(),
                rows: snapshot.row_count(),
                files: snapshot.files().len() as u64,
                bytes: snapshot.files().iter().map(|f| f.size).sum(),
                days: days.clone().min().zip(days.max()),
            });
        }
        Ok(tables)
    }

    /// The commits of a table that its log still holds, newest first.
    pub async fn history(&self, table: &str) -> Result<Vec<CommitSummary>> {
        let handle = self.store.table(table)?;
        if !handle.exists().await? {
            return Err(Error::Store(StoreError::NoTable {
                table: table.to_owned(),
                url: self.store.location().display(),
            }));
        }
        Ok(history::history(&handle).await?)
    }

    /// What queries hold now.
    pub fn resource_usage(&self) -> ResourceUsage {
        ResourceUsage {
            memory_reserved_bytes: self.runtime.memory_pool.reserved(),
            temp_bytes: self.runtime.disk_manager.used_disk_space(),
        }
    }

    /// The store.
    pub fn store(&self) -> &Arc<Store> {
        &self.store
    }

    /// The configuration it was opened with.
    pub fn config(&self) -> &EngineConfig {
        &self.config
    }
}
