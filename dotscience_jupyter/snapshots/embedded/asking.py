# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Finding what of a snapshot another store lacks, by asking it about many objects at a time.

What is not lacking is not gone into, so the cost is that of what differs. What is lacking comes
after all that it refers to.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import NamedTuple

from dotscience_jupyter.snapshots.engine import Progress

from . import objects
from .database import Database, MissingObjectError
from .differing import Deltas, common
from .marks import Marks
from .objects import CAPTURED_FILE, FILE, FOLDER, LISTED_FILE
from .transfer import UnsettledError
from .trees import Trees

MAX_ASKED = 1 << 16
"""The most ids that are asked about at a time."""
_AHEAD = 1 << 12
"""So many ids are asked about at first, from the top down, whatever turns out to be lacking."""

Lacks = Callable[[list[bytes]], list[bytes]]
"""Returns those of some ids that the other side lacks."""

_SNAPSHOT, _FOLDER, _PAGE, _LIST, _LEAF = range(5)
_Link = tuple[bytes, int]
"""An object's id, and what it is here; a file may have the bytes of a folder object."""

_THERE, _LACKED, _SENT, _THROUGH = 1, 2, 4, 8
"""The other side has it; or not; it was yielded; and so was all that is below it."""


class _Node(NamedTuple):
    """An object, and where what is noted about it is."""

    digest: bytes
    kind: int
    marks: bytearray
    at: int

    @property
    def mark(self) -> int:
        return self.marks[self.at]

    def note(self, bits: int) -> None:
        self.marks[self.at] |= bits


class Needed:
    """Finds what of a snapshot the other side lacks; see :meth:`EmbeddedEngine.needed`."""

    def __init__(
        self,
        database: Database,
        trees: Trees,
        snapshot: str,
        lacks: Lacks,
        also: Sequence[bytes],
        bases: Sequence[str],
        deltas: Deltas | None,
        progress: Progress | None,
    ) -> None:
        root = database.store.require_snapshot(snapshot)
        database.refresh(force=True)
        self._database = database
        self._trees = trees
        self._snapshot = snapshot
        self._lacks = lacks
        self._all = bool(also)
        self._progress = progress
        self._asked = 0
        self._marks = Marks(database.packs)
        self._top = self._node((root, _SNAPSHOT))
        self._note(also, _LACKED)
        for base in bases if not also else ():
            if base != snapshot:
                self._note(common(trees, snapshot, base, deltas), _THERE)

    def _note(self, ids: Iterable[bytes], bits: int) -> None:
        for digest in ids:
            with contextlib.suppress(MissingObjectError):
                self._node((digest, _LEAF)).note(bits)

    def _node(self, link: _Link) -> _Node:
        digest, kind = link
        _, at, marks = self._marks.place(digest)
        return _Node(digest, kind, marks, at)

    def ids(self) -> Iterator[bytes]:
        """Yield the ids of the objects, each once, and after those that it refers to.

        Raises
        ------
        CorruptStoreError
            If a part of the snapshot is missing or damaged here.
        """
        self._ask(self._ahead())
        # of each level what is still to be looked at, and what is done when all below it was
        levels: list[tuple[Iterator[_Node], list[_Node]]] = [(iter((self._top,)), [])]
        while levels:
            nodes, entered = levels[-1]
            yield from self._leave(entered)
            entered.clear()
            batch = list(islice(filter(self._is_open, nodes), MAX_ASKED))
            if not batch:
                levels.pop()
                continue
            self._ask(batch)
            entered += filter(self._is_open, {node[:2]: node for node in batch}.values())
            below = chain.from_iterable(map(self._below, tuple(entered)))
            levels.append((map(self._node, below), []))

    def _leave(self, nodes: list[_Node]) -> Iterator[bytes]:
        """Yield the ids of objects, all below which was yielded, as far as they are to be sent."""
        for node in nodes:
            if node.mark & (_LACKED | _SENT) == _LACKED:
                yield node.digest
                node.note(_SENT)
            if node.kind != _LEAF:
                node.note(_THROUGH)

    def _is_open(self, node: _Node) -> bool:
        """Whether there may be something to do about an object."""
        if node.kind == _LEAF:
            return not node.mark & (_THERE | _SENT)
        return not node.mark & (_THROUGH if self._all else _THROUGH | _THERE)

    def _ask(self, nodes: Iterable[_Node]) -> None:
        """Ask the other side about objects that it was not asked about."""
        unknown = {node.digest: node for node in nodes if not node.mark & (_THERE | _LACKED)}
        if not unknown:
            return
        self._asked += len(unknown)
        for digest in self._lacks(list(unknown)):
            if digest in unknown:
                unknown.pop(digest).note(_LACKED)
        for node in unknown.values():
            node.note(_THERE)
        if self._progress is not None:
            self._progress(self._asked, 0, "Comparing with the other side")

    def _ahead(self) -> Iterator[_Node]:
        """Yield the first objects from the top down, so that one question may do."""
        pending = deque([(self._top.digest, self._top.kind)])
        seen: set[bytes] = set()
        while pending and len(seen) < _AHEAD:
            node = self._node(pending.popleft())
            if node.digest in seen or not self._is_open(node):
                continue
            seen.add(node.digest)
            yield node
            if len(pending) < _AHEAD:
                pending.extend(self._below(node))

    def _below(self, node: _Node) -> Iterator[_Link]:
        """Yield the objects that one refers to."""
        digest, kind = node.digest, node.kind
        if kind == _SNAPSHOT:
            yield objects.decode_snapshot(self._database.get(digest)).tree, _FOLDER
        elif kind == _FOLDER:
            pages = self._trees.pages(digest)
            if pages != [digest]:
                yield from ((page, _PAGE) for page in pages)
            else:
                yield from self._entries(digest)
        elif kind == _PAGE:
            yield from self._entries(digest)
        elif kind == _LIST:
            level, items = objects.decode_list(self._database.get(digest))
            yield from ((bytes(inner), _LIST if level else _LEAF) for inner, _ in items)

    def _entries(self, page: bytes) -> Iterator[_Link]:
        for item in self._trees.page(page):
            item = self._trees.resolved(item)
            if item.code == CAPTURED_FILE:
                raise UnsettledError(
                    f"The snapshot {self._snapshot} cannot be sent yet: what was captured for it "
                    "is not hashed. Nothing is lost. Another program may be at it; try again in a "
                    "while, or run 'jupyter dotscience verify' to see whether it is damaged."
                )
            if item.code == FOLDER:
                yield item.digest, _FOLDER
            elif item.code == LISTED_FILE:
                yield item.list_id, _LIST
            elif item.code == FILE and item.size:
                yield item.digest, _LEAF
