"""asyncpg: types in binary, introspection of types, prepared statements, cursors, COPY, pools."""

import asyncio
import io
import json
import uuid
from datetime import date, datetime, time, timedelta
from decimal import Decimal

import asyncpg

from suite import ROWS, SECONDS_PER_CHECK, UTC, Suite, equal

suite = Suite()


async def connect(server, **more):
    return await asyncpg.connect(host=server.host, port=server.port, user=server.user, database=server.database,
                                 password=server.password or None, timeout=10, **more)


def check(function):
    """Declares a check that takes an open connection."""

    def run(server):
        async def body():
            connection = await connect(server)
            try:
                await function(connection, server)
            finally:
                await asyncio.wait_for(connection.close(), 5)

        asyncio.run(asyncio.wait_for(body(), SECONDS_PER_CHECK - 2))

    suite.case(function.__name__, run)
    return function


async def fails(awaitable, kind, code):
    try:
        await awaitable
    except kind as error:
        equal(error.sqlstate, code)
        return error
    raise AssertionError(f"no {kind.__name__}")


@check
async def version(connection, _server):
    assert connection.get_server_version().major >= 12
    equal(connection.get_settings().server_encoding, "UTF8")
    assert connection.get_server_pid() > 0


VALUES = [
    ("int2", -5), ("int4", 7), ("int8", 2**62), ("float4", 0.5), ("float8", 0.1), ("numeric", Decimal("12345678901234.5678")),
    ("bool", True), ("text", "käuf 😀"), ("varchar", "a"), ("bytea", b"\x00\xff"), ("date", date(2026, 3, 29)), ("time", time(23, 59, 59, 999999)),
    ("timestamp", datetime(2026, 3, 29, 1, 0, 0, 1)), ("timestamptz", datetime(2026, 3, 29, 0, 59, 59, 999999, UTC)),
    ("interval", timedelta(days=3, hours=4, microseconds=5)), ("uuid", uuid.UUID(int=77)), ("json", '{"a":[1,null]}'), ("jsonb", '{"a": [1, null]}'),
    ("int4[]", [1, None, 3]), ("text[]", ["a", 'd"', None]), ("float8[]", [0.5]), ("timestamptz[]", [datetime(2026, 1, 1, tzinfo=UTC)]),
    ("numeric[]", [Decimal("1.50")]), ("int8[]", []), ("bool[]", [True]), ("date[]", [date(2026, 1, 1)]),
]


def round_trip(kind, value):
    # asyncpg asks the catalog for the types of arrays: a server that answers wrong is asked again and again.
    async def run(connection, _server):
        asked = connection.fetchval(f"SELECT $1::{kind}", value)
        found = await asyncio.wait_for(asked, 4)
        if kind.startswith("uuid"):
            equal(str(found), str(value))
        else:
            equal(found, value)
        equal(await connection.fetchval(f"SELECT $1::{kind}", None), None)

    run.__name__ = f"param_{kind}"
    return run


for _kind, _value in VALUES:
    check(round_trip(_kind, _value))


@check
async def record(connection, _server):
    row = await connection.fetchrow("SELECT user_id, ts, revenue, score FROM touchpoints WHERE event_id = $1", "edge-2")
    equal(dict(row), {"user_id": "edge-a", "ts": datetime(2026, 1, 1, 10, 5, 0, 1, UTC), "revenue": Decimal("19.9000"), "score": 0.1})


@check
async def parameters_with_column_types(connection, _server):
    count = await connection.fetchval("SELECT count(*) FROM touchpoints WHERE ts >= $1 AND ts < $2 AND event = $3", datetime(2026, 1, 1, tzinfo=UTC),
                                      datetime(2027, 1, 1, tzinfo=UTC), "purchase")
    equal(count, 2)
    equal(await connection.fetchval("SELECT count(*) FROM touchpoints WHERE event = ANY($1)", ["purchase", "refund"]), 3)
    equal(await connection.fetchval("SELECT count(*) FROM touchpoints WHERE revenue > $1 AND score < $2", Decimal("0.5"), 1.0), 1)
    equal(await connection.fetchval("SELECT count(*) FROM touchpoints WHERE ts > $1::timestamptz - $2::interval AND ts < '2026-06-01'",
                                    datetime(2026, 3, 29, 2, tzinfo=UTC), timedelta(hours=2)), 2)
    equal(len(await connection.fetch("SELECT 1 FROM touchpoints LIMIT $1 OFFSET $2", 7, 3)), 7)


@check
async def prepared_statement(connection, _server):
    statement = await connection.prepare("SELECT event, count(*) AS n FROM touchpoints WHERE ts >= $1 AND user_id <> $2 GROUP BY event ORDER BY n DESC, event")
    equal([p.name for p in statement.get_parameters()], ["timestamptz", "text"])
    equal([(a.name, a.type.name) for a in statement.get_attributes()], [("event", "text"), ("n", "int8")])
    for day in (1, 2, 3):
        rows = await statement.fetch(datetime(2026, 1, day, tzinfo=UTC), "nobody")
        assert rows, day
    assert statement.get_statusmsg().startswith("SELECT")


@check
async def statement_cache(connection, _server):
    for number in range(50):
        equal(await connection.fetchval("SELECT $1::int4 + 1", number), number + 1)
        equal(await connection.fetchval(f"SELECT $1::int4 + {number}", 1), number + 1)


