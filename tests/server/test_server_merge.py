# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""A merge through a real server, from its beginning to its commit."""

from __future__ import annotations

import json

import nbformat
import pytest

SCRIPT = "<img src=x onerror=alert(1)>"


def book(*sources: str) -> str:
    cells = [
        nbformat.v4.new_code_cell(source, id=f"c{number}") for number, source in enumerate(sources)
    ]
    return json.dumps(nbformat.v4.new_notebook(cells=cells))


@pytest.fixture
def theirs(tracked):
    """A commit that was gone back from, and other changes since."""
    tracked.write("n.ipynb", book("a = 1", "b = 1"))
    tracked.write("text.txt", "one\ntwo\n")
    base = tracked.commit("base")
    tracked.write("n.ipynb", book(f"a = '{SCRIPT}'", "b = 1"))
    tracked.write("text.txt", "one\n2\n")
    commit = tracked.commit("theirs")
    with tracked.service() as service:
        service.rollback(base)
    tracked.write("n.ipynb", book("a = 3", "b = 1"))
    return commit


async def test_a_merge_from_beginning_to_end(api, tracked, theirs, events):
    _, body = await api("v1/merge", path="project")
    assert body == {"merge": None}
    status, merge = await api(
        "v1/merge", method="POST", body={"theirs": theirs[:12]}, path="project"
    )
    assert status == 201
    told = {each["path"]: (each["state"], each["conflicts"]) for each in merge["files"]}
    assert told == {"n.ipynb": ("conflict", 1), "text.txt": ("theirs", 0)}
    assert merge["theirs"]["ref"] == theirs and merge["yours"]["label"].startswith(
        merge["yours"]["ref"][:8]
    )
    _, again = await api("v1/merge", path="project")
    assert again == {"merge": merge}
    status, detail = await api("v1/merge/file", path="project", file="n.ipynb")
    [conflict] = detail["conflicts"]
    assert (conflict["yours"], conflict["theirs"]) == ("a = 3", f"a = '{SCRIPT}'")
    assert conflict["choices"] == ["yours", "theirs", "both", "base", "edited"]
    assert [cell["state"] for cell in detail["cells"]] == ["conflict", "same"]
    status, body = await api("v1/merge/finish", method="POST", body={}, path="project")
    assert (status, body["code"]) == (409, "conflict") and "n.ipynb" in body["message"]
    chosen = {"path": "n.ipynb", "conflict": conflict["id"], "choice": "edited", "text": "a = 9"}
    status, detail = await api("v1/merge/resolve", method="POST", body=chosen, path="project")
    assert status == 200 and detail["file"]["state"] == "resolved"
    assert detail["cells"][0]["result"]["source"] == "a = 9"
    assert (tracked.root / "text.txt").read_text() == "one\ntwo\n"
    status, done = await api(
        "v1/merge/finish", method="POST", body={"description": "both"}, path="project"
    )
    assert status == 200 and done["written"] == ["n.ipynb", "text.txt"]
    assert (tracked.root / "text.txt").read_text() == "one\n2\n"
    _, commit = await api(f"v1/commits/{done['commit']}", path="project")
    assert commit["message"] == "both" and commit["parents"][1] == theirs
    heard = await events.action("committed")
    assert heard["workspace"] == "project"


async def test_giving_up(api, tracked, theirs):
    await api("v1/merge", method="POST", body={"theirs": theirs}, path="project")
    status, body = await api("v1/merge", method="POST", body={"theirs": theirs}, path="project")
    assert (status, body["code"]) == (409, "conflict")
    status, body = await api("v1/merge/abort", method="POST", path="project")
    assert status == 200 and body["commit"] is None
    status, body = await api("v1/merge/abort", method="POST", path="project")
    assert (status, body["code"]) == (409, "conflict")
    assert (await api("v1/merge", path="project"))[1] == {"merge": None}


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"theirs": "HEAD"}, 409, "merged"),
        ({"theirs": "now"}, 400, "invalid_request"),
        ({"theirs": "abcdefabcdef"}, 404, "not_found"),
        ({"theirs": "run:abcdefabcdef"}, 404, "not_found"),
        ({}, 400, "invalid_request"),
        ({"theirs": "HEAD", "more": 1}, 400, "invalid_request"),
    ],
)
async def test_what_cannot_be_begun(api, tracked, theirs, body, status, code):
    before = (tracked.root / "n.ipynb").read_text()
    found, problem = await api("v1/merge", method="POST", body=body, path="project")
    assert (found, problem["code"]) == (status, code)
    assert str(tracked.root) not in json.dumps(problem)
    assert (tracked.root / "n.ipynb").read_text() == before
    assert (await api("v1/commits", path="project"))[1]["items"][0]["message"].startswith("Went")


@pytest.mark.parametrize("path", ["../x", "/etc/passwd", ".dotscience/records.db", "nothing"])
async def test_files_that_are_not_part_of_it(api, tracked, theirs, path):
    await api("v1/merge", method="POST", body={"theirs": theirs}, path="project")
    status, _ = await api("v1/merge/file", path="project", file=path)
    assert status in (403, 404)
    chosen = {"path": path, "choice": "theirs"}
    status, _ = await api("v1/merge/resolve", method="POST", body=chosen, path="project")
    assert status in (400, 403, 404)
