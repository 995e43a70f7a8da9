"""The connections to one system: libcurl's transfers, many at once, driven by the running event loop.

pycurl has such a driver (``AsyncCurlMulti``), which hands every socket to the loop anew for every request and spends a
call of the loop on every end: a fifth of what a delivery takes. This one keeps the sockets in a selector of its own,
which the loop watches as one.
"""

from __future__ import annotations

import asyncio
import math
import selectors

import pycurl

# libcurl and the selectors module say the same: 1 to read, 2 to write.
_NOTHING = 0


class Connections:
    """Made inside the event loop that is to drive it; ``close`` gives everything back."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._under_way: dict[pycurl.Curl, asyncio.Future[None]] = {}
        self._wanted: dict[int, int] = {}
        self._timer: asyncio.Handle | None = None
        self._fires = math.inf
        self._selector = selectors.DefaultSelector()
        self._loop.add_reader(self._selector, self._ready)  # selectors that wait in the kernel have a fileno
        self._multi = pycurl.CurlMulti()
        self._multi.setopt(pycurl.M_SOCKETFUNCTION, self._watch)
        self._multi.setopt(pycurl.M_TIMERFUNCTION, self._wake_after)

    async def perform(self, handle: pycurl.Curl) -> None:
        """Carry out the transfer that the handle is set to; raises ``pycurl.error``.

        Cancelled, it is over at once: nothing of it goes out afterwards.
        """
        ended = self._under_way[handle] = self._loop.create_future()
        self._multi.add_handle(handle)
        try:
            await ended
        finally:
            if self._under_way.pop(handle, None) is not None:
                self._multi.remove_handle(handle)

    def close(self) -> None:
        """Cancel what is under way and close all connections."""
        for handle, ended in self._under_way.items():
            self._multi.remove_handle(handle)
            ended.cancel()
        self._under_way.clear()
        self._multi.close()
        if self._timer is not None:
            self._timer.cancel()
        self._loop.remove_reader(self._selector)
        self._selector.close()

    def _watch(self, wanted: int, socket: int, _multi: pycurl.CurlMulti, _data: object) -> None:
        if wanted == pycurl.POLL_REMOVE:
            wanted = _NOTHING
        before, self._wanted[socket] = self._wanted.get(socket, _NOTHING), wanted
        if wanted == before:
            return
        if wanted == _NOTHING:
            self._selector.unregister(socket)
        elif before == _NOTHING:
            self._selector.register(socket, wanted)
        else:
            self._selector.modify(socket, wanted)

    def _ready(self) -> None:
        for key, events in self._selector.select(0):
            if self._wanted[key.fd]:  # what came for another socket may have ended this one
                self._multi.socket_action(key.fd, events)
        self._end_those_done()

    def _wake_after(self, milliseconds: int) -> None:
        """Take libcurl's wish to be called; a timer that fires too early is asked for again."""
        moment = self._loop.time() + milliseconds / 1000
        if milliseconds < 0 or moment >= self._fires:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._fires = moment
        self._timer = self._loop.call_at(moment, self._time_is_up)

    def _time_is_up(self) -> None:
        self._timer, self._fires = None, math.inf
        self._multi.socket_action(pycurl.SOCKET_TIMEOUT, 0)
        self._end_those_done()

    def _end_those_done(self) -> None:
        queued = 1
        while queued:
            queued, well, badly = self._multi.info_read()
            for handle in well:
                self._end(handle, None)
            for handle, code, text in badly:
                self._end(handle, pycurl.error(code, text))

    def _end(self, handle: pycurl.Curl, error: pycurl.error | None) -> None:
        self._multi.remove_handle(handle)
        ended = self._under_way.pop(handle)
        if ended.done():  # cancelled, and not gone yet
            return
        if error is None:
            ended.set_result(None)
        else:
            ended.set_exception(error)
