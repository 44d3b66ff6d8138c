# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""Record what a notebook or a script does: ``import dotscience as ds``.

::

    ds.start("first try")
    rate = ds.param("rate", 0.1)
    data = open(ds.input("data.csv"))
    ds.metric("accuracy", 0.93)
    ds.publish()

Everything a program of 2018 to 2020 used is here under its name and behaves as it did. What is
new is the ``with ds.run("..."):`` block, ``step=`` for series of metrics, types that are kept, more
kinds of models, runs that fail being recorded as such, and the environment being recorded unasked.

This package needs nothing but the standard library, and takes milliseconds to import.
"""

from __future__ import annotations

import sys

from ._dotscience import Dotscience

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TextIO, TypeVar

    from ._remote import DotmeshClient, DotName, HubError
    from ._run import Run
    from ._tracked import TrackedRun

    T = TypeVar("T")

__all__ = [
    "DotName",
    "DotmeshClient",
    "Dotscience",
    "HubError",
    "Run",
    "add_input",
    "add_inputs",
    "add_label",
    "add_labels",
    "add_metric",
    "add_metrics",
    "add_model",
    "add_output",
    "add_outputs",
    "add_parameter",
    "add_parameters",
    "add_summaries",
    "add_summary",
    "connect",
    "debug",
    "description",
    "end",
    "error",
    "input",
    "interactive",
    "label",
    "metric",
    "model",
    "observe_files",
    "output",
    "param",
    "parameter",
    "publish",
    "remote",
    "remove_prefix",
    "run",
    "script",
    "set_description",
    "set_error",
    "start",
    "summary",
]

# the name of the variable that chooses who builds models, as programs import it
ENV_DOTSCIENCE_BUILDER = "DOTSCIENCE_BUILDER"

# the session behind the functions; programs reach for it and replace it
_defaultDS = Dotscience()  # noqa: N816  # the name that programs know


def interactive() -> None:
    """Say that this is a notebook. Raise RuntimeError if it was said to be something else."""
    _defaultDS.interactive()


def script(workload_file: object = None) -> None:
    """Say that this is a script, and which (default: the one that was started).

    Raise RuntimeError if it was said to be something else.
    """
    _defaultDS.script(workload_file)


def remote() -> None:
    """Say that runs go straight to a hub. Raise RuntimeError if something else was said."""
    _defaultDS.remote()


def connect(username: str, apikey: str, project: str, hostname: str | None = "") -> None:
    """Connect to a project on a hub. Raise :class:`HubError` if it cannot be reached."""
    _defaultDS.connect(username, apikey, project, hostname)


def start(description: object = None) -> None:
    """Start a new run. What was recorded and not published is dropped."""
    _defaultDS.start(description)


def end() -> None:
    """Set the end time of the run, as ``publish()`` does otherwise; only the first call counts."""
    _defaultDS.end()


def publish(
    description: object = None,
    stream: TextIO | None = sys.stdout,
    build: bool = False,
    deploy: bool = False,
) -> None:
    """Publish the run: its text goes to ``stream``, its full record to the workspace.

    Everything recorded is kept for the next ``publish()``, which is another run, until ``start()``.

    Parameters
    ----------
    description
        Replaces the one given before.
    stream
        Where the text goes; the standard output.
    build, deploy
        In remote mode: have the hub build an image of the run's model, and serve it.

    Raises
    ------
    HubError
        In remote mode, if the hub cannot be reached or refuses. The run is kept.
    """
    _defaultDS.publish(description, stream, build, deploy)


def run(description: object = None, stream: TextIO | None = sys.stdout) -> TrackedRun:
    """Return a run for a ``with`` block, which starts it, and publishes it at its end.

    An exception that leaves the block makes the run a failed one, and goes on.

    >>> import io
    >>> with run("tiny", stream=io.StringIO()) as tiny:
    ...     value = tiny.metric("loss", 0.5, step=1)
    >>> value
    0.5
    """
    return _defaultDS.run(description, stream)


def set_error(error: object) -> None:
    """Say that the run failed, and why."""
    _defaultDS.set_error(error)


def error(error: T) -> T:
    """Say that the run failed, and why; return the argument."""
    return _defaultDS.error(error)


def set_description(description: object) -> None:
    """Say in a few words what the run is."""
    _defaultDS.set_description(description)


def description(description: T) -> T:
    """Say in a few words what the run is; return the argument."""
    return _defaultDS.description(description)


def add_input(filename: object) -> None:
    """Declare a file that is read; of a folder, all files that are in it now."""
    _defaultDS.add_input(filename)


def add_inputs(*filenames: object) -> None:
    """Declare several inputs."""
    _defaultDS.add_inputs(*filenames)


def input(filename: T) -> T:
    """Declare an input; return the argument, so that it can stand where the path stands."""
    return _defaultDS.input(filename)


def add_output(filename: object) -> None:
    """Declare a file that is written; of a folder, all files that are in it at publish."""
    _defaultDS.add_output(filename)


def add_outputs(*filenames: object) -> None:
    """Declare several outputs."""
    _defaultDS.add_outputs(*filenames)


def output(filename: T) -> T:
    """Declare an output; return the argument, so that it can stand where the path stands."""
    return _defaultDS.output(filename)


def add_label(label: object, value: object) -> None:
    """Attach a label, for searching."""
    _defaultDS.add_label(label, value)


def add_labels(*args: object, **kwargs: object) -> None:
    """Attach labels: ``add_labels("a", 1, "b", 2)`` or ``add_labels(a=1, b=2)``."""
    _defaultDS.add_labels(*args, **kwargs)


def label(label: object, value: T) -> T:
    """Attach a label; return the value."""
    return _defaultDS.label(label, value)


def add_metric(label: object, value: object, step: object = None) -> None:
    """Record a result; with a step, one point of a series, the last of which is the result."""
    _defaultDS.add_metric(label, value, step)


def add_metrics(*args: object, **kwargs: object) -> None:
    """Record results: ``add_metrics("a", 1, "b", 2)`` or ``add_metrics(a=1, b=2)``."""
    _defaultDS.add_metrics(*args, **kwargs)


def metric(label: object, value: T, step: object = None) -> T:
    """Record a result, or with a step one point of a series; return the value."""
    _defaultDS.add_metric(label, value, step)
    return value


# "summary statistic" is what a metric was called first
add_summary = add_metric
add_summaries = add_metrics
summary = metric


def add_parameter(label: object, value: object) -> None:
    """Record a setting that the run is made with."""
    _defaultDS.add_parameter(label, value)


def add_parameters(*args: object, **kwargs: object) -> None:
    """Record settings: ``add_parameters("a", 1, "b", 2)`` or ``add_parameters(a=1, b=2)``."""
    _defaultDS.add_parameters(*args, **kwargs)


def parameter(label: object, value: T) -> T:
    """Record a setting; return the value, so that it can stand where the value stands."""
    return _defaultDS.parameter(label, value)


param = parameter


def model(kind: object, name: object, *args: Any, **kwargs: Any) -> Any:
    """Register a model: ``model(sklearn, "name", "model.joblib", classes="classes.json")``.

    Returns the path. See :meth:`Run.model`.
    """
    return _defaultDS.model(kind, name, *args, **kwargs)


def add_model(kind: object, name: object, *args: Any, **kwargs: Any) -> None:
    """Register a model, as :func:`model` does."""
    _defaultDS.add_model(kind, name, *args, **kwargs)


def observe_files(on: bool = True) -> None:
    """Say whether files that runs open are remembered, for runs that declare none.

    The environment variable ``DOTSCIENCE_OBSERVE_FILES=0`` switches it off from outside.
    """
    from . import _observed

    _observed.observe_files(on)


def debug() -> None:
    """Print what would be published now."""
    _defaultDS.debug()


def remove_prefix(text: str, prefix: str) -> str:
    """Return a text without a prefix, if it has it."""
    return text.removeprefix(prefix)


def __getattr__(name: str) -> Any:
    # these come with the first run, or when somebody asks for them
    if name == "Run":
        from . import _run as module
    elif name in ("DotName", "DotmeshClient", "HubError"):
        from . import _remote as module  # type: ignore[no-redef]  # one of them is imported
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value = getattr(module, name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
