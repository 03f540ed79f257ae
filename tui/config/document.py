"""Read a settings file: its values by key, and every problem with its line."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tui.config.errors import Problem
from tui.config.parsing import folder_rule, has_password, is_secret_header, make_login
from tui.config.registry import BY_HOST_KEY, BY_KEY, SECRET_KEYS
from tui.config.values import suggest
from tui.core.quick.named_tuple import NamedTuple
from tui.core.quick.pattern import late_pattern
from tui.core.settings import FolderRule, HostRule
from tui.core.text.sanitize import sanitize

if TYPE_CHECKING:
    from tui.config.option import Option

Path = tuple[str | int, ...]


def line_of(text: str, path: Path) -> int:
    """Return the line number of the key or table at ``path``.

    Args:
        text: a complete, valid TOML file.
        path: keys, and indexes of tables in an array.

    Returns:
        The line (from 1) of the key or of the table's header; 0 if there is none.
    """
    lines = text.splitlines(keepends=True)
    if found := _line_of_key(lines, path):
        return found
    low, high = (
        0,
        len(lines),
    )  # absent from the first ``low`` lines, in the first ``high``
    if not _contains(_parse_start(lines, high)[1], path):
        return 0
    while high - low > 1:
        middle = (low + high) // 2
        count, table = _parse_start(lines, middle)
        if _contains(table, path):
            high = max(low + 1, count)
        else:
            low = middle
    # A value over several lines appears with its last line; it starts after the last
    # complete statement before that.
    first = _parse_start(lines, high - 1)[0]
    while first < high - 1 and lines[first].lstrip()[:1] in ("", "#"):
        first += 1
    return first + 1


def _line_of_key(lines: list[str], path: Path) -> int:
    """Return the line that starts with the key, the common case; 0 if there is none.

    Every start looks up every key in the file. By bisection alone, 30 keys took 160 ms,
    and a list of 2,000 lines took a minute and a half.
    """
    import tomllib

    key = re.escape(str(path[-1]))
    begins = re.compile(rf"""[ \t]*(?:{key}|"{key}"|'{key}')[ \t]*=""")
    for number, line in enumerate(lines):
        match = begins.match(line)
        if match is None:
            continue
        before = "".join(lines[:number])
        try:
            # If the text before parses, a statement starts here; is it the right one?
            if _contains(tomllib.loads(before), path):
                return 0
            if _contains(tomllib.loads(f"{before}{match[0]} 0"), path):
                return number + 1
        except tomllib.TOMLDecodeError:
            continue  # inside a multi-line string or list
    return 0


def _parse_start(lines: list[str], limit: int) -> tuple[int, dict[str, Any]]:
    """Parse as many of the first ``limit`` lines as possible; also return how many."""
    import tomllib

    for count in range(limit, 0, -1):
        try:
            return count, tomllib.loads("".join(lines[:count]))
        except tomllib.TOMLDecodeError:
            continue
    return 0, {}


def _contains(table: Any, path: Path) -> bool:
    for step in path:
        if isinstance(step, int):
            if not isinstance(table, list) or len(table) <= step:
                return False
        elif not isinstance(table, dict) or step not in table:
            return False
        table = table[step]
    return True


SIZE_LIMIT = 256 << 10
"""Maximum size in bytes, a hundred times a usual file; beyond it is some other file."""
_TABLES = ("hooks", "dashboard", "rpc")
_WORDS = {key for key in BY_KEY if "." not in key} | {*_TABLES, "profile", "profiles"}
_POSITION = late_pattern(r" \(at (?:line (\d+), column \d+|end of document)\)")
_KEYS = late_pattern(r"[^\s,]+")


class Found(NamedTuple):
    """A value, and its path in the file."""

    value: Any
    path: Path


@dataclass(slots=True, eq=False, repr=False)
class Document:
    """The contents of a settings file."""

    name: str
    """The file's name in messages."""
    text: str = ""
    values: dict[str, Found] = field(default_factory=dict)
    profiles: dict[str, dict[str, Found]] = field(default_factory=dict)
    profile: str = ""
    """The default profile."""
    problems: list[Problem] = field(default_factory=list)

    def location(self, path: Path) -> str:
        """Return ``config.toml:12`` for the value at ``path``."""
        line = line_of(self.text, path)
        return f"{self.name}:{line}" if line else self.name


def read_document(data: bytes, name: str) -> Document:
    """Parse a settings file.

    Args:
        data: the complete file.
        name: the file's name in messages.

    Returns:
        All valid settings; ``problems`` lists the invalid ones.
    """
    import tomllib  # late: most runs have no settings file

    document = Document(name)
    try:
        if len(data) > SIZE_LIMIT:
            raise ValueError(
                f"larger than {SIZE_LIMIT >> 10} KiB; this is not a settings file"
            )
        text = data.decode("utf-8-sig")
        table = tomllib.loads(text)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        reason = "not UTF-8; save the file as UTF-8"
        document.problems.append(Problem(f"{name}:{line}", reason))
    except tomllib.TOMLDecodeError as error:
        document.problems.append(_syntax(name, text, str(error)))
    except RecursionError:
        document.problems.append(Problem(name, "nested too deeply"))
    except ValueError as error:
        document.problems.append(Problem(name, str(error)))
    else:
        document.text = text
        _Reader(document).read(table)
    return document


