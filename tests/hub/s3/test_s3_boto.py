# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The endpoint as boto3 uses it."""

from __future__ import annotations

import io
import os
import re
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from boto3.s3.transfer import TransferConfig
from s3_world import World, error

CHUNK = 5 << 20
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def put(s3: Any, bucket: str, *keys: str, body: bytes = b"x") -> list[str]:
    return [s3.put_object(Bucket=bucket, Key=key, Body=body)["VersionId"] for key in keys]


def listed(s3: Any, bucket: str, **options: Any) -> tuple[list[str], list[str]]:
    found = s3.list_objects_v2(Bucket=bucket, **options)
    keys = [each["Key"] for each in found.get("Contents", [])]
    return keys, [each["Prefix"] for each in found.get("CommonPrefixes", [])]


def read(s3: Any, bucket: str, key: str, **options: Any) -> bytes:
    return bytes(s3.get_object(Bucket=bucket, Key=key, **options)["Body"].read())


def commits(world: World, bucket: str, user: str = "alice") -> list[Any]:
    services = world.hub.services
    assert services is not None
    info = services.projects.by_name(user, bucket)
    assert info is not None
    with services.projects.open(info) as project:
        return project.records.list_commits()[0]


def test_buckets_are_the_projects_one_may_see(world: World) -> None:
    alice, bob, eve = (world.client(name) for name in ("alice", "bob", "eve"))
    mine, shared, private = world.bucket(), world.bucket("bob"), world.bucket("bob")
    odd = world.hub.project("alice", "with spaces, and ümlauts")
    services = world.hub.services
    assert services is not None
    info = services.projects.by_name("bob", shared)
    user = services.identity.find_user("alice")
    assert info is not None and user is not None
    services.members.add(info, user)

    def names(s3: Any, **options: Any) -> list[str]:
        return [each["Name"] for each in s3.list_buckets(**options)["Buckets"]]

    found = names(alice)
    assert mine in found and f"bob.{shared}" in found and odd in found
    assert not {shared, private, f"bob.{private}"} & set(found)
    assert {shared, private} <= set(names(bob)) and names(eve) == []
    assert names(alice, Prefix="bob.") == [f"bob.{shared}"]
    first = alice.list_buckets(MaxBuckets=1)
    rest = names(alice, ContinuationToken=first["ContinuationToken"])
    assert [first["Buckets"][0]["Name"], *rest] == sorted(found)

    put(alice, f"bob.{shared}", "by-alice")
    assert listed(bob, shared) == (["by-alice"], []) == listed(alice, info.id)
    assert commits(world, shared, "bob")[0].author == "alice"
    put(alice, odd, "a")
    for s3, name in ((alice, f"bob.{private}"), (alice, private), (eve, f"bob.{shared}")):
        assert error(s3.list_objects_v2, Bucket=name) == (404, "NoSuchBucket")
        assert error(s3.put_object, Bucket=name, Key="a", Body=b"") == (404, "NoSuchBucket")
        assert error(s3.get_object, Bucket=name, Key="by-alice") == (404, "NoSuchBucket")
        assert error(s3.delete_object, Bucket=name, Key="by-alice") == (404, "NoSuchBucket")
        copy = {"Bucket": name, "Key": "by-alice"}
        target = {"Bucket": s3.list_buckets()["Buckets"][0]["Name"]} if s3 is alice else None
        if target is not None:
            assert error(s3.copy_object, **target, Key="b", CopySource=copy)[0] == 404
    assert error(eve.head_bucket, Bucket=info.id) == (404, "404")
    other = {"ExpectedBucketOwner": "111122223333"}
    assert error(alice.list_objects_v2, Bucket=mine, **other) == (403, "AccessDenied")


