# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""What the hub's parts share: everything that a handler may ask."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import ParamSpec, TypeVar

from argon2 import PasswordHasher

from dotscience_jupyter.api.errors import ApiError

from .audit import Audit
from .database import HubDatabase
from .failedlogins import FailedLogins
from .identity import Identity
from .jupyterhub.door import Door
from .jupyterhub.people import People
from .jupyterhub.settings import JupyterHubSettings
from .jupyterhub.signin import SignIn
from .limits import RateLimit
from .members import Members
from .metrics import Metrics
from .projects import Projects
from .secret import Secret
from .storage import CACHE, GRACE, ContentStorage, open_storage, parse_place
from .tasklocks import TaskLocks

P = ParamSpec("P")
T = TypeVar("T")

log = logging.getLogger("dotscience.hub")

DATABASE = "hub.db"
SECRET = "secret.key"  # noqa: S105 - the name of a file


@dataclass(frozen=True, slots=True)
class Config:
    """What a hub was told to do; :class:`.app.Hub` reads it from files and the command line."""

    data: Path
    db: str = ""  # SQLAlchemy URL of a PostgreSQL database; "" for SQLite in the data folder
    base_url: str = ""  # as clients see it, without a / at the end; "" to take the request's
    max_body: int = 1 << 40  # bytes of one upload
    rate: float = 200.0  # requests a second and key; 0 for no limit
    burst: float = 1000.0
    workers: int = 32  # threads
    storage: str = ""  # s3://bucket/prefix or zfs:pool/root; "" for the data folder, or as before
    storage_endpoint: str = ""  # URL of the S3 service; "" for Amazon's
    storage_cache: int = CACHE  # bytes of content that the data folder keeps copies of
    storage_grace: float = GRACE  # seconds for which garbage stays in the bucket
    storage_check: bool = True  # whether the bucket is looked at first
    prefix: str = ""  # what paths begin with as well, behind a proxy that leaves it there
    jupyterhub: JupyterHubSettings | None = None  # whose service this is
    allow_origins: tuple[str, ...] = ()  # of pages of other sites that may read, see .origins
    hasher: PasswordHasher | None = None  # None for argon2id as its authors recommend it


class Services:
    """An open hub, without any server: what handlers and the command line work with.

    Attributes
    ----------
    config, database, audit, identity, failed_logins, members, projects, locks, limit, metrics
        Its parts.
    storage : ContentStorage or None
        Where the content of projects is; None for the data folder.
    jupyterhub : Door or None
        Where users of JupyterHub come in.
    executor, slow
        Threads for what answers at once mostly, and for passwords, which take long to check: who
        guesses them holds up nobody who has a key.
    active : set
        The handlers that are at work.
    """

    def __init__(
        self,
        config: Config,
        database: HubDatabase,
        storage: ContentStorage | None = None,
        *,
        upgrade: bool = False,
    ) -> None:
        secret = Secret.open(config.data / SECRET)
        self.config = config
        self.database = database
        self.storage = storage
        self.audit = Audit(database, secret.key("audit"))
        self.identity = Identity(database, secret, self.audit, hasher=config.hasher)
        self.failed_logins = FailedLogins(self.audit)
        self.members = Members(database, self.audit)
        self.locks = TaskLocks(database, self.audit)
        self.projects = Projects(
            database,
            self.audit,
            config.data,
            config.db,
            require_free=self.locks.require_free,
            storage=storage,
            upgrade=upgrade,
        )
        self.limit = RateLimit(config.rate, config.burst)
        self.metrics = Metrics()
        self.active: set[object] = set()
        self.executor = ThreadPoolExecutor(config.workers, "hub")
        self.slow = ThreadPoolExecutor(4, "hub-passwords")
        self.jupyterhub: Door | None = None
        if config.jupyterhub is not None:
            people = People(database, self.audit)
            self.jupyterhub = Door(config.jupyterhub, people, SignIn(secret), self.run)

    @classmethod
    def open(cls, config: Config, *, upgrade: bool = False) -> Services:
        """Open a hub's data folder, made if need be.

        Parameters
        ----------
        upgrade
            Whether what an older version wrote is migrated: the database at once, the records of
            each project when it is opened.

        Raises
        ------
        ApiError
            If that cannot be done, or another version of the software made it; see
            :meth:`.database.HubDatabase.open`. Or if its content is to be
            somewhere that cannot be used, or elsewhere than it is.
        """
        if config.storage:
            parse_place(config.storage, config.storage_endpoint)
        try:
            # what is in there is nobody's business but the hub's
            config.data.mkdir(mode=0o700, parents=True, exist_ok=True)
            (config.data / "projects").mkdir(exist_ok=True)
        except OSError as error:
            raise ApiError(
                500,
                "unwritable",
                f"The data folder {config.data} cannot be made: {error.strerror or error}. "
                "Choose another one with --data.",
            ) from None
        if not os.access(config.data, os.W_OK | os.X_OK):
            raise ApiError(
                500, "unwritable", f"The data folder {config.data} cannot be written to."
            )
        url = config.db or f"sqlite:///{config.data / DATABASE}"
        with contextlib.ExitStack() as undoing:
            database = HubDatabase.open(url, upgrade=upgrade)
            undoing.callback(database.close)
            storage = open_storage(
                config.data,
                config.storage,
                config.storage_endpoint,
                config.storage_cache,
                config.storage_grace,
                config.max_body,
                check=config.storage_check,
            )
            if storage is not None:
                undoing.callback(storage.close)
            services = cls(config, database, storage, upgrade=upgrade)
            if storage is not None and not storage.is_noted(config.data):
                if storage.moves_when_opened:
                    # or a start without it would take where data sets are mounted for the content
                    storage.note(config.data)
                # from now on content is nowhere else
                services.projects.settle()
                storage.note(config.data)
            undoing.pop_all()
        return services

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do something that blocks, in a thread."""
        call = functools.partial(function, *args, **kwargs)
        return await asyncio.get_running_loop().run_in_executor(self.executor, call)

    async def run_slow(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do something that hashes a password, in one of a few threads."""
        call = functools.partial(function, *args, **kwargs)
        return await asyncio.get_running_loop().run_in_executor(self.slow, call)

    def close(self) -> None:
        """Let what is under way end, then close everything."""
        self.executor.shutdown(wait=True)
        self.slow.shutdown(wait=True)
        self.projects.close()
        if self.storage is not None:
            self.storage.close()
        self.database.close()
