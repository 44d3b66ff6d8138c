# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""What a project has in the bucket, as it was listed last.

::

    projects/<id>/packs/<32 hex>.pack             a pack, as in the store
    projects/<id>/maps/<32 hex>.<32 hex>.map      what a capture became: its id, and its digest
    projects/<id>/equal/<snapshot>.<id>.<content> empty: what another engine's snapshot is
    projects/<id>/condemned/<name>                empty: that pack or map is needed no more

No name is ever used for anything else, so nothing has to be replaced and every upload may be done
twice.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from .bucket import Bucket, Stored

PACK = re.compile(r"[0-9a-f]{32}\.pack")
MAP = re.compile(r"([0-9a-f]{32})\.[0-9a-f]{32}\.map")
EQUAL = re.compile(r"([^./]{1,140})\.([0-9a-f]{64})\.([0-9a-f]{64})")

_Value = TypeVar("_Value")


@dataclass(frozen=True)
class View:
    """What is there, by name; changed only by putting another one in its place.

    Attributes
    ----------
    packs, maps, equal
        The objects of each kind.
    condemned
        When packs and maps were condemned.
    """

    packs: dict[str, Stored] = field(default_factory=dict)
    maps: dict[str, Stored] = field(default_factory=dict)
    equal: dict[str, Stored] = field(default_factory=dict)
    condemned: dict[str, datetime] = field(default_factory=dict)

    def names(self) -> tuple[frozenset[str], frozenset[str]]:
        """Return what tells whether packs came or went."""
        return frozenset(self.packs), frozenset(self.condemned)


def listed(bucket: Bucket, prefix: str) -> View:
    """Return what there is below a project's prefix; what has no name of ours is passed over.

    Raises
    ------
    UnavailableError
        If the bucket cannot be listed now.
    """
    view = View()
    for each in bucket.listing(prefix):
        kind, _, name = each.key[len(prefix) :].partition("/")
        if kind == "packs" and PACK.fullmatch(name):
            view.packs[name] = each
        elif kind == "maps" and MAP.fullmatch(name):
            view.maps[name] = each
        elif kind == "equal" and EQUAL.fullmatch(name):
            view.equal[name] = each
        elif kind == "condemned":
            view.condemned[name] = each.modified
    return view


def name_of(stored: Stored) -> str:
    """Return an object's name, without the kind and the project."""
    return stored.key.rpartition("/")[2]


def without(known: dict[str, _Value], names: Iterable[str]) -> dict[str, _Value]:
    """Return a copy of something by name that lacks some names."""
    going = set(names)
    return {name: value for name, value in known.items() if name not in going}
