# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""One object on its way: read into a file of its own, resumed where it was cut, then proven."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from urllib3.exceptions import HTTPError

from .bucket import Bucket, ChangedError, Object, RangeError, version_id
from .places import Places
from .proof import holds
from .source import SourceError

_CHUNK = 1 << 20
_ATTEMPTS = 6
"""How often an object is asked for without a byte arriving, before it is given up."""

_PAUSES = (0.1, 0.5, 1.0, 2.0, 4.0)


class _CutError(Exception):
    """The connection was lost while an object was being read; the message says how."""


class _DamagedError(Exception):
    """What arrived is not what was sent."""


@dataclass(frozen=True, slots=True)
class Brought:
    """An object that is a finished file now.

    Attributes
    ----------
    temporary
        The file.
    version
        Id of the version that it is; "" where the bucket keeps none.
    proven
        Whether its bytes were compared with a checksum; False where the service has none that
        can be used.
    """

    temporary: Path
    version: str
    proven: bool


class Downloads:
    """Brings objects into files below one folder; may be used from several threads.

    Parameters
    ----------
    bucket
        Where they come from.
    folder
        Where unfinished and finished files lie until they are moved away. What is there of a
        download that was cut is gone on with.
    arrived
        Told how many bytes have arrived, now and then.
    """

    def __init__(self, bucket: Bucket, folder: Path, arrived: Callable[[int], None]) -> None:
        self._bucket = bucket
        self._folder = folder
        self._arrived = arrived
        self._opaque = bucket.source.bucket.endswith("--x-s3")  # directory buckets of AWS
        self.stopped = False
        folder.mkdir(parents=True, exist_ok=True)

    def path_of(self, item: Object) -> Path:
        """Return where a download lies until it is done: the same place for the same content."""
        source = self._bucket.source
        what = "\0".join(
            (source.endpoint, source.bucket, item.key, item.version, item.etag, str(item.size))
        )
        return self._folder / hashlib.sha256(what.encode()).hexdigest()

    def bring(self, item: Object) -> Brought:
        """Read an object to its end and prove it.

        Raises
        ------
        ChangedError
            If the object is not the one that was listed any more.
        SourceError, OSError
            What has arrived is kept, unless it is wrong.
        """
        path = self.path_of(item)
        for again in (True, False):
            try:
                said = self._read(item, path)
                with open(path, "rb") as file:
                    proven = self._prove(item, file, opaque=_is_opaque(said))
            except _DamagedError:
                proven = False
            if proven is not False:
                version = item.version or version_id(said.get("VersionId"))
                return Brought(path, version, bool(proven) or _was_checked(said))
            # what was resumed may have begun with something else: once more, from the beginning
            os.unlink(path)
            if not again:
                break
        raise SourceError(
            "damaged",
            f"What arrives of s3://{self._bucket.source.bucket}/{item.key} is not what its ETag "
            f"({item.etag}) stands for, twice in a row. It was not taken, and no version was made. "
            "Look at the object, or at what lies between here and the service.",
        )

    def here(self, places: Places, path: str, item: Object) -> bool:
        """Whether a file that is in place already has the object's bytes; False if in doubt."""
        try:
            with places.opened(path) as fd, open(fd, "rb", closefd=False) as file:
                return bool(self._prove(item, file))
        except OSError:
            return False

    def _prove(self, item: Object, file: BinaryIO, *, opaque: bool = False) -> bool | None:
        return holds(
            file,
            item.size,
            item.etag,
            part_sizes=lambda whole: self._bucket.part_sizes(item, all_parts=whole),
            opaque=opaque or self._opaque,
        )

    def _read(self, item: Object, path: Path) -> dict[str, Any]:
        """Read until the file has all bytes; return what the service said of the object."""
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
        said: dict[str, Any] = {}
        failed = 0
        with open(os.open(path, flags, 0o666), "ab") as file:
            if os.fstat(file.fileno()).st_size > item.size:
                file.truncate(0)
            while (have := os.fstat(file.fileno()).st_size) < item.size:
                if self.stopped:
                    raise SourceError("stopped", "It was stopped; what was fetched is kept.")
                why = "it ends too early"
                try:
                    said = self._append(item, file, have)
                except RangeError:
                    raise ChangedError(gone=False) from None
                except _CutError as error:
                    why = str(error)
                if os.fstat(file.fileno()).st_size > have:
                    failed = 0
                    continue
                failed += 1
                if failed == _ATTEMPTS:
                    raise _unreachable(self._bucket, item, why)
                time.sleep(_PAUSES[failed - 1])
        return said

    def _append(self, item: Object, file: Any, have: int) -> dict[str, Any]:
        from botocore.exceptions import BotoCoreError, FlexibleChecksumError

        answer: dict[str, Any] = self._bucket.open(item, have)
        body = answer.pop("Body")
        try:
            if have and answer["ResponseMetadata"]["HTTPStatusCode"] != 206:
                file.truncate(0)  # all of it comes, whatever was asked for
                have = 0
            while chunk := body.read(_CHUNK):
                have += len(chunk)
                if have > item.size:
                    raise ChangedError(gone=False)
                file.write(chunk)
                self._arrived(len(chunk))
                if self.stopped:
                    break
        except FlexibleChecksumError:
            raise _DamagedError from None
        except (BotoCoreError, HTTPError) as error:
            raise _CutError(str(error)) from None
        finally:
            file.flush()
            body.close()
        return answer


def _unreachable(bucket: Bucket, item: Object, why: str) -> SourceError:
    return SourceError(
        "unreachable",
        f"s3://{bucket.source.bucket}/{item.key} does not arrive: {why}. What has arrived is kept, "
        "and no version was made. Try again: it goes on where it was.",
    )


def _is_opaque(said: dict[str, Any]) -> bool:
    """Whether an object is encrypted so that its ETag is no MD5 of it."""
    return str(said.get("ServerSideEncryption", "")).startswith("aws:kms") or bool(
        said.get("SSECustomerAlgorithm")
    )


def _was_checked(said: dict[str, Any]) -> bool:
    """Whether boto3 compared a checksum over the whole object; it does if it is sent one."""
    whole = said.get("ResponseMetadata", {}).get("HTTPStatusCode") == 200
    return whole and any(
        str(value).count("-") == 0
        for key, value in said.items()
        if key.startswith("Checksum") and key != "ChecksumType"
    )
