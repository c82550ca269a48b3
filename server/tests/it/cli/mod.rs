//! The `wayfare` binary as its user meets it: arguments in, output, exit code and files out.

mod answers;
mod attribution;
mod background;
mod bombs;
mod bounded;
mod cdnow;
mod delta_reader;
mod demo;
mod formats;
mod history;
mod killed;
mod killed_life;
mod maintain;
mod query;
mod retention;
mod shop;
mod shop_paths;
pub(crate) mod support;
mod synced;
mod users;
mod weblog;
mod weblog_paths;
mod wrong_inputs;
mod wrong_places;
