# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Requests about one object."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, BinaryIO, cast

from dotscience_jupyter.hub.access import Need
from dotscience_jupyter.hub.handlers.uploading import UploadHandler
from dotscience_jupyter.hub.project import Project, ProjectInfo
from dotscience_jupyter.snapshots.engine import Kind

from . import documents
from .base import S3Handler, find_bucket, header_text
from .checksums import NOTHING
from .documents import Content
from .errors import S3Error, invalid, no_such_key, not_implemented
from .intake import Intake
from .keys import check_length, path_of, require_path
from .objects import Details, Stored, checked_tags, find, tags_of
from .ranges import byte_range, check_read, http_date, iso
from .sigv4 import decoded_path, split_query
from .writing import Change, Delete, Describe, Put

STEP = 1 << 20
"""Bytes that are read and sent at a time."""

_OVERRIDES = {
    "response-cache-control": "Cache-Control",
    "response-content-disposition": "Content-Disposition",
    "response-content-encoding": "Content-Encoding",
    "response-content-language": "Content-Language",
    "response-content-type": "Content-Type",
    "response-expires": "Expires",
}
_COPY = "x-amz-copy-source"


class ObjectRequest(S3Handler, UploadHandler):
    """What all requests about an object share: its body is on disk when a method runs."""

    intake: Intake | None = None
    _sending = False

    async def prepare(self) -> None:
        """Allow the request, then make room for its body."""
        await UploadHandler.prepare(self)
        if self._upload is not None and self.intake is not None:
            await self.run(self.make_room)

    def make_room(self) -> None:
        """Give the body a file; called in a thread."""
        assert self.intake is not None
        self.intake.file = self.upload.file

    async def _execute(self, *args: Any, **kwargs: Any) -> None:
        try:
            await super()._execute(*args, **kwargs)
        finally:
            self.sent()

    def sending(self) -> None:
        """Say that a change is on its way, so that others may wait for it."""
        self._sending = True
        self.shared.groups.begin(self.info)

    def sent(self) -> None:
        """Say that it has come, or never will."""
        if self._sending:
            self._sending = False
            self.shared.groups.end(self.info)

    async def data_received(self, chunk: bytes) -> None:
        """Take a part of the body."""
        if self._refused is not None or self._upload is None or self.intake is None:
            return
        try:
            await self.intake.write(chunk)
        except S3Error as error:
            self._refused = error
            setattr(self, (self.request.method or "").lower(), self._refuse)

    async def change(self, change: Change) -> None:
        """Write a change, together with others that come at the same time."""
        self.sent()
        await self.shared.groups.change(self.info, self.asker, change)
        if change.version:
            self.set_header("x-amz-version-id", change.version)

    async def received(self) -> Intake:
        """Return the body, proven."""
        assert self.intake is not None
        await self.intake.finish()
        return self.intake

    def answer_checksums(self, intake: Intake) -> None:
        """Give back the checksums that the client has sent."""
        for name, value in intake.checksums.answers().items():
            self.set_header(name, value)

    async def copy_source(self) -> tuple[ProjectInfo, str, str | None]:
        """Return the project, key and version that a copy is made of.

        Raises
        ------
        S3Error
            NoSuchBucket, or InvalidArgument for an address that is none.
        """
        text, _, query = self.headers[_COPY].partition("?")
        bucket, slash, key = decoded_path(text).removeprefix("/").partition("/")
        if not slash or not key:
            raise invalid(_COPY, "Copy Source must mention the source bucket and key.")
        options = dict(split_query(query))
        if options.keys() - {"versionId"}:
            raise invalid(_COPY, "Copy Source has parameters other than versionId.")
        found = await self.run(find_bucket, self.hub.projects, self.asker, bucket)
        info = await self.allowed(found, Need.READ)
        if self.headers.get("x-amz-source-expected-bucket-owner", info.owner_id) != info.owner_id:
            raise S3Error("AccessDenied", "The source belongs to somebody else than you expect.")
        return info, key, options.get("versionId")

    def check_source(self, stored: Stored) -> None:
        """Raise S3Error unless the source of a copy meets the request's conditions."""
        check_read(self.headers, stored.etag, stored.modified, prefix=f"{_COPY}-")


