# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Telling renames among differences."""

from __future__ import annotations

import random
import time

from dotscience_jupyter.snapshots import Change, Difference, Entry, Kind
from dotscience_jupyter.snapshots.renames import renamed


def entry(path: str, digest: str = "x", size: int = 1, kind: Kind = Kind.FILE) -> Entry:
    return Entry(path, kind, 0o644, size, 0, digest)


def gone(*args: object, **kwargs: object) -> Difference:
    old = entry(*args, **kwargs)  # type: ignore[arg-type]  # whatever entry takes
    return Difference(old.path, Change.REMOVED, old, None)


def came(*args: object, **kwargs: object) -> Difference:
    new = entry(*args, **kwargs)  # type: ignore[arg-type]  # whatever entry takes
    return Difference(new.path, Change.ADDED, None, new)


def told(found: list[Difference]) -> dict[str, str]:
    """New path -> old path, "+" for added, "-" for removed, "" for modified."""
    assert [d.path for d in found] == sorted(d.path for d in found)
    signs = {Change.ADDED: "+", Change.REMOVED: "-", Change.MODIFIED: ""}
    result = {}
    for difference in found:
        if difference.change is Change.RENAMED:
            assert difference.old is not None
            assert difference.new is not None
            assert difference.path == difference.new.path
            result[difference.path] = difference.old.path
        else:
            result[difference.path] = signs[difference.change]
    return result


def test_one_file() -> None:
    assert told(renamed([gone("a"), came("b")])) == {"b": "a"}
    assert told(renamed([gone("z"), came("d/a")])) == {"d/a": "z"}
    assert renamed([]) == []


def test_only_equal_files_with_content() -> None:
    found = [
        gone("a", "x"),
        came("b", "y"),
        gone("c", "z", size=2),
        came("d", "z", size=3),
        gone("empty", "e", size=0),
        came("still-empty", "e", size=0),
        gone("unknown", ""),
        came("unknown-too", ""),
        gone("link", "", kind=Kind.SYMLINK),
        came("same-link", "", kind=Kind.SYMLINK),
        gone("folder", "", size=0, kind=Kind.FOLDER),
        came("same-folder", "", size=0, kind=Kind.FOLDER),
        Difference("m", Change.MODIFIED, entry("m", "1"), entry("m", "x")),
    ]
    assert sorted(renamed(found), key=lambda d: d.path) == sorted(found, key=lambda d: d.path)


def test_the_name_counts_most() -> None:
    found = [gone("a/x"), gone("a/y"), came("b/x"), came("a/z"), came("b/y")]
    assert told(renamed(found)) == {"b/x": "a/x", "b/y": "a/y", "a/z": "+"}


def test_then_the_longest_common_end() -> None:
    found = [gone("old/a/f"), gone("old/b/f"), came("new/b/f"), came("new/a/f")]
    assert told(renamed(found)) == {"new/a/f": "old/a/f", "new/b/f": "old/b/f"}


def test_then_the_folder() -> None:
    found = [gone("a/1"), gone("b/1"), came("b/2"), came("c/2")]
    assert told(renamed(found)) == {"b/2": "b/1", "c/2": "a/1"}


def test_then_the_longest_common_beginning() -> None:
    found = [gone("a/b/c/1"), gone("x/y/2"), came("x/z/3"), came("a/b/d/4")]
    assert told(renamed(found)) == {"x/z/3": "x/y/2", "a/b/d/4": "a/b/c/1"}


def test_one_to_one_and_the_rest_stays() -> None:
    found = [gone("a"), came("b"), came("c"), came("d")]
    assert told(renamed(found)) == {"b": "a", "c": "+", "d": "+"}
    found = [gone("a"), gone("b"), gone("c"), came("d")]
    assert told(renamed(found)) == {"b": "-", "c": "-", "d": "a"}


def test_the_order_that_they_come_in_is_of_no_account() -> None:
    rand = random.Random(1)
    names = [f"{a}/{b}/{c}" for a in "ab" for b in "cd" for c in "ef"]
    found = [gone(name, rand.choice("xy")) for name in names]
    found += [came(f"n/{name}", rand.choice("xy")) for name in names]
    expected = renamed(found)
    for _ in range(20):
        rand.shuffle(found)
        assert renamed(found) == expected


def test_any_key() -> None:
    found = [gone("a", ""), came("b", ""), gone("c", ""), came("d", "")]
    inodes = {"a": 1, "b": 2, "c": 3, "d": 1}
    assert told(renamed(found, lambda entry: inodes[entry.path])) == {
        "d": "a",
        "b": "+",
        "c": "-",
    }


def test_many_equal_files_take_no_time() -> None:
    found = [gone(f"a/{n % 50}/{n}") for n in range(10_000)]
    found += [came(f"b/{n % 50}/{n}") for n in range(10_000)]
    started = time.perf_counter()
    assert told(renamed(found)) == {f"b/{n % 50}/{n}": f"a/{n % 50}/{n}" for n in range(10_000)}
    assert time.perf_counter() - started < 10
