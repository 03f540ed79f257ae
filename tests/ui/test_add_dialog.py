"""The add dialog: paste, preview, skipped entries, adding; and nothing blocks."""

from __future__ import annotations

import asyncio
import time

import pytest
from textual import events
from textual.widgets import Button, Input

from tests.support.lines import line_text
from tests.support.until import until
from tests.ui.dashboards import dashboard
from tests.ui.panes_builders import HOSTILE, SIZES, Caller, on_screen, until_shown
from tui.core.request import DownloadRequest
from tui.ui.dialogs.add import (
    AddOptions,
    AddOptionsScreen,
    AddScreen,
    HeaderArea,
    UrlArea,
    end_line,
    sanitize_multiline,
)
from tui.ui.dialogs.add_preview import AddPreview, preview_lines, read_preview
from tui.ui.dialogs.path_completion import dropped_paths


def urls(count: int) -> str:
    return "\n".join(
        f"https://cdn-{n % 4}.example.org/f-{n:06}.bin" for n in range(count)
    )


A1 = ("A", "1")
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


def preview_text(preview: AddPreview, height: int = 6) -> str:
    return "\n".join(line_text(line) for line in preview_lines(preview, height))


async def settled(pilot, total: int) -> None:
    """Wait until the preview has counted ``total`` requests."""
    label = f"Add {total:,}" if total else "Add"

    def shown() -> list[str]:
        # Another screen may still lie above.
        return [str(it.label) for it in pilot.app.screen.query("#add").results(Button)]

    await until(lambda: shown() == [label], 30)
    await pilot.pause(0.01)  # for the layout of what it shows


async def test_the_preview_counts_good_duplicate_and_invalid_lines():
    preview = await read_preview([MIXED])
    assert [request.url for request in preview.requests] == [
        "https://a.example/one.iso",
        "https://a.example/two.iso",
    ]
    assert preview.requests[0].name == "first.iso"
    assert preview.requests[1].mirrors[1] == "https://b.example/two.iso"
    assert (preview.duplicates, preview.bad_count) == (1, 2)
    text = preview_text(preview)
    assert "✓ 2 to add   1 duplicate skipped   2 invalid lines" in text
    assert "from a.example 2" in text
    assert "✗ line 6  unsupported scheme" in text
    assert "✗ line 8" in text


async def test_a_preview_of_invalid_lines_only_has_no_check_mark():
    text = preview_text(await read_preview(["nonsense"]))
    assert text.startswith("0 to add   1 invalid line")


async def test_host_without_a_scheme_is_offered_as_https():
    preview = await read_preview(["example.org/a.iso\n out=b.iso\nexample.org\n"])
    (request,) = preview.requests
    assert (request.url, request.name) == ("https://example.org/a.iso", "b.iso")
    assert "paste:1: added https:// to example.org/a.iso" in preview_text(preview)
    assert [str(line) for line in preview.bad] == [
        "paste:3: not a URL; write http:// or https:// in front of the host"
    ]


async def test_the_same_url_under_another_name_is_not_a_duplicate():
    preview = await read_preview(["https://a.example/x\nhttps://a.example/x\n out=y"])
    assert (len(preview.requests), preview.duplicates) == (2, 0)


@pytest.mark.parametrize("height", [1, 2, 3, 5, 8])
async def test_the_preview_never_exceeds_its_height(height):
    preview = await read_preview(["\n".join(["nonsense"] * 300), urls(10)])
    lines = preview_text(preview, height).split("\n")
    assert len(lines) <= height
    assert "300 invalid lines" in lines[0]
    if height > 1:
        assert "more invalid" in lines[-1]


async def test_reading_a_huge_text_lets_the_loop_run():
    gaps: list[float] = []

    async def tick() -> None:
        while True:
            before = time.perf_counter()
            await asyncio.sleep(0)
            gaps.append(time.perf_counter() - before)

    ticker = asyncio.create_task(tick())
    preview = await read_preview([urls(20_000)])
    ticker.cancel()
    assert len(preview.requests) == 20_000
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
        await until(lambda: app.answers, 30)
    assert len(app.answers[0]) == 1000
    assert app.answers[0][0].source == "paste:1"


async def test_it_opens_with_the_text_of_a_paste_and_adds_by_button():
    app = Caller(AddScreen(MIXED, "/home/ada/data"))
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot, 2)
        assert "to /home/ada/data" in on_screen(app)
        await pilot.click("#add")
        await until(lambda: app.answers)
        assert len(app.answers[0]) == 2


