//! What statements can name: the store's tables, session-local tables and views, ready-made journey views.

pub mod hidden;
pub mod journey;
pub mod provider;
pub mod search_path;
pub mod store_schema;
