//! Rows of `pg_catalog` about the server and its sessions: databases, roles, settings, activity.

use chrono::{DateTime, SecondsFormat, Utc};
use pgwire::api::Type;
use wayfare_engine::catalog::provider::CATALOG;

use super::objects::{OWNER_OID, database_oid, role_oid};
use super::reg::sql_type_name;
use super::rows::{Cell, Row, row};
use super::schema::Sources;
use super::{Identity, OWNER, zones};
use crate::wire::{Activity, lock};

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
        "pg_stat_activity" => sessions(identity, |session| activity(identity, session)),
        "pg_stat_database" => {
            vec![row! { datid: database_oid(), datname: CATALOG, numbackends: backends(identity) }]
        }
        "pg_stat_ssl" => {
            sessions(identity, |session| row! { pid: i64::from(session.pid), ssl: session.encrypted })
        }
        "pg_timezone_names" => zones::names(),
        "pg_timezone_abbrevs" => Vec::new(),
        "pg_prepared_statements" => prepared_statements(identity),
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
    let listed = state.settings.listed().into_iter();
    listed
        .map(|one| {
            let mut row = row! {
                name: one.name,
                setting: one.setting,
                category: "Client Connection Defaults",
                short_desc: one.description,
                context: one.context,
                vartype: one.vartype,
                source: "default",
                boot_val: one.default,
                reset_val: one.reset,
                pending_restart: false,
            };
            let texts = [("unit", one.unit), ("min_val", one.least), ("max_val", one.most)];
            row.extend(texts.into_iter().filter_map(|(column, text)| Some((column, Cell::Text(text?)))));
            if !one.choices.is_empty() {
                row.push(("enumvals", Cell::Texts(one.choices)));
            }
            row
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

fn sessions(identity: &Identity, row: impl Fn(&Activity) -> Row) -> Vec<Row> {
    identity.cancels.activities().iter().map(|session| row(session)).collect()
}

fn backends(identity: &Identity) -> i64 {
    i64::try_from(identity.cancels.activities().len()).unwrap_or(i64::MAX)
}

/// A session. What it runs is told to its own user and to an admin.
fn activity(identity: &Identity, session: &Activity) -> Row {
    let mut row = row! {
        datid: database_oid(),
        datname: CATALOG,
        pid: i64::from(session.pid),
        usesysid: role_oid(&session.user),
        usename: session.user.as_str(),
        application_name: session.application(),
        backend_type: "client backend",
    };
    if session.user != identity.user && !identity.administers {
        row.push(("query", Cell::from("<insufficient privilege>")));
        return row;
    }
    let statement = session.statement();
    row.extend(row! {
        client_addr: session.peer.ip().to_string(),
        client_port: i64::from(session.peer.port()),
        backend_start: time(session.since),
        state: match &statement {
            Some(statement) if statement.ended.is_none() => "active",
            _ => "idle",
        },
        query: statement.as_ref().map_or("", |statement| statement.text.as_str()),
        state_change: time(
            statement.as_ref().map_or(session.since, |last| last.ended.unwrap_or(last.began)),
        ),
    });
    row.extend(statement.map(|statement| ("query_start", time(statement.began))));
    row
}

fn time(time: DateTime<Utc>) -> Cell {
    Cell::from(time.to_rfc3339_opts(SecondsFormat::Micros, true))
}
