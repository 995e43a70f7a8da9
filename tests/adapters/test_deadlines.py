"""One timer for many calls: each still ends at its own moment, and only it."""

from __future__ import annotations

import asyncio
import time

import pytest

from erpsync.adapters.deadlines import Deadlines


async def _waits(deadlines: Deadlines, seconds: float, *, call: float = 5) -> str:
    began = time.monotonic()
    try:
        with deadlines.until(asyncio.get_running_loop().time() + seconds):
            await asyncio.sleep(call)
    except TimeoutError:
        return f"out of time after {time.monotonic() - began:.1f}"
    return "answered"


def test_each_call_ends_at_its_own_moment_whichever_was_begun_first() -> None:
    async def work() -> list[str]:
        deadlines = Deadlines()
        return await asyncio.gather(
            _waits(deadlines, 0.3),
            _waits(deadlines, 0.1),
            _waits(deadlines, 9, call=0.05),
            _waits(deadlines, -1),
        )

    told = asyncio.run(work())
    assert told == ["out of time after 0.3", "out of time after 0.1", "answered", "out of time after 0.0"]


def test_a_limit_that_is_moved_ends_then_sooner_or_later() -> None:
    async def waits(deadlines: Deadlines, at: float, to: float, began: float) -> None:
        with deadlines.until(began + at) as limit:
            await asyncio.sleep(0.01)
            limit.move(began + to)
            await asyncio.sleep(5)

    async def moved(deadlines: Deadlines, at: float, to: float) -> float:
        loop = asyncio.get_running_loop()
        began = loop.time()
        with pytest.raises(TimeoutError):
            await waits(deadlines, at, to, began)
        return round(loop.time() - began, 1)

    async def work() -> list[float]:
        deadlines = Deadlines()
        return await asyncio.gather(moved(deadlines, 4, 0.1), moved(deadlines, 0.1, 0.4))

    assert asyncio.run(work()) == [0.1, 0.4]


def test_a_cancelled_call_stays_cancelled_and_is_no_timeout() -> None:
    async def work() -> bool:
        deadlines = Deadlines()
        task = asyncio.create_task(_waits(deadlines, 0.05))
        await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.wait([task])
        await asyncio.sleep(0.1)  # its limit would have come
        return task.cancelled()

    assert asyncio.run(work())


def test_an_error_of_the_call_is_told_as_it_is_and_nothing_ticks_on() -> None:
    async def fails(deadlines: Deadlines) -> None:
        with deadlines.until(asyncio.get_running_loop().time() + 0.05):
            raise ValueError("no")

    async def work() -> str:
        deadlines = Deadlines()
        with pytest.raises(ValueError, match="no"):
            await fails(deadlines)
        await asyncio.sleep(0.1)
        return await _waits(deadlines, 1, call=0.01)

    assert asyncio.run(work()) == "answered"


def test_the_same_limits_serve_one_loop_after_another() -> None:
    deadlines = Deadlines()
    assert asyncio.run(_waits(deadlines, 0.1)).startswith("out of time")
    assert asyncio.run(_waits(deadlines, 0.1)).startswith("out of time")
    assert asyncio.run(_waits(deadlines, 5, call=0)) == "answered"
