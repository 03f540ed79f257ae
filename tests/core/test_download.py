"""A download's states: what may follow what, and who may leave an ended one."""

from __future__ import annotations

from tui.core.download import ACTIVE, ENDED, TRANSITIONS, Download, DownloadState
from tui.core.request import DownloadRequest


def reachable_from(start: DownloadState) -> set[DownloadState]:
    seen = {start}
    waiting = [start]
    while waiting:
        for state in TRANSITIONS[waiting.pop()] - seen:
            seen.add(state)
            waiting.append(state)
    return seen


def test_every_state_can_be_reached_from_the_queue():
    assert reachable_from(DownloadState.QUEUED) == set(DownloadState)


def test_every_state_can_come_to_a_good_end():
    for state in DownloadState:
        assert DownloadState.DONE in reachable_from(state)


def test_nothing_follows_itself_and_every_state_has_its_rule():
    assert set(TRANSITIONS) == set(DownloadState)
    assert all(state not in after for state, after in TRANSITIONS.items())


def test_an_ended_download_never_runs_without_being_queued_by_somebody():
    for state in ENDED:
        assert not TRANSITIONS[state] & (ACTIVE | {DownloadState.WAITING})


def test_what_is_done_stays_done_unless_it_is_asked_for_again():
    assert TRANSITIONS[DownloadState.DONE] == {DownloadState.QUEUED}


def test_a_person_can_cancel_whatever_is_not_done():
    for state in set(DownloadState) - {DownloadState.DONE, DownloadState.CANCELLED}:
        assert DownloadState.CANCELLED in TRANSITIONS[state]


def test_only_a_started_download_is_done():
    before = {s for s, after in TRANSITIONS.items() if DownloadState.DONE in after}
    assert before <= ACTIVE


def test_states_are_words_that_people_read():
    assert [state.word for state in DownloadState][:4] == [
        "queued",
        "probing",
        "downloading",
        "waiting",
    ]


def test_a_download_prints_one_honest_line():
    download = Download(7, DownloadRequest(("http://a/x",)), "http://a", "x")
    assert repr(download) == "<Download 7 QUEUED 0/?>"
    download.state = DownloadState.DOWNLOADING
    download.size = 10
    download.received = 4
    assert repr(download) == "<Download 7 DOWNLOADING 4/10>"


def test_a_download_takes_no_more_memory_than_its_fields():
    download = Download(7, DownloadRequest(("http://a/x",)), "http://a", "x")
    assert not hasattr(download, "__dict__")
