# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Archives: what is unpacked of them, what is refused, and folders sent as archives."""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dotscience_jupyter.hub.original import tars
from dotscience_jupyter.hub.original.store import Frozen
from dotscience_jupyter.hub.original.tars import Archive, ArchiveError, packed
from dotscience_jupyter.snapshots import Edit, EmbeddedEngine, Kind, SnapshotError


def member(name: str, data: bytes | None = None, kind: bytes = b"", link: str = "") -> tuple:
    info = tarfile.TarInfo(name)
    info.mtime = 1_600_000_000
    if data is not None:
        info.size = len(data)
    elif not kind:
        info.type = tarfile.DIRTYPE
    if kind:
        info.type = kind
    info.linkname = link
    return info, data


def archive(*members: tuple, **options: object) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", **options) as tar:
        for info, data in members:
            tar.addfile(info, None if data is None else io.BytesIO(data))
    return file.getvalue()


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedEngine]:
    opened = EmbeddedEngine.open_store(tmp_path_factory.mktemp("store") / "store")
    yield opened
    opened.close()


class _Project:
    def __init__(self, engine: EmbeddedEngine) -> None:
        self.engine = engine


def unpacked(engine: EmbeddedEngine, data: bytes, to: str = "to") -> dict[str, object]:
    """What a snapshot holds below ``to`` once an archive was unpacked there."""
    made = engine.edit(None, Archive(io.BytesIO(data)).edits(to))
    found: dict[str, object] = {}
    for entry in engine.walk(made.id, to):
        path = entry.path[len(to) + 1 :]
        if entry.kind is Kind.FILE:
            with engine.open(made.id, entry.path) as file:
                found[path] = file.read()
        else:
            found[path] = entry.target if entry.kind is Kind.SYMLINK else None
    return found


def test_files_folders_and_links_are_unpacked(engine: EmbeddedEngine) -> None:
    long = "n" * 200 + "/" + "m" * 200
    data = archive(
        member("."),
        member("./a/b.txt", b"first"),
        member("a/b.txt", b"second"),
        member(long, b"long"),
        member("empty"),
        member("link", kind=tarfile.SYMTYPE, link="a/b.txt"),
        member("a/up", kind=tarfile.SYMTYPE, link="../empty"),
        member("hard", kind=tarfile.LNKTYPE, link="./a/b.txt"),
        member("ö\udcff", b"name"),
        member("a/.git/config", b"never"),
        format=tarfile.PAX_FORMAT,
    )
    assert unpacked(engine, data) == {
        "a": None,
        "a/b.txt": b"second",
        "a/up": "../empty",
        "empty": None,
        "hard": b"second",
        "link": "a/b.txt",
        "n" * 200: None,
        long: b"long",
        "ö\udcff": b"name",
    }


@pytest.mark.parametrize("kind", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT])
def test_every_format_is_read(engine: EmbeddedEngine, kind: int) -> None:
    data = archive(member("d/" + "x" * 90, b"1"), member("e", b""), format=kind)
    assert unpacked(engine, data, "a/b") == {"d": None, "d/" + "x" * 90: b"1", "e": b""}


LINK = tarfile.SYMTYPE


@pytest.mark.parametrize(
    "members",
    [
        [member("../out", b"x")],
        [member("a/../../out", b"x")],
        [member("a/../b", b"x")],
        [member("/etc/passwd", b"x")],
        [member("..")],
        [member("x" * 300, b"x")],
        [member("link", kind=LINK, link="/etc")],
        [member("link", kind=LINK, link="../../etc")],
        [member("a/link", kind=LINK, link="../../etc")],
        [member("link", kind=LINK, link="")],
        [member("link", kind=LINK, link="a"), member("link/passwd", b"x")],
        [member("link", kind=LINK, link="a"), member("link")],
        [member("file", b"x"), member("file/inside", b"x")],
        [member("a/b", b"x"), member("a", b"x")],
        [member("a/b", b"x"), member("a", kind=LINK, link="c")],
        [member("hard", kind=tarfile.LNKTYPE, link="/etc/passwd")],
        [member("hard", kind=tarfile.LNKTYPE, link="later"), member("later", b"x")],
        [member("s", kind=LINK, link="a"), member("hard", kind=tarfile.LNKTYPE, link="s")],
        [member("pipe", kind=tarfile.FIFOTYPE)],
        [member("device", kind=tarfile.CHRTYPE)],
        [member("odd", kind=b"Z", data=b"")],
    ],
    ids=lambda members: " ".join(each[0].name[:20] for each in members),
)
def test_attacks_are_refused_whole(members: list) -> None:
    data = archive(member("innocent", b"x"), *members, format=tarfile.PAX_FORMAT)
    with pytest.raises(ArchiveError, match="Nothing was unpacked"):
        Archive(io.BytesIO(data))


