"""The read budget that connections of the built-in client share."""

from __future__ import annotations

import asyncio

from tests.support.until import until
from tui.net.transports.http1.read_budget import ReadBudget


class Paused:
    """A connection that waits for budget."""

    def __init__(self, order: list[Paused]) -> None:
        self._order = order

    def resume_reading(self) -> None:
        self._order.append(self)


async def test_few_connections_read_more_at_a_time_than_many() -> None:
    budget = ReadBudget(asyncio.get_running_loop())
    budget.connections = 16
    few, pause = len(budget.buffer()), budget.pause_bytes
    budget.connections = 200
    assert len(budget.buffer()) < few
    assert budget.pause_bytes < pause


async def test_many_connections_share_a_smaller_budget() -> None:
    budget = ReadBudget(asyncio.get_running_loop())
    taken = {}
    for connections in (16, 200):
        budget.connections = connections
        # An iteration uses the number of connections at its start.
        budget.take(1)
        await asyncio.sleep(0)
        taken[connections] = 0
        while not budget.is_spent:
            taken[connections] += len(budget.take(len(budget.buffer())))
        assert len(budget.buffer()) <= 16 << 10
    assert taken[200] < taken[16]


async def test_paused_connections_resume_in_order() -> None:
    budget = ReadBudget(asyncio.get_running_loop())
    budget.connections = 200
    order: list[Paused] = []
    paused = [Paused(order) for _ in range(200)]
    for one in paused:
        budget.resume(one)
    assert 0 < len(order) < 200, "the others wait for later iterations"
    await until(lambda: len(order) == 200)
    assert order == paused


async def test_handshakes_take_turns_with_paused_connections() -> None:
    budget = ReadBudget(asyncio.get_running_loop())
    budget.connections = 200
    order: list[Paused] = []
    for _ in range(100):
        budget.resume(Paused(order))
    turn = asyncio.ensure_future(budget.turn())
    await until(turn.done)
    assert len(order) == 100, "first come, first served"


async def test_a_handshake_given_up_takes_no_turn() -> None:
    budget = ReadBudget(asyncio.get_running_loop())
    budget.connections = 200
    turns = [asyncio.ensure_future(budget.turn()) for _ in range(100)]
    await asyncio.sleep(0)
    turns[-2].cancel()
    await until(turns[-1].done)
    assert turns[-2].cancelled()
    assert all(turn.done() for turn in turns)
