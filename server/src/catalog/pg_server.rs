//! Rows of `pg_catalog` about the server and its sessions: databases, roles, settings, activity.

use pgwire::api::Type;
use wayfare_engine::catalog::provider::CATALOG;

use super::objects::{OWNER_OID, database_oid, role_oid};
use super::reg::sql_type_name;
use super::rows::{Cell, Row, row};
use super::schema::Sources;
use super::{Identity, OWNER};
use crate::wire::lock;

/// Tablespace `pg_default`.
const DEFAULT_TABLESPACE: u32 = 1663;
/// `UTF8` among PostgreSQL's encodings.
pub(super) const UTF8: i64 = 6;

/// The rows of table `name`; `None` if it is none of these.
pub(super) fn rows(name: &str, sources: &Sources) -> Option<Vec<Row>> {
    let identity = &sources.identity;
    Some(match name {
        "pg_database" => vec![database()],
        "pg_tablespace" => vec![
            row! { oid: DEFAULT_TABLESPACE, spcname: "pg_default", spcowner: OWNER_OID },
            row! { oid: 1664_u32, spcname: "pg_global", spcowner: OWNER_OID },
        ],
        "pg_roles" => role_names(identity).iter().map(|name| role(name)).collect(),
        "pg_authid" => role_names(identity).iter().map(|name| role_row(name)).collect(),
        "pg_user" | "pg_shadow" => role_names(identity).iter().map(|name| user(name)).collect(),
        "pg_settings" => settings(identity),
        "pg_stat_activity" => vec![activity(identity)],
        "pg_prepared_statements" => prepared_statements(identity),
        "pg_stat_database" => vec![row! { datid: database_oid(), datname: CATALOG, numbackends: 1_i64 }],
        "pg_stat_ssl" => vec![row! { pid: i64::from(identity.pid), ssl: false }],
        "pg_stat_gssapi" => {
            vec![row! { pid: i64::from(identity.pid), gss_authenticated: false, encrypted: false }]
        }
        _ => return None,
    })
}

fn database() -> Row {
    row! {
        oid: database_oid(),
        datname: CATALOG,
        datdba: OWNER_OID,
        encoding: UTF8,
        datlocprovider: "c",
        datistemplate: false,
        datallowconn: true,
        datconnlimit: -1_i64,
        dattablespace: DEFAULT_TABLESPACE,
        datcollate: "C",
        datctype: "C.UTF-8",
    }
}

/// The owner of everything and the user of the session.
pub(super) fn role_names(identity: &Identity) -> Vec<String> {
    let mut names = vec![OWNER.to_owned(), identity.user.clone()];
    names.dedup();
    names
}

fn role_row(name: &str) -> Row {
    row! {
        oid: role_oid(name),
        rolname: name,
        rolsuper: false,
        rolinherit: true,
        rolcreaterole: false,
        rolcreatedb: false,
        rolcanlogin: true,
        rolreplication: false,
        rolconnlimit: -1_i64,
        rolbypassrls: false,
    }
}

fn role(name: &str) -> Row {
    let mut row = role_row(name);
    row.push(("rolpassword", Cell::from("********")));
    row
}

fn user(name: &str) -> Row {
    row! {
        usename: name,
        usesysid: role_oid(name),
        usecreatedb: false,
        usesuper: false,
        userepl: false,
        usebypassrls: false,
        passwd: "********",
    }
}

fn settings(identity: &Identity) -> Vec<Row> {
    let state = lock(&identity.state);
    let settings = state.settings.all().into_iter();
    settings
        .filter_map(|variable| <[String; 3]>::try_from(variable).ok())
        .map(|[name, value, description]| {
            row! {
                name: name,
                setting: value.clone(),
                category: "Client Connection Defaults",
                short_desc: description,
                context: "user",
                vartype: "string",
                source: "default",
                boot_val: value.clone(),
                reset_val: value,
                pending_restart: false,
            }
        })
        .collect()
}

fn prepared_statements(identity: &Identity) -> Vec<Row> {
    let state = lock(&identity.state);
    let rows = state.prepared.all().map(|(name, prepared)| {
        let declared = prepared.declared.iter().flatten();
        let types: Vec<&Type> =
            if prepared.types.is_empty() { declared.collect() } else { prepared.types.iter().collect() };
        row! {
            name: name,
            statement: prepared.text.as_str(),
            prepare_time: Cell::Time(prepared.since.timestamp_micros()),
            parameter_types: Cell::Texts(types.into_iter().map(|one| sql_type_name(one.name())).collect()),
            from_sql: prepared.from_sql,
            generic_plans: 0_i64,
            custom_plans: 0_i64,
        }
    });
    rows.collect()
}

/// This session: what others do is not told to a client.
fn activity(identity: &Identity) -> Row {
    let application = lock(&identity.state).settings.get("application_name").unwrap_or_default().to_owned();
    row! {
        datid: database_oid(),
        datname: CATALOG,
        pid: i64::from(identity.pid),
        usesysid: role_oid(&identity.user),
        usename: identity.user.as_str(),
        application_name: application,
        state: "active",
        backend_type: "client backend",
    }
}
