"""psycopg 3: cancelling and timing out what takes long."""

import threading
import time

import psycopg

from suite import Suite, connect3 as connect, equal, raises

suite = Suite()


HEAVY = {
    "aggregate": "SELECT count(DISTINCT a.event_id || b.event_id) FROM touchpoints a, touchpoints b",
    "cross_join": "SELECT count(*) FROM touchpoints a, touchpoints b, touchpoints c WHERE a.user_id < b.event_id || c.event_id",
    "sort": "SELECT a.event_id FROM touchpoints a, touchpoints b ORDER BY a.event_id || b.event_id LIMIT 100000",
    "series": "SELECT sum(n) FROM generate_series(1, 1000000000000) AS t(n)",
}


def cancelled(statement):
    def run(server):
        with connect(server, autocommit=True) as connection:
            timer = threading.Timer(0.3, connection.cancel_safe)
            timer.start()
            started = time.monotonic()
            raises(psycopg.errors.QueryCanceled, connection.execute, statement, code="57014")
            timer.join()
            assert time.monotonic() - started < 10, time.monotonic() - started
            equal(connection.execute("SELECT 1").fetchone(), (1,))

    return run


def timed_out(statement):
    def run(server):
        with connect(server, autocommit=True) as connection:
            connection.execute("SET statement_timeout = '300ms'")
            started = time.monotonic()
            raises(psycopg.errors.QueryCanceled, connection.execute, statement, code="57014", says="canceling statement due to statement timeout")
            assert time.monotonic() - started < 10, time.monotonic() - started
            connection.execute("RESET statement_timeout")
            equal(connection.execute("SELECT 1").fetchone(), (1,))

    return run


for _name, _statement in HEAVY.items():
    suite.case(f"cancel_{_name}", cancelled(_statement))
    suite.case(f"timeout_{_name}", timed_out(_statement))


@suite.check
def cancel_from_sql(server):
    with connect(server, autocommit=True) as connection, connect(server, autocommit=True) as other:
        pid = connection.info.backend_pid
        done = threading.Event()

        def cancel():
            # Again and again: what comes before the statement runs is lost.
            while not done.wait(0.3):
                other.execute("SELECT pg_cancel_backend(%s)", (pid,))

        canceller = threading.Thread(target=cancel)
        canceller.start()
        try:
            raises(psycopg.errors.QueryCanceled, connection.execute, HEAVY["series"], code="57014")
        finally:
            done.set()
            canceller.join()
        equal(connection.execute("SELECT 1").fetchone(), (1,))


@suite.check
def terminate_from_sql(server):
    connection = connect(server, autocommit=True)
    with connect(server, autocommit=True) as other:
        equal(other.execute("SELECT pg_terminate_backend(%s)", (connection.info.backend_pid,)).fetchone()[0], True)
        time.sleep(0.2)
        raises(psycopg.OperationalError, connection.execute, "SELECT 1")


@suite.check
def sleep_is_cancelled(server):
    with connect(server, autocommit=True) as connection:
        equal(connection.execute("SELECT pg_sleep(0.01)").fetchone()[0], "")
        threading.Timer(0.2, connection.cancel_safe).start()
        raises(psycopg.errors.QueryCanceled, connection.execute, "SELECT pg_sleep(10)", code="57014")


if __name__ == "__main__":
    suite.main()
