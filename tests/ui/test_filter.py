"""The filter: typed as text, applied while typing, cleared with escape."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.events import Paste

from tests.support.fake_service import FakeService
from tests.ui.dashboards import DONE, FAILED, PAUSED, RUNNING, dashboard
from tests.ui.panes_builders import until_shown
from tui.core.download import DownloadState
from tui.core.listing.filter import FilterError
from tui.ui.dialogs.add import AddScreen
from tui.ui.dialogs.choice import SortScreen
from tui.ui.keys.registry import ACTIONS

if TYPE_CHECKING:
    from tui.core.listing.query import DownloadQuery

_S = DownloadState


async def test_keys_type_letters_while_the_filter_has_the_focus():
    async with dashboard() as board:
        service = board.main.service
        await board.press("slash")
        calls = dict(service.calls)
        letters = [key for a in ACTIONS for key in a.keys if len(key) == 1]
        await board.press(*letters)
        assert board.main.filter_bar.input.value == "".join(letters)
        verbs = (
            "cancel",
            "pause",
            "retry",
            "set_concurrency",
            "pause_all",
            "set_writers",
        )
        assert [
            verb for verb in verbs if service.calls[verb] != calls.get(verb, 0)
        ] == []
        assert board.app.screen is board.main


async def test_the_list_is_filtered_while_typing_and_escape_clears_it():
    async with dashboard() as board:
        await board.press("slash")
        await board.type("pau")
        assert board.list.model.ids == [2]
        await board.press("escape")
        assert board.list.model.ids == [0, 1, 2, 3, 4]
        assert not board.main.filter_bar.is_open
        assert board.app.focused is board.list


async def test_enter_keeps_the_filter_and_returns_the_focus():
    async with dashboard() as board:
        await board.press("slash")
        await board.type("done")
        await board.press("enter")
        assert board.list.model.ids == [DONE]
        assert board.app.focused is board.list
        await board.press("slash")
        assert board.main.filter_bar.input.value == "done"
        await board.press("enter", "escape")
        assert len(board.list.model.ids) == 5


async def test_the_cursor_moves_while_the_filter_is_typed():
    async with dashboard() as board:
        await board.press("slash")
        await board.type(".bin")
        await board.press("down", "down")
        assert board.list.model.cursor == 2


async def test_a_filter_without_matches_says_so():
    async with dashboard() as board:
        await board.press("slash")
        await board.type("zzz")
        assert "No downloads match “zzz”" in board.text()
        await board.press("x")
        assert board.main.service.calls["cancel"] == 0


async def test_a_paste_on_the_list_opens_the_editor_with_it():
    async with dashboard() as board:
        board.app.post_message(Paste("https://example.org/pasted.bin"))
        await board.wait_idle()
        assert isinstance(board.app.screen, AddScreen)
        await until_shown(board.app, "pasted.bin")


async def test_a_paste_into_the_filter_stays_there():
    async with dashboard() as board:
        await board.press("slash")
        board.app.post_message(Paste("done"))
        await board.wait_idle()
        assert board.app.screen is board.main
        assert board.list.model.ids == [DONE]


async def test_filter_errors_are_shown_while_typing():
    async with dashboard() as board:
        await board.press("slash")
        await board.type("is:")
        assert "is: needs a state: queued, probing" in board.screen()[3]
        assert len(board.list.model.ids) == 5, "an incomplete filter hides nothing"
        await board.press("enter")
        assert board.main.filter_bar.is_open, "the error must be fixed first"
        await board.press("f")
        assert "needs a state" not in board.screen()[3]
        assert board.list.model.ids == [1]
        await board.press("enter")
        assert not board.main.filter_bar.is_open


async def test_a_filter_survives_a_change_of_view():
    async with dashboard() as board:
        await board.press("slash")
        await board.type("size:>10")
        await board.press("enter", "4")
        assert board.list.model.ids == [DONE]
        await board.press("1")
        assert board.list.model.ids == [RUNNING, FAILED, PAUSED, DONE]


class Gated(FakeService):
    """An engine whose searches wait until the test lets them finish."""

    is_open = False

    def select_iter(self, query: DownloadQuery):
        ids = yield from super().select_iter(query)
        while query.text and not self.is_open:
            yield
        if query.text == "bad":
            raise FilterError("this pattern takes too long")
        return ids

    def by_activity_iter(self, query: DownloadQuery):
        yield from self.select_iter(query)
        return (yield from super().by_activity_iter(query))


async def test_a_slow_search_shows_progress_and_then_its_result():
    service = Gated()
    for name in ("one", "two", "three"):
        service.put(name)
    async with dashboard(service) as board:
        await board.press("slash")
        await board.type("two")
        await until_shown(board.app, "searching two")
        assert board.list.model.ids == [0, 1, 2]
        await board.press("enter", "ctrl+a")
        assert len(board.list.model.marks) == 0, "the result is unknown so far"
        assert "Still searching" in board.message()
        service.is_open = True
        await until_shown(board.app, "filter two")
        assert board.list.model.ids == [1]
        await board.press("ctrl+a")
        assert board.list.model.marks.ids == [1]


async def test_escape_cancels_a_slow_search():
    service = Gated()
    service.put("one")
    async with dashboard(service) as board:
        await board.press("slash")
        await board.type("zzz")
        await until_shown(board.app, "searching zzz")
        await board.press("escape")
        assert not board.list.model.is_searching
        assert "zzz" not in board.text()
        assert board.list.model.ids == [0]


async def test_an_error_late_in_a_search_is_shown():
    service = Gated()
    service.put("one")
    async with dashboard(service) as board:
        await board.press("slash")
        await board.type("bad")
        await board.press("enter")
        service.is_open = True
        await until_shown(board.app, "takes too long")
        assert board.list.model.ids == [0]


async def test_a_burst_of_keys_is_taken_in_its_order():
    async with dashboard() as board:
        await board.press("slash")
        keys = ["a", "b", "c", "d", "backspace", "backspace", "x", "left", "y", "end"]
        await board.burst(*keys, "z")
        assert board.main.filter_bar.input.value == "abyxz"


async def test_keys_in_a_burst_around_the_filter_go_where_they_belong():
    service = FakeService()
    service.put("one")
    service.put("two")
    async with dashboard(service) as board:
        await board.burst("slash", *"two", "enter", "s")
        assert board.main.filter_bar.input.value == "two"
        assert isinstance(board.app.screen, SortScreen)
