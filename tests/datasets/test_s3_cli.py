# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""``ds dataset import`` and ``ds dataset fetch``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from s3_dataset_world import Bucket, files
from s3_services import S3Service

from dotscience_jupyter.cli.app import cli
from dotscience_jupyter.datasets import Datasets
from dotscience_jupyter.records import Workspace


@pytest.fixture(autouse=True)
def credentials(s3_service: S3Service, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in s3_service.environment().items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def bucket(s3_service: S3Service) -> Bucket:
    return Bucket.new(s3_service)


def ds(*arguments: str, code: int = 0) -> Result:
    result = CliRunner().invoke(cli, ["dataset", *arguments])
    assert result.exit_code == code, (result.output, result.exception)
    assert "Traceback" not in result.output
    return result


def ds_json(*arguments: str, code: int = 0) -> Any:
    result = ds(*arguments, "--json", code=code)
    return json.loads(result.stderr if code else result.stdout)


def test_a_bucket_is_imported_again_and_again(bucket: Bucket) -> None:
    address = f"s3://{bucket.name}/in/iris"
    at = ["--endpoint", bucket.service.url]
    bucket.put_all({"in/iris/a": b"a", "in/iris/\x1b[2J//x": b"x"})
    first = ds("import", address, *at)
    assert "iris: 1 object, 1 B" in first.stdout and "Fetched 1 file" in first.stdout
    assert "Left out" in first.stderr and "\x1b[2J" not in first.stderr
    assert files(Datasets().get("iris").root) == {"a": b"a"}
    # the service is remembered
    again = ds_json("import", address)
    assert (again["commit"], again["fetched"], again["dataset"]) == (None, 0, "iris")
    assert again["source"]["endpoint"] == bucket.service.url
    assert again["skipped"] == [
        {"key": "in/iris/\x1b[2J//x", "reason": "'' is not a name of a file or folder"}
    ]
    assert "Nothing differs" in ds("import", address).stdout


def test_a_pinned_dataset_is_attached_and_fetched(
    bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket.put_all({"sub/a": b"aa", "b": b"b"})
    made = ds_json(
        "import", f"s3://{bucket.name}", "set", "--endpoint", bucket.service.url, "--pin"
    )
    assert (made["pinned"], made["objects"], made["fetched"]) == (True, 2, 0)
    Workspace.create(tmp_path)
    monkeypatch.chdir(tmp_path)
    ds("attach", "set", "data/set")
    assert not (tmp_path / "data/set/b").exists()
    done = ds_json("fetch", "set", "sub")
    assert (done["files"], done["bytes"], done["present"]) == (1, 2, 0)
    assert (tmp_path / "data/set/sub/a").read_bytes() == b"aa"
    assert "Fetched 1 file (1 B); 1 were there already." in ds("fetch", "set").stdout
    assert ds_json("fetch", "data/set/b")["present"] == 1
    # where nothing is attached, it is the live folder
    monkeypatch.chdir(tmp_path.parent)
    ds("fetch", "set", "b")
    assert (Datasets().get("set").root / "b").exists()


def test_what_is_wrong_is_told_in_words(bucket: Bucket, tmp_path: Path) -> None:
    bucket.put_all({"a": b"a"})
    at = ["--endpoint", bucket.service.url]

    def told(*arguments: str) -> tuple[str, str]:
        error = ds_json(*arguments, code=1)["error"]
        return error["code"], error["message"]

    assert told("import", "bucket/x")[0] == "invalid_request"
    assert told("import", f"s3://{bucket.name}/none", *at)[0] == "not_found"
    assert told("import", "s3://no-such-bucket-here", *at)[0] == "not_found"
    assert told("import", f"s3://{bucket.name}", "--endpoint", "nowhere")[0] == "invalid_request"
    assert told("import", f"s3://{bucket.name}", "a/b", *at)[0] == "invalid_request"
    assert Datasets().all() == []  # a name that was misspelt makes no dataset
    assert told("fetch", "unknown")[0] == "not_found"
    assert told("fetch", str(tmp_path / "x"))[0] == "not_found"
    ds("import", f"s3://{bucket.name}", "mirror", *at)
    assert told("fetch", "mirror")[0] == "not_found"
    assert ds("import", code=2).exit_code == 2
