"""psqlodbc through pyodbc: prepared and not, declared fetch, catalogue functions, types, errors, time limits."""

import os
import threading
from datetime import date, datetime, time
from decimal import Decimal

import pyodbc

from suite import EDGE_ROWS, ROWS, Suite, equal

suite = Suite()
pyodbc.pooling = False


def connect(server, driver="PostgreSQL Unicode", **more):
    words = {"Driver": os.environ.get("WAYFARE_ODBC_DRIVER", driver), "Server": server.host, "Port": server.port, "Database": server.database, "Uid": server.user,
             "Pwd": server.password or "none", "BoolsAsChar": 0} | more
    connection = pyodbc.connect(";".join(f"{name}={value}" for name, value in words.items()), timeout=10, autocommit=True)
    return connection


@suite.check
def connect_and_version(server):
    connection = connect(server)
    equal(connection.getinfo(pyodbc.SQL_DBMS_NAME), "PostgreSQL")
    assert int(connection.getinfo(pyodbc.SQL_DBMS_VER).split(".")[0]) >= 12
    equal(connection.execute("SELECT count(*) FROM touchpoints").fetchone()[0], ROWS)


TYPES = [
    ("int2", "7::int2", 7), ("int4", "7::int4", 7), ("int8", "9223372036854775807::int8", 9223372036854775807), ("float4", "0.5::float4", 0.5), ("float8", "0.1::float8", 0.1),
    ("numeric", "1.50::numeric(10,2)", Decimal("1.50")), ("bool", "true", True), ("text", "'käuf 😀'::text", "käuf 😀"), ("varchar", "'a'::varchar(5)", "a"),
    ("bytea", "'\\x00ff'::bytea", b"\x00\xff"), ("date", "DATE '2026-03-29'", date(2026, 3, 29)), ("time", "TIME '10:11:12'", time(10, 11, 12)),
    ("timestamp", "TIMESTAMP '2026-03-29 02:30:00.000001'", datetime(2026, 3, 29, 2, 30, 0, 1)), ("null", "NULL::int4", None), ("literal", "1", 1),
    ("decimal_literal", "1.5", Decimal("1.5")), ("uuid", "'12345678-1234-5678-1234-567812345678'::uuid", "12345678-1234-5678-1234-567812345678"),
]


def result(expression, expected):
    def run(server):
        equal(connect(server).execute(f"SELECT {expression}").fetchone()[0], expected)

    return run


for _name, _expression, _expected in TYPES:
    suite.case(f"result_{_name}", result(_expression, _expected))


PARAMETERS = [
    ("int", "int4", 7), ("bigint", "int8", 2**40), ("float", "float8", 0.1), ("decimal", "numeric", Decimal("12345678901234.5678")), ("bool", "bool", True),
    ("text", "text", "käuf 😀 'q'"), ("bytes", "bytea", b"\x00\xff"), ("date", "date", date(2026, 3, 29)), ("time", "time", time(10, 11, 12)),
    ("datetime", "timestamp", datetime(2026, 3, 29, 2, 30, 0, 1)), ("null", "text", None),
]


def parameter(kind, value, prepare):
    def run(server):
        connection = connect(server, UseServerSidePrepare=prepare)
        cursor = connection.cursor()
        for _ in range(3):
            found = cursor.execute(f"SELECT ?::{kind}", value).fetchone()[0]
            equal(found, value)

    return run


for _name, _kind, _value in PARAMETERS:
    for _prepare in (0, 1):
        suite.case(f"param_{_name}_{'prepared' if _prepare else 'inline'}", parameter(_kind, _value, _prepare))


@suite.check
def params_of_column_types(server):
    for prepare in (0, 1):
        connection = connect(server, UseServerSidePrepare=prepare)
        cursor = connection.cursor()
        found = cursor.execute("SELECT count(*) FROM touchpoints WHERE event = ? AND ts >= ? AND revenue > ? AND score < ?", "purchase", datetime(2026, 1, 1), Decimal("0.5"), 1.0)
        equal(found.fetchone()[0], 1)


@suite.check
def edge_rows(server):
    rows = connect(server).execute("SELECT event_id, event, revenue, score, page FROM touchpoints WHERE event_id LIKE 'edge-%' ORDER BY 1").fetchall()
    equal(len(rows), EDGE_ROWS)
    equal(tuple(rows[1])[2:], (Decimal("19.9000"), 0.1, "/cart"))
    equal((rows[3][1], rows[4][4]), ("käuf 😀", "two\nlines\tand a tab"))


@suite.check
def whole_table(server):
    equal(len(connect(server).execute("SELECT user_id, ts, event FROM touchpoints").fetchall()), ROWS)


@suite.check
def declare_fetch(server):
    connection = connect(server, UseDeclareFetch=1, Fetch=1000)
    cursor = connection.execute("SELECT user_id, ts, event FROM touchpoints")
    equal(sum(len(rows) for rows in iter(lambda: cursor.fetchmany(700), [])), ROWS)
    equal(connection.execute("SELECT 1").fetchone()[0], 1)


