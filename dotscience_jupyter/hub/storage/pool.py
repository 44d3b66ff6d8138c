# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Projects as data sets of a ZFS pool.

The folder of a project is where its data set ``<root>/<id>`` is mounted, so records, content and
what is being uploaded are in it, and other parts of the hub need not know. Snapshots that arrive as
streams of ZFS are in data sets below it, see :mod:`.arrivals`.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import ClassVar

from dotscience_jupyter.api.errors import ApiError
from dotscience_jupyter.snapshots import SnapshotError
from dotscience_jupyter.snapshots.zfs import ZfsEngine, command, names
from dotscience_jupyter.snapshots.zfs.binding import NoZfsError
from dotscience_jupyter.snapshots.zfs.engine import TAG
from dotscience_jupyter.snapshots.zfs.errors import ZfsError
from dotscience_jupyter.snapshots.zfs.libzfs import Libzfs

from .arrivals import Arrivals
from .base import Content, ContentStorage, noted, unreadable, write_note

SCHEME = "zfs:"

STATE = "dotscience:project"
"""The user property of a project's data set: ``filling`` until its content is there."""

_PROPERTIES = {
    "canmount": "noauto",  # the hub mounts it when it needs it, and nothing else does
    "exec": "off",
    "setuid": "off",
    "devices": "off",
    "atime": "off",
}
_GRACE = 7 * 86400.0  # for what was received and is not recorded: as long as for uploads


@dataclass(frozen=True, slots=True)
class PoolPlace:
    """A data set below which those of the projects are."""

    dataset: str

    @classmethod
    def parse(cls, url: str) -> PoolPlace:
        """Read ``zfs:POOL/ROOT``. Raise ApiError 400 if that is no such name."""
        dataset = url.removeprefix(SCHEME)
        # the longest name is that of a snapshot of what a project has received
        if not names.is_dataset(dataset) or len(dataset) > 120:
            raise ApiError(
                400,
                "invalid_request",
                f"Content cannot be kept in {url!r}. The storage is zfs:POOL/ROOT, with the name "
                "of a data set that is there; or s3://BUCKET/PREFIX.",
            )
        return cls(dataset)

    def __str__(self) -> str:
        return f"{SCHEME}{self.dataset}"

    @classmethod
    def of(cls, data: Path) -> PoolPlace | None:
        """Return the place that a data folder says; None if it says none of this kind."""
        document = noted(data)
        if document is None or "dataset" not in document:
            return None
        if not names.is_dataset(str(document["dataset"])):
            raise unreadable(data, ValueError("it names no data set"))
        return cls(str(document["dataset"]))


