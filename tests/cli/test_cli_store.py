# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Commands about stored content: going back, moving it, its room, its damage, its engine."""

from __future__ import annotations

import json
import os
import pty
import random
import subprocess
from pathlib import Path
from typing import Any

import pytest
from cli_project import Project, make_project

from dotscience_jupyter.cli.care import own

WAIT = 60


def code_of(result: Any) -> str:
    return str(json.loads(result.stderr)["error"]["code"])


@pytest.fixture
def past(project: Project) -> str:
    """Commit some files, change them, and return the commit."""
    (project.folder / "data.csv").write_text("old")
    (project.folder / "big.bin").write_bytes(random.Random(1).randbytes(5_000_000))
    commit = project.json("commit", "-m", "first")["commit"]
    (project.folder / "data.csv").write_text("new")
    (project.folder / "big.bin").rename(project.folder / "moved.bin")
    return str(commit["id"])


# --- looking ------------------------------------------------------------------------


def test_show_of_a_commit(project: Project, past: str) -> None:
    text = project.ds("show", past[:8]).stdout
    assert text.startswith("first\n") and past in text
    assert project.json("show", "HEAD")["id"] == past
    known = project.json("show", "HEAD", "--content-id")["content_id"]
    assert len(known) == 64
    assert f"content id  {known}" in project.ds("show", "HEAD").stdout


def test_show_with_a_content_id_takes_a_run_for_its_commit(project: Project) -> None:
    run = project.publish("a", {"description": "Train"}, files={"a.txt": "1"})
    assert project.json("show", run)["id"] == run
    shown = project.json("show", run, "--content-id")
    assert run in shown["runs"] and len(shown["content_id"]) == 64


def test_diff_shows_renames(project: Project, past: str) -> None:
    project.json("commit", "-m", "second")
    assert "renamed\tbig.bin -> moved.bin\t5 MB\t5 MB" in project.ds("diff", past, "HEAD").stdout
    items = project.json("diff", past, "HEAD")["items"]
    assert {item["path"]: item["old_path"] for item in items} == {
        "data.csv": None,
        "moved.bin": "big.bin",
    }


def test_renames_that_are_not_committed_are_told_alike(project: Project, past: str) -> None:
    for name in ("a/x", "b/y"):
        (project.folder / name).parent.mkdir()
        (project.folder / name).write_text("equal")
    past = project.json("commit", "-m", "two that are equal")["commit"]["id"]
    (project.folder / "c").mkdir()
    (project.folder / "a" / "x").rename(project.folder / "c" / "y")
    (project.folder / "b" / "y").rename(project.folder / "c" / "x")

    def told(*names: str) -> dict[str, str | None]:
        items = project.json("diff", *names)["items"]
        return {item["path"]: item["old_path"] for item in items}

    live, back = told("HEAD"), told("now", "HEAD")
    assert live == {"c/x": "a/x", "c/y": "b/y"}
    assert back == {"a/x": "c/x", "b/y": "c/y"}
    status = project.json("status")
    assert status["changed_files"] == [
        {"filename": new, "file_status": "renamed", "size": 5, "old_filename": old}
        for new, old in live.items()
    ]
    assert "2 files have changed" in status["message"]
    assert "renamed\ta/x -> c/x\t5 B" in project.ds("status").stdout
    project.json("commit", "-m", "moved")
    assert told(past, "HEAD") == live
    assert told("HEAD", past) == back


def test_usage(project: Project, past: str) -> None:
    assert "1 snapshot takes" in project.ds("usage").stdout
    project.json("commit", "-m", "second")
    body = project.json("usage", "--each")
    assert body["snapshots"] == len(body["each"]) == 2
    lines = project.ds("usage", "--each").stdout.splitlines()
    assert lines[-2].startswith(past)


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("packs", 1, "1 pack"),
        ("objects", 1200, "1,200 objects"),
        ("folder bytes", 3_058_688, "folder 3.06 MB"),
        ("received bytes", 0, "received 0 B"),
    ],
)
def test_numbers_of_an_engine_are_told_as_what_they_are(name: str, value: int, told: str) -> None:
    assert own(name, value) == told


# --- going back ---------------------------------------------------------------------


def test_rollback_asks_and_needs_somebody_to_answer(project: Project, past: str) -> None:
    for arguments in (["rollback", past], ["rollback", past, "--json"]):
        result = project.ds(*arguments)
        assert result.exit_code == 2
        assert (project.folder / "data.csv").read_text() == "new"
    assert code_of(result) == "confirmation_needed"
    assert project.json("log")["total"] == 1


