# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Requests that are written together against the same requests one after the other."""

from __future__ import annotations

import asyncio
import io
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
from blake3 import blake3
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st
from s3_world import World, error

from dotscience_jupyter.hub.identity import User
from dotscience_jupyter.hub.project import Project, ProjectInfo
from dotscience_jupyter.hub.s3 import base, groups, multipart
from dotscience_jupyter.hub.s3.errors import S3Error
from dotscience_jupyter.hub.s3.groups import Groups
from dotscience_jupyter.hub.s3.multipart import MultipartUpload
from dotscience_jupyter.hub.s3.objects import Details, find
from dotscience_jupyter.hub.s3.writing import Change, Delete, Plan, Put, write
from dotscience_jupyter.snapshots.engine import Kind

NAMES = ["a", "a/", "a/b", "a/b/", "a/b/c", "a/d", "e"]


def put(key: str, body: bytes, **conditions: str) -> Put:
    if key.endswith("/"):
        body = b""
    return Put(
        key, key.removesuffix("/"), lambda: io.BytesIO(body), blake3(body).hexdigest(), len(body),
        Details(meta={"of": key}), {n.replace("_", "-"): v for n, v in conditions.items()},
    )  # fmt: skip


def delete(key: str) -> Delete:
    return Delete(key, key.removesuffix("/"), {})


def opened(world: World, work: Callable[[Project, User], Any], bucket: str = "") -> Any:
    services = world.hub.services
    assert services is not None
    bucket = bucket or world.bucket()
    info = services.projects.by_name("alice", bucket)
    user = services.identity.find_user("alice")
    assert info is not None and user is not None
    with services.projects.open(info) as project:
        return work(project, user)


def content(project: Project) -> dict[str, Any]:
    head = project.records.head()
    if head is None:
        return {}
    found: dict[str, Any] = {}
    for entry in project.engine.walk(head.snapshot):
        key = entry.path + ("/" if entry.kind is Kind.FOLDER else "")
        stored = find(project, key)
        # a folder that was made on the way to a file has no words of its own
        meta = {} if key.endswith("/") else dict(stored.details.meta)
        found[key] = (stored.etag, meta)
    return found


Step = tuple[str, str, bytes]
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["put", "put", "new", "delete"]),
        st.sampled_from(NAMES),
        st.sampled_from([b"1", b"2"]),
    ),
    min_size=1,
    max_size=7,
)


def changes(steps: list[Step]) -> list[Change]:
    made: list[Change] = []
    for what, key, body in steps:
        if what == "delete":
            made.append(delete(key))
        else:
            made.append(put(key, body, **({"if_none_match": "*"} if what == "new" else {})))
    return made


