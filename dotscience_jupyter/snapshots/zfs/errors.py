# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""What ZFS says, in words for the user."""

from __future__ import annotations

import errno
import os
import pwd

from dotscience_jupyter.snapshots.engine import SnapshotError

PERMISSIONS = (
    "snapshot",
    "hold",
    "release",
    "diff",
    "send",
    "receive",
    "create",
    "destroy",
    "clone",
    "mount",
    "rollback",
    "userprop",
    "canmount",
    "mountpoint",
    "readonly",
)
"""What a user who is not root has to be allowed (``zfs-allow(8)``)."""

_PHRASES = (
    ("permission denied", errno.EPERM),
    ("Insufficient privileges", errno.EPERM),
    ("may only be mounted by root", errno.EPERM),
    ("does not exist", errno.ENOENT),
    ("no such pool", errno.ENOENT),
    ("could not find any snapshots", errno.ENOENT),
    ("tag already exists", errno.EEXIST),
    ("already exists", errno.EEXIST),
    ("must specify -F to overwrite", errno.EEXIST),
    ("has dependent clones", errno.EEXIST),
    ("is busy", errno.EBUSY),
    ("being held", errno.EBUSY),  # 2.3 says so of a snapshot
    ("out of space", errno.ENOSPC),
    ("exceeded", errno.EDQUOT),
    ("read-only", errno.EROFS),
    ("suspended", errno.EAGAIN),
    ("not an earlier snapshot", errno.EXDEV),
    ("not a descendant", errno.EXDEV),
)

_REASONS = {
    errno.EPERM: "you are not allowed to",
    errno.EACCES: "you are not allowed to",
    errno.ENOENT: "it is not there",
    errno.EEXIST: "it exists already",
    errno.EBUSY: "something is using it",
    errno.ENOSPC: "the pool is full",
    errno.EDQUOT: "the quota is used up",
    errno.EROFS: "the pool is read-only",
    errno.EAGAIN: "the pool is suspended, because its devices do not answer",
    errno.EXDEV: "the two are not related",
    errno.ENODEV: "the two are not related",
}

_ADVICE = {
    errno.ENOSPC: "Free some room and try again.",
    errno.EDQUOT: "Free some room, or have the quota raised, and try again.",
    errno.EBUSY: "Try again when it is done.",
    errno.EROFS: "Check 'zpool status'.",
    errno.EAGAIN: "Check 'zpool status'.",
}


class ZfsError(SnapshotError):
    """ZFS refused something.

    Attributes
    ----------
    errno
        Why, 0 if that is not known.
    """

    def __init__(self, message: str, number: int = 0) -> None:
        super().__init__(message)
        self.errno = number


def allow_command(dataset: str, permissions: tuple[str, ...] = PERMISSIONS) -> str:
    """Return what an administrator runs to let this user work on a volume and its siblings."""
    above = dataset.rpartition("/")[0] or dataset
    return f"zfs allow -u {user()} {','.join(permissions)} {above}"


def user() -> str:
    """Return the name of the user that this process works as, their number if they have none."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())


def errno_of(text: str) -> int:
    """Return the error number that a message of the ``zfs`` command stands for; 0 if unknown."""
    return next((number for phrase, number in _PHRASES if phrase in text), 0)


def refused(what: str, name: str, number: int, said: str = "") -> ZfsError:
    """Return the error for something that could not be done.

    Parameters
    ----------
    what
        Verb and object, such as "take the snapshot".
    name
        The dataset or snapshot that it was to be done to.
    said
        ZFS's own words.
    """
    words = said.strip().rpartition("\n")[2] or (os.strerror(number) if number else "unknown error")
    reason = _REASONS.get(number, words)
    advice = _ADVICE.get(number, "")
    if number in (errno.EPERM, errno.EACCES):
        advice = (
            "As root, run: "
            + allow_command(name.partition("@")[0])
            + " (mounting needs root in any case)."
        )
    message = f"ZFS could not {what} ({name}): {reason}. Nothing is lost. {advice}".rstrip()
    return ZfsError(message, number)
