"""How long work on the store says how far it is. Rule: whoever is told may stop it by raising."""

from __future__ import annotations

from collections.abc import Callable

Telling = Callable[[str, int, int], None]
"""What is being done, how much of it is done, of how much (0: not known); called often."""
