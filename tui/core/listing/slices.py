"""Passes over very long lists in slices, so that a million downloads block nothing.

A function whose name ends in ``_iter`` returns a generator that works between its
yields, a few milliseconds each, and whose return value is the result. ``run_sliced``
runs it beside other tasks, ``run_at_once`` without a break.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator, Iterable, Sequence

T = TypeVar("T")
U = TypeVar("U")
_RUN = 10_000
"""Items that are sorted at once: 5 ms, if their keys are texts in random order."""
_SLICE = 20_000
"""Items of one slice of a pass over all of them: about 4 ms."""


def collect_iter(
    items: Sequence[T], pick: Callable[[Sequence[T]], Iterable[U]]
) -> Generator[None, None, list[U]]:
    """Return what ``pick`` returns for all parts of a list, a slice between yields.

    Args:
        items: what to pass over; it must not change until the end.
        pick: gets a part of it.
    """
    if len(items) <= _SLICE:
        return list(pick(items))
    found: list[U] = []
    for start in range(0, len(items), _SLICE):
        if start:
            yield
        found += pick(items[start : start + _SLICE])
    return found


def drain_iter(items: list[T]) -> Generator[None, None, None]:
    """Empty a list, a slice between yields: freeing a million texts takes 30 ms."""
    while len(items) > _SLICE:
        del items[-_SLICE:]
        yield
    items.clear()


def run_at_once(steps: Generator[None, None, T]) -> T:
    """Run all slices of a generator one after the other and return its result."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            found: T = end.value
            return found


async def run_sliced(
    steps: Generator[None, None, T],
    sleep: Callable[[float], Awaitable[object]],
    pause_s: float = 0,
) -> T:
    """Run the slices of a generator with other tasks in between; return its result.

    Args:
        steps: what to run.
        sleep: lets other tasks run for some seconds, as ``asyncio.sleep`` does.
        pause_s: how long to sleep between two slices; with 0, every task that is ready
            has its turn.
    """
    while True:
        try:
            next(steps)
        except StopIteration as end:
            found: T = end.value
            return found
        await sleep(pause_s)


def sort_iter(
    items: Sequence[T],
    key: Callable[[T], Any],
    *,
    is_reversed: bool = False,
    run: int = _RUN,
) -> Generator[None, None, list[T]]:
    """Sort as ``sorted`` does, equal items in their order, some milliseconds at a time.

    Parts of the list are sorted first. Samples of them give the limits of ranges with
    about as many items each (sorting by regular sampling); then every range is put
    together from all parts and sorted.

    Args:
        items: what to sort; it must not change until the end.
        key: returns what to compare. If that changes meanwhile, the result still has
            every item once.
        is_reversed: sort descending.
        run: items that are sorted at once.

    Returns:
        A new list.
    """
    if len(items) <= run:
        return sorted(items, key=key, reverse=is_reversed)
    runs: list[list[T]] = []
    for start in range(0, len(items), run):
        runs.append(sorted(items[start : start + run], key=key))
        yield
    if not is_reversed and all(
        key(first[-1]) <= key(second[0]) for first, second in pairwise(runs)
    ):
        ranges = runs  # in order already, as most lists are
    else:
        ranges = yield from _ranges(runs, key, is_reversed=is_reversed)
    found: list[T] = []
    for number, part in enumerate(reversed(ranges) if is_reversed else ranges):
        if number % 16 == 15:
            yield
        found += part
        part.clear()  # so that not all of it has to be freed at the end
    return found


def _ranges(
    runs: list[list[T]], key: Callable[[T], Any], *, is_reversed: bool
) -> Generator[None, None, list[list[T]]]:
    """Return sorted ranges of the items of sorted runs, in ascending order.

    Each limit has a range of its own for the items that are equal to it, so that a key
    that half of the list has does not make a long range to sort.
    """
    count = len(runs)
    samples = []
    for part in runs:
        step = max(1, len(part) // count)
        samples += [key(item) for item in part[step // 2 :: step]]
    samples.sort()
    limits = list(dict.fromkeys(samples[count::count]))
    ranges: list[list[T]] = [[] for _ in range(2 * len(limits) + 1)]
    for part in runs:
        yield
        at = 0
        for number, limit in enumerate(limits):
            below = bisect_left(part, limit, at, key=key)
            above = bisect_right(part, limit, below, key=key)
            ranges[2 * number] += part[at:below]
            ranges[2 * number + 1] += part[below:above]
            at = above
        ranges[-1] += part[at:]
    for number in range(0, len(ranges), 2):
        if ranges[number]:
            yield
            ranges[number].sort(key=key, reverse=is_reversed)
    return ranges
