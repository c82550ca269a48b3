"""psycopg 3: queries, parameters, prepared statements, pipelines, large results."""

from datetime import datetime
from decimal import Decimal

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from suite import EDGE_ROWS, ROWS, UTC, Skip, Suite, connect3 as connect, equal, raises

suite = Suite()


@suite.check
def count_rows(server):
    with connect(server) as connection:
        equal(connection.execute("SELECT count(*) FROM touchpoints").fetchone(), (ROWS,))


@suite.check
def edge_values(server):
    for binary in (False, True):
        with connect(server) as connection:
            found = connection.execute(
                "SELECT user_id, ts, event, campaign, page, revenue, cost, score FROM touchpoints WHERE event_id LIKE %s ORDER BY event_id",
                ("edge-%",), binary=binary).fetchall()
            equal(len(found), EDGE_ROWS)
            equal(found[1][5:], (Decimal("19.9000"), Decimal("0.0001"), 0.1))
            equal(found[2][5:], (Decimal("12345678901234.5678"), None, 1e300))
            equal(found[2][1].astimezone(UTC), datetime(2026, 3, 29, 0, 59, 59, 999999, UTC))
            equal(found[3][0], "edge-ü")
            equal(found[3][2], "käuf 😀")
            equal(found[3][3], 'Ω ≈ "quoted" \\back, comma')
            equal(found[3][5:], (Decimal("-0.5000"), None, -0.0000025))
            equal(found[4][4], "two\nlines\tand a tab")
            equal(found[4][5:], (Decimal("-7.0000"), Decimal("0.0000"), 0.0))


@suite.check
def empty_result(server):
    with connect(server) as connection:
        cursor = connection.execute("SELECT user_id, ts FROM touchpoints WHERE false")
        equal(cursor.fetchall(), [])
        equal([c.name for c in cursor.description], ["user_id", "ts"])
        equal(cursor.statusmessage, "SELECT 0")


@suite.check
def empty_statement(server):
    with connect(server) as connection:
        cursor = connection.execute("")
        assert cursor.description is None
        cursor = connection.execute(" ; ")
        assert cursor.description is None


@suite.check
def no_columns(server):
    with connect(server) as connection:
        cursor = connection.execute("SELECT FROM (VALUES (1), (2)) AS t")
        equal(cursor.fetchall(), [(), ()])


@suite.check
def several_statements(server):
    with connect(server, autocommit=True) as connection:
        cursor = connection.execute("SELECT 1; SELECT 'two' AS b; SELECT 3, 4")
        equal(cursor.fetchall(), [(1,)])
        assert cursor.nextset()
        equal(cursor.fetchall(), [("two",)])
        assert cursor.nextset()
        equal(cursor.fetchall(), [(3, 4)])
        assert not cursor.nextset()


@suite.check
def comments_and_semicolons(server):
    with connect(server) as connection:
        equal(connection.execute("/* a ; /* nested */ */ SELECT 1 -- ; end\n;").fetchone(), (1,))
        equal(connection.execute("SELECT ';' || $$;$$ || $tag$ ' $tag$ || E'\\'\\n' || U&'\\0041'").fetchone(), (";; ' '\nA",))


@suite.check
def rows_as_dict(server):
    with connect(server, row_factory=dict_row) as connection:
        equal(connection.execute('SELECT 1 AS a, 2 AS "B c"').fetchone(), {"a": 1, "B c": 2})


@suite.check
def named_parameters(server):
    with connect(server) as connection:
        equal(connection.execute("SELECT %(a)s + %(b)s + %(a)s", {"a": 1, "b": 2}).fetchone(), (4,))


@suite.check
def parameters_without_type(server):
    with connect(server) as connection:
        count = connection.execute("SELECT count(*) FROM touchpoints WHERE user_id = %s AND event = %s", ("edge-a", "purchase")).fetchone()[0]
        equal(count, 1)
        count = connection.execute("SELECT count(*) FROM touchpoints WHERE ts >= %s AND revenue > %s AND score < %s", ("2026-01-01", "0", "5")).fetchone()[0]
        equal(count, 1)
        equal(connection.execute("SELECT count(*) FROM touchpoints WHERE event = ANY(%s)", (["purchase", "refund"],)).fetchone()[0], 3)


@suite.check
def parameters_null(server):
    with connect(server) as connection:
        equal(connection.execute("SELECT %s::int4, %s::text, %s::text IS NULL", (None, None, None)).fetchone(), (None, None, True))
        equal(connection.execute("SELECT count(*) FROM touchpoints WHERE (%s::text IS NULL OR channel = %s) AND event_id LIKE 'edge-%%'", (None, None)).fetchone()[0], 5)


@suite.check
def parameter_in_limit(server):
    with connect(server) as connection:
        equal(len(connection.execute("SELECT 1 FROM touchpoints LIMIT %s OFFSET %s", (7, 3)).fetchall()), 7)


@suite.check
def parameter_in_interval(server):
    with connect(server) as connection:
        found = connection.execute("SELECT count(*) FROM touchpoints WHERE ts >= %s::timestamptz - %s::interval AND ts < %s",
                                   ("2026-01-02", "1 day", datetime(2026, 1, 2, tzinfo=UTC))).fetchone()
        equal(found, (2,))


