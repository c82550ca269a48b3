"""SQLAlchemy: reflection, expressions, streaming; pandas on top; what Superset asks through it."""

from datetime import datetime
from decimal import Decimal

import pandas
import sqlalchemy
from sqlalchemy import MetaData, Table, bindparam, create_engine, func, inspect, literal, select, text, types

from suite import EDGE_ROWS, ROWS, UTC, Suite, equal

suite = Suite()


def engine(server, driver="psycopg2", **more):
    return create_engine(server.url(f"postgresql+{driver}"), **more)


def dialect(driver):
    def run(server):
        made = engine(server, driver)
        with made.connect() as connection:
            assert made.dialect.server_version_info >= (12,), made.dialect.server_version_info
            equal(made.dialect.default_schema_name, "public")
            equal(connection.execute(text("SELECT count(*) FROM touchpoints WHERE event = :event"), {"event": "purchase"}).scalar(), 2)
        made.dispose()

    return run


for _driver in ("psycopg", "psycopg2"):
    suite.case(f"connect_{_driver}", dialect(_driver))


@suite.check
def connect_asyncpg(server):
    import asyncio

    from sqlalchemy.ext.asyncio import create_async_engine

    async def body():
        made = create_async_engine(server.url("postgresql+asyncpg"))
        async with made.connect() as connection:
            found = await connection.execute(text("SELECT count(*) FROM touchpoints WHERE event = :event"), {"event": "purchase"})
            equal(found.scalar(), 2)
        await made.dispose()

    asyncio.run(body())


@suite.check
def names(server):
    look = inspect(engine(server))
    assert "public" in look.get_schema_names()
    assert "information_schema" in look.get_schema_names()
    assert "touchpoints" in look.get_table_names()
    assert "touchpoints" in look.get_table_names(schema="public")
    equal(look.has_table("touchpoints"), True)
    equal(look.has_table("no_such"), False)
    equal(look.get_materialized_view_names(), [])
    equal(look.get_temp_table_names(), [])
    equal(look.get_sequence_names(), [])


@suite.check
def columns(server):
    found = {column["name"]: column for column in inspect(engine(server)).get_columns("touchpoints")}
    equal(list(found)[:6], ["event_id", "user_id", "anonymous_id", "ts", "received_at", "event"])
    assert isinstance(found["user_id"]["type"], types.TEXT)
    assert isinstance(found["score"]["type"], types.DOUBLE_PRECISION)
    assert isinstance(found["ts"]["type"], types.TIMESTAMP) and found["ts"]["type"].timezone
    assert isinstance(found["revenue"]["type"], types.NUMERIC)
    equal((found["revenue"]["type"].precision, found["revenue"]["type"].scale), (18, 4))
    equal([found[name]["nullable"] for name in ("user_id", "ts", "event", "channel")], [False, False, False, True])
    equal(found["user_id"]["default"], None)


@suite.check
def keys_and_comments(server):
    look = inspect(engine(server))
    equal(look.get_pk_constraint("touchpoints")["constrained_columns"], [])
    equal(look.get_foreign_keys("touchpoints"), [])
    equal(look.get_unique_constraints("touchpoints"), [])
    equal(look.get_check_constraints("touchpoints"), [])
    equal(look.get_indexes("touchpoints"), [])
    assert "text" in look.get_table_comment("touchpoints")
    equal(look.get_enums() if hasattr(look, "get_enums") else [], [])


@suite.check
def missing_table(server):
    try:
        inspect(engine(server)).get_columns("no_such")
    except sqlalchemy.exc.NoSuchTableError:
        return
    raise AssertionError("no NoSuchTableError")


@suite.check
def view(server):
    made = engine(server)
    with made.begin() as connection:
        connection.execute(text("DROP VIEW IF EXISTS alchemy_view"))
        connection.execute(text("CREATE VIEW alchemy_view AS SELECT event, count(*) AS n FROM touchpoints GROUP BY event"))
    look = inspect(made)
    try:
        assert "alchemy_view" in look.get_view_names()
        assert "alchemy_view" not in look.get_table_names()
        assert "touchpoints" in look.get_view_definition("alchemy_view")
        equal([(c["name"], str(c["type"])) for c in look.get_columns("alchemy_view")], [("event", "TEXT"), ("n", "BIGINT")])
    finally:
        with made.begin() as connection:
            connection.execute(text("DROP VIEW alchemy_view"))


