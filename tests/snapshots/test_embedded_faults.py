# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Faults done for real: killed processes, flipped bits, cut files."""

from __future__ import annotations

import contextlib
import io
import json
import os
import random
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from chance import often, seeded
from killing import END, killed
from snapshot_helpers import State, settle, state_of, write
from transfer_helpers import shrink, some_files

from dotscience_jupyter.snapshots import (
    CorruptStoreError,
    EmbeddedEngine,
    SnapshotError,
    TransferError,
)
from dotscience_jupyter.snapshots.embedded import capture, database, objects, output, pipeline

pytestmark = pytest.mark.fault

KILLS = often(80, 3000)


def tell(to: int, line: str) -> None:
    os.write(to, f"{line}\n".encode())


class Kills:
    """Has processes killed while they work.

    Of those that come to an end, how long each is let live follows from how far the ones before it
    came, so that on any machine about half of them are killed before they are done.
    """

    def __init__(self) -> None:
        self.rand = seeded()
        self.span = 0.1  # seconds
        self.begun = self.midway = 0

    def run(self, work: Callable[[Callable[[str], None]], None]) -> list[str]:
        """Return what one said before it was killed, and END if it was done.

        Three of four are waited for until they say something, however slow the machine is.
        """
        said = killed(
            lambda out: work(partial(tell, out)),
            self.rand.uniform(0.0, self.span),
            told=self.rand.random() < 0.75,
        )
        self.begun += "begin" in said
        self.midway += "begin" in said and END not in said
        if "begin" in said:
            self.span = min(max(self.span * (0.9 if END in said else 1.1), 0.002), 1.0)
        return said


