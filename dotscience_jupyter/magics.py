# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The IPython magics: ``%%ds_run``, ``%ds_status`` and ``%ds_runs``.

``%load_ext dotscience_jupyter`` registers them. The workspace is opened only by the magics that
look at it, so that loading the extension costs a notebook nothing.
"""

from __future__ import annotations

import argparse
import ast
import os
import shlex
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from IPython.core.error import UsageError
from IPython.core.magic import (
    Magics,
    cell_magic,
    line_magic,
    magics_class,
    output_can_be_silenced,
)

import dotscience as ds

if TYPE_CHECKING:
    from .api.models import RunSummary, Status
    from .api.service import WorkspaceService

_MOST_COLUMNS = 8  # of metrics, and of parameters, in a table
_MOST_FILES = 20
_WIDEST = 60  # characters of a cell of a table


class _Parser(argparse.ArgumentParser):
    """An argument parser that tells IPython, in one line, instead of ending the kernel."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{self.prog}: {message}. See {self.prog}? for how it is used.")


def _run_parser() -> _Parser:
    parser = _Parser("%%ds_run", add_help=False, allow_abbrev=False)
    parser.add_argument("description", nargs="?")
    for name, short in (
        ("param", "p"),
        ("label", "l"),
        ("input", "i"),
        ("output", "o"),
        ("metric", "m"),
    ):
        parser.add_argument(f"-{short}", f"--{name}", action="append", default=[])
    return parser


def _runs_parser() -> _Parser:
    parser = _Parser("%ds_runs", add_help=False, allow_abbrev=False)
    for name in ("where", "search", "sort"):
        parser.add_argument(f"--{name}", default="")
    parser.add_argument("--limit", type=_positive, default=20)
    return parser


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"a whole number from 1 on is wanted, not {text!r}")
    return int(text)


def _parse(parser: _Parser, line: str) -> argparse.Namespace:
    try:
        words = shlex.split(line)
    except ValueError as error:
        reason = str(error).lower()
        raise UsageError(f"{parser.prog}: {reason} in its first line. Check the quotes.") from None
    return parser.parse_args(words)


def _pairs(option: str, texts: Sequence[str]) -> list[tuple[str, str]]:
    pairs = []
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise UsageError(f"%%ds_run: --{option} wants NAME=VALUE, not {text!r}.")
        pairs.append((name, value))
    return pairs


def typed(text: str) -> object:
    """Return a value as the Python literal that it is, else as the text that it is.

    >>> typed("0.1"), typed("True"), typed("rbf")
    (0.1, True, 'rbf')
    """
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return text
    return value if value is None or isinstance(value, bool | int | float | str) else text


