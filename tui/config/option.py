"""One thing that can be set, with everything that is said about it anywhere.

The command line, the settings file, the environment, ``--help``, the man page,
completion and the dashboard's settings screen are all made from these.
"""

from __future__ import annotations

from enum import Enum
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from tui.config import values
from tui.config.values import Kind
from tui.core.settings import FolderRule, Settings

if TYPE_CHECKING:
    from collections.abc import Callable

_DEFAULTS = Settings()
HUGE = float(1 << 53)


class Group(Enum):
    """Headings of ``--help``, of the man page and of the settings file."""

    WHERE = "Where files go"
    SPEED = "How much at once, how fast"
    TRUST = "Trouble and trust"
    NETWORK = "The way to the server"
    LOGIN = "Logins"
    AFTER = "After a download"
    DASHBOARD = "The dashboard"
    RUN = "This run"


def _as_it_is(text: str) -> str:
    return text


class Option(NamedTuple):
    """One thing that can be set."""

    key: str
    """Its name in ``config.toml``; a dot stands for a table: ``hooks.on-done``."""
    kind: Kind
    group: Group
    doc: str
    """What it does, in one or two sentences."""
    example: str = ""
    """A value as the settings file spells it."""
    field: str = ""
    """Where in ``Settings`` it ends: ``proxy`` or ``hooks.on_done``; "" for nowhere."""
    flags: tuple[str, ...] = ()
    """Its spellings on the command line, ``--KEY`` if empty; ``("",)`` for none."""
    metavar: str = ""
    choices: tuple[str, ...] = ()
    low: float = 0
    high: float = HUGE
    parse: Callable[[str], Any] = _as_it_is
    """For texts: raises ``ValueError`` with what to write instead."""
    must_exist: bool = False
    """A path that is read and not made."""
    fallback: Any = None
    """The default where no field of ``Settings`` has it."""
    default_text: str = ""
    """What the default means, where the value does not tell."""
    more: str = ""
    """What ``explain`` and the man page add."""
    is_live: bool = False
    """A change in the dashboard takes effect in this run."""

    @property
    def name(self) -> str:
        """The key without its table."""
        return self.key.rpartition(".")[2]

    @property
    def long_flag(self) -> str:
        """How the command line spells it, or "" if it cannot be given there."""
        return next((f for f in self.spellings if f.startswith("--")), "")

    @property
    def spellings(self) -> tuple[str, ...]:
        """All spellings on the command line."""
        flags = self.flags or (f"--{self.name}",)
        return tuple(flag for flag in flags if flag)

    @property
    def variable(self) -> str:
        """Its environment variable; "" for what the command line cannot say either."""
        word = self.long_flag.removeprefix("--").upper().replace("-", "_")
        return f"FETCHTUI_{word}" if word else ""

    @property
    def default(self) -> Any:
        """What holds when nobody says anything, as ``Settings`` has it."""
        if self.fallback is not None or not self.field:
            return self.fallback
        value = attrgetter(self.field)(_DEFAULTS)
        return value.value if isinstance(value, Enum) else value

    def read_text(self, text: str) -> Any:
        """Read a value from the command line or the environment.

        Raises:
            ValueError: it makes no sense; the message says what to write.
        """
        return self._read(text, is_whole=False)

    def read_toml(self, value: Any) -> Any:
        """Read a value from a settings file, or one that was set by a program.

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
        return self._read(value, is_whole=True)

    def _read(self, value: Any, *, is_whole: bool) -> Any:
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
            case Kind.PATH:
                return values.read_path(
                    value, is_whole=is_whole, must_exist=self.must_exist
                )
            case Kind.WORDS:
                return values.read_words(value, self.parse)
            case Kind.COMMAND:
                return values.read_command(value)
            case _:
                return values.read_text(value, self.parse)

    def show(self, value: Any) -> str:
        """Return a value as the settings file spells it; ``-`` for nothing."""
        if value is None or value == "" or value == ():
            return "-"
        return toml_text(value)


def toml_text(value: Any) -> str:
    """Return a value as TOML spells it on one line."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return f"{value:g}" if isinstance(value, float) else str(value)
    if isinstance(value, FolderRule):
        return toml_text(f"{value.pattern}={value.directory}")
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(toml_text(item) for item in value) + "]"
    import json

    # JSON's escapes of text are TOML's as well (TOML 1.0, "String").
    return json.dumps(str(value), ensure_ascii=False)
