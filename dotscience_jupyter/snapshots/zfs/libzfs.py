# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""What is done to datasets and snapshots: the one module that calls libzfs_core.

With OpenZFS's own binding everything here goes through it. With PyPI's 0.2.3 only those functions
do that are right, and without a binding none: the ``zfs`` command does the rest. It is asked again,
too, where a binding cannot put an error into words (0.2.3 then raises AttributeError or TypeError).
"""

from __future__ import annotations

import contextlib
import errno
import subprocess
from collections.abc import Callable, Iterable
from typing import TypeVar

from . import command
from .binding import Binding, NoBindingError, load
from .errors import ZfsError, errno_of, refused

T = TypeVar("T")

_NATIVE_VALUES = {("canmount", "noauto"): 2, ("readonly", "on"): 1}
"""Properties that the C interface takes as numbers (``zfs_prop.c``, index tables)."""

_SEND_OPTIONS = {
    "large_blocks": "-L",
    "embedded_data": "-e",
    "compress": "-c",
    "raw": "-w",
}


class Libzfs:
    """Operations on datasets; all names are checked by the caller, and handed over as they are.

    Every method raises :class:`~.errors.ZfsError` where ZFS refuses.
    """

    def __init__(self, binding: Binding | None) -> None:
        self.binding = binding

    @classmethod
    def open(cls) -> Libzfs:
        """Return what works here; raise NoZfsError where the system has no ZFS."""
        try:
            return cls(load())
        except NoBindingError:
            return cls(None)

    def _through(
        self,
        function: str,
        what: str,
        about: str,
        arguments: tuple[object, ...],
        otherwise: Callable[[], T],
        *,
        own: bool = False,
    ) -> T:
        """Call a function of the binding; with ``own`` only if it is OpenZFS's own."""
        binding = self.binding
        if binding is None or (own and not binding.own):
            return otherwise()
        try:
            result: T = binding.function(function)(*arguments)
            return result
        except binding.error as error:
            number = getattr(error, "errno", 0) or 0
            raise refused(what, about, number, str(error)) from error
        except (AttributeError, TypeError, AssertionError):
            return otherwise()

    # -- snapshots -----------------------------------------------------------------------------

    def exists(self, name: str) -> bool:
        """Whether there is such a dataset or snapshot."""

        def otherwise() -> bool:
            with contextlib.suppress(ZfsError):
                command.run("look for", name, "list", "-H", "-o", "name", name)
                return True
            return False

        return self._through("lzc_exists", "look for", name, (name.encode(),), otherwise)

    def snapshot(self, name: str, properties: dict[str, str]) -> None:
        """Take a snapshot with these user properties."""
        values = {key.encode(): value.encode() for key, value in properties.items()}
        what = "take a snapshot"
        self._through(
            "lzc_snapshot",
            what,
            name,
            ([name.encode()], values),
            lambda: _none(command.run(what, name, "snapshot", *_options(properties), name)),
        )

    def destroy_snapshots(self, names: list[str]) -> None:
        """Destroy snapshots of one dataset, all or none; those that are gone are passed over."""
        what, about = "destroy a snapshot", names[0]
        short = ",".join(name.partition("@")[2] for name in names)
        listed = f"{about.partition('@')[0]}@{short}"

        def otherwise() -> None:
            try:
                command.run(what, about, "destroy", listed)
            except ZfsError as error:
                if error.errno != errno.ENOENT:
                    raise

        raw = [name.encode() for name in names]
        self._through("lzc_destroy_snaps", what, about, (raw, False), otherwise)

    # -- holds ---------------------------------------------------------------------------------

    def hold(self, names: list[str], tag: str) -> list[str]:
        """Hold snapshots that do not have the tag; return those that do not exist."""
        what, about = "hold a snapshot", names[0]

        def otherwise() -> list[bytes]:
            return self._each("hold", what, names, tag, errno.EEXIST)

        holds = {name.encode(): tag.encode() for name in names}
        # PyPI's makes the hold and then fails
        missing = self._through("lzc_hold", what, about, (holds,), otherwise, own=True)
        return [name.decode() for name in missing]

    def release(self, names: list[str], tag: str) -> None:
        """Take a tag off snapshots; those without it, or gone, are passed over."""
        what, about = "release a snapshot", names[0]
        self._through(
            "lzc_release",
            what,
            about,
            ({name.encode(): [tag.encode()] for name in names},),
            lambda: self._each("release", what, names, tag, errno.ENOENT),
        )

    @staticmethod
    def _each(verb: str, what: str, names: list[str], tag: str, fine: int) -> list[bytes]:
        missing: list[bytes] = []
        for name in names:
            try:
                command.run(what, name, verb, tag, name)
            except ZfsError as error:
                if error.errno == errno.ENOENT:
                    missing.append(name.encode())
                elif error.errno != fine:
                    raise
        return missing

    def holds(self, names: list[str]) -> dict[str, set[str]]:
        """Return the tags of snapshots; none of those that are gone."""
        found: dict[str, set[str]] = {}
        for name in names:
            try:
                tags = self._through(
                    "lzc_get_holds",
                    "look for holds",
                    name,
                    (name.encode(),),
                    lambda name=name: self._holds(name),  # type: ignore[misc]  # binds it now
                )
            except ZfsError as error:
                if error.errno != errno.ENOENT:
                    raise
                tags = set()
            found[name] = {tag.decode() for tag in tags}
        return found

    @staticmethod
    def _holds(name: str) -> set[bytes]:
        lines = command.table("look for holds", name, "holds", "-H", name)
        return {fields[1].encode() for fields in lines}

    # -- datasets ------------------------------------------------------------------------------

    def create(self, name: str, properties: dict[str, str]) -> None:
        """Make a dataset; it is not mounted."""
        what = "make a dataset"
        self._through(
            "lzc_create",
            what,
            name,
            (name.encode(), "zfs", _native(properties)),
            lambda: _none(command.run(what, name, "create", "-u", *_options(properties), name)),
            own=True,
        )

    def destroy(self, dataset: str) -> None:
        """Destroy a dataset that has no snapshots; where it is mounted, it is unmounted first."""
        what = "drop a dataset"

        def otherwise() -> None:
            command.run(what, dataset, "destroy", dataset)

        try:
            self._through("lzc_destroy", what, dataset, (dataset.encode(),), otherwise, own=True)
        except ZfsError as error:
            if error.errno != errno.EBUSY:
                raise
            otherwise()  # the command unmounts, which libzfs_core does not

    def clone(self, name: str, origin: str, properties: dict[str, str]) -> None:
        """Make a dataset that begins as a snapshot; whether it is then mounted is not said."""
        what = "clone a snapshot"
        self._through(
            "lzc_clone",
            what,
            origin,
            (name.encode(), origin.encode(), _native(properties)),
            lambda: _none(command.run(what, origin, "clone", *_options(properties), origin, name)),
        )

    def rollback(self, dataset: str) -> None:
        """Put a dataset back to its newest snapshot."""
        what = "go back to the newest snapshot"

        def otherwise() -> None:
            names = command.table(
                what, dataset, "list", "-H", "-d", "1", "-t", "snapshot", "-s", "createtxg",
                "-o", "name", dataset,
            )  # fmt: skip
            if names:
                command.run(what, dataset, "rollback", names[-1][0])

        self._through("lzc_rollback", what, dataset, (dataset.encode(),), lambda: otherwise())

    # -- pools ---------------------------------------------------------------------------------

    def sync(self, pool: str) -> None:
        """Return when all that was done to a pool until now is on its devices."""
        what = "wait for the pool"
        self._through(
            "lzc_sync",
            what,
            pool,
            (pool.encode(),),
            lambda: _none(command.run(what, pool, "sync", pool, name="zpool")),
            own=True,
        )

    # -- streams -------------------------------------------------------------------------------

    def send_space(self, name: str, base: str | None, flags: Iterable[str]) -> int:
        """Estimate the bytes of a stream; raise ZfsError if ``base`` is no ancestor."""
        flags = sorted(flags)
        what = "prepare a transfer"

        def otherwise() -> int:
            options = [_SEND_OPTIONS[flag] for flag in flags]
            since = [] if base is None else ["-i", base]
            arguments = ["send", "-n", "-P", *options, *since, name]
            for fields in command.table(what, name, *arguments):
                if fields[0] == "size":
                    return int(fields[1])
            return 0

        since = None if base is None else base.encode()
        arguments = (name.encode(), since, flags)
        return self._through("lzc_send_space", what, name, arguments, otherwise, own=True)

    def send(self, name: str, base: str | None, out: int, flags: Iterable[str]) -> None:
        """Write a stream to a descriptor; returns when all of it was taken."""
        flags = sorted(flags)
        what = "send a snapshot"

        def otherwise() -> None:
            options = [_SEND_OPTIONS[flag] for flag in flags]
            since = [] if base is None else ["-i", base]
            _piped(what, name, ["send", *options, *since, name], stdout=out)

        since = None if base is None else base.encode()
        arguments = (name.encode(), since, out, flags)
        # PyPI's knows no compressed and no raw streams
        self._through("lzc_send", what, name, arguments, otherwise, own=True)

    def send_rest(self, token: str, out: int) -> None:
        """Write what is left of a stream that was cut; ``token`` is the receiver's."""
        _piped("send the rest of a snapshot", "by token", ["send", "-t", token], stdout=out)

    def receive(
        self,
        name: str,
        source: int,
        *,
        origin: str | None = None,
        raw: bool = False,
        properties: dict[str, str] | None = None,
    ) -> None:
        """Take a stream from a descriptor as a snapshot; what arrived before a cut is kept.

        Parameters
        ----------
        origin
            For an incremental stream into a new dataset: the snapshot to clone it from.
        raw
            Whether the stream is encrypted, as the dataset it comes from is.
        properties
            Of the dataset, new or not: those that were received before and are not named again
            would be dropped. Those that this user may not set are left as they are.
        """
        what = "receive a snapshot"

        def otherwise() -> None:
            options = [] if origin is None else ["-o", f"origin={origin}"]
            options += _options(properties or {})
            _piped(what, name, ["receive", "-s", "-u", *options, name], stdin=source)

        since = None if origin is None else origin.encode()
        arguments = (name.encode(), source, False, raw, since, _native(properties or {}))
        self._through("lzc_receive_resumable", what, name, arguments, otherwise, own=True)


def _none(_: str) -> None:
    """Forget what a command printed."""


def _options(properties: dict[str, str]) -> list[str]:
    return [part for key, value in properties.items() for part in ("-o", f"{key}={value}")]


def _native(properties: dict[str, str]) -> dict[bytes, bytes | int]:
    return {
        key.encode(): _NATIVE_VALUES.get((key, value), value.encode("utf-8", "surrogateescape"))
        for key, value in properties.items()
    }


def _piped(
    what: str,
    about: str,
    arguments: list[str],
    *,
    stdin: int = subprocess.DEVNULL,
    stdout: int = subprocess.DEVNULL,
) -> None:
    with command.start(*arguments, stdin=stdin, stdout=stdout) as process:
        _, error = process.communicate()
    if process.returncode:
        said = error.decode("utf-8", "replace")
        raise refused(what, about, errno_of(said), said)
