"""Adding downloads: paste, preview, leave out, add; and nothing blocks."""

from __future__ import annotations

import asyncio
import time

import pytest
from textual import events
from textual.widgets import Button

from tests.ui.panes_builders import HOSTILE, SIZES, Caller, on_screen
from tui.ui.screens.add import AddScreen, UrlArea, disarm, end_line
from tui.ui.screens.draft import Draft, draft_lines, read_draft
from tui.ui.widgets.canvas import line_text


def urls(count: int) -> str:
    return "\n".join(
        f"https://cdn-{n % 4}.example.org/f-{n:06}.bin" for n in range(count)
    )


MIXED = "\n".join(
    [
        "# comment",
        "https://a.example/one.iso",
        "  out=sub/first.iso",
        "https://a.example/two.iso\thttps://b.example/two.iso",
        "https://a.example/two.iso",
        "ftp://a.example/three",
        "https://a.example/four",
        "  checksum=sha-256=nonsense",
    ]
)


def preview(draft: Draft, height: int = 6) -> str:
    return "\n".join(line_text(line) for line in draft_lines(draft, height))


async def settled(pilot, total: int) -> None:
    """Wait until the preview has counted ``total`` requests."""
    button = pilot.app.screen.query_one("#add", Button)
    label = f"Add {total:,}" if total else "Add"
    async with asyncio.timeout(10):
        while str(button.label) != label:
            await pilot.pause(0.01)


async def test_a_draft_tells_good_duplicate_and_wrong_lines_apart():
    draft = await read_draft([MIXED])
    assert [request.url for request in draft.requests] == [
        "https://a.example/one.iso",
        "https://a.example/two.iso",
    ]
    assert draft.requests[0].name == "first.iso"
    assert draft.requests[1].mirrors[1] == "https://b.example/two.iso"
    assert (draft.duplicates, draft.bad_count) == (1, 2)
    text = preview(draft)
    assert "✓ 2 to add   1 duplicate left out   2 wrong lines" in text
    assert "from a.example 2" in text
    assert "✗ line 6  unsupported scheme" in text
    assert "✗ line 8" in text


async def test_the_same_url_under_another_name_is_no_duplicate():
    draft = await read_draft(["https://a.example/x\nhttps://a.example/x\n out=y"])
    assert (len(draft.requests), draft.duplicates) == (2, 0)


@pytest.mark.parametrize("height", [1, 2, 3, 5, 8])
async def test_the_preview_never_outgrows_its_room(height):
    draft = await read_draft(["\n".join(["nonsense"] * 300), urls(10)])
    lines = preview(draft, height).split("\n")
    assert len(lines) <= height
    assert "300 wrong lines" in lines[0]
    if height > 1:
        assert "more wrong" in lines[-1]


async def test_reading_a_huge_text_lets_the_loop_run():
    gaps: list[float] = []

    async def tick() -> None:
        while True:
            before = time.perf_counter()
            await asyncio.sleep(0)
            gaps.append(time.perf_counter() - before)

    ticker = asyncio.create_task(tick())
    draft = await read_draft([urls(20_000)])
    ticker.cancel()
    assert len(draft.requests) == 20_000
    # One turn for every 500 entries, but for the last slice.
    assert len(gaps) >= 20_000 // 500 - 1


@pytest.mark.parametrize("size", SIZES)
async def test_a_thousand_pasted_lines_are_added_with_ctrl_s(size):
    app = Caller(AddScreen())
    async with app.run_test(size=size) as pilot:
        area = app.screen.query_one(UrlArea)
        assert area.has_focus
        area.post_message(events.Paste(urls(1000)))
        await settled(pilot, 1000)
        assert "1,000 to add" in on_screen(app)
        await pilot.press("ctrl+s")
        async with asyncio.timeout(10):
            while not app.answers:
                await pilot.pause(0.01)
    assert len(app.answers[0]) == 1000
    assert app.answers[0][0].source == "paste:1"


async def test_it_opens_with_the_text_of_a_paste_and_adds_by_button():
    app = Caller(AddScreen(MIXED, "/home/ada/data"))
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot, 2)
        assert "into /home/ada/data" in on_screen(app)
        await pilot.click("#add")
        await pilot.pause(0.1)
        assert len(app.answers[0]) == 2


async def test_keys_pressed_before_the_preview_is_ready_still_add_everything():
    app = Caller(AddScreen())
    async with app.run_test(size=(80, 24)) as pilot:
        app.screen.query_one(UrlArea).insert(urls(50))
        await pilot.press("ctrl+s")
        await pilot.pause(0.1)
        assert len(app.answers[0]) == 50


async def test_a_text_too_long_to_edit_is_kept_beside_the_editor():
    app = Caller(AddScreen(urls(12_000)))
    async with app.run_test(size=(80, 24)) as pilot:
        area = app.screen.query_one(UrlArea)
        await settled(pilot, 12_000)
        area.post_message(events.Paste(urls(13_000)))
        await settled(pilot, 13_000)
        assert area.text == ""
        assert "25,000 pasted lines" in on_screen(app)
        await pilot.press("ctrl+s")
        async with asyncio.timeout(10):
            while not app.answers:
                await pilot.pause(0.01)
        assert len(app.answers[0]) == 13_000


@pytest.mark.parametrize("way", ["escape", "#cancel"])
async def test_leaving_without_adding_adds_nothing(way):
    app = Caller(AddScreen("https://a.example/x"))
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot, 1)
        await (pilot.click(way) if way.startswith("#") else pilot.press(way))
        await pilot.pause()
    assert app.answers == [None]


async def test_with_nothing_to_add_ctrl_s_stays():
    app = Caller(AddScreen("nonsense"))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("ctrl+s")
        await pilot.pause(0.1)
        assert app.answers == []
        assert app.screen.query_one("#add", Button).disabled
        assert "1 wrong line" in on_screen(app)


@pytest.mark.parametrize("size", SIZES)
async def test_hostile_text_never_reaches_the_terminal(size):
    app = Caller(AddScreen(f"https://a.example/{HOSTILE}\n\x9b31mx"))
    async with app.run_test(size=size) as pilot:
        area = app.screen.query_one(UrlArea)
        area.post_message(events.Paste(f"\r\nhttp://b.example/\x1b[2J{HOSTILE}"))
        await pilot.pause(0.3)
        text = on_screen(app)
        assert "[red]bold[/red]" in area.text
    assert not {"\x1b", "\x07", "\x9b", "\u202e", "\r"} & set(text)


def test_disarming_keeps_tabs_line_ends_and_unusual_letters():
    assert disarm("a\tb\nc") == "a\tb\nc"
    assert disarm("a\r\nb\rc") == "a\nb\nc"
    assert disarm("漢字 e\u0301") == "漢字 e\u0301"
    assert disarm("\x1b[0m\u202e") == "\ufffd[0m\ufffd"


def test_a_pasted_url_ends_its_line():
    assert end_line("https://a.example") == "https://a.example\n"
    assert end_line("https://a.example\n") == "https://a.example\n"
    assert end_line("a.iso") == "a.iso"