@magics_class
class DotscienceMagics(Magics):
    """Magics that record cells and show what was recorded."""

    shell: Any  # IPython's shell, which is set for as long as its magics live

    @output_can_be_silenced
    @cell_magic
    def ds_run(self, line: str, cell: str) -> object:
        """Record the cell as a run, and publish it at the end of the cell.

        ::

            %%ds_run "train an SVM" --param C=1.0 --input data.csv --output model.bin --metric score
            ...
            score = model.score(x, y)

        Every option may be given several times.

        ``"description"``
            What the run is, in a few words.
        ``--param NAME=VALUE``, ``-p``
            A parameter; the value is read as a Python literal where it is one.
        ``--label NAME=VALUE``, ``-l``
            A label.
        ``--input PATH``, ``-i`` and ``--output PATH``, ``-o``
            A file or folder that the cell reads or writes.
        ``--metric NAME``, ``-m``
            A variable that is a metric: its value after the cell is recorded.

        The cell may use the ``ds`` functions too; they record into the same run. A cell that fails
        is published as a failed run, and its error is shown as usual.
        """
        __tracebackhide__ = True
        options = _parse(_run_parser(), line)
        parameters = _pairs("param", options.param)
        labels = _pairs("label", options.label)
        for name in options.metric:
            if not name.isidentifier():
                raise UsageError(f"%%ds_run: --metric wants the name of a variable, not {name!r}.")
        steps = self._compiled(cell)
        with ds.run(options.description) as run:
            for name, value in parameters:
                run.add_parameter(name, typed(value))
            for name, value in labels:
                run.add_label(name, value)
            run.add_inputs(*options.input)
            run.add_outputs(*options.output)
            result = None
            for step in steps:
                # the cell's own code, as IPython itself runs it
                result = eval(step, self.shell.user_ns)  # noqa: S307  # typed by the user, in their kernel
            missing = [name for name in options.metric if name not in self.shell.user_ns]
            for name in options.metric:
                if name not in missing:
                    run.add_metric(name, self.shell.user_ns[name])
        if missing:
            sys.stderr.write(
                f"%%ds_run: after the cell there is no variable {', '.join(missing)}, so that "
                "metric was not recorded. The run was published without it.\n"
            )
        return result

    def _compiled(self, cell: str) -> list[Any]:
        """Return the code of a cell: all of it, and its last expression for its value."""
        shell = self.shell
        source = shell.transform_cell(cell)
        # the first line is the magic's, so that lines are numbered as in the notebook
        # and under the cell's number, which the shell has counted up already
        number = len(shell.history_manager.input_hist_parsed) - 1
        name = shell.compile.cache("\n" + source, number, raw_code="\n" + cell)
        tree = shell.transform_ast(shell.compile.ast_parse(source, filename=name))
        ast.increment_lineno(tree, 1)
        if _awaits(tree):
            raise UsageError(
                "%%ds_run cannot run a cell that awaits. Put the code into a block "
                "`with ds.run(...):` instead. Nothing was run."
            )
        last = tree.body[-1] if tree.body else None
        if not isinstance(last, ast.Expr):
            return [shell.compile(tree, name, "exec")]
        return [
            shell.compile(ast.Module(tree.body[:-1], []), name, "exec"),
            shell.compile(ast.Expression(last.value), name, "eval"),
        ]

    @line_magic
    def ds_status(self, line: str) -> None:
        """Show the state of the workspace: what has changed since its newest commit."""
        if line.strip():
            raise UsageError("%ds_status takes no arguments.")
        with _service() as service:
            status = service.status(fresh=True)
            root, waiting = service.workspace.root, _waiting(service)
        text = _status_lines(status, root.name or str(root), waiting)
        _display("<br>".join(escape(entry) for entry in text), "\n".join(text))

    @line_magic
    def ds_runs(self, line: str) -> None:
        """Show the runs of the workspace as a table, newest first.

        ::

            %ds_runs --where "metrics.accuracy > 0.9" --sort "metrics.accuracy desc" --limit 10

        ``--where``
            Which runs: ``metrics.NAME``, ``parameters.NAME``, ``labels.NAME``, ``status`` and
            others compared by ``= != < <= > >= ~``, joined by ``and``, ``or``, ``not``.
        ``--search``
            Only runs in which these words occur.
        ``--sort``
            By what to sort: ``metrics.accuracy desc, started``.
        ``--limit``
            At most so many; 20 if not given.
        """
        options = _parse(_runs_parser(), line)
        with _service() as service:
            page = service.runs(
                where=options.where, search=options.search, sort=options.sort, limit=options.limit
            )
            waiting = _waiting(service)
        notes = []
        if not page.items:
            filtered = options.where or options.search
            notes.append("No run matches." if filtered else "No runs yet.")
        elif page.total > len(page.items):
            notes.append(f"{len(page.items)} of {page.total} runs.")
        notes += _waiting_note(waiting)
        head, rows = _runs_table(page.items)
        _display(
            _html_table(head, rows) + "".join(f"<div>{escape(note)}</div>" for note in notes),
            "\n".join([*_text_table(head, rows), *notes]),
        )


