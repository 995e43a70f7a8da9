"""How a system is told who we are, and the rule that nobody else ever sees it.

The secret is in the headers that the transport adds on the way out and nowhere else; what comes back is cleared of
it before it is kept or shown, since some systems repeat the key that they refuse.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from urllib.parse import quote

from erpsync.adapters.http.spec import Auth
from erpsync.errors import LandscapeError

REMOVED = "(secret removed)"


@dataclass(frozen=True)
class Access:
    """The headers that let us in, and the texts that must not be seen."""

    headers: tuple[tuple[str, str], ...]
    hidden: tuple[str, ...]
    _hidden_bytes: tuple[bytes, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_hidden_bytes", tuple(word.encode() for word in self.hidden))

    def __repr__(self) -> str:
        """Shows how many headers there are, not what they say."""
        return f"Access({len(self.headers)} headers)"

    def clear(self, text: str) -> str:
        """The text without the secret."""
        for word in self.hidden:
            if word in text:
                text = text.replace(word, REMOVED)
        return text

    def clear_bytes(self, raw: bytes) -> bytes:
        """The bytes without the secret."""
        for word in self._hidden_bytes:
            if word in raw:
                raw = raw.replace(word, REMOVED.encode())
        return raw


def access(auth: Auth, *, system: str, secret: str | None, user: str) -> Access:
    """What ``auth`` asks for; raises LandscapeError when the landscape does not give it."""
    if auth.kind == "none":
        return Access((), ())
    if not secret:
        raise LandscapeError(
            f"system {system} has no secret",
            hint=f'add secret = "env:NAME" to [systems.{system}]',
            where=f"systems.{system}",
        )
    if not (secret.isascii() and secret.isprintable()):
        raise LandscapeError(
            f"system {system} has a secret that no header can carry",
            hint="look for line breaks in it",
            where=f"systems.{system}",
        )
    match auth.kind:
        case "bearer":
            header, value, password = "Authorization", f"Bearer {secret}", secret
        case "basic":
            pair = f"{user}:{secret}" if user else secret
            if ":" not in pair:
                raise LandscapeError(
                    f"system {system} has no user", hint='options = { user = "..." }', where=f"systems.{system}.options"
                )
            header, value = "Authorization", "Basic " + base64.b64encode(pair.encode()).decode()
            password = pair.partition(":")[2]
        case _:
            header, value, password = auth.header, secret, secret
    words = {secret, password, value.removeprefix("Basic "), quote(secret, safe=""), quote(password, safe="")}
    return Access(((header, value),), tuple(sorted((w for w in words if w), key=len, reverse=True)))