def test_what_is_written_is_in_the_audit_log(world: World) -> None:
    s3, bucket = world.client(), world.bucket()
    put = s3.put_object(Bucket=bucket, Key="a", Body=b"1")
    s3.copy_object(Bucket=bucket, Key="b", CopySource=f"{bucket}/a")
    s3.put_object_tagging(Bucket=bucket, Key="b", Tagging={"TagSet": [{"Key": "k", "Value": "v"}]})
    begun = s3.create_multipart_upload(Bucket=bucket, Key="c")["UploadId"]
    part = s3.upload_part(Bucket=bucket, Key="c", UploadId=begun, PartNumber=1, Body=b"2")
    parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    s3.complete_multipart_upload(Bucket=bucket, Key="c", UploadId=begun, MultipartUpload=parts)
    s3.delete_object(Bucket=bucket, Key="a")
    s3.delete_object(Bucket=bucket, Key="a")  # nothing is there, so nothing is done
    s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "b"}, {"Key": "c"}]})
    services = world.hub.services
    assert services is not None
    id_ = next(info.id for info in services.projects.all() if info.name == bucket)
    found = services.audit.entries()[0][::-1]
    entries = [e for e in found if e.object == f"project:{id_}" and e.action.startswith("s3.")]
    assert {entry.actor for entry in entries} == {"alice"}
    assert [(entry.action, entry.details["keys"]) for entry in entries] == [
        ("s3.put", 1), ("s3.put", 1), ("s3.put", 1), ("s3.put", 1), ("s3.delete", 1),
        ("s3.delete", 2),
    ]  # fmt: skip
    assert entries[0].details["commit"] == put["VersionId"]
    assert [entry.details["key"] for entry in entries[:5]] == ["a", "b", "b", "c", "a"]
    assert services.audit.verify()[0] == []


def test_buckets_are_made_and_deleted_while_they_have_no_history(world: World) -> None:
    s3 = world.client()
    for more in (
        {"ACL": "public-read"},
        {"GrantRead": "id=1"},
        {"ObjectLockEnabledForBucket": True},
        {"ObjectOwnership": "ObjectWriter"},
        {"CreateBucketConfiguration": {"LocationConstraint": "eu-west-1"}},
        {"CreateBucketConfiguration": {"Tags": [{"Key": "a", "Value": "b"}]}},
    ):
        assert error(s3.create_bucket, Bucket="made-here", **more) == (501, "NotImplemented")
    assert error(s3.head_bucket, Bucket="made-here") == (404, "404")
    s3.create_bucket(
        Bucket="made-here",
        ACL="private",
        ObjectOwnership="BucketOwnerEnforced",
        CreateBucketConfiguration={"LocationConstraint": "us-east-1"},
    )
    s3.head_bucket(Bucket="made-here")
    removed = {"Delete": {"Objects": [{"Key": "a"}]}, "BypassGovernanceRetention": True}
    refused = error(s3.delete_objects, Bucket="made-here", **removed)
    assert refused == (501, "NotImplemented")
    assert error(s3.create_bucket, Bucket="made-here") == (409, "BucketAlreadyOwnedByYou")
    assert error(s3.create_bucket, Bucket="bob.other") == (400, "InvalidBucketName")
    key = s3.put_object(Bucket="made-here", Key="a", Body=b"1")
    s3.delete_object(Bucket="made-here", Key="a")
    assert error(s3.delete_bucket, Bucket="made-here") == (409, "BucketNotEmpty")
    assert error(s3.delete_object, Bucket="made-here", Key="a", VersionId=key["VersionId"]) == (
        501,
        "NotImplemented",
    )
    s3.create_bucket(Bucket="never-used")
    s3.delete_bucket(Bucket="never-used")
    assert error(s3.delete_bucket, Bucket="never-used") == (404, "NoSuchBucket")
    id_ = world.hub.project("bob", "of-bob")
    members = f"/api/v1/projects/{id_}/members"
    added = world.hub.call("POST", members, world.hub.user("bob"), {"name": "alice"})
    assert added.status == 204
    assert error(s3.delete_bucket, Bucket="bob.of-bob") == (403, "AccessDenied")
    assert s3.get_bucket_versioning(Bucket="made-here")["Status"] == "Enabled"
    assert s3.get_bucket_location(Bucket="made-here")["LocationConstraint"] is None
    for name in ("acl", "cors", "encryption", "lifecycle_configuration", "policy", "tagging"):
        call = getattr(s3, f"get_bucket_{name}")
        assert error(call, Bucket="made-here") == (501, "NotImplemented"), name
    assert error(s3.put_bucket_policy, Bucket="made-here", Policy="{}") == (501, "NotImplemented")


