# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""A bucket as a client sees it: what is in it, its objects, and what goes wrong, in words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from .source import Source, SourceError, clean_endpoint

WORKERS = 8
"""Objects that are fetched at the same time."""

_CONNECT_SECONDS = 10
_READ_SECONDS = 60
_ATTEMPTS = 5
_UNKNOWN = ("AccessDenied", "NotImplemented", "MethodNotAllowed", "403", "405", "501")
_GONE = ("NoSuchKey", "NoSuchVersion", "404")
_OTHER = ("PreconditionFailed", "412")
_RANGE = ("InvalidRange", "416")


class ChangedError(Exception):
    """An object is not what was listed any more; ``gone`` says whether there is none at all."""

    def __init__(self, gone: bool) -> None:
        super().__init__("gone" if gone else "changed")
        self.gone = gone


class RangeError(Exception):
    """An object has less bytes than were fetched of it already."""


@dataclass(frozen=True, slots=True)
class Object:
    """An object of a bucket as a listing tells of it.

    Attributes
    ----------
    key
        Its whole key.
    size
        Bytes.
    etag
        Without quotes.
    modified
        When it was last written, in nanoseconds since 1970.
    version
        Id of its version; "" where the bucket keeps none.
    """

    key: str
    size: int
    etag: str
    modified: int
    version: str = ""


class Bucket:
    """Reads one source; may be used from several threads.

    Parameters
    ----------
    source
        What is read.
    workers
        Threads that will read at the same time.

    Raises
    ------
    SourceError
        ``missing_package`` without boto3; ``no_credentials`` or ``invalid_request`` where AWS's
        configuration cannot be used.
    """

    def __init__(self, source: Source, workers: int = WORKERS) -> None:
        try:
            import boto3
            import botocore
            from botocore.config import Config
        except ImportError:
            raise SourceError(
                "missing_package",
                "Reading from S3 needs the package boto3, which is not installed here. Nothing was "
                "changed. 'pip install \"dotscience-jupyter[s3]\"' brings it.",
            ) from None
        config = Config(
            signature_version=botocore.UNSIGNED if source.anonymous else None,
            connect_timeout=_CONNECT_SECONDS,
            read_timeout=_READ_SECONDS,
            retries={"mode": "standard", "max_attempts": _ATTEMPTS},
            max_pool_connections=workers + 2,
        )
        with telling(source):
            session = boto3.session.Session()
            self._client: Any = session.client(
                "s3", endpoint_url=source.endpoint or None, config=config
            )
        self.source = self._named(source)

    def _named(self, source: Source) -> Source:
        """Return the source with the service that the environment names, if it is not AWS."""
        address = str(self._client.meta.endpoint_url)
        host = address.partition("://")[2].partition("/")[0].partition(":")[0]
        if source.endpoint or host.endswith((".amazonaws.com", ".amazonaws.com.cn")):
            return source
        return replace(source, endpoint=clean_endpoint(address))

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def __enter__(self) -> Bucket:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    # -- what is there ----------------------------------------------------------------------------

    def check(self) -> None:
        """Raise SourceError unless there is at least one object."""
        with telling(self.source):
            found = self._client.list_objects_v2(
                Bucket=self.source.bucket, Prefix=self.source.prefix, MaxKeys=1
            )
        if not found.get("KeyCount", len(found.get("Contents", ()))):
            raise SourceError(
                "not_found",
                f"There is no object below {self.source}. Nothing was changed. A prefix means a "
                "folder: of a single object, name the folder that it lies in.",
            )

    def objects(self) -> Iterator[list[Object]]:
        """Yield all objects, some at a time, sorted by key; with versions where there are any.

        Raises
        ------
        SourceError
        """
        with telling(self.source):
            if self._keeps_versions():
                yield from self._versions()
            else:
                yield from self._plain()

    def _keeps_versions(self) -> bool:
        """Whether the versions of the objects can be listed, and there may be any."""
        from botocore.exceptions import ClientError

        bucket = self.source.bucket
        try:
            answer = self._client.get_bucket_versioning(Bucket=bucket)
            if not answer.get("Status"):
                return False
        except ClientError as error:
            if code_of(error) not in _UNKNOWN:
                raise
        try:
            self._client.list_object_versions(Bucket=bucket, Prefix=self.source.prefix, MaxKeys=1)
        except ClientError as error:
            if code_of(error) not in _UNKNOWN:
                raise
            return False
        return True

    def _versions(self) -> Iterator[list[Object]]:
        pages = self._client.get_paginator("list_object_versions").paginate(
            Bucket=self.source.bucket, Prefix=self.source.prefix
        )
        for page in pages:
            yield [
                _object(each, each.get("VersionId"))
                for each in page.get("Versions", ())
                if each["IsLatest"]
            ]

    def _plain(self) -> Iterator[list[Object]]:
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self.source.bucket, Prefix=self.source.prefix
        )
        for page in pages:
            yield [_object(each, None) for each in page.get("Contents", ())]

    def version_of(self, item: Object) -> str:
        """Ask for the id of an object's version, where a listing does not tell it; "" for none.

        Raises
        ------
        ChangedError, SourceError
        """
        answer = self._asked(
            item.key,
            self._client.head_object,
            Bucket=self.source.bucket,
            Key=item.key,
            IfMatch=quoted(item.etag),
        )
        return version_id(answer.get("VersionId"))

    # -- an object --------------------------------------------------------------------------------

    def part_sizes(self, item: Object, *, all_parts: bool = False) -> list[int]:
        """Return the sizes of the parts that an object was uploaded in.

        That of the first one alone, or with ``all_parts`` each; empty where the service does not
        tell.
        """
        from botocore.exceptions import BotoCoreError, ClientError

        given = self._of(item)
        del given["IfMatch"]
        sizes: list[int] = []
        count = 1
        while len(sizes) < count:
            try:
                # without a condition: some services compare it with the part's own ETag
                answer = self._client.head_object(**given, PartNumber=len(sizes) + 1)
            except (ClientError, BotoCoreError):
                return []
            if "PartsCount" not in answer:
                return []
            sizes.append(int(answer["ContentLength"]))
            count = int(answer["PartsCount"]) if all_parts else 1
        return sizes

    def open(self, item: Object, start: int) -> Any:
        """Return boto3's answer with an object's body, from a byte on.

        Raises
        ------
        ChangedError
            If it is not the object that was listed any more.
        RangeError
            If there is no such byte.
        SourceError
            If it may not be read, or the service cannot be reached, however often it is asked.
        """
        more = {"Range": f"bytes={start}-"} if start else {}
        return self._asked(item.key, self._client.get_object, **self._of(item), **more)

    def _of(self, item: Object) -> dict[str, str]:
        """Return what means an object in exactly the state that is known."""
        found = {"Bucket": self.source.bucket, "Key": item.key, "IfMatch": quoted(item.etag)}
        if item.version:
            found["VersionId"] = item.version
        return found

    def _asked(self, key: str, call: Any, **given: str) -> Any:
        from botocore.exceptions import ClientError

        try:
            return call(**given)
        except ClientError as error:
            code = code_of(error)
            if code in _GONE or code in _OTHER:
                raise ChangedError(code in _GONE) from None
            if code in _RANGE:
                raise RangeError from None
            raise said(error, self.source, key) from None
        except Exception as error:
            raise said(error, self.source, key) from None


