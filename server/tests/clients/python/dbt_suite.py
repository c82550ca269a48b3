"""dbt: its connection, a view model, an ephemeral model, a test, its catalogue."""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

from suite import ROWS, Skip, Suite, connect3, equal

suite = Suite(seconds_per_check=90)
SECONDS = 60

FILES = {
    "dbt_project.yml": "name: suite\nversion: '1.0'\nprofile: suite\nmodel-paths: [models]\nflags: {send_anonymous_usage_stats: false}\n",
    "models/ready.sql": "{{ config(materialized='ephemeral') }}\nselect event_id, user_id, event, revenue from {{ source('shop', 'touchpoints') }} where event_id like 'edge-%'\n",
    "models/by_event.sql": "{{ config(materialized='view') }}\nselect event, count(*) as n, sum(revenue) as money from {{ ref('ready') }} group by event\n",
    "models/schema.yml": "version: 2\nsources:\n  - name: shop\n    schema: public\n    tables: [{name: touchpoints}]\n"
                         "models:\n  - name: by_event\n    description: Counts.\n    columns: [{name: event, data_tests: [unique, not_null]}]\n",
}


class Project:
    """A folder with a small dbt project, gone when the suite ends."""

    folder = None

    @classmethod
    def run(cls, server, *words):
        program = os.path.join(os.path.dirname(sys.executable), "dbt")
        if not os.path.exists(program):
            program = shutil.which("dbt")
        if program is None:
            raise Skip("dbt is not installed")
        if cls.folder is None:
            cls.folder = tempfile.TemporaryDirectory()
            for name, text in FILES.items():
                path = pathlib.Path(cls.folder.name, name)
                path.parent.mkdir(exist_ok=True)
                path.write_text(text)
            target = {"type": "postgres", "host": server.host, "port": server.port, "user": server.user, "password": server.password or "none", "dbname": server.database, "schema": "public", "threads": 2}
            pathlib.Path(cls.folder.name, "profiles.yml").write_text(json.dumps({"suite": {"target": "it", "outputs": {"it": target}}}))
        more = os.environ | {"DBT_SEND_ANONYMOUS_USAGE_STATS": "false", "DO_NOT_TRACK": "1"}
        done = subprocess.run([program, "--no-use-colors", *words, "--project-dir", cls.folder.name, "--profiles-dir", cls.folder.name], capture_output=True, text=True, timeout=SECONDS, env=more)
        lines = [line for line in done.stdout.splitlines() if "rror" in line or "FAIL" in line]
        assert done.returncode == 0, " ".join(lines[-6:])[:390] or done.stdout[-390:]
        return done.stdout


@suite.check
def debug(server):
    assert "Connection test: [OK connection ok]" in Project.run(server, "debug")


@suite.check
def compile(server):
    assert "touchpoints" in Project.run(server, "compile", "--select", "by_event")


@suite.check
def run_view_twice(server):
    for _ in range(2):
        Project.run(server, "run")
    with connect3(server) as connection:
        equal(connection.execute("SELECT n FROM by_event WHERE event = 'purchase'").fetchone(), (2,))


@suite.check
def show(server):
    assert "page_view" in Project.run(server, "show", "--inline", "select event, n from {{ ref('by_event') }} order by event desc")


@suite.check
def test(server):
    Project.run(server, "test")


@suite.check
def catalogue(server):
    Project.run(server, "docs", "generate")
    found = json.loads(pathlib.Path(Project.folder.name, "target", "catalog.json").read_text())
    equal(list(found["sources"]["source.suite.shop.touchpoints"]["columns"])[:2], ["event_id", "user_id"])
    equal(found["nodes"]["model.suite.by_event"]["columns"]["n"]["type"], "bigint")


@suite.check
def clean_up(server):
    with connect3(server, autocommit=True) as connection:
        connection.execute("DROP VIEW by_event")
        equal(connection.execute("SELECT count(*) FROM touchpoints").fetchone(), (ROWS,))


if __name__ == "__main__":
    suite.main()
