"""psycopg 2: client-side parameters, named cursors, COPY, types, errors, pools."""

import io
import select
import threading
import uuid
from datetime import date, datetime, time, timedelta
from decimal import Decimal

import psycopg2
import psycopg2.extensions
import psycopg2.extras
import psycopg2.pool

from suite import EDGE_ROWS, ROWS, UTC, Suite, equal, raises

suite = Suite()
psycopg2.extras.register_uuid()


def connect(server, **more):
    return psycopg2.connect(**server.libpq(), **more)


def ask(connection, statement, *values):
    with connection.cursor() as cursor:
        cursor.execute(statement, values or None)
        return cursor.fetchall()


@suite.check
def version(server):
    connection = connect(server)
    assert connection.server_version >= 120000
    equal(connection.encoding, "UTF8")
    equal(connection.get_backend_pid(), ask(connection, "SELECT pg_backend_pid()")[0][0])
    equal(ask(connection, "SELECT count(*) FROM touchpoints"), [(ROWS,)])


VALUES = [
    ("int4", 7), ("int8", 2**62), ("float8", 0.1), ("numeric", Decimal("12345678901234.5678")), ("bool", True), ("text", "käuf 😀 'q' \\ %"),
    ("date", date(2026, 3, 29)), ("time", time(23, 59, 59, 999999)), ("timestamp", datetime(2026, 3, 29, 1, 0, 0, 1)),
    ("interval", timedelta(days=3, hours=4, microseconds=5)), ("uuid", uuid.UUID(int=77)), ("int4[]", [1, None, 3]), ("text[]", ["a", 'd"', None]),
    ("numeric[]", [Decimal("1.50")]), ("date[]", [date(2026, 1, 1)]),
]


def round_trip(kind, value):
    def run(server):
        equal(ask(connect(server), f"SELECT %s::{kind}", value)[0][0], value)

    return run


for _kind, _value in VALUES:
    suite.case(f"param_{_kind}", round_trip(_kind, _value))


@suite.check
def param_timestamptz(server):
    found = ask(connect(server), "SELECT %s, %s::timestamptz", datetime(2026, 3, 29, 0, 59, 59, 999999, UTC), datetime(2026, 1, 1, tzinfo=UTC))[0]
    equal([one.astimezone(UTC) for one in found], [datetime(2026, 3, 29, 0, 59, 59, 999999, UTC), datetime(2026, 1, 1, tzinfo=UTC)])


@suite.check
def param_bytea_and_json(server):
    row = ask(connect(server), "SELECT %s, %s::jsonb, %s::json", psycopg2.Binary(b"\x00\xff"), psycopg2.extras.Json({"a": [1]}), psycopg2.extras.Json({}))[0]
    equal((bytes(row[0]), row[1], row[2]), (b"\x00\xff", {"a": [1]}, {}))


@suite.check
def params_as_tuple(server):
    equal(ask(connect(server), "SELECT count(*) FROM touchpoints WHERE event IN %s AND ts > %s", ("purchase", "refund"), datetime(2026, 1, 1, tzinfo=UTC)), [(2,)])


@suite.check
def edge_rows(server):
    rows = ask(connect(server), "SELECT event_id, ts, revenue, score, page FROM touchpoints WHERE event_id LIKE 'edge-%' ORDER BY 1")
    equal(len(rows), EDGE_ROWS)
    equal(rows[1][2:], (Decimal("19.9000"), 0.1, "/cart"))
    equal(rows[4][4], "two\nlines\tand a tab")


@suite.check
def named_cursor(server):
    with connect(server) as connection, connection.cursor("c") as cursor:
        cursor.itersize = 1000
        cursor.execute("SELECT user_id, ts FROM touchpoints WHERE user_id <> %s", ("nobody",))
        equal(len(cursor.fetchmany(5)), 5)
        equal(sum(1 for _ in cursor), ROWS - 5)


@suite.check
def named_cursor_scroll_and_hold(server):
    connection = connect(server)
    cursor = connection.cursor("c", scrollable=True, withhold=True)
    cursor.execute("SELECT n FROM generate_series(1, 100) AS t(n)")
    connection.commit()
    cursor.scroll(10, mode="absolute")
    equal(cursor.fetchone(), (11,))
    cursor.scroll(-3)
    equal(cursor.fetchone(), (9,))
    cursor.close()


