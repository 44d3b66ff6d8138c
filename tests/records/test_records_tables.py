# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Tables of runs against plain Python: order, pages, cells, extremes, columns."""

from __future__ import annotations

import math
import random
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from records_world import START, add, commit, run, values

from dotscience_jupyter.records import WhereError, models
from dotscience_jupyter.records.cells import Cell, cell
from dotscience_jupyter.records.columns import ColumnFacts
from dotscience_jupyter.records.store import NewRun, NewValue, Records
from dotscience_jupyter.records.tables import KEPT
from dotscience_jupyter.records.where import Field, parse_field, write_field

ODD = 'odd "name", it\'s (1)'
FIELDS = [
    parse_field(key)
    for key in (
        "id",
        "status",
        "file",
        "started",
        "created",
        "seconds",
        "parameters.model",
        "parameters.lr",
        "parameters.mixed",
        "parameters.deep",
        "metrics.accuracy",
        "metrics.rare",
        "metrics.nobody",
        "labels.stage",
    )
] + [Field("parameter", ODD)]


def random_run(number: int, chance: random.Random) -> NewRun:
    parameters: dict[str, object] = {
        "model": chance.choice(["svm", "forest", "Ölmodell", "a,b"]),
        "lr": chance.choice([0.1, 0.01, 1e-3]),
        "mixed": chance.choice(["high", 3, 2.5, None, True]),
        "deep": chance.random() < 0.5,
        ODD: chance.randint(1, 3),
    }
    metrics: dict[str, object] = {"accuracy": chance.uniform(-1, 1)}
    if chance.random() < 0.2:
        metrics["rare"] = chance.choice([math.inf, -math.inf, math.nan, 1.0, 2.0])
    for name in list(parameters):
        if chance.random() < 0.2:
            del parameters[name]
    made = values(parameter=parameters, metric=metrics, label={"stage": chance.choice("xyz")})
    # as a program of 2018 writes: numbers as text
    if chance.random() < 0.3:
        made.append(NewValue("metric", "old", chance.choice(["0.25", "7", "none of it"])))
    started = START + timedelta(seconds=chance.randint(0, 50))
    return run(
        id=f"run-{number}",
        description=f"number {number}",
        workload_file=chance.choice([None, "a.py", "b.ipynb"]),
        error="failed" if chance.random() < 0.2 else None,
        started=started,
        ended=chance.choice([None, started + timedelta(seconds=chance.randint(0, 9))]),
        values=made,
    )


@pytest.fixture
def many(records: Records) -> Records:
    chance = random.Random(7)
    for start in range(0, 120, 30):
        add(records, commit(*(random_run(n, chance) for n in range(start, start + 30))))
    return records


def everything(records: Records) -> list[models.Run]:
    return records.list_runs(limit=10_000)[0]


def value_of(each: models.Run, field: Field) -> models.RunValue | None:
    return next((v for v in each.values if (v.kind, v.name) == (field.kind, field.name)), None)


def expected_cell(each: models.Run, field: Field) -> Cell:
    if field.kind != "column":
        value = value_of(each, field)
        return None if value is None else cell(value.text, value.type, value.number)
    found: Any = {
        "id": each.id,
        "status": each.status,
        "file": each.workload_file,
        "seconds": each.seconds,
        "started": each.started,
        "created": each.commit.created,
    }[field.name]
    if found is not None and field.name in ("started", "created"):
        return str(found.isoformat()).replace("+00:00", "Z")
    return found  # type: ignore[no-any-return]  # found: Any


def numbers_of(runs: list[models.Run], field: Field) -> list[float]:
    if field.kind == "column":
        return [e.seconds for e in runs if field.name == "seconds" and e.seconds is not None]
    rows = [value_of(each, field) for each in runs]
    return [
        row.number
        for row in rows
        if row is not None and row.number is not None and math.isfinite(row.number)
    ]


