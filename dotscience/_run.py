# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""A run: what a program says of one execution of (part of) itself."""

from __future__ import annotations

import os

from ._text import block, dumps, new_id
from ._values import Series, files_below, kind_of, path_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from datetime import datetime
    from typing import Any, TypeVar

    from ._observed import Observed

    T = TypeVar("T")


def utc_now() -> datetime:
    """Return the time now, in UTC and without a zone, as the format's times are."""
    # imported on first use, and where there is the C module, without the pure Python beside it that
    # would go unused: the class is the same, and there five times sooner
    try:
        import _datetime as module  # type: ignore[import-not-found]  # typeshed leaves it out
    except ImportError:
        import datetime as module
    now: datetime = module.datetime.now(module.UTC).replace(tzinfo=None)
    return now


class Run:
    """Records what is said of one run. Most people use the functions of the module instead.

    Parameters
    ----------
    root
        The folder that all recorded paths are made relative to.
    """

    def __init__(self, root: str) -> None:
        self._id: str | None = None
        self._error: str | None = None
        self._description: str | None = None
        self._inputs: set[str] = set()
        self._outputs: set[str] = set()
        self._labels: dict[str, str] = {}
        # the final value of a series stays what it is until somebody asks for its text
        self._metric: dict[str, Any] = {}
        self._parameters: dict[str, str] = {}
        self._start: datetime | None = None
        self._end: datetime | None = None
        self._workload_file: str | None = None
        self._mode: str | None = None
        self._root = root
        self._model_dir: str | None = None
        self._types: dict[str, dict[str, str]] = {"parameters": {}, "summary": {}, "labels": {}}
        self._series: dict[str, Series] = {}
        self._traceback: str | None = None
        # what was true when it began: see _environment.begin
        self._begun: dict[str, Any] = {}
        # files that it opened: see _observed
        self._observed: Observed | None = None

    @property
    def id(self) -> str | None:
        """The id under which the run was published last, or None."""
        return self._id

    def _set_workload_file(self, workload_file: str | None) -> None:
        self._workload_file = workload_file

    # times

    def start(self) -> None:
        """Set the start time. Raise RuntimeError when it is set already."""
        if self._start is not None:
            raise RuntimeError(
                "This run has been started already. ds.start() makes a new run and starts it."
            )
        self._start = utc_now()

    def lazy_start(self) -> None:
        """Set the start time if it is not set."""
        if self._start is None:
            self._start = utc_now()

    def forget_times(self) -> None:
        """Forget when the run started and ended; what is recorded next starts it again."""
        self._start = None
        self._end = None
        if self._observed is not None:
            # what was read stays with it, as what was declared does; what is written is written
            # once
            self._observed.outputs.clear()

    def end(self) -> None:
        """Set the end time; only the first call counts."""
        if self._end is None:
            self._end = utc_now()

    # texts

    def set_error(self, error: object) -> None:
        """Say that the run failed, and why."""
        self._error = str(error)

    def error(self, error: T) -> T:
        """Say that the run failed, and why; return the argument."""
        self.set_error(error)
        return error

    def set_description(self, description: object) -> None:
        """Say in a few words what the run is."""
        self._description = str(description)

    def description(self, description: T) -> T:
        """Say in a few words what the run is; return the argument."""
        self.set_description(description)
        return description

    # files

    def add_input_file(self, filename: object) -> None:
        """Declare one input, without looking whether it is a folder."""
        self._inputs.add(os.path.relpath(path_text(filename), start=self._root))

    def add_input(self, filename: object) -> None:
        """Declare a file that is read. Of a folder, every file that is in it now."""
        path = path_text(filename)
        if not os.path.isfile(path):
            from . import _pinned

            _pinned.bring(path)
        if os.path.isdir(path):
            for file in files_below(path):
                self.add_input_file(file)
        else:
            self.add_input_file(path)

    def add_inputs(self, *args: object) -> None:
        """Declare several inputs."""
        for filename in args:
            self.add_input(filename)

    def input(self, filename: T) -> T:
        """Declare an input; return the argument."""
        self.add_input(filename)
        return filename

    def add_output(self, filename: object) -> None:
        """Declare a file that is written. Of a folder, every file that is in it at publish."""
        self._outputs.add(os.path.relpath(path_text(filename), start=self._root))

    def add_outputs(self, *args: object) -> None:
        """Declare several outputs."""
        for filename in args:
            self.add_output(filename)

    def output(self, filename: T) -> T:
        """Declare an output; return the argument."""
        self.add_output(filename)
        return filename

    # labels, metrics, parameters

    def _record(self, section: str, into: dict[str, Any], label: object, value: object) -> None:
        name = str(label)
        if type(value) is str:
            into[name] = value
            self._types[section].pop(name, None)
            return
        into[name] = text = str(value)
        kind = kind_of(value, text)
        if kind == "str":
            self._types[section].pop(name, None)
        else:
            self._types[section][name] = kind

    def add_label(self, label: object, value: object) -> None:
        """Attach a label, for searching."""
        self._record("labels", self._labels, label, value)

    def add_labels(self, *args: object, **kwargs: object) -> None:
        """Attach several labels, as alternating names and values or as keywords."""
        _each(self.add_label, args, kwargs)

    def label(self, label: object, value: T) -> T:
        """Attach a label; return the value."""
        self.add_label(label, value)
        return value

    def add_metric(self, label: object, value: object, step: object = None) -> None:
        """Record a result; with a step, one point of a series, the last of which is the result.

        Raises
        ------
        TypeError
            If a step is given and the value or the step is not a number.
        """
        if step is None:
            self._record("summary", self._metric, label, value)
            return
        name = label if type(label) is str else str(label)
        series = self._series.get(name)
        if series is None:
            series = self._series.setdefault(name, Series(name))
        self._metric[name] = series.add(value, step)

    def add_metrics(self, *args: object, **kwargs: object) -> None:
        """Record several results, as alternating names and values or as keywords."""
        _each(self.add_metric, args, kwargs)

    def metric(self, label: object, value: T, step: object = None) -> T:
        """Record a result or a point of a series (see :meth:`add_metric`); return the value."""
        self.add_metric(label, value, step)
        return value

    # "summary statistic" is what a metric was called first
    add_summary = add_metric
    add_summaries = add_metrics
    summary = metric

    def add_parameter(self, label: object, value: object) -> None:
        """Record a setting that the run was made with."""
        self._record("parameters", self._parameters, label, value)

    def add_parameters(self, *args: object, **kwargs: object) -> None:
        """Record several settings, as alternating names and values or as keywords."""
        _each(self.add_parameter, args, kwargs)

    def parameter(self, label: object, value: T) -> T:
        """Record a setting; return the value."""
        self.add_parameter(label, value)
        return value

    param = parameter

    # models

    def model(
        self, module: object, name: object, filepath: T, *args: object, **kwargs: object
    ) -> T:
        """Register a model that the run wrote; return its path.

        Parameters
        ----------
        module
            The library that it was made with: the imported module of scikit-learn, TensorFlow,
            Keras, PyTorch, XGBoost, LightGBM or ONNX; or a text that names any other kind, such
            as ``"generic"``.
        name
            What the model is called in the model library.
        filepath
            Its file or folder; it becomes an output.
        **kwargs
            ``classes``: path of a JSON file from class ids to names, which becomes an output too.
            ``version``: the version of the library, where the module cannot tell.

        Raises
        ------
        RuntimeError
            If the module is none of those.
        """
        from ._models import kind_and_version

        kind, version = kind_and_version(module, kwargs.get("version"))
        path = path_text(filepath)
        files = {"model": os.path.relpath(path, start=self._root)}
        self.add_output(path)
        classes = kwargs.get("classes")
        if classes is not None:
            files["classes"] = os.path.relpath(path_text(classes), start=self._root)
            self.add_output(classes)
        artefact = {"files": files, "type": kind, "version": version}
        self.add_label(f"artefact:{name}", dumps(artefact, compact=True))
        self._model_dir = path
        return filepath

    def add_model(self, kind: object, name: object, *args: Any, **kwargs: Any) -> None:
        """Register a model (see :meth:`model`)."""
        self.model(kind, name, *args, **kwargs)

    def getModelDir(self) -> str | None:  # noqa: N802  # the name that programs use since 2019
        """Return the path of the model registered last, or None."""
        return self._model_dir

    # the result

    def newID(self) -> None:  # noqa: N802  # the name that programs use since 2019
        """Give the run an id that was never used before."""
        self._id = new_id()

    def metadata(self) -> dict[str, Any]:
        """Return the object of the public text; of folders among the outputs, their files."""
        outputs: set[str] = set()
        for output in tuple(self._outputs):
            path = os.path.join(self._root, output)
            if os.path.isdir(path):
                outputs.update(os.path.relpath(f, start=self._root) for f in files_below(path))
            else:
                outputs.add(output)
        result: dict[str, Any] = {
            "version": "1",
            "input": sorted(self._inputs.copy()),
            "output": sorted(outputs),
            "labels": self._labels.copy(),
            "summary": {
                name: value if type(value) is str else str(value)
                for name, value in self._metric.copy().items()
            },
            "parameters": self._parameters.copy(),
        }
        for key, time in (("start", self._start), ("end", self._end)):
            if time is not None:
                result[key] = time.strftime("%Y%m%dT%H%M%S.%f")
        for key, text in (
            ("error", self._error),
            ("description", self._description),
            ("workload-file", self._workload_file),
        ):
            if text is not None:
                result[key] = text
        return result

    def types(self) -> dict[str, dict[str, str]]:
        """Return the types of the values that are not text, by section and name."""
        result = {section: kinds.copy() for section, kinds in self._types.items()}
        for name, value in self._metric.copy().items():
            if type(value) is not str:
                result["summary"][name] = kind_of(value, str(value))
        return {section: kinds for section, kinds in result.items() if kinds}

    def series(self) -> dict[str, Series]:
        """Return the series by name."""
        return self._series.copy()

    def __str__(self) -> str:
        return block(self._id, self.metadata())

    def debug(self) -> None:
        """Print what would be published now."""
        print(dumps(self.metadata(), indent=4))


def _each(add: Any, args: tuple[object, ...], kwargs: dict[str, object]) -> None:
    """Call a recorder for each keyword, then for each pair of positional arguments."""
    for name, value in kwargs.items():
        add(name, value)
    for index in range(0, len(args) - 1, 2):
        add(args[index], args[index + 1])
    if len(args) % 2:
        raise ValueError(
            f"Names and values come in pairs, but {args[-1]!r} has no value. "
            "What stood before it was recorded."
        )
