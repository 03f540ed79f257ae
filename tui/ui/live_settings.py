"""Settings while the dashboard runs: effective values, their sources, and changes.

A change is validated by the rules of its option, written to the settings file (keeping
comments and order, see ``config.editor``) and applied at once where that is possible.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from enum import Enum
from typing import TYPE_CHECKING, Any, Protocol

from tui.config import editor
from tui.config.display import shown_value
from tui.config.errors import ConfigError
from tui.config.location import config_path, shown_path
from tui.config.registry import find
from tui.config.values import Kind
from tui.core.attachment import LinkState
from tui.core.text.sanitize import sanitize
from tui.core.text.units import editable_size
from tui.messages import WATCHING, attached_to, attachment_text
from tui.ui.dialogs.settings import KEYS, SettingRow
from tui.ui.keys.keymap import current, key_name
from tui.ui.keys.registry import shown_key

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tui.config.editor import ConfigFile
    from tui.config.option import Option
    from tui.config.precedence import Resolved
    from tui.core.attachment import Attachment
    from tui.core.service import DashboardService

_DETECTED = frozenset(
    ("output-dir", "dashboard.theme", "dashboard.ascii", "dashboard.columns")
)
"""Settings whose default is detected at the start."""
LIMITS = frozenset(
    option.key for option in editor.OPTIONS if option.is_live and option.field
)
"""Settings of the downloads that can change while they run: ``set_FIELD`` of the
service changes each of them."""


def _owner(action: str, text: str) -> str:
    """Return the id of another action that has a key; "" if none has."""
    key = key_name(text)
    for other in current().actions:
        if other.id != action and key in other.keys:
            return other.id
    return ""


class KeyGroup(Enum):
    """Heading of the keys, after the groups of the options."""

    KEYS = "Keys, by action ID"


class SettingsHost(Protocol):
    """The application whose look and keys are set."""

    @property
    def theme(self) -> str:
        """The name of the current theme."""
        ...

    @property
    def has_motion(self) -> bool:
        """Whether spinners are animated."""
        ...

    @property
    def is_ascii(self) -> bool:
        """Whether only ASCII characters are drawn."""
        ...

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the list; () for the usual ones."""
        ...

    def set_columns(self, chosen: tuple[str, ...]) -> None:
        """Show these columns."""
        ...

    def set_units(self, system: str) -> None:
        """Show sizes in these units."""
        ...

    def set_theme(self, name: str) -> None:
        """Use a theme."""
        ...

    def set_motion(self, *, is_on: bool) -> None:
        """Animate spinners or not."""
        ...

    def set_ascii(self, is_on: bool | None) -> None:
        """Draw in ASCII or not; ``None`` detects what the terminal can show."""
        ...

    def set_keys(self, overrides: Mapping[str, object]) -> None:
        """Bind other keys."""
        ...

    def refresh_now(self) -> None:
        """Show changed totals now."""
        ...


