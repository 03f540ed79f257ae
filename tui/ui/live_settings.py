"""Settings while the dashboard runs: what holds now, who says so, and changing them.

A change is judged by the option's own rules, written into the settings file (comments
and order stay, ``config.editor``) and takes effect at once where it can.
"""

from __future__ import annotations

import asyncio
from enum import Enum
from typing import TYPE_CHECKING, Any

from tui.config import editor
from tui.config.display import shown_value
from tui.config.errors import ConfigError
from tui.config.location import config_path, shown_path
from tui.config.registry import find
from tui.config.values import Kind
from tui.core.text.plain_text import plain
from tui.ui.actions.prompts import typed
from tui.ui.dialogs.settings import KEYS, SettingRow
from tui.ui.keys.keymap import current
from tui.ui.keys.registry import shown_key

if TYPE_CHECKING:
    from collections.abc import Callable

    from tui.config.editor import ConfigFile
    from tui.config.option import Option
    from tui.config.precedence import Resolved
    from tui.ui.app import DashboardApp


_START_DIFFERS = frozenset(("output-dir", "dashboard.theme", "dashboard.ascii"))
"""What is looked up at the start where nobody says anything."""


class KeyGroup(Enum):
    """Heading of the keys, after the groups of the options."""

    KEYS = "Keys, by the ids of their actions"


