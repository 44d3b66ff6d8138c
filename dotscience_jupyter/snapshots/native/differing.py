# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""What differs, as the interface tells it: by manifests where both are known, else by trees."""

from __future__ import annotations

from collections.abc import Iterable

from dotscience_jupyter.snapshots.embedded.compare import diff
from dotscience_jupyter.snapshots.engine import (
    Change,
    CorruptStoreError,
    Difference,
    Entry,
    Kind,
    LiveChange,
    Skipped,
)

from .compare import Differs, above_of
from .digests import Digests
from .manifests import Manifests

_MAX_HASHED = 1 << 26
"""Bytes that a comparison reads for digests that are not known yet: more would hold up a commit."""


def by_manifests(
    manifests: Manifests, old: str | None, new: str, under: str
) -> list[Difference] | None:
    """Compare two snapshots without looking at them; None where a manifest is lacking."""
    after = manifests.find(new)
    before = None if old is None else manifests.find(old)
    if not after or before == "":
        return None
    try:
        manifests.root(after)
        return diff(manifests.trees, before, after, under)
    except CorruptStoreError:
        for snapshot in (old, new):
            if snapshot is not None:
                manifests.forget(snapshot)
        return None


def with_digests(
    found: Iterable[Differs], digests: Digests, old: str | None, new: str, *, renames: bool
) -> list[Difference]:
    """Return how two snapshots differ, sorted by path, of what their trees say.

    Files are read for digests that are not known as far as they are small, and with ``renames``
    where one went and one of the same size came.
    """
    differs = {each.path: each for each in found}
    wanted = _may_be_renamed(differs.values()) if renames else set()
    left = _MAX_HASHED
    result: list[Difference] = []
    for path in sorted(differs):
        each = differs[path]
        entries: list[Entry | None] = []
        for snapshot, node in ((old, each.old), (new, each.new)):
            digest = ""
            if node is not None and node.kind is Kind.FILE:
                assert snapshot is not None
                digest = digests.known(snapshot, node)
                if not digest and (node.size <= left or node.size in wanted):
                    left -= node.size
                    digest = digests.of(snapshot, node)
            entries.append(None if node is None else node.entry(digest))
        result.append(Difference(path, each.change, entries[0], entries[1]))
    return result


def of_live(found: Iterable[Differs], skipped: Iterable[Skipped]) -> list[LiveChange]:
    """Return how the live folder differs, sorted by path, of what the trees say.

    ``skipped`` is what could not be looked at in the folder while ``found`` was being yielded:
    nobody knows whether that went.
    """
    changes: list[LiveChange] = []
    for each in found:
        node = each.new or each.old
        assert node is not None
        changes.append(LiveChange(each.path, each.change, node.kind, node.size))
    unknown = {each.path for each in skipped}
    changes = [
        each
        for each in changes
        if each.change is not Change.REMOVED
        or unknown.isdisjoint((each.path, *above_of(each.path)))
    ]
    changes.sort(key=lambda change: change.path)
    return changes


def _may_be_renamed(differs: Iterable[Differs]) -> set[int]:
    """Return the sizes of which a file went and one came."""
    sizes: dict[Change, set[int]] = {Change.ADDED: set(), Change.REMOVED: set()}
    for each in differs:
        node = each.old or each.new
        if each.change in sizes and node is not None and node.kind is Kind.FILE:
            sizes[each.change].add(node.size)
    return sizes[Change.ADDED] & sizes[Change.REMOVED]
