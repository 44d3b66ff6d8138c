# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""What the embedded engine is doing when the power fails, and what it has to keep of it."""

from __future__ import annotations

import io
import json
import os
import random
import shutil
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

import pytest
from chance import often, seeded
from powercut import Recorder, do_not_sync
from snapshot_helpers import State, settle, state_of, write

from dotscience_jupyter.snapshots import COMMIT_HOLD, Edit, EmbeddedEngine
from dotscience_jupyter.snapshots.embedded import capturing, database, intake, objects, settling
from dotscience_jupyter.snapshots.embedded.objects import Root
from dotscience_jupyter.snapshots.embedded.packs import hash_bytes
from dotscience_jupyter.snapshots.embedded.partial import Partial
from dotscience_jupyter.snapshots.embedded.repair import LOST
from dotscience_jupyter.snapshots.embedded.store import FORMAT, Store
from dotscience_jupyter.snapshots.native.ledger import Ledger
from dotscience_jupyter.snapshots.native.manifests import Manifests
from dotscience_jupyter.snapshots.rollback.going_back import HOLD

Check = Callable[[Path, int], None]

STATES = int(os.environ.get("DOTSCIENCE_POWERCUTS", often(100, 0)))
"""Crash states to look at, half of them mixtures; of all moments, with ten mixtures each, if 0."""


@dataclass
class Cut:
    """Something that was recorded.

    Attributes
    ----------
    recorder
        What was done.
    check
        Looks at what is left, in a folder, after so many operations, and goes on from there.
    """

    recorder: Recorder
    check: Check


