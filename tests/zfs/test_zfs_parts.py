# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""What of the ZFS engine can be tested without ZFS: names, parsing, and what its absence means."""

from __future__ import annotations

import errno
import io
import os
import stat
import struct
import sys
from pathlib import Path
from typing import Any

import pytest

from dotscience_jupyter.snapshots import SnapshotError
from dotscience_jupyter.snapshots.native.tree import Tree
from dotscience_jupyter.snapshots.stream import FrameReader, FrameWriter
from dotscience_jupyter.snapshots.zfs import (
    ZfsEngine,
    begin,
    binding,
    checking,
    command,
    differences,
    errors,
    leaving,
    names,
    transfer,
)
from dotscience_jupyter.snapshots.zfs.transfer import Header, Token

# -- names ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["tank", "tank/home/alice", "tank/with space/a.b:c-d_e", "t/" + "x" * 253]
)
def test_names_of_datasets(name: str) -> None:
    assert names.is_dataset(name)


@pytest.mark.parametrize(
    "name",
    ["", "/tank", "tank/", "tank//a", "-tank", "1tank", "tank/a@b", "tank#b", "tank/../a", "tank/."]
    + ["tank/ä", "tank/a\n", "tank/a\tb", "tank/$(id)", "tank/a;b", "t/" + "x" * 254],
)
def test_what_is_no_name(name: str) -> None:
    assert not names.is_dataset(name)


def test_names_of_snapshots_tell_when() -> None:
    name = names.new_snapshot(1_600_000_000.123456)
    assert name.startswith("ds-20200913T122640.123456Z-")
    assert names.is_ours(name)
    assert names.taken(name) == 1_600_000_000.123456
    assert names.new_snapshot(1_600_000_000.123456) != name
    for other in ("ds-2020", "daily", name + "x", "x" + name, name.upper(), name + "\n"):
        assert not names.is_ours(other)
        assert names.taken(other) == 0.0
    assert names.taken("ds-20209913T122640.123456Z-01234567") == 0.0


def test_replicas_are_below_the_volume() -> None:
    replica = names.new_replica("tank/v")
    assert names.is_replica(replica, "tank/v")
    assert not names.is_replica(replica, "tank")
    assert not names.is_replica("tank/v/received-", "tank/v")
    assert not names.is_replica("tank/v/mine", "tank/v")
    assert not names.is_replica(f"{replica}/received-0123456789abcdef", "tank/v")


def test_ids() -> None:
    assert names.identity(0xAB) == "zfs-00000000000000ab"
    assert names.is_identity(names.identity((1 << 64) - 1))
    for text in ("zfs-", "zfs-00000000000000AB", "zfs-00000000000000ab\n", "../x", "0" * 64):
        assert not names.is_identity(text)


def test_mount_table(tmp_path: Path) -> None:
    table = tmp_path / "mountinfo"
    table.write_text(
        "22 28 0:20 / /sys rw,relatime - sysfs sys rw\n"
        "34 28 0:31 / /mnt/tank rw - zfs tank rw,xattr,noacl\n"
        "35 34 0:32 / /mnt/with\\040space rw shared:1 master:2 - zfs tank/with\\040space rw\n"
        "36 34 0:32 /sub /mnt/bound rw - zfs tank/home rw\n"
        "37 36 0:34 / /mnt/tank/.zfs/snapshot/a rw - zfs tank@a ro\n"
        "38 36 0:34 / /mnt/tab\\011 rw - zfs tank/tab rw\n"
    )
    assert list(names.mounts(str(table))) == [
        ("tank", "/mnt/tank"),
        ("tank/with space", "/mnt/with space"),
        ("tank/tab", "/mnt/tab\t"),
    ]
    assert list(names.mounts(str(tmp_path / "none"))) == []


# -- what zfs prints -----------------------------------------------------------------------------


class Places:
    """Two trees, as if of two snapshots."""

    def __init__(self, top: Path) -> None:
        self.old, self.new = top / "old", top / "new"
        self.old.mkdir()
        self.new.mkdir()

    def touched(self, *lines: bytes) -> dict[str, bool] | None:
        found: dict[str, bool] = {}
        try:
            for line in lines:
                differences._add(found, line, b"/mnt/v", (str(self.old), str(self.new)))
        except differences._CannotTellError:
            return None
        return found


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(tmp_path)


