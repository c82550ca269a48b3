"""ADBC, connectorx and polars: whole results as Arrow."""

from datetime import datetime
from decimal import Decimal

import adbc_driver_postgresql.dbapi as adbc
import connectorx
import polars
import pyarrow

from suite import EDGE_ROWS, ROWS, UTC, Suite, equal, raises

suite = Suite()
EDGE = "SELECT event_id, ts, score, page FROM touchpoints WHERE event_id LIKE 'edge-%' ORDER BY event_id"


def fetch(server, query, parameters=None):
    with adbc.connect(server.url()) as connection, connection.cursor() as cursor:
        cursor.execute(query, parameters)
        return cursor.fetch_arrow_table()


@suite.check
def adbc_table(server):
    table = fetch(server, "SELECT * FROM touchpoints")
    equal(table.num_rows, ROWS)
    types = {field.name: str(field.type) for field in table.schema}
    equal((types["user_id"], types["ts"], types["score"]), ("string", "timestamp[us, tz=UTC]", "double"))


@suite.check
def adbc_edge_rows(server):
    rows = fetch(server, EDGE).to_pylist()
    equal(len(rows), EDGE_ROWS)
    equal(rows[1]["score"], 0.1)
    equal(rows[1]["ts"].astimezone(UTC), datetime(2026, 1, 1, 10, 5, 0, 1, UTC))
    equal(rows[4]["page"], "two\nlines\tand a tab")


@suite.check
def adbc_types(server):
    row = fetch(server, "SELECT 1::int2 AS a, 2::int4 AS b, 3::int8 AS c, 0.5::float4 AS d, 0.25::float8 AS e, true AS f, 'x'::text AS g, '\\x00ff'::bytea AS h, "
                        "DATE '2026-01-01' AS i, TIME '10:00:00' AS j, TIMESTAMP '2026-01-01 00:00:00' AS k, 1.5::numeric AS l, ARRAY[1,2]::int4[] AS m, NULL::int4 AS n, "
                        "INTERVAL '1 day' AS o, '{\"a\":1}'::jsonb AS p, '12345678-1234-5678-1234-567812345678'::uuid AS q").to_pylist()[0]
    equal((row["a"], row["b"], row["c"], row["d"], row["e"], row["f"], row["g"], row["h"]), (1, 2, 3, 0.5, 0.25, True, "x", b"\x00\xff"))
    equal((row["i"].isoformat(), row["j"].isoformat(), row["k"].isoformat(), row["l"], row["m"], row["n"]), ("2026-01-01", "10:00:00", "2026-01-01T00:00:00", "1.5", [1, 2], None))


@suite.check
def adbc_numeric(server):
    rows = fetch(server, "SELECT revenue FROM touchpoints WHERE event_id LIKE 'edge-%' ORDER BY event_id").to_pylist()
    equal([row["revenue"] for row in rows], [None, "19.9000", "12345678901234.5678", "-0.5000", "-7.0000"])


@suite.check
def adbc_parameters(server):
    table = fetch(server, "SELECT count(*) AS n FROM touchpoints WHERE event = $1 AND score < $2", ("purchase", 1.0))
    equal(table.to_pylist(), [{"n": 1}])


@suite.check
def adbc_empty(server):
    table = fetch(server, "SELECT user_id, ts FROM touchpoints WHERE false")
    equal((table.num_rows, table.schema.names), (0, ["user_id", "ts"]))


@suite.check
def adbc_errors(server):
    def run():
        fetch(server, "SELECT no_such FROM touchpoints")

    error = raises(adbc.ProgrammingError, run)
    equal(error.sqlstate, "42703")


@suite.check
def adbc_without_copy(server):
    with adbc.connect(server.url()) as connection, connection.cursor() as cursor:
        cursor.adbc_statement.set_options(**{"adbc.postgresql.use_copy": "false"})
        cursor.execute("SELECT event, count(*) AS n FROM touchpoints GROUP BY event ORDER BY n DESC LIMIT 1")
        equal(cursor.fetchall(), [("catalog", 14518)])


