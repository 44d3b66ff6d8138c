# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The magics, in a real kernel."""

from __future__ import annotations

import re

import pytest
from ds_helpers import execute, parse, printed, spooled
from hypothesis import given
from hypothesis import strategies as st

from dotscience_jupyter.magics import typed

LOAD = "%load_ext dotscience_jupyter"


def result(cell):
    values = [o.data["text/plain"] for o in cell.outputs if o.output_type == "execute_result"]
    return values[0] if values else None


def displayed(cell, kind="text/plain"):
    return "".join(o.data[kind] for o in cell.outputs if o.output_type == "display_data")


@given(st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False))
def test_literals_are_values(value):
    read = typed(repr(value))
    assert read == value and type(read) is type(value)


@pytest.mark.parametrize("text", ["rbf", "", "[1, 2]", "1 2", "a=b", "__import__('os')", "(" * 999])
def test_everything_else_is_text(text):
    assert typed(text) == text


def test_ds_run(workspace):
    cells = execute(
        workspace,
        LOAD,
        '%%ds_run "train an SVM" --param C=1.0 --param kernel=rbf -p note="a b" --label stage=test'
        " --input data.csv --output out --metric score -m steps\n"
        "import os, dotscience as ds\n"
        "os.mkdir('out'); open('out/model.bin', 'w').close()\n"
        "ds.param('inside', True)\n"
        "score, steps = 0.9, 3\n"
        "score * 2",
        "%%ds_run\nx = 1;",
        "%%ds_run quiet\nx + 1;",
        "lr = 0.5\nNone",
        "%%ds_run --param lr=$lr\npass",
        "%%ds_run nothing\n# but a comment",
    )
    ((_, run),) = parse(printed(cells[1]))
    assert run["description"] == "train an SVM"
    assert run["parameters"] == {"C": "1.0", "kernel": "rbf", "note": "a b", "inside": "True"}
    assert (run["labels"], run["summary"]) == ({"stage": "test"}, {"score": "0.9", "steps": "3"})
    assert (run["input"], run["output"]) == (["data.csv"], ["out/model.bin"])
    assert result(cells[1]) == "1.8"
    types = spooled(workspace)[0]["types"]
    assert types["parameters"] == {"C": "float", "inside": "bool"}
    assert types["summary"] == {"score": "float", "steps": "int"}
    for cell in (cells[2], cells[3]):
        assert len(parse(printed(cell))) == 1 and result(cell) is None
    assert parse(printed(cells[5]))[0][1]["parameters"] == {"lr": "0.5"}
    assert len(parse(printed(cells[6]))) == 1


def test_ds_run_of_a_cell_that_fails(workspace):
    cells = execute(
        workspace,
        LOAD + "\nscore = 'old'",
        "%%ds_run fails --metric score\nx = 1\n\nraise KeyError('z')",
        "x",
        "%%ds_run --metric nowhere\npass",
        allow_errors=True,
    )
    ((_, run),) = parse(printed(cells[1]))
    assert (run["error"], run["summary"]) == ("KeyError: 'z'", {})
    (error,) = [o for o in cells[1].outputs if o.output_type == "error"]
    assert (error.ename, error.evalue) == ("KeyError", "'z'")
    shown = re.sub(r"\x1b\[[\d;]*m", "", "\n".join(error.traceback))
    assert "Cell In[2], line 4" in shown and "magics.py" not in shown
    assert result(cells[2]) == "1"
    assert spooled(workspace)[0]["traceback"] == "KeyError: 'z' (Cell In[2], line 4)"
    # a metric that is not there is said, and the run is kept
    assert len(parse(printed(cells[3]))) == 1
    assert "no variable nowhere" in printed(cells[3], "stderr")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("%%ds_run 'unclosed\nx = 1", "Check the quotes"),
        ("%%ds_run a b\nx = 1", "unrecognized arguments: b"),
        ("%%ds_run --bogus\nx = 1", "--bogus"),
        ("%%ds_run --param a\nx = 1", "NAME=VALUE"),
        ("%%ds_run --param =1\nx = 1", "NAME=VALUE"),
        ("%%ds_run --param\nx = 1", "expected one argument"),
        ("%%ds_run --metric a.b\nx = 1", "name of a variable"),
        ("%%ds_run\nimport asyncio\nawait asyncio.sleep(0)", "Nothing was run"),
        ("%ds_status now", "no arguments"),
        ("%ds_runs --limit x", "whole number"),
        ("%ds_runs --limit 0", "whole number"),
        ("%ds_runs --where 'metrics.a >'", "UsageError"),
        ("%ds_runs", "not tracked"),
        ("%ds_status", "not tracked"),
    ],
)
def test_wrong_input_is_one_clear_line(kernel, line, said):
    cell = kernel(line)
    # a slow machine may send the line and its end apart
    assert {(o.output_type, o.get("name")) for o in cell.outputs} == {("stream", "stderr")}
    error = printed(cell, "stderr")
    assert error.startswith("UsageError: ") and error.count("\n") == 1
    assert said in error and "Traceback" not in error
    assert printed(kernel("print('x' in globals())")) == "False\n"


@pytest.fixture(scope="module")
def kernel(tmp_path_factory):
    """One kernel in a folder that is no workspace, for cells that change nothing."""
    from ds_helpers import Kernel

    folder = tmp_path_factory.mktemp("untracked")
    with Kernel(folder, HOME=str(folder)) as kernel:
        kernel(LOAD)
        yield kernel


def test_status_and_runs(workspace):
    publish = "import dotscience as ds\nfor n in range(3):\n"
    publish += "    ds.start(f'run <{n}>')\n    ds.param('n', n)\n    ds.metric('acc', n / 2)\n"
    publish += "    ds.publish()"
    commit = (
        "from pathlib import Path\n"
        "from dotscience_jupyter.api.service import WorkspaceService\n"
        "service = WorkspaceService.open(Path.cwd())\nservice.commit('now')\nservice.close()"
    )
    cells = execute(
        workspace,
        LOAD,
        "%ds_runs",
        publish,
        "%ds_runs",
        commit,
        "%ds_runs",
        "%ds_runs --where 'metrics.acc > 0.2' --sort 'metrics.acc desc' --limit 1",
        "%ds_runs --where 'metrics.acc > 7'",
        "open('new.txt', 'w').close()",
        "%ds_status",
        "%unload_ext dotscience_jupyter\n",
        "%ds_runs",
        allow_errors=True,
    )
    assert displayed(cells[1]) == "No runs yet."
    assert "3 published runs are not recorded yet" in displayed(cells[3])
    table = displayed(cells[5]).split("\n")
    assert table[0].split()[-2:] == ["acc", "n"] and len(table) == 4
    assert [row.split("  ")[1] for row in table[1:]] == ["run <2>", "run <1>", "run <0>"]
    html = displayed(cells[5], "text/html")
    assert "run &lt;2&gt;" in html and "<2>" not in html
    limited = displayed(cells[6]).split("\n")
    assert "run <2>" in limited[1] and limited[2] == "1 of 2 runs."
    assert displayed(cells[7]) == "No run matches."
    assert "new.txt" in displayed(cells[9]) and workspace.name in displayed(cells[9])
    assert "`%ds_runs` not found" in printed(cells[11], "stderr")
