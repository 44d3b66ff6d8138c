# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""A bucket of an S3-compatible service: what the hub asks of it, and errors in words.

Bodies that are sent carry their MD5, so the service refuses what was damaged on the way. Optional
checksums of newer clients are left out: not all services know them, and what is read back is
verified by digests of our own.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import logging
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as NoConnectionError

from dotscience_jupyter.snapshots import UnavailableError

if TYPE_CHECKING:
    from .place import Place

PART = 8 << 20
"""Larger files are sent in parts of this size, or larger ones where there would be too many."""

_MOST_PARTS = 10_000
_AT_ONCE = 4
_READ = 1 << 20
_DELETED_AT_ONCE = 1000
_GONE = {"404", "NoSuchKey", "NotFound", "NoSuchUpload", "416", "InvalidRange"}
_OUT_OF_REACH = (
    "The hub cannot reach the storage that keeps its content just now. Nothing that was recorded "
    "is lost, and nothing of this was. Try again in a while."
)

Result = TypeVar("Result")

log = logging.getLogger("dotscience.hub.storage")


class Stored(NamedTuple):
    """An object of the bucket."""

    key: str
    size: int
    modified: datetime


class Bucket:
    """The part of a bucket below a place's prefix; keys are what follows that. Thread-safe."""

    def __init__(self, place: Place, *, part: int = PART) -> None:
        self._name = place.bucket
        self._prefix = f"{place.prefix}/" if place.prefix else ""
        self._part = part
        self._workers = ThreadPoolExecutor(_AT_ONCE, "hub-storage")
        self._closing = threading.Event()
        config = Config(
            connect_timeout=3,
            read_timeout=30,
            retries={"mode": "standard", "total_max_attempts": 3},
            max_pool_connections=32,
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            # other services than Amazon's have no name for each bucket, mostly
            s3={"addressing_style": "path"} if place.endpoint else {},
        )
        with _told():
            session = boto3.session.Session()
            self._client: Any = session.client(
                "s3",
                endpoint_url=place.endpoint or None,
                region_name=session.region_name or "us-east-1",
                config=config,
            )
        # older services want it, and newer clients of Amazon's leave it out
        self._client.meta.events.register("before-call.s3.DeleteObjects", _add_md5)

    def close(self) -> None:
        """Let what is under way end."""
        self._closing.set()
        self._workers.shutdown(wait=True, cancel_futures=True)
        self._client.close()

    def check(self) -> None:
        """See whether the bucket may be used.

        Raises
        ------
        UnavailableError
            If the service cannot be reached.
        PermissionError
            If it answers that there is no such bucket, or that we may not use it; the text says
            which.
        """
        try:
            self._client.list_objects_v2(Bucket=self._name, Prefix=self._prefix, MaxKeys=1)
        except ClientError as error:
            if _status(error) >= 500:
                raise UnavailableError(_OUT_OF_REACH) from error
            raise PermissionError(_words(error)) from error
        except (HTTPClientError, NoConnectionError) as error:
            raise UnavailableError(_OUT_OF_REACH) from error
        except BotoCoreError as error:
            raise PermissionError(str(error)) from error

    # -- reading -------------------------------------------------------------------------------

    def listing(self, prefix: str) -> Iterator[Stored]:
        """Yield all objects whose keys begin with something, in the order of their keys."""
        with _told():
            pages = self._client.get_paginator("list_objects_v2")
            start = len(self._prefix)
            for page in pages.paginate(Bucket=self._name, Prefix=self._prefix + prefix):
                for each in page.get("Contents", ()):
                    yield Stored(each["Key"][start:], each["Size"], each["LastModified"])

    def read(self, key: str, offset: int | None = None, length: int | None = None) -> bytes:
        """Return an object, some bytes of it, or its last ``length`` ones if offset is None.

        Raises
        ------
        FileNotFoundError
            If there is no such object.
        UnavailableError
            If it cannot be read now.
        """
        given = {"Bucket": self._name, "Key": self._prefix + key}
        if length is not None:
            given["Range"] = (
                f"bytes=-{length}" if offset is None else f"bytes={offset}-{offset + length - 1}"
            )
        with _told():
            with contextlib.closing(self._client.get_object(**given)["Body"]) as body:
                data: bytes = body.read()
            return data

    def download(self, key: str, fd: int) -> int:
        """Write an object to an open file; return its size. Raises as :meth:`read`."""
        with _told():
            answer = self._client.get_object(Bucket=self._name, Key=self._prefix + key)
            done = 0
            with contextlib.closing(answer["Body"]) as body:
                for data in body.iter_chunks(_READ):
                    view = memoryview(data)
                    while view:
                        count = os.write(fd, view)
                        view, done = view[count:], done + count
            if done != answer["ContentLength"]:
                raise UnavailableError(_OUT_OF_REACH)
            return done

    # -- writing -------------------------------------------------------------------------------

    def put(self, key: str, data: bytes) -> None:
        """Make a small object."""
        with _told():
            self._client.put_object(
                Bucket=self._name, Key=self._prefix + key, Body=data, ContentMD5=_md5(data)
            )

    def upload(self, key: str, path: str) -> None:
        """Make an object of a file, in parts if it is large. Memory stays flat.

        Raises
        ------
        FileNotFoundError
            If there is no such file (any more).
        UnavailableError
            If it could not be brought there; nothing is there then, or what was before.
        """
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            size = os.fstat(fd).st_size
            if size <= self._part:
                self.put(key, os.pread(fd, size, 0))
            else:
                self._upload_parts(key, fd, size)
        finally:
            os.close(fd)

    def _upload_parts(self, key: str, fd: int, size: int) -> None:
        part = max(self._part, -(-size // _MOST_PARTS))
        place = {"Bucket": self._name, "Key": self._prefix + key}

        def send(number: int) -> dict[str, object]:
            data = os.pread(fd, min(part, size - number * part), number * part)
            with _told():
                answer = self._client.upload_part(
                    **place, **upload, PartNumber=number + 1, Body=data, ContentMD5=_md5(data)
                )
            return {"PartNumber": number + 1, "ETag": answer["ETag"]}

        with _told():
            upload = {"UploadId": self._client.create_multipart_upload(**place)["UploadId"]}
        try:
            parts = self.at_once(send, range(-(-size // part)))
            with _told():
                self._client.complete_multipart_upload(
                    **place, **upload, MultipartUpload={"Parts": parts}
                )
                # some services tell of a failure with the status of success
                if self._client.head_object(**place)["ContentLength"] != size:
                    raise UnavailableError(_OUT_OF_REACH)
        except BaseException:
            with contextlib.suppress(UnavailableError, FileNotFoundError), _told():
                self._client.abort_multipart_upload(**place, **upload)
            raise

    def delete(self, keys: Iterable[str]) -> None:
        """Delete objects; those that are not there are no error."""
        waiting = list(keys)
        for at in range(0, len(waiting), _DELETED_AT_ONCE):
            wanted = [
                {"Key": self._prefix + key} for key in waiting[at : at + _DELETED_AT_ONCE]
            ]  # fmt: skip
            with _told():
                answer = self._client.delete_objects(
                    Bucket=self._name, Delete={"Objects": wanted, "Quiet": True}
                )
                if answer.get("Errors"):
                    log.error("The storage did not delete %s", answer["Errors"][0])
                    raise UnavailableError(_OUT_OF_REACH)

    def abort_uploads(self, prefix: str, before: datetime) -> None:
        """Give up uploads in parts that were begun before a time and not completed."""
        with _told():
            pages = self._client.get_paginator("list_multipart_uploads")
            for page in pages.paginate(Bucket=self._name, Prefix=self._prefix + prefix):
                for each in page.get("Uploads", ()):
                    if each["Initiated"] < before:
                        with contextlib.suppress(FileNotFoundError), _told():
                            self._client.abort_multipart_upload(
                                Bucket=self._name, Key=each["Key"], UploadId=each["UploadId"]
                            )

    def at_once(self, work: Callable[[Any], Result], items: Iterable[Any]) -> list[Result]:
        """Return what something makes of each item, a few at a time; the first error ends it.

        All that was begun has ended when it returns or raises.
        """
        waiting: dict[Future[Result], int] = {}
        found: dict[int, Result] = {}
        failed: BaseException | None = None

        def land(most: int) -> None:
            nonlocal failed
            while len(waiting) > most:
                done, _ = wait(waiting, return_when=FIRST_COMPLETED)
                for future in done:
                    number = waiting.pop(future)
                    error = future.exception()
                    if error is None:
                        found[number] = future.result()
                    else:
                        failed = failed or error

        for number, item in enumerate(items):
            land(_AT_ONCE - 1)
            if failed is not None:
                break
            try:
                waiting[self._workers.submit(work, item)] = number
            except RuntimeError:  # the hub is being stopped
                failed = UnavailableError(_OUT_OF_REACH)
        land(0)
        if failed is not None:
            raise failed
        return [found[number] for number in range(len(found))]


def _md5(data: bytes) -> str:
    return base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()


def _add_md5(params: dict[str, Any], **_: object) -> None:
    params["headers"]["Content-MD5"] = _md5(params["body"])


def _status(error: ClientError) -> int:
    status: int = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return status


def _words(error: ClientError) -> str:
    found = error.response.get("Error", {})
    return str(found.get("Message") or found.get("Code") or error)


@contextlib.contextmanager
def _told() -> Iterator[None]:
    """Turn what the service or the network says into our errors, and tell the log of it."""
    try:
        yield
    except ClientError as error:
        if error.response.get("Error", {}).get("Code", "") in _GONE:
            raise FileNotFoundError(_words(error)) from error
        log.error("The storage refused a request: %s", error)
        raise UnavailableError(_OUT_OF_REACH) from error
    except BotoCoreError as error:
        log.error("The storage cannot be reached: %s", error)
        raise UnavailableError(_OUT_OF_REACH) from error
