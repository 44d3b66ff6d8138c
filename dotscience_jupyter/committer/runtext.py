# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The public text of a run (docs/run-format.md, section 1).

The text comes from notebooks and programs that anyone may have written. Reading it takes time in
proportion to its length whatever it holds, and what is wrong with one block never hides another.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

OPENING = "[[DOTSCIENCE-RUN:"
CLOSING = "[[/DOTSCIENCE-RUN:"
MAX_BLOCK = 8 * 1024 * 1024
"""Characters of JSON that one block may hold; real ones hold a few thousand."""

MAX_ERRORS = 20
"""Broken blocks of one text that are reported one by one."""

MAX_FILES = 100_000
"""Paths that one run may declare."""

_OPEN = re.compile(r"\[\[DOTSCIENCE-RUN:([0-9A-Za-z_-]{1,64})\]\]")
_ID = re.compile(r"[0-9A-Za-z_-]{1,64}")
_SPACE = re.compile(r"[ \t\r\n]*")
_TIME = re.compile(r"([0-9]{8})T([0-9]{6})(?:\.([0-9]{1,9}))?Z?")
_LONE = re.compile("[\ud800-\udfff]")
_LONE_BUT_BYTES = re.compile("[\ud800-\udc7f\udd00-\udfff]")
_DECODER = json.JSONDecoder()


@dataclass(slots=True)
class RunText:
    """A run as its public text tells it."""

    id: str
    inputs: list[str] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)
    labels: dict[str, str] = field(default_factory=dict)
    metrics: dict[str, str] = field(default_factory=dict)
    parameters: dict[str, str] = field(default_factory=dict)
    types: dict[tuple[str, str], str] = field(default_factory=dict)  # of values that were no text
    start: datetime | None = None
    end: datetime | None = None
    description: str = ""
    error: str | None = None
    workload_file: str | None = None


@dataclass(slots=True)
class TextError:
    """A block that could not be read. ``id`` is known where the opening marker was sound."""

    message: str
    id: str | None = None


def is_id(value: object) -> bool:
    """Whether something can be the id of a run: 1 to 64 letters, digits, ``-`` and ``_``."""
    return isinstance(value, str) and _ID.fullmatch(value) is not None


def parse(text: str) -> tuple[list[RunText], list[TextError]]:
    """Return every run in a text, in order and each id once, and what could not be read."""
    runs: dict[str, RunText] = {}
    errors: list[TextError] = []
    position = 0
    while (position := text.find(OPENING, position)) >= 0:
        opening = _OPEN.match(text, position)
        if opening is None:
            errors.append(TextError("A run's opening marker holds no usable id."))
            position += len(OPENING)
            continue
        run_id = opening[1]
        try:
            document, end = _block(text, opening.end(), run_id)
            run = from_document(run_id, document)
        except ValueError as error:
            errors.append(TextError(f"Run {run_id} cannot be read: {error}", run_id))
            # an unfinished block may be followed by a whole one; never skip over its marker
            position = opening.end()
        else:
            runs.setdefault(run_id, run)
            position = end
    errors = [error for error in errors if error.id is None or error.id not in runs]
    if len(errors) > MAX_ERRORS:
        more = len(errors) - MAX_ERRORS
        errors[MAX_ERRORS:] = [TextError(f"{more} more blocks cannot be read.")]
    return list(runs.values()), errors


def _block(text: str, start: int, run_id: str) -> tuple[Any, int]:
    """Return the JSON value of a block and where the block ends. Raise ValueError when broken."""
    begin = _SPACE.match(text, start)
    assert begin is not None
    start = begin.end()
    if not text.startswith("{", start):
        raise ValueError("its JSON is not an object.")
    size = 4096
    while True:
        # decoding finds the end of the JSON by itself, so a marker inside of a string is harmless;
        # the window grows with what was read, because an error costs what lies before it
        window = text[start : start + size]
        try:
            document, end = _DECODER.raw_decode(window)
            break
        except RecursionError:
            raise ValueError("its JSON is nested too deeply.") from None
        except json.JSONDecodeError as error:
            cut = error.msg.startswith("Unterminated string") or error.pos > len(window) - 16
            if cut and start + size < len(text):
                if size >= MAX_BLOCK:
                    raise ValueError(f"it is longer than {MAX_BLOCK // 1024**2} MiB.") from None
                size = min(size * 8, MAX_BLOCK)
            elif cut and CLOSING not in window:
                raise ValueError("it ends before its closing marker.") from None
            else:
                raise ValueError(f"its JSON is broken ({error.msg}).") from None
    after = _SPACE.match(text, start + end)
    assert after is not None
    closing = f"{CLOSING}{run_id}]]"
    if not text.startswith(closing, after.end()):
        raise ValueError("its JSON is not followed by its closing marker.")
    return document, after.end() + len(closing)