@pytest.mark.parametrize(
    "key", ["plain.txt", "a/ä 🙂+%2F&=?#/c d.csv", "%2e%2e/x", "a\\b", "tab\there", "~-_.!*'()"]
)
def test_what_is_put_is_given_back(world: World, key: str) -> None:
    s3, bucket = world.client(), world.bucket()
    body = os.urandom(300_000)
    made = s3.put_object(
        Bucket=bucket, Key=key, Body=body, Metadata={"mtime": "1.5"}, ContentType="text/x",
        CacheControl="max-age=3", ContentDisposition="inline", ContentLanguage="de",
        ContentEncoding="gzip", Tagging="a=1&b=c%20d",
    )  # fmt: skip
    found = s3.get_object(Bucket=bucket, Key=key)
    assert found["Body"].read() == body
    assert found["ETag"] == made["ETag"] and "-" in made["ETag"]
    assert found["VersionId"] == made["VersionId"] == commits(world, bucket)[0].id
    assert (found["Metadata"], found["ContentType"]) == ({"mtime": "1.5"}, "text/x")
    assert (found["CacheControl"], found["ContentDisposition"]) == ("max-age=3", "inline")
    assert (found["ContentLanguage"], found["ContentEncoding"]) == ("de", "gzip")
    assert found["TagCount"] == 2
    assert datetime.now(UTC) - found["LastModified"] < timedelta(seconds=60)
    head = s3.head_object(Bucket=bucket, Key=key)
    assert (head["ContentLength"], head["ETag"]) == (300_000, made["ETag"])
    item = s3.list_objects_v2(Bucket=bucket)["Contents"][0]
    assert (item["Key"], item["Size"], item["ETag"]) == (key, 300_000, made["ETag"])
    assert abs(item["LastModified"] - found["LastModified"]) < timedelta(seconds=1)
    for text, part in (
        ("bytes=0-0", body[:1]), ("bytes=100000-250000", body[100_000:250_001]),
        ("bytes=-5", body[-5:]), ("bytes=299990-", body[299_990:]),
    ):  # fmt: skip
        ranged = s3.get_object(Bucket=bucket, Key=key, Range=text)
        assert ranged["Body"].read() == part
        assert ranged["ContentRange"].endswith("/300000")
        assert ranged["ResponseMetadata"]["HTTPStatusCode"] == 206
    assert error(s3.get_object, Bucket=bucket, Key=key, Range="bytes=300000-") == (
        416,
        "InvalidRange",
    )
    assert s3.delete_object(Bucket=bucket, Key=key)["DeleteMarker"] is True
    assert error(s3.get_object, Bucket=bucket, Key=key) == (404, "NoSuchKey")
    assert listed(s3, bucket) == ([], [])


def test_nothing_is_said_of_types_that_names_tell(world: World) -> None:
    s3, bucket = world.client(), world.bucket()
    services = world.hub.services
    assert services is not None
    put(s3, bucket, "empty", body=b"")
    assert read(s3, bucket, "empty") == b""
    request = urllib.request.Request(
        f"{world.endpoint}/{bucket}/page.html", b"<p>", method="PUT",
        headers={"Authorization": f"Bearer {world.hub.user('alice')[1]}", "Content-Type": ""},
    )  # fmt: skip
    with _opener.open(request) as answer:
        assert answer.status == 200
    found = s3.get_object(Bucket=bucket, Key="page.html")
    assert found["ContentType"] == "text/html"
    headers = found["ResponseMetadata"]["HTTPHeaders"]
    assert headers["content-security-policy"] == "sandbox"
    assert headers["x-content-type-options"] == "nosniff"


def test_conditions(world: World) -> None:
    s3, bucket = world.client(), world.bucket()
    here = {"Bucket": bucket, "Key": "a"}
    tag = s3.put_object(**here, Body=b"1", IfNoneMatch="*")["ETag"]
    assert error(s3.put_object, **here, Body=b"2", IfNoneMatch="*") == (412, "PreconditionFailed")
    assert error(s3.put_object, **here, Body=b"2", IfMatch='"x"') == (412, "PreconditionFailed")
    assert error(s3.get_object, **here, IfMatch='"x"') == (412, "PreconditionFailed")
    assert error(s3.get_object, **here, IfNoneMatch=tag) == (304, "304")
    assert error(s3.head_object, **here, IfMatch='"x"') == (412, "412")
    past = datetime.now(UTC) - timedelta(days=1)
    assert error(s3.get_object, **here, IfUnmodifiedSince=past) == (412, "PreconditionFailed")
    assert error(s3.get_object, **here, IfModifiedSince=datetime.now(UTC))[0] == 304
    assert error(s3.delete_object, **here, IfMatch='"x"') == (412, "PreconditionFailed")
    assert read(s3, bucket, "a") == b"1"
    newer = s3.put_object(**here, Body=b"2", IfMatch=tag)["ETag"]
    assert newer != tag and len(commits(world, bucket)) == 2
    s3.delete_object(**here, IfMatch=newer)
    assert error(s3.put_object, **here, Body=b"3", IfMatch=newer) == (404, "NoSuchKey")


