# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""A dataset made what a bucket holds, and brought to what it holds now."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from cutting import proxy
from s3_dataset_world import (
    PART,
    Bucket,
    bring,
    commits,
    dataset,
    files,
    odd_service,
    version,
)
from s3_services import S3Service, free_port

from dotscience_jupyter.datasets import DatasetError, Datasets
from dotscience_jupyter.datasets.s3 import Imported, Source, SourceError, importing, mirroring
from dotscience_jupyter.datasets.s3.bucket import Bucket as Client
from dotscience_jupyter.datasets.s3.bucket import Object
from dotscience_jupyter.datasets.s3.downloading import Downloads
from dotscience_jupyter.datasets.s3.keys import KeyRules
from dotscience_jupyter.datasets.s3.state import State

BIG = bytes(range(256)) * 4096  # 1 MiB


@pytest.fixture(autouse=True)
def credentials(s3_service: S3Service, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in s3_service.environment().items():
        monkeypatch.setenv(name, value)


@pytest.fixture(params=[False, True], ids=["plain", "versioned"])
def bucket(s3_service: S3Service, request: pytest.FixtureRequest) -> Bucket:
    return Bucket.new(s3_service, versioned=request.param)


@pytest.fixture
def plain(s3_service: S3Service) -> Bucket:
    return Bucket.new(s3_service)


def test_a_bucket_becomes_a_dataset_and_its_changes_become_versions(bucket: Bucket) -> None:
    content = {"a.csv": b"1,2\n", "sub/b.bin": b"\x00" * 1000, "sub/deep/ü é.txt": b"x", "e": b""}
    bucket.put_all({f"in/{key}": body for key, body in content.items()})
    bucket.put_all({"in/empty/": b"", "outside": b"no", "inside-not": b"no"})
    bucket.put_in_parts("in/parts", b"p" * PART, b"q" * 10)
    content["parts"] = b"p" * PART + b"q" * 10

    first = bring(bucket.source("in"))
    assert (first.objects, first.fetched, first.removed, first.unproven) == (5, 5, 0, 0)
    assert first.commit is not None and version() == content == files(dataset().root)
    assert (dataset().root / "empty").is_dir()
    before = {path: os.stat(dataset().root / path) for path in content}

    again = bring(bucket.source("in"))
    assert (again.commit, again.fetched, commits()) == (None, 0, 2)
    for path, there in before.items():
        now = os.stat(dataset().root / path)
        assert (now.st_ino, now.st_mtime_ns) == (there.st_ino, there.st_mtime_ns)

    bucket.put_all({"in/a.csv": b"3,4\n", "in/new/c": b"c"})
    bucket.delete("in/sub/deep/ü é.txt")
    bucket.delete("in/empty/")
    third = bring(bucket.source("in"))
    assert (third.fetched, third.fetched_bytes, third.removed) == (2, 5, 2)
    changed = {**content, "a.csv": b"3,4\n", "new/c": b"c"}
    del changed["sub/deep/ü é.txt"]
    assert version() == changed == files(dataset().root)
    assert not (dataset().root / "sub/deep").exists() and not (dataset().root / "empty").exists()
    assert version(commit=first.commit) == content


def test_a_version_says_where_it_came_from_and_no_secret_is_written(
    plain: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = plain
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDSECRETID")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "VERYSECRETKEY")
    bucket.put_all({"p/a": b"1", "p/b": b"22"})
    done = bring(bucket.source("p"))
    with dataset().open() as (records, _):
        details = records.get_commit(str(done.commit)).details
    assert details["s3.source"] == f"s3://{bucket.name}/p/"
    assert details["s3.endpoint"] == bucket.service.url
    assert (details["s3.objects"], details["s3.bytes"]) == ("2", "3")
    assert len(details["s3.listing"]) == 64
    for folder, _, names in os.walk(dataset().root):
        for name in names:
            data = Path(folder, name).read_bytes()
            assert b"SECRETID" not in data and b"SECRETKEY" not in data, name


def test_the_same_bytes_uploaded_again_are_not_fetched(s3_service: S3Service) -> None:
    bucket = Bucket.new(s3_service, versioned=True)
    bucket.put_all({"a": BIG, "b": b"b"})
    bring(bucket.source())
    time.sleep(1.1)  # the service tells times in seconds
    bucket.put_all({"a": BIG})
    again = bring(bucket.source())
    assert (again.fetched, again.commit) == (0, None)
    bucket.put_all({"a": BIG[::-1]})
    assert bring(bucket.source()).fetched == 1


def test_without_what_is_noted_files_are_compared_instead_of_fetched(plain: Bucket) -> None:
    plain.put_all({"a": BIG, "b/c": b"c"})
    plain.put_in_parts("parts", b"p" * PART, b"q" * 10)
    bring(plain.source())
    shutil.rmtree(dataset().root / ".dotscience/s3")
    again = bring(plain.source())
    assert (again.fetched, again.commit, again.objects) == (0, None, 3)


def test_keys_that_cannot_be_files_are_left_out_and_reported(plain: Bucket, tmp_path: Path) -> None:
    odd = {
        "p/../evil": "is not a name",
        "p/./x": "is not a name",
        "p//x": "is not a name",
        "p/a": "other keys lie below it",
        "p/.dotscience/workspace.json": "never part of a snapshot",
        "p/sub/.GIT/config": "version control",
        "p/.ｇit/hooks": "version control",
        "p/.dotscienceignore": "would change what is versioned",
        "p/x/pyvenv.cfg": "would change what is versioned",
        "p/dotscience-s3.json": "would change what is versioned",
        "p/__pycache__/m.pyc": "are ignored",
        f"p/{'n' * 256}": "longer than 255 bytes",
        "p/full/": "holds bytes",
    }
    good = {"p/a/b": b"b", "p/a-": b"-", "p/a0": b"0", "p/\x01\x7f": b"ctl", "p/C:\\x": b"w"}
    plain.put_all(dict.fromkeys(odd, b"evil") | good)
    before = files(tmp_path)
    done = bring(plain.source("p"))
    reasons = {each.key: each.reason for each in done.skipped}
    assert reasons.keys() == odd.keys() and done.total_skipped == len(odd)
    for key, reason in odd.items():
        assert reason in reasons[key], key
    assert files(dataset().root) == {key[2:]: body for key, body in good.items()} == version()
    assert files(tmp_path) == before and not (dataset().root.parent / "evil").exists()


def test_where_names_fold_only_one_of_two_keys_is_taken(plain: Bucket, tmp_path: Path) -> None:
    (tmp_path / ".DOTSCIENCE").mkdir()  # as it looks where names fold
    plain.put_all({"A": b"1", "a": b"2", "b/C": b"3", "B": b"4"})
    rules = KeyRules(tmp_path, "")
    with State(tmp_path / "state.db") as state, Client(plain.source()) as client:
        skipped = [each for page in client.objects() for each in state.add_listed(page, rules)]
        skipped += state.drop_files_above_files()
    assert {each.key for each in skipped} == {"a", "B"}


def test_changes_that_are_in_no_version_are_not_overwritten(plain: Bucket) -> None:
    plain.put_all({"a": b"a", "b": b"b"})
    bring(plain.source())
    root = dataset().root
    (root / "a").write_bytes(b"mine")
    (root / "own").write_bytes(b"mine too")
    plain.put_all({"a": b"new"})
    with pytest.raises(DatasetError) as caught:
        bring(plain.source())
    assert caught.value.code == "uncommitted_changes" and "a, own" in caught.value.message
    assert files(root) == {"a": b"mine", "b": b"b", "own": b"mine too"}

    mine = dataset().commit("my work", author="alice")
    assert mine is not None
    bring(plain.source())
    # what the bucket has is as it is there; what it never had stays
    assert files(root) == {"a": b"new", "b": b"b", "own": b"mine too"} == version()
    assert version(commit=mine.id)["a"] == b"mine"
    (root / "b").unlink()
    assert bring(plain.source()).fetched == 1 and (root / "b").read_bytes() == b"b"
    os.utime(root / "b")  # touched, not changed
    assert bring(plain.source()).fetched == 0


def test_links_are_never_followed(plain: Bucket, tmp_path: Path) -> None:
    plain.put_all({"sub/a": b"a", "file": b"f"})
    bring(plain.source())
    root, outside = dataset().root, tmp_path / "outside"
    outside.mkdir()
    (outside / "a").write_bytes(b"outside")
    shutil.rmtree(root / "sub")
    (root / "sub").symlink_to(outside)
    (root / "file").unlink()
    (root / "file").symlink_to(outside / "a")
    dataset().commit("links", author="alice")
    with pytest.raises(SourceError, match="something else is there"):
        bring(plain.source())
    assert files(outside) == {"a": b"outside"}
    (root / "sub").unlink()
    bring(plain.source())
    assert (root / "file").read_bytes() == b"f" and not (root / "file").is_symlink()
    assert files(outside) == {"a": b"outside"}
    # a folder of somebody's own in place of a file stays
    (root / "file").unlink()
    (root / "file").mkdir()
    (root / "file/own").write_bytes(b"own")
    dataset().commit("a folder", author="alice")
    with pytest.raises(SourceError) as caught:
        bring(plain.source())
    assert caught.value.code == "in_the_way" and (root / "file/own").exists()


def test_a_dataset_has_one_source(plain: Bucket, s3_service: S3Service) -> None:
    plain.put_all({"one/a": b"a", "two/b": b"b"})
    bring(plain.source("one"))
    for wrong in (plain.source("two"), plain.source()):
        with pytest.raises(SourceError, match="comes from s3://") as caught:
            bring(wrong)
        assert caught.value.code == "exists"
    with pytest.raises(SourceError, match="another name"):
        bring(plain.source("one"), pin=True)
    elsewhere = plain.source("one", endpoint="http://127.0.0.1:1")
    with pytest.raises(SourceError, match=r"at http://127.0.0.1:\d+, not from .* at http"):
        bring(elsewhere)
    own = Datasets().create("own", author="alice")
    (own.root / "mine").write_bytes(b"mine")
    with pytest.raises(SourceError, match="has files that do not come from"):
        bring(plain.source("one"), "own")
    assert files(own.root) == {"mine": b"mine"} and files(dataset().root) == {"a": b"a"}


def test_what_cannot_be_read_is_told_in_words(
    plain: Bucket, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def code(source: Source) -> str:
        with pytest.raises(SourceError) as caught, Client(source) as client:
            client.check()
        assert "Traceback" not in caught.value.message
        return caught.value.code

    plain.put_all({"file": b"one object"})
    url = plain.service.url
    assert code(Source("no-such-bucket", "", url)) == "not_found"
    assert code(plain.source("file")) == code(plain.source("nothing")) == "not_found"
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    assert code(plain.source()) == "no_credentials"
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    assert code(plain.source()) == "invalid_request"
    monkeypatch.delenv("AWS_PROFILE")
    with Client(Source.parse(f"s3://{plain.name}", url, anonymous=True)) as client:
        client.check()
    monkeypatch.setattr("dotscience_jupyter.datasets.s3.bucket._ATTEMPTS", 1)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    assert code(plain.source(endpoint=f"http://127.0.0.1:{free_port()}")) == "unreachable"


@pytest.mark.parametrize("url", ["http://b/x", "s3://", "s3:///x", "b/x", "s3://b b/x", "s3://ü/"])
def test_what_is_no_address_of_a_bucket_is_refused(url: str) -> None:
    with pytest.raises(SourceError, match="s3://bucket/folder"):
        Source.parse(url)


@pytest.mark.parametrize(
    "endpoint", ["ftp://x", "x", "https://u:p@x", "https://x?a=b", "https://", "http://x:99999999"]
)
def test_what_is_no_address_of_a_service_is_refused(endpoint: str) -> None:
    with pytest.raises(SourceError) as caught:
        Source.parse("s3://b/x", endpoint)
    assert "u:p" not in caught.value.message


def test_a_cut_connection_goes_on_where_it_was(plain: Bucket) -> None:
    body = os.urandom(4 << 20)
    plain.put_all({"a": body, "b": b"b"})
    with proxy(plain.service.port) as between:
        between.budget = 1 << 20
        done = bring(plain.source(endpoint=between.url), workers=1)
        assert between.cuts >= 3 and between.passed < 1.2 * len(body)
    assert (done.fetched, done.unproven) == (2, 0) and version() == {"a": body, "b": b"b"}


def test_damage_on_the_way_is_noticed_and_healed(plain: Bucket) -> None:
    body = os.urandom(2 << 20)
    plain.put_all({"a": body})
    with proxy(plain.service.port) as between:
        between.budget, between.damage = 1 << 20, True
        source = plain.source(endpoint=between.url)
        with pytest.raises(SourceError) as caught:
            bring(source, workers=1)
        assert caught.value.code == "damaged" and between.cuts == 2 and commits() == 1

        def clear(done: int, total: int, what: str) -> None:
            between.budget = None if between.cuts > 2 else between.budget

        bring(source, workers=1, progress=clear)
        assert between.cuts == 3
    assert version() == {"a": body}


def test_an_import_that_failed_goes_on_and_fetches_nothing_twice(
    plain: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dotscience_jupyter.datasets.s3.bucket._ATTEMPTS", 1)
    content = {f"f{number}": os.urandom(200_000) for number in range(10)}
    plain.put_all(content)
    with proxy(plain.service.port) as between:
        source = plain.source(endpoint=between.url)
        seen = 0

        def cut(done: int, total: int, what: str) -> None:
            nonlocal seen
            if what == "Fetching":
                seen = done
                if done > 1_000_000:
                    between.budget = 0

        with pytest.raises(SourceError) as caught:
            bring(source, workers=1, progress=cut)
        assert caught.value.code == "unreachable" and commits() == 1
        between.budget, before = None, between.passed
        done = bring(source, workers=1)
        assert between.passed - before < 2_000_000 - seen + 300_000
    assert done.fetched < 10 and version() == content and commits() == 2


def test_bytes_that_are_not_those_of_the_etag_are_never_taken() -> None:
    with odd_service(hashlib.md5(b"other").hexdigest(), b"bytes") as url:
        source = Source.parse("s3://odd", url)
        with pytest.raises(SourceError) as caught:
            bring(source)
        assert caught.value.code == "damaged" and files(dataset().root) == {} and commits() == 1


def test_what_no_checksum_proves_is_counted(tmp_path: Path) -> None:
    with odd_service("0" * 32, b"bytes", headers={"x-amz-server-side-encryption": "aws:kms"}) as u:
        done = bring(Source.parse("s3://odd", u))
    assert (done.fetched, done.unproven) == (1, 1) and version() == {"a": b"bytes"}

    def proven(etag: str, headers: dict[str, str]) -> bool:
        service = odd_service(etag, b"bytes", headers=headers)
        with service as url, Client(Source.parse("s3://odd", url)) as client:
            found = Downloads(client, tmp_path, lambda count: None)
            return found.bring(Object("a", 5, etag, 0)).proven

    assert not proven("0x8DC", {}) and not proven("0" * 32 + "-2", {})
    assert proven(hashlib.md5(b"bytes").hexdigest(), {})
    assert proven("0x8DC1", {"x-amz-checksum-crc32": "sZlDzg=="})
    with pytest.raises(SourceError, match="twice in a row"):
        proven("0x8DC2", {"x-amz-checksum-crc32": "AAAAAA=="})


def test_what_changes_while_it_is_imported_is_looked_at_again(plain: Bucket) -> None:
    plain.put_all({"a": b"old", "b": b"b", "gone": b"g"})
    rounds = 0

    def interfere(done: int, total: int, what: str) -> None:
        nonlocal rounds
        if not what.startswith("Listing"):
            return
        rounds += 1
        if rounds == 1:
            plain.put_all({"a": b"newer"})
            plain.delete("gone")

    done = bring(plain.source(), progress=interfere)
    assert rounds == 2 and done.objects == 2
    assert version() == {"a": b"newer", "b": b"b"}


def test_what_never_rests_is_told(plain: Bucket) -> None:
    plain.put_all({"a": b"0"})
    count = 0

    def interfere(done: int, total: int, what: str) -> None:
        nonlocal count
        if what.startswith("Listing"):
            count += 1
            plain.put_all({"a": str(count).encode()})

    with pytest.raises(SourceError) as caught:
        bring(plain.source(), progress=interfere)
    assert caught.value.code == "changed" and commits() == 1


def test_two_imports_at_once_take_turns(plain: Bucket) -> None:
    plain.put_all({"a": b"a"})
    with importing.alone(dataset().root), pytest.raises(DatasetError) as caught:
        bring(plain.source())
    assert caught.value.code == "busy"


def test_many_objects_are_listed_page_by_page_and_reported_up_to_a_limit(
    plain: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "REPORTED", 3)
    monkeypatch.setattr(mirroring, "_SAVE_EVERY", 4)
    plain.put_all({f"n{number:02}": b"" for number in range(9)} | {f"//{n}": b"" for n in range(5)})
    done = bring(plain.source())
    assert (done.objects, done.total_skipped, len(done.skipped)) == (9, 5, 3)


THOROUGH = bool(os.environ.get("DOTSCIENCE_THOROUGH"))


@pytest.mark.parametrize("point", [0.5] if not THOROUGH else [n / 60 for n in range(60)])
def test_a_killed_import_goes_on(plain: Bucket, point: float) -> None:
    content = {f"d{number % 7}/f{number}": os.urandom(30_000) for number in range(60)}
    plain.put_all(content)
    source = plain.source()
    dataset()
    program = (
        "import os, signal, sys\n"
        "from s3_dataset_world import *\n"
        "def tell(done, total, what):\n"
        f"    if what == 'Fetching' and done > total * {point}: os.kill(os.getpid(), 9)\n"
        f"bring(Source.parse({str(source)!r}, {source.endpoint!r}), progress=tell)\n"
    )
    folders = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "s3world")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([*folders, *sys.path])}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    assert commits() == 1
    if point == 0.5:
        plain.put_all({"d1/f1": b"changed since"})
        content["d1/f1"] = b"changed since"
    found: Imported = bring(source)
    assert version() == content == files(dataset().root)
    if point >= 0.5:
        assert found.fetched < 60
