# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Projects of hubs on their way into new folders of a server, each in a thread of its own."""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path

from dotscience_jupyter.records import Workspace
from dotscience_jupyter.sync import Patience, Remote, clone, find_project, require_free

from . import models
from .errors import ApiError
from .hubs import ATTEMPTS, translated_sync
from .paths import PathMapper
from .translate import translated

MOST = 4
"""Clones that are under way at once."""

KEPT = 20
"""Clones that have ended and are told of."""

TELL = 0.5
"""Seconds between two words about how far one is, at least."""

STOP = 3.0
"""Seconds in which they have to end when the server stops."""

log = logging.getLogger(__name__)

OnChange = Callable[[models.ProjectClone], None]


class Clones:
    """What a server clones. All methods may be called from any thread.

    Parameters
    ----------
    on_change
        Told of a clone that began, went on or ended; from any thread.
    """

    def __init__(self, on_change: OnChange) -> None:
        self._on_change = on_change
        self._lock = threading.Lock()
        self._clones: dict[str, _Clone] = {}
        self._closed = False

    @property
    def under_way(self) -> int:
        """How many are under way."""
        with self._lock:
            return sum(each.state == "cloning" for each in self._clones.values())

    def all(self) -> models.ProjectClones:
        """Return those under way and those that have ended, oldest first."""
        with self._lock:
            return models.ProjectClones(items=[each.body() for each in self._clones.values()])

    def begin(
        self, wanted: models.CloneProject, mapper: PathMapper, engine: str
    ) -> models.ProjectClone:
        """Begin to clone a project; the hub is asked for it before, so this blocks.

        Parameters
        ----------
        wanted
            The project, and the folder.
        mapper
            Knows the folder that the server serves.
        engine
            Name of the snapshot engine that is to keep the content.

        Raises
        ------
        ApiError
            400 ``invalid_request`` or ``invalid_url``; 403 ``forbidden_path``; 404 ``not_found``;
            409 ``exists``, ``busy``, ``not_logged_in`` or ``stopped``; 502 ``offline``; or what
            the hub says. No folder was made then.
        """
        address = wanted.address.strip()
        if not address or not wanted.folder.strip("/ "):
            raise ApiError(
                400,
                "invalid_request",
                "Say which project is to be cloned, and the name of a new folder for it.",
            )
        folder = mapper.to_write(wanted.folder)
        with translated_sync(lambda message: mapper.scrub(message, folder.parent)):
            remote = find_project(address, patience=Patience(attempts=ATTEMPTS))
            require_free(folder, remote)
        if Workspace.is_at(folder):
            raise ApiError(
                409,
                "exists",
                "The folder is a workspace of this project already. Nothing was changed; pull in "
                "it brings what is new. To clone once more, name another folder.",
            )
        made = _Clone(address, remote, folder, mapper, self._on_change)
        with self._lock:
            self._add(made)
        self._on_change(made.body())
        made.start(engine)
        return made.body()

    def _add(self, made: _Clone) -> None:
        under_way = [each for each in self._clones.values() if each.state == "cloning"]
        if self._closed:
            raise ApiError(409, "stopped", "The server is stopping. Nothing was changed.")
        if any(each.folder == made.folder for each in under_way):
            raise ApiError(409, "busy", "Something is being cloned to this folder already.")
        if len(under_way) >= MOST:
            raise ApiError(
                409,
                "busy",
                f"{MOST} projects are being cloned already. Nothing was changed; try again when "
                "one of them is there.",
            )
        for each in list(self._clones.values()):
            # one that is begun again is told of once
            if each.state != "cloning" and each.folder == made.folder:
                del self._clones[each.id]
        ended = [each.id for each in self._clones.values() if each.state != "cloning"]
        for id_ in ended[: max(0, len(ended) - KEPT)]:
            del self._clones[id_]
        self._clones[made.id] = made

    def end(self, wanted: models.EndClone) -> models.ProjectClones:
        """Stop one that is under way, or forget one that has ended; one that is gone is gone."""
        with self._lock:
            found = self._clones.get(wanted.id)
            if found is not None and found.state != "cloning":
                del self._clones[wanted.id]
        if found is not None:
            found.stop()
        return self.all()

    def close(self) -> None:
        """Stop all, and wait a moment; nothing is begun afterwards."""
        with self._lock:
            self._closed = True
            clones = list(self._clones.values())
        for each in clones:
            each.stop()
        deadline = time.monotonic() + STOP
        for each in clones:
            each.join(max(0.0, deadline - time.monotonic()))


class _Clone:
    """One project on its way into one folder."""

    def __init__(
        self,
        address: str,
        remote: Remote,
        folder: Path,
        mapper: PathMapper,
        on_change: OnChange,
    ) -> None:
        self.id = uuid.uuid4().hex
        self.folder = folder
        self.state: models.CloneState = "cloning"
        self._address = address
        self._remote = remote
        self._mapper = mapper
        self._on_change = on_change
        self._patience = Patience()
        self._done = self._total = 0
        self._message = self._code = ""
        self._told = 0.0
        self._thread: threading.Thread | None = None

    def start(self, engine: str) -> None:
        """Begin."""
        self._thread = threading.Thread(
            target=self._run, args=(engine,), name="dotscience-clone", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """End it as soon as can be."""
        self._patience.stopped.set()

    def join(self, timeout: float) -> None:
        """Wait for its end."""
        if self._thread is not None:
            self._thread.join(timeout)

    def body(self) -> models.ProjectClone:
        """Return what the API says of it."""
        return models.ProjectClone(
            id=self.id,
            address=self._address,
            name=self._remote.name,
            folder=self._mapper.to_contents(self.folder) or "",
            state=self.state,
            progress=(
                models.SyncProgress(done=self._done, total=self._total) if self._done else None
            ),
            message=self._message,
            code=self._code,
        )

    def _run(self, engine: str) -> None:
        try:
            with (
                translated_sync(self._clean),
                translated(self._mapper, self.folder.parent),
            ):
                clone(
                    self._remote,
                    self.folder,
                    patience=self._patience,
                    progress=self._tell,
                    engine=engine,
                )
            self._end("cloned")
        except ApiError as error:
            if self._patience.stopped.is_set():
                self._end("stopped", "It was stopped.")
            else:
                self._end("failed", error.message, error.code)
        except Exception:
            # a thread that nobody looks at must not die silently
            log.exception("Cloning a project failed")
            self._end("failed", "It failed; the server's log says why.", "failed")

    def _clean(self, message: str) -> str:
        return self._mapper.scrub(message, self.folder.parent)

    def _tell(self, done: int, total: int, what: str) -> None:
        """Take how far it is. Raise SyncError ``stopped`` where it is to end."""
        self._patience.check()
        # where nothing moves, it is said what is waited for
        self._done, self._total, self._message = done, total, "" if done or total else what
        now = time.monotonic()
        if now - self._told >= TELL:
            self._told = now
            self._on_change(self.body())

    def _end(self, state: models.CloneState, message: str = "", code: str = "") -> None:
        self._message, self._code = message, code
        self.state = state
        self._on_change(self.body())
