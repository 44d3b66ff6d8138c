# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Real kernels: what a saved notebook and the spool hold, and what is left when they die."""

from __future__ import annotations

import json
import os
import signal
import time

import pytest
from ds_helpers import MIME_TYPE, execute, parse, printed, spooled

from dotscience_jupyter.records.workspace import Workspace

IMPORT = "import dotscience as ds\n"


def shown(cell):
    """Return the records that the cell's cards hold."""
    return [o.data[MIME_TYPE] for o in cell.outputs if o.output_type == "display_data"]


def outcome(cell):
    return [(run.get("description"), run.get("error")) for _, run in parse(printed(cell))]


def test_a_notebook(folder):
    cells = execute(
        folder,
        IMPORT + "ds.interactive()",
        "ds.start('first')\nds.param('rate', 0.1)\nfor i in range(5):\n"
        "    ds.metric('loss', 1 / (i + 1), step=i)\nds.publish()",
        "print('nothing of ours')",
    )
    ((run_id, run),) = parse(printed(cells[1]))
    assert run["summary"] == {"loss": "0.2"} and "workload-file" not in run
    kinds = [output.output_type for output in cells[1].outputs]
    assert kinds == ["stream", "display_data"]
    bundle = cells[1].outputs[1].data
    assert sorted(bundle) == sorted([MIME_TYPE, "text/html", "text/plain"])
    assert "first" in bundle["text/html"] and "rate = 0.1" in bundle["text/plain"]
    (reduced,) = shown(cells[1])
    (record,) = spooled(folder)
    assert reduced["id"] == record["id"] == run_id
    assert reduced["run"] == record["run"] == run
    assert reduced["reduced"] is True and reduced["series"] == {"loss": {"count": 5, "last": 0.2}}
    assert "packages" in record["environment"] and "packages" not in reduced["environment"]
    assert record["source"] == {"kind": "notebook", "path": None, "execution_count": 2}
    assert record["workspace"] == Workspace.at(folder).id
    assert shown(cells[2]) == []


def test_the_kernel_is_told_where_it_is(folder):
    notebooks = folder / "notebooks"
    notebooks.mkdir()
    path = str(notebooks / "a.ipynb")
    cells = execute(
        folder, IMPORT + "ds.start(); ds.publish()", cell_id="abc-1", JPY_SESSION_NAME=path
    )
    source = shown(cells[0])[0]["source"]
    assert source == {
        "kind": "notebook", "path": path, "cell_id": "abc-1", "execution_count": 1,
    }  # fmt: skip
    # the notebook's folder became the workspace
    assert len(spooled(notebooks)) == 1 and not (folder / ".dotscience").exists()


def test_a_workspace_is_made_at_the_git_work_tree(folder):
    (folder / ".git").mkdir()
    below = folder / "a"
    below.mkdir()
    execute(below, IMPORT + "ds.start(); ds.input('x'); ds.publish()")
    (record,) = spooled(folder)
    assert record["root"] == str(below) and record["run"]["input"] == ["x"]


def test_no_workspace_is_made_in_a_home(folder, tmp_path):
    home = tmp_path / "home"
    (cell,) = execute(home, IMPORT + "for _ in range(3):\n    ds.start()\n    ds.publish()")
    assert len(parse(printed(cell))) == len(shown(cell)) == 3
    said = printed(cell, "stderr")
    assert said.count("\n") == 1 and "home folder" in said and "jupyter dotscience init" in said
    assert not (home / ".dotscience").exists()


def test_whoever_tells_the_spool_gets_no_workspace(folder, tmp_path):
    spool = tmp_path / "told"
    (cell,) = execute(folder, IMPORT + "ds.start(); ds.publish()", DOTSCIENCE_SPOOL=str(spool))
    assert os.listdir(spool) == [f"{shown(cell)[0]['id']}.json"]
    assert os.listdir(folder) == []


