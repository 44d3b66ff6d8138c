# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Three-way merges of texts and of notebooks."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import nbformat
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from notebook_world import book, books, code, edited, markdown, sources, stream

from dotscience_jupyter.notebooks import (
    check_valid,
    has_markers,
    merge_notebooks,
    merge_text,
    text_joined,
)
from dotscience_jupyter.notebooks.textmerge import marked, taken

lines = st.lists(st.sampled_from(["a", "b", "c", "d", ""]), max_size=8)
texts = st.tuples(lines, st.booleans()).map(lambda t: "\n".join(t[0]) + "\n" * t[1])


@settings(deadline=None)
@given(texts, texts, texts)
def test_rules_that_every_merge_of_texts_keeps(base: str, yours: str, theirs: str) -> None:
    for side in ("yours", "theirs", "both", "base"):
        assert taken(merge_text(base, base, theirs), side) == theirs
        assert taken(merge_text(base, yours, base), side) == yours
        assert taken(merge_text(base, yours, yours), side) == yours
    found = merge_text(base, yours, theirs)
    assert "".join(each.yours for each in found) == yours
    assert "".join(each.theirs for each in found) == theirs
    assert "".join(each.base or "" for each in found) in (base, found[0].base or "")
    other = merge_text(base, theirs, yours)
    assert [s.state == "conflict" for s in found] == [s.state == "conflict" for s in other]
    two = merge_text(None, yours, theirs)
    assert taken(two, "yours") == yours and taken(two, "theirs") == theirs
    assert {each.state for each in two} <= {"same", "merged", "conflict"}


def test_conflicts_between_markers() -> None:
    found = merge_text("a\nb\nc\n", "a\nmine\nc\n", "a\ntheirs\nc")
    assert marked(found) == (
        "a\n<<<<<<< yours\nmine\nc\n||||||| base\nb\nc\n=======\ntheirs\nc\n>>>>>>> theirs\n"
    )
    assert has_markers(marked(found)) and not has_markers(taken(found, "both"))
    assert not has_markers("a\n=======\nb\n"), "headings of texts look like that"
    assert text_joined(found, lambda number: f"{number}!\n") == "a\n0!\n"
    # lines that are not ended do not run into each other
    assert taken(merge_text("", "x", "y"), "both") == "x\ny"


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
def test_git_finds_the_same_conflicts(tmp_path: Path) -> None:
    @settings(max_examples=60, deadline=None)
    @given(texts, texts, texts)
    def same(base: str, yours: str, theirs: str) -> None:
        for name, text in (("y", yours), ("b", base), ("t", theirs)):
            (tmp_path / name).write_text(text)
        done = subprocess.run(
            ["git", "merge-file", "-p", "y", "b", "t"],
            cwd=tmp_path,
            capture_output=True,
            check=False,
        )
        if done.returncode == 0:
            found = merge_text(base, yours, theirs)
            # what git merges without a question is never something else here
            assert has_markers(marked(found)) or marked(found) == done.stdout.decode()

    same()


def chosen(side: Any, merged: Any) -> Any:
    torn = merged.conflicts()

    return merged.result(lambda number: torn[number].choose(side))


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.data())
def test_rules_that_every_merge_of_notebooks_keeps(data: Any) -> None:
    base = data.draw(books())
    yours, theirs = data.draw(edited(base, "yours")), data.draw(edited(base, "theirs"))
    for a, b, result in (
        (base, theirs, theirs),
        (yours, base, yours),
        (yours, yours, yours),
    ):
        merged = merge_notebooks(base, a, b)
        assert not merged.conflicts()
        document = merged.result(lambda number: None)
        assert sources(document) == sources(result)
        assert [c.get("outputs") for c in document["cells"]] == [
            c.get("outputs") for c in result["cells"]
        ]
    merged = merge_notebooks(base, yours, theirs)
    with_markers = merged.result(lambda number: None)
    check_valid(with_markers)
    nbformat.validate(with_markers)
    marks = sum(has_markers(cell["source"]) for cell in with_markers["cells"])
    assert marks == len(merged.conflicts())
    for side in ("yours", "theirs", "both", "base"):
        document = chosen(side, merged)
        nbformat.validate(document)
        assert not any(has_markers(cell["source"]) for cell in document["cells"])
    # nothing that somebody wrote anew gets lost: it is in the result or in a conflict
    old = {cell["source"] for cell in base["cells"]}
    told = [cell.source(side) for cell in merged.conflicts() for side in ("yours", "theirs")]
    whole = "\n".join([*sources(with_markers), *(text for text in told if text)])
    for side_document in (yours, theirs):
        for source in set(sources(side_document)) - old:
            assert all(line in whole for line in source.split("\n"))


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=40)
@given(st.data())
def test_without_an_ancestor_every_difference_is_a_question(data: Any) -> None:
    yours = data.draw(books())
    theirs = data.draw(edited(yours, "theirs"))
    merged = merge_notebooks(None, yours, theirs)
    nbformat.validate(merged.result(lambda number: None))
    assert sources(chosen("yours", merged)) == sources(yours) or merged.conflicts()
    assert sorted(sources(chosen("yours", merged))) == sorted(sources(yours))
    assert sorted(sources(chosen("theirs", merged))) == sorted(sources(theirs))