class Pool(ContentStorage):
    """The projects' data sets. Thread-safe; several processes on one data folder take turns.

    Parameters
    ----------
    place
        Where.
    projects
        The folder with the folders of projects.
    most
        Bytes that the files of one received snapshot may have together.
    """

    beside: ClassVar[bool] = False
    moves_when_opened: ClassVar[bool] = True

    def __init__(self, place: PoolPlace, projects: Path, most: int) -> None:
        self._place = place
        self._projects = Path(os.path.realpath(projects))
        self._most = most
        self._preparing = threading.Lock()

    @classmethod
    def open(cls, place: PoolPlace, projects: Path, most: int) -> Pool:
        """See whether the data set may be used.

        Raises
        ------
        ApiError
            503 if it may not; the text says why, and what to do.
        """
        try:
            libzfs = Libzfs.open()
            command.run("look for pools", place.dataset, "version")
        except (NoZfsError, ZfsError) as error:
            raise _refused(place, str(error)) from None
        if os.geteuid():
            raise _refused(
                place,
                "only root may mount data sets on Linux, and this hub runs as another user. Run it "
                "as root, or give a folder on ZFS as its data folder, without --storage",
            )
        if not libzfs.exists(place.dataset):
            raise _refused(
                place,
                "there is no such data set, or its pool is not imported. If it is to be made: "
                f"zfs create -o mountpoint=none {place.dataset}",
            )
        return cls(place, projects, most)

    @property
    def place(self) -> PoolPlace:
        """Where the projects are."""
        return self._place

    def note(self, data: Path) -> None:
        """Write down that the content of a data folder is here."""
        write_note(data, asdict(self._place))

    def is_noted(self, data: Path) -> bool:
        """Whether a data folder says that its content is here."""
        return PoolPlace.of(data) == self._place

    def close(self) -> None:
        """Do nothing: data sets stay mounted."""

    def _dataset(self, project: str) -> str:
        return f"{self._place.dataset}/{project}"

    # -- one project's data set ------------------------------------------------------------------

    def prepare(self, folder: Path) -> None:
        """Have a project's data set mounted at its folder; it is made if need be.

        What the folder has already is moved into a new one.
        """
        dataset = self._dataset(folder.name)
        if names.mounted_at(os.fspath(folder)) == dataset:
            return
        with self._alone():
            if names.mounted_at(os.fspath(folder)) != dataset:
                self._prepare(self._projects / folder.name, dataset)

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold off other threads and processes that make or mount data sets."""
        with self._preparing:
            fd = os.open(self._projects / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(fd, fcntl.LOCK_EX)
                yield
            finally:
                os.close(fd)

    def _prepare(self, folder: Path, dataset: str) -> None:
        elsewhere = names.mount_point(dataset)
        if elsewhere and elsewhere != os.fspath(self._filling(folder)):
            raise SnapshotError(
                f"The data set {dataset} of this project is mounted at {elsewhere}, and not at "
                f"{folder}. Nothing was changed. If no other hub uses it: zfs unmount {dataset}"
            )
        aside = folder.with_name(f".aside-{folder.name}")
        state = self._state(dataset)
        if state == "filling" and not aside.exists():
            # whoever filled it was killed; what it was filled from is where it was
            self._destroy(dataset)
            state = elsewhere = ""
        if not state:
            _run(dataset, "make a project's data set", *_create(dataset, folder))
            self._fill(folder, dataset, aside)
        if elsewhere:
            _run(dataset, "unmount", "unmount", dataset)
        folder.mkdir(exist_ok=True)
        if any(folder.iterdir()):
            raise SnapshotError(
                f"The folder {folder} has files in it although the data set {dataset} is not "
                "mounted there. Nothing was changed. Move them away, then try again."
            )
        _run(dataset, "set where it is mounted", "set", f"mountpoint={folder}", dataset)
        _run(dataset, "mount a project's data set", "mount", dataset)
        # others on this machine have no business with what users sent, nor with who owns it there
        folder.chmod(0o700)
        if state != "ready":
            _run(dataset, "note that it is filled", "set", f"{STATE}=ready", dataset)
        shutil.rmtree(aside, ignore_errors=True)

    @staticmethod
    def _filling(folder: Path) -> Path:
        return folder.with_name(f".filling-{folder.name}")

    def _fill(self, folder: Path, dataset: str, aside: Path) -> None:
        """Copy what a folder has into its new data set, then put the folder aside."""
        if not folder.exists() or not any(folder.iterdir()):
            return
        filling = self._filling(folder)
        filling.mkdir(exist_ok=True)
        options = ("-t", "zfs", "-o", "zfsutil", dataset, os.fspath(filling))
        command.run("mount a project's data set", dataset, *options, name="mount")
        try:
            shutil.copytree(folder, filling, symlinks=True, dirs_exist_ok=True)
            Libzfs.open().sync(dataset.partition("/")[0])
        except (OSError, shutil.Error) as error:
            raise SnapshotError(
                f"What is in {folder} could not be moved into the data set {dataset}: {error}. It "
                "is where it was. Free some room, then try again."
            ) from error
        finally:
            _run(dataset, "unmount", "unmount", dataset)
        filling.rmdir()
        folder.rename(aside)

    def _state(self, dataset: str) -> str:
        """Return ``filling`` or ``ready``; "" if there is no such data set."""
        if not Libzfs.open().exists(dataset):
            return ""
        value = _run(dataset, "look for", "get", "-H", "-o", "value", STATE, dataset).strip()
        if value not in ("filling", "ready"):
            raise SnapshotError(
                f"The data set {dataset} is there, but no hub made it for a project. Nothing was "
                "changed. Rename or destroy it, then try again."
            )
        return value

    def content(self, folder: Path, is_recorded: Callable[[str], bool]) -> Content:
        """Open a project's content."""
        native = ZfsEngine(folder, folder / "zfs", grace=_GRACE)
        arrivals = Arrivals(native, folder / "store", folder / "arriving.lock", self._most)
        return Content(arrivals.engine.exchange, arrivals)

    def remove(self, project: str) -> None:
        """Destroy a project's data set, with all that is below."""
        dataset = self._dataset(project)
        if Libzfs.open().exists(dataset):
            self._destroy(dataset)

    @staticmethod
    def _destroy(dataset: str) -> None:
        libzfs = Libzfs.open()
        lines = command.table(
            "look for snapshots", dataset, "list", "-H", "-r", "-t", "snapshot", "-o", "name",
            dataset,
        )  # fmt: skip
        for name, tags in libzfs.holds([name for (name,) in lines]).items():
            for tag in tags:
                if tag.startswith(TAG):
                    libzfs.release([name], tag)
        _run(dataset, "remove a project's data set", "destroy", "-r", "-f", dataset)


def _create(dataset: str, folder: Path) -> list[str]:
    properties = {**_PROPERTIES, "mountpoint": os.fspath(folder), STATE: "filling"}
    options = [part for key, value in properties.items() for part in ("-o", f"{key}={value}")]
    return ["create", "-u", *options, dataset]


def _run(dataset: str, what: str, *arguments: str) -> str:
    return command.run(what, dataset, *arguments)


def _refused(place: PoolPlace, why: str) -> ApiError:
    return ApiError(
        503,
        "storage_refused",
        f"The storage {place} cannot be used: {why.rstrip('.')}. Nothing was changed.",
    )