def test_cells_that_fail(workspace):
    cells = execute(
        workspace,
        IMPORT + "ds.start('dies')\nds.param('a', 1)\nraise ValueError('bad')",
        "ds.param('a', 2)\nds.publish()",
        "ds.start('waits')",
        "1 / 0",
        "ds.metric('b', 1)\nds.publish()",
        "with ds.run('block') as run:\n    run.metric('c', 1)\n    1 / 0",
        "ds.start('told'); ds.error('diverged'); ds.publish(); 1 / 0",
        "ds.start('left out')\nds.start('last')\n{}['x']",
        "1 / 0",
        "ds.metric('only this', 1)\n1 / 0",
        "def work():\n    ds.start('thread'); 1 / 0\nimport threading\n"
        "t = threading.Thread(target=work); t.start(); t.join()",
        allow_errors=True,
    )
    assert [outcome(cell) for cell in cells] == [
        [("dies", "ValueError: bad")],
        [("dies", None)],  # mended, and not a failed run any more
        [],
        [],  # a slip in a cell that started nothing
        [("waits", None)],
        [("block", "ZeroDivisionError: division by zero")],
        [("told", "diverged")],
        [("last", "KeyError: 'x'")],
        [],
        [("last", "ZeroDivisionError: division by zero")],
        [("thread", "ZeroDivisionError: division by zero")],
    ]
    records = spooled(workspace)
    assert records[0]["traceback"] == "ValueError: bad (Cell In[1], line 4)"
    assert "traceback" not in records[1]
    assert records[3]["traceback"] == "ZeroDivisionError: division by zero (Cell In[6], line 3)"
    for number in (0, 5):
        assert any(output.output_type == "error" for output in cells[number].outputs)
    assert len(records) == sum(len(outcome(cell)) for cell in cells)


def test_notebooks_that_do_not_use_it(workspace):
    cells = execute(workspace, IMPORT + "1 / 0", "raise ValueError", allow_errors=True)
    assert [outcome(cell) for cell in cells] == [[], []]
    assert spooled(workspace) == []


def test_paths_that_are_not_text(workspace):
    (cell,) = execute(workspace, IMPORT + "ds.start()\nds.input(b'a\\xff.csv')\nds.publish()")
    assert parse(printed(cell))[0][1]["input"] == ["a\udcff.csv"]
    assert spooled(workspace)[0]["run"]["input"] == ["a\udcff.csv"]
    assert shown(cell)[0]["run"]["input"] == ["a\\udcff.csv"]


def test_tasks_of_a_notebook_do_not_mix(workspace):
    (cell,) = execute(
        workspace,
        IMPORT + "import asyncio\nasync def work(name):\n    with ds.run(name):\n"
        "        await asyncio.sleep(0.01)\n        ds.metric('who', name)\n"
        "await asyncio.gather(work('a'), work('b'))\nNone",
    )
    runs = [run for _, run in parse(printed(cell))]
    assert sorted(run["summary"]["who"] for run in runs) == ["a", "b"]
    assert all(run["summary"]["who"] == run["description"] for run in runs)


def test_a_kernel_killed_right_after_publish(workspace):
    from jupyter_client.manager import start_new_kernel

    manager, client = start_new_kernel(kernel_name="python3", cwd=str(workspace))
    try:
        client.execute(
            IMPORT + "import os, signal\nds.start('last words')\nds.publish()\n"
            "os.kill(os.getpid(), signal.SIGKILL)"
        )
        deadline = time.monotonic() + 60
        while manager.is_alive() and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not manager.is_alive()
        assert manager.provisioner.process.returncode == -signal.SIGKILL
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    (record,) = spooled(workspace)
    assert record["run"]["description"] == "last words"
    assert all(name.endswith(".json") for name in os.listdir(workspace / ".dotscience" / "spool"))


@pytest.mark.parametrize("name", ["a.ipynb", "with spaces & ünï.ipynb"])
def test_vs_code_tells_in_the_namespace(workspace, name):
    path = str(workspace / name)
    (cell,) = execute(
        workspace,
        f"__vsc_ipynb_file__ = {json.dumps(path)}\n" + IMPORT + "ds.start(); ds.publish()",
    )
    assert shown(cell)[0]["source"]["path"] == path
