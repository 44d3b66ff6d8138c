# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Publishing a run that dies with an exception as a failed one.

Three places see an exception that nobody caught: the ``with`` block of the run, IPython at the end
of a cell, and the interpreter's hooks in a script. The latter two act only on a run that was
started and not published; a program that never used the library is never touched.
"""

from __future__ import annotations

import _thread
import os
import sys

from . import _notebook, _spool

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Any

    from ._dotscience import Dotscience
    from ._run import Run

_LONGEST = 10_000  # characters of an error message that are kept
_LIBRARY = os.path.dirname(os.__file__) + os.sep  # of Python itself

# runs that the cell under way has started, with their sessions and threads
_in_cell: list[tuple[Dotscience, Run, int]] = []
# sessions that have started a run; there is one, and few in tests
_sessions: list[Dotscience] = []
_watched_shell: Any = None
_excepthook: Any = None
_threading_hook: Any = None


def is_success(error: BaseException) -> bool:
    """Return whether an exception is a way to end well: ``sys.exit()`` without an error."""
    return isinstance(error, SystemExit) and error.code in (None, 0)


def publish(session: Dotscience, run: Run, error: BaseException, stream: Any = ...) -> None:
    """Publish a run as failed. What it says of itself is as before when this returns.

    Never raises: the user's own exception is on its way, and must arrive.
    """
    said, line = run._error, _one_line(error)
    # what the program itself said of the failure is better than what we can say
    if said is None:
        run._error = line
    run._traceback = line.partition("\n")[0] + _where(error.__traceback__)
    try:
        run.lazy_start()
        if stream is ...:
            session._publish(run)
        else:
            session._publish(run, stream)
    except Exception as problem:
        _spool.say_once(
            f"a failed run could not be published because of {type(problem).__name__}: {problem}"
        )
    finally:
        # so that the same run, mended and published again, is not a failed one
        run._error = said
        run._traceback = None


def _one_line(error: BaseException) -> str:
    kind = type(error)
    name = kind.__qualname__
    if kind.__module__ not in ("builtins", "__main__"):
        name = f"{kind.__module__}.{name}"
    try:
        text = str(error)
    except Exception:
        text = "(its message cannot be shown)"
    return f"{name}: {text}"[:_LONGEST] if text else name


def _where(traceback: TracebackType | None) -> str:
    """Return the innermost place of the user's own code, as `` (train.py, line 12)``."""
    best = None
    while traceback is not None:
        code = traceback.tb_frame.f_code.co_filename
        own = not ("site-packages" in code or code.startswith((_LIBRARY, "<frozen")))
        if best is None or own:
            best = code, traceback.tb_lineno
        traceback = traceback.tb_next
    if best is None:
        return ""
    name, line = best
    compiler = getattr(_notebook.shell(), "compile", None)
    format_name = getattr(compiler, "format_code_name", None)
    cell = format_name(name) if format_name is not None else None
    if cell is not None:
        return f" ({' '.join(cell)}, line {line})"
    return f" ({os.path.basename(name)}, line {line})"


def watch(session: Dotscience, run: Run) -> None:
    """See to it that a run that has just begun is published as failed if its code dies."""
    if session not in _sessions:
        _sessions.append(session)
    _watch_threads()
    ipython = _notebook.shell()
    if ipython is None:
        _watch_interpreter()
        return
    thread = _thread.get_ident()
    # a loop that starts a thousand runs leaves one to watch
    _in_cell[:] = [
        entry for entry in _in_cell if entry[2] != thread or _is_current(entry[0], entry[1])
    ]
    _in_cell.append((session, run, thread))
    _watch_shell(ipython)


def _is_current(session: Dotscience, run: Run) -> bool:
    """Return whether a run is still the one that this thread has started last."""
    return run is (session._threads.run or session._shared)


# notebooks


def _watch_shell(ipython: Any) -> None:
    global _watched_shell
    if _watched_shell is not ipython:
        _watched_shell = ipython
        ipython.events.register("post_run_cell", _after_cell)


def _after_cell(result: Any) -> None:
    """Publish as failed what the cell has started and not published, if the cell failed."""
    thread = _thread.get_ident()
    started = [entry for entry in _in_cell if entry[2] == thread]
    _in_cell[:] = [entry for entry in _in_cell if entry[2] != thread]
    error = getattr(result, "error_in_exec", None)
    if not isinstance(error, BaseException) or is_success(error):
        return
    for session, run, _thread_of_run in started:
        # neither dropped by another start(), nor published
        if _is_current(session, run) and run._start is not None:
            publish(session, run, error)


# scripts


def _watch_interpreter() -> None:
    global _excepthook
    if _excepthook is None:
        _excepthook = sys.excepthook
        sys.excepthook = _on_exception


def _watch_threads() -> None:
    global _threading_hook
    # a program that has threads has loaded this
    threading: Any = sys.modules.get("threading")
    if threading is not None and _threading_hook is None:
        _threading_hook = threading.excepthook
        threading.excepthook = _on_thread_exception


def _on_exception(
    kind: type[BaseException], error: BaseException, traceback: TracebackType | None
) -> None:
    try:
        _excepthook(kind, error, traceback)
    finally:
        # at the prompt of `python` an exception ends a line, not the program
        if not hasattr(sys, "ps1"):
            for session in _sessions:
                _publish_under_way(session, session._shared, error)


def _on_thread_exception(args: Any) -> None:
    try:
        _threading_hook(args)
    finally:
        if args.exc_value is not None:
            for session in _sessions:
                # called in the thread that dies
                run = session._threads.run
                _publish_under_way(session, run, args.exc_value)


def _publish_under_way(session: Dotscience, run: Run | None, error: BaseException) -> None:
    if run is None or run._start is None or is_success(error):
        return
    if run._begun.get("pid") != os.getpid():
        return  # a forked child's exception: the run is its parent's
    publish(session, run, error)
