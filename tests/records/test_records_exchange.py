# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Commits that travel from one store to another: all of them, the same ones, or nothing."""

from __future__ import annotations

import io
import random
import signal
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from pprint import pformat
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from records_wild import WILD_COMMITS
from records_world import Clock, add, commit, full_run, head_of, run
from sqlalchemy import select

from dotscience_jupyter.records import exchange
from dotscience_jupyter.records.errors import (
    ConflictError,
    NotFoundError,
    RecordsError,
    RefusedError,
)
from dotscience_jupyter.records.models import Base
from dotscience_jupyter.records.store import NewFile, Records

NOWHERE = "f" * 64


@pytest.fixture
def source(tmp_path: Path) -> Iterator[Records]:
    """Something in every table, and a merge."""
    opened = Records.open(f"sqlite:///{tmp_path / 'source.db'}", clock=Clock())
    _, second = add(
        opened,
        commit(),
        commit(full_run(), changes={"model.pkl": "added"}, logs={"t/out.log": b"text" * 50}),
    )
    opened.set_ref("branch/x", second, expected=None)
    [theirs] = opened.commit(
        [commit(full_run(), run(reads=("model.pkl",)), changes={"b": "removed"})],
        expected_head=second,
        ref="branch/x",
    )
    observed = run(environment={"x": [1, 2.5, None, "ü"]})
    observed.files = [NewFile("output", "found.bin", authority="derived", size=2**62)]
    add(opened, commit(observed), commit(changes={"c": "added"}, parents=[theirs.id]))
    yield opened
    opened.close()


@pytest.fixture
def lines(source: Records) -> list[bytes]:
    return list(source.export(everything(source)))


def everything(records: Records) -> list[str]:
    return records.missing_from(records.refs()["HEAD"], [])


def rows(records: Records) -> dict[str, list[str]]:
    """All rows of commits as texts, without their places in this store."""
    found = {}
    run = Base.metadata.tables["runs"].c
    with records._database.reading() as session:
        names = {row[0]: row[1] for row in session.execute(select(run.sequence, run.id))}
        for table in Base.metadata.sorted_tables:
            if table.name in ("refs", "commits_beside"):
                continue
            kept = []
            for row in session.execute(table.select()).mappings():
                items = {key: value for key, value in row.items() if key != "sequence"}
                if "run_sequence" in items:
                    items["run_sequence"] = names[items["run_sequence"]]
                if "data" in items:  # the same may be packed in several ways
                    items["data"] = zlib.decompress(items["data"])
                kept.append(pformat(items, width=10**6, depth=50))
            found[table.name] = sorted(kept)
    return found


def test_all_that_is_recorded_arrives(
    source: Records, lines: list[bytes], records: Records
) -> None:
    ids = everything(source)
    taken = records.take(lines, ref="HEAD")
    assert (taken.new, taken.known) == (ids, 0)
    assert records.verify() == []
    told = rows(source)
    assert rows(records) == told
    assert all(told.values())  # of every table something
    assert list(records.export(ids)) == lines
    for name in ("HEAD", "HEAD~1", ids[2]):
        assert [each.id for each in records.log(name)[0]] == [
            each.id for each in source.log(name)[0]
        ]
    assert records.last_written("model.pkl") == source.last_written("model.pkl") == ids[1]
    [run_id] = [row.id for row in source.get_commit(ids[1]).runs]
    assert records.series(run_id, "loss") == source.series(run_id, "loss")
    # once more changes nothing
    again = records.take(iter(lines), ref="HEAD", expected=ids[-1])
    assert (again.new, again.known) == ([], 5)
    assert rows(records) == told


