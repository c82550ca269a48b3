"""Reads a whole result with psycopg 3 and prints the number of rows and the seconds.

Usage: client.py WAY HOST PORT USER DATABASE QUERY, where WAY is stream, cursor, copy_text or copy_binary.
"""

import sys
import time

import psycopg

way, host, port, user, database, query = sys.argv[1:]


def stream(connection):
    # This kind of cursor speaks the simple protocol.
    return sum(1 for _ in psycopg.ClientCursor(connection).stream(query))


def cursor(connection):
    with connection.cursor(name="c") as one:
        one.itersize = 10_000
        one.execute(query)
        return sum(1 for _ in one)


def copy(connection, form):
    """The rows are counted by the server's word: nothing marks them in the binary form."""
    one = connection.cursor()
    with one.copy(f"COPY ({query}) TO STDOUT (FORMAT {form})") as out:
        for _ in out:
            pass
    return one.rowcount


ways = {"stream": stream, "cursor": cursor, "copy_text": lambda c: copy(c, "text"), "copy_binary": lambda c: copy(c, "binary")}
with psycopg.connect(host=host, port=port, user=user, dbname=database) as connection:
    started = time.monotonic()
    count = ways[way](connection)
    print(count, time.monotonic() - started)
