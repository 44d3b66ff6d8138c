# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Telling renames among differences of two snapshots, or of one and the live folder."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable

from .engine import Change, Difference, Entry, Kind, LiveChange

MAX_READ = 1 << 30
"""Bytes of live files that are read to tell renames: more would keep whoever asks waiting."""


def by_digest(entry: Entry) -> Hashable:
    """Return what makes two files the same: their content. None where it is not known."""
    return entry.digest or None


def renamed(
    differences: Iterable[Difference], key: Callable[[Entry], Hashable] = by_digest
) -> list[Difference]:
    """Make one difference of a file that went and one that came with the same content.

    Files that are equal are paired so that first the longest common end of their paths counts
    (so the name before all), then the same folder, then the longest common beginning. Empty
    files, links and folders are never called renamed.

    Parameters
    ----------
    differences
        As :meth:`Engine.diff` returns them.
    key
        What has to be equal of two files of equal size; a file with None is left alone.

    Returns
    -------
    list of Difference
        Sorted by path. A renamed file is at its new path.
    """
    result: list[Difference] = []
    gone: dict[Hashable, list[Entry]] = {}
    came: dict[Hashable, list[Entry]] = {}
    for difference in differences:
        side = entry = None
        if difference.change is Change.REMOVED:
            side, entry = gone, difference.old
        elif difference.change is Change.ADDED:
            side, entry = came, difference.new
        mark = None
        if entry is not None and entry.kind is Kind.FILE and entry.size:
            mark = key(entry)
        if side is None or entry is None or mark is None:
            result.append(difference)
        else:
            side.setdefault((entry.size, mark), []).append(entry)
    for mark, olds in gone.items():
        news = came.get(mark, [])
        pairs = _pairs(olds, news)
        for old, new in pairs:
            result.append(Difference(new.path, Change.RENAMED, old, new))
        paired = {entry.path for pair in pairs for entry in pair}
        result.extend(_removed(old) for old in olds if old.path not in paired)
        came[mark] = [new for new in news if new.path not in paired]
    result.extend(_added(new) for news in came.values() for new in news)
    result.sort(key=lambda difference: difference.path)
    return result


def live_renamed(
    changes: Iterable[LiveChange], frozen: Callable[[str], str], live: Callable[[str], str]
) -> list[LiveChange]:
    """Do what :func:`renamed` does for how the live folder differs from a snapshot.

    Only files are read of which one went and one came with the same size, small ones first, and
    :data:`MAX_READ` bytes at most: those that are left stay one removed and one added.

    Parameters
    ----------
    changes
        As :meth:`Engine.changes` returns them.
    frozen, live
        Return the digest of the file that the snapshot, or the live folder, has at a path; "" if
        that cannot be had.

    Returns
    -------
    list of LiveChange
        Sorted by path.
    """
    changes = list(changes)
    wanted = _worth_reading(changes)
    result: list[LiveChange] = []
    differences: list[Difference] = []
    for each in changes:
        if each.kind is not Kind.FILE or each.size not in wanted:
            result.append(each)
        elif each.change is Change.REMOVED:
            differences.append(_removed(_entry(each, frozen)))
        elif each.change is Change.ADDED:
            differences.append(_added(_entry(each, live)))
        else:
            result.append(each)
    for difference in renamed(differences):
        old, new = difference.old, difference.new
        known = new or old
        assert known is not None
        before = old.path if old is not None and new is not None else ""
        result.append(LiveChange(difference.path, difference.change, Kind.FILE, known.size, before))
    result.sort(key=lambda change: change.path)
    return result


def below(under: str, changes: list[LiveChange]) -> list[LiveChange]:
    """Return the changes of a path and of what is below it; all of them for ""."""
    if not under:
        return changes
    return [each for each in changes if each.path == under or each.path.startswith(f"{under}/")]


def _worth_reading(changes: Iterable[LiveChange]) -> set[int]:
    """Return the sizes of which a file went and one came, as far as they may all be read."""
    gone: set[int] = set()
    came: Counter[int] = Counter()
    for each in changes:
        if each.kind is Kind.FILE and each.size:
            if each.change is Change.REMOVED:
                gone.add(each.size)
            elif each.change is Change.ADDED:
                came[each.size] += 1
    wanted: set[int] = set()
    left = MAX_READ
    for size in sorted(gone & came.keys()):
        left -= size * came[size]
        if left < 0:
            break
        wanted.add(size)
    return wanted


def _entry(change: LiveChange, digest: Callable[[str], str]) -> Entry:
    return Entry(change.path, change.kind, 0, change.size, 0, digest(change.path))


def _removed(entry: Entry) -> Difference:
    return Difference(entry.path, Change.REMOVED, entry, None)


def _added(entry: Entry) -> Difference:
    return Difference(entry.path, Change.ADDED, None, entry)


def _pairs(olds: list[Entry], news: list[Entry]) -> list[tuple[Entry, Entry]]:
    """Pair equal files one to one, until none is left on one of the sides."""
    if len(olds) == len(news) == 1:
        return [(olds[0], news[0])]
    left = {entry.path: entry for entry in sorted(olds, key=lambda entry: entry.path)}
    right = {entry.path: entry for entry in sorted(news, key=lambda entry: entry.path)}
    pairs: list[tuple[Entry, Entry]] = []

    def match(part: slice, length: int) -> None:
        """Pair, in the order of their paths, those of which a part of at least a length is equal.

        Paths are looked at as lists of names.
        """
        waiting: dict[tuple[str, ...], list[str]] = {}
        for path in reversed(left):
            waiting.setdefault(tuple(path.split("/")[part]), []).append(path)
        for path in list(right):
            same = tuple(path.split("/")[part])
            if len(same) >= length and waiting.get(same):
                pairs.append((left.pop(waiting[same].pop()), right.pop(path)))

    def depth() -> int:
        if not left or not right:
            return 0
        return min(max(path.count("/") + 1 for path in side) for side in (left, right))

    for count in range(depth(), 0, -1):
        match(slice(-count, None), count)
    match(slice(None, -1), 0)
    for count in range(depth() - 1, -1, -1):
        match(slice(None, count), count)
    return pairs
