# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""What requests say of who they are from."""

from __future__ import annotations

import base64
import binascii


def read_basic(text: str) -> tuple[str, str] | None:
    """Return name and secret of an Authorization header's Basic credentials."""
    try:
        decoded = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        return None
    try:
        whole = decoded.decode("utf-8")
    except UnicodeDecodeError:
        whole = decoded.decode("latin-1")
    name, separator, secret = whole.partition(":")
    return (name, secret) if separator else None
