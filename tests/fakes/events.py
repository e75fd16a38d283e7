"""Waiting for what happens, however busy the machine is."""

import asyncio
from collections.abc import Callable


async def until(done: Callable[[], object], seconds: float = 30) -> None:
    """Let the loop go on until something is so. Raises `TimeoutError`.

    Parameters:
        done: asked again and again.
        seconds: the longest wait.
    """
    async with asyncio.timeout(seconds):
        while not done():
            await asyncio.sleep(0.005)
