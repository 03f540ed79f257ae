"""The failed view: groups by cause, advice, retry of a group, the saved list."""

from __future__ import annotations

import pytest

from tests.support.fake_service import FakeService
from tests.ui.dashboards import (
    DONE,
    FAILED,
    PAUSED,
    QUEUED,
    RUNNING,
    dashboard,
    some_downloads,
)
from tui.core.download import DownloadState
from tui.core.listing.query import DownloadQuery
from tui.core.listing.slices import run_at_once
from tui.core.request import DownloadRequest
from tui.messages import failure_title
from tui.sources.readers.text_list import parse_text
from tui.sources.writers import ListFormat, entry_of_detail, write_list
from tui.ui.list.rows import group_heading
from tui.ui.style.format import cells
from tui.ui.terminal.exit_summary import summary_lines

_S = DownloadState


def listed(detail) -> str:
    return "".join(write_list([entry_of_detail(detail)], ListFormat.ARIA2))


def failures() -> FakeService:
    """Three that are not there, one that needs a login, one cancelled, one running."""
    service = FakeService(concurrency=4)
    for number in range(3):
        service.put(
            f"gone-{number}",
            _S.FAILED,
            error="old.example answered 404 Not Found",
            error_kind="not_found",
            status=404,
        )
    service.put(
        "locked", _S.FAILED, error="needs a login", error_kind="auth", status=401
    )
    service.put("dull", _S.CANCELLED)
    service.put("running", _S.DOWNLOADING, size=100, speed=1.0)
    return service


async def test_failed_downloads_are_grouped_by_cause_most_frequent_first():
    async with dashboard(failures()) as board:
        await board.press("5")
        lines = [line.strip("▌ ") for line in board.screen()[4:12]]
        assert lines[0].startswith("▾ 404 not found · 3 ")
        assert "the server has no such file; check the URL" in lines[0]
        assert "r to retry" in lines[0]
        assert "gone-0" in lines[1]
        assert lines[4].startswith("▾ 401 auth · 1")
        assert "dull" not in board.text(), "what the user cancelled did not fail"
        await board.press("7")
        assert "dull" in board.screen()[4]


async def test_r_on_a_heading_retries_the_group_only():
    async with dashboard(failures()) as board:
        service = board.main.service
        await board.press("5", "g", "r")
        assert service.last == ("retry", [0, 1, 2])
        assert board.message() == "Retrying 3 downloads · u to undo"
        assert service.downloads[3].state is _S.FAILED


async def test_space_on_a_heading_marks_its_group_and_enter_folds_it():
    async with dashboard(failures()) as board:
        await board.press("5", "g", "space")
        assert board.list.model.marks.ids == [0, 1, 2]
        await board.press("escape", "g", "enter")
        assert "gone-0" not in "".join(board.screen()[4:12])
        assert "▸ 404 not found · 3" in board.text()
        await board.press("ctrl+a")
        assert board.list.model.marks.ids == [0, 1, 2, 3], "folded ones as well"
        await board.press("enter")
        assert "gone-0" in board.screen()[5]


async def test_a_double_click_on_a_heading_folds_its_group():
    async with dashboard(failures()) as board:
        await board.press("5")
        await board.pilot.click(board.list, offset=(20, 0), times=2)
        await board.wait_idle()
        assert board.app.screen is board.main, "no details of another download"
        assert "▸ 404 not found · 3" in board.text()


async def test_a_range_over_headings_marks_rows_only():
    async with dashboard(failures()) as board:
        await board.press("5", "g", "j", "space", "G", "v")
        assert board.list.model.marks.ids == [0, 1, 2, 3]


async def test_the_cursor_stays_on_its_heading_when_groups_change_places():
    async with dashboard(failures()) as board:
        service = board.main.service
        await board.press("5", "G", "k")
        assert board.list.model.cursor_group.kind == "auth"
        for _ in range(4):
            id = service.put("more")
            service.fail(id, "auth", "needs a login")
            service.change(id, status=401)
        board.list.refresh_order()
        await board.wait_idle()
        assert board.list.model.ids[0] == board.list.model.cursor_line
        assert board.list.model.cursor_group.kind == "auth"


