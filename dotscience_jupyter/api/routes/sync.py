# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The routes of a workspace's hub."""

from __future__ import annotations

from dotscience_jupyter.api import models

from .base import Param, Route

ROUTES: tuple[Route, ...] = (
    Route(
        "getSync",
        "GET",
        "/v1/sync",
        "How the workspace and its hub stand to each other; the hub is not asked",
        models.SyncStatus,
    ),
    Route(
        "getHubs",
        "GET",
        "/v1/sync/hubs",
        "The hubs on which the user of this server is logged in",
        models.HubLogins,
        workspace=False,
    ),
    Route(
        "logIn",
        "POST",
        "/v1/sync/login",
        "Log in on a hub; the API key is kept where only the user of this server can read it",
        models.HubLogin,
        body=models.LogIn,
        errors=(409, 502),
        workspace=False,
    ),
    Route(
        "logOut",
        "POST",
        "/v1/sync/logout",
        "Forget the API key for a hub, for all workspaces; the hub goes on to accept it",
        models.HubLogins,
        body=models.LogOut,
        errors=(409,),
        workspace=False,
    ),
    Route(
        "getHubProjects",
        "GET",
        "/v1/sync/projects",
        "The projects of a hub that one may see, one's own first",
        models.HubProjects,
        query=(Param("url", "The hub's address", required=True),),
        errors=(409, 502),
        workspace=False,
    ),
    Route(
        "connectHub",
        "POST",
        "/v1/sync/remote",
        "Let the workspace belong to a project of a hub; its commits are sent there from now on",
        models.SyncStatus,
        body=models.ConnectHub,
        errors=(409, 502),
    ),
    Route(
        "disconnectHub",
        "POST",
        "/v1/sync/disconnect",
        "Let the workspace belong to no hub; nothing is deleted, neither here nor there",
        models.SyncStatus,
        errors=(409,),
    ),
    Route(
        "push",
        "POST",
        "/v1/sync/push",
        "Send the hub every commit that it does not have",
        models.SyncResult,
        errors=(409, 502),
    ),
    Route(
        "fetch",
        "POST",
        "/v1/sync/fetch",
        "Begin to take the hub's commits that are not here, without touching a file; the event "
        "'sync' tells when it is done, and the status what came of it",
        models.SyncStatus,
        errors=(409,),
    ),
    Route(
        "pull",
        "POST",
        "/v1/sync/pull",
        "Begin to fetch, and to bring the files to the hub's newest commit where it builds upon "
        "what is here; the event 'sync' tells when it is done, and the status what came of it",
        models.SyncStatus,
        errors=(409,),
    ),
)
