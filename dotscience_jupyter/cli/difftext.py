# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""How two versions of one file differ, in words and lines."""

from __future__ import annotations

import json
from dataclasses import dataclass
from difflib import unified_diff
from typing import ClassVar, Literal

from .output import size

MOST_LINES = 50_000  # difflib's time grows with the square of the lines that differ


@dataclass(frozen=True, slots=True)
class Side:
    """One of two versions of a file.

    Parameters
    ----------
    path
        Text form, relative to the workspace.
    kind
        ``file``, ``symlink``, or empty if this side does not have it.
    size
        Bytes.
    digest
        BLAKE3 of the bytes.
    content
        The bytes; None if there are too many to compare line by line. A link's is its target.
    """

    LIMIT: ClassVar[int] = 5_000_000

    path: str
    kind: str = ""
    size: int = 0
    digest: str = ""
    content: bytes | None = b""

    def describe(self) -> str:
        """Return this version in a few words."""
        if not self.kind:
            return "not there"
        return f"{size(self.size)}" + (f", digest {self.digest[:16]}" if self.digest else "")


@dataclass(frozen=True, slots=True)
class Result:
    """How two versions differ: lines where that makes sense, a remark where they do not say all."""

    change: Literal["added", "modified", "removed", "same"]
    text: str | None
    summary: str


def difference(old: Side, new: Side) -> Result:
    """Compare two versions of a file.

    Text gives a unified diff, notebooks one of their cells' sources, anything else a remark.
    """
    change: Literal["added", "modified", "removed", "same"] = (
        "added" if not old.kind else "removed" if not new.kind else "modified"
    )
    if old.kind == new.kind and old.digest == new.digest and old.content == new.content:
        return Result("same", None, f"{new.path} is the same in both.")
    sizes = f"{new.path}: {old.describe()} -> {new.describe()}"
    if old.content is None or new.content is None:
        return Result(change, None, f"{sizes} (too large to compare line by line)")
    if new.path.endswith(".ipynb"):
        before, after = (cells(side.content or b"") for side in (old, new))
        if before is not None and after is not None:
            text = lines(before, after, old, new)
            hidden = "Only outputs or metadata of the notebook differ." if not text else ""
            return Result(change, text or None, hidden)
    try:
        before, after = old.content.decode(), new.content.decode()
    except UnicodeDecodeError:
        return Result(change, None, f"{sizes} (not text)")
    if "\0" in before or "\0" in after:
        return Result(change, None, f"{sizes} (not text)")
    if max(before.count("\n"), after.count("\n")) > MOST_LINES:
        return Result(change, None, f"{sizes} (too many lines to compare)")
    return Result(change, lines(before, after, old, new), "")


def cells(content: bytes) -> str | None:
    """Return the sources of a notebook's cells as text, each under a line that says what it is.

    Returns None if the bytes are no notebook; no bytes are a notebook without cells.
    """
    if not content:
        return ""
    try:
        found = json.loads(content)["cells"]
        parts = []
        for cell in found:
            source = cell["source"]
            source = source if isinstance(source, str) else "".join(source)
            parts.append(
                f"# %% [{cell['cell_type']}] {cell.get('id', '')}".rstrip() + f"\n{source}\n"
            )
        return "\n".join(parts)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def lines(before: str, after: str, old: Side, new: Side) -> str:
    """Return a unified diff, as git writes it, of two texts."""
    output = []
    for line in unified_diff(
        _split(before),
        _split(after),
        f"a/{old.path}" if old.kind else "/dev/null",
        f"b/{new.path}" if new.kind else "/dev/null",
    ):
        output.append(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n")
    return "".join(output)


def _split(text: str) -> list[str]:
    # only line feeds end a line here; str.splitlines would also split at form feeds and the like
    parts = text.split("\n")
    return [part + "\n" for part in parts[:-1]] + ([parts[-1]] if parts[-1] else [])
