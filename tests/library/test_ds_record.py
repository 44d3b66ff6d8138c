# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The full record, the spool it goes to, and what it says of the environment."""

from __future__ import annotations

import io
import json
import os
import platform
import subprocess
import sys
import time
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
from ds_helpers import module, spooled

import dotscience as ds
from dotscience import _environment, _git, _new_workspace, _publish, _spool, _workspace


@pytest.fixture
def record(workspace, monkeypatch):
    """Publish a run and return its record."""
    monkeypatch.setattr(ds, "_defaultDS", ds.Dotscience())

    def make(before=lambda: None):
        ds.start("a run")
        ds.add_input("in.csv")
        before()
        ds.publish(stream=io.StringIO())
        return spooled(workspace)[-1]

    return make


@pytest.fixture(autouse=True)
def nothing_under_way():
    """Begin when Git has answered what an earlier test asked: one question is asked at a time."""
    with _environment._Answers.lock:
        pass


@pytest.fixture(autouse=True)
def silent_once():
    """Let every test hear what is said once a process."""
    _spool._said.clear()


# the spool


def test_the_record(record, workspace, monkeypatch):
    # what starts the tests' workers has no script
    monkeypatch.setattr(sys, "argv", [str(workspace / "train.py")])
    found = record(lambda: ds.param("lr", 0.1))
    assert found["format"] == 1
    assert found["id"] == ds._defaultDS.currentRun.id
    assert found["root"] == str(workspace)
    assert found["workspace"] == "0d2b7a52-32c8-4a2c-8d5e-5f1c8d1a9b11"
    assert found["run"]["description"] == "a run" and found["run"]["input"] == ["in.csv"]
    assert found["types"] == {"parameters": {"lr": "float"}}
    assert found["source"] == {"kind": "script", "path": str(workspace / "train.py")}
    assert found["process"]["pid"] == os.getpid()
    assert "traceback" not in found and "place" not in found


def test_one_complete_file_a_run(record, workspace):
    ids = {record()["id"] for _ in range(3)}
    names = set(os.listdir(workspace / ".dotscience" / "spool"))
    assert names == {f"{run_id}.json" for run_id in ids}


def test_from_a_folder_below(workspace, monkeypatch):
    below = workspace / "a" / "b"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    monkeypatch.setattr(ds, "_defaultDS", ds.Dotscience())
    ds.start()
    ds.add_input("x")
    stream = io.StringIO()
    ds.publish(stream=stream)
    (found,) = spooled(workspace)
    assert found["root"] == str(workspace) and found["run"]["input"] == ["a/b/x"]


def test_programs_outside_of_workspaces_leave_nothing(session, publish, folder):
    session.start()
    publish()
    assert os.listdir(folder) == []
    assert os.listdir(folder.parent / "home") == []


def test_a_folder_of_that_name_is_no_workspace(session, publish, folder):
    (folder / ".dotscience").mkdir()
    session.start()
    publish()
    assert os.listdir(folder / ".dotscience") == []


def test_the_spool_can_be_told(record, workspace, monkeypatch, tmp_path):
    told = tmp_path / "deep" / "spool"
    monkeypatch.setenv("DOTSCIENCE_SPOOL", str(told))
    with pytest.raises(IndexError):
        record()
    (name,) = os.listdir(told)
    assert json.loads((told / name).read_text())["id"] == name.removesuffix(".json")


def test_an_unwritable_spool_is_said_once_and_breaks_nothing(record, workspace, capsys):
    (workspace / ".dotscience" / "spool").write_text("a file is in the way")
    for _ in range(3):
        with pytest.raises(IndexError):
            record()
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "Make the folder writable" in said


def test_a_full_disk_leaves_no_partial_file(record, workspace, monkeypatch, capsys):
    def full(descriptor, data):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch, pytest.raises(IndexError):
        patch.setattr(os, "write", full)
        record()
    assert os.listdir(workspace / ".dotscience" / "spool") == []
    assert "No space left" in capsys.readouterr().err
    assert record()["format"] == 1


@pytest.mark.parametrize("linked", ["spool", ".dotscience/spool"])
def test_a_spool_that_is_a_link_is_not_followed(record, workspace, tmp_path, capsys, linked):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (workspace / ".dotscience" / "spool").symlink_to(elsewhere)
    with pytest.raises(IndexError):
        record()
    assert os.listdir(elsewhere) == []
    assert "could not be written" in capsys.readouterr().err


