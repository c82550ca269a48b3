//! The `wayfare` binary as its user meets it: arguments in, output, exit code and files out.

mod bounded;
mod delta_reader;
mod demo;
mod formats;
mod history;
mod killed;
mod query;
mod shop;
mod support;
mod wrong_inputs;
mod wrong_places;
