"""Lists for clients that poll: the same as a pass over all downloads would give."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.fake_service import FakeService
from tests.support.queue_order import queue_order
from tui.core.download import DownloadState
from tui.core.service import REMOVED
from tui.rpc import endings as endings_module
from tui.rpc import line as line_module
from tui.rpc import lists as lists_module
from tui.rpc.endings import Endings
from tui.rpc.line import Line
from tui.rpc.lists import Lists
from tui.rpc.params import page
from tui.rpc.status import ACTIVE_STATES, STOPPED_STATES

if TYPE_CHECKING:
    from collections.abc import Iterator

_S = DownloadState
POSITIONS = st.one_of(st.none(), st.integers(0, 20).map(float))


@pytest.fixture(autouse=True)
def small_slices() -> Iterator[None]:
    """Let some tens of downloads behave as a million would."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(line_module, "_BLOCK", 4)
        patch.setattr(line_module, "_SLICE", 7)
        patch.setattr(lists_module, "_SLICE", 5)
        patch.setattr(lists_module, "_CHANGES", 3)
        patch.setattr(lists_module, "_MANY", 25)
        patch.setattr(endings_module, "_SLICE", 6)
        yield


# -- the line --------------------------------------------------------------------------


@given(
    st.lists(POSITIONS, max_size=60),
    st.lists(st.tuples(st.integers(0, 70), POSITIONS), max_size=120),
)
def test_a_line_stays_sorted_whatever_changes(start, changes):
    line, positions = Line(), dict(enumerate(start))
    for _ in line.fill_iter(start):
        pass
    for id, position in [(0, positions.get(0)), *changes]:
        line.put(id, position)
        positions[id] = position
    waiting = [(where, id) for id, where in positions.items() if where is not None]
    expected = [id for _, id in sorted(waiting)]
    count = len(expected)
    assert len(line) == count
    assert line.part(range(count)) == expected
    assert line.part(range(count)[::-1]) == expected[::-1]
    assert line.part(range(count // 3, count // 2)) == expected[count // 3 : count // 2]
    for id in range(75):
        at = expected.index(id) if id in expected else None
        assert line.index(id) == at


@pytest.mark.parametrize("offset", [0, 2, 6, 7, 9, -1, -3, -7, -8])
@pytest.mark.parametrize("number", [0, 1, 3, 99])
def test_a_page_is_counted_as_aria2_does(offset, number):
    items = list(range(7))
    if offset >= 0:
        expected = items[offset : offset + number]
    else:
        # From the given one towards the beginning.
        expected = items[: len(items) + offset + 1][::-1][:number]
        expected = expected if len(items) + offset >= 0 else []
    assert [items[at] for at in page(7, offset, number)] == expected


# -- the lists -------------------------------------------------------------------------


class Polled:
    """A service whose lists are compared with a pass over all downloads."""

    def __init__(self) -> None:
        self.service = FakeService()
        self.endings = Endings(self.service, lambda name, id: None)
        self.lists = Lists(self.service, self.endings)
        self.ended: list[int] = []

    async def check(self) -> None:
        """Compare all three lists."""
        rows, states = self.service.downloads, self.service.states()
        assert await self.lists.active() == [
            row.id for row in rows if row.state in ACTIVE_STATES
        ]
        line = await self.lists.line()
        assert line.part(range(len(line))) == queue_order(self.service)
        listed = self.endings.part(range(self.endings.count))
        assert sorted(listed) == [
            id
            for id, state in enumerate(states)
            if not state & REMOVED and _S(state) in STOPPED_STATES
        ]
        order = [id for id in self.ended if id in listed]
        assert [id for id in listed if id in self.ended] == order

    def do(self, verb: str, id: int) -> None:
        """Change a download, if it can be changed so."""
        service, count = self.service, len(self.service.downloads)
        if verb == "put" or not count:
            service.put(f"{count}.bin")
            return
        row = service.downloads[id % count]
        if verb == "start" and row.state is _S.QUEUED:
            service.start(row.id)
        elif verb == "finish" and row.state in ACTIVE_STATES:
            service.finish(row.id)
            self._note_end(row.id)
        elif verb == "fail" and row.state in ACTIVE_STATES:
            service.fail(row.id)
            self._note_end(row.id)
        elif verb == "cancel" and service.cancel([row.id]):
            self._note_end(row.id)
        elif verb in ("pause", "resume", "retry", "remove", "restore"):
            getattr(service, verb)([row.id])

    def _note_end(self, id: int) -> None:
        self.ended = [*(one for one in self.ended if one != id), id]


VERBS = ("put", "start", "finish", "fail", "cancel", "pause", "resume", "retry")
CHANGES = st.lists(
    st.tuples(
        st.sampled_from([*VERBS, "remove", "restore", "check", "idle", "move"]),
        st.integers(0, 60),
        st.integers(-3, 60),
    ),
    max_size=80,
)


@given(st.integers(0, 40), CHANGES)
def test_lists_follow_every_change(count, changes):
    async def follow() -> None:
        polled = Polled()
        for _ in range(count):
            polled.do("put", 0)
        for verb, id, index in changes:
            if verb == "check":
                await polled.check()
            elif verb == "idle":
                polled.lists.close()
            elif verb == "move":
                await move(polled, id, index)
            else:
                polled.do(verb, id)
        await polled.check()
        polled.lists.close()

    asyncio.run(follow())


async def move(polled: Polled, id: int, index: int) -> None:
    """Move a download of the line and check where it is then."""
    before = queue_order(polled.service)
    if not before:
        return
    id = before[id % len(before)]
    wanted = max(0, min(index, len(before) - 1))
    assert await polled.lists.move(id, index) == wanted
    rest = [one for one in before if one != id]
    expected = [*rest[:wanted], id, *rest[wanted:]]
    assert queue_order(polled.service) == expected


async def test_what_does_not_wait_cannot_be_moved():
    polled = Polled()
    polled.service.put("done", _S.DONE)
    with pytest.raises(ValueError, match="neither queued nor paused"):
        await polled.lists.move(0, 0)
    polled.lists.close()


async def test_changes_while_the_lists_are_made_are_not_lost():
    polled = Polled()
    for _ in range(30):
        polled.do("put", 0)
    making = asyncio.ensure_future(polled.lists.line())
    for _ in range(4):
        await asyncio.sleep(0)
    for id in (0, 1, 12, 29):
        polled.do("start", id)
    polled.do("put", 0)
    polled.service.pause([2])
    await polled.lists.move(25, 0)
    await making
    await polled.check()
    polled.lists.close()


async def test_clients_that_ask_at_the_same_time_leave_one_timer(monkeypatch):
    loop, timers = asyncio.get_running_loop(), []
    call_later = loop.call_later

    def note(delay, callback, *args):
        timers.append(call_later(delay, callback, *args))
        return timers[-1]

    monkeypatch.setattr(loop, "call_later", note)
    polled = Polled()
    for _ in range(30):
        polled.do("put", 0)
    await asyncio.gather(polled.lists.active(), polled.lists.active())
    # Another one would give up the lists while a later call reads them.
    assert len([timer for timer in timers if not timer.cancelled()]) == 1
    polled.lists.close()
    assert all(timer.cancelled() for timer in timers)


async def test_the_last_stopped_downloads_are_listed_up_to_the_limit():
    polled = Polled()
    for _ in range(12):
        polled.do("put", 0)
    polled.endings.limit = 4
    polled.service.cancel(range(10))
    await polled.lists.update()
    assert polled.endings.count == 4
    assert polled.endings.part(page(4, 0, 99)) == [6, 7, 8, 9]
    assert polled.endings.part(page(4, -2, 2)) == [8, 7]
    polled.service.remove([8])
    await polled.lists.update()
    assert polled.endings.part(page(polled.endings.count, 0, 99)) == [5, 6, 7, 9]
    polled.endings.limit = 0
    assert polled.endings.part(page(polled.endings.count, 0, 99)) == []
    polled.lists.close()
