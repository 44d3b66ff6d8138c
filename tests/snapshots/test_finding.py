# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Engines by name, and which one a folder gets."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path

import pytest
from snapshot_helpers import write

from dotscience_jupyter.snapshots import (
    Check,
    EmbeddedEngine,
    Engine,
    SnapshotError,
    finding,
    open_engine,
)
from dotscience_jupyter.snapshots.finding import check_engine


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "store"


class Native(EmbeddedEngine):
    """Stands for the engine of a file system, which no test machine need have."""

    ready = True

    @classmethod
    def suits(cls, folder: Path) -> bool:
        return cls.ready

    @classmethod
    def check(cls, folder: Path) -> list[Check]:
        if cls.ready:
            return [Check("all", True, "fine")]
        return [Check("library", True, "1.0"), Check("permission", False, "missing", "ask")]


@pytest.fixture
def native(monkeypatch: pytest.MonkeyPatch) -> type[Native]:
    """The folder seems to be on ZFS."""
    monkeypatch.setattr(finding, "_file_system", lambda folder: 0x2FC12FC1)
    monkeypatch.setitem(finding._BUILT_IN, "zfs", f"{__name__}:Native")
    monkeypatch.setattr(Native, "ready", True)
    return sys.modules[__name__].Native  # type: ignore[no-any-return]


# -- by name -------------------------------------------------------------------------------------


def test_the_default_works_anywhere(folder: Path, store: Path) -> None:
    engine = open_engine(folder, store)
    assert isinstance(engine, Engine)
    engine.close()
    engine = open_engine(folder, store, "embedded")
    assert isinstance(engine, EmbeddedEngine)
    engine.close()


def test_an_unknown_engine_is_named_with_those_there_are(folder: Path, store: Path) -> None:
    with pytest.raises(SnapshotError, match=r"'nothing'.*installed: .*btrfs, embedded, zfs"):
        open_engine(folder, store, "nothing")
    assert not store.exists()


def test_engines_of_others(folder: Path, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    points = EntryPoints(
        [
            EntryPoint("good", "dotscience_jupyter.snapshots:EmbeddedEngine", finding.GROUP),
            EntryPoint("missing", "no_such_module:Engine", finding.GROUP),
            EntryPoint("wrong", "builtins:max", finding.GROUP),
            EntryPoint("plain", "builtins:dict", finding.GROUP),
        ]
    )
    monkeypatch.setattr(finding, "entry_points", lambda group: points)
    with pytest.raises(SnapshotError, match="cannot be loaded"):
        open_engine(folder, store, "missing")
    with pytest.raises(SnapshotError, match="is not one"):
        open_engine(folder, store, "wrong")
    assert check_engine(folder, store, "plain") == ("plain", [])
    engine = open_engine(folder, store, "good")
    assert isinstance(engine, EmbeddedEngine)
    engine.close()


def test_the_metadata_names_the_built_in_engines() -> None:
    project = Path(finding.__file__).parents[2] / "pyproject.toml"
    if not project.exists():
        pytest.skip("not a checkout")
    points = tomllib.loads(project.read_text())["project"]["entry-points"][finding.GROUP]
    assert points == finding._BUILT_IN
    for name, value in points.items():
        assert EntryPoint(name, value, finding.GROUP).load().name == name


# -- by what is there ----------------------------------------------------------------------------


def test_a_store_keeps_its_engine(folder: Path, store: Path, native: type[Native]) -> None:
    open_engine(folder, store, "embedded").close()
    engine = open_engine(folder, store)
    assert type(engine) is EmbeddedEngine
    engine.close()
    assert check_engine(folder, store) == ("embedded", [])
    for call in (open_engine, check_engine):
        with pytest.raises(SnapshotError, match=r"kept by the engine 'embedded'.*with 'btrfs'"):
            call(folder, store, "btrfs")


def test_the_file_systems_own_engine_is_taken(
    folder: Path, store: Path, native: type[Native]
) -> None:
    assert check_engine(folder, store) == ("zfs", [Check("all", True, "fine")])
    assert not store.exists()
    engine = open_engine(folder, store)
    assert type(engine) is native
    engine.close()


def test_what_it_misses_is_said(
    folder: Path, store: Path, native: type[Native], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(native, "ready", False)
    name, checks = check_engine(folder, store)
    assert name == "embedded"
    assert checks == [Check("zfs: permission", False, "missing", "ask")]
    engine = open_engine(folder, store)
    assert type(engine) is EmbeddedEngine
    engine.close()


def test_the_file_system_is_told_from_its_magic_number(folder: Path) -> None:
    if sys.platform != "linux":
        pytest.skip("elsewhere it cannot be told")
    assert finding._file_system(Path("/proc")) == 0x9FA0  # PROC_SUPER_MAGIC
    assert finding._file_system(folder / "nowhere") == 0


def test_finding_loads_no_engine_that_is_not_taken(folder: Path, store: Path) -> None:
    open_engine(folder, store, "embedded").close()
    write(folder / "f", "f")
    code = (
        "import sys, pathlib\n"
        "from dotscience_jupyter.snapshots import open_engine\n"
        "folder, store = map(pathlib.Path, sys.argv[1:])\n"
        "open_engine(folder, store).close()\n"
        "wrong = ('libzfs_core', 'cffi', 'dotscience_jupyter.snapshots.zfs',"
        " 'dotscience_jupyter.snapshots.btrfs', 'dotscience_jupyter.snapshots.native')\n"
        "print([name for name in sys.modules if name in wrong])\n"
    )
    command = [sys.executable, "-c", code, str(folder), str(store)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