def test_what_is_no_whole_archive_is_refused() -> None:
    good = archive(member("a", b"x" * 5000), member("b", b"y" * 5000), format=tarfile.PAX_FORMAT)
    Archive(io.BytesIO(good))
    header_of_b = good.index(b"b\0\0\0", 512)
    for bad in (
        b"",
        b"no archive at all" * 100,
        good[:3000],
        good[: header_of_b + 512 + 100],
        # a damaged header would end reading, and everything after it would be lost in silence
        good[:header_of_b] + b"\x80" + good[header_of_b + 1 :],
        good[: header_of_b + 150] + b"9" + good[header_of_b + 151 :],
    ):
        with pytest.raises(ArchiveError, match="[Nn]othing was unpacked"):
            Archive(io.BytesIO(bad))


def test_headers_take_no_memory() -> None:
    info = tarfile.TarInfo("././@LongLink")
    info.type = tarfile.GNUTYPE_LONGNAME
    info.size = 50 << 20
    with pytest.raises(ArchiveError):
        Archive(io.BytesIO(info.tobuf(tarfile.GNU_FORMAT) + bytes(1 << 20)))


def test_sparse_files_are_refused(tmp_path: Path) -> None:
    # a few bytes could stand for exabytes
    data = bytearray(archive(member("s", b"x" * 512), format=tarfile.GNU_FORMAT))
    data[156:157] = b"S"
    data[483:495] = b"00777777777\0"
    data[148:156] = b" " * 8
    data[148:156] = f"{sum(data[:512]):06o}\0 ".encode()
    with pytest.raises(ArchiveError):
        Archive(io.BytesIO(bytes(data)))


NAMES = st.sampled_from(["a", "b", "a/b", "a/b/c", "./a", "../x", "/y", "a/..", "", "..", "b/a"])


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(st.tuples(NAMES, st.sampled_from([b"0", b"1", b"2", b"5", b"3"]), NAMES), max_size=5),
    st.lists(st.tuples(st.integers(0, 4000), st.integers(0, 255)), max_size=2),
    st.integers(0, 6000),
)
def test_nothing_ever_leaves_the_destination(
    engine: EmbeddedEngine,
    members: list[tuple[str, bytes, str]],
    flips: list[tuple[int, int]],
    cut: int,
) -> None:
    made = [
        member(name, b"data" if kind == b"0" else None, kind, link) for name, kind, link in members
    ]
    data = bytearray(archive(*made, format=tarfile.PAX_FORMAT))
    for position, value in flips:
        data[position % len(data)] = value
    if cut < 1000:
        del data[-cut:]
    try:
        edits = list(Archive(io.BytesIO(bytes(data))).edits("to/here"))
        snapshot = engine.edit(None, edits)
    except (ArchiveError, SnapshotError) as error:
        assert str(error)
        return
    links = set()
    for entry in engine.walk(snapshot.id, ""):
        assert entry.path == "to" or entry.path == "to/here" or entry.path.startswith("to/here/")
        if entry.kind is Kind.SYMLINK:
            links.add(entry.path)
            where = os.path.normpath(os.path.join(os.path.dirname(entry.path), entry.target))
            assert where == "to/here" or where.startswith("to/here/")
    for entry in engine.walk(snapshot.id, ""):
        assert not any(entry.path.startswith(f"{link}/") for link in links)


def test_a_folder_comes_back_as_an_archive(engine: EmbeddedEngine) -> None:
    big = os.urandom(3 << 20)
    edits = [
        Edit("m/big", big, 0o644, 5 * 10**9),
        Edit("m/empty", b"", 0o600),
        Edit("m/sub/run", b"#!", 0o755),
        Edit("m/link", None, 0o777, None, "sub/run"),
        Edit("m/" + "ü" * 120, b"long"),
        Edit("m/bad\udcff", b"bytes"),
        Edit("other", b"not this"),
    ]
    frozen = Frozen(_Project(engine), engine.edit(None, edits).id)
    parts = list(packed(frozen, "m"))
    assert max(map(len, parts)) <= tars.CHUNK
    data = b"".join(parts)
    assert len(data) % tarfile.RECORDSIZE == 0
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as tar:
        found = {each.name: each for each in tar}
        names = {"big", "empty", "sub", "sub/run", "link", "ü" * 120, "bad\udcff"}
        assert set(found) == names
        assert tar.extractfile("big").read() == big
        assert found["big"].mtime == 5 and found["sub/run"].mode == 0o755
        assert found["link"].issym() and found["link"].linkname == "sub/run"
    # and what was sent can be sent back
    assert unpacked(engine, data)["sub/run"] == b"#!"
