# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Tables: rows and columns that came, went and changed."""

from __future__ import annotations

import io
import sys
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dotscience_jupyter.notebooks import DamagedError, compare_tables, tables


def compare(old: str | None, new: str | None, path: str = "t.csv") -> Any:
    return compare_tables(
        None if old is None else old.encode(), None if new is None else new.encode(), path
    )


def rows(found: Any) -> list[Any]:
    return [
        (r.change, r.old_row, r.new_row, [(v.column, v.old, v.new) for v in r.values])
        for r in found.rows
    ]


def test_rows_are_matched_by_a_key() -> None:
    found = compare("x,id,y\n0,a,1\n0,b,2\n0,c,3\n", "x,id,y\n0,c,3\n0,a,5\n0,d,4\n")
    assert found.key == "id"
    assert rows(found) == [
        ("removed", 2, None, [("x", "0", None), ("id", "b", None), ("y", "2", None)]),
        ("modified", 1, 2, [("y", "1", "5")]),
        ("added", None, 3, [("x", None, "0"), ("id", None, "d"), ("y", None, "4")]),
    ]
    assert (found.added, found.removed, found.modified) == (1, 1, 1)


def test_a_column_whose_values_all_changed_is_no_key() -> None:
    found = compare("v,k\n0.1,x\n0.2,y\n", "v,k\n0.3,x\n0.4,y\n")
    assert found.key == "k" and found.modified == 2


def test_without_a_key_content_tells() -> None:
    found = compare("a,b\n1,1\n1,1\n2,2\n", "a,b\n2,2\n1,1\n1,1\n")
    assert (found.key, found.rows) == ("", [])
    found = compare("a,b,c\n1,1,1\n1,1,1\n", "a,b,c\n1,1,1\n1,1,2\n")
    assert rows(found) == [("modified", 2, 2, [("c", "1", "2")])]


def test_columns_that_came_and_went() -> None:
    found = compare("id,a,b\n1,x,y\n2,x,y\n", "id,b,c\n1,y,z\n2,Y,z\n")
    assert (found.columns, found.added_columns, found.removed_columns) == (
        ["id", "b", "c", "a"],
        ["c"],
        ["a"],
    )
    assert rows(found) == [("modified", 2, 2, [("b", "y", "Y")])]


def test_one_side_only() -> None:
    found = compare(None, "a\n1\n2\n")
    assert (found.added, found.removed, found.new_rows, found.old_rows) == (2, 0, 2, 0)
    assert compare("a\n1\n", "").removed == 1


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiters_and_quotes(delimiter: str) -> None:
    text = f'id{delimiter}x\n1{delimiter}"a{delimiter}\nb"\n\n2{delimiter}c\n'
    found = compare(text, text.replace("c", "d"), "t.tsv")
    assert found.columns == ["id", "x"] and rows(found) == [("modified", 2, 2, [("x", "c", "d")])]


def test_columns_of_one_name() -> None:
    assert compare("a,a,b\n1,2,3\n", "a,a,b\n1,9,3\n").rows[0].values[0].column == "a (2)"


@pytest.mark.parametrize("data", [b"\xff\xfe", b"a,b\n1,2,3\n", b"a\0b"])
def test_what_is_no_table(data: bytes) -> None:
    with pytest.raises(DamagedError):
        compare_tables(data, b"a\n1\n", "t.csv")


def test_large_tables_are_sampled_and_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "MOST_ROWS", 100)
    lines = [f"{n},x\n" for n in range(1000)]
    found = compare("id,v\n" + "".join(lines), "id,v\n" + "".join(lines[:600]))
    assert found.sampled and (found.old_rows, found.new_rows, found.rows) == (1000, 600, [])
    many = compare("id,v\n" + "".join(lines[:90]), "id,v\n" + "".join(lines[:90]).replace("x", "y"))
    assert many.modified == 90 and not many.sampled
    monkeypatch.setattr(tables, "MOST_ANSWERED", 10)
    many = compare("id,v\n" + "".join(lines[:90]), "id,v\n" + "".join(lines[:90]).replace("x", "y"))
    assert many.modified == 90 and len(many.rows) == 10


