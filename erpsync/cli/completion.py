"""``completion``: what a shell reads so that Tab completes commands, options, ids, systems, keys and filters."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from erpsync.cli.commands import Command, alone
from erpsync.cli.output import say

app = alone()


class Shell(StrEnum):
    """The shells that can be told."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


@app.command(
    name="completion",
    cls=Command,
    epilog="Example: erpsync completion bash",
)
def completion(
    shell: Annotated[Shell, typer.Argument(metavar="SHELL", help="bash, zsh or fish", show_default=False)],
) -> None:
    """Print what makes Tab complete commands, options, ids, systems, keys and filters in a shell.

    One line makes it so. bash, in ~/.bashrc, and zsh, in ~/.zshrc below compinit: source <(erpsync completion SHELL).
    fish: erpsync completion fish > ~/.config/fish/completions/erpsync.fish. Tab only looks: it reads the landscape and
    the store that the line names, and changes nothing.
    """
    from erpsync.cli.completion_scripts import SCRIPTS  # noqa: PLC0415  (not for help)

    say(*SCRIPTS[shell.value].splitlines(), whole=True)
