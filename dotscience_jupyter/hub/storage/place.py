# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Where a hub's content is for good, and what its projects share of that."""

from __future__ import annotations

import contextlib
import logging
import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from dotscience_jupyter.api.errors import ApiError
from dotscience_jupyter.snapshots import EmbeddedEngine, UnavailableError

from .base import Content, ContentStorage, noted, unreadable, write_note
from .copies import Copies

if TYPE_CHECKING:
    from .bucket import Bucket
    from .depot import BucketDepot

CACHE = 10 << 30
GRACE = 86400.0

_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,254}")
_BLOCK = 1 << 20
_BLOCKS = 64
_LATER = 2

log = logging.getLogger("dotscience.hub.storage")


@dataclass(frozen=True, slots=True)
class Place:
    """A bucket, the beginning of all keys in it, and the service ("" for Amazon's)."""

    bucket: str
    prefix: str = ""
    endpoint: str = ""

    @classmethod
    def parse(cls, url: str, endpoint: str = "") -> Place:
        """Read ``s3://bucket/prefix``.

        Raises
        ------
        ApiError
            400 if that is no such URL.
        """
        scheme, _, rest = url.partition("://")
        bucket, _, prefix = rest.partition("/")
        prefix = prefix.strip("/")
        if (
            scheme != "s3"
            or not _BUCKET.fullmatch(bucket)
            or not prefix.isprintable()
            or len(prefix.encode(errors="replace")) > 500
        ):
            raise ApiError(
                400,
                "invalid_request",
                f"Content cannot be kept in {url!r}. The storage is s3://BUCKET, "
                "s3://BUCKET/PREFIX or zfs:POOL/ROOT; without one, content is in the data folder.",
            )
        if endpoint and not endpoint.startswith(("http://", "https://")):
            raise ApiError(
                400,
                "invalid_request",
                f"The storage's endpoint {endpoint!r} is no URL of the form https://HOST:PORT.",
            )
        return cls(bucket, prefix, endpoint.rstrip("/"))

    def __str__(self) -> str:
        at = f" at {self.endpoint}" if self.endpoint else ""
        return f"s3://{self.bucket}{'/' if self.prefix else ''}{self.prefix}{at}"

    @classmethod
    def of(cls, data: Path) -> Place | None:
        """Return where the content of a data folder is; None if it is in that folder.

        Raises
        ------
        ApiError
            If its file cannot be read.
        """
        document = noted(data)
        try:
            return None if document is None else cls(**document)
        except TypeError as error:
            raise unreadable(data, error) from None


