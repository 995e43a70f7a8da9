"""A cause from the store as a sentence and the command to run; everything returned is safe for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from erpsync.cli.output import command_line
from erpsync.cli.pausing import pause_text
from erpsync.terminal import plural, safe

if TYPE_CHECKING:
    from erpsync.store.reading.cause import Cause

_ERROR = 90
_DUE = "(state = ready or state = leased)"


def cause_text(cause: Cause) -> str:
    """What is the matter, in a sentence."""
    system = safe(cause.system or "")
    error = f": {safe(cause.error, limit=_ERROR)}" if cause.error else ""
    match cause.code:
        case "system_down":
            return f"{system} is down, breaker open, {cause.messages:,} wait{error}"
        case "system_stopped":
            return f"{system} is stopped until resumed, {cause.messages:,} wait{error}"
        case "system_paused" | "flow_paused":
            what = f"flow {safe(cause.flow)}" if cause.flow else system
            wait = "waits" if cause.messages == 1 else "wait"
            return f"{what} is {pause_text('both', cause.by)}, {cause.messages:,} {wait}{error}"
        case "dead_letters":
            what = f"dead letter {cause.first_id}" if cause.messages == 1 else plural(cause.messages, "dead letter")
            return f"{what} to {system}{_reasons(cause)}{_behind(cause)}{error}"
        case "outcome_unknown":
            if cause.messages == 1:
                return f"answer lost: {safe(cause.first_key)} may be with {system}{_behind(cause)}"
            return f"{cause.messages:,} answers lost: they may be with {system}{_behind(cause)}"
        case "held":
            return (
                f"{plural(cause.messages, 'message')} to {system} wait{'s' if cause.messages == 1 else ''} for a person"
            )
        case _:
            kinds = ", ".join(f"{safe(kind)} {count:,}" for kind, count in cause.kinds)
            return f"{plural(cause.messages, 'exception')} open: {kinds}"


def _reasons(cause: Cause) -> str:
    """Why they are dead, where that is not the same for all: the one error that is told would hide the others."""
    if len(cause.kinds) < 2:
        return ""
    return f" ({', '.join(f'{count:,} {safe(reason)}' for reason, count in cause.kinds)})"


def _behind(cause: Cause) -> str:
    if not cause.behind and not cause.behind_more:
        return ""
    return f", {cause.behind:,}{'+' if cause.behind_more else ''} wait{'s' if cause.behind == 1 else ''} behind"


def cause_run(cause: Cause) -> str:
    """The command that shows more of it, or mends it."""
    match cause.code:
        case "system_down" | "system_stopped":
            return command_line("erpsync", "systems", "probe", cause.system or "")
        case "system_paused" | "flow_paused":
            noun = "flows" if cause.flow else "systems"
            return command_line("erpsync", noun, "resume", cause.flow or cause.system or "")
        case "dead_letters":
            if cause.messages == 1 and cause.first_id is not None:
                return f"erpsync dlq show {cause.first_id}"
            return command_line("erpsync", "dlq", "list", "--where", f"system = {cause.system}")
        case "outcome_unknown":
            if cause.messages == 1 and cause.first_id is not None:
                return f"erpsync messages show {cause.first_id}"
            return command_line(
                "erpsync", "messages", "list", "--where", f"state = unknown and system = {cause.system}"
            )
        case "held":
            if cause.messages == 1 and cause.first_id is not None:
                return f"erpsync messages show {cause.first_id}"
            return command_line("erpsync", "messages", "list", "--where", f"state = held and system = {cause.system}")
        case _:
            return "erpsync exceptions list"


def cause_list(cause: Cause) -> str:
    """The command that lists all that stands by it, each with its key; the ``run`` of some does."""
    match cause.code:
        case "flow_paused":
            return _messages(f"flow = {cause.flow} and {_DUE}")
        case "system_down" | "system_stopped" | "system_paused":
            return _messages(f"system = {cause.system} and {_DUE}")
        case "dead_letters":
            return _messages(f"system = {cause.system} and state = dead")
        case "outcome_unknown":
            return _messages(f"state = unknown and system = {cause.system}")
        case "held":
            return _messages(f"state = held and system = {cause.system}")
        case _:
            kinds = " or ".join(f"kind = {kind}" for kind, _ in cause.kinds)
            return command_line("erpsync", "exceptions", "list", "--where", kinds)


def _messages(where: str) -> str:
    return command_line("erpsync", "messages", "list", "--where", where)
