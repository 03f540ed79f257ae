"""Kinds of values, and how each is validated.

Every reader takes text (from the command line or the environment) or a TOML value and
returns what ``Settings`` stores. It raises ``ValueError`` with an explanation if the
value is invalid. Messages quote the input only if it cannot be a secret.
"""

from __future__ import annotations

import math
import os
import re
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tui.core.quick.pattern import late_pattern
from tui.core.rules.hooks import PLACEHOLDER, code_arguments
from tui.core.text.sanitize import display_url, sanitize
from tui.core.text.units import parse_size

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


class Kind(Enum):
    """The kind of a value, with text that shows users what to write."""

    WHOLE = "a whole number"
    NUMBER = "a number"
    SWITCH = "true or false"
    CHOICE = "one of the words"
    SIZE = 'a size in bytes, such as "500k" or "10M"'
    RATE = 'a rate in bytes per second, such as "500k" or "10M"'
    PATH = 'a path in quotes, such as "~/Downloads"'
    TEXT = "text in quotes"
    WORDS = 'a list of texts, such as ["first", "second"]'
    COMMAND = 'a command in quotes, or a list such as ["notify-send", "done"]'
    TABLE = "a table"


_URL = late_pattern(r"[A-Za-z][A-Za-z0-9+.-]*://")
_STORE = late_pattern(r"(?:s3|gs|az)://[^/]", re.IGNORECASE)
_TRUE = frozenset(("true", "on", "yes", "1"))
_FALSE = frozenset(("false", "off", "no", "0"))


def suggest(word: str, known: Iterable[str]) -> str:
    """Return ``; did you mean 'x'?`` for the closest match in ``known``, or ""."""
    import difflib

    by_form = {known_word.lower().replace("_", "-"): known_word for known_word in known}
    close = difflib.get_close_matches(word.lower().replace("_", "-"), list(by_form), 1)
    return f"; did you mean {by_form[close[0]]!r}?" if close else ""


def read_whole(value: Any, low: float, high: float) -> int:
    """Read a whole number within ``low`` and ``high``."""
    if isinstance(value, str):
        try:
            value = int(value)
        except ValueError:
            raise ValueError(
                f"{display_url(value, 40)!r} is not a whole number from"
                f" {low:,.0f} to {high:,.0f}"
            ) from None
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"must be a whole number from {low:,.0f} to {high:,.0f}")
    if not low <= value <= high:
        raise ValueError(f"{value} is not in the range {low:,.0f} to {high:,.0f}")
    return value


def read_number(value: Any, low: float, high: float) -> float:
    """Read a number within ``low`` and ``high``."""
    expected = f"a number from {low:g} to {high:,.0f}"
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            raise ValueError(f"{sanitize(value, 40)!r} is not {expected}") from None
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise ValueError(f"must be {expected}")
    if not math.isfinite(value) or not low <= value <= high:
        raise ValueError(f"{value:g} is not in the range {low:g} to {high:,.0f}")
    return float(value)


