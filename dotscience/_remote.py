# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Working with a hub from anywhere (``ds.connect``): what is there of it now."""

from __future__ import annotations

DEFAULT_HOSTNAME = "https://cloud.dotscience.com"


class RemoteNotAvailableError(RuntimeError):
    """Something needs a hub, and this version cannot talk to one yet."""


class DotName:
    """The name of a dot on a hub: a namespace and a name in it."""

    def __init__(self, name: str, namespace: str = "admin") -> None:
        self.name = name
        self.namespace = namespace

    def __repr__(self) -> str:
        return f"DotName({self.name!r}, namespace={self.namespace!r})"


class DotmeshClient:
    """A connection to the Dotmesh API of a hub.

    Parameters
    ----------
    cluster_url
        Address of its JSON-RPC endpoint.
    username, api_key
        Whose connection it is.
    """

    def __init__(self, cluster_url: str, username: str, api_key: str) -> None:
        self.cluster_url = cluster_url
        self.username = username
        self.api_key = api_key

    def ping(self) -> object:
        """Ask the hub for a sign of life.

        Raises
        ------
        RemoteNotAvailableError
            Always, in this version.
        """
        raise RemoteNotAvailableError(
            f"This version of dotscience-jupyter cannot connect to a hub ({self.cluster_url}) yet. "
            "Nothing was sent. Leave ds.connect() out: runs are then recorded in the workspace "
            "on this machine (make one with `jupyter dotscience init`)."
        )
