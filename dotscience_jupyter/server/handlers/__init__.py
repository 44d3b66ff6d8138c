# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The tornado handlers: thin, one class a path; each verb reads its parameters by the route table.

:data:`default_handlers` pairs the regular expression of each path, without the server's base URL,
with its handler.
"""

from jupyter_server.utils import url_path_join

from dotscience_jupyter.api.routes import pattern

from . import (
    comparison,
    datasets,
    explore,
    files,
    history,
    merge,
    original,
    provenance,
    resources,
    sync,
)
from .base import BaseHandler, UnknownPath

HANDLERS: list[type[BaseHandler]] = [
    *resources.HANDLERS,
    *files.HANDLERS,
    *explore.HANDLERS,
    *provenance.HANDLERS,
    *comparison.HANDLERS,
    *merge.HANDLERS,
    *history.HANDLERS,
    *sync.HANDLERS,
    *datasets.HANDLERS,
    *original.HANDLERS,
]

default_handlers: list[tuple[str, type[BaseHandler]]] = [
    (url_path_join("/dotscience", pattern(handler.path) + "/?"), handler) for handler in HANDLERS
] + [(r"/dotscience(?:/.*)?", UnknownPath)]

__all__ = ["HANDLERS", "BaseHandler", "default_handlers"]
