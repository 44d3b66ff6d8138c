# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Programs in processes of their own: modes, deaths, cost."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pytest
from ds_helpers import environment, parse, run_python, spooled

PUBLISH = "import dotscience as ds\nds.start('x')\nds.metric('a', 1)\nds.publish()\n"


def test_a_plain_script_in_a_workspace(workspace):
    (workspace / "sub").mkdir()
    os.chdir(workspace / "sub")
    done = run_python(PUBLISH)
    ((run_id, run),) = parse(done.stdout)
    (record,) = spooled(workspace)
    assert (record["id"], record["run"]) == (run_id, run)
    assert record["source"] == {"kind": "script", "path": str(workspace / "sub" / "script.py")}
    assert "workload-file" not in run and done.stderr == ""


def test_a_script_that_says_so(workspace):
    ((_, run),) = parse(run_python("import dotscience as ds\nds.script()\n" + PUBLISH).stdout)
    assert run["workload-file"] == "script.py"


@pytest.mark.parametrize(
    ("arguments", "kind"), [(["-c", PUBLISH], "script"), (["-i", "-c", PUBLISH], "script")]
)
def test_a_program_without_a_file(workspace, arguments, kind):
    subprocess.run(
        [sys.executable, *arguments],
        input="",
        capture_output=True,
        text=True,
        check=True,
        env=environment(),
    )
    assert spooled(workspace)[0]["source"] == {"kind": kind, "path": None}


@pytest.mark.parametrize("told", [False, True])
def test_killed_right_after_publish(workspace, tmp_path, told):
    more = {"DOTSCIENCE_SPOOL": str(tmp_path / "spool")} if told else {}
    done = run_python(
        PUBLISH + "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n", check=False, **more
    )
    assert done.returncode == -signal.SIGKILL
    ((run_id, run),) = parse(done.stdout)
    if told:
        (name,) = os.listdir(tmp_path / "spool")
        record = json.loads((tmp_path / "spool" / name).read_text())
    else:
        (record,) = spooled(workspace)
    assert (record["id"], record["run"]) == (run_id, run)


def test_an_exception_after_start_publishes_a_failed_run(workspace):
    done = run_python(
        "import dotscience as ds\nds.start('x')\nds.param('a', 1)\n\n"
        "def train():\n    raise ValueError('nan')\n\ntrain()\n",
        check=False,
    )
    assert done.returncode == 1
    ((_, run),) = parse(done.stdout)
    assert (run["error"], run["parameters"]) == ("ValueError: nan", {"a": "1"})
    (record,) = spooled(workspace)
    assert record["traceback"] == "ValueError: nan (script.py, line 6)"
    # shown as ever
    assert done.stderr.endswith("ValueError: nan\n") and "dotscience" not in done.stderr


@pytest.mark.parametrize(
    "code",
    [
        "import dotscience\n1/0\n",
        PUBLISH + "1/0\n",
        "import dotscience as ds, sys\nds.start()\nsys.exit()\n",
        "import dotscience as ds\nds.start()\n",
        "import dotscience as ds\nds.start()\ntry:\n    1/0\nexcept ZeroDivisionError:\n    pass\n",
    ],
)
def test_what_is_no_failed_run(workspace, code):
    done = run_python(code, check=False)
    assert all("error" not in run for _, run in parse(done.stdout))
    assert len(parse(done.stdout)) == code.count("publish")


def test_the_users_own_hook_is_called(workspace):
    done = run_python(
        "import sys\nsys.excepthook = lambda *a: print('mine', a[0].__name__)\n"
        "import dotscience as ds\nds.start()\n1/0\n",
        check=False,
    )
    assert done.stdout.startswith("mine ZeroDivisionError\n")
    assert parse(done.stdout)[0][1]["error"] == "ZeroDivisionError: division by zero"


