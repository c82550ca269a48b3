//! Questions about people, answered person by person: no shuffle, no sort, memory that does not follow the data.
//!
//! All rows of a person lie in files of one range of `user_key`, sorted by person and time within a day. A *bucket* is
//! such a range ([`buckets`]). The rule ([`rule`]) recognises an aggregate by person over a plain scan ([`fuse`]) and
//! plans [`aggregate::PersonAggregateExec`]. Its partitions read the row groups of a bucket together ([`reading`],
//! [`reader`]); each then takes slices of the bucket's people ([`gather`], [`slices`]), lays the rows of each person one behind the
//! other ([`assemble`], [`persons`], [`layout`]), and runs the accumulators on them ([`worker`], [`keys`]). Text comes as codes into dictionaries; conditions on it are evaluated once for each value
//! ([`per_value`]).
//!
//! Nothing relies on the order of a file: rows are put together by the person's id, accumulators sort what does not
//! come in the order of time, and a person outside the range that the log tells of a row group is an error.
//! `SET wayfare.fast_path = off` plans everything the ordinary way.

mod aggregate;
mod ahead;
mod assemble;
mod before;
mod bits;
mod bucket_rows;
mod bucket_size;
mod buckets;
mod by_time;
mod chunk;
mod codes;
mod columns;
mod dictionary;
mod few_values;
mod fuse;
mod gather;
mod ids;
mod keys;
mod layout;
mod local;
mod per_value;
mod person_runs;
mod persons;
mod pipeline;
mod place;
mod prepared;
mod presence;
mod reader;
mod reading;
mod repeats;
mod row_numbers;
pub mod rule;
mod runs;
mod slices;
mod window_rule;
mod worker;
