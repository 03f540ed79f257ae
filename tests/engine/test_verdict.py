"""What bounds a run: tables of measures, and the words for them."""

from __future__ import annotations

import pytest

from tui.core.download import DownloadState as S
from tui.engine.autotune.bottleneck import (
    BUSY,
    MUCH,
    NO_DIAGNOSIS,
    STICKY,
    Diagnosis,
    DownloadSample,
    Limit,
    Measures,
    judge,
    judge_one,
)

RUNNING = Measures(active=8, allowed=8)
TABLE = [
    (RUNNING, "bound by the server: connections wait for it 100 % of the time"),
    (
        RUNNING._replace(disk=0.82),
        "bound by the disk: connections wait for it 82 % of the time;"
        " {writers_more} adds a writer",
    ),
    (
        RUNNING._replace(disk=0.5, are_writers_busy=False),
        "bound by the disk: connections wait for it 50 % of the time",
    ),
    (
        RUNNING._replace(disk=0.5, is_inline=True),
        "bound by the disk: connections wait for it 50 % of the time;"
        " {inline_writes} lets threads write",
    ),
    (
        RUNNING._replace(limiter=0.9, rate_limit=2_000_000),
        "bound by the limit of 2.00 MB/s: {limit} changes it",
    ),
    (
        RUNNING._replace(limiter=0.9),
        "bound by the limits of single downloads: {limit_row} changes them",
    ),
    (
        RUNNING._replace(loop=0.97),
        "bound by the CPU: the event loop computes 96 % of the time",
    ),
    (
        RUNNING._replace(lag_s=0.042),
        "bound by the CPU: the event loop is 42 ms late most of the time",
    ),
    (
        RUNNING._replace(process=0.91),
        "bound by the CPU: all processors are 92 % busy with this",
    ),
    (
        RUNNING._replace(waiting=4203),
        "bound by downloads at once: all 8 slots are taken, 4,203 wait;"
        " {more} starts more",
    ),
    (
        RUNNING._replace(waiting=3, is_auto=True, allowed=1),
        "bound by downloads at once: the slot is taken, 3 wait; auto tries more",
    ),
    (
        RUNNING._replace(waiting=9, is_flat=True),
        "bound by the server or the way to it: more at once brought nothing",
    ),
    (
        RUNNING._replace(waiting=9, is_flat=True, hosts=3, top_share=0.4, speed=11.2e6),
        "bound by the link: 3 hosts together give 11.2 MB/s, more at once no more",
    ),
    (
        RUNNING._replace(active=0, refusing=1),
        "bound by the server: a host asks for less ({hosts})",
    ),
    (
        RUNNING._replace(active=2, refusing=2, waiting=5),
        "bound by the server: 2 hosts ask for less ({hosts})",
    ),
]


@pytest.mark.parametrize(("measures", "words"), TABLE)
def test_measures_are_told_in_words(measures: Measures, words: str) -> None:
    assert judge(measures).words == words


@pytest.mark.parametrize(("measures", "_words"), TABLE)
def test_the_words_begin_with_the_short_form(measures: Measures, _words: str) -> None:
    short = judge(measures).words.partition(":")[0]
    assert short.startswith("bound by ")
    assert len(short) <= 40


def test_nothing_is_bound_while_nothing_runs() -> None:
    assert judge(Measures()) == NO_DIAGNOSIS


@pytest.mark.parametrize(
    ("measures", "bound"),
    [
        (RUNNING._replace(disk=MUCH - STICKY), Limit.DISK),
        (RUNNING._replace(limiter=MUCH - STICKY), Limit.LIMITER),
        (RUNNING._replace(loop=BUSY - STICKY), Limit.CPU),
    ],
)
def test_what_was_told_stays_told_until_it_is_clearly_less(
    measures: Measures, bound: Limit
) -> None:
    assert judge(measures).bound is Limit.SERVER
    assert judge(measures, bound).bound is bound


@pytest.mark.parametrize(
    ("one", "words"),
    [
        (DownloadSample(S.QUEUED, why_queued="about to start"), "about to start"),
        (
            DownloadSample(S.WAITING, retry_in_s=4.0),
            "waits 4s before it tries again; {retry} now",
        ),
        (DownloadSample(S.PAUSED), "paused; {pause} goes on"),
        (DownloadSample(S.PROBING), "waits for the server's answer"),
        (
            DownloadSample(S.VERIFYING),
            "bound by the disk: it is checked, synced and named",
        ),
        (
            DownloadSample(S.DOWNLOADING, connections=4),
            "bound by the server: 4 connections; {connections_more} adds one",
        ),
        (
            DownloadSample(S.DOWNLOADING, connections=1, takes_ranges=False),
            "bound by the server: it takes no ranges, so there is one connection",
        ),
        (
            DownloadSample(S.DOWNLOADING, limiter=0.8, own_limit=500_000),
            "bound by its limit of 500 KB/s; {limit_row} changes it",
        ),
        (
            DownloadSample(
                S.DOWNLOADING, limiter=0.8, own_limit=900_000, limit=200_000
            ),
            "bound by the limit of all, 200 KB/s; {limit} changes it",
        ),
        (
            DownloadSample(S.DOWNLOADING, disk=0.6, limiter=0.1),
            "bound by the disk: it waits for it 60 % of the time",
        ),
        (
            DownloadSample(S.DOWNLOADING, stalled_s=12.0),
            "bound by the server: nothing has come for 12s",
        ),
        (DownloadSample(S.DONE), ""),
        (DownloadSample(S.FAILED), ""),
    ],
)
def test_one_download_is_told_in_words(one: DownloadSample, words: str) -> None:
    assert judge_one(one, NO_DIAGNOSIS) == words


def test_what_bounds_all_bounds_one_of_them() -> None:
    run = Diagnosis(Limit.CPU, "bound by the CPU: ...")
    assert judge_one(DownloadSample(S.DOWNLOADING, connections=1), run) == run.words
