"""The log: bounded, summed up in a burst, and safe to show."""

from __future__ import annotations

import pytest

from tests.support.lines import line_text
from tests.ui.panes_builders import HOSTILE, PaneApp, drawn, row
from tui.core import events as facts
from tui.core.download import DownloadState
from tui.core.errors import ErrorKind
from tui.core.notices import LimitName, Notice, NoticeCode, PauseReason
from tui.ui.panes.event_log import EventLog, coalesce, entry_line, log_entry
from tui.ui.style.format import cells

AT = 1_790_000_000.0


def done(number: int):
    return facts.Done(number, AT), row(id=number, name=f"file-{number}")


def failed(number: int):
    event = facts.Failed(number, AT, "not_found", "404 Not Found")
    return event, row(id=number, name=f"file-{number}")


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (facts.Failed(1, AT, "not_found", "404"), "✗ 404; the server has no such file"),
        (facts.Retrying(1, AT, 2, 4.0, "reset", "broke"), "↻ broke; retry in 4s"),
        (
            facts.DownloadNotice(1, AT, Notice(NoticeCode.CHANGED_ON_SERVER)),
            "» changed on the server",
        ),
        (facts.Verified(1, AT, "sha256=ab"), "≡ sha256 ok"),
        (facts.Done(1, AT), "✓ 2.00 GB"),
        (facts.Started(1, AT, 1), "◌ started"),
        (facts.Started(1, AT, 3), "◌ attempt 3"),
        (facts.Paused(1, AT), "‖ paused"),
        (facts.Cancelled(1, AT), "⊘ cancelled"),
    ],
)
def test_every_event_has_a_glyph_a_name_and_a_reason(event, words):
    text = line_text(entry_line(log_entry(event, row(name="a.iso")), 120))
    glyph, _, reason = words.partition(" ")
    assert text.startswith(glyph)
    assert "a.iso" in text
    assert reason in text


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (facts.LimitChanged(AT, LimitName.CONCURRENCY, 4, 32), "concurrency 4 → 32"),
        (
            facts.QueuePaused(AT, PauseReason(ErrorKind.DISK_FULL, "disk full")),
            "queue paused: disk full",
        ),
        (facts.QueuePaused(AT, None), "queue paused"),
        (facts.QueueResumed(AT), "queue resumed"),
    ],
)
def test_the_engine_speaks_for_itself(event, words):
    assert words in line_text(entry_line(log_entry(event, None), 80))


def test_a_download_that_is_gone_keeps_its_number():
    assert log_entry(facts.Done(7, AT), None).name == "download 7"


def test_a_burst_becomes_twenty_lines_that_count_the_rest():
    entries = [log_entry(*done(n)) for n in range(431)]
    lines = coalesce(entries, 20)
    assert len(lines) == 20
    assert lines[-1].name == "412 more done"
    assert lines[-1].state is DownloadState.DONE


def test_failures_survive_a_burst_of_successes():
    pairs = [done(n) for n in range(300)] + [failed(999)]
    lines = coalesce([log_entry(*pair) for pair in pairs], 20)
    assert any(line.name == "file-999" for line in lines)
    assert lines[-1].name == "282 more done"


def test_a_burst_of_several_kinds_is_counted_by_kind():
    pairs = [done(n) for n in range(30)] + [failed(n) for n in range(25)]
    lines = coalesce([log_entry(*pair) for pair in pairs], 20)
    assert lines[-1].name == "30 more done, 6 failed"


def test_a_few_events_are_left_alone():
    entries = [log_entry(*done(n)) for n in range(20)]
    assert coalesce(entries, 20) == entries


async def test_only_the_last_thousand_lines_are_kept():
    log = EventLog()
    async with PaneApp(log).run_test(size=(60, 12)):
        for tick in range(100):
            log.extend([done(tick * 20 + n) for n in range(20)])
        assert len(log.lines) == 1000
        assert log.lines[-1].name == "file-1999"
        assert "file-1999" in drawn(log)[-2]


async def test_it_scrolls_and_stays_where_one_reads():
    log = EventLog()
    async with PaneApp(log).run_test(size=(60, 12)) as pilot:
        log.extend([done(n) for n in range(20)])
        log.extend([done(n) for n in range(20, 40)])
        log.focus()
        await pilot.press("pageup")
        seen = drawn(log)[1:-1]
        assert "file-29" in seen[-1]
        log.extend([done(n) for n in range(40, 50)])
        assert drawn(log)[1:-1] == seen
        assert "20 newer below" in drawn(log)[0]
        await pilot.press("G")
        assert "file-49" in drawn(log)[-2]
        await pilot.press("g")
        assert "file-0 " in drawn(log)[1]
        await pilot.press("down", "j", "k")
        assert "file-1 " in drawn(log)[1]


@pytest.mark.parametrize("width", [60, 80, 120])
async def test_folded_it_is_the_newest_line(width):
    log = EventLog()
    async with PaneApp(log).run_test(size=(width, 15)) as pilot:
        log.is_folded = True
        await pilot.pause()
        assert "No events yet" in drawn(log)[0]
        log.extend([done(1), failed(2)])
        (line,) = drawn(log)
    assert "✗" in line
    assert "404 Not Found" in line
    assert cells(line) == width


async def test_queued_downloads_do_not_fill_the_log():
    log = EventLog()
    async with PaneApp(log).run_test(size=(60, 12)):
        log.extend([(facts.Queued(n, AT), row()) for n in range(500)])
        assert log.lines == []


def test_hostile_text_is_disarmed():
    event = facts.Failed(1, AT, "tls", HOSTILE)
    text = line_text(entry_line(log_entry(event, row(name=HOSTILE)), 200))
    assert "\x1b" not in text
    assert "\n" not in text
    assert "[red]bold[/red]" in text


@pytest.mark.parametrize("width", [8, 20, 39, 40, 60])
def test_a_line_is_never_wider_than_the_pane(width):
    for pair in (done(1), failed(2), (facts.Done(1, AT), row(name=HOSTILE * 3))):
        assert cells(line_text(entry_line(log_entry(*pair), width))) <= width
