# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""PROV-JSON and OpenLineage by their schemas, Graphviz, and text of others that stays text."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft4Validator, Draft202012Validator, FormatChecker
from openlineage.client import event_v2 as official
from openlineage.client import facet_v2 as facets
from openlineage.client.serde import Serde
from prov.model import (
    ProvActivity,
    ProvDerivation,
    ProvDocument,
    ProvEntity,
    ProvGeneration,
    ProvUsage,
)
from provenance_world import add, commit, run

from dotscience_jupyter.provenance import Graph, provenance
from dotscience_jupyter.provenance.exports import dot, openlineage, prov, run_uuid
from dotscience_jupyter.provenance.tree import tree
from dotscience_jupyter.records.store import Records

SCHEMAS = Path(__file__).parent / "schemas"
WORKSPACE = "0b3c"
UUID = "6008efb1-6f12-4f3a-919e-b8df15254093"
HOSTILE = '"]; evil [URL="javascript:alert(1)"]; "\\\\N\\" <b>x</b>\n</script>\u202e\x07 %s {} \\'


@pytest.fixture
def graph(tmp_path: Path) -> Iterator[Graph]:
    """Something of everything: a failed run, copies, files from outside, odd names and texts."""
    records = Records.open(f"sqlite:///{tmp_path / 'records.db'}")
    when = datetime(2026, 3, 1, 12, tzinfo=UTC)
    label = json.dumps({"files": {"model": "m/ä b#%?.pkl"}})
    train = run("not-a-uuid", "copy.csv=c", "", labels={"artefact:tumours": label})
    train.files.append(run("x", "", "out").files[0])
    train.files[-1].path = "m/ä b#%?.pkl"
    add(
        records,
        commit(),
        commit(
            run(
                UUID,
                "raw.csv=r",
                "clean.csv=c",
                outside="/mnt/x.csv",
                description="Clean",
                author="ada",
                workload_file="clean.ipynb",
                started=when,
                ended=when + timedelta(seconds=90),
            )
        ),
        commit(changes="copy.csv=c"),
        commit(train),
        commit(
            run(
                "hostile",
                "copy.csv=c",
                description=HOSTILE,
                error=HOSTILE,
                author=HOSTILE,
                workload_file=HOSTILE,
                authority="derived",
            )
        ),
    )
    found = provenance(records)
    yield found
    records.close()


def errors(validator: Any, document: object) -> list[str]:
    return [f"{list(e.absolute_path)}: {e.message}" for e in validator.iter_errors(document)]


@pytest.fixture(scope="module")
def prov_schema() -> Draft4Validator:
    schema = json.loads((SCHEMAS / "prov-json.schema.json").read_text("utf-8"))
    Draft4Validator.check_schema(schema)
    return Draft4Validator(schema, format_checker=FormatChecker())


@pytest.fixture(scope="module")
def event_schema() -> Draft202012Validator:
    schema = json.loads((SCHEMAS / "openlineage-2-0-2.schema.json").read_text("utf-8"))
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema, format_checker=FormatChecker())


def test_prov_is_valid_and_complete(graph: Graph, prov_schema: Draft4Validator) -> None:
    document = json.loads(json.dumps(prov(graph, WORKSPACE), allow_nan=False))
    assert errors(prov_schema, document) == []
    assert set(document["activity"]) == {f"dsrun:{n.run.id}" for n in graph.runs() if n.run}
    kinds = {"read": "used", "wrote": "wasGeneratedBy", "same": "wasDerivedFrom"}
    for kind, name in kinds.items():
        assert len(document[name]) == sum(edge.kind == kind for edge in graph.edges) > 0
    assert len(document["alternateOf"]) == len(document["wasDerivedFrom"])
    # every end of a relation is told of, and every prefix too
    known = {name for part in ("entity", "activity", "agent") for name in document[part]}
    for kind in (*kinds.values(), "alternateOf", "wasAssociatedWith"):
        for relation in document[kind].values():
            ends = {v for k, v in relation.items() if isinstance(v, str)}
            assert ends <= known
    assert {name.partition(":")[0] for name in known} <= set(document["prefix"])
    (clean,) = (v for k, v in document["activity"].items() if UUID in k)
    assert clean["prov:startTime"] == "2026-03-01T12:00:00+00:00"
    assert any(e.get("ds:model") == "tumours" for e in document["entity"].values())


