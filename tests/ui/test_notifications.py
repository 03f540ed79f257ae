"""Messages about events: failures, the end, and what a key did."""

from __future__ import annotations

from tests.support.fake_service import FakeService
from tests.ui.dashboards import dashboard
from tui.core.events import Queued, Started
from tui.ui.notifications import FailureDigest, end_message


def test_the_message_at_the_end_gives_time_size_and_keys():
    service = FakeService()
    service.elapsed_s = 6.0
    assert end_message(service.snapshot()) == (
        "All done in 6s, nothing to download. a to add more, q to quit."
    )
    service.fetched = 12_000_000
    assert end_message(service.snapshot()) == (
        "All done in 6s, 12.0 MB downloaded. a to add more, q to quit."
    )


async def test_failures_share_one_toast_and_the_end_is_announced_once():
    service = FakeService()
    for number in range(40):
        service.put(f"file-{number}")
    async with dashboard(service) as board:
        for id in range(37):
            service.fail(id, "not_found" if id < 30 else "connect_timeout")
        await board.tick()
        assert board.toasts() == ["37 failed: 30× not found, 7× connect timeout"]
        await board.press("s")
        assert "37 failed" in board.text()
        assert "37 failed" not in board.screen()[-2], "the line that speaks is free"
        for id in range(37, 40):
            service.finish(id)
        await board.tick()
        await board.tick()
        assert board.message().startswith("All done in")
        assert len(board.toasts()) == 1


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


async def test_a_message_replaces_the_one_before():
    async with dashboard() as board:
        await board.press("x", "j", "x", "G", "x")
        assert board.toasts() == []
        line = board.screen()[-2]
        assert "Cancelled queued.bin · u to restore" in line
        assert "running.bin" not in line


async def test_in_a_small_terminal_messages_replace_the_footer():
    async with dashboard(size=(60, 15)) as board:
        assert "Cancel" in board.screen()[-1]
        await board.press("x")
        assert "Cancelled running.bin" in board.screen()[-1]
        board.main.messages._message = board.main.messages._message._replace(at_s=-99)
        await board.tick()
        assert "x Cancel" in board.screen()[-1]


async def test_the_end_is_announced_after_the_last_message_has_been_visible():
    async with dashboard() as board:
        line = board.main.messages
        await board.press("ctrl+a", "x")
        await board.tick()
        assert board.message() == "Cancelled 3 · u to restore"
        line._message = line._message._replace(at_s=line._message.at_s - 3)
        await board.tick()
        assert board.message().startswith("All done in")
