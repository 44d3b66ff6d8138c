# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""What we know of the notebook or program around us. IPython is asked only if it is loaded."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

MIME_TYPE = "application/vnd.dotscience.run.v1+json"


def shell() -> Any:
    """Return IPython's interactive shell if we run in one, else None."""
    ipython = sys.modules.get("IPython")
    get_ipython = getattr(ipython, "get_ipython", None)
    return get_ipython() if get_ipython is not None else None


def kernel() -> Any:
    """Return the Jupyter kernel that we run in, or None."""
    return getattr(shell(), "kernel", None)


def source() -> dict[str, object]:
    """Return the ``source`` of a run's full record: which notebook, cell or script this is."""
    ipython = shell()
    if getattr(ipython, "kernel", None) is not None:
        result: dict[str, object] = {"kind": "notebook", "path": notebook_path(ipython)}
        cell_id = _cell_id(ipython.kernel)
        if cell_id is not None:
            result["cell_id"] = cell_id
        count = _execution_count(ipython)
        if count:
            result["execution_count"] = count
        return result
    program = sys.argv[0] if getattr(sys, "argv", None) else ""
    if ipython is not None or hasattr(sys, "ps1"):
        return {"kind": "shell", "path": None}
    # -c, - and "" are programs that are no files
    path = os.path.abspath(program) if program not in ("", "-", "-c", "-m") else None
    return {"kind": "script", "path": path}


def notebook_path(ipython: Any) -> str | None:
    """Return the notebook's path as the kernel was told, or None; it may have moved since."""
    # VS Code tells in the namespace, Jupyter Server in the environment
    told = getattr(ipython, "user_ns", {}).get("__vsc_ipynb_file__")
    if isinstance(told, str) and told:
        return told
    return os.environ.get("JPY_SESSION_NAME") or None


def _execution_count(ipython: Any) -> int | None:
    # not the shell's own counter: that is the next cell's already, in IPython 9 while the cell runs
    # and in all versions after it
    manager = getattr(ipython, "history_manager", None)
    inputs = getattr(manager, "input_hist_parsed", None)
    return len(inputs) - 1 if inputs else None


def _cell_id(kernel: Any) -> str | None:
    # JupyterLab and VS Code send it along with the code
    get_parent = getattr(kernel, "get_parent", None)
    parent = get_parent() if get_parent is not None else None
    if not isinstance(parent, dict):
        return None
    cell_id = (parent.get("metadata") or {}).get("cellId")
    return cell_id if isinstance(cell_id, str) else None


def show(record: dict[str, Any]) -> None:
    """Show a run below the cell: our MIME type, a card in HTML, and text."""
    ipython = shell()
    from . import _card

    reduced = reduce(record)
    ipython.display_pub.publish(
        data={
            MIME_TYPE: reduced,
            "text/html": _card.html(record),
            "text/plain": _card.text(record),
        },
        metadata={},
    )


def reduce(record: dict[str, Any]) -> dict[str, Any]:
    r"""Return the record as the notebook holds it: small, and safe for every JSON encoder.

    Paths may hold bytes that are no UTF-8, as lone surrogates; a kernel cannot send those, so they
    are written out (``\udcff``). The public text and the spool hold them as they are.
    """
    reduced = dict(record, reduced=True)
    reduced.pop("observed", None)
    if "environment" in reduced:
        environment = dict(reduced["environment"])
        environment.pop("packages", None)
        reduced["environment"] = environment
    if "series" in reduced:
        reduced["series"] = {
            name: {"count": series["count"], "last": _last(series)}
            for name, series in reduced["series"].items()
        }
    clean: dict[str, Any] = _printable(reduced)
    return clean


def _last(series: dict[str, Any]) -> float | str:
    from ._card import numbers

    value = numbers(series["values"][-16:])[-1]
    # JSON has no word for these; the REST API uses the same ones
    return value if value - value == 0 else str(value)


def _printable(value: Any) -> Any:
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return {_printable(key): _printable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_printable(item) for item in value]
    return value
