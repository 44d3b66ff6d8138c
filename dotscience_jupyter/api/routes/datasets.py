# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The routes of the datasets that a workspace uses."""

from __future__ import annotations

from dotscience_jupyter.api import models

from .base import OFFSET, Param, Route, limit

_LATER = (
    "; where that takes longer, the answer says how far it is, and the event 'datasets' when it is "
    "done"
)

ROUTES: tuple[Route, ...] = (
    Route(
        "getDatasets",
        "GET",
        "/v1/datasets",
        "The datasets that the workspace uses, and what is done with them; no hub is asked",
        models.DatasetStatus,
    ),
    Route(
        "listKnownDatasets",
        "GET",
        "/v1/datasets/known",
        "The datasets of this machine",
        models.KnownDatasets,
    ),
    Route(
        "listHubDatasets",
        "GET",
        "/v1/datasets/hub",
        "The datasets of a hub that one may see, one's own first",
        models.HubProjects,
        query=(Param("url", "The hub's address", required=True),),
        errors=(409, 502),
        workspace=False,
    ),
    Route(
        "listDatasetVersions",
        "GET",
        "/v1/datasets/versions",
        "The versions of a dataset, newest first, and the runs of the workspace that used each",
        models.DatasetVersionList,
        query=(
            Param("name", "An attached dataset, or one of this machine", required=True),
            OFFSET,
            limit(20, 200),
        ),
        errors=(409,),
    ),
    Route(
        "attachDataset",
        "POST",
        "/v1/datasets/attach",
        "Let a dataset of this machine, or of a hub, appear in the workspace, or appear there in "
        "another version or at another path" + _LATER,
        models.DatasetStatus,
        body=models.AttachDataset,
        errors=(409, 502),
    ),
    Route(
        "restoreDatasets",
        "POST",
        "/v1/datasets/restore",
        "Attach again what the workspace's file says, as after a clone" + _LATER,
        models.DatasetStatus,
        body=models.RestoreDatasets,
        errors=(409, 502),
    ),
    Route(
        "createDataset",
        "POST",
        "/v1/datasets/create",
        "Make a dataset of a folder, and attach it" + _LATER,
        models.DatasetStatus,
        body=models.CreateDataset,
        errors=(409,),
    ),
    Route(
        "saveDataset",
        "POST",
        "/v1/datasets/save",
        "Make a version of the live folder of an attached dataset" + _LATER,
        models.DatasetStatus,
        body=models.SaveDataset,
        errors=(409,),
    ),
    Route(
        "fetchDataset",
        "POST",
        "/v1/datasets/fetch",
        "Bring the newest version of an attached dataset from its hub to this machine; what is "
        "attached stays as it is" + _LATER,
        models.DatasetStatus,
        body=models.NameDataset,
        errors=(409, 502),
    ),
    Route(
        "detachDataset",
        "POST",
        "/v1/datasets/detach",
        "Let a dataset not appear in the workspace any more; the dataset itself stays as it is",
        models.DatasetStatus,
        body=models.NameDataset,
        errors=(409,),
    ),
    Route(
        "stopDatasets",
        "POST",
        "/v1/datasets/stop",
        "End what is done with a dataset; what was moved already need not be moved again",
        models.DatasetStatus,
    ),
)
