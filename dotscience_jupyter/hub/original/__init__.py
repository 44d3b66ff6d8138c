# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The protocols of the original's hub, for clients that were written against it."""

from __future__ import annotations

from dotscience_jupyter.hub.handlers.base import HubHandler

from . import files, rest, rpc

_S3 = r"/v2/dotmesh/s3/(?P<bucket>[^/]+)"

ROUTES: list[tuple[str, type[HubHandler]]] = [
    (r"/v2/version/?", rest.VersionHandler),
    (r"/v2/projects/?", rest.ProjectsHandler),
    (r"/v2/models/?", rest.ModelsHandler),
    (r"/v2/models/(?P<model>[^/]+)/?", rest.ModelHandler),
    (r"/v2/models/(?P<model>[^/]+)/builds/?", rest.BuildsHandler),
    (r"/v2/models/(?P<model>[^/]+)/builds/(?P<build>[^/]+)/?", rest.BuildHandler),
    (r"/v2/deployers/?", rest.DeployersHandler),
    (r"/v2/deployers/.+", rest.NoDeployerHandler),
    (r"/v2/dotmesh/rpc/?", rpc.RpcHandler),
    (_S3, files.FilesHandler),
    (rf"{_S3}/(?P<rest>.*)", files.FilesHandler),
    (r"/v2/dotmesh/diff/(?P<bucket>[^/]+)/?", files.DiffHandler),
    (r"/v2/dotmesh/diff/(?P<bucket>[^/]+)/(?P<snapshot>[^/]+)/?", files.DiffHandler),
    (r"/admin/v1/runners/?", rest.RunnersHandler),
    (r"/admin/v1/runners/.+", rest.RunnerHandler),
]