def test_rollback(project: Project, past: str) -> None:
    result = project.ds("rollback", past[:8], "--yes", "--author", "Eve")
    assert result.exit_code == 0 and result.stdout.startswith(f"Went back to {past[:12]}.")
    assert (project.folder / "data.csv").read_text() == "old"
    assert (project.folder / "big.bin").exists() and not (project.folder / "moved.bin").exists()
    newest, before, _ = project.json("log")["items"]
    assert (newest["author"], before["author"]) == ("Eve", "Eve")
    body = project.json("rollback", before["id"], "--yes")
    assert (project.folder / "data.csv").read_text() == "new"
    assert body["before"]["id"] == newest["id"]
    assert project.json("rollback", "HEAD", "--yes")["commit"] is None


@pytest.mark.parametrize(("answer", "code", "content"), [(b"y\n", 0, "old"), (b"n\n", 130, "new")])
def test_rollback_on_a_terminal(
    project: Project, past: str, spawn: Any, answer: bytes, code: int, content: str
) -> None:
    ours, theirs = pty.openpty()
    try:
        process = spawn("-C", str(project.folder), "rollback", past, stdin=theirs)
        os.write(ours, answer)
        _, err = process.communicate(timeout=WAIT)
    finally:
        os.close(ours)
        os.close(theirs)
    assert process.returncode == code, err
    assert b"only what is not committed changes" in err
    assert b"committed first, so nothing is lost" in err
    assert (project.folder / "data.csv").read_text() == content


def test_clone(project: Project, past: str, tmp_path: Path) -> None:
    target = tmp_path / "branch"
    assert project.ds("clone", past, str(target)).stdout == f"Cloned {past[:8]} to {target}\n"
    assert (target / "data.csv").read_text() == "old"
    (target / "data.csv").write_text("worked on")
    assert not (target / ".dotscience").exists()
    result = project.ds("clone", past, str(target), "--json")
    assert (result.exit_code, code_of(result)) == (1, "exists")
    assert (target / "data.csv").read_text() == "worked on"
    result = project.ds("clone", past, ".dotscience/new", "--json")
    assert (result.exit_code, code_of(result)) == (1, "forbidden_path")
    assert project.json("clone", past, "inside")["path"] == str(project.folder / "inside")


# --- moving -------------------------------------------------------------------------


@pytest.fixture
def other(tmp_path: Path) -> Project:
    (tmp_path / "elsewhere").mkdir()
    return make_project(tmp_path / "elsewhere")


def send(project: Project, spawn: Any, *arguments: str) -> bytes:
    process = spawn("-C", str(project.folder), "send", *arguments)
    out, err = process.communicate(timeout=WAIT)
    assert process.returncode == 0, err
    return bytes(out)


def receive(project: Project, spawn: Any, data: bytes, *arguments: str) -> Any:
    process = spawn("-C", str(project.folder), "receive", *arguments, stdin=subprocess.PIPE)
    out, err = process.communicate(data, timeout=WAIT)
    return subprocess.CompletedProcess([], process.returncode, out, err)


def test_send_and_receive(project: Project, past: str, other: Project, spawn: Any) -> None:
    project.json("commit", "-m", "second")
    whole = send(project, spawn, past)
    news = send(project, spawn, "HEAD", "--base", past)
    assert len(news) < len(whole) / 2
    for data, commit in ((whole, past), (news, "HEAD")):
        done = receive(other, spawn, data, "--json")
        assert done.returncode == 0, done.stderr
        snapshot = json.loads(done.stdout)["snapshot"]
        assert snapshot == project.json("show", commit)["snapshot"]
    assert other.json("log")["total"] == 0
    target = other.folder.parent / "back"
    assert other.ds("restore", snapshot, "--to", str(target)).exit_code == 0
    assert (target / "data.csv").read_text() == "new"
    assert other.ds("gc", "--received").exit_code == 0


