# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""How every engine must move snapshots to another machine, and protect them."""

from __future__ import annotations

import io
import os
import random
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from snapshot_helpers import state_of, write
from suite_base import MTIME, ODD_NAMES, SuiteBase

from dotscience_jupyter.snapshots import (
    COMMIT_HOLD,
    Engine,
    HeldError,
    SnapshotError,
    SnapshotNotFoundError,
    TransferError,
)


def fill(folder: Path) -> None:
    """Something of every kind."""
    for number in range(30):
        write(folder / "many" / f"{number}", f"{number}\n" * number, MTIME + number)
    write(folder / "large", random.Random(1).randbytes(3_000_000), MTIME)
    write(folder / "copy of large", random.Random(1).randbytes(3_000_000), MTIME + 1)
    write(folder / "text", b"line after line\n" * 20_000, MTIME)
    write(folder / "d" / "e" / "run.sh", "#!/bin/sh\n").chmod(0o755)
    (folder / "d" / "hard link").hardlink_to(folder / "text")
    with open(folder / "mostly a hole", "wb") as file:
        file.truncate(2_000_000)
        file.seek(1_000_000)
        file.write(b"not a hole")
    (folder / "d" / "empty").mkdir(mode=0o700)
    write(folder / "d" / "nothing", b"")
    for name in ODD_NAMES:
        write(folder / "odd" / name, os.fsencode(name))
    (folder / "link").symlink_to("large")
    (folder / "dangling").symlink_to(os.fsdecode(b"no\xff where"))


def sent(engine: Engine, snapshot: str, base: str | None = None, resume: str = "") -> bytes:
    stream = io.BytesIO()
    engine.send(snapshot, stream, base, resume)
    return stream.getvalue()


def listing(engine: Engine, snapshot: str) -> list[tuple[object, ...]]:
    """All that is known of a snapshot without reading its files."""
    return [
        (entry.path, entry.kind, entry.mode, entry.size, entry.mtime_ns, entry.target)
        for entry in engine.walk(snapshot)
    ]


def names_of_files(folder: Path) -> dict[str, int]:
    """How many names each file has."""
    return {
        os.path.relpath(path, folder): path.lstat().st_nlink
        for path in folder.rglob("*")
        if path.is_file() and not path.is_symlink()
    }


