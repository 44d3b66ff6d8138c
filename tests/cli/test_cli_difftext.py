# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""How two versions of a file are compared."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dotscience_jupyter.cli.difftext import Side, cells, difference


def side(content: bytes | None, path: str = "a.txt", digest: str = "d") -> Side:
    if content is None:
        return Side(path, "file", Side.LIMIT + 1, digest, None)
    return Side(path, "file", len(content), digest, content)


def notebook(*sources: str, output: str = "") -> bytes:
    made = [
        {"cell_type": "code", "id": f"c{i}", "source": s, "outputs": [output], "metadata": {}}
        for i, s in enumerate(sources)
    ]
    return json.dumps({"cells": made, "nbformat": 4, "nbformat_minor": 5, "metadata": {}}).encode()


def test_text_gives_a_unified_diff() -> None:
    result = difference(side(b"one\ntwo\n", digest="x"), side(b"one\n2\n", digest="y"))
    assert result.change == "modified"
    assert result.text == "--- a/a.txt\n+++ b/a.txt\n@@ -1,2 +1,2 @@\n one\n-two\n+2\n"


def test_added_and_removed_files_come_from_and_go_to_dev_null() -> None:
    added = difference(Side("a.txt"), side(b"new\n"))
    removed = difference(side(b"old\n"), Side("a.txt"))
    assert added.change == "added" and added.text is not None
    assert added.text.startswith("--- /dev/null\n+++ b/a.txt\n")
    assert removed.change == "removed" and removed.text is not None
    assert removed.text.startswith("--- a/a.txt\n+++ /dev/null\n")


def test_the_same_file_is_the_same() -> None:
    assert difference(side(b"x"), side(b"x")).change == "same"


@pytest.mark.parametrize(
    ("old", "new", "remark"),
    [
        (b"\xff\xfe", b"text", "not text"),
        (b"a\0b", b"text", "not text"),
        (None, b"text", "too large"),
        (b"a\n" * 50_001, b"b", "too many lines"),
    ],
)
def test_what_is_no_text_is_told_by_size_and_digest(
    old: bytes | None, new: bytes, remark: str
) -> None:
    result = difference(side(old, digest="1" * 64), side(new, digest="2" * 64))
    assert result.text is None
    assert remark in result.summary
    assert "1" * 16 in result.summary and "2" * 16 in result.summary


def test_notebooks_are_compared_by_the_sources_of_their_cells() -> None:
    old, new = notebook("x = 1", "y", output="A"), notebook("x = 2", "y", output="B")
    result = difference(side(old, "n.ipynb", "1"), side(new, "n.ipynb", "2"))
    assert result.text is not None
    assert "-x = 1\n" in result.text and "+x = 2\n" in result.text
    assert "# %% [code] c0" in result.text
    assert "outputs" not in result.text


def test_notebooks_that_differ_only_in_outputs_say_so() -> None:
    old, new = notebook("x", output="A"), notebook("x", output="B")
    result = difference(side(old, "n.ipynb", "1"), side(new, "n.ipynb", "2"))
    assert result.text is None
    assert "outputs" in result.summary


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"cells": 3}', b'{"cells": [1]}', b"[" * 9999])
def test_a_broken_notebook_is_compared_as_text(content: bytes) -> None:
    assert cells(content) is None
    result = difference(side(content, "n.ipynb", "1"), side(notebook("x"), "n.ipynb", "2"))
    assert result.text is not None and result.text.startswith("--- a/n.ipynb")


lines = st.lists(st.sampled_from(["a", "b", "", "c d", "\x0c", "é"]), max_size=8)


@pytest.mark.skipif(shutil.which("patch") is None, reason="the program patch is not installed")
def test_patch_applies_what_is_shown(tmp_path: Path) -> None:
    @given(lines, lines, st.booleans(), st.booleans())
    def applies(before: list[str], after: list[str], end1: bool, end2: bool) -> None:
        old = ("\n".join(before) + "\n" * end1).encode()
        new = ("\n".join(after) + "\n" * end2).encode()
        result = difference(side(old, digest="1"), side(new, digest="2"))
        target = tmp_path / "a.txt"
        target.write_bytes(old)
        if result.text:
            subprocess.run(
                ["patch", "-s", "-p1"], cwd=tmp_path, input=result.text.encode(), check=True
            )
        assert (target.read_bytes() if target.exists() else b"") == new

    applies()
