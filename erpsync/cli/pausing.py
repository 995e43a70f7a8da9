"""A pause in words; everything returned is safe for a terminal."""

from __future__ import annotations

from erpsync.terminal import plural, safe

_FOR = {"in": " for reading", "out": " for sending"}


def pause_text(pause: str, by: str | None) -> str:
    """``paused by mira``, ``paused for sending by mira``; ``pause`` is in, out or both."""
    who = f" by {safe(by, limit=20)}" if by else ""
    return f"paused{_FOR.get(pause, '')}{who}"


def in_hand_text(in_hand: int) -> str:
    """What becomes of what workers have claimed."""
    its = "its" if in_hand == 1 else "their"
    return f"{plural(in_hand, 'message')} in workers' hands: calls in flight come to {its} end, the rest waits."


def waiting_text(waiting: int) -> str:
    """How many wait, at no cost to them."""
    if not waiting:
        return "Nothing is due there; what comes will wait, and spend no try."
    verb, its = ("waits", "its") if waiting == 1 else ("wait", "their")
    return f"{plural(waiting, 'message')} {verb}, and spend{'s' if waiting == 1 else ''} no try; {its} time limit stands still."