@suite.check
def prepared_many_times(server):
    with connect(server, autocommit=True) as connection:
        for number in range(20):
            row = connection.execute("SELECT %s::int4 + 1, count(*) FROM touchpoints WHERE event_id = %s", (number, "edge-2"), prepare=True).fetchone()
            equal(row, (number + 1, 1))
        prepared = connection.execute("SELECT count(*) FROM pg_prepared_statements").fetchone()[0]
        equal(prepared, 1)


@suite.check
def sql_prepare_execute(server):
    with connect(server, autocommit=True) as connection:
        connection.execute("PREPARE one (text, int) AS SELECT count(*) + $2 FROM touchpoints WHERE event_id = $1")
        equal(connection.execute("EXECUTE one ('edge-2', 3)").fetchone(), (4,))
        connection.execute("DEALLOCATE one")
        raises(psycopg.Error, connection.execute, "EXECUTE one ('edge-2', 3)", code="26000")
        connection.execute("DEALLOCATE ALL")


@suite.check
def executemany_of_reads(server):
    with connect(server) as connection:
        cursor = connection.cursor()
        cursor.executemany("SELECT %s::int4 * 2", [(1,), (2,), (3,)], returning=True)
        found = []
        while True:
            found.append(cursor.fetchone()[0])
            if not cursor.nextset():
                break
        equal(found, [2, 4, 6])


@suite.check
def stream_rows(server):
    with connect(server) as connection:
        for binary in (False, True):
            found = sum(1 for _ in connection.cursor(binary=binary).stream("SELECT user_id, ts, event FROM touchpoints"))
            equal(found, ROWS)


@suite.check
def stream_in_chunks(server):
    with connect(server) as connection:
        if not psycopg.capabilities.has_stream_chunked():
            raise Skip("libpq before 17")
        equal(sum(1 for _ in connection.cursor().stream("SELECT user_id FROM touchpoints", size=1000)), ROWS)


@suite.check
def large_result(server):
    with connect(server) as connection:
        for binary in (False, True):
            found = connection.execute("SELECT * FROM touchpoints", binary=binary).fetchall()
            equal(len(found), ROWS)
            equal(len({row[1] for row in found}), 3751 + 4)


@suite.check
def large_value(server):
    with connect(server) as connection:
        equal(len(connection.execute("SELECT repeat('äb', 500000)").fetchone()[0]), 1_000_000)
        text = "x" * 1_000_000
        equal(connection.execute("SELECT length(%s::text)", (text,)).fetchone()[0], 1_000_000)


@suite.check
def many_columns(server):
    with connect(server) as connection:
        row = connection.execute("SELECT " + ", ".join(f"{i} AS c{i}" for i in range(1000))).fetchone()
        equal(row, tuple(range(1000)))


@suite.check
def many_parameters(server):
    with connect(server) as connection:
        row = connection.execute("SELECT " + " + ".join(["%s::int8"] * 500), list(range(500))).fetchone()
        equal(row[0], sum(range(500)))


@suite.check
def pipeline(server):
    with connect(server, autocommit=True) as connection, connection.pipeline() as pipe:
        cursors = [connection.execute("SELECT %s::int4, count(*) FROM touchpoints WHERE event_id = 'edge-1'", (i,)) for i in range(50)]
        pipe.sync()
        equal([c.fetchone() for c in cursors], [(i, 1) for i in range(50)])


@suite.check
def pipeline_error(server):
    with connect(server, autocommit=True) as connection:
        with connection.pipeline() as pipe:
            first = connection.execute("SELECT 1")
            second = connection.execute("SELECT nothing_of_that_name")
            third = connection.execute("SELECT 3")
            raises(psycopg.Error, pipe.sync, code="42703")
            equal(first.fetchone(), (1,))
            raises(psycopg.Error, second.fetchone)
            raises(psycopg.Error, third.fetchone)
            fourth = connection.execute("SELECT 4")
            equal(fourth.fetchone(), (4,))
        equal(connection.execute("SELECT 5").fetchone(), (5,))


@suite.check
def composed_names(server):
    with connect(server) as connection:
        query = sql.SQL("SELECT {} FROM {} WHERE {} = {}").format(sql.Identifier("event"), sql.Identifier("public", "touchpoints"), sql.Identifier("event_id"), sql.Literal("edge-4"))
        equal(connection.execute(query).fetchone(), ("käuf 😀",))


@suite.check
def client_side_cursor(server):
    with connect(server, cursor_factory=psycopg.ClientCursor) as connection:
        row = connection.execute("SELECT %s, %s, %s, %s::timestamptz = '2026-01-01+00'", ("a'b\\", 1, Decimal("1.5"), datetime(2026, 1, 1, tzinfo=UTC))).fetchone()
        equal(row, ("a'b\\", 1, Decimal("1.5"), True))


@suite.check
def raw_cursor(server):
    with connect(server, cursor_factory=psycopg.RawCursor) as connection:
        equal(connection.execute("SELECT $2::text || $1::text, $1::text", ["a", "b"]).fetchone(), ("ba", "a"))


if __name__ == "__main__":
    suite.main()