@pytest.mark.parametrize(
    ("where", "sort"),
    [
        ("", ""),
        ("", "metrics.accuracy desc"),
        ("metrics.accuracy > 0", "parameters.lr, metrics.accuracy desc"),
        ("parameters.mixed is null", "labels.stage desc, created"),
        ("status = 'failed' or parameters.model = 'svm'", "parameters.mixed"),
        ("metrics.rare is not null", "metrics.rare desc, seconds, id"),
        ("metrics.accuracy > 5", "started"),
    ],
)
def test_pages_are_what_python_says(many: Records, where: str, sort: str) -> None:
    found, total = many.list_runs(where=where, sort=sort, limit=10_000)
    assert len(found) == total
    for offset in (0, 5, total - 3, total + 10):
        offset = max(0, offset)
        page = many.tables.page(FIELDS, where=where, sort=sort, offset=offset, limit=7)
        wanted = found[offset : offset + 7]
        assert page.ids == [each.id for each in wanted]
        assert page.rows == [[expected_cell(each, field) for field in FIELDS] for each in wanted]
        assert (page.total, page.head) == (total, 120)
        assert page.extremes == {
            field: (min(numbers), max(numbers))
            for field in FIELDS
            if (numbers := numbers_of(found, field))
        }


def test_extremes_of_many_matching_runs_are_found_along_the_index(
    many: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dotscience_jupyter.records.tables._FEW", 1)
    found, _ = many.list_runs(where="parameters.deep = true", limit=10_000)
    page = many.tables.page(FIELDS, where="parameters.deep = true")
    assert page.extremes == {
        field: (min(numbers), max(numbers))
        for field in FIELDS
        if (numbers := numbers_of(found, field))
    }


def test_a_new_run_is_in_the_next_page(many: Records) -> None:
    before = many.tables.page(FIELDS, sort="metrics.accuracy desc")
    assert many.tables.page(FIELDS, sort="metrics.accuracy desc").ids == before.ids
    add(many, commit(run(id="best", values=values(metric={"accuracy": 2.0}))))
    after = many.tables.page(FIELDS, sort="metrics.accuracy desc", limit=1000)
    assert after.ids == ["best", *many.tables.page(FIELDS, sort="metrics.accuracy desc").ids[1:]]
    assert (after.total, after.head) == (121, 121)
    assert after.extremes[Field("metric", "accuracy")][1] == 2.0


def test_many_filters_one_after_the_other(many: Records) -> None:
    """More than are remembered; each answers as the first time."""
    runs = everything(many)
    for _ in range(2):
        for limit in range(KEPT + 5):
            page = many.tables.page([], where=f"seconds > {limit / 2}", limit=1000)
            assert page.ids == [
                e.id for e in runs if e.seconds is not None and e.seconds > limit / 2
            ]


def test_samples_are_even_and_the_same_each_time(many: Records) -> None:
    runs = everything(many)
    sample = many.tables.sample(FIELDS[:1], 10)
    assert sample.ids == [runs[i * 12].id for i in range(10)]
    assert many.tables.sample(FIELDS[:1], 10) == sample
    assert many.tables.sample([], 1000).ids == [each.id for each in runs]
    assert sample.total == 120


def test_batches_have_every_row(many: Records) -> None:
    sort = "metrics.accuracy"
    rows = [row for batch in many.tables.batches(FIELDS, sort=sort) for row in batch]
    assert rows == many.tables.page(FIELDS, sort=sort, limit=1000).rows
    assert list(many.tables.batches(FIELDS, where="id = 'nobody'")) == []


def test_a_column_asked_for_twice(many: Records) -> None:
    page = many.tables.page([FIELDS[6], FIELDS[0], FIELDS[6], FIELDS[0]], limit=5)
    assert all(row[0] == row[2] and row[1] == row[3] for row in page.rows)


@pytest.mark.parametrize("asked", [{"where": "metrics.a >"}, {"sort": "colour"}])
def test_what_is_not_understood(records: Records, asked: dict[str, str]) -> None:
    for _ in range(2):
        with pytest.raises(WhereError):
            records.tables.page([], **asked)  # type: ignore[arg-type]  # two of its texts


def test_no_runs_at_all(records: Records) -> None:
    page = records.tables.page(FIELDS, where="metrics.a > 1", sort="metrics.a")
    assert (page.ids, page.rows, page.total, page.head, page.extremes) == ([], [], 0, 0, {})
    assert {facts.runs for facts in records.tables.columns()} == {0}


# ---- columns ----


def by_field(records: Records) -> dict[Field, ColumnFacts]:
    return {facts.field: facts for facts in records.tables.columns()}


def check_columns(records: Records) -> None:
    runs = everything(records)
    found = by_field(records)
    names = {Field(v.kind, v.name) for each in runs for v in each.values}
    assert {field for field in found if field.kind != "column"} == names
    for field in (*names, Field("column", "seconds")):
        numbers = numbers_of(runs, field)
        assert found[field].minimum == (min(numbers) if numbers else None)
        assert found[field].maximum == (max(numbers) if numbers else None)
    for field in names:
        assert found[field].runs == sum(value_of(each, field) is not None for each in runs)
    for name in ("started", "ended", "seconds", "error"):
        count = sum(getattr(each, name) is not None for each in runs)
        assert found[Field("column", name)].runs == count
    assert found[Field("column", "id")].runs == len(runs)
    files = Counter(each.workload_file for each in runs if each.workload_file)
    assert Counter(found[Field("column", "file")].values) == Counter(dict.fromkeys(files, 1))


def test_columns_are_what_python_counts_and_kept_up(many: Records) -> None:
    check_columns(many)
    found = by_field(many)
    types = {write_field(field): facts.type for field, facts in found.items()}
    assert types["parameters.model"] == "text"
    assert types["parameters.lr"] == "number"
    assert types["parameters.mixed"] == "mixed"
    assert types["parameters.deep"] == "bool"
    assert types["metrics.accuracy"] == types["metrics.rare"] == "number"
    assert types["metrics.old"] == "mixed"
    assert found[Field("parameter", "deep")].values == ["true", "false"]
    models_ = Counter(
        row.text
        for each in everything(many)
        if (row := value_of(each, Field("parameter", "model"))) is not None
    )
    shown = found[Field("parameter", "model")].values
    assert [models_[text] for text in shown] == sorted(models_.values(), reverse=True)
    chance = random.Random(8)
    add(many, commit(*(random_run(n, chance) for n in range(200, 220))))
    add(
        many,
        commit(run(values=values(parameter={"deep": "yes", "new": 1}, metric={"accuracy": 9.0}))),
    )
    check_columns(many)
    again = by_field(many)
    assert again[Field("parameter", "deep")].type == "mixed"
    assert again[Field("parameter", "new")].values == ["1"]


def test_columns_are_in_their_order(many: Records) -> None:
    found = [facts.field for facts in many.tables.columns()]
    assert [field.name for field in found[:3]] == ["description", "status", "error"]
    kinds = [field.kind for field in found]
    assert kinds == sorted(kinds, key=["column", "parameter", "metric", "label"].index)


@pytest.mark.parametrize(
    ("text", "type_", "number", "shown"),
    [
        ("0.5", "float", 0.5, 0.5),
        ("0.5", "str", 0.5, 0.5),
        ("7", "str", 7.0, 7),
        ("7", "int", 7.0, 7),
        ("12345678901234567890", "int", 12345678901234567890.0, 12345678901234567890),
        ("True", "bool", 1.0, True),
        ("False", "bool", 0.0, False),
        ("None", "none", None, None),
        ("nan", "float", None, "nan"),
        ("NaN", "str", None, "NaN"),
        ("-inf", "float", -math.inf, "-inf"),
        ("svm", "str", None, "svm"),
        ("1e3", "str", 1000.0, 1000.0),
    ],
)
def test_cells(text: str, type_: str, number: float | None, shown: Cell) -> None:
    found = cell(text, type_, number)
    assert found == shown
    assert type(found) is type(shown)


@pytest.mark.parametrize("name", ["lr", "a.b", "batch size", ODD, "", "é", 'a"b', "x\ny", "%_/"])
@pytest.mark.parametrize("kind", ["parameter", "metric", "label"])
def test_keys_read_back(kind: str, name: str) -> None:
    field = Field(kind, name)
    assert parse_field(write_field(field)) == field


@pytest.mark.parametrize("text", ["", "metrics.a b", "metrics.", "colour", "metrics.a,", "'x'"])
def test_what_is_no_key(text: str) -> None:
    with pytest.raises(WhereError):
        parse_field(text)
