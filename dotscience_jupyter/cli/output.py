# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""What a command says: tables for people, tab-separated text for pipes, JSON for programs."""

from __future__ import annotations

import json
import math
import os
import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from pydantic import BaseModel
    from rich.console import Console

# control characters, what reorders text (Trojan Source), lone surrogates
_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)
_NAMED = {"\n": "\\n", "\t": "\\t", "\r": "\\r"}

Piece = str | tuple[str, str]

OPTIONAL = 4


def _escape(match: re.Match[str]) -> str:
    number = ord(match[0])
    return _NAMED.get(match[0]) or (f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}")


def safe(text: str, *, newlines: bool = False) -> str:
    """Return text that cannot command a terminal: control characters are written as escapes.

    Parameters
    ----------
    text
        What somebody else wrote: a description, a file's name, a line of a file.
    newlines
        Keep line ends and tabs.
    """
    if newlines:
        return "\n".join(
            _UNSAFE.sub(_escape, line.replace("\t", "    ")) for line in text.split("\n")
        )
    return _UNSAFE.sub(_escape, text)


def one_line(text: str) -> str:
    """Return prose on one line, safe for a terminal."""
    return safe(" ".join(text.split()))


def plain(value: Any) -> Any:
    """Return a value as strict JSON holds it: NaN, infinities become ``nan``, ``inf``, ``-inf``."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


@dataclass(slots=True)
class Column:
    """One column of a table.

    Parameters
    ----------
    title
        Its heading.
    cells
        One text a row.
    importance
        Where there is no room for all, those with the largest number are left out; 0 stays.
        Those of :data:`OPTIONAL` and more go already when others would get less than ``good``.
    least
        Width in cells below which it is not squeezed; None: it is not squeezed at all.
    good
        Width in cells at which it reads well; None: ``least``.
    right
        Aligned to the right, as numbers are.
    style
        How all its cells look, or a function that says it for each.
    """

    title: str
    cells: Sequence[str]
    importance: int = 0
    least: int | None = None
    good: int | None = None
    right: bool = False
    style: str | Callable[[str], str] = ""


class Printer:
    """Writes results to one stream, each kind of reader in its own way."""

    def __init__(self, as_json: bool, *, stream: TextIO | None = None) -> None:
        self.json = as_json
        self.stream = stream or sys.stdout
        self.terminal = self.stream.isatty() or bool(os.environ.get("FORCE_COLOR"))
        self._console: Console | None = None

    @property
    def console(self) -> Console:
        """The terminal; colours as NO_COLOR, FORCE_COLOR and TERM say."""
        if self._console is None:
            from rich.console import Console

            self._console = Console(
                file=self.stream,
                markup=False,
                highlight=False,
                emoji=False,
                force_terminal=True if self.terminal else None,
                # rich would still write bold and dim where colours are not wanted
                color_system=None if os.environ.get("NO_COLOR") else "auto",
                soft_wrap=True,
            )
        return self._console

    def document(self, value: BaseModel | dict[str, Any] | list[Any]) -> None:
        """Write one JSON document; in ASCII, so that no text in it can command a terminal."""
        if not isinstance(value, dict | list):
            value = value.model_dump(mode="json")
        text = json.dumps(plain(value), indent=2, allow_nan=False).replace("\x7f", "\\u007f")
        self.stream.write(text + "\n")

    def line(self, *pieces: Piece, style: str = "") -> None:
        """Write a line of pieces, texts or (text, style); :func:`safe` is the caller's to call."""
        if not self.terminal:
            self.stream.write("".join(p if isinstance(p, str) else p[0] for p in pieces) + "\n")
            return
        from rich.text import Text

        self.console.print(Text.assemble(*pieces, style=style))

    def heading(self, text: str) -> None:
        """Write the heading of a section."""
        self.line()
        self.line((text, "bold"))

    def pairs(self, pairs: Iterable[tuple[str, str]], *, indent: int = 2) -> None:
        """Write names and values below each other; what is empty is left out."""
        from rich.cells import cell_len

        shown = [(safe(name), value) for name, value in pairs if value]
        width = max((cell_len(name) for name, _ in shown), default=0)
        for name, value in shown:
            padding = " " * (width - cell_len(name) + 2)
            self.line(" " * indent, (name, "cyan"), padding, value)

    def table(self, columns: Sequence[Column], *, empty: str = "") -> None:
        """Write a table: fitted to a terminal's width, or tab-separated and whole for a pipe."""
        if not columns or not columns[0].cells:
            if self.terminal and empty:
                self.line(empty, style="dim")
            return
        if self.terminal:
            self._fitted(columns)
            return
        for row in ([c.title for c in columns], *zip(*(c.cells for c in columns), strict=True)):
            self.stream.write("\t".join(row).rstrip() + "\n")

    def _fitted(self, columns: Sequence[Column]) -> None:
        from rich.table import Table
        from rich.text import Text

        shown, widths = fit(columns, self.console.width)
        table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
        for column, width in zip(shown, widths, strict=True):
            table.add_column(
                Text(column.title),
                width=width,
                no_wrap=True,
                overflow="ellipsis",
                justify="right" if column.right else "left",
            )
        for row in zip(*(column.cells for column in shown), strict=True):
            table.add_row(
                *(
                    Text(cell, c.style if isinstance(c.style, str) else c.style(cell))
                    for cell, c in zip(row, shown, strict=True)
                )
            )
        self.console.print(table, soft_wrap=False)
        if left := [column.title for column in columns if column not in shown]:
            names = ", ".join(left[:5]) + (f" and {len(left) - 5} more" if len(left) > 5 else "")
            self.line(f"No room for: {names}", style="dim")


