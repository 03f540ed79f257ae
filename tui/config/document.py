"""A settings file, read: its values by key, and everything that is wrong with it."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from tui.config.errors import Complaint
from tui.config.logins import make_login
from tui.config.parsing import folder_rule, has_password, is_secret_header
from tui.config.registry import BY_HOST_KEY, BY_KEY, SECRET_KEYS
from tui.config.values import suggest
from tui.core.settings import FolderRule, HostRule
from tui.core.text.plain_text import plain

if TYPE_CHECKING:
    from tui.config.option import Option

Path = tuple[str | int, ...]


def line_of(text: str, path: Path) -> int:
    """Return the line (from 1) at which what ``path`` leads to is written.

    Args:
        text: a whole file that ``tomllib`` reads.
        path: keys, and indexes of tables in an array.

    Returns:
        The line of the key or of the table's heading; 0 if it is nowhere.
    """
    lines = text.splitlines(keepends=True)
    if found := _line_of_key(lines, path):
        return found
    low, high = 0, len(lines)  # not yet there with ``low`` lines; there with ``high``
    if not _leads_to(_start(lines, high)[1], path):
        return 0
    while high - low > 1:
        middle = (low + high) // 2
        whole, table = _start(lines, middle)
        if _leads_to(table, path):
            high = max(low + 1, whole)
        else:
            low = middle
    # A value over several lines is there with its last one; it began after the last
    # whole statement before.
    first = _start(lines, high - 1)[0]
    while first < high - 1 and lines[first].lstrip()[:1] in ("", "#"):
        first += 1
    return first + 1


def _line_of_key(lines: list[str], path: Path) -> int:
    """Return the line that begins with the key, as most do; 0 if there is none.

    Every start of the program asks for every key that is written: 30 keys took 160 ms
    by bisecting alone, and a list of 2,000 lines a minute and a half.
    """
    key = re.escape(str(path[-1]))
    begins = re.compile(rf"""[ \t]*(?:{key}|"{key}"|'{key}')[ \t]*=""")
    for number, line in enumerate(lines):
        match = begins.match(line)
        if match is None:
            continue
        before = "".join(lines[:number])
        try:
            # What is before is whole, so a statement begins here. Is it the one?
            if _leads_to(tomllib.loads(before), path):
                return 0
            if _leads_to(tomllib.loads(f"{before}{match[0]} 0"), path):
                return number + 1
        except tomllib.TOMLDecodeError:
            continue  # in the middle of a text or a list
    return 0


def _start(lines: list[str], count: int) -> tuple[int, dict[str, Any]]:
    """Parse as many of the first ``count`` lines as make sense; say how many did."""
    for whole in range(count, 0, -1):
        try:
            return whole, tomllib.loads("".join(lines[:whole]))
        except tomllib.TOMLDecodeError:
            continue
    return 0, {}


def _leads_to(table: Any, path: Path) -> bool:
    for step in path:
        if isinstance(step, int):
            if not isinstance(table, list) or len(table) <= step:
                return False
        elif not isinstance(table, dict) or step not in table:
            return False
        table = table[step]
    return True


LARGEST = 256 << 10
"""Bytes; a hundred times what people write. More is some other file."""
_TABLES = ("hooks", "dashboard")
_WORDS = {key for key in BY_KEY if "." not in key} | {*_TABLES, "profile", "profiles"}
_PLACE = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)")
_KEYS = re.compile(r"[^\s,]+")


class Found(NamedTuple):
    """A value, and where it is written."""

    value: Any
    path: Path


@dataclass(slots=True)
class Document:
    """What a settings file says."""

    name: str
    """For messages."""
    text: str = ""
    values: dict[str, Found] = field(default_factory=dict)
    profiles: dict[str, dict[str, Found]] = field(default_factory=dict)
    profile: str = ""
    """The profile that is taken where nobody asks for another."""
    complaints: list[Complaint] = field(default_factory=list)

    def place(self, path: Path) -> str:
        """Return ``config.toml:12`` for what is written there."""
        from tui.config.document import line_of

        line = line_of(self.text, path)
        return f"{self.name}:{line}" if line else self.name


def read_document(data: bytes, name: str) -> Document:
    """Read a settings file to its end.

    Args:
        data: the whole file.
        name: what it is called in messages.

    Returns:
        All that makes sense of it; ``complaints`` tells of the rest.
    """
    import tomllib  # late: most people have no settings file

    document = Document(name)
    try:
        if len(data) > LARGEST:
            raise ValueError(
                f"larger than {LARGEST >> 10} KiB; this is no settings file"
            )
        text = data.decode("utf-8-sig")
        table = tomllib.loads(text)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        reason = "this is not UTF-8; save it as UTF-8"
        document.complaints.append(Complaint(f"{name}:{line}", reason))
    except tomllib.TOMLDecodeError as error:
        document.complaints.append(_syntax(name, text, str(error)))
    except RecursionError:
        document.complaints.append(Complaint(name, "nested too deeply"))
    except ValueError as error:
        document.complaints.append(Complaint(name, str(error)))
    else:
        document.text = text
        _Reader(document).read(table)
    return document


def _syntax(name: str, text: str, message: str) -> Complaint:
    match = _PLACE.search(message)
    line = match[1] if match and match[1] else str(text.count("\n") + 1)
    reason = plain(_PLACE.sub("", message), 200)
    hint = "; texts stand in quotes" if reason == "Invalid value" else ""
    return Complaint(f"{name}:{line}", f"this is not TOML: {reason}{hint}")


class _Reader:
    """Walks over the tables; what makes no sense is told and passed over."""

    def __init__(self, document: Document) -> None:
        self._document = document

    def read(self, table: dict[str, Any]) -> None:
        """Read the whole file."""
        profiles = table.pop("profiles", {})
        profile = table.pop("profile", "")
        self._document.values = self._table(table, ())
        if not self._is_table(profiles, ("profiles",)):
            profiles = {}
        for name, inner in profiles.items():
            path: Path = ("profiles", name)
            if self._is_table(inner, path):
                self._document.profiles[name] = self._table(inner, path)
        if not isinstance(profile, str) or (profile and profile not in profiles):
            near = suggest(str(profile), profiles)
            reason = f"profile: there is no [profiles.{plain(str(profile), 60)}]{near}"
            self._complain(("profile",), reason)
        else:
            self._document.profile = profile

    def _table(self, table: dict[str, Any], at: Path) -> dict[str, Found]:
        found: dict[str, Found] = {}
        for word, value in table.items():
            path = (*at, word)
            if word in _TABLES:
                if self._is_table(value, path):
                    for inner, item in value.items():
                        self._one(f"{word}.{inner}", item, (*path, inner), found)
            elif word == "hosts":
                if self._is_table(value, path):
                    found[word] = Found(self._hosts(value, path), path)
            elif word == "keys":
                if self._is_table(value, path):
                    found[word] = Found(self._keys(value, path), path)
            elif word == "folders":
                found[word] = Found(self._folders(value, path), path)
            else:
                self._one(word, value, path, found)
        return found

    def _one(self, key: str, value: Any, path: Path, found: dict[str, Found]) -> None:
        option = BY_KEY.get(key)
        if option is None:
            self._complain(path, _unknown(key))
            return
        try:
            found[key] = Found(refuse_secrets(option, option.read_toml(value)), path)
        except ValueError as error:
            self._complain(path, f"{key}: {plain(str(error))}")

    def _hosts(self, hosts: dict[str, Any], at: Path) -> tuple[HostRule, ...]:
        rules = []
        for pattern, table in hosts.items():
            path = (*at, pattern)
            if self._is_table(table, path):
                rule = self._host(pattern, table, path)
                if rule is not None:
                    rules.append(rule)
        return tuple(rules)

    def _host(self, pattern: str, table: dict[str, Any], at: Path) -> HostRule | None:
        values: dict[str, Any] = {}
        is_good = True
        if not pattern or "/" in pattern or not pattern.isprintable():
            self._complain(
                at,
                f"hosts: {plain(pattern, 80)!r} is no host; write a name,"
                " *.example.org or HOST:PORT, without http://",
            )
            is_good = False
        for word, value in table.items():
            option = BY_HOST_KEY.get(word)
            if option is None:
                self._complain((*at, word), _unknown(word, BY_HOST_KEY, "[hosts]"))
                is_good = False
                continue
            try:
                values[word] = refuse_secrets(option, option.read_toml(value))
            except ValueError as error:
                self._complain((*at, word), f"{word}: {plain(str(error))}")
                is_good = False
        try:
            login = make_login(values)
            if values.get("user") and not values.get("password-from"):
                raise ValueError(
                    'user needs password-from here, such as "env:NAME" or "ask"'
                )
        except ValueError as error:
            self._complain(at, str(error))
            return None
        if not is_good:
            return None
        return HostRule(
            pattern,
            cap=values.get("cap", 0),
            rate_limit=values.get("limit-rate") or None,
            headers=values.get("headers", ()),
            login=login,
            proxy=values.get("proxy", ""),
        )

    def _folders(self, value: Any, at: Path) -> tuple[FolderRule, ...]:
        option = BY_KEY["folders"]
        if not isinstance(value, list) or not any(isinstance(i, dict) for i in value):
            try:
                rules: tuple[FolderRule, ...] = option.read_toml(value)
            except ValueError as error:
                self._complain(at, f"folders: {plain(str(error))}")
                return ()
            return rules
        read = []
        for index, table in enumerate(value):
            try:
                if not isinstance(table, dict) or set(table) != {
                    "pattern",
                    "directory",
                }:
                    raise ValueError("write pattern and directory, and nothing else")
                read.append(folder_rule(*(str(table[w]) for w in _FOLDER_WORDS)))
            except ValueError as error:
                self._complain((*at, index), f"folders: {plain(str(error))}")
        return tuple(read)

    def _keys(
        self, table: dict[str, Any], at: Path
    ) -> tuple[tuple[str, tuple[str, ...]], ...]:
        read = []
        for action, value in table.items():
            keys = [value] if isinstance(value, str) else value
            if not isinstance(keys, list) or any(
                not isinstance(key, str) or _KEYS.fullmatch(key) is None for key in keys
            ):
                self._complain(
                    (*at, action),
                    f"keys.{plain(action, 60)}: must be a list of keys, such as"
                    ' ["x", "ctrl+x"]',
                )
            else:
                read.append((action, tuple(keys)))
        return tuple(read)

    def _is_table(self, value: Any, path: Path) -> bool:
        if isinstance(value, dict):
            return True
        name = ".".join(str(step) for step in path)
        self._complain(path, f"{plain(name, 80)} must be a table: [{plain(name, 80)}]")
        return False

    def _complain(self, path: Path, reason: str) -> None:
        document = self._document
        document.complaints.append(Complaint(document.place(path), reason))


_FOLDER_WORDS = ("pattern", "directory")


def refuse_secrets(option: Option, value: Any) -> Any:
    """Return the value, if it may be kept in a file.

    Raises:
        ValueError: it holds a secret; the message says where that belongs.
    """
    if option.key == "headers":
        for name, _ in value:
            if is_secret_header(name):
                remedy = (
                    "write cookies = and a file"
                    if name.lower() == "cookie"
                    else 'write user and password-from, or bearer-from = "env:NAME"'
                )
                raise ValueError(
                    f"{name} is a secret, and secrets are not kept in this file;"
                    f" {remedy}"
                )
    elif option.key == "proxy" and has_password(value):
        raise ValueError(
            "a password does not belong in this file; write proxy-user and"
            ' proxy-password-from = "env:NAME"'
        )
    elif option.name in ("user", "proxy-user") and ":" in value:
        raise ValueError(
            "a password does not belong in this file; write the name alone, and"
            f' {option.name.removesuffix("user")}password-from = "env:NAME"'
        )
    return value


def _unknown(key: str, known: dict[str, Option] | None = None, table: str = "") -> str:
    shown = plain(key, 60)
    name = key.rpartition(".")[2]
    remedy = SECRET_KEYS.get(name.lower().replace("_", "-"))
    if remedy:
        return (
            f"{shown}: secrets are not kept in this file; write"
            f' {remedy} = "env:NAME", or another reference'
        )
    if known is not None:
        near = suggest(key, known)
        return f"{table} has no setting {shown!r}{near or f'; it has {_listed(known)}'}"
    other = next((o for o in BY_KEY.values() if o.name == name and o.key != key), None)
    if other is not None:
        head = other.key.rpartition(".")[0]
        where = f"in the table [{head}]" if head else "at the top, before any [table]"
        return f"{shown}: {name} belongs {where}"
    words = _WORDS if "." not in key else set(BY_KEY)
    near = suggest(key, words) or "; fetchtui config explain lists them all"
    return f"there is no setting {shown!r}{near}"


def _listed(known: dict[str, Option]) -> str:
    return ", ".join(known)