def test_only_what_is_new_is_recorded(
    source: Records, lines: list[bytes], records: Records
) -> None:
    ids = everything(source)
    assert records.take(lines[:2], ref="HEAD").new == ids[:2]
    mine = add(records, commit(run(reads=("model.pkl",), writes=("mine",))))
    taken = records.take([lines[0], *lines], ref="remote/origin/HEAD")
    assert (taken.new, taken.known) == (ids[2:], 3)
    assert records.refs() == {"HEAD": mine[0], "remote/origin/HEAD": ids[-1]}
    assert records.verify() == []
    # what was fetched is not what is worked on
    assert [each.id for each in records.list_commits()[0]] == [*mine, ids[1], ids[0]]
    assert records.last_written("c") == ids[0]
    # and back: the other side has all but one
    back = records.missing_from(mine[0], source.known_commits([*ids, *mine]))
    assert back == mine
    assert source.take(records.export(back), ref="side/mine").new == mine
    assert source.verify() == []


def test_an_environment_travels_once(source: Records, records: Records) -> None:
    news = [commit(run(environment={"packages": ["x"] * 500})) for _ in range(450)]
    add(source, *news)
    ids = everything(source)
    lines = list(source.export(ids))
    assert sum(line.count(b'"packages"') for line in lines) == 1
    without = list(source.export([ids[5], ids[5]]))[1]
    with pytest.raises(RefusedError, match="environment.*Nothing was recorded"):
        records.take([*lines[:5], without], ref=None)
    assert records.counts() == (0, 0)
    records.take(lines[:300], ref="HEAD")
    records.take(lines[300:], ref="HEAD", expected=ids[299])
    assert records.verify() == []
    assert list(records.export(ids)) == lines


@settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(new=st.lists(WILD_COMMITS, min_size=1, max_size=3))
def test_whatever_is_recorded_travels(source: Records, records: Records, new: list[Any]) -> None:
    before = everything(source)
    commits = []
    seen: set[str] = set()
    for runs, changes, logs in new:
        fresh = [each for each in runs if each.id not in seen | source.known_runs([each.id])]
        seen |= {each.id for each in fresh}
        made = commit(*fresh, logs=logs)
        made.changes = changes
        commits.append(made)
    add(source, *commits)
    ids = everything(source)
    lines = list(source.export(ids))
    records.take(lines, ref="HEAD", expected=head_of(records))
    assert records.verify() == []
    assert list(records.export(ids)) == lines
    assert len(ids) == len(before) + len(new)
    assert rows(records) == rows(source)


def test_any_changed_byte_is_refused(lines: list[bytes], records: Records) -> None:
    chance = random.Random(20260301)
    for line in lines:
        for place in range(len(line)):
            if len(line) > 1000 and chance.random() > 0.2:
                continue
            changed = bytearray(line)
            changed[place] ^= 1 << chance.randrange(8)
            if bytes(changed[-1:]) != line[-1:] and changed[:-1] == line[:-1]:
                continue  # the line feed is not part of the line
            with pytest.raises(RefusedError, match="commit number 1 of it (was|is) .*Nothing was"):
                records.take([bytes(changed)], ref="HEAD")
    assert records.counts() == (0, 0)
    assert records.refs() == {}


