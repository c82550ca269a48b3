#!/usr/bin/env python3
"""Latency and statements a second of short statements at 1, 16 and 64 clients, beside PostgreSQL.

    python3 benches/latency/latency.py --wayfare target/release/wayfare --rows 10000000

Generates touchpoints, loads the same files into Wayfare and into a PostgreSQL of its own (with an index on user_id and
one on ts), and has pgbench send each statement, prepared, for --seconds. Prints a table: p50 and p99 in milliseconds and
statements a second. pgbench counts 0 ms for an answer that is there when it first looks, which PostgreSQL's are at times:
a median of 0 says no more than that, while the statements a second stay true. Needs pgbench, PostgreSQL's programs and about 6 GB of disk.
"""

import argparse
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "streaming"))

import stream  # noqa: E402  (loads PostgreSQL with the same rows)
from stream import servers  # noqa: E402


def statements(server):
    """The statements, about a person and a month that there are."""
    person = servers.psql(server, "SELECT min(user_id) FROM touchpoints").strip().replace("'", "''")
    until = servers.psql(server, "SELECT CAST(max(ts) AS date) FROM touchpoints").strip()
    month = f"ts >= timestamptz '{until}' - INTERVAL '30 days' AND ts < timestamptz '{until}'"
    return {
        "SELECT 1": "SELECT 1;",
        "one person's rows": f"SELECT ts, event, channel FROM touchpoints WHERE user_id = '{person}';",
        "count per day, 30 days": f"SELECT date_trunc('day', ts) AS day, count(*) FROM touchpoints WHERE {month} GROUP BY 1;",
    }


def measure(server, script, clients, seconds, folder):
    """(p50 ms, p99 ms, statements a second), or None if the server refuses the statement."""
    log = os.path.join(folder, "log")
    words = ["pgbench", "-n", "-M", "prepared", "-f", script, "-c", str(clients), "-j", "2", "-T", str(seconds), "-l", f"--log-prefix={log}",
             "-h", server.host, "-p", str(server.port), "-U", server.user, server.database]
    done = subprocess.run(words, capture_output=True, text=True, timeout=seconds + 120)
    times = []
    for path in pathlib.Path(folder).glob("log.*"):
        times += [int(line.split()[2]) / 1000 for line in path.read_text().splitlines()]
        path.unlink()
    if done.returncode != 0 or not times:
        print(done.stderr.strip().splitlines()[-1:], file=sys.stderr)
        return None
    times.sort()
    return times[len(times) // 2], times[len(times) * 99 // 100], len(times) / seconds


def told(figures):
    return "fails | fails | fails" if figures is None else f"{figures[0]:.2f} | {figures[1]:.2f} | {figures[2]:,.0f}"


def main():
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--wayfare", required=True)
    words.add_argument("--postgres", help="the directory with initdb and postgres")
    words.add_argument("--rows", type=int, default=10_000_000)
    words.add_argument("--seconds", type=int, default=10, help="for each statement, number of clients and server")
    words.add_argument("--clients", type=int, nargs="*", default=[1, 16, 64])
    words.add_argument("--dir", help="where the data goes")
    words = words.parse_args()
    servers.end_tidily()
    folder = tempfile.mkdtemp(prefix="wayfare-latency-", dir=words.dir)
    try:
        data = os.path.join(folder, "data")
        program = os.path.abspath(words.wayfare)
        subprocess.run([program, "generate", "--events", str(words.rows), "--format", "csv", "--compression", "gzip", "--out", data], check=True, capture_output=True)
        files = sorted(str(path) for path in pathlib.Path(data).rglob("*") if path.is_file())
        with servers.wayfare(program, folder, inputs=((data, ()),)) as ours, servers.postgres(words.postgres, folder) as theirs:
            stream.load_postgres(theirs, files)
            shutil.rmtree(data)
            for column in ("user_id", "ts"):
                servers.psql(theirs, f"CREATE INDEX ON touchpoints ({column})")
            servers.psql(theirs, "VACUUM ANALYZE touchpoints")
            print(f"{servers.version(theirs)}; {servers.version(ours)}; {words.rows:,} events\n")
            print("| statement | clients | PostgreSQL p50 ms | p99 | /s | Wayfare p50 ms | p99 | /s |")
            print("|---|--:|--:|--:|--:|--:|--:|--:|")
            for name, statement in statements(ours).items():
                script = os.path.join(folder, "statement.sql")
                pathlib.Path(script).write_text(statement + "\n")
                for clients in words.clients:
                    rows = [told(measure(server, script, clients, words.seconds, folder)) for server in (theirs, ours)]
                    print(f"| {name} | {clients} | {rows[0]} | {rows[1]} |", flush=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
