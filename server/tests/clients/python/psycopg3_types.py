"""psycopg 3: parameters and results of every type, text and binary; names and types of columns."""

import uuid
from datetime import date, datetime, time as clock, timedelta, timezone
from decimal import Decimal

import psycopg
from psycopg.types.json import Json, Jsonb

from suite import ROWS, UTC, Suite, connect3 as connect, equal

suite = Suite()


VALUES = [
    ("int2", 12345), ("int4", -2147483648), ("int8", 9223372036854775807),
    ("float4", 0.5), ("float8", 0.1), ("float8_nan", float("nan")), ("float8_inf", float("-inf")),
    ("numeric", Decimal("12345678901234.5678")), ("numeric_small", Decimal("-0.0001")),
    ("bool", True), ("text", "käuf 😀 'q' \\ \n\t"), ("varchar", "a"), ("bytea", b"\x00\xff\\'"),
    ("date", date(2026, 3, 29)), ("time", clock(23, 59, 59, 999999)),
    ("timestamp", datetime(2026, 3, 29, 1, 0, 0, 1)),
    ("timestamptz", datetime(2026, 3, 29, 0, 59, 59, 999999, UTC)),
    ("interval", timedelta(days=3, hours=4, microseconds=5)),
    ("uuid", uuid.UUID("12345678-1234-5678-1234-567812345678")),
    ("json", Json({"a": [1, None, "x"]})), ("jsonb", Jsonb({"a": [1, None, "x"]})),
    ("int4[]", [1, None, 3]), ("text[]", ["a", "b c", 'd"', None]), ("float8[]", [0.5, 1.5]), ("bool[]", [True, False]),
    ("timestamptz[]", [datetime(2026, 1, 1, tzinfo=UTC)]), ("numeric[]", [Decimal("1.50")]), ("date[]", [date(2026, 1, 1)]),
    ("uuid[]", [uuid.UUID(int=7)]),
]


def round_trip(name, value, binary):
    kind = name.split("_")[0]
    holder = "%b" if binary else "%t"

    def run(server):
        with connect(server) as connection:
            cursor = connection.cursor(binary=binary)
            found = cursor.execute(f"SELECT {holder}::{kind}", (value,)).fetchone()[0]
            expected = value.obj if isinstance(value, (Json, Jsonb)) else value
            if isinstance(found, datetime) and found.tzinfo:
                found = found.astimezone(UTC)
            if isinstance(found, list) and found and isinstance(found[0], datetime):
                found = [one.astimezone(UTC) for one in found]
            equal(found, expected)
            described = cursor.description[0].type_code
            base = kind.removesuffix("[]")
            info = psycopg.adapters.types[base]
            equal(described, info.array_oid if kind.endswith("[]") else info.oid)

    return run


for _name, _value in VALUES:
    for _binary in (False, True):
        suite.case(f"param_{_name}_{'binary' if _binary else 'text'}", round_trip(_name, _value, _binary))


LITERALS = [
    ("int2", "'7'::int2", 7), ("int4", "7", 7), ("int8", "7::bigint", 7), ("float4", "1.5::real", 1.5), ("float8", "0.1::double precision", 0.1),
    ("numeric", "1.50::numeric(10,2)", Decimal("1.50")), ("numeric_plain", "1.5", Decimal("1.5")), ("bool", "true", True),
    ("text", "'a'::text", "a"), ("unknown", "'a'", "a"), ("varchar", "'abc'::varchar(2)", "ab"), ("char", "'a'::char(3)", "a  "),
    ("bytea", "'\\x00ff'::bytea", b"\x00\xff"), ("date", "'2026-01-31'::date", date(2026, 1, 31)), ("date_word", "DATE '2026-01-31'", date(2026, 1, 31)),
    ("time", "'10:11:12.5'::time", clock(10, 11, 12, 500000)), ("timetz", "'10:11:12+02'::timetz", clock(10, 11, 12, tzinfo=timezone(timedelta(hours=2)))),
    ("timestamp", "TIMESTAMP '2026-01-31 10:00:00.000001'", datetime(2026, 1, 31, 10, 0, 0, 1)),
    ("timestamptz", "'2026-01-31 10:00:00+01'::timestamptz", datetime(2026, 1, 31, 9, tzinfo=UTC)),
    ("interval", "INTERVAL '1 day 02:03:04'", timedelta(days=1, hours=2, minutes=3, seconds=4)),
    ("interval_cast", "'90 minutes'::interval", timedelta(minutes=90)),
    ("uuid", "'12345678-1234-5678-1234-567812345678'::uuid", uuid.UUID("12345678-1234-5678-1234-567812345678")),
    ("json", "'{\"a\": 1}'::json", {"a": 1}), ("jsonb", "'{\"a\": 1}'::jsonb", {"a": 1}),
    ("int4_array", "ARRAY[1,2]", [1, 2]), ("text_array", "ARRAY['a','b']::text[]", ["a", "b"]), ("array_literal", "'{1,NULL,3}'::int4[]", [1, None, 3]),
    ("array_2d", "ARRAY[[1,2],[3,4]]", [[1, 2], [3, 4]]), ("array_empty", "'{}'::text[]", []),
    ("null", "NULL", None), ("null_int", "NULL::int4", None), ("null_timestamptz", "NULL::timestamptz", None),
    ("oid", "25::oid", 25), ("name", "'pg_class'::name", "pg_class"), ("regclass", "'pg_class'::regclass::text", "pg_class"), ("regtype", "'int4'::regtype::text", "integer"),
]


