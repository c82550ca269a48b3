//! Types of PostgreSQL that Arrow has no type of its own for: text with a mark in the metadata of its field.
//!
//! The mark survives planning, so that a column is described and encoded as what it is.

use std::collections::HashMap;
use std::sync::LazyLock;

use arrow::datatypes::{DataType, Field, FieldRef};
use pgwire::api::Type;

/// Key of the mark; its value is the type's name in `pg_type`.
pub(crate) const PG_TYPE_KEY: &str = "wayfare.pg_type";
/// The mark of object identifiers, as arrow-pg and datafusion-pg-catalog have it.
pub(crate) const OID_ALIAS_KEY: &str = arrow_pg::datatypes::PG_OID_ALIAS_KEY;
/// The mark of the internal one-byte type `"char"`.
pub(crate) const PG_CHAR_KEY: &str = arrow_pg::datatypes::PG_CHAR_KEY;
/// Name of that type.
pub(crate) const CHAR: &str = "char";

/// Key of the length of `varchar(n)` and `char(n)`.
const LENGTH_KEY: &str = "wayfare.pg_length";

/// A text field whose values are of the type called `pg_type`.
pub(crate) fn typed_field(name: &str, pg_type: &str, nullable: bool) -> Field {
    let mark = (PG_TYPE_KEY.to_owned(), pg_type.to_owned());
    Field::new(name, DataType::Utf8, nullable).with_metadata([mark].into())
}

/// A field whose values are of the type called `pg_type`, held as `data_type`: numbers or lists.
pub(crate) fn marked_field(name: &str, data_type: DataType, pg_type: &str, nullable: bool) -> Field {
    let mark = (PG_TYPE_KEY.to_owned(), pg_type.to_owned());
    Field::new(name, data_type, nullable).with_metadata([mark].into())
}

/// PostgreSQL's own types by name.
static BY_NAME: LazyLock<HashMap<String, Type>> = LazyLock::new(|| {
    // Types that every database has have small numbers.
    let types = (16..5_100).filter_map(Type::from_oid);
    types.map(|pg_type| (pg_type.name().to_owned(), pg_type)).collect()
});

/// The type of PostgreSQL called `name` in `pg_type`.
pub(crate) fn type_named(name: &str) -> Option<&'static Type> {
    BY_NAME.get(name)
}

/// A text field of the type `pg_type` (`varchar` or `bpchar`) with at most `length` characters.
pub(crate) fn sized_field(name: &str, pg_type: &str, length: Option<i32>) -> Field {
    let field = typed_field(name, pg_type, true);
    let Some(length) = length else { return field };
    let mut metadata = field.metadata().clone();
    metadata.insert(LENGTH_KEY.to_owned(), length.to_string());
    field.with_metadata(metadata)
}

/// The length of a `varchar(n)` or `char(n)`.
pub(crate) fn marked_length(field: &Field) -> Option<i32> {
    field.metadata().get(LENGTH_KEY)?.parse().ok()
}

/// The marked type of `field`; `None` if it has no mark, or one that a cast of its values has made void.
pub(crate) fn marked_type(field: &Field) -> Option<Type> {
    let pg_type = type_named(field.metadata().get(PG_TYPE_KEY)?)?;
    let fits = match field.data_type() {
        DataType::List(_) => is_list(pg_type),
        DataType::Int32 => *pg_type == Type::XID,
        other => other.is_string() && !is_list(pg_type) && *pg_type != Type::XID,
    };
    fits.then(|| pg_type.clone())
}

/// Whether values of `pg_type` are lists here.
fn is_list(pg_type: &Type) -> bool {
    pg_type.name().starts_with('_') || matches!(*pg_type, Type::INT2_VECTOR | Type::OID_VECTOR)
}

/// Whether `field` holds object identifiers that are shown as names.
pub(crate) fn name_alias(field: &FieldRef) -> Option<&str> {
    let alias = field.metadata().get(OID_ALIAS_KEY).map(String::as_str)?;
    (alias != "oid" && matches!(field.data_type(), DataType::Int32)).then_some(alias)
}