def from_document(run_id: str, document: Any) -> RunText:
    """Check the JSON object of a run. Unknown keys are ignored; values that are no text become it.

    Raises
    ------
    ValueError
        With a sentence that says which part is wrong.
    """
    if not isinstance(document, dict):
        raise ValueError("its JSON is not an object.")
    run = RunText(run_id)
    run.inputs = _paths(document, "input")
    run.outputs = _paths(document, "output")
    for key, kind, target in (
        ("labels", "labels", run.labels),
        ("summary", "summary", run.metrics),
        ("parameters", "parameters", run.parameters),
    ):
        _values(document, key, kind, target, run.types)
    run.start = _time(document, "start")
    run.end = _time(document, "end")
    description = _text(document, "description")
    run.description = description or ""
    run.error = _text(document, "error")
    workload = document.get("workload-file")
    if workload is not None and not isinstance(workload, str):
        raise ValueError('"workload-file" is not a text.')
    run.workload_file = clean_path(workload) if workload else None
    return run


def _paths(document: dict[str, Any], key: str) -> list[str]:
    value = document.get(key)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ValueError(f'"{key}" is not a list of texts.')
    if len(value) > MAX_FILES:
        raise ValueError(f'"{key}" lists more than {MAX_FILES:,} files.')
    return list(dict.fromkeys(clean_path(item) for item in value if item))


def _values(
    document: dict[str, Any],
    key: str,
    kind: str,
    target: dict[str, str],
    types: dict[tuple[str, str], str],
) -> None:
    value = document.get(key)
    if value is None:
        return
    if not isinstance(value, dict):
        raise ValueError(f'"{key}" is not an object.')
    for raw_name, item in value.items():
        name = clean(raw_name)
        if isinstance(item, str):
            target[name] = clean(item)
        elif item is None or isinstance(item, bool | int | float):
            target[name] = str(item)
            types[kind, name] = type_of(item)
        else:
            raise ValueError(f'"{name[:80]}" in "{key}" is neither a text nor a number.')


def _text(document: dict[str, Any], key: str) -> str | None:
    value = document.get(key)
    if value is None:
        return None
    if isinstance(value, dict | list):
        raise ValueError(f'"{key}" is not a text.')
    return clean(str(value))


def _time(document: dict[str, Any], key: str) -> datetime | None:
    value = document.get(key)
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise ValueError(f'"{key}" is not a time.')
    return parse_time(value)


def parse_time(text: str) -> datetime:
    """Read ``YYYYMMDDTHHMMSS.fraction`` (UTC, up to nine digits; beyond microseconds is cut off).

    >>> parse_time("20200102T030405.123456789").isoformat()
    '2020-01-02T03:04:05.123456+00:00'
    """
    match = _TIME.fullmatch(text)
    if match is None:
        raise ValueError(f"{text[:40]!r} is not a time of the form YYYYMMDDTHHMMSS.ffffff.")
    try:
        whole = datetime.strptime(match[1] + match[2], "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        raise ValueError(f"{text[:40]!r} is not a time that exists.") from None
    return whole + timedelta(microseconds=int((match[3] or "0").ljust(9, "0")[:6]))


def type_of(value: object) -> str:
    """Return how the type of a JSON scalar is recorded."""
    if value is None:
        return "none"
    for kind, name in ((bool, "bool"), (int, "int"), (float, "float")):
        if isinstance(value, kind):
            return name
    return "str"


def clean(text: str) -> str:
    r"""Write what no database can hold (lone surrogates, NUL) as an escape.

    >>> clean("a\x00b"), clean("\ud800")
    ('a\\x00b', '\\ud800')
    """
    if "\0" in text:
        text = text.replace("\0", "\\x00")
    return _LONE.sub(lambda m: f"\\u{ord(m[0]):04x}", text)


def clean_path(path: str) -> str:
    """Like :func:`clean`, but leave the surrogates that stand for bytes of a file's name."""
    if "\0" in path:
        path = path.replace("\0", "\\x00")
    return _LONE_BUT_BYTES.sub(lambda m: f"\\u{ord(m[0]):04x}", path)
