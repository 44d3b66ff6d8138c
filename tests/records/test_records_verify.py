# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Whatever is changed in the database afterwards, verify says so."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from alembic import command
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from records_wild import WILD_COMMITS
from records_world import Clock, add, commit, full_run, head_of, run

from dotscience_jupyter.records.database import Database, alembic_config
from dotscience_jupyter.records.errors import RecordsError
from dotscience_jupyter.records.models import Base
from dotscience_jupyter.records.store import NewChange, NewFile, NewRun, Records

# a column may hold the same as before in two ways: packed differently, data is the same data
COLUMNS = [(t.name, c.name) for t in Base.metadata.sorted_tables for c in t.columns]


def _fill(records: Records) -> None:
    add(
        records,
        commit(),
        commit(full_run(), changes={"model.pkl": "added"}, logs={"t/out.log": b"text" * 50}),
        commit(run(reads=("model.pkl",), authority="derived", environment={"x": 1})),
    )
    head = head_of(records)
    # one that is beside the line of HEAD, and belongs to no ref
    records.set_ref("branch/x", head, expected=None)
    [aside] = records.commit([commit()], expected_head=head, ref="branch/x")
    records.set_ref("branch/x", None, expected=aside.id)
    add(
        records,
        commit(full_run(), full_run(), changes={"model.pkl": "modified", "b": "removed"}),
    )


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("filled") / "records.db"
    records = Records.open(f"sqlite:///{path}", clock=Clock())
    _fill(records)
    assert records.verify() == []
    records.close()
    return path


@pytest.fixture
def filled(template: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(template, tmp_path))


def _verify(path: Path) -> list[tuple[str | None, str]]:
    records = Records.open(f"sqlite:///{path}")
    try:
        return records.verify()
    finally:
        records.close()


def _changed(value: object) -> list[object]:
    """Other values that a column could hold instead of one, sane and insane ones."""
    match value:
        case None:
            return ["x"]
        case int():
            return [value + 1, value + 1000, -value - 1, "text"]
        case float():
            return [value + 1.0, None, "text"]
        case bytes():
            return [value[:-1], bytes([value[0] ^ 1]) + value[1:], b"", "text"]
        case _:
            text = str(value)
            other = text[:-1] + ("0" if text[-1:] != "0" else "1")
            return [other, text + "x", "", b"\xff\xfe"]


@pytest.mark.parametrize(("table", "column"), COLUMNS)
def test_any_flipped_column_is_found(template: Path, filled: Path, table: str, column: str) -> None:
    connection = sqlite3.connect(filled, isolation_level=None)
    keys = [row[1] for row in connection.execute(f"PRAGMA table_info({table})") if row[5]]
    rows = connection.execute(f"SELECT {', '.join(keys)}, {column} FROM {table}").fetchall()
    assert rows
    # the last row has something in the most columns
    *key, value = next((row for row in reversed(rows) if row[-1] is not None), rows[-1])
    where = " AND ".join(f"{each} IS ?" for each in keys)
    connection.close()
    tried = 0
    for other in _changed(value):
        shutil.copy(template, filled)
        connection = sqlite3.connect(filled, isolation_level=None)
        try:
            connection.execute(f"UPDATE {table} SET {column} = ? WHERE {where}", [other, *key])
        except sqlite3.IntegrityError:
            continue
        finally:
            connection.close()
        problems = _verify(filled)
        assert problems, f"{value!r} -> {other!r} was not found"
        assert all(message.endswith((".", ")")) or ":" in message for _, message in problems)
        tried += 1
    assert tried


@pytest.mark.parametrize("table", [table.name for table in Base.metadata.sorted_tables])
def test_any_row_that_went_missing_is_found(filled: Path, table: str) -> None:
    connection = sqlite3.connect(filled, isolation_level=None)
    keys = [row[1] for row in connection.execute(f"PRAGMA table_info({table})") if row[5]]
    [key] = connection.execute(f"SELECT {', '.join(keys)} FROM {table} LIMIT 1").fetchall()
    where = " AND ".join(f"{each} = ?" for each in keys)
    connection.execute(f"DELETE FROM {table} WHERE {where}", key)
    connection.close()
    assert _verify(filled) != []