def test_zfs_diff_is_read(places: Places) -> None:
    odd = os.fsdecode("ü\n\t\\ \x01".encode() + b"\xff")
    for place in (places.old, places.new):
        (place / "edited").write_text("x")
    (places.old / "gone").write_text("x")
    (places.old / "before").write_text("x")
    (places.new / odd).write_text("x")
    escaped = rb"\0303\0274\0012\0011\0134\0040\0001\0377"
    assert places.touched(
        b"M\t/\t/mnt/v/",
        b"M\t/\t/mnt/v/d",
        b"M\tF\t/mnt/v/edited",
        b"-\tF\t/mnt/v/gone",
        b"+\t/\t/mnt/v/new",
        b"R\tF\t/mnt/v/before\t/mnt/v/" + escaped,
        b"R\t/\t/mnt/v/from\t/mnt/v/to",
        b"M\tF\t/mnt/v/edited/<xattrdir>/user.x",
    ) == {
        "": False,
        "d": False,
        "edited": False,
        "gone": True,
        "new": True,
        "before": True,
        odd: True,
        "from": True,
        "to": True,
    }


def test_zfs_diff_is_not_relied_on_where_it_cannot_tell(places: Places) -> None:
    for place in (places.old, places.new):
        (place / "f").write_text("x")
    assert places.touched(b"M\tF\t/mnt/v/f") == {"f": False}
    os.link(places.new / "f", places.new / "g")
    assert places.touched(b"M\tF\t/mnt/v/f") is None, "it has a name that is not told"
    for line in (
        b"+\tF\t/mnt/v/not-there",
        b"+\tF\t/mnt/other/f",
        b"+\tF\t/mnt/v2/f",
        b"R\tF\t/mnt/v/f",
        b"?\tF\t/mnt/v/f",
        b"M",
        b"",
    ):
        assert places.touched(line) is None, line


def test_permissions_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checking, "user", lambda: "alice")
    text = (
        "---- Permissions on tank/root/v ------------------------------------\n"
        "Permission sets:\n"
        "\t@basic hold,release\n"
        "\t@more @basic,diff\n"
        "Local permissions:\n"
        "\tuser alice snapshot\n"
        "\tuser bob destroy\n"
        "Descendent permissions:\n"
        "\tuser alice create\n"
        "---- Permissions on tank/root --------------------------------------\n"
        "Create time permissions:\n"
        "\tallow\n"
        "Local permissions:\n"
        "\tuser alice mount\n"
        "Descendent permissions:\n"
        "\tuser alice @more\n"
        "Local+Descendent permissions:\n"
        "\teveryone send\n"
        f"\tgroup {os.getegid()} userprop,clone\n"
        "\tgroup 4242 rollback\n"
    )
    assert checking.allowed(text, "tank/root/v") == {
        *("snapshot", "hold", "release", "diff", "send", "userprop", "clone")
    }
    assert checking.allowed("", "tank") == set()


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("cannot create snapshots : permission denied", errno.EPERM),
        ("cannot open 'tank/x': dataset does not exist", errno.ENOENT),
        ("cannot destroy snapshot tank/v@u1: dataset is busy", errno.EBUSY),
        ("cannot destroy snapshot tank/v@u1: it's being held. Run 'zfs holds -r'", errno.EBUSY),
        ("cannot destroy 'a@b': snapshot has dependent clones", errno.EEXIST),
        ("something new", 0),
    ],
)
def test_what_zfs_says_becomes_a_number(text: str, number: int) -> None:
    assert errors.errno_of(text) == number


def test_errors_say_what_to_do() -> None:
    denied = errors.refused("take a snapshot", "tank/root/v@x", errno.EPERM)
    assert f"zfs allow -u {errors.user()} snapshot,hold," in str(denied)
    assert " tank/root " in str(denied)
    assert "Nothing is lost" in str(denied)
    full = errors.refused("take a snapshot", "tank/v@x", errno.ENOSPC)
    assert "the pool is full" in str(full)
    odd = errors.refused("take a snapshot", "tank/v@x", 0, "first\ncannot: strange thing\n")
    assert "cannot: strange thing" in str(odd)


# -- streams -------------------------------------------------------------------------------------


