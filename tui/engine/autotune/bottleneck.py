"""What bounds the run, or one download, right now: measured shares, told in words.

Pure functions. The words before a colon say it in short, what follows proves it and
names the action that may help by its id in braces, ``{writers_more}``: which key that
is only a face knows.
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from tui.core.download import DownloadState
from tui.core.text.units import format_duration, format_rate

MUCH = 0.4
"""Share of connection time from which a wait is what bounds: with less, the wire is
waited for longer."""
BUSY = 0.85
"""Share of time from which a processor is the bound."""
LATE_S = 0.03
"""Half of all looks this late, and the loop is what all wait for: others than this
program may have the processor."""
STICKY = 0.1
"""A bound that was told stays told until it is that much less: words must not jump."""
ONE_HOST = 0.8
"""Share of the speed from which all of it comes from one host, so to speak."""


class Limit(Enum):
    """What there can be too little of."""

    NOTHING = "nothing"
    SERVER = "server"
    LINK = "link"
    DISK = "disk"
    CPU = "cpu"
    LIMITER = "limiter"
    CONCURRENCY = "concurrency"


class Diagnosis(NamedTuple):
    """One judgement."""

    bound: Limit
    words: str


NO_DIAGNOSIS = Diagnosis(Limit.NOTHING, "")


class Measures(NamedTuple):
    """The last few seconds."""

    disk: float = 0.0
    """Share of connection time spent waiting for the disk, 0 to 1."""
    limiter: float = 0.0
    """... for a limiter's tokens."""
    loop: float = 0.0
    """Share of one processor that the event loop's thread computed for."""
    lag_s: float = 0.0
    """How late the event loop is, in the middle."""
    process: float = 0.0
    """Share of all processors that the process computed for."""
    active: int = 0
    """Downloads that hold a slot."""
    allowed: int = 1
    waiting: int = 0
    """Downloads that could start if more were allowed."""
    rate_limit: int | None = None
    speed: float = 0.0
    """Bytes per second."""
    is_flat: bool = False
    """It was as fast with fewer at once."""
    hosts: int = 1
    """Origins that bytes come from."""
    top_share: float = 1.0
    """Share of the speed that comes from the first of them."""
    refusing: int = 0
    """Origins that asked for a rest or for less."""
    are_writers_busy: bool = True
    is_inline: bool = False
    is_auto: bool = False


def judge(now: Measures, before: Limit = Limit.NOTHING) -> Diagnosis:
    """Tell what bounds the run.

    Args:
        now: what was measured.
        before: what the last verdict said.
    """
    if not now.active and not now.refusing:
        return NO_DIAGNOSIS
    judges = (_limiter, _disk, _cpu, _refusal, _concurrency, _link)
    for one in judges:
        verdict = one(now, before)
        if verdict is not None:
            return verdict
    share = 1.0 - now.disk - now.limiter
    told = f"bound by the server: connections wait for it {_share(share)} of the time"
    if now.is_flat and now.waiting:
        told = "bound by the server or the way to it: more at once brought nothing"
    return Diagnosis(Limit.SERVER, told)


def _over(share: float, least: float, bound: Limit, before: Limit) -> bool:
    return share >= least - (STICKY if bound is before else 0.0)


def _limiter(now: Measures, before: Limit) -> Diagnosis | None:
    is_bound = now.limiter >= now.disk
    if not is_bound or not _over(now.limiter, MUCH, Limit.LIMITER, before):
        return None
    if now.rate_limit is None:
        told = "bound by the limits of single downloads: {limit_row} changes them"
    else:
        told = (
            f"bound by the limit of {format_rate(now.rate_limit)}: {{limit}} changes it"
        )
    return Diagnosis(Limit.LIMITER, told)


def _disk(now: Measures, before: Limit) -> Diagnosis | None:
    if not _over(now.disk, MUCH, Limit.DISK, before):
        return None
    told = f"bound by the disk: connections wait for it {_share(now.disk)} of the time"
    if now.is_inline:
        told += "; {inline_writes} lets threads write"
    elif now.are_writers_busy:
        told += "; {writers_more} adds a writer"
    return Diagnosis(Limit.DISK, told)


