"""Diagnoses what limits the run, or one download, from measured shares.

Pure functions of measurements; ``tui.messages`` words their results.
"""

from __future__ import annotations

from tui.core.diagnosis import NO_DIAGNOSIS, Diagnosis, Limit, LimitCause
from tui.core.download import DownloadState
from tui.core.quick.named_tuple import NamedTuple

MUCH = 0.4
"""Share of connection time from which a wait is the limit: with less, connections
wait longer for the network."""
BUSY = 0.85
"""Share of time from which a processor is the limit."""
LATE_S = 0.03
"""If half of all samples are this late, everything waits for the event loop: programs
other than this one may have the processor."""
STICKY = 0.1
"""A limit stays diagnosed until its share is this much smaller, so that the words on
the screen do not jump."""
ONE_HOST = 0.8
"""Share of the speed from which one host counts as the source of all of it."""
STALLED_S = 3.0
"""Seconds without a byte after which the silence is the diagnosis."""


class Measures(NamedTuple):
    """Measurements of the last few seconds."""

    disk: float = 0.0
    """Share of connection time spent waiting for the disk, 0 to 1."""
    limiter: float = 0.0
    """Share of connection time spent waiting for a rate limiter."""
    loop: float = 0.0
    """Share of one processor that the event loop's thread used."""
    lag_s: float = 0.0
    """Median lag of the event loop."""
    process: float = 0.0
    """Share of all processors that the process used."""
    active: int = 0
    """Downloads that occupy a slot."""
    allowed: int = 1
    """Slots: the concurrency."""
    waiting: int = 0
    """Downloads that could start if there were more slots."""
    rate_limit: int | None = None
    """Bytes per second over everything."""
    speed: float = 0.0
    """Bytes per second."""
    is_flat: bool = False
    """The run was as fast with fewer slots."""
    hosts: int = 1
    """Origins that bytes come from."""
    top_share: float = 1.0
    """Share of the speed that comes from the fastest origin."""
    refusing: int = 0
    """Origins that sent Retry-After or refused connections."""
    are_writers_busy: bool = True
    is_inline: bool = False
    """Writes run on the event loop."""
    is_auto: bool = False
    """The controller may still raise the concurrency."""


def diagnose(now: Measures, before: Limit = Limit.NOTHING) -> Diagnosis:
    """Return what limits the run.

    Args:
        now: the measurements.
        before: the limit of the last diagnosis.
    """
    if not now.active and not now.refusing:
        return NO_DIAGNOSIS
    for check in (_limiter, _disk, _cpu, _refusal, _concurrency, _link):
        diagnosis = check(now, before)
        if diagnosis is not None:
            return diagnosis
    if now.is_flat and now.waiting:
        return Diagnosis(Limit.SERVER, LimitCause.NO_GAIN)
    share = 1.0 - now.disk - now.limiter
    return Diagnosis(Limit.SERVER, LimitCause.SERVER_WAIT, (share,))


def _reaches(share: float, least: float, limit: Limit, before: Limit) -> bool:
    return share >= least - (STICKY if limit is before else 0.0)


def _limiter(now: Measures, before: Limit) -> Diagnosis | None:
    is_larger = now.limiter >= now.disk
    if not is_larger or not _reaches(now.limiter, MUCH, Limit.LIMITER, before):
        return None
    if now.rate_limit is None:
        return Diagnosis(Limit.LIMITER, LimitCause.DOWNLOAD_RATE_LIMITS)
    return Diagnosis(Limit.LIMITER, LimitCause.RATE_LIMIT, (now.rate_limit,))


def _disk(now: Measures, before: Limit) -> Diagnosis | None:
    if not _reaches(now.disk, MUCH, Limit.DISK, before):
        return None
    if now.is_inline:
        cause = LimitCause.DISK_WAIT_INLINE
    elif now.are_writers_busy:
        cause = LimitCause.DISK_WAIT_WRITERS
    else:
        cause = LimitCause.DISK_WAIT
    return Diagnosis(Limit.DISK, cause, (now.disk,))


