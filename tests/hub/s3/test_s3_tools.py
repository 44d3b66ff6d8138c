# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""s3cmd, as a person uses it, and a hub that is killed while objects are stored."""

from __future__ import annotations

import filecmp
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from botocore.exceptions import BotoCoreError, ClientError
from hub_world import hub, hub_process
from s3_world import World, error

S3CMD = Path(sys.executable).with_name("s3cmd")


@pytest.fixture
def config(world: World, tmp_path: Path) -> Path:
    """s3cmd's configuration."""
    if not S3CMD.exists():
        if os.environ.get("DOTSCIENCE_REQUIRE_REAL") == "1":
            raise AssertionError("s3cmd is not installed")
        pytest.skip("s3cmd is not installed: pip install s3cmd")
    id_, secret = world.keys("alice")
    host = world.endpoint.removeprefix("http://")
    path = tmp_path / "s3cfg"
    path.write_text(
        f"[default]\naccess_key = {id_}\nsecret_key = {secret}\nuse_https = False\n"
        f"host_base = {host}\nhost_bucket = {host}\n"
    )
    return path


def run(config: Path, *words: str) -> str:
    command = [sys.executable, str(S3CMD), "-c", str(config), "--no-progress", *words]
    environment = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment)
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr and "ERROR" not in done.stderr, done.stderr
    return done.stdout


def test_s3cmd(world: World, config: Path, tmp_path: Path) -> None:
    bucket = world.bucket()
    url = f"s3://{bucket}"
    source = tmp_path / "source"
    (source / "sub").mkdir(parents=True)
    (source / "big.bin").write_bytes(os.urandom(11 << 20))
    (source / "sub" / "b c+d%é.txt").write_text("text")
    assert url in run(config, "ls")
    # parts of 5 MB, listed, copied, brought back, removed
    run(config, "sync", "--multipart-chunk-size-mb=5", f"{source}/", f"{url}/in/")
    assert run(config, "sync", f"{source}/", f"{url}/in/").count("upload:") == 0
    listing = run(config, "ls", "-r", url)
    assert f"{url}/in/big.bin" in listing and f"{url}/in/sub/b c+d%é.txt" in listing
    assert f"DIR  {url}/in/" in run(config, "ls", url)
    run(config, "cp", f"{url}/in/big.bin", f"{url}/copy.bin")
    run(config, "mv", f"{url}/copy.bin", f"{url}/moved.bin")
    target = tmp_path / "target"
    run(config, "sync", f"{url}/in/", f"{target}/")
    assert filecmp.cmp(source / "big.bin", target / "big.bin", shallow=False)
    assert (target / "sub" / "b c+d%é.txt").read_text() == "text"
    assert (target / "big.bin").stat().st_mtime == int((source / "big.bin").stat().st_mtime)
    run(config, "get", f"{url}/moved.bin", str(tmp_path / "moved.bin"))
    assert filecmp.cmp(source / "big.bin", tmp_path / "moved.bin", shallow=False)
    assert "11534336" in run(config, "info", f"{url}/moved.bin")
    run(config, "del", "-r", "-f", f"{url}/in/")
    assert [each["Key"] for each in world.client().list_objects_v2(Bucket=bucket)["Contents"]] == [
        "moved.bin"
    ]


def test_versions_on_postgresql(tmp_path: Path, hub_postgresql: str) -> None:
    """Keys are sorted by code points, whatever the database's own order is."""
    with hub(tmp_path, db=hub_postgresql) as running:
        world = World(running)
        s3, bucket = world.client(), world.bucket()
        keys = ["B", "_c", "a/B", "a/b", "a_b", "b\\c", "ä", "ö_%", "🙂"]
        assert keys == sorted(keys)
        first = s3.put_object(Bucket=bucket, Key="a/b", Body=b"1")["VersionId"]
        for key in reversed(keys):
            s3.put_object(Bucket=bucket, Key=key, Body=key.encode(), Metadata={"n": "1"})
        s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "B"}, {"Key": "a/b"}]})
        for size in (1, 3, 1000):
            found = []
            for page in s3.get_paginator("list_object_versions").paginate(
                Bucket=bucket, PaginationConfig={"PageSize": size}
            ):
                both = page.get("Versions", []) + page.get("DeleteMarkers", [])
                found += sorted((each["Key"], not each["IsLatest"]) for each in both)
            assert [key for key, _ in found] == sorted([*keys, "B", "a/b", "a/b"]), size
        some = s3.list_object_versions(Bucket=bucket, Prefix="ö_")["Versions"]
        assert [each["Key"] for each in some] == ["ö_%"]
        assert s3.head_object(Bucket=bucket, Key="b\\c")["Metadata"] == {"n": "1"}
        old = s3.get_object(Bucket=bucket, Key="a/b", VersionId=first)
        assert old["Body"].read() == b"1"
        listed = [each["Key"] for each in s3.list_objects_v2(Bucket=bucket)["Contents"]]
        assert listed == [key for key in keys if key not in ("B", "a/b")]


def test_what_was_answered_survives_a_power_cut(tmp_path: Path) -> None:
    data = tmp_path / "hub"
    stored: list[tuple[str, bytes, str]] = []
    with hub_process(data) as running:
        world = World(running)
        s3, bucket = world.client(read_timeout=20), world.bucket()
        keys = world.keys("alice")
        ready = threading.Event()

        def put() -> None:
            number = 0
            while True:
                key, body = f"{threading.get_ident()}/{number}", os.urandom(200_000)
                try:
                    made = s3.put_object(Bucket=bucket, Key=key, Body=body)
                except (BotoCoreError, ClientError):
                    return
                stored.append((key, body, made["VersionId"]))
                number += 1
                if len(stored) > 8:
                    ready.set()

        threads = [threading.Thread(target=put) for _ in range(4)]
        for thread in threads:
            thread.start()
        assert ready.wait(60)
        time.sleep(0.3)
        running.kill()
        for thread in threads:
            thread.join(60)
    with hub_process(data) as running:
        world = World(running, {"alice": keys})
        s3 = world.client()
        listed = {each["Key"] for each in s3.list_objects_v2(Bucket=bucket)["Contents"]}
        assert {key for key, _, _ in stored} <= listed
        for key, body, version in stored:
            found = s3.get_object(Bucket=bucket, Key=key)
            assert (found["VersionId"], found["Body"].read()) == (version, body)
        s3.put_object(Bucket=bucket, Key="after", Body=b"x")
        assert error(s3.get_object, Bucket=bucket, Key="no")[0] == 404
