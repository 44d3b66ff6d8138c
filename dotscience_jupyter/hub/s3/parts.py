# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Requests about objects that are sent in parts, and the handler of all objects."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any, BinaryIO, ClassVar, cast

from tornado import web

from dotscience_jupyter.hub.access import Need
from dotscience_jupyter.hub.operations import BYTES, XML, Media, Operation, Param
from dotscience_jupyter.hub.project import Project

from . import documents
from .checksums import PREFIX, Checksums
from .documents import Content
from .errors import S3Error, invalid, not_implemented
from .intake import Intake
from .keys import require_path
from .multipart import MOST_PARTS, MultipartUpload, Part, Parts, no_such_upload, part_file
from .object import STEP, ObjectMethods
from .objects import Stored, find, refuse_unknown
from .ranges import byte_range, check_write, iso
from .writing import Put

_COPY = "x-amz-copy-source"
_LARGEST_PART = 5 << 30
_READ = (
    Param("versionId", "The id of a commit"),
    Param("tagging", "Anything: the tags"),
    Param("uploadId", "Of an upload in parts"),
)
_WRITE = (_READ[1], _READ[2], Param("partNumber", "Of a part", "integer", 1, minimum=1))
_PARTS = (Param("uploads", "Anything: an upload in parts begins"), _READ[2])
_REFUSED = (400, 409, 411, 412, 416)


