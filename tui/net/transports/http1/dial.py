"""Connects to a host that may have several addresses (RFC 8305)."""

from __future__ import annotations

import asyncio
import socket
from itertools import chain, zip_longest
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Sequence

    Place: TypeAlias = "tuple[int, int, int, str, Any]"

_HEAD_START_S = 0.25
"""What an address gets before the next one is tried beside it (section 8)."""


async def dial(
    loop: asyncio.AbstractEventLoop, host: str, port: int, timeout_s: float
) -> socket.socket:
    """Connect to ``host``.

    Raises:
        TimeoutError: no address took the connection in time.
        OSError: none did; what the first one said. ``socket.gaierror`` where the name
            has none.
    """
    async with asyncio.timeout(timeout_s):
        places = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        if len(places) == 1:
            return await _connect(loop, places[0])
        return await _race(loop, _alternate(places))


def _alternate(places: Sequence[Place]) -> list[Place]:
    """Order addresses so that families take turns (section 4)."""
    first = [place for place in places if place[0] == places[0][0]]
    others = [place for place in places if place[0] != places[0][0]]
    pairs = zip_longest(first, others)
    return [place for place in chain.from_iterable(pairs) if place is not None]


async def _race(
    loop: asyncio.AbstractEventLoop, places: Sequence[Place]
) -> socket.socket:
    """Try one address after the other, each with a head start; the first one wins."""
    waiting = list(reversed(places))
    running: set[asyncio.Task[socket.socket]] = set()
    faults: list[BaseException] = []
    winner: socket.socket | None = None
    try:
        while waiting or running:
            if waiting:
                running.add(loop.create_task(_connect(loop, waiting.pop())))
            done, running = await asyncio.wait(
                running,
                timeout=_HEAD_START_S if waiting else None,
                return_when=asyncio.FIRST_COMPLETED,
            )
            for task in done:
                fault = task.exception()
                if fault is not None:
                    faults.append(fault)
                elif winner is None:
                    winner = task.result()
                else:
                    task.result().close()
            if winner is not None:
                return winner
    finally:
        for task in running:
            task.cancel()
            task.add_done_callback(_close_late)
    raise faults[0] if faults else OSError("the name has no address")


def _close_late(task: asyncio.Task[socket.socket]) -> None:
    """Close a connection that came in spite of having lost."""
    if not task.cancelled() and task.exception() is None:
        task.result().close()


async def _connect(loop: asyncio.AbstractEventLoop, place: Place) -> socket.socket:
    family, kind, number, _, address = place
    sock = socket.socket(family, kind, number)
    try:
        sock.setblocking(False)
        await loop.sock_connect(sock, address)
    except BaseException:
        sock.close()
        raise
    return sock