@pytest.mark.parametrize("kind", ["csv", "parquet"])
@pytest.mark.parametrize("keyed", [True, False])
def test_a_row_that_is_only_pushed_over_the_border_is_no_difference(
    monkeypatch: pytest.MonkeyPatch, kind: str, keyed: bool
) -> None:
    monkeypatch.setattr(tables, "MOST_ROWS", 100)

    def table(numbers: list[int]) -> bytes:
        values = [[str(n if keyed else n // 2) for n in numbers], ["x" for _ in numbers]]
        if kind == "parquet":
            return parquet(id=values[0], v=values[1])
        lines = (f"{a},{b}\n" for a, b in zip(*values, strict=True))
        return ("id,v\n" + "".join(lines)).encode()

    many = list(range(1000, 1110))

    def told(old: list[int], new: list[int]) -> tuple[int, int, int]:
        found = compare_tables(table(old), table(new), f"t.{kind}")
        assert found.sampled and (found.key == "id") == keyed
        return found.added, found.removed, found.modified

    assert told(many, [1, *many]) == (1, 0, 0)
    assert told([1, *many], many) == (0, 1, 0)
    # the same rows in another order
    assert told(many, [*many[20:], *many[:20]]) == (0, 0, 0)
    # what is really gone is told, though the other side was cut
    left = [n for n in many if n not in (1050, 1051)]
    assert told(many, [*left, 8, 9]) == (0, 2, 0)
    monkeypatch.setattr(tables, "_MOST_BEYOND", 5)
    assert told(many, [1, *many]) == (0, 0, 0), "where it cannot be known, it is not told"


def test_a_comparison_that_nobody_waits_for_ends() -> None:
    class Stopped(Exception):
        pass

    def after(looks: int) -> Any:
        left = iter(range(looks))

        def check() -> None:
            if next(left, None) is None:
                raise Stopped

        return check

    data = ("id,v\n" + "".join(f"{n},x\n" for n in range(25_000))).encode()
    compare_tables(data, data, "t.csv", after(50))
    for looks in (0, 1, 3):
        with pytest.raises(Stopped):
            compare_tables(data, data, "t.csv", after(looks))


@settings(deadline=None)
@given(st.lists(st.lists(st.sampled_from("ab"), min_size=2, max_size=2), max_size=8), st.data())
def test_counts_add_up(old: list[list[str]], data: Any) -> None:
    new = data.draw(st.permutations(old))[: data.draw(st.integers(0, len(old)))]
    texts = ["x,y\n" + "".join(f"{a},{b}\n" for a, b in each) for each in (old, new)]
    found = compare(*texts)
    assert (
        found.old_rows - found.removed - found.modified
        == found.new_rows - found.added - found.modified
    )
    assert found.rows == [] if sorted(old) == sorted(new) and not found.key else True
    assert compare(texts[0], texts[0]).rows == []


def parquet(**columns: Any) -> bytes:
    arrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet as writer

    stream = io.BytesIO()
    writer.write_table(arrow.table(columns), stream)
    return stream.getvalue()


def test_parquet(monkeypatch: pytest.MonkeyPatch) -> None:
    nan = float("nan")
    old = parquet(id=[1, 2, 3], v=[0.5, nan, 1.0], s=["a", None, "c"], d=[[1], [2], [3]])
    new = parquet(id=[1, 2, 4], v=[0.5, nan, 1.0], s=["a", "b", "c"], d=[[1], [2], [3]])
    found = compare_tables(old, new, "t.parquet")
    assert found.key == "id"
    assert rows(found) == [
        (
            "removed",
            3,
            None,
            [("id", 3, None), ("v", 1.0, None), ("s", "c", None), ("d", "[3]", None)],
        ),
        ("modified", 2, 2, [("s", None, "b")]),
        (
            "added",
            None,
            3,
            [("id", None, 4), ("v", None, 1.0), ("s", None, "c"), ("d", None, "[3]")],
        ),
    ]
    with pytest.raises(DamagedError, match="cannot be read as Parquet"):
        compare_tables(b"PAR1", new, "t.parquet")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(DamagedError, match=r"pip install 'dotscience-jupyter\[tables\]'"):
        compare_tables(old, new, "t.parquet")
