# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Lists of many runs: what is kept of earlier questions never shows, and indexes answer them."""

from __future__ import annotations

import random
from typing import Any

import pytest
from records_world import add, commit, run, values
from sqlalchemy import event, text

from dotscience_jupyter.records import ordering, selection
from dotscience_jupyter.records.store import NewRun, NewValue, Records

LONG = "x" * 99 + "Needle" + "y" * 60
WHERES = (
    "",
    "parameters.model = 'svm'",
    "parameters.model != 'svm' and metrics.loss < 0.6",
    "not parameters.model in ('svm', 'forest') or labels.stage ~ 'PAP'",
    "parameters.note ~ 'needle'",
    f"parameters.note = '{LONG}'",
    "parameters.note > 'm'",
    "parameters.note is null or parameters.deep = true",
    "parameters.depth = '3' or parameters.depth = 4",
    "parameters.depth is not null and metrics.loss is not null",
    "created >= '2026-03-01' and status = 'succeeded'",
    "metrics.loss ~ '0.5'",
    "metrics.loss > 7",
)
SORTS = (
    "",
    "metrics.loss",
    "metrics.loss desc",
    "parameters.note desc",
    "parameters.mixed",
    "seconds, parameters.model desc",
    "metrics.nobody",
)
SEARCHES = ("", "number", "1 svm", "NEEDLE", "stage paper", "loss")


def new_run(number: int, chance: random.Random) -> NewRun:
    parameters: dict[str, object] = {
        "model": chance.choice(["svm", "forest", "linear"]),
        "depth": chance.randint(0, 6),
        "deep": chance.random() < 0.5,
        "mixed": chance.choice([1, 2.5, "high", None]),
    }
    if chance.random() < 0.3:
        parameters["note"] = chance.choice([LONG, LONG[:100], LONG[:101], "short", "needle", ""])
    return run(
        id=f"run-{number}",
        description=f"number {number}, {parameters['model']}",
        values=[
            *values(parameter=parameters, label={"stage": chance.choice(["dev", "paper"])}),
            *([] if number % 9 == 0 else values(metric={"loss": round(chance.random(), 2)})),
        ],
    )


def asked_for() -> list[dict[str, str]]:
    """Each filter and each search, each sort with several of them."""
    sorts = [*SORTS, *SORTS]
    filters = [
        {"where": where, "sort": sort}
        for place, where in enumerate(WHERES)
        for sort in ("", sorts[place % len(SORTS)])
    ]
    searches = [
        {"search": search, "sort": SORTS[place % 3]} for place, search in enumerate(SEARCHES)
    ]
    return [*filters, *searches, *({"sort": sort} for sort in SORTS)]


def answers(records: Records, asked: list[dict[str, str]]) -> list[list[str]]:
    """All of each list, asked for in one piece."""
    return [[run.id for run in records.list_runs(**each, limit=10_000)[0]] for each in asked]


