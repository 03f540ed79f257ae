"""Messages about events: failures, the end, and what a key did."""

from __future__ import annotations

import pytest

from tests.support.fake_service import FakeService
from tests.support.until import until
from tests.ui.dashboards import QUEUED, dashboard
from tui.core.download import DownloadState
from tui.core.events import Queued, Started
from tui.ui.bars.end_line import end_line
from tui.ui.notifications import FailureDigest


@pytest.fixture(autouse=True)
def _lasting_toasts(monkeypatch):
    """Let no toast end before the test does, however busy the machine is."""
    monkeypatch.setattr("tui.ui.main_screen._TOAST_S", 600)


_S = DownloadState


def ending(service: FakeService, width: int = 120) -> str:
    return "".join(span.text for span in end_line(service.snapshot(), width)).strip()


def test_the_end_of_a_run_without_failures_gives_time_size_and_keys():
    service = FakeService()
    service.put("a", _S.DONE)
    service.elapsed_s = 6.0
    assert ending(service) == (
        "✓ All done in 6s, nothing to download. a adds more, q quits"
    )
    service.fetched = 12_000_000
    assert ending(service) == (
        "✓ All done in 6s, 12.0 MB downloaded. a adds more, q quits"
    )


def test_the_end_of_a_run_with_failures_names_the_next_steps():
    service = FakeService()
    for number in range(303):
        service.put(f"{number}", _S.FAILED if number < 3 else _S.DONE)
    assert ending(service) == (
        "✗ Finished: 300 of 303, 3 failed. 5 shows them, R retries, E saves the list"
    )
    assert ending(service, 62) == (
        "✗ Finished: 300 of 303, 3 failed. 5 shows, R retries, E saves"
    )
    assert ending(service, 60) == (
        "✗ 300 of 303, 3 failed. 5 shows, R retries, E saves"
    )


def test_the_end_of_a_run_with_failed_and_cancelled_downloads_names_both_keys():
    service = FakeService()
    service.put("good", _S.DONE)
    service.put("bad", _S.FAILED)
    service.put("gone", _S.CANCELLED)
    assert ending(service) == (
        "✗ Finished: 1 of 3, 1 failed, 1 cancelled."
        " 5 shows failed, 7 cancelled, R retries, E saves the list"
    )
    assert ending(service, 60).startswith("✗ 1 of 3, 1 failed, 1 cancelled. 5 failed,")


def test_the_end_of_a_run_with_only_cancelled_downloads_names_the_key_that_shows_them():
    service = FakeService()
    service.put("gone", _S.CANCELLED)
    assert ending(service) == (
        "✓ Finished: 0 of 1, 1 cancelled. 7 shows them, a adds more, q quits"
    )


@pytest.mark.parametrize("size", [(120, 36), (80, 24), (60, 15)])
async def test_the_end_stays_until_something_new_begins(size):
    service = FakeService()
    service.put("good", _S.DONE)
    service.put("bad", _S.DOWNLOADING)
    async with dashboard(service, size=size) as board:
        assert "Finished" not in board.text()
        service.fail(1, "not_found")
        await board.tick()
        line = board.main.messages
        assert "1 of 2, 1 failed. 5 shows" in board.text()
        await board.press("j", "k")
        assert "Finished: 1 of 2" in board.text(), "moving the cursor changes nothing"
        await board.press("R")
        await board.tick()
        line._message = line._message._replace(at_s=-99)
        await board.tick()
        assert "Finished" not in board.text()


@pytest.mark.parametrize("size", [(80, 24), (60, 15)])
async def test_the_end_replaces_older_messages(size):
    service = FakeService()
    service.put("good", _S.DOWNLOADING)
    async with dashboard(service, size=size) as board:
        line = board.main.messages
        line.show_message("Cancelled other", "information")
        line._message = line._message._replace(at_s=line._message.at_s - 3)
        await board.tick()
        assert "Cancelled other" in board.text()
        service.finish(0)
        await board.tick()
        assert "All done in" in board.text()
        line.show_message("Copied the URL", "information")
        await board.tick()
        assert "Copied the URL" in board.text(), "news of a key"
        assert "All done in" not in board.text()


async def test_the_end_gives_the_time_of_the_clock():
    service = FakeService()
    service.put("good", _S.DONE)
    service.elapsed_s = 21.7
    async with dashboard(service) as board:
        await board.tick()
        assert "All done in 21s" in board.text()
        assert "00:00:21" in board.text()


async def test_the_end_moves_with_the_size_of_the_terminal():
    service = FakeService()
    service.put("good", _S.DONE)
    service.put("bad", _S.FAILED)
    async with dashboard(service, size=(120, 36)) as board:
        await board.tick()
        for size in ((60, 15), (120, 36), (80, 24)):
            await board.pilot.resize_terminal(*size)
            await board.wait_idle()
            assert board.text().count("Finished: 1 of 2") == 1


async def test_a_key_in_the_end_line_can_be_clicked():
    service = FakeService()
    service.put("good", _S.DONE)
    service.put("bad", _S.FAILED)
    async with dashboard(service) as board:
        await board.tick()
        line = board.main.bottleneck_line
        at = "".join(span.text for span in line._lines[0]).index("5 shows")
        await board.pilot.click(line, offset=(at, 0))
        assert board.list.model.query.view.value == "failed"


