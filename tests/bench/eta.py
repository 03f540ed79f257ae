"""Error of the ETA and of the bar over time, on simulated runs: ``-m tests.bench.eta``.

Each run is data: sizes, speeds and order. A small simulation feeds the registry and the
meters of the engine in a time of its own, so a run of an hour takes a second. "Before"
is the first method: unknown sizes count as the mean of all known ones.
"""

from __future__ import annotations

import argparse
import random
from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING, NamedTuple

from tui.core.download import Download, DownloadState
from tui.core.request import DownloadRequest
from tui.engine.metrics.speed import TotalMeter, download_meters, eta_s, eta_speed
from tui.engine.registry import DownloadRegistry, transfer_eta_s
from tui.engine.totals import RunTotals

if TYPE_CHECKING:
    from collections.abc import Iterator

KB, MIB = 1000, 1 << 20
_S = DownloadState
_STEP_S = 0.05
_TICK_S = 0.25
_SMALL = MIB
"""Files up to here are stored whole; no transfer measures them."""


class File(NamedTuple):
    """One file of a run."""

    url: str
    size: int
    rate: float
    """Bytes per second of its connection, after a burst of one second's worth."""
    latency_s: float = 0.015
    fails: bool = False
    is_listed: bool = False
    """The list states its size."""


@dataclass(frozen=True)
class Run:
    """A list and how it is downloaded."""

    name: str
    files: list[File]
    slots: int = 8
    link: float = 1e12
    """Bytes per second over all connections."""


class Reading(NamedTuple):
    """What a front end shows at one moment."""

    at_s: float
    truth_s: float
    eta_s: float | None
    part: float
    eta_before_s: float | None
    part_before: float


def walk(order: str) -> list[File]:
    """Return the walk's list: 1,900 photos, 90 clips and 10 disk images."""
    files = [File(f"http://a/photo/{i}.jpg", 20 * KB, 1e6) for i in range(1900)]
    files += [File(f"http://a/mid/{i}.mp4", 2 * MIB, 300e3) for i in range(90)]
    files += [File(f"http://a/big/{i}.iso", 200 * MIB, 1e6) for i in range(10)]
    if order == "shuffled":
        random.Random(7).shuffle(files)
    elif order == "big first":
        files.reverse()
    return files


def demo() -> list[File]:
    """Return files as in the demo: few of a kind, of very different sizes."""
    dice = random.Random(3)
    kinds = [("iso", 30 * MIB), ("flac", 4 * MIB), ("mp4", 12 * MIB), ("pdf", 300 * KB)]
    files = []
    for number in range(40):
        suffix, size = kinds[number * 7 % len(kinds)]
        rate = dice.uniform(5e5, 3e6)
        nbytes = int(size * dice.uniform(0.5, 1.5))
        files.append(File(f"http://a/{number}.{suffix}", nbytes, rate))
    return files


def failures() -> list[File]:
    """Return 300 good files and three that the server does not have."""
    files = [File(f"http://a/ok/{i}.bin", 400 * KB, 300e3) for i in range(300)]
    for at in (20, 150, 280):
        files.insert(at, File(f"http://a/gone/{at}.bin", 0, 1e6, fails=True))
    return files


def rising() -> list[File]:
    """Return files of one kind, sorted by size."""
    return [
        File(f"http://a/{i}.bin", int(20e3 * 1.02**i), 5e5, latency_s=0.05)
        for i in range(400)
    ]


def growing(number: int, by: int, latency_s: float) -> list[File]:
    """Return files of one kind, each larger than the one before by as many bytes."""
    return [
        File(f"http://a/{i}.bin", 100 + by * i, 5e6, latency_s=latency_s)
        for i in range(number)
    ]


def listed() -> list[File]:
    """Return files whose sizes the list states."""
    return [file._replace(is_listed=True) for file in walk("shuffled")]


RUNS = [
    Run("big last", walk("big last")),
    Run("shuffled", walk("shuffled")),
    Run("big first", walk("big first")),
    Run("shared link", walk("shuffled"), slots=16, link=5e6),
    Run("demo", demo(), slots=4),
    Run("three failures", failures()),
    Run(
        "one slow, 500 small", [File("http://a/slow/x.flac", MIB, 4e3), *walk("")[:500]]
    ),
    Run("sorted by size", rising()),
    Run("growing, small", growing(6000, 5, 0.06), slots=16),
    Run("growing, one link", growing(600, 1500, 0.01), link=2e6),
    Run("sizes in the list", listed()),
]


