"""Edit the settings file; comments and order are preserved.

For a settings screen::

    from tui.config import editor

    file = editor.load()            # blocks briefly; ConfigError if it is not TOML
    file.value("concurrency")       # the value in the file, else the default
    file.is_set("concurrency")      # True if the file sets it
    file.set("limit-rate", "10M")   # validated; ValueError says what to write instead
    file.set("keys.cancel", ["x"])  # the keys of an action
    file.unset("notify")            # back to the default
    file.save()                     # atomic, keeps the mode; may raise OSError

A value is either what TOML stores (``True``, 8, ``"10M"``, a list of strings) or what
``value`` returned; pass text that the user typed to ``set_text``. Applying a live
setting to the running engine or dashboard is up to the caller.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import time
import tomllib
from codecs import BOM_UTF8
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from tui.config.document import Document, line_of, read_document, refuse_secrets
from tui.config.errors import ConfigError
from tui.config.location import config_path, shown_path
from tui.config.option import Option, toml_text
from tui.config.registry import OPTIONS, find
from tui.config.values import Kind, refuse_store
from tui.disk.state.replace import replacing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["OPTIONS", "ConfigFile", "Option", "load"]

_LOCK_TIMEOUT_S = 5.0
_LOCK_INTERVAL_S = 0.01
_HEAD = "# Settings for fetchtui; `fetchtui config explain` describes each one.\n"


class ConfigFile:
    """A settings file, and changes that are not saved yet."""

    def __init__(self, path: Path, data: bytes) -> None:
        """Use ``load`` instead.

        Raises:
            ConfigError: the file is not valid TOML, so it cannot be edited.
        """
        self.path = path
        self._changes: dict[str, Any] = {}
        self._read(data)

    def _read(self, data: bytes) -> None:
        document = read_document(data, shown_path(self.path))
        if document.problems and not document.text:
            raise ConfigError(document.problems)
        self._document: Document = document

    @property
    def problems(self) -> list[str]:
        """Return the file's problems, each as ``file:line: reason``."""
        return [str(problem) for problem in self._document.problems]

    def is_set(self, key: str) -> bool:
        """Return True if the file sets a key (unsaved changes included)."""
        if key in self._changes:
            return self._changes[key] is not None
        head, _, action = key.partition(".")
        if head == "keys" and action:
            return action in dict(self.value("keys"))
        return key in self._document.values

    def value(self, key: str) -> Any:
        """Return a key's value in the file (unsaved changes included), or the default.

        Raises:
            ValueError: unknown key.
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
            ValueError: unknown key or invalid value; the message says what to write.
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
        """Change a value to text that the user typed.

        Raises:
            ValueError: as ``set``.
        """
        head, _, action = key.partition(".")
        if head == "keys" and action:
            self._set_keys(action, text.replace(",", " ").split())
            return
        self.set(key, text_to_toml(find(key), text))

    def unset(self, key: str) -> None:
        """Restore the default; ``save`` removes the key from the file."""
        is_action = key.startswith("keys.")
        self._changes[key if is_action else find(key).key] = None

    def save(self) -> None:
        """Apply the changes to the file as it is now on disk; keep all else in it.

        New lines end as those of the file do, if it has one kind of line ends.

        Blocks while another fetchtui saves its changes.

        Raises:
            OSError: the file cannot be written, or another process keeps it locked.
            ConfigError: the file is no longer valid TOML, or the result would not be.
        """
        if self._changes:
            with _locked(self.path):
                self._apply_changes()

    def _apply_changes(self) -> None:
        data = _bytes_of(self.path)
        self._read(data)
        mark = BOM_UTF8 if data.startswith(BOM_UTF8) else b""
        text = data.decode("utf-8-sig") or _HEAD
        # A value over several lines has the same line ends; TOML reads all as "\n".
        is_crlf = 0 < text.count("\n") == text.count("\r\n")
        if is_crlf:
            text = text.replace("\r\n", "\n")
        for key, value in self._changes.items():
            text = _write_key(text, key, value)
        if is_crlf:
            text = text.replace("\n", "\r\n")
        written = mark + text.encode()
        after = read_document(written, shown_path(self.path))
        if after.problems and not after.text:
            raise ConfigError(after.problems)
        write_settings(self.path, written)
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
            raise ValueError("must name an action, such as keys.cancel")
        self._changes[f"keys.{action}"] = list(keys)


def load(path: Path | None = None) -> ConfigFile:
    """Read the settings file for editing; blocks briefly.

    Args:
        path: defaults to ``config_path()``.

    Raises:
        ConfigError: the file is not valid TOML; has the line.
        OSError: the file exists but cannot be read.
    """
    path = path or config_path()
    return ConfigFile(path, _bytes_of(path))


def text_to_toml(option: Option, text: str) -> Any:
    """Convert text that the user typed into a TOML value.

    Raises:
        ValueError: the text is not valid for this option.
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
            refuse_store(text)
            return str(value.absolute())
        case Kind.TABLE:
            raise ValueError(f"{option.key} is a table; write it with an editor")
        case _:
            return text