class LiveSettings:
    """The settings of a running dashboard."""

    def __init__(
        self,
        host: SettingsHost,
        service: DashboardService,
        resolved: Resolved | None,
        complaint: str = "",
    ) -> None:
        """Change settings of ``host`` and ``service``.

        Args:
            host: the application.
            service: the engine.
            resolved: the settings at the start; ``None`` for the defaults.
            complaint: what is wrong with settings that only the dashboard can check.
        """
        self._host = host
        self._service = service
        self._resolved = resolved
        self.complaint = complaint
        """What was wrong with the settings when the dashboard started, or ""."""
        self._file: ConfigFile | None = None
        self._written: set[str] = set()

    @property
    def path(self) -> str:
        """Path of the settings file, for display."""
        return shown_path(config_path())

    async def load(self) -> str:
        """Read the settings file; return what is wrong with it, or ""."""
        try:
            self._file = await asyncio.to_thread(editor.load)
        except (ConfigError, OSError) as error:
            self._file = None
            return f"{sanitize(str(error))}; fix this before changing settings here"
        return next(iter(self._file.problems), "")

    def rows(self) -> list[SettingRow]:
        """Return every setting, and every action with its keys."""
        rows = [
            SettingRow(
                option.key,
                option.key,
                option.doc
                if option.is_live
                else f"{option.doc} Takes effect at the next start.",
                option.group,
                self.text(option.key) or "-",
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
        """Return the effective value; the engine and the dashboard know it best."""
        host, key = self._host, option.key
        snapshot = self._service.snapshot()
        live: dict[str, Any] = {
            "output-dir": snapshot.output_dir,
            "concurrency": snapshot.concurrency,
            "auto": snapshot.auto.is_on,
            "per-host": snapshot.per_host,
            "segments": snapshot.segments,
            "limit-rate": snapshot.rate_limit,
            "writers": snapshot.disk.writers,
            "dashboard.theme": host.theme,
            "dashboard.motion": host.has_motion,
            "dashboard.ascii": host.is_ascii,
            "dashboard.columns": host.columns,
        }
        if key in live:
            return live[key]
        if key in self._written and self._file is not None:
            return self._file.value(key)
        return option.default if self._resolved is None else self._resolved[key]

    def text(self, key: str) -> str:
        """Return the current value as text, for editing."""
        if key.startswith(KEYS):
            return current().by_id[key.removeprefix(KEYS)].shown_keys
        shown = self._shown(find(key))
        return "" if shown == "-" else shown.strip('"')

    def _shown(self, option: Option) -> str:
        value = self.now(option)
        if option.kind in (Kind.SIZE, Kind.RATE) and isinstance(value, int) and value:
            return editable_size(value)
        return shown_value(option, value)

    def why_fixed(self, key: str) -> str:
        """Return why a setting cannot be changed here; "" if it can."""
        del key
        return ""

    def check(self, key: str, text: str) -> str | None:
        """Return what is wrong with a text, before anything is changed."""
        if not text:
            return None  # back to the default
        try:
            if key.startswith(KEYS):
                action = key.removeprefix(KEYS)
                return next(iter(current().check({action: text.split()})), None)
            find(key).read_text(text)
        except ValueError as error:
            return sanitize(str(error))
        return None

    def key_owner(self, action: str, text: str) -> str:
        """Return the title of another action that has a key; "" if none has."""
        owner = _owner(action, text)
        return current().by_id[owner].title if owner else ""

    async def set_key(self, action: str, text: str) -> str:
        """Give an action one key, whose owner gets the old one in exchange.

        Args:
            action: its id.
            text: the key, as displayed.

        Raises:
            ValueError: as for ``change``.
        """
        owner = _owner(action, text)
        if not owner:
            return await self.change(KEYS + action, text)
        file = await self._opened()
        old = current().by_id[action].shown_keys.split()[:1]
        kept = [k for k in current().by_id[owner].shown_keys.split() if k != text]
        file.set(KEYS + action, [text])
        file.set(KEYS + owner, [*old, *kept])
        await self._save(file, KEYS + action, KEYS + owner)
        self._apply(KEYS + action)
        by_id = current().by_id
        now = [f"{by_id[id].title}: {by_id[id].shown_keys}" for id in (action, owner)]
        return f"{', '.join(now)} · saved to {self.path}"

    async def _opened(self) -> ConfigFile:
        """Return the settings file.

        Raises:
            ValueError: it has errors.
        """
        if self._file is None:
            await self.load()  # it may have been fixed in the meantime
        if self._file is None:
            # The path comes last: if the line is cut, the reason remains.
            raise ValueError(f"fix the errors in the settings file first: {self.path}")
        return self._file

    async def _save(self, file: ConfigFile, *keys: str) -> None:
        """Write the settings file after a change of ``keys``.

        Raises:
            ValueError: it cannot be written; the change is discarded.
        """
        try:
            await asyncio.to_thread(file.save)
        except (OSError, ConfigError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            await self.load()  # discard what could not be written
            raise ValueError(f"{sanitize(str(reason))}: {self.path}") from None
        self._written.update(keys)

    async def change(self, key: str, text: str) -> str:
        """Write a value to the settings file and apply it; "" restores the default.

        Returns:
            A message about the result.

        Raises:
            ValueError: the value is invalid, or the file cannot be written.
        """
        file = await self._opened()
        if text:
            file.set_text(key, text)
        else:
            file.unset(key)
        await self._save(file, key)
        is_live = self._apply(key)
        change = (
            f"{key} = {sanitize(text, 60)}" if text else f"{key} reset to its default"
        )
        when = "" if is_live else ", from the next start"
        return f"{change}{when} · saved to {self.path}"

    def _apply(self, key: str) -> bool:
        """Apply a written value now; return False if it needs a restart."""
        assert self._file is not None
        if key.startswith(KEYS):
            self._host.set_keys(dict(self._file.value("keys")))
            return True
        value = self._file.value(key)
        host = self._host
        appliers: dict[str, Callable[[], object]] = {
            "dashboard.theme": lambda: host.set_theme(value),
            "dashboard.motion": lambda: host.set_motion(is_on=value),
            "dashboard.columns": lambda: host.set_columns(value),
            "units": lambda: host.set_units(value),
            "dashboard.ascii": lambda: host.set_ascii(
                value if self._file and self._file.is_set(key) else None
            ),
        }
        if key in LIMITS:
            self._set_limit(key, value)
        elif key in appliers:
            appliers[key]()
        else:
            return False
        host.refresh_now()
        return True

    def _set_limit(self, key: str, value: Any) -> None:
        option = find(key)
        if option.kind is Kind.RATE:
            value = value or None
        getattr(self._service, f"set_{option.field}")(value)

    # -- sources ---------------------------------------------------------------------

    def _source(self, key: str) -> str:
        first = "default"
        if self._resolved is not None:
            first = self._resolved.values[key].source
        if key not in self._written:
            option = find(key)
            start = option.default if self._resolved is None else self._resolved[key]
            is_same = self.now(option) == start or key in _DETECTED
            if is_same:
                return first
            is_automatic = key == "concurrency" and self._service.snapshot().auto.is_on
            return "chosen by auto" if is_automatic else "changed in this session"
        assert self._file is not None
        source = "settings file" if self._file.is_set(key) else "default"
        was_overridden = first.startswith(("FETCHTUI_", "-"))
        return f"{source}; {first} was used at the start" if was_overridden else source

    def _key_source(self, action: str) -> str:
        is_default = current().default(action) == current().by_id[action].keys
        return "default" if is_default else "settings file"

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


class AttachedSettings(LiveSettings):
    """The settings of a dashboard that is attached to another process.

    Look and keys are those of this terminal and are saved to its settings file. Limits
    belong to the process: they change at once, until it ends. All others are those that
    the process was started with, and are only shown.
    """

    def __init__(
        self,
        host: SettingsHost,
        service: DashboardService,
        resolved: Resolved | None,
        complaint: str,
        attachment: Attachment,
    ) -> None:
        """Change the look of ``host`` and the limits behind ``service``."""
        super().__init__(host, service, resolved, complaint)
        self._attachment = attachment

    def rows(self) -> list[SettingRow]:
        """Return every setting; those of the process as the process has them."""
        name = attached_to(self._attachment)
        theirs = self._attachment.settings
        rows = []
        for row in super().rows():
            if _is_own(row.id):
                rows.append(row)
            elif row.id in LIMITS:
                rows.append(replace(row, source=f"{name}, until it ends"))
            else:
                text = sanitize(theirs.get(row.id, "-"), 200)
                rows.append(replace(row, shown_keys=text, source=name))
        return rows

    def why_fixed(self, key: str) -> str:
        """Return why a setting cannot be changed here; "" if it can."""
        if _is_own(key):
            return ""
        if key not in LIMITS:
            return (
                f"{key} is set where the background process was started;"
                " stop it and start it again to change it"
            )
        if self._attachment.state is not LinkState.CONNECTED:
            return attachment_text(self._attachment)
        return WATCHING if self._attachment.is_watching else ""

    async def change(self, key: str, text: str) -> str:
        """Change a setting of this terminal, or a limit of the process.

        Raises:
            ValueError: the value is invalid, or the setting cannot be changed here.
        """
        if _is_own(key):
            return await super().change(key, text)
        reason = self.why_fixed(key)
        if reason:
            raise ValueError(reason)
        option = find(key)
        self._set_limit(key, option.read_text(text) if text else option.default)
        self._host.refresh_now()
        return f"{key} = {sanitize(text, 60) or 'default'} until the process ends"


def _is_own(key: str) -> bool:
    """Return True for look and keys, which belong to this terminal."""
    return key.startswith(("dashboard.", KEYS)) or key == "units"
