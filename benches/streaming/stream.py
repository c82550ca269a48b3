#!/usr/bin/env python3
"""How fast ten million rows reach clients, and what the server's memory grows by meanwhile, beside PostgreSQL.

    python3 benches/streaming/stream.py --wayfare target/release/wayfare --rows 10000000

Generates touchpoints, loads the same files into Wayfare and into a PostgreSQL of its own, and reads the whole table with
each client, one after another, turn by turn between the two servers. Writes docs/streaming.md, which
`server/tests/clients/compare.py` takes into docs/clients.md. Needs what the client suites need, and about 6 GB of disk.
"""

import argparse
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(ROOT / "server" / "tests" / "clients"))

import servers  # noqa: E402  (beside the suites, so that both start servers alike)

PYTHON = os.environ.get("WAYFARE_PYTHON", sys.executable)
JDBC = os.environ.get("WAYFARE_JDBC", "/usr/share/java/postgresql.jar")
QUERY = "SELECT event_id, user_id, ts, event, channel, campaign, page, device, country, revenue FROM touchpoints"
CLIENTS = [
    ("psycopg 3, row by row (simple protocol)", [PYTHON, "client.py", "stream"]),
    ("psycopg 3, COPY in text", [PYTHON, "client.py", "copy_text"]),
    ("psycopg 3, COPY in binary", [PYTHON, "client.py", "copy_binary"]),
    ("psycopg 3, cursor of the server", [PYTHON, "client.py", "cursor"]),
    ("pgjdbc, fetch size 10,000", ["java", "-Xmx512m", "-cp", JDBC, "Stream.java", "10000"]),
    ("pgjdbc, no fetch size", ["java", "-Xmx7g", "-cp", JDBC, "Stream.java", "0"]),
    ("node-postgres, pg-cursor of 10,000", ["node", "stream.js", "10000"]),
]


def resident(pid):
    """Bytes of private memory of a process and its children: shared buffers of PostgreSQL do not count."""
    total = 0
    for one in [pid, *children(pid)]:
        try:
            lines = pathlib.Path(f"/proc/{one}/status").read_text().splitlines()
        except OSError:
            continue  # ended meanwhile
        total += sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon:"))
    return total


def children(pid):
    found = []
    for path in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            for child in path.read_text().split():
                found += [int(child), *children(int(child))]
        except OSError:
            continue
    return found


class Watch:
    """The largest private memory of a server above `start`, looked at every 50 ms."""

    def __init__(self, pid, start):
        self.pid, self.start, self.most, self.done = pid, start, 0, threading.Event()
        self.thread = threading.Thread(target=self.look)

    def look(self):
        while not self.done.wait(0.05):
            self.most = max(self.most, resident(self.pid) - self.start)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.done.set()
        self.thread.join()


def measure(words, server, start, rows):
    """(rows per second, bytes of growth), or why not."""
    more = os.environ | {"NODE_PATH": os.environ.get("WAYFARE_NODE_MODULES", "")}
    started = time.monotonic()
    with Watch(server.process.pid, start) as watch:
        command = [*words, server.host, str(server.port), server.user, server.database, QUERY]
        done = subprocess.run(command, cwd=HERE, env=more, capture_output=True, text=True, timeout=900)
    seconds = time.monotonic() - started
    if done.returncode != 0:
        lines = [line for line in done.stderr.splitlines() if "rror" in line] or done.stderr.splitlines()
        print(f"{command[0]} {command[1]}: {lines[-1] if lines else 'failed'}", file=sys.stderr)
        return None, "fails"
    count, own_seconds = done.stdout.split()
    if int(count) != rows:
        return None, f"{count} rows"
    return rows / float(own_seconds or seconds), watch.most


def load_postgres(server, files):
    names = ("event_id,user_id,anonymous_id,ts,received_at,event,channel,source,medium,campaign,page,referrer,device,country,revenue,cost,currency,score,properties").split(",")
    columns = ", ".join(f"{name} {servers.OTHER_TYPES.get(name, 'text').replace(' NOT NULL', '')}" for name in names)
    servers.psql(server, f"CREATE UNLOGGED TABLE touchpoints ({columns})")
    for path in files:
        header = subprocess.run(f"gzip -dc '{path}' | head -1", shell=True, capture_output=True, text=True).stdout.strip()
        copy = f"COPY touchpoints ({header}) FROM STDIN WITH (FORMAT csv, HEADER)"
        unpack = subprocess.Popen(["gzip", "-dc", path], stdout=subprocess.PIPE)
        servers.psql(server, copy, stdin=unpack.stdout)
    servers.psql(server, "VACUUM ANALYZE touchpoints")


def told(result):
    speed, growth = result
    return f"{speed / 1e6:.2f}" if speed else growth, f"{growth / 2**20:.0f}" if speed else ""


def main():
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--wayfare", required=True)
    words.add_argument("--postgres", help="the directory with initdb and postgres")
    words.add_argument("--rows", type=int, default=10_000_000)
    words.add_argument("--dir", help="where the data goes")
    words.add_argument("--only", help="clients whose name has this")
    words.add_argument("--out", default=str(ROOT / "docs" / "streaming.md"))
    words = words.parse_args()
    servers.end_tidily()
    folder = tempfile.mkdtemp(prefix="wayfare-streaming-", dir=words.dir)
    table = []
    try:
        data = os.path.join(folder, "data")
        program = os.path.abspath(words.wayfare)
        subprocess.run([program, "generate", "--events", str(words.rows), "--format", "csv", "--compression", "gzip", "--out", data], check=True, capture_output=True)
        files = sorted(str(path) for path in pathlib.Path(data).rglob("*") if path.is_file())
        with servers.wayfare(program, folder, inputs=((data, ()),)) as ours, servers.postgres(words.postgres, folder) as theirs:
            load_postgres(theirs, files)
            shutil.rmtree(data)
            rows = int(servers.psql(ours, "SELECT count(*) FROM touchpoints"))
            assert rows == int(servers.psql(theirs, "SELECT count(*) FROM touchpoints"))
            # What they have before the first client: memory that a client leaves counts for those after it.
            both = [(server, resident(server.process.pid)) for server in (theirs, ours)]
            for name, command in CLIENTS:
                if words.only and words.only not in name:
                    continue
                results = [measure(command, server, start, rows) for server, start in both]
                (their_speed, their_growth), (our_speed, our_growth) = map(told, results)
                table.append(f"| {name} | {their_speed} | {our_speed} | {their_growth} | {our_growth} |")
                print(table[-1], file=sys.stderr, flush=True)
            versions = servers.version(theirs), servers.version(ours)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    cores = os.cpu_count()
    pathlib.Path(words.out).write_text(f"""\
## Streaming

{rows:,} generated rows of ten columns, read whole by one client on the same machine ({cores} cores), server after server: million rows a
second, and MiB by which the server's private memory was at most larger than before the first of them. {versions[0]}; {versions[1]}. By `benches/streaming/stream.py`.

| client | PostgreSQL, M rows/s | Wayfare, M rows/s | PostgreSQL, MiB | Wayfare, MiB |
|---|--:|--:|--:|--:|
""" + "\n".join(table) + "\n")


if __name__ == "__main__":
    main()
