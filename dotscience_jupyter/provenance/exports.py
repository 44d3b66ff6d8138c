# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""A graph in the words of others: W3C PROV-JSON, OpenLineage run events, Graphviz."""

from __future__ import annotations

import posixpath
import re
import uuid
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from dotscience_jupyter.records.neighbours import RunHead, Version

from .graph import Edge, Graph, Node

PRODUCER = "https://github.com/dotscience-jupyter/dotscience-jupyter"
_PROV_TYPE = "prov:QUALIFIED_NAME"
_FACETS = "https://openlineage.io/spec/facets"
_EVENT = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"
_RUN_IDS = uuid.uuid5(uuid.NAMESPACE_URL, "https://w3id.org/dotscience/run")
# control characters and what reorders text
_CONTROL = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)


def prov(graph: Graph, workspace: str) -> dict[str, Any]:
    """Return a PROV-JSON document (https://www.w3.org/submissions/prov-json/).

    Runs are activities, file versions and programs entities, people agents. That a file has the
    content of an earlier one is told as ``alternateOf`` and as a derivation.

    Parameters
    ----------
    graph : Graph
        What to tell of.
    workspace : str
        The workspace's id; part of the names of files. Nodes that tell of another one are named
        by that.
    """
    others = sorted({node.workspace for node in graph.nodes} - {""})
    prefixes = {"": "dsfile"} | {name: f"dsfile{n}" for n, name in enumerate(others, 2)}
    document: dict[str, dict[str, Any]] = {
        "prefix": {
            "ds": "urn:dotscience:terms:",
            "dsrun": "urn:dotscience:run:",
            "dsagent": "urn:dotscience:agent:",
            "xsd": "http://www.w3.org/2001/XMLSchema#",
        }
    }
    for name, prefix in prefixes.items():
        place = quote(name or workspace, safe="")
        document["prefix"][prefix] = f"urn:dotscience:file:{place}:"
    names = {node.id: _prov_name(node, prefixes[node.workspace]) for node in graph.nodes}

    def relation(kind: str, **ends: Any) -> None:
        relations = document.setdefault(kind, {})
        relations[f"_:{kind}{len(relations) + 1}"] = {
            f"prov:{key}": value for key, value in ends.items()
        }

    for node in graph.nodes:
        if node.run is not None:
            document.setdefault("activity", {})[names[node.id]] = _activity(node.run)
        else:
            document.setdefault("entity", {})[names[node.id]] = _entity(node)
    for node in graph.nodes:
        if node.run is not None and node.run.author:
            agent = "dsagent:" + quote(node.run.author, safe="")
            label = {"prov:label": node.run.author, "prov:type": _term("prov:Person")}
            document.setdefault("agent", {})[agent] = label
            ends = {"activity": names[node.id], "agent": agent}
            if node.run.workload_file:
                program = Version(node.run.workload_file, node.run.commit)
                plan = _file_name(program, prefixes[node.workspace])
                entities = document.setdefault("entity", {})
                entity = entities.setdefault(plan, {"prov:label": program.path})
                entity["prov:type"] = _term("prov:Plan")
                ends["plan"] = plan
            relation("wasAssociatedWith", **ends)
    for edge in graph.edges:
        source, target = names[edge.source], names[edge.target]
        if edge.kind == "read":
            relation("used", activity=target, entity=source)
        elif edge.kind == "wrote":
            relation("wasGeneratedBy", entity=target, activity=source)
        else:
            relation("alternateOf", alternate1=target, alternate2=source)
            kind = _term("ds:IdenticalContent")
            relation("wasDerivedFrom", generatedEntity=target, usedEntity=source, type=kind)
    return document


def _prov_name(node: Node, prefix: str) -> str:
    if node.run is not None:
        return f"dsrun:{node.run.id}"
    assert node.file is not None
    return _file_name(node.file, prefix)


def _file_name(file: Version, prefix: str) -> str:
    # the local part of a name allows few signs; those of percent-encoding are among them
    version = file.version or (f"digest-{file.digest}" if file.digest else "")
    return f"{prefix}:{quote(file.path, safe='/')}@{quote(version, safe='')}"


def _term(name: str) -> dict[str, str]:
    return {"$": name, "type": _PROV_TYPE}


def _activity(run: RunHead) -> dict[str, Any]:
    told: dict[str, Any] = {
        "prov:label": run.description or None,
        "prov:type": _term("ds:Run"),
        "prov:startTime": None if run.started is None else run.started.isoformat(),
        "prov:endTime": None if run.ended is None else run.ended.isoformat(),
        "ds:status": run.status,
        "ds:authority": run.authority,
        "ds:commit": run.commit,
        "ds:error": run.error,
    }
    return {key: value for key, value in told.items() if value is not None}


def _entity(node: Node) -> dict[str, Any]:
    assert node.file is not None
    told: dict[str, Any] = {
        "prov:label": node.file.path,
        "prov:type": _term("ds:FileVersion"),
        "ds:path": node.file.path,
        "ds:commit": node.file.version,
        "ds:digest": node.digest,
        "ds:size": node.size,
        "ds:model": node.models[0] if len(node.models) == 1 else node.models or None,
    }
    return {key: value for key, value in told.items() if value is not None}