@pytest.mark.parametrize(
    "broken",
    [
        {"entity": []},
        {"unknown": {}},
        {"used": {"_:u": {"prov:entity": "a:b"}}},
        {"activity": {"a:b": {"prov:startTime": "yesterday"}}},
        {"wasGeneratedBy": {"_:g": {"prov:activity": "a:b"}}},
        {"entity": {"no prefix": {}}},
        {"prefix": {"a": "not a uri"}},
        {"entity": {"a:b": {"a:c": None}}},
    ],
)
def test_the_prov_schema_finds_mistakes(prov_schema: Draft4Validator, broken: object) -> None:
    assert errors(prov_schema, broken)


def test_another_program_reads_our_prov(graph: Graph) -> None:
    """Read the document with the reference implementation of PROV's authors."""
    text = json.dumps(prov(graph, WORKSPACE))
    read = ProvDocument.deserialize(content=text, format="json")
    document = json.loads(text)
    for kind, class_ in (
        ("entity", ProvEntity),
        ("activity", ProvActivity),
        ("used", ProvUsage),
        ("wasGeneratedBy", ProvGeneration),
        ("wasDerivedFrom", ProvDerivation),
    ):
        assert len(list(read.get_records(class_))) == len(document[kind]) > 0
    (clean,) = (each for each in read.get_records(ProvActivity) if UUID in str(each.identifier))
    assert clean.get_startTime() == datetime(2026, 3, 1, 12, tzinfo=UTC)
    again = ProvDocument.deserialize(content=read.serialize(format="json"), format="json")
    assert again == read
    assert read.get_provn()


def test_events_are_valid_and_complete(graph: Graph, event_schema: Draft202012Validator) -> None:
    events = json.loads(json.dumps(openlineage(graph, WORKSPACE), allow_nan=False))
    for event in events:
        assert errors(event_schema, event) == []
    begun, clean, train, hostile = events
    assert begun["run"]["runId"] == clean["run"]["runId"] == UUID
    assert uuid.UUID(train["run"]["runId"]).version == 5
    assert train["run"]["facets"]["dotscience_run"]["id"] == "not-a-uuid"
    # a start is told where it is known, never made up
    assert [e["eventType"] for e in events] == ["START", "COMPLETE", "COMPLETE", "FAIL"]
    assert begun["eventTime"] == "2026-03-01T12:00:00+00:00"
    assert clean["eventTime"] == "2026-03-01T12:01:30+00:00"
    assert begun["job"] == clean["job"]
    assert begun["inputs"] == begun["outputs"] == []
    assert hostile["run"]["facets"]["errorMessage"]["message"] == HOSTILE
    assert clean["job"] == {
        "namespace": f"dotscience://{WORKSPACE}",
        "name": "clean.ipynb",
        "facets": {},
    }
    places = {(d["namespace"], d["name"]) for d in clean["inputs"]}
    assert places == {(f"dotscience://{WORKSPACE}", "raw.csv"), ("file", "/mnt/x.csv")}
    (read,) = train["inputs"]
    assert len(read["facets"]["version"]["datasetVersion"]) == 64
    assert read["facets"]["storage"]["fileFormat"] == "csv"
    (other,) = read["facets"]["symlinks"]["identifiers"]
    assert other["name"] == "clean.csv"


def test_events_are_those_of_the_official_client(graph: Graph) -> None:
    """Its classes are generated from the published schemas of the event and of each facet."""
    events = json.loads(json.dumps(openlineage(graph, WORKSPACE), allow_nan=False))
    seen = set()
    for event in events:
        own = event["run"]["facets"].pop("dotscience_run", None)
        assert own.keys() > {"_producer", "_schemaURL"} if own else event["eventType"] == "START"
        built = official_event(event)
        assert Serde.to_dict(built) == event
        for dataset in event["inputs"] + event["outputs"]:
            seen |= dataset["facets"].keys()
        seen |= event["run"]["facets"].keys()
    assert seen == FACETS.keys()
    event["run"]["runId"] = "no-uuid"
    with pytest.raises(ValueError, match="UUID"):
        official_event(event)


FACETS: dict[str, Any] = {
    "errorMessage": facets.error_message_run.ErrorMessageRunFacet,
    "storage": facets.storage_dataset.StorageDatasetFacet,
    "symlinks": facets.symlinks_dataset.SymlinksDatasetFacet,
    "version": facets.dataset_version_dataset.DatasetVersionDatasetFacet,
}