class Running:
    """A transfer under way, with the meters of a real one."""

    def __init__(self, download: Download, now: float) -> None:
        self.download = download
        self.last_byte_at = now
        self._fast, self._slow = download_meters(now, download.received)

    def tick(self, now: float) -> None:
        self._fast.sample(now, self.download.received)
        self._slow.sample(now, self.download.received)

    def steady_speed(self) -> float:
        return eta_speed(self._fast.speed, self._slow.speed)

    def received_twice(self) -> int:
        return 0

    def speed(self) -> float:
        return self._fast.speed

    def is_measured(self) -> bool:
        return self._fast.is_measured


class _Slot:
    """One connection and the file that it is on."""

    def __init__(self) -> None:
        self.download: Download | None = None
        self.file: File | None = None
        self.running: Running | None = None
        self.latency_s = 0.0
        self.burst = 0.0


class Simulation:
    """Downloads a list in a time of its own."""

    def __init__(self, run: Run) -> None:
        self.now = 0.0
        self._run = run
        self._next = 0
        clock = SimpleNamespace(monotonic=lambda: self.now, wall=lambda: self.now)
        self.registry = DownloadRegistry(clock)
        for file in run.files:
            size = file.size if file.is_listed else None
            request = DownloadRequest((file.url,), size=size)
            id = len(self.registry.downloads)
            self.registry.enter(Download(id, request, "http://a", str(id)))
        self._slots = [_Slot() for _ in range(run.slots)]
        self.meter = TotalMeter(0.0)
        self.totals = RunTotals(self.registry, self.meter, lambda: self.active)

    @property
    def active(self) -> int:
        return sum(slot.download is not None for slot in self._slots)

    def readings(self) -> list[Reading]:
        """Run to the end; return a reading of every second."""
        found: list[Reading] = []
        ticks = round(_TICK_S / _STEP_S)
        step = 0
        while self.registry.pending:
            for slot in self._slots:
                self._advance(slot, _STEP_S, self._run.link / max(1, self.active))
            self.now += _STEP_S
            step += 1
            if step % ticks == 0:
                self._tick()
            if step % (ticks * 4) == 0:
                found.append(self._reading())
        return [reading._replace(truth_s=self.now - reading.at_s) for reading in found]

    def _tick(self) -> None:
        self.meter.sample(self.now, self.registry.fetched)
        for running in self.registry.running:
            running.tick(self.now)  # type: ignore[attr-defined]
        self.totals.tick(self.now)

    def _reading(self) -> Reading:
        part = self.totals.progress().fraction or 0.0
        eta_before, part_before = before(self.registry, self.meter, self.now)
        return Reading(self.now, 0.0, self.totals.eta_s, part, eta_before, part_before)

    def _advance(self, slot: _Slot, seconds: float, share: float) -> None:
        while seconds > 0:
            if slot.file is None and not self._start(slot, self.now):
                return
            assert slot.file is not None
            assert slot.download is not None
            if slot.latency_s > 0:
                waited = min(seconds, slot.latency_s)
                slot.latency_s -= waited
                seconds -= waited
                if slot.latency_s > 0:
                    return
                self._answered(slot)
            left = slot.file.size - slot.download.received
            rate = share if slot.burst > 0 else min(share, slot.file.rate)
            nbytes = min(left, max(1, int(rate * seconds)))
            if slot.burst > 0:
                nbytes = min(nbytes, max(1, int(slot.burst)))
                slot.burst -= nbytes
            seconds -= nbytes / rate
            self.registry.count(slot.download, nbytes)
            if slot.running is not None:
                slot.running.last_byte_at = self.now
            if nbytes >= left:
                self._end(slot, self.now + _STEP_S - max(0.0, seconds))

    def _start(self, slot: _Slot, now: float) -> bool:
        if self._next >= len(self._run.files):
            return False
        slot.file = self._run.files[self._next]
        slot.download = download = self.registry.downloads[self._next]
        self._next += 1
        slot.latency_s = slot.file.latency_s
        download.attempt = 1
        download.started_at = now
        self.registry.move(download, _S.PROBING)
        return True

    def _answered(self, slot: _Slot) -> None:
        assert slot.file is not None
        assert slot.download is not None
        if slot.file.fails:
            return
        self.registry.set_size(slot.download, slot.file.size)
        self.registry.move(slot.download, _S.DOWNLOADING)
        slot.burst = slot.file.rate
        if slot.file.size > _SMALL / 2:
            slot.running = Running(slot.download, self.now)
            self.registry.running[slot.running] = None  # type: ignore[index]

    def _end(self, slot: _Slot, at: float) -> None:
        assert slot.file is not None
        assert slot.download is not None
        slot.download.finished_at = at
        state = _S.FAILED if slot.file.fails else _S.DONE
        if not slot.file.fails:
            self.registry.move(slot.download, _S.VERIFYING)
        self.registry.move(slot.download, state)
        if slot.running is not None:
            self.registry.running.pop(slot.running, None)  # type: ignore[call-overload]
        slot.download = slot.file = slot.running = None