def fit(columns: Sequence[Column], width: int, gap: int = 2) -> tuple[list[Column], list[int]]:
    """Choose the columns that a width has room for, and how wide each is."""
    from rich.cells import cell_len

    def natural(column: Column) -> int:
        return max(cell_len(text) for text in (column.title, *column.cells))

    def floor(column: Column) -> int:
        return natural(column) if column.least is None else min(natural(column), column.least)

    def comfort(column: Column) -> int:
        return floor(column) if column.good is None else min(natural(column), column.good)

    shown = list(columns)
    for need, least_important in ((comfort, OPTIONAL), (floor, 1)):
        while sum(need(c) + gap for c in shown) - gap > width:
            # of equally important ones the last goes first
            worst = max(reversed(shown), key=lambda c: c.importance)
            if worst.importance < least_important:
                break
            shown.remove(worst)
    widths = [floor(column) for column in shown]
    spare = width - sum(widths) - gap * (len(widths) - 1)
    for index in sorted(range(len(shown)), key=lambda i: shown[i].importance):
        more = max(0, min(spare, natural(shown[index]) - widths[index]))
        widths[index] += more
        spare -= more
    return shown, widths


@contextmanager
def progress(
    enabled: bool = True, *, as_bytes: bool = False
) -> Iterator[Callable[[int, int, str], None] | None]:
    """Give a function that shows how far long work is, on standard error and only on a terminal.

    Yields None where nobody watches. Work that is over in a moment shows nothing. With ``as_bytes``
    what is counted are bytes.
    """
    if not (enabled and sys.stderr.isatty()):
        yield None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        TextColumn,
    )

    done_column: ProgressColumn = DownloadColumn() if as_bytes else MofNCompleteColumn()

    bar = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        done_column,
        console=Console(stderr=True, emoji=False),
        transient=True,
    )
    started = time.monotonic()
    task = bar.add_task("", total=None)

    def show(done: int, total: int, what: str) -> None:
        if not bar.live.is_started:
            if time.monotonic() - started < 0.4:
                return
            bar.start()
        bar.update(task, completed=done, total=total or None, description=one_line(what))

    try:
        yield show
    finally:
        bar.stop()


def moment(value: datetime | None, terminal: bool) -> str:
    """Return a time: local and short for a person, ISO 8601 with its offset for a pipe."""
    if value is None:
        return "-"
    return value.astimezone().strftime("%Y-%m-%d %H:%M:%S") if terminal else value.isoformat()


def duration(seconds: float | None) -> str:
    """Return a length of time in the unit that suits it."""
    if seconds is None:
        return "-"
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def size(count: int | None) -> str:
    """Return a number of bytes in the unit that suits it (powers of 1000, as disks are sold)."""
    if count is None:
        return "-"
    if count < 1000:
        return f"{count} B"
    value = float(count)
    for unit in ("kB", "MB", "GB", "TB"):
        value /= 1000
        if value < 999.5 or unit == "TB":
            break
    return f"{value:.3g} {unit}"


def scalar(value: object) -> str:
    """Return a parameter's or metric's value, safe and on one line."""
    if isinstance(value, float):
        return f"{value:.6g}"
    return "-" if value is None else one_line(str(value))


def many(count: int, one: str, more: str = "") -> str:
    """Return a count with its noun: ``1 run``, ``2 runs``."""
    return f"{count:,} {one if count == 1 else more or one + 's'}"
