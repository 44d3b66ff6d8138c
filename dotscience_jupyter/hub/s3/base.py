# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""What all requests of S3 clients share: signatures, buckets' names, XML and errors."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Collection, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar

from tornado.httputil import HTTPHeaders

from dotscience_jupyter.api.errors import ApiError
from dotscience_jupyter.api.models import Body
from dotscience_jupyter.hub.access import Need
from dotscience_jupyter.hub.handlers.base import HubHandler
from dotscience_jupyter.hub.identity import User
from dotscience_jupyter.hub.operations import XML, Media
from dotscience_jupyter.hub.project import ProjectInfo
from dotscience_jupyter.hub.projects import Projects

from . import documents
from .documents import Content
from .errors import S3Error, not_implemented, of_api
from .groups import Shared
from .keys import is_bucket_name
from .sigv4 import SIGNING, Request, Signature, decoded_path, parse, split_query

PREFIX = "/s3"
REGION = "us-east-1"

_LONGEST_HEAD = 16 << 10
_KEEP_ALIVE = 5.0  # seconds between signs of life of an answer that takes long


class S3Handler(HubHandler):
    """Base of all handlers of S3.

    Attributes
    ----------
    bucket, key
        As the address says, decoded; "" where it says none.
    query
        The parameters of the address, decoded, but for those of a signature.
    headers
        The request's, names in lower case, values as UTF-8.
    signature, signing_key
        Who has signed the request, proven; None with a Bearer token or a password.
    """

    problem: ClassVar[type[Body] | Media] = XML

    def initialize(self) -> None:
        """Take the hub that is served."""
        super().initialize()
        self.bucket = self.key = ""
        self.query: dict[str, str] = {}
        self.headers: dict[str, str] = {}
        self.signature: Signature | None = None
        self.signing_key = b""

    @property
    def prefix(self) -> str:
        """What the paths of the service begin with, as they were asked for."""
        outer = self.hub.config.prefix
        return outer + PREFIX if self.request.path.startswith(f"{outer}{PREFIX}") else PREFIX

    @property
    def shared(self) -> Shared:
        """What all requests share."""
        found = self.settings.get("s3")
        if found is None:
            found = self.settings["s3"] = Shared(self.hub)
        assert isinstance(found, Shared)
        return found

    def set_default_headers(self) -> None:
        """Say which request this is, so that it is found in the log."""
        super().set_default_headers()
        if not hasattr(self, "request_id"):
            self.request_id = secrets.token_hex(8).upper()
        self.set_header("x-amz-request-id", self.request_id)
        self.set_header("Content-Type", "application/xml")

    def clear(self) -> None:
        """Begin an answer; some clients take the names of metadata as they are spelt in it."""
        super().clear()
        self._headers = _LowerHeaders(self._headers)

    def compute_etag(self) -> None:
        """Leave ETags to those who know them."""

    # -- who asks, and for what ----------------------------------------------------------------

    async def authenticate(self) -> User | None:
        """Return who has signed the request; see :mod:`.sigv4`.

        Raises
        ------
        S3Error
            If the signature is wrong, or there is anything else about the request that is.
        """
        pairs = [(name, _utf8(value)) for name, value in self.request.headers.get_all()]
        path, query = _utf8(self.request.path), _utf8(self.request.query)
        request = Request(self.request.method or "", path, query, pairs)
        head = sum(len(name) + len(value) + 4 for name, value in pairs)
        if head + len(self.request.uri or "") > _LONGEST_HEAD:
            raise S3Error(
                "RequestHeaderSectionTooLarge",
                "Your request header and query parameters size exceeds the allowed limits.",
                MaxSizeAllowed=str(_LONGEST_HEAD),
            )
        self._take(request)
        scheme = self.headers.get("authorization", "").partition(" ")[0].lower()
        if scheme in ("basic", "bearer"):
            return await super().authenticate()
        signature = parse(request, datetime.now(UTC))
        if signature is None:
            return None
        found = await self.run(self.hub.identity.s3_secret, signature.access_key)
        if found is None:
            self.count()
            await self.note_failed("", "s3key", signature.access_key)
            raise S3Error(
                "InvalidAccessKeyId",
                "The access key id you provided does not exist on this hub, or was revoked.",
                AWSAccessKeyId=signature.access_key,
            )
        user, secret = found
        try:
            self.signing_key = signature.check(secret, self.prefix)
        except S3Error:
            self.count()
            await self.note_failed(user.name, "s3key", signature.access_key)
            raise
        self.signature = signature
        self.token = signature.access_key
        return user

    def _take(self, request: Request) -> None:
        """Take the address and the headers apart."""
        self.headers = {name.lower(): request.header(name) or "" for name, _ in request.headers}
        pairs = split_query(request.query)
        self.query = {n: v for n, v in pairs if not n.lower().startswith("x-amz-")}
        # whoever signs an address may put headers of S3 into it
        for name, value in pairs:
            if name.lower().startswith("x-amz-") and name not in SIGNING:
                self.headers.setdefault(name.lower(), value)
        bucket, _, key = request.path.removeprefix(self.prefix).removeprefix("/").partition("/")
        self.bucket, self.key = decoded_path(bucket), decoded_path(key)

    async def allow(self, need: Need) -> None:
        """Let the user do that, and look at what is asked for."""
        await super().allow(need)
        expected = self.headers.get("x-amz-expected-bucket-owner")
        if expected is not None and self._info is not None and expected != self.info.owner_id:
            raise S3Error("AccessDenied", "The bucket belongs to somebody else than you expect.")
        await self.check()

    async def check(self) -> None:
        """Raise S3Error for what is not available, before any body is read."""

    async def find_project(self) -> ProjectInfo | None:
        """Return the project that the bucket is."""
        return await self.run(find_bucket, self.hub.projects, self.asker, self.bucket)

    def known_only(self, *names: str) -> None:
        """Raise S3Error (NotImplemented) if the address has other parameters than these."""
        for name in self.query:
            if name not in names and name != "x-id":
                raise not_implemented(f"The parameter {name[:60]!r} of {self.request.method}")

    def limit(self, name: str, most: int) -> int:
        """Return a parameter that says how many are wanted, at most ``most``.

        Raises
        ------
        S3Error
            InvalidArgument.
        """
        text = self.query.get(name)
        if text is None:
            return most
        if not (text.isascii() and text.isdigit() and len(text) < 11):
            raise S3Error(
                "InvalidArgument",
                f"Provided {name} is not a whole number, or is less than 0.",
                ArgumentName=name,
                ArgumentValue=text[:100],
            )
        return min(int(text), most)

    # -- answers -------------------------------------------------------------------------------

    def document(self, name: str, content: Content) -> None:
        """Answer with a document."""
        self.finish(documents.render(name, content))

    async def document_slowly(self, name: str, work: Awaitable[Content]) -> None:
        """Answer with a document that may take long, and keep the connection alive meanwhile.

        As with S3, an error may then come with the status 200.
        """
        task = asyncio.ensure_future(work)
        started = False
        try:
            while not (await asyncio.wait({task}, timeout=_KEEP_ALIVE))[0]:
                self.write(" " if started else documents.DECLARATION)
                started = True
                await self.flush()
        finally:
            # a client that went away does not undo what it has asked for
            await asyncio.wait({task})
            task.exception()
        if not started:
            self.document(name, await task)
            return
        try:
            text = documents.render(name, await task, declare=False)
        except Exception as error:
            if not isinstance(error, ApiError):
                self.log_exception(type(error), error, error.__traceback__)
            text = self._error_text(self.explain(error), declare=False)
        self.finish(text)

    def explain(self, error: BaseException | None) -> S3Error:
        """Return what to tell of an error."""
        return of_api(super().explain(error))

    def write_problem(self, error: ApiError) -> None:
        """Finish the answer that tells of an error."""
        known = of_api(error)
        if known.code in ("SlowDown", "ServiceUnavailable"):
            self.set_header("Retry-After", error.details or "1")
        if known.elements.get("ResourceType") == "DeleteMarker":
            self.set_header("x-amz-delete-marker", "true")
        for name in ("ETag", "Last-Modified"):
            if name in known.elements and known.code == "NotModified":
                self.set_header(name, known.elements[name])
        if self.request.method == "HEAD" or known.status == 304:
            self.finish()
        else:
            self.finish(self._error_text(known))

    def _error_text(self, error: S3Error, *, declare: bool = True) -> str:
        details = [*error.elements.items(), ("Resource", self.request.path)]
        text = documents.error(
            error.code, error.message, [*details, ("RequestId", self.request_id)]
        )
        return text if declare else text.removeprefix(documents.DECLARATION)

    def log_exception(self, typ: Any, value: Any, tb: Any) -> None:
        """Log a fault of ours; that something is not available is none."""
        if isinstance(value, ApiError) and of_api(value).code != "InternalError":
            return
        super().log_exception(typ, value, tb)