@suite.check
def tables(server):
    cursor = connect(server).cursor()
    equal([(row.table_schem, row.table_name, row.table_type) for row in cursor.tables(table="touchpoints")], [("public", "touchpoints", "TABLE")])
    names = [row.table_name for row in connect(server).cursor().tables()]
    assert "touchpoints" in names, names


@suite.check
def columns(server):
    found = {row.column_name: (row.type_name, row.column_size, row.decimal_digits, row.nullable) for row in connect(server).cursor().columns(table="touchpoints", schema="public")}
    equal(found["user_id"][0], "text")
    equal(found["revenue"], ("numeric", 18, 4, 1))
    equal(found["score"][0], "float8")
    equal(found["ts"][0], "timestamptz")
    equal((found["ts"][3], len(found)), (0, 19))


@suite.check
def keys_and_statistics(server):
    cursor = connect(server).cursor()
    equal(cursor.primaryKeys(table="touchpoints").fetchall(), [])
    equal(cursor.foreignKeys(table="touchpoints").fetchall(), [])
    cursor.statistics(table="touchpoints").fetchall()
    cursor.procedures().fetchall()
    assert len(cursor.getTypeInfo().fetchall()) > 10


@suite.check
def description(server):
    cursor = connect(server).execute("SELECT user_id, revenue, count(*) AS n FROM touchpoints GROUP BY 1, 2 LIMIT 1")
    equal([(one[0], one[1]) for one in cursor.description], [("user_id", str), ("revenue", Decimal), ("n", int)])
    equal((cursor.description[1][4], cursor.description[1][5]), (18, 4))


@suite.check
def errors(server):
    connection = connect(server)
    for statement, state in [("SELECT no_such FROM touchpoints", "42703"), ("SELECT 1 FROM no_such", "42P01"), ("SELEC 1", "42601"), ("SELECT 1 / 0", "22012")]:
        try:
            connection.execute(statement).fetchall()
        except pyodbc.Error as error:
            # ODBC 3 has names of its own for a missing table or column and for bad syntax.
            accepted = {state, {"42703": "42S22", "42P01": "42S02", "42601": "42000"}.get(state)}
            assert error.args[0] in accepted, error.args
        else:
            raise AssertionError(f"{statement} succeeded")
    equal(connection.execute("SELECT 1").fetchone()[0], 1)


@suite.check
def transactions(server):
    connection = connect(server)
    connection.autocommit = False
    connection.execute("SELECT 1").fetchall()
    try:
        connection.execute("SELECT no_such").fetchall()
    except pyodbc.Error:
        pass
    connection.rollback()
    equal(connection.execute("SELECT 2").fetchone()[0], 2)
    connection.commit()


@suite.check
def cancel(server):
    connection = connect(server)
    cursor = connection.cursor()
    timer = threading.Timer(0.5, cursor.cancel)
    timer.start()
    try:
        cursor.execute("SELECT sum(n) FROM generate_series(1, 1000000000000) AS t(n)").fetchall()
    except pyodbc.Error as error:
        assert error.args[0] in ("57014", "HY008"), error.args
    else:
        raise AssertionError("no error")
    timer.join()
    equal(connection.execute("SELECT 1").fetchone()[0], 1)


@suite.check
def statement_timeout(server):
    connection = connect(server, ConnSettings="set statement_timeout to 400")
    try:
        connection.execute("SELECT sum(n) FROM generate_series(1, 1000000000000) AS t(n)").fetchall()
    except pyodbc.Error as error:
        equal(error.args[0], "57014")
    else:
        raise AssertionError("no error")


@suite.check
def several_results(server):
    cursor = connect(server).execute("SELECT 1; SELECT 'b'")
    equal(cursor.fetchone()[0], 1)
    assert cursor.nextset()
    equal(cursor.fetchone()[0], "b")


@suite.check
def empty_result(server):
    equal(connect(server).execute("SELECT user_id FROM touchpoints WHERE 1 = 0").fetchall(), [])


@suite.check
def ansi_driver(server):
    equal(connect(server, driver="PostgreSQL ANSI").execute("SELECT count(*) FROM touchpoints").fetchone()[0], ROWS)


@suite.check
def excel_style(server):
    # What Excel and Access set: text as wide, unknown sizes, row versioning off.
    connection = connect(server, TextAsLongVarchar=1, UnknownsAsLongVarchar=0, MaxVarcharSize=255, RowVersioning=0, ShowSystemTables=0, ShowOidColumn=0, UpdatableCursors=0)
    equal(connection.execute('SELECT "touchpoints"."event" FROM "public"."touchpoints" "touchpoints" WHERE "touchpoints"."event_id" = \'edge-1\'').fetchone()[0], "page_view")


if __name__ == "__main__":
    suite.main()
