# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The objects of a bucket: the files of a project, as its newest or any other commit has them."""

from __future__ import annotations

import json
import mimetypes
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from dotscience_jupyter.hub.project import Project
from dotscience_jupyter.records import NotFoundError, models, to_text
from dotscience_jupyter.snapshots.engine import Entry, Kind, PathNotFoundError

from .checksums import NOTHING, etag
from .errors import S3Error, invalid, no_such_key, not_implemented
from .keys import check_length, path_of
from .ranges import moment_of
from .sigv4 import split_query

METADATA = "s3.object."
"""In a commit's metadata, what stands before the path of an object that it wrote."""

_VERSION = re.compile(r"[0-9a-f]{64}")
_KEPT = (
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-type",
    "expires",
)
_IS_NAME = re.compile(r"[a-z0-9!#$%&'*+.^_`|~-]{1,256}")
_IS_VALUE = re.compile(r"[^\x00-\x1f\x7f\ud800-\udfff]*")
_MOST_METADATA = 2048
_MOST_TAGS = 10


@dataclass(frozen=True)
class Details:
    """What a client has said of an object beside its content.

    Attributes
    ----------
    headers
        Those of :data:`_KEPT`, by their names in lower case.
    meta
        ``x-amz-meta-`` headers, without that.
    """

    headers: Mapping[str, str] = field(default_factory=dict)
    meta: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of_request(cls, headers: Mapping[str, str], tags: Mapping[str, str]) -> Details:
        """Return what the headers of a request (names in lower case) say.

        Raises
        ------
        S3Error
            MetadataTooLarge.
        """
        kept = {name: headers[name] for name in _KEPT if headers.get(name)}
        if "content-encoding" in kept:
            codings = [part.strip() for part in kept["content-encoding"].split(",")]
            left = ",".join(part for part in codings if part and part.lower() != "aws-chunked")
            kept = {**kept, "content-encoding": left} if left else _without(kept)
        start = "x-amz-meta-"
        meta = {n.removeprefix(start): v for n, v in headers.items() if n.startswith(start)}
        size = sum(len(n) + len(v.encode("utf-8", "replace")) for n, v in meta.items())
        if size > _MOST_METADATA:
            raise S3Error(
                "MetadataTooLarge",
                "Your metadata headers exceed the maximum allowed metadata size.",
                Size=str(size),
                MaxSizeAllowed=str(_MOST_METADATA),
            )
        return cls(kept, meta, tags)

    @classmethod
    def of_text(cls, text: str) -> Details:
        """Return what :meth:`text` has written; nothing of what anybody else has."""
        try:
            found = json.loads(text)
        except ValueError:
            return cls()
        if not isinstance(found, dict):
            return cls()
        headers, meta, tags = (_texts(found.get(name)) for name in ("headers", "meta", "tags"))
        # a commit may come from anywhere: what is no header does not become one
        return cls(
            {n: v for n, v in headers.items() if n in _KEPT and _IS_VALUE.fullmatch(v)},
            {n: v for n, v in meta.items() if _IS_NAME.fullmatch(n) and _IS_VALUE.fullmatch(v)},
            tags,
        )

    def text(self) -> str:
        """Return it as a text; "" if nothing was said."""
        parts = {"headers": self.headers, "meta": self.meta, "tags": self.tags}
        said = {name: dict(part) for name, part in parts.items() if part}
        return json.dumps(said, sort_keys=True, ensure_ascii=False) if said else ""


@dataclass(frozen=True)
class Stored:
    """One version of an object."""

    key: str
    path: str
    entry: Entry
    snapshot: str
    version: str  # the commit that wrote it
    details: Details

    @property
    def size(self) -> int:
        """Bytes."""
        return size_of(self.entry)

    @property
    def etag(self) -> str:
        """With its quotes."""
        return etag_of(self.entry)

    @property
    def modified(self) -> datetime:
        """The file's time."""
        return moment_of(self.entry.mtime_ns)

    @property
    def content_type(self) -> str:
        """What was said with the upload, or what the name tells."""
        return self.details.headers.get("content-type") or guessed_type(self.key)


def find(project: Project, key: str, version: str | None = None) -> Stored:
    """Return an object as it is now, or as it was in a commit.

    Raises
    ------
    S3Error
        NoSuchKey, NoSuchVersion, MethodNotAllowed for a version in which it was deleted,
        KeyTooLongError or InvalidArgument.
    """
    check_length(key)
    path = path_of(key)
    commit = project.records.head() if version is None else _commit(project, version)
    if path is None or commit is None:
        raise no_such_key(key)
    entry = entry_of(project, commit.snapshot, key, path)
    if entry is None and version is not None:
        if version in project.records.files.digests(to_text(path), [version]):
            raise S3Error(
                "MethodNotAllowed",
                "That version is the deletion of the object.",
                Method="GET",
                ResourceType="DeleteMarker",
            )
        raise _no_version(version)
    if entry is None:
        raise no_such_key(key)
    writer = commit if version is not None else _writer(project, commit, key, path)
    return Stored(key, path, entry, commit.snapshot, writer.id, details_of(writer, path))


