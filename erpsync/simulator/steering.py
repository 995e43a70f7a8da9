"""The control interface: what tests and ``erpsync sim`` ask of the landscape, at a port of its own, with a token.

Nothing here is part of a far system, and no far system knows of it.
"""

from __future__ import annotations

import asyncio
import hmac
import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from aiohttp import web

from erpsync.simulator import planting
from erpsync.simulator.counting import Event
from erpsync.simulator.far_system import FarSystem
from erpsync.simulator.fields import Json
from erpsync.simulator.kills import Kills
from erpsync.simulator.serving import Serving

_LONGEST_WAIT = 600.0


class Steering:
    """Routes of the control interface over the systems that are up."""

    def __init__(self, servings: Mapping[str, Serving], kills: Kills, *, token: str, stop: asyncio.Event) -> None:
        self._servings = servings
        self._kills = kills
        self._token = token
        self._stop = stop
        self._gets: dict[str, Callable[[Mapping[str, str]], Awaitable[Json]]] = {
            "state": self._state,
            "documents": self._documents,
            "requests": self._requests,
            "faults": self._faults,
            "wait": self._wait,
            "kills": self._listed_kills,
        }
        self._posts: dict[str, Callable[[Json], Awaitable[Json]]] = {
            "faults": self._set_faults,
            "seed": self._seed,
            "put": self._put,
            "edit": self._edit,
            "delete": self._delete,
            "duplicate": self._duplicate,
            "clock": self._clock,
            "kill": self._kill,
            "stop": self._end,
        }

    def app(self) -> web.Application:
        """The application to serve."""
        app = web.Application(client_max_size=64 * 1024 * 1024)
        app.router.add_route("*", "/{what}", self._arrive)
        return app

    async def _arrive(self, http: web.Request) -> web.Response:
        given = http.headers.get("X-Sim-Token", "").encode()
        if not hmac.compare_digest(given, self._token.encode()):
            return web.json_response({"error": "the control token is missing or wrong"}, status=401)
        what = http.match_info["what"]
        try:
            if http.method == "GET" and what in self._gets:
                return web.json_response(await self._gets[what](http.query))
            if http.method == "POST" and what in self._posts:
                wish = json.loads(await http.read() or b"{}")
                if not isinstance(wish, dict):
                    raise ValueError("the body must be an object")
                return web.json_response(await self._posts[what](wish))
        except (ValueError, TypeError) as error:
            return web.json_response({"error": str(error)}, status=400)
        return web.json_response({"error": f"{http.method} /{what} is not known"}, status=404)

    def _serving(self, wish: Mapping[str, Any]) -> Serving:
        name = wish.get("system")
        if name not in self._servings:
            raise ValueError(f"system must be one of {', '.join(self._servings)}")
        return self._servings[str(name)]

    def _meant(self, wish: Mapping[str, Any]) -> list[Serving]:
        return list(self._servings.values()) if wish.get("system", "all") == "all" else [self._serving(wish)]

    def _system(self, wish: Mapping[str, Any]) -> FarSystem:
        return self._serving(wish).system

    async def _state(self, _: Mapping[str, str]) -> Json:
        return {"systems": {name: _told(serving) for name, serving in self._servings.items()}}

    async def _documents(self, query: Mapping[str, str]) -> Json:
        system = self._system(query)
        kinds = [query["kind"]] if "kind" in query else list(system.by_kind)
        found = [
            document for kind in kinds for document in system.kept.all(kind, deleted=query.get("deleted") == "true")
        ]
        wanted = query.get("number")
        return {"documents": [planting.shown(system, d) for d in found if wanted in (None, d.number)]}

    async def _requests(self, query: Mapping[str, str]) -> Json:
        counting = self._serving(query).counting
        reads = query.get("writes", "true") != "true"
        requests = counting.listed(after=int(query.get("after", 0)), number=query.get("number", ""), reads=reads)
        return {"requests": requests, "last": counting.next_no - 1}

    async def _faults(self, _: Mapping[str, str]) -> Json:
        return {"systems": {name: serving.system.faults.shown() for name, serving in self._servings.items()}}

    async def _set_faults(self, wish: Json) -> Json:
        zone = wish.get("rules", {}).get("zone", "UTC")
        try:
            ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError, TypeError):
            raise ValueError(f"rules.zone {zone!r} is no time zone") from None
        for serving in (meant := self._meant(wish)):
            serving.system.faults.set(wish)
        for serving in meant:
            if "mode" in wish:
                await serving.turn(wish["mode"], seconds=wish.get("for_seconds"))
            elif wish.get("reset"):
                await serving.turn("up")
        return await self._faults({})

    async def _seed(self, wish: Json) -> Json:
        return {"put": planting.seed(self._system(wish), wish)}

    async def _put(self, wish: Json) -> Json:
        return self._handle(wish, planting.put)

    async def _edit(self, wish: Json) -> Json:
        return self._handle(wish, planting.edit)

    async def _delete(self, wish: Json) -> Json:
        return self._handle(wish, planting.delete)

    async def _duplicate(self, wish: Json) -> Json:
        return self._handle(wish, planting.duplicate)

    def _handle(self, wish: Json, act: Callable[[FarSystem, Mapping[str, Any]], Any]) -> Json:
        system = self._system(wish)
        document = act(system, wish)
        return {"id": str(system.shown_id(document.kind, document.id)), "version": document.version}

    async def _clock(self, wish: Json) -> Json:
        seconds = float(wish.get("offset_seconds", 0))
        for serving in self._meant(wish):
            serving.system.clock_offset = timedelta(seconds=seconds)
        return {"offset_seconds": seconds}

    async def _wait(self, query: Mapping[str, str]) -> Json:
        events: dict[str, Event] = {"write_received": "received", "write_answered": "answered"}
        if (event := events.get(query.get("event", "write_received"))) is None:
            raise ValueError("event must be write_received or write_answered")
        seconds = min(float(query.get("timeout", 30)), _LONGEST_WAIT)
        counting = self._serving(query).counting
        count, timed_out = await counting.wait(event, after=int(query.get("after", 0)), seconds=seconds)
        return {"count": count, "timed_out": timed_out}

    async def _kill(self, wish: Json) -> Json:
        if wish.get("system", "all") != "all":
            self._serving(wish)
        return {"id": self._kills.ask(wish)}

    async def _listed_kills(self, _: Mapping[str, str]) -> Json:
        return {"kills": self._kills.listed()}

    async def _end(self, _: Json) -> Json:
        asyncio.get_running_loop().call_later(0.05, self._stop.set)
        return {"stopping": True}


def _told(serving: Serving) -> Json:
    system, counting = serving.system, serving.counting
    twice = {
        kind: {
            number: [str(system.shown_id(kind, document.id)) for document in same] for number, same in numbers.items()
        }
        for kind, numbers in system.kept.twice().items()
    }
    return {
        "url": serving.url,
        "class": system.once,
        "mode": system.faults.mode,
        "requests": {name: counting.requests[name] for name in ("reads", "writes", "denied")},
        "writes_received": counting.events["received"],
        "writes_answered": counting.events["answered"],
        "committed": sum(request.committed for request in counting.writes),
        "documents": system.kept.counts(),
        "twice": twice,
        "faults": dict(system.faults.met),
        "clock_offset": system.clock_offset.total_seconds(),
    }
