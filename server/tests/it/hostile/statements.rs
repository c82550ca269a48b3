//! Statements that would take the server down if it let them.

use std::fmt::Write as _;

/// `x` said `n` times with `separator` between.
fn list(n: usize, separator: &str, x: impl Fn(usize) -> String) -> String {
    (0..n).map(x).collect::<Vec<_>>().join(separator)
}

/// All of them: depth, size, memory, files and URLs, settings.
pub fn all() -> Vec<String> {
    let mut all = Vec::new();
    all.extend(deep());
    all.extend(long());
    all.extend(greedy());
    all.extend(reaching());
    all.extend(setting());
    all
}

/// Nesting and chains that recurse while they are parsed, planned or run.
fn deep() -> Vec<String> {
    let nested = |open: &str, close: &str, n: usize| format!("SELECT {}1{}", open.repeat(n), close.repeat(n));
    let mut all = vec![
        nested("(", ")", 40),
        nested("(", ")", 100_000),
        nested("abs(", ")", 12),
        nested("abs(", ")", 50_000),
        nested("(SELECT ", ")", 11),
        nested("(SELECT ", ")", 30_000),
        nested("CASE WHEN true THEN ", " END", 5_000),
        nested("CAST(", " AS BIGINT)", 5_000),
        nested("ARRAY[", "]", 400),
        nested("ARRAY[", "]", 50_000),
        nested("NOT ", "", 100_000),
        nested("- ", "", 100_000),
        nested("coalesce(1, ", ")", 10_000),
        format!("SELECT {}", "(".repeat(500_000)),
        format!("SELECT {}", "[".repeat(500_000)),
        format!("SELECT {}", "CASE ".repeat(100_000)),
        format!("SELECT 1 {}", "UNION ALL (SELECT 1 ".repeat(20_000)),
        format!("SELECT 1{}", "::text".repeat(50_000)),
        format!("SELECT '{{}}'{}", "->'a'".repeat(11)),
        format!("SELECT '{{}}'{}", "->'a'".repeat(50_000)),
        format!("SELECT ARRAY[1]{}", "[1]".repeat(50_000)),
    ];
    for operator in ["+", "||", "AND", "OR", "=", "-", "*", "LIKE", "IS DISTINCT FROM"] {
        for n in [240, 100_000] {
            all.push(format!("SELECT {}", list(n, &format!(" {operator} "), |_| "1".to_owned())));
        }
    }
    all.push(format!("SELECT * FROM {}", list(99, " CROSS JOIN ", |i| format!("(SELECT 1) AS t{i}"))));
    all.push(format!("SELECT * FROM {}", list(5_000, ", ", |i| format!("(SELECT 1) AS t{i}"))));
    all.push(format!("SELECT * FROM {}", list(400, " NATURAL JOIN ", |i| format!("touchpoints AS t{i}"))));
    all.push(list(90, " UNION ALL ", |i| format!("SELECT {i}")));
    all.push(list(20_000, " UNION ", |i| format!("SELECT {i}")));
    all.push(list(20_000, " INTERSECT ", |i| format!("SELECT {i}")));
    for n in [90, 10_000] {
        let chain = list(n, ", ", |i| match i {
            0 => "c0 AS (SELECT 1 AS a)".to_owned(),
            i => format!("c{i} AS (SELECT a + 1 AS a FROM c{})", i - 1),
        });
        all.push(format!("WITH {chain} SELECT * FROM c{}", n - 1));
    }
    // Each doubles the one before.
    let doubling = list(60, ", ", |i| match i {
        0 => "c0 AS (SELECT 1 AS a)".to_owned(),
        i => format!("c{i} AS (SELECT x.a FROM c{0} AS x, c{0} AS y)", i - 1),
    });
    all.push(format!("WITH {doubling} SELECT count(*) FROM c59"));
    let wide = list(1_600, ", ", |i| format!("1 AS a{i}"));
    let joined = list(90, ", ", |i| format!("c AS c{i}"));
    all.push(format!("WITH c AS (SELECT {wide}) SELECT count(*) FROM {joined}"));
    for part in ["CUBE", "ROLLUP", "GROUPING SETS"] {
        let columns = list(40, ", ", |_| "event".to_owned());
        all.push(format!("SELECT count(*) FROM touchpoints GROUP BY {part} ({columns})"));
    }
    let cubes = list(8, ", ", |_| "CUBE (event, channel, user_id)".to_owned());
    all.push(format!("SELECT count(*) FROM touchpoints GROUP BY {cubes}"));
    all
}