def test_a_cell_that_one_side_moved_and_the_other_changed() -> None:
    a, b, c = (code(f"cell {name}\nrest of {name}", name=name) for name in "abc")
    merged = merge_notebooks(
        book(a, b, c), book(b, c, a), book({**a, "source": "cell a\nother rest"}, b, c)
    )
    assert not merged.conflicts()
    result = merged.result(lambda number: None)
    assert [cell["id"] for cell in result["cells"]] == ["b", "c", "a"]
    assert result["cells"][2]["source"] == "cell a\nother rest"


def test_what_both_added_at_one_place_is_kept_yours_first() -> None:
    a, b = code("first", name="a"), code("last", name="b")
    mine, other = code("my own new cell", name="m"), markdown("their quite different text", "t")
    merged = merge_notebooks(book(a, b), book(a, mine, b), book(a, other, b))
    assert [cell["id"] for cell in merged.result(lambda n: None)["cells"]] == ["a", "m", "t", "b"]
    same = merge_notebooks(book(a, b), book(a, mine, b), book(a, {**mine, "id": "x"}, b))
    assert [cell["id"] for cell in same.result(lambda n: None)["cells"]] == ["a", "m", "b"]
    similar = {**mine, "source": "my own new cell!", "id": "y"}
    assert len(merge_notebooks(book(a, b), book(a, mine, b), book(a, similar, b)).conflicts()) == 1


def test_both_are_two_cells() -> None:
    old = code("rate = 0.1\nsteps = 10\nfit()", stream("old"), name="a")
    mine = code("rate = 0.2\nsteps = 10\nfit()", stream("mine"), name="a")
    other = code("rate = 0.5\nsteps = 10\nfit(2)", stream("theirs"), name="a")
    for base, ours, theirs in (
        (book(old), book(mine), book(other)),
        (book(), book({**mine, "id": "m"}), book({**other, "id": "t"})),
    ):
        merged = merge_notebooks(base, ours, theirs)
        assert len(merged.conflicts()) == 1
        first, second = chosen("both", merged)["cells"]
        # what is no conflict is merged in both of them
        fit = "fit(2)" if base["cells"] else "fit()"
        assert (first["source"], second["source"]) == (
            f"rate = 0.2\nsteps = 10\n{fit}",
            "rate = 0.5\nsteps = 10\nfit(2)",
        )
        assert second["outputs"] == [stream("theirs")]
        assert first["outputs"] == ([] if base["cells"] else [stream("mine")])
        assert first["id"] != second["id"]
    assert [first["id"], second["id"]] == ["m", "t"]
    # what is edited, or one side of it, stays one cell
    assert len(chosen("yours", merged)["cells"]) == len(chosen("theirs", merged)["cells"]) == 1


def test_removed_and_changed() -> None:
    a, b = code("keep", name="a"), code("one\ntwo", stream("1"), name="b")
    changed = {**b, "source": "one\n2"}
    merged = merge_notebooks(book(a, b), book(a), book(a, changed))
    [torn] = merged.conflicts()
    assert (torn.source("yours"), torn.source("theirs"), torn.source("base")) == (
        None,
        "one\n2",
        "one\ntwo",
    )
    assert sources(chosen("yours", merged)) == ["keep"]
    assert sources(chosen("theirs", merged)) == ["keep", "one\n2"]
    # executed again is not changed
    executed = {**b, "outputs": [stream("2")], "execution_count": 9}
    assert not merge_notebooks(book(a, b), book(a), book(a, executed)).conflicts()


def test_metadata_come_together_quietly() -> None:
    def made(**metadata: Any) -> Any:
        return book({**code("x", name="a"), "metadata": metadata}, **metadata)

    base = made(tags=["a"], gone=1, both=1)
    merged = merge_notebooks(
        base, made(tags=["a", "b"], both=2), made(tags=["a"], gone=1, both=3, new=4)
    )
    result = merged.result(lambda number: None)
    expected = {"tags": ["a", "b"], "both": 2, "new": 4}
    assert result["metadata"] == expected == result["cells"][0]["metadata"]
    assert not merged.conflicts()


def test_a_type_that_one_side_changed() -> None:
    base, other = code("# title", name="a"), markdown("# title", "a")
    result = merge_notebooks(book(base), book(other), book({**base, "source": "# Title"})).result(
        lambda number: None
    )
    assert (result["cells"][0]["cell_type"], result["cells"][0]["source"]) == (
        "markdown",
        "# Title",
    )
    nbformat.validate(result)


def test_older_minor_versions_have_no_ids() -> None:
    base = book(code("a\nb\nc"), minor=4)
    yours, theirs = book(code("a\nb\nc2"), minor=4), book(code("a1\nb\nc"), code("new"), minor=4)
    result = merge_notebooks(base, yours, theirs).result(lambda number: None)
    assert sources(result) == ["a1\nb\nc2", "new"] and "id" not in result["cells"][0]
    theirs = book(*theirs["cells"])
    result = merge_notebooks(base, yours, theirs).result(lambda number: None)
    assert result["nbformat_minor"] == 5
    nbformat.validate(result)
    for cell in (*yours["cells"], *theirs["cells"]):
        assert cell["source"] in ("a\nb\nc2", "a1\nb\nc", "new"), "the sides are left as they were"
