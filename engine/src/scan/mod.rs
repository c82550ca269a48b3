//! Reading tables: which files, which row groups, and the leaf operator that reads them.

pub mod exec;
pub mod provider;
pub mod prune;
pub mod source;
