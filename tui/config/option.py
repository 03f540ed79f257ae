"""One setting, described once for every place that shows or reads it.

The command line, the settings file, the environment, ``--help``, the man page,
completion and the dashboard's settings screen are all generated from ``Option``.
"""

from __future__ import annotations

from enum import Enum
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tui.config import values
from tui.config.values import Kind
from tui.core.quick.named_tuple import NamedTuple
from tui.core.settings import FolderRule, Settings

if TYPE_CHECKING:
    from collections.abc import Callable

_DEFAULTS = Settings()
HUGE = float(1 << 53)


class Group(Enum):
    """Headings in ``--help``, in the man page and in the settings file."""

    WHERE = "Where files go"
    SPEED = "Concurrency and speed"
    TRUST = "Errors and verification"
    NETWORK = "Network"
    LOGIN = "Authentication"
    AFTER = "After a download"
    DASHBOARD = "Dashboard"
    REMOTE = "Remote control"
    RUN = "Run options"


def _identity(text: str) -> str:
    return text


class Option(NamedTuple):
    """One setting, with everything that is written about it anywhere."""

    key: str
    """The name in ``config.toml``; a dot means a table: ``hooks.on-done``."""
    kind: Kind
    group: Group
    doc: str
    """What it does, in one or two sentences."""
    example: str = ""
    """An example value in TOML."""
    field: str = ""
    """The field of ``Settings``: ``proxy`` or ``hooks.on_done``; "" for none."""
    flags: tuple[str, ...] = ()
    """Command-line spellings; empty means ``--KEY``, ``("",)`` means none."""
    metavar: str = ""
    choices: tuple[str, ...] = ()
    low: float = 0
    high: float = HUGE
    parse: Callable[[str], Any] = _identity
    """Parses text; raises ``ValueError`` with what to write instead."""
    must_exist: bool = False
    """For a path that is read rather than created."""
    may_be_store: bool = False
    """For a path that may also be the address of an object store."""
    fallback: Any = None
    """The default, for an option without a field in ``Settings``."""
    default_text: str = ""
    """The default in words, if the value alone is unclear."""
    more: str = ""
    """Further help for ``config explain`` and the man page."""
    is_live: bool = False
    """True if a change in the dashboard takes effect immediately."""

    @property
    def name(self) -> str:
        """Return the key without its table."""
        return self.key.rpartition(".")[2]

    @property
    def long_flag(self) -> str:
        """Return the long command-line option, or "" if there is none."""
        return next((f for f in self.spellings if f.startswith("--")), "")

    @property
    def spellings(self) -> tuple[str, ...]:
        """Return all command-line spellings."""
        flags = self.flags or (f"--{self.name}",)
        return tuple(flag for flag in flags if flag)

    @property
    def variable(self) -> str:
        """Return the environment variable, or "" without a command-line option."""
        word = self.long_flag.removeprefix("--").upper().replace("-", "_")
        return f"FETCHTUI_{word}" if word else ""

    @property
    def default(self) -> Any:
        """Return the default value, in the form that ``Settings`` uses."""
        if self.fallback is not None or not self.field:
            return self.fallback
        value = attrgetter(self.field)(_DEFAULTS)
        return value.value if isinstance(value, Enum) else value

    def read_text(self, text: str) -> Any:
        """Parse a value from the command line or the environment.

        Raises:
            ValueError: invalid value; the message says what to write.
        """
        return self._read(text, allow_relative=True)

    def read_toml(self, value: Any) -> Any:
        """Validate a value from a settings file or from the dashboard.

        Raises:
            ValueError: wrong type or value; the message says what to write.
        """
        if isinstance(value, str) and self.kind in (
            Kind.WHOLE,
            Kind.NUMBER,
            Kind.SWITCH,
        ):
            raise ValueError(f"must be {self.kind.value}, without quotes")
        if isinstance(value, (FolderRule, Path)):
            value = str(value)
        return self._read(value, allow_relative=False)

    def _read(self, value: Any, *, allow_relative: bool) -> Any:
        match self.kind:
            case Kind.WHOLE:
                return values.read_whole(value, self.low, self.high)
            case Kind.NUMBER:
                return values.read_number(value, self.low, self.high)
            case Kind.SWITCH:
                return values.read_switch(value)
            case Kind.CHOICE:
                return values.read_choice(value, self.choices)
            case Kind.SIZE:
                return values.read_size(value, self.low, self.high)
            case Kind.RATE:
                return values.read_size(value, self.low, self.high, "rate")
            case Kind.PATH:
                return values.read_path(
                    value,
                    allow_relative=allow_relative,
                    must_exist=self.must_exist,
                    may_be_store=self.may_be_store,
                )
            case Kind.WORDS:
                return values.read_words(value, self.parse)
            case Kind.COMMAND:
                return values.read_command(value)
            case _:
                return values.read_text(value, self.parse)

    def show(self, value: Any) -> str:
        """Return a value as TOML, or ``-`` if it is empty."""
        if value is None or value == "" or value == ():
            return "-"
        return toml_text(value)


def toml_text(value: Any) -> str:
    """Return a value as TOML on one line."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return f"{value:g}" if isinstance(value, float) else str(value)
    if isinstance(value, FolderRule):
        return toml_text(f"{value.pattern}={value.directory}")
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(toml_text(item) for item in value) + "]"
    import json

    # TOML accepts the string escapes of JSON (TOML 1.0, "String").
    return json.dumps(str(value), ensure_ascii=False)


class SettingValue(NamedTuple):
    """The value of a setting, and where it comes from."""

    value: Any
    source: str
    """``default``, ``config.toml:12``, ``FETCHTUI_PROXY`` or ``--proxy``."""
    is_explicit: bool = False
    """Set by this command line: with an option, or in the profile that it names."""
