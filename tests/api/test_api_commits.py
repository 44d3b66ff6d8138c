# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The list of commits: how many files each changed, and finding one among many."""

from __future__ import annotations

from contextlib import closing

import pytest
from sqlalchemy import event

from dotscience_jupyter.api import WorkspaceService
from dotscience_jupyter.records import Workspace
from dotscience_jupyter.records.store import NewCommit


@pytest.fixture
def opened(tmp_path):
    root = tmp_path / "project"
    root.mkdir()
    Workspace.create(root)
    for name in ("a.txt", "b.txt", "c.txt"):
        (root / name).write_text(name)
    with closing(WorkspaceService.open(root, author="Ada", contents_root=tmp_path)) as found:
        yield found


def messages(found):
    return [commit.message for commit in found.items]


def test_commits_tell_how_many_files_they_changed(opened):
    root = opened.workspace.root
    opened.commit("everything")
    (root / "a.txt").write_text("other")
    (root / "b.txt").unlink()
    (root / "d.txt").write_text("new")
    opened.commit("three at once")
    (root / "a.txt").write_text("another")
    opened.commit("one")
    assert [(commit.message, commit.files) for commit in opened.commits().items] == [
        ("one", 1),
        ("three at once", 3),
        ("everything", None),
    ]


def test_commits_are_found_by_words_and_by_the_start_of_their_ids(opened):
    root = opened.workspace.root
    for number, (message, author) in enumerate(
        [
            ("Prepare the data", "Ada"),
            ("train on 100% of it_", "Grace"),
            ("Train again, größer", "Ada"),
            ("", "Grace"),
        ]
    ):
        (root / "a.txt").write_text(str(number))
        opened.commit(message, author)
    everything = opened.commits()
    assert messages(opened.commits(search="train")) == [
        "Train again, größer",
        "train on 100% of it_",
    ]
    assert messages(opened.commits(search=" GRACE  train ")) == ["train on 100% of it_"]
    assert messages(opened.commits(search="GRÖSSER")) == messages(opened.commits(search="nobody"))
    assert messages(opened.commits(search="GRÖßER")) == ["Train again, größer"]
    # what has a meaning in SQL has none here
    assert messages(opened.commits(search="100%")) == ["train on 100% of it_"]
    assert messages(opened.commits(search="it_")) == ["train on 100% of it_"]
    assert opened.commits(search="' or 1=1 --").total == 0
    assert opened.commits(search="\0").total == 0
    wanted = everything.items[2]
    assert opened.commits(search=wanted.id[:12]).items == [wanted]
    assert opened.commits(search=wanted.id.upper()).items == [wanted]


def test_pages_of_what_was_found_fit_together(opened):
    root = opened.workspace.root
    for number in range(7):
        (root / "a.txt").write_text(str(number))
        opened.commit(f"{'odd' if number % 2 else 'even'} {number}")
    pages = [opened.commits(offset, 2, "even") for offset in (0, 2, 4)]
    assert [page.total for page in pages] == [4, 4, 4]
    assert [name for page in pages for name in messages(page)] == [
        "even 6",
        "even 4",
        "even 2",
        "even 0",
    ]


def test_a_page_deep_in_many_commits_asks_as_often_as_the_first(opened):
    opened.commit("first")
    newest = opened.commits().items[0]
    more = [
        NewCommit(newest.snapshot, "dotscience.files.v1", str(number), "Ada")
        for number in range(300)
    ]
    opened.records.commit(more, expected_head=newest.id)
    asked: list[str] = []
    engine = opened.records._database.engine
    event.listen(engine, "before_cursor_execute", lambda *args: asked.append(args[2]))
    counts = []
    for offset in (0, 250):
        asked.clear()
        assert len(opened.commits(offset, 50).items) == 50
        counts.append(len(asked))
    assert counts[0] == counts[1] <= 8
