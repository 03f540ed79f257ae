"""The settings file, to be changed by a program; comments and order stay.

For a settings screen::

    from tui.config import store

    file = store.load()             # blocks for a moment; ConfigError if it is no TOML
    file.value("concurrency")       # what the file says, else the default
    file.is_set("concurrency")      # whether the file says it
    file.set("limit-rate", "10M")   # judged; ValueError with what to write instead
    file.set("keys.cancel", ["x"])  # an action's keys
    file.unset("notify")            # back to the default
    file.save()                     # atomic, mode kept; OSError if it cannot be

    for option in store.OPTIONS:    # in the order in which people read about them
        option.key, option.kind, option.choices, option.low, option.high
        option.group.value, option.doc, option.more, option.default, option.example
        option.is_live              # a change takes effect in this run
        option.show(file.value(option.key))   # as the file spells it, "-" for nothing

A value is what TOML holds (``True``, 8, ``"10M"``, a list of texts), or what
``value`` gave; text that a person typed goes through ``set_text``. What is live is
applied by the caller, through the service or to the dashboard.
"""

from __future__ import annotations

import os
import tempfile
import tomllib
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from tui.config.document import Document, line_of, read_document, refuse_secrets
from tui.config.errors import ConfigError
from tui.config.location import config_path, shown_path
from tui.config.option import Option, toml_text
from tui.config.registry import OPTIONS, find
from tui.config.values import Kind

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["OPTIONS", "ConfigFile", "Option", "load"]

_HEAD = "# Settings of fetchtui; `fetchtui config explain` tells of each.\n"


class ConfigFile:
    """A settings file, and changes that are not written yet."""

    def __init__(self, path: Path, data: bytes) -> None:
        """Use ``load``.

        Raises:
            ConfigError: it is no TOML, so nothing can be changed in it.
        """
        self.path = path
        self._changes: dict[str, Any] = {}
        self._read(data)

    def _read(self, data: bytes) -> None:
        document = read_document(data, shown_path(self.path))
        if document.complaints and not document.text:
            raise ConfigError(document.complaints)
        self._document: Document = document

    @property
    def complaints(self) -> list[str]:
        """What is wrong with the file, each as ``file:line: reason``."""
        return [str(complaint) for complaint in self._document.complaints]

    def is_set(self, key: str) -> bool:
        """Whether the file says something about a key (changes included)."""
        if key in self._changes:
            return self._changes[key] is not None
        head, _, action = key.partition(".")
        if head == "keys" and action:
            return action in dict(self.value("keys"))
        return key in self._document.values

    def value(self, key: str) -> Any:
        """Return what the file says about a key (changes included), else the default.

        Raises:
            ValueError: there is no such key.
        """
        option = find(key)
        if self._changes.get(option.key) is not None:
            return option.read_toml(self._changes[option.key])
        if option.key in self._changes:
            return option.default
        found = self._document.values.get(option.key)
        value = option.default if found is None else found.value
        if option.key == "keys":
            keys = dict(value)
            for changed, chosen in self._changes.items():
                if changed.startswith("keys."):
                    keys.pop(changed[5:], None)
                    keys |= {} if chosen is None else {changed[5:]: tuple(chosen)}
            return tuple(keys.items())
        return value

    def set(self, key: str, value: Any) -> None:
        """Change a value; ``save`` writes it.

        Raises:
            ValueError: unknown key, or a value that makes no sense; the message says
                what to write.
        """
        head, _, action = key.partition(".")
        if head == "keys" and action:
            self._set_keys(action, value)
            return
        option = find(key)
        if option.kind is Kind.TABLE:
            raise ValueError(f"{option.key} is a table; write it with an editor")
        refuse_secrets(option, option.read_toml(_as_toml(option, value)))
        self._changes[option.key] = _as_toml(option, value)

    def set_text(self, key: str, text: str) -> None:
        """Change a value to what a person typed.

        Raises:
            ValueError: as ``set``.
        """
        head, _, action = key.partition(".")
        if head == "keys" and action:
            self._set_keys(action, text.replace(",", " ").split())
            return
        self.set(key, text_to_toml(find(key), text))

    def unset(self, key: str) -> None:
        """Go back to the default; ``save`` takes the key out of the file."""
        is_action = key.startswith("keys.")
        self._changes[key if is_action else find(key).key] = None

    def save(self) -> None:
        """Write the changes into the file as it is now; nothing else in it changes.

        Raises:
            OSError: it cannot be written.
            ConfigError: somebody made it no TOML in the meantime, or the result
                would not be read back as it was meant.
        """
        if not self._changes:
            return
        data = _bytes_of(self.path)
        self._read(data)
        text = data.decode("utf-8-sig") or _HEAD
        for key, value in self._changes.items():
            text = _write_key(text, key, value)
        written = text.encode()
        after = read_document(written, shown_path(self.path))
        if after.complaints and not after.text:
            raise ConfigError(after.complaints)
        replace_file(self.path, written)
        self._document = after
        self._changes = {}

    def _set_keys(self, action: str, value: Any) -> None:
        keys = [value] if isinstance(value, str) else value
        if not isinstance(keys, (list, tuple)) or any(
            not isinstance(key, str) or not key or set(key) & set(" \t,")
            for key in keys
        ):
            raise ValueError('must be a list of keys, such as ["x", "ctrl+x"]')
        if not action.replace("_", "").isalnum():
            raise ValueError("name an action, such as keys.cancel")
        self._changes[f"keys.{action}"] = list(keys)


