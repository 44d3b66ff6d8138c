# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""What is left of a store after a power cut at any moment, and what each fsync is good for."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from chance import THOROUGH, seeded
from cuts import (
    RECORDS,
    Cut,
    look,
    record_beside,
    record_dropping,
    record_editing,
    record_exchanging,
    record_notes,
    record_receiving,
    record_snapshots,
)
from fsyncs import missed, places
from powercut import Recorder, do_not_sync

from dotscience_jupyter.snapshots import EmbeddedEngine

pytestmark = pytest.mark.fault


@pytest.fixture(autouse=True)
def unsynced(monkeypatch: pytest.MonkeyPatch) -> None:
    do_not_sync(monkeypatch)


def test_snapshots_and_gc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    look(record_snapshots(tmp_path, monkeypatch), tmp_path)


def test_holds_and_notes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    look(record_notes(tmp_path, monkeypatch), tmp_path, 0.3)


def test_what_the_stat_cache_knows_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    look(record_dropping(tmp_path, monkeypatch), tmp_path, 0.3)


def test_a_store_in_the_making(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What of it was on the disk is taken for a store or for none, and can be used."""
    folder = tmp_path / "work"
    folder.mkdir()
    recorder = Recorder(tmp_path / "store")
    with recorder.recording(monkeypatch):
        engine = EmbeddedEngine(folder, tmp_path / "store")
        snapshot = engine.snapshot().id
        engine.close()
    rand = seeded()
    for count in range(len(recorder) + 1):
        for _ in range(6):
            recorder.mixture(count, rand).write_to(tmp_path / "cut")
            engine = EmbeddedEngine(folder, tmp_path / "cut")
            assert engine.snapshots() == [] or engine.verify([snapshot]) == []
            engine.close()
            shutil.rmtree(tmp_path / "cut")


def test_receiving(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    look(record_receiving(tmp_path, monkeypatch), tmp_path)


def test_editing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    look(record_editing(tmp_path, monkeypatch), tmp_path)


def test_exchanging(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    look(record_exchanging(tmp_path, monkeypatch), tmp_path)


def test_what_is_written_down_beside_a_file_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    look(record_beside(tmp_path, monkeypatch), tmp_path, 0.3)


def test_every_fsync_is_missed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Left out, one at a time, each of them makes one of the recorded runs lose something.

    What syncs and is missed by none is not needed, or a run is missing here.
    """
    known = places()
    cuts: list[Cut] = []
    for name, record in RECORDS.items():
        (tmp_path / name).mkdir()
        with monkeypatch.context() as patch:
            cuts.append(record(tmp_path / name, patch))
        assert set(cuts[-1].recorder.sites()) <= known.keys()
    left = set(known)
    for most in (8, 100):
        for cut in cuts:
            for site in left.intersection(cut.recorder.sites()):
                if missed(cut, site, tmp_path / "cut", most, both=THOROUGH) is not None:
                    left.remove(site)
    assert sorted(known[site] for site in left) == []
