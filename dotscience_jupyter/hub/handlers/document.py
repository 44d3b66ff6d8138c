# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""What can be asked of the hub, told to programs."""

from __future__ import annotations

import functools
from typing import ClassVar

from dotscience_jupyter.hub.access import Need
from dotscience_jupyter.hub.operations import OBJECT, Operation

from .base import HubHandler


class OpenApiHandler(HubHandler):
    """The OpenAPI document."""

    needs: ClassVar[dict[str, Need]] = {"GET": Need.PUBLIC}
    operations: ClassVar[dict[str, Operation]] = {"GET": Operation(OBJECT)}

    async def get(self) -> None:
        """Answer with it."""
        self.finish(await self.run(_document))


@functools.cache
def _document() -> str:
    # it is made of all handlers, of which this is one
    from dotscience_jupyter.hub import openapi

    return openapi.render()


ROUTES: list[tuple[str, type[HubHandler]]] = [(r"/api/v1/openapi\.json", OpenApiHandler)]