def _cpu(now: Measures, before: Limit) -> Diagnosis | None:
    if _reaches(now.loop, BUSY, Limit.CPU, before):
        return Diagnosis(Limit.CPU, LimitCause.LOOP_BUSY, (min(1.0, now.loop),))
    if now.lag_s >= LATE_S:
        late_ms = round(now.lag_s * 1000)
        return Diagnosis(Limit.CPU, LimitCause.LOOP_LATE, (late_ms,))
    if _reaches(now.process, BUSY, Limit.CPU, before):
        share = min(1.0, now.process)
        return Diagnosis(Limit.CPU, LimitCause.PROCESSORS_BUSY, (share,))
    return None


def _refusal(now: Measures, before: Limit) -> Diagnosis | None:
    del before
    if not now.refusing or now.active >= now.allowed:
        return None
    return Diagnosis(Limit.SERVER, LimitCause.HOSTS_REFUSE, (now.refusing,))


def _concurrency(now: Measures, before: Limit) -> Diagnosis | None:
    del before
    if now.active < now.allowed or not now.waiting or now.is_flat:
        return None
    cause = LimitCause.SLOTS_BUSY_AUTO if now.is_auto else LimitCause.SLOTS_BUSY
    return Diagnosis(Limit.CONCURRENCY, cause, (now.allowed, now.waiting))


def _link(now: Measures, before: Limit) -> Diagnosis | None:
    del before
    if not now.is_flat or now.hosts < 2 or now.top_share > ONE_HOST:
        return None
    return Diagnosis(Limit.LINK, LimitCause.NO_GAIN_ON_LINK, (now.hosts, now.speed))


class DownloadSample(NamedTuple):
    """Measurements of one download."""

    state: DownloadState
    disk: float = 0.0
    """Share of its connections' time spent waiting for the disk, 0 to 1."""
    limiter: float = 0.0
    """Share of that time spent waiting for a rate limiter."""
    own_limit: int | None = None
    """Bytes per second of this download alone."""
    limit: int | None = None
    """Bytes per second of all downloads together."""
    connections: int = 0
    takes_ranges: bool = True
    """The server sends ranges, so there may be several connections."""
    stalled_s: float = 0.0
    """Seconds since the last byte."""
    retry_in_s: float = 0.0
    """Seconds to the next attempt."""
    queued: Diagnosis = NO_DIAGNOSIS
    """Why it is queued."""


_BY_STATE = {
    DownloadState.PAUSED: Diagnosis(Limit.NOTHING, LimitCause.PAUSED),
    DownloadState.PROBING: Diagnosis(Limit.NOTHING, LimitCause.PROBING),
    DownloadState.VERIFYING: Diagnosis(Limit.DISK, LimitCause.VERIFYING),
}


def diagnose_download(sample: DownloadSample, run: Diagnosis) -> Diagnosis:
    """Return what limits one download, or what it waits for.

    Args:
        sample: the measurements of the download.
        run: the diagnosis of the whole run.
    """
    state = sample.state
    if state is DownloadState.DOWNLOADING:
        return _transfer(sample, run)
    if state is DownloadState.QUEUED:
        return sample.queued
    if state is DownloadState.WAITING:
        wait = (sample.retry_in_s,)
        return Diagnosis(Limit.NOTHING, LimitCause.BACKING_OFF, wait)
    return _BY_STATE.get(state, NO_DIAGNOSIS)


def _transfer(sample: DownloadSample, run: Diagnosis) -> Diagnosis:
    own, limit = sample.own_limit, sample.limit
    if sample.limiter >= max(MUCH, sample.disk):
        if own is not None and (limit is None or own < limit):
            return Diagnosis(Limit.LIMITER, LimitCause.OWN_RATE_LIMIT, (own,))
        if limit is not None:
            return Diagnosis(Limit.LIMITER, LimitCause.SHARED_RATE_LIMIT, (limit,))
    if sample.disk >= MUCH:
        return Diagnosis(Limit.DISK, LimitCause.OWN_DISK_WAIT, (sample.disk,))
    if sample.stalled_s >= STALLED_S:
        return Diagnosis(Limit.SERVER, LimitCause.NO_DATA, (sample.stalled_s,))
    if run.limit in (Limit.CPU, Limit.LINK):
        return run
    if not sample.takes_ranges:
        return Diagnosis(Limit.SERVER, LimitCause.NO_RANGES)
    count = (sample.connections,)
    return Diagnosis(Limit.SERVER, LimitCause.CONNECTIONS, count)