def _writer(project: Project, head: models.Commit, key: str, path: str) -> models.Commit:
    """Return the commit that is the newest version of an object: the last one that lists it.

    What no commit lists was in the first one, which has everything and lists nothing.
    """
    # another commit may have been made since
    changes = project.records.files.changes(to_text(path), before=head.sequence + 1, limit=1)
    if changes:
        written = changes[0]
        return head if written.commit == head.id else project.records.get_commit(written.commit)
    first = project.records.files.first()
    if first is None or entry_of(project, first.snapshot, key, path) is None:
        return head
    return first


def details_of(commit: models.Commit, path: str) -> Details:
    """Return what was said of an object when a commit wrote it."""
    return Details.of_text(commit.details.get(METADATA + to_text(path), ""))


def entry_of(project: Project, snapshot: str, key: str, path: str) -> Entry | None:
    """Return the entry that is an object: a file, or a folder for a key with a slash at its end."""
    try:
        entry = project.engine.entry(snapshot, path)
    except PathNotFoundError:
        return None
    return entry if entry.kind is (Kind.FOLDER if key.endswith("/") else Kind.FILE) else None


def etag_of(entry: Entry) -> str:
    """Return the ETag of an entry, in its quotes."""
    return etag(entry.digest or NOTHING)


def size_of(entry: Entry) -> int:
    """Return the bytes of an object: a folder has none."""
    return entry.size if entry.kind is Kind.FILE else 0


def guessed_type(key: str) -> str:
    """Return the media type that a key's name tells of."""
    if key.endswith("/"):
        return "application/x-directory"
    found, coding = mimetypes.guess_type(key, strict=False)
    return found if found and not coding else "binary/octet-stream"


def tags_of(text: str | None) -> dict[str, str]:
    """Return the tags in an ``x-amz-tagging`` header. Raise S3Error (InvalidTag)."""
    pairs = split_query(text or "")
    tags = dict(pairs)
    if len(tags) != len(pairs):
        raise S3Error("InvalidTag", "Cannot provide multiple Tags with the same key.")
    return checked_tags(tags)


def checked_tags(tags: dict[str, str]) -> dict[str, str]:
    """Return tags. Raise S3Error (InvalidTag) for too many or too long ones."""
    if len(tags) > _MOST_TAGS:
        raise S3Error("InvalidTag", f"Object tags cannot be greater than {_MOST_TAGS}.")
    for name, value in tags.items():
        if not 1 <= len(name) <= 128:
            raise S3Error("InvalidTag", "The TagKey you have provided is invalid.", TagKey=name)
        if len(value) > 256:
            raise S3Error("InvalidTag", "The TagValue you have provided is invalid.", TagKey=name)
    return tags


def refuse_unknown(headers: Mapping[str, str]) -> None:
    """Raise S3Error (NotImplemented) for what a client asks of an object and this hub has not."""
    if headers.get("x-amz-acl", "private") not in ("private", "bucket-owner-full-control"):
        raise not_implemented("Access for others than the project's members (an ACL)")
    if headers.get("x-amz-storage-class", "STANDARD") != "STANDARD":
        raise not_implemented("A storage class other than STANDARD")
    for name in headers:
        for start, what in _REFUSED.items():
            if name.startswith(start):
                raise not_implemented(what)


_REFUSED = {
    "x-amz-grant-": "Access for others than the project's members (a grant)",
    "x-amz-server-side-encryption": "Server-side encryption that a client chooses",
    "x-amz-copy-source-server-side-encryption": "Server-side encryption that a client chooses",
    "x-amz-object-lock-": "Object lock",
    "x-amz-bypass-governance-retention": "Object lock",
    "x-amz-website-redirect-location": "Website hosting",
    "x-amz-write-offset-bytes": "Appending to an object",
    "x-amz-mfa": "MFA delete",
    "x-amz-if-match-": "A condition on the size or time of an object",
}


def _commit(project: Project, version: str) -> models.Commit:
    if version != "null" and not _VERSION.fullmatch(version):
        raise invalid("versionId", "Invalid version id specified: it is the id of a commit.")
    try:
        return project.records.get_commit(version)
    except NotFoundError:
        raise _no_version(version) from None


def _no_version(version: str) -> S3Error:
    return S3Error("NoSuchVersion", "The specified version does not exist.", VersionId=version)


def _without(kept: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in kept.items() if name != "content-encoding"}


def _texts(found: Any) -> dict[str, str]:
    if not isinstance(found, dict):
        return {}
    return {name: value for name, value in found.items() if isinstance(value, str)}
