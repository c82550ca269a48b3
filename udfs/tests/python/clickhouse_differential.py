"""Compares our answers with those of ClickHouse (package chdb) and explains every difference.

Standard input: JSON with the streams, the windows and our answers, as the Rust test `clickhouse_differential` writes
it. For each mode all streams are asked of ClickHouse in one query. Our answer must be that of the model below under
our rules. Where ClickHouse says something else, the smallest set of named rules is looked for that turns the model's
answer into theirs; each rule is a decision that docs/functions.md states. A difference that no rules explain, and an
answer of ours that is not the model's, end with exit code 1. Counts are printed for each mode.
"""

import itertools
import json
import operator
import os
import re
import sys
import tempfile

# Rules by which the engines differ. The model follows ours unless the name is among its `theirs`.
NULL_ROWS = "a row with a NULL condition is left out as a whole"
NO_ROWS = "no rows left give NULL, not 0"
ONE_CANDIDATE = "strict_increase keeps one candidate for each step"
ENTRY_PASSES = "strict_order lets step 1 after step 2 pass and start again"
EARLY_PASSES = "allow_reentry skips a step whose predecessor is missing, and starts again with step 1"
ARRIVAL = "strict_once with strict_deduplication takes rows of one instant as they arrive"

COMPARE = {">=": operator.ge, "<=": operator.le, "==": operator.eq, ">": operator.gt, "<": operator.lt}


def rules_of(mode):
    """The rules that can make a difference in a mode."""
    rules = [NULL_ROWS, NO_ROWS]
    if "strict_increase" in mode and "strict_once" not in mode:
        rules.append(ONE_CANDIDATE)
    if "strict_order" in mode and "allow_restart" not in mode:
        rules.append(EARLY_PASSES if "allow_reentry" in mode else ENTRY_PASSES)
    if "strict_once" in mode and "strict_deduplication" in mode:
        rules.append(ARRIVAL)
    return rules


def usable(rows, theirs):
    """The rows with a time, as (time, conditions that hold)."""
    kept = []
    for time, *conditions in rows:
        conditions = conditions[:STEPS]
        if time is None or (NULL_ROWS in theirs and None in conditions):
            continue
        kept.append((time, [step for step, holds in enumerate(conditions, 1) if holds]))
    return kept


def funnel(mode, window, rows, theirs):
    """The furthest step, from all chains that there are."""
    rows = usable(rows, theirs)
    if not rows and NO_ROWS in theirs:
        return None
    entries = sorted(
        (time, step, row) for row, (time, met) in enumerate(rows) for step in (met or [0])
    )
    chains = {}  # step -> chains that reached it, as (first time, last time, rows)
    for (time, step), group in itertools.groupby(entries, key=lambda entry: entry[:2]):
        group = list(group)
        reached_before = step in chains
        for place, (_, _, row) in enumerate(group):
            depth = max(chains, default=0)
            if step == 0:
                if "strict_order" in mode and depth:
                    return depth
                continue
            if step == 1:
                passes = "allow_restart" in mode or {ENTRY_PASSES, EARLY_PASSES} & theirs
                if "strict_order" in mode and depth > 1 and not passes:
                    if "allow_reentry" in mode:
                        continue
                    return depth
                found = [(time, time, {row})]
            else:
                repeated = step in chains if ARRIVAL in theirs or "strict_once" not in mode else reached_before
                if "strict_deduplication" in mode and repeated:
                    return depth
                if "strict_order" in mode and depth and step - 1 not in chains:
                    if EARLY_PASSES in theirs:
                        continue
                    return depth
                found = [
                    (first, time, used | {row})
                    for first, last, used in chains.get(step - 1, [])
                    if time <= first + window
                    and not ("strict_increase" in mode and last == time)
                    and not ("strict_once" in mode and row in used)
                ]
            if found and ONE_CANDIDATE in theirs:
                chains[step] = found
            elif found:
                chains.setdefault(step, []).extend(found)
        # Under our rule two rows of one instant and step are a repetition, whichever of them comes first.
        is_repeated_here = step > 1 and len(group) > 1 and step in chains and ARRIVAL not in theirs
        if "strict_deduplication" in mode and is_repeated_here:
            return max(chains)
    return max(chains, default=0)


def retention(rows, theirs):
    """For each condition whether it held in some row, if the first did."""
    rows = usable(rows, theirs)
    if not rows and NO_ROWS in theirs:
        return None
    steps = set().union(*(met for _, met in rows))
    return [int(1 in steps and step in steps) for step in range(1, STEPS + 1)]


def parts_of(pattern):
    """The rows of a pattern, as conditions or None for any, and what lies before each: (other rows may, time gates)."""
    parts, may_skip, gates = [], False, []
    for condition, sign, length, other in re.findall(r"\(\?(?:(\d+)|t(>=|<=|==|>|<)(\d+))\)|(\.\*|\.)", pattern):
        if other == ".*":
            may_skip = True
        elif sign:
            may_skip = True
            gates.append((COMPARE[sign], int(length)))
        else:
            parts.append((int(condition) if condition else None, may_skip, gates))
            may_skip, gates = False, []
    return parts


