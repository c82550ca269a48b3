"""psycopg 3: settings, transactions, time zones, views of one session."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

import psycopg

from suite import ROWS, UTC, Suite, connect3 as connect, equal, raises

suite = Suite()


@suite.check
def connect_and_version(server):
    with connect(server) as connection:
        assert connection.info.server_version >= 120000, connection.info.server_version
        equal(connection.info.encoding, "utf-8")
        equal(connection.info.dbname, server.database)
        equal(connection.info.user, server.user)
        for name in ("server_encoding", "client_encoding", "DateStyle", "TimeZone", "integer_datetimes", "standard_conforming_strings",
                     "IntervalStyle", "is_superuser", "session_authorization", "application_name", "in_hot_standby", "default_transaction_read_only"):
            assert connection.info.parameter_status(name) is not None, f"no ParameterStatus {name}"


@suite.check
def backend_pid(server):
    with connect(server) as connection:
        equal(connection.execute("SELECT pg_backend_pid()").fetchone()[0], connection.info.backend_pid)


@suite.check
def application_name(server):
    with connect(server, application_name="suite") as connection:
        equal(connection.execute("SHOW application_name").fetchone()[0], "suite")
        equal(connection.execute("SELECT current_setting('application_name')").fetchone()[0], "suite")
        equal(connection.execute("SELECT application_name FROM pg_stat_activity WHERE pid = pg_backend_pid()").fetchone()[0], "suite")


@suite.check
def startup_options(server):
    with connect(server, options="-c timezone=Europe/Berlin -c statement_timeout=2500") as connection:
        equal(connection.execute("SHOW timezone").fetchone()[0], "Europe/Berlin")
        equal(connection.execute("SHOW statement_timeout").fetchone()[0], "2500ms")
        equal(connection.info.parameter_status("TimeZone"), "Europe/Berlin")


@suite.check
def discard_all(server):
    with connect(server, autocommit=True) as connection:
        default = connection.execute("SHOW timezone").fetchone()[0]
        connection.execute("SET timezone = 'Asia/Tokyo'")
        connection.execute("PREPARE p AS SELECT 1")
        equal(connection.execute("DISCARD ALL").statusmessage, "DISCARD ALL")
        equal(connection.execute("SHOW timezone").fetchone()[0], default)
        raises(psycopg.Error, connection.execute, "EXECUTE p", code="26000")
        for statement in ("DISCARD PLANS", "DISCARD TEMP", "DISCARD SEQUENCES", "RESET ALL", "UNLISTEN *", "CLOSE ALL", "SELECT pg_advisory_unlock_all()",
                          "RESET SESSION AUTHORIZATION", "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY"):
            connection.execute(statement)


@suite.check
def settings(server):
    with connect(server, autocommit=True) as connection:
        equal(connection.execute("SELECT set_config('timezone', 'Asia/Tokyo', false)").fetchone()[0], "Asia/Tokyo")
        equal(connection.info.parameter_status("TimeZone"), "Asia/Tokyo")
        equal(connection.execute("SELECT current_setting('TIMEZONE')").fetchone()[0], "Asia/Tokyo")
        equal(connection.execute("SELECT current_setting('no.such', true)").fetchone()[0], None)
        connection.execute("SET statement_timeout = '2s'")
        equal(connection.execute("SHOW statement_timeout").fetchone()[0], "2s")
        connection.execute("SET statement_timeout TO 90000")
        equal(connection.execute("SHOW statement_timeout").fetchone()[0], "90s")
        connection.execute("SET extra_float_digits = 3")
        connection.execute("SET DateStyle = 'ISO, DMY'")
        equal(connection.execute("SHOW datestyle").fetchone()[0], "ISO, DMY")
        connection.execute("SET bytea_output = 'escape'")
        equal(connection.execute("SELECT '\\x00ff41'::bytea::text").fetchone()[0], "\\000\\377A")
        connection.execute("SET IntervalStyle = 'iso_8601'")
        equal(connection.execute("SELECT ('1 day 02:00:00'::interval)::text").fetchone()[0], "P1DT2H")
        equal(connection.execute("SHOW server_version_num").fetchone()[0][:1], "1")
        equal(connection.execute("SHOW max_identifier_length").fetchone()[0], "63")
        names = [row[0] for row in connection.execute("SHOW ALL").fetchall()]
        assert "TimeZone" in names and "search_path" in names
        equal(connection.execute("SELECT setting, vartype FROM pg_settings WHERE name = 'standard_conforming_strings'").fetchone(), ("on", "bool"))


@suite.check
def search_path(server):
    with connect(server, autocommit=True) as connection:
        equal(connection.execute("SELECT current_schema()").fetchone()[0], "public")
        connection.execute("SET search_path TO pg_catalog")
        raises(psycopg.Error, connection.execute, "SELECT 1 FROM touchpoints", code="42P01")
        equal(connection.execute("SELECT current_schemas(true)").fetchone()[0], ["pg_catalog"])
        connection.execute("SET search_path TO pg_catalog, public")
        equal(connection.execute("SELECT count(*) FROM touchpoints").fetchone()[0], ROWS)
        equal(connection.execute("SHOW search_path").fetchone()[0], "pg_catalog, public")


@suite.check
def session_functions(server):
    with connect(server) as connection:
        row = connection.execute("SELECT current_user, session_user, current_database(), current_catalog, user, current_role, inet_server_port(), pg_is_in_recovery(), version()").fetchone()
        equal(row[:6], (server.user, server.user, server.database, server.database, server.user, server.user))
        equal(row[6], server.port)
        equal(row[7], False)
        assert row[8].startswith("PostgreSQL "), row[8]


@suite.check
def client_encoding(server):
    with connect(server, client_encoding="LATIN1") as connection:
        equal(connection.execute("SELECT 'ä' || chr(246)").fetchone()[0], "äö")


@suite.check
def transaction_status(server):
    status = psycopg.pq.TransactionStatus
    with connect(server) as connection:
        equal(connection.info.transaction_status, status.IDLE)
        connection.execute("SELECT 1")
        equal(connection.info.transaction_status, status.INTRANS)
        raises(psycopg.Error, connection.execute, "SELECT no_such", code="42703")
        equal(connection.info.transaction_status, status.INERROR)
        raises(psycopg.Error, connection.execute, "SELECT 1", code="25P02")
        connection.rollback()
        equal(connection.info.transaction_status, status.IDLE)


@suite.check
def transaction_commit_of_failed(server):
    with connect(server, autocommit=True) as connection:
        connection.execute("BEGIN")
        raises(psycopg.Error, connection.execute, "SELECT 1 / 0", code="22012")
        equal(connection.execute("COMMIT").statusmessage, "ROLLBACK")


@suite.check
def savepoints(server):
    with connect(server) as connection:
        with connection.transaction():
            connection.execute("SELECT 1")
            try:
                with connection.transaction():
                    connection.execute("SELECT no_such")
            except psycopg.errors.UndefinedColumn:
                pass
            equal(connection.execute("SELECT 2").fetchone(), (2,))
        with connection.transaction(), connection.transaction("named"):
            equal(connection.execute("SELECT 3").fetchone(), (3,))


@suite.check
def set_local(server):
    with connect(server) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.commit()
        connection.execute("SET LOCAL TimeZone = 'Asia/Tokyo'")
        equal(connection.execute("SHOW timezone").fetchone()[0], "Asia/Tokyo")
        connection.commit()
        equal(connection.execute("SHOW timezone").fetchone()[0], "UTC")
        connection.execute("SET TimeZone = 'Asia/Tokyo'")
        connection.rollback()
        equal(connection.execute("SHOW timezone").fetchone()[0], "UTC")


@suite.check
def isolation_and_read_only(server):
    with connect(server) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        equal(connection.execute("SHOW transaction_isolation").fetchone()[0], "repeatable read")
        equal(connection.execute("SHOW transaction_read_only").fetchone()[0], "on")
        connection.rollback()
        connection.deferrable = True
        connection.isolation_level = psycopg.IsolationLevel.SERIALIZABLE
        equal(connection.execute("SELECT 1").fetchone(), (1,))


@suite.check
def time_zone(server):
    with connect(server) as connection:
        connection.execute("SET TIME ZONE 'Europe/Berlin'")
        query = "SELECT ts, ts::text, ts::date, date_trunc('hour', ts)::text, ts AT TIME ZONE 'UTC' FROM touchpoints WHERE event_id = 'edge-4'"
        for binary in (False, True):
            row = connection.execute(query, binary=binary).fetchone()
            equal(row[0].isoformat(), "2026-03-29T03:00:00+02:00")
            equal(row[1:], ("2026-03-29 03:00:00+02", date(2026, 3, 29), "2026-03-29 03:00:00+02", datetime(2026, 3, 29, 1)))
        equal(connection.execute("SELECT count(*) FROM touchpoints WHERE ts >= '2026-03-29 03:00:00' AND event_id LIKE 'edge-%'").fetchone(), (1,))
        equal(connection.execute("SELECT extract(hour FROM ts)::int FROM touchpoints WHERE event_id = 'edge-3'").fetchone(), (1,))


@suite.check
def time_zone_of_result(server):
    with connect(server) as connection:
        connection.execute("SET timezone TO 'America/New_York'")
        found = connection.execute("SELECT '2026-07-01 12:00:00+00'::timestamptz").fetchone()[0]
        equal(found, datetime(2026, 7, 1, 8, tzinfo=ZoneInfo("America/New_York")))


@suite.check
def temporary_table(server):
    with connect(server) as connection:
        connection.execute("CREATE TEMP TABLE mine AS SELECT event, count(*) AS n FROM touchpoints GROUP BY event")
        equal(connection.execute("SELECT n FROM mine WHERE event = 'refund'").fetchone(), (1,))
        connection.execute("DROP TABLE mine")
        connection.rollback()


@suite.check
def views(server):
    with connect(server, autocommit=True) as connection:
        connection.execute("DROP VIEW IF EXISTS suite_view")
        connection.execute("CREATE VIEW suite_view AS SELECT event, count(*) AS n FROM touchpoints GROUP BY event")
        equal(connection.execute("SELECT n FROM suite_view WHERE event = 'refund'").fetchone(), (1,))
        connection.execute("CREATE OR REPLACE VIEW suite_view AS SELECT event, count(*) AS n FROM touchpoints WHERE event_id LIKE 'edge-%' GROUP BY event")
        equal(connection.execute("SELECT count(*) FROM suite_view").fetchone(), (4,))
        raises(psycopg.Error, connection.execute, "CREATE VIEW suite_view AS SELECT 1", code="42P07")
        definition = connection.execute("SELECT definition FROM pg_views WHERE viewname = 'suite_view'").fetchone()[0]
        assert "touchpoints" in definition
        connection.execute("DROP VIEW suite_view")
        raises(psycopg.Error, connection.execute, "DROP VIEW suite_view", code="42P01")


@suite.check
def explain(server):
    with connect(server) as connection:
        cursor = connection.execute("EXPLAIN SELECT count(*) FROM touchpoints")
        equal([c.name for c in cursor.description], ["QUERY PLAN"])
        assert len(cursor.fetchall()) > 0
        cursor = connection.execute("EXPLAIN (FORMAT JSON) SELECT count(*) FROM touchpoints")
        found = cursor.fetchone()[0]
        assert isinstance(found, list) and "Plan" in found[0] and "Node Type" in found[0]["Plan"], found
        connection.execute("EXPLAIN (ANALYZE, COSTS OFF) SELECT count(*) FROM touchpoints")


@suite.check
def maintenance(server):
    with connect(server, autocommit=True) as connection:
        equal(connection.execute("ANALYZE touchpoints").statusmessage, "ANALYZE")
        equal(connection.execute("VACUUM touchpoints").statusmessage, "VACUUM")


@suite.check
def type_lookup(server):
    with connect(server) as connection:
        info = psycopg.types.TypeInfo.fetch(connection, "timestamptz")
        equal((info.oid, info.array_oid), (1184, 1185))
        equal(psycopg.types.TypeInfo.fetch(connection, "no_such_type"), None)


if __name__ == "__main__":
    suite.main()
