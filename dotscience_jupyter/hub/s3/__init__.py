# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The projects as buckets of an S3 service.

Addresses are in path style, below ``/s3``: an ``endpoint_url`` of ``http://HUB/s3``.
"""

from __future__ import annotations

from dotscience_jupyter.hub.handlers.base import HubHandler

from .bucket import BucketHandler
from .parts import ObjectHandler
from .service import ServiceHandler

# the groups do not capture: tornado would decode what was signed as it is
ROUTES: list[tuple[str, type[HubHandler]]] = [
    (r"/s3/?", ServiceHandler),
    (r"/s3/(?:[^/]+)/?", BucketHandler),
    (r"/s3/(?:[^/]+)/(?:.+)", ObjectHandler),
]
