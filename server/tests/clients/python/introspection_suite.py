"""Statements of business-intelligence tools and editors, from introspection/*.sql: columns, types and rows of the answers.

In the files, comments before a statement say what is expected of it: `name`, `columns` (names with numbers of types),
`rows` or `rows-at-least` (how many), `has` (the beginning of a row, values as text between bars, NULL for none),
`statement-only` (no rows). `columns` is written by this program from PostgreSQL's answer: RECORD=1 in the environment.
"""

import os
import pathlib
import re
import sys

from suite import Server, Suite, connect3

suite = Suite()
FOLDER = pathlib.Path(__file__).parent.parent / "introspection"


class Statement:
    def __init__(self, tool, text):
        lines = text.strip().split("\n")
        notes = [line[3:] for line in lines if line.startswith("-- ")]
        self.text = "\n".join(line for line in lines if not line.startswith("-- "))
        self.expected = [note.partition(": ")[::2] for note in notes]
        self.name = f"{tool}_{dict(self.expected)['name']}"

    def values(self, key):
        return [value for name, value in self.expected if name == key]


def statements(path):
    parts = re.split(r"^(?=-- name: )", path.read_text(), flags=re.MULTILINE)
    return [Statement(path.stem, part) for part in parts[1:]]


def ask(server, statement):
    """The names and types of the columns, and the rows as text."""
    with connect3(server, autocommit=True) as connection:
        connection.execute("SET timezone = 'UTC'")
        cursor = connection.execute(statement.text)
        if cursor.description is None:
            return [], []
        result = cursor.pgresult
        shape = [(column.name, column.type_code) for column in cursor.description]
        values = [[result.get_value(row, column) for column in range(result.nfields)] for row in range(result.ntuples)]
        return shape, [["NULL" if value is None else value.decode() for value in row] for row in values]


def told(shape):
    return ", ".join(f"{name} {kind}" for name, kind in shape)


def answers(statement):
    def run(server):
        shape, rows = ask(server, statement)
        names = [name for name, _ in shape]
        expected = [column.rsplit(" ", 1)[0] for column in ", ".join(statement.values("columns")).split(", ") if column]
        assert sorted(names) == sorted(expected) if ".*" in statement.text else names == expected, f"columns {names} instead of {expected}"
        for count in statement.values("rows"):
            assert len(rows) == int(count), f"{len(rows)} rows instead of {count}"
        for count in statement.values("rows-at-least"):
            assert len(rows) >= int(count), f"{len(rows)} rows, fewer than {count}"
        lines = ["|".join(row) for row in rows]
        for beginning in statement.values("has"):
            assert any(line == beginning or line.startswith(beginning + "|") for line in lines), f"no row {beginning!r} among {lines[:3]}"

    return run


def types(statement):
    def run(server):
        shape, _ = ask(server, statement)
        found = set(told(shape).split(", "))
        expected = set(statement.values("columns")[0].split(", "))
        assert found == expected, f"{sorted(found - expected)} instead of {sorted(expected - found)}"

    return run


for _path in sorted(FOLDER.glob("*.sql")):
    for _statement in statements(_path):
        suite.case(_statement.name, answers(_statement))
        if not any(name == "statement-only" for name, _ in _statement.expected):
            suite.case(f"{_statement.name}_types", types(_statement))


def record(server):
    """Writes the columns of every answer into the files."""
    for path in sorted(FOLDER.glob("*.sql")):
        head, *parts = re.split(r"^(?=-- name: )", path.read_text(), flags=re.MULTILINE)
        written = [head]
        for part in parts:
            statement = Statement(path.stem, part)
            shape, _ = ask(server, statement)
            plain = re.sub(r"^-- columns: .*\n", "", part, flags=re.MULTILINE)
            note = f"-- columns: {told(shape)}\n" if shape else ""
            written.append(re.sub(r"^(-- name: .*\n)", lambda match: match.group(1) + note, plain, count=1))
        path.write_text("".join(written))


if __name__ == "__main__":
    if os.environ.get("RECORD"):
        record(Server(sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4], ""))
    else:
        suite.main()
