//! Files in Azure.

use super::emulators::Kind;
use super::s3::prefix_is_loaded_once;

#[test]
fn a_prefix_of_files_of_every_kind_is_loaded_once() {
    prefix_is_loaded_once(Kind::Azure, "az://journeys/in/");
}

#[test]
fn the_scheme_of_file_systems_names_the_same_files() {
    prefix_is_loaded_once(Kind::Azure, "abfss://journeys@devstoreaccount1.dfs.core.windows.net/in/");
}
