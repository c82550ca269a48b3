"""What Apache Superset does with a PostgreSQL database: its engine's reflection, its own statements, and its generated queries.

Superset speaks through SQLAlchemy with psycopg 2; the statements are those that its engine specification and its chart
queries come to.
"""

import re
import threading
from datetime import datetime

import pandas
import psycopg2
from sqlalchemy import create_engine, func, inspect, select, text
from sqlalchemy.engine.reflection import Inspector
from sqlalchemy.pool import NullPool
from sqlalchemy.sql import column, literal_column, table

from suite import ROWS, UTC, Suite, equal, raises

suite = Suite()


def engine(server):
    return create_engine(server.url("postgresql+psycopg2"), poolclass=NullPool)


def frame(server, statement):
    """As Superset fetches: a plain cursor, its description, the rows."""
    connection = engine(server).raw_connection()
    try:
        cursor = connection.cursor()
        cursor.execute(statement)
        return pandas.DataFrame(cursor.fetchall(), columns=[one[0] for one in cursor.description])
    finally:
        connection.close()


@suite.check
def test_of_connection(server):
    made = engine(server)
    with made.connect() as connection:
        assert made.dialect.do_ping(connection.connection.dbapi_connection)


@suite.check
def catalogs(server):
    found = frame(server, "SELECT datname FROM pg_database WHERE datistemplate = false")
    assert server.database in set(found["datname"]), found


@suite.check
def schemas_and_tables(server):
    look: Inspector = inspect(engine(server))
    assert "public" in look.get_schema_names()
    assert "touchpoints" in set(look.get_table_names("public")) | set(look.get_foreign_table_names("public"))
    assert isinstance(look.get_view_names("public"), list)
    assert isinstance(look.get_materialized_view_names("public"), list)


@suite.check
def columns_of_a_table(server):
    look = inspect(engine(server))
    found = {one["name"]: str(one["type"].compile(engine(server).dialect)) for one in look.get_columns("touchpoints", "public")}
    equal([found[name] for name in ("event", "ts", "revenue", "score")], ["TEXT", "TIMESTAMP WITH TIME ZONE", "NUMERIC(18, 4)", "DOUBLE PRECISION"])
    equal((look.get_indexes("touchpoints", "public"), look.get_pk_constraint("touchpoints", "public")["constrained_columns"], look.get_foreign_keys("touchpoints", "public")), ([], [], []))
    look.get_table_comment("touchpoints", "public")


@suite.check
def virtual_dataset(server):
    found = frame(server, "SELECT * FROM (SELECT event, ts, revenue FROM touchpoints WHERE event_id LIKE 'edge-%') AS virtual_table LIMIT 1")
    equal(list(found.columns), ["event", "ts", "revenue"])


GRAINS = {
    "second": "DATE_TRUNC('second', ts)", "minute": "DATE_TRUNC('minute', ts)", "hour": "DATE_TRUNC('hour', ts)", "day": "DATE_TRUNC('day', ts)", "week": "DATE_TRUNC('week', ts)",
    "month": "DATE_TRUNC('month', ts)", "quarter": "DATE_TRUNC('quarter', ts)", "year": "DATE_TRUNC('year', ts)",
    "five_minutes": "DATE_TRUNC('minute', ts) - INTERVAL '1 second' * (CAST(EXTRACT(MINUTE FROM ts) AS INTEGER) % 5 * 60)",
    "week_of_sunday": "DATE_TRUNC('week', ts + INTERVAL '1 day') - INTERVAL '1 day'",
}
BEGINS = {"second": "2026-01-01 10:05:00", "minute": "2026-01-01 10:05:00", "hour": "2026-01-01 10:00:00", "day": "2026-01-01", "week": "2025-12-29", "month": "2026-01-01", "quarter": "2026-01-01",
          "year": "2026-01-01", "five_minutes": "2026-01-01 10:05:00", "week_of_sunday": "2025-12-28"}


