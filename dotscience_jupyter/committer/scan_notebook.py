# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Take what may hold runs out of a notebook, or the big arrays out of a run record.

Decoding JSON holds Python's global lock from beginning to end. A big document is therefore decoded
by a child process, which hands on the little that matters. This file is run by its path, so it
needs the standard library only: importing the package would take longer than its work.

``scan_notebook.py notebook PATH`` prints a line with one JSON list (see :func:`extract`);
``scan_notebook.py record PATH`` prints a line of JSON, then the arrays as they are (see
:func:`split_record`).
"""

from __future__ import annotations

import base64
import binascii
import json
import sys
from typing import Any

OPENING = "[[DOTSCIENCE-RUN:"
CLOSING = "[[/DOTSCIENCE-RUN:"
MIME = "application/vnd.dotscience.run.v1+json"
MAX_UNFINISHED = 1024  # characters kept of a block that is never closed
MAX_OUTPUT = 16 * 1024 * 1024  # bytes of JSON handed on; a run is a few thousand


def extract(notebook: Any) -> list[dict[str, Any]]:
    """Return the cells of a notebook that may hold runs.

    Each is ``{"index": i, "id": cell id or None, "count": execution count or None, "text": blocks
    and nothing else, "records": objects of the MIME bundle}``. Notebooks of format 3 and 4 are
    read; anything that is not as it should be is passed over.

    Raises
    ------
    ValueError
        If the document is no notebook at all.
    """
    if not isinstance(notebook, dict):
        raise ValueError("it is not a notebook")
    cells = notebook.get("cells")
    if cells is None:
        sheets = notebook.get("worksheets")
        cells = [
            cell
            for sheet in (sheets if isinstance(sheets, list) else [])
            if isinstance(sheet, dict)
            for cell in _list(sheet.get("cells"))
        ]
    if not isinstance(cells, list):
        raise ValueError("its cells are not a list")
    found = []
    for index, cell in enumerate(cells):
        if not isinstance(cell, dict):
            continue
        streams: dict[str, list[str]] = {}
        records = []
        for output in _list(cell.get("outputs")):
            if not isinstance(output, dict):
                continue
            if output.get("output_type") == "stream":
                name = str(output.get("name") or output.get("stream") or "stdout")
                streams.setdefault(name, []).append(_joined(output.get("text")))
            elif isinstance(data := output.get("data"), dict) and MIME in data:
                record = data[MIME]
                if isinstance(record, str | list):  # a front end may have kept it as text
                    try:
                        record = json.loads(_joined(record))
                    except (ValueError, RecursionError):
                        continue
                if isinstance(record, dict):
                    records.append(record)
        # the stream of one name is one text, however the kernel cut it into outputs
        text = "".join(blocks("".join(parts)) for parts in streams.values())
        if text or records:
            found.append(
                {
                    "index": index,
                    "id": cell.get("id"),
                    "count": cell.get("execution_count", cell.get("prompt_number")),
                    "text": text,
                    "records": records,
                }
            )
    return found


def blocks(text: str) -> str:
    """Return only the run blocks of a text, unfinished ones shortened; time follows its length."""
    if OPENING not in text:
        return ""
    kept = []
    for piece in text.split(OPENING)[1:]:
        end = piece.rfind(CLOSING)
        if end >= 0:
            end = piece.find("]]", end)
        kept.append(OPENING + (piece[: end + 2] if end >= 0 else piece[:MAX_UNFINISHED]))
    return "\n".join(kept) + "\n"


def split_record(record: Any) -> tuple[dict[str, Any], list[bytes]]:
    """Take the arrays of the series out of a run record.

    The lengths of those that were taken are left in ``series.<name>.bytes`` as a list of three;
    a series that is not as it should be is left as it is, for the reader to complain about.
    """
    if not isinstance(record, dict):
        raise ValueError("it is not an object")
    arrays: list[bytes] = []
    series = record.get("series")
    for entry in series.values() if isinstance(series, dict) else ():
        if not isinstance(entry, dict):
            continue
        entry.pop("bytes", None)  # ours alone
        try:
            three = [
                base64.b64decode(entry[key], validate=True) for key in ("steps", "values", "times")
            ]
        except (KeyError, TypeError, ValueError, binascii.Error):
            continue
        for key in ("steps", "values", "times"):
            del entry[key]
        entry["bytes"] = [len(data) for data in three]
        arrays += three
    return record, arrays


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _joined(value: Any) -> str:
    if isinstance(value, list):
        return "".join(part for part in value if isinstance(part, str))
    return value if isinstance(value, str) else ""


def main(kind: str, path: str) -> int:
    """Do one job and print its outcome; status 2 and a sentence when the file is not readable."""
    out = sys.stdout.buffer
    try:
        with open(path, "rb") as file:
            document = json.loads(file.read())
        head, arrays = (extract(document), []) if kind == "notebook" else split_record(document)
        text = json.dumps(head).encode("ascii")
        if len(text) > MAX_OUTPUT:
            raise ValueError(f"its runs take more than {MAX_OUTPUT // 1024**2} MiB")
        out.write(text + b"\n")
        for data in arrays:
            out.write(data)
    except OSError as error:
        sys.stderr.write(f"{error.strerror}\n")
        return 3
    except RecursionError:
        sys.stderr.write("it is nested too deeply\n")
        return 2
    except ValueError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    out.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2]))