async def test_keys_pressed_before_the_preview_is_ready_still_add_everything():
    app = Caller(AddScreen())
    async with app.run_test(size=(80, 24)) as pilot:
        app.screen.query_one(UrlArea).insert(urls(50))
        await pilot.press("ctrl+s")
        await until(lambda: app.answers)
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
        await until(lambda: app.answers, 30)
        assert len(app.answers[0]) == 13_000


@pytest.mark.parametrize(
    "text",
    ["x" * 5000, "\n".join(f"https://a.example/{'x' * 90}{n}" for n in range(5000))],
)
async def test_long_lines_and_long_texts_stay_out_of_the_editor(text):
    app = Caller(AddScreen(text))
    async with app.run_test(size=(80, 24)) as pilot:
        await until_shown(pilot.app, "too many to edit here")
        area = app.screen.query_one(UrlArea)
        area.post_message(events.Paste(text))
        await until_shown(pilot.app, f"{2 * (text.count(chr(10)) + 1):,} pasted lines")
        assert area.text == ""


async def test_a_paste_while_a_button_has_the_focus_is_taken():
    app = Caller(AddScreen("https://a.example/1"))
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot, 1)
        app.screen.query_one("#cancel", Button).focus()
        app.screen.query_one("#cancel").post_message(
            events.Paste("https://a.example/2")
        )
        await settled(pilot, 2)


async def test_esc_stops_parsing_that_takes_long(monkeypatch):
    go = asyncio.Event()
    is_held = True

    async def read(texts, files, known, preview):
        preview.bad_count = 12_345
        if is_held:
            await go.wait()
        return await read_preview(texts, files, known, preview)

    monkeypatch.setattr("tui.ui.dialogs.add.read_preview", read)
    app = Caller(AddScreen("https://a.example/1"))
    async with app.run_test(size=(80, 24)) as pilot:
        await until_shown(pilot.app, "Reading: 12,345 entries so far; esc stops")
        await pilot.press("escape")
        await until_shown(pilot.app, "Stopped. ctrl+s")
        assert app.answers == []
        is_held = False
        await pilot.press("ctrl+s")
        await until(lambda: app.answers, 30)
    assert len(app.answers[0]) == 1


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
        await until_shown(app, "1 invalid line")
        assert app.answers == []
        assert app.screen.query_one("#add", Button).disabled


@pytest.mark.parametrize("text", ["https://a.example/1", "a.example/1\na.example/2\n"])
async def test_enter_on_an_empty_last_line_adds(text):
    app = Caller(AddScreen(text))
    total = text.count("a.example")
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot, total)
        await pilot.press("up", "enter", "down")
        assert app.answers == [], "it is not the last line"
        await pilot.press("enter")
        await until(lambda: app.answers)
        assert len(app.answers[0]) == total


@pytest.mark.parametrize("size", [(120, 36), (80, 24), (60, 15)])
async def test_the_hint_about_enter_is_shown_in_full(size):
    app = Caller(AddScreen())
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        words = " ".join(on_screen(app).replace("│", " ").split())
        assert "Enter on an empty line adds them." in words


async def test_enter_on_an_empty_text_is_a_new_line():
    app = Caller(AddScreen())
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("enter")
        assert app.screen.query_one(UrlArea).text == "\n"


async def test_the_preview_takes_the_lines_that_the_editor_does_not_need():
    app = Caller(AddScreen("nonsense\n" * 9))
    async with app.run_test(size=(120, 36)) as pilot:
        await until_shown(app, "line 9")
        assert "more invalid" not in on_screen(app)
        await pilot.press(*["x", "enter"] * 20)
        await until_shown(app, "more invalid")
        await until(lambda: app.screen.query_one(UrlArea).size.height > 12)


async def test_what_was_left_out_is_said_afterwards():
    async with dashboard() as board:
        await board.press("a")
        area = board.app.screen.query_one(UrlArea)
        area.insert("https://a.example/new\nhttps://a.example/new\nnonsense\n")
        await board.press("ctrl+s")
        told = "Added 1 download; left out: 1 duplicate, 1 invalid line"
        await until(lambda: told in board.message())


async def test_a_preview_that_starts_late_does_not_end_the_adding():
    app = Caller(AddScreen(urls(3000)))
    async with app.run_test(size=(80, 24)):
        screen = app.screen
        screen.action_add()
        screen._start_reading()
        await until(lambda: app.answers, 30)
        assert len(app.answers[0]) == 3000