def test_one_of_many_creates_an_object(world: World) -> None:
    s3, bucket = world.client(), world.bucket()

    def create(number: int) -> str:
        body = str(number).encode()
        try:
            s3.put_object(Bucket=bucket, Key="one", Body=body, IfNoneMatch="*")
        except s3.exceptions.ClientError as caught:
            return str(caught.response["Error"]["Code"])
        return f"made {number}"

    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(create, range(8)))
    made = [each for each in found if each.startswith("made")]
    assert len(made) == 1 and found.count("PreconditionFailed") == 7
    assert read(s3, bucket, "one").decode() == made[0].split()[1]


def test_what_comes_together_is_one_commit(world: World) -> None:
    s3, bucket = world.client(), world.bucket()
    keys = [f"d{number % 3}/f{number}" for number in range(40)]
    with ThreadPoolExecutor(40) as threads:
        versions = list(
            threads.map(
                lambda key: s3.put_object(Bucket=bucket, Key=key, Body=key.encode())["VersionId"],
                keys,
            )
        )
    found = commits(world, bucket)
    assert {each.id for each in found} == set(versions) and len(found) < 30
    assert {each.type for each in found} == {"upload"}
    for key, version in zip(keys, versions, strict=True):
        assert s3.head_object(Bucket=bucket, Key=key)["VersionId"] == version
        assert read(s3, bucket, key, VersionId=version) == key.encode()
    answer = s3.delete_objects(
        Bucket=bucket,
        Delete={"Objects": [{"Key": key} for key in [*keys, "d0/", "missing", "../x", "a" * 1025]]},
    )
    assert len(commits(world, bucket)) == len(found) + 1
    assert commits(world, bucket)[0].type == "delete"
    deleted = {each["Key"]: each.get("DeleteMarkerVersionId") for each in answer["Deleted"]}
    assert {deleted[key] for key in keys} == {commits(world, bucket)[0].id}
    assert deleted["missing"] is None and deleted["../x"] is None
    assert [each["Code"] for each in answer["Errors"]] == ["KeyTooLongError"]
    assert listed(s3, bucket) == ([], [])


def test_lists(world: World) -> None:
    s3, bucket = world.client(), world.bucket()
    keys = ["a-b", "a.b", "a/b", "a/c/d", "a0", "b/ü v+w", "c"]
    put(s3, bucket, *keys)
    assert listed(s3, bucket) == (keys, [])
    assert listed(s3, bucket, Delimiter="/") == (["a-b", "a.b", "a0", "c"], ["a/", "b/"])
    assert listed(s3, bucket, Prefix="a/", Delimiter="/") == (["a/b"], ["a/c/"])
    assert listed(s3, bucket, Prefix="b/ü") == (["b/ü v+w"], [])
    assert listed(s3, bucket, StartAfter="a/c") == (["a/c/d", "a0", "b/ü v+w", "c"], [])
    assert listed(s3, bucket, Prefix="../") == ([], [])
    for delimiter in ("", "/"):
        for size in (1, 3):
            for kind in ("list_objects", "list_objects_v2"):
                pages = s3.get_paginator(kind).paginate(
                    Bucket=bucket, Delimiter=delimiter, PaginationConfig={"PageSize": size}
                )
                found = [
                    each.get("Key") or each.get("Prefix")
                    for page in pages
                    for each in [*page.get("Contents", []), *page.get("CommonPrefixes", [])]
                ]
                both = [*listed(s3, bucket, Delimiter=delimiter)]
                assert sorted(found) == sorted(both[0] + both[1]), (kind, delimiter, size)
    none = s3.list_objects_v2(Bucket=bucket, MaxKeys=0)
    assert not none["IsTruncated"] and none["KeyCount"] == 0
    owner = s3.list_objects_v2(Bucket=bucket, FetchOwner=True)["Contents"][0]["Owner"]
    assert owner["DisplayName"] == "alice"
    wrong = {"ContinuationToken": "***"}
    assert error(s3.list_objects_v2, Bucket=bucket, **wrong) == (400, "InvalidArgument")
    assert error(s3.list_objects_v2, Bucket=bucket, MaxKeys=-1) == (400, "InvalidArgument")


