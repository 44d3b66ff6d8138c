# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Lines that somebody made up: sealed well, and still no commits that could be recorded."""

from __future__ import annotations

import base64
import copy
import hashlib
import json
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from records_world import Clock, add, commit, full_run

from dotscience_jupyter.records.errors import RefusedError
from dotscience_jupyter.records.metadata import canonical, digest
from dotscience_jupyter.records.store import Records

Document = dict[str, Any]
Change = Callable[[Document], object]


@pytest.fixture(scope="module")
def genuine(tmp_path_factory: pytest.TempPathFactory) -> Document:
    """The first commit of a store, with something in every list."""
    path = tmp_path_factory.mktemp("genuine") / "records.db"
    records = Records.open(f"sqlite:///{path}", clock=Clock())
    new = commit(full_run(id="the-run"), changes={"a": "added", "b": "added"})
    new.logs = {"t/err.log": b"more", "t/out.log": b"text" * 50}
    add(records, new)
    [line] = records.export([records.get_commit("HEAD").id])
    records.close()
    document: Document = json.loads(line)
    del document["seal"]
    return document


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Records]:
    records = Records.open(f"sqlite:///{tmp_path / 'records.db'}")
    yield records
    records.close()


def sealed(document: Document) -> bytes:
    return canonical(document | {"seal": digest(document)}) + b"\n"


def made_right(document: Document) -> Document:
    """Compute all digests and the id again, as somebody would who makes up a commit."""
    metadata = document["commit"]["metadata"]
    for run in document["runs"]:
        metadata[f"run.{run['run']['id']}.details-digest"] = digest(run)
    metadata["runs"] = canonical([run["run"]["id"] for run in document["runs"]]).decode()
    metadata["changes-digest"] = digest(document["changes"])
    metadata["logs-digest"] = digest(document["logs"])
    document["id"] = digest(document["commit"])
    return document


def refused(records: Records, document: Document, reason: str) -> None:
    with pytest.raises(RefusedError, match=f"(?s)commit number 1 of it.*{reason}.*Nothing was rec"):
        records.take([sealed(document)], ref="HEAD")
    assert records.counts() == (0, 0)
    assert records.refs() == {}


def packed(data: bytes) -> str:
    return base64.b64encode(zlib.compress(data)).decode()


def test_what_is_genuine_is_taken(genuine: Document, here: Records) -> None:
    assert made_right(copy.deepcopy(genuine)) == genuine
    assert here.take([sealed(genuine)], ref="HEAD").new == [genuine["id"]]
    assert here.verify() == []


def test_another_commit_may_be_made_up_whole(genuine: Document, here: Records) -> None:
    other = copy.deepcopy(genuine)
    other["runs"][0]["run"]["description"] = "another"
    assert here.take([sealed(made_right(other))], ref="HEAD").new == [other["id"]]
    assert here.verify() == []


# what does not fit together: each digest must be computed again from what it stands for
_INCONSISTENT: dict[str, tuple[Change, str]] = {
    "id": (lambda d: d.update(id="0" * 64), "another id"),
    "no id": (lambda d: d.update(id=None), "no id"),
    "message": (lambda d: d["commit"]["metadata"].update(message="x"), "another id"),
    "snapshot": (lambda d: d["commit"].update(snapshot="x"), "another id"),
    "parents": (lambda d: d["commit"].update(parents=["0" * 64]), "another id"),
    "change": (lambda d: d["changes"][0].__setitem__(1, "modified"), "other changes"),
    "no change": (lambda d: d["changes"].pop(), "other changes"),
    "log": (lambda d: d["logs"][0].__setitem__(0, "a"), "other logs"),
    "run": (lambda d: d["runs"][0]["run"].update(description="x"), "the-run"),
    "value": (lambda d: d["runs"][0]["values"][0].__setitem__(2, "y"), "the-run"),
    "no value": (lambda d: d["runs"][0]["values"].pop(), "the-run"),
    "file": (lambda d: d["runs"][0]["files"][0].__setitem__(2, "x"), "the-run"),
    "no series": (lambda d: d["runs"][0]["series"].pop(), "the-run"),
    "no run": (lambda d: d["runs"].pop(), "other runs"),
    "run twice": (lambda d: d["runs"].append(d["runs"][0]), "other runs"),
    "environment": (
        lambda d: next(iter(d["environments"].values())).update(x=1),
        "environment that is not",
    ),
    "format": (lambda d: d.update(format=2), "another version"),
}


