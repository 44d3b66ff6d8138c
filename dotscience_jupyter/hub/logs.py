# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The hub's log: one line an event, as text for people or as JSON for programs."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import TextIO

_FIELDS = ("method", "path", "status", "seconds", "user", "address", "bytes")


class JsonFormatter(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line; newlines of the message are escaped in it."""
        entry: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        for name in _FIELDS:
            if hasattr(record, name):
                entry[name] = getattr(record, name)
        if record.exc_info:
            entry["trace"] = self.formatException(record.exc_info)
        return json.dumps(entry, ensure_ascii=True)


class TextFormatter(logging.Formatter):
    """A line for people; what clients sent cannot begin another one."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, and lines of a trace if there is one."""
        time = datetime.fromtimestamp(record.created, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
        message = record.getMessage()
        text = "".join(
            c if c.isprintable() else c.encode("unicode_escape").decode() for c in message
        )
        line = f"{time} {record.levelname} {text}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


def set_up(kind: str, level: int | str = logging.INFO, stream: TextIO | None = None) -> None:
    """Send what the hub and its libraries log to a stream (standard error).

    ``kind`` is ``text`` or ``json``.
    """
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter() if kind == "json" else TextFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    # requests are logged by us, with the user and how long they took
    logging.getLogger("tornado.access").setLevel(logging.ERROR)