def literal(expression, expected, binary):
    def run(server):
        with connect(server) as connection:
            found = connection.execute(f"SELECT {expression}", binary=binary).fetchone()[0]
            if isinstance(found, datetime) and found.tzinfo:
                found = found.astimezone(UTC)
            equal(found, expected)

    return run


for _name, _expression, _value in LITERALS:
    for _binary in (False, True):
        suite.case(f"result_{_name}_{'binary' if _binary else 'text'}", literal(_expression, _value, _binary))


@suite.check
def numeric_precision(server):
    with connect(server) as connection:
        for binary in (False, True):
            row = connection.execute("SELECT 0.1 + 0.2, 1.0 / 3, 12345678901234567890.123456789::numeric, 1e-10::numeric, sum(revenue) FROM touchpoints", binary=binary).fetchone()
            equal(row[0], Decimal("0.3"))
            assert abs(row[1] * 3 - 1) < Decimal("1e-15"), row[1]
            equal(row[2], Decimal("12345678901234567890.123456789"))
            equal(row[3], Decimal("1e-10"))
            equal(row[4], Decimal("12345678901246.9678"))


@suite.check
def floats_exact(server):
    with connect(server) as connection:
        for value in (0.1, 1e300, 5e-324, 1.7976931348623157e308, -0.0, 123456789.123456789):
            equal(repr(connection.execute("SELECT %t::float8", (value,)).fetchone()[0]), repr(value))
            equal(repr(connection.execute("SELECT %b::float8", (value,), binary=True).fetchone()[0]), repr(value))


@suite.check
def names_of_columns(server):
    with connect(server) as connection:
        cursor = connection.execute("SELECT 1, 'a', count(*), sum(1), now(), 1 + 1, 1::text, CASE WHEN true THEN 1 END, current_date, coalesce(1, 2), upper('a')")
        equal([c.name for c in cursor.description],
              ["?column?", "?column?", "count", "sum", "now", "?column?", "text", "case", "current_date", "coalesce", "upper"])


@suite.check
def types_of_aggregates(server):
    with connect(server) as connection:
        cursor = connection.execute(
            "SELECT sum(1::int4), sum(1::int8), avg(1::int4), avg(0.5::float8), sum(revenue), avg(revenue), max(ts), count(*), min(user_id), "
            "bool_and(true), array_agg(1), string_agg('a', ','), stddev(1::int4) FROM touchpoints")
        equal([c.type_code for c in cursor.description], [20, 1700, 1700, 701, 1700, 1700, 1184, 20, 25, 16, 1007, 25, 1700])


@suite.check
def types_of_expressions(server):
    with connect(server) as connection:
        cursor = connection.execute(
            "SELECT 1 + 1, 1 / 2, 1.5 * 2, extract(year FROM ts), date_trunc('day', ts), ts - ts, ts::date, ts::date - ts::date, length('a'), "
            "'a' || 'b', 1 > 0, now(), current_date, round(1.5), ts + interval '1 day', date_part('year', ts), floor(1.5), abs(-1), "
            "row_number() OVER (), 5 % 3, position('a' IN 'ba') FROM touchpoints LIMIT 1")
        equal([c.type_code for c in cursor.description],
              [23, 23, 1700, 1700, 1184, 1186, 1082, 23, 23, 25, 16, 1184, 1082, 1700, 1184, 701, 1700, 23, 20, 23, 23])
        row = cursor.fetchone()
        equal(row[:3], (2, 0, Decimal("3.0")))


@suite.check
def description_of_columns(server):
    with connect(server) as connection:
        cursor = connection.execute("SELECT user_id, ts, revenue, score, count(*) AS n FROM touchpoints GROUP BY 1, 2, 3, 4 LIMIT 0")
        equal([c.name for c in cursor.description], ["user_id", "ts", "revenue", "score", "n"])
        equal([c.type_code for c in cursor.description], [25, 1184, 1700, 701, 20])
        equal((cursor.description[2].precision, cursor.description[2].scale), (18, 4))


if __name__ == "__main__":
    suite.main()