def load(path: Path | None = None) -> ConfigFile:
    """Read the settings file for changing; blocks for a moment.

    Args:
        path: another file than the one that counts.

    Raises:
        ConfigError: it is no TOML, with the line.
        OSError: it is there and cannot be read.
    """
    path = path or config_path()
    return ConfigFile(path, _bytes_of(path))


def text_to_toml(option: Option, text: str) -> Any:
    """Return what a person typed as TOML would hold it.

    Raises:
        ValueError: it makes no sense for this option.
    """
    value = option.read_text(text)
    match option.kind:
        case Kind.WHOLE | Kind.NUMBER | Kind.SWITCH:
            return value
        case Kind.WORDS:
            return [line.strip() for line in text.splitlines() if line.strip()]
        case Kind.COMMAND:
            return list(value)
        case Kind.PATH if not text.startswith("~"):
            return str(value.absolute())
        case Kind.TABLE:
            raise ValueError(f"{option.key} is a table; write it with an editor")
        case _:
            return text


def replace_file(path: Path, data: bytes) -> None:
    """Replace a file in one step; its mode stays, and a link to it stays a link.

    Raises:
        OSError: it cannot be written; the old file is as it was.
    """
    target = path.resolve()
    target.parent.mkdir(0o700, parents=True, exist_ok=True)
    number, aside = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with os.fdopen(number, "wb") as file:
            with suppress(FileNotFoundError):
                os.fchmod(file.fileno(), target.stat().st_mode & 0o7777)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(aside, target)
    except BaseException:
        with suppress(OSError):
            os.unlink(aside)
        raise


def _bytes_of(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""


def _as_toml(option: Option, value: Any) -> Any:
    """Turn what ``value`` gave back into what TOML holds."""
    if option.kind is Kind.PATH:
        return str(value)
    if isinstance(value, (list, tuple)):
        return [_word(option, item) for item in value]
    return value


def _word(option: Option, item: Any) -> str:
    if isinstance(item, str):
        return item
    if option.key == "folders":
        return f"{item.pattern}={item.directory}"
    if option.key == "headers":
        return f"{item[0]}: {item[1]}"
    if option.key == "resolve":
        address = f"[{item[2]}]" if ":" in item[2] else item[2]
        return f"{item[0]}:{item[1] or '*'}:{address}"
    raise ValueError("must be a list of texts")


def _write_key(text: str, key: str, value: Any) -> str:
    """Return the text of a file with one key changed, or without it."""
    import tomlkit

    head, separator, name = key.partition(".")
    tree = tomlkit.parse(text)
    if value is None:
        table = tree.get(head, {}) if separator else tree
        if isinstance(table, dict):
            table.pop(name if separator else head, None)
        return tomlkit.dumps(tree)
    if not separator and head not in tree:
        return _add_above_tables(text, head, value)
    if separator and head not in tree:
        gap = "" if not text else "\n" if text.endswith("\n") else "\n\n"
        return f"{text}{gap}[{head}]\n{name} = {toml_text(value)}\n"
    if separator:
        # An inline table or a [table], whichever is there.
        table = tree[head]
        assert isinstance(table, dict)
        table[name] = value
    else:
        tree[head] = value
    return tomlkit.dumps(tree)


def _add_above_tables(text: str, name: str, value: Any) -> str:
    """Add a key at the top of a file: below a [table] it would belong to that."""
    lines = text.splitlines(keepends=True)
    tables = [
        line_of(text, (key,)) - 1
        for key, inner in tomllib.loads(text).items()
        if isinstance(inner, dict)
        or (isinstance(inner, list) and any(isinstance(i, dict) for i in inner))
    ]
    at = min(tables, default=len(lines))
    # Comments right above a table belong to it, and the blank line before them.
    while tables and at > 0 and lines[at - 1].lstrip().startswith("#"):
        at -= 1
    while tables and at > 0 and not lines[at - 1].strip():
        at -= 1
    if tables and at == 0:
        at = min(tables)
    if at and not lines[at - 1].endswith("\n"):
        lines[at - 1] += "\n"
    gap = "\n" if tables and lines[at].strip() else ""
    lines.insert(at, f"{name} = {toml_text(value)}\n{gap}")
    return "".join(lines)
