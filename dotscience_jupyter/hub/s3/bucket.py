# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Requests about a bucket: what is in it, what was in it, and removing many objects."""

from __future__ import annotations

import asyncio
import base64
import binascii
import io
from typing import ClassVar

from dotscience_jupyter.hub.access import Need
from dotscience_jupyter.hub.operations import XML, Operation, Param
from dotscience_jupyter.hub.project import Project
from dotscience_jupyter.snapshots.engine import Entry

from . import documents
from .base import REGION, S3Handler
from .documents import Content, url_encoded
from .errors import S3Error, invalid, not_implemented, of_api
from .intake import Intake
from .keys import check_length, is_bucket_name, path_of
from .listing import MOST, Folders, Page, page
from .multipart import MultipartUpload
from .objects import etag_of, refuse_unknown, size_of
from .ranges import iso, moment_of
from .versions import VersionPage, Versions
from .writing import Delete

_QUERY = (
    Param("list-type", "2 for ListObjectsV2"),
    Param("prefix", "Of the keys to list"),
    Param("delimiter", "Keys that go on behind it are listed as one"),
    Param("max-keys", "How many", "integer", MOST),
    Param("encoding-type", "url: keys are percent-encoded"),
    Param("start-after", "A key"),
    Param("continuation-token", "Where to go on"),
    Param("marker", "Where to go on, without list-type"),
    Param("versions", "Anything: ListObjectVersions"),
    Param("uploads", "Anything: ListMultipartUploads"),
    Param("location", "Anything: GetBucketLocation"),
    Param("versioning", "Anything: GetBucketVersioning"),
)
_DELETE = Param("delete", "Anything: DeleteObjects", required=True)
_OWNERSHIP = "BucketOwnerEnforced"
_LIST = ("prefix", "delimiter", "encoding-type", "max-keys")


