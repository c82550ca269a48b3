//! Files and stores that are reached over a network: emulators of object stores, a web server, and their faults.

mod avro;
mod azure;
mod emulators;
mod faults;
mod files;
mod follow;
mod gcs;
mod http;
mod lost_answers;
mod proxy;
mod races;
mod s3;
mod store;
mod web;
mod writers;