class ObjectMethods(ObjectRequest):
    """Reading, writing, copying, describing and deleting an object in one go."""

    # -- reading -------------------------------------------------------------------------------

    async def read(self) -> None:
        """Answer GetObject and HeadObject."""
        self.known_only("versionId", *_OVERRIDES)
        async with self.opened() as project:
            stored = await self.run(find, project, self.key, self.query.get("versionId"))
            self._check_read(stored)
            part = byte_range(self.headers.get("range"), stored.size)
            if part is not None and not self._range_holds(stored):
                part = None
            start, end = part or (0, stored.size)
            self._describe(stored)
            if part is not None:
                self.set_status(206)
                self.set_header("Content-Range", f"bytes {start}-{end - 1}/{stored.size}")
            self.set_header("Content-Length", str(end - start))
            if self.request.method == "HEAD" or start == end:
                self.finish()
                return
            file = await self.run(project.engine.open, stored.snapshot, stored.path)
            await self.stream(_pieces(file, start, end))
            self.finish()

    def _check_read(self, stored: Stored) -> None:
        try:
            check_read(self.headers, stored.etag, stored.modified)
        except S3Error as error:
            error.elements["ETag"] = stored.etag
            error.elements["Last-Modified"] = http_date(stored.modified)
            raise

    def _range_holds(self, stored: Stored) -> bool:
        """Whether a range is wanted of this version, as If-Range says."""
        wanted = self.headers.get("if-range")
        return wanted is None or wanted in (stored.etag, http_date(stored.modified))

    def _describe(self, stored: Stored) -> None:
        """Set the headers that tell of an object."""
        details = stored.details
        self.clear_header("Cache-Control")  # it is for whoever stored the object to say
        for name, value in details.headers.items():
            self.set_header(name, header_text(value))
        for name, value in details.meta.items():
            self.set_header(f"x-amz-meta-{name}", header_text(value))
        self.set_header("Content-Type", header_text(stored.content_type))
        for name, header in _OVERRIDES.items():
            if name in self.query:
                if self.signature is None:
                    raise S3Error(
                        "InvalidRequest", "Response headers are changed in signed requests only."
                    )
                self.set_header(header, _one_line(name, self.query[name]))
        self.set_header("ETag", stored.etag)
        self.set_header("Last-Modified", http_date(stored.modified))
        self.set_header("Accept-Ranges", "bytes")
        self.set_header("x-amz-version-id", stored.version)
        # a browser that is given a signed address must not run what is in there as ours
        self.set_header("Content-Security-Policy", "sandbox")
        if details.tags:
            self.set_header("x-amz-tagging-count", str(len(details.tags)))

    # -- writing -------------------------------------------------------------------------------

    async def write_object(self) -> None:
        """Answer PutObject."""
        intake = await self.received()
        file = cast(BinaryIO, intake.file)
        change = Put(
            self.key,
            require_path(self.key),
            lambda: _rewound(file),
            intake.checksums.blake3,
            intake.checksums.size,
            self.details(),
            self.headers,
        )
        await self.change(change)
        self.set_header("ETag", change.etag)
        self.answer_checksums(intake)
        self.finish()

    def details(self) -> Details:
        """Return what the request says of the object."""
        return Details.of_request(self.headers, tags_of(self.headers.get("x-amz-tagging")))

    async def remove(self) -> None:
        """Answer DeleteObject."""
        self.known_only("versionId")
        if "versionId" in self.query:
            raise not_implemented("Deleting a version: history is kept, so it")
        check_length(self.key)
        change = Delete(self.key, path_of(self.key), self.headers)
        await self.change(change)
        if change.version:
            self.set_header("x-amz-delete-marker", "true")
        self.set_status(204)
        self.finish()

    # -- copying -------------------------------------------------------------------------------

    async def copy(self) -> None:
        """Answer CopyObject."""
        path = require_path(self.key)
        info, key, version = await self.copy_source()
        new_meta = self._directive("x-amz-metadata-directive")
        new_tags = self._directive("x-amz-tagging-directive")
        given = self.details()

        def described(old: Details) -> Details:
            return Details(
                given.headers if new_meta else old.headers,
                given.meta if new_meta else old.meta,
                given.tags if new_tags else old.tags,
            )

        async with self.opened(info) as project:
            stored = await self.run(find, project, key, version)
            self.check_source(stored)
            change: Change
            self.set_header("x-amz-copy-source-version-id", stored.version)
            if info.id == self.info.id and key == self.key and version is None:
                if not new_meta and not new_tags:
                    raise S3Error(
                        "InvalidRequest",
                        "This copy request is illegal because it is trying to copy an object to "
                        "itself without changing the object's metadata or tags.",
                    )
                unchanged = {"if-match": stored.etag, **self.headers}
                change = Describe(self.key, path, described, unchanged)
                await self.document_slowly("CopyObjectResult", self._copied(change, stored))
                return
            source = _Opened(project, stored)
            change = Put(
                self.key,
                path,
                source.open,
                stored.entry.digest if stored.entry.kind is Kind.FILE else NOTHING,
                stored.size,
                described(stored.details),
                self.headers,
            )
            try:
                await self.document_slowly("CopyObjectResult", self._copied(change, stored))
            finally:
                await self.run(source.close)

    async def _copied(self, change: Change, stored: Stored) -> Content:
        await self.change(change)

        def modified(project: Project) -> str:
            return iso(find(project, self.key, change.version).modified)

        return [("LastModified", await self.in_project(modified)), ("ETag", stored.etag)]

    def _directive(self, name: str) -> bool:
        """Whether what is said of a copy is in the request, not taken from the source."""
        text = self.headers.get(name, "COPY")
        if text not in ("COPY", "REPLACE"):
            raise invalid(name, "Unknown directive: it is COPY or REPLACE.")
        return text == "REPLACE"

    # -- tags ----------------------------------------------------------------------------------

    async def read_tags(self) -> None:
        """Answer GetObjectTagging."""
        self.known_only("tagging", "versionId")
        stored = await self.in_project(find, self.key, self.query.get("versionId"))
        self.set_header("x-amz-version-id", stored.version)
        tags: list[tuple[str, Content]] = [
            ("Tag", [("Key", name), ("Value", value)])
            for name, value in stored.details.tags.items()
        ]
        self.document("Tagging", [("TagSet", tags)])

    async def write_tags(self) -> None:
        """Answer PutObjectTagging."""
        intake = await self.received()
        root = await self.run(_parsed, cast(BinaryIO, intake.file), intake.checksums.size)
        tags: dict[str, str] = {}
        sets = root.findall("TagSet")
        if len(sets) != 1:
            raise S3Error("MalformedXML", "A Tagging document has one TagSet.")
        for element in sets[0].findall("Tag"):
            name = documents.require(element, "Key")
            if name in tags:
                raise S3Error("InvalidTag", "Cannot provide multiple Tags with the same key.")
            tags[name] = documents.require(element, "Value")
        await self._tag(checked_tags(tags))
        self.finish()

    async def remove_tags(self) -> None:
        """Answer DeleteObjectTagging."""
        await self._tag({})
        self.set_status(204)
        self.finish()

    async def _tag(self, tags: Mapping[str, str]) -> None:
        self.known_only("tagging")
        path = path_of(self.key)
        if path is None:
            raise no_such_key(self.key)
        await self.change(Describe(self.key, path, lambda old: replace(old, tags=tags), {}))

    def check_write(self) -> None:
        """Raise S3Error for what cannot be written, before its body is read."""
        require_path(self.key)
        self.details()


