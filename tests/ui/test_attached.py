"""The dashboard on a replica: the downloads of another process, over a real socket."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import pytest

from tests.support.attached import Connector, a_server
from tests.support.fake_service import FakeService
from tests.support.until import until
from tests.ui.dashboards import Dashboard, some_downloads
from tui.background.attach.link import Link
from tui.background.attach.replica import Replica
from tui.background.protocol import Code, RequestError
from tui.config.precedence import DashboardSettings
from tui.core.attachment import LinkState
from tui.core.download import DownloadState
from tui.core.request import DownloadRequest
from tui.core.text.units import parse_size
from tui.messages import attachment_text, attachment_title, detached_text
from tui.ui.app import DashboardApp

_S = DownloadState
SIZE = (120, 36)


@asynccontextmanager
async def board_on(
    connector: Connector, *, is_watching: bool = False, host: str = "", size=SIZE
):
    """Attach a dashboard through a connector; yield it with its link."""
    replica = Replica(is_watching=is_watching)
    link = Link(replica, connector.connect, "main", host)
    await link.start()
    app = DashboardApp(
        replica, (), attachment_title(link), chosen=DashboardSettings(motion=False)
    )
    app.main.attach(link)
    try:
        async with app.run_test(size=size) as pilot:
            yield Dashboard(app, pilot), link
    finally:
        await link.close()


async def shows(board: Dashboard, text: str) -> None:
    """Wait until a text is on the screen, over the dashboard's own ticks."""
    async with asyncio.timeout(20):
        while text not in board.text():
            await board.tick()
            await asyncio.sleep(0.01)


async def test_a_key_changes_the_downloads_of_the_process_and_undo_restores_them():
    service = some_downloads()
    async with (
        a_server(service) as (address, _),
        board_on(Connector(address)) as (board, _),
    ):
        await shows(board, "running.bin")
        assert board.screen()[0].startswith(" main ")
        row = board.list.cursor_row
        await board.press("x")
        assert board.list.cursor_row.state is _S.CANCELLED
        assert f"Cancelled {row.name}" in board.message()
        await until(lambda: service.downloads[row.id].state is _S.CANCELLED)
        await board.press("u")
        await until(lambda: service.downloads[row.id].state is _S.QUEUED)
        await board.press("plus")
        await until(lambda: service.concurrency == 5)


async def test_rows_that_come_into_view_are_drawn_when_they_arrive():
    service = FakeService()
    for number in range(300):
        service.put(f"file-{number:03}")
    async with (
        a_server(service) as (address, _),
        board_on(Connector(address)) as (board, _),
    ):
        await shows(board, "file-000")
        await board.press("G")
        await shows(board, "file-299")
        await board.press("slash")
        await board.type("15")
        await shows(board, "file-152")
        assert "#15" not in board.text()


async def test_quitting_detaches_at_once_and_leaves_the_downloads_running():
    service = some_downloads()
    async with (
        a_server(service) as (address, _),
        board_on(Connector(address)) as (board, link),
    ):
        await shows(board, "running.bin")
        await board.press("q")
        await until(lambda: board.app.return_code is not None or board.app._exit)
        assert board.app.return_value == 0
        text = detached_text(link, board.main.service.snapshot())
    assert text.startswith("Detached; 3 downloads continue in the background")
    assert "fetchtui attach shows them again" in text
    assert not service.calls["cancel"] + service.calls["pause"]
    assert service.closed == 0


async def test_a_dashboard_that_watches_refuses_keys_that_would_change_something():
    service = some_downloads()
    async with (
        a_server(service) as (address, _),
        board_on(Connector(address), is_watching=True) as (board, _),
    ):
        await shows(board, "running.bin")
        assert board.screen()[0].startswith(" main ")
        for key in ("x", "p", "plus", "a", "P", "X"):
            await board.press(key)
            assert "only watches" in board.message(), key
            assert board.app.screen is board.main
        await board.press("j", "space", "s", "t")
        assert board.list.model.marks.ids
    assert service.last == ()


async def test_a_lost_connection_is_shown_and_made_again():
    service = some_downloads()
    async with a_server(service) as (address, _):
        connector = Connector(address)
        async with board_on(connector) as (board, link):
            await shows(board, "running.bin")
            connector.close("the network is down")
            await until(lambda: link.state is LinkState.LOST)
            await shows(board, "connection lost")
            await board.press("x")
            assert "Connection lost" in board.message()
            await until(lambda: "network is down" in link.detail)
            assert "running.bin" in board.text(), "what is known stays visible"
            service.put("meanwhile.bin", _S.FAILED)
            connector.open()
            await until(lambda: link.state is LinkState.CONNECTED)
            # Without a tick by the test: the dashboard's own must go on.
            await until(lambda: "meanwhile.bin" in board.text())
            service.put("later.bin", _S.FAILED)
            await until(lambda: "later.bin" in board.text())
            assert "connection lost" not in board.text()
            assert link.restarts == 0


