# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Programs that speak S3, as people use them; boto3 and s3cmd have files of their own."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import dataset, fs, parquet
from s3_world import World


def run(*command: str, env: Mapping[str, str]) -> str:
    base = {name: v for name, v in os.environ.items() if not name.lower().endswith("_proxy")}
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env={**base, **env})
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A folder with a file that is sent in parts and one with a difficult name."""
    folder = tmp_path / "files"
    (folder / "sub").mkdir(parents=True)
    (folder / "big").write_bytes(os.urandom(11 << 20))
    (folder / "sub" / "b c+d%é.txt").write_text("text")
    return folder


def same(one: Path, other: Path) -> bool:
    files = sorted(path.relative_to(one) for path in one.rglob("*") if path.is_file())
    assert files == sorted(path.relative_to(other) for path in other.rglob("*") if path.is_file())
    return all((one / name).read_bytes() == (other / name).read_bytes() for name in files)


def test_pyarrow(world: World) -> None:
    key, secret = world.keys("alice")
    bucket = world.bucket()
    place = fs.S3FileSystem(
        access_key=key,
        secret_key=secret,
        endpoint_override=world.endpoint.removeprefix("http://"),
        scheme="http",
        region="us-east-1",
    )
    table = pa.table({"x": list(range(10_000)), "y": ["even", "odd"] * 5_000})
    dataset.write_dataset(
        table, f"{bucket}/table", filesystem=place, format="parquet", partitioning=["y"]
    )
    back = dataset.dataset(f"{bucket}/table", filesystem=place, partitioning=["y"])
    assert back.count_rows() == 10_000
    assert back.to_table(filter=dataset.field("y") == "odd")["x"].to_pylist()[:2] == [1, 3]
    parquet.write_table(table, f"{bucket}/one.parquet", filesystem=place)
    # only what is needed of it is read
    assert parquet.read_table(f"{bucket}/one.parquet", columns=["x"], filesystem=place).shape == (
        10_000,
        1,
    )
    found = place.get_file_info(fs.FileSelector(bucket, recursive=True))
    assert f"{bucket}/one.parquet" in [each.path for each in found]
    place.delete_file(f"{bucket}/one.parquet")
    place.delete_dir(f"{bucket}/table")
    assert place.get_file_info(fs.FileSelector(bucket, recursive=True)) == []


def test_rclone(world: World, files: Path, tmp_path: Path) -> None:
    if shutil.which("rclone") is None:
        if os.environ.get("DOTSCIENCE_REQUIRE_REAL") == "1":
            raise AssertionError("rclone is not installed")
        pytest.skip("rclone is not installed")
    key, secret = world.keys("alice")
    bucket = world.bucket()
    env = {
        "RCLONE_CONFIG": os.devnull,
        "RCLONE_CONFIG_HUB_TYPE": "s3",
        "RCLONE_CONFIG_HUB_PROVIDER": "Other",
        "RCLONE_CONFIG_HUB_ENDPOINT": world.endpoint,
        "RCLONE_CONFIG_HUB_REGION": "us-east-1",
        "RCLONE_CONFIG_HUB_ACCESS_KEY_ID": key,
        "RCLONE_CONFIG_HUB_SECRET_ACCESS_KEY": secret,
        "RCLONE_S3_UPLOAD_CUTOFF": "6M",
        "RCLONE_S3_CHUNK_SIZE": "5M",
    }
    there = f"hub:{bucket}/in"
    run("rclone", "sync", str(files), there, env=env)
    run("rclone", "check", str(files), there, "--download", env=env)
    assert sorted(run("rclone", "lsf", "-R", there, env=env).splitlines()) == [
        "big",
        "sub/",
        "sub/b c+d%é.txt",
    ]
    # what is there already is not sent again, and times are kept
    commits = world.client().list_object_versions(Bucket=bucket)["Versions"]
    run("rclone", "sync", str(files), there, env=env)
    assert world.client().list_object_versions(Bucket=bucket)["Versions"] == commits
    run("rclone", "copy", there, str(tmp_path / "back"), env=env)
    assert same(files, tmp_path / "back")
    run("rclone", "delete", there, env=env)
    assert run("rclone", "lsf", "-R", "--files-only", f"hub:{bucket}", env=env) == ""


def test_aws_cli(world: World, files: Path, tmp_path: Path) -> None:
    if shutil.which("aws") is None:
        pytest.skip("aws-cli is not installed")
    key, secret = world.keys("alice")
    bucket = world.bucket()
    env = {
        "AWS_ACCESS_KEY_ID": key,
        "AWS_SECRET_ACCESS_KEY": secret,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_PAGER": "",
    }
    s3 = ("aws", "--endpoint-url", world.endpoint, "s3")
    run(*s3, "sync", "--no-progress", str(files), f"s3://{bucket}/in", env=env)
    run(*s3, "sync", "--no-progress", f"s3://{bucket}/in", str(tmp_path / "back"), env=env)
    assert same(files, tmp_path / "back")


DUCK = """
import os, duckdb
from duckdb_extensions import import_extension
import_extension("httpfs")
here = duckdb.connect()
here.execute("LOAD httpfs")
key, secret, host, bucket = (os.environ[name] for name in ("KEY", "SECRET", "HOST", "BUCKET"))
here.execute(
    f"CREATE SECRET (TYPE s3, KEY_ID '{key}', SECRET '{secret}', ENDPOINT '{host}', "
    "URL_STYLE 'path', USE_SSL false, REGION 'us-east-1')"
)
here.execute(f"COPY (SELECT range AS i FROM range(100000)) TO 's3://{bucket}/t/0.parquet'")
here.execute(f"COPY (SELECT range AS i FROM range(100)) TO 's3://{bucket}/t/1.parquet'")
here.execute(f"COPY (SELECT 1 AS a, 'x' AS b) TO 's3://{bucket}/c.csv'")
print(here.execute(f"SELECT count(*), sum(i) FROM 's3://{bucket}/t/*.parquet'").fetchone())
print(here.execute(f"SELECT * FROM 's3://{bucket}/c.csv'").fetchall())
"""


def test_duckdb(world: World, tmp_path: Path) -> None:
    if importlib.util.find_spec("duckdb_extensions") is None:
        pytest.skip("DuckDB is not installed: duckdb, duckdb-extensions, duckdb-extension-httpfs")
    key, secret = world.keys("alice")
    env = {
        "KEY": key,
        "SECRET": secret,
        "HOST": world.endpoint.removeprefix("http://"),
        "BUCKET": world.bucket(),
        "HOME": str(tmp_path),
    }
    assert run(sys.executable, "-c", DUCK, env=env).splitlines() == [
        "(100100, 4999954950)",
        "[(1, 'x')]",
    ]