@pytest.mark.parametrize("size", SIZES)
async def test_hostile_text_never_reaches_the_terminal(size):
    app = Caller(AddScreen(f"https://a.example/{HOSTILE}\n\x9b31mx"))
    async with app.run_test(size=size):
        area = app.screen.query_one(UrlArea)
        area.post_message(events.Paste(f"\r\nhttp://b.example/\x1b[2J{HOSTILE}"))
        await until(lambda: "[red]bold[/red]" in area.text and "b.example" in area.text)
        text = on_screen(app)
    assert not {"\x1b", "\x07", "\x9b", "\u202e", "\r"} & set(text)


def test_disarming_keeps_tabs_line_ends_and_unusual_letters():
    assert sanitize_multiline("a\tb\nc") == "a\tb\nc"
    assert sanitize_multiline("a\r\nb\rc") == "a\nb\nc"
    assert sanitize_multiline("漢字 e\u0301") == "漢字 e\u0301"
    assert sanitize_multiline("\x1b[0m\u202e") == "\ufffd[0m\ufffd"


def test_a_pasted_url_ends_its_line():
    assert end_line("https://a.example") == "https://a.example\n"
    assert end_line("https://a.example\n") == "https://a.example\n"
    assert end_line("a.iso") == "a.iso"


async def test_any_kind_of_list_and_commands_may_be_pasted():
    texts = [
        "curl -o one 'https://a.example/1' \\\n -H 'x-a: b'",
        '[{"url": "https://a.example/2", "size": 2000000}]',
        "url,out\nhttps://a.example/3,three\n",
        "https://a.example/{4..6}",
        f"{'a' * 64}  seven",
        "<html>",
    ]
    preview = await read_preview(texts)
    assert [r.url.rpartition("/")[2] for r in preview.requests] == list("123456")
    assert preview_text(preview).startswith(
        "✓ 6 to add   2.00 MB in 1 of them   2 invalid"
    )
    assert "✗ paste  is a list of digests" in preview_text(preview)


async def test_what_the_list_has_already_is_left_out_and_counted():
    known = {"https://a.example/1": ("", "1"), "https://a.example/2": ("sub", "2")}
    text = (
        "https://a.example/1\nhttps://a.example/1\n out=other\n"
        "https://a.example/2\nhttps://a.example/2\n dir=sub\n https://a.example/3"
    )
    preview = await read_preview([text], known=known)
    assert [(r.url[-1], r.name) for r in preview.requests] == [
        ("1", "other"),
        ("3", None),
    ]
    assert "2 to add   3 already listed" in preview_text(preview, 1)


async def test_notes_show_where_there_is_room():
    preview = await read_preview(["https://a.example/1\n split=4\n"])
    assert preview_text(preview, 4).split("\n")[2] == (
        "  paste:2: ignoring the option split="
    )
    assert "split" not in preview_text(preview, 2)


@pytest.fixture
def some_list(tmp_path):
    path = tmp_path / "my list.txt"
    path.write_text("https://a.example/1\nhttps://a.example/2\nnonsense\n")
    return path


@pytest.mark.parametrize("spelling", ["'{}'", "{}", "file://{}"])
async def test_a_dropped_file_is_read_and_named(some_list, spelling):
    path = str(some_list)
    if spelling == "{}":
        path = path.replace(" ", "\\ ")
    if spelling.startswith("file"):
        path = path.replace(" ", "%20")
    app = Caller(AddScreen("https://a.example/3\n"))
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot, 1)
        area = app.screen.query_one(UrlArea)
        area.post_message(events.Paste(spelling.format(path) + " "))
        await settled(pilot, 3)
        assert "+ my list.txt" in on_screen(app)
        assert "✗ my list.txt:3  not a URL" in on_screen(app)
        assert area.text == "https://a.example/3\n"
        await pilot.press("ctrl+s")
        await until(lambda: app.answers, 30)
    assert [request.url[-1] for request in app.answers[0]] == ["1", "2", "3"]


async def test_a_paste_on_the_dashboard_may_be_a_path_too(some_list):
    app = Caller(AddScreen(f"'{some_list}'"))
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot, 2)
        assert app.screen.query_one(UrlArea).text == ""


def test_text_that_is_not_a_file_path_stays_text(tmp_path, some_list):
    assert dropped_paths(f"{str(some_list)!r} {str(some_list)!r}") == [
        str(some_list),
        str(some_list),
    ]
    for text in [
        "",
        "https://a.example/x",
        str(tmp_path),
        f"{some_list}x",
        f"'{some_list}",
        f"'{some_list}' https://a.example",
        "/\0",
        "/" * 9000,
    ]:
        assert dropped_paths(text) == []


