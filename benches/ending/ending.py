#!/usr/bin/env python3
"""How soon heavy statements end: by their timeout, by a cancel request, and when their client is killed.

    python3 benches/ending/ending.py --wayfare target/release/wayfare --rows 10000000

Generates touchpoints, loads and serves them, and starts each statement --runs times in each way. Prints a table: the
median and the largest number of seconds from the moment at which it should end (a second after the start, the cancel
request, the death of the client) until the client has the error, or until the server shows no such statement any more
and its processor time stands still. The connection must answer SELECT 1 afterwards. Needs psycopg 3 and about 1 GB of
disk.
"""

import argparse
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time

import psycopg

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "streaming"))

from stream import servers  # noqa: E402

STATEMENTS = {
    "aggregate of 10^11 rows": "SELECT count(DISTINCT g % 1000) FROM generate_series(1, 100000000000) AS s(g)",
    "aggregate by pairs of people": "SELECT a.user_id, count(DISTINCT b.user_id) FROM touchpoints a JOIN touchpoints b ON a.channel = b.channel GROUP BY 1",
    "cross join": "SELECT count(*) FROM touchpoints a, touchpoints b WHERE a.ts < b.ts",
    "sort": "SELECT t.* FROM generate_series(1, 1000), touchpoints t ORDER BY t.page, t.event_id DESC",
    "COPY": "COPY (SELECT t.* FROM generate_series(1, 1000), touchpoints t) TO STDOUT",
}
START = 1.0
# What the client does in a process of its own that is killed.
CLIENT = """
import sys, psycopg
with psycopg.connect(sys.argv[1], autocommit=True) as connection:
    print(connection.info.backend_pid, flush=True)
    cursor = connection.cursor()
    if sys.argv[2].startswith("COPY"):
        with cursor.copy(sys.argv[2]) as copy:
            for _ in copy: pass
    else:
        cursor.execute(sys.argv[2])
"""


def run(connection, sql):
    """Runs `sql` to its error, whose SQLSTATE it returns."""
    try:
        if sql.startswith("COPY"):
            with connection.cursor().copy(sql) as copy:
                for _ in copy:
                    pass
        else:
            connection.execute(sql)
    except psycopg.Error as error:
        return error.sqlstate
    return None


def usable(connection, state, sql):
    if state != "57014":
        raise SystemExit(f"{sql}: ended with {state} instead of 57014")
    assert connection.execute("SELECT 1").fetchone() == (1,)


def by_timeout(address, sql):
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute("SET statement_timeout = '1s'")
        started = time.monotonic()
        state = run(connection, sql)
        late = time.monotonic() - started - 1
        usable(connection, state, sql)
    return late


def by_cancel(address, sql):
    asked = []
    with psycopg.connect(address, autocommit=True) as connection:
        def cancel():
            asked.append(time.monotonic())
            connection.cancel_safe()
        timer = threading.Timer(START, cancel)
        timer.start()
        state = run(connection, sql)
        late = time.monotonic() - asked[0]
        timer.join()
        usable(connection, state, sql)
    return late


def by_death(address, sql, server):
    client = subprocess.Popen([sys.executable, "-c", CLIENT, address, sql], stdout=subprocess.PIPE, text=True)
    backend = int(client.stdout.readline())
    time.sleep(START)
    with psycopg.connect(address, autocommit=True) as watcher:
        running = "SELECT count(*) FROM pg_stat_activity WHERE pid = %s"
        assert watcher.execute(running, [backend]).fetchone() == (1,), "the statement does not run"
        client.kill()
        killed = time.monotonic()
        client.wait()
        while time.monotonic() < killed + 60:
            before = ticks(server)
            time.sleep(0.1)
            # Not a tenth of the processor time that a busy server takes.
            if watcher.execute(running, [backend]).fetchone() == (0,) and ticks(server) - before <= 1:
                return time.monotonic() - killed
    raise SystemExit(f"{sql}: runs on without its client")


def ticks(server):
    """Processor time of the server in hundredths of a second."""
    fields = pathlib.Path(f"/proc/{server.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


def main():
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--wayfare", required=True)
    words.add_argument("--rows", type=int, default=10_000_000)
    words.add_argument("--runs", type=int, default=3)
    words.add_argument("--dir", help="where the data goes")
    words = words.parse_args()
    servers.end_tidily()
    folder = tempfile.mkdtemp(prefix="wayfare-ending-", dir=words.dir)
    try:
        data = os.path.join(folder, "data")
        program = os.path.abspath(words.wayfare)
        subprocess.run([program, "generate", "--events", str(words.rows), "--format", "parquet", "--out", data], check=True, capture_output=True)
        with servers.wayfare(program, folder, inputs=((data, ()),)) as server:
            address = f"host={server.host} port={server.port} user={server.user} dbname={server.database}"
            print("| statement | timeout: median | largest | cancel: median | largest | client killed: median | largest |")
            print("|---|--:|--:|--:|--:|--:|--:|")
            for name, sql in STATEMENTS.items():
                ways = (by_timeout, by_cancel, lambda address, sql: by_death(address, sql, server))
                cells = []
                for way in ways:
                    late = [way(address, sql) for _ in range(words.runs)]
                    cells += [f"{statistics.median(late):.2f}", f"{max(late):.2f}"]
                print(f"| {name} | " + " | ".join(cells) + " |", flush=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
