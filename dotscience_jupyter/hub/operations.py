# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""What a method of an address takes and gives, declared by its handler beside what it needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dotscience_jupyter.api.models import Body, Problem
from dotscience_jupyter.api.routes.base import Param

__all__ = [
    "ARRAY",
    "BYTES",
    "JSON",
    "NEVER",
    "OBJECT",
    "OFFSET",
    "TEXT",
    "XML",
    "Media",
    "Operation",
    "Param",
    "limit",
]

JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Media:
    """A body that is none of our own models.

    Attributes
    ----------
    type
        Such as ``application/octet-stream``.
    schema
        JSON schema of it; bytes of any kind without.
    """

    type: str = "application/octet-stream"
    schema: Mapping[str, Any] = field(default_factory=lambda: {"type": "string"})


BYTES = Media()
TEXT = Media("text/plain")
XML = Media("application/xml")
OBJECT = Media(JSON, {"type": "object"})
ARRAY = Media(JSON, {"type": "array", "items": {"type": "object"}})


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of an address.

    Attributes
    ----------
    answer
        What is given; None for nothing.
    status
        With which.
    also
        Other answers that are no errors, by status; None for one without a body.
    body
        What is taken; None for nothing.
    query, headers
        Parameters in the address, and headers that mean something.
    errors
        Statuses beyond those that follow from what the method needs.
    """

    answer: type[Body] | Media | None = None
    status: int = 200
    also: Mapping[int, type[Body] | Media | None] = field(default_factory=dict)
    body: type[Body] | Media | None = None
    query: tuple[Param, ...] = ()
    headers: tuple[Param, ...] = ()
    errors: tuple[int, ...] = ()


NEVER = Operation(Problem, 404)
"""Of what belongs to things that this hub has none of."""

OFFSET = Param("offset", "How many items to leave out", "integer", 0)


def limit(most: int) -> Param:
    """Return the parameter of a page's length; more than ``most`` are ``most``."""
    text = f"How many items; {most} at most, however many are asked for"
    return Param("limit", text, "integer", 100)
