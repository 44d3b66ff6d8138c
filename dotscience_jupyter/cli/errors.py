# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""What went wrong, as one sentence with a code."""

from __future__ import annotations

from collections.abc import Mapping


class CommandError(Exception):
    """Something to tell the user in one sentence.

    Parameters
    ----------
    code
        Machine-readable, stable, snake_case; those of the REST API where both know the case.
    message
        What happened, what it means for the data, what to do.
    exit
        The process's exit code, see docs/cli.md.
    detail
        Lines to show below the sentence to a person, such as a pointer into what was typed.
    more
        What a program is told beside code and message.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        exit: int = 1,  # noqa: A002 - what it is
        detail: str = "",
        more: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.exit = exit
        self.detail = detail
        self.more = dict(more or {})


EXITS = {"invalid_where": 2, "no_workspace": 4}


def no_workspace() -> CommandError:
    """Return the failure of a command that needs a workspace where there is none."""
    return CommandError(
        "no_workspace",
        "This folder is not tracked: neither it nor a folder above it is a workspace. "
        "Run 'ds init' in your project's folder to start, or name a workspace with -C.",
        exit=EXITS["no_workspace"],
    )


def explain(error: Exception) -> CommandError:
    """Return what to tell of an exception; a bug of ours too is told in one sentence."""
    if isinstance(error, CommandError):
        return error

    from dotscience_jupyter.api.errors import ApiError
    from dotscience_jupyter.committer import CommitterError
    from dotscience_jupyter.datasets import DatasetError
    from dotscience_jupyter.records import RecordsError, WhereError, WorkspaceError
    from dotscience_jupyter.snapshots import SnapshotError

    if isinstance(error, ApiError):
        if error.code == "no_workspace":
            return no_workspace()
        cause = error.__cause__
        detail = cause.pointer() if isinstance(cause, WhereError) else ""
        return CommandError(error.code, error.message, exit=EXITS.get(error.code, 1), detail=detail)
    if isinstance(error, DatasetError):
        return CommandError(error.code, error.message)
    if isinstance(error, WorkspaceError | RecordsError | SnapshotError | CommitterError):
        return CommandError("failed", str(error))
    if isinstance(error, OSError):
        where = f" ({error.filename})" if error.filename else ""
        return CommandError(
            "os_error",
            f"The system refused: {error.strerror or error}{where}. What was recorded is kept.",
        )
    return CommandError(
        "internal",
        f"Something unexpected went wrong ({type(error).__name__}: {error}). What was recorded is "
        "kept. Set DOTSCIENCE_DEBUG=1 and try again to see where; please report it.",
    )
