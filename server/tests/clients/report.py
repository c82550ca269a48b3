"""Writes docs/clients.md: what every client's checks came to on both servers, and each check that does not pass."""

# Begins what a check said where nobody has written a reason.
UNEXPLAINED = "? "

INTRODUCTION = """\
# Clients

<!-- Written by `python3 server/tests/clients/compare.py`. Do not edit: change a suite, known_failures or report.py. -->

Each client below runs its own checks, in its own language, against PostgreSQL and against Wayfare with the same rows. A
suite is one program for both, and every check has to pass on PostgreSQL to count. The suites are in
`server/tests/clients`; `cargo test` runs them against Wayfare and fails where a check does not do what
`known_failures` says of it.

```sh
python3 server/tests/clients/compare.py --wayfare target/release/wayfare
```
"""


def write(path, results, known, versions, missing):
    lines = [INTRODUCTION, f"Last run: {versions[0]}; {versions[1]}.", "", "| client | checks | passed by PostgreSQL | passed by both |", "|---|--:|--:|--:|"]
    sums = [0, 0, 0]
    for suite, peer, own in results:
        checks = [name for name, (word, _) in peer.items() if word != "skip"]
        passed = [name for name in checks if peer[name][0] == "ok"]
        both = [name for name in passed if own.get(name, ("", ""))[0] == "ok"]
        lines.append(f"| {suite['client']} | {len(checks)} | {len(passed)} | {len(both)} |")
        sums = [a + b for a, b in zip(sums, (len(checks), len(passed), len(both)))]
    lines.append(f"| **together** | **{sums[0]}** | **{sums[1]}** | **{sums[2]}** |")
    lines.append("")
    if missing:
        lines += [f"Not run for want of the client: {', '.join(missing)}.", ""]
    lines += ["## What differs, and why", ""]
    for suite, peer, own in results:
        failing = differing(peer, own)
        if not failing:
            continue
        lines += [f"### {suite['client']}", "", "| check | why |", "|---|---|"]
        for name in failing:
            reason = known.get(suite["name"], {}).get(name) or own.get(name, ("", "not reached"))[1]
            lines.append(f"| `{name}` | {cell(reason.removeprefix(UNEXPLAINED))} |")
        lines.append("")
    text = "\n".join(lines).rstrip() + "\n"
    figures = path.with_name("streaming.md")
    if figures.exists():
        text += "\n" + figures.read_text()
    path.write_text(text)


def differing(peer, own):
    """The checks that PostgreSQL alone passes."""
    return [name for name in peer if peer[name][0] == "ok" and own.get(name, ("", ""))[0] != "ok"]


def unexplained(results, known):
    """`suite check` of those that differ without a written reason."""
    found = []
    for suite, peer, own in results:
        reasons = known.get(suite["name"], {})
        found += [f"{suite['name']} {name}" for name in differing(peer, own) if reasons.get(name, UNEXPLAINED).startswith(UNEXPLAINED)]
    return found


def cell(text):
    return text.replace("|", "\\|").replace("<", "&lt;")[:200]
