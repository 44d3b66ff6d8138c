# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Help, wrong usage, exit codes and completion: what needs no workspace."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest
from cli_project import Project
from click.testing import CliRunner

from dotscience_jupyter.cli import app, care
from dotscience_jupyter.cli.app import COMMANDS, cli
from dotscience_jupyter.cli.completion import completion_script


def invoke(*arguments: str):  # type: ignore[no-untyped-def]
    return CliRunner().invoke(cli, list(arguments))


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_json_and_a_folder(command: str) -> None:
    for flag in ("-h", "--help"):
        result = invoke(command, flag)
        assert result.exit_code == 0
        assert "--json" in result.output and "--workspace" in result.output


def test_help_lists_every_command_and_needs_none_of_them() -> None:
    result = invoke()
    assert result.exit_code == 0
    assert result.output == invoke("--help").output
    for command in COMMANDS:
        assert f"  {command} " in result.output


@pytest.mark.parametrize(
    "arguments", [["--help"], ["--version"], ["version"], ["runs", "-h"], ["x"]]
)
def test_help_and_version_load_nothing_heavy(arguments: list[str]) -> None:
    code = (
        "import sys\nfrom dotscience_jupyter.cli import main\n"
        "try: main(sys.argv[1:])\nexcept SystemExit: pass\n"
        "heavy = {'sqlalchemy', 'pydantic', 'jupyter_server', 'rich'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code, *arguments], check=True, stdout=subprocess.DEVNULL)


def test_a_command_loads_no_other_commands_work(project: Project) -> None:
    code = (
        "import sys\nfrom dotscience_jupyter.cli import main\n"
        "try: main(sys.argv[1:])\nexcept SystemExit as end: assert end.code == 0\n"
        "ours = ['sync', 'notebooks', 'api.merge', 'api.comparison', 'api.explore']\n"
        "others = {'urllib3', 'nbdime', *('dotscience_jupyter.' + name for name in ours)}\n"
        "assert not others & set(sys.modules), others & set(sys.modules)"
    )
    command = [sys.executable, "-c", code, "-C", str(project.folder), "status"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


@pytest.mark.parametrize(
    "arguments",
    [
        ["no-such-command"],
        ["--no-such-option"],
        ["init", "a", "b"],
        ["status", "extra"],
        ["commit", "-m"],
        ["log", "--limit", "0"],
        ["log", "--limit", "many"],
        ["runs", "--limit", "-1"],
        ["runs", "--offset", "-1"],
        ["show"],
        ["show", "a", "b"],
        ["provenance", "x", "--format", "exe"],
        ["provenance", "--compare", "x"],
        ["diff", "a", "b", "c", "d"],
        ["restore", "HEAD"],
        ["restore", "--to", "x"],
        ["run"],
        ["run", "--no-such-option", "ls"],
        ["verify", "extra"],
        ["gc", "--now"],
        ["completion"],
        ["completion", "tcsh"],
        ["version", "extra"],
        ["-C", "/no/such/folder", "status"],
        ["status", "-C", "/no/such/folder"],
    ],
)
def test_wrong_usage_exits_with_2_and_one_sentence(arguments: list[str]) -> None:
    result = invoke(*arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "Error: " in result.stderr and "Traceback" not in result.stderr
    as_json = invoke("--json", *arguments)
    assert as_json.exit_code == 2
    problem = json.loads(as_json.stderr)["error"]
    assert problem["code"] == "usage" and problem["message"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["status"],
        ["commit", "-m", "x"],
        ["log"],
        ["runs"],
        ["show", "abcd"],
        ["provenance", "abcd"],
        ["diff", "HEAD~1", "HEAD"],
        ["restore", "HEAD", "--to", "x"],
        ["run", "true"],
        ["verify"],
        ["gc"],
    ],
)
def test_without_a_workspace_the_exit_code_is_4(arguments: list[str], tmp_path: Path) -> None:
    result = invoke("-C", str(tmp_path), *arguments)
    assert result.exit_code == 4
    assert "ds init" in result.stderr
    as_json = invoke(arguments[0], "--json", "-C", str(tmp_path), *arguments[1:])
    assert as_json.exit_code == 4
    assert json.loads(as_json.stderr)["error"]["code"] == "no_workspace"
    assert list(tmp_path.iterdir()) == []


def test_a_mistyped_command_gets_a_hint() -> None:
    assert "'status'" in invoke("statsu").stderr


def test_control_characters_of_an_argument_do_not_reach_the_terminal() -> None:
    assert "\x1b" not in invoke("\x1b[2Jboo").stderr


def test_a_bug_is_one_sentence_and_a_hint(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise ZeroDivisionError("oops \x1b[2J")

    monkeypatch.setattr(care, "gc_command", click.Command("gc", callback=broken))
    result = invoke("gc")
    assert result.exit_code == 1
    assert "Traceback" not in result.stderr and "\x1b" not in result.stderr
    assert "ZeroDivisionError" in result.stderr and "DOTSCIENCE_DEBUG=1" in result.stderr
    monkeypatch.setenv("DOTSCIENCE_DEBUG", "1")
    assert "Traceback" in invoke("gc").stderr


@pytest.mark.parametrize("error", [KeyboardInterrupt, click.Abort])
def test_an_interrupt_exits_with_130(
    error: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted() -> None:
        raise error

    monkeypatch.setattr(care, "gc_command", click.Command("gc", callback=interrupted))
    assert invoke("gc").exit_code == 130


@pytest.mark.parametrize(
    ("started_as", "shown"),
    [
        ("/usr/bin/ds", "ds"),
        ("/usr/bin/jupyter-dotscience", "jupyter dotscience"),
        ("ds.exe", "ds"),
        ("/x/dotscience_jupyter/cli/__main__.py", "python -m dotscience_jupyter.cli"),
    ],
)
def test_the_program_is_called_what_the_user_typed(
    started_as: str, shown: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", [started_as])
    assert app.program_name() == shown


def test_version() -> None:
    answer = json.loads(invoke("version", "--json").stdout)
    assert list(answer) == ["version"]
    assert answer["version"] in invoke("version").stdout
    assert invoke("--version").stdout.strip() == answer["version"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_know_both_names(shell: str) -> None:
    script = invoke("completion", shell).stdout
    assert script.strip() == completion_script(shell).strip()
    assert "jupyter-dotscience" in script
    if shutil.which(shell):
        subprocess.run([shell, "-n"], input=script.encode(), check=True)


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
def test_bash_completes_a_command(tmp_path: Path) -> None:
    program = tmp_path / "ds"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m dotscience_jupyter.cli "$@"\n')
    program.chmod(0o755)
    script = (
        f"{completion_script('bash')}\n"
        "COMP_WORDS=(ds sta); COMP_CWORD=1; _ds_completion ds; echo ${COMPREPLY[@]}"
    )
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "--norc"],
        input=script.encode(),
        capture_output=True,
        check=True,
        env={**os.environ, "PATH": path},
    )
    assert done.stdout.split() == [b"status"]
