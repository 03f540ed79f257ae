"""The hosts pane: order, limits set by the user, and every size."""

from __future__ import annotations

import pytest
from rich.cells import cell_len

from tests.support.fake_service import FakeService
from tests.support.lines import line_text
from tests.ui.dashboards import dashboard
from tests.ui.panes_builders import until_shown
from tui.core.download import DownloadState
from tui.core.snapshot import OriginSnapshot
from tui.ui.panes.hosts import (
    COLUMNS,
    MIN_NAME,
    MIN_NAME_NARROW,
    cell_of,
    columns_for,
    heading,
    host_line,
)
from tui.ui.panes.pane import line_width

BUSY = OriginSnapshot(
    "https://cdn-3.hf.co",
    active=3,
    queued=112,
    cap=4,
    done=1204,
    failed=2,
    speed=28.7e6,
    blocked_s=0.0,
    errors=7,
    protocol="HTTP/1.1",
    ranges="supported",
    cap_from="set",
)
HOSTILE = "https://evil\x1b[31m\u202e[red]" + "x" * 300 + ".example:8443"


def service_with_hosts(number: int = 3) -> FakeService:
    service = FakeService()
    for at in range(number):
        state = DownloadState.DOWNLOADING if at == 0 else DownloadState.QUEUED
        service.put(f"{at}.bin", state, host=f"https://h{at}.example", size=1000)
    return service


@pytest.mark.parametrize(
    ("changes", "title", "text"),
    [
        ({}, "Active", "3/4"),
        ({"cap": 0}, "Active", "3"),
        ({}, "Speed", "28.7 MB/s"),
        ({"speed": 0.0}, "Speed", ""),
        ({}, "State", "limit set"),
        ({"cap_from": "learned"}, "State", "limiting"),
        ({"blocked_s": 12.0}, "State", "wait 12s"),
        ({"cap_from": ""}, "State", ""),
        ({}, "Errors", "7"),
        ({}, "Failed", "2"),
        ({}, "Queued", "112"),
        ({}, "Done", "1,204"),
        ({}, "Ranges", "supported"),
        ({}, "Protocol", "HTTP/1.1"),
    ],
)
def test_a_cell_says(changes, title, text):
    assert cell_of(BUSY._replace(**changes), title).text == text


@pytest.mark.parametrize("width", range(20, 200, 7))
def test_columns_leave_before_the_name_gets_too_narrow(width):
    columns = columns_for(width)
    room = width - 2 - sum(column.width + 2 for column in columns)
    assert room >= (MIN_NAME if width >= 90 else MIN_NAME_NARROW) or not columns
    assert [c for c in COLUMNS if c in columns] == columns
    name = min(48, room)
    assert line_width(heading(columns, name)) <= width
    line = host_line(BUSY, columns, name, is_cursor=True)
    assert line_width(line) == line_width(heading(columns, name))


def test_a_hostile_name_is_drawn_as_one_harmless_line():
    line = host_line(BUSY._replace(origin=HOSTILE), (), 40, is_cursor=False)
    text = line_text(line)
    assert cell_len(text) == 42
    assert text.isprintable()
    assert "\x1b" not in text


@pytest.mark.parametrize("size", [(120, 36), (80, 24), (60, 15), (40, 10), (200, 60)])
async def test_it_opens_with_its_key_at_every_size_and_fits(size):
    async with dashboard(service_with_hosts(), size=size) as board:
        assert not board.main.hosts.display
        await board.press("H")
        assert board.main.hosts.display
        assert board.main.hosts.has_focus
        # The pane learns of its size a turn later.
        await until_shown(board.app, "h0.example")
        assert {cell_len(line) for line in board.screen()} == {size[0]}
        await board.press("z")
        await until_shown(board.app, "h2.example")
        await board.press("z", "H")
        assert not board.main.hosts.display
        assert board.list.has_focus


@pytest.mark.parametrize("key", ["enter", "c"])
async def test_a_key_asks_for_the_cap_of_the_host_under_the_cursor(key):
    service = service_with_hosts()
    async with dashboard(service) as board:
        await board.press("H", "j", key)
        await board.type("7")
        await board.press("enter")
        assert service.last == ("set_origin_cap", "https://h1.example", 7)
        await board.tick()
        assert "0/7" in board.text()
        assert board.message() == "Max downloads from https://h1.example: 7"


async def test_an_invalid_limit_is_rejected_and_zero_removes_it():
    service = service_with_hosts()
    async with dashboard(service) as board:
        await board.press("H", "enter")
        await board.type("many")
        await board.press("enter")
        assert service.calls["set_origin_cap"] == 0
        await board.press(*["backspace"] * 4, "0", "enter")
        assert service.caps == {"https://h0.example": 0}


async def test_the_same_keys_mean_the_list_when_it_has_the_focus():
    service = service_with_hosts()
    async with dashboard(service) as board:
        await board.press("H", "escape", "c")
        await board.type("12")
        await board.press("enter")
        assert service.calls["set_origin_cap"] == 0
        assert service.concurrency == 12


async def test_the_cursor_stays_on_its_host_when_rows_change_places():
    service = service_with_hosts()
    async with dashboard(service) as board:
        await board.press("H", "down")
        assert board.main.hosts.cursor_host.origin == "https://h1.example"
        for number in range(3):
            service.put(f"new{number}", host="https://h9.example")
        board.main.refresh_scheduler.refresh_hosts()
        await board.wait_idle()
        assert board.main.hosts.cursor_host.origin == "https://h1.example"


async def test_the_cursor_is_always_among_the_rows_that_are_shown():
    async with dashboard(service_with_hosts(60), size=(80, 24)) as board:
        await board.press("H", "G")
        assert "▌ h59.example" in board.text()
        await board.press("g")
        assert "▌ h0.example" in board.text()


async def test_the_last_error_of_a_host_is_shown_below():
    service = service_with_hosts()
    service.hosts["https://h0.example"] = {"trouble": "503 Service Unavailable"}
    async with dashboard(service) as board:
        await board.press("H")
        await until_shown(board.app, "last error: 503 Service Unavailable")


async def test_a_click_on_the_button_asks_for_the_cap():
    service = service_with_hosts()
    async with dashboard(service) as board:
        await board.press("H")
        region = board.main.hosts.region
        at = (region.x + 4, region.bottom - 1)
        await board.pilot.click(offset=at)
        assert type(board.app.screen).__name__ == "PromptScreen"


async def test_without_hosts_it_says_when_they_appear():
    async with dashboard(FakeService()) as board:
        await board.press("H")
        # The pane learns its size a turn later.
        await until_shown(board.app, "they appear with the first download")
        await board.press("enter", "j")
        assert board.app.screen is board.main
