"""Who calls: name and password with every call, or a session taken for them. One rule: neither is kept as evidence.

Tryton checks a password anew, at a tenth of a second of its time, with every call that has one. A session costs
nothing and runs out; a call answered with 401 was not carried out, so it is made again in a new session, once.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any, Literal


@dataclass
class Login:
    """``token`` is that of the session; '' before there is one."""

    user: str
    secret: str
    way: Literal["basic", "session"]
    token: str = ""

    @property
    def header(self) -> tuple[str, str]:
        """What goes out with a call."""
        if self.way == "basic":
            return "Authorization", f"Basic {_base64(f'{self.user}:{self.secret}')}"
        return "Authorization", f"Session {self.token}"

    @property
    def wanting(self) -> bool:
        """Whether a session must be taken first."""
        return self.way == "session" and not self.token

    @property
    def params(self) -> list[Any]:
        """What ``common.db.login`` is asked with."""
        return [self.user, {"password": self.secret}, "en"]

    def take(self, result: Any) -> None:
        """Keep the session that was given; raises ValueError when none was."""
        if not isinstance(result, list) or len(result) < 2 or not isinstance(result[1], str):
            raise ValueError("is no session")
        self.token = _base64(f"{self.user}:{result[0]}:{result[1]}")


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