@suite.check
def reflect_table(server):
    table = Table("touchpoints", MetaData(), autoload_with=engine(server))
    with engine(server).connect() as connection:
        query = (select(table.c.event, func.count().label("n"), func.sum(table.c.revenue).label("money"))
                 .where(table.c.event_id.like("edge-%"), table.c.ts >= datetime(2026, 1, 1, tzinfo=UTC))
                 .group_by(table.c.event).order_by(table.c.event))
        equal([tuple(row) for row in connection.execute(query)][1:], [("page_view", 1, None), ("purchase", 2, Decimal("12345678901254.4678"))])


@suite.check
def reflect_all(server):
    data = MetaData()
    data.reflect(bind=engine(server), schema="public", views=True)
    assert "public.touchpoints" in data.tables


@suite.check
def expressions(server):
    table = Table("touchpoints", MetaData(), autoload_with=engine(server))
    day = func.date_trunc("day", table.c.ts).label("day")
    query = select(day, func.count(table.c.user_id.distinct()).label("people")).where(table.c.event.in_(["purchase", "refund"])).group_by(day).order_by(day).limit(2).offset(1)
    ranked = select(table.c.event_id, func.row_number().over(partition_by=table.c.user_id, order_by=table.c.ts.desc()).label("n")).where(table.c.event_id.like("edge-%")).subquery()
    with engine(server).connect() as connection:
        equal([tuple(row) for row in connection.execute(query)], [(datetime(2026, 1, 1, tzinfo=UTC), 1), (datetime(2026, 3, 29, tzinfo=UTC), 1)])
        equal(connection.execute(select(func.count()).select_from(ranked).where(ranked.c.n == 1)).scalar(), 4)
        equal(connection.execute(select(literal(1), literal("a"), literal(Decimal("1.5")), literal(True))).one()[:], (1, "a", Decimal("1.5"), True))
        equal(connection.execute(select(func.count()).where(table.c.user_id.in_(bindparam("ids", expanding=True))), {"ids": ["edge-a", "edge-b"]}).scalar(), 3)
        cte = select(table.c.user_id).where(table.c.event == "refund").cte("r")
        equal(connection.execute(select(func.count()).select_from(table.join(cte, cte.c.user_id == table.c.user_id))).scalar(), 1)
        equal(connection.execute(select(func.extract("year", table.c.ts)).where(table.c.event_id == "edge-1")).scalar(), Decimal(2026))
        equal(connection.execute(select(func.max(table.c.score).filter(table.c.event == "purchase"))).scalar(), 1e300)


@suite.check
def stream_results(server):
    for driver in ("psycopg", "psycopg2"):
        with engine(server, driver).connect() as connection:
            result = connection.execution_options(stream_results=True, max_row_buffer=1000).execute(text("SELECT user_id, ts FROM touchpoints"))
            equal(sum(1 for _ in result), ROWS)


@suite.check
def transactions(server):
    with engine(server).connect() as connection:
        with connection.begin():
            nested = connection.begin_nested()
            try:
                connection.execute(text("SELECT no_such"))
            except sqlalchemy.exc.ProgrammingError as error:
                equal(error.orig.pgcode, "42703")
            nested.rollback()
            equal(connection.execute(text("SELECT 1")).scalar(), 1)
    with engine(server, isolation_level="AUTOCOMMIT").connect() as connection:
        equal(connection.execute(text("SELECT 1")).scalar(), 1)
    with engine(server, isolation_level="REPEATABLE READ").connect() as connection:
        equal(connection.get_isolation_level(), "REPEATABLE READ")


@suite.check
def pool_and_ping(server):
    made = engine(server, pool_pre_ping=True, pool_size=2)
    for _ in range(5):
        with made.connect() as connection:
            equal(connection.execute(text("SELECT 1")).scalar(), 1)


@suite.check
def pandas_read_sql(server):
    frame = pandas.read_sql_query(text("SELECT event_id, ts, revenue, score FROM touchpoints WHERE event_id LIKE 'edge-%' ORDER BY event_id"), engine(server))
    equal(len(frame), EDGE_ROWS)
    equal(str(frame.dtypes["ts"]).startswith("datetime64["), True)
    equal(frame["score"][1].item(), 0.1)
    equal(frame["ts"][1].isoformat(), "2026-01-01T10:05:00.000001+00:00")


@suite.check
def pandas_read_table(server):
    frame = pandas.read_sql_table("touchpoints", engine(server), schema="public", columns=["user_id", "event"])
    equal(frame.shape, (ROWS, 2))


@suite.check
def pandas_chunks(server):
    with engine(server).connect().execution_options(stream_results=True) as connection:
        equal(sum(len(part) for part in pandas.read_sql_query(text("SELECT * FROM touchpoints"), connection, chunksize=5000)), ROWS)


if __name__ == "__main__":
    suite.main()
