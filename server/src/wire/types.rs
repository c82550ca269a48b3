//! Types of PostgreSQL that Arrow has no type of its own for: text with a mark in the metadata of its field.
//!
//! The mark survives planning, so that a column is described and encoded as what it is.

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

/// The marked type of `field`; `None` if it has no mark.
pub(crate) fn marked_type(field: &Field) -> Option<Type> {
    let name = field.metadata().get(PG_TYPE_KEY)?;
    Some(match name.as_str() {
        "name" => Type::NAME,
        "varchar" => Type::VARCHAR,
        "bpchar" => Type::BPCHAR,
        "json" => Type::JSON,
        "jsonb" => Type::JSONB,
        "uuid" => Type::UUID,
        "timetz" => Type::TIMETZ,
        _ => return None,
    })
}

/// Whether `field` holds object identifiers that are shown as names.
pub(crate) fn name_alias(field: &FieldRef) -> Option<&str> {
    let alias = field.metadata().get(OID_ALIAS_KEY).map(String::as_str)?;
    (alias != "oid" && matches!(field.data_type(), DataType::Int32)).then_some(alias)
}
