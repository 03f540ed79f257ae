"""The dashboard as action handlers see it, without Textual: for tests of handlers."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from tui.core.listing.query import DownloadQuery
from tui.ui.actions.batch_runner import BatchRunner
from tui.ui.actions.handlers import ActionHandlers
from tui.ui.actions.undo import UndoStack
from tui.ui.keys.conditions import ActionState
from tui.ui.keys.registry import BY_ID
from tui.ui.list.follow import FollowMode
from tui.ui.list.model import ListModel
from tui.ui.panes.layout import Breakpoint, PaneLayout

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable

    from textual.screen import Screen

    from tests.support.fake_service import FakeService
    from tui.core.listing.history import SessionHistory
    from tui.core.snapshot import DownloadSnapshot
    from tui.ui.actions.context import ActionContext
    from tui.ui.live_settings import LiveSettings


class FakeList:
    """A list of downloads with a cursor, that draws nothing."""

    def __init__(self, service: FakeService) -> None:
        self.model = ListModel(
            service.select_iter,
            by_cause=service.by_cause_iter,
            by_activity=service.by_activity_iter,
        )
        self.display = True
        self.repainted: list[int] = []
        """Downloads that were redrawn, in order."""
        self._service = service
        self.set_query(DownloadQuery())

    @property
    def cursor_row(self) -> DownloadSnapshot | None:
        id = self.model.cursor_id
        return None if id is None else self._service.rows([id])[0]

    def focus(self) -> None:
        pass

    def set_query(self, query: DownloadQuery) -> None:
        self.model.set_query(query)
        while self.model.is_searching:
            self.model.work()

    def refresh_order(self) -> None:
        self.set_query(self.model.query)

    def repaint(self, ids: Iterable[int]) -> None:
        self.repainted += ids

    def update_rows(self) -> None:
        pass

    def move_cursor(self, by: int) -> None:
        self.put_cursor(self.model.cursor + by)

    def move_page(self, direction: int) -> None:
        self.move_cursor(direction * 20)

    def put_cursor(self, index: int) -> None:
        self.model.move_to(index)

    def lead_cursor(self, index: int) -> None:
        self.model.move_to(index, is_key=False)


class FakeFilter:
    """The filter field."""

    def __init__(self) -> None:
        self.is_open = False
        self.error = ""

    def open(self, text: str) -> None:
        self.is_open = True

    def close(self) -> None:
        self.is_open = False

    def show_error(self, wrong: str) -> None:
        self.error = wrong


class FakeTarget:
    """A pane that can be hidden or have the focus."""

    display = False

    def focus(self) -> None:
        pass


class FakeScheduler:
    """Counts what is redrawn."""

    def __init__(self) -> None:
        self.is_frozen = False
        self.hosts_refreshed = 0

    def refresh_hosts(self) -> None:
        self.hosts_refreshed += 1


class FakeDialogs:
    """Counts the calls of the dialogs that add downloads and that quit."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.is_finishing = False

    def open_editor(self, text: str) -> None:
        self.calls.append(f"editor {text}".strip())

    def open_list(self) -> None:
        self.calls.append("list")

    def ask(self) -> None:
        self.calls.append("quit")

    def interrupt(self) -> None:
        self.calls.append("interrupt")

    @property
    def hint(self) -> str:
        return "Progress is saved."

    def quit(self) -> None:
        self.calls.append("quit now")

    def detach(self) -> None:
        self.calls.append("detach")

    def stay(self) -> None:
        self.calls.append("stay")


class FakeApplication:
    """An application whose clipboard can be read."""

    def __init__(self) -> None:
        self.theme = "fetchtui-dark"
        self.clipboard = ""
        self.columns: tuple[str, ...] = ()
        self.history: SessionHistory | None = None
        self.opened = ""
        """The session to open next."""
        self.can_suspend = False
        self.suspensions = 0

    def action_suspend_process(self) -> None:
        self.suspensions += 1

    def copy_to_clipboard(self, text: str) -> None:
        self.clipboard = text

    def export_screenshot(self, *, title: str | None = None) -> str:
        return f"<svg>{title}</svg>"

    def open_session(self, id: str) -> None:
        self.opened = id

    def set_columns(self, chosen: tuple[str, ...]) -> None:
        self.columns = chosen

    def live_settings(self) -> LiveSettings:
        raise NotImplementedError


class FakeContext:
    """Everything that handlers use, in memory.

    Messages, dialogs and background work are recorded; ``answer`` closes the last
    dialog, ``finish`` runs the work.
    """

    def __init__(self, service: FakeService) -> None:
        self.service = service
        self.list = FakeList(service)
        self.undo_stack = UndoStack(service)
        self.batches = BatchRunner(self)
        self.is_remote = False
        self.filter_bar = FakeFilter()
        self.hosts = FakeTarget()
        self.pane_layout = PaneLayout()
        self.breakpoint = Breakpoint.FULL
        self.follow_mode = FollowMode(self.list, service)
        self.refresh_scheduler = FakeScheduler()
        self.add_queue = self.exit_flow = FakeDialogs()
        self.application = FakeApplication()
        self.messages: list[str] = []
        self.dialogs: list[Screen[Any]] = []
        self._answers: list[Callable[[Any], None]] = []
        self._work: list[asyncio.Task[None]] = []
        self.actions = ActionHandlers(self)

    @property
    def message(self) -> str:
        """The last message."""
        return self.messages[-1]

    def notify(self, message: str, *, severity: str = "information") -> None:
        self.messages.append(message)

    def ask(self, dialog: Screen[Any], answer: Callable[[Any], None]) -> None:
        self.dialogs.append(dialog)
        self._answers.append(answer)

    def answer(self, value: object) -> None:
        """Close the dialog that was opened last."""
        self._answers.pop()(value)

    def open(self, screen: Screen[Any]) -> None:
        self.dialogs.append(screen)

    def run_in_background(
        self,
        work: Callable[[], Coroutine[None, None, None]],
        *,
        group: str = "default",
        exclusive: bool = False,
    ) -> None:
        self._work.append(asyncio.ensure_future(work()))

    async def finish(self) -> None:
        """Wait for all background work."""
        while self._work:
            await self._work.pop(0)

    def refresh_now(self) -> None:
        pass

    def arrange_panes(self) -> None:
        placements = self.pane_layout.arrange(120, 36)
        self.hosts.display = placements["hosts"].is_shown

    def show_query(self, query: DownloadQuery) -> None:
        pass

    def action_state(self) -> ActionState:
        return ActionState(
            row=self.list.cursor_row,
            is_heading=self.list.model.cursor_group is not None,
            many=self.list.model.many,
            engine=self.service.snapshot(),
            can_undo=len(self.undo_stack) > 0,
            can_escape=False,
        )

    def perform(self, id: str) -> None:
        """Run an action, or note why it is disabled."""
        action = BY_ID[id]
        if action.is_enabled(self.action_state()):
            self.actions.table[id]()
        else:
            self.messages.append(f"{action.title}: {action.disabled_reason}")

    def run(self, *ids: str) -> None:
        """Run several actions, one after the other."""
        for id in ids:
            self.perform(id)

    def put_cursor(self, line: int) -> None:
        """Move the cursor to a line."""
        self.list.put_cursor(line)


def _is_a_context(context: FakeContext) -> ActionContext:
    """Make mypy check that the fake has everything of the protocol."""
    return context
