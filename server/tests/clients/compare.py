#!/usr/bin/env python3
"""Runs every suite of clients against PostgreSQL and against Wayfare, and writes docs/clients.md.

    python3 server/tests/clients/compare.py --wayfare target/release/wayfare

Both servers are started here, on free ports of this machine, over the same rows, and ended. PostgreSQL's programs are
looked for in --postgres or where Debian has them; the suite of tokio-postgres is an example of the server's crate
(`cargo build --workspace --examples`). WAYFARE_PYTHON, WAYFARE_NODE_MODULES and WAYFARE_JDBC name the clients
as in the tests. A check that fails on PostgreSQL is a mistake of the suite: the run ends with exit code 1.
"""

import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import report
import servers

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent.parent


def tools():
    target = os.environ.get("CARGO_TARGET_DIR", ROOT / "target")
    return {
        "tokio": os.environ.get("WAYFARE_TOKIO_SUITE", f"{target}/debug/examples/tokio_suite"),
        "python": os.environ.get("WAYFARE_PYTHON", sys.executable),
        "jdbc": os.environ.get("WAYFARE_JDBC", "/usr/share/java/postgresql.jar"),
    }


def filled(words):
    return [word.format(**tools()) if word in ("{python}", "{jdbc}", "{tokio}") else word for word in words]


def environment():
    modules = os.environ.get("WAYFARE_NODE_MODULES")
    return os.environ | ({"NODE_PATH": modules} if modules else {})


def installed(suite):
    def there(words):
        try:
            return subprocess.run(filled(words), env=environment(), capture_output=True).returncode == 0
        except OSError:
            return False

    return all(there(words) for words in suite["needs"])


def run(suite, server):
    """What each check of a suite came to: {name: (word, reason)}."""
    words = filled(suite["run"]) + [server.host, str(server.port), server.user, server.database]
    try:
        done = subprocess.run(words, cwd=HERE, env=environment(), capture_output=True, text=True, timeout=suite["seconds"])
        printed, told = done.stdout, done.stderr
    except subprocess.TimeoutExpired as late:
        printed, told = (late.stdout or b"").decode(), "the suite did not end in time"
    found = {}
    for line in printed.splitlines():
        word, _, rest = line.partition(" ")
        name, _, reason = rest.partition(": ")
        if word in ("ok", "fail", "skip"):
            found[name] = (word, reason)
    if not found:
        print(told[-2000:], file=sys.stderr)
    return found


def known_failures():
    """{suite: {check: reason}} of the files in known_failures; a reason that nobody has written begins with `? `."""
    found = {}
    for path in sorted((HERE / "known_failures").glob("*.txt")):
        lines = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
        found[path.stem] = {name: reason for name, _, reason in (line.partition(": ") for line in lines)}
    return found


def main():
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--wayfare", required=True, help="the program")
    words.add_argument("--postgres", help="the directory with initdb and postgres")
    words.add_argument("--suites", nargs="*", help="names of suites; nothing is written")
    words.add_argument("--out", default=str(ROOT / "docs" / "clients.md"))
    words = words.parse_args()
    servers.end_tidily()
    suites = [one for one in json.loads((HERE / "suites.json").read_text()) if not words.suites or one["name"] in words.suites]
    results, wrong, missing = [], 0, []
    folder = tempfile.mkdtemp(prefix="wayfare-clients-")
    try:
        with servers.wayfare(words.wayfare, folder) as ours, servers.postgres(words.postgres, folder, ours) as theirs:
            # Before a suite can make a server too busy to say it.
            versions = servers.version(theirs), servers.version(ours)
            for suite in suites:
                if not installed(suite):
                    missing.append(suite["client"])
                    print(f"{suite['name']}: not installed", file=sys.stderr)
                    continue
                peer, own = run(suite, theirs), run(suite, ours)
                bad = [f"{name}: {reason}" for name, (word, reason) in peer.items() if word == "fail"]
                wrong += len(bad)
                print(f"{suite['name']}: PostgreSQL {sum(w == 'ok' for w, _ in peer.values())}/{len(peer)}, Wayfare {sum(own.get(n, ('', ''))[0] == 'ok' for n in peer)}/{len(peer)}", file=sys.stderr)
                for line in bad:
                    print(f"  fails on PostgreSQL: {line}", file=sys.stderr)
                if words.suites:
                    for name, (word, reason) in own.items():
                        if word == "fail":
                            print(f"  {name}: {reason}", file=sys.stderr)
                results.append((suite, peer, own))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if not words.suites:
        for line in report.unexplained(results, known_failures()):
            print(f"no reason in known_failures: {line}", file=sys.stderr)
        report.write(pathlib.Path(words.out), results, known_failures(), versions, missing)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
