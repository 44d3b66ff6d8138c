# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Buckets of a real hub, and boto3 to use them."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import Any

import boto3
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.exceptions import ClientError
from hub_world import RunningHub

_numbers = itertools.count()


@dataclass
class World:
    """A hub with its users' clients."""

    hub: RunningHub
    _keys: dict[str, tuple[str, str]] = field(default_factory=dict)
    _clients: dict[str, Any] = field(default_factory=dict)

    @property
    def endpoint(self) -> str:
        return f"{self.hub.url}/s3"

    def keys(self, user: str) -> tuple[str, str]:
        if user not in self._keys:
            self._keys[user] = self.hub.s3_key(user)
        return self._keys[user]

    def client(self, user: str = "alice", **options: Any) -> Any:
        """A user's client; options are those of botocore's Config."""
        name = f"{user} {sorted(options.items())}"
        if name not in self._clients:
            id_, secret = self.keys(user)
            options = {"retries": {"max_attempts": 1}, "max_pool_connections": 40, **options}
            self._clients[name] = boto3.client(
                "s3",
                endpoint_url=self.endpoint,
                aws_access_key_id=id_,
                aws_secret_access_key=secret,
                region_name="eu-west-1",
                config=Config(signature_version="s3v4", **options),
            )
        return self._clients[name]

    def bucket(self, user: str = "alice") -> str:
        """A new, empty bucket."""
        name = f"bucket{next(_numbers)}"
        self.hub.project(user, name)
        return name


def error(call: Any, *args: Any, **kwargs: Any) -> tuple[int, str]:
    """Status and code of an error that boto3 is answered with."""
    try:
        call(*args, **kwargs)
    except ClientError as caught:
        answer = caught.response
        return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"]
    raise AssertionError("no error")


def signed(
    world: World,
    method: str,
    path: str,
    body: bytes = b"",
    headers: dict[str, str] | None = None,
    user: str = "alice",
) -> dict[str, str]:
    """The headers of a signed request for a path as it is sent."""
    from botocore.auth import S3SigV4Auth
    from botocore.credentials import Credentials

    request = AWSRequest(method, world.hub.url + path, headers or {}, body)
    request.context["payload_signing_enabled"] = True
    S3SigV4Auth(Credentials(*world.keys(user)), "s3", "eu-west-1").add_auth(request)
    return dict(request.headers.items())
