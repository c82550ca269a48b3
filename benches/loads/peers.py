"""Loads files of touchpoints into a sorted table of another engine; prints one line with the figures.

Usage: peers.py ENGINE FORM DIRECTORY DATABASE THREADS
ENGINE: clickhouse (chdb) or duckdb. FORM: csv-gz, ndjson or parquet. DATABASE: where the table goes, made anew.
"""

import json
import pathlib
import resource
import shutil
import sys
import time

COLUMNS = ["event_id", "user_id", "anonymous_id", "ts", "received_at", "event", "channel", "source", "medium", "campaign",
           "page", "referrer", "device", "country", "revenue", "cost", "currency", "score", "properties"]
REQUIRED = {"event_id", "user_id", "ts", "event"}
ORDER = "user_id, ts, event_id"


def column_type(name, time_type, money, number, text):
    if name in ("ts", "received_at"):
        return time_type
    if name in ("revenue", "cost"):
        return money
    return number if name == "score" else text


def clickhouse(form, directory, database, threads):
    import chdb
    from chdb import session

    pattern, kind = {
        "csv-gz": ("*.csv.gz", "CSVWithNames"),
        "ndjson": ("*.ndjson", "JSONEachRow"),
        "parquet": ("*.parquet", "Parquet"),
    }[form]
    types = [column_type(name, "DateTime64(6, 'UTC')", "Decimal(18, 4)", "Float64", "String") for name in COLUMNS]
    structure = ", ".join(
        f"{name} {kind_of if name in REQUIRED else f'Nullable({kind_of})'}" for name, kind_of in zip(COLUMNS, types)
    )
    connection = session.Session(str(database))
    started = time.perf_counter()
    connection.query(f"CREATE TABLE default.t ({structure}) ENGINE = MergeTree ORDER BY ({ORDER})")
    connection.query(
        f"INSERT INTO default.t SELECT * FROM file('{directory}/{pattern}', '{kind}', '{structure.replace(chr(39), chr(92) + chr(39))}') "
        f"SETTINGS max_threads = {threads}, max_insert_threads = {threads}, date_time_input_format = 'best_effort'"
    )
    seconds = time.perf_counter() - started
    rows = int(str(connection.query("SELECT count() FROM default.t", "CSV")).strip())
    return seconds, rows, chdb.__version__


def duckdb(form, directory, database, threads):
    import duckdb as engine

    types = {
        name: column_type(name, "TIMESTAMPTZ", "DECIMAL(18, 4)", "DOUBLE", "VARCHAR") for name in COLUMNS
    }
    source = {
        "csv-gz": f"read_csv('{directory}/*.csv.gz', header = true, columns = {types})",
        "ndjson": f"read_json('{directory}/*.ndjson', format = 'newline_delimited', columns = {types})",
        "parquet": f"read_parquet('{directory}/*.parquet')",
    }[form]
    connection = engine.connect(str(database / "t.duckdb"))
    connection.execute(f"SET threads = {threads}; SET TimeZone = 'UTC'; SET preserve_insertion_order = true")
    started = time.perf_counter()
    connection.execute(f"CREATE TABLE t AS SELECT * FROM {source} ORDER BY {ORDER}")
    connection.execute("CHECKPOINT")
    seconds = time.perf_counter() - started
    return seconds, connection.execute("SELECT count(*) FROM t").fetchone()[0], engine.__version__


def main():
    engine, form, directory, database, threads = sys.argv[1:]
    database = pathlib.Path(database)
    shutil.rmtree(database, ignore_errors=True)
    database.mkdir(parents=True)
    load = {"clickhouse": clickhouse, "duckdb": duckdb}[engine]
    seconds, rows, version = load(form, pathlib.Path(directory).resolve(), database, int(threads))
    used = resource.getrusage(resource.RUSAGE_SELF)
    size = sum(path.stat().st_size for path in database.rglob("*") if path.is_file())
    print(json.dumps({
        "wall": [seconds],
        "cpu": [used.ru_utime + used.ru_stime],
        "rss_mib": used.ru_maxrss / 1024,
        "rows": rows,
        "bytes": size,
        "version": version,
    }))
    shutil.rmtree(database, ignore_errors=True)


main()
