"""The detail dialog: complete, scrollable and up to date."""

from __future__ import annotations

import pytest
from textual.containers import VerticalScroll

from tests.ui.dashboards import RUNNING, dashboard, some_downloads
from tests.ui.panes_builders import (
    HOSTILE,
    SIZES,
    Caller,
    detail,
    on_screen,
    row,
    until_shown,
)
from tui.core.download import DownloadState
from tui.ui.dialogs.detail import DetailScreen
from tui.ui.panes.detail_lines import sheet_lines


@pytest.mark.parametrize("size", SIZES)
async def test_it_shows_the_download_and_scrolls_to_its_attempts(size):
    app = Caller(DetailScreen(detail))
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        text = on_screen(app)
        assert "train-00017-of-00512.parquet" in text
        assert "826 MB of 2.00 GB" in text
        await pilot.press("G")
        await pilot.pause()
        await pilot.pause()
        assert "try 2" in on_screen(app)
        await pilot.press("g")
        await pilot.pause()
        await pilot.pause()
        assert "826 MB of 2.00 GB" in on_screen(app)


async def test_it_follows_the_download():
    now = {"row": row(received=0)}
    app = Caller(DetailScreen(lambda: detail(**now)))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        assert "0 B of 2.00 GB" in on_screen(app)
        now["row"] = row(state=DownloadState.DONE, speed=0.0, connections=0)
        await until_shown(app, "✓ done")
        assert "part file" not in on_screen(app)


@pytest.mark.parametrize("key", ["escape", "q", "enter"])
async def test_it_closes(key):
    app = Caller(DetailScreen(detail))
    async with app.run_test(size=(60, 15)) as pilot:
        await pilot.press(key)
        await pilot.pause()
    assert app.answers == [None]


@pytest.mark.parametrize("size", SIZES)
async def test_hostile_text_is_shown_as_text(size):
    hostile = detail(
        row=row(name=HOSTILE, error=HOSTILE, error_kind="tls", url=f"http://{HOSTILE}"),
        answer=((HOSTILE, HOSTILE),),
        validator=HOSTILE,
        path=HOSTILE,
        source=HOSTILE,
    )
    app = Caller(DetailScreen(lambda: hostile))
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        text = on_screen(app)
    assert "[red]bold[/red]" in text
    assert not {"\x1b", "\x07", "\u202e"} & set(text)


def test_values_of_headers_start_in_one_column():
    shown = detail(
        answer=(("content-type", "text/plain"), ("etag", '"1"'), ("x" * 40, "long")),
    )
    lines = ["".join(span.text for span in line) for line in sheet_lines(shown, 80)]
    (wide,) = [line for line in lines if line.startswith("content-type")]
    (narrow,) = [line for line in lines if line.startswith("etag")]
    assert wide.index("text/plain") == narrow.index('"1"')
    assert any(line.endswith(f"{'x' * 4} long") for line in lines), "it takes its space"


async def test_a_resize_wraps_again_and_the_end_stays_reachable():
    long = detail(path="/data/" + "long-name/" * 30 + "end-of-path")
    app = Caller(DetailScreen(lambda: long))
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.pause()
        await pilot.resize_terminal(60, 15)
        app.screen.query_one(VerticalScroll).scroll_end(animate=False)
        await until_shown(app, "try 2")


async def test_ascii_mode_draws_only_ascii():
    app = Caller(DetailScreen(detail), is_ascii=True)
    async with app.run_test(size=(80, 50)) as pilot:
        await pilot.pause()
        assert on_screen(app).isascii()


async def test_connections_rate_and_pause_are_changed_from_the_details():
    service = some_downloads()
    async with dashboard(service) as board:
        await board.press("enter", "greater_than_sign")
        assert service.last == ("set_segments", 2, RUNNING)
        await board.press("less_than_sign", "less_than_sign")
        assert service.last == ("set_segments", 1, RUNNING)
        await board.press("B")
        await board.type("2M")
        await board.press("enter")
        assert service.limits == {RUNNING: 2 << 20}
        assert isinstance(board.app.screen, DetailScreen)


async def test_a_key_in_the_details_is_about_that_download_and_not_about_marks():
    service = some_downloads()
    other = service.put("other.bin", DownloadState.DOWNLOADING, size=1000)
    async with dashboard(service) as board:
        await board.press("j", "space", "g", "enter", "greater_than_sign")
        assert service.last == ("set_segments", 2, RUNNING)
        assert other not in service.limits
        await board.press("escape", "greater_than_sign")
        assert service.last == ("set_segments", 2, other)


async def test_keys_that_fit_nothing_do_nothing_in_the_details():
    service = some_downloads()
    async with dashboard(service) as board:
        await board.press("G", "enter", "greater_than_sign")
        assert service.calls["set_segments"] == 0
