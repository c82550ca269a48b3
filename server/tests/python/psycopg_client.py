"""Connects with psycopg 3, runs simple and extended queries with parameters, and lists tables.

Usage: psycopg_client.py HOST PORT   (prints one line for each answer)
"""

import sys
from datetime import datetime, timezone
from decimal import Decimal

import psycopg

host, port = sys.argv[1:]
with psycopg.connect(host=host, port=port, user="tester", dbname="wayfare", connect_timeout=10) as connection:
    print("simple", connection.execute("SELECT count(*) FROM touchpoints").fetchone()[0])
    for binary in (False, True):
        row = connection.execute(
            "SELECT count(*), min(ts), max(revenue) FROM touchpoints WHERE event = %s AND ts >= %s",
            ("purchase", datetime(2026, 1, 1, tzinfo=timezone.utc)),
            binary=binary,
        ).fetchone()
        assert isinstance(row[2], Decimal), row
        print("extended", row[0], row[1].astimezone(timezone.utc).isoformat(), row[2])
    tables = connection.execute(
        "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' ORDER BY 1"
    ).fetchall()
    print("tables", ",".join(name for (name,) in tables))