def official_event(event: dict[str, Any]) -> official.RunEvent:
    """Build an event of the official client, which itself says what the schemas are."""

    def facet(name: str, told: dict[str, Any]) -> Any:
        values = {key: value for key, value in told.items() if key[0] != "_"}
        if name == "symlinks":
            values["identifiers"] = [
                facets.symlinks_dataset.Identifier(**each) for each in values["identifiers"]
            ]
        return FACETS[name](producer=told["_producer"], **values)

    def whole(kind: Any, told: dict[str, Any], **more: Any) -> Any:
        built = {name: facet(name, values) for name, values in told["facets"].items()}
        return kind(**{**told, "facets": built}, **more)

    return official.RunEvent(
        eventType=official.RunState(event["eventType"]),
        eventTime=event["eventTime"],
        producer=event["producer"],
        run=whole(official.Run, event["run"]),
        job=whole(official.Job, event["job"]),
        inputs=[whole(official.InputDataset, each, inputFacets=None) for each in event["inputs"]],
        outputs=[
            whole(official.OutputDataset, each, outputFacets=None) for each in event["outputs"]
        ],
    )


def test_the_event_schema_finds_mistakes(graph: Graph, event_schema: Draft202012Validator) -> None:
    event = openlineage(graph, WORKSPACE)[-1]
    for name in ("eventTime", "producer", "schemaURL", "run", "job"):
        assert errors(event_schema, {k: v for k, v in event.items() if k != name})
    for change in (
        {"eventType": "ENDED"},
        {"eventTime": "now"},
        {"run": {"runId": "not-a-uuid"}},
        {"job": {"name": "x"}},
        {"inputs": [{"name": "x"}]},
        {"outputs": [{"namespace": "x", "name": "y", "facets": {"version": {}}}]},
    ):
        assert errors(event_schema, {**event, **change})


def test_ids_that_are_no_uuids_always_give_the_same_one() -> None:
    assert run_uuid("run-1") == run_uuid("run-1") != run_uuid("run-2")
    assert run_uuid(UUID.upper()) == UUID


_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')


def test_text_of_others_is_data_in_dot(graph: Graph) -> None:
    text = dot(graph)
    strings = _STRING.findall(text)
    language = _STRING.sub('""', text)
    assert "evil" not in language and "script" not in language and "<" not in language
    assert any("evil" in each for each in strings)
    # no escape but of a quote or a backslash: \N and \G would stand for other things
    assert set(re.findall(r"\\.", "".join(strings))) <= {'\\"', "\\\\"}
    assert "\u202e" not in text and "\x07" not in text
    assert language.count("->") == len(graph.edges)
    assert language.count("label=") == len(graph.nodes) + sum(
        edge.kind == "same" for edge in graph.edges
    )
    assert language.count("{") == language.count("}") == 1
    for line in language.splitlines()[3:-1]:
        assert re.fullmatch(r"  n\d+( -> n\d+)?( \[[a-z=, \"]+\])?;", line), line


@pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz is not installed")
def test_graphviz_reads_it(graph: Graph) -> None:
    done = subprocess.run(
        ["dot", "-Tjson0"], input=dot(graph).encode(), capture_output=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    drawn = json.loads(done.stdout)
    assert len(drawn["objects"]) == len(graph.nodes)


def test_nothing_to_tell(prov_schema: Draft4Validator) -> None:
    nothing = Graph([])
    assert errors(prov_schema, prov(nothing, WORKSPACE)) == []
    assert openlineage(nothing, WORKSPACE) == []
    assert dot(nothing).startswith("digraph")
    assert list(tree(nothing, True)) == []


def test_a_tree_shows_each_branch_once(tmp_path: Path) -> None:
    records = Records.open(f"sqlite:///{tmp_path / 'records.db'}")
    add(
        records,
        commit(),
        commit(run("one", "", "a b")),
        commit(run("two", "a b", "c")),
    )
    lines = [
        f"{b.before}{b.node.run.id if b.node.run else b.node.file.path}{' again' * b.again}"  # type: ignore[union-attr]
        for b in tree(provenance(records, "file:c", "up"), True)
    ]
    assert lines == [
        "c",
        "└─ two",
        "   ├─ a",
        "   │  └─ one",
        "   └─ b",
        "      └─ one again",
    ]
    records.close()
