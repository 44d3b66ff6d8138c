# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The hub's secret, and the keys that are made from it for one purpose each."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from dotscience_jupyter.api.errors import ApiError

LENGTH = 32
_NONCE = 12


class Secret:
    """What is in ``secret.key``. Whoever has it and the database can read all S3 secrets."""

    def __init__(self, value: bytes) -> None:
        self._value = value

    @classmethod
    def open(cls, path: Path) -> Secret:
        """Read the file, or make it (for the owner only) where there is none.

        Raises
        ------
        ApiError
            If it cannot be read or made, or is not what it should be.
        """
        try:
            try:
                value = path.read_bytes()
            except FileNotFoundError:
                value = _make(path)
        except OSError as error:
            raise ApiError(
                500,
                "secret",
                f"The hub's secret {path} cannot be read or made: {error.strerror or error}. "
                "Check that the hub may read and write its data folder.",
            ) from None
        if len(value) != LENGTH:
            raise ApiError(
                500,
                "secret",
                f"The hub's secret {path} is not {LENGTH} bytes long, so it is not the one that "
                "was made. Bring it back from your backup; without it, S3 keys must be made anew.",
            )
        return cls(value)

    def key(self, purpose: str) -> bytes:
        """Return 32 bytes for one purpose; nothing of the secret can be told from them."""
        return hmac.new(self._value, purpose.encode(), hashlib.sha256).digest()

    def encrypt(self, data: bytes, about: str) -> bytes:
        """Return the data, readable again only with the secret and for the same ``about``."""
        nonce = secrets.token_bytes(_NONCE)
        return nonce + AESGCM(self.key("encryption")).encrypt(nonce, data, about.encode())

    def decrypt(self, data: bytes, about: str) -> bytes | None:
        """Return what :meth:`encrypt` was given, or None if it was with another secret."""
        try:
            return AESGCM(self.key("encryption")).decrypt(
                data[:_NONCE], data[_NONCE:], about.encode()
            )
        except (InvalidTag, ValueError):
            return None


def _make(path: Path) -> bytes:
    """Write a new secret; where another process is faster, return that one's."""
    value = secrets.token_bytes(LENGTH)
    temporary = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with open(descriptor, "wb") as file:
            file.write(value)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(temporary, path)  # unlike a rename, it never replaces one that is there
        except FileExistsError:
            return path.read_bytes()
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        return value
    finally:
        os.unlink(temporary)
