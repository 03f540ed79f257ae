"""Everything that can be set: found by typing, changed with enter, kept in the file."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.widgets import Input, Static

from tui.config.registry import find
from tui.config.values import Kind
from tui.core.text.plain_text import plain
from tui.ui.dialogs.choice import ChoiceScreen
from tui.ui.dialogs.dialog import MOVES, PRINTABLE, Dialog
from tui.ui.dialogs.help import HelpList
from tui.ui.dialogs.prompt import PromptScreen
from tui.ui.dialogs.theme import ThemeScreen
from tui.ui.live_settings import KEYS, SettingRow, hint_for
from tui.ui.panes.pane import Line, Span
from tui.ui.style.format import cells, fit
from tui.ui.style.theme import THEMES

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual.app import ComposeResult
    from textual.binding import BindingType
    from textual.types import CSSPathType

    from tui.ui.dialogs.help import Listed
    from tui.ui.live_settings import LiveSettings

_WIDE = 60
"""Cells of a list that has room to tell who says so."""


class SettingsList(HelpList):
    """Settings under their headings: name, value, who says so."""

    def show(self, rows: list[SettingRow], query: str) -> None:
        """Show these rows, and stay where one is."""
        kept = self.chosen
        self._all = rows
        self.search(query)
        for at, row in enumerate(self._rows):
            if not isinstance(row, str) and row.id == kept:
                self._cursor = at
                self.move(0)

    def _row_line(self, at: int, row: Listed | str, width: int, room: int) -> Line:
        del room
        if isinstance(row, str):
            return [Span(row, "title")]
        assert isinstance(row, SettingRow)
        is_chosen = at == self._cursor
        mark = ">" if self.is_ascii else "▌"
        head = f"{mark if is_chosen else ' '} "
        is_own = not row.source.startswith("default")
        source = f"  {row.source}" if width >= _WIDE else ""
        left = width - cells(head)
        column = min(34, left // 2)
        value = left - column - min(cells(source), left // 3) - 1
        style = "strong" if is_chosen else "text"
        return [
            Span(head, "key", row.id),
            Span(f"{fit(row.title, column)} ", style, row.id),
            Span(fit(row.shown_keys, value), "key" if is_own else "text", row.id),
            Span(fit(source, left - column - value - 1), "dim", row.id),
        ]


class SettingsScreen(Dialog[None]):
    """The list of settings; every change is written at once."""

    CSS_PATH: ClassVar[CSSPathType | None] = ["dialog.tcss", "settings.tcss"]
    TITLE_TEXT = "Settings"
    KEYS = (
        ("type", "to search"),
        ("enter", "change it"),
        ("esc", "close"),
        ("up/down", "choose"),
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        *MOVES,
    ]

    def __init__(self, settings: LiveSettings) -> None:
        """Show and change these."""
        super().__init__()
        self._settings = settings
        self._told = ""

    def compose_box(self) -> ComposeResult:
        """A line to type in, the list, and what the chosen one means."""
        yield Input(
            placeholder="type to search: a name or words",
            restrict=PRINTABLE,
            compact=True,
        )
        yield SettingsList([])
        yield Static("", id="sentence", classes="hint", markup=False)

    def on_mount(self) -> None:
        """Take the keys, and read the file."""
        self.query_one(Input).focus()
        self.run_worker(self._load(), group="settings")

    async def _load(self) -> None:
        self._told = await self._settings.load()
        self._told = self._told or self.app.trouble  # type: ignore[attr-defined]
        self._show()
        if not self._told:
            self._told = f"Changes are written to {self._settings.place}"
        self._explain()

    @property
    def list(self) -> SettingsList:
        """The list of settings."""
        return self.query_one(SettingsList)

    def _show(self) -> None:
        self.list.show(self._settings.rows(), self.query_one(Input).value)

    @on(Input.Changed)
    def search(self, event: Input.Changed) -> None:
        """Search while typing."""
        event.stop()
        self.list.search(event.value)
        self._told = ""
        self._explain()

    @on(Input.Submitted)
    def change_chosen(self, event: Input.Submitted) -> None:
        """Change the one under the cursor."""
        event.stop()
        if self.list.chosen is not None:
            self._ask(self.list.chosen)

    @on(HelpList.Chosen)
    def change_clicked(self, message: HelpList.Chosen) -> None:
        """Change the clicked one."""
        message.stop()
        self._ask(message.id)

    def action_move(self, step: int) -> None:
        """Move the cursor."""
        self.list.move(step)
        self._told = ""
        self._explain()

    def _explain(self) -> None:
        """Say what came of the last change, else what the chosen one means."""
        self.query_one("#sentence", Static).update(self._told or self.list.sentence)

    # -- changing --------------------------------------------------------------------

    def _ask(self, key: str) -> None:
        """Turn a switch; of anything else ask for the new value."""
        if key == "dashboard.theme":
            self._ask_theme()
            return
        option = None if key.startswith(KEYS) else find(key)
        if option is not None and option.kind is Kind.SWITCH:
            self._change(key, "false" if self._settings.now(option) else "true")
        elif option is not None and option.kind is Kind.CHOICE:
            now = str(self._settings.now(option))
            names = list(option.choices)
            self.app.push_screen(ChoiceScreen(key, names, now), self._answer(key))
        elif option is not None and option.kind is Kind.WORDS and self._has_many(key):
            self._told = (
                f"{key} has several values; change it in {self._settings.place}"
            )
            self._explain()
        else:
            prompt = PromptScreen(
                key,
                self._settings.text(key),
                lambda text: self._settings.check(key, text),
                hint_for(key),
            )
            self.app.push_screen(prompt, self._answer(key))

    def _has_many(self, key: str) -> bool:
        return len(self._settings.now(find(key))) > 1

    def _ask_theme(self) -> None:
        screen = ThemeScreen(THEMES, self.app.theme)
        self.app.push_screen(screen, self._answer("dashboard.theme"))

    def _answer(self, key: str) -> Callable[[str | None], None]:
        def take(text: str | None) -> None:
            if text is not None:
                self._change(key, text)

        return take

    def _change(self, key: str, text: str) -> None:
        self.run_worker(self._write(key, text), group="settings")

    async def _write(self, key: str, text: str) -> None:
        try:
            self._told = await self._settings.change(key, text)
        except ValueError as error:
            self._told = f"Not changed: {plain(str(error))}"
        self._show()
        self._explain()
