//! The objects that the catalog shows, each with an identifier that is the same in every session and after a restart.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

use arrow::datatypes::FieldRef;
use pgwire::api::Type;
use wayfare_engine::Session;
use wayfare_engine::catalog::journey::JOURNEY_SCHEMA;
use wayfare_engine::catalog::provider::{CATALOG, PUBLIC_SCHEMA};
use wayfare_engine::catalog::relations::{Relation, RelationKind};

use super::layout;
use crate::wire::encode::{pg_type_of, type_modifier};
use crate::wire::lock;

/// Schemas with their identifiers.
pub(super) const INFORMATION_SCHEMA: &str = "information_schema";
pub(super) const PG_CATALOG: &str = "pg_catalog";
/// Identifier of the role that owns everything.
pub(super) const OWNER_OID: u32 = 10;
/// Of these catalogs themselves, as comments and dependencies name them.
pub(super) const PG_CLASS_OID: u32 = 1259;
pub(super) const PG_PROC_OID: u32 = 1255;

/// The first identifier that PostgreSQL gives to objects of users.
const FIRST_USER_OID: u32 = 16_384;

/// A column.
#[derive(Debug, Clone)]
pub(super) struct Column {
    pub name: String,
    pub pg_type: Type,
    pub type_modifier: i32,
    pub not_null: bool,
    pub comment: Option<String>,
}

/// A table or view.
#[derive(Debug, Clone)]
pub(super) struct Object {
    pub oid: u32,
    pub schema: &'static str,
    pub name: String,
    /// `r` or `v`.
    pub kind: &'static str,
    pub temporary: bool,
    pub system: bool,
    pub columns: Vec<Column>,
    pub definition: Option<String>,
    pub comment: Option<String>,
    pub rows: Option<u64>,
    pub bytes: u64,
}

/// All of them at one moment.
#[derive(Debug, Default)]
pub(crate) struct Objects {
    list: Vec<Object>,
    by_oid: HashMap<u32, usize>,
}

/// The objects as the statement being planned sees them.
#[derive(Debug, Default)]
pub(crate) struct CatalogView {
    objects: Mutex<Arc<Objects>>,
}

impl CatalogView {
    /// Looks at the store anew. Statements that name no catalog need not pay for it.
    ///
    /// # Errors
    /// The store cannot be read.
    pub(crate) async fn refresh(&self, session: &Session) -> wayfare_engine::Result<()> {
        let objects = Objects::new(session.relations().await?);
        *lock(&self.objects) = Arc::new(objects);
        Ok(())
    }

    /// What was seen last.
    pub(crate) fn objects(&self) -> Arc<Objects> {
        Arc::clone(&lock(&self.objects))
    }
}

impl Objects {
    fn new(relations: Vec<Relation>) -> Self {
        let mut oids = Oids::default();
        let mut list: Vec<Object> = layout::tables().map(system_object).collect();
        for relation in relations {
            list.push(Object {
                oid: oids.assign("relation", relation.schema, &relation.name),
                schema: relation.schema,
                kind: match relation.kind {
                    RelationKind::Table | RelationKind::TemporaryTable => "r",
                    RelationKind::View | RelationKind::TemporaryView => "v",
                },
                temporary: matches!(
                    relation.kind,
                    RelationKind::TemporaryTable | RelationKind::TemporaryView
                ),
                system: false,
                columns: relation
                    .columns
                    .fields()
                    .iter()
                    .map(|field| column(field, relation.column_comments.get(field.name()).cloned()))
                    .collect(),
                name: relation.name,
                definition: relation.definition,
                comment: relation.comment,
                rows: relation.rows,
                bytes: relation.bytes,
            });
        }
        let by_oid = list.iter().enumerate().map(|(index, object)| (object.oid, index)).collect();
        Self { list, by_oid }
    }

    /// Every table and view, those of the system first.
    pub(super) fn all(&self) -> &[Object] {
        &self.list
    }

    /// Those of users.
    pub(super) fn users(&self) -> impl Iterator<Item = &Object> {
        self.list.iter().filter(|object| !object.system)
    }

    pub(super) fn by_oid(&self, oid: u32) -> Option<&Object> {
        self.by_oid.get(&oid).map(|index| &self.list[*index])
    }

    /// The relation that `name` means, with or without a schema.
    pub(super) fn by_name(&self, name: &str) -> Option<&Object> {
        let parts = identifiers(name)?;
        let (schema, name) = match parts.as_slice() {
            [name] => (None, name),
            [schema, name] => (Some(schema), name),
            [catalog, schema, name] if catalog == CATALOG => (Some(schema), name),
            _ => return None,
        };
        let searched: &[&str] = &[PG_CATALOG, PUBLIC_SCHEMA];
        self.list.iter().find(|object| {
            object.name == *name
                && match schema {
                    Some(schema) => object.schema == schema,
                    None => searched.contains(&object.schema),
                }
        })
    }
}

