"""How commands are found and how their help looks: plain words in columns, nothing of it markup."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from importlib import import_module
from typing import Any, ClassVar, NoReturn

import typer
from typer.core import TyperCommand, TyperGroup

from erpsync.cli.options import HOW, OUTPUT, WHAT
from erpsync.cli.output import room, say
from erpsync.cli.tables import wrapped
from erpsync.cli.words import plainly_read
from erpsync.domain.nearest import meant
from erpsync.errors import UsageError
from erpsync.workbench import Workbench

_HELP_WIDTH = 80  # at most: longer lines are hard to read
_PANELS = (WHAT, HOW, OUTPUT)


class Command(TyperCommand):
    """One command, with help in the words of the design."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Typer's, ``--help`` among them; plain words are taken without pydantic."""
        return plainly_read(super().get_params(ctx))

    def get_help(self, ctx: Any) -> NoReturn:
        """Print the help and end the command; typer would print what this returns."""
        say(*_command_help(self, ctx))
        raise typer.Exit(0)


class Commands(TyperGroup):
    """A group of commands; one that is not there is answered with the nearest."""

    deferred: ClassVar[Mapping[str, str]] = {}  # commands whose module is loaded when they are asked for
    unmade: Mapping[str, Any] = {}  # commands that Typer makes of their functions when they are asked for

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command of that name, loaded and made now if it was not yet; None when there is none."""
        if cmd_name not in self.commands:
            if cmd_name in self.deferred:
                self.add_command(_made(import_module(self.deferred[cmd_name]).app), cmd_name)
            elif cmd_name in self.unmade:
                made = typer.main.get_command_from_info(
                    self.unmade[cmd_name], pretty_exceptions_short=False, rich_markup_mode=None
                )
                self.add_command(made, cmd_name)
        return super().get_command(ctx, cmd_name)

    def get_params(self, ctx: Any) -> list[Any]:
        """Typer's, ``--help`` among them; plain words are taken without pydantic."""
        return plainly_read(super().get_params(ctx))

    def list_commands(self, ctx: Any) -> list[str]:
        """Every name, made yet or not."""
        return [*super().list_commands(ctx), *(name for name in self._visible() if name not in self.commands)]

    def get_help(self, ctx: Any) -> NoReturn:
        """Print the help and end the command."""
        say(*_group_help(self, ctx))
        raise typer.Exit(0)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Typer's, but a group alone says what it has."""
        if not args and not ctx.resilient_parsing:
            if ctx.parent is None:
                self.get_help(ctx)
            raise UsageError(f"{_path(ctx)} needs a command", hint=f"one of {', '.join(self._visible())}")
        return super().parse_args(ctx, args)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Typer's, but our own words for a command that does not exist."""
        name = args[0]
        if self.get_command(ctx, name) is None and not ctx.resilient_parsing and not name.startswith("-"):
            from erpsync.cli.misplaced import meant_by  # noqa: PLC0415  (only for an error)

            found = meant(name, self._visible()) or meant_by(self, args, group_words=str(ctx.command_path).split()[1:])
            raise UsageError(f"{_path(ctx)} has no command {name}", hint=f"{found}All: {ctx.command_path} --help")
        return super().resolve_command(ctx, args)

    def _visible(self) -> list[str]:
        made = [name for name, command in self.commands.items() if not command.hidden]
        return list(dict.fromkeys([*self.unmade, *made, *self.deferred]))


def _made(app: typer.Typer) -> Any:
    """The command or group of a module; the commands of a group wait until they are asked for."""
    if app.registered_callback is None:
        return typer.main.get_command(app)
    bare = copy(app)
    bare.registered_commands = []
    found = typer.main.get_command(bare)
    if isinstance(found, Commands):
        found.unmade = {str(info.name): info for info in app.registered_commands}
    return found


def _path(ctx: Any) -> str:
    return str(ctx.command_path).removeprefix("erpsync").strip() or "erpsync"


def workbench(ctx: typer.Context) -> Workbench:
    """The workbench of this run."""
    found = ctx.find_object(Workbench)
    if found is None:  # cannot be: ``output.run`` hands one to every command
        raise TypeError("no workbench")
    return found


def alone() -> typer.Typer:
    """The home of one command that is no noun's."""
    return typer.Typer(cls=Commands, rich_markup_mode=None, add_completion=False)


def group(name: str, text: str) -> typer.Typer:
    """A group of commands, made our way."""
    return typer.Typer(
        name=name, cls=Commands, callback=_nothing, help=text, rich_markup_mode=None, add_completion=False
    )


def _nothing() -> None:
    """Keeps a group of one command a group."""


def _command_help(command: TyperCommand, ctx: Any) -> list[str]:
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    options = [p for p in command.params if p.param_type_name == "option" and not getattr(p, "hidden", False)]
    usage = " ".join([*(str(p.metavar or p.name).replace("_", "-") for p in arguments), "[options]"])
    lines = [*wrapped(_first_words(command.help), room=_help_width()), "", f"Usage: {ctx.command_path} {usage}"]
    rows: dict[str, list[tuple[str, str]]] = {panel: [] for panel in _PANELS}
    for parameter in arguments:
        if text := getattr(parameter, "help", None):
            rows[WHAT].append((str(parameter.metavar or parameter.name).strip("[]"), text))
    for parameter in options:
        panel = getattr(parameter, "rich_help_panel", None) or HOW
        rows.setdefault(panel, []).append((_option(parameter), getattr(parameter, "help", "") or ""))
    for panel, entries in rows.items():
        if entries:
            lines += ["", panel, *_entries(entries)]
    lines += ["", "Also: --help"]
    if command.epilog:
        lines += ["", *command.epilog.split("\n")]
    return lines


def _help_width() -> int:
    return min(room() or _HELP_WIDTH, _HELP_WIDTH)


def _option(parameter: Any) -> str:
    names = ", ".join(sorted(parameter.opts, key=len))
    return names if parameter.is_flag else f"{names} {parameter.metavar or ''}".rstrip()


def _entries(entries: list[tuple[str, str]]) -> list[str]:
    column = min(max(len(name) for name, _ in entries), 28) + 2
    lines = []
    for name, text in entries:
        first = f"  {name:<{column}}" if len(name) < column else f"  {name}  "
        lines += wrapped(text, room=_help_width(), first=first, then=" " * (column + 2))
    return lines


def _first_words(text: str | None) -> str:
    return " ".join((text or "").split())


def _group_help(command: Commands, ctx: Any) -> list[str]:
    if ctx.parent is None:
        from erpsync.cli.front_page import FRONT_PAGE  # noqa: PLC0415  (text that only help shows)

        return FRONT_PAGE.splitlines()
    made = [(name, command.get_command(ctx, name)) for name in command.list_commands(ctx)]
    rows = [(name, _first_words(sub.help)) for name, sub in made if not sub.hidden]
    return [_first_words(command.help), "", f"Usage: {ctx.command_path} COMMAND", "", *_entries(rows)]
