"""ETA and progress of a whole run: right within a factor of two, and never falling."""

from __future__ import annotations

from itertools import pairwise
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from tests.bench.eta import (
    RUNS,
    File,
    Run,
    Running,
    Simulation,
    worst_fall,
    worst_ratio,
)
from tests.support.until import until
from tui.core.download import Download, DownloadState
from tui.core.request import DownloadRequest
from tui.core.settings import Settings
from tui.demo.pattern import Pattern
from tui.demo.script import ResponseScript
from tui.engine import open_engine
from tui.engine.metrics.progress import RunProgress, Work
from tui.engine.metrics.speed import TotalMeter
from tui.engine.registry import DownloadRegistry
from tui.engine.totals import RunTotals

if TYPE_CHECKING:
    from pathlib import Path

    from tui.demo.server import ScriptedServer

SIZE = 20_000_000


async def test_a_run_ends_with_its_slowest_download(
    server: ScriptedServer, tmp_path: Path
) -> None:
    body = Pattern(SIZE, 1)
    urls = [
        server.add(
            f"/{rate}", ResponseScript(body, etag='"1"', rate=rate, ranges="ignore")
        )
        for rate in (8e6, 2e5)
    ]
    engine = await open_engine(Settings(output_dir=tmp_path, segments=1))
    try:
        _, slow = engine.add(DownloadRequest((url,)) for url in urls)

        def times() -> tuple[float, float] | None:
            (row,) = engine.rows([slow])
            total = engine.snapshot().eta_s
            return (row.eta_s, total) if row.eta_s and total else None

        await until(times)
        for _ in range(3):
            one, whole = times() or (1.0, 0.0)
            assert one > 20, "the slow one alone takes a minute and a half"
            assert whole >= one
            beat = engine.snapshot().elapsed_s
            await until(lambda beat=beat: engine.snapshot().elapsed_s > beat)
    finally:
        await engine.close()


@pytest.mark.parametrize("run", RUNS, ids=lambda run: run.name)
def test_the_eta_is_within_a_factor_of_two_and_the_bar_does_not_fall(run: Run) -> None:
    readings = Simulation(run).readings()
    assert worst_ratio(readings) <= 2
    assert worst_fall([reading.part for reading in readings]) <= 0.02
    assert readings[-1].part < 1
    assert readings[-1].part > 0.9


@pytest.mark.parametrize("name", ["shuffled", "shared link", "one slow, 500 small"])
def test_a_steady_run_shows_an_eta_most_of_the_time(name: str) -> None:
    (run,) = (run for run in RUNS if run.name == name)
    late = [r for r in Simulation(run).readings() if r.at_s >= 10]
    assert sum(r.eta_s is not None for r in late) >= 0.8 * len(late)


@pytest.mark.parametrize("name", ["growing, small", "growing, one link"])
def test_sizes_that_grow_steadily_have_an_eta_in_the_second_half(name: str) -> None:
    (run,) = (run for run in RUNS if run.name == name)
    readings = Simulation(run).readings()
    late = [r for r in readings if r.at_s >= 10 and 0.6 < r.part < 0.9]
    assert len(late) >= 5
    assert all(r.eta_s is not None for r in late)
    early = [r for r in readings if r.at_s < readings[-1].at_s * 0.25]
    assert all(r.eta_s is None for r in early), "nobody knows whether it goes on"


async def test_small_files_that_wait_for_the_disk_occupy_no_slot(
    server: ScriptedServer, tmp_path: Path
) -> None:
    number, delay_s = 8, 1.0
    url = server.add("/x.bin", ResponseScript(Pattern(1000, 1), etag='"1"'))
    engine = await open_engine(Settings(output_dir=tmp_path, concurrency=2))
    try:
        engine.set_disk_delay(delay_s)
        engine.add(DownloadRequest((url,), name=f"{i}") for i in range(number))
        await until(lambda: engine.snapshot().counts[DownloadState.DONE] == number)
        (kind,) = engine._registry.kinds.all
        assert kind.slowest_s < delay_s
        assert kind.pace > 1000 / delay_s
    finally:
        await engine.close()


def test_a_single_download_has_an_eta_as_soon_as_its_row_has() -> None:
    run = Run("one", [File("http://a/x.iso", 10**8, 1e7)])
    readings = Simulation(run).readings()
    assert all(reading.eta_s for reading in readings)
    assert worst_ratio(readings) <= 1.2


@pytest.mark.parametrize("after_s", [0.25, 0.5, 0.75, 1.25])
def test_a_download_has_an_eta_once_it_has_run_for_a_second(after_s: float) -> None:
    size, now = 10**8, 0.0
    registry = DownloadRegistry(
        SimpleNamespace(monotonic=lambda: now, wall=lambda: now)  # type: ignore[arg-type]
    )
    download = Download(0, DownloadRequest(("http://a/x.iso",)), "http://a", "x.iso")
    registry.enter(download)
    registry.set_size(download, size)
    registry.move(download, DownloadState.PROBING)
    registry.move(download, DownloadState.DOWNLOADING)
    meter = TotalMeter(now)
    totals = RunTotals(registry, meter, lambda: 1)
    running = Running(download, now)
    registry.running[running] = None  # type: ignore[index]
    while now < after_s:
        now += 0.25
        registry.count(download, 250_000)
        running.last_byte_at = now
        running.tick(now)
        meter.sample(now, registry.fetched)
        totals.tick(now)
    shown = registry.figures()[0].eta_s
    if after_s > 1:
        assert shown == pytest.approx((size - download.received) / 1e6)
    else:
        assert shown is None
    assert totals.eta_s == shown