fn system_object(
    (schema, name, table): (&'static str, &'static str, &'static layout::SystemTable),
) -> Object {
    Object {
        oid: table.oid,
        schema,
        name: name.to_owned(),
        kind: table.kind,
        temporary: false,
        system: true,
        columns: table.schema.fields().iter().map(|field| column(field, None)).collect(),
        definition: None,
        comment: None,
        rows: None,
        bytes: 0,
    }
}

fn column(field: &FieldRef, comment: Option<String>) -> Column {
    Column {
        name: field.name().clone(),
        pg_type: pg_type_of(field),
        type_modifier: type_modifier(field),
        not_null: !field.is_nullable(),
        comment,
    }
}

/// The schemas, by identifier.
pub(super) fn schemas() -> [(u32, &'static str); 4] {
    [
        (11, PG_CATALOG),
        (2200, PUBLIC_SCHEMA),
        (13_207, INFORMATION_SCHEMA),
        (derived_oid("schema", "", JOURNEY_SCHEMA), JOURNEY_SCHEMA),
    ]
}

/// The identifier of a schema; 0 if there is none of that name.
pub(super) fn schema_oid(name: &str) -> u32 {
    schemas().iter().find(|(_, known)| *known == name).map_or(0, |(oid, _)| *oid)
}

/// The identifier of the one database.
pub(super) fn database_oid() -> u32 {
    derived_oid("database", "", CATALOG)
}

/// The identifier of a role.
pub(super) fn role_oid(name: &str) -> u32 {
    if name == super::OWNER { OWNER_OID } else { derived_oid("role", "", name) }
}

/// The identifier of a function that PostgreSQL does not have.
pub(super) fn function_oid(name: &str) -> u32 {
    derived_oid("function", PUBLIC_SCHEMA, name)
}

/// Identifiers that no two objects of one kind share: names are hashed, and a taken number goes to the next free one.
#[derive(Default)]
struct Oids(BTreeMap<u32, ()>);

impl Oids {
    fn assign(&mut self, kind: &str, schema: &str, name: &str) -> u32 {
        let mut oid = derived_oid(kind, schema, name);
        while self.0.insert(oid, ()).is_some() {
            oid = if oid == i32::MAX as u32 { FIRST_USER_OID } else { oid + 1 };
        }
        oid
    }
}

/// The identifier of the table or view `name` of `schema`, unless another one has the same number before it.
pub(crate) fn relation_oid(schema: &str, name: &str) -> Option<u32> {
    match layout::table(schema, name) {
        Some(table) => Some(table.oid),
        None if schema == PG_CATALOG || schema == INFORMATION_SCHEMA => None,
        None => Some(derived_oid("relation", schema, name)),
    }
}

/// A number from the name alone (FNV-1a), in the range of user objects. Positive as a signed number too, since that
/// is what catalogs store.
fn derived_oid(kind: &str, schema: &str, name: &str) -> u32 {
    let mut hash = 0x811c_9dc5_u32;
    for byte in [kind, ".", schema, ".", name].iter().flat_map(|part| part.bytes()) {
        hash = (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
    }
    FIRST_USER_OID + hash % (i32::MAX as u32 - FIRST_USER_OID)
}

/// The parts of a possibly quoted and qualified name, unquoted ones in lower case; `None` if it is malformed.
pub(super) fn identifiers(name: &str) -> Option<Vec<String>> {
    let mut parts = Vec::new();
    let mut rest = name.trim();
    loop {
        let (part, after) = match rest.strip_prefix('"') {
            Some(quoted) => {
                let mut part = String::new();
                let mut chars = quoted.char_indices();
                let end = loop {
                    match chars.next()? {
                        (index, '"') => match quoted[index + 1..].starts_with('"') {
                            true => {
                                part.push('"');
                                chars.next();
                            }
                            false => break index + 1,
                        },
                        (_, other) => part.push(other),
                    }
                };
                (part, &quoted[end..])
            }
            None => {
                let end = rest.find('.').unwrap_or(rest.len());
                let part = rest[..end].trim();
                if part.is_empty() || part.contains(['"', ' ']) {
                    return None;
                }
                (part.to_lowercase(), &rest[end..])
            }
        };
        parts.push(part);
        let after = after.trim_start();
        match after.strip_prefix('.') {
            Some(more) => rest = more.trim_start(),
            None if after.is_empty() => return Some(parts),
            None => return None,
        }
    }
}

/// `name` as it must be written in a statement.
pub(super) fn quoted(name: &str) -> String {
    let plain = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if plain { name.to_owned() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_in_statements() {
        let read = |name: &str| identifiers(name);
        assert_eq!(read("Touchpoints").unwrap(), ["touchpoints"]);
        assert_eq!(read("public.\"A \"\"b\"").unwrap(), ["public", "A \"b"]);
        assert_eq!(read(" a . b ").unwrap(), ["a", "b"]);
        for wrong in ["", "a.", "\"a", "a b", "\"a\"b"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn identifiers_come_from_names() {
        let mut oids = Oids::default();
        let first = oids.assign("relation", "public", "touchpoints");
        assert_eq!(first, Oids::default().assign("relation", "public", "touchpoints"));
        assert!((FIRST_USER_OID..=i32::MAX as u32).contains(&first));
        assert_eq!(oids.assign("relation", "public", "touchpoints"), first + 1);
    }
}
