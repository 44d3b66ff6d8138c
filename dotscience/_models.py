# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Which kinds of models there are."""

from __future__ import annotations

import sys

# modules whose models we know; the type written is the name with "-model"
KNOWN_MODULES = frozenset(
    ("keras", "lightgbm", "onnx", "sklearn", "tensorflow", "torch", "xgboost")
)


def kind_and_version(module: object, version: object) -> tuple[str, str]:
    """Return the type and version to write for a model.

    Raise RuntimeError for what is neither a known module nor a text that names a kind.
    """
    name = module if isinstance(module, str) else getattr(module, "__name__", None)
    if not isinstance(name, str) or not name:
        raise RuntimeError("Unknown model type None")
    top = name if isinstance(module, str) else name.partition(".")[0]
    if not isinstance(module, str) and top not in KNOWN_MODULES:
        raise RuntimeError(
            f"Unknown model type {name}-model. To register a model of another kind, give its name "
            f'as a text: ds.model("{top}", name, path, version="...").'
        )
    if version is None:
        # of a part (tensorflow.keras) the whole knows the version
        for holder in (module, sys.modules.get(top)):
            version = getattr(holder, "__version__", None)
            if version is not None:
                break
    return f"{top}-model", "" if version is None else str(version)
