"""psycopg 3: cursors of the server, by the driver and in SQL."""

from datetime import datetime

import psycopg

from suite import ROWS, UTC, Suite, connect3 as connect, equal, raises

suite = Suite()


@suite.check
def server_cursor(server):
    for binary in (False, True):
        with connect(server) as connection, connection.cursor(name="c", binary=binary) as cursor:
            cursor.itersize = 1000
            cursor.execute("SELECT user_id, ts FROM touchpoints ORDER BY ts, user_id")
            equal([c.name for c in cursor.description], ["user_id", "ts"])
            equal(len(cursor.fetchmany(10)), 10)
            equal(sum(1 for _ in cursor), ROWS - 10)
            equal(cursor.fetchone(), None)


@suite.check
def server_cursor_with_parameters(server):
    with connect(server) as connection, connection.cursor(name="c") as cursor:
        cursor.execute("SELECT event_id FROM touchpoints WHERE event = %s AND ts > %s ORDER BY 1", ("purchase", datetime(2026, 1, 1, tzinfo=UTC)))
        equal(cursor.fetchall(), [("edge-2",), ("edge-3",)])


@suite.check
def server_cursor_scroll(server):
    with connect(server) as connection, connection.cursor(name="c", scrollable=True) as cursor:
        cursor.execute("SELECT n FROM generate_series(1, 100) AS t(n)")
        cursor.scroll(50)
        equal(cursor.fetchone(), (51,))
        cursor.scroll(-2)
        equal(cursor.fetchone(), (50,))
        cursor.scroll(10, mode="absolute")
        equal(cursor.fetchone(), (11,))


@suite.check
def server_cursor_hold(server):
    with connect(server) as connection:
        with connection.cursor(name="c", withhold=True) as cursor:
            cursor.execute("SELECT n FROM generate_series(1, 100) AS t(n)")
            connection.commit()
            equal(len(cursor.fetchall()), 100)


@suite.check
def sql_cursor_forms(server):
    with connect(server) as connection:
        connection.execute("DECLARE k SCROLL CURSOR FOR SELECT n FROM generate_series(1, 10) AS t(n)")
        steps = [
            ("FETCH k", [1]), ("FETCH NEXT FROM k", [2]), ("FETCH 3 FROM k", [3, 4, 5]), ("FETCH PRIOR FROM k", [4]), ("FETCH FIRST FROM k", [1]),
            ("FETCH LAST FROM k", [10]), ("FETCH ABSOLUTE 4 IN k", [4]), ("FETCH RELATIVE 2 FROM k", [6]), ("FETCH BACKWARD 2 FROM k", [5, 4]),
            ("FETCH FORWARD ALL FROM k", [5, 6, 7, 8, 9, 10]), ("FETCH k", []), ("FETCH BACKWARD ALL FROM k", [10, 9, 8, 7, 6, 5, 4, 3, 2, 1]),
            ("FETCH ALL IN k", list(range(1, 11))), ("FETCH 0 FROM k", []),
        ]
        for statement, expected in steps:
            cursor = connection.execute(statement)
            equal([row[0] for row in cursor.fetchall()], expected)
            equal(cursor.statusmessage, f"FETCH {len(expected)}")
        equal(connection.execute("MOVE ABSOLUTE 3 IN k").statusmessage, "MOVE 1")
        equal(connection.execute("FETCH k").fetchone(), (4,))
        equal(connection.execute("CLOSE k").statusmessage, "CLOSE CURSOR")
        raises(psycopg.Error, connection.execute, "FETCH k", code="34000")


@suite.check
def sql_cursor_ends_with_transaction(server):
    with connect(server) as connection:
        connection.execute("DECLARE k CURSOR FOR SELECT 1")
        connection.commit()
        raises(psycopg.Error, connection.execute, "FETCH k", code="34000")
        connection.rollback()
        connection.autocommit = True
        raises(psycopg.Error, connection.execute, "DECLARE k CURSOR FOR SELECT 1", code="25P01")


@suite.check
def sql_cursor_not_scrollable(server):
    with connect(server) as connection:
        connection.execute("DECLARE k NO SCROLL CURSOR FOR SELECT n FROM generate_series(1, 3) AS t(n)")
        connection.execute("FETCH 2 FROM k")
        raises(psycopg.Error, connection.execute, "FETCH PRIOR FROM k", code="55000")


if __name__ == "__main__":
    suite.main()