def grain(name):
    def run(server):
        found = frame(server, f"SELECT {GRAINS[name]} AS __timestamp, COUNT(*) AS count FROM public.touchpoints WHERE event_id = 'edge-2' "
                              f"AND ts >= TO_TIMESTAMP('2025-01-01 00:00:00.000000', 'YYYY-MM-DD HH24:MI:SS.US') AND ts < TO_TIMESTAMP('2027-01-01 00:00:00.000000', 'YYYY-MM-DD HH24:MI:SS.US') "
                              f"GROUP BY {GRAINS[name]} ORDER BY count DESC LIMIT 1000")
        equal(found["__timestamp"][0].to_pydatetime().astimezone(UTC), datetime.fromisoformat(BEGINS[name]).replace(tzinfo=UTC))

    return run


for _name in GRAINS:
    suite.case(f"grain_{_name}", grain(_name))


@suite.check
def filter_values(server):
    equal(len(frame(server, 'SELECT event AS event FROM public.touchpoints GROUP BY event ORDER BY event ASC LIMIT 1000')), 17)


@suite.check
def series_limited_by_subquery(server):
    found = frame(server, "SELECT DATE_TRUNC('month', ts) AS __timestamp, event AS event, COUNT(*) AS n FROM public.touchpoints "
                          "JOIN (SELECT event AS event__, COUNT(*) AS mme_inner__ FROM public.touchpoints GROUP BY event ORDER BY mme_inner__ DESC LIMIT 2) AS anon_1 ON event = event__ "
                          "GROUP BY DATE_TRUNC('month', ts), event ORDER BY n DESC LIMIT 5000")
    equal(sorted(set(found["event"])), ["catalog", "main"])


@suite.check
def metrics(server):
    found = frame(server, "SELECT COUNT(DISTINCT user_id) AS \"COUNT_DISTINCT(user_id)\", SUM(revenue) AS \"SUM(revenue)\", AVG(score) AS \"AVG(score)\", MIN(ts) AS first, "
                          "SUM(CASE WHEN event = 'purchase' THEN 1 ELSE 0 END)::float / COUNT(*) AS share FROM public.touchpoints WHERE event_id NOT LIKE 'edge-%' HAVING ((COUNT(*) > 10))")
    equal(int(found["COUNT_DISTINCT(user_id)"][0]), 3751)


@suite.check
def expressions_of_sqlalchemy(server):
    source = table("touchpoints", column("event"), column("ts"), column("event_id"), schema="public")
    query = select(func.date_trunc("day", source.c.ts).label("day"), literal_column("COUNT(*)").label("n")).where(source.c.event_id.like("edge-%")).group_by(literal_column("1")).order_by(literal_column("n DESC"))
    sql = str(query.compile(engine(server), compile_kwargs={"literal_binds": True}))
    equal(int(frame(server, sql.replace("%%", "%"))["n"].sum()), 5)


@suite.check
def estimate_of_cost(server):
    found = frame(server, "EXPLAIN SELECT * FROM public.touchpoints")
    match = re.search(r"cost=([\d\.]+)\.\.([\d\.]+)", found["QUERY PLAN"][0])
    assert match, found["QUERY PLAN"][0]


@suite.check
def cancelling_a_query(server):
    made = create_engine(server.url("postgresql+psycopg2"), connect_args={"options": "-cstatement_timeout=8s"}, poolclass=NullPool)
    connection = made.raw_connection()
    cursor = connection.cursor()
    cursor.execute("SELECT pg_backend_pid()")
    pid = cursor.fetchone()[0]
    # Superset ends the whole session.
    timer = threading.Timer(0.6, frame, (server, f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid='{pid}'"))
    timer.start()
    raises(psycopg2.OperationalError, cursor.execute, "SELECT sum(n) FROM generate_series(1, 1000000000000) AS t(n)")
    timer.join()


@suite.check
def search_path_of_a_schema(server):
    made = create_engine(server.url("postgresql+psycopg2"), connect_args={"options": "-csearch_path=public"}, poolclass=NullPool)
    with made.connect() as connection:
        equal(connection.execute(text("SELECT count(*) FROM touchpoints")).scalar(), ROWS)
        equal(connection.execute(text("SHOW search_path")).scalar(), "public")


if __name__ == "__main__":
    suite.main()