/// Text without end.
fn long() -> Vec<String> {
    vec![
        format!("SELECT '{}'", "x".repeat(900_000)),
        format!("SELECT '{}'", "x".repeat(3_000_000)),
        format!("SELECT {}", list(1_600, ", ", |i| i.to_string())),
        format!("SELECT {}", list(100_000, ", ", |i| i.to_string())),
        format!("SELECT * FROM (VALUES {}) AS v(a)", list(20_000, ", ", |i| format!("({i})"))),
        format!("SELECT 1 WHERE 1 IN ({})", list(100_000, ", ", |i| i.to_string())),
        format!(
            "SELECT {} FROM touchpoints",
            list(500, ", ", |i| format!("count(*) FILTER (WHERE event = '{i}') AS c{i}"))
        ),
        format!("SELECT concat({})", list(50_000, ", ", |_| "'x'".to_owned())),
        format!("SELECT coalesce({})", list(10_000, ", ", |_| "NULL".to_owned())),
        format!("SELECT \"{}\"", "n".repeat(500_000)),
        format!("SELECT 1 AS \"{}\"", "n".repeat(500_000)),
        "SELECT 1;".repeat(1_000),
        "SELECT 1;".repeat(20_000),
        "BEGIN;COMMIT;".repeat(20_000),
        format!("SELECT event FROM touchpoints ORDER BY {}", list(50_000, ", ", |i| format!("event || {i}"))),
        format!(
            "SELECT count(*) FROM touchpoints GROUP BY {}",
            list(20_000, ", ", |i| format!("event = '{i}'"))
        ),
        format!("SELECT {}(1)", "n".repeat(500_000)),
        format!("SELECT 1 FROM {}", "n".repeat(500_000)),
        format!("SELECT nope_{} FROM touchpoints", "n".repeat(1_000)),
        format!("SET {} = 1", "n".repeat(500_000)),
        format!("SHOW {}", "n".repeat(500_000)),
        format!("DECLARE {} CURSOR FOR SELECT 1", "n".repeat(500_000)),
        ";".repeat(900_000),
        " ".repeat(900_000),
        format!("-- {}", "x".repeat(900_000)),
        format!("/*{}", "/*".repeat(100_000)),
        format!("SELECT {}", "9".repeat(500_000)),
        format!("SELECT 1e{}", "9".repeat(500)),
        "SELECT U&'\\".to_owned(),
        format!("SELECT ${}", "9".repeat(100)),
    ]
}

/// Small statements that ask for much memory or time.
fn greedy() -> Vec<String> {
    let mut all: Vec<String> = [
        "SELECT repeat('x', 2000000000)",
        "SELECT length(repeat('x', 2147483647))",
        "SELECT repeat('x', 9223372036854775807)",
        "SELECT sum(length(repeat('x', 100000000))) FROM generate_series(1, 100)",
        "SELECT repeat(repeat('x', 100000), 100000)",
        "SELECT repeat('x'::varchar, 2000000000)",
        "SELECT lpad('x', 2000000000, 'y')",
        "SELECT rpad('x', 2147483647)",
        "SELECT max(rpad('x', 50000000 + v::int)) FROM generate_series(1, 200) AS s(v)",
        "SELECT replace(repeat('x', 1000000), 'x', repeat('y', 1000000))",
        "SELECT regexp_replace(repeat('x', 1000000), 'x', repeat('y', 1000000), 'g')",
        "SELECT translate(repeat('x', 10000000), 'x', 'y')",
        "SELECT array_repeat(1, 2000000000)",
        "SELECT array_repeat(array_repeat(1, 100000), 100000)",
        "SELECT array_resize(ARRAY[1], 2000000000, 0)",
        "SELECT range(1, 9223372036854775807)",
        "SELECT generate_series(1, 9223372036854775807)",
        "SELECT range(0, 10000000000)",
        "SELECT range(DATE '1000-01-01', DATE '9999-12-31', INTERVAL '1' DAY) FROM generate_series(1, 10000)",
        "SELECT generate_series(TIMESTAMP '1900-01-01', TIMESTAMP '2200-01-01', INTERVAL '1 microsecond')",
        "SELECT generate_series(1, 10, 0)",
        "SELECT string_to_array(repeat('x,', 10000000), ',')",
        "SELECT count(*) FROM generate_series(1, 100000000000)",
        "SELECT * FROM generate_series(1, 9223372036854775807) LIMIT 1",
        "SELECT count(*) FROM generate_series(1, 1000000) AS a(x), generate_series(1, 1000000) AS b(y)",
        "SELECT count(*) FROM generate_series(1, 1000000) AS a(x) JOIN generate_series(1, 1000000) AS b(y) ON x < y",
        "SELECT count(*) FROM generate_series(1, 5000000) AS a(x) JOIN generate_series(1, 5000000) AS b(y) ON x = y",
        "SELECT array_agg(x) FROM generate_series(1, 50000000) AS s(x)",
        "SELECT string_agg(x::text, ',') FROM generate_series(1, 50000000) AS s(x)",
        "SELECT count(DISTINCT x) FROM generate_series(1, 50000000) AS s(x)",
        "SELECT x, count(*) FROM generate_series(1, 50000000) AS s(x) GROUP BY x ORDER BY 2 LIMIT 1",
        "SELECT * FROM generate_series(1, 50000000) AS s(x) ORDER BY -x LIMIT 1 OFFSET 10000000",
        "SELECT sum(x) OVER (ORDER BY -x) FROM generate_series(1, 50000000) AS s(x) LIMIT 1",
        "SELECT median(x) FROM generate_series(1, 50000000) AS s(x)",
        "CREATE TABLE huge AS SELECT * FROM generate_series(1, 200000000)",
        "WITH RECURSIVE t(a) AS (SELECT 1 UNION ALL SELECT a + 1 FROM t) SELECT count(*) FROM t",
        "WITH RECURSIVE t(a) AS (SELECT 'x' UNION ALL SELECT a || a FROM t) SELECT max(length(a)) FROM t",
        "WITH RECURSIVE t(a) AS (SELECT 1 UNION ALL SELECT x.a FROM t AS x, t AS y) SELECT count(*) FROM t",
        "SELECT sequence_match('(?1)(?2)*(?3)(?2)*(?1)(?2)*', ts, true, true, true) FROM touchpoints",
        "SELECT '1' ~ '(((((((((((a*)*)*)*)*)*)*)*)*)*)*)*b'",
        "SELECT regexp_replace(repeat('a', 100000), '(a|aa)+$', 'b')",
        "SELECT repeat('a', 100000) LIKE repeat('%a', 10000)",
        "SELECT repeat('a', 30) ~ repeat('(a?){50}', 20)",
        "SELECT '1' ~ '(a{1000}){1000}'",
        "SELECT levenshtein(repeat('a', 100000), repeat('b', 100000))",
        "SELECT 9223372036854775807 + 1",
        "SELECT power(10, 400)::numeric",
        "SELECT factorial(1000000)",
        "SELECT INTERVAL '9999999999999 years'",
        "SELECT DATE '5000000-01-01'",
        "SELECT TIMESTAMP '2024-01-01' + INTERVAL '300000 years'",
        "SELECT to_timestamp(9223372036854775807)",
        "SELECT date_bin(INTERVAL '1 microsecond', TIMESTAMP '9999-01-01', TIMESTAMP '0001-01-01')",
        "SELECT -9223372036854775808 / -1",
        "SELECT (-9223372036854775808) % (-1)",
        "SELECT abs(-9223372036854775808)",
        "SELECT 1 / 0",
        "SELECT * FROM funnel(touchpoints, steps => range(0, 1000000))",
        "EXPLAIN ANALYZE SELECT count(*) FROM generate_series(1, 100000000000)",
    ]
    .iter()
    .map(|sql| (*sql).to_owned())
    .collect();
    for (first, double) in
        [("'x'", "a || a"), ("'x'::varchar", "concat(a, a)"), ("ARRAY[1]", "array_concat(a, a)")]
    {
        let mut sql = format!("SELECT {first} AS a");
        for _ in 0..40 {
            sql = format!("SELECT {double} AS a FROM ({sql})");
        }
        all.push(format!("SELECT a IS NULL FROM ({sql})"));
    }
    let mut wide = String::from("SELECT 1");
    for i in 0..1_600 {
        let _ = write!(wide, ", x + {i} AS c{i}");
    }
    all.push(format!(
        "SELECT count(*) FROM ({wide} FROM generate_series(1, 100000) AS s(x) ORDER BY c0, c1, c2)"
    ));
    all
}