def test_a_thread_that_dies(workspace):
    done = run_python(
        "import threading\nimport dotscience as ds\nds.start('main')\n"
        "def work(name, bad):\n"
        "    ds.start(name)\n"
        "    if bad: raise ValueError(name)\n"
        "    ds.publish()\n"
        "for name, bad in (('good', False), ('bad', True)):\n"
        "    thread = threading.Thread(target=work, args=(name, bad))\n"
        "    thread.start(); thread.join()\n"
        "def innocent(): raise KeyError('not of a run')\n"
        "thread = threading.Thread(target=innocent)\nthread.start(); thread.join()\n"
        "ds.publish()\n"
    )
    runs = [(run["description"], run.get("error")) for _, run in parse(done.stdout)]
    assert runs == [("good", None), ("bad", "ValueError: bad"), ("main", None)]
    assert "KeyError" in done.stderr


def test_the_prompt_of_python_is_no_program(workspace):
    done = subprocess.run(
        [sys.executable, "-i", "-c", "import dotscience as ds\nds.start()\n"],
        input="1/0\nds.publish()\n",
        capture_output=True,
        text=True,
        check=True,
        env=environment(),
    )
    assert [run.get("error") for _, run in parse(done.stdout)] == [None]
    assert spooled(workspace)[0]["source"]["kind"] == "shell"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_childs_exception_is_not_the_runs(workspace):
    done = run_python(
        "import os\nimport dotscience as ds\nds.start()\n"
        "if os.fork() == 0:\n    raise ValueError('child')\n"
        "os.wait()\nds.publish()\n"
    )
    assert [run.get("error") for _, run in parse(done.stdout)] == [None]


def test_without_standard_streams(workspace):
    run_python(
        "import sys\nsys.stdout = sys.stderr = None\nimport dotscience as ds\n"
        "ds.start()\nds.publish()\n"
    )
    assert len(spooled(workspace)) == 1


def test_publishing_while_the_interpreter_ends(workspace):
    done = run_python(
        "import atexit\nimport dotscience as ds\n"
        "atexit.register(lambda: (ds.start('late'), ds.publish()))\n"
    )
    assert [run["description"] for _, run in parse(done.stdout)] == ["late"]
    assert done.stderr == ""


def test_a_current_folder_that_is_gone(workspace):
    done = run_python(
        "import os\nos.mkdir('gone'); os.chdir('gone'); os.rmdir('../gone')\n"
        "import dotscience as ds\nds.start()\nds.publish()\n",
        check=False,
    )
    assert len(parse(done.stdout)) == 1, done.stderr


def test_importing_costs_little(folder):
    """What takes long to import is not imported; how long that takes is the benchmark's matter."""
    heavy = {
        *("argparse", "asyncio", "base64", "collections", "dataclasses", "datetime", "email"),
        *("enum", "functools", "http", "importlib.metadata", "inspect", "json", "logging"),
        *("pathlib", "platform", "random", "re", "shutil", "socket", "subprocess", "tempfile"),
        *("threading", "traceback", "typing", "urllib", "uuid"),
    }
    code = (
        "import sys, os, __future__\nbefore = set(sys.modules)\nimport dotscience\n"
        "print(*sorted(set(sys.modules) - before))\n"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env=environment(),
    )
    loaded = set(done.stdout.split())
    assert "dotscience" in loaded
    assert loaded.isdisjoint(heavy)
    assert {name for name in loaded if "." not in name} <= {
        "dotscience", "contextvars", "_contextvars", "_json",
    }  # fmt: skip


def test_publishing_in_a_script_imports_nothing_heavy(workspace):
    done = run_python(
        "import sys\nbefore = set(sys.modules)\nimport dotscience as ds\n"
        "ds.start()\nds.metric('a', 1, step=1)\nds.publish()\n"
        "print('loaded', *(set(sys.modules) - before))\n"
    )
    loaded = set(done.stdout.rpartition("loaded ")[2].split())
    assert loaded.isdisjoint({"json", "uuid", "platform", "socket", "datetime", "IPython"})