def _syntax(name: str, text: str, message: str) -> Problem:
    match = _POSITION.search(message)
    line = match[1] if match and match[1] else str(text.count("\n") + 1)
    reason = sanitize(_POSITION.sub("", message), 200)
    hint = "; put text in quotes" if reason == "Invalid value" else ""
    return Problem(f"{name}:{line}", f"invalid TOML: {reason}{hint}")


class _Reader:
    """Reads the tables into a document; records a problem for each invalid entry."""

    def __init__(self, document: Document) -> None:
        self._document = document

    def read(self, table: dict[str, Any]) -> None:
        """Read the top-level table."""
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
            reason = f"profile: no [profiles.{sanitize(str(profile), 60)}] here{near}"
            self._report(("profile",), reason)
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
            self._report(path, _unknown(key))
            return
        try:
            found[key] = Found(refuse_secrets(option, option.read_toml(value)), path)
        except ValueError as error:
            self._report(path, f"{key}: {sanitize(str(error))}")

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
        is_valid = True
        if not pattern or set("/@?#") & set(pattern) or not pattern.isprintable():
            # What stands before an "@" may be a password.
            shown = sanitize(pattern.rpartition("@")[2], 80)
            self._report(
                at,
                f"hosts: {shown!r} is not a host; write a name,"
                " *.example.org or HOST:PORT, without http://",
            )
            is_valid = False
        for word, value in table.items():
            option = BY_HOST_KEY.get(word)
            if option is None:
                self._report((*at, word), _unknown(word, BY_HOST_KEY, "[hosts]"))
                is_valid = False
                continue
            try:
                values[word] = refuse_secrets(option, option.read_toml(value))
            except ValueError as error:
                self._report((*at, word), f"{word}: {sanitize(str(error))}")
                is_valid = False
        try:
            login = make_login(values)
            if values.get("user") and not values.get("password-from"):
                raise ValueError(
                    'user also needs password-from, such as "env:NAME" or "ask"'
                )
        except ValueError as error:
            self._report(at, str(error))
            return None
        if not is_valid:
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
                self._report(at, f"folders: {sanitize(str(error))}")
                return ()
            return rules
        read = []
        for index, table in enumerate(value):
            try:
                if not isinstance(table, dict) or set(table) != {
                    "pattern",
                    "directory",
                }:
                    raise ValueError("must have pattern and directory, nothing else")
                read.append(folder_rule(*(str(table[w]) for w in _FOLDER_WORDS)))
            except ValueError as error:
                self._report((*at, index), f"folders: {sanitize(str(error))}")
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
                self._report(
                    (*at, action),
                    f"keys.{sanitize(action, 60)}: must be a list of keys, such as"
                    ' ["x", "ctrl+x"]',
                )
            else:
                read.append((action, tuple(keys)))
        return tuple(read)

    def _is_table(self, value: Any, path: Path) -> bool:
        if isinstance(value, dict):
            return True
        name = ".".join(str(step) for step in path)
        self._report(
            path, f"{sanitize(name, 80)} must be a table: [{sanitize(name, 80)}]"
        )
        return False

    def _report(self, path: Path, reason: str) -> None:
        document = self._document
        document.problems.append(Problem(document.location(path), reason))


_FOLDER_WORDS = ("pattern", "directory")


def refuse_secrets(option: Option, value: Any) -> Any:
    """Return the value, if it contains no secret.

    Raises:
        ValueError: it contains a secret; the message says what to write instead.
    """
    if option.key == "headers":
        for name, _ in value:
            if is_secret_header(name):
                remedy = (
                    "set cookies to a cookie file"
                    if name.lower() == "cookie"
                    else 'set user and password-from, or bearer-from = "env:NAME"'
                )
                raise ValueError(
                    f"this file must not contain secrets such as {name}; {remedy}"
                )
    elif option.key == "proxy" and has_password(value):
        raise ValueError(
            "this file must not contain passwords; set proxy-user and"
            ' proxy-password-from = "env:NAME"'
        )
    elif option.name in ("user", "proxy-user") and ":" in value:
        raise ValueError(
            "this file must not contain passwords; set the user name alone, and"
            f' {option.name.removesuffix("user")}password-from = "env:NAME"'
        )
    return value


def _unknown(key: str, known: dict[str, Option] | None = None, table: str = "") -> str:
    # What stands before an "@" may be a password.
    shown = sanitize(key.rpartition("@")[2], 60)
    name = key.rpartition(".")[2]
    remedy = SECRET_KEYS.get(name.lower().replace("_", "-"))
    if remedy:
        return (
            f"{shown}: this file must not contain secrets; set"
            f' {remedy} = "env:NAME", or another reference'
        )
    if known is not None:
        near = suggest(key, known)
        return f"{table} has no setting {shown!r}{near or '; use ' + ', '.join(known)}"
    other = next((o for o in BY_KEY.values() if o.name == name and o.key != key), None)
    if other is not None:
        head = other.key.rpartition(".")[0]
        where = f"in the table [{head}]" if head else "at the top, before any table"
        return f"{shown}: {name} belongs {where}"
    typed = next((o for o in BY_KEY.values() if f"--{key}" in o.spellings), None)
    if typed is not None:
        head = typed.key.rpartition(".")[0]
        where = f"in the table [{head}]" if head else "in this file"
        return f"--{key} is called {typed.name} {where}"
    words = _WORDS if "." not in key else set(BY_KEY)
    near = suggest(key, words) or "; fetchtui config explain lists them all"
    return f"unknown setting {shown!r}{near}"