async def test_the_message_line_shows_error_remedy_and_keys():
    async with dashboard(failures()) as board:
        await board.press("j")
        assert (
            "old.example answered 404 Not Found → the server has no such file; check"
            " the URL · r to retry, D to remove" in board.screen()[-2]
        )
        await board.press("G")
        assert "404" not in board.screen()[-2]
        await board.press("5", "g")
        assert "r to retry all 3" in board.screen()[-2]


async def test_every_key_on_a_heading_does_something_sensible():
    async with dashboard(failures()) as board:
        for key in ("x", "p", "J", "K", "F", "y", "greater_than_sign", "o", "e"):
            await board.press("5", "g", key)
            if board.app.screen is not board.main:
                await board.press("escape")
            await board.press("u")
        assert board.app.is_running


async def test_D_removes_downloads_and_u_restores_them():
    async with dashboard(some_downloads()) as board:
        service = board.main.service
        marked = [RUNNING, FAILED, PAUSED, DONE]
        board.list.model.marks.add(marked)
        await board.press("D")
        assert board.message() == "Removed 4 downloads from the list · u to restore"
        assert board.list.model.ids == [QUEUED]
        assert "1 All 1" in board.screen()[2]
        assert board.list.model.marks.ids == [], "what is gone has no mark"
        await board.press("u")
        assert service.downloads[RUNNING].state is _S.QUEUED
        assert service.downloads[PAUSED].state is _S.PAUSED
        assert board.list.model.marks.ids == marked
        assert sorted(board.list.model.ids) == [0, 1, 2, 3, 4]
        assert service.downloads[FAILED].state is _S.FAILED


async def test_E_saves_the_failed_ones_as_a_list_that_can_be_read(tmp_path):
    service = failures()
    service.output_dir = str(tmp_path)
    async with dashboard(service) as board:
        await board.press("E")
        await board.app.workers.wait_for_complete()
        (saved,) = tmp_path.iterdir()
        assert board.message() == f"Saved 4 as {saved}"
        assert board.main.actions.export.path == saved
        assert saved.stat().st_mode & 0o777 == 0o600
        requests = list(parse_text(saved.read_text().splitlines(), "again"))
        assert [request.name for request in requests] == [
            "gone-0",
            "gone-1",
            "gone-2",
            "locked",
        ]
        assert "# old.example answered 404 Not Found" in saved.read_text()


@pytest.mark.parametrize(
    ("url", "name", "directory"),
    [
        ("https://a.example/x.iso", "x.iso", ""),
        ("https://a.example/x.iso?a=1&b=%20", "other name.iso", "folder/below"),
        ("https://a.example/x", "back\\slash", ".hidden"),
        ("https://a.example/x", "\x1b[31mred", "a"),
    ],
)
def test_what_is_written_down_is_read_back_or_left_out(url, name, directory):
    service = FakeService()
    id = service.put(name, _S.FAILED, url=url, error="no\nway", directory=directory)
    detail = service.detail(id)._replace(checksum=f"sha256={'0' * 64}")
    (request,) = parse_text(listed(detail).splitlines(), "again")
    assert isinstance(request, DownloadRequest)
    assert request.url == url
    assert str(request.checksum) == f"sha256={'0' * 64}"
    assert request.name in (name, None)
    assert request.directory in (directory or None, None)


def test_a_login_is_not_written_down_but_said_to_be_missing():
    service = FakeService()
    id = service.put("a", _S.FAILED, url="https://ada:secret@a.example/x")
    text = listed(service.detail(id))
    assert "secret" not in text
    assert "https://a.example/x\n" in text
    assert "login" in text


@pytest.mark.parametrize("width", [16, 40, 58, 79, 119, 199])
@pytest.mark.parametrize("is_ascii", [False, True])
def test_a_heading_fills_its_line_exactly(width, is_ascii):
    service = failures()
    for cause in run_at_once(service.by_cause_iter(DownloadQuery())):
        for is_folded in (False, True):
            pieces = group_heading(cause, width, is_folded=is_folded, is_ascii=is_ascii)
            text = "".join(piece.text for piece in pieces)
            assert cells(text) == max(width, cells(text.rstrip()))
            assert not is_ascii or text.isascii()


