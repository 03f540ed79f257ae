"""The states of a download and their transitions."""

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


def test_every_state_can_lead_to_done():
    for state in DownloadState:
        assert DownloadState.DONE in reachable_from(state)


def test_every_state_has_transitions_to_other_states():
    assert set(TRANSITIONS) == set(DownloadState)
    assert all(state not in after for state, after in TRANSITIONS.items())


def test_an_ended_download_runs_only_after_it_is_queued():
    for state in ENDED:
        assert not TRANSITIONS[state] & (ACTIVE | {DownloadState.WAITING})


def test_a_finished_download_stays_finished_unless_it_is_queued():
    assert TRANSITIONS[DownloadState.DONE] == {DownloadState.QUEUED}


def test_every_unfinished_download_can_be_cancelled():
    for state in set(DownloadState) - {DownloadState.DONE, DownloadState.CANCELLED}:
        assert DownloadState.CANCELLED in TRANSITIONS[state]


def test_only_a_started_download_can_finish():
    before = {s for s, after in TRANSITIONS.items() if DownloadState.DONE in after}
    assert before <= ACTIVE


def test_states_have_words():
    assert [state.word for state in DownloadState][:4] == [
        "queued",
        "probing",
        "downloading",
        "waiting",
    ]


def test_a_download_has_a_short_repr():
    download = Download(7, DownloadRequest(("http://a/x",)), "http://a", "x")
    assert repr(download) == "<Download 7 QUEUED 0/?>"
    download.state = DownloadState.DOWNLOADING
    download.size = 10
    download.received = 4
    assert repr(download) == "<Download 7 DOWNLOADING 4/10>"


def test_a_download_has_no_dict():
    download = Download(7, DownloadRequest(("http://a/x",)), "http://a", "x")
    assert not hasattr(download, "__dict__")
