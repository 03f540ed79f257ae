"""Very many downloads at once: a slice in each turn of the loop, one undo for all."""

from __future__ import annotations

import asyncio

from tests.support.fake_service import FakeService
from tests.ui.dashboards import dashboard
from tui.core.download import DownloadState
from tui.ui.actions.batch_runner import SLICE

_S = DownloadState
MANY = 2 * SLICE + 500


def many() -> FakeService:
    service = FakeService(concurrency=2)
    service.put("running", _S.DOWNLOADING, size=100, speed=1.0)
    for number in range(MANY - 1):
        state = _S.PAUSED if number % 5 == 0 else _S.QUEUED
        service.put(f"file-{number}", state)
    return service


async def finished(board) -> None:
    await board.app.workers.wait_for_complete()
    await board.settle()


async def test_slices_are_done_in_turns_and_what_runs_comes_last():
    async with dashboard(many()) as board:
        service = board.main.service
        taken = []
        cancel = service.cancel

        def watched(ids):
            taken.append(list(ids))
            return cancel(ids)

        service.cancel = watched
        await board.press("ctrl+a", "x", "y")
        await finished(board)
        assert [len(ids) for ids in taken] == [SLICE, SLICE, 500]
        assert taken[-1][-1] == 0, "the running one"
        assert service.snapshot().counts[_S.CANCELLED] == MANY
        assert f"Cancelled {MANY:,}" in board.message()


async def test_one_undo_brings_all_back_each_as_it_was():
    async with dashboard(many()) as board:
        service = board.main.service
        paused = service.snapshot().counts[_S.PAUSED]
        await board.press("ctrl+a", "x", "y")
        await finished(board)
        await board.press("u")
        await finished(board)
        counts = service.snapshot().counts
        assert counts[_S.PAUSED] == paused
        assert counts[_S.QUEUED] == MANY - paused
        assert "Undid" in board.message()


async def test_undo_waits_until_what_it_would_take_back_is_done():
    async with dashboard(many()) as board:
        main = board.main
        main.batches.run("Trying", range(MANY), lambda ids: list(ids), lambda _: None)
        main.undo_stack.push("something", [0], lambda _: None)
        main.actions.states.undo()
        assert len(main.undo_stack) == 1
        assert "Still working" in board.message()
        await finished(board)
        main.actions.states.undo()
        assert len(main.undo_stack) == 0


async def test_the_loop_turns_between_slices():
    async with dashboard(many()) as board:
        turns = 0

        async def count():
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        counting = asyncio.create_task(count())
        seen = []

        def verb(ids):
            seen.append(turns)
            return list(ids)

        board.main.batches.run("Trying", range(5 * SLICE), verb, lambda _: None)
        await finished(board)
        counting.cancel()
        assert len(seen) == 5
        assert len(set(seen)) == 5