def test_causes_have_names_in_words():
    assert failure_title("http_4xx", 403) == "403 forbidden"
    assert failure_title("http_4xx", 499) == "499 refused"
    assert failure_title("connect_timeout", 0) == "connect timeout"
    assert failure_title("disk_full", 200) == "disk full"
    assert failure_title("checksum", 206) == "checksum"
    assert failure_title("", 0) == "cancelled by you"


def test_the_exit_summary_fits_80_columns_and_says_how_to_resume(tmp_path):
    service = failures()
    for kind in ("tls", "dns", "stalled", "connect_timeout"):
        service.put(kind, _S.FAILED, error_kind=kind)
    lines = summary_lines(
        service.snapshot(),
        run_at_once(service.by_cause_iter(DownloadQuery())),
        service.rows,
        tmp_path / ("long" * 40),
        "fetchtui goes on",
    )
    assert max(map(cells, lines)) <= 80
    named = [line.strip() for line in lines if line.startswith("      ")]
    assert len(named) == 5
    assert all(line.startswith("http") for line in named), "which ones, by their URL"
    lines = [line for line in lines if not line.startswith("      ")]
    assert lines[0].startswith("0 done, 8 failed, 1 cancelled, 1 unfinished · 0 B in ")
    assert lines[1] == "  3 × 404 not found: the server has no such file; check the URL"
    assert lines[4] == "  3 for other reasons"
    assert lines[5].startswith("failed list: ")
    assert lines[6] == "fetchtui goes on"


def test_a_single_cause_more_is_named_rather_than_counted():
    service = FakeService()
    for kind in ("tls", "dns", "stalled", "connect_timeout"):
        service.put(kind, _S.FAILED, error_kind=kind)
    causes = run_at_once(service.by_cause_iter(DownloadQuery()))
    lines = summary_lines(service.snapshot(), causes, service.rows, None, "")
    assert not any("other reasons" in line for line in lines)
    assert len([line for line in lines if "×" in line]) == 4


def test_an_empty_run_says_nothing_at_the_end():
    service = FakeService()
    assert summary_lines(service.snapshot(), [], service.rows, None, "go on") == []


async def test_a_frozen_list_does_not_move_and_is_marked():
    async with dashboard() as board:
        service = board.main.service
        await board.press("full_stop")
        assert "frozen" in board.screen()[2]
        before = board.screen()[4]
        service.advance(2)
        await board.tick()
        assert board.screen()[4] == before
        await board.press("full_stop")
        assert board.screen()[4] != before
        assert "frozen" not in board.screen()[2]


async def test_the_cursor_follows_what_is_active_until_it_is_moved():
    async with dashboard() as board:
        service = board.main.service
        following = board.main.follow_mode
        await board.press("f", "G")
        assert not following.is_on
        await board.press("f")
        await board.tick()
        assert board.list.model.cursor_id == 0
        assert "following" in board.screen()[2]
        service.finish(0)
        service.start(QUEUED, size=10)
        following._next_at_s = 0.0
        await board.tick()
        assert board.list.model.cursor_id == QUEUED
        await board.press("k")
        assert "following" not in board.screen()[2]


async def test_r_leaves_the_cursor_in_its_group_however_the_groups_are_reordered():
    service = failures()
    for number in range(1):
        service.put(
            f"shut-{number}",
            _S.FAILED,
            error="needs a login",
            error_kind="auth",
            status=401,
        )
    # Three against two: the group that loses two comes second afterwards.
    async with dashboard(service) as board:
        await board.press("5", "g", "j")
        assert board.list.cursor_row.name == "gone-0"
        await board.press("r")
        board.list.refresh_order()
        await board.tick()
        assert board.list.cursor_row.name == "gone-1"
        await board.press("j", "r")
        board.list.refresh_order()
        await board.tick()
        assert board.list.cursor_row.name == "gone-1"
        await board.press("r")
        board.list.refresh_order()
        await board.tick()
        assert board.list.cursor_row is None or "gone" not in board.list.cursor_row.name
