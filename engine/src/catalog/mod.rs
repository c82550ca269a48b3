//! What statements can name: the store's tables and views, tables of a session, ready-made journey views.

pub(crate) mod changes;
pub mod comments;
pub mod hidden;
pub mod journey;
pub mod provider;
pub mod raw_ids;
pub mod relations;
pub(crate) mod rename_view;
pub mod search_path;
pub mod store_schema;
pub(crate) mod table_statements;
pub(crate) mod view_statements;