# each example takes a quarter of a second, which is too long for finding a smaller one
@settings(
    max_examples=6,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(STEPS, STEPS)
@example([("put", "a/b/c", b"1")], [("delete", "a/b/c", b""), ("put", "a", b"1")])
@example([("put", "a/", b"")], [("delete", "a/", b""), ("put", "a/b", b"1")])
@example([("put", "a/b", b"1")], [("delete", "a/b", b""), ("delete", "a/", b"")])
@example([("put", "a/b/c", b"1")], [("put", "a/", b"1"), ("delete", "a/b/c", b"")])
@example([("put", "a", b"1")], [("put", "a", b"1"), ("delete", "a", b""), ("new", "a", b"2")])
def test_together_is_as_one_after_the_other(
    world: World, before: list[Step], steps: list[Step]
) -> None:
    def codes(outcomes: list[S3Error | None]) -> list[str]:
        return ["" if each is None else each.code for each in outcomes]

    def together(project: Project, user: User) -> Any:
        write(project, user, changes(before))
        made = changes(steps)
        count = project.records.counts()[0]
        found = codes(write(project, user, made))
        assert project.records.counts()[0] - count in (0, 1)
        assert len({each.version for each in made} - {""}) <= 1
        assert project.records.verify() == []
        return found, content(project)

    def apart(project: Project, user: User) -> Any:
        for each in changes(before):
            write(project, user, [each])
        found = [codes(write(project, user, [each]))[0] for each in changes(steps)]
        return found, content(project)

    assert opened(world, together) == opened(world, apart)


def test_one_that_fails_spoils_nothing_for_others(world: World) -> None:
    class Broken(io.BytesIO):
        def read(self, *_: Any) -> bytes:
            raise OSError("the disk is gone")

        readinto = readall = readinto1 = read  # type: ignore[assignment]

    services = world.hub.services
    assert services is not None
    bucket = world.bucket()

    def of(project: Project, user: User) -> tuple[ProjectInfo, User]:
        return project.info, user

    info, user = opened(world, of, bucket)
    broken = put("bad", b"x")
    broken._source = Broken

    async def run() -> list[Any]:
        queue = Groups(services)
        work = [queue.change(info, user, each) for each in (put("a", b"1"), broken, put("b", b"2"))]
        return await asyncio.gather(*work, return_exceptions=True)

    first, second, third = asyncio.run(run())
    assert first is None and third is None and isinstance(second, Exception)
    found = opened(world, lambda project, _: sorted(content(project)), bucket)
    assert found == ["a", "b"]


def test_a_group_waits_for_those_that_are_being_sent(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    services = world.hub.services
    assert services is not None
    info, user = opened(world, lambda project, user: (project.info, user))
    monkeypatch.setattr(groups, "WINDOW", 20.0)

    async def run() -> list[str]:
        queue = Groups(services)
        queue.begin(info)
        first, second = put("a", b"1"), put("b", b"2")
        task = asyncio.create_task(queue.change(info, user, first))
        done, _ = await asyncio.wait({task}, timeout=0.3)
        assert not done
        queue.end(info)
        await queue.change(info, user, second)
        await asyncio.wait_for(task, 10)
        assert not queue._buckets
        return [first.version, second.version]

    versions = asyncio.run(run())
    assert len(set(versions)) <= 2 and "" not in versions


def test_answers_that_take_long_keep_the_connection_alive(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    s3, bucket = world.client(), world.bucket()
    s3.put_object(Bucket=bucket, Key="a", Body=b"x" * 1_000_000)
    monkeypatch.setattr(base, "_KEEP_ALIVE", 0.005)
    source = {"Bucket": bucket, "Key": "a"}
    made = s3.copy_object(Bucket=bucket, Key="b", CopySource=source)
    assert made["CopyObjectResult"]["ETag"] == s3.head_object(Bucket=bucket, Key="b")["ETag"]
    status, code = error(s3.copy_object, Bucket=bucket, Key="a/c", CopySource=source)
    assert code == "InvalidRequest"
    assert status in (200, 400, 500)
    upload = s3.create_multipart_upload(Bucket=bucket, Key="m")["UploadId"]
    here = {"Bucket": bucket, "Key": "m", "UploadId": upload}
    tag = s3.upload_part(**here, PartNumber=1, Body=b"y" * 2_000_000)["ETag"]
    parts = {"Parts": [{"PartNumber": 1, "ETag": tag}]}
    done = s3.complete_multipart_upload(**here, MultipartUpload=parts)
    assert done["ETag"] == s3.head_object(Bucket=bucket, Key="m")["ETag"]


def test_uploads_that_nobody_goes_on_with_are_dropped(tmp_path: Path) -> None:
    def begin(key: str) -> MultipartUpload:
        return MultipartUpload.begin(tmp_path, key, "id", "alice", Details(tags={"a": "b"}))

    old, new = begin("old"), begin("new")
    left, file = multipart.part_file(tmp_path)
    file.close()
    before = time.time() - multipart.KEPT - 1
    for path in (old.folder, left):
        os.utime(path, (before, before))
    (tmp_path / "other").write_text("of somebody else")
    assert {each.id for each in MultipartUpload.all(tmp_path)} == {old.id, new.id}
    newest = begin("newest")
    assert [each.key for each in MultipartUpload.all(tmp_path)] == ["new", "newest"]
    assert not left.exists() and (tmp_path / "other").exists()
    assert MultipartUpload.load(tmp_path, newest.id, "newest").details.tags == {"a": "b"}
    with pytest.raises(S3Error):
        MultipartUpload.load(tmp_path, old.id, "old")
    newest.drop()
    newest.drop()
    assert [each.key for each in MultipartUpload.all(tmp_path)] == ["new"]


@given(st.lists(st.tuples(st.sampled_from(NAMES), st.booleans()), max_size=12))
@settings(max_examples=60, deadline=None)
def test_what_is_put_below_a_folder_is_counted(
    steps: list[tuple[str, bool]],
) -> None:
    """The counts are what walking all planned files and folders would find."""
    plan = Plan(cast(Project, None), None)
    for key, there in steps:
        path = key.removesuffix("/")
        if key.endswith("/"):
            plan._set_folder(path, there)
        else:
            plan._set_file(path, "tag" if there else None)
        put = {path for path, tag in plan._files.items() if tag is not None}
        for folder in ("a", "a/b", "a/b/c", "e"):
            below = [each for each in [*put, *plan._folders] if each.startswith(f"{folder}/")]
            assert plan._puts_into(folder) is bool(below), (steps, folder)