def test_a_cut_transfer_says_how_to_go_on(
    project: Project, past: str, other: Project, spawn: Any
) -> None:
    data = send(project, spawn, past)
    cut = receive(other, spawn, data[: len(data) // 2])
    assert cut.returncode == 1 and b"Traceback" not in cut.stderr
    told = [line.strip() for line in cut.stderr.decode().splitlines() if "--resume" in line][-1]
    (partial,) = other.json("receive", "--partial")["partial"]
    assert told == f"ds send {partial['snapshot']} --resume {partial['token']}"
    assert partial["token"] in other.ds("receive", "--partial").stdout
    rest = send(project, spawn, *told.split()[2:])
    assert len(rest) < len(data)
    assert receive(other, spawn, rest).returncode == 0
    assert other.json("receive", "--partial")["partial"] == []


def test_a_cut_transfer_tells_a_program_as_well(
    project: Project, past: str, other: Project, spawn: Any
) -> None:
    data = send(project, spawn, past)
    cut = receive(other, spawn, data[: len(data) // 2], "--json")
    problem = json.loads(cut.stderr)["error"]
    assert problem["code"] == "transfer_cut"
    assert problem["command"] == f"ds send {problem['snapshot']} --resume {problem['token']}"


def test_what_is_not_a_stream(project: Project, spawn: Any) -> None:
    for data in (b"", b"rubbish" * 1000):
        done = receive(project, spawn, data)
        assert done.returncode == 1
        assert done.stderr.startswith(b"Error: ") and b"Traceback" not in done.stderr


def test_nothing_binary_goes_to_a_terminal(project: Project, past: str, spawn: Any) -> None:
    ours, theirs = pty.openpty()
    try:
        for command, stream in (("send", "stdout"), ("receive", "stdin")):
            arguments = [command] + ["HEAD"] * (command == "send")
            process = spawn("-C", str(project.folder), *arguments, **{stream: theirs})
            _, err = process.communicate(timeout=WAIT)
            assert process.returncode == 2 and b"a file or a pipe" in err
    finally:
        os.close(ours)
        os.close(theirs)
    assert project.ds("send", "HEAD", "--json").exit_code == 2


def test_sending_what_is_not_there(project: Project, past: str, spawn: Any) -> None:
    for arguments in (["ffffffff"], [past, "--base", "ffffffff"], [past, "--resume", "nonsense"]):
        process = spawn("-C", str(project.folder), "send", *arguments)
        out, err = process.communicate(timeout=WAIT)
        assert process.returncode == 1 and out == b"", arguments
        assert err.startswith(b"Error: ") and b"Traceback" not in err


# --- care ---------------------------------------------------------------------------


def damage(project: Project) -> None:
    for path in (project.folder / ".dotscience" / "store").rglob("*"):
        if path.is_file() and path.stat().st_size > 500_000:
            data = bytearray(path.read_bytes())
            data[len(data) // 2] ^= 0xFF
            path.chmod(0o600)
            path.write_bytes(bytes(data))


def test_repair_mends_from_the_folder(project: Project, past: str) -> None:
    assert "nothing is damaged" in project.ds("repair").stdout
    damage(project)
    assert project.ds("verify").exit_code == 3
    result = project.ds("repair")
    assert result.exit_code == 0, result.output
    assert "1 problem mended" in result.stdout and "big.bin" in result.stdout
    assert project.ds("verify").exit_code == 0


def test_repair_says_what_is_lost(project: Project, past: str) -> None:
    (project.folder / "moved.bin").unlink()
    damage(project)
    result = project.ds("repair", "--json")
    assert result.exit_code == 3
    (lost,) = json.loads(result.stdout)["lost"]
    assert (lost["commit"], lost["path"]) == (past, "big.bin")
    text = project.ds("repair").stdout
    assert "cannot be mended" in text and "Everything else can be read" in text
    assert project.ds("verify").exit_code == 3


# --- engines ------------------------------------------------------------------------


def test_engine_check_needs_no_workspace(project: Project, tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()
    for folder in (tmp_path / "plain", project.folder):
        body = project.json("-C", str(folder), "engine", "check", "--engine", "embedded")
        assert body["engine"] == "embedded" and all(check["ok"] for check in body["checks"])
    text = project.ds("engine", "check", "--engine", "embedded").stdout
    assert text.startswith(f"Engine embedded for {project.folder}\n")
    assert not (tmp_path / "plain" / ".dotscience").exists()


def test_engine_check_says_what_is_missing(tmp_path: Path, project: Project) -> None:
    """No temporary folder is a data set of ZFS."""
    folder = tmp_path / "plain"
    folder.mkdir()
    result = project.ds("-C", str(folder), "engine", "check", "--engine", "zfs", "--json")
    assert result.exit_code == 3
    missing = [check for check in json.loads(result.stdout)["checks"] if not check["ok"]]
    assert missing and all(check["what"] and check["advice"] for check in missing)
    result = project.ds("-C", str(folder), "engine", "check", "--engine", "zfs")
    assert result.exit_code == 3 and "missing  " in result.stdout
    assert missing[0]["advice"].splitlines()[0] in result.stdout


def test_engine_that_is_not_there(project: Project, past: str) -> None:
    result = project.ds("engine", "check", "--engine", "tape", "--json")
    assert result.exit_code == 1 and code_of(result) == "failed"
    # the content that is there is another one's
    assert project.ds("engine", "check", "--engine", "zfs").exit_code == 1


def test_engine_list(project: Project) -> None:
    body = project.json("engine", "list")
    assert {"embedded", "btrfs", "zfs"} <= set(body["engines"]) and body["engine"] in body[
        "engines"
    ]
    assert f"{body['engine']}  (this folder's)" in project.ds("engine", "list").stdout


def test_engine_without_a_word_is_help(project: Project) -> None:
    result = project.ds("engine")
    assert result.exit_code == 2 and "check" in result.output and "list" in result.output
