//! Integration tests of the server, in one binary because each binary links all of DataFusion.

mod support;
mod wire;
