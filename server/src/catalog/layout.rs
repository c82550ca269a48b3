//! Columns of the system catalogs, as PostgreSQL has them: `layout.txt`.
//!
//! One line for each table: name, object identifier, kind, then `column:type`, with `!` where it is never NULL. Tables
//! that this server has nothing to put into are empty, but have these columns.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use crate::wire::types::{CHAR, OID_ALIAS_KEY, PG_CHAR_KEY, marked_field, typed_field};

static LAYOUT: LazyLock<BTreeMap<&'static str, SystemTable>> =
    LazyLock::new(|| include_str!("layout.txt").lines().filter_map(parse).collect());

/// A table of `pg_catalog` or `information_schema`.
#[derive(Debug)]
pub(super) struct SystemTable {
    pub oid: u32,
    /// `r` for a table, `v` for a view.
    pub kind: &'static str,
    pub schema: SchemaRef,
}

/// All tables by `schema.name`.
pub(super) fn tables() -> impl Iterator<Item = (&'static str, &'static str, &'static SystemTable)> {
    LAYOUT.iter().filter_map(|(name, table)| {
        let (schema, name) = name.split_once('.')?;
        Some((schema, name, table))
    })
}

/// The table called `name` in `schema`.
pub(super) fn table(schema: &str, name: &str) -> Option<&'static SystemTable> {
    LAYOUT.get(format!("{schema}.{name}").as_str())
}

fn parse(line: &'static str) -> Option<(&'static str, SystemTable)> {
    let mut words = line.split(' ');
    let (name, oid, kind) = (words.next()?, words.next()?, words.next()?);
    let fields: Option<Vec<Field>> = words
        .map(|word| {
            let (column, pg_type) = word.split_once(':')?;
            let (pg_type, nullable) = match pg_type.strip_suffix('!') {
                Some(pg_type) => (pg_type, false),
                None => (pg_type, true),
            };
            Some(field(column, pg_type, nullable))
        })
        .collect();
    Some((name, SystemTable { oid: oid.parse().ok()?, kind, schema: Arc::new(Schema::new(fields?)) }))
}

fn field(name: &str, pg_type: &str, nullable: bool) -> Field {
    let list = |element: DataType| DataType::List(Arc::new(Field::new_list_field(element, true)));
    if let Some(element) = pg_type.strip_prefix('_') {
        let values = list(arrow_type(element));
        return match element {
            "text" | "int2" | "int4" | "int8" | "float4" | "float8" | "bool" | "timestamptz" => {
                Field::new(name, values, nullable)
            }
            _ => marked_field(name, values, pg_type, nullable),
        };
    }
    match pg_type {
        "oid" | "regproc" | "regtype" => {
            let alias = (OID_ALIAS_KEY.to_owned(), pg_type.to_owned());
            Field::new(name, DataType::Int32, nullable).with_metadata([alias].into())
        }
        CHAR => {
            let mark = (PG_CHAR_KEY.to_owned(), "1".to_owned());
            Field::new(name, DataType::Utf8, nullable).with_metadata([mark].into())
        }
        "oidvector" => marked_field(name, list(DataType::Int32), pg_type, nullable),
        "int2vector" => marked_field(name, list(DataType::Int16), pg_type, nullable),
        other => match arrow_type(other) {
            DataType::Int32 if other != "int4" => marked_field(name, DataType::Int32, pg_type, nullable),
            DataType::Utf8 if other != "text" => typed_field(name, pg_type, nullable),
            data_type => Field::new(name, data_type, nullable),
        },
    }
}

fn arrow_type(pg_type: &str) -> DataType {
    use arrow::datatypes::{IntervalUnit, TimeUnit};
    match pg_type {
        "bool" => DataType::Boolean,
        "int2" => DataType::Int16,
        "int4" | "oid" | "xid" | "regproc" | "regtype" => DataType::Int32,
        "int8" => DataType::Int64,
        "float4" => DataType::Float32,
        "float8" => DataType::Float64,
        "numeric" => DataType::Decimal128(38, 10),
        "bytea" => DataType::Binary,
        "timestamptz" => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        "interval" => DataType::Interval(IntervalUnit::MonthDayNano),
        // Also types that only PostgreSQL itself gives a meaning: pg_node_tree, pg_lsn, inet ...
        _ => DataType::Utf8,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::encode::pg_type_of;

    #[test]
    fn every_line_is_read() {
        assert_eq!(LAYOUT.len(), include_str!("layout.txt").lines().count());
        let class = table("pg_catalog", "pg_class").unwrap();
        assert_eq!((class.oid, class.kind), (1259, "r"));
        assert!(!class.schema.field_with_name("relname").unwrap().is_nullable());
        assert!(table("information_schema", "columns").is_some());
        let types = |name: &str| {
            let fields = table("pg_catalog", name).unwrap().schema.fields();
            let types: Vec<_> = fields.iter().map(|field| pg_type_of(field).name().to_owned()).collect();
            types
        };
        assert_eq!(types("pg_am"), ["oid", "name", "regproc", "char"]);
        assert!(types("pg_index").contains(&"int2vector".to_owned()));
        assert!(types("pg_class").contains(&"_aclitem".to_owned()));
    }
}
