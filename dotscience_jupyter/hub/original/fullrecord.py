# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""What our own library sends of a run beyond run metadata v1: its full record.

It travels in the metadata of the commit as ``run.<ID>.record``, the JSON of docs/run-format.md,
section 2, with one key more: ``inputs`` gives digest and size of declared inputs, which the hub
cannot look at.
"""

from __future__ import annotations

import json
import re
from typing import Any

from dotscience_jupyter.committer.record import FoundRun, from_record
from dotscience_jupyter.committer.scan_notebook import split_record
from dotscience_jupyter.records import NewFile, NewRun, NewValue

_DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)
_MOST_BYTES = 2**63


def complete(run: NewRun, text: str) -> list[NewFile]:
    """Add to a run what its record knows: types, series, environment, seeds, resources, source.

    Parameters
    ----------
    run : NewRun
        As its flat keys tell of it; changed in place.
    text : str
        The record.

    Returns
    -------
    list of NewFile
        The inputs that the record describes; paths as the program gave them.

    Raises
    ------
    ValueError
        If it cannot be read, or is that of another run; a sentence. The run is as it was.
    """
    try:
        document, arrays = split_record(json.loads(text))
        found = from_record(document, arrays)
    except RecursionError:
        raise ValueError("it is nested too deeply.") from None
    if found.id != run.id:
        raise ValueError("it is that of another run.")
    run.values = _values(found)
    run.series = found.series
    run.environment = found.environment or run.environment
    details = {
        "traceback": found.traceback,
        "seeds": found.seeds,
        "resources": found.resources,
        "process": found.process,
        "source": found.source,
    }
    run.details |= {key: value for key, value in details.items() if value}
    if found.problems:
        run.details["problems"] = [*run.details.get("problems", ()), *found.problems]
    return _inputs(document.get("inputs"))


def _values(found: FoundRun) -> list[NewValue]:
    text = found.text
    types = {**text.types, **found.types}
    return [
        NewValue(kind, name, value, types.get((key, name), "str"))
        for kind, key, values in (
            ("parameter", "parameters", text.parameters),
            ("metric", "summary", text.metrics),
            ("label", "labels", text.labels),
        )
        for name, value in values.items()
    ]


def _inputs(said: Any) -> list[NewFile]:
    files = []
    for path, known in said.items() if isinstance(said, dict) else ():
        digest = known.get("digest") if isinstance(known, dict) else None
        size = known.get("size") if isinstance(known, dict) else None
        files.append(
            NewFile(
                "input",
                path,
                version="",
                digest=digest if isinstance(digest, str) and _DIGEST.fullmatch(digest) else None,
                size=size if type(size) is int and 0 <= size < _MOST_BYTES else None,
            )
        )
    return files