def openlineage(graph: Graph, workspace: str) -> list[dict[str, Any]]:
    """Return OpenLineage run events (https://openlineage.io/spec/2-0-2/), oldest run first.

    Of each run there is its end, ``COMPLETE`` or ``FAIL``, with all that it read and wrote; before
    it ``START``, where it is known when the run began. Jobs are programs, data sets files; a file's
    version is the commit that wrote it, identical contents are symlinks. Namespaces are
    workspaces: the given one, or the other one that a node tells of.
    """
    nodes = graph.by_id()

    def namespace(node: Node) -> str:
        return f"dotscience://{quote(node.workspace or workspace, safe='')}"

    reads: dict[str, list[str]] = {}
    writes: dict[str, list[str]] = {}
    same: dict[str, list[str]] = {}
    for edge in graph.edges:
        if edge.kind == "read":
            reads.setdefault(edge.target, []).append(edge.source)
        elif edge.kind == "wrote":
            writes.setdefault(edge.source, []).append(edge.target)
        else:
            same.setdefault(edge.target, []).append(edge.source)

    def datasets(ids: list[str]) -> list[dict[str, Any]]:
        return [
            _dataset(
                nodes[id_],
                namespace(nodes[id_]),
                [_place(nodes[other], namespace(nodes[other])) for other in same.get(id_, [])],
            )
            for id_ in ids
        ]

    events = []
    for node in graph.runs():
        run = node.run
        assert run is not None
        facets: dict[str, Any] = {
            "dotscience_run": _facet(
                f"{PRODUCER}/blob/main/docs/provenance.md",
                {
                    "id": run.id,
                    "commit": run.commit,
                    "description": run.description,
                    "author": run.author,
                    "authority": run.authority,
                },
            )
        }
        if run.error is not None:
            facets["errorMessage"] = _facet(
                f"{_FACETS}/1-0-1/ErrorMessageRunFacet.json#/$defs/ErrorMessageRunFacet",
                {"message": run.error, "programmingLanguage": "PYTHON"},
            )
        job = {
            "namespace": namespace(node),
            "name": run.workload_file or run.description or run.workload_type or "run",
            "facets": {},
        }
        ended = "COMPLETE" if run.status == "succeeded" else "FAIL"
        read, wrote = datasets(reads.get(node.id, [])), datasets(writes.get(node.id, []))
        if run.started is not None:
            events.append(_event("START", run.started, run, {}, job, [], []))
        when = run.ended or run.started or run.created
        events.append(_event(ended, when, run, facets, job, read, wrote))
    return events


def _event(
    kind: str,
    when: datetime,
    run: RunHead,
    facets: dict[str, Any],
    job: dict[str, Any],
    inputs: list[dict[str, Any]],
    outputs: list[dict[str, Any]],
) -> dict[str, Any]:
    return {
        "eventType": kind,
        "eventTime": _instant(when),
        "producer": PRODUCER,
        "schemaURL": _EVENT,
        "run": {"runId": run_uuid(run.id), "facets": facets},
        "job": job,
        "inputs": inputs,
        "outputs": outputs,
    }


def run_uuid(id_: str) -> str:
    """Return a run's id if it is a UUID; else one that follows from it, always the same."""
    try:
        return str(uuid.UUID(id_))
    except ValueError:
        return str(uuid.uuid5(_RUN_IDS, id_))


def _instant(time: datetime) -> str:
    return time.astimezone(UTC).isoformat()


def _facet(schema: str, values: dict[str, Any]) -> dict[str, Any]:
    return {"_producer": PRODUCER, "_schemaURL": schema, **values}


def _place(node: Node, namespace: str) -> dict[str, str]:
    assert node.file is not None
    path = node.file.path
    return {"namespace": "file" if path.startswith("/") else namespace, "name": path}


def _dataset(node: Node, namespace: str, same: list[dict[str, str]]) -> dict[str, Any]:
    assert node.file is not None
    storage = {"storageLayer": "file"}
    if ending := posixpath.splitext(node.file.path)[1]:
        storage["fileFormat"] = ending[1:].lower()
    facets = {
        "storage": _facet(
            f"{_FACETS}/1-0-1/StorageDatasetFacet.json#/$defs/StorageDatasetFacet", storage
        )
    }
    version = node.file.version or node.digest
    if version:
        facets["version"] = _facet(
            f"{_FACETS}/1-0-1/DatasetVersionDatasetFacet.json#/$defs/DatasetVersionDatasetFacet",
            {"datasetVersion": version},
        )
    if same:
        others = [{**place, "type": "LOCATION"} for place in same]
        facets["symlinks"] = _facet(
            f"{_FACETS}/1-0-1/SymlinksDatasetFacet.json#/$defs/SymlinksDatasetFacet",
            {"identifiers": others},
        )
    return {**_place(node, namespace), "facets": facets}


def dot(graph: Graph) -> str:
    """Return the graph for Graphviz; all text of others is data, never part of the language."""
    names = {node.id: f"n{number}" for number, node in enumerate(graph.nodes)}
    lines = ["digraph provenance {", "  rankdir=LR;", "  node [fontname=sans];"]
    begun = set(graph.start)
    for node in graph.nodes:
        text = node.label if node.file is None else node.file.path
        looks = "shape=" + ("cylinder" if node.source else "note" if node.file else "box")
        styles = ["rounded"] if node.run is not None else []
        if node.id in begun:
            styles.append("bold")
        if styles:
            looks += f', style="{",".join(styles)}"'
        if node.run is not None and node.run.status == "failed":
            looks += ", color=red"
        lines.append(
            f"  {names[node.id]} [label={_quoted(text)}, tooltip={_quoted(node.id)}, {looks}];"
        )
    lines += [
        f"  {names[edge.source]} -> {names[edge.target]}{_looks(edge)};" for edge in graph.edges
    ]
    return "\n".join([*lines, "}"]) + "\n"


def _looks(edge: Edge) -> str:
    if edge.kind == "same":
        return ' [style=dashed, dir=none, label="identical"]'
    return " [style=dotted]" if edge.authority == "derived" else ""


def _quoted(text: str) -> str:
    # a backslash begins escapes, some of which stand for the graph's or the node's name
    text = _CONTROL.sub(" ", text).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'