def test_the_newest_commit_cannot_vanish_unseen(filled: Path) -> None:
    connection = sqlite3.connect(filled, isolation_level=None)
    [(newest,)] = connection.execute("SELECT commit_id FROM refs").fetchall()
    runs = "SELECT id FROM runs WHERE commit_id = ?"
    sequences = "SELECT sequence FROM runs WHERE commit_id = ?"
    connection.execute(f"DELETE FROM run_values WHERE run_sequence IN ({sequences})", [newest])
    for table in ("run_files", "series"):
        connection.execute(f"DELETE FROM {table} WHERE run_id IN ({runs})", [newest])
    for table in ("runs", "file_changes", "commit_parents", "logs"):
        connection.execute(f"DELETE FROM {table} WHERE commit_id = ?", [newest])
    connection.execute("DELETE FROM commits WHERE id = ?", [newest])
    connection.close()
    assert any("HEAD is" in message for _, message in _verify(filled))


def test_problems_name_the_commit_and_what_was_changed(filled: Path) -> None:
    connection = sqlite3.connect(filled, isolation_level=None)
    commit_id, run_id, sequence = connection.execute(
        "SELECT commit_id, id, sequence FROM runs ORDER BY sequence LIMIT 1"
    ).fetchone()
    connection.execute(
        "UPDATE run_values SET text = '0.99' WHERE name = 'acc' AND run_sequence = ?", [sequence]
    )
    connection.close()
    [(commit, message)] = _verify(filled)
    assert commit == commit_id
    assert run_id in message
    assert "summary.acc" in message


def test_a_damaged_file_is_a_problem_not_a_crash(filled: Path) -> None:
    with closing(sqlite3.connect(filled)) as database:
        tables = database.execute(
            "SELECT rootpage FROM sqlite_master WHERE rootpage > 1 AND tbl_name != ?",
            ["alembic_version"],
        )
        pages = [page for (page,) in tables]  # the others may hold the schema
    content = bytearray(filled.read_bytes())
    for start in ((page - 1) * 4096 for page in pages):
        content[start + 100 : start + 4096] = b"\xa5" * 3996
    filled.write_bytes(content)
    problems = _verify(filled)
    assert any("damaged" in message or "malformed" in message for _, message in problems)


def test_progress_is_told(filled: Path) -> None:
    records = Records.open(f"sqlite:///{filled}")
    told: list[tuple[int, int]] = []
    records.verify(lambda done, total, what: told.append((done, total)))
    assert told[-1] == (5, 5)
    records.close()


def test_both_databases_verify(records: Records) -> None:
    _fill(records)
    assert records.verify() == []


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    new=st.lists(
        WILD_COMMITS,
        max_size=3,
    )
)
def test_whatever_is_committed_verifies(
    records: Records, new: list[tuple[list[NewRun], list[NewChange], dict[str, bytes]]]
) -> None:
    commits = []
    for runs, changes, logs in new:
        fresh = [each for each in runs if each.id not in records.known_runs([each.id])]
        seen = {each.id for made in commits for each in made.runs}
        made = commit(*(each for each in fresh if each.id not in seen), logs=logs)
        made.changes = changes
        commits.append(made)
    records.commit(commits, expected_head=head_of(records))
    assert records.verify() == []
    records.list_runs(search="a", where="metrics.a > 1", sort="labels.b desc")
    for made in commits:
        for each in made.runs:
            assert records.get_run(each.id).author is not None


def test_what_was_made_before_files_had_an_authority_still_verifies(tmp_path: Path) -> None:
    filled = tmp_path / "records.db"
    records = Records.open(f"sqlite:///{filled}")
    # nor were there datasets
    add(records, commit(), commit(full_run(datasets=[]), changes={"model.pkl": "added"}))
    records.close()
    database = Database.open(f"sqlite:///{filled}")
    with database.engine.begin() as connection:
        command.downgrade(alembic_config(connection), "0001")
    database.close()
    assert _verify(filled) == []
    records = Records.open(f"sqlite:///{filled}")
    observed = run()
    observed.files = [NewFile("output", "found.bin", authority="derived")]
    add(records, commit(observed))
    assert records.verify() == []
    assert records.get_run(observed.id).files[0].authority == "derived"
    records.close()
    with sqlite3.connect(filled) as connection:
        connection.execute("UPDATE run_files SET authority = 'workload'")
    connection.close()
    assert any(observed.id in message for _, message in _verify(filled))


def test_an_authority_that_files_do_not_have_is_refused(records: Records) -> None:
    odd = run()
    odd.files = [NewFile("output", "a", authority="hearsay")]
    with pytest.raises(RecordsError, match="hearsay"):
        add(records, commit(odd))
