"""What the connections of the loop's own wire share."""

from __future__ import annotations

import asyncio

from tests.support.until import until
from tui.net.transports.http1.read_budget import ReadBudget


class Paused:
    """A connection that waits for its turn."""

    def __init__(self, order: list[Paused]) -> None:
        self._order = order

    def read_on(self) -> None:
        self._order.append(self)


async def test_few_connections_read_more_at_a_time_than_a_crowd() -> None:
    room = ReadBudget(asyncio.get_running_loop())
    room.connections = 16
    few, held = len(room.buffer()), room.held_bytes
    room.connections = 200
    assert len(room.buffer()) < few
    assert room.held_bytes < held


async def test_a_crowd_gets_less_of_a_turn_and_the_rest_of_it_only_crumbs() -> None:
    room = ReadBudget(asyncio.get_running_loop())
    taken = {}
    for connections in (16, 200):
        room.connections = connections
        # A turn begins with what the crowd was when the one before it ended.
        room.take(1)
        await asyncio.sleep(0)
        taken[connections] = 0
        while not room.is_used_up:
            taken[connections] += len(room.take(len(room.buffer())))
        assert len(room.buffer()) <= 16 << 10
    assert taken[200] < taken[16]


async def test_paused_connections_go_on_in_the_order_in_which_they_asked() -> None:
    room = ReadBudget(asyncio.get_running_loop())
    room.connections = 200
    order: list[Paused] = []
    paused = [Paused(order) for _ in range(200)]
    for one in paused:
        room.resume(one)
    assert 0 < len(order) < 200, "the others wait for later turns"
    await until(lambda: len(order) == 200)
    assert order == paused
