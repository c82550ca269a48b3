"""psql: its commands that describe, \\copy, fetching in pieces, variables, errors, cancelling; and pgcli."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from suite import EDGE_ROWS, ROWS, SECONDS_PER_CHECK, Skip, Suite, equal

suite = Suite()


def environment(server):
    words = {"PGHOST": server.host, "PGPORT": str(server.port), "PGUSER": server.user, "PGDATABASE": server.database, "PGCONNECT_TIMEOUT": "10", "LC_ALL": "C.UTF-8", "PGTZ": "UTC"}
    return os.environ | words | ({"PGPASSWORD": server.password} if server.password else {})


def psql(server, *commands, options=("-At",), fails=False):
    words = ["psql", "-X", "-v", "ON_ERROR_STOP=1", *options]
    for command in commands:
        words += ["-c", command]
    done = subprocess.run(words, env=environment(server), capture_output=True, text=True, timeout=SECONDS_PER_CHECK - 2)
    assert (done.returncode != 0) == fails, f"exit code {done.returncode}: {done.stderr.strip()}"
    return done.stderr if fails else done.stdout


def lists(command, *expected):
    """A command that has to print lines that begin so."""

    def run(server):
        printed = psql(server, command)
        for beginning in expected:
            assert any(line.startswith(beginning) for line in printed.splitlines()), f"no {beginning!r} in {printed[:300]!r}"

    return run


for _name, _command, *_expected in [
    ("d", "\\d", "public|touchpoints|table|"),
    ("d_plus", "\\d+", "public|touchpoints|table|"),
    ("d_table", "\\d touchpoints", "event_id|text|||", "user_id|text||not null|", "ts|timestamp with time zone||not null|", "revenue|numeric(18,4)|||", "score|double precision|||"),
    ("d_table_plus", "\\d+ touchpoints", "user_id|text||not null||extended"),
    ("d_qualified", "\\d public.touchpoints", "event_id|text|||"),
    ("d_system", "\\d pg_catalog.pg_class", "oid|oid||not null|", "relname|name||not null|"),
    ("dt", "\\dt", "public|touchpoints|table|"),
    ("dt_plus", "\\dt+", "public|touchpoints|table|"),
    ("dt_pattern", "\\dt *.touch*", "public|touchpoints|table|"),
    ("dv", "\\dv"),
    ("dv_plus", "\\dv+"),
    ("dm", "\\dm"),
    ("di", "\\di"),
    ("ds", "\\ds"),
    ("dn", "\\dn", "public|"),
    ("dn_plus", "\\dn+", "public|"),
    ("df", "\\df"),
    ("df_system", "\\df pg_catalog.lower", "pg_catalog|lower|text|text|func"),
    ("da_system", "\\da pg_catalog.count", "pg_catalog|count|bigint|"),
    ("dT", "\\dT"),
    ("dT_system", "\\dT pg_catalog.text", "pg_catalog|text|"),
    ("dT_plus", "\\dT+ pg_catalog.int4", "pg_catalog|integer|int4|4|"),
    ("do", "\\do pg_catalog.||"),
    ("dx", "\\dx"),
    ("du", "\\du"),
    ("dp", "\\dp", "public|touchpoints|table|"),
    ("dd", "\\dd"),
    ("db", "\\db", "pg_default|"),
    ("dC", "\\dC int8", "bigint|"),
    ("dD", "\\dD"),
    ("dE", "\\dE"),
    ("dL", "\\dL"),
    ("dO", "\\dO"),
    ("dA", "\\dA", "heap|"),
    ("ddp", "\\ddp"),
    ("drds", "\\drds"),
    ("l", "\\l", "wayfare|"),
    ("l_plus", "\\l+", "wayfare|"),
    ("conninfo", "\\conninfo", "You are connected to database"),
    ("encoding", "\\encoding", "UTF8"),
]:
    suite.case(f"psql_{_name}", lists(_command, *_expected))


@suite.check
def psql_aligned(server):
    printed = psql(server, "SELECT 1 AS a, 'ü' AS b, NULL AS c, 1.50::numeric AS d, true AS e", options=("-P", "null=-"))
    equal(printed, " a | b | c |  d   | e \n---+---+---+------+---\n 1 | ü | - | 1.50 | t\n(1 row)\n\n")


@suite.check
def psql_expanded_and_formats(server):
    equal(psql(server, "SELECT event_id, event FROM touchpoints WHERE event_id = 'edge-1'", options=("-Atx",)), "event_id|edge-1\nevent|page_view\n")
    equal(psql(server, "SELECT event_id, page FROM touchpoints WHERE event_id = 'edge-5'", options=("--csv",)), 'event_id,page\nedge-5,"two\nlines\tand a tab"\n')
    assert "<td" in psql(server, "SELECT 1", options=("-H",))


@suite.check
def psql_fetch_count(server):
    printed = psql(server, "\\set FETCH_COUNT 1000", "SELECT event_id FROM touchpoints")
    equal(printed.count("\n"), ROWS)


@suite.check
def psql_copy_out(server):
    with tempfile.TemporaryDirectory() as folder:
        for options, expected in [("WITH (FORMAT csv, HEADER)", ROWS + 1 + 1), ("", ROWS)]:
            path = os.path.join(folder, "out")
            equal(psql(server, f"\\copy touchpoints TO '{path}' {options}").strip(), f"COPY {ROWS}")
            equal(open(path, encoding="utf-8", newline="").read().count("\n"), expected)
        equal(psql(server, f"\\copy (SELECT event FROM touchpoints WHERE event_id LIKE 'edge-%') TO '{path}' WITH CSV").strip(), f"COPY {EDGE_ROWS}")
    equal(psql(server, "COPY (SELECT 1, 'a') TO STDOUT"), "1\ta\n")


def script(server, lines, *options):
    """What psql prints for lines on its standard input."""
    done = subprocess.run(["psql", "-X", "-At", *options], input=lines, env=environment(server), capture_output=True, text=True, timeout=SECONDS_PER_CHECK - 2)
    return done.stdout


@suite.check
def psql_gdesc(server):
    equal(script(server, "SELECT user_id, revenue, ts, count(*) AS n FROM touchpoints GROUP BY 1, 2, 3 \\gdesc\n"),
          "user_id|text\nrevenue|numeric(18,4)\nts|timestamp with time zone\nn|bigint\n")


@suite.check
def psql_gset_and_variables(server):
    lines = "SELECT count(*) AS n FROM touchpoints \\gset\n\\echo :n\nSELECT :'word' || :n AS v \\g\n"
    equal(script(server, lines, "-v", "word=a'b"), f"{ROWS}\na'b{ROWS}\n")


@suite.check
def psql_gexec_and_crosstab(server):
    lines = "SELECT 'SELECT ' || n FROM generate_series(1, 2) AS t(n) \\gexec\nSELECT 'r', 'c', 5 \\crosstabview\n"
    equal(script(server, lines), "1\n2\nr|5\n")


@suite.check
def psql_several_commands(server):
    equal(psql(server, "SELECT 1; SELECT 2"), "1\n2\n")
    equal(psql(server, "BEGIN", "SELECT 1", "COMMIT"), "BEGIN\n1\nCOMMIT\n")
    equal(psql(server, "SET timezone = 'Asia/Tokyo'", "SHOW timezone"), "SET\nAsia/Tokyo\n")


@suite.check
def psql_single_transaction(server):
    equal(psql(server, "SELECT 1", "SELECT 2", options=("-At", "-1")), "1\n2\n")


@suite.check
def psql_error_with_line(server):
    told = psql(server, "SELECT no_such FROM touchpoints", fails=True)
    equal(told.splitlines()[:3], ['ERROR:  column "no_such" does not exist', "LINE 1: SELECT no_such FROM touchpoints", "               ^"])
    told = psql(server, "\\set VERBOSITY verbose", "SELECT 1 / 0", fails=True)
    assert told.startswith("ERROR:  22012: division by zero"), told


@suite.check
def psql_error_rollback(server):
    lines = "\\set ON_ERROR_ROLLBACK on\nBEGIN;\nSELECT 1;\nSELECT no_such;\nSELECT 2;\nCOMMIT;\n"
    equal(script(server, lines), "BEGIN\n1\n2\nCOMMIT\n")


@suite.check
def psql_interrupted(server):
    words = ["psql", "-X", "-At", "-c", "SELECT sum(n) FROM generate_series(1, 1000000000000) AS t(n)"]
    running = subprocess.Popen(words, env=environment(server), stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    time.sleep(0.6)
    running.send_signal(signal.SIGINT)
    _, told = running.communicate(timeout=5)
    assert "canceling statement due to user request" in told, told


@suite.check
def psql_wrong_database(server):
    done = subprocess.run(["psql", "-X", "-d", "no_such_database", "-c", "SELECT 1"], env=environment(server), capture_output=True, text=True, timeout=SECONDS_PER_CHECK - 2)
    assert 'database "no_such_database" does not exist' in done.stderr, done.stderr


@suite.check
def psql_timing_and_parallel_files(server):
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as file:
        file.write("SELECT 'a';\n-- a comment\nSELECT $$b;\n$$;\n")
        file.flush()
        equal(psql(server, options=("-At", "-f", file.name)), "a\nb;\n\n")


@suite.check
def psql_view_definition(server):
    psql(server, "CREATE OR REPLACE VIEW psql_view AS SELECT event FROM touchpoints")
    try:
        assert "touchpoints" in psql(server, "\\d+ psql_view", options=())
        assert "touchpoints" in psql(server, "\\sv psql_view")
        assert "psql_view" in psql(server, "\\dv")
    finally:
        psql(server, "DROP VIEW psql_view")


def pgcli(server, lines):
    """What pgcli prints for lines on its standard input."""
    found = os.path.join(os.path.dirname(sys.executable), "pgcli")
    program = found if os.path.exists(found) else shutil.which("pgcli")
    if program is None:
        raise Skip("pgcli is not installed")
    with tempfile.TemporaryDirectory() as home:
        words = [program, "--warn", "off", "--less-chatty", "-h", server.host, "-p", str(server.port), "-u", server.user, "-d", server.database, "-w"]
        more = environment(server) | {"HOME": home, "XDG_CONFIG_HOME": home, "PAGER": "cat", "TERM": "dumb"}
        done = subprocess.run(words, input=lines, env=more, capture_output=True, text=True, timeout=SECONDS_PER_CHECK - 1)
    return done.stdout + done.stderr


@suite.check
def pgcli_query(server):
    printed = pgcli(server, "SELECT count(*) FROM touchpoints;\n")
    # The last line has the error, without the places in the program that a trace names.
    assert str(ROWS) in printed, printed.strip().splitlines()[-1:]


@suite.check
def pgcli_completion(server):
    """What pgcli reads to complete names, by its own class for it."""
    from pgcli.pgexecute import PGExecute

    executor = PGExecute(server.database, server.user, server.password, server.host, server.port, dsn=None)
    assert "public" in list(executor.schemata())
    assert ("public", "touchpoints") in list(executor.tables())
    list(executor.views())
    columns = [column[:4] for column in executor.table_columns()]
    assert ("public", "touchpoints", "revenue", "numeric") in [tuple(c) for c in columns] or ("public", "touchpoints", "revenue", "numeric(18,4)") in [tuple(c) for c in columns], columns[:20]
    list(executor.view_columns())
    equal(list(executor.foreignkeys()), [])
    assert server.database in executor.databases()
    list(executor.functions())
    list(executor.datatypes())
    equal(list(executor.search_path())[-1], "public")


@suite.check
def pgcli_special_commands(server):
    from pgcli.pgexecute import PGExecute

    executor = PGExecute(server.database, server.user, server.password, server.host, server.port, dsn=None)
    from pgspecial.main import PGSpecial

    special = PGSpecial()
    for command, word in [("\\d touchpoints", "event_id"), ("\\dt", "touchpoints"), ("\\dn", "public"), ("\\l", server.database), ("\\df lower", None), ("\\du", None), ("\\dv", None), ("\\di", None)]:
        text = ""
        for _title, rows, _headers, _status in [tuple(result)[:4] for result in special.execute(executor.conn.cursor(), command)]:
            text += str(list(rows) if rows else [])
        assert word is None or word in text, f"{command}: {text[:200]}"


if __name__ == "__main__":
    suite.main()
