# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""How two versions of a file are told in lines."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dotscience_jupyter.cli.difftext import notebook, table, unified
from dotscience_jupyter.notebooks import Options, Place, compare_notebooks, compare_tables


def cell(source: str, id_: str) -> dict[str, object]:
    return {"cell_type": "code", "id": id_, "source": source, "outputs": [], "metadata": {}}


def test_text_gives_a_unified_diff() -> None:
    text = unified("one\ntwo\n", "one\n2\n", "a.txt")
    assert text == "--- a/a.txt\n+++ b/a.txt\n@@ -1,2 +1,2 @@\n one\n-two\n+2\n"
    assert unified("same", "same", "a.txt") == ""


def test_changes_that_are_far_apart_are_hunks_of_their_own() -> None:
    old = "".join(f"{number}\n" for number in range(1, 31))
    new = old.replace("5\n", "five\n", 1).replace("27\n", "", 1)
    heads = [line for line in unified(old, new, "a").splitlines() if line.startswith("@@")]
    assert heads == ["@@ -2,7 +2,7 @@", "@@ -24,7 +24,6 @@"]


def test_added_and_removed_files_come_from_and_go_to_dev_null() -> None:
    assert unified(None, "new\n", "a.txt") == "--- /dev/null\n+++ b/a.txt\n@@ -0,0 +1 @@\n+new\n"
    assert unified("old\n", None, "a.txt") == "--- a/a.txt\n+++ /dev/null\n@@ -1 +0,0 @@\n-old\n"


def test_notebooks_and_tables_in_lines() -> None:
    books = [
        {"cells": [cell(source, "a"), cell("y", "b")], "metadata": {}, "nbformat_minor": 5}
        for source in ("x = 1\nz", "x = 2\nz")
    ]
    found = compare_notebooks(*books, Options(), (Place("a", "n"), Place("b", "n")))
    assert notebook(found, "n.ipynb") == (
        "--- a/n.ipynb\n+++ b/n.ipynb\n@@ cell 1 (code), modified @@\n-x = 1\n+x = 2\n z\n"
    )
    rows = compare_tables(b"a,b\n1,2\n2,3\n", b"a,b,c\n1,5,x\n", "t.csv")
    assert table(rows, "t.csv") == (
        "--- a/t.csv\n+++ b/t.csv\n+ column c\n- row 2  a: 2, b: 3\n@ row 1  b: 2 -> 5\n"
    )


lines = st.lists(st.sampled_from(["a", "b", "", "c d", "\x0c", "é"]), max_size=8)


@pytest.mark.skipif(shutil.which("patch") is None, reason="the program patch is not installed")
def test_patch_applies_what_is_shown(tmp_path: Path) -> None:
    @given(lines, lines, st.booleans(), st.booleans())
    def applies(before: list[str], after: list[str], end1: bool, end2: bool) -> None:
        old = "\n".join(before) + "\n" * end1
        new = "\n".join(after) + "\n" * end2
        text = unified(old, new, "a.txt")
        target = tmp_path / "a.txt"
        target.write_bytes(old.encode())
        if text:
            subprocess.run(["patch", "-s", "-p1"], cwd=tmp_path, input=text.encode(), check=True)
        assert (target.read_bytes() if target.exists() else b"") == new.encode()

    applies()