async def test_downloads_that_the_process_refuses_are_reported_with_its_reason():
    service = some_downloads()

    def refuse(_requests):
        raise ValueError("request 1: no \x1b[31mspace")

    service.add = refuse
    async with (
        a_server(service) as (address, _),
        board_on(Connector(address)) as (board, _),
    ):
        await shows(board, "running.bin")
        board.main.add_queue.take([DownloadRequest(("http://h/new",))])
        await until(lambda: "refused" in board.message())
        assert board.message() == (
            "The background process refused: request 1: no \ufffd[31mspace;"
            " 1 download may not have been added"
        )


async def test_downloads_that_are_sent_when_the_connection_ends_may_be_missing():
    service = some_downloads()
    async with a_server(service) as (address, _):
        connector = Connector(address)
        async with board_on(connector) as (board, link):
            await shows(board, "running.bin")
            connector.close("the network is down")
            await until(lambda: link.state is LinkState.LOST)
            board.main.add_queue.take([DownloadRequest(("http://h/new",))])
            await until(lambda: "added" in board.message())
            assert "The connection was lost; 1 " in board.message()


async def test_the_end_of_the_process_is_shown_with_what_to_do():
    service = some_downloads()
    async with a_server(service) as (address, _):
        connector = Connector(address)
        async with board_on(connector) as (board, link):
            await shows(board, "running.bin")
            await board.press("x")
            await board.press("space")
            await connector.stop()
            await until(lambda: link.state is LinkState.STOPPED)
            await shows(board, "process stopped")
            assert "fetchtui -b" in attachment_text(link)
            assert "has stopped" in detached_text(link, board.main.service.snapshot())
            connector.started_at += 1
            connector.open()
            await until(lambda: link.state is LinkState.CONNECTED)
            assert link.restarts == 1
            await until(lambda: not len(board.main.undo_stack))
            assert not board.list.model.marks


@pytest.mark.parametrize("size", [(80, 24), (60, 15), (30, 6)])
async def test_small_terminals_show_a_lost_connection_too(size):
    async with a_server(some_downloads()) as (address, _):
        connector = Connector(address)
        async with board_on(connector, size=size) as (board, _):
            connector.close("")
            await shows(board, "connection lost")


async def test_settings_of_the_process_are_shown_and_its_limits_can_be_changed():
    service = some_downloads()
    async with (
        a_server(service) as (address, _),
        board_on(Connector(address)) as (board, _),
    ):
        settings = board.app.live_settings()
        rows = {row.id: row for row in settings.rows()}
        assert (rows["retries"].shown_keys, rows["retries"].source) == ("7", "main")
        assert "until it ends" in rows["concurrency"].source
        assert rows["dashboard.theme"].source == "default"
        assert "where the background process was started" in settings.why_fixed(
            "retries"
        )
        with pytest.raises(ValueError, match="started"):
            await settings.change("retries", "9")
        assert "until the process ends" in await settings.change("concurrency", "3")
        await until(lambda: service.concurrency == 3)
        await settings.change("limit-rate", "1M")
        await until(lambda: service.rate_limit == parse_size("1M"))
        assert not settings.why_fixed("keys.quit")
        await board.press("comma")
        await board.type("retries")
        await board.press("enter")
        assert "where the background process was started" in board.text()


async def test_a_process_with_fewer_downloads_may_take_the_place_of_the_first():
    service = FakeService()
    for number in range(30):
        service.put(f"first-{number}", _S.DONE, size=5)
    async with a_server(service) as (address, _):
        connector = Connector(address)
        async with board_on(connector) as (board, link):
            await shows(board, "first-10")
            await board.press("G", "enter")
            await connector.stop()
            await until(lambda: link.state is LinkState.STOPPED)
            service.downloads.clear()
            service.put("second")
            connector.started_at += 1
            connector.open()
            await until(lambda: link.state is LinkState.CONNECTED)
            await board.press("escape", "j", "k", "x")
            await shows(board, "second")


async def test_another_version_is_named_and_not_tried_again():
    async with a_server(some_downloads()) as (address, _):
        connector = Connector(address)
        async with board_on(connector) as (board, link):
            await shows(board, "running.bin")
            connector.refuse(RequestError(Code.VERSION, data={"version": "9.9"}))
            await until(lambda: link.state is LinkState.REFUSED)
            await shows(board, "other version")
            assert "fetchtui 9.9 runs there" in attachment_text(link)
            connector.open()
            await board.tick()
            assert link.state is LinkState.REFUSED