def before(
    registry: DownloadRegistry, meter: TotalMeter, now: float
) -> tuple[float | None, float]:
    """Return ETA and bar as fetchtui first computed them."""
    del now
    known = registry.total - registry.unknown - registry.counts[_S.FAILED]
    expected = registry.known_size * (1 + registry.unknown / max(1, known))
    part = registry.known_received / expected if expected else 0.0
    if not known or not registry.known_size:
        return None, part
    left = expected - registry.known_received
    seconds = eta_s(left, eta_speed(meter.fast.speed, meter.slow.speed))
    if seconds is None:
        return None, part
    longest = max((transfer_eta_s(r) or 0.0 for r in registry.running), default=0.0)
    return max(seconds, longest), part


def worst_ratio(readings: list[Reading], *, is_before: bool = False) -> float:
    """Return the largest factor between ETA and truth, from 10 s on.

    Two seconds of difference are allowed: they are rounding near the end.
    """
    worst = 1.0
    for reading in readings:
        eta = reading.eta_before_s if is_before else reading.eta_s
        if reading.at_s < 10 or eta is None or abs(eta - reading.truth_s) <= 2:
            continue
        truth = max(1.0, reading.truth_s)
        worst = max(worst, max(1.0, eta) / truth, truth / max(1.0, eta))
    return worst


def worst_fall(parts: list[float]) -> float:
    """Return by how much the bar falls at most below a value it had reached."""
    highest = fall = 0.0
    for part in parts:
        highest = max(highest, part)
        fall = max(fall, highest - part)
    return fall


def report(run: Run, *, is_long: bool) -> Iterator[str]:
    """Yield the lines about one run."""
    readings = Simulation(run).readings()
    late = [r for r in readings if r.at_s >= 10]
    shown = sum(r.eta_s is not None for r in late) / max(1, len(late))
    old, new = (
        worst_ratio(readings, is_before=is_before) for is_before in (True, False)
    )
    fall_old = worst_fall([r.part_before for r in readings])
    fall_new = worst_fall([r.part for r in readings])
    yield (
        f"{run.name:20} {len(readings):5} s   ETA off by {old:6.1f}x -> {new:4.2f}x,"
        f" shown {shown:4.0%}   bar falls {fall_old:5.1%} -> {fall_new:5.1%}"
    )
    if is_long:
        yield "     at    truth   before      now    bar before   now"
        every = max(1, len(readings) // 24)
        for r in readings[::every]:
            yield (
                f"{r.at_s:6.0f}s {r.truth_s:7.0f}s {_seconds(r.eta_before_s)}"
                f" {_seconds(r.eta_s)}      {r.part_before:6.1%}  {r.part:6.1%}"
            )


def _seconds(value: float | None) -> str:
    return f"{'-':>8}" if value is None else f"{value:7.0f}s"


def main() -> None:
    """Print the error of all runs; with ``-v`` over time."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-v", dest="is_long", action="store_true", help="over time")
    is_long = parser.parse_args().is_long
    for run in RUNS:
        for line in report(run, is_long=is_long):
            print(line, flush=True)


if __name__ == "__main__":
    main()