def test_folders(world: World) -> None:
    s3, bucket = world.client(), world.bucket()
    put(s3, bucket, "empty/", body=b"")
    assert listed(s3, bucket) == (["empty/"], []) == listed(s3, bucket, Prefix="empty/")
    assert listed(s3, bucket, Delimiter="/") == ([], ["empty/"])
    assert s3.head_object(Bucket=bucket, Key="empty/")["ContentLength"] == 0
    assert read(s3, bucket, "empty/") == b""
    assert error(s3.get_object, Bucket=bucket, Key="empty") == (404, "NoSuchKey")
    put(s3, bucket, "empty/a", "file")
    assert listed(s3, bucket) == (["empty/a", "file"], [])
    s3.delete_object(Bucket=bucket, Key="empty/")
    assert read(s3, bucket, "empty/a") == b"x"
    for key in ("empty", "file/below", "file/", "empty/a/b/c", "empty/a/"):
        found = error(s3.put_object, Bucket=bucket, Key=key, Body=b"")
        assert found == (400, "InvalidRequest"), key
    assert error(s3.put_object, Bucket=bucket, Key="new/", Body=b"x") == (400, "InvalidRequest")
    s3.delete_object(Bucket=bucket, Key="empty/a")
    assert listed(s3, bucket) == (["file"], [])
    put(s3, bucket, "empty")
    assert listed(s3, bucket) == (["empty", "file"], [])


def test_versions(world: World) -> None:
    s3, bucket = world.client(), world.bucket()
    first, second = (put(s3, bucket, "a/b", body=body)[0] for body in (b"1", b"22"))
    third = put(s3, bucket, "a/b", body=b"22")[0]  # the same bytes again are a version too
    other = put(s3, bucket, "c")[0]
    gone = s3.delete_object(Bucket=bucket, Key="a/b")["VersionId"]
    assert len({first, second, third, other, gone}) == 5
    assert read(s3, bucket, "a/b", VersionId=first) == b"1"
    assert read(s3, bucket, "a/b", VersionId=second) == b"22"
    assert read(s3, bucket, "a/b", VersionId=other) == b"22"  # as it was in that commit
    here = {"Bucket": bucket, "Key": "a/b"}
    assert error(s3.get_object, **here) == (404, "NoSuchKey")
    assert error(s3.get_object, **here, VersionId=gone) == (405, "MethodNotAllowed")
    assert error(s3.get_object, **here, VersionId="0" * 64) == (404, "NoSuchVersion")
    assert error(s3.get_object, **here, VersionId="null") == (404, "NoSuchVersion")
    assert error(s3.get_object, **here, VersionId="HEAD") == (400, "InvalidArgument")
    assert error(s3.get_object, **here, VersionId=first[:10]) == (400, "InvalidArgument")
    assert error(s3.delete_object, **here, VersionId=first) == (501, "NotImplemented")
    found = s3.list_object_versions(Bucket=bucket)
    versions = [
        (each["Key"], each["VersionId"], each["IsLatest"], each["Size"])
        for each in found["Versions"]
    ]
    assert versions == [
        ("a/b", third, False, 2),
        ("a/b", second, False, 2),
        ("a/b", first, False, 1),
        ("c", other, True, 1),
    ]
    (marker,) = found["DeleteMarkers"]
    assert (marker["Key"], marker["VersionId"], marker["IsLatest"]) == ("a/b", gone, True)
    paged = []
    for page in s3.get_paginator("list_object_versions").paginate(
        Bucket=bucket, PaginationConfig={"PageSize": 1}
    ):
        paged += [
            each["VersionId"] for each in page.get("DeleteMarkers", []) + page.get("Versions", [])
        ]
    assert paged == [gone, third, second, first, other]
    folded = s3.list_object_versions(Bucket=bucket, Delimiter="/")
    assert [each["Prefix"] for each in folded["CommonPrefixes"]] == ["a/"]
    assert [each["Key"] for each in folded["Versions"]] == ["c"]
    after = s3.list_object_versions(Bucket=bucket, KeyMarker="a/b")
    assert [each["Key"] for each in after["Versions"]] == ["c"]
    s3.copy_object(**here, CopySource={**here, "VersionId": first})
    assert read(s3, bucket, "a/b") == b"1"


