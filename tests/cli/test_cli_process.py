# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The command line as a process of its own: streams, exit codes, signals, terminals."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
from pathlib import Path
from typing import Any

import pytest
from cli_project import Project
from rich.cells import cell_len

WAIT = 60


@pytest.mark.parametrize("status", [0, 1, 255])
def test_the_exit_code_is_the_commands(project: Project, spawn: Any, status: int) -> None:
    command = project.emitting({"description": "x"}, exit_code=status)
    process = spawn("-C", str(project.folder), "run", "--", *command)
    out, err = process.communicate(timeout=WAIT)
    assert process.returncode == status, err
    assert out.startswith(b"working\n")
    (run,) = project.json("runs")["items"]
    assert run["description"] == "x"


def test_a_command_killed_by_a_signal_exits_with_128_and_its_number(
    project: Project, spawn: Any
) -> None:
    code = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    process = spawn("-C", str(project.folder), "run", sys.executable, "-c", code)
    process.communicate(timeout=WAIT)
    assert process.returncode == 128 + signal.SIGKILL


def test_output_is_streamed_and_input_passed_on(project: Project, spawn: Any) -> None:
    code = (
        "import sys\n"
        "print('ready', flush=True)\n"
        "print('on stderr', file=sys.stderr, flush=True)\n"
        "print('got', sys.stdin.readline().strip(), flush=True)\n"
    )
    process = spawn(
        *("-C", str(project.folder), "run", sys.executable, "-c", code), stdin=subprocess.PIPE
    )
    # 'ready' arrives while the command still waits for its input
    assert process.stdout.readline() == b"ready\n"
    out, err = process.communicate(b"word\n", timeout=WAIT)
    assert out == b"got word\n"
    assert b"on stderr\n" in err
    assert process.returncode == 0


def test_bytes_are_passed_on_as_they_are(project: Project, spawn: Any) -> None:
    code = "import sys; sys.stdout.buffer.write(bytes(range(256)) * 1000)"
    process = spawn("-C", str(project.folder), "run", sys.executable, "-c", code)
    out, _ = process.communicate(timeout=WAIT)
    assert out == bytes(range(256)) * 1000


def test_an_interrupted_command_loses_nothing(project: Project, spawn: Any) -> None:
    identity = "5b5f6c5e-0f1a-4b65-9a52-6ad0c9b1a00b"
    command = project.emitting({"description": "before the interrupt"}, identity=identity)
    script = project.emit.with_name("wait.py")
    script.write_text(
        project.emit.read_text().replace(
            'sys.exit(task["exit"])', "print('ready', flush=True); import time; time.sleep(600)"
        )
    )
    process = spawn("-C", str(project.folder), "run", command[0], str(script), command[2])
    for line in process.stdout:
        if line == b"ready\n":
            break
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does on Ctrl-C
    _, err = process.communicate(timeout=WAIT)
    assert process.returncode == 130, err
    assert b"Traceback" not in err.replace(b"KeyboardInterrupt", b"") or b"cli" not in err
    assert identity in [run["id"] for run in project.json("runs")["items"]]
    assert project.ds("verify").exit_code == 0


def test_a_reader_that_goes_away_is_no_error(story: Project, spawn: Any) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    process = spawn("-C", str(story.folder), "--json", "runs", stdout=writer)
    os.close(writer)
    _, err = process.communicate(timeout=WAIT)
    assert err == b""
    assert process.returncode == 141


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_stream_without_unicode_gets_escapes(project: Project, spawn: Any, encoding: str) -> None:
    project.publish("x", {"description": "数据 → model"})
    env = {**os.environ, "PYTHONIOENCODING": encoding}
    process = spawn("-C", str(project.folder), "runs", env=env)
    out, err = process.communicate(timeout=WAIT)
    assert process.returncode == 0, err
    assert b"\\u6570\\u636e" in out


def on_terminal(*arguments: str, width: int, env: dict[str, str]) -> str:
    """Run a command on a terminal of its own and return all that it wrote there."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, width, 0, 0))
    cleaned = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "LINES")}
    process = subprocess.Popen(
        [sys.executable, "-m", "dotscience_jupyter.cli", *arguments],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env={**cleaned, **env},
    )
    os.close(slave)
    output = b""
    try:
        while chunk := os.read(master, 65536):
            output += chunk
    except OSError:
        pass  # Linux's way of saying that the other side was closed
    os.close(master)
    assert process.wait(WAIT) == 0
    return output.decode().replace("\r\n", "\n")


SEQUENCE = re.compile("\x1b\\[[0-9;]*m")


@pytest.mark.parametrize("width", [38, 100])
def test_a_real_terminal_gets_colours_and_a_table_that_fits(story: Project, width: int) -> None:
    text = on_terminal("-C", str(story.folder), "runs", width=width, env={})
    assert SEQUENCE.search(text)
    bare = SEQUENCE.sub("", text)
    assert not set(bare) & set("\x1b\x07\x9b\x7f\r\u202e")
    table = bare.split("No room for")[0]
    assert all(cell_len(line) <= width for line in table.splitlines())
    assert story.ids["train"][:8] in table and story.ids["train"] not in table


def test_a_terminal_that_wants_no_colours_gets_none(story: Project) -> None:
    text = on_terminal("-C", str(story.folder), "runs", width=90, env={"NO_COLOR": "1"})
    assert "\x1b" not in text
    assert "Train" in text


def test_long_work_shows_how_far_it_is_without_a_trace_in_the_output(project: Project) -> None:
    (project.folder / "a.txt").write_text("x")
    text = on_terminal(
        *("-C", str(project.folder), "--json", "commit", "-m", "x"), width=90, env={"NO_COLOR": "1"}
    )
    assert json.loads(text[text.index("{") :])["commit"]["message"] == "x"


def test_both_names_are_installed_together() -> None:
    """The two console scripts of pyproject.toml are one and the same."""
    import tomllib

    document = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())
    scripts = document["project"]["scripts"]
    assert scripts["ds"] == scripts["jupyter-dotscience"] == "dotscience_jupyter.cli:main"