def read_switch(value: Any) -> bool:
    """Read true or false; text may also be on, off, yes, no, 1 or 0."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in _TRUE | _FALSE:
        return value.lower() in _TRUE
    raise ValueError("must be true or false (on and off in the environment)")


def read_choice(value: Any, choices: tuple[str, ...]) -> str:
    """Read one of ``choices``."""
    if isinstance(value, str) and value in choices:
        return value
    if isinstance(value, int) and not isinstance(value, bool) and str(value) in choices:
        return str(value)
    words = ", ".join(choices)
    if isinstance(value, str):
        near = suggest(value, choices)
        raise ValueError(f"{sanitize(value, 40)!r} is not one of {words}{near}")
    raise ValueError(f"must be one of {words}, in quotes")


def read_size(value: Any, low: float, high: float, noun: str = "size") -> int:
    """Read a size or a rate in bytes: a whole number, or text with a unit."""
    if isinstance(value, str):
        value = parse_size(sanitize(value, 40), noun)
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f'must be a {noun}, such as 500000, "500k" or "10M"')
    if not low <= value <= high:
        raise ValueError(f"{value:,} is not in the range {low:,.0f} to {high:,.0f}")
    return value


def read_path(
    value: Any, *, allow_relative: bool, must_exist: bool, may_be_store: bool
) -> Path:
    """Read a path; ``~`` is the home directory.

    Args:
        value: the path as written.
        allow_relative: accept a relative path. A settings file applies in every
            directory, so its paths must not depend on the current one.
        must_exist: require an existing, readable file.
        may_be_store: accept the address of an object store where a relative path is
            accepted, too.
    """
    if value == "":
        raise ValueError("must not be empty; write a path, such as ~/Downloads")
    if not isinstance(value, str) or "\0" in value:
        raise ValueError('must be a path in quotes, such as "~/Downloads"')
    # URLs are not quoted, since they may contain a password. Taken as paths, they would
    # become directories such as "https:".
    if may_be_store and not allow_relative:
        refuse_store(value)
    if may_be_store and _URL.match(value) and not _STORE.match(value):
        raise ValueError(
            "must be a path, or an object store such as s3://BUCKET/PREFIX, gs:// or"
            " az://"
        )
    if not may_be_store and _URL.match(value):
        raise ValueError("must be a path, not a URL")
    path = Path(os.path.expanduser(value))  # leaves an unknown ~user as it is
    # A cookie, as curl takes it in place of a file, is a secret.
    shown = "the file" if must_exist and "=" in value else repr(sanitize(value, 200))
    if not allow_relative and not path.is_absolute():
        raise ValueError(f"{shown} is relative; write an absolute path or ~/...")
    if must_exist:
        try:
            with path.open("rb"):
                pass
        except FileNotFoundError:
            raise ValueError(f"{shown} does not exist; check the path") from None
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise ValueError(f"cannot read {shown}: {reason}") from None
    return path


def refuse_store(text: str) -> None:
    """Refuse the address of an object store in a settings file.

    Raises:
        ValueError: it is one. Without sources, and in the background, every run needs a
            directory.
    """
    if _STORE.match(text):
        raise ValueError(
            "an object store is chosen for each run, on the command line:"
            " -o s3://BUCKET/PREFIX"
        )


def read_text(value: Any, parse: Callable[[str], Any]) -> Any:
    """Read text with the option's parser."""
    if not isinstance(value, str):
        raise ValueError("must be text in quotes")
    return parse(value)


def read_words(value: Any, parse: Callable[[str], Any]) -> tuple[Any, ...]:
    """Read several texts: a list, or one text with a value per line."""
    if isinstance(value, str):
        value = [line for line in value.splitlines() if line.strip()]
    if not isinstance(value, (list, tuple)) or any(
        not isinstance(item, str) for item in value
    ):
        raise ValueError('must be a list of texts, such as ["first", "second"]')
    return tuple(parse(item) for item in value)


def read_command(value: Any) -> tuple[str, ...]:
    """Read a command as an argument list; text is split as a shell would.

    Commands do not go through a shell, so a bare ``|`` or ``>`` is refused: it would
    only become an argument.
    """
    if isinstance(value, str):
        from tui.sources.readers.shell_words import split_words

        try:
            words = split_words(value)
        except ValueError:
            raise ValueError("unclosed quote; close it, or write a list") from None
        operators = sorted({"|", ">", ">>", "<", "&&", "||", ";", "&"} & set(words))
        if operators:
            raise ValueError(
                f"{operators[0]!r} has no effect because commands do not run in a"
                ' shell; use a script, or write ["sh", "-c", "..."] as a list'
            )
        value = words
    if not isinstance(value, (list, tuple)) or any(
        not isinstance(item, str) or "\0" in item for item in value
    ):
        raise ValueError('must be a command, such as "notify-send done", or a list')
    if value and not value[0]:
        raise ValueError("the command is empty; write the program first")
    for at in code_arguments(value):
        placeholder = PLACEHOLDER.search(value[at])
        assert placeholder is not None
        variable = f"$FETCHTUI_{placeholder[1].upper()}"
        raise ValueError(
            f"{sanitize(value[0], 40)} would run what a server puts into"
            f' {placeholder[0]} as code; write a script that uses "{variable}" instead'
        )
    return tuple(value)