def test_what_goes_wrong_with_the_record_leaves_the_text(session, publish, monkeypatch, capsys):
    def broken(run):
        raise LookupError("no such thing")

    monkeypatch.setattr(_environment, "describe", broken)
    session.start("told anyway")
    assert publish()["description"] == "told anyway"
    assert "LookupError: no such thing" in capsys.readouterr().err


class Broken(io.StringIO):
    def flush(self):
        raise BrokenPipeError(32, "Broken pipe")


def test_a_broken_pipe_is_not_the_programs_error(session, record, capsys):
    session.start()
    session.publish(stream=Broken())
    assert capsys.readouterr().err == ""  # it is in the spool


def test_a_broken_pipe_without_a_spool_is_said(session, capsys):
    session.start()
    session.publish(stream=Broken())
    assert "the run is not kept" in capsys.readouterr().err


# workspaces


def test_ids_are_read_as_json_reads_them(tmp_path):
    root = tmp_path / "w"
    root.mkdir()
    assert _workspace.find_workspace(str(root)) is None
    assert _new_workspace.create_workspace(str(root)) == str(root)
    document = json.loads((root / ".dotscience" / "workspace.json").read_text())
    assert sorted(document) == ["created", "format", "id"] and document["format"] == 1
    assert _new_workspace.workspace_id(str(root)) == document["id"]
    assert (root / ".dotscience" / ".gitignore").read_text() == "*\n"
    assert sorted(os.listdir(root / ".dotscience")) == [".gitignore", "workspace.json"]
    # and again changes nothing
    _new_workspace.create_workspace(str(root))
    assert json.loads((root / ".dotscience" / "workspace.json").read_text()) == document
    assert _new_workspace.workspace_id(str(tmp_path)) is None


def test_the_rest_of_the_project_opens_it(tmp_path):
    from dotscience_jupyter.records.workspace import Workspace

    _new_workspace.create_workspace(str(tmp_path))
    assert Workspace.at(tmp_path).id == _new_workspace.workspace_id(str(tmp_path))


def test_without_hard_links(tmp_path, monkeypatch):
    def none(*_):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", none)
    _new_workspace.create_workspace(str(tmp_path))
    assert _new_workspace.workspace_id(str(tmp_path))
    assert sorted(os.listdir(tmp_path / ".dotscience")) == [".gitignore", "workspace.json"]


def test_homes_and_the_root_are_refused(folder, tmp_path):
    home = str(tmp_path / "home")
    for place in (home, "/", "/home/somebody"):
        assert _new_workspace.refusal(place)
        with pytest.raises(_new_workspace.WorkspaceRefusedError):
            _new_workspace.create_workspace(place)
    assert os.listdir(home) == []
    assert not _new_workspace.refusal(str(folder))


def test_the_git_work_tree_is_suggested_unless_it_is_the_home(folder, tmp_path):
    below = folder / "a" / "b"
    below.mkdir(parents=True)
    assert _new_workspace.suggest_root(str(below)) == str(below)
    (folder / ".git").mkdir()
    assert _new_workspace.suggest_root(str(below)) == str(folder)
    inside = tmp_path / "home" / "p"
    inside.mkdir()
    (tmp_path / "home" / ".git").mkdir()
    assert _new_workspace.suggest_root(str(inside)) == str(inside)


def test_only_notebooks_make_workspaces(folder, capsys, tmp_path):
    assert _spool.workspace_for(str(folder), None, may_make=False) is None
    assert _spool.workspace_for(str(tmp_path / "home"), None, may_make=True) is None
    assert "home folder" in capsys.readouterr().err
    notebook = folder / "n" / "x.ipynb"
    notebook.parent.mkdir()
    assert _spool.workspace_for(str(folder), str(notebook), True) == str(notebook.parent)
    assert _spool.workspace_for(str(folder), "n/x.ipynb", True) == str(folder)


# the environment