@pytest.mark.parametrize("size", SIZES)
async def test_ctrl_o_chooses_a_list_beside_the_text(some_list, monkeypatch, size):
    monkeypatch.chdir(some_list.parent)
    app = Caller(AddScreen("https://a.example/3"))
    async with app.run_test(size=size) as pilot:
        await settled(pilot, 1)
        await pilot.press("ctrl+o")
        await until_shown(pilot.app, "my list.txt")
        await pilot.press("enter")
        await settled(pilot, 3)
        assert "my list.txt" in on_screen(app)


# -- options ---------------------------------------------------------------------------


async def test_options_apply_to_all_downloads_of_a_dialog():
    options = AddOptions()
    app = Caller(AddScreen("https://a.example/x", "/data", options=options))
    async with app.run_test(size=(120, 36)) as pilot:
        await settled(pilot, 1)
        await pilot.press("ctrl+e")
        screen = app.screen
        for id, text in (
            ("directory", "/data/isos/linux"),
            ("name", "first.iso"),
            ("checksum", "md5=" + "0" * 32),
            ("limit", "2M"),
        ):
            screen.query_one(f"#{id}", Input).value = text
        screen.query_one(HeaderArea).text = "X-One: 1\n\nReferer: https://a.example"
        screen.query_one("#limit").focus()
        await pilot.press("enter")
        await until_shown(pilot.app, "to /data/isos/linux")
        summary = options.summary("/data")
        assert summary == (
            "to /data/isos/linux, as first.iso, 2 headers, md5, limit 2M"
        )
        await pilot.press("ctrl+s")
        await pilot.pause()
    ((request,),) = app.answers
    assert (request.directory, request.name) == ("isos/linux", "first.iso")
    assert request.headers == (("X-One", "1"), ("Referer", "https://a.example"))
    assert str(request.checksum) == "md5=" + "0" * 32
    assert options.rate_limit == 2 << 20


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    ("id", "text", "reason"),
    [
        ("directory", "/etc", "the directory must be below /data"),
        ("directory", "../other", "must not leave the output directory"),
        ("directory", ".ssh", "hidden"),
        ("name", "a/b", "must not contain a slash"),
        ("checksum", "md5=12", "md5 needs 32 hexadecimal digits"),
        ("limit", "fast", "is not a valid rate"),
    ],
)
async def test_an_invalid_option_is_explained_in_its_field(size, id, text, reason):
    app = Caller(AddOptionsScreen(AddOptions(), "/data"))
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        field = app.screen.query_one(f"#{id}", Input)
        field.value = text
        await pilot.press("enter")
        await until_shown(pilot.app, reason[:30])
        assert app.screen.focused is field


async def test_invalid_headers_are_explained():
    app = Caller(AddOptionsScreen(AddOptions(), "/data"))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        app.screen.query_one(HeaderArea).text = "Range: bytes=0-1"
        await pilot.press("enter")
        await until_shown(pilot.app, "the header Range is set by fetchtui")


async def test_a_name_is_for_one_download_only():
    options = AddOptions(name="x")
    app = Caller(AddScreen(urls(2), "/data", options=options))
    async with app.run_test(size=(120, 36)) as pilot:
        await settled(pilot, 2)
        await pilot.press("ctrl+s")
        await until_shown(pilot.app, "The name is for one download, not for 2")


def test_what_a_list_sets_takes_precedence():
    listed = DownloadRequest(("https://a.example/x",), directory="b", headers=(A1,))
    options = AddOptions(directory="a", headers=(("a", "2"), ("B", "3")))
    (request,) = options.apply([listed])
    assert request.directory == "a/b"
    assert request.headers == (A1, ("B", "3"))


async def test_a_limit_is_set_on_all_added_downloads():
    async with dashboard() as board:
        requests = [DownloadRequest((f"https://a.example/{n}",)) for n in range(3)]
        board.main.add_queue.take(requests, 5000)
        await board.app.workers.wait_for_complete()
        assert board.main.service.limits == {5: 5000, 6: 5000, 7: 5000}


async def test_the_session_expects_what_a_dialog_adds_before_any_of_it_is_there():
    async with dashboard() as board:
        seen = []

        def expect(number):
            seen.append((number, board.main.service.snapshot().total))

        before = board.main.service.snapshot().total
        board.main.add_queue.expect = expect
        requests = [DownloadRequest((f"https://a.example/{n}",)) for n in range(3)]
        board.main.add_queue.take(requests)
        await board.app.workers.wait_for_complete()
        assert seen == [(3, before)]
        board.main.add_queue.add(requests)  # those of the command line are known
        await board.app.workers.wait_for_complete()
        assert len(seen) == 1