def write_settings(path: Path, data: bytes) -> None:
    """Replace the settings file; keep its mode, and write through a symbolic link.

    Raises:
        OSError: the file cannot be written; the old one is unchanged.
    """
    target = path.resolve()
    target.parent.mkdir(0o700, parents=True, exist_ok=True)
    with replacing(target) as file:
        with suppress(FileNotFoundError):
            os.fchmod(file.fileno(), target.stat().st_mode & 0o7777)
        file.write(data)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Keep other processes from changing a file meanwhile; wait for those that do.

    The lock is on the file's folder: the file itself is replaced, and a lock file would
    stay behind.

    Raises:
        TimeoutError: another process keeps the lock.
        OSError: the folder cannot be created or opened.
    """
    folder = path.resolve().parent
    folder.mkdir(0o700, parents=True, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        deadline = time.monotonic() + _LOCK_TIMEOUT_S
        while not _try_lock(descriptor):
            if time.monotonic() > deadline:
                reason = "another process is changing it"
                raise TimeoutError(errno.ETIMEDOUT, reason, str(path))
            time.sleep(_LOCK_INTERVAL_S)
        yield
    finally:
        os.close(descriptor)


def _try_lock(descriptor: int) -> bool:
    """Lock an open folder; True also where the file system has no locks."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in (errno.EWOULDBLOCK, errno.EACCES)
    return True


def _bytes_of(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""


def _as_toml(option: Option, value: Any) -> Any:
    """Convert a value that ``value`` returned back into a TOML value."""
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
    """Return the file's text with one key changed, or removed if it is ``None``."""
    import tomlkit

    head, separator, name = key.partition(".")
    tree = tomlkit.parse(text)
    if value is None:
        table = tree.get(head, {}) if separator else tree
        if isinstance(table, dict):
            table.pop(name if separator else head, None)
        return tomlkit.dumps(tree)
    is_set = name in tree.get(head, {}) if separator else head in tree
    if not is_set and (found := _at_comment(text, key, value)) is not None:
        return found
    if not separator and head not in tree:
        return _add_above_tables(text, head, value)
    if separator and head not in tree:
        gap = "" if not text else "\n" if text.endswith("\n") else "\n\n"
        return f"{text}{gap}[{head}]\n{name} = {toml_text(value)}\n"
    if separator:
        # Either an inline table or a [table].
        table = tree[head]
        assert isinstance(table, dict)
        table[name] = value
    else:
        tree[head] = value
    return tomlkit.dumps(tree)


_COMMENTED = re.compile(r"[ \t]*#[ \t]?([A-Za-z0-9_-]+)[ \t]*=")
_COMMENTED_TABLE = re.compile(r"[ \t]*#[ \t]?\[\[?([^\]\n]+)\]")
_TABLE = re.compile(r"[ \t]*\[\[?([^\]\n]+)\]")


def _at_comment(text: str, key: str, value: Any) -> str | None:
    """Set a key where the file has it as a comment, as a file of ``config init`` does.

    Returns:
        The new text; ``None`` if there is no such line, or the key would end up
        elsewhere.
    """
    head, separator, name = key.partition(".")
    table = head if separator else ""
    name = name if separator else head
    lines = text.splitlines(keepends=True)
    current = active = ""
    header = -1
    for number, line in enumerate(lines):
        if match := _COMMENTED_TABLE.match(line):
            current, header = match[1].strip(), number
        elif match := _TABLE.match(line):
            current = active = match[1].strip()
            header = -1
        elif (match := _COMMENTED.match(line)) and match[1] == name:
            if current != table:
                continue
            changed = list(lines)
            changed[number] = f"{name} = {toml_text(value)}\n"
            if table != active:
                # Its table is a comment as well.
                changed[header] = f"[{table}]\n"
            found = "".join(changed)
            return found if _differs_only_in(text, found, key, value) else None
    return None


def _differs_only_in(before: str, after: str, key: str, value: Any) -> bool:
    """Return True if a change of the text sets one key and nothing else."""
    try:
        expected, found = tomllib.loads(before), tomllib.loads(after)
    except tomllib.TOMLDecodeError:
        return False
    head, separator, name = key.partition(".")
    table = expected.setdefault(head, {}) if separator else expected
    table[name if separator else head] = tomllib.loads(f"x = {toml_text(value)}")["x"]
    return expected == found


def _add_above_tables(text: str, name: str, value: Any) -> str:
    """Add a key before the first [table]; after it, it would belong to that table."""
    lines = text.splitlines(keepends=True)
    tables = [
        line_of(text, (key,)) - 1
        for key, inner in tomllib.loads(text).items()
        if isinstance(inner, dict)
        or (isinstance(inner, list) and any(isinstance(i, dict) for i in inner))
    ]
    # Commented ones count, too: the user may uncomment them later.
    tables += [n for n, line in enumerate(lines) if _COMMENTED_TABLE.match(line)]
    at = min(tables, default=len(lines))
    # Comments directly above a table belong to it, as does the blank line before them.
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