def sequence_ends(parts, rows, start):
    """The last row of the first match from row `start`; None if there is none."""

    def place(number, row):
        if number == len(parts):
            return row
        condition, may_skip, gates = parts[number]
        for following in range(row + 1, len(rows) if may_skip or number == 0 else min(row + 2, len(rows))):
            time, met = rows[following]
            in_time = number == 0 or all(holds(time - rows[row][0], length) for holds, length in gates)
            if in_time and (condition is None or condition in met):
                last = place(number + 1, following)
                if last is not None:
                    return last
        return None

    return place(0, start - 1)


def sequence_count(pattern, rows, theirs):
    """Matches that do not overlap."""
    rows = sorted(row for row in usable(rows, theirs))
    if not rows and NO_ROWS in theirs:
        return None
    rows = [row for row in rows if row[1]]
    parts, count, start = parts_of(pattern), 0, 0
    while (last := sequence_ends(parts, rows, start)) is not None:
        count, start = count + 1, last + 1
    return count


def next_node(direction, base, events, rows):
    """The value next to the events, which begin at the base; condition 4 says what may be a base."""
    rows = sorted(row for row in rows if row[-1] is not None)
    if direction == "backward":
        rows.reverse()
    places = range(len(rows))
    if base in ("head", "tail"):
        places = [place for place in places[:1] if rows[place][4]]
    else:
        # Backward the rows are turned round, so the first match is the last of them.
        places = [place for place in places if rows[place][4] and (not events or rows[place][events[0]])]
        is_last = (base == "last_match") != (direction == "backward")
        places = places[-1:] if is_last else places[:1]
    for place in places:
        following = rows[place : place + len(events)]
        if len(following) == len(events) and all(row[event] for row, event in zip(following, events)):
            if place + len(events) < len(rows):
                return rows[place + len(events)][-1]
    return None


def explain(rules, model, ours, theirs):
    """The smallest set of rules that gives their answer; None if there is none or ours is not the model's."""
    if model(frozenset()) != ours:
        return None
    for size in range(1, len(rules) + 1):
        for subset in itertools.combinations(rules, size):
            if model(frozenset(subset)) == theirs:
                return subset
    return None


class Tally:
    """Counts for one function and mode."""

    def __init__(self, name, rules):
        self.name, self.rules = name, rules
        self.compared, self.equal, self.by_rule, self.unexplained = 0, 0, {}, []

    def compare(self, place, model, ours, theirs):
        self.compared += 1
        if ours == theirs:
            self.equal += 1
            if model(frozenset()) != ours:
                self.unexplained.append(f"{place}: both say {ours}, our rules give {model(frozenset())}")
            return
        rules = explain(self.rules, model, ours, theirs)
        # More candidates reach more, unless another mode ends the search at what they reach.
        is_less = self.name == "windowFunnel strict_increase" and rules == (ONE_CANDIDATE,) and ours < theirs
        if rules is None or is_less:
            self.unexplained.append(f"{place}: ours {ours}, theirs {theirs}, our rules give {model(frozenset())}")
            return
        name = " and ".join(rules)
        self.by_rule[name] = self.by_rule.get(name, 0) + 1

    def report(self):
        print(f"{self.name}: {self.compared} compared, {self.equal} equal")
        for rule, count in sorted(self.by_rule.items(), key=lambda item: -item[1]):
            print(f"  {count} explained: {rule}")
        for text in self.unexplained[:5]:
            print(f"  NOT EXPLAINED: {text}")
        if len(self.unexplained) > 5:
            print(f"  NOT EXPLAINED: {len(self.unexplained) - 5} more")
        return not self.unexplained


SETTINGS = "SETTINGS max_threads = 1, allow_experimental_funnel_functions = 1"


class ClickHouse:
    """One table of all streams in a file, and queries over it."""

    def __init__(self, streams):
        import chdb

        self.chdb = chdb
        self.file = tempfile.NamedTemporaryFile("w", suffix=".tsv", delete=False)
        for stream, rows in enumerate(streams):
            for row in rows:
                cells = ["\\N" if cell is None else cell if isinstance(cell, str) else str(int(cell)) for cell in row]
                cells += ["\\N"] * (STEPS + 2 - len(cells))
                self.file.write("\t".join([str(stream), *cells]) + "\n")
        self.file.close()
        self.conditions = ", ".join(f"c{step}" for step in range(1, STEPS + 1))

    def version(self):
        return json.loads(str(self.chdb.query("SELECT version() AS v", "JSON")))["data"][0]["v"]

    def answers(self, calls):
        """For each stream the values of the calls, in one query."""
        columns = ", ".join(f"c{step} Nullable(UInt8)" for step in range(1, STEPS + 1)) + ", v Nullable(String)"
        table = f"file('{self.file.name}', TSV, 'stream UInt32, ts Nullable(UInt64), {columns}')"
        # One thread: some answers of theirs depend on the order in which rows arrive.
        sql = f"SELECT stream, {', '.join(calls)} FROM {table} GROUP BY stream ORDER BY stream {SETTINGS}"
        rows = json.loads(str(self.chdb.query(sql, "JSONCompact")))["data"]
        return {int(row[0]): row[1:] for row in rows}

    def close(self):
        os.unlink(self.file.name)