def test_there_is_no_eta_while_all_files_of_a_kind_have_failed() -> None:
    now = 0.0
    registry = DownloadRegistry(
        SimpleNamespace(monotonic=lambda: now, wall=lambda: now)  # type: ignore[arg-type]
    )
    for number in range(100):
        request = DownloadRequest((f"http://a/{number}.iso",))
        registry.enter(Download(number, request, "http://a", f"{number}.iso"))
    meter = TotalMeter(now)
    totals = RunTotals(registry, meter, lambda: 1)
    for download in registry.downloads[:60]:
        registry.move(download, DownloadState.PROBING)
        registry.move(download, DownloadState.FAILED)
        now += 0.25
        meter.sample(now, registry.fetched)
        totals.tick(now)
        assert totals.eta_s is None


def test_there_is_no_eta_while_a_kind_of_file_has_not_been_seen() -> None:
    (run,) = (run for run in RUNS if run.name == "big last")
    readings = Simulation(run).readings()
    small = [r for r in readings if r.truth_s > 430]
    assert small
    assert all(r.eta_s is None for r in small)


def test_paused_downloads_do_not_count_towards_the_eta() -> None:
    simulation = Simulation(Run("", [File("http://a/x.bin", 10**9, 1e6)] * 2))
    first, second = simulation.registry.downloads
    kind = simulation.registry.kinds.all[first.kind]
    assert kind.waiting == 2
    simulation.registry.set_size(second, 10**9)
    assert (kind.waiting, kind.known_left) == (1, 10**9)
    for download in (first, second):
        simulation.registry.move(download, DownloadState.PAUSED)
    assert (kind.waiting, kind.known_left) == (0, 0)
    simulation.registry.move(second, DownloadState.QUEUED)
    assert (kind.waiting, kind.known_left) == (0, 10**9)


def work(**changes: int | float) -> Work:
    return Work(10, 0, 0, 0.0, 0, 1000, 0)._replace(**changes)


def test_the_bar_counts_files_until_all_sizes_are_known() -> None:
    progress = RunProgress()
    progress.update(work(unknown=2, over=8, received=10))
    assert (progress.counts_files, progress.fraction) == (True, 0.8)
    progress.update(work(over=8, received=10))
    assert (progress.counts_files, progress.fraction) == (True, 0.8)
    progress.update(work(over=9, received=950))
    assert (progress.counts_files, progress.fraction) == (False, 0.95)


def test_the_bar_returns_to_bytes_once_no_size_is_unknown() -> None:
    progress = RunProgress()
    progress.update(work(files=5, unknown=1, received=0, shares=0.0))
    progress.update(work(files=5, unknown=1, received=450, shares=1.8))
    # A file of unknown size is done: files are ahead of bytes from now on.
    steps = []
    for received in range(500, 1000, 10):
        files = work(files=5, over=1, received=received, shares=4 * received / 1000)
        progress.update(files)
        steps.append((progress.counts_files, progress.fraction))
    fractions = [fraction or 0.0 for _, fraction in steps]
    assert fractions == sorted(fractions)
    assert all(late > soon for soon, late in pairwise(fractions)), "it never stands"
    assert [counts for counts, _ in steps].index(False) <= 10, "at 60 % of the bytes"
    assert steps[10:] == [(False, received / 1000) for received in range(600, 1000, 10)]


def test_the_bar_still_counts_files_if_bytes_are_far_behind() -> None:
    progress = RunProgress()
    progress.update(work(unknown=2, over=8, received=10))
    progress.update(work(over=9, received=20))
    assert (progress.counts_files, progress.fraction) == (True, 0.9)
    progress.update(work(over=9, received=500, shares=0.5))
    assert (progress.counts_files, progress.fraction) == (True, 0.95)


def test_failed_downloads_do_not_keep_the_bar_from_counting_bytes() -> None:
    progress = RunProgress()
    progress.update(work(unknown=5, over=4, failed=4, received=10))
    assert (progress.counts_files, progress.fraction) == (True, 0.0)
    progress.update(work(over=4, failed=4, received=20))
    assert (progress.counts_files, progress.fraction) == (False, 0.02)
    progress.update(work(over=10, failed=4, received=1000))
    assert progress.fraction == 1


def test_the_bar_counts_bytes_from_the_start_if_the_list_states_all_sizes() -> None:
    progress = RunProgress()
    progress.update(work(received=10))
    assert (progress.counts_files, progress.fraction) == (False, 0.01)


def test_the_bar_falls_only_if_something_new_begins() -> None:
    progress = RunProgress()
    progress.update(work(received=500))
    progress.update(work(received=100))
    assert progress.fraction == 0.5, "a download that starts from zero again"
    progress.update(work(received=100, files=9))
    assert progress.fraction == 0.5, "one was cancelled"
    progress.update(work(received=100, files=20))
    assert progress.fraction == 0.1
    progress.update(work(files=20, over=20))
    assert progress.fraction == 1
    progress.update(work(files=20, over=19, received=900))
    assert progress.fraction == 0.9
    progress.update(work(files=0))
    assert progress.fraction is None