/// Files and URLs.
fn reaching() -> Vec<String> {
    let mut all = Vec::new();
    for place in ["/etc/passwd", "http://127.0.0.1:1/x.csv", "s3://bucket/x.parquet"] {
        for sql in [
            "SELECT * FROM '{}'",
            "SELECT * FROM read_csv('{}')",
            "COPY (SELECT 1) TO '{}'",
            "COPY touchpoints FROM '{}'",
            "COPY touchpoints FROM PROGRAM 'cat {}'",
            "CREATE EXTERNAL TABLE x STORED AS CSV LOCATION '{}'",
            "SELECT pg_read_file('{}')",
        ] {
            all.push(sql.replace("{}", place));
        }
    }
    all
}

/// Settings that would raise limits.
fn setting() -> Vec<String> {
    [
        "SET datafusion.runtime.memory_limit = '100G'",
        "SET datafusion.runtime.temp_directory = '/'",
        "SET datafusion.sql_parser.recursion_limit = 1000000",
        "SET datafusion.execution.target_partitions = 1000000",
        "SET datafusion.execution.batch_size = 1000000000000",
        "SET datafusion.optimizer.max_passes = 1000000000",
        "SET statement_timeout = 0; SELECT count(*) FROM generate_series(1, 100000000000)",
        "SET work_mem = '100GB'; SELECT array_agg(x) FROM generate_series(1, 50000000) AS s(x)",
        "SET search_path = ''; SELECT 1; RESET search_path",
        "SET TimeZone = '../../etc/passwd'",
        "SET ROLE admin",
        "SET SESSION AUTHORIZATION admin",
        "ALTER SYSTEM SET max_connections = 1000000",
        "SELECT set_config('statement_timeout', '0', false)",
        "SELECT pg_sleep(1000000)",
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'reader'",
        "LISTEN x",
        "LOCK TABLE touchpoints",
        "DO $$ BEGIN LOOP END LOOP; END $$",
        "CREATE USER mallory SUPERUSER",
    ]
    .iter()
    .map(|sql| (*sql).to_owned())
    .collect()
}
