# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Datasets that only point to objects, whose files are fetched when somebody reads them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from threading import Thread

import pytest
from s3_dataset_world import Bucket, bring, commits, dataset, files, version
from s3_services import S3Service, free_port

from dotscience_jupyter.datasets import Datasets
from dotscience_jupyter.datasets.attachments import Attached, Attachments
from dotscience_jupyter.datasets.s3 import (
    MANIFEST,
    SourceError,
    fetch_files,
    pinned_root,
    read_manifest,
)
from dotscience_jupyter.records import Workspace


@pytest.fixture(autouse=True)
def credentials(s3_service: S3Service, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in s3_service.environment().items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def bucket(s3_service: S3Service) -> Bucket:
    return Bucket.new(s3_service, versioned=True)


@pytest.fixture
def plain(s3_service: S3Service) -> Bucket:
    return Bucket.new(s3_service)


def checkout(commit: str | None) -> Path:
    assert commit is not None
    return Datasets().checkout(dataset(), commit)


def test_only_the_manifest_is_versioned_and_files_come_when_asked_for(bucket: Bucket) -> None:
    content = {"a.csv": b"one", "sub/b": b"bb", "sub/c": b"ccc", "__pycache__/d": b"d"}
    bucket.put_all({f"in/{key}": body for key, body in content.items()} | {"in/sub/": b""})
    first = bring(bucket.source("in"), pin=True)
    assert (first.pinned, first.objects, first.bytes, first.fetched) == (True, 4, 9, 0)
    assert version().keys() == {MANIFEST, ".dotscienceignore"} == files(dataset().root).keys()
    pinned = read_manifest(version()[MANIFEST])
    assert all(each.version for each in pinned.objects.values())
    assert bring(bucket.source("in")).commit is None  # it stays pinned without being told

    root = dataset().root
    assert fetch_files(root, ["sub"]).files == 2
    assert fetch_files(root, ["sub/b", "a.csv"]).present == 1
    assert dataset().commit("nothing", author="alice") is None
    done = fetch_files(root)
    assert (done.files, done.present, done.unproven) == (1, 3, 0)
    assert {name: body for name, body in files(root).items() if name in content} == content

    # the live folder follows a new version: what is stale goes, and what was not changed stays
    bucket.put_all({"in/a.csv": b"two"})
    bucket.delete("in/sub/c")
    second = bring(bucket.source("in"))
    assert second.commit is not None and second.removed == 2
    assert files(root).keys() == {MANIFEST, ".dotscienceignore", "sub/b", "__pycache__/d"}
    assert fetch_files(root, ["a.csv"]).files == 1 and (root / "a.csv").read_bytes() == b"two"

    # and the old version still gives the old bytes
    old = checkout(first.commit)
    assert fetch_files(old).files == 4
    assert {name: body for name, body in files(old).items() if name in content} == content
    assert (old / "sub/c").stat().st_mode & 0o777 == 0o444
    assert (old / "sub").stat().st_mode & 0o222 == old.stat().st_mode & 0o222 == 0
    assert fetch_files(old).present == 4


def test_without_versions_an_object_that_changed_is_refused(plain: Bucket) -> None:
    plain.put_all({"a": b"one", "b": b"b", "gone": b"g"})
    place = checkout(bring(plain.source(), pin=True).commit)
    plain.put_all({"a": b"two"})
    plain.delete("gone")
    for path, why in (("a", "is another one now"), ("gone", "is not there any more")):
        with pytest.raises(SourceError, match=why) as caught:
            fetch_files(place, [path])
        assert caught.value.code == "changed"
    assert fetch_files(place, ["b"]).files == 1
    assert files(place).keys() == {MANIFEST, ".dotscienceignore", "b"}
    for unknown in ("nothing", "../b", "b/c", "/etc"):
        with pytest.raises(SourceError) as caught:
            fetch_files(place, [unknown])
        assert caught.value.code == "not_found"


def test_a_file_of_somebodys_own_is_not_replaced(plain: Bucket) -> None:
    plain.put_all({"a": b"one", "b": b"two"})
    bring(plain.source(), pin=True)
    root = dataset().root
    fetch_files(root, ["b"])
    (root / "a").write_bytes(b"mine")
    (root / "b").write_bytes(b"mine too")
    for path in ("a", "b"):
        with pytest.raises(SourceError) as caught:
            fetch_files(root, [path])
        assert caught.value.code == "in_the_way"
    plain.put_all({"b": b"three"})
    bring(plain.source())
    assert (root / "a").read_bytes() == b"mine" and (root / "b").read_bytes() == b"mine too"


def test_a_bucket_that_lists_no_versions_is_pinned_to_them_all_the_same(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dotscience_jupyter.datasets.s3.bucket import Bucket as Client

    # who may read objects often may not list their versions
    monkeypatch.setattr(Client, "_keeps_versions", lambda self: False)
    bucket.put_all({"a": b"one", "b": b"two"})
    done = bring(bucket.source(), pin=True)
    objects = read_manifest((dataset().root / MANIFEST).read_bytes()).objects
    assert all(each.version for each in objects.values())
    bucket.put_all({"a": b"new"})
    place = checkout(done.commit)
    fetch_files(place)
    assert files(place)["a"] == b"one"


def test_a_manifest_outside_of_our_datasets_is_not_believed(plain: Bucket, tmp_path: Path) -> None:
    plain.put_all({"a": b"a"})
    done = bring(plain.source(), pin=True)
    root, place = dataset().root, checkout(done.commit)
    assert pinned_root(root / "x/y") == (root.resolve(), "x/y")
    assert pinned_root(place) == (place.resolve(), "")
    link = tmp_path / "link"
    link.symlink_to(place)
    assert pinned_root(link / "a") == (place.resolve(), "a")
    stranger = tmp_path / "checkouts" / dataset().id / str(done.commit)
    stranger.mkdir(parents=True)
    (stranger / MANIFEST).write_bytes((root / MANIFEST).read_bytes())
    assert pinned_root(stranger / "a") is None
    inside = root / "sub"
    inside.mkdir()
    (inside / MANIFEST).write_bytes((root / MANIFEST).read_bytes())
    assert pinned_root(inside / "a") is None
    assert pinned_root(tmp_path / "nothing") is None


def test_several_fetch_into_one_checkout_at_once(plain: Bucket) -> None:
    content = {f"d{number % 3}/f{number}": os.urandom(5000) for number in range(12)}
    plain.put_all(content)
    place = checkout(bring(plain.source(), pin=True).commit)
    failed: list[BaseException] = []

    def fetch() -> None:
        try:
            fetch_files(place, workers=2)
        except BaseException as error:
            failed.append(error)

    threads = [Thread(target=fetch) for _ in range(3)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert not failed, failed
    found = files(place)
    assert {name: found[name] for name in content} == content
    assert all(each.stat().st_mode & 0o222 == 0 for each in [place, *place.glob("d*")])


def attach(root: Path, commit: str) -> Path:
    """A workspace with the dataset at data/set, as ``dataset attach`` makes it; its folder."""
    root.mkdir()
    Workspace.create(root)
    Attachments(root).put(
        Attached("data", dataset().id, "data/set", commit, "read"), checkout(commit)
    )
    return root


def run(folder: Path, program: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program],
        cwd=folder,
        env={**os.environ, **more},
        capture_output=True,
        text=True,
    )


def test_a_program_opens_a_file_and_it_is_there(plain: Bucket, tmp_path: Path) -> None:
    plain.put_all({"a.csv": b"x,y\n1,2\n", "sub/b": b"b", "sub/c": b"c", "d": b"d", "e": b"e"})
    done = bring(plain.source(), pin=True)
    folder = attach(tmp_path / "work", str(done.commit))
    place = checkout(done.commit)
    program = (
        "import dotscience as ds, os\n"
        "def read(path):\n"
        "    with open(path) as file: return file.read()\n"
        "assert read('data/set/a.csv') == 'x,y\\n1,2\\n'\n"
        "for path in ('data/set/none', 'none', 'data/set/../none'):\n"
        "    try: read(path)\n"
        "    except FileNotFoundError: pass\n"
        "    else: raise SystemExit('opened')\n"
        "ds.script('train.py')\n"
        "ds.start()\n"
        "ds.input('data/set/sub')\n"
        "assert read(os.path.abspath('data/set/sub/c')) == 'c'\n"
        "ds.publish('read')\n"
    )
    ended = run(folder, program)
    assert ended.returncode == 0 and "not fetched" not in ended.stderr, ended.stderr
    assert files(place).keys() == {MANIFEST, ".dotscienceignore", "a.csv", "sub/b", "sub/c"}
    (spooled,) = (folder / ".dotscience/spool").glob("*.json")
    told = json.loads(spooled.read_text())
    assert "data/set/sub/b" in json.dumps(told) and "data/set/sub/c" in json.dumps(told)

    read = "import dotscience\nopen('data/set/d').read()"
    off = run(folder, read, DOTSCIENCE_FETCH="0")
    assert "FileNotFoundError" in off.stderr and "not fetched" not in off.stderr
    plain.put_all({"d": b"changed"})
    changed = run(folder, read)
    assert "is another one now" in changed.stderr and "FileNotFoundError" in changed.stderr
    assert "Traceback" in changed.stderr and changed.stderr.count("Traceback") == 1
    assert not (place / "d").exists()


def test_what_opens_nothing_of_s3_pays_nothing(tmp_path: Path) -> None:
    program = (
        "import sys, dotscience as ds\n"
        "assert 'dotscience._pinned' not in sys.modules\n"
        "open('x', 'w').close()\n"
    )
    assert run(tmp_path, program).returncode == 0


def test_a_service_out_of_reach_is_told(plain: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dotscience_jupyter.datasets.s3.bucket._ATTEMPTS", 1)
    plain.put_all({"a": b"a"})
    place = checkout(bring(plain.source(), pin=True).commit)
    manifest = place / MANIFEST
    place.chmod(0o755)
    text = manifest.read_text().replace(plain.service.url, f"http://127.0.0.1:{free_port()}")
    manifest.unlink()
    manifest.write_text(text)
    with pytest.raises(SourceError) as caught:
        fetch_files(place)
    assert caught.value.code == "unreachable" and commits() == 2