def content_at(step: int) -> dict[str, bytes]:
    """What the folder of the process that gets killed holds after a step."""
    rand = random.Random(step)
    files = {f"d{step % 3}/{number}": rand.randbytes(rand.randrange(20_000)) for number in range(5)}
    files["large"] = random.Random(step // 2).randbytes(60_000)
    files["same"] = b"same"
    return files


def work_until_killed(folder: Path, place: Path, step: int, say: Callable[[str], None]) -> None:
    """Change, snapshot, say so, and clean up now and then, for ever."""
    engine = EmbeddedEngine(folder, place, grace=0.0)
    taken: list[str] = []
    while True:
        step += 1
        files = content_at(step)
        for path in folder.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        for name, data in files.items():
            write(folder / name, data)
        taken.append(engine.snapshot().id)
        say(json.dumps(["taken", taken[-1], step]))
        if step % 4 == 0:
            taken = taken[-2:]
            say(json.dumps(["keep", taken, step]))
            engine.gc(taken)


def test_killed_at_any_instant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every snapshot that was returned, and not given up to gc, is there bit for bit."""
    monkeypatch.setattr(capture, "CHUNK", 16 << 10)  # more parts, more instants
    monkeypatch.setattr(pipeline, "SLAB", 24 << 10)
    monkeypatch.setattr(output, "BLOCK", 16 << 10)
    monkeypatch.setattr(database, "PACK_LIMIT", 64 << 10)
    monkeypatch.setattr(database, "MERGE_FROM", 6)
    folder, place = tmp_path / "work", tmp_path / "store"
    folder.mkdir()
    kills = Kills()
    good: dict[str, int] = {}
    step = 0
    returned = 0
    for kill in range(KILLS):
        said = kills.run(partial(work_until_killed, folder, place, step))
        for what, value, at in map(json.loads, said):
            step = max(step, at)
            if what == "taken":
                good[value] = at
                returned += 1
            else:
                good = {snapshot: good[snapshot] for snapshot in value}
        engine = EmbeddedEngine(folder, place)
        assert engine.verify(good) == []
        # what is verified is what was frozen: of all of them now and then, of the last one always
        for number, (snapshot, at) in enumerate(list(good.items())[-1 if kill % 4 else None :]):
            out = tmp_path / f"out-{kill}-{number}"
            engine.restore(snapshot, out)
            found = {p: value[2] for p, value in state_of(out).items() if value[0] == "file"}
            assert found == content_at(at)
            shutil.rmtree(out)
        # what the killed one left does not disturb the next snapshot
        current = engine.snapshot().id
        engine.restore(current, tmp_path / "now")
        assert state_of(tmp_path / "now") == state_of(folder)
        shutil.rmtree(tmp_path / "now")
        engine.close()
    assert returned >= KILLS // 2
    engine = EmbeddedEngine(folder, place, grace=0.0)
    engine.gc(good)
    assert engine.verify(good) == []
    assert list((place / "tmp").iterdir()) == []


def test_killed_while_it_collects(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that does nothing but gc: what is kept is whole, and the next one completes it."""
    monkeypatch.setattr(database, "PACK_LIMIT", 32 << 10)
    folder, place = tmp_path / "work", tmp_path / "store"
    kills = Kills()
    states: dict[str, State] = {}
    freed = 0

    def collect(say: Callable[[str], None]) -> None:
        engine = EmbeddedEngine(folder, place, grace=0.0)
        say("begin")
        say(f"{engine.gc(states)}")

    folder.mkdir()
    for kill in range(KILLS):
        with contextlib.closing(EmbeddedEngine(folder, place, grace=0.0)) as engine:
            for number in range(3):  # each leaves garbage in what is kept of the others
                for name in ("a", "b", "c"):
                    if kills.rand.random() < 0.5 or not kill:
                        write(folder / name, kills.rand.randbytes(kills.rand.randrange(20_000)))
                write(folder / "last", f"{kill} {number}")
                states[engine.snapshot().id] = state_of(folder)
        states = dict(list(states.items())[-2:])
        said = kills.run(collect)
        freed += END in said and int(said[1]) > 0
        with contextlib.closing(EmbeddedEngine(folder, place, grace=0.0)) as engine:
            assert engine.verify(states) == []
            assert engine.verify(info.id for info in engine.snapshots()) == []
            last = list(states)[-1]
            engine.restore(last, tmp_path / "out")
            assert state_of(tmp_path / "out") == states[last]
            shutil.rmtree(tmp_path / "out")
            if kill % 8 == 7:
                engine.gc(states)
                assert {info.id for info in engine.snapshots()} == set(states)
                assert list((place / "tmp").iterdir()) == []
    assert kills.midway >= KILLS // 4, "too few kills fell into a collection"
    assert freed, "none was ever completed"


# -- damage --------------------------------------------------------------------------------------


class Damaged:
    """A small store with every kind of object, and what it holds."""

    def __init__(self, folder: Path, place: Path) -> None:
        self.folder, self.place, self.checks = folder, place, 0
        write(folder / "small", b"small content")
        write(folder / "text", b"line after line\n" * 40)
        write(folder / "large", random.Random(1).randbytes(9000))
        write(folder / "d" / "below", b"below")
        (folder / "link").symlink_to("small")
        for number in range(12):
            write(folder / "many" / f"{number}", b"%d" % number)
        settle()
        engine = EmbeddedEngine(folder, place)
        self.states = {engine.snapshot().id: state_of(folder)}
        write(folder / "small", b"other content")
        self.states[engine.snapshot().id] = state_of(folder)
        settle()
        engine.snapshot()
        engine.close()

    def check(self, out: Path) -> bool:
        """Whether the damage is noticed; if it is not, then nothing may be wrong."""
        try:
            engine = EmbeddedEngine(self.folder, self.place)
        except SnapshotError:
            return True
        noticed = bool(engine.verify(self.states))
        self.checks += 1
        if noticed and self.checks % 4:
            return True  # a sample will do of what restores make of it
        for number, (snapshot, state) in enumerate(self.states.items()):
            try:
                engine.restore(snapshot, out / str(number))
            except SnapshotError:
                assert noticed, "verify is content with what cannot be restored"
                assert not (out / str(number)).exists()
            else:
                assert state_of(out / str(number)) == state
        shutil.rmtree(out, ignore_errors=True)
        return noticed


@pytest.fixture
def damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Damaged:
    monkeypatch.setattr(capture, "CHUNK", 1024)
    monkeypatch.setattr(objects, "PAGED_FROM", 6)
    monkeypatch.setattr(objects.zlib, "crc32", lambda data: 0x100 * len(data) + data[-1] % 4)
    (tmp_path / "work").mkdir()
    return Damaged(tmp_path / "work", tmp_path / "store")


def test_every_flipped_bit_of_a_pack_is_found(damaged: Damaged, tmp_path: Path) -> None:
    rand = random.Random(5)
    for pack in sorted((damaged.place / "packs").iterdir()):
        whole = pack.read_bytes()
        # every byte of the first and the last parts, a sample of what is between
        places = {*range(60), *range(len(whole) - 100, len(whole))}
        places |= set(rand.sample(range(len(whole)), 60))
        for place in sorted(places):
            data = bytearray(whole)
            data[place] ^= 1 << rand.randrange(8)
            pack.write_bytes(data)
            assert damaged.check(tmp_path / "out"), (pack.name, place, len(whole))
        pack.write_bytes(whole)
    assert not damaged.check(tmp_path / "out")


def test_every_cut_pack_is_found(damaged: Damaged, tmp_path: Path) -> None:
    rand = random.Random(6)
    for pack in sorted((damaged.place / "packs").iterdir()):
        whole = pack.read_bytes()
        for length in (0, 7, 8, len(whole) - 1, *rand.sample(range(len(whole)), 20)):
            pack.write_bytes(whole[:length])
            assert damaged.check(tmp_path / "out"), (pack.name, length)
        pack.unlink()
        assert damaged.check(tmp_path / "out"), "a pack is gone"
        pack.write_bytes(whole)
    assert not damaged.check(tmp_path / "out")


@pytest.mark.parametrize("name", ["format", "generation", "stat-cache"])
def test_damage_to_other_files_is_found_or_harmless(
    damaged: Damaged, tmp_path: Path, name: str
) -> None:
    path = damaged.place / name
    whole = path.read_bytes()
    rand = random.Random(8)
    for place in rand.sample(range(len(whole)), min(len(whole), 60)):
        data = bytearray(whole)
        data[place] ^= 1 << rand.randrange(8)
        path.write_bytes(data)
        if damaged.check(tmp_path / "out"):
            continue
        engine = EmbeddedEngine(damaged.folder, damaged.place)
        snapshot = engine.snapshot().id
        assert snapshot == list(damaged.states)[-1]
        assert engine.verify([snapshot]) == []
        engine.close()


def test_a_lost_list_entry_is_found(damaged: Damaged, tmp_path: Path) -> None:
    snapshot = next(iter(damaged.states))
    (damaged.place / "snapshots" / snapshot).unlink()
    assert damaged.check(tmp_path / "out")


def test_problems_name_the_paths(damaged: Damaged, tmp_path: Path) -> None:
    """One damaged chunk spoils exactly the files that hold it, in every snapshot that has them."""
    engine = EmbeddedEngine(damaged.folder, damaged.place)
    first, second = damaged.states
    digest = bytes.fromhex(engine.entry(first, "small").digest)
    found = engine._database.find(digest)
    assert found is not None
    pack, at = found
    with open(pack.path, "r+b") as file:
        file.seek(pack.offset(at) + pack.stored(at) - 1)
        file.write(b"!")
    assert [(p.snapshot, p.path) for p in engine.verify([first, second])] == [(first, "small")]
    with pytest.raises(CorruptStoreError, match="Nothing was restored"):
        engine.restore(first, tmp_path / "out")
    # the rest is still there for the asking
    engine.restore(first, tmp_path / "out", ["large", "d", "many"])
    assert (tmp_path / "out" / "large").read_bytes() == (damaged.folder / "large").read_bytes()

    digest = bytes.fromhex(engine.entry(first, "text").digest)
    found = engine._database.find(digest)
    assert found is not None
    pack, at = found
    with open(pack.path, "r+b") as file:
        file.seek(pack.offset(at) + pack.stored(at) - 1)
        file.write(b"!")
    problems = {(p.snapshot, p.path) for p in engine.verify([first, second])}
    assert problems == {(first, "small"), (first, "text"), (second, "text")}


def test_damaged_content_is_stored_again_when_it_comes_back(tmp_path: Path) -> None:
    """A whole copy serves where another one is damaged, and gc does not keep the bad one."""
    folder, place = tmp_path / "work", tmp_path / "store"
    write(folder / "f", random.Random(1).randbytes(5000))
    engine = EmbeddedEngine(folder, place, grace=0.0)
    first = engine.snapshot().id
    (pack,) = engine._database.packs
    aside = tmp_path / "aside"
    os.rename(pack.path, aside)
    again = EmbeddedEngine(folder, place, grace=0.0)
    (place / "stat-cache").unlink(missing_ok=True)
    again = EmbeddedEngine(folder, place, grace=0.0)
    assert again.snapshot().id == first
    data = bytearray(aside.read_bytes())
    data[100] ^= 1
    Path(pack.path).write_bytes(data)
    both = EmbeddedEngine(folder, place, grace=0.0)
    problems = both.verify([first])
    assert problems
    assert all(problem.path.startswith("packs/") for problem in problems), "no content is lost"
    both.gc([first])
    both.restore(first, tmp_path / "out")
    assert state_of(tmp_path / "out") == state_of(folder)


# -- damage to every kind of file ----------------------------------------------------------------

PARTS = ("packs", "snapshots", "holds", "equal", "partial", "tmp", "")
FOREIGN = "btrfs-00000000-0000-0000-0000-000000000001"


class Everything:
    """A store with a file of every kind, and what it holds."""

    def __init__(self, top: Path, patch: pytest.MonkeyPatch) -> None:
        shrink(patch)
        self.folder, self.place = top / "work", top / "store"
        for name, content in some_files(1).items():
            write(self.folder / name, content)
        settle()
        self.states: dict[str, State] = {}
        with self.engine() as engine:
            for text in ("one", "two"):
                write(self.folder / "d" / "changed", text)
                self.states[engine.snapshot().id] = state_of(self.folder)
            settle()
            self.last = engine.snapshot().id
            engine.settle()
            engine.hold(self.states, "tag")
            engine.equate(FOREIGN, self.last, engine.content_id(self.last))
        # one that is cut, and objects that arrived on their own
        write(top / "other" / "much", random.Random(2).randbytes(40_000))
        stream, objects = io.BytesIO(), io.BytesIO()
        sender = EmbeddedEngine(top / "other", top / "sender")
        with contextlib.closing(sender), self.engine() as engine:
            self.arriving = sender.snapshot().id
            sender.send(self.arriving, stream)
            self.stream = stream.getvalue()
            with pytest.raises(TransferError):
                engine.receive(io.BytesIO(self.stream[:30_000]))
            write(top / "other" / "more", random.Random(3).randbytes(5000))
            sender.pack(list(sender.needed(sender.snapshot().id, engine.missing)), objects)
            engine.unpack(io.BytesIO(objects.getvalue()))
        write(self.place / "tmp" / ("0" * 32), b"what a killed writer left")

    def engine(self) -> contextlib.closing[EmbeddedEngine]:
        return contextlib.closing(EmbeddedEngine(self.folder, self.place, grace=0.0))

    def check(self, out: Path) -> bool:
        """Whether damage is noticed; if it is not, nothing may be wrong."""
        try:
            engine = EmbeddedEngine(self.folder, self.place, grace=0.0)
        except SnapshotError:
            return True
        with contextlib.closing(engine):
            known = engine.equal(FOREIGN)
            foreign = [FOREIGN] if known != FOREIGN else []
            if engine.verify([*self.states, *foreign]):
                return True
            assert known in (self.last, FOREIGN)
            for number, (snapshot, state) in enumerate(self.states.items()):
                engine.restore(snapshot, out / str(number))
                assert state_of(out / str(number)) == state
            shutil.rmtree(out)
            # nothing of it is in the way of anything
            assert engine.snapshot().id == self.last
            assert engine.receive(io.BytesIO(self.stream)) == self.arriving
            engine.gc([*self.states, self.arriving])
            # of what arrived a copy may have been damaged, which was stored again
            problems = engine.verify([*self.states, self.arriving])
            assert all(problem.path.startswith("packs/") for problem in problems)
        return False


@pytest.mark.parametrize("part", PARTS, ids=[part or "top" for part in PARTS])
def test_every_kind_of_file_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    """Flipped bits, a cut, and bytes too many, in whatever files a store has."""
    whole = Everything(tmp_path, monkeypatch)
    rand = seeded()
    paths = [path for path in sorted((whole.place / part).iterdir()) if path.is_file()]
    assert paths
    ready = tmp_path / "ready"
    os.rename(whole.place, ready)
    noticed = 0
    for path in rand.sample(paths, min(len(paths), often(8, len(paths)))):
        data = (ready / part / path.name).read_bytes()
        spoilt = [data + b"!", data[: len(data) // 2], data[:-1], b""] if data else [b"!"]
        for _ in range(often(2, 100) if data else 0):
            flipped = bytearray(data)
            flipped[rand.randrange(len(data))] ^= 1 << rand.randrange(8)
            spoilt.append(bytes(flipped))
        for number, content in enumerate(spoilt):
            shutil.copytree(ready, whole.place)
            (whole.place / part / path.name).write_bytes(content)
            print(part, path.name, number)
            noticed += whole.check(tmp_path / "out")
            shutil.rmtree(whole.place)
    assert noticed or part not in ("packs", "")