def test_copies(world: World) -> None:
    s3, bucket, other = world.client(), world.bucket(), world.bucket("bob")
    source = {"Bucket": bucket, "Key": "a/ä b"}
    tags = "t=1"
    s3.put_object(**source, Body=b"text", Metadata={"m": "1"}, ContentType="a/b", Tagging=tags)
    s3.copy_object(Bucket=bucket, Key="copy", CopySource=source)
    found = s3.head_object(Bucket=bucket, Key="copy")
    assert (found["Metadata"], found["ContentType"]) == ({"m": "1"}, "a/b")
    assert read(s3, bucket, "copy") == b"text"
    s3.copy_object(
        Bucket=bucket, Key="copy", CopySource=source, MetadataDirective="REPLACE",
        Metadata={"n": "2"}, TaggingDirective="REPLACE", Tagging="u=2",
    )  # fmt: skip
    assert s3.head_object(Bucket=bucket, Key="copy")["Metadata"] == {"n": "2"}
    tagging = s3.get_object_tagging(Bucket=bucket, Key="copy")["TagSet"]
    assert tagging == [{"Key": "u", "Value": "2"}]
    before = s3.head_object(**source)["VersionId"]
    assert error(s3.copy_object, **source, CopySource=source) == (400, "InvalidRequest")
    s3.copy_object(
        **source, CopySource=source, MetadataDirective="REPLACE", Metadata={"mtime": "9"}
    )
    touched = s3.head_object(**source)
    assert touched["Metadata"] == {"mtime": "9"} and touched["VersionId"] != before
    assert s3.head_object(**source, VersionId=before)["Metadata"] == {"m": "1"}
    here = {"Bucket": bucket, "Key": "no"}
    missing = {"Bucket": bucket, "Key": "missing"}
    assert error(s3.copy_object, **here, CopySource=missing) == (404, "NoSuchKey")
    wrong = {"CopySourceIfMatch": '"x"'}
    assert error(s3.copy_object, **here, CopySource=source, **wrong)[0] == 412
    theirs = {"Bucket": f"bob.{other}", "Key": "x"}
    put(world.client("bob"), other, "x")
    assert error(s3.copy_object, **here, CopySource=theirs) == (404, "NoSuchBucket")


def test_tags(world: World) -> None:
    s3, bucket = world.client(), world.bucket()
    (first,) = put(s3, bucket, "a")
    here = {"Bucket": bucket, "Key": "a"}
    assert s3.get_object_tagging(**here)["TagSet"] == []
    tags = [{"Key": "stage", "Value": "ü <&>"}, {"Key": "b", "Value": ""}]
    s3.put_object_tagging(**here, Tagging={"TagSet": tags})
    found = s3.get_object_tagging(**here)
    assert sorted(found["TagSet"], key=str) == sorted(tags, key=str)
    assert found["VersionId"] != first and read(s3, bucket, "a") == b"x"
    s3.delete_object_tagging(**here)
    assert s3.get_object_tagging(**here)["TagSet"] == []
    many = {"TagSet": [{"Key": str(number), "Value": ""} for number in range(11)]}
    assert error(s3.put_object_tagging, **here, Tagging=many) == (400, "InvalidTag")
    nothing = {"Bucket": bucket, "Key": "nothing"}
    none = {"TagSet": []}
    assert error(s3.put_object_tagging, **nothing, Tagging=none) == (404, "NoSuchKey")


def test_uploads_in_parts(world: World) -> None:
    s3, bucket = world.client(), world.bucket()
    body = os.urandom(2 * CHUNK + 12345)
    config = TransferConfig(multipart_threshold=CHUNK, multipart_chunksize=CHUNK)
    s3.upload_fileobj(
        io.BytesIO(body), bucket, "big", Config=config, ExtraArgs={"Metadata": {"a": "b"}}
    )
    target = io.BytesIO()
    s3.download_fileobj(bucket, "big", target, Config=config)
    assert target.getvalue() == body
    assert s3.head_object(Bucket=bucket, Key="big")["Metadata"] == {"a": "b"}
    assert len(commits(world, bucket)) == 1
    assert s3.list_multipart_uploads(Bucket=bucket).get("Uploads", []) == []
    plain = s3.put_object(Bucket=bucket, Key="plain", Body=body)["ETag"]
    assert s3.head_object(Bucket=bucket, Key="big")["ETag"] == plain


