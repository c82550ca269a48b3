"""psycopg 3: COPY TO STDOUT in text, CSV and binary."""

from datetime import datetime
from decimal import Decimal

import psycopg

from suite import EDGE_ROWS, ROWS, UTC, Suite, connect3 as connect, equal, raises

suite = Suite()


@suite.check
def copy_out_text(server):
    with connect(server) as connection:
        with connection.cursor().copy("COPY touchpoints TO STDOUT") as copy:
            found = b"".join(bytes(block) for block in copy)
        equal(found.count(b"\n"), ROWS)
        line = next(one for one in found.split(b"\n") if one.startswith(b"edge-5\t"))
        equal(line.split(b"\t")[10], b"two\\nlines\\tand a tab")
        line = next(one for one in found.split(b"\n") if one.startswith(b"edge-4\t"))
        equal(line.split(b"\t")[2], b"\\N")
        equal(line.split(b"\t")[9].decode(), 'Ω ≈ "quoted" \\\\back, comma')


@suite.check
def copy_out_rows(server):
    with connect(server) as connection:
        with connection.cursor().copy("COPY (SELECT event_id, ts, revenue FROM touchpoints WHERE event_id LIKE 'edge-%' ORDER BY 1) TO STDOUT") as copy:
            copy.set_types(["text", "timestamptz", "numeric"])
            rows = list(copy.rows())
        equal(len(rows), EDGE_ROWS)
        equal(rows[1][2], Decimal("19.9000"))
        equal(rows[1][1].astimezone(UTC), datetime(2026, 1, 1, 10, 5, 0, 1, UTC))


@suite.check
def copy_out_binary(server):
    with connect(server) as connection:
        query = "COPY (SELECT event_id, ts, revenue, score FROM touchpoints WHERE event_id LIKE 'edge-%' ORDER BY 1) TO STDOUT (FORMAT binary)"
        with connection.cursor().copy(query) as copy:
            copy.set_types(["text", "timestamptz", "numeric", "float8"])
            rows = list(copy.rows())
        equal(len(rows), EDGE_ROWS)
        equal(rows[2][2:], (Decimal("12345678901234.5678"), 1e300))


@suite.check
def copy_out_csv(server):
    with connect(server) as connection:
        query = "COPY (SELECT event_id, campaign, page, cost FROM touchpoints WHERE event_id LIKE 'edge-%' ORDER BY 1) TO STDOUT WITH (FORMAT csv, HEADER)"
        with connection.cursor().copy(query) as copy:
            found = b"".join(bytes(block) for block in copy).decode()
        equal(found, 'event_id,campaign,page,cost\nedge-1,,,\nedge-2,winter,/cart,0.0001\nedge-3,,,\n'
                     'edge-4,"Ω ≈ ""quoted"" \\back, comma",,\nedge-5,,"two\nlines\tand a tab",0.0000\n')


@suite.check
def copy_out_csv_options(server):
    with connect(server) as connection:
        query = "COPY (SELECT 1, NULL, 'a;b', true) TO STDOUT (FORMAT csv, DELIMITER ';', NULL 'nil', QUOTE '|', FORCE_QUOTE *)"
        with connection.cursor().copy(query) as copy:
            equal(b"".join(bytes(block) for block in copy), b"|1|;nil;|a;b|;|t|\n")
        with connection.cursor().copy("COPY (SELECT 1, NULL) TO STDOUT WITH CSV HEADER") as copy:
            equal(b"".join(bytes(block) for block in copy), b"?column?,?column?\n1,\n")


@suite.check
def copy_out_columns(server):
    with connect(server) as connection:
        with connection.cursor().copy("COPY touchpoints (event_id, event) TO STDOUT (DELIMITER '|')") as copy:
            rows = b"".join(bytes(block) for block in copy).split(b"\n")
        equal(len(rows), ROWS + 1)
        assert b"edge-2|purchase" in rows


@suite.check
def copy_out_abandoned(server):
    with connect(server, autocommit=True) as connection:
        cursor = connection.cursor()
        with cursor.copy("COPY (SELECT a.event_id FROM touchpoints a, touchpoints b) TO STDOUT") as copy:
            for _ in range(3):
                copy.read()
            connection.cancel_safe()
            raises(psycopg.errors.QueryCanceled, list, copy)
        equal(connection.execute("SELECT 1").fetchone(), (1,))


@suite.check
def copy_error(server):
    with connect(server, autocommit=True) as connection:
        def run():
            with connection.cursor().copy("COPY no_such TO STDOUT") as copy:
                list(copy)

        raises(psycopg.Error, run, code="42P01")
        equal(connection.execute("SELECT 1").fetchone(), (1,))


if __name__ == "__main__":
    suite.main()