def test_python_and_platform(record):
    environment = record()["environment"]
    assert environment["python"] == {
        "version": platform.python_version(),
        "implementation": platform.python_implementation(),
        "executable": sys.executable,
    }
    assert environment["platform"]["system"] == platform.system()
    assert environment["platform"]["machine"] == platform.machine()
    assert environment["cpu"]["count"] == os.cpu_count() and environment["cpu"]["model"]
    assert environment["ram"] > 2**28
    assert "image" not in environment and "git" not in environment


def test_installed_distributions(record):
    packages = record()["environment"]["packages"]
    for name in ("numpy", "pytest", "jupyter-server"):
        assert packages[name] == metadata.version(name)
    installed = {
        distribution.metadata["Name"].lower().replace("_", "-").replace(".", "-")
        for distribution in metadata.distributions()
    }
    assert installed <= set(packages)


def test_a_distribution_installed_meanwhile_is_seen(record, tmp_path, monkeypatch):
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    assert "my-thing" not in record()["environment"]["packages"]
    (folder / "My_Thing-2.0.dist-info").mkdir()
    (folder / "old.thing-1.5-py3.11.egg-info").touch()
    (folder / "numpy-0.0.1.dist-info").mkdir()
    os.utime(folder, ns=(1, 1))
    packages = record()["environment"]["packages"]
    assert packages["my-thing"] == "2.0" and packages["old-thing"] == "1.5"
    assert packages["numpy"] == "0.0.1"  # found first, as by import


def test_images_are_told_by_the_executor(record, monkeypatch):
    monkeypatch.setenv("DOTSCIENCE_WORKLOAD_IMAGE", "r/i:1")
    monkeypatch.setenv("DOTSCIENCE_WORKLOAD_IMAGE_HASH", "r/i@sha256:00")
    assert record()["environment"]["image"] == {"name": "r/i:1", "digest": "r/i@sha256:00"}


def test_resources(record):
    def work():
        end = time.process_time() + 0.05
        while time.process_time() < end:
            pass

    resources = record(work)["resources"]
    assert resources["cpu_seconds"] >= 0.03  # its clock ticks coarsely
    assert 2**20 < resources["peak_ram"] < 2**40


def test_seeds(record, monkeypatch):
    assert "torch" not in record()["seeds"]
    monkeypatch.setenv("PYTHONHASHSEED", "7")
    torch = module("torch")
    torch.initial_seed = lambda: 42
    monkeypatch.setitem(sys.modules, "torch", torch)
    seeds = record()["seeds"]
    assert (seeds["PYTHONHASHSEED"], seeds["torch"]) == ("7", 42)


@pytest.fixture
def numpy_state():
    state = np.random.get_state()
    yield
    np.random.set_state(state)


@pytest.mark.parametrize("seed", [0, 42, 2**31, 2**32 - 1])
def test_numpys_seed_is_known_until_the_first_draw(record, numpy_state, seed):
    np.random.seed(seed)
    assert record(lambda: np.random.rand())["seeds"]["numpy"] == seed
    assert "numpy" not in record()["seeds"]


def test_numpys_own_seeds_are_not_known(record, numpy_state):
    np.random.set_state(np.random.RandomState().get_state())
    assert "numpy" not in record()["seeds"]
    np.random.set_state(np.random.RandomState([1, 2, 3]).get_state())
    assert "numpy" not in record()["seeds"]


# Git