@pytest.mark.parametrize("what", _INCONSISTENT)
def test_what_does_not_fit_is_refused(genuine: Document, here: Records, what: str) -> None:
    document = copy.deepcopy(genuine)
    change, reason = _INCONSISTENT[what]
    change(document)
    refused(here, document, reason)


def _run(**columns: object) -> Change:
    return lambda d: d["runs"][0]["run"].update(columns)


def _metadata(**columns: object) -> Change:
    return lambda d: d["commit"]["metadata"].update(columns)


def _row(name: str, *row: object) -> Change:
    """Replace the first row of a list of the run."""
    return lambda d: d["runs"][0][name].__setitem__(0, list(row))


def _deep(levels: int) -> object:
    found: object = 1
    for _ in range(levels):
        found = [found]
    return found


# what would be written in another form than it came, or not at all
_UNWRITABLE: dict[str, Change] = {
    "a key more": lambda d: d.update(more=1),
    "a key less": lambda d: d.pop("logs"),
    "key of commit": lambda d: d["commit"].update(more=1),
    "format of commit": lambda d: d["commit"].update(format=2),
    "key of run": _run(more=1),
    "key of run's document": lambda d: d["runs"][0].update(more=1),
    "no snapshot": lambda d: d["commit"].update(snapshot=""),
    "long snapshot": lambda d: d["commit"].update(snapshot="x" * 256),
    "snapshot is a number": lambda d: d["commit"].update(snapshot=1),
    "parents twice": lambda d: d["commit"].update(parents=["0" * 64] * 2),
    "parents are no list": lambda d: d["commit"].update(parents=None),
    "metadata is a number": _metadata(author=1),
    "metadata is a list": lambda d: d["commit"].update(metadata=[]),
    "long type": _metadata(type="x" * 65),
    "time": _metadata(timestamp="now"),
    "negative time": _metadata(timestamp="-1"),
    "late time": _metadata(timestamp="9" * 21),
    "digits": _metadata(timestamp="١٢٣"),
    "nul": _metadata(author="a\x00b"),
    "nul in a key": lambda d: d["commit"]["metadata"].update({"a\x00": "b"}),
    "change": lambda d: d["changes"][0].__setitem__(1, "moved"),
    "changes in disorder": lambda d: d["changes"].reverse(),
    "a change twice": lambda d: d["changes"].append(d["changes"][-1]),
    "changes are a map": lambda d: d.update(changes={}),
    "logs are a map": lambda d: d.update(logs={}),
    "runs are a map": lambda d: d.update(runs={}),
    "parents are a map": lambda d: d["commit"].update(parents={}),
    "values are a map": lambda d: d["runs"][0].update(values={}),
    "a change is a map": lambda d: d.update(changes=[{"a": 1, "added": 1, "b": 1}]),
    "true as format of commit": lambda d: d["commit"].update(format=True),
    "true as format of run": lambda d: d["runs"][0].update(format=True),
    "fraction as format of commit": lambda d: d["commit"].update(format=1.0),
    "log's size": lambda d: d["logs"][0].__setitem__(1, 5),
    "huge log": lambda d: d["logs"][0].__setitem__(1, 2**63),
    "logs in disorder": lambda d: d["logs"].reverse(),
    "id of run": _run(id="a b"),
    "twin's id": _run(id="the-run~2"),
    "authority": _run(authority="hearsay"),
    "status": _run(status="fine"),
    "no description": _run(description=None),
    "whole seconds": _run(seconds=1),
    "no zone": _run(started="2026-03-01T12:00:00.000000"),
    "other zone": _run(started="2026-03-01T12:00:00.000000+01:00"),
    "short time": _run(started="2026-03-01T12:00:00+00:00"),
    "type of workload": _run(workload_type="x" * 17),
    "details": _run(details=[]),
    "deep details": _run(details={"a": _deep(101)}),
    "deeper details": _run(details={"a": _deep(5000)}),
    "environment that is none": _run(environment=7),
    "kind": _row("values", "colour", "n", "t", "str", None),
    "type": _row("values", "label", "a", "t", "complex", None),
    "long name": _row("values", "label", "x" * 513, "t", "str", None),
    "number is a text": _row("values", "label", "a", "t", "str", "1"),
    "number is whole": _row("values", "label", "a", "t", "str", 1),
    "number is true": _row("values", "label", "a", "t", "str", True),
    "negative zero": _row("values", "label", "a", "-0", "int", -0.0),
    "a value twice": lambda d: d["runs"][0]["values"].insert(0, d["runs"][0]["values"][0]),
    "short value": _row("values", "label", "a"),
    "direction": _row("files", "aside", "a", None, None, None),
    "version": _row("files", "input", "a", "x" * 65, None, None),
    "size": _row("files", "input", "a", None, None, 2**63),
    "size is a float": _row("files", "input", "a", None, None, 1.0),
    "authority of file": _row("files", "input", "a", None, None, None, "hearsay"),
    "plain authority": _row("files", "input", "a", None, None, None, "workload"),
    "two authorities": _row("files", "input", "a", None, None, None, "derived", "derived"),
    "no datasets": lambda d: d["runs"][0].update(datasets=[]),
    "dataset": _row("datasets", "input", "x" * 256, "a", None, None, None, "workload"),
    "way of a dataset": _row("datasets", "aside", "x", "a", None, None, None, "workload"),
    "version of a dataset": _row("datasets", "input", "x", "a", 5, None, None, "workload"),
    "authority in a dataset": _row("datasets", "input", "x", "a", None, None, None, "hearsay"),
    "short in a dataset": _row("datasets", "input", "x", "a", None, None, None),
    "a file of a dataset twice": lambda d: d["runs"][0]["datasets"].insert(
        0, d["runs"][0]["datasets"][0]
    ),
    "points": _row("series", "loss", 4, "0" * 64),
    "negative points": _row("series", "loss", -1, "0" * 64),
    "packed too little": lambda d: d["packed"].popitem(),
    "packed too much": lambda d: d["packed"].update({"0" * 64: packed(b"")}),
    "an environment too much": lambda d: d["environments"].update({digest({"a": 1}): {"a": 1}}),
    "environments are a list": lambda d: d.update(environments=[]),
}


