# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The addresses of the metric explorer, as a browser asks them."""

from __future__ import annotations

import csv
import io
import json

import pytest


def names(*columns: str) -> str:
    return json.dumps(columns)


async def test_columns(api, tracked):
    status, body = await api("v1/columns", path="project")
    assert status == 200
    by_key = {item["key"]: item for item in body["items"]}
    assert [item["key"] for item in body["items"] if item["kind"] != "field"] == [
        "parameters.lr",
        "metrics.accuracy",
        'labels."artefact:m"' if 'labels."artefact:m"' in by_key else "labels.artefact:m",
        "labels.stage",
    ]
    assert by_key["metrics.accuracy"] == {
        "key": "metrics.accuracy",
        "kind": "metric",
        "name": "accuracy",
        "type": "number",
        "runs": 1,
        "minimum": 0.93,
        "maximum": 0.93,
        "values": [],
    }
    assert by_key["status"]["values"] == ["succeeded"]
    assert by_key["created"]["type"] == "time"


async def test_a_page_of_the_table(api, tracked):
    new = tracked.publish("second.ipynb", summary={"accuracy": "0.5"}, parameters={"lr": "0.2"})
    keys = ["status", "metrics.accuracy", "parameters.lr", "metrics.nobody"]
    params = {"columns": json.dumps(keys), "sort": "metrics.accuracy desc", "limit": 1}
    status, body = await api("v1/table", path="project", offset=1, **params)
    assert status == 200
    assert body["columns"] == keys
    assert body["runs"] == [new]
    assert body["rows"] == [["succeeded", 0.5, 0.2, None]]
    assert body["best"] == {"metrics.accuracy": [0.5, 0.93], "parameters.lr": [0.1, 0.2]}
    assert (body["total"], body["offset"], body["head"]) == (2, 1, 2)


@pytest.mark.parametrize(
    ("params", "code", "told"),
    [
        ({"columns": "[]", "where": "metrics.a >"}, "invalid_where", "Expected a number"),
        ({"columns": "[]", "sort": "colour"}, "invalid_where", "no field colour"),
        ({"columns": names("colour")}, "invalid_request", "There is no column 'colour'"),
        ({"columns": names("metrics.a b")}, "invalid_request", "There is no column"),
        ({"columns": "status"}, "invalid_request", "JSON array"),
        ({"columns": "[1]"}, "invalid_request", "JSON array"),
        ({"columns": "[" * 2000}, "invalid_request", "JSON array"),
        ({"columns": json.dumps(["id"] * 501)}, "invalid_request", "more than 500"),
        ({}, "invalid_request", "'columns' is missing"),
    ],
)
async def test_what_is_not_understood_is_told(api, tracked, params, code, told):
    for address in ("v1/table", "v1/table.csv", "v1/points"):
        if "sort" in params and address == "v1/points":
            continue
        status, body = await api(address, path="project", **params)
        assert (status, body["code"]) == (400, code), address
        assert told in body["message"]


async def test_csv(api, tracked):
    wild = tracked.publish(
        "wild.ipynb",
        description='=HYPERLINK("http://x"), "quoted"\nsecond line',
        summary={"accuracy": "-0.5"},
        labels={"stage": "@cmd"},
    )
    keys = ["id", "description", "metrics.accuracy", "labels.stage"]
    status, data, headers = await api.raw("v1/table.csv", path="project", columns=names(*keys))
    assert status == 200
    assert headers["Content-Type"] == "text/csv; charset=utf-8"
    assert headers["Content-Disposition"] == 'attachment; filename="runs.csv"'
    rows = list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline="")))
    assert rows[0] == keys
    assert rows[1] == [
        wild,
        '\'=HYPERLINK("http://x"), "quoted"\nsecond line',
        "-0.5",
        "'@cmd",
    ]
    assert rows[2][1:] == ["first", "0.93", "dev"]
    assert len(rows) == 3


async def test_points(api, tracked):
    tracked.publish("second.ipynb", summary={"accuracy": "0.5"})
    keys = names("metrics.accuracy", "parameters.lr")
    status, body = await api("v1/points", path="project", columns=keys)
    assert status == 200
    assert body["columns"] == {"metrics.accuracy": [0.5, 0.93], "parameters.lr": [None, 0.1]}
    assert (len(body["runs"]), body["total"], body["sampled"]) == (2, 2, False)
    _, body = await api("v1/points", path="project", columns=keys, limit=1)
    assert (len(body["runs"]), body["total"], body["sampled"]) == (1, 2, True)


async def test_completion(api, tracked):
    status, body = await api(
        "v1/complete", path="project", where="metrics.ac", position=len("metrics.ac")
    )
    assert status == 200
    assert (body["start"], body["end"]) == (0, 10)
    assert [item["text"] for item in body["items"]] == ["metrics.accuracy"]
    assert body["items"][0]["kind"] == "metric"
    assert body["position"] == 10
    assert body["error"].startswith("Expected a comparison")


async def test_importance(api, tracked):
    for number in range(6):
        tracked.publish(
            f"n{number}.ipynb",
            parameters={"lr": str(number), "noise": "x"},
            summary={"accuracy": str(number * 2)},
        )
    status, body = await api(
        "v1/importance", path="project", metric="metrics.accuracy", where="parameters.noise = 'x'"
    )
    assert status == 200
    assert (body["metric"], body["runs"]) == ("metrics.accuracy", 6)
    lr, noise = body["items"]
    assert (lr["key"], lr["runs"], lr["distinct"]) == ("parameters.lr", 6, 6)
    assert lr["pearson"] == pytest.approx(1)
    assert lr["spearman"] == pytest.approx(1)
    assert lr["importance"] > 0.5
    assert (noise["pearson"], noise["spearman"], noise["importance"]) == (None, None, 0)


async def test_an_overlay_leaves_out_runs_without_the_metric(api, tracked):
    status, body = await api(
        "v1/overlay", path="project", name="loss", runs=json.dumps([tracked.runs[0], "nobody"])
    )
    assert (status, body) == (200, {"name": "loss", "items": []})
