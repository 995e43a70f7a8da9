"""The yardstick for delivering: a bare aiohttp loop that posts bodies it already has, and keeps nothing."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Sequence

import aiohttp
from rounds import Measured
from sink import Sink


def post_all(sink: Sink, bodies: Sequence[bytes], *, in_flight: int = 64) -> Measured:
    """Post every body once, so many at a time, and read every answer."""
    before = sink.taken()
    seconds = asyncio.run(_post_all(sink.url, bodies, in_flight=in_flight))
    if (taken := sink.taken() - before) != len(bodies):
        message = f"the sink took {taken} of {len(bodies)} bodies"
        raise RuntimeError(message)
    return Measured(count=len(bodies), seconds=seconds)


async def _post_all(url: str, bodies: Sequence[bytes], *, in_flight: int) -> float:
    waiting = deque(bodies)
    headers = {"Content-Type": "application/json"}

    async def post() -> None:
        while waiting:
            async with session.post(url, data=waiting.popleft(), headers=headers) as answer:
                await answer.read()
                answer.raise_for_status()

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=in_flight)) as session:
        begun = time.perf_counter()
        await asyncio.gather(*(post() for _ in range(in_flight)))
        return time.perf_counter() - begun
