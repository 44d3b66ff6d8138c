# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""The tree of commands, and the one place where errors become exit codes."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from .context import Settings, common
from .errors import CommandError, explain
from .output import Printer, safe

# command -> (module that defines it, what the help says of it); the order is the help's
COMMANDS = {
    "init": ("workspace", "Start tracking a folder."),
    "status": ("workspace", "Say what changed since the newest commit."),
    "commit": ("workspace", "Freeze the files as they are, record waiting runs."),
    "run": ("execute", "Run a command here, tracked."),
    "runs": ("runs", "List, filter and sort the runs."),
    "live": ("live", "List the runs that are under way; abandon one."),
    "show": ("runs", "Show everything that is known of a run or a commit."),
    "provenance": ("provenance", "Show where a file, run or model came from."),
    "log": ("commits", "List the commits."),
    "history": ("history", "List the versions of a file."),
    "diff": ("diff", "Compare two commits or runs, or one and now."),
    "merge": ("merge", "Take another commit's changes into the files here."),
    "restore": ("commits", "Write a commit's files into a new folder."),
    "clone": ("sync", "Make a new folder from a commit, or from a hub."),
    "rollback": ("commits", "Make the files here what they were in a commit."),
    "send": ("moving", "Write a commit's content as a stream."),
    "receive": ("moving", "Take in content that was sent."),
    "verify": ("care", "Check everything recorded against its digests."),
    "repair": ("care", "Mend what is damaged, say what is lost."),
    "usage": ("care", "Say how much room the content takes."),
    "gc": ("care", "Free the room of what no commit needs."),
    "engine": ("engines", "Say what freezes files here, and what that needs."),
    "login": ("remotes", "Remember who you are on a hub."),
    "logout": ("remotes", "Forget that again."),
    "remote": ("remotes", "Say which hub this workspace belongs to."),
    "push": ("sync", "Send new commits to the hub."),
    "fetch": ("sync", "Take the hub's new commits, touch no file."),
    "pull": ("sync", "Take the hub's new commits and their files."),
    "dataset": ("datasets", "Make, attach and list datasets: versioned folders."),
    "hub": ("hub", "Serve a team's projects, and look after such a server."),
    "completion": ("completion", "Print the completion script of a shell."),
    "version": ("version", "Say which version this is."),
}

COMPLETE_VARIABLE = "_DOTSCIENCE_COMPLETE"
INTERRUPTED = 130
BROKEN_PIPE = 141


class _ReaderGoneError(Exception):
    """The program that our output goes to has ended."""


class Root(click.Group):
    """A group that imports a command when it is needed and never shows a traceback."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands in the order of the table above."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return one command, or None if there is none of that name."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f".{COMMANDS[cmd_name][0]}", __package__)
        command = getattr(module, f"{cmd_name}_command")
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; one that does not exist gets the nearest name as a hint."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            from difflib import get_close_matches

            if close := get_close_matches(args[0], COMMANDS, n=1):
                raise click.UsageError(f"{error.message} Did you mean '{close[0]}'?", ctx) from None
            raise

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; that nobody reads its output any more is told apart from a failure."""
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except BrokenPipeError as error:
            # as it is, click would turn it into exit code 1
            raise _ReaderGoneError from error
        return result

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        """Run a command line as ``click.Command.main`` does; errors become a sentence and code."""
        settings = extra.setdefault("obj", Settings())
        given = list(sys.argv[1:] if args is None else args)
        for stream in (sys.stdout, sys.stderr):
            # what the terminal's encoding has no character for is escaped, not an error
            if reconfigure := getattr(stream, "reconfigure", None):
                reconfigure(errors="backslashreplace")
        try:
            result = super().main(
                args,
                prog_name or program_name(),
                complete_var or COMPLETE_VARIABLE,
                standalone_mode=False,
                windows_expand_args=windows_expand_args,
                **extra,
            )
            code = result if isinstance(result, int) else 0
        except (click.Abort, KeyboardInterrupt):
            report(
                settings,
                given,
                CommandError("interrupted", "Interrupted; nothing that was recorded is lost."),
            )
            code = INTERRUPTED
        except _ReaderGoneError:
            # the reader (head, less) has gone; what Python would still flush at exit goes nowhere
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            code = BROKEN_PIPE
        except click.UsageError as error:
            code = report(
                settings, given, CommandError("usage", error.format_message(), exit=2), error.ctx
            )
        except Exception as error:
            if os.environ.get("DOTSCIENCE_DEBUG"):
                import traceback

                traceback.print_exc()
            code = report(settings, given, explain(error))
        if standalone_mode:
            sys.exit(code)
        return code


def report(
    settings: Settings,
    given: Sequence[str],
    failure: CommandError,
    context: click.Context | None = None,
) -> int:
    """Tell of a failure on standard error and return its exit code."""
    as_json = settings.json
    if failure.code == "usage":
        # parsing failed, perhaps before it came to this option
        as_json = as_json or "--json" in given[: given.index("--") if "--" in given else None]
    printer = Printer(as_json, stream=sys.stderr)
    if printer.json:
        told = {"code": failure.code, "message": failure.message, **failure.more}
        printer.document({"error": told})
        return failure.exit
    if context is not None:
        printer.line(context.get_usage())
        printer.line(f"'{context.command_path} --help' says more.", style="dim")
    printer.line(("Error: ", "bold red"), safe(failure.message, newlines=True))
    for line in failure.detail.split("\n") if failure.detail else ():
        printer.line("  ", safe(line), style="dim")
    return failure.exit


def program_name() -> str:
    """Return what the user typed to start us."""
    name = Path(sys.argv[0]).name.removesuffix(".exe")
    if name == "__main__.py":
        return "python -m dotscience_jupyter.cli"
    # ``jupyter dotscience`` starts jupyter-dotscience
    return "jupyter dotscience" if name == "jupyter-dotscience" else name


def _version(context: click.Context, parameter: click.Parameter, value: bool) -> None:
    if value:
        from .version import installed

        click.echo(installed())
        context.exit()


EPILOG = """\b
Exit codes: 0 done, 1 it could not be done, 2 wrong usage, 3 something is damaged or missing,
4 no workspace here, 130 interrupted; 'run' exits with the command's own.
"""


@click.command(
    "ds",
    cls=Root,
    invoke_without_command=True,
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_version,
    help="Show the version and exit.",
)
@common
@click.pass_context
def cli(context: click.Context) -> None:
    """Git for executions: runs, the exact files they ran with, and where those came from."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())
