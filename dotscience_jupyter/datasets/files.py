# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Small JSON files that are there whole, the old one or the new one, at any instant."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from typing import Any

from .errors import DatasetError

FORMAT = 1


def read_json(path: Path, what: str) -> dict[str, Any]:
    """Return the document in a file, an empty one where there is no file.

    Parameters
    ----------
    path
        The file.
    what
        What it tells, for the message.

    Raises
    ------
    DatasetError
        ``unreadable`` if it is damaged, or a newer version wrote it.
    """
    try:
        document = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise unreadable(path, what, str(error)) from None
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise unreadable(path, what, "it is not of the format that this version knows")
    return document


def write_json(path: Path, document: dict[str, Any], what: str) -> None:
    """Replace a file in one step: keys sorted, one value a line. Raise DatasetError."""
    temporary = path.with_name(f".~{path.name}.{os.getpid()}.{threading.get_ident()}")
    text = json.dumps({"format": FORMAT, **document}, indent=2, sort_keys=True)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(temporary, "w", encoding="utf-8") as file:
            file.write(text + "\n")
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise DatasetError(
            "unreadable",
            f"{path} cannot be written ({error.strerror or error}), so {what} was not noted. "
            "No data was touched; make room, or see who may write there.",
        ) from None


def unreadable(path: Path, what: str, why: str) -> DatasetError:
    """Return the error of a file that cannot be used."""
    return DatasetError(
        "unreadable",
        f"{path}, which tells {what}, cannot be read: {why}. Nothing was changed and no data is "
        "affected. Mend it, or go back to an earlier version of it.",
    )
