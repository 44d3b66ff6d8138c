# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""A session of the library: its mode, the run that is being recorded, and publishing it."""

from __future__ import annotations

import _thread
import os
import sys
from contextvars import ContextVar

from ._workspace import find_root

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TextIO, TypeVar

    from ._run import Run
    from ._tracked import TrackedRun

    T = TypeVar("T")

_WORKLOAD_TYPES = {"jupyter": "interactive", "command": "script"}


class _Threads(_thread._local):
    """The run that each thread has started; threading.local without the rest of that module."""

    run: Run | None = None


class Dotscience:
    """A session. The functions of the module are the methods of one that is made at import.

    Of all the runs that are being recorded, a recorder finds its own in this order: the run of the
    innermost ``with`` block around it, the run that its thread started, the run of a ``with`` block
    that is open in the main thread (for worker threads), the run that the main thread started.
    """

    def __init__(self) -> None:
        self._shared: Run | None = None
        self._own: ContextVar[Run | None] = ContextVar("dotscience_run", default=None)
        self._threads = _Threads()
        self._open: list[TrackedRun] = []
        self._reset()

    def _reset(self) -> None:
        self._mode: str | None = None
        self._workload_file: str | None = None
        self._root = find_root()
        if os.path.exists(os.path.join(self._root, "dotscience-datasets.json")):
            from . import _pinned

            _pinned.watch(self._root)
        self._dotmesh_client: Any = None
        self._hostname: str | None = None
        self._auth: tuple[str, str] | None = None
        self._cached_project: Any = None
        self._project_name: str | None = None
        self._deployment: Any = None
        self._deployer: Any = None

    # which run

    def _current(self) -> Run | None:
        run = self._own.get()
        if run is None:
            run = self._threads.run
            if run is None:
                run = self._open[-1] if self._open and not in_main_thread() else self._shared
        return run

    @property
    def currentRun(self) -> Run | None:  # noqa: N802  # programs reach for this name
        """The run that is being recorded here, or None."""
        return self._current()

    @currentRun.setter
    def currentRun(self, run: Run | None) -> None:  # noqa: N802  # as above
        if self._own.get() is not None:
            self._own.set(run)
        elif in_main_thread():
            self._shared = run
        else:
            self._threads.run = run

    def _check_started(self) -> Run:
        """Return the run that is being recorded, started, making one if there is none."""
        run = self._current()
        if run is None:
            print("You have not called ds.start() yet, so I'm doing it for you!")
            self.start()
            run = self._current()
            assert run is not None
        elif run._start is None:
            run.lazy_start()
            self._began(run)
        return run

    def _began(self, run: Run) -> None:
        """Remember what a run began with, and see to it that its failure does not go unrecorded."""
        from . import _environment, _failures, _live, _observed

        _environment.begin(run)
        _observed.begin(self, run)
        _live.begin(run)
        _failures.watch(self, run)

    # modes

    def _set_mode(self, mode: str) -> None:
        if self._mode not in (None, mode):
            raise RuntimeError(
                f"{mode.capitalize()} mode was asked for, but this session is in {self._mode} mode "
                "already. A session has one mode; nothing was changed."
            )
        self._mode = mode

    def interactive(self) -> None:
        """Say that this is a notebook. Raise RuntimeError in another mode."""
        self._set_mode("interactive")
        self._workload_file = None

    def script(self, script_path: object = None) -> None:
        """Say that this is a script, and which. Raise RuntimeError in another mode."""
        self._set_mode("script")
        path = sys.argv[0] if script_path is None else os.fspath(script_path)  # type: ignore[call-overload]  # a path or a TypeError that says so
        self._workload_file = os.path.relpath(path, start=self._root) if path else None

    def remote(self) -> None:
        """Say that runs go straight to a hub. Raise RuntimeError in another mode."""
        self._set_mode("remote")

    def connect(self, username: str, apikey: str, project: str, hostname: str | None = "") -> None:
        """Connect to a project on a hub, to which runs are published from then on.

        Parameters
        ----------
        username, apikey
            Who publishes; a password does as well as a key.
        project
            The project's name; it is made with the first run if there is none.
        hostname
            The hub's address, such as ``https://hub.example.org``.

        Raises
        ------
        Exception
            If no project is named.
        HubError
            If the hub cannot be reached, or does not know the user.
        """
        from ._remote import DEFAULT_HOSTNAME

        if not project:
            raise Exception("Please specify a project name as the third argument to ds.connect()")
        self._reset()
        hostname = (hostname or DEFAULT_HOSTNAME).rstrip("/")
        # by its name in the module, which programs replace with one of their own
        client = sys.modules[__package__].DotmeshClient(
            cluster_url=hostname + "/v2/dotmesh/rpc", username=username, api_key=apikey
        )
        print("Checking connection... ", end="")
        try:
            client.ping()
        except BaseException:
            print("not connected!")
            raise
        self._dotmesh_client = client
        self._hostname = hostname
        self._auth = (username, apikey)
        self._project_name = project
        self.remote()
        print("connected!")

    def _get_project_or_create(self, project_name: str, verbose: bool = False) -> Any:
        """Return the project as the hub tells of it; asked for once."""
        from ._remote import HubError, Server, find_project

        if self._hostname is None or self._auth is None:
            raise HubError(
                "This session is in remote mode and not connected to a hub. Call "
                "ds.connect(user, key, project, address). Nothing recorded is lost."
            )
        if self._cached_project is None or self._cached_project.get("name") != project_name:
            self._cached_project = find_project(Server(self._hostname, *self._auth), project_name)
        return self._cached_project

    # publishing

    def start(self, description: object = None) -> None:
        """Start a new run; whatever was recorded and not published is dropped."""
        from ._run import Run

        run = Run(self._root)
        run.start()
        if description is not None:
            run.set_description(description)
        self.currentRun = run
        self._began(run)

    def publish(
        self,
        description: object = None,
        stream: TextIO | None = sys.stdout,
        build: bool = False,
        deploy: bool = False,
    ) -> dict[str, Any] | None:
        """Publish the run: write its text to the stream, its record to the spool, show its card.

        Parameters
        ----------
        description
            Replaces the description set before.
        stream
            Where the text goes.
        build, deploy
            In remote mode: have the hub build an image of the run's model, and serve it.

        Returns
        -------
        dict or None
            In remote mode what the hub made: ``run``, ``image``, ``endpoint``, ``dashboard``.

        Raises
        ------
        HubError
            In remote mode, if the hub cannot be reached or refuses. The run is kept and can be
            published again.
        """
        self._settle_mode()
        run = self._check_started()
        if description is not None:
            run.set_description(description)
        return self._publish(run, stream, build, deploy)

    def _settle_mode(self) -> None:
        if self._mode is None:
            workload = os.environ.get("DOTSCIENCE_WORKLOAD_TYPE", "")
            if workload in _WORKLOAD_TYPES:
                getattr(self, _WORKLOAD_TYPES[workload])()

    def _publish(
        self,
        run: Run,
        stream: TextIO | None = sys.stdout,
        build: bool = False,
        deploy: bool = False,
    ) -> dict[str, Any] | None:
        self._settle_mode()
        run.end()
        result = None
        if self._mode == "remote":
            result = self._publish_to_hub(run, build, deploy)
        else:
            if self._mode is not None:
                run._set_workload_file(self._workload_file)
            from . import _publish

            _publish.publish(run, stream)
        run.forget_times()
        return result

    def _publish_to_hub(self, run: Run, build: bool, deploy: bool) -> dict[str, Any]:
        from . import _remotepublish
        from ._remote import Connection, Server

        project = self._get_project_or_create(self._project_name or "")
        assert self._hostname is not None and self._auth is not None
        server = Server(self._hostname, *self._auth)
        connection = Connection(server, self._dotmesh_client, self._auth[0], project)
        return _remotepublish.publish(connection, run, build, deploy)

    def run(self, description: object = None, stream: TextIO | None = sys.stdout) -> TrackedRun:
        """Return a run for a ``with`` block, which starts and publishes it.

        A block that ends with an exception is published as failed, and the exception goes on.
        """
        from ._tracked import TrackedRun

        return TrackedRun(self, description, stream)

    def end(self) -> None:
        """Set the end time of the run; only the first call counts."""
        self._check_started().end()

    # recorders

    def set_error(self, error: object) -> None:
        """See :meth:`Run.set_error`."""
        self._check_started().set_error(error)

    def error(self, error: T) -> T:
        """See :meth:`Run.error`."""
        return self._check_started().error(error)

    def set_description(self, description: object) -> None:
        """See :meth:`Run.set_description`."""
        self._check_started().set_description(description)

    def description(self, description: T) -> T:
        """See :meth:`Run.description`."""
        return self._check_started().description(description)

    def add_input(self, filename: object) -> None:
        """See :meth:`Run.add_input`."""
        self._check_started().add_input(filename)

    def add_inputs(self, *args: object) -> None:
        """See :meth:`Run.add_inputs`."""
        self._check_started().add_inputs(*args)

    def input(self, filename: T) -> T:
        """See :meth:`Run.input`."""
        return self._check_started().input(filename)

    def add_output(self, filename: object) -> None:
        """See :meth:`Run.add_output`."""
        self._check_started().add_output(filename)

    def add_outputs(self, *args: object) -> None:
        """See :meth:`Run.add_outputs`."""
        self._check_started().add_outputs(*args)

    def output(self, filename: T) -> T:
        """See :meth:`Run.output`."""
        return self._check_started().output(filename)

    def add_label(self, label: object, value: object) -> None:
        """See :meth:`Run.add_label`."""
        self._check_started().add_label(label, value)

    def add_labels(self, *args: object, **kwargs: object) -> None:
        """See :meth:`Run.add_labels`."""
        self._check_started().add_labels(*args, **kwargs)

    def label(self, label: object, value: T) -> T:
        """See :meth:`Run.label`."""
        return self._check_started().label(label, value)

    def add_metric(self, label: object, value: object, step: object = None) -> None:
        """See :meth:`Run.add_metric`."""
        run = self._own.get() or self._threads.run or self._current()
        # _check_started, but for the call: this is what loops do a hundred thousand times
        if run is None or run._start is None:
            run = self._check_started()
        run.add_metric(label, value, step)

    def add_metrics(self, *args: object, **kwargs: object) -> None:
        """See :meth:`Run.add_metrics`."""
        self._check_started().add_metrics(*args, **kwargs)

    def metric(self, label: object, value: T, step: object = None) -> T:
        """See :meth:`Run.metric`."""
        self.add_metric(label, value, step)
        return value

    add_summary = add_metric
    add_summaries = add_metrics
    summary = metric

    def add_parameter(self, label: object, value: object) -> None:
        """See :meth:`Run.add_parameter`."""
        self._check_started().add_parameter(label, value)

    def add_parameters(self, *args: object, **kwargs: object) -> None:
        """See :meth:`Run.add_parameters`."""
        self._check_started().add_parameters(*args, **kwargs)

    def parameter(self, label: object, value: T) -> T:
        """See :meth:`Run.parameter`."""
        return self._check_started().parameter(label, value)

    param = parameter

    def model(self, kind: object, name: object, *args: Any, **kwargs: Any) -> Any:
        """See :meth:`Run.model`."""
        return self._check_started().model(kind, name, *args, **kwargs)

    def add_model(self, kind: object, name: object, *args: Any, **kwargs: Any) -> None:
        """See :meth:`Run.add_model`."""
        self._check_started().add_model(kind, name, *args, **kwargs)

    def debug(self) -> None:
        """See :meth:`Run.debug`."""
        self._check_started().debug()


def in_main_thread() -> bool:
    """Return whether this is the main thread, without importing ``threading`` to find out."""
    threading = sys.modules.get("threading")
    return threading is None or _thread.get_ident() == threading.main_thread().ident
