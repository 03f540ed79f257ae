"""The totals in the header, at every width."""

from __future__ import annotations

import pytest

from tests.support.fake_service import FakeService
from tests.ui.dashboards import dashboard
from tests.ui.sample_state import sample_service
from tui.core.download import DownloadState
from tui.core.errors import ErrorKind
from tui.core.notices import PauseReason
from tui.ui.app import DashboardApp
from tui.ui.style.format import short_count

_S = DownloadState


async def test_counts_speed_eta_and_elapsed_time():
    async with dashboard(sample_service(), size=(120, 36)) as board:
        first, second = board.screen()[:2]
        for text in ("12 active", "72 queued", "41 done", "1 failed", "170 MB/s"):
            assert text in first
        assert "ETA" in first
        assert "00:27:14" in first
        assert "12/12 [-][+]" in second
        assert "GB" in second


@pytest.mark.parametrize("title", ["", "list.txt"])
async def test_the_counts_follow_the_name_of_the_list_if_there_is_one(title):
    app = DashboardApp(FakeService(), (), title)
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.pause()
        first = app.screen._compositor.render_strips()[0]
    between = f"  {title}" if title else ""
    assert first.text.startswith(f" fetchtui{between}   · 0 active")


async def test_the_buttons_change_concurrency():
    service = sample_service()
    async with dashboard(service, size=(120, 36)) as board:
        at = board.screen()[1].index("[+]")
        await board.pilot.click(board.main.header, offset=(at + 1, 1))
        assert service.concurrency == 13
        at = board.screen()[1].index("[-]")
        await board.pilot.click(board.main.header, offset=(at + 1, 1))
        await board.pilot.click(board.main.header, offset=(at + 1, 1))
        assert service.concurrency == 11


async def test_the_limit_can_be_clicked():
    async with dashboard(sample_service(), size=(120, 36)) as board:
        at = board.screen()[1].index("limit off")
        await board.pilot.click(board.main.header, offset=(at + 7, 1))
        assert type(board.app.screen).__name__ == "PromptScreen"


async def test_a_tab_and_a_key_in_the_footer_can_be_clicked():
    service = sample_service()
    async with dashboard(service, size=(120, 36)) as board:
        at = board.screen()[2].index("Failed")
        await board.pilot.click(board.main.tabs, offset=(at, 0))
        assert board.list.model.query.view.value == "failed"
        at = board.screen()[-1].index("Add")
        await board.pilot.click(board.main.footer, offset=(at, 0))
        assert type(board.app.screen).__name__ == "AddScreen"


async def test_the_bar_is_full_only_when_everything_is_complete():
    service = FakeService()
    service.put("a", _S.DONE, size=1_000_000, received=1_000_000)
    service.put("b", _S.QUEUED)
    async with dashboard(service) as board:
        assert "50.0%" in board.screen()[1]
        service.start(1, size=1)
        service.change(1, received=1)
        await board.tick()
        assert "100%" not in board.screen()[1]
        service.finish(1)
        await board.tick()
        assert "100%" in board.screen()[1]


async def test_percentage_and_bytes_use_the_same_totals():
    service = FakeService()
    service.put("half", _S.DOWNLOADING, size=1_000_000, received=500_000)
    service.put("known", _S.QUEUED, size=1_000_000)
    service.put("unknown", _S.QUEUED)
    service.put("failed", _S.FAILED, size=9_000_000, received=1)
    async with dashboard(service) as board:
        assert "16.7%  0 of 3 files, 500 KB " in board.screen()[1]
        service.change(2, size=1_000_000)
        await board.tick()
        assert "16.7%  500 KB / 3.00 MB " in board.screen()[1]
        for id in range(3):
            service.start(id, size=1_000_000)
            service.change(id, received=1_000_000)
            service.finish(id)
        await board.tick()
        assert "100%  3 of 4 done, 1 failed, 3.00 MB" in board.screen()[1]