def test_uploads_in_parts_step_by_step(world: World) -> None:
    s3, bucket = world.client(), world.bucket()
    here = {"Bucket": bucket, "Key": "in/parts"}
    upload = s3.create_multipart_upload(**here, ContentType="a/b")["UploadId"]
    mine = {**here, "UploadId": upload}

    def part(number: int, body: bytes) -> str:
        return str(s3.upload_part(**mine, PartNumber=number, Body=body)["ETag"])

    first, last = os.urandom(CHUNK), os.urandom(1000)
    part(1, b"replaced later")
    tags = {1: part(1, first), 7: part(7, last), 3: part(3, b"small")}
    listing = s3.list_parts(**mine, MaxParts=2)
    assert [each["PartNumber"] for each in listing["Parts"]] == [1, 3] and listing["IsTruncated"]
    rest = s3.list_parts(**mine, PartNumberMarker=listing["NextPartNumberMarker"])["Parts"]
    assert [(each["PartNumber"], each["Size"]) for each in rest] == [(7, 1000)]
    (known,) = s3.list_multipart_uploads(Bucket=bucket)["Uploads"]
    assert (known["Key"], known["UploadId"]) == ("in/parts", upload)
    assert listed(s3, bucket) == ([], [])

    def complete(*numbers: int, **options: Any) -> Any:
        parts = [{"PartNumber": each, "ETag": tags.get(each, '"no"')} for each in numbers]
        return s3.complete_multipart_upload(**mine, MultipartUpload={"Parts": parts}, **options)

    assert error(complete, 7, 1) == (400, "InvalidPartOrder")
    assert error(complete, 1, 2) == (400, "InvalidPart")
    assert error(complete, 1, 3, 7) == (400, "EntityTooSmall")
    assert error(complete) == (400, "MalformedXML")
    wrong = {"ChecksumCRC32": "AAAAAA==", "ChecksumType": "FULL_OBJECT"}
    assert error(complete, 1, 7, **wrong) == (400, "BadDigest")
    assert error(complete, 1, 7, MpuObjectSize=3) == (400, "InvalidRequest")
    done = complete(1, 7)
    assert read(s3, bucket, "in/parts") == first + last
    assert s3.head_object(**here)["ContentType"] == "a/b"
    again = complete(1, 7)  # its answer may have been lost
    assert (again["ETag"], again["VersionId"]) == (done["ETag"], done["VersionId"])
    assert len(commits(world, bucket)) == 1
    assert error(s3.upload_part, **mine, PartNumber=2, Body=b"x") == (404, "NoSuchUpload")
    assert error(s3.list_parts, **mine) == (404, "NoSuchUpload")

    other = s3.create_multipart_upload(**here)["UploadId"]
    dropped = {**here, "UploadId": other}
    ranged = s3.upload_part_copy(
        **dropped, PartNumber=1, CopySource=here, CopySourceRange="bytes=10-19"
    )
    (kept,) = s3.list_parts(**dropped)["Parts"]
    assert kept["Size"] == 10 and kept["ETag"] == ranged["CopyPartResult"]["ETag"]
    elsewhere = {**dropped, "Key": "else"}
    assert error(s3.list_parts, **elsewhere) == (404, "NoSuchUpload")
    s3.abort_multipart_upload(**dropped)
    assert error(s3.abort_multipart_upload, **dropped) == (404, "NoSuchUpload")
    odd = {**here, "UploadId": "../../../etc"}
    assert error(s3.list_parts, **odd) == (404, "NoSuchUpload")
    for number in (0, 10_001):
        assert error(s3.upload_part, **mine, PartNumber=number, Body=b"")[0] == 400
    services = world.hub.services
    assert services is not None
    info = services.projects.by_name("alice", bucket)
    assert info is not None
    left = [each for each in services.projects.tmp(info).iterdir() if any(_files(each))]
    assert [each.name for each in left] == [f"s3-{upload}"]  # what came of it, for a week
    assert sorted(each.name for each in left[0].iterdir()) == ["done.json", "upload.json"]