def _awaits(tree: ast.Module) -> bool:
    """Return whether code awaits outside of every function."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Await | ast.AsyncFor | ast.AsyncWith):
            return True
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            waiting += ast.iter_child_nodes(node)
    return False


@contextmanager
def _service() -> Iterator[WorkspaceService]:
    """Open the workspace around; what a user can mend is a UsageError."""
    from .api.service import ApiError, WorkspaceService

    try:
        service = WorkspaceService.open(Path.cwd())
        try:
            yield service
        finally:
            service.close()
    except ApiError as error:
        raise UsageError(" ".join(error.message.split())) from None
    except OSError as error:
        raise UsageError(f"The workspace cannot be read: {error.strerror or error}.") from None


def _waiting(service: WorkspaceService) -> int:
    """Return how many runs are published and not yet committed."""
    try:
        names = os.listdir(service.workspace.spool)
    except FileNotFoundError:
        return 0
    return sum(name.endswith(".json") and not name.startswith(".") for name in names)


def _waiting_note(waiting: int) -> list[str]:
    if not waiting:
        return []
    runs = "1 published run is" if waiting == 1 else f"{waiting} published runs are"
    return [
        f"{runs} not recorded yet: a running Jupyter server does it at once, and "
        "`jupyter dotscience commit` at any time."
    ]


def _status_lines(status: Status, name: str, waiting: int) -> list[str]:
    lines = [f"Workspace {name}: {status.message or status.status}"]
    for entry in status.error_detail:
        lines.append(f"error: {entry.message}")
    shown = status.changed_files[:_MOST_FILES]
    for file in shown:
        before = f"{file.old_filename} -> " if file.old_filename is not None else ""
        lines.append(f"  {file.file_status}: {before}{file.filename}")
    more = status.more_changed_files + len(status.changed_files) - len(shown)
    if more:
        lines.append(f"  ... and {more} more")
    return lines + _waiting_note(waiting)


def _runs_table(runs: Sequence[RunSummary]) -> tuple[list[str], list[list[str]]]:
    metrics = sorted({name for run in runs for name in run.metrics})[:_MOST_COLUMNS]
    parameters = sorted({name for run in runs for name in run.parameters})[:_MOST_COLUMNS]
    if not runs:
        return [], []
    rows = []
    for run in runs:
        when = (run.started or run.created).astimezone().strftime("%Y-%m-%d %H:%M:%S")
        rows.append(
            [run.id[:8], run.description or "-", run.status, when, run.workload_file or "-"]
            + [_scalar(run.metrics.get(name)) for name in metrics]
            + [_scalar(run.parameters.get(name)) for name in parameters]
        )
    return ["run", "description", "status", "when", "file", *metrics, *parameters], rows


def _scalar(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _clean(text: str) -> str:
    """Return a text on one line, short enough for a table."""
    line = "".join(c if c.isprintable() else " " for c in text)
    return line if len(line) <= _WIDEST else line[: _WIDEST - 1] + "\N{HORIZONTAL ELLIPSIS}"


def _text_table(head: list[str], rows: list[list[str]]) -> list[str]:
    if not rows:
        return []
    table = [[_clean(text) for text in row] for row in [head, *rows]]
    widths = [max(len(row[column]) for row in table) for column in range(len(head))]
    return [
        "  ".join(f"{text:<{width}}" for text, width in zip(row, widths, strict=True)).rstrip()
        for row in table
    ]


def _html_table(head: list[str], rows: list[list[str]]) -> str:
    if not rows:
        return ""

    def line(tag: str, texts: list[str]) -> str:
        cells = "".join(
            f'<{tag} style="text-align:left" title="{escape(text)}">{escape(_clean(text))}</{tag}>'
            for text in texts
        )
        return f"<tr>{cells}</tr>"

    body = "".join(line("td", row) for row in rows)
    return (
        '<div style="overflow-x:auto"><table>'
        f"<thead>{line('th', head)}</thead><tbody>{body}</tbody></table></div>"
    )


def _display(html: str, text: str) -> None:
    from IPython.display import display

    show: Any = display  # which IPython does not annotate
    show({"text/html": html, "text/plain": text}, raw=True)


def load(ipython: Any) -> None:
    """Register the magics with an IPython shell."""
    ipython.register_magics(DotscienceMagics)


def unload(ipython: Any) -> None:
    """Take the magics away again."""
    for kind, names in (("cell", ("ds_run",)), ("line", ("ds_status", "ds_runs"))):
        for name in names:
            ipython.magics_manager.magics[kind].pop(name, None)
    ipython.magics_manager.registry.pop(DotscienceMagics.__name__, None)
