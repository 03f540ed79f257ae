"""Medians, agreement, loop lag, and the formats of figures."""

from __future__ import annotations

import asyncio

import pytest

from tests.support.until import until
from tui.lab.job import Job, Target
from tui.lab.report.figures import Figures, Record, Status, Stop, disagreements, spread
from tui.lab.report.formatting import format_digits, format_seconds
from tui.lab.report.table import remarks, text_lines
from tui.lab.worker.cpu_work import fnv1a, unpack
from tui.lab.worker.harness import fingerprint_files
from tui.lab.worker.instrumentation import Instrumentation
from tui.lab.worker.loop_lag import INTERVAL_S, LoopLagMeter
from tui.lab.worker.process_stats import peak_memory


def figures(wall_s=1.0, ok=3, missing=1, fingerprint="same"):
    counts = {"ok": ok, "not found": missing}
    return Figures(wall_s, 0.1, 1, 0.1, None, None, counts, 3_000_000, fingerprint)


def test_a_spread_ignores_missing_values():
    assert spread([3.0, None, 1.0, 2.0]) == (2.0, 1.0, 3.0)
    assert spread([None]) is None


def test_rates_count_complete_files():
    assert figures(wall_s=2.0).files_per_s == 1.5
    assert figures(wall_s=2.0).speed == 1_500_000


def test_a_strategy_with_other_counts_is_named():
    odd = figures(ok=2, missing=2)
    runs = [("a", figures()), ("b", odd), ("c", figures())]
    assert disagreements(runs) == [
        "b counted ok 2, not found 2, error 0; the others ok 3, not found 1, error 0"
    ]


def test_a_strategy_with_other_data_is_named_once():
    odd = figures(fingerprint="other")
    runs = [
        ("a", figures()),
        ("b", odd),
        ("b", odd),
        ("c", figures()),
        ("c", figures()),
    ]
    assert disagreements(runs) == ["b has different data than most"]


def test_a_freeze_counts_for_every_missed_sample():
    meter = LoopLagMeter()
    meter.note(10 * INTERVAL_S)
    assert len(meter.lags) == pytest.approx(10, abs=1)
    assert max(meter.lags) == 10 * INTERVAL_S
    assert meter.percentile(0.5) == pytest.approx(5 * INTERVAL_S, abs=INTERVAL_S)


async def test_the_meter_sees_a_blocked_loop():
    meter = LoopLagMeter()
    task = asyncio.create_task(meter.watch())
    await asyncio.sleep(0)
    sum(range(3_000_000))
    await until(lambda: meter.lags)
    task.cancel()
    assert max(meter.lags) > 0
    assert meter.take_worst() > 0


def test_peak_memory_is_plausible():
    assert 5e6 < peak_memory() < 20e9


def test_a_job_round_trips_through_json(tmp_path):
    target = Target("http://a/b", "b", (("K", "v"),))
    job = Job("engine", (target,), tmp_path, 7, cancel_after=3)
    assert Job.from_json(job.to_json()) == job


def test_there_are_never_more_workers_than_files(tmp_path):
    targets = (Target("http://a/b", "b"), Target("http://a/c", "c"))
    assert Job("engine", targets, tmp_path, 20).workers == 2
    assert Job("engine", targets, tmp_path, 1).workers == 1


def test_missing_files_change_the_fingerprint(tmp_path):
    targets = (Target("http://a/b", "b"), Target("http://a/c", "c"))
    job = Job("engine", targets, tmp_path, 1)
    nothing = fingerprint_files(job)
    (tmp_path / "b").write_bytes(b"abc")
    assert nothing[0] == 0
    assert fingerprint_files(job)[0] == 3
    assert fingerprint_files(job)[1] != nothing[1]


def test_cancelling_counts_running_and_waiting_downloads():
    stats = Instrumentation(10)
    called = []
    stats.on_cancel(lambda: called.append(True))
    with stats.download():
        stats.count(Status.OK)
        stats.cancel()
        stats.cancel()
    made = stats.stop_clock()(0, "")
    assert called == [True]
    assert made.stop is not None
    assert (made.stop.running, made.stop.waiting, made.stop.finished) == (1, 9, 1)


def test_an_early_cancel_is_delivered_on_registration():
    stats = Instrumentation(10)
    stats.cancel()
    stats.on_cancel(lambda: 4)
    assert stats.stop_clock()(0, "").stop.waiting == 4


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b"", 0xCBF29CE484222325),
        (b"a", 0xAF63DC4C8601EC8C),
        (b"foobar", 0x85944171F73967E8),
    ],
)
def test_the_hash_has_the_published_values(data, value):
    assert fnv1a(data) == value


def test_packbits_are_unpacked_as_in_the_specification():
    packed = bytes.fromhex("FEAA0280002AFDAA0380002A22F7AA")
    assert unpack(packed).hex() == "aaaaaa80002aaaaaaaaa80002a22" + "aa" * 10
    assert unpack(b"\x80\x05") == b""  # a no-op byte and a truncated run


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.00132, "1.3 ms"),
        (0.0105, "10 ms"),
        (0.9994, "999 ms"),
        (4.806, "4.81 s"),
        (12.34, "12.3 s"),
        (123.4, "123 s"),
        (None, "—"),
    ],
)
def test_durations_have_three_digits(seconds, text):
    assert format_seconds(seconds) == text


def test_numbers_have_three_digits():
    formatted = [format_digits(x) for x in (0.5, 12.34, 123.4, None)]
    assert formatted == ["0.50", "12.3", "123", "—"]


def test_the_table_has_a_line_per_strategy_under_its_heading(finished_race):
    lines = text_lines(finished_race.rows)
    assert len(lines) == 1 + 2 + len(finished_race.entrants)
    assert lines[0].split()[:3] == ["files/s", "MB/s", "wall"]
    assert lines[2].startswith("one after another")
    lines_below = remarks(finished_race.rows)
    assert lines_below[0].endswith("error 2; same data for all")
    assert len(lines_below) == 1 + len(finished_race.entrants)


def test_without_results_there_are_no_remarks(finished_race):
    rows = [(entry, Record()) for entry, _ in finished_race.rows]
    assert remarks(rows) == []
    stopped = Record(stops=[Stop(0.1, 1, 2, 1)])
    assert len(remarks([(rows[0][0], stopped)])) == 1


def test_a_strategy_that_finished_first_was_not_cancelled():
    stats = Instrumentation(1)
    stats.count(Status.OK)
    stats.cancel()
    assert stats.stop_clock()(0, "").stop is None
