# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Why a hub was not believed to be who it is, in words for users."""

from __future__ import annotations

import os
import ssl

from .errors import SyncError

# verification results of OpenSSL (X509_V_ERR_...)
_NOT_NOW = frozenset({9, 10})
_OTHER_NAME = frozenset({62, 64})
# what a server says, or seems to say, that does not speak TLS
_PLAIN = frozenset({"HTTP_REQUEST", "UNKNOWN_PROTOCOL", "WRONG_VERSION_NUMBER"})
_AUTHORITIES = "SSL_CERT_FILE"


def untrusted(url: str, error: BaseException) -> SyncError | None:
    """Return the error to tell if it was about trust that a connection failed.

    A connection that was merely cut while it was being secured is no such case: None.

    Parameters
    ----------
    url
        The hub's address.
    error
        What was raised; an error of :mod:`ssl` may be the reason of it.
    """
    cause = _cause(error)
    if isinstance(cause, ssl.SSLCertVerificationError):
        said = cause.verify_message.rstrip(".")
        if cause.verify_code in _NOT_NOW:
            text = (
                f"The certificate of the hub {url} is not valid now ({said}), so nothing was "
                "sent. Whoever looks after the hub has to renew it; if the clock of this machine "
                "is wrong, set it."
            )
        elif cause.verify_code in _OTHER_NAME:
            text = (
                f"The certificate of the hub {url} is for another name ({said}), so nothing was "
                "sent. Use the address that it is for, or have the hub given another one."
            )
        else:
            text = (
                f"The hub {url} could not prove who it is ({said}), so nothing was sent. If it has "
                "a certificate of your own authority, name that authority's file in "
                f"{_AUTHORITIES}."
            )
            named = os.environ.get(_AUTHORITIES)
            if named and not os.access(named, os.R_OK):
                text += f" It names {named!r} now, which cannot be read."
    elif cause is not None and cause.reason in _PLAIN:
        text = (
            f"What answers at {url} does not encrypt, so nothing was sent. Does the hub's address "
            "begin with http://, or has it another port?"
        )
    else:
        return None
    return SyncError("untrusted", text)


def _cause(error: BaseException | None) -> ssl.SSLError | None:
    """Return the error of :mod:`ssl` that led to another one."""
    for _ in range(10):  # they may lead in a circle
        if error is None or isinstance(error, ssl.SSLError):
            return error
        reason = getattr(error, "reason", None)
        inner = reason if isinstance(reason, BaseException) else None
        error = inner or error.__cause__ or error.__context__
    return None