def test_what_is_kept_is_what_is_found_anew(
    records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pages of a part of an order and of all of it, and lists before and after newer runs."""
    monkeypatch.setattr(ordering, "FIRST", 8)
    chance = random.Random(5)
    for first in (0, 20):
        add(records, commit(*(new_run(n, chance) for n in range(first, first + 20))))
        # of what has kept nothing, and sorts nothing but all there is
        monkeypatch.setattr(ordering, "FEW", 0)
        expected = answers(Records(records._database, records._clock), asked_for())
        monkeypatch.setattr(ordering, "FEW", 5)
        for asked, ids in zip(asked_for(), expected, strict=True):
            for offset in (0, max(0, len(ids) - 4)):
                found, total = records.list_runs(**asked, offset=offset, limit=3)
                page = ids[offset : offset + 3]
                assert ([each.id for each in found], total) == (page, len(ids)), (asked, offset)


def test_more_is_asked_than_is_kept(records: Records, monkeypatch: pytest.MonkeyPatch) -> None:
    chance = random.Random(6)
    add(records, commit(*(new_run(n, chance) for n in range(30))))
    some = asked_for()[::4]
    expected = answers(records, some)
    for module in (ordering, selection):
        monkeypatch.setattr(module, "KEPT", 1)
    few = Records(records._database, records._clock)
    assert answers(few, some) == expected
    assert len(few.tables._selection._known) == 1


def test_runs_that_are_newer_than_the_list_are_not_in_it(records: Records) -> None:
    """Another program's commit may be there in the middle of a question."""
    chance = random.Random(7)
    add(records, commit(*(new_run(n, chance) for n in range(30))))
    with records._database.reading() as session:
        for where in WHERES[::2]:
            marks = selection.Selection().find(session, where, "", 20)
            assert len(marks) == 21
            for sort in SORTS[1:]:
                found = ordering.Orders().some(session, sort, bytes([0] + [1] * 20), marks, 0, 99)
                assert sorted(found) == [number for number in range(21) if marks[number]]


def test_what_a_list_tells_of_a_run_is_what_the_run_has(records: Records) -> None:
    chance = random.Random(8)
    add(records, commit(*(new_run(n, chance) for n in range(5))))
    for head in records.list_runs()[0]:
        whole = records.get_run(head.id)
        for name in ("sequence", "commit_id", "authority", "status", "description", "error"):
            assert getattr(head, name) == getattr(whole, name)
        for name in ("author", "workload_type", "workload_file", "started", "ended", "seconds"):
            assert getattr(head, name) == getattr(whole, name)
        assert (head.commit.id, head.commit.created) == (whole.commit.id, whole.commit.created)
        assert [tuple(value) for value in head.values] == [
            (value.kind, value.name, value.text, value.type, value.number) for value in whole.values
        ]


@pytest.mark.parametrize(
    "asked",
    [
        {"where": "parameters.model = 'svm'"},
        {"where": "parameters.depth = '3' and parameters.model != 'svm'"},
        {"where": "parameters.model ~ 'fore' or labels.stage in ('dev', 'paper')"},
        {"where": "parameters.model > 'g' and parameters.deep = true"},
        {"where": "parameters.model is not null and parameters.mixed is null"},
        {"where": "metrics.loss > 0.5 and parameters.depth != 4"},
        {"sort": "metrics.loss desc"},
        {"sort": "parameters.model"},
        {"sort": "seconds desc"},
    ],
)
def test_an_index_alone_answers(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch, asked: dict[str, str]
) -> None:
    """No comparison and no sort looks at the rows of all runs, but for what is in no index.

    On SQLite, whose plans do not depend on how many rows there are.
    """
    monkeypatch.setattr(ordering, "FEW", 0)
    records = Records.open(sqlite_url)
    chance = random.Random(9)
    add(records, commit(*(new_run(n, chance) for n in range(20))))
    statements: list[tuple[str, Any]] = []

    def note(connection: Any, cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if "text, run_values.type" not in statement and "commits" not in statement:
            statements.append((statement, parameters))

    event.listen(records._database.engine, "before_cursor_execute", note)
    records.list_runs(**asked)
    event.remove(records._database.engine, "before_cursor_execute", note)
    looked = 0
    with records._database.engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM runs")) == 20
        for statement, parameters in statements:
            if not statement.startswith("SELECT") or "> 100" in statement:
                continue  # texts that are too long for an index
            if parameters[:1] == ("metric",) and "number IS NULL" in statement:
                continue  # metrics that are no numbers
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
            for step in [row[-1] for row in plan]:
                if step.startswith(("SEARCH", "SCAN")):
                    looked += 1
                    assert "COVERING INDEX" in step, (statement, step)
    records.close()
    assert looked > 1


def test_a_value_too_long_for_an_index_is_recorded(records: Records) -> None:
    huge = "ß" * 70_000
    add(
        records,
        commit(run(id="huge", values=[NewValue("parameter", "é" * 512, huge)])),
        commit(run(id="label", values=[NewValue("label", "note", huge)])),
    )
    assert [each.id for each in records.list_runs(search="ßß")[0]] == ["label"]
    [found] = records.list_runs(where=f"parameters.'{'é' * 512}' ~ 'ß'")[0]
    assert found.values[0].text == huge
    where = "labels.note != 'x' and labels.note is not null and not labels.note = ''"
    assert [each.id for each in records.list_runs(where=where)[0]] == ["label"]