async def test_bytes_are_counted_if_the_list_states_all_sizes():
    service = FakeService()
    service.put("half", _S.DOWNLOADING, size=1_000_000, received=500_000)
    service.put("queued", _S.QUEUED, size=1_500_000)
    async with dashboard(service) as board:
        assert "20.0%  500 KB / 2.50 MB " in board.screen()[1]


async def test_after_the_end_the_part_of_the_bar_that_failed_has_its_own_color():
    service = FakeService()
    for number in range(3):
        service.put(f"done-{number}", _S.DONE, size=10, received=10)
    service.put("bad", _S.FAILED, size=10, received=10)
    async with dashboard(service) as board:
        bar = [span for span in board.main.header._lines[1] if "━" in span.text]
        assert [span.style for span in bar] == ["done", "failed"]
        assert (len(bar[0].text), len(bar[1].text)) == (23, 8), "3 of 4, rounded down"
        assert "3 of 4 done, 1 failed" in board.screen()[1]


async def test_the_reason_for_a_paused_queue_is_shown():
    service = sample_service()
    service.is_queue_paused = True
    service.pause_reason = PauseReason(ErrorKind.DISK_FULL, "the disk is full")
    async with dashboard(service, size=(120, 36)) as board:
        assert "queue paused" in board.screen()[0]


@pytest.mark.parametrize("size", [(120, 36), (80, 24)])
async def test_inline_writes_show_in_the_header(size):
    service = sample_service()
    service.is_inline = True
    async with dashboard(service, size=size) as board:
        assert "INLINE" in board.screen()[1]


@pytest.mark.parametrize("done", [41, 1_900, 98_765])
async def test_every_tab_keeps_its_count_in_80_columns(done):
    service = sample_service()
    async with dashboard(service, size=(80, 24)) as board:
        counts = list(service.snapshot().counts)
        counts[DownloadState.DONE] = done
        snapshot = service.snapshot()._replace(counts=tuple(counts))
        tabs = board.main.tabs
        tabs.show(snapshot, board.list.model, "")
        line = "".join(span.text for span in tabs.body(80, 1)[0])
    assert any(f"4Done {n}" in line for n in (f"{done:,}", short_count(done)))
    for text in ("2Active 13", "3Queued 72", "5Failed 1", "6Paused 1", "7Cancelled 1"):
        assert text in line


def test_short_counts_have_four_cells():
    numbers = (0, 999, 1_000, 1_999, 9_999, 10_000, 99_999, 100_000, 12_345_678)
    shown = [short_count(number) for number in numbers]
    assert shown == [
        *("0", "999", "1.0k", "1.9k", "9.9k", "10k", "99k", "100k", "12M"),
    ]


async def test_cancelled_downloads_are_counted_apart_from_failed_ones():
    async with dashboard(sample_service(), size=(160, 40)) as board:
        assert "✗ 1 failed   ⊘ 1 cancelled" in board.screen()[0]
        assert "5 Failed 1" in board.screen()[2]
        assert "7 Cancelled 1" in board.screen()[2]


async def test_a_terminal_without_tabs_shows_the_view_in_the_header():
    async with dashboard(sample_service(), size=(60, 15)) as board:
        assert ":" not in board.screen()[0][:20]
        await board.press("5")
        assert board.screen()[0].startswith(" failed: ")


async def test_small_files_that_wait_for_the_disk_are_not_counted_as_active():
    service = FakeService(concurrency=4)
    for number in range(60):
        state = DownloadState.VERIFYING if number > 3 else DownloadState.DOWNLOADING
        service.put(f"file-{number}", state, size=10)
    async with dashboard(service) as board:
        header = board.main.header
        header.show(service.snapshot()._replace(active=4), is_moving=True)
        line = "".join(span.text for span in header.body(120, 2)[0])
        assert "4 active" in line
        assert "56 saving" in line


async def test_the_header_and_tabs_show_sort_and_filter():
    async with dashboard(sample_service(), size=(120, 36)) as board:
        await board.press("s", "n", "S", "slash")
        await board.type("iso")
        await board.press("enter")
        line = board.screen()[2]
        assert "filter iso" in line
        assert "sort name ↓" in line
