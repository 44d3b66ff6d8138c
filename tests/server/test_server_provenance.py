# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The graph, its exports and comparisons over HTTP, on a real workspace."""

from __future__ import annotations

import json
import shutil

from dotscience_jupyter.server.handlers import HANDLERS
from dotscience_jupyter.server.handlers import provenance as handlers


def test_all_are_served():
    assert set(handlers.HANDLERS) <= set(HANDLERS)


async def graph(api, start="", **params):
    status, body = await api("v1/provenance", path="project", start=start, **params)
    assert status == 200, body
    return body


def triples(body):
    return {(edge["source"], edge["kind"], edge["target"]) for edge in body["edges"]}


async def test_from_a_model_to_the_raw_data(api, tracked):
    (run,) = tracked.runs
    body = await graph(api, "model:m", direction="up")
    nodes = {node["id"]: node for node in body["nodes"]}
    raw = next(id_ for id_ in nodes if id_.startswith("file:data.csv@"))
    # the label of the model names no file, so the run stands for it
    assert body["start"] == [f"run:{run}"]
    assert triples(body) == {(raw, "read", f"run:{run}")}
    assert nodes[raw]["source"] and nodes[raw]["digest"] and nodes[raw]["size"] == 8
    assert (nodes[f"run:{run}"]["models"], nodes[f"run:{run}"]["status"]) == (["m"], "succeeded")
    assert (nodes[f"run:{run}"]["hidden_down"], nodes[raw]["hidden_down"]) == (1, 0)
    assert not body["truncated"]


async def test_what_came_of_a_file_and_the_whole_workspace(api, tracked):
    (run,) = tracked.runs
    second = tracked.publish("use.ipynb", input=["model.txt"], output=["page.html"])
    down = await graph(api, "file:data.csv", direction="down")
    assert [n["run"] for n in down["nodes"] if n["kind"] == "run"] == [run, second]
    both = await graph(api, f"run:{second[:13]}")
    whole = await graph(api)
    assert triples(down) == triples(both) == triples(whole)
    assert len(whole["nodes"]) == 5 and whole["start"] == []
    assert [n["order"] for n in whole["nodes"]] == sorted(n["order"] for n in whole["nodes"])
    near = await graph(api, f"run:{second}", direction="up", depth=1, limit=2)
    assert near["truncated"] and len(near["nodes"]) == 2


async def test_any_file_of_the_workspace_has_an_answer(api, tracked):
    # nobody read or wrote it: it is in the first commit, which lists nothing
    body = await graph(api, "file:odd/ä b#?%.txt")
    (node,) = body["nodes"]
    assert node["source"] and node["path"] == "odd/ä b#?%.txt" and len(node["commit"]) == 64
    status, problem = await api("v1/provenance", path="project", start="file:odd")
    assert (status, problem["code"]) == (404, "not_found")


async def test_what_is_not_there(api, tracked):
    for start in (
        "file:nothing.csv",
        "run:ffffffff",
        "model:none",
        "digest:" + "0" * 64,
        "nothing",
    ):
        for address in ("v1/provenance", "v1/provenance/export"):
            status, body = await api(address, path="project", start=start, format="dot")
            assert (status, body["code"]) == (404, "not_found"), start
            assert "Traceback" not in body["message"]
    status, body = await api("v1/provenance", path="project", direction="sideways")
    assert (status, body["code"]) == (400, "invalid_request")
    status, body = await api("v1/provenance/export", path="project", format="exe")
    assert (status, body["code"]) == (400, "invalid_request")
    status, body = await api("v1/provenance/compare", path="project", a="x")
    assert (status, body["code"]) == (400, "invalid_request")


async def test_exports_are_saved_and_never_shown(api, tracked):
    kinds = {
        "prov": "application/json",
        "openlineage": "application/json",
        "dot": "text/vnd.graphviz",
    }
    for name, kind in kinds.items():
        status, body, headers = await api.raw("v1/provenance/export", path="project", format=name)
        assert status == 200 and headers["Content-Type"].startswith(kind)
        assert headers["Content-Disposition"].startswith("attachment")
        assert "sandbox" in headers["Content-Security-Policy"]
        if name == "prov":
            assert f"dsrun:{tracked.runs[0]}" in json.loads(body)["activity"]
        elif name == "openlineage":
            events = [(e["run"]["runId"], e["eventType"]) for e in json.loads(body)]
            (run,) = tracked.runs
            assert events == [(run, "START"), (run, "COMPLETE")]
        else:
            assert body.startswith(b"digraph")


async def test_two_lineages(api, tracked):
    (first,) = tracked.runs
    tracked.write("data.csv", "changed")
    tracked.write("model.txt", "other weights")
    second = tracked.publish(
        "train.ipynb",
        input=["data.csv"],
        output=["model.txt"],
        parameters={"lr": "0.2"},
    )
    status, body = await api(
        "v1/provenance/compare", path="project", a=f"run:{first}", b=f"run:{second}"
    )
    assert status == 200
    assert [change["path"] for change in body["files"]] == ["data.csv"]
    (change,) = body["parameters"]
    assert (change["run_file"], change["name"], change["a"], change["b"]) == (
        "train.ipynb",
        "lr",
        "0.1",
        "0.2",
    )
    # the notebook's output differs, its code does not
    assert body["programs"] == []
    assert [node["kind"] for node in body["only_a"]] == ["file", "run"]


async def test_on_into_the_workspaces_around(api, tracked, jp_root_dir):
    (first,) = tracked.runs
    shop = jp_root_dir / "all" / "shop"
    shop.mkdir(parents=True)
    other = type(tracked)(shop, [])
    other.write("taken.txt", "weights")
    other.commit("taken")
    sold = other.publish("sell.ipynb", input=["taken.txt"])
    # damaged, and never recorded anything: the one is said, the other is nothing to tell
    damaged = jp_root_dir / "all" / "damaged"
    shutil.copytree(tracked.root, damaged)
    marker = damaged / ".dotscience" / "workspace.json"
    marker.write_text(marker.read_text().replace(tracked.workspace.id, "00000000-lost"))
    (damaged / ".dotscience" / "records.db").write_bytes(b"no database" * 1000)

    alone = await graph(api, "file:model.txt", direction="down")
    assert alone["workspaces"] == [] and {n["workspace"] for n in alone["nodes"]} == {None}
    body = await graph(api, "file:model.txt", direction="down", across="1")
    told = {each["path"]: each for each in body["workspaces"]}
    assert set(told) == {"all/shop", "all/damaged"}
    assert told["all/shop"]["problem"] is None and told["all/damaged"]["problem"]
    assert str(jp_root_dir) not in told["all/damaged"]["problem"]
    (run,) = [n for n in body["nodes"] if n["kind"] == "run"]
    assert (run["run"], run["workspace"]) == (sold, told["all/shop"]["id"])
    assert any(kind == "same" for _, kind, _ in triples(body))
    # an id as it was answered is a start as well
    back = await graph(api, run["id"], direction="up", across="1")
    assert f"run:{first}" in {n["id"] for n in back["nodes"]} and back["start"] == [run["id"]]
    status, text, _ = await api.raw(
        "v1/provenance/export",
        path="project",
        start="file:model.txt",
        direction="down",
        across="1",
        format="prov",
    )
    assert status == 200 and f"dsrun:{sold}" in json.loads(text)["activity"]
    status, problem = await api("v1/provenance", path="project", across="1")
    assert (status, problem["code"]) == (400, "invalid_request")