def _cpu(now: Measures, before: Limit) -> Diagnosis | None:
    if _over(now.loop, BUSY, Limit.CPU, before):
        share = _share(min(1.0, now.loop))
        told = f"bound by the CPU: the event loop computes {share} of the time"
    elif now.lag_s >= LATE_S:
        late = round(now.lag_s * 1000)
        told = f"bound by the CPU: the event loop is {late} ms late most of the time"
    elif _over(now.process, BUSY, Limit.CPU, before):
        share = _share(min(1.0, now.process))
        told = f"bound by the CPU: all processors are {share} busy with this"
    else:
        return None
    return Diagnosis(Limit.CPU, told)


def _refusal(now: Measures, before: Limit) -> Diagnosis | None:
    del before
    if not now.refusing or now.active >= now.allowed:
        return None
    hosts = "a host" if now.refusing == 1 else f"{now.refusing} hosts"
    verb = "asks" if now.refusing == 1 else "ask"
    return Diagnosis(
        Limit.SERVER, f"bound by the server: {hosts} {verb} for less ({{hosts}})"
    )


def _concurrency(now: Measures, before: Limit) -> Diagnosis | None:
    del before
    if now.active < now.allowed or not now.waiting or now.is_flat:
        return None
    slots = f"all {now.allowed} slots are" if now.allowed > 1 else "the slot is"
    told = f"bound by downloads at once: {slots} taken, {now.waiting:,} wait"
    told += "; auto tries more" if now.is_auto else "; {more} starts more"
    return Diagnosis(Limit.CONCURRENCY, told)


def _link(now: Measures, before: Limit) -> Diagnosis | None:
    del before
    if not now.is_flat or now.hosts < 2 or now.top_share > ONE_HOST:
        return None
    told = f"{now.hosts} hosts together give {format_rate(now.speed)}"
    return Diagnosis(Limit.LINK, f"bound by the link: {told}, more at once no more")


class DownloadSample(NamedTuple):
    """One download, as far as it is judged."""

    state: DownloadState
    disk: float = 0.0
    limiter: float = 0.0
    """Shares of its connections' time, 0 to 1."""
    own_limit: int | None = None
    limit: int | None = None
    """Bytes per second, of it alone and of all together."""
    connections: int = 0
    takes_ranges: bool = True
    stalled_s: float = 0.0
    retry_in_s: float = 0.0
    why_queued: str = ""


STALLED_S = 3.0
"""Without a byte, from which silence is the thing to tell."""


def judge_one(one: DownloadSample, run: Diagnosis) -> str:
    """Tell what bounds one download, or what it waits for; "" when it has ended.

    Args:
        one: what was measured of it.
        run: the verdict on all together.
    """
    state = one.state
    if state is DownloadState.QUEUED:
        return one.why_queued
    if state is DownloadState.WAITING:
        wait = format_duration(one.retry_in_s)
        return f"waits {wait} before it tries again; {{retry}} now"
    if state is DownloadState.PAUSED:
        return "paused; {pause} goes on"
    if state is DownloadState.PROBING:
        return "waits for the server's answer"
    if state is DownloadState.VERIFYING:
        return "bound by the disk: it is checked, synced and named"
    return _transfer(one, run) if state is DownloadState.DOWNLOADING else ""


def _transfer(one: DownloadSample, run: Diagnosis) -> str:
    if one.limiter >= max(MUCH, one.disk):
        if one.own_limit is not None and (
            one.limit is None or one.own_limit < one.limit
        ):
            rate = format_rate(one.own_limit)
            return f"bound by its limit of {rate}; {{limit_row}} changes it"
        if one.limit is not None:
            rate = format_rate(one.limit)
            return f"bound by the limit of all, {rate}; {{limit}} changes it"
    if one.disk >= MUCH:
        return f"bound by the disk: it waits for it {_share(one.disk)} of the time"
    if one.stalled_s >= STALLED_S:
        silent = format_duration(one.stalled_s)
        return f"bound by the server: nothing has come for {silent}"
    if run.bound in (Limit.CPU, Limit.LINK):
        return run.words
    if not one.takes_ranges:
        return "bound by the server: it takes no ranges, so there is one connection"
    number = one.connections
    told = f"bound by the server: {number} connection{'s' if number != 1 else ''}"
    return f"{told}; {{connections_more}} adds one"


def _share(share: float) -> str:
    # In steps of two: a number that changes each second says less.
    return f"{round(max(0.0, share) * 50) * 2} %"
