//! Session functions: known answers, SQL, and generated rows against a slow reference.

mod generated;
mod properties;
mod reference;
mod sql;
mod table;
mod table_properties;
mod vectors;