@pytest.mark.parametrize("what", _UNWRITABLE)
def test_what_could_not_be_written_as_it_is_is_refused(
    genuine: Document, here: Records, what: str
) -> None:
    document = copy.deepcopy(genuine)
    _UNWRITABLE[what](document)
    try:
        made_right(document)
        line = sealed(document)
    except (AttributeError, KeyError, RecursionError, TypeError):
        line = sealed(document) if what != "deeper details" else b"[" * 5000
    with pytest.raises(RefusedError, match="commit number 1 of it.*Nothing was recorded"):
        here.take([line], ref="HEAD")
    assert here.counts() == (0, 0)


def test_packed_data_is_unpacked_and_checked(genuine: Document, here: Records) -> None:
    key = genuine["logs"][1][2]
    content = b"text" * 50
    for data in (
        packed(content[:-1] + b"T"),
        packed(content[:-1]),
        packed(content + b"t"),
        packed(bytes(10_000_000)),  # a bomb
        base64.b64encode(zlib.compress(content)[:-1]).decode(),
        base64.b64encode(zlib.compress(content) + b"x").decode(),
        base64.b64encode(content).decode(),
        packed(content) + "\n",
        "*",
        "",
    ):
        document = copy.deepcopy(genuine)
        document["packed"][key] = data
        refused(here, document, "damaged|looks like")
    # another packing of the same is the same
    document = copy.deepcopy(genuine)
    document["packed"][key] = base64.b64encode(zlib.compress(content, 0)).decode()
    here.take([sealed(document)], ref="HEAD")
    assert here.verify() == []
    assert hashlib.sha256(zlib.decompress(here.logs(document["id"])[1].data)).hexdigest() == key


def test_runs_in_another_order_are_refused(here: Records, tmp_path: Path) -> None:
    records = Records.open(f"sqlite:///{tmp_path / 'other.db'}")
    add(records, commit(full_run(id="one"), full_run(id="two")))
    [line] = records.export([records.get_commit("HEAD").id])
    records.close()
    document = json.loads(line)
    del document["seal"]
    document["runs"].reverse()
    refused(here, document, "other runs")
