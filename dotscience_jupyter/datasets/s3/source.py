# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Where the objects of a dataset come from: a bucket, a prefix, and who serves them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from dotscience_jupyter.datasets.errors import DatasetError

_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,254}")
_UNFIT = re.compile(r"[^A-Za-z0-9_-]+")


class SourceError(DatasetError):
    """The bucket cannot be read, or is not what it was; the message says why and what to do.

    Attributes
    ----------
    code
        ``no_credentials``, ``unreachable``, ``refused``, ``not_found``, ``changed``, ``damaged``,
        ``in_the_way``, ``missing_package``, or one of :class:`DatasetError`'s.
    """


@dataclass(frozen=True, slots=True)
class Source:
    """A part of a bucket.

    Attributes
    ----------
    bucket : str
        Its name.
    prefix : str
        What the keys begin with: "" for all of the bucket, else it ends in a slash.
    endpoint : str
        URL of the service; "" for what AWS's own configuration says, in the end AWS itself.
    anonymous : bool
        Whether requests are not signed, as for public buckets.
    """

    bucket: str
    prefix: str = ""
    endpoint: str = ""
    anonymous: bool = False

    def __str__(self) -> str:
        """Return its address, as people write it."""
        return f"s3://{self.bucket}/{self.prefix}"

    @classmethod
    def parse(cls, url: str, endpoint: str = "", anonymous: bool = False) -> Source:
        """Return the source that ``s3://BUCKET/PREFIX`` means; the prefix is that of a folder.

        Raises
        ------
        SourceError
            ``invalid_request``.
        """
        scheme, _, rest = url.partition("://")
        bucket, _, prefix = rest.partition("/")
        if scheme != "s3" or not _BUCKET.fullmatch(bucket):
            raise SourceError(
                "invalid_request",
                f"{url[:200]!r} is no address of a bucket. It looks like s3://bucket/folder. "
                "Nothing was changed.",
            )
        if prefix and not prefix.endswith("/"):
            prefix += "/"
        return cls(bucket, prefix, clean_endpoint(endpoint), anonymous)

    @property
    def suggested_name(self) -> str:
        """What a dataset made of it is called if nobody says: the last part of its address."""
        last = self.prefix.rstrip("/").rpartition("/")[2] or self.bucket
        return _UNFIT.sub("-", last).strip("-")[:64]

    def document(self) -> dict[str, Any]:
        """Return it as JSON holds it."""
        found: dict[str, Any] = {"bucket": self.bucket, "prefix": self.prefix}
        if self.endpoint:
            found["endpoint"] = self.endpoint
        if self.anonymous:
            found["anonymous"] = True
        return found

    @classmethod
    def of_document(cls, document: Mapping[str, Any]) -> Source:
        """Return what :meth:`document` gave. Raise ValueError, KeyError or SourceError."""
        bucket, prefix = document["bucket"], document["prefix"]
        if not isinstance(bucket, str) or not _BUCKET.fullmatch(bucket):
            raise ValueError("no bucket")
        if not isinstance(prefix, str) or (prefix and not prefix.endswith("/")):
            raise ValueError("no prefix")
        endpoint = clean_endpoint(str(document.get("endpoint", "")))
        return cls(bucket, prefix, endpoint, document.get("anonymous") is True)

    def same_place(self, other: Source) -> bool:
        """Whether both are the same part of a bucket of the same name, whoever serves it."""
        return (self.bucket, self.prefix) == (other.bucket, other.prefix)


def clean_endpoint(url: str) -> str:
    """Return the address of a service as it is written down: without a slash at its end.

    Raises
    ------
    SourceError
        ``invalid_request``; an address that holds a password, too, because it is recorded.
    """
    if not url:
        return ""
    try:
        parts = urlsplit(url)
        fine = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        fine = False
    if not fine or parts.username is not None or parts.query or parts.fragment:
        raise SourceError(
            "invalid_request",
            "The address of the service (--endpoint) has to look like https://s3.example.org, "
            "without a user, a password or a query in it: it is recorded. Nothing was changed.",
        )
    return url.rstrip("/")
