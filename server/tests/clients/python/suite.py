"""Runs named checks against one server and prints a line for each: `ok NAME`, `fail NAME: reason`, `skip NAME: reason`.

Every suite takes HOST PORT USER DATABASE [PASSWORD] and is the same program whichever server answers. The database
holds `touchpoints` with the rows of simple_shop and of edge.csv.
"""

import os
import signal
import sys
from dataclasses import dataclass
from datetime import timezone

SHOP_ROWS = 35381
EDGE_ROWS = 5
ROWS = SHOP_ROWS + EDGE_ROWS
SECONDS_PER_CHECK = int(os.environ.get("SECONDS_PER_CHECK", "20"))
UTC = timezone.utc


@dataclass(frozen=True)
class Server:
    host: str
    port: int
    user: str
    database: str
    password: str

    def libpq(self):
        """Keyword arguments as libpq names them."""
        words = {"host": self.host, "port": self.port, "user": self.user, "dbname": self.database, "connect_timeout": 10}
        return words | ({"password": self.password} if self.password else {})

    def url(self, scheme="postgresql"):
        """An address as most tools take it."""
        secret = f":{self.password}" if self.password else ""
        return f"{scheme}://{self.user}{secret}@{self.host}:{self.port}/{self.database}"


class Skip(Exception):
    """The check does not apply; the text says why."""


class Suite:
    """The checks of one client, in the order in which they were declared."""

    def __init__(self, seconds_per_check=SECONDS_PER_CHECK):
        self.checks = []
        self.seconds_per_check = seconds_per_check

    def check(self, function):
        """Declares a check: a function of the server, whose name is the check's."""
        self.checks.append((function.__name__, function))
        return function

    def case(self, name, function):
        """Declares a check that has data of its own."""
        self.checks.append((name, function))

    def main(self):
        """Runs all checks, or those whose names follow the password."""
        words = sys.argv[1:] + [""] * 5
        server = Server(words[0], int(words[1]), words[2], words[3], words[4])
        only = sys.argv[6:]
        signal.signal(signal.SIGALRM, too_long)
        for name, function in self.checks:
            if not only or name in only:
                print(outcome(name, function, server, self.seconds_per_check), flush=True)


def connect3(server, **more):
    """A connection of psycopg 3."""
    import psycopg

    return psycopg.connect(**server.libpq(), **more)


def too_long(_signal, _frame):
    raise TimeoutError("no answer in time")


def outcome(name, function, server, seconds):
    signal.alarm(seconds)
    try:
        function(server)
    except Skip as reason:
        return f"skip {name}: {reason}"
    except BaseException as error:  # a driver may raise anything, and every check has to be heard
        if isinstance(error, KeyboardInterrupt):
            raise
        return f"fail {name}: {one_line(error)}"
    finally:
        signal.alarm(0)
    return f"ok {name}"


def one_line(error):
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}"[:400]


def equal(found, expected):
    """Fails unless the two are equal, of the same type, all the way down."""
    if isinstance(expected, (list, tuple)) and isinstance(found, (list, tuple)):
        assert len(found) == len(expected), f"{found!r} instead of {expected!r}"
        for one, other in zip(found, expected):
            equal(one, other)
        return
    same = found == expected or (found != found and expected != expected)
    assert same and type(found) is type(expected), f"{found!r} instead of {expected!r}"


def raises(kind, function, *words, code=None, says=None):
    """Fails unless calling `function` fails with `kind`, the SQLSTATE and the words."""
    try:
        function(*words)
    except kind as error:
        state = getattr(error, "sqlstate", None) or getattr(error, "pgcode", None)
        assert code is None or state == code, f"SQLSTATE {state} instead of {code}: {error}"
        assert says is None or says in str(error), f"{error} does not say {says!r}"
        return error
    raise AssertionError(f"no {kind.__name__} with {code}")
