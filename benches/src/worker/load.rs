//! A load.

use std::path::PathBuf;
use std::sync::Arc;

use wayfare_engine::Engine;
use wayfare_engine::load::NoProgress;

use super::StoreArgs;
use crate::error::{BenchError, Result};
use crate::measurement::Measurement;
use crate::{load, machine};

/// Loads `files` in one commit.
pub fn measure(store: &StoreArgs, files: &[PathBuf]) -> Result<Measurement> {
    let request = load::request(files);
    let report = store.runtime()?.block_on(async {
        let engine = Engine::open_or_create(store.config())
            .await
            .map_err(|e| BenchError::new(format!("cannot open {}", store.store.display()), e))?;
        tokio::spawn(async move { engine.load(&request, Arc::new(NoProgress)).await })
            .await
            .map_err(|e| BenchError::new("the load stopped", e))?
            .map_err(|e| BenchError::new("cannot load", e))
    })?;
    Ok(Measurement {
        wall: vec![report.elapsed.as_secs_f64()],
        cpu: machine::cpu_seconds().into_iter().collect(),
        rows: Some(report.rows_loaded),
        bytes: Some(report.bytes_written),
        files: Some(report.files_written),
        ..Measurement::default()
    })
}
