"""SQL as PostgreSQL has it, sent by psycopg 3: one value each."""

from suite import ROWS, Suite, connect3 as connect, equal

suite = Suite()


SQL = [
    ("date_trunc_zone", "SELECT date_trunc('day', '2026-03-29 23:30:00+00'::timestamptz, 'Europe/Berlin')::text", "2026-03-29 22:00:00+00"),
    ("date_bin", "SELECT date_bin('15 minutes', '2026-01-01 10:17:00'::timestamp, '2026-01-01'::timestamp)::text", "2026-01-01 10:15:00"),
    ("to_char_time", "SELECT to_char('2026-01-05 14:03:09'::timestamp, 'YYYY-MM-DD HH24:MI:SS Dy')", "2026-01-05 14:03:09 Mon"),
    ("to_char_number", "SELECT to_char(1234.5, 'FM9,999.00')", "1,234.50"),
    ("to_timestamp", "SELECT to_timestamp('05 Jan 2026', 'DD Mon YYYY')::text", "2026-01-05 00:00:00+00"),
    ("to_timestamp_epoch", "SELECT to_timestamp(1.5)::text", "1970-01-01 00:00:01.5+00"),
    ("extract_epoch", "SELECT extract(epoch FROM '2026-01-01 00:00:00.5+00'::timestamptz)::text", "1767225600.500000"),
    ("extract_isodow", "SELECT extract(isodow FROM DATE '2026-01-04')::text", "7"),
    ("age", "SELECT age('2026-03-01'::timestamp, '2025-01-15'::timestamp)::text", "1 year 1 mon 17 days"),
    ("filter", "SELECT count(*) FILTER (WHERE event = 'purchase')::text FROM touchpoints", "2"),
    ("percentile", "SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY n)::text FROM generate_series(1, 4) AS t(n)", "2.5"),
    ("percentile_disc", "SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY n)::text FROM generate_series(1, 4) AS t(n)", "2"),
    ("mode", "SELECT mode() WITHIN GROUP (ORDER BY event) FROM touchpoints", "catalog"),
    ("string_agg", "SELECT string_agg(n::text, ',' ORDER BY n DESC) FROM generate_series(1, 3) AS t(n)", "3,2,1"),
    ("array_agg", "SELECT array_agg(n ORDER BY n DESC)::text FROM generate_series(1, 3) AS t(n)", "{3,2,1}"),
    ("array_to_string", "SELECT array_to_string(ARRAY['a', NULL, 'b'], ',', '-')", "a,-,b"),
    ("unnest", "SELECT string_agg(x, '') FROM unnest(ARRAY['a', 'b']) AS x", "ab"),
    ("lateral", "SELECT string_agg(b.m::text, ',') FROM generate_series(1, 2) AS a(n), LATERAL (SELECT a.n * 10 AS m) AS b", "10,20"),
    ("grouping_sets", "SELECT count(*)::text FROM (SELECT event, channel, count(*) FROM touchpoints WHERE event_id LIKE 'edge-%' GROUP BY GROUPING SETS ((event), (channel), ())) t", "8"),
    ("rollup", "SELECT count(*)::text FROM (SELECT event, grouping(event) AS g FROM touchpoints WHERE event_id LIKE 'edge-%' GROUP BY ROLLUP (event)) t WHERE g = 1", "1"),
    ("zone_chain", "SELECT ('2026-03-29 03:30:00'::timestamp AT TIME ZONE 'Europe/Berlin' AT TIME ZONE 'UTC')::text", "2026-03-29 01:30:00"),
    ("ilike", "SELECT count(*)::text FROM touchpoints WHERE event ILIKE 'PUR%'", "2"),
    ("regex", "SELECT ('abc' ~ '^a.c$' AND 'ABC' ~* 'abc' AND 'abc' !~ 'x')::text", "true"),
    ("regexp_replace", "SELECT regexp_replace('aXbX', 'X', '-', 'g')", "a-b-"),
    ("regexp_match", "SELECT (regexp_match('ab12', '([a-z]+)(\\d+)'))[2]", "12"),
    ("similar", "SELECT ('abc' SIMILAR TO '(a|x)%')::text", "true"),
    ("json_arrow", "SELECT properties::json ->> 'a' FROM touchpoints WHERE event_id = 'edge-2'", "1"),
    ("json_path", "SELECT properties::json #>> '{b,c,2}' FROM touchpoints WHERE event_id = 'edge-2'", "x"),
    ("json_nested", "SELECT (properties::jsonb -> 'b' -> 'c' ->> 0) FROM touchpoints WHERE event_id = 'edge-2'", "true"),
    ("jsonb_contains", "SELECT (properties::jsonb @> '{\"a\": 1}')::text FROM touchpoints WHERE event_id = 'edge-2'", "true"),
    ("jsonb_text", "SELECT '{\"b\":1, \"a\" : 2}'::jsonb::text", '{"a": 2, "b": 1}'),
    ("json_build", "SELECT json_build_object('a', 1, 'b', NULL)::text", '{"a" : 1, "b" : null}'),
    ("row_to_json", "SELECT row_to_json(t)::text FROM (SELECT 1 AS a, 'x' AS b) t", '{"a":1,"b":"x"}'),
    ("json_agg", "SELECT json_agg(n)::text FROM generate_series(1, 3) AS t(n)", "[1, 2, 3]"),
    ("distinct_on", "SELECT string_agg(event_id, ',') FROM (SELECT DISTINCT ON (user_id) event_id FROM touchpoints WHERE user_id = 'edge-a' ORDER BY user_id, ts DESC) t", "edge-2"),
    ("window", "SELECT lag(event) OVER (PARTITION BY user_id ORDER BY ts) FROM touchpoints WHERE user_id = 'edge-a' ORDER BY ts DESC LIMIT 1", "page_view"),
    ("recursive", "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < 10) SELECT sum(n)::text FROM t", "55"),
    ("values", "SELECT string_agg(column2, '') FROM (VALUES (1, 'a'), (2, 'b')) AS t", "ab"),
    ("in_subquery", "SELECT count(*)::text FROM touchpoints WHERE user_id IN (SELECT user_id FROM touchpoints WHERE event = 'refund')", "1"),
    ("exists", "SELECT count(*)::text FROM touchpoints a WHERE event_id LIKE 'edge-%' AND EXISTS (SELECT 1 FROM touchpoints b WHERE b.user_id = a.user_id AND b.event = 'purchase')", "3"),
    ("series_time", "SELECT count(*)::text FROM generate_series('2026-01-01'::timestamptz, '2026-01-03'::timestamptz, interval '1 hour') AS t(h)", "49"),
    ("integer_division", "SELECT (7 / 2)::text || (-7 / 2)::text || (7 % -3)::text", "3-31"),
    ("round_numeric", "SELECT round(2.5)::text || ',' || round(1.005, 2)::text", "3,1.01"),
    ("round_float", "SELECT round(2.5::float8)::text", "2"),
    ("cast_float_text", "SELECT (1.0::float8)::text || ',' || (1e21::float8)::text", "1,1e+21"),
    ("cast_bool_text", "SELECT true::text || false::text", "truefalse"),
    ("cast_int_bool", "SELECT 1::bool::text || 't'::bool::text", "truetrue"),
    ("concat_ws", "SELECT concat_ws('-', 'a', NULL, 1)", "a-1"),
    ("split_part", "SELECT split_part('a,b,c', ',', -1)", "c"),
    ("substring_from", "SELECT substring('abcdef' FROM 2 FOR 3)", "bcd"),
    ("overlay", "SELECT overlay('abcdef' PLACING 'X' FROM 2 FOR 3)", "aXef"),
    ("trim_forms", "SELECT trim(BOTH 'x' FROM 'xax') || ltrim('  a') || rtrim('a  ')", "aaa"),
    ("lpad", "SELECT lpad('5', 3, '0')", "005"),
    ("format", "SELECT format('%s-%I-%L', 1, 'A b', 'x')", "1-\"A b\"-'x'"),
    ("quote_ident", "SELECT quote_ident('A b') || quote_literal('a''b')", "\"A b\"'a''b'"),
    ("md5", "SELECT md5('a')", "0cc175b9c0f1b6a831c399e269772661"),
    ("encode", "SELECT encode('abc'::bytea, 'hex') || encode('abc'::bytea, 'base64')", "616263YWJj"),
    ("interval_text", "SELECT (interval '1 year 2 months 3 days 04:05:06.5')::text", "1 year 2 mons 3 days 04:05:06.5"),
    ("interval_arithmetic", "SELECT (interval '1 hour' * 1.5 + interval '1 day' / 2)::text", "13:30:00"),
    ("interval_month_end", "SELECT ('2026-01-31'::date + interval '1 month')::date::text", "2026-02-28"),
    ("date_minus_int", "SELECT ('2026-03-01'::date - 1)::text", "2026-02-28"),
    ("timestamp_difference", "SELECT ('2026-03-01'::timestamp - '2026-01-01 12:00'::timestamp)::text", "58 days 12:00:00"),
    ("greatest", "SELECT greatest(1, NULL, 3)::text || least(2, NULL, 5)::text", "32"),
    ("nulls_last", "SELECT string_agg(coalesce(n::text, '-'), '') FROM (SELECT n FROM (VALUES (2), (NULL), (1)) AS t(n) ORDER BY n DESC) t", "-21"),
    ("width_bucket", "SELECT width_bucket(5.5, 0, 10, 5)::text", "3"),
    ("corr", "SELECT corr(n, n * 2)::text FROM generate_series(1, 10) AS t(n)", "1"),
    ("between_symmetric", "SELECT (2 BETWEEN SYMMETRIC 3 AND 1)::text", "true"),
    ("is_distinct", "SELECT (NULL IS DISTINCT FROM 1)::text", "true"),
    ("case_folding", 'SELECT "A" FROM (SELECT \'x\' AS "A", \'y\' AS a) t', "x"),
    ("ordinality", "SELECT string_agg(x || o, ',') FROM unnest(ARRAY['a','b']) WITH ORDINALITY AS t(x, o)", "a1,b2"),
    ("make_interval", "SELECT make_interval(days => 3)::text", "3 days"),
    ("make_date", "SELECT make_date(2026, 2, 3)::text", "2026-02-03"),
    ("justify", "SELECT justify_interval(interval '35 days 25 hours')::text", "1 mon 6 days 01:00:00"),
    ("array_subscript", "SELECT (ARRAY[10, 20, 30])[2]::text || (ARRAY[1,2,3])[2:3]::text", "20{2,3}"),
    ("array_any", "SELECT (2 = ANY(ARRAY[1, 2]))::text || (2 = ALL(ARRAY[2]))::text", "truetrue"),
    ("array_length", "SELECT array_length(ARRAY[1, 2], 1)::text || cardinality(ARRAY[1])::text", "21"),
    ("array_concat", "SELECT (ARRAY[1] || ARRAY[2] || 3)::text", "{1,2,3}"),
    ("numeric_scale_division", "SELECT (1.0 / 3)::text", "0.33333333333333333333"),
    ("avg_int", "SELECT avg(n)::text FROM generate_series(1, 2) AS t(n)", "1.5000000000000000"),
    ("fetch_first", "SELECT n::text FROM generate_series(5, 9) AS t(n) ORDER BY n OFFSET 1 ROWS FETCH FIRST 1 ROW ONLY", "6"),
    ("table_command", "SELECT count(*)::text FROM (TABLE touchpoints) t", str(ROWS)),
    ("pg_typeof", "SELECT pg_typeof(1)::text || pg_typeof(now())::text || pg_typeof(1.5)::text", "integertimestamp with time zonenumeric"),
    ("size_functions", "SELECT (pg_table_size('touchpoints') > 0 AND pg_database_size(current_database()) > 0)::text", "true"),
    ("size_pretty", "SELECT pg_size_pretty(10240::bigint)", "10 kB"),
    ("timezone_function", "SELECT timezone('Asia/Tokyo', '2026-01-01 00:00:00+00'::timestamptz)::text", "2026-01-01 09:00:00"),
    ("at_local_date", "SELECT ('2026-01-01 23:30:00+00'::timestamptz AT TIME ZONE 'Asia/Tokyo')::date::text", "2026-01-02"),
    ("overlaps", "SELECT ((DATE '2026-01-01', DATE '2026-02-01') OVERLAPS (DATE '2026-01-15', DATE '2026-03-01'))::text", "true"),
    ("row_compare", "SELECT ((1, 2) < (1, 3))::text", "true"),
    ("bit_and", "SELECT (5 & 3)::text || (5 | 3)::text || (5 # 3)::text || (1 << 4)::text", "17616"),
    ("power_operator", "SELECT (2 ^ 3)::text || (|/ 16)::text || (@ -5)::text", "845"),
    ("random_range", "SELECT (random() BETWEEN 0 AND 1)::text", "true"),
    ("gen_random_uuid", "SELECT length(gen_random_uuid()::text)::text", "36"),
    ("infinity_date", "SELECT 'infinity'::timestamptz::text", "infinity"),
    ("escape_like", "SELECT ('a%b' LIKE 'a\\%b')::text || ('a%b' LIKE 'a!%b' ESCAPE '!')::text", "truetrue"),
    ("union_unknown", "SELECT x FROM (SELECT 'a' AS x UNION ALL SELECT NULL) t WHERE x IS NOT NULL", "a"),
    ("correlated_scalar", "SELECT (SELECT count(*) FROM touchpoints b WHERE b.user_id = a.user_id)::text FROM touchpoints a WHERE event_id = 'edge-1'", "2"),
    ("full_join", "SELECT count(*)::text FROM (VALUES (1), (2)) a(x) FULL JOIN (VALUES (2), (3)) b(y) ON x = y", "3"),
    ("using_join", "SELECT count(*)::text FROM touchpoints JOIN (SELECT DISTINCT user_id FROM touchpoints WHERE event = 'refund') r USING (user_id)", "1"),
]


def sql_case(statement, expected):
    def run(server):
        with connect(server, autocommit=True) as connection:
            connection.execute("SET timezone = 'UTC'")
            equal(connection.execute(statement).fetchone()[0], expected)

    return run


for _name, _statement, _expected in SQL:
    suite.case(f"sql_{_name}", sql_case(_statement, _expected))


if __name__ == "__main__":
    suite.main()
