# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The routes of a workspace's hub."""

from __future__ import annotations

from dotscience_jupyter.api import models

from .base import Param, Route

_URL = Param("url", "The hub's address", required=True)

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
        query=(_URL, Param("datasets", "Whether datasets are among them", "boolean", False)),
        errors=(409, 502),
        workspace=False,
    ),
    Route(
        "getNewestCommits",
        "GET",
        "/v1/sync/projects/newest",
        "The newest commits of some projects of a hub, for those who look for one of them",
        models.NewestCommits,
        query=(
            _URL,
            Param("projects", "Ids of at most 40 projects, with commas between", required=True),
        ),
        errors=(409,),
        workspace=False,
    ),
    Route(
        "getClones",
        "GET",
        "/v1/sync/clones",
        "The projects that are being cloned, and those that were since the server started",
        models.ProjectClones,
        workspace=False,
    ),
    Route(
        "cloneProject",
        "POST",
        "/v1/sync/clones",
        "Begin to clone a project of a hub into a new folder, and go on with a clone that was cut; "
        "the event 'clone' tells how far it is",
        models.ProjectClone,
        body=models.CloneProject,
        statuses=(201,),
        errors=(409, 502),
        workspace=False,
    ),
    Route(
        "endClone",
        "POST",
        "/v1/sync/clones/end",
        "Stop a clone that is under way, or forget one that has ended; no file is deleted",
        models.ProjectClones,
        body=models.EndClone,
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