def look(cut: Cut, place: Path, share: float = 1.0) -> None:
    """Look at crash states, and go on from each of them.

    Parameters
    ----------
    cut
        What was recorded.
    place
        A folder to work in.
    share
        How many of :data:`STATES` to look at.
    """
    rand = seeded()
    recorder = cut.recorder
    ends = range(recorder.begin, len(recorder) + 1)
    corners = [(count, corner) for count in ends for corner in range(4)]
    mixed = [(count, 4) for count in ends for _ in range(10)]
    if STATES:
        some = max(1, int(STATES * share) // 2)
        corners = rand.sample(corners, min(some, len(corners)))
        mixed = rand.sample(mixed, min(some, len(mixed)))
    with pytest.MonkeyPatch.context() as patch:
        do_not_sync(patch)
        for count, how in corners + mixed:
            if how == 4:
                disk = recorder.mixture(count, rand)
            else:
                disk = recorder.disk(count, names=how % 2 > 0, data=how > 1)
            disk.write_to(place / "cut")
            try:
                cut.check(place / "cut", count)
            except Exception as error:
                error.add_note(f"after {count} of {len(recorder)} operations, in way {how}")
                raise
            shutil.rmtree(place / "cut")


def fill(folder: Path, step: int) -> State:
    """Change the folder; return what it holds."""
    rand = random.Random(step)
    for number in range(4):
        write(folder / f"d{number % 2}" / f"{number}", rand.randbytes(rand.randrange(3000)))
    write(folder / "large", random.Random(step // 2).randbytes(300_000))
    write(folder / f"only{step}", f"{step}")
    (folder / f"only{step - 1}").unlink(missing_ok=True)
    return state_of(folder)


def small_parts(patch: pytest.MonkeyPatch) -> None:
    """Let few bytes make many packs."""
    patch.setattr(database, "PACK_LIMIT", 64 << 10)
    patch.setattr(database, "MERGE_FROM", 6)


class History:
    """What was done to a store, and what was promised when."""

    def __init__(self, recorder: Recorder, folder: Path, store: str) -> None:
        self.recorder = recorder
        self.folder = folder
        self.store = store  # where it is on the disk
        self.states: dict[str, State] = {}
        self.given: dict[str, int] = {}  # snapshot -> number of operations when it was returned
        self.dropped: dict[str, int] = {}  # snapshot -> the same when it began to be dropped
        self.destroyed: dict[str, int] = {}  # snapshot -> the same when that was done
        self.held: dict[str, int] = {}
        self.released: dict[tuple[str, str], int] = {}  # snapshot, tag
        self.equals: dict[str, tuple[str, int]] = {}  # of another engine -> snapshot here
        self.arrived: dict[bytes, int] = {}  # objects that were taken in on their own
        self.begun: list[tuple[str, int, int]] = []  # snapshot, objects of it that were saved

    def took(self, snapshot: str, state: State) -> None:
        self.states[snapshot] = state
        self.given.setdefault(snapshot, self.recorder.mark())
        self.dropped.pop(snapshot, None)
        self.destroyed.pop(snapshot, None)

    def drop(self, *snapshots: str) -> None:
        """Note that these are about to be dropped."""
        for snapshot in snapshots:
            self.dropped.setdefault(snapshot, len(self.recorder))
            self.held.pop(snapshot, None)

    def hold(self, *snapshots: str) -> None:
        for snapshot in snapshots:
            self.held.setdefault(snapshot, self.recorder.mark())

    def promised(self, count: int) -> list[str]:
        """Return the snapshots that have to be there after so many operations."""
        return [
            snapshot
            for snapshot, given in self.given.items()
            if given <= count and self.dropped.get(snapshot, count) >= count
        ]

    def check(self, place: Path, count: int) -> None:
        """Open the store, see whether what was promised is kept, and go on."""
        out = place / "out"
        promised = self.promised(count)
        if promised:
            # a program that knows older formats only must not go on with this one
            document = json.loads((place / self.store / "format").read_bytes())
            assert document["format"] == FORMAT
        engine = EmbeddedEngine(self.folder, place / self.store, grace=0.0)
        try:
            assert engine.verify(promised) == []
            for snapshot in promised[-2:]:
                engine.restore(snapshot, out)
                assert state_of(out) == self.states[snapshot]
                shutil.rmtree(out)
            # whatever else is listed is whole as well
            assert engine.verify(info.id for info in engine.snapshots()) == []
            self._check_notes(engine, promised, count)
            whole = {snapshot for snapshot, _, _ in self.begun if engine.exists(snapshot)}
            now = engine.snapshot().id
            # or what is in the stat cache would never be believed again
            assert engine._store.generation() == engine._store.generation()
            engine.settle()
            engine.gc([now, *promised])
            engine.restore(now, out)
            assert state_of(out) == state_of(self.folder)
            shutil.rmtree(out)
            assert engine.verify([now, *promised]) == []
            # gc spares what arrived, although no snapshot needs it yet
            self._check_arrived(engine, count, whole)
        finally:
            engine.close()

    def _check_notes(self, engine: EmbeddedEngine, promised: Collection[str], count: int) -> None:
        # a list of snapshots may name them as another engine does
        holds = engine._store.held()
        for snapshot, at in self.held.items():
            if at <= count and snapshot in promised:
                assert COMMIT_HOLD in holds.get(snapshot, ())
        for (snapshot, tag), at in self.released.items():
            assert at > count or tag not in holds.get(snapshot, ())
        for snapshot, at in self.destroyed.items():
            assert at > count or not engine.exists(snapshot)
        for foreign, (snapshot, at) in self.equals.items():
            assert at > count or engine.equal(foreign) == snapshot
        self._check_arrived(engine, count)

    def _check_arrived(
        self, engine: EmbeddedEngine, count: int, whole: Collection[str] = ()
    ) -> None:
        assert engine.missing([d for d, at in self.arrived.items() if at <= count]) == []
        tokens = engine.partial()
        for snapshot, arrived, at in self.begun:
            if at <= count and snapshot not in whole and not engine.exists(snapshot):
                assert int(tokens[snapshot].split(".")[2]) >= arrived


def recorded(
    place: Path, folder: Path, *, store: str = "store", clones: bool = False
) -> tuple[Recorder, History]:
    """Return what records what is done below ``place/disk``, where a store is to be."""
    (place / "disk").mkdir()
    recorder = Recorder(place / "disk", clones=clones)
    return recorder, History(recorder, folder, store)


def record_snapshots(place: Path, patch: pytest.MonkeyPatch, steps: int = 10) -> Cut:
    """Snapshots, holds and gc."""
    small_parts(patch)
    folder = place / "work"
    folder.mkdir()
    recorder, history = recorded(place, folder)
    with recorder.recording(patch):
        engine = EmbeddedEngine(folder, place / "disk" / "store", grace=0.0)
        for step in range(steps):
            state = fill(folder, step)
            snapshot = engine.snapshot().id
            history.took(snapshot, state)
            if step % 2:
                engine.hold([snapshot], COMMIT_HOLD)
                history.hold(snapshot)
            if step % 4 == 3:
                keep = list(history.given)[-2:]
                history.drop(*list(history.given)[:-2])
                engine.gc(keep)
                history.hold(*keep)
        engine.close()
    assert any(operation.kind == "rename" for operation in recorder.operations)
    return Cut(recorder, history.check)


def record_notes(place: Path, patch: pytest.MonkeyPatch) -> Cut:
    """Holds that are released, a snapshot that is destroyed, what one is elsewhere."""
    folder = place / "work"
    folder.mkdir()
    recorder, history = recorded(place, folder, store="new/store")
    with recorder.recording(patch):
        engine = EmbeddedEngine(folder, place / "disk" / "new" / "store", grace=0.0)
        taken = []
        for step in range(2):
            state = fill(folder, step)
            taken.append(engine.snapshot().id)
            history.took(taken[-1], state)
        first, second = taken
        # a copy may leave out folders in which nothing is
        os.rmdir(place / "disk" / "new" / "store" / "holds")
        engine.hold([second], COMMIT_HOLD)
        history.hold(second)
        engine.hold([first], "test")
        engine.release([first], "test")
        history.released[first, "test"] = recorder.mark()
        engine.equate("zfs-1", second, engine.content_id(second))
        history.equals["zfs-1"] = second, recorder.mark()
        history.drop(first)
        engine.destroy(first)
        history.destroyed[first] = recorder.mark()
        engine.close()
    return Cut(recorder, history.check)


def record_dropping(place: Path, patch: pytest.MonkeyPatch) -> Cut:
    """What the stat cache knows of the folder as it is goes, since no snapshot has it any more."""
    folder = place / "work"
    folder.mkdir()
    recorder, history = recorded(place, folder)
    with recorder.recording(patch):
        write(folder / "f", "first" * 100)
        settle()
        engine = EmbeddedEngine(folder, place / "disk" / "store", grace=0.0)
        history.took(engine.snapshot().id, state_of(folder))
        write(folder / "f", "second" * 100)
        settle()
        first, second = [*history.given, engine.snapshot().id]
        history.took(second, state_of(folder))
        engine.close()
        engine = EmbeddedEngine(folder, place / "disk" / "store", grace=0.0)
        history.drop(second)
        engine.gc([first])
        history.hold(first)
        engine.close()
    return Cut(recorder, history.check)


def record_receiving(place: Path, patch: pytest.MonkeyPatch) -> Cut:
    """Snapshots that arrive in steps."""
    small_parts(patch)
    patch.setattr(intake, "STEP_BYTES", 100_000)
    folder, other = place / "work", place / "other"
    folder.mkdir()
    other.mkdir()
    streams: list[tuple[str, State, bytes]] = []
    base: str | None = None
    (place / "from").mkdir()
    with Recorder(place / "from", clones=True).recording(patch), patch.context() as inner:
        inner.setattr(capturing, "BUDGET", 0)
        sender = EmbeddedEngine(folder, place / "from" / "store")
        for step in range(3):
            state = fill(folder, step)
            if step == 1:
                settle()  # so that it is captured
            snapshot = sender.snapshot().id
            sender.settle()
            stream = io.BytesIO()
            sender.send(snapshot, stream, base)
            streams.append((snapshot, state, stream.getvalue()))
            base = snapshot
        sender.close()
    assert list((place / "from" / "store" / "captures").iterdir())
    recorder, history = recorded(place, other)
    real = Partial.save

    def save(this: Partial) -> None:
        real(this)
        history.begun.append((this._snapshot, this.count, recorder.mark()))

    with recorder.recording(patch), patch.context() as inner:
        inner.setattr(Partial, "save", save)
        receiver = EmbeddedEngine(other, place / "disk" / "store", grace=0.0)
        for snapshot, state, sent in streams:
            assert receiver.receive(io.BytesIO(sent)) == snapshot
            history.took(snapshot, state)
        receiver.close()
    assert len(history.begun) > len(streams), "some came in several steps"
    return Cut(recorder, history.check)


def edits_of(step: int) -> list[Edit]:
    rand = random.Random(step)
    edits = [Edit(f"d{step % 2}/{n}", rand.randbytes(3000), mtime_ns=step) for n in range(3)]
    large = io.BytesIO(random.Random(step // 2).randbytes(200_000))
    return [*edits, Edit("large", large, mtime_ns=step // 2)]


def record_editing(place: Path, patch: pytest.MonkeyPatch) -> Cut:
    """Snapshots made of others, without a folder."""
    small_parts(patch)
    folder = place / "work"
    folder.mkdir()
    states: list[State] = []
    base: str | None = None
    twin = EmbeddedEngine.open_store(place / "twin")
    for step in range(6):
        base = twin.edit(base, edits_of(step)).id
        twin.restore(base, place / f"state{step}")
        states.append(state_of(place / f"state{step}"))
    twin.close()
    recorder, history = recorded(place, folder)
    base = None
    with recorder.recording(patch):
        engine = EmbeddedEngine.open_store(place / "disk" / "store", grace=0.0)
        for step, state in enumerate(states):
            base = engine.edit(base, edits_of(step)).id
            history.took(base, state)
            if step % 3 == 2:
                history.drop(*list(history.given)[:-1])
                engine.gc([base])
        engine.close()
    return Cut(recorder, history.check)


def record_exchanging(place: Path, patch: pytest.MonkeyPatch) -> Cut:
    """Objects that arrive on their own, and the snapshots that they are."""
    small_parts(patch)
    folder = place / "work"
    folder.mkdir()
    sender = EmbeddedEngine(folder, place / "sender")
    receiver = EmbeddedEngine.open_store(place / "other", grace=0.0)
    streams: list[tuple[str, State, list[bytes], bytes]] = []
    for step in range(3):
        state = fill(folder, step)
        snapshot = sender.snapshot().id
        ids = list(sender.needed(snapshot, receiver.missing))
        stream = io.BytesIO()
        sender.pack(ids, stream)
        streams.append((snapshot, state, ids, stream.getvalue()))
        receiver.unpack(io.BytesIO(stream.getvalue()))
    receiver.close()
    sender.close()
    # or what is there now would be stored when the store is looked at
    shutil.rmtree(folder)
    folder.mkdir()
    recorder, history = recorded(place, folder)
    with recorder.recording(patch):
        receiver = EmbeddedEngine.open_store(place / "disk" / "store", grace=0.0)
        for snapshot, state, ids, data in streams:
            receiver.unpack(io.BytesIO(data))
            history.arrived.update(dict.fromkeys(ids, recorder.mark()))
            assert receiver.adopt([snapshot], COMMIT_HOLD) == []
            history.took(snapshot, state)
            history.hold(snapshot)
        receiver.close()
    return Cut(recorder, history.check)


def record_captures(place: Path, patch: pytest.MonkeyPatch, *, clones: bool = True) -> Cut:
    """Snapshots that share blocks with the live files and are hashed later, in steps.

    ``clones`` is for file systems that cannot do that: see :class:`Recorder`.
    """
    small_parts(patch)
    patch.setattr(capturing, "BUDGET", 0)
    patch.setattr(settling, "_STEP_BYTES", 40_000)
    folder = place / "work"
    folder.mkdir()
    recorder, history = recorded(place, folder, clones=clones)
    with recorder.recording(patch):
        engine = EmbeddedEngine(folder, place / "disk" / "store", grace=0.0)
        for step in range(4):
            for number in range(5):
                data = random.Random(step // (1 + number)).randbytes(9000 * number)
                write(folder / f"{number}", data)
            write(folder / "large", random.Random(step).randbytes(1_100_000 if step == 1 else 70))
            settle()
            history.took(engine.snapshot().id, state_of(folder))
            if step % 2:
                engine.settle()
                recorder.mark()
            if step == 2:
                keep = list(history.given)[-2:]
                history.drop(*list(history.given)[:-2])
                engine.gc(keep)
                history.hold(*keep)
        engine.close()
    made = {os.path.splitext(op.to)[1] for op in recorder.operations if op.kind == "rename"}
    assert {".cap", ".map"} <= made
    return Cut(recorder, history.check)


def record_beside(place: Path, patch: pytest.MonkeyPatch) -> Cut:
    """What is written down of snapshots that a file system takes."""
    (place / "disk").mkdir()
    recorder = Recorder(place / "disk")
    tree = objects.FOLDER_MAGIC + objects.encode_file("f", 0o644, 0, 4, hash_bytes(b"test"), b"", 0)
    with recorder.recording(patch):
        store = Store(place / "disk" / "store", "zfs")
        ledger = Ledger(store)
        ledger.hold(["zfs-1", "zfs-2"], "test")
        held = recorder.mark()
        ledger.release(["zfs-1"], "test")
        released = recorder.mark()
        manifests = Manifests(store)
        root = Root(0o755, 0, 1, 4, hash_bytes(tree))
        manifest = manifests.add("zfs-2", root, [(root.tree, tree)], [])
        kept = recorder.mark()

    def check(left: Path, count: int) -> None:
        store = Store(left / "store", "zfs")
        ledger, manifests = Ledger(store), Manifests(store)
        assert count < held or "zfs-2" in ledger.held()
        assert count < released or "zfs-1" not in ledger.held()
        found = manifests.find("zfs-2")
        assert found == manifest or (count < kept and not found)
        if found:
            manifests.check(found)

    return Cut(recorder, check)


def damage(path: Path, content: bytes | None = None) -> None:
    """Flip a bit of what a file holds, in the middle of some bytes, or in the last byte."""
    data = bytearray(path.read_bytes())
    data[-1 if content is None else data.index(content) + len(content) // 2] ^= 1
    path.write_bytes(data)


def pack_with(store: Path, content: bytes) -> Path:
    """Return the pack that has these bytes as they are."""
    return next(path for path in (store / "packs").iterdir() if content in path.read_bytes())


def record_repair(place: Path, patch: pytest.MonkeyPatch) -> Cut:
    """Two damaged packs, a damaged map of captures, and a snapshot that fell off the list."""
    folder, store = place / "work", place / "disk" / "store"
    only_old, live = (random.Random(seed).randbytes(60) for seed in (7, 8))
    ids: list[str] = []
    (place / "disk").mkdir()
    with Recorder(place / "disk", clones=True).recording(patch), patch.context() as inner:
        inner.setattr(capturing, "BUDGET", 0)
        for step in range(3):
            write(folder / ("live" if step else "old"), live if step else only_old)
            write(folder / "captured", random.Random(step).randbytes(9000))
            write(folder / "edited", b"step %d" % step * 9)
            if step:
                (folder / "old").unlink(missing_ok=True)
            settle()
            engine = EmbeddedEngine(folder, store, grace=0.0)
            ids.append(engine.snapshot().id)
            engine.settle()
            engine.close()
    damaged = [pack_with(store, only_old), pack_with(store, live)]
    damage(damaged[0], only_old)
    damage(damaged[1], live)
    damaged.append(sorted((store / "captures").iterdir())[0])
    damage(damaged[2])
    (store / "snapshots" / ids[1]).unlink()
    spoilt = {path.name: path.read_bytes() for path in damaged}

    def problems(engine: EmbeddedEngine) -> set[tuple[str, str]]:
        return {(problem.snapshot, problem.path) for problem in engine.verify(ids)}

    engine = EmbeddedEngine(folder, store, grace=0.0)
    before = problems(engine)
    engine.close()
    recorder = Recorder(place / "disk")
    recorder.adopt()
    with recorder.recording(patch):
        engine = EmbeddedEngine(folder, store, grace=0.0)
        lost = {(problem.snapshot, problem.path) for problem in engine.repair(ids).lost}
        done = recorder.mark()
        engine.close()
    assert lost
    assert lost < before

    def check(left: Path, count: int) -> None:
        for name, data in spoilt.items():
            kept = [left / "store" / part / name for part in (LOST, "packs", "captures")]
            assert any(path.is_file() and path.read_bytes() == data for path in kept)
        engine = EmbeddedEngine(folder, left / "store", grace=0.0)
        try:
            found = problems(engine)
            # of a snapshot that could not be found nothing was known
            assert {each for each in found if (each[0], "") not in before} <= before
            assert found == lost or count < done
            new = {info.id for info in engine.snapshots()} - {*ids}
            assert not [problem for problem in engine.verify(new) if problem.snapshot]
            again = engine.repair(ids).lost
            assert {(problem.snapshot, problem.path) for problem in again} == lost
            assert problems(engine) == lost
            now = engine.snapshot().id
            assert engine.verify([now]) == []
            engine.restore(now, left / "out")
            assert state_of(left / "out") == state_of(folder)
        finally:
            engine.close()

    return Cut(recorder, check)


def some(folder: Path) -> None:
    """A few files, for a rollback."""
    for name in ("edit", "gone", "d/edit", "to-folder"):
        write(folder / name, name * 30)
    write(folder / "large", random.Random(1).randbytes(1_100_000))


def others(folder: Path) -> None:
    """Change them."""
    (folder / "gone").unlink()
    write(folder / "edit", "other" * 30)
    write(folder / "d" / "edit", "other")
    write(folder / "large", "small")
    (folder / "to-folder").unlink()
    write(folder / "to-folder" / "new", "new")


def record_rollback(
    place: Path,
    patch: pytest.MonkeyPatch,
    make: Callable[[Path], None] = some,
    change: Callable[[Path], object] = others,
) -> Cut:
    """Going back to what a folder was; it and the store are on one disk."""
    folder = place / "disk" / "work"
    folder.mkdir(parents=True)
    make(folder)
    engine = EmbeddedEngine(folder, place / "disk" / "store", grace=0.0)
    target = engine.snapshot().id
    then = state_of(folder)
    change(folder)
    settle()
    now = state_of(folder)
    engine.close()
    recorder = Recorder(place / "disk")
    recorder.adopt()
    with recorder.recording(patch):
        engine = EmbeddedEngine(folder, place / "disk" / "store", grace=0.0)
        before = engine.rollback(target).id
        recorder.mark()
        engine.close()
    assert state_of(folder) == then
    contents: dict[str, set[object]] = {}
    for state in (then, now):
        for path, what in state.items():
            if what[0] == "file":
                contents.setdefault(path, set()).add(what[2])
    held = f"store/holds/{before}.{HOLD}"
    touched = next(
        number
        for number, op in enumerate(recorder.operations)
        if op.kind in ("rename", "unlink") and _is_live(op.to or op.path)
    )
    released = next(
        number
        for number, op in enumerate(recorder.operations)
        if op.kind == "unlink" and op.path == held
    )
    for number in range(touched, released):
        recorder.marks.add(number)

    def check(left: Path, count: int) -> None:
        for path, what in state_of(left / "work").items():
            if what[0] == "file" and _is_live(f"work/{path}"):
                assert what[2] in contents[path], path
        engine = EmbeddedEngine(left / "work", left / "store", grace=0.0)
        try:
            both = [target]
            if touched < count <= released:
                # nobody learnt that there is one
                engine.gc([target])
            if count > touched:
                both.append(before)
                engine.hold([before], "test")
            assert engine.verify(both) == []
            states = {target: then, before: now}
            for snapshot in both if count % 2 else reversed(both):
                engine.rollback(snapshot)
                assert state_of(left / "work") == states[snapshot]
        finally:
            engine.close()

    return Cut(recorder, check)


def _is_live(path: str) -> bool:
    """Whether a path is one of the user's."""
    return path.startswith("work/") and not path.startswith("work/.dotscience")


def record_removing(place: Path, patch: pytest.MonkeyPatch) -> Cut:
    """Going back where nothing comes, so that there is nothing but the hold to be synced."""
    return record_rollback(place, patch, some, lambda folder: write(folder / "new", "new"))


RECORDS: dict[str, Callable[[Path, pytest.MonkeyPatch], Cut]] = {
    "dropping": record_dropping,
    "notes": record_notes,
    "snapshots": record_snapshots,
    "receiving": record_receiving,
    "exchanging": record_exchanging,
    "captures": record_captures,
    "repair": record_repair,
    "rollback": record_rollback,
    "removing": record_removing,
    "beside": record_beside,
}
"""What together syncs wherever something is synced."""