class Storage(ContentStorage):
    """The bucket, and what of it is kept in the data folder.

    Attributes
    ----------
    bucket, copies, blocks
        Its parts.
    grace : float
        Seconds for which nothing is deleted that was condemned, and nothing condemned that came.
    """

    beside: ClassVar[bool] = True
    moves_when_opened: ClassVar[bool] = False

    def __init__(self, place: Place, bucket: Bucket, copies: Copies, grace: float) -> None:
        self._place = place
        self.bucket = bucket
        self.copies = copies
        self.grace = grace
        self.blocks = Blocks(bucket)
        self._later = ThreadPoolExecutor(_LATER, "hub-storage-later")
        self._locks: dict[str, tuple[threading.Lock, int]] = {}
        self._locking = threading.Lock()

    @classmethod
    def open(
        cls,
        place: Place,
        projects: Path,
        cache: int,
        grace: float,
        *,
        first: bool,
        check: bool = True,
    ) -> Storage:
        """Open the bucket, whose copies are below the folder with the projects.

        One that is out of reach is opened as well, unless this is the first time: what is at hand
        can be read. Without ``check`` it is not even asked.

        Raises
        ------
        ApiError
            503 if the service says that the bucket is not there or may not be used, or what is
            needed for it is not installed.
        """
        try:
            from .bucket import Bucket
        except ImportError as error:
            raise ApiError(
                503,
                "not_installed",
                f"Content in S3 needs more than is installed ({error.name} is missing). Install it "
                "with: pip install 'dotscience-jupyter[hub]'",
            ) from None
        try:
            bucket = Bucket(place)
            if check or first:
                bucket.check()
        except UnavailableError:
            if first:
                raise ApiError(
                    503,
                    "unavailable",
                    f"The storage {place} cannot be reached. Nothing was changed. Check the "
                    "endpoint and the network, then try again.",
                ) from None
            log.warning("%s is out of reach; only what is at hand here can be read", place)
        except PermissionError as error:
            raise ApiError(
                503,
                "storage_refused",
                f"The storage {place} cannot be used: {str(error).rstrip('.')}. Nothing was "
                "changed. Check the bucket's name, the endpoint and the credentials "
                "(AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or ~/.aws).",
            ) from None
        return cls(place, bucket, Copies(projects, cache), grace)

    @property
    def place(self) -> Place:
        """The bucket."""
        return self._place

    def note(self, data: Path) -> None:
        """Write down that the content of a data folder is here, in one step."""
        write_note(data, asdict(self._place))

    def is_noted(self, data: Path) -> bool:
        """Whether a data folder says that its content is here."""
        return Place.of(data) == self._place

    def prepare(self, folder: Path) -> None:
        """Do nothing: a project's folder only has copies."""

    def content(self, folder: Path, is_recorded: Callable[[str], bool]) -> Content:
        """Open a project's content, whose packs are in the bucket."""
        depot = self.depot(folder.name, is_recorded)
        return Content(EmbeddedEngine.open_store(folder / "store", depot=depot))

    def close(self) -> None:
        """Let what is under way end."""
        self._later.shutdown(wait=True, cancel_futures=True)
        self.bucket.close()

    def depot(self, project: str, is_recorded: Callable[[str], bool]) -> BucketDepot:
        """Return what the store of a project has in the bucket."""
        from .depot import BucketDepot

        return BucketDepot(self, project, is_recorded)

    def remove(self, project: str) -> None:
        """Delete all that a project has in the bucket. Raise UnavailableError if it cannot be."""
        prefix = f"projects/{project}/"
        self.bucket.delete([each.key for each in self.bucket.listing(prefix)])

    def later(self, work: Callable[[], None]) -> None:
        """Do something in a thread, unless the hub is being stopped."""
        with contextlib.suppress(RuntimeError):
            self._later.submit(work)

    @contextlib.contextmanager
    def fetching(self, path: str) -> Iterator[None]:
        """Hold off other threads that want the same copy."""
        with self._locking:
            lock, users = self._locks.get(path, (threading.Lock(), 0))
            self._locks[path] = lock, users + 1
        try:
            with lock:
                yield
        finally:
            with self._locking:
                lock, users = self._locks.pop(path)
                if users > 1:
                    self._locks[path] = lock, users - 1


class Blocks:
    """Parts of large objects that were read lately, in memory; thread-safe."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[str, int], bytes] = OrderedDict()

    def read(
        self, key: str, size: int, offset: int, length: int, fetched: Callable[[int], None]
    ) -> bytes:
        """Return bytes of an object; ``fetched`` is told how many had to be fetched.

        Raises
        ------
        FileNotFoundError, UnavailableError
            As reading the bucket does.
        """
        first, last = offset // _BLOCK, (offset + max(length, 1) - 1) // _BLOCK
        parts = [self._block(key, size, number, fetched) for number in range(first, last + 1)]
        start = offset - first * _BLOCK
        return b"".join(parts)[start : start + length]

    def _block(self, key: str, size: int, number: int, fetched: Callable[[int], None]) -> bytes:
        with self._lock:
            known = self._kept.get((key, number))
            if known is not None:
                self._kept.move_to_end((key, number))
                return known
        count = min(_BLOCK, size - number * _BLOCK)
        if count <= 0:
            return b""
        data = self._bucket.read(key, number * _BLOCK, count)
        fetched(len(data))
        with self._lock:
            self._kept[key, number] = data
            if len(self._kept) > _BLOCKS:
                self._kept.popitem(last=False)
        return data