class BucketHandler(S3Handler):
    """A project as a bucket."""

    needs: ClassVar[dict[str, Need]] = {
        "GET": Need.READ,
        "HEAD": Need.READ,
        "PUT": Need.USER,
        "POST": Need.WRITE,
        "DELETE": Need.OWNER,
    }
    operations: ClassVar[dict[str, Operation]] = {
        "GET": Operation(XML, query=_QUERY, errors=(400,)),
        "HEAD": Operation(),
        "PUT": Operation(body=XML, errors=(400, 409)),
        "POST": Operation(XML, body=XML, query=(_DELETE,), errors=(400,)),
        "DELETE": Operation(status=204, errors=(400, 409)),
    }

    async def check(self) -> None:
        """Refuse what is asked for in headers and is not available."""
        refuse_unknown(self.headers)
        if self.headers.get("x-amz-bucket-object-lock-enabled", "false").lower() != "false":
            raise not_implemented("Object lock")
        # that nobody but its owner and members has access is what every bucket is like here
        if self.headers.get("x-amz-object-ownership", _OWNERSHIP) != _OWNERSHIP:
            raise not_implemented("Object ownership other than " + _OWNERSHIP)

    async def head(self) -> None:
        """Say that the bucket is there."""
        self.set_header("x-amz-bucket-region", REGION)
        self.finish()

    async def get(self) -> None:
        """List objects, versions or uploads, or tell of the bucket."""
        if "location" in self.query:
            self.known_only("location")
            self.document("LocationConstraint", "")
        elif "versioning" in self.query:
            self.known_only("versioning")
            self.document("VersioningConfiguration", [("Status", "Enabled")])
        elif "versions" in self.query:
            await self._list_versions()
        elif "uploads" in self.query:
            await self._list_uploads()
        elif self.query.get("list-type") == "2":
            await self._list_new()
        elif "list-type" in self.query:
            raise invalid("list-type", "list-type is 2, or is left out.")
        else:
            await self._list_old()

    async def put(self) -> None:
        """Make a project of that name."""
        self.known_only()
        await self._require_plain(await self._received())
        name = self.bucket
        if not is_bucket_name(name) or "." in name:
            raise S3Error(
                "InvalidBucketName",
                "A bucket that is made here has a name of letters, digits, '-' and '_'.",
                BucketName=name,
            )
        own = await self.run(self.hub.projects.by_name, self.asker.name, name)
        if own is not None:
            raise S3Error(
                "BucketAlreadyOwnedByYou", "You have a project of that name already.",
                BucketName=name,
            )  # fmt: skip
        await self.run(self.hub.projects.create, self.asker, name)
        self.set_header("Location", f"/{name}")
        self.finish()

    async def _received(self) -> bytes:
        """Return the body. Raise S3Error if it is not the one that was signed."""
        intake = Intake(
            self.hub,
            {"content-length": "0", **self.headers},
            self.signature,
            self.signing_key,
        )
        intake.file = io.BytesIO()
        await intake.write(self.request.body)
        return (await intake.finish()).read()

    async def _require_plain(self, body: bytes) -> None:
        """Raise S3Error (NotImplemented) where a new bucket is to be more than just one."""
        if not body.strip():
            return
        root = await self.run(documents.parse, body, "CreateBucketConfiguration")
        for element in root:
            if element.tag != "LocationConstraint":
                raise not_implemented(f"{str(element.tag)[:60]!r} of a new bucket")
            if (element.text or "").strip() not in ("", REGION):
                raise not_implemented(f"A region (LocationConstraint) other than {REGION}")

    async def delete(self) -> None:
        """Delete a project that never had a commit; every version counts as with S3."""
        self.known_only()

        def is_empty(project: Project) -> bool:
            return not project.records.counts()[0]

        if not await self.in_project(is_empty):
            raise S3Error(
                "BucketNotEmpty",
                "The project has a history, which S3 does not delete. Nothing was changed. Its "
                "owner deletes it with the hub's own API.",
                BucketName=self.bucket,
            )
        await self.run(
            self.hub.projects.delete, self.info, confirm=self.info.name, actor=self.asker.name
        )
        self.set_status(204)
        self.finish()

    async def post(self) -> None:
        """Remove many objects in one commit."""
        if "delete" not in self.query:
            raise not_implemented("Uploading with a form")
        self.known_only("delete")
        root = await self.run(documents.parse, await self._received(), "Delete")
        objects = root.findall("Object")
        if not 1 <= len(objects) <= MOST:
            raise S3Error("MalformedXML", f"A request names 1 to {MOST} objects to delete.")
        quiet = (documents.child(root, "Quiet") or "").strip().lower() == "true"
        wanted = []
        for each in objects:
            key = documents.require(each, "Key")
            tag = documents.child(each, "ETag")
            wanted.append((key, tag, documents.child(each, "VersionId")))
        results = await asyncio.gather(*(self._delete(*each) for each in wanted))
        self.document(
            "DeleteResult",
            [each for each in results if each[0] == "Error" or not quiet],
        )

    async def _delete(self, key: str, tag: str | None, version: str | None) -> tuple[str, Content]:
        """Remove one object; return what the answer says of it."""
        try:
            if version:
                raise not_implemented("Deleting a version: history is kept, so it")
            check_length(key)
            conditions = {} if tag is None else {"if-match": tag}
            change = Delete(key, path_of(key), conditions)
            await self.shared.groups.change(self.info, self.asker, change)
        except Exception as error:
            if not isinstance(error, S3Error):
                self.log_exception(type(error), error, error.__traceback__)
            known = of_api(self.explain(error))
            return "Error", [("Key", key), ("Code", known.code), ("Message", known.message)]
        deleted: list[tuple[str, Content]] = [("Key", key)]
        if change.version:
            deleted += [("DeleteMarker", "true"), ("DeleteMarkerVersionId", change.version)]
        return "Deleted", deleted

    # -- lists ---------------------------------------------------------------------------------

    def _encoding(self) -> bool:
        kind = self.query.get("encoding-type")
        if kind not in (None, "url"):
            raise invalid("encoding-type", "Invalid Encoding Method specified in Request.")
        return kind is not None

    def _text(self, key: str) -> str:
        """Return a key, prefix or delimiter as the client wants it."""
        return url_encoded(key) if self._encoding() else key

    async def _page(self, after: str) -> Page:
        prefix, delimiter = self.query.get("prefix", ""), self.query.get("delimiter", "")
        most = self.limit("max-keys", MOST)
        return await self.in_project(self._read_page, prefix, delimiter, after, most)

    def _read_page(
        self, project: Project, prefix: str, delimiter: str, after: str, most: int
    ) -> Page:
        head = project.records.head()
        if head is None:
            return Page()
        folders = Folders(
            lambda path: project.engine.list(head.snapshot, path),
            self.shared.folders,
            head.snapshot,
        )
        return page(folders, prefix, delimiter, after, most)

    def _items(self, found: Page, *, owner: bool) -> list[tuple[str, Content]]:
        items: list[tuple[str, Content]] = [
            ("Contents", self._object(key, entry, owner=owner)) for key, entry in found.objects
        ]
        items += [("CommonPrefixes", [("Prefix", self._text(each))]) for each in found.prefixes]
        return items

    def _object(self, key: str, entry: Entry, *, owner: bool) -> list[tuple[str, Content]]:
        found: list[tuple[str, Content]] = [
            ("Key", self._text(key)),
            ("LastModified", iso(moment_of(entry.mtime_ns))),
            ("ETag", etag_of(entry)),
            ("Size", str(size_of(entry))),
            ("StorageClass", "STANDARD"),
        ]
        if owner:
            found.append(self._owner())
        return found

    def _owner(self, name: str = "Owner") -> tuple[str, Content]:
        return name, [("ID", self.info.owner_id), ("DisplayName", self.info.owner)]

    def _head_of_list(self, found_last: bool, most: str = "max-keys") -> list[tuple[str, Content]]:
        head: list[tuple[str, Content]] = [
            ("Name", self.bucket),
            ("Prefix", self._text(self.query.get("prefix", ""))),
            ("MaxKeys" if most == "max-keys" else "MaxUploads", str(self.limit(most, MOST))),
            ("IsTruncated", "true" if found_last else "false"),
        ]
        if "delimiter" in self.query:
            head.append(("Delimiter", self._text(self.query["delimiter"])))
        if self._encoding():
            head.append(("EncodingType", "url"))
        return head

    async def _list_old(self) -> None:
        """Answer ListObjects."""
        self.known_only(*_LIST, "marker")
        marker = self.query.get("marker", "")
        self._encoding()
        found = await self._page(marker)
        head = self._head_of_list(found.truncated)
        head.append(("Marker", self._text(marker)))
        if found.truncated and "delimiter" in self.query:
            head.append(("NextMarker", self._text(found.last)))
        self.document("ListBucketResult", head + self._items(found, owner=True))

    async def _list_new(self) -> None:
        """Answer ListObjectsV2."""
        self.known_only(*_LIST, "list-type", "continuation-token", "start-after", "fetch-owner")
        start = self.query.get("start-after", "")
        token = self.query.get("continuation-token")
        self._encoding()
        found = await self._page(start if token is None else _from_token(token))
        head = self._head_of_list(found.truncated)
        head.append(("KeyCount", str(len(found.objects) + len(found.prefixes))))
        if start:
            head.append(("StartAfter", self._text(start)))
        if token is not None:
            head.append(("ContinuationToken", token))
        if found.truncated:
            head.append(("NextContinuationToken", _to_token(found.last)))
        owner = self.query.get("fetch-owner") == "true"
        self.document("ListBucketResult", head + self._items(found, owner=owner))

    async def _list_versions(self) -> None:
        """Answer ListObjectVersions."""
        self.known_only(*_LIST, "versions", "key-marker", "version-id-marker")
        key, version = self.query.get("key-marker", ""), self.query.get("version-id-marker", "")
        if version and not key:
            raise invalid(
                "version-id-marker", "A version-id marker cannot be specified without a key marker."
            )
        self._encoding()

        def read(project: Project) -> VersionPage:
            prefix, delimiter = self.query.get("prefix", ""), self.query.get("delimiter", "")
            versions = Versions(project, self.shared.folders)
            return versions.page(prefix, delimiter, key, version, self.limit("max-keys", MOST))

        found = await self.in_project(read)
        content = self._head_of_list(found.truncated)
        content += [("KeyMarker", self._text(key)), ("VersionIdMarker", version)]
        if found.truncated:
            content.append(("NextKeyMarker", self._text(found.last_key)))
            if found.last_version:
                content.append(("NextVersionIdMarker", found.last_version))
        for each in found.items:
            if isinstance(each, str):
                content.append(("CommonPrefixes", [("Prefix", self._text(each))]))
                continue
            common: list[tuple[str, Content]] = [
                ("Key", self._text(each.key)),
                ("VersionId", each.id),
                ("IsLatest", "true" if each.latest else "false"),
                ("LastModified", iso(each.modified)),
                self._owner(),
            ]
            if each.etag is None:
                content.append(("DeleteMarker", common))
            else:
                more: list[tuple[str, Content]] = [
                    ("ETag", each.etag),
                    ("Size", str(each.size)),
                    ("StorageClass", "STANDARD"),
                ]
                content.append(("Version", common + more))
        self.document("ListVersionsResult", content)

    async def _list_uploads(self) -> None:
        """Answer ListMultipartUploads."""
        self.known_only(
            "uploads", "prefix", "encoding-type", "max-uploads", "key-marker", "upload-id-marker"
        )
        key, after = self.query.get("key-marker", ""), self.query.get("upload-id-marker", "")
        prefix, most = self.query.get("prefix", ""), self.limit("max-uploads", MOST)
        self._encoding()
        uploads = await self.in_project(lambda project: MultipartUpload.all(project.tmp))
        seen = next((each for each in uploads if (each.key, each.id) == (key, after)), None)
        left = [each for each in uploads if each.key.startswith(prefix)]
        if seen is not None:
            left = left[left.index(seen) + 1 :] if seen in left else left
        elif key:
            left = [each for each in left if each.key > key]
        found = left[:most]
        truncated = bool(found) and len(left) > most
        content: list[tuple[str, Content]] = [
            ("Bucket", self.bucket),
            ("KeyMarker", self._text(key)),
            ("UploadIdMarker", after),
            *self._head_of_list(truncated, "max-uploads")[1:],
        ]
        if truncated:
            content += [("NextKeyMarker", self._text(found[-1].key))]
            content += [("NextUploadIdMarker", found[-1].id)]
        content += [
            (
                "Upload",
                [
                    ("Key", self._text(each.key)),
                    ("UploadId", each.id),
                    ("Initiator", [("ID", each.user_id), ("DisplayName", each.user)]),
                    self._owner(),
                    ("StorageClass", "STANDARD"),
                    ("Initiated", iso(each.begun)),
                ],
            )
            for each in found
        ]
        self.document("ListMultipartUploadsResult", content)


def _to_token(last: str) -> str:
    return base64.urlsafe_b64encode(last.encode()).decode()


def _from_token(token: str) -> str:
    try:
        return base64.b64decode(token.encode(), b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        raise invalid(
            "continuation-token", "The continuation token provided is incorrect."
        ) from None
