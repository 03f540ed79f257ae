"""The downloads that wait for one origin come in the order of their keys."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tui.core.download import Download, DownloadState
from tui.core.request import DownloadRequest
from tui.engine.scheduling.waiting import Waiting

ORIGIN = "https://a.example"


def download(id: int, key: float) -> Download:
    request = DownloadRequest((f"{ORIGIN}/{id}",))
    made = Download(id, request, ORIGIN, str(id))
    made.queue_key = key
    return made


_STEPS = st.lists(
    st.tuples(
        st.sampled_from(["push", "move", "leave", "take"]),
        st.integers(0, 9),
        st.integers(-3, 12),
    ),
    max_size=40,
)


@given(_STEPS)
def test_the_head_is_the_live_download_with_the_lowest_key(steps):
    waiting, all_ = Waiting(ORIGIN), [download(id, float(id)) for id in range(10)]
    queued = {}

    def lowest():
        return min(((d.queue_key, d.id) for d in queued.values()), default=None)

    for what, id, key in steps:
        one = all_[id]
        if what in ("push", "move"):
            if what == "move":
                one.queue_key = float(key)
            one.state = DownloadState.QUEUED
            queued[id] = one
            is_first = waiting.push(one)
            assert not is_first or lowest() == (one.queue_key, id)
        elif what == "leave":
            one.state = DownloadState.CANCELLED
            queued.pop(id, None)
        elif (head := waiting.head()) is not None:
            waiting.pop(head)
            head[2].state = DownloadState.PROBING
            queued.pop(head[1])
        head = waiting.head()
        assert (None if head is None else head[:2]) == lowest()
        assert len(waiting) >= len(queued)


def test_entries_that_come_in_order_are_not_put_into_the_heap():
    waiting = Waiting(ORIGIN)
    assert [waiting.push(download(n, n)) for n in range(5)] == [True, *[False] * 4]
    assert not waiting._heap
    assert waiting.push(download(9, -1.0))
    assert [waiting.head()[1], len(waiting)] == [9, 6]