@web.stream_request_body
class ObjectHandler(ObjectMethods):
    """One object, or an upload of one in parts."""

    needs: ClassVar[dict[str, Need]] = {
        "GET": Need.READ,
        "HEAD": Need.READ,
        "PUT": Need.WRITE,
        "POST": Need.WRITE,
        "DELETE": Need.WRITE,
    }
    operations: ClassVar[dict[str, Operation]] = {
        "GET": Operation(Media("*/*"), also={206: BYTES, 304: None}, query=_READ, errors=_REFUSED),
        "HEAD": Operation(also={206: None, 304: None}, query=_READ[:1], errors=_REFUSED),
        "PUT": Operation(body=BYTES, query=_WRITE, errors=_REFUSED),
        "POST": Operation(XML, body=XML, query=_PARTS, errors=_REFUSED),
        "DELETE": Operation(status=204, query=_READ, errors=_REFUSED),
    }

    _part: Path | None = None
    _part_file: BinaryIO | None = None

    async def check(self) -> None:
        """Refuse what cannot be done before any body is read."""
        method = self.request.method
        refuse_unknown(self.headers)
        if method == "POST":
            if "uploads" in self.query:
                self.check_write()
            elif "uploadId" not in self.query:
                names = ", ".join(self.query)[:60]
                raise not_implemented(f"POST to an object ({names})")
        if method not in ("PUT", "POST"):
            return
        copies = _COPY in self.headers
        if method == "PUT":
            if "uploadId" in self.query or "partNumber" in self.query:
                self.known_only("uploadId", "partNumber")
                self._number()
            elif "tagging" not in self.query:
                self.known_only()
                self.check_write()
                self.sending()
        headers = self.headers
        if method == "POST":
            # the checksum is that of the whole object, not of the list of its parts
            headers = {n: v for n, v in headers.items() if not n.startswith(PREFIX)}
        if not copies and "uploads" not in self.query:
            self.intake = Intake(
                self.hub,
                headers,
                self.signature,
                self.signing_key,
                md5="uploadId" in self.query,
            )

    def make_room(self) -> None:
        """Give the body a file; that of a part has a name."""
        if self.request.method != "PUT" or "uploadId" not in self.query:
            super().make_room()
            return
        assert self.intake is not None
        with self.hub.projects.open(self.info) as project:
            self._load(project)
            self._part, self._part_file = part_file(project.tmp)
        self.intake.file = self._part_file

    async def _execute(self, *args: Any, **kwargs: Any) -> None:
        try:
            await super()._execute(*args, **kwargs)
        finally:
            if self._part is not None and self._part_file is not None:
                self._part_file.close()
                self._part.unlink(missing_ok=True)

    # -- which request it is -------------------------------------------------------------------

    async def head(self) -> None:
        """Tell of the object."""
        await self.read()

    async def get(self) -> None:
        """Give the object, its tags, or the parts of an upload."""
        if "tagging" in self.query:
            await self.read_tags()
        elif "uploadId" in self.query:
            await self._list_parts()
        else:
            await self.read()

    async def put(self) -> None:
        """Take an object, a part of one, a copy, or tags."""
        if "uploadId" in self.query:
            await (self._copy_part() if _COPY in self.headers else self._put_part())
        elif "tagging" in self.query:
            await self.write_tags()
        elif _COPY in self.headers:
            await self.copy()
        else:
            await self.write_object()

    async def post(self) -> None:
        """Begin or complete an upload in parts."""
        await (self._begin() if "uploads" in self.query else self._complete())

    async def delete(self) -> None:
        """Remove the object, its tags, or an upload."""
        if "tagging" in self.query:
            await self.remove_tags()
        elif "uploadId" in self.query:
            await self._abort()
        else:
            await self.remove()

    # -- uploads in parts ----------------------------------------------------------------------

    def _load(self, project: Project, *, done: bool = False) -> MultipartUpload:
        """Return the request's upload. Raise S3Error (NoSuchUpload)."""
        id_ = self.query["uploadId"]
        upload = MultipartUpload.load(project.tmp, id_, self.key)
        if not done and upload.outcome() is not None:
            raise no_such_upload(id_)
        return upload

    def _number(self) -> int:
        text = self.query.get("partNumber", "")
        number = int(text) if text.isascii() and text.isdigit() and len(text) < 6 else 0
        if "uploadId" not in self.query or not 1 <= number <= MOST_PARTS:
            raise invalid(
                "partNumber", f"Part number must be an integer between 1 and {MOST_PARTS}."
            )
        return number

    async def _begin(self) -> None:
        """Answer CreateMultipartUpload."""
        self.known_only("uploads")
        details = self.details()

        def begin(project: Project) -> MultipartUpload:
            who = self.asker
            return MultipartUpload.begin(project.tmp, self.key, who.id, who.name, details)

        upload = await self.in_project(begin)
        self.document(
            "InitiateMultipartUploadResult",
            [("Bucket", self.bucket), ("Key", self.key), ("UploadId", upload.id)],
        )

    async def _put_part(self) -> None:
        """Answer UploadPart."""
        number = self._number()
        intake = await self.received()
        if intake.checksums.size > _LARGEST_PART:
            raise S3Error("EntityTooLarge", "A part has at most 5 GiB.")
        await self.in_project(self._keep_part, number, intake)
        self.set_header("ETag", f'"{intake.checksums.md5}"')
        self.answer_checksums(intake)
        self.finish()

    def _keep_part(self, project: Project, number: int, intake: Intake) -> None:
        assert self._part is not None and self._part_file is not None
        os.fsync(self._part_file.fileno())
        upload = self._load(project)
        upload.add(number, self._part, intake.checksums.size, intake.checksums.md5)

    async def _copy_part(self) -> None:
        """Answer UploadPartCopy."""
        number = self._number()
        info, key, version = await self.copy_source()
        async with self.opened(info) as source:
            stored = await self.run(find, source, key, version)
            self.check_source(stored)
            self.set_header("x-amz-copy-source-version-id", stored.version)
            await self.document_slowly("CopyPartResult", self._copied_part(source, stored, number))

    async def _copied_part(self, source: Project, stored: Stored, number: int) -> Content:
        text = self.headers.get(f"{_COPY}-range")
        part = byte_range(text, stored.size)
        if text is not None and part is None:
            raise invalid(f"{_COPY}-range", "The range must be of the form bytes=FIRST-LAST.")
        start, end = part or (0, stored.size)
        if end - start > _LARGEST_PART:
            raise S3Error("EntityTooLarge", "A part has at most 5 GiB.")

        def work(project: Project) -> str:
            upload = self._load(project)
            self._part, self._part_file = part_file(project.tmp)
            digest = hashlib.md5(usedforsecurity=False)
            left = end - start
            with source.engine.open(stored.snapshot, stored.path) as file:
                file.seek(start)
                while left and (data := file.read(min(STEP, left))):
                    left -= len(data)
                    digest.update(data)
                    view = memoryview(data)
                    while view:
                        view = view[self._part_file.write(view) :]
            os.fsync(self._part_file.fileno())
            upload.add(number, self._part, end - start, digest.hexdigest())
            return digest.hexdigest()

        md5 = await self.in_project(work)
        return [("LastModified", iso(stored.modified)), ("ETag", f'"{md5}"')]

    async def _list_parts(self) -> None:
        """Answer ListParts."""
        self.known_only("uploadId", "max-parts", "part-number-marker", "encoding-type")
        most, marker = self.limit("max-parts", 1000), self.limit("part-number-marker", 1 << 31)
        if "part-number-marker" not in self.query:
            marker = 0

        def read(project: Project) -> tuple[MultipartUpload, list[Part]]:
            upload = self._load(project)
            return upload, [part for part in upload.parts() if part.number > marker]

        upload, parts = await self.in_project(read)
        found = parts[:most]
        content: list[tuple[str, Content]] = [
            ("Bucket", self.bucket),
            ("Key", self.key),
            ("UploadId", upload.id),
            ("Initiator", [("ID", upload.user_id), ("DisplayName", upload.user)]),
            ("Owner", [("ID", self.info.owner_id), ("DisplayName", self.info.owner)]),
            ("StorageClass", "STANDARD"),
            ("PartNumberMarker", str(marker)),
            ("NextPartNumberMarker", str(found[-1].number if found else marker)),
            ("MaxParts", str(most)),
            ("IsTruncated", "true" if found and len(parts) > most else "false"),
        ]
        content += [
            (
                "Part",
                [
                    ("PartNumber", str(part.number)),
                    ("LastModified", iso(part.modified)),
                    ("ETag", part.etag),
                    ("Size", str(part.size)),
                ],
            )
            for part in found
        ]
        self.document("ListPartsResult", content)

    async def _abort(self) -> None:
        """Answer AbortMultipartUpload."""
        self.known_only("uploadId")
        await self.in_project(lambda project: self._load(project).drop())
        self.set_status(204)
        self.finish()

    async def _complete(self) -> None:
        """Answer CompleteMultipartUpload."""
        self.known_only("uploadId")
        intake = await self.received()
        file, size = cast(BinaryIO, intake.file), intake.checksums.size
        if size > documents.MAX_BODY:
            raise S3Error("MalformedXML", "The list of parts is longer than any.")
        wanted = await self.run(lambda: _wanted(file.read()))
        path = require_path(self.key)
        check_write(
            {n: v for n, v in self.headers.items() if n == "if-none-match" and v != "*"}, None
        )
        upload = await self.in_project(lambda project: self._load(project, done=True))
        outcome = upload.outcome()
        if outcome is None:
            parts = await self.run(upload.chosen, wanted)
            await self.document_slowly(
                "CompleteMultipartUploadResult", self._completed(upload, parts, path)
            )
            return
        # an answer that the client did not hear is given again
        self.set_header("x-amz-version-id", outcome["version"])
        self.document("CompleteMultipartUploadResult", self._result(outcome["etag"]))

    async def _completed(self, upload: MultipartUpload, parts: list[Part], path: str) -> Content:
        digest = await self.run(self._digest, parts)
        size = sum(part.size for part in parts)
        if self.headers.get("x-amz-mp-object-size", str(size)) != str(size):
            raise S3Error("InvalidRequest", f"The parts have {size} bytes together.")
        change = Put(
            self.key,
            path,
            lambda: cast(BinaryIO, Parts(parts)),
            digest,
            size,
            upload.details,
            self.headers,
        )
        await self.change(change)
        outcome = {"etag": change.etag, "version": change.version}
        await self.run(upload.finish, outcome)
        return self._result(change.etag)

    def _digest(self, parts: list[Part]) -> str:
        """Return the BLAKE3 of parts put together. Raise S3Error if a checksum is another one."""
        given = {n: v for n, v in self.headers.items() if n.startswith(PREFIX)}
        for name, value in given.items():
            if name != f"{PREFIX}type" and "-" in value:
                raise not_implemented("A checksum of the parts' checksums")
        checksums = Checksums(given)
        with Parts(parts) as source:
            while data := source.read(STEP):
                checksums.update(data)
        checksums.check({})
        return checksums.blake3

    def _result(self, etag: str) -> Content:
        return [
            ("Location", f"{self.request.protocol}://{self.request.host}{self.request.path}"),
            ("Bucket", self.bucket),
            ("Key", self.key),
            ("ETag", etag),
        ]


def _wanted(body: bytes) -> list[tuple[int, str]]:
    """Return the numbers and ETags of the parts that a client wants to have put together."""
    found = []
    for each in documents.parse(body, "CompleteMultipartUpload").findall("Part"):
        number = documents.require(each, "PartNumber").strip()
        if not (number.isascii() and number.isdigit() and len(number) < 6):
            raise S3Error("MalformedXML", "A part's number is a whole number.")
        found.append((int(number), documents.require(each, "ETag").strip()))
    return found