def git(*arguments, cwd):
    author = ("-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")
    done = subprocess.run(
        ["git", *author, *arguments], cwd=cwd, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.fixture
def repository(folder):
    git("init", "-q", "-b", "main", ".", cwd=folder)
    (folder / "a.txt").write_text("a")
    git("add", ".", cwd=folder)
    git("commit", "-q", "-m", "one", cwd=folder)
    return folder


def read(path):
    work_tree, directory = _git.find(str(path))
    return work_tree, *_git.head(directory)


def test_git_branch_and_commit(repository):
    commit = git("rev-parse", "HEAD", cwd=repository)
    below = repository / "x"
    below.mkdir()
    assert read(below) == (str(repository), commit, "main")
    git("checkout", "-q", "-b", "feature/x", cwd=repository)
    assert read(repository) == (str(repository), commit, "feature/x")


def test_git_packed_references(repository):
    git("tag", "v1", cwd=repository)
    git("pack-refs", "--all", cwd=repository)
    assert not (repository / ".git" / "refs" / "heads" / "main").exists()
    commit = git("rev-parse", "HEAD", cwd=repository)
    assert read(repository) == (str(repository), commit, "main")
    # a newer loose reference counts, and a repacked file is read again
    for number in (2, 3):
        git("commit", "-q", "--allow-empty", "-m", str(number), cwd=repository)
        newer = git("rev-parse", "HEAD", cwd=repository)
        assert read(repository)[1] == newer
        git("pack-refs", "--all", cwd=repository)
        assert read(repository)[1] == newer


def test_git_detached(repository):
    git("checkout", "-q", "--detach", cwd=repository)
    assert read(repository) == (str(repository), git("rev-parse", "HEAD", cwd=repository), None)


def test_git_before_the_first_commit(folder):
    git("init", "-q", "-b", "trunk", ".", cwd=folder)
    assert read(folder) == (str(folder), None, "trunk")


def test_git_work_trees(repository, tmp_path):
    other = tmp_path / "other"
    git("worktree", "add", "-q", "-b", "side", str(other), cwd=repository)
    git("commit", "-q", "--allow-empty", "-m", "side", cwd=other)
    commit = git("rev-parse", "HEAD", cwd=other)
    assert read(other) == (str(other), commit, "side")
    git("pack-refs", "--all", cwd=repository)
    assert read(other) == (str(other), commit, "side")


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"ref: refs/heads/\x00", b"gone", b"ref:"])
def test_git_folders_that_make_no_sense(folder, content):
    (folder / ".git").mkdir()
    (folder / ".git" / "HEAD").write_bytes(content)
    assert read(folder)[1] is None


def test_git_is_in_the_record(repository, workspace, record):
    def git_part(found):
        return found["environment"]["git"]

    _environment._Answers.asked = float("-inf")
    commit = git("rev-parse", "HEAD", cwd=repository)
    soon = git_part(record())
    assert soon == {"root": str(repository), "commit": commit, "branch": "main", "dirty": None}


@pytest.mark.parametrize("change", [None, "a.txt", "new.txt"])
def test_git_dirty_is_found_out_in_the_background(repository, workspace, record, change):
    if change:
        (repository / change).write_text("changed")
    _environment._Answers.asked = float("-inf")

    def wait():
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            answer = _environment._Answers.dirty
            if answer and answer[0] == str(repository):
                return
            time.sleep(0.01)

    found = record(wait)["environment"]["git"]
    # the records of the workspace itself do not make it dirty
    (repository / ".dotscience" / ".gitignore").write_text("*\n")
    if change:
        assert found["dirty"] is True
    else:
        assert _git.is_dirty(str(repository)) is False


def test_git_answers_from_before_the_run_do_not_count(repository, workspace, record):
    _environment._Answers.dirty = str(repository), time.monotonic(), False
    _environment._Answers.asked = time.monotonic()
    assert record()["environment"]["git"]["dirty"] is None


def test_git_that_cannot_say(tmp_path, monkeypatch):
    assert _git.is_dirty(str(tmp_path / "missing")) is None
    monkeypatch.setenv("PATH", "")
    assert _git.is_dirty(str(tmp_path)) is None


def test_gpus_are_asked_of_nvidia_smi(tmp_path, monkeypatch):
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\necho 'NVIDIA A100, 40960'\necho 'Odd, [N/A]'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert _environment._has_nvidia_smi()
    assert _environment._gpus_by_nvidia_smi() == ["NVIDIA A100 40 GB", "Odd, [N/A]"]
    program.write_text("#!/bin/sh\nexit 9\n")
    assert _environment._gpus_by_nvidia_smi() is None


def test_the_format_of_the_record_is_the_documented_one(record, repository):
    documented = (Path(ds.__file__).parents[1] / "docs" / "run-format.md").read_text("utf-8")
    example = json.loads(documented.split("```json")[1].split("```")[0])
    found = record(lambda: ds.metric("loss", 1.0, step=1))
    assert example["format"] == _publish.FORMAT
    assert set(found) <= set(example)
    for key in ("environment", "resources", "process"):
        assert set(found[key]) <= set(example[key])
    assert set(found["series"]["loss"]) == set(example["series"]["loss"])
    assert set(found["source"]) <= set(example["source"])