@suite.check
def copy_expert(server):
    out = io.StringIO()
    with connect(server).cursor() as cursor:
        cursor.copy_expert("COPY (SELECT event_id, revenue FROM touchpoints WHERE event_id LIKE 'edge-%' ORDER BY 1) TO STDOUT WITH CSV HEADER", out)
        equal(cursor.rowcount, EDGE_ROWS)
    equal(out.getvalue(), "event_id,revenue\nedge-1,\nedge-2,19.9000\nedge-3,12345678901234.5678\nedge-4,-0.5000\nedge-5,-7.0000\n")


@suite.check
def copy_to(server):
    out = io.StringIO()
    with connect(server).cursor() as cursor:
        cursor.copy_to(out, "touchpoints", columns=("event_id", "event"), sep="|", null="-")
    equal(out.getvalue().count("\n"), ROWS)


@suite.check
def description(server):
    with connect(server).cursor() as cursor:
        cursor.execute("SELECT user_id, revenue, count(*) FROM touchpoints GROUP BY 1, 2 LIMIT 0")
        equal([(c.name, c.type_code, c.precision, c.scale) for c in cursor.description], [("user_id", 25, None, None), ("revenue", 1700, 18, 4), ("count", 20, None, None)])
        equal((cursor.statusmessage, cursor.rowcount), ("SELECT 0", 0))


@suite.check
def errors(server):
    connection = connect(server)
    error = raises(psycopg2.errors.UndefinedColumn, ask, connection, "SELECT no_such FROM touchpoints", code="42703")
    equal(error.diag.statement_position, "8")
    equal(error.diag.message_primary, 'column "no_such" does not exist')
    equal(connection.info.transaction_status, psycopg2.extensions.TRANSACTION_STATUS_INERROR)
    raises(psycopg2.errors.InFailedSqlTransaction, ask, connection, "SELECT 1")
    connection.rollback()
    raises(psycopg2.errors.DivisionByZero, ask, connection, "SELECT 1 / 0")
    connection.rollback()
    raises(psycopg2.errors.SyntaxError, ask, connection, "SELEC 1")


@suite.check
def notices_and_parameters(server):
    connection = connect(server)
    equal(connection.get_parameter_status("standard_conforming_strings"), "on")
    equal(connection.get_parameter_status("integer_datetimes"), "on")


@suite.check
def session_settings(server):
    connection = connect(server)
    connection.set_session(isolation_level="REPEATABLE READ", readonly=True, autocommit=False)
    equal(ask(connection, "SHOW transaction_isolation"), [("repeatable read",)])
    equal(ask(connection, "SHOW transaction_read_only"), [("on",)])
    connection.rollback()
    connection.set_client_encoding("UTF8")
    connection.set_session(readonly=False, autocommit=True)
    equal(ask(connection, "SELECT 1"), [(1,)])


@suite.check
def reset(server):
    connection = connect(server)
    ask(connection, "SELECT 1")
    connection.reset()
    equal(ask(connection, "SELECT 1"), [(1,)])


@suite.check
def cancel(server):
    connection = connect(server)
    timer = threading.Timer(0.4, connection.cancel)
    timer.start()
    raises(psycopg2.errors.QueryCanceled, ask, connection, "SELECT sum(n) FROM generate_series(1, 1000000000000) AS t(n)", code="57014")
    timer.join()
    connection.rollback()
    equal(ask(connection, "SELECT 1"), [(1,)])


@suite.check
def asynchronous(server):
    connection = connect(server, async_=1)

    def wait():
        while True:
            state = connection.poll()
            if state == psycopg2.extensions.POLL_OK:
                return
            ready = ([connection], [], []) if state == psycopg2.extensions.POLL_READ else ([], [connection], [])
            select.select(*ready, 5)

    wait()
    cursor = connection.cursor()
    cursor.execute("SELECT 7")
    wait()
    equal(cursor.fetchone(), (7,))


@suite.check
def execute_values_of_reads(server):
    with connect(server).cursor() as cursor:
        found = psycopg2.extras.execute_values(cursor, "SELECT a + b FROM (VALUES %s) AS t(a, b)", [(1, 2), (3, 4)], fetch=True)
    equal(found, [(3,), (7,)])


@suite.check
def rows_by_name(server):
    with connect(server).cursor(cursor_factory=psycopg2.extras.RealDictCursor) as cursor:
        cursor.execute("SELECT 1 AS a, 'x' AS b")
        equal(dict(cursor.fetchone()), {"a": 1, "b": "x"})


@suite.check
def pool(server):
    pool = psycopg2.pool.ThreadedConnectionPool(1, 3, **server.libpq())
    for _ in range(10):
        connection = pool.getconn()
        equal(ask(connection, "SELECT 1"), [(1,)])
        pool.putconn(connection)
    pool.closeall()


if __name__ == "__main__":
    suite.main()