class LiveSettings:
    """The settings of a running dashboard."""

    def __init__(self, app: DashboardApp, given: Resolved | None) -> None:
        """Take the dashboard, and what it was started with."""
        self._app = app
        self._given = given
        self._file: ConfigFile | None = None
        self._written: set[str] = set()
        self._service = app.main.service

    @property
    def complaint(self) -> str:
        """What was wrong with the settings when the dashboard started, or ""."""
        return self._app.trouble

    @property
    def place(self) -> str:
        """Where changes are written."""
        return shown_path(config_path())

    async def load(self) -> str:
        """Read the settings file; return what is wrong with it, "" for nothing."""
        try:
            self._file = await asyncio.to_thread(editor.load)
        except (ConfigError, OSError) as error:
            self._file = None
            return f"{plain(str(error))}; nothing can be changed before that is mended"
        return next(iter(self._file.problems), "")

    def rows(self) -> list[SettingRow]:
        """Every setting, and every action with its keys."""
        rows = [
            SettingRow(
                option.key,
                option.key,
                option.doc if option.is_live else f"{option.doc} From the next start.",
                option.group,
                self._shown(option),
                self._source(option.key),
            )
            for option in editor.OPTIONS
            if option.kind is not Kind.TABLE
        ]
        rows += [
            SettingRow(
                f"{KEYS}{action.id}",
                action.title,
                f"keys.{action.id}: {action.help}",
                KeyGroup.KEYS,
                action.shown_keys or "none",
                self._key_source(action.id),
            )
            for action in current().actions
        ]
        return rows

    def now(self, option: Option) -> Any:
        """What holds at this moment: the service and the dashboard know best."""
        app, key = self._app, option.key
        snapshot = self._service.snapshot()
        live: dict[str, Any] = {
            "output-dir": snapshot.output_dir,
            "concurrency": snapshot.concurrency,
            "auto": snapshot.auto.is_on,
            "per-host": snapshot.per_host,
            "segments": snapshot.segments,
            "limit-rate": snapshot.rate_limit,
            "writers": snapshot.disk.writers,
            "dashboard.theme": app.theme,
            "dashboard.motion": app.animation_level != "none",
            "dashboard.ascii": app.is_ascii,
        }
        if key in live:
            return live[key]
        if key in self._written and self._file is not None:
            return self._file.value(key)
        return option.default if self._given is None else self._given[key]

    def text(self, key: str) -> str:
        """What a person starts from when changing a value."""
        if key.startswith(KEYS):
            return current().by_id[key.removeprefix(KEYS)].shown_keys
        shown = self._shown(find(key))
        return "" if shown == "-" else shown.strip('"')

    def _shown(self, option: Option) -> str:
        value = self.now(option)
        if option.kind is Kind.SIZE and isinstance(value, int) and value:
            return typed(value)
        return shown_value(option, value)

    def check(self, key: str, text: str) -> str | None:
        """Say what is wrong with a text, before anything is changed."""
        if not text:
            return None  # back to the default
        try:
            if key.startswith(KEYS):
                return self._check_keys(key.removeprefix(KEYS), text)
            find(key).read_text(text)
        except ValueError as error:
            return plain(str(error))
        return None

    def _check_keys(self, action: str, text: str) -> str | None:
        complaints = self._app.keys.judge({action: text.split()})
        return next(iter(complaints), None)

    async def change(self, key: str, text: str) -> str:
        """Write a value into the file and let it hold; "" is back to the default.

        Returns:
            What came of it, in words.

        Raises:
            ValueError: the value makes no sense, or the file cannot be written.
        """
        if self._file is None:
            await self.load()  # it may have been mended meanwhile
        file = self._file
        if file is None:
            # The path comes last: a long one is cut, and the reason must not be.
            raise ValueError(f"the file cannot be changed, mend it first: {self.place}")
        if text:
            file.set_text(key, text)
        else:
            file.unset(key)
        try:
            await asyncio.to_thread(file.save)
        except (OSError, ConfigError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            await self.load()  # what was not written does not hold either
            raise ValueError(f"{plain(str(reason))}: {self.place}") from None
        self._written.add(key)
        is_live = self._apply(key)
        name = key if text else f"{key} is as usual again"
        said = f"{name} = {plain(text, 60)}" if text else name
        when = "" if is_live else ", from the next start"
        return f"{said}{when} · written to {self.place}"

    def _apply(self, key: str) -> bool:
        """Let a written value hold now; tell whether that could be."""
        assert self._file is not None
        if key.startswith(KEYS):
            self._app.use_keys(dict(self._file.value("keys")))
            return True
        value = self._file.value(key)
        service, app = self._service, self._app
        appliers: dict[str, Callable[[], object]] = {
            "concurrency": lambda: service.set_concurrency(value),
            "auto": lambda: service.set_auto(value),
            "per-host": lambda: service.set_per_host(value),
            "segments": lambda: service.set_segments(value),
            "limit-rate": lambda: service.set_rate_limit(value or None),
            "writers": lambda: service.set_writers(value),
            "dashboard.theme": lambda: app.use_theme(value),
            "dashboard.motion": lambda: app.use_motion(is_on=value),
            "dashboard.ascii": lambda: app.use_ascii(
                value if self._file and self._file.is_set(key) else None
            ),
        }
        if key not in appliers:
            return False
        appliers[key]()
        app.main.show_now()
        return True

    # -- who says so -----------------------------------------------------------------

    def _source(self, key: str) -> str:
        first = "default"
        if self._given is not None:
            first = self._given.values[key].source
        if key not in self._written:
            option = find(key)
            start = option.default if self._given is None else self._given[key]
            is_same = self.now(option) == start or key in _START_DIFFERS
            return first if is_same else "changed in this session"
        assert self._file is not None
        source = "settings file" if self._file.is_set(key) else "default"
        is_overruled = first.startswith(("FETCHTUI_", "-"))
        return f"{source}; {first} won at the start" if is_overruled else source

    def _key_source(self, action: str) -> str:
        default = self._app.keys.default(action)
        now = current().by_id[action].keys
        return "default" if now == default else "settings file"

    @staticmethod
    def hint(key: str) -> str:
        """Return one line on how to write a value."""
        if key.startswith(KEYS):
            keys = current().default(key.removeprefix(KEYS))
            default = " ".join(map(shown_key, keys)) or "none"
            return f"keys, separated by spaces; leave empty for the default ({default})"
        option = find(key)
        default = option.default_text or shown_value(option, option.default)
        form = ", ".join(option.choices) if option.choices else option.kind.value
        if option.kind in (Kind.TEXT, Kind.PATH):
            form = f"such as {option.example}" if option.example.strip('"') else ""
        elif option.example and "such as" not in form:
            form = f"{form}, such as {option.example}"
        usual = f"leave empty for the default ({default})"
        return f"{form}; {usual}" if form else usual