def test_headers_are_checked() -> None:
    good = Header("zfs-" + "a" * 16, "", names.new_snapshot(1.0), "", False, False, 5).to_json()
    assert Header.from_json(good).to_json() == good
    for key, value in (
        ("snapshot", "../x"),
        ("snapshot", 5),
        ("base", "zfs-x"),
        ("base", None),
        ("name", "mine"),
        ("name", "ds-20200913T122640.123456Z-01234567@x"),
        ("content", "abc"),
        ("raw", 1),
        ("resume", "yes"),
        ("bytes", -1),
        ("bytes", True),
    ):
        with pytest.raises(SnapshotError, match="not right"):
            Header.from_json({**good, key: value})
        with pytest.raises(SnapshotError, match="not right"):
            Header.from_json({name: each for name, each in good.items() if name != key})


@pytest.mark.parametrize("token", ["", "-", "no token", "1-a-b", "--help", "1-a-b-c\n", "-t"])
def test_what_is_no_token_reaches_no_command(token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "start", lambda *_, **__: pytest.fail("it was run"))
    assert Token.parse(token) is None


# -- without ZFS ---------------------------------------------------------------------------------


def without_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(command, "_PLACES", "/nowhere")


def fake_binding(folder: Path, body: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a module in the place of the binding, which need not be installed."""
    package = folder / "libzfs_core"
    package.mkdir()
    (package / "__init__.py").write_text(body)
    (package / "exceptions.py").write_text("class ZFSError(Exception):\n    errno = 2\n")
    monkeypatch.setattr(binding, "_loaded", None)
    monkeypatch.setattr(binding, "SYSTEM", "/nowhere")
    monkeypatch.syspath_prepend(folder)
    for name in ("libzfs_core", "libzfs_core.exceptions"):
        monkeypatch.delitem(sys.modules, name, raising=False)


def test_a_folder_elsewhere_gets_a_clear_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_command(monkeypatch)
    monkeypatch.setattr(binding, "_loaded", binding.NoBindingError("none"))
    assert not ZfsEngine.suits(tmp_path)
    found = {check.what: check for check in ZfsEngine.check(tmp_path)}
    assert not found["the zfs command"].ok
    assert "apt-get install zfsutils-linux" in found["the zfs command"].advice
    with pytest.raises(SnapshotError, match="not where a ZFS dataset is mounted"):
        ZfsEngine(tmp_path, tmp_path / "store")
    assert not (tmp_path / "store").exists()
    with pytest.raises(SnapshotError, match="not on ZFS"):
        ZfsEngine.create(tmp_path / "new", tmp_path / "store")
    with pytest.raises(SnapshotError, match="is not installed"):
        command.run("look", "tank", "list")


@pytest.mark.parametrize(
    ("body", "why", "package"),
    [
        ("raise ImportError('no cffi')", "no cffi", "python3-pyzfs"),
        (
            "def lzc_exists(name):\n    raise OSError('libzfs_core.so.3: no such file')",
            "no library",
            # the library's own package has another name in each release
            "zfsutils-linux",
        ),
        ("import no_such_module_anywhere", "no_such_module_anywhere", "python3-pyzfs"),
        ("print 'Python 2'", "parentheses", "python3-pyzfs"),
    ],
)
def test_a_binding_that_does_not_work_is_no_import_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str, why: str, package: str
) -> None:
    fake_binding(tmp_path, body, monkeypatch)
    with pytest.raises(binding.NoBindingError, match=f"(?i){why}") as caught:
        binding.load()
    assert f"apt-get install {package})" in str(caught.value)


def test_no_zfs_in_the_kernel_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    body = (
        "from .exceptions import ZFSError\ndef lzc_exists(name):\n    raise ZFSError('no /dev/zfs')"
    )
    fake_binding(tmp_path, body, monkeypatch)
    with pytest.raises(binding.NoZfsError, match=r"modprobe zfs.*another engine"):
        binding.load()


def test_openzfs_own_binding_is_preferred(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "venv").mkdir()
    body = "from . import exceptions\ndef lzc_exists(name):\n    return False\n"
    fake_binding(tmp_path / "venv", body, monkeypatch)
    found = binding.load()
    assert (found.own, found.version) == (False, "0.2.3")
    (tmp_path / "system" / "libzfs_core").mkdir(parents=True)
    package = tmp_path / "system" / "libzfs_core"
    (package / "__init__.py").write_text(body + "def lzc_receive_resumable():\n    pass\n")
    (package / "exceptions.py").write_text("class ZFSError(Exception):\n    pass\n")
    (tmp_path / "system" / "pyzfs-2.3.4.egg-info").mkdir()
    metadata = tmp_path / "system" / "pyzfs-2.3.4.egg-info" / "PKG-INFO"
    metadata.write_text("Metadata-Version: 2.1\nName: pyzfs\nVersion: 2.3.4\n")
    monkeypatch.setattr(binding, "_loaded", None)
    monkeypatch.setattr(binding, "SYSTEM", str(tmp_path / "system"))
    for name in ("libzfs_core", "libzfs_core.exceptions"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    found = binding.load()
    assert (found.own, found.version) == (True, "2.3.4")
    assert found.module.__file__ == str(package / "__init__.py")


def test_arguments_never_meet_a_shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "zfs"
    program.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert command.table("x", "x", "list", "a b", "$(id)", "`id`;") == [
        ["list"],
        ["a b"],
        ["$(id)"],
        ["`id`;"],
    ]


# -- streams -------------------------------------------------------------------------------------


def record(
    kind: int = 0,
    magic: int = 0x2F5BACBAC,
    version: int = 1 | 0x414 << 2,
    objects: int = 2,
    order: str = "<",
) -> bytes:
    """A record as ``zfs send`` writes it first."""
    fields = (kind, 0, magic, version, 1_600_000_000, objects, 0, 0xA1, 0xB2, b"tank/work@one")
    return struct.pack(f"{order}IIQQQIIQQ256s", *fields)


@pytest.mark.parametrize("order", "<>")
def test_the_beginning_of_a_stream_is_read(order: str) -> None:
    assert len(record()) == begin.SIZE == 312
    assert begin.Begin.parse(record(order=order)) == (0xA1, 0xB2, False)
    raw = record(version=1 | (1 << 24) << 2, order=order)
    assert begin.Begin.parse(raw) == (0xA1, 0xB2, True)


@pytest.mark.parametrize(
    "given",
    [{"version": 2 | 4 << 2}, {"version": 0}, {"objects": 3}, {"magic": 1}, {"kind": 1}],
    ids=["several", "none", "volume", "magic", "record"],
)
def test_other_streams_are_refused(given: dict[str, Any]) -> None:
    with pytest.raises(SnapshotError, match="no stream of one snapshot"):
        begin.Begin.parse(record(**given))


def framed(header: Header, content: bytes) -> FrameReader:
    out = io.BytesIO()
    writer = FrameWriter(out, header.to_json())
    writer.write(content)
    writer.finish()
    out.seek(0)
    return FrameReader(out)


@pytest.mark.parametrize(
    "change", [{"base": ""}, {"snapshot": names.identity(0xA2)}, {"raw": True}]
)
def test_zfs_sees_nothing_of_a_stream_that_is_not_what_was_said(change: dict[str, Any]) -> None:
    name = names.new_snapshot(1_600_000_000)
    right = Header(names.identity(0xA1), names.identity(0xB2), name, "", False, False, 1000)
    seen: list[bytes] = []

    def consume(fd: int) -> None:
        with open(fd, "rb", closefd=False) as file:
            seen.append(file.read())

    def receive(header: Header) -> None:
        transfer.receive(framed(header, record() + b"blocks"), header, consume, lambda: None, None)

    with pytest.raises(SnapshotError, match="another snapshot than it was said to be"):
        receive(right._replace(**change))
    assert seen == []
    receive(right)
    assert seen == [record() + b"blocks"]
    with pytest.raises(SnapshotError, match="too short"):
        transfer.receive(framed(right, b"blocks"), right, consume, lambda: None, None)
    assert len(seen) == 1


def test_what_a_stream_would_take_along(tmp_path: Path) -> None:
    def found() -> tuple[str, str]:
        tree = Tree(str(tmp_path), lambda status, root: False)
        paths = [str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")]
        return leaving.unshown(tree), leaving.unshown_of(tree, [*sorted(paths), "gone", ""])

    for path in (
        ".dotscience/records.db",
        "a/.ipynb_checkpoints/b.ipynb",
        "a/b.ipynb",
        "__pycache__/c",
    ):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    os.mkfifo(tmp_path / "pipe")
    assert found() == ("", "")
    (tmp_path / "a" / ".dotscienceignore").write_text("*.key\n")
    assert found() == ("", "")
    (tmp_path / "a" / "my.key").touch()
    assert found() == ("a/my.key", "a/my.key")
    (tmp_path / "a" / "my.key").unlink()
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "config").touch()
    assert found() == (".git", ".git")
