"""The connections to one system: libcurl's transfers, many at once, driven by the running event loop.

pycurl has such a driver (``AsyncCurlMulti``), which hands every socket to the loop anew for every request and spends a
call of the loop on every end: a fifth of what a delivery takes. This one keeps the sockets in a selector of its own,
which the loop watches as one.
"""

from __future__ import annotations

import asyncio
import math
import select
import selectors
import threading

import pycurl

from erpsync.adapters.http.exchange import IDLE_SECONDS

_NOTHING = 0  # of what a socket is watched for; reading is 1 and writing 2, to libcurl as to selectors
_CLOSED = "the connections were closed"


class Connections:
    """Made inside the event loop that is to drive it; ``close`` gives everything back."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._under_way: dict[pycurl.Curl, asyncio.Future[None]] = {}
        self._wanted: dict[int, int] = {}
        self._kept: dict[int, int] = {}  # by local port: the socket of a connection that lies idle
        self._timer: asyncio.TimerHandle | None = None
        self._fires = math.inf
        self._rest: asyncio.TimerHandle | None = None
        self._busy_at = 0.0
        self._look = select.poll()
        self._selector = selectors.DefaultSelector()
        self._loop.add_reader(self._selector, self._ready)  # selectors that wait in the kernel have a fileno
        self._multi = self._new_multi()

    async def perform(self, handle: pycurl.Curl) -> None:
        """Carry out the transfer that the handle is set to; raises ``pycurl.error``.

        Cancelled, it is over at once: nothing of it goes out afterwards.
        """
        self._multi.add_handle(handle)
        ended = self._under_way[handle] = self._loop.create_future()
        try:
            await ended
        finally:
            if self._under_way.pop(handle, None) is not None:
                self._multi.remove_handle(handle)

    def is_quiet(self, port: int) -> bool:
        """Whether nothing has come on a connection, known by its local port, since its last answer was whole.

        What comes there is its end, or an answer to nothing. libcurl looks only where it lay idle for a second.
        """
        socket = self._kept.pop(port, None)
        if socket is None:
            return True
        try:
            self._look.register(socket, select.POLLIN)
            return not self._look.poll(0)
        finally:
            self._look.unregister(socket)

    async def close(self) -> None:
        """End what is under way, as failed, and close all connections."""
        for handle, ended in self._under_way.items():
            self._multi.remove_handle(handle)
            if not ended.done():
                ended.set_exception(pycurl.error(pycurl.E_ABORTED_BY_CALLBACK, _CLOSED))
        self._under_way.clear()
        for timer in (self._timer, self._rest):
            if timer is not None:
                timer.cancel()
        self._loop.remove_reader(self._selector)
        await asyncio.to_thread(self._multi.close)  # it waits for whoever looks up a name still
        self._selector.close()

    def _new_multi(self) -> pycurl.CurlMulti:
        multi = pycurl.CurlMulti()
        multi.setopt(pycurl.M_SOCKETFUNCTION, self._watch)
        multi.setopt(pycurl.M_TIMERFUNCTION, self._wake_after)
        return multi

    def _watch(self, wanted: int, socket: int, _multi: pycurl.CurlMulti, _data: object) -> None:
        if threading.get_ident() != self._thread:  # it is being closed
            return
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
        if milliseconds < 0 or moment >= self._fires or threading.get_ident() != self._thread:
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
                self._keep(handle)
                self._end(handle, None)
            for handle, code, text in badly:
                self._end(handle, pycurl.error(code, text))

    def _keep(self, handle: pycurl.Curl) -> None:
        socket = handle.getinfo(pycurl.ACTIVESOCKET)
        if socket >= 0:
            self._kept[handle.getinfo(pycurl.LOCAL_PORT)] = socket
        self._busy_at = self._loop.time()
        if self._rest is None:
            self._rest = self._loop.call_at(self._busy_at + 2 * IDLE_SECONDS, self._let_go)

    def _let_go(self) -> None:
        """Close connections that are not used any more; libcurl does so only when another is asked for."""
        due = self._busy_at + 2 * IDLE_SECONDS
        self._rest = None
        if self._under_way or due > self._loop.time():
            self._rest = self._loop.call_at(max(due, self._loop.time() + IDLE_SECONDS), self._let_go)
            return
        unused, self._multi = self._multi, self._new_multi()
        self._kept.clear()
        self._loop.run_in_executor(None, unused.close)

    def _end(self, handle: pycurl.Curl, error: pycurl.error | None) -> None:
        self._multi.remove_handle(handle)
        ended = self._under_way.pop(handle)
        if ended.done():  # cancelled, and not gone yet
            return
        if error is None:
            ended.set_result(None)
        else:
            ended.set_exception(error)
