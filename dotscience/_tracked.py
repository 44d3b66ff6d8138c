# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The run of a ``with`` block."""

from __future__ import annotations

import os

from . import _environment, _failures, _live, _observed
from ._dotscience import Dotscience, in_main_thread
from ._run import Run

TYPE_CHECKING = False
if TYPE_CHECKING:
    from contextvars import Token
    from types import TracebackType
    from typing import Any, TextIO


class TrackedRun(Run):
    """A run that is published when its ``with`` block ends; made by ``ds.run(...)``.

    Inside the block the functions of the module record into it, in the code of the block and in
    what it calls, but not in other threads' or tasks' blocks. The run's own methods do so from
    anywhere.
    """

    def __init__(self, session: Dotscience, description: object, stream: TextIO | None) -> None:
        super().__init__(session._root)
        self._session = session
        self._stream = stream
        self._token: Token[Run | None] | None = None
        self._entered = False
        self._published: tuple[object, ...] | None = None
        if description is not None:
            self.set_description(description)

    def __enter__(self) -> TrackedRun:
        if self._entered:
            raise RuntimeError("A run has one with block. Make another run with ds.run(...).")
        self._entered = True
        self.start()
        _environment.begin(self)
        _observed.begin(self._session, self)
        _live.begin(self)
        self._token = self._session._own.set(self)
        if in_main_thread():
            self._session._open.append(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        session = self._session
        if self in session._open:
            session._open.remove(self)
        assert self._token is not None
        try:
            session._own.reset(self._token)
        except ValueError:  # left in another context than it was entered in
            if session._own.get() is self:
                session._own.set(None)
        if self._begun.get("pid") != os.getpid():
            return  # a forked child leaves the block of its parent, which publishes the run
        try:
            if error is not None and not _failures.is_success(error):
                _failures.publish(session, self, error, self._stream)
            elif self._id is None or self._changed_since_published():
                self.lazy_start()
                session._publish(self, self._stream)
        finally:
            self.__class__ = EndedRun

    def forget_times(self) -> None:
        """See :meth:`Run.forget_times`; also remembers what was published."""
        super().forget_times()
        self._published = self._content()

    def _changed_since_published(self) -> bool:
        return self._content() != self._published

    def _content(self) -> tuple[object, ...]:
        """Return what was recorded, apart from the times."""
        return (
            self._inputs.copy(),
            self._outputs.copy(),
            self._labels.copy(),
            self._metric.copy(),
            self._parameters.copy(),
            self._description,
            self._error,
            {name: len(series) for name, series in self.series().items()},
        )


class EndedRun(TrackedRun):
    """A run whose block has ended. What it is told now is in no published run, which it says."""

    def _record(self, section: str, into: dict[str, Any], label: object, value: object) -> None:
        _warn(label)
        super()._record(section, into, label, value)

    def add_metric(self, label: object, value: object, step: object = None) -> None:
        """See :meth:`Run.add_metric`."""
        if step is not None:
            _warn(label)
        super().add_metric(label, value, step)

    def add_input_file(self, filename: object) -> None:
        """See :meth:`Run.add_input_file`."""
        _warn(filename)
        super().add_input_file(filename)

    def add_output(self, filename: object) -> None:
        """See :meth:`Run.add_output`."""
        _warn(filename)
        super().add_output(filename)

    def set_error(self, error: object) -> None:
        """See :meth:`Run.set_error`."""
        _warn(error)
        super().set_error(error)

    def set_description(self, description: object) -> None:
        """See :meth:`Run.set_description`."""
        _warn(description)
        super().set_description(description)


def _warn(what: object) -> None:
    import warnings

    warnings.warn(
        f"{what!r} was recorded after the `with` block of its run had ended, and so after the run "
        "was published: it is in no run. Record it inside the block.",
        stacklevel=4,
    )
