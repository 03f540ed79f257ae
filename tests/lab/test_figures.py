"""Medians, agreement, lag: what is computed from what was measured."""

from __future__ import annotations

import asyncio

import pytest

from tests.support.until import until
from tui.lab.job import Job, Target
from tui.lab.report.figures import Figures, Record, Status, Stop, disagreements, spread
from tui.lab.report.formatting import say_digits, say_s
from tui.lab.report.table import remarks, text_lines
from tui.lab.worker.cpu_work import fnv1a, unpack
from tui.lab.worker.harness import examine
from tui.lab.worker.instrumentation import Instrumentation
from tui.lab.worker.loop_watch import INTERVAL_S, LoopLagMeter
from tui.lab.worker.process_stats import peak_memory


def figures(wall_s=1.0, ok=3, missing=1, fingerprint="same"):
    counts = {"ok": ok, "not found": missing}
    return Figures(wall_s, 0.1, 1, 0.1, None, None, counts, 3_000_000, fingerprint)


def test_a_spread_leaves_out_what_was_not_measured():
    assert spread([3.0, None, 1.0, 2.0]) == (2.0, 1.0, 3.0)
    assert spread([None]) is None


def test_figures_per_second_come_from_whole_files():
    assert figures(wall_s=2.0).files_per_s == 1.5
    assert figures(wall_s=2.0).speed == 1_500_000


def test_whoever_counts_otherwise_is_named():
    odd = figures(ok=2, missing=2)
    runs = [("a", figures()), ("b", odd), ("c", figures())]
    assert disagreements(runs) == [
        "b counted ok 2, not found 2, error 0; the others ok 3, not found 1, error 0"
    ]


def test_whoever_gets_other_bytes_is_named_once():
    odd = figures(fingerprint="other")
    runs = [
        ("a", figures()),
        ("b", odd),
        ("b", odd),
        ("c", figures()),
        ("c", figures()),
    ]
    assert disagreements(runs) == ["b got other bytes than most"]


def test_a_freeze_counts_for_every_look_that_it_prevented():
    watch = LoopLagMeter()
    watch.note(10 * INTERVAL_S)
    assert len(watch.lags) == pytest.approx(10, abs=1)
    assert max(watch.lags) == 10 * INTERVAL_S
    assert watch.percentile(0.5) == pytest.approx(5 * INTERVAL_S, abs=INTERVAL_S)


async def test_the_watch_sees_a_loop_that_is_blocked():
    watch = LoopLagMeter()
    task = asyncio.create_task(watch.watch())
    await asyncio.sleep(0)
    sum(range(3_000_000))
    await until(lambda: watch.lags)
    task.cancel()
    assert max(watch.lags) > 0
    assert watch.take_worst() > 0


def test_the_peak_of_memory_is_this_processs():
    assert 5e6 < peak_memory() < 20e9


def test_a_job_survives_the_pipe(tmp_path):
    target = Target("http://a/b", "b", (("K", "v"),))
    job = Job("engine", (target,), tmp_path, 7, cancel_after=3)
    assert Job.from_json(job.to_json()) == job


def test_there_are_never_more_workers_than_files(tmp_path):
    targets = (Target("http://a/b", "b"), Target("http://a/c", "c"))
    assert Job("engine", targets, tmp_path, 20).workers == 2
    assert Job("engine", targets, tmp_path, 1).workers == 1


def test_files_that_are_not_there_count_in_the_fingerprint(tmp_path):
    targets = (Target("http://a/b", "b"), Target("http://a/c", "c"))
    job = Job("engine", targets, tmp_path, 1)
    nothing = examine(job)
    (tmp_path / "b").write_bytes(b"abc")
    assert nothing[0] == 0
    assert examine(job)[0] == 3
    assert examine(job)[1] != nothing[1]


def test_a_probe_says_what_ran_and_what_waited_when_it_was_cancelled():
    probe = Instrumentation(10)
    called = []
    probe.on_cancel(lambda: called.append(True))
    with probe.download():
        probe.count(Status.OK)
        probe.cancel()
        probe.cancel()
    made = probe.stop_clock()(0, "")
    assert called == [True]
    assert made.stop is not None
    assert (made.stop.running, made.stop.waiting, made.stop.finished) == (1, 9, 1)


def test_a_probe_that_was_cancelled_early_cancels_as_soon_as_it_can():
    probe = Instrumentation(10)
    probe.cancel()
    probe.on_cancel(lambda: 4)
    assert probe.stop_clock()(0, "").stop.waiting == 4


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b"", 0xCBF29CE484222325),
        (b"a", 0xAF63DC4C8601EC8C),
        (b"foobar", 0x85944171F73967E8),
    ],
)
def test_the_hash_is_the_published_one(data, value):
    assert fnv1a(data) == value


def test_packed_bytes_are_unpacked_as_the_manual_shows():
    packed = bytes.fromhex("FEAA0280002AFDAA0380002A22F7AA")
    assert unpack(packed).hex() == "aaaaaa80002aaaaaaaaa80002a22" + "aa" * 10
    assert unpack(b"\x80\x05") == b""  # a pause that means nothing, and a torn end


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
def test_times_take_three_digits(seconds, text):
    assert say_s(seconds) == text


def test_numbers_take_three_digits():
    said = [say_digits(x) for x in (0.5, 12.34, 123.4, None)]
    assert said == ["0.50", "12.3", "123", "—"]


def test_the_table_has_a_line_a_strategy_under_its_heading(finished_race):
    lines = text_lines(finished_race.rows)
    assert len(lines) == 1 + 2 + len(finished_race.lanes)
    assert lines[0].split()[:3] == ["files/s", "MB/s", "wall"]
    assert lines[2].startswith("one after another")
    told = remarks(finished_race.rows)
    assert told[0].endswith("error 2; and the same bytes")
    assert len(told) == 1 + len(finished_race.lanes)


def test_a_table_without_any_result_says_nothing_about_counts(finished_race):
    rows = [(entry, Record()) for entry, _ in finished_race.rows]
    assert remarks(rows) == []
    stopped = Record(stops=[Stop(0.1, 1, 2, 1)])
    assert len(remarks([(rows[0][0], stopped)])) == 1


def test_a_strategy_that_was_done_before_it_could_stop_was_not_cancelled():
    probe = Instrumentation(1)
    probe.count(Status.OK)
    probe.cancel()
    assert probe.stop_clock()(0, "").stop is None
