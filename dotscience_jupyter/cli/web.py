# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Opening a page of the running Jupyter server that serves a workspace."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from .errors import CommandError


def page(root: Path, parameters: dict[str, str]) -> str:
    """Return the address of JupyterLab with these parameters, on a server that serves a folder.

    Raises
    ------
    CommandError
        If no running server does.
    """
    server = _server(root)
    if server is None:
        raise CommandError(
            "no_server",
            "No running Jupyter server serves this workspace. Start one with 'jupyter lab' in "
            f"{root} and try again.",
        )
    query = {key: value for key, value in parameters.items() if value}
    contents = os.path.relpath(os.path.realpath(root), os.path.realpath(_folder(server)))
    if contents not in (".", "") and not contents.startswith(".."):
        query["dotscience-workspace"] = contents
    if server.get("token"):
        query["token"] = str(server["token"])
    return f"{str(server['url']).rstrip('/')}/lab?{urlencode(query)}"


def _server(root: Path) -> dict[str, Any] | None:
    """Return the running server whose folder holds the workspace, or lies in it; the nearest."""
    from jupyter_server.serverapp import list_running_servers

    wanted = Path(os.path.realpath(root))
    found: list[tuple[int, dict[str, Any]]] = []
    for server in list_running_servers():
        folder = Path(os.path.realpath(_folder(server)))
        if folder == wanted or folder in wanted.parents or wanted in folder.parents:
            found.append((abs(len(folder.parts) - len(wanted.parts)), dict(server)))
    return min(found, key=lambda pair: pair[0])[1] if found else None


def _folder(server: dict[str, Any]) -> str:
    return str(server.get("root_dir") or server.get("notebook_dir") or "")