def test_lines_that_are_cut_or_mixed_up(lines: list[bytes], records: Records) -> None:
    wrong = [
        [b""],
        [b"\n"],
        [*lines, b""],
        [b"null"],
        [b"[]"],
        [b"{}"],
        [b'{"seal":1}'],
        [b"[" * 100_000],
        [b"\xff\xfe"],
        [lines[0] + lines[1]],
        [lines[0] + b"\n"],
        [b" " + lines[0]],
        [lines[0], lines[1][: len(lines[1]) // 2]],
        lines[1:],
        lines[::-1],
        [*lines[:2], *lines[3:]],  # without one of the parents of the merge
    ]
    for each in wrong:
        with pytest.raises(RefusedError, match="Nothing was recorded"):
            records.take(each, ref="HEAD")
        assert records.counts() == (0, 0)
    assert records.refs() == {}
    assert records.take([], ref="HEAD", expected=NOWHERE).new == []
    # with or without the line feed
    records.take([line.rstrip(b"\n") for line in lines], ref="HEAD")
    assert records.verify() == []


def test_a_ref_that_moved_meanwhile(source: Records, lines: list[bytes], records: Records) -> None:
    ids = everything(source)
    [own] = add(records, commit())
    for ref, expected in (("HEAD", None), ("HEAD", NOWHERE), ("branch/x", own)):
        with pytest.raises(ConflictError, match=r"Nothing was|nothing was"):
            records.take(lines, ref=ref, expected=expected)
    with pytest.raises(NotFoundError):
        records.take(lines, ref=None, others={"remote/a/HEAD": NOWHERE})
    assert records.counts()[0] == 1
    assert records.known_commits(ids) == set()
    records.take(lines, ref="HEAD", expected=own, others={"remote/a/HEAD": ids[2]})
    assert records.refs() == {"HEAD": ids[-1], "remote/a/HEAD": ids[2]}
    # the answer was lost, so the same comes again
    assert records.take(lines, ref="HEAD", expected=own).known == 5
    assert records.verify() == []
    assert records.counts()[0] == 5


def test_the_database_is_free_until_all_lines_are_there(
    lines: list[bytes], records: Records
) -> None:
    def slow() -> Iterator[bytes]:
        for line in lines:
            add(records, commit())
            yield line

    assert len(records.take(slow(), ref="branch/x").new) == 5
    assert records.counts()[0] == 5
    assert records.verify() == []


def test_a_connection_that_breaks(lines: list[bytes], records: Records) -> None:
    def broken() -> Iterator[bytes]:
        yield from lines[:3]
        raise ConnectionResetError("gone")

    with pytest.raises(ConnectionResetError):
        records.take(broken(), ref="HEAD")
    assert records.counts() == (0, 0)


def test_commits_that_are_not_there_are_not_exported(source: Records) -> None:
    with pytest.raises(NotFoundError, match=NOWHERE):
        list(source.export([everything(source)[0], NOWHERE]))


def test_two_commits_tell_of_one_run(source: Records, records: Records, tmp_path: Path) -> None:
    ids = everything(source)
    copied = full_run(id=source.get_commit(ids[1]).runs[0].id, description="a copy")
    long = full_run(id="x" * 64)
    add(source, commit(long))
    others = []
    for name in ("b", "c"):
        other = Records.open(f"sqlite:///{tmp_path / name}.db", clock=Clock())
        add(other, commit(copied, run(), author=name), commit(full_run(id="x" * 64), author=name))
        others.append(other)
    records.take(source.export(everything(source)), ref="HEAD")
    for name, other in zip("bc", others, strict=True):
        records.take(other.export(everything(other)), ref=f"side/{name}")
    assert records.verify() == []
    runs = records.list_runs(where=f"id = '{copied.id}'")[0]
    assert sorted(each.id for each in runs) == [copied.id, f"{copied.id}~2", f"{copied.id}~3"]
    assert records.get_run(copied.id).commit_id == ids[1]
    twin = records.get_run(f"{copied.id}~2")
    assert (twin.description, len(twin.files), len(twin.series)) == ("a copy", 3, 1)
    assert records.series(twin.id, "loss") == records.series(copied.id, "loss")
    for other in others:
        wanted = everything(other)
        assert list(records.export(wanted)) == list(other.export(wanted))
        assert source.take(records.export(wanted), ref=None).new == wanted
        other.close()
    assert source.verify() == []


_TAKER = """
import os, signal, sys
from dotscience_jupyter.records import exchange
from dotscience_jupyter.records.store import Records
url, path, last = sys.argv[1:4]
if last == "die":
    exchange.move = lambda *arguments: os.kill(os.getpid(), signal.SIGKILL)
records = Records.open(url)
print("ready", flush=True)
records.take(open(path, "rb"), ref="HEAD")
print("done", flush=True)
"""


def _taker(url: str, path: Path, last: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", _TAKER, url, str(path), last], stdout=subprocess.PIPE, text=True
    )


def test_a_killed_taker_records_nothing(url: str, lines: list[bytes], tmp_path: Path) -> None:
    path = tmp_path / "lines"
    path.write_bytes(b"".join(lines))
    taker = _taker(url, path, "die")
    assert taker.communicate(timeout=60)[0] == "ready\n"
    assert taker.returncode == -signal.SIGKILL
    records = Records.open(url)
    assert (records.counts(), records.refs()) == ((0, 0), {})
    assert records.list_runs()[1] == 0
    assert len(records.take(lines, ref="HEAD").new) == 5
    assert records.verify() == []
    records.close()


@pytest.mark.slow
def test_a_taker_killed_at_any_moment(source: Records, sqlite_url: str, tmp_path: Path) -> None:
    add(source, *(commit(run(), changes={"a": "modified"}) for _ in range(400)))
    path = tmp_path / "lines"
    path.write_bytes(b"".join(source.export(everything(source))))
    chance = random.Random(20260301)
    outcomes: list[int] = []
    longest = 0.5
    while len(outcomes) < 5 or (0 not in outcomes and len(outcomes) < 50):
        attempt = len(outcomes)
        url = sqlite_url.replace("records.db", f"records{attempt}.db")
        taker = _taker(url, path, "")
        assert taker.stdout is not None
        assert taker.stdout.readline() == "ready\n"
        time.sleep(chance.random() * longest)
        taker.send_signal(signal.SIGKILL)
        told = taker.communicate(timeout=60)[0]
        if told:
            longest *= 0.8  # the machine is faster
        records = Records.open(url)
        assert records.verify() == []
        assert records.counts()[0] in ((405,) if told else (0, 405))
        outcomes.append(records.counts()[0])
        records.close()
    assert 0 in outcomes


def test_several_take_at_once(source: Records, url: str) -> None:
    first = everything(source)
    starts = []
    for name in ("a", "b", "c", "d"):
        source.set_ref(f"branch/{name}", first[1], expected=None)
        news = [commit(run(reads=("model.pkl",)), author=name) for _ in range(20)]
        made = source.commit(news, expected_head=first[1], ref=f"branch/{name}")
        starts.append((name, made[-1].id))
    records = Records.open(url)
    failures: list[BaseException] = []

    def push(name: str, last: str) -> None:
        try:
            for end in (last, source.get_commit(f"branch/{name}~10").id, last):
                records.take(source.export(source.missing_from(end, [])), ref=None)
            records.take(source.export([last]), ref=f"branch/{name}")
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=push, args=start) for start in starts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert records.verify() == []
    assert records.refs() == {f"branch/{name}": last for name, last in starts}
    assert len(records.snapshots()) == 2 + 4 * 20
    records.close()


def test_large_lines_leave_nothing_behind(source: Records, sqlite_url: str) -> None:
    add(source, commit(logs={"big": random.Random(1).randbytes(17_000_000)}))
    ids = everything(source)
    records = Records.open(sqlite_url)
    folder = Path("/proc/self/fd")
    before = len(list(folder.iterdir())) if folder.exists() else 0
    records.take(source.export(ids), ref="HEAD")
    after = len(list(folder.iterdir())) if folder.exists() else 0
    [log] = records.logs(ids[-1])
    assert log.size == 17_000_000
    assert after <= before + 3  # the database, its log and index
    assert records.verify() == []
    records.close()


def test_no_room_for_what_comes(
    source: Records, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full(io.BytesIO):
        def write(self, data: object) -> int:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(exchange.tempfile, "SpooledTemporaryFile", lambda max_size: Full())
    records = Records.open(sqlite_url)
    with pytest.raises(RecordsError, match="No space left.*Nothing was recorded. Make room"):
        records.take(source.export(everything(source)), ref="HEAD")
    assert records.counts() == (0, 0)
    records.close()