def check_funnel(clickhouse, case, mode, ours):
    """All windows of one mode; ours[stream][window]."""
    names = [name.strip() for name in mode.split(",")]
    # Their strict_order restarts by itself.
    options = "".join(f", '{name}'" for name in names if name not in ("default", "allow_restart"))
    calls = [
        f"windowFunnel({window}{options})(ts, {clickhouse.conditions})" for window in case["windows"]
    ]
    try:
        theirs = clickhouse.answers(calls)
    except Exception as error:  # noqa: BLE001, the package raises its own kinds
        if "doesn't support a parameter" not in str(error):
            raise
        print(f"windowFunnel {mode}: NOT RUN, this ClickHouse does not have it")
        return True
    tally = Tally(f"windowFunnel {mode}", rules_of(names))
    for stream, rows in enumerate(case["streams"]):
        for place, window in enumerate(case["windows"]):
            answer = theirs[stream][place]
            tally.compare(
                f"stream {stream} {rows} window {window}",
                lambda rules, rows=rows, window=window: funnel(names, window, rows, rules),
                ours[stream][place],
                answer if answer is None else int(answer),
            )
    return tally.report()


def check_retention(clickhouse, case):
    if case["retention"] is None:
        print("retention: NOT RUN, the function is not there")
        return True
    theirs = clickhouse.answers([f"retention({clickhouse.conditions})"])
    tally = Tally("retention", [NULL_ROWS, NO_ROWS])
    for stream, rows in enumerate(case["streams"]):
        answer = theirs[stream][0]
        tally.compare(
            f"stream {stream} {rows}",
            lambda rules, rows=rows: retention([(0, *row[1:]) for row in rows], rules),
            case["retention"][stream],
            answer if answer is None else [int(bit) for bit in answer],
        )
    return tally.report()


def check_sequences(clickhouse, case):
    """sequenceMatch and sequenceCount of each pattern; ours[stream] is the count."""
    fine = True
    for pattern, ours in case["sequences"].items():
        arguments = f"('{pattern}')(ts, {clickhouse.conditions})"
        theirs = clickhouse.answers([f"sequenceCount{arguments}", f"sequenceMatch{arguments}"])
        tallies = [Tally(f"{name} {pattern}", [NULL_ROWS, NO_ROWS]) for name in ("sequenceCount", "sequenceMatch")]
        for stream, rows in enumerate(case["streams"]):
            for tally, answer, our, read in zip(tallies, theirs[stream], ours[stream], (int, bool)):
                def model(rules, rows=rows, read=read):
                    count = sequence_count(pattern, rows, rules)
                    return count if count is None else read(count)

                answer = answer if answer is None else read(int(answer))
                tally.compare(f"stream {stream} {rows}", model, read(our), answer)
        fine &= all([tally.report() for tally in tallies])
    return fine


def check_next_nodes(clickhouse, case):
    """sequenceNextNode of each direction, base and list of events."""
    fine = True
    for call in case["next_nodes"]:
        direction, base, events = call["direction"], call["base"], call["events"]
        conditions = ", ".join(f"ifNull(c{number}, 0)" for number in [4, *events])
        theirs = clickhouse.answers([f"sequenceNextNode('{direction}', '{base}')(assumeNotNull(ts), v, {conditions})"])
        tally = Tally(f"sequenceNextNode {direction} {base} {events}", [])
        for stream, rows in enumerate(case["streams"]):
            tally.compare(
                f"stream {stream} {rows}",
                lambda rules, rows=rows: next_node(direction, base, events, rows),
                call["answers"][stream],
                theirs[stream][0],
            )
        fine &= tally.report()
    return fine


def main():
    case = json.load(sys.stdin)
    global STEPS
    STEPS = case["steps"]
    clickhouse = ClickHouse(case["streams"])
    try:
        print(f"ClickHouse {clickhouse.version()}, {len(case['streams'])} streams, seed {case['seed']}")
        explained = [check_funnel(clickhouse, case, mode, ours) for mode, ours in case.get("funnel", {}).items()]
        if "retention" in case:
            explained.append(check_retention(clickhouse, case))
        if "sequences" in case:
            explained.append(check_sequences(clickhouse, case))
            explained.append(check_next_nodes(clickhouse, case))
    finally:
        clickhouse.close()
    sys.stdout.flush()
    sys.exit(0 if all(explained) else 1)


if __name__ == "__main__":
    main()