async def test_a_toast_gives_no_status_of_failures_that_are_not_about_it():
    service = FakeService()
    for number in range(2):
        id = service.put(f"file-{number}")
        service.downloads[id].status = 206
    async with dashboard(service) as board:
        for id in range(2):
            service.fail(id, "disk_full")
        await board.tick()
        assert board.toasts() == ["2 failed: 2× disk full"]


async def test_failures_share_one_toast_and_the_end_is_announced_once():
    service = FakeService()
    for number in range(40):
        service.put(f"file-{number}")
    async with dashboard(service) as board:
        for id in range(37):
            service.fail(id, "not_found" if id < 30 else "connect_timeout")
        await board.tick()
        assert board.toasts() == ["37 failed: 30× not found, 7× connect timeout"]
        for id in range(37, 40):
            service.finish(id)
        await board.tick()
        await board.tick()
        assert "Finished: 3 of 40, 37 failed" in board.text()
        assert len(board.toasts()) == 1


@pytest.mark.parametrize("size", [(120, 36), (80, 24)], ids=["full", "folded"])
async def test_a_toast_covers_nothing_but_the_end_of_the_list(size):
    service = FakeService()
    for number in range(40):
        service.put(f"file-{number}", DownloadState.DOWNLOADING, size=10)
    async with dashboard(service, size, draws_toasts=True) as board:
        for id in range(2):
            service.fail(id, "not_found")
        await board.tick()
        toast = board.main.query_one("Toast")
        await until(lambda: toast.region.area)  # it has its place
        assert toast.size.width < 30, "no wider than its text"
        for keys in ((), ("d",), ("d", "L"), ("H",)):
            await board.press(*keys)
            # The panes have their place first.
            await until(lambda: board.list.region.contains_region(toast.region))
            await board.wait_idle()
            (line,) = (line for line in board.screen() if "2× not found" in line)
            assert line.endswith("2 failed: 2× not found ")
        await board.press("d", "z")
        await board.wait_idle()
        disk = board.main.disk
        assert not board.list.display
        await until(
            lambda: disk.region.shrink((1, 0, 1, 0)).contains_region(toast.region)
        )
        assert "[slow disk]" in board.text()


async def test_a_toast_follows_the_end_of_the_list_when_a_pane_grows():
    service = FakeService()
    for number in range(3):
        service.put(f"file-{number}", DownloadState.DOWNLOADING, size=10)
    async with dashboard(service, draws_toasts=True) as board:
        for id in range(2):
            service.fail(id, "not_found")
        await board.tick()
        toast = board.main.query_one("Toast")
        before = board.list.region.bottom
        await until(lambda: toast.region.bottom == before)
        board.main.disk.styles.height = board.main.disk.size.height + 5
        await until(lambda: board.list.region.bottom < before)
        await until(lambda: toast.region.bottom == board.list.region.bottom)


async def test_the_log_names_a_download_that_starts_while_100_are_added():
    service = FakeService()
    async with dashboard(service) as board:
        for number in range(100):
            service.put(f"file-{number}")
            service.push(Queued(number, 0.0))
        service.push(Started(3, 0.0, 1))
        await board.tick()
        assert "file-3  started" in board.text()


def test_a_single_failure_is_shown_with_name_and_shortened_reason():
    service = FakeService()
    service.put("a.pdf", error="gone " * 200)
    digest = FailureDigest(service)
    subscription = service.subscribe()
    service.fail(0, "not_found", "gone " * 200)
    digest.add(subscription.drain())
    many, text = digest.take(10.0)
    assert many == 1
    assert text.startswith("a.pdf: gone")
    assert len(text) <= 160
    assert digest.take(20.0) == (0, "")


def test_several_failures_are_named_as_in_the_list():
    service = FakeService()
    digest = FailureDigest(service)
    subscription = service.subscribe()
    for id, status in enumerate((403, 401, 403)):
        service.put(f"f{id}")
        service.downloads[id].status = status
        service.fail(id, "auth", "no")
    digest.add(subscription.drain())
    many, text = digest.take(10.0)
    assert (many, text) == (3, "3 failed: 2× 403 forbidden, 1× 401 auth")


async def test_a_message_replaces_the_one_before():
    async with dashboard() as board:
        await board.press("x")
        board.list.put_cursor(board.list.model.ids.index(QUEUED))
        await board.press("x")
        assert board.toasts() == []
        line = board.screen()[-2]
        assert "Cancelled queued.bin · u to restore" in line
        assert "running.bin" not in line


async def test_in_a_small_terminal_messages_replace_the_footer():
    async with dashboard(size=(60, 15)) as board:
        assert "Cancel" in board.screen()[-1]
        await board.press("x")
        await until(lambda: "Cancelled running.bin" in board.screen()[-1])
        board.main.messages._message = board.main.messages._message._replace(at_s=-99)
        await board.tick()
        await until(lambda: "x Cancel" in board.screen()[-1])


async def test_every_line_of_the_log_names_its_download_in_a_burst():
    service = FakeService()
    for number in range(300):
        service.put(f"file-{number}")
    async with dashboard(service) as board:
        for id in range(300):
            service.finish(id)
        await board.tick()
        lines = board.main.log_pane.lines
        assert [entry.name for entry in lines[:3]] == ["file-0", "file-1", "file-2"]
        assert not any(entry.name.startswith("download ") for entry in lines)