@check
async def cursor(connection, _server):
    async with connection.transaction():
        found = 0
        async for _ in connection.cursor("SELECT user_id, ts FROM touchpoints WHERE user_id <> $1", "nobody", prefetch=500):
            found += 1
        equal(found, ROWS)
        cursor = await connection.cursor("SELECT n FROM generate_series(1, 100) AS t(n)")
        equal([row["n"] for row in await cursor.fetch(5)], [1, 2, 3, 4, 5])
        await cursor.forward(10)
        equal((await cursor.fetchrow())["n"], 16)


@check
async def large_result(connection, _server):
    equal(len(await connection.fetch("SELECT * FROM touchpoints")), ROWS)


@check
async def copy_from_table(connection, _server):
    output = io.BytesIO()
    equal(await connection.copy_from_table("touchpoints", columns=["event_id", "event"], output=output), f"COPY {ROWS}")
    equal(output.getvalue().count(b"\n"), ROWS)


@check
async def copy_from_query(connection, _server):
    output = io.BytesIO()
    await connection.copy_from_query("SELECT event_id, revenue FROM touchpoints WHERE event_id LIKE $1 ORDER BY 1", "edge-%", output=output, format="csv", header=True)
    equal(output.getvalue().decode(), "event_id,revenue\nedge-1,\nedge-2,19.9000\nedge-3,12345678901234.5678\nedge-4,-0.5000\nedge-5,-7.0000\n")


@check
async def copy_binary(connection, _server):
    output = io.BytesIO()
    await connection.copy_from_query("SELECT 1::int4, 'a'::text", output=output, format="binary")
    equal(output.getvalue(), b"PGCOPY\n\xff\r\n\x00" + bytes(8) + b"\x00\x02\x00\x00\x00\x04\x00\x00\x00\x01\x00\x00\x00\x01a\xff\xff")


@check
async def json_codec(connection, _server):
    await connection.set_type_codec("json", encoder=json.dumps, decoder=json.loads, schema="pg_catalog")
    equal(await connection.fetchval("SELECT $1::json", {"a": [1]}), {"a": [1]})


@check
async def codec_of_array(connection, _server):
    await connection.set_type_codec("numeric", encoder=str, decoder=float, schema="pg_catalog", format="text")
    equal(await connection.fetchval("SELECT ARRAY[1.5, 2]::numeric[]"), [1.5, 2.0])


@check
async def introspection_of_unknown_types(connection, _server):
    found = await connection.fetchval("SELECT 'pg_class'::regclass")
    equal(found, "pg_class")
    equal(await connection.fetchval("SELECT ARRAY['a'::name]"), ["a"])


@check
async def errors(connection, _server):
    await fails(connection.fetch("SELECT no_such FROM touchpoints"), asyncpg.UndefinedColumnError, "42703")
    await fails(connection.fetch("SELECT 1 FROM no_such"), asyncpg.UndefinedTableError, "42P01")
    await fails(connection.fetch("SELECT 1 / $1::int4", 0), asyncpg.DivisionByZeroError, "22012")
    await fails(connection.execute("SELEC 1"), asyncpg.PostgresSyntaxError, "42601")
    equal(await connection.fetchval("SELECT 1"), 1)


@check
async def transactions(connection, _server):
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        equal(await connection.fetchval("SELECT count(*) FROM touchpoints"), ROWS)
        try:
            async with connection.transaction():
                await connection.fetch("SELECT no_such")
        except asyncpg.UndefinedColumnError:
            pass
        equal(await connection.fetchval("SELECT 1"), 1)
    assert not connection.is_in_transaction()


@check
async def timeout_of_client(connection, _server):
    try:
        await connection.fetch("SELECT sum(n) FROM generate_series(1, 1000000000000) AS t(n)", timeout=0.5)
    except asyncio.TimeoutError:
        pass
    else:
        raise AssertionError("no timeout")
    equal(await connection.fetchval("SELECT 1"), 1)


@check
async def timeout_of_server(connection, _server):
    await connection.execute("SET statement_timeout = '300ms'")
    await fails(connection.fetch("SELECT sum(n) FROM generate_series(1, 1000000000000) AS t(n)"), asyncpg.QueryCanceledError, "57014")
    await connection.execute("SET statement_timeout = 0")
    equal(await connection.fetchval("SELECT 1"), 1)


@check
async def reset(connection, _server):
    await connection.execute("SET timezone = 'Asia/Tokyo'")
    equal(connection.get_settings().TimeZone, "Asia/Tokyo")
    await connection.reset()
    assert connection.get_settings().TimeZone != "Asia/Tokyo"


@check
async def executemany_in_a_transaction(connection, _server):
    await connection.executemany("SELECT $1::int4", [(1,), (2,), (3,)])
    equal(await connection.fetchval("SELECT 2"), 2)


@check
async def server_settings(_connection, server):
    other = await connect(server, server_settings={"application_name": "suite", "timezone": "Europe/Berlin", "jit": "off"})
    equal(await other.fetchval("SHOW timezone"), "Europe/Berlin")
    equal(await other.fetchval("SHOW application_name"), "suite")
    await other.close()


@check
async def pool(_connection, server):
    async with asyncpg.create_pool(host=server.host, port=server.port, user=server.user, database=server.database, password=server.password or None,
                                   min_size=2, max_size=4) as pool:
        found = await asyncio.gather(*(pool.fetchval("SELECT $1::int8 FROM touchpoints WHERE event_id = 'edge-1'", n) for n in range(40)))
        equal(found, list(range(40)))


if __name__ == "__main__":
    suite.main()
