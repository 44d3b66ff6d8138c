# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Publishing a run: the spool first, so that from then on nothing is lost; then text and card."""

from __future__ import annotations

import os
import sys

from . import _environment, _live, _new_workspace, _notebook, _spool
from ._text import block, dumps, new_id

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TextIO

    from ._run import Run

# the id of the MIME type's and the spool's format
FORMAT = 1


def publish(run: Run, stream: TextIO | None) -> None:
    """Publish a run under a new id.

    Whatever goes wrong beyond the public text is said in one line on stderr and never reaches the
    user's code: the text alone is a whole run of the original format.
    """
    # not read back from the run: two threads that publish one run must not get one id
    live = _live.take(run)
    run._id = id = new_id() if live is None else live.id
    metadata = run.metadata()
    record: dict[str, Any] | None = None
    written = False
    in_kernel = _notebook.kernel() is not None
    try:
        record = describe(run, id, metadata, in_kernel)
        written = _spool.write(record.pop("place"), id, dumps(record, compact=True))
    except Exception as error:
        _spool.say_once(
            f"only the text of a run was published, without types, series and environment, because "
            f"of {type(error).__name__}: {error}"
        )
    if live is not None:
        live.end()
    if stream is None:
        stream = sys.stdout  # a program without one at import may have got one since
    if stream is not None:
        stream.write(block(id, metadata) + "\n")
    shown = False
    if in_kernel and record is not None:
        try:
            _notebook.show(record)
            shown = True
        except Exception as error:
            _spool.say_once(
                f"the card of a run could not be shown because of {type(error).__name__}: {error}. "
                "The run itself is published."
            )
    # a kernel flushes its output before it shows anything, and doing so costs it a round trip
    if stream is not None and not (shown and stream is sys.stdout):
        _flush(stream, written)


def describe(run: Run, id: str, metadata: dict[str, Any], in_kernel: bool) -> dict[str, Any]:
    """Return a run's full record, and with it, as ``place``, the workspace that it belongs to."""
    source = _notebook.source()
    path = source["path"]
    # whoever tells where records go needs no workspace to be made for them
    may_make = in_kernel and not os.environ.get("DOTSCIENCE_SPOOL")
    place = _spool.workspace_for(run._root, path if isinstance(path, str) else None, may_make)
    record: dict[str, Any] = {
        "format": FORMAT,
        "id": id,
        "run": metadata,
        "root": os.path.abspath(run._root),
        "workspace": _new_workspace.workspace_id(place) if place else None,
        "types": run.types(),
        "environment": _environment.describe(run),
        "seeds": _environment.seeds(run),
        "resources": _environment.resources(run),
        "source": source,
        "process": _environment.process(),
        "place": place,
    }
    series = {name: series.encoded() for name, series in run.series().items()}
    if series:
        record["series"] = series
    if run._observed is not None:
        record["observed"] = run._observed.described(run._root)
    if run._traceback is not None:
        record["traceback"] = run._traceback
    return record


def _flush(stream: TextIO, written: bool) -> None:
    """Send the text on its way: it must not be lost with the process."""
    try:
        stream.flush()
    except AttributeError:
        pass  # a stream of the user's that has nothing to flush
    except OSError as error:
        # as when the output goes to a program that has ended, which is for the user's own
        # output to complain about; but it must not go unsaid if the run is nowhere else
        if not written:
            _spool.say_once(
                f"the text of a run could not be written ({error.strerror or error}), and this "
                "folder is in no workspace, so the run is not kept. Make one with "
                "`jupyter dotscience init`."
            )