def quoted(etag: str) -> str:
    """Return an ETag as headers have it."""
    return f'"{etag}"'


def code_of(error: Any) -> str:
    """Return the code of a refusal: S3's, or the HTTP status where there is no body."""
    return str(error.response.get("Error", {}).get("Code", ""))


def _object(each: dict[str, Any], version: object) -> Object:
    modified: datetime = each["LastModified"]
    return Object(
        str(each["Key"]),
        int(each.get("Size", 0)),
        str(each.get("ETag", "")).strip('"'),
        round(modified.timestamp() * 1000) * 1_000_000,
        version_id(version),
    )


def version_id(given: object) -> str:
    """Return the id of a version as answers tell it; "" where there is none."""
    # "null" is what is there while no versions are kept: it is replaced by the next write
    return "" if given in (None, "null") else str(given)


@contextmanager
def telling(source: Source) -> Iterator[None]:
    """Turn what boto3 raises into what users are told."""
    try:
        yield
    except Exception as error:
        if type(error).__module__.partition(".")[0] not in ("botocore", "boto3"):
            raise
        raise said(error, source) from None


def said(error: Exception, source: Source, key: str = "") -> SourceError:
    """Return what a user is told of an exception of boto3."""
    from botocore import exceptions as known

    where = f"s3://{source.bucket}/{key}" if key else str(source)
    kept = "What was fetched is kept; no version was made."
    if isinstance(error, known.ClientError):
        return _refused(error, source, where, kept)
    if isinstance(
        error,
        known.NoCredentialsError
        | known.PartialCredentialsError
        | known.CredentialRetrievalError
        | known.NoAuthTokenError
        | known.TokenRetrievalError
        | known.SSOError,
    ):
        return SourceError(
            "no_credentials",
            f"There are no credentials for {where} ({error}). {kept} They are looked for where "
            "AWS's tools do: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, ~/.aws (AWS_PROFILE), "
            "the machine's role. A public bucket needs none: --anonymous.",
        )
    if isinstance(error, known.HTTPClientError | known.ConnectionError):
        at = source.endpoint or "AWS"
        return SourceError("unreachable", f"{at} cannot be reached: {error} {kept}")
    return SourceError("invalid_request", f"{where} cannot be read: {error} {kept}")


def _refused(error: Any, source: Source, where: str, kept: str) -> SourceError:
    code = code_of(error)
    told = error.response.get("Error", {}).get("Message") or code
    if code == "NoSuchBucket":
        return SourceError(
            "not_found", f"There is no bucket {source.bucket!r}, or you may not see it. {kept}"
        )
    if code in ("InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken"):
        return SourceError(
            "no_credentials", f"Your credentials for {where} are not accepted: {told} {kept}"
        )
    if code in ("InvalidObjectState",):
        return SourceError(
            "refused", f"{where} is archived: it has to be restored in S3 first. {kept}"
        )
    if code in ("AccessDenied", "403"):
        advice = "" if source.anonymous else " (for a public bucket: --anonymous)"
        return SourceError("refused", f"You may not read {where}{advice}: {told}. {kept}")
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    if code in _GONE:
        return SourceError("not_found", f"There is no {where}. {kept}")
    return SourceError("refused", f"{where} cannot be read: {told} ({code}, {status}). {kept}")
