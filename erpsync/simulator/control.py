"""The client side of the control interface, with the standard library alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import ProxyHandler, Request, build_opener

_opener = build_opener(ProxyHandler({}))


class ControlError(Exception):
    """The control interface said no; the text says why."""


class Control:
    """Speaks to a running simulator. Answers are its JSON as it comes; every call raises ControlError or OSError."""

    def __init__(self, url: str, token: str) -> None:
        self.url = url
        self.token = token

    @classmethod
    def from_ready_file(cls, path: Path) -> Control:
        """The control of the simulator that wrote this ready file."""
        control = json.loads(path.read_text(encoding="utf-8"))["control"]
        return cls(control["url"], control["token"])

    def state(self, system: str) -> dict[str, Any]:
        """What one system counted: requests, documents, numbers kept twice, faults met."""
        answer: dict[str, Any] = self.get("state")["systems"][system]
        return answer

    def documents(self, system: str, kind: str, number: str | None = None) -> list[dict[str, Any]]:
        """The documents of a kind that a system keeps, oldest first."""
        wanted = {} if number is None else {"number": number}
        found: list[dict[str, Any]] = self.get("documents", system=system, kind=kind, **wanted)["documents"]
        return found

    def requests(self, system: str, *, after: int = 0, number: str = "") -> list[dict[str, Any]]:
        """The write requests a system received, in order, each with what became of it."""
        found: list[dict[str, Any]] = self.get("requests", system=system, after=after, number=number)["requests"]
        return found

    def faults(self, system: str, **wish: Any) -> dict[str, Any]:
        """Set faults, settings, rules, mode, refusals; the faults as they now are."""
        return self.post("faults", system=system, **wish)

    def wait(self, system: str, event: str, *, after: int, timeout: float = 30) -> int:
        """The count of an event once it is past ``after``; raises ControlError after ``timeout`` seconds."""
        answer = self.get("wait", system=system, event=event, after=after, timeout=timeout)
        if answer["timed_out"]:
            raise ControlError(f"{system} saw no further {event} within {timeout} s")
        return int(answer["count"])

    def get(self, what: str, **query: Any) -> dict[str, Any]:
        """GET anything."""
        return self._call(f"{self.url}/{what}?{urlencode(query)}", None)

    def post(self, what: str, **wish: Any) -> dict[str, Any]:
        """POST anything."""
        return self._call(f"{self.url}/{what}", json.dumps(wish).encode())

    def _call(self, url: str, body: bytes | None) -> dict[str, Any]:
        headers = {"X-Sim-Token": self.token, "Content-Type": "application/json"}
        request = Request(url, data=body, headers=headers)  # noqa: S310  (the address is from our own ready file)
        try:
            with _opener.open(request, timeout=660) as answer:
                content: dict[str, Any] = json.load(answer)
                return content
        except HTTPError as error:
            with error:
                raise ControlError(json.load(error)["error"]) from None
