# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Datasets from services that are real: Ceph's gateway, and a hub's own S3 endpoint."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hub_world import hub
from s3_dataset_world import PART, Bucket, bring, commits, dataset, files, version
from s3_services import S3Service, shared_ceph

from dotscience_jupyter.datasets import Datasets
from dotscience_jupyter.datasets.s3 import MANIFEST, Source, SourceError, fetch_files, read_manifest

CONTENT = {
    "a.csv": b"1,2\n",
    "sub/ü é+%2F &.txt": b"x",
    "empty": b"",
    "big": os.urandom(300_000),
    "c\x01": b"control",
}


@pytest.fixture
def ceph(monkeypatch: pytest.MonkeyPatch) -> S3Service:
    service = shared_ceph()
    for name, value in service.environment().items():
        monkeypatch.setenv(name, value)
    return service


@pytest.mark.xdist_group("ceph")
@pytest.mark.parametrize("versioned", [False, True], ids=["plain", "versioned"])
def test_ceph_is_mirrored_and_pointed_to(ceph: S3Service, versioned: bool) -> None:
    bucket = Bucket.new(ceph, versioned=versioned)
    bucket.put_all({f"in/{key}": body for key, body in CONTENT.items()})
    bucket.put_all({"in/../evil": b"evil", "in//x": b"evil", "other": b"o"})
    bucket.put_in_parts("in/parts", os.urandom(PART + 1), b"q" * 10)
    parts = bucket.client.get_object(Bucket=bucket.name, Key="in/parts")["Body"].read()
    content = CONTENT | {"parts": parts}

    first = bring(bucket.source("in"))
    assert (first.fetched, first.total_skipped) == (6, 2)
    assert first.unproven <= 1  # this release does not tell the sizes of parts
    assert version() == content
    again = bring(bucket.source("in"))
    assert (again.fetched, again.commit) == (0, None)
    pin = bring(bucket.source("in"), "pointer", pin=True)

    bucket.put_all({"in/a.csv": b"3,4\n"})
    bucket.delete("in/empty")
    third = bring(bucket.source("in"))
    assert (third.fetched, third.removed) == (1, 1)
    assert version()["a.csv"] == b"3,4\n" and "empty" not in version()

    place = Datasets().checkout(dataset("pointer"), str(pin.commit))
    manifest = read_manifest((place / MANIFEST).read_bytes())
    assert bool(manifest.objects["a.csv"].version) is versioned
    fetch_files(place, ["sub", "big", "parts", "c\x01"])
    if versioned:
        fetch_files(place)
        assert {key: files(place)[key] for key in content} == content
    else:
        with pytest.raises(SourceError) as caught:
            fetch_files(place, ["a.csv"])
        assert caught.value.code == "changed" and not (place / "a.csv").exists()


@pytest.mark.xdist_group("ceph")
def test_who_may_not_read_is_told(ceph: S3Service, monkeypatch: pytest.MonkeyPatch) -> None:
    bucket = Bucket.new(ceph)
    bucket.put_all({"a": b"a"})
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    with pytest.raises(SourceError) as caught:
        bring(bucket.source())
    assert caught.value.code == "no_credentials" and "wrong" not in caught.value.message
    with pytest.raises(SourceError) as caught:
        bring(Source(bucket.name, "", ceph.url, anonymous=True))
    assert caught.value.code == "refused" and commits() == 1


@pytest.mark.xdist_group("ceph")
def test_a_gateway_that_dies_and_comes_back(
    ceph: S3Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dotscience_jupyter.datasets.s3.bucket._ATTEMPTS", 1)
    content = {f"f{number:02}": os.urandom(100_000) for number in range(20)}
    bucket = Bucket.new(ceph)
    bucket.put_all(content)
    stopped = False

    def stop(done: int, total: int, what: str) -> None:
        nonlocal stopped
        if what == "Fetching" and done > 800_000 and not stopped:
            stopped = True
            ceph.stop()

    try:
        with pytest.raises(SourceError) as caught:
            bring(bucket.source(), workers=2, progress=stop)
    finally:
        if stopped:
            ceph.start()
    assert caught.value.code == "unreachable" and commits() == 1
    done = bring(bucket.source())
    assert 0 < done.fetched < 20 and version() == content


def test_a_project_of_a_hub_becomes_a_dataset(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with hub(tmp_path) as running:
        running.project("alice", "demo")
        access, secret = running.s3_key("alice")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", access)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", secret)
        monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        service = S3Service(f"{running.url}/s3", access, secret)
        bucket = Bucket(service, "demo", service.client())
        bucket.put_all({f"in/{key}": body for key, body in CONTENT.items()})
        bucket.put_in_parts("in/parts", b"p" * PART, b"q" * 10)
        first = bring(bucket.source("in"))
        assert first.unproven == 0 and first.fetched == 6
        assert version() == CONTENT | {"parts": b"p" * PART + b"q" * 10}
        pin = bring(bucket.source("in"), "pointer", pin=True)
        bucket.put_all({"in/a.csv": b"new"})
        assert bring(bucket.source("in")).fetched == 1
        place = Datasets().checkout(dataset("pointer"), str(pin.commit))
        fetch_files(place)
        assert files(place)["a.csv"] == CONTENT["a.csv"]  # a commit of the hub is a version
