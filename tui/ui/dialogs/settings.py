"""The settings screen: search by typing, change with Enter, saved to the file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from textual import on
from textual.widgets import Input, Static

from tui.config.registry import find
from tui.config.values import Kind
from tui.core.text.sanitize import sanitize
from tui.ui.dialogs.choice import ChoiceScreen, ColumnsScreen, ThemeScreen
from tui.ui.dialogs.dialog import MOVES, PRINTABLE, Dialog, Field
from tui.ui.dialogs.help import HelpList
from tui.ui.dialogs.prompt import TYPE_NAMES, KeyScreen, PromptScreen
from tui.ui.panes.pane import Line, Span
from tui.ui.style.format import cells, fit
from tui.ui.style.theme import THEMES

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from enum import Enum

    from textual.app import ComposeResult
    from textual.binding import BindingType
    from textual.types import CSSPathType
    from textual.worker import Worker

    from tui.config.option import Option
    from tui.ui.dialogs.help import HelpEntry

KEYS = "keys."
"""Start of the settings that bind keys to actions."""
_WIDE = 60
"""Cells from which a row also shows where its value comes from."""


@dataclass(frozen=True, slots=True)
class SettingRow:
    """One line of the settings screen."""

    id: str
    """Key in the settings file."""
    title: str
    help: str
    group: Enum
    shown_keys: str
    """The effective value, as written in the settings file."""
    source: str
    """Where the value comes from."""
    synonyms: frozenset[str] = frozenset()
    """Other words that find it."""


class EditableSettings(Protocol):
    """What the screen needs of the settings (``live_settings.LiveSettings``)."""

    @property
    def path(self) -> str:
        """Path of the settings file, as shown."""

    @property
    def complaint(self) -> str:
        """What was wrong with the settings at start, or ""."""

    async def load(self) -> str:
        """Read the settings file; return what is wrong with it, or ""."""

    def rows(self) -> list[SettingRow]:
        """Return every setting."""

    def now(self, option: Option) -> Any:
        """Return the effective value of an option."""

    def why_fixed(self, key: str) -> str:
        """Return why a setting cannot be changed here; "" if it can."""

    def text(self, key: str) -> str:
        """Return the effective value as the user would type it."""

    def hint(self, key: str) -> str:
        """Return one line on how to write a value."""

    def check(self, key: str, text: str) -> str | None:
        """Return what is wrong with a new value, or ``None``."""

    def key_owner(self, action: str, text: str) -> str:
        """Return the title of another action that has a key; "" if none has."""

    async def set_key(self, action: str, text: str) -> str:
        """Give an action one key, whose owner gets the old one in exchange."""

    async def change(self, key: str, text: str) -> str:
        """Save a value and apply it; return what was done, for the user."""


class SettingsList(HelpList):
    """Settings under their headings: name, value and source."""

    NO_MATCH = "No matching setting."

    def show(self, rows: list[SettingRow], query: str) -> None:
        """Show these rows and keep the cursor on its setting."""
        kept = self.chosen
        self._all = rows
        self.search(query)
        for y, row in enumerate(self._rows):
            if not isinstance(row, str) and row.id == kept:
                self._cursor = y
                self.move(0)

    def _row_line(self, y: int, row: HelpEntry | str, width: int, room: int) -> Line:
        del room
        if isinstance(row, str):
            return [Span(row, "title")]
        assert isinstance(row, SettingRow)
        is_chosen = y == self._cursor
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
    """The list of settings; every change is saved immediately."""

    CSS_PATH: ClassVar[CSSPathType | None] = ["dialog.tcss", "settings.tcss"]
    TITLE_TEXT = "Settings"
    KEYS = (
        ("type", "to search"),
        ("enter", "change"),
        ("esc", "close"),
        ("up/down", "choose"),
    )
    BINDINGS: ClassVar[list[BindingType]] = [*MOVES]

    def __init__(self, settings: EditableSettings) -> None:
        """Show and change ``settings``."""
        super().__init__()
        self._settings = settings
        self._message = ""

    def compose_box(self) -> ComposeResult:
        """Lay out the search line, the list and the explanation."""
        yield Field(
            placeholder="search settings",
            restrict=PRINTABLE,
            compact=True,
        )
        yield SettingsList([])
        yield Static("", id="description", classes="hint", markup=False)

    def on_mount(self) -> None:
        """Focus the search line and read the settings file."""
        self.query_one(Input).focus()
        self.start(self._load, "settings")

    async def _load(self) -> None:
        problem = await self._settings.load() or self._settings.complaint
        self._show()
        self._message = problem or f"Changes are saved to {self._settings.path}"
        self._explain()

    @property
    def list(self) -> SettingsList:
        """The list of settings."""
        return self.query_one(SettingsList)

    def _show(self) -> None:
        self.list.show(self._settings.rows(), self.query_one(Input).value)

    @on(Input.Changed)
    def search(self, event: Input.Changed) -> None:
        """Filter the list while the user types."""
        event.stop()
        self.list.search(event.value)
        self._message = ""
        self._explain()

    @on(Input.Submitted)
    def change_chosen(self, event: Input.Submitted) -> None:
        """Change the setting under the cursor."""
        event.stop()
        if self.list.chosen is not None:
            self._ask(self.list.chosen)

    @on(HelpList.Chosen)
    def change_clicked(self, message: HelpList.Chosen) -> None:
        """Change the clicked setting."""
        message.stop()
        self._ask(message.id)

    def action_move(self, step: int) -> None:
        """Move the cursor."""
        self.list.move(step)
        self._message = ""
        self._explain()

    def _explain(self) -> None:
        """Show the result of the last change, or else the setting's help."""
        self.query_one("#description", Static).update(
            self._message or self.list.description
        )

    # -- changing --------------------------------------------------------------------

    def _ask(self, key: str) -> None:
        """Flip a switch; ask for the new value of any other setting."""
        reason = self._settings.why_fixed(key)
        if reason:
            self._message = reason
            self._explain()
            return
        if key == "dashboard.theme":
            self._ask_theme()
            return
        if key == "dashboard.columns":
            columns = ColumnsScreen(self._settings.now(find(key)))
            self.app.push_screen(columns, self._answer_columns)
            return
        if key.startswith(KEYS):
            self._ask_key(key)
            return
        option = find(key)
        if option.kind is Kind.SWITCH:
            self._change(key, "false" if self._settings.now(option) else "true")
        elif option.kind is Kind.CHOICE:
            now = str(self._settings.now(option))
            names = list(option.choices)
            hint = option.more or option.doc
            screen = ChoiceScreen(key, names, now, hint)
            self.app.push_screen(screen, self._answer(key))
        elif option.kind is Kind.WORDS and self._has_many(key):
            self._message = (
                f"{key} has several values; edit it in {self._settings.path}"
            )
            self._explain()
        else:
            self._prompt(key)

    def _prompt(self, key: str) -> None:
        prompt = PromptScreen(
            key,
            self._settings.text(key),
            lambda text: self._settings.check(key, text),
            self._settings.hint(key),
        )
        self.app.push_screen(prompt, self._answer(key))

    def _ask_key(self, key: str) -> None:
        """Ask for a key of an action, or for the names of several keys."""
        settings, action = self._settings, key.removeprefix(KEYS)

        def check_key(text: str) -> tuple[str, bool]:
            owner = settings.key_owner(action, text)
            if owner:
                return f"{owner} has this key; enter swaps the two", True
            problem = settings.check(key, text)
            return problem or "enter applies it", problem is None

        def take(text: str | None) -> None:
            if text == TYPE_NAMES:
                self._prompt(key)
            elif text is not None:
                self._run(settings.set_key(action, text))

        screen = KeyScreen(key, settings.text(key), check_key)
        self.app.push_screen(screen, take)

    def _has_many(self, key: str) -> bool:
        return len(self._settings.now(find(key))) > 1

    def _ask_theme(self) -> None:
        screen = ThemeScreen(THEMES, self.app.theme)
        self.app.push_screen(screen, self._answer("dashboard.theme"))

    def _answer_columns(self, columns: tuple[str, ...] | None) -> None:
        if columns is not None:
            self._change("dashboard.columns", "\n".join(columns))

    def _answer(self, key: str) -> Callable[[str | None], None]:
        def apply(text: str | None) -> None:
            if text is not None:
                self._change(key, text)

        return apply

    def _change(self, key: str, text: str) -> None:
        self._run(self._settings.change(key, text))

    def _run(self, change: Coroutine[Any, Any, str]) -> None:
        # Not a worker of this dialog: closing it must not cancel the change.
        _: Worker[None] = self.app.run_worker(self._write(change), group="settings")

    async def _write(self, change: Coroutine[Any, Any, str]) -> None:
        try:
            self._message = await change
        except ValueError as error:
            self._message = f"Not changed: {sanitize(str(error))}"
        if self.is_whole:
            self._show()
            self._explain()