def _files(path: Any) -> Any:
    return path.rglob("*") if path.is_dir() else [path]


def test_signed_addresses(world: World) -> None:
    s3, bucket = world.client(), world.bucket()
    here = {"Bucket": bucket, "Key": "ä b/c+d.txt"}

    def ask(url: str, method: str = "GET", body: bytes | None = None) -> tuple[int, bytes]:
        request = urllib.request.Request(url, body, method=method)
        if body is not None:
            request.add_unredirected_header("Content-Type", "text/plain")
        try:
            with _opener.open(request) as answer:
                disposition = answer.headers.get("Content-Disposition")
                return answer.status, answer.read() + (disposition or "").encode()
        except urllib.error.HTTPError as caught:
            with caught:
                code = re.search(rb"<Code>(\w+)</Code>", caught.read())
                return caught.code, code[1] if code else b""

    upload = s3.generate_presigned_url("put_object", here, ExpiresIn=60)
    assert ask(upload, "PUT", b"text")[0] == 200
    download = s3.generate_presigned_url("get_object", here, ExpiresIn=60)
    assert ask(download) == (200, b"text")
    assert ask(download, "DELETE") == (403, b"SignatureDoesNotMatch")
    assert ask(download.replace("/c%2Bd", "/other")) == (403, b"SignatureDoesNotMatch")
    assert ask(download.replace("Expires=60", "Expires=600")) == (403, b"SignatureDoesNotMatch")
    assert ask(download + "&versionId=" + "0" * 64) == (403, b"SignatureDoesNotMatch")
    named = {**here, "ResponseContentDisposition": 'attachment; filename="x"'}
    assert ask(s3.generate_presigned_url("get_object", named)) == (
        200,
        b'textattachment; filename="x"',
    )
    evil = {**here, "ResponseContentType": "a\r\nSet-Cookie: b"}
    assert ask(s3.generate_presigned_url("get_object", evil)) == (400, b"InvalidArgument")
    short = s3.generate_presigned_url("get_object", here, ExpiresIn=1)
    old = re.sub(r"X-Amz-Date=\d{8}", "X-Amz-Date=20200101", short)
    old = re.sub(r"(X-Amz-Credential=[^%]+%2F)\d{8}", r"\g<1>20200101", old)
    assert ask(old) == (403, b"AccessDenied")


@pytest.mark.parametrize("algorithm", ["CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"])
def test_checksums_before_and_after_the_body(world: World, algorithm: str) -> None:
    s3, bucket = world.client(), world.bucket()
    here = {"Bucket": bucket, "Key": "a"}
    body = b"x" * 300_000
    made = s3.put_object(**here, Body=body, ChecksumAlgorithm=algorithm)
    assert made[f"Checksum{algorithm}"]
    wrong = {f"Checksum{algorithm}": made[f"Checksum{algorithm}"]}
    assert error(s3.put_object, **here, Body=body + b"y", **wrong) == (400, "BadDigest")
    assert read(s3, bucket, "a") == body


def test_what_is_not_available_says_so(world: World) -> None:
    s3, bucket = world.client(), world.bucket()
    put(s3, bucket, "a")
    here = {"Bucket": bucket, "Key": "a"}
    for call, options in (
        (s3.get_object_acl, {}),
        (s3.get_object_attributes, {"ObjectAttributes": ["ETag"]}),
        (s3.get_object, {"PartNumber": 1}),
        (s3.put_object, {"Body": b"", "ACL": "public-read"}),
        (s3.put_object, {"Body": b"", "StorageClass": "GLACIER"}),
        (s3.put_object, {"Body": b"", "ServerSideEncryption": "AES256"}),
        (s3.put_object, {"Body": b"", "WebsiteRedirectLocation": "/x"}),
        (s3.put_object_retention, {"Retention": {"Mode": "GOVERNANCE"}}),
        (s3.restore_object, {"RestoreRequest": {"Days": 1}}),
        (s3.get_object_torrent, {}),
        (s3.create_multipart_upload, {"ServerSideEncryption": "aws:kms"}),
    ):
        assert error(call, **here, **options) == (501, "NotImplemented"), call.__name__
    assert read(s3, bucket, "a") == b"x" and len(commits(world, bucket)) == 1
