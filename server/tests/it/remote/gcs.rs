//! Files in Google's object store, and a store there.
//!
//! Google's own client runs against the S3 service through a proxy that puts the one condition that differs, that an object
//! must not exist yet, into the other's words: their interfaces for reading, listing and writing are alike. Uploads in
//! parts are not covered.

use super::emulators::Kind;
use super::s3::prefix_is_loaded_once;

#[test]
fn a_prefix_of_files_of_every_kind_is_loaded_once() {
    prefix_is_loaded_once(Kind::Gcs, "gs://journeys/in/");
}
