"""The positions of downloads that are moved in the queue."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tui.core.download import Download
from tui.core.request import DownloadRequest
from tui.core.service import Move
from tui.engine.scheduling.ordering import in_order, moved

MOVES = st.tuples(st.sets(st.integers(0, 7), min_size=1), st.sampled_from(list(Move)))


def queue_of(length: int) -> list[Download]:
    made = []
    for number in range(length):
        request = DownloadRequest((f"http://a/{number}",))
        made.append(Download(number, request, "http://a", "x"))
        made[-1].queue_key = number
    return made


def apply(queue: list[Download], ids: set[int], move: Move) -> list[int]:
    for download, key in moved(queue, ids, move).items():
        download.queue_key = key
    return [download.id for download in in_order(queue)]


def spliced(order: list[int], ids: set[int], move: Move) -> list[int]:
    """The same, done to a plain list."""
    moving = [id for id in order if id in ids]
    rest = [id for id in order if id not in ids]
    if not moving or not rest:
        return order
    first = order.index(moving[0])
    at = {
        Move.TOP: 0,
        Move.BOTTOM: len(rest),
        Move.UP: max(0, first - 1),
        Move.DOWN: min(len(rest), first + 1),
    }[move]
    return [*rest[:at], *moving, *rest[at:]]


@given(st.lists(MOVES, max_size=30))
def test_any_moves_leave_the_order_that_splicing_a_list_leaves(
    moves: list[tuple[set[int], Move]],
) -> None:
    queue = queue_of(8)
    order = list(range(8))
    for ids, move in moves:
        order = spliced(order, ids, move)
        assert apply(queue, ids, move) == order


def test_moves_into_the_same_gap_work_when_floats_are_exhausted() -> None:
    queue = queue_of(200)
    order = list(range(200))
    for number in range(2, 200):
        # Each goes between the one before it and 1, which halves that gap.
        order = spliced(order, {number}, Move.UP)
        assert apply(queue, {number}, Move.UP) == order
    assert order == [0, *range(2, 200), 1]


def test_moves_down_into_the_same_gap_work_when_floats_are_exhausted() -> None:
    queue = queue_of(200)
    order = list(range(200))
    for number in range(197, -1, -1):
        # Each goes between 198 and the one behind it, which halves that gap.
        while order.index(number) < order.index(198):
            order = spliced(order, {number}, Move.DOWN)
            assert apply(queue, {number}, Move.DOWN) == order
    assert order == [198, *range(198), 199]


def test_moving_one_touches_no_other() -> None:
    assert [d.id for d in moved(queue_of(5), {3}, Move.UP)] == [3]