class MovingSuite(SuiteBase):
    """How every engine must move snapshots to another machine, and protect them."""

    @pytest.fixture
    def far_folder(self, tmp_path: Path) -> Path:
        """The folder on the other machine."""
        return self.new_folder(tmp_path / "far")

    @pytest.fixture
    def far(self, far_folder: Path, tmp_path: Path) -> Iterator[Engine]:
        """The engine on the other machine."""
        engine = self.make(far_folder, tmp_path / "far place")
        yield engine
        engine.close()

    def same(self, engine: Engine, far: Engine, snapshot: str, out: Path) -> None:
        """Assert that both have the same snapshot, by all ways of looking at it."""
        assert far.exists(snapshot)
        assert snapshot in [info.id for info in far.snapshots()]
        assert listing(far, snapshot) == listing(engine, snapshot)
        assert engine.content_id(snapshot) == far.content_id(snapshot)
        for number, side in enumerate((engine, far)):
            side.restore(snapshot, out / str(number))
        assert state_of(out / "0", folder_times=True) == state_of(out / "1", folder_times=True)
        assert names_of_files(out / "0") == names_of_files(out / "1")
        assert far.verify([snapshot]) == []

    # -- whole ---------------------------------------------------------------------------------

    def test_a_snapshot_arrives_as_it_was_sent(
        self, engine: Engine, far: Engine, folder: Path, far_folder: Path, tmp_path: Path
    ) -> None:
        fill(folder)
        write(far_folder / "mine", "mine")
        before = state_of(far_folder)
        snapshot = engine.snapshot().id
        stream = sent(engine, snapshot)
        assert far.receive(io.BytesIO(stream)) == snapshot
        self.same(engine, far, snapshot, tmp_path / "out")
        with far.open(snapshot, "large") as file:
            file.seek(2_000_000)
            assert file.read(10) == random.Random(1).randbytes(3_000_000)[2_000_000:2_000_010]
        assert far.entry(snapshot, "text") == engine.entry(snapshot, "text")
        assert state_of(far_folder) == before, "the live folder is not touched"
        assert far.partial() == {}
        # there already: nothing happens, and that is no error
        assert far.receive(io.BytesIO(stream)) == snapshot
        assert len(far.snapshots()) == 1

    def test_an_empty_folder_arrives(self, engine: Engine, far: Engine, tmp_path: Path) -> None:
        snapshot = engine.snapshot().id
        assert far.receive(io.BytesIO(sent(engine, snapshot))) == snapshot
        self.same(engine, far, snapshot, tmp_path / "out")

    def test_what_arrived_outlives_the_engine(
        self, engine: Engine, far_folder: Path, folder: Path, tmp_path: Path
    ) -> None:
        fill(folder)
        snapshot = engine.snapshot().id
        first = self.make(far_folder, tmp_path / "far place")
        first.receive(io.BytesIO(sent(engine, snapshot)))
        first.close()
        second = self.make(far_folder, tmp_path / "far place")
        self.same(engine, second, snapshot, tmp_path / "out")
        second.close()

    def test_the_receiver_can_send_it_on(
        self, engine: Engine, far: Engine, folder: Path, tmp_path: Path
    ) -> None:
        write(folder / "f", "first")
        first = engine.snapshot().id
        far.receive(io.BytesIO(sent(engine, first)))
        write(folder / "f", "second")
        second = engine.snapshot().id
        far.receive(io.BytesIO(sent(engine, second, first)))
        third = self.make(self.new_folder(tmp_path / "third"), tmp_path / "third place")
        third.receive(io.BytesIO(sent(far, first)))
        third.receive(io.BytesIO(sent(far, second, first)))
        self.same(engine, third, second, tmp_path / "out")
        third.close()

    def test_send_says_how_far_it_is(self, engine: Engine, far: Engine, folder: Path) -> None:
        fill(folder)
        snapshot = engine.snapshot().id
        said: list[tuple[int, int, str]] = []
        stream = io.BytesIO()
        engine.send(snapshot, stream, progress=lambda *what: said.append(what))
        assert said
        assert [done for done, _, _ in said] == sorted(done for done, _, _ in said)
        heard: list[tuple[int, int, str]] = []
        far.receive(io.BytesIO(stream.getvalue()), progress=lambda *what: heard.append(what))
        assert heard
        assert [done for done, _, _ in heard] == sorted(done for done, _, _ in heard)

    def test_the_size_is_estimated(self, engine: Engine, folder: Path) -> None:
        write(folder / "noise", random.Random(2).randbytes(2_000_000))
        first = engine.snapshot().id
        assert 1_900_000 < engine.send_size(first) < 2_500_000
        write(folder / "little", "little")
        second = engine.snapshot().id
        assert engine.send_size(second, first) < 200_000
        for snapshot, base in ((first, None), (second, first)):
            size = engine.send_size(snapshot, base)
            assert abs(len(sent(engine, snapshot, base)) - size) < size // 20 + 20_000

    # -- only what is new ----------------------------------------------------------------------

    def test_only_what_is_new_is_sent(
        self, engine: Engine, far: Engine, folder: Path, tmp_path: Path
    ) -> None:
        fill(folder)
        first = engine.snapshot().id
        full = sent(engine, first)
        far.receive(io.BytesIO(full))
        write(folder / "many" / "7", "edited")
        write(folder / "new" / "file", random.Random(3).randbytes(50_000))
        (folder / "text").unlink()
        (folder / "d").rename(folder / "moved")
        (folder / "link").unlink()
        (folder / "link").symlink_to("elsewhere")
        second = engine.snapshot().id
        part = sent(engine, second, first)
        assert len(part) < 300_000 < 3_000_000 < len(full)
        assert far.receive(io.BytesIO(part)) == second
        self.same(engine, far, second, tmp_path / "out")
        self.same(engine, far, first, tmp_path / "out again")
        # and back in time: the base need not be the older one
        far.destroy(first)
        assert far.receive(io.BytesIO(sent(engine, first, second))) == first
        self.same(engine, far, first, tmp_path / "out at last")

    def test_a_base_that_is_not_there_is_named(
        self, engine: Engine, far: Engine, folder: Path, tmp_path: Path
    ) -> None:
        write(folder / "f", "first")
        first = engine.snapshot().id
        write(folder / "f", "second")
        second = engine.snapshot().id
        stream = sent(engine, second, first)
        with pytest.raises(SnapshotError, match=first):
            far.receive(io.BytesIO(stream))
        assert not far.exists(second)
        far.receive(io.BytesIO(sent(engine, first)))
        far.receive(io.BytesIO(stream))
        self.same(engine, far, second, tmp_path / "out")

    def test_what_is_not_there_cannot_be_sent(self, engine: Engine, folder: Path) -> None:
        snapshot = engine.snapshot().id
        for call in (
            lambda: sent(engine, "0" * 64),
            lambda: sent(engine, snapshot, "0" * 64),
            lambda: sent(engine, "../evil"),
            lambda: engine.send_size("0" * 64),
        ):
            with pytest.raises(SnapshotNotFoundError):
                call()
        stream = io.BytesIO()
        with pytest.raises(SnapshotError):
            engine.send(snapshot, stream, resume="no token")
        assert stream.getvalue() == b""

    # -- cut and damaged -----------------------------------------------------------------------

    def test_a_cut_transfer_goes_on(
        self, engine: Engine, far: Engine, folder: Path, tmp_path: Path
    ) -> None:
        fill(folder)
        snapshot = engine.snapshot().id
        rand = random.Random(4)
        cuts = 0
        token = ""
        while not far.exists(snapshot):
            stream = sent(engine, snapshot, resume=token)
            cut = rand.randrange(len(stream)) if cuts < 8 else len(stream)
            try:
                assert far.receive(io.BytesIO(stream[:cut])) == snapshot
            except TransferError as error:
                assert not far.exists(snapshot)
                assert snapshot not in [info.id for info in far.snapshots()]
                # none where not even the header arrived
                token = far.partial().get(snapshot, "")
                assert error.token in ("", token)
                cuts += 1
        assert cuts == 8
        assert far.partial() == {}
        self.same(engine, far, snapshot, tmp_path / "out")

    def test_every_cut_is_noticed(self, engine: Engine, far: Engine, folder: Path) -> None:
        write(folder / "f", "content")
        snapshot = engine.snapshot().id
        stream = sent(engine, snapshot)
        rand = random.Random(5)
        places = {0, 1, 8, len(stream) - 1, len(stream) - 36, len(stream) - 37}
        for cut in sorted(places | {rand.randrange(len(stream)) for _ in range(10)}):
            with pytest.raises(TransferError):
                far.receive(io.BytesIO(stream[:cut]))
            assert not far.exists(snapshot)
        far.receive(io.BytesIO(stream))
        assert far.verify([snapshot]) == []

    def test_damage_is_never_accepted(
        self, engine: Engine, far: Engine, folder: Path, tmp_path: Path
    ) -> None:
        write(folder / "kept", "kept")
        first = engine.snapshot().id
        far.receive(io.BytesIO(sent(engine, first)))
        fill(folder)
        second = engine.snapshot().id
        stream = sent(engine, second, first)
        rand = random.Random(6)
        for _ in range(12):
            damaged = bytearray(stream)
            damaged[rand.randrange(len(stream))] ^= 1 << rand.randrange(8)
            with pytest.raises(SnapshotError):
                far.receive(io.BytesIO(damaged))
            assert not far.exists(second)
            assert far.verify([first]) == []
        far.receive(io.BytesIO(stream))
        self.same(engine, far, second, tmp_path / "out")

    def test_what_is_no_stream_is_refused(self, far: Engine) -> None:
        for data in (b"something else altogether", bytes(100), b"dssend2\n" + bytes(100)):
            with pytest.raises(SnapshotError, match="Nothing was changed"):
                far.receive(io.BytesIO(data))
        assert far.snapshots() == []

    def test_a_receiver_that_goes_away(self, engine: Engine, folder: Path) -> None:
        write(folder / "f", random.Random(7).randbytes(3_000_000))
        snapshot = engine.snapshot().id
        reading, writing = os.pipe()

        def take_little() -> None:
            os.read(reading, 1000)
            os.close(reading)

        thread = threading.Thread(target=take_little)
        thread.start()
        with (
            pytest.raises(SnapshotError, match="can go on"),
            open(writing, "wb", buffering=0) as pipe,
        ):
            engine.send(snapshot, pipe)
        thread.join()

    def test_through_a_pipe(
        self, engine: Engine, far: Engine, folder: Path, tmp_path: Path
    ) -> None:
        fill(folder)
        snapshot = engine.snapshot().id
        reading, writing = os.pipe()

        def deliver() -> None:
            with open(writing, "wb", buffering=0) as pipe:
                engine.send(snapshot, pipe)

        thread = threading.Thread(target=deliver)
        thread.start()
        with open(reading, "rb", buffering=0) as pipe:
            assert far.receive(pipe) == snapshot
        thread.join()
        self.same(engine, far, snapshot, tmp_path / "out")

    def test_receiving_beside_snapshots_and_gc(
        self, engine: Engine, far: Engine, folder: Path, far_folder: Path, tmp_path: Path
    ) -> None:
        streams: list[tuple[str, bytes]] = []
        for number in range(5):
            write(folder / f"{number}", random.Random(number).randbytes(200_000))
            snapshot = engine.snapshot().id
            streams.append((snapshot, sent(engine, snapshot)))
        stop = threading.Event()
        errors: list[BaseException] = []

        def disturb() -> None:
            number = 0
            try:
                while not stop.is_set():
                    write(far_folder / "f", random.Random(number % 6).randbytes(200_000))
                    far.gc([far.snapshot().id])
                    number += 1
            except BaseException as error:
                errors.append(error)

        thread = threading.Thread(target=disturb)
        thread.start()
        try:
            for snapshot, stream in streams:
                assert far.receive(io.BytesIO(stream)) == snapshot
        finally:
            stop.set()
            thread.join()
        assert errors == []
        for number, (snapshot, _) in enumerate(streams):
            self.same(engine, far, snapshot, tmp_path / f"out {number}")

    # -- the list ------------------------------------------------------------------------------

    def test_snapshots_are_listed_in_order(self, engine: Engine, folder: Path) -> None:
        assert engine.snapshots() == []
        taken = []
        for number in range(5):
            write(folder / "f", f"{number}")
            taken.append(engine.snapshot().id)
        assert [info.id for info in engine.snapshots()] == taken
        times = [info.created for info in engine.snapshots()]
        assert times == sorted(times)
        assert abs(times[-1] - (folder / "f").stat().st_mtime) < 600
        engine.hold([taken[2]], "b-tag")
        engine.hold([taken[2]], "a-tag")
        holds = {info.id: info.holds for info in engine.snapshots()}
        assert holds.pop(taken[2]) == ("a-tag", "b-tag")
        assert set(holds.values()) == {()}
        assert engine.content_id(taken[0]) in [info.content for info in engine.snapshots()]

    # -- holds ---------------------------------------------------------------------------------

    def test_a_held_snapshot_is_not_destroyed(self, engine: Engine, folder: Path) -> None:
        write(folder / "f", "first")
        first = engine.snapshot().id
        write(folder / "f", "second")
        second = engine.snapshot().id
        engine.hold([first, second], "sync.to_hub-1")
        engine.hold([first, first], "sync.to_hub-1")
        engine.hold([first], COMMIT_HOLD)
        with pytest.raises(HeldError, match=r"commits need it.*sync\.to_hub-1"):
            engine.destroy(first)
        with pytest.raises(HeldError, match=r"sync\.to_hub-1") as caught:
            engine.destroy(second)
        assert "commit" not in str(caught.value)
        engine.release([first, second, "0" * 64, "no id"], "sync.to_hub-1")
        with pytest.raises(HeldError, match="commits need it"):
            engine.destroy(first)
        assert engine.exists(first)
        engine.destroy(second)
        engine.release([first], COMMIT_HOLD)
        engine.release([first], COMMIT_HOLD)
        engine.destroy(first)
        assert engine.snapshots() == []

    def test_holds_outlive_the_engine(self, folder: Path, tmp_path: Path, engine: Engine) -> None:
        write(folder / "f", "first")
        snapshot = engine.snapshot().id
        engine.hold([snapshot], "tag")
        engine.close()
        other = self.make(folder, tmp_path / "place")
        with pytest.raises(HeldError):
            other.destroy(snapshot)
        assert other.snapshots()[0].holds == ("tag",)
        other.release([snapshot], "tag")
        other.destroy(snapshot)
        other.close()

    def test_all_are_held_or_none(self, engine: Engine, folder: Path) -> None:
        write(folder / "f", "first")
        snapshot = engine.snapshot().id
        with pytest.raises(SnapshotNotFoundError):
            engine.hold([snapshot, "0" * 64], "tag")
        assert engine.snapshots()[0].holds == ()
        engine.destroy(snapshot)

    @pytest.mark.parametrize("tag", ["", ".", "..", "a/b", "../x", "a b", "ä", "a\n", "x" * 200])
    def test_what_is_no_tag(self, engine: Engine, folder: Path, tag: str) -> None:
        write(folder / "f", "first")
        snapshot = engine.snapshot().id
        with pytest.raises(SnapshotError, match="tag"):
            engine.hold([snapshot], tag)
        with pytest.raises(SnapshotError, match="tag"):
            engine.release([snapshot], tag)
        assert engine.snapshots()[0].holds == ()

    # -- destroying ----------------------------------------------------------------------------

    def test_a_destroyed_snapshot_is_gone(
        self, engine: Engine, folder: Path, tmp_path: Path
    ) -> None:
        write(folder / "same", "same")
        write(folder / "f", "first")
        first = engine.snapshot().id
        state = state_of(folder)
        write(folder / "f", "second")
        second = engine.snapshot().id
        engine.destroy(first)
        assert not engine.exists(first)
        assert [info.id for info in engine.snapshots()] == [second]
        with pytest.raises(SnapshotNotFoundError):
            engine.list(first)
        with pytest.raises(SnapshotNotFoundError):
            engine.destroy(first)
        with pytest.raises(SnapshotNotFoundError):
            engine.destroy("../snapshots")
        self.make_old(engine)
        engine.gc([second])
        assert engine.verify([second]) == []
        # the same content again is a snapshot again
        write(folder / "f", "first")
        third = engine.snapshot().id
        assert engine.verify([third]) == []
        engine.restore(third, tmp_path / "out")
        assert {p: v[:3] for p, v in state_of(tmp_path / "out").items()} == {
            p: v[:3] for p, v in state.items()
        }

    def test_gc_frees_what_was_destroyed(self, engine: Engine, folder: Path) -> None:
        write(folder / "f", random.Random(8).randbytes(2_000_000))
        first = engine.snapshot().id
        (folder / "f").unlink()
        second = engine.snapshot().id
        engine.destroy(first)
        engine.gc([second])
        assert engine.usage().stored_bytes < 1_000_000

    def test_gc_holds_what_is_kept(self, engine: Engine, folder: Path) -> None:
        taken = []
        for number in range(4):
            write(folder / "f", random.Random(number).randbytes(100_000))
            taken.append(engine.snapshot().id)
        engine.hold([taken[0]], "tag")
        engine.hold([taken[1]], COMMIT_HOLD)
        self.make_old(engine)
        engine.gc([taken[2], taken[3]])
        holds = {info.id: info.holds for info in engine.snapshots()}
        assert holds == {taken[0]: ("tag",), taken[2]: (COMMIT_HOLD,), taken[3]: (COMMIT_HOLD,)}
        assert engine.verify(holds) == []
        with pytest.raises(HeldError):
            engine.destroy(taken[2])
        engine.release([taken[0]], "tag")
        engine.gc([taken[3]])
        assert {info.id: info.holds for info in engine.snapshots()} == {taken[3]: (COMMIT_HOLD,)}

    def test_gc_of_what_is_not_there_changes_nothing(self, engine: Engine, folder: Path) -> None:
        write(folder / "f", "first")
        first = engine.snapshot().id
        write(folder / "f", "second")
        second = engine.snapshot().id
        engine.hold([second], COMMIT_HOLD)
        self.make_old(engine)
        with pytest.raises(SnapshotError, match="Nothing was dropped"):
            engine.gc([first, "0" * 64])
        assert engine.exists(first)
        assert {info.id: info.holds for info in engine.snapshots()}[second] == (COMMIT_HOLD,)
