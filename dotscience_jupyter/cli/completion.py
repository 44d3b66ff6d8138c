# Copyright (c) dotscience-jupyter contributors.
# Distributed under the terms of the BSD 3-Clause License.
"""``completion``: the scripts that make a shell complete our commands."""

from __future__ import annotations

import click
from click.shell_completion import CompletionItem

from .context import Settings, common, open_service, pass_settings
from .output import one_line

PROGRAMS = ("ds", "jupyter-dotscience")


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@common
@pass_settings
def completion_command(settings: Settings, shell: str) -> None:
    r"""Print the script that makes SHELL complete 'ds' and 'jupyter-dotscience'.

    \b
    bash:  eval "$(ds completion bash)"      in ~/.bashrc
    zsh:   eval "$(ds completion zsh)"       in ~/.zshrc, after compinit
    fish:  ds completion fish | source       in ~/.config/fish/config.fish
    """
    script = completion_script(shell)
    if settings.json:
        settings.printer.document({"shell": shell, "programs": list(PROGRAMS), "script": script})
    else:
        click.echo(script)


def completion_script(shell: str) -> str:
    """Return the completion script for a shell (bash, zsh or fish), for both of our names."""
    from click.shell_completion import get_completion_class

    from .app import COMPLETE_VARIABLE, cli

    kind = get_completion_class(shell)
    assert kind is not None
    scripts = []
    for program in PROGRAMS:
        template = kind(cli, {}, program, COMPLETE_VARIABLE)
        # not source(): for bash it first starts a bash to ask for its version
        scripts.append((template.source_template % template.source_vars()).strip())
    return "\n\n".join(scripts)


def complete_where(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Return how a filter may go on."""
    from dotscience_jupyter.api.errors import ApiError

    try:
        with open_service(context.ensure_object(Settings)) as service:
            found = service.explore.complete(incomplete, len(incomplete))
    except ApiError:
        return []  # no workspace here: there is nothing to offer
    return [
        # a shell replaces the whole word, which is the filter
        CompletionItem(one_line(incomplete[: found.start] + item.text), help=one_line(item.detail))
        for item in found.items
    ]
