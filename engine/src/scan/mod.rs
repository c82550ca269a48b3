//! Reading tables: which files, which row groups, and the leaf operator that reads them.

pub mod decode;
pub mod exec;
pub mod fetch;
pub mod lookup;
pub mod parquet;
pub mod provider;
pub mod prune;
pub mod source;
