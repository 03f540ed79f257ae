"""What limits a run or a download: tables of measurements and diagnoses."""

from __future__ import annotations

import pytest

from tui.core.diagnosis import NO_DIAGNOSIS, Diagnosis, Limit, LimitCause
from tui.core.download import DownloadState as S
from tui.engine.autotune.bottleneck import (
    BUSY,
    MUCH,
    STICKY,
    DownloadSample,
    Measures,
    diagnose,
    diagnose_download,
)

C, L = LimitCause, Limit
RUNNING = Measures(active=8, allowed=8)


@pytest.mark.parametrize(
    ("measures", "limit", "cause", "values"),
    [
        (RUNNING, L.SERVER, C.SERVER_WAIT, (1.0,)),
        (RUNNING._replace(disk=0.82), L.DISK, C.DISK_WAIT_WRITERS, (0.82,)),
        (
            RUNNING._replace(disk=0.5, are_writers_busy=False),
            *(L.DISK, C.DISK_WAIT, (0.5,)),
        ),
        (
            RUNNING._replace(disk=0.5, is_inline=True),
            *(L.DISK, C.DISK_WAIT_INLINE, (0.5,)),
        ),
        (
            RUNNING._replace(limiter=0.9, rate_limit=2_000_000),
            *(L.LIMITER, C.RATE_LIMIT, (2_000_000,)),
        ),
        (RUNNING._replace(limiter=0.9), L.LIMITER, C.DOWNLOAD_RATE_LIMITS, ()),
        (RUNNING._replace(loop=1.97), L.CPU, C.LOOP_BUSY, (1.0,)),
        (RUNNING._replace(lag_s=0.042), L.CPU, C.LOOP_LATE, (42,)),
        (RUNNING._replace(process=0.91), L.CPU, C.PROCESSORS_BUSY, (0.91,)),
        (RUNNING._replace(waiting=4203), L.CONCURRENCY, C.SLOTS_BUSY, (8, 4203)),
        (
            RUNNING._replace(waiting=3, is_auto=True, allowed=1),
            *(L.CONCURRENCY, C.SLOTS_BUSY_AUTO, (1, 3)),
        ),
        (RUNNING._replace(waiting=9, is_flat=True), L.SERVER, C.NO_GAIN, ()),
        (
            RUNNING._replace(
                waiting=9, is_flat=True, hosts=3, top_share=0.4, speed=11.2e6
            ),
            *(L.LINK, C.NO_GAIN_ON_LINK, (3, 11.2e6)),
        ),
        (RUNNING._replace(active=0, refusing=1), L.SERVER, C.HOSTS_REFUSE, (1,)),
        (
            RUNNING._replace(active=2, refusing=2, waiting=5),
            *(L.SERVER, C.HOSTS_REFUSE, (2,)),
        ),
    ],
)
def test_measurements_give_a_diagnosis(measures, limit, cause, values):
    assert diagnose(measures) == Diagnosis(limit, cause, values)


def test_nothing_is_diagnosed_while_nothing_runs():
    assert diagnose(Measures()) == NO_DIAGNOSIS


@pytest.mark.parametrize(
    ("measures", "limit"),
    [
        (RUNNING._replace(disk=MUCH - STICKY), Limit.DISK),
        (RUNNING._replace(limiter=MUCH - STICKY), Limit.LIMITER),
        (RUNNING._replace(loop=BUSY - STICKY), Limit.CPU),
    ],
)
def test_a_diagnosis_stays_until_its_share_is_clearly_less(measures, limit):
    assert diagnose(measures).limit is Limit.SERVER
    assert diagnose(measures, limit).limit is limit


STARTING = Diagnosis(L.NOTHING, C.STARTING)


@pytest.mark.parametrize(
    ("sample", "diagnosis"),
    [
        (DownloadSample(S.QUEUED, queued=STARTING), STARTING),
        (
            DownloadSample(S.WAITING, retry_in_s=4.0),
            Diagnosis(L.NOTHING, C.BACKING_OFF, (4.0,)),
        ),
        (DownloadSample(S.PAUSED), Diagnosis(L.NOTHING, C.PAUSED)),
        (DownloadSample(S.PROBING), Diagnosis(L.NOTHING, C.PROBING)),
        (DownloadSample(S.VERIFYING), Diagnosis(L.DISK, C.VERIFYING)),
        (
            DownloadSample(S.DOWNLOADING, connections=4),
            Diagnosis(L.SERVER, C.CONNECTIONS, (4,)),
        ),
        (
            DownloadSample(S.DOWNLOADING, connections=1, takes_ranges=False),
            Diagnosis(L.SERVER, C.NO_RANGES),
        ),
        (
            DownloadSample(S.DOWNLOADING, limiter=0.8, own_limit=500_000),
            Diagnosis(L.LIMITER, C.OWN_RATE_LIMIT, (500_000,)),
        ),
        (
            DownloadSample(
                S.DOWNLOADING, limiter=0.8, own_limit=900_000, limit=200_000
            ),
            Diagnosis(L.LIMITER, C.SHARED_RATE_LIMIT, (200_000,)),
        ),
        (
            DownloadSample(S.DOWNLOADING, disk=0.6, limiter=0.1),
            Diagnosis(L.DISK, C.OWN_DISK_WAIT, (0.6,)),
        ),
        (
            DownloadSample(S.DOWNLOADING, stalled_s=12.0),
            Diagnosis(L.SERVER, C.NO_DATA, (12.0,)),
        ),
        (DownloadSample(S.DONE), NO_DIAGNOSIS),
        (DownloadSample(S.FAILED), NO_DIAGNOSIS),
    ],
)
def test_a_download_has_a_diagnosis_of_its_own(sample, diagnosis):
    assert diagnose_download(sample, NO_DIAGNOSIS) == diagnosis


def test_what_limits_the_run_limits_each_download():
    run = Diagnosis(Limit.CPU, LimitCause.LOOP_LATE, (40,))
    assert diagnose_download(DownloadSample(S.DOWNLOADING, connections=1), run) == run
