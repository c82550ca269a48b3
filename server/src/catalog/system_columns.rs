//! The values of the columns that every catalog has beside its own: see `wire/rewrite/system_columns.rs`.

use arrow::datatypes::{DataType, Field};
use datafusion::common::ScalarValue;
use datafusion::logical_expr::{ScalarUDF, Volatility};

use super::layout;
use super::objects::PG_CATALOG;
use super::row_function::{RowFunction, integer_of, returns, text};
use crate::wire::types::{OID_ALIAS_KEY, marked_field, typed_field};

/// `xmin` and `xmax` of a row with this first column.
pub(crate) const SYSTEM_XID: &str = "pg_system_xid";
/// `ctid` of a row with this first column.
pub(crate) const SYSTEM_TID: &str = "pg_system_tid";
/// `tableoid`: the identifier of the table, and the first column.
pub(crate) const TABLE_OID: &str = "pg_table_oid";

/// The transaction that makes a database: every row is of it, since nothing here counts transactions.
const FROZEN_XID: i32 = 2;

/// Identifier and first column of the catalog `name`, if it is a table of `pg_catalog`.
pub(crate) fn catalog_table(name: &str) -> Option<(u32, &'static str)> {
    let table = layout::table(PG_CATALOG, name).filter(|table| table.kind == "r")?;
    table.schema.fields().first().map(|field| (table.oid, field.name().as_str()))
}

/// The functions.
pub(super) fn all() -> Vec<ScalarUDF> {
    let function = |name, result: Field, value: ScalarValue| {
        RowFunction::udf(name, &[1], result, Volatility::Stable, move |arguments| {
            Ok(if arguments[0].is_null() { ScalarValue::Null } else { value.clone() })
        })
    };
    let oid = returns(DataType::Int32).with_metadata([(OID_ALIAS_KEY.to_owned(), "oid".to_owned())].into());
    vec![
        function(
            SYSTEM_XID,
            marked_field("result", DataType::Int32, "xid", true),
            ScalarValue::Int32(Some(FROZEN_XID)),
        ),
        function(SYSTEM_TID, typed_field("result", "tid", true), text("(0,1)")),
        RowFunction::udf(TABLE_OID, &[2], oid, Volatility::Stable, |arguments| {
            let oid = integer_of(&arguments[0]).filter(|_| !arguments[1].is_null());
            Ok(ScalarValue::Int32(oid.and_then(|oid| i32::try_from(oid).ok())))
        }),
    ]
}
