"""The download queue: order, caps per origin, and blocks."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from tui.core.download import Download, DownloadState
from tui.core.request import DownloadRequest
from tui.core.settings import HostRule
from tui.engine.scheduling.queue import DownloadQueue
from tui.engine.scheduling.waiting import Waiting


def download(number: int, origin: str = "http://a") -> Download:
    made = Download(number, DownloadRequest((f"{origin}/{number}",)), origin, "x")
    made.queue_key = number
    return made


def taken(queue: DownloadQueue, now: float = 0.0) -> Download | None:
    """Take one as the worker pool does: it is no longer queued afterwards."""
    made = queue.take(now)
    if made is not None:
        made.state = DownloadState.PROBING
    return made


def refuse(
    queue: DownloadQueue,
    number: int,
    now: float = 2.0,
    *,
    asked_at: float = 1.0,
    is_certain: bool = False,
    is_serving: bool = False,
) -> bool:
    return queue.refused(
        download(number), asked_at, now, is_certain=is_certain, is_serving=is_serving
    )


def drain(queue: DownloadQueue, now: float = 0.0) -> list[int]:
    ids = []
    while (made := taken(queue, now)) is not None:
        ids.append(made.id)
    return ids


def test_the_order_is_that_of_the_keys_over_all_origins() -> None:
    queue = DownloadQueue(0)
    for number, origin in enumerate(["b", "a", "c", "a", "b"]):
        queue.push(download(number, f"http://{origin}"))
    assert drain(queue) == [0, 1, 2, 3, 4]


def test_an_origin_at_its_cap_is_passed_over_and_comes_back() -> None:
    queue = DownloadQueue(1)
    for number, origin in enumerate(["a", "a", "b"]):
        queue.push(download(number, f"http://{origin}"))
    assert drain(queue) == [0, 2]
    queue.release("http://a")
    assert drain(queue) == [1]


def test_a_full_origin_costs_a_few_looks_for_each_download(monkeypatch) -> None:
    looks = 0
    head = Waiting.head

    def counted(waiting: Waiting) -> object:
        nonlocal looks
        looks += 1
        return head(waiting)

    monkeypatch.setattr(Waiting, "head", counted)
    queue = DownloadQueue(per_host=8)
    for number in range(400):
        queue.push(download(number))
    running = drain(queue)
    # Each worker that has finished takes one download, as in the worker pool.
    for _ in range(400 - len(running)):
        queue.release("http://a")
        following = taken(queue)
        assert following is not None
        running.append(following.id)
    assert running == list(range(400))
    assert looks < 400 * 5


def test_cancelled_entries_are_skipped_and_requeued_ones_are_taken_once() -> None:
    queue = DownloadQueue(0)
    made = [download(n) for n in range(3)]
    for each in made:
        queue.push(each)
    made[1].state = DownloadState.CANCELLED
    made[2].state = DownloadState.CANCELLED
    made[2].state = DownloadState.QUEUED
    queue.push(made[2])
    assert drain(queue) == [0, 2]


def test_behind_a_cancelled_one_the_order_is_still_that_of_all_origins() -> None:
    queue = DownloadQueue(0)
    made = [download(n, f"http://{origin}") for n, origin in enumerate("abba")]
    for each in made:
        queue.push(each)
    made[0].state = DownloadState.CANCELLED
    assert drain(queue) == [1, 2, 3]


def test_among_equal_keys_the_first_that_was_added_goes_first() -> None:
    queue = DownloadQueue(0)
    for number in (2, 0, 1):
        made = download(number)
        made.queue_key = 7.0
        queue.push(made)
    assert drain(queue) == [0, 1, 2]


def test_a_shorter_wait_does_not_end_a_longer_one() -> None:
    queue = DownloadQueue(0)
    queue.push(download(0))
    queue.block("http://a", until=10.0)
    queue.block("http://a", until=5.0)
    queue.unblock(7.0)
    assert drain(queue, now=7.0) == []
    queue.unblock(10.0)
    assert drain(queue, now=10.0) == [0]


def test_a_block_that_is_lifted_holds_nothing_back() -> None:
    queue = DownloadQueue(0)
    queue.push(download(0))
    queue.block("http://a", until=10.0)
    assert drain(queue) == []
    queue.lift_block("http://a")
    assert drain(queue) == [0]


def test_a_blocked_origin_starts_nothing_and_others_do() -> None:
    queue = DownloadQueue(0)
    for number, origin in enumerate(["a", "b", "a"]):
        queue.push(download(number, f"http://{origin}"))
    queue.block("http://a", until=10.0)
    assert drain(queue, now=0.0) == [1]
    queue.unblock(now=5.0)
    assert drain(queue, now=5.0) == []
    queue.unblock(now=10.0)
    assert drain(queue, now=10.0) == [0, 2]


def test_an_origin_that_refuses_gets_half_and_regains_it() -> None:
    queue = DownloadQueue(0)
    for number in range(40):
        queue.push(download(number))
    for _ in range(8):
        taken(queue)
    refuse(queue, 0)
    refuse(queue, 1)
    state = queue.origin_state("http://a")
    assert queue.cap(state) == 4
    assert taken(queue) is None
    for _ in range(5):
        queue.release("http://a")
    assert taken(queue) is not None
    for _ in range(3):
        queue.speed_up("http://a")
    assert queue.cap(state) == 7


def test_of_many_refusals_at_once_the_first_halves_and_all_show_the_capacity() -> None:
    queue = DownloadQueue(0)
    state = queue.origin_state("http://a")
    for number in range(16):
        queue.push(download(number))
    drain(queue)
    for number in range(6):
        refuse(queue, number, 2.0 + number / 100)
        queue.release("http://a")
    assert (queue.cap(state), state.known_good) == (7, 10)
    for _ in range(3):
        queue.speed_up("http://a")
    assert queue.cap(state) == 10
    for _ in range(9):
        queue.speed_up("http://a")
    assert queue.cap(state) == 10


def test_requests_that_are_all_refused_show_no_capacity() -> None:
    queue = DownloadQueue(0)
    state = queue.origin_state("http://a")
    for number in range(40):
        queue.push(download(number))
    for _ in range(16):
        taken(queue)
    for number in range(16):
        is_rejected = refuse(queue, number, 2.0 + number / 100)
        assert is_rejected == (number == 15)
        queue.release("http://a")
    assert (state.learned_cap, state.probe_interval) == (7, 1)
    # The next ones are refused as well.
    assert len(drain(queue)) == 7
    for number in range(20, 27):
        is_rejected = refuse(queue, number, 4.0, asked_at=3.0)
        assert is_rejected == (number == 26)
        queue.release("http://a")
    assert (state.learned_cap, state.probe_interval) == (3, 1)
    for _ in range(4):
        queue.speed_up("http://a")
    assert state.learned_cap == 7


def test_the_only_request_that_is_refused_shows_no_capacity_either() -> None:
    queue = DownloadQueue(0)
    state = queue.origin_state("http://a")
    state.learned_cap = state.known_good = 8
    queue.push(download(0))
    taken(queue)
    assert refuse(queue, 0, is_certain=True)
    assert (state.learned_cap, state.known_good) == (4, 8)


def test_an_origin_that_refuses_a_probe_is_probed_less_often() -> None:
    queue = DownloadQueue(0)
    state = queue.origin_state("http://a")
    now, bears = 10.0, 6
    state.active = 7
    asked = []
    refuse(queue, 0, now, asked_at=now - 1, is_certain=True)
    for success in range(2000):
        state.active = queue.cap(state)
        queue.speed_up("http://a")
        if queue.cap(state) > bears:
            now += 1
            state.active = queue.cap(state)
            refuse(queue, success + 1, now, asked_at=now - 0.5)
            asked.append(success)
    gaps = [late - soon for soon, late in itertools.pairwise(asked)]
    assert gaps == sorted(gaps)
    assert gaps[-1] > 5 * gaps[0]


def test_the_cap_of_one_origin_wins_over_that_of_all_and_forgets_refusals() -> None:
    queue = DownloadQueue(2)
    for number in range(9):
        queue.push(download(number))
    assert len(drain(queue)) == 2
    queue.set_cap("http://a", 5)
    assert len(drain(queue)) == 3
    state = queue.origin_state("http://a")
    assert queue.cap_from(state) == "set"
    refuse(queue, 0, is_certain=True)
    assert (queue.cap(state), queue.cap_from(state)) == (2, "learned")
    queue.set_cap("http://a", 4)
    assert (queue.cap(state), queue.cap_from(state)) == (4, "set")
    queue.set_cap("http://a", 0)
    assert (queue.cap(state), queue.cap_from(state)) == (2, "per host")


def crowd(count: int = 8) -> DownloadQueue:
    queue = DownloadQueue(0)
    for number in range(count):
        queue.push(download(number))
    drain(queue)
    return queue


def test_one_url_that_is_refused_again_and_again_lowers_no_cap() -> None:
    queue = crowd()
    state = queue.origin_state("http://a")
    for attempt in range(6):
        refuse(queue, 0, 2.0 + attempt, asked_at=1.5 + attempt, is_serving=True)
    assert state.learned_cap == 0


def test_one_url_with_retry_after_lowers_the_cap_once() -> None:
    queue = crowd()
    state = queue.origin_state("http://a")
    for attempt in range(6):
        refuse(
            queue,
            *(0, 2.0 + attempt),
            asked_at=1.5 + attempt,
            is_certain=True,
            is_serving=True,
        )
    assert state.learned_cap == 4


def test_repeated_refusals_count_while_the_host_serves_nobody() -> None:
    queue = crowd()
    state = queue.origin_state("http://a")
    for attempt in range(3):
        for number in (0, 1):
            refuse(queue, number, 2.0 + attempt, asked_at=1.5 + attempt)
    assert state.learned_cap == 1


def test_the_cap_ends_with_the_urls_that_caused_it() -> None:
    queue = crowd()
    state = queue.origin_state("http://a")
    refuse(queue, 0)
    refuse(queue, 1)
    assert queue.cap(state) == 4
    queue.end_refusal(download(0))
    assert queue.cap(state) == 4
    queue.end_refusal(download(1))
    assert queue.cap(state) == 0


def test_the_cap_stays_if_a_refused_url_succeeds_under_it() -> None:
    queue = crowd()
    state = queue.origin_state("http://a")
    refuse(queue, 0)
    refuse(queue, 1)
    queue.end_refusal(download(0), is_done=True)
    queue.end_refusal(download(1))
    assert queue.cap(state) == 4


def test_the_last_attempt_at_a_refused_url_gets_a_slot_that_was_accepted() -> None:
    queue = crowd()
    state = queue.origin_state("http://a")
    refuse(queue, 0, is_serving=True)
    queue.free_slot("http://a")
    assert queue.cap(state) == 7
    queue.end_refusal(download(0))
    assert queue.cap(state) == 0


def test_an_automatic_ceiling_depends_on_the_size_of_the_files() -> None:
    queue = DownloadQueue(0)
    queue.set_auto(True)
    state = queue.origin_state("http://a")
    for number in range(100):
        queue.push(download(number))
    assert len(drain(queue)) == 16
    assert queue.cap_from(state) == "auto"
    state.accepted, state.small = 10, 6
    queue.update_ceilings()
    assert len(drain(queue)) == 48
    queue.set_auto(False)
    assert len(drain(queue)) == 36


def test_medium_files_get_more_than_large_ones_and_fewer_than_small_ones() -> None:
    queue = DownloadQueue(0)
    queue.set_auto(True)
    state = queue.origin_state("http://a")
    ceilings = []
    for size in (None, 3 << 20, 4 << 20, 256 << 10, 1000, 1000, 1000):
        state.accepted += 1
        state.note_size(size)
        queue.update_ceilings()
        ceilings.append(queue.cap(state))
    assert ceilings == [16, 16, 32, 32, 32, 32, 64]


def test_a_remembered_limit_applies_from_the_first_request_and_can_grow() -> None:
    queue = DownloadQueue(0)
    queue.remembered = {"http://a": 3}
    for number in range(20):
        queue.push(download(number))
    assert drain(queue) == [0, 1, 2]
    state = queue.origin_state("http://a")
    assert queue.cap_from(state) == "learned"
    assert queue.limits_to_remember() == {"http://a": 3}
    for _ in range(3):
        queue.speed_up("http://a")
    assert queue.cap(state) == 4
    queue.set_cap("http://a", 0)
    assert queue.limits_to_remember() == {"http://a": 0}


def test_a_limit_that_may_be_the_fault_of_urls_is_not_remembered() -> None:
    queue = DownloadQueue(0)
    for number in range(8):
        queue.push(download(number))
    drain(queue)
    refuse(queue, 0)
    refuse(queue, 1)
    state = queue.origin_state("http://a")
    assert queue.cap(state) == 4
    assert queue.limits_to_remember() == {}
    queue.end_refusal(download(0), is_done=True)
    assert queue.limits_to_remember() == {"http://a": 4}


def test_a_number_per_host_replaces_the_automatic_ceiling() -> None:
    queue = DownloadQueue(20)
    queue.set_auto(True)
    state = queue.origin_state("http://a")
    assert (queue.cap(state), queue.cap_from(state)) == (20, "per host")
    queue.set_cap("http://a", 30)
    assert (queue.cap(state), queue.cap_from(state)) == (30, "set")


def test_switching_automatic_concurrency_forgets_measured_connection_limits() -> None:
    queue = DownloadQueue(per_host=0)
    queue.set_auto(True)
    states = [queue.origin_state(origin) for origin in ("http://a", "http://b")]
    for is_auto in (False, True):
        for state in states:
            state.connections, state.connection_limit = 4, 3
            assert queue.spare_connections(state) == -1
        queue.set_auto(is_auto)
        assert [state.connection_limit for state in states] == [0, 0]
        assert all(queue.spare_connections(state) > 0 for state in states)


def test_further_connections_count_against_the_ceiling_until_they_close() -> None:
    queue = DownloadQueue(0)
    queue.set_auto(True)
    state = queue.origin_state("http://a")
    for number in range(30):
        queue.push(download(number))
    taken(queue)
    queue.open_connection(state, is_extra=False)
    for _ in range(11):
        queue.open_connection(state, is_extra=True)
    assert queue.spare_connections(state) == 4
    assert len(drain(queue)) == 4
    queue.close_connection(state, is_extra=True)
    assert len(drain(queue)) == 1


def test_a_queued_download_gets_one_of_the_connections_of_a_large_file() -> None:
    queue = DownloadQueue(0)
    queue.set_auto(True)
    state = queue.origin_state("http://a")
    queue.push(download(0))
    taken(queue)
    queue.open_connection(state, is_extra=False)
    while queue.spare_connections(state):
        queue.open_connection(state, is_extra=True)
    queue.push(download(1))
    assert queue.spare_connections(state) == 0
    queue.has_free_slot = lambda: True
    assert queue.spare_connections(state) == -1
    queue.close_connection(state, is_extra=True)
    # Another large file does not take it before the download starts.
    assert queue.spare_connections(state) == 0
    assert drain(queue) == [1]
    assert queue.spare_connections(state) == 0
    # A cap of the user keeps it waiting: another connection would not help.
    queue.push(download(2))
    assert queue.spare_connections(state) == -1
    queue.limit_cap("http://a", 2)
    assert queue.spare_connections(state) == 0


def test_connections_among_small_files_wait_until_slots_are_given_back() -> None:
    queue = DownloadQueue(0)
    queue.set_auto(True)
    state = queue.origin_state("http://a")
    state.accepted = state.small = 10
    queue.update_ceilings()
    for number in range(100):
        queue.push(download(number))
    assert len(drain(queue)) == 64
    queue.open_connection(state, is_extra=False)
    assert queue.spare_connections(state) == 0
    queue.reserve(state, 11)
    for _ in range(12):
        queue.release("http://a")
    assert len(drain(queue)) == 1
    assert queue.spare_connections(state) == 11
    queue.reserve(state, -11)
    assert len(drain(queue)) == 11


def test_refused_connections_of_a_file_show_what_the_host_accepts() -> None:
    queue = DownloadQueue(0)
    state = queue.origin_state("http://a")
    queue.push(download(0))
    taken(queue)
    queue.open_connection(state, is_extra=False)
    for _ in range(11):
        queue.open_connection(state, is_extra=True)
    for now in (1.0, 2.0):
        queue.refuse_connection(state, now)
        queue.close_connection(state, is_extra=True)
    assert state.learned_cap == state.load == 10
    assert queue.spare_connections(state) == 0


@given(
    origins=st.lists(st.sampled_from("abc"), max_size=30),
    cap=st.integers(0, 3),
    releases=st.lists(st.integers(0, 5), max_size=60),
)
def test_everything_is_taken_once_and_no_cap_is_ever_broken(
    origins: list[str], cap: int, releases: list[int]
) -> None:
    queue = DownloadQueue(cap)
    for number, origin in enumerate(origins):
        queue.push(download(number, f"http://{origin}"))
    running: list[Download] = []
    seen: list[int] = []
    for choice in [*releases, *[0] * len(origins)]:
        while (made := taken(queue)) is not None:
            running.append(made)
            seen.append(made.id)
        for state in queue.origins.values():
            assert not cap or state.active <= cap
        if running:
            queue.release(running.pop(choice % len(running)).origin)
    assert sorted(seen) == list(range(len(origins)))


def test_a_rule_caps_the_origins_that_it_matches() -> None:
    queue = DownloadQueue(0, (HostRule("*.slow.example", cap=1),))
    for number in range(3):
        queue.push(download(number, "http://a.slow.example"))
        queue.push(download(number + 10, "http://quick.example"))
    assert drain(queue) == [0, 10, 11, 12]
