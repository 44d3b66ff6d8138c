# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Publishing a run straight to a hub: its files, then a commit whose metadata tells of it."""

from __future__ import annotations

import json
import os
import platform
import sys

from . import _live, _publish
from ._remote import Connection, file_digest
from ._text import dumps, new_id

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ._run import Run

_MOST_RECORD = 48 << 20


def publish(
    connection: Connection, run: Run, build: bool = False, deploy: bool = False
) -> dict[str, Any]:
    """Publish a run under a new id.

    Returns
    -------
    dict
        ``run``, its id, and if asked for ``image``, ``endpoint`` and ``dashboard``.

    Raises
    ------
    HubError
        If the hub cannot be reached or refuses. The run can be published again.
    """
    live = _live.take(run)
    run._id = id = new_id() if live is None else live.id
    try:
        metadata = run.metadata()
        connection.upload(run._root, metadata["output"], run.getModelDir())
        connection.commit(commit_metadata(connection.user, run, id, metadata))
    finally:
        if live is not None:
            live.end()
    url = f"{connection.server.url}/project/{connection.project['id']}/runs/metric/{id}"
    print(f"Run published: {url}")
    result: dict[str, Any] = {"run": id}
    if build or deploy:
        result["image"] = connection.build(id)["image_name"]
    if deploy:
        name = str(connection.project["name"]).replace("-", "")
        made = connection.deploy(name, result["image"], _classes(run))
        result["endpoint"], result["dashboard"] = made["endpoint"], made["dashboard"]
        print(f"Model deployed: {made['endpoint']}")
    return result


def commit_metadata(user: str, run: Run, id: str, metadata: dict[str, Any]) -> dict[str, str]:
    """Return the commit's metadata as the original wrote it, and the full record beside it."""
    result: dict[str, str] = {
        "author": user,
        "exec.logs": "[]",
        "runner.name": platform.node(),
        "runner.platform": platform.system(),
        "runner.platform_version": platform.version(),
        "runs": json.dumps([id]),
        "workload.type": "remote",
        "type": "dotscience.run.v1",
        f"run.{id}.version": "1",
        f"run.{id}.authority": "remote",
        f"run.{id}.workload-file": sys.argv[0] if sys.argv else "",
        f"run.{id}.output-files": json.dumps(metadata["output"]),
        f"run.{id}.record": _record(run, id, metadata),
    }
    for key, section in (("label", "labels"), ("summary", "summary"), ("parameters", "parameters")):
        for name, value in metadata[section].items():
            result[f"run.{id}.{key}.{name}"] = value
    for key in ("description", "error", "start", "end"):
        if key in metadata:
            result[f"run.{id}.{key}"] = metadata[key]
    for key in ("start", "end"):
        if key in metadata:
            result[f"exec.{key}"] = metadata[key]
    return result


def _record(run: Run, id: str, metadata: dict[str, Any]) -> str:
    """Return the record; without its series where these would make it too long to be sent."""
    record = _publish.describe(run, id, metadata, False)
    del record["place"]
    record["workspace"] = None
    record.pop("observed", None)
    inputs = {name: file_digest(os.path.join(run._root, name)) for name in metadata["input"]}
    record["inputs"] = {name: found or {} for name, found in inputs.items()}
    text = dumps(record, compact=True)
    if len(text) > _MOST_RECORD:
        record.pop("series", None)
        text = dumps(record, compact=True)
    return text


def _classes(run: Run) -> str | None:
    """Return the path of the model's classes, if it has them."""
    for name, value in run._labels.items():
        if name.startswith("artefact:"):
            files = json.loads(value).get("files", {})
            if "classes" in files:
                return os.path.join(run._root, files["classes"])
    return None
