# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Several processes on one database, and processes that are killed."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from records_world import add, commit, run

from dotscience_jupyter.records.store import Records

# tells every commit that returned, after it returned
_WRITER = """
import sys
from records_world import commit, full_run, head_of
from dotscience_jupyter.records.store import ConflictError, Records
url, count = sys.argv[1], int(sys.argv[2])
records = Records.open(url)
done = 0
while done < count or count == 0:
    new = commit(full_run(), changes={"model.pkl": "modified"}, logs={"t/out": b"x" * 999})
    while True:
        try:
            [made] = records.commit([new], expected_head=head_of(records))
            break
        except ConflictError:
            pass
    print(made.id, new.runs[0].id, flush=True)
    done += 1
records.close()
"""


def _writer(url: str, count: int) -> subprocess.Popen[str]:
    path = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    return subprocess.Popen(
        [sys.executable, "-c", _WRITER, url, str(count)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": path},
    )


def test_processes_lose_nothing(url: str) -> None:
    writers = [_writer(url, 12) for _ in range(3)]
    told = set()
    for writer in writers:
        out, err = writer.communicate(timeout=120)
        assert (writer.returncode, err) == (0, "")
        told |= {tuple(line.split()) for line in out.splitlines()}
    records = Records.open(url)
    commits, total = records.list_commits(limit=1000)
    assert total == 36
    assert {(each.id, each.runs[0].id) for each in commits} == told
    # one chain without forks
    for newer, older in zip(commits, commits[1:], strict=False):
        assert [parent.parent_id for parent in newer.parents] == [older.id]
    assert commits[-1].parents == []
    assert records.verify() == []
    records.close()


@pytest.mark.slow
def test_a_killed_writer_leaves_the_old_state_or_the_new(sqlite_url: str) -> None:
    random.seed(20260301)
    told: set[tuple[str, ...]] = set()
    for _ in range(6):
        writer = _writer(sqlite_url, 0)
        assert writer.stdout is not None
        lines = [writer.stdout.readline()]  # it is at it
        time.sleep(random.random() / 10)
        writer.send_signal(signal.SIGKILL)
        rest, err = writer.communicate(timeout=60)
        assert err == ""
        lines += rest.splitlines(keepends=True)
        # it may have been killed in the middle of a line
        told |= {tuple(line.split()) for line in lines if line.endswith("\n")}
        records = Records.open(sqlite_url)
        assert records.verify() == []
        commits, _ = records.list_commits(limit=100_000)
        assert {(each.id, each.runs[0].id) for each in commits} >= told
        assert len(commits) == records.counts()[1]  # no commit without its run, nor the reverse
        add(records, commit(run()))
        records.close()
    assert len(told) >= 6


def test_a_killed_set_up_is_made_good(sqlite_url: str) -> None:
    code = (
        "import os, signal, sys\n"
        "from dotscience_jupyter.records import database, schema\n"
        "real = schema._VERSION.create\n"
        "schema._VERSION.create = lambda connection: os.kill(os.getpid(), signal.SIGKILL)\n"
        "database.Database.open(sys.argv[1])\n"
    )
    done = subprocess.run([sys.executable, "-c", code, sqlite_url], timeout=60)
    assert done.returncode == -signal.SIGKILL
    records = Records.open(sqlite_url)
    add(records, commit(run()))
    assert records.verify() == []
    records.close()
