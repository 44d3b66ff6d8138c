# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Keys that become paths, ETags that prove bytes, manifests: the parts that need no service."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from blake3 import blake3
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dotscience_jupyter.datasets.s3 import Source, SourceError, read_manifest
from dotscience_jupyter.datasets.s3.bucket import Object
from dotscience_jupyter.datasets.s3.keys import KeyRules
from dotscience_jupyter.datasets.s3.manifest import write_manifest
from dotscience_jupyter.datasets.s3.places import Places
from dotscience_jupyter.datasets.s3.proof import holds
from dotscience_jupyter.datasets.s3.state import Wanted
from dotscience_jupyter.datasets.s3.working import work_through

MIB = 1 << 20
_odd = st.sampled_from(["/", "..", ".", "a", "\0", "\\", ".git", ".dotscience", "é", "~", " "])
keys = st.lists(_odd | st.text(max_size=3), max_size=8).map("".join)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(keys)
def test_a_path_never_leads_out_of_the_folder(tmp_path: Path, key: str) -> None:
    path, _, reason = KeyRules(tmp_path, "").place(key)
    if reason:
        return
    root = os.fspath(tmp_path)
    assert os.path.normpath(f"{root}/{path}") == f"{root}/{path}"
    assert path and not path.startswith("/") and "\0" not in path
    assert not {".git", ".dotscience"} & {part.lower() for part in path.split("/")}


def md5(data: bytes) -> bytes:
    return hashlib.md5(data).digest()


def test_an_etag_proves_or_disproves_the_bytes_or_tells_nothing() -> None:
    data = os.urandom(11 * MIB)

    def check(etag: str, body: bytes = data, first: int = 0, *rest: int) -> bool | None:
        sizes = [first, *rest]
        ask = (lambda whole: sizes if whole else sizes[:1]) if first else None
        return holds(io.BytesIO(body), len(body), etag, part_sizes=ask)

    def parts(*sizes: int) -> str:
        file = io.BytesIO(data)
        each = b"".join(md5(file.read(size)) for size in sizes)
        return f"{md5(each).hex()}-{len(sizes)}"

    assert check(md5(data).hex()) is True
    assert check(md5(data).hex(), data[:-1] + b"x") is False
    assert check(blake3(data).hexdigest()[:32] + "-b3") is True
    assert check("0" * 32 + "-b3") is False
    assert check(parts(8 * MIB, 3 * MIB)) is True  # a usual size
    assert check(parts(7 * MIB, 4 * MIB)) is None  # an unusual one, and nobody tells
    assert check(parts(7 * MIB, 4 * MIB), data, 7 * MIB, 4 * MIB) is True
    assert check(parts(6 * MIB, MIB, 4 * MIB), data, 6 * MIB, MIB, 4 * MIB) is True  # unequal
    assert check(parts(7 * MIB, 4 * MIB), data[::-1], 7 * MIB, 4 * MIB) is False
    assert check("opaque") is None
    assert check(md5(b"").hex(), b"") is True
    assert holds(io.BytesIO(data), len(data), "0" * 32, opaque=True) is None


def manifest(**changes: object) -> bytes:
    each = {"path": "a", "size": 1, "etag": "e", "modified": "2026-01-02T03:04:05Z", **changes}
    source = {"bucket": "b", "prefix": ""}
    return json.dumps({"format": 1, "source": source, "objects": [each]}).encode()


def test_a_manifest_is_read_as_it_was_written(tmp_path: Path) -> None:
    source = Source("bucket", "p/", "https://s3.example.org", anonymous=True)
    objects = [Object(f"p/{name}", 5, "e" * 32, 1767323045123000000, "v1") for name in ("a", "é\n")]
    wanted = [Wanted(each.key[2:], each) for each in objects]
    write_manifest(tmp_path / "m", source, [*wanted, Wanted("folder", objects[0], folder=True)])
    found = read_manifest((tmp_path / "m").read_bytes())
    assert found.source == source
    assert [found.object(each) for each in found.below("")] == objects
    assert found.get("folder") is None and found.below("a")[0].version == "v1"
    lines = (tmp_path / "m").read_text().splitlines()
    assert len(lines) == 4 + 2 + 2  # one line an object, so that versions compare by line


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"{}",
        b'{"format": 2}',
        b"[" * 100_000,
        manifest(path="../evil"),
        manifest(path="/etc/passwd"),
        manifest(path="a/.git/config"),
        manifest(path="a\0"),
        manifest(path=None),
        manifest(size=-1),
        manifest(size="1"),
        manifest(size=True),
        manifest(etag=1),
        manifest(version=1),
        manifest(modified="yesterday"),
        manifest().replace(b'"bucket": "b"', b'"bucket": "../b"'),
        manifest().replace(b'"prefix": ""', b'"prefix": "", "endpoint": "file:///etc"'),
    ],
)
def test_a_manifest_that_lies_is_refused(data: bytes) -> None:
    with pytest.raises(SourceError):
        read_manifest(data)


def test_names_for_people() -> None:
    names = {
        "s3://my.bucket": "my-bucket",
        "s3://b/2026/raw data/": "raw-data",
        "s3://b/ü/": "",
    }
    assert {url: Source.parse(url).suggested_name for url in names} == names
    assert str(Source.parse("s3://b/a")) == "s3://b/a/" and str(Source.parse("s3://b")) == "s3://b/"


@pytest.fixture
def anybodys() -> Iterator[Path]:
    """A folder that users other than root reach."""
    folder = Path(tempfile.mkdtemp(prefix="ds-places-"))
    folder.chmod(0o777)
    yield folder
    for each in (folder, *folder.rglob("*")):
        each.chmod(0o755)
    shutil.rmtree(folder)


def test_a_folder_that_may_not_be_written_to_is_opened_up_for_a_moment(anybodys: Path) -> None:
    root = anybodys / "checkout"

    def put() -> None:
        (root / "there").mkdir(parents=True)
        for folder in (root / "there", root):
            folder.chmod(0o555)
        with pytest.raises(PermissionError):
            (root / "mine").touch()
        places = Places(root, anybodys / "lock")
        for path in ("a", "there/b", "new/deep/c"):
            temporary = anybodys / "t"
            temporary.write_bytes(b"x")
            places.put(temporary, path, mtime=10**18, read_only=True)

    as_nobody(put)
    modes = {str(each.relative_to(root)): each.stat().st_mode & 0o777 for each in root.rglob("*")}
    assert modes == {
        "a": 0o444,
        "there": 0o555,
        "there/b": 0o444,
        "new": 0o555,
        "new/deep": 0o555,
        "new/deep/c": 0o444,
    }
    assert root.stat().st_mode & 0o777 == 0o555


def as_nobody(action: Callable[[], None]) -> None:
    """Do something as a user whom permissions concern: root is not one."""
    if os.geteuid() != 0:
        action()
        return
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
            action()
            code = 0
        finally:
            os._exit(code)
    assert os.waitpid(child, 0)[1] == 0


def test_the_first_failure_ends_the_work_and_is_told() -> None:
    done: list[int] = []
    stopped: list[bool] = []

    def work(job: int) -> int:
        if job == 5:
            raise ValueError("five")
        return job * job

    with pytest.raises(ValueError, match="five"):
        work_through(
            iter(range(10_000)),
            work,
            lambda job, result: done.append(result),
            lambda: stopped.append(True),
            2,
        )
    assert stopped and len(done) < 20
    work_through(range(50), lambda job: job, lambda job, _: done.append(job), lambda: None, 3)
    assert set(done) >= set(range(50))
