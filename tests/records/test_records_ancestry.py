# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""What commits have in common, through merges and goings back."""

from __future__ import annotations

from dotscience_jupyter.records import Records
from dotscience_jupyter.records.ancestry import WENT_BACK
from dotscience_jupyter.records.store import NewCommit


class Story:
    """Commits by name, one after the other."""

    def __init__(self, records: Records) -> None:
        self.records = records
        self.ids: dict[str, str] = {}
        self.head: str | None = None

    def __call__(self, name: str, *, back: str = "", merge: str = "") -> None:
        new = NewCommit("s", "dotscience.files.v1", name, "Ada")
        if back:
            new.metadata[WENT_BACK] = self.ids[back]
        if merge:
            new.parents = [self.ids[merge]]
        [made] = self.records.commit([new], expected_head=self.head)
        self.head = self.ids[name] = made.id

    def common(self, first: str, second: str) -> str | None:
        found = self.records.ancestry.common(self.ids[first], self.ids[second])
        assert found == self.records.ancestry.common(self.ids[second], self.ids[first])
        return next((name for name, id_ in self.ids.items() if id_ == found), None)

    def contains(self, name: str, other: str) -> bool:
        return self.records.ancestry.is_ancestor(self.ids[other], self.ids[name])


def test_what_commits_have_in_common(records: Records) -> None:
    story = Story(records)
    for name in ("a", "b", "c"):
        story(name)
    assert story.common("a", "c") == "a" and story.common("c", "c") == "c"
    assert story.contains("c", "a") and not story.contains("a", "c")
    # what was gone back from is not part of what comes after
    story("back", back="a")
    story("d")
    assert story.common("d", "c") == "a" and not story.contains("d", "b")
    assert story.contains("d", "back") and story.contains("d", "a")
    # a merge brings it in
    story("merge", merge="b")
    story("e")
    assert story.contains("e", "b") and not story.contains("e", "c")
    assert story.common("e", "c") == "b"
    # and from there on the newest one counts
    story("again", merge="c")
    assert story.common("again", "c") == "c"
    story("other", back="c")
    story("f")
    assert story.common("f", "again") == "c"
    assert records.verify() == []


def test_a_commit_that_is_not_there(records: Records) -> None:
    story = Story(records)
    story("a")
    assert records.ancestry.common("f" * 64, story.ids["a"]) is None
    assert not records.ancestry.is_ancestor("f" * 64, story.ids["a"])


def test_a_parent_is_named_once(records: Records) -> None:
    story = Story(records)
    story("a")
    story("b", merge="a")
    assert [p.parent_id for p in records.get_commit("HEAD").parents] == [story.ids["a"]]
    assert records.verify() == []