class _LowerHeaders(HTTPHeaders):
    """Headers whose names are sent in lower case, as S3 does it."""

    def get_all(self) -> Iterator[tuple[str, str]]:
        """Yield names and values as they are sent."""
        for name, value in super().get_all():
            yield name.lower(), value


def find_bucket(projects: Projects, user: User, name: str) -> ProjectInfo | None:
    """Return the project that a bucket's name means to a user, whether they may use it or not.

    ``NAME`` is one of the user's own, ``OWNER.NAME`` somebody's, and the id means it always.
    """
    if not name.isprintable():
        return None  # no project has such a name, and not every database has such a text
    found = projects.by_name(user.name, name) or projects.by_dot(user.name, name)
    owner, dot, rest = name.partition(".")
    if found is None and dot:
        found = projects.by_name(owner, rest) or projects.by_dot(owner, rest)
    return found or projects.get(name)


def bucket_names(infos: Collection[ProjectInfo], user: User) -> Mapping[str, ProjectInfo]:
    """Return the names under which a user finds projects; the id where no other one is good."""
    own = {info.name for info in infos if info.owner_id == user.id}
    found: dict[str, ProjectInfo] = {}
    for info in sorted(infos, key=lambda each: (each.owner_id != user.id, each.kind != "project")):
        name = info.name if info.owner_id == user.id else f"{info.owner}.{info.name}"
        clash = name in found or (info.owner_id != user.id and name in own)
        found[name if is_bucket_name(name) and not clash else info.id] = info
    return found


def _utf8(value: str) -> str:
    """Return a header's value, which came as Latin-1, as the text that it is mostly."""
    return value.encode("latin-1", "replace").decode("utf-8", "surrogateescape")


def header_text(value: str) -> str:
    """Return a text as a header is sent: its UTF-8 bytes, each as one character."""
    return value.encode("utf-8", "replace").decode("latin-1")