class _Opened:
    """The content of a copy's source, opened when it is needed."""

    def __init__(self, project: Project, stored: Stored) -> None:
        self._project = project
        self._stored = stored
        self._file: BinaryIO | None = None

    def open(self) -> BinaryIO:
        """Open it, at its beginning."""
        self.close()
        self._file = self._project.engine.open(self._stored.snapshot, self._stored.path)
        return self._file

    def close(self) -> None:
        """Close it, if it was opened."""
        if self._file is not None:
            self._file.close()


def _pieces(file: BinaryIO, start: int, end: int) -> Iterator[bytes]:
    with file:
        file.seek(start)
        while start < end:
            data = file.read(min(STEP, end - start))
            if not data:
                raise S3Error("InternalError", "The object is shorter than it should be.")
            start += len(data)
            yield data


def _rewound(file: BinaryIO) -> BinaryIO:
    file.seek(0)
    return file


def _one_line(name: str, value: str) -> str:
    if any(ord(letter) < 32 or ord(letter) == 127 for letter in value):
        raise invalid(name, "A header has no control characters.")
    return header_text(value)


def _parsed(file: BinaryIO, size: int) -> Any:
    if size > documents.MAX_BODY:
        raise S3Error("MalformedXML", "The document is longer than any of its kind.")
    return documents.parse(file.read(), "Tagging")
