# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The file endpoint of the original: a dot's files by plain GET, PUT and DELETE.

It looks like S3 and is none (that is what :mod:`dotscience_jupyter.hub.s3` is for). Errors are
plain text, which is what its clients print.
"""

from __future__ import annotations

import os
from dataclasses import replace
from typing import ClassVar

from dotscience_jupyter.api.errors import ApiError
from dotscience_jupyter.api.models import Body
from dotscience_jupyter.hub.access import Need
from dotscience_jupyter.hub.handlers.base import HubHandler
from dotscience_jupyter.hub.handlers.uploading import UploadHandler
from dotscience_jupyter.hub.operations import ARRAY, BYTES, TEXT, Media, Operation, Param
from dotscience_jupyter.hub.project import ProjectInfo
from dotscience_jupyter.records import models
from dotscience_jupyter.snapshots import Entry, Kind

from . import listings, store, tars
from .dots import Asker
from .names import BadNameError, Bucket, branch_ref, clean_key
from .turns import Turn, claimed_user, turns_of

_SNAPSHOT = "snapshot"
_READ = Media("*/*")
_QUERY = (
    Param("Prefix", "Of the files to list"),
    Param("Format", "json, or XML without"),
    Param("MaxKeys", "How many files to list", "integer", listings.DEFAULT_KEYS),
    Param("Page", "How many such pages to leave out", "integer", 0),
    Param("NonRecursive", "Anything: only what is in that folder itself"),
    Param("IncludeDirectories", "Anything: folders are listed as well"),
)
_EXTRACT = Param("Extract", "true: the body is a tar archive to be unpacked")


class BucketHandler(HubHandler):
    """What has a bucket in its address."""

    problem: ClassVar[type[Body] | Media] = TEXT
    bucket: Bucket

    def decode_argument(self, value: bytes, name: str | None = None) -> str:
        """Return a part of the address; names of files need not be UTF-8."""
        return os.fsdecode(value)

    def compute_etag(self) -> str | None:
        """Return None: the digests of files are better, and known without their content."""
        return None

    @property
    def ref(self) -> str:
        """The ref that the branch is."""
        return branch_ref(self.bucket.branch)

    async def find_project(self) -> ProjectInfo | None:
        """Return the project whose dot the bucket is.

        Raises
        ------
        ApiError
            As the original answers: 400 for a bad name, 401 for somebody else's namespace, 404
            where there is no such dot in one's own.
        """
        asker = Asker(self.hub, self.asker)
        try:
            named = Bucket.parse(self.path_kwargs["bucket"])
            self.bucket = replace(named, namespace=asker.namespace(named.namespace))
            dot = await self.run(
                asker.dot,
                self.bucket.namespace,
                self.bucket.name,
                self.bucket.branch,
            )
        except BadNameError as error:
            raise ApiError(400, "invalid_request", str(error)) from None
        if dot is not None:
            return dot.info
        namespace = self.bucket.namespace
        if namespace.lower() == self.asker.name.lower() or self.asker.admin:
            raise ApiError(404, "not_found", f"Bucket {self.bucket.title} does not exist")
        raise ApiError(
            401,
            "unauthenticated",
            f"User {self.asker.name} is not the administrator of namespace {namespace}",
        )

    def write_problem(self, error: ApiError) -> None:
        """Answer with the sentence itself."""
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.finish(error.message + "\n")


class FilesHandler(BucketHandler, UploadHandler):
    """Files of a dot: ``/BUCKET``, ``/BUCKET/snapshot/COMMIT[/KEY]`` to read, ``/BUCKET/KEY``."""

    needs: ClassVar[dict[str, Need]] = {
        "GET": Need.READ,
        "HEAD": Need.READ,
        "PUT": Need.WRITE,
        "DELETE": Need.WRITE,
    }
    operations: ClassVar[dict[str, Operation]] = {
        "GET": Operation(_READ, also={304: None}, query=_QUERY, errors=(400, 409)),
        "HEAD": Operation(also={304: None}, errors=(400, 409)),
        "PUT": Operation(TEXT, body=BYTES, headers=(_EXTRACT,), errors=(409, 423, 507)),
        "DELETE": Operation(TEXT, errors=(400, 409, 423)),
    }

    _turn: Turn | None = None
    _storing = False

    async def prepare(self) -> None:
        """Note an upload before anything else, so that whoever asks next waits for it."""
        if self.request.method != "PUT":
            await HubHandler.prepare(self)
            return
        try:
            bucket = Bucket.parse(self.path_kwargs["bucket"])
        except BadNameError:
            pass  # told of in its turn
        else:
            user = claimed_user(self.request.headers.get("Authorization", ""))
            self._turn = turns_of(self.hub).begin(user, bucket.name, bucket.branch)
        await super().prepare()

    async def allow(self, need: Need) -> None:
        """Look at the key, and for a task that holds the workspace, before a body is read."""
        await super().allow(need)
        if self.request.method in ("PUT", "DELETE"):
            self._key = self._checked(self._rest())
            await self.run(self.hub.locks.require_free, self.info)

    def _rest(self) -> str:
        return self.path_kwargs.get("rest", "")

    def _checked(self, key: str) -> str:
        try:
            return clean_key(key)
        except BadNameError as error:
            raise ApiError(400, "invalid_request", str(error)) from None

    # -- reading -------------------------------------------------------------------------------

    async def get(self, bucket: str, rest: str = "") -> None:
        """Answer with a listing, a file, or a folder as a tar archive."""
        await self._read()

    async def head(self, bucket: str, rest: str = "") -> None:
        """Answer as GET, without a body."""
        await self._read()

    async def _read(self) -> None:
        what, _, rest = self._rest().partition("/")
        snapshot, _, key = rest.partition("/")
        if what not in ("", _SNAPSHOT) or (what and not snapshot):
            raise ApiError(
                404,
                "not_found",
                "Files are read as of a commit: BUCKET/snapshot/COMMIT/KEY, where COMMIT may be "
                "latest.",
            )
        async with self.opened() as project:
            found = await self.run(
                store.frozen, project, self.ref, snapshot or store.LATEST, self.bucket.title
            )
            if not key.strip("/"):
                await self._list(found)
                return
            path = self._checked(key)
            entry = await self.run(found.find, path)
            if entry is None:
                raise ApiError(404, "not_found", f"There is no {key[:160]!r} in that commit.")
            await self._send(found, entry)

    async def _list(self, found: store.Frozen) -> None:
        query = listings.Query(
            prefix=self.get_query_argument("Prefix", "", strip=False),
            max_keys=self.number("MaxKeys", listings.DEFAULT_KEYS, most=listings.MAX_KEYS),
            page=self.number("Page", 0),
            recursive=not self.get_query_argument("NonRecursive", ""),
            folders=bool(self.get_query_argument("IncludeDirectories", "")),
        )
        page = await self.run(listings.listing, self.bucket.title, found, query)
        if self.get_query_argument("Format", "").lower() == "json":
            self.set_header("Content-Type", "application/json; charset=utf-8")
            self.finish(await self.run(listings.as_json, page))
        else:
            self.set_header("Content-Type", "application/xml; charset=utf-8")
            self.finish(await self.run(listings.as_xml, page))

    async def _send(self, found: store.Frozen, entry: Entry) -> None:
        if entry.kind is Kind.SYMLINK:
            raise ApiError(
                409,
                "refused",
                f"{entry.path[:160]!r} is a symbolic link to {entry.target[:160]!r}. Ask for what "
                "it points to, or for the folder that it is in.",
            )
        self.set_header("Content-Disposition", store.disposition(entry.path))
        if entry.kind is Kind.FOLDER:
            self.set_header("Content-Type", "application/x-tar")
        else:
            self.set_header("Content-Type", "application/octet-stream")
            self.set_header("Content-Length", str(entry.size))
            self.set_header("Etag", f'"{entry.digest}"')
        if self.request.method == "HEAD":
            await self.flush()  # how long an archive would be is not known
            return
        if entry.kind is Kind.FOLDER:
            await self.stream(tars.packed(found, entry.path))
        elif self.check_etag_header():
            self.set_status(304)
        else:
            await self.stream(found.read(entry.path))

    # -- writing -------------------------------------------------------------------------------

    async def put(self, bucket: str, rest: str = "") -> None:
        """Store the body as a file or, with ``Extract: true``, what it holds as a folder.

        The commit is made although the client may have hung up in the meantime.
        """
        self._storing = True
        try:
            file = await self.upload.finish()
            author, where = self.asker.name, (self.ref, self.bucket.title, self._key)
            if self.request.headers.get("Extract", "").strip().lower() == "true":
                made = await self.in_project(store.unpack, *where, file, author)
            else:
                made = await self.in_project(store.put, *where, file, self.upload.size, author)
            await self._made(made, "file.put")
        finally:
            self._storing = False
            self._end_turn()

    async def delete(self, bucket: str, rest: str = "") -> None:
        """Remove a file or folder."""
        made = await self.in_project(
            store.remove, self.ref, self.bucket.title, self._key, self.asker.name
        )
        await self._made(made, "file.delete")

    async def _made(self, commit: models.Commit, action: str) -> None:
        await self.run(
            self.hub.audit.append,
            self.asker.name,
            action,
            f"{self.info.kind}:{self.info.id}",
            {"commit": commit.id},
        )
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.set_header("Snapshot", commit.id)
        self.finish()

    # -- the end -------------------------------------------------------------------------------

    def _end_turn(self) -> None:
        if self._turn is not None and not self._storing:
            self._turn.end()

    def on_connection_close(self) -> None:
        """Let others go on if the body did not come to its end."""
        future = self.request._body_future
        if not future.done():
            self._end_turn()
        super().on_connection_close()

    def on_finish(self) -> None:
        """Let others go on, and remove the body."""
        super().on_finish()
        self._end_turn()


class DiffHandler(BucketHandler):
    """What has changed in a dot since a commit; nothing is ever uncommitted on a hub."""

    needs: ClassVar[dict[str, Need]] = {"GET": Need.READ}
    operations: ClassVar[dict[str, Operation]] = {"GET": Operation(ARRAY, errors=(400,))}

    async def get(self, bucket: str, snapshot: str = store.LATEST) -> None:
        """Answer with a list of ``{"change", "filename"}``."""
        found = await self.in_project(store.changes, self.ref, snapshot, self.bucket.title)
        self.finish(found)