@suite.check
def adbc_objects(server):
    with adbc.connect(server.url()) as connection:
        equal(connection.adbc_get_info()["vendor_name"], "PostgreSQL")
        schema = connection.adbc_get_table_schema("touchpoints")
        equal(schema.names[:2], ["event_id", "user_id"])
        objects = connection.adbc_get_objects(depth="all", db_schema_filter="public", table_name_filter="touchpoints").read_all().to_pylist()
        schemas = [one for catalog in objects if catalog["catalog_name"] == server.database for one in catalog["catalog_db_schemas"]]
        columns = schemas[0]["db_schema_tables"][0]["table_columns"]
        equal([column["column_name"] for column in columns][:3], ["event_id", "user_id", "anonymous_id"])
        assert "table" in connection.adbc_get_table_types()


@suite.check
def adbc_schema_of_query(server):
    with adbc.connect(server.url()) as connection, connection.cursor() as cursor:
        equal(cursor.adbc_execute_schema("SELECT user_id, score FROM touchpoints").names, ["user_id", "score"])


@suite.check
def adbc_transactions(server):
    with adbc.connect(server.url()) as connection:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            cursor.fetchall()
        connection.rollback()
        with connection.cursor() as cursor:
            cursor.execute("SELECT 2")
            equal(cursor.fetchone(), (2,))
        connection.commit()


def connectorx_by(protocol):
    def run(server):
        table = connectorx.read_sql(server.url(), "SELECT user_id, ts, revenue, score FROM touchpoints", protocol=protocol, return_type="arrow")
        equal(table.num_rows, ROWS)

    return run


for _protocol in ("binary", "csv", "cursor"):
    suite.case(f"connectorx_{_protocol}", connectorx_by(_protocol))


@suite.check
def connectorx_edge_rows(server):
    rows = pyarrow.table(connectorx.read_sql(server.url(), EDGE, return_type="arrow")).to_pylist()
    equal(len(rows), EDGE_ROWS)
    equal((rows[1]["score"], rows[4]["page"]), (0.1, "two\nlines\tand a tab"))


@suite.check
def connectorx_partitions(server):
    table = connectorx.read_sql(server.url(), "SELECT length(event)::int8 AS n, event FROM touchpoints", partition_on="n", partition_num=3, return_type="arrow")
    equal(table.num_rows, ROWS)


@suite.check
def connectorx_types(server):
    query = "SELECT 1::int4 AS a, 2::int8 AS b, 0.5::float8 AS c, true AS d, 'x'::text AS e, DATE '2026-01-01' AS f, NULL::text AS g"
    rows = pyarrow.table(connectorx.read_sql(server.url(), query, return_type="arrow")).to_pylist()
    equal([rows[0][name] for name in "abcdeg"], [1, 2, 0.5, True, "x", None])


@suite.check
def polars_connectorx(server):
    frame = polars.read_database_uri("SELECT event, count(*) AS n FROM touchpoints GROUP BY event ORDER BY n DESC", server.url())
    equal(frame.row(0), ("catalog", 14518))


@suite.check
def polars_adbc(server):
    frame = polars.read_database_uri("SELECT * FROM touchpoints", server.url(), engine="adbc")
    equal(frame.height, ROWS)


@suite.check
def polars_of_a_connection(server):
    import psycopg

    with psycopg.connect(**server.libpq()) as connection:
        frame = polars.read_database("SELECT event_id, revenue, ts FROM touchpoints WHERE event_id LIKE 'edge-%' ORDER BY 1", connection)
    equal(frame["revenue"].to_list(), [None, Decimal("19.9000"), Decimal("12345678901234.5678"), Decimal("-0.5000"), Decimal("-7.0000")])


if __name__ == "__main__":
    suite.main()
