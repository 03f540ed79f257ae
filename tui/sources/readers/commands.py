"""Pasted curl and wget commands, converted to the downloads they would make.

Only what a GET needs is used: URLs, headers, cookies, logins and names. Commands that
send data, request part of a file or follow links are refused with a reason, because
fetchtui would download something else. Options about how to transfer are ignored, with
one note that names them.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from tui.core.request import (
    ANY_LOGIN,
    DIGEST_LOGIN,
    OMITTABLE_HEADERS,
    BadRequestLine,
    DownloadRequest,
)
from tui.core.text.sanitize import sanitize
from tui.sources.patterns import check_pattern, escape, from_curl
from tui.sources.readers.command_options import CURL, SENDS, WGET, Program
from tui.sources.readers.shell_words import (
    Token,
    program_of,
    split_command,
    steps_before,
)
from tui.sources.values import (
    RESERVED_HEADERS,
    parse_folder,
    parse_header,
    parse_output_path,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_LOGIN = re.compile(r"(?<=://)([^/?#]*)@")
_VARIABLE_HOST = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.-]*://)?[^/?#]*\$")
_SEPARATORS = frozenset({"|", "||", "|&", ";", ";;", "&&", "&", "(", ")"})
_SKIPS = frozenset({"|", "||", "|&"})
"""What follows is not a download of its own: it reads the output, or runs on failure.
"""
_TO_FILE = frozenset(f"{number}{sign}" for number in ("", "1") for sign in (">", ">>"))
_STDOUT = frozenset({"-", "/dev/stdout"})
_DISCARDED = frozenset({"/dev/null", "NUL", "nul"})


def parse_command(
    text: str, where: str, notes: list[str] | None = None
) -> Iterator[DownloadRequest | BadRequestLine]:
    """Parse a line of commands; yields the requests, or one error, of each.

    Args:
        text: the commands with all their lines.
        where: the location of the first line, for messages.
        notes: receives a line that names the ignored options.
    """
    try:
        parts = _split_at_separators(split_command(text))
    except ValueError as error:
        yield BadRequestLine(where, str(error))
        return
    skipped: list[str] = []
    for number, (separator, tokens) in enumerate(parts):
        words = [token.text for token in tokens]
        program, start = program_of(words)
        if number and (not program or separator in _SKIPS):
            if words and words != ["}"]:
                skipped.append(f"everything after {separator}")
            continue
        command = _Command(WGET if program == "wget" else CURL, where)
        try:
            command.read(tokens[start:])
            requests = command.requests()
        except ValueError as error:
            # The message never contains a value, because it may be a password.
            yield BadRequestLine(where, str(error))
            continue
        ignored = sorted(command.ignored)
        steps = "" if number else ", ".join(steps_before(text))
        if notes is not None and steps:
            notes.append(f"{where}: ignoring {steps} before {program}")
        if notes is not None and ignored:
            listed = ", ".join(ignored[:10])
            notes.append(f"{where}: ignoring options of {program}: {listed}")
        yield from requests
    if notes is not None and skipped:
        notes.append(f"{where}: ignoring {', '.join(dict.fromkeys(skipped))}")


def _split_at_separators(tokens: list[Token]) -> list[tuple[str, list[Token]]]:
    """Return simple commands, each with the separator before it."""
    parts: list[tuple[str, list[Token]]] = [("", [])]
    for token in tokens:
        if token.is_operator and token.text in _SEPARATORS:
            parts.append((token.text, []))
        else:
            parts[-1][1].append(token)
    return parts


@dataclass
class _Command:
    """The state of parsing one command."""

    program: Program
    where: str
    ignored: set[str] = field(default_factory=set)
    urls: list[str] = field(default_factory=list)
    names: list[str | None] = field(default_factory=list)
    """``-o`` and ``-O`` in their order; ``None`` for the server's name, "-" for
    standard output."""
    redirected: str | None = None
    """The file to which standard output goes."""
    headers: list[tuple[str, str]] = field(default_factory=list)
    """Lower-case name and the line ``Name: value``."""
    from_options: dict[str, str] = field(default_factory=dict)
    """The same from ``--user-agent`` and its like; ``--header`` takes precedence."""
    cookies: list[str] = field(default_factory=list)
    folder: str = ""
    user: str = ""
    password: str | None = None
    schemes: set[str] = field(default_factory=set)
    """``basic``, ``digest`` or ``any``, as options name them."""
    is_literal: bool = False
    """curl's ``-g``: brackets and braces in URLs are literal."""
    is_remote_all: bool = False
    sends: str = ""
    """The first option that sends data, unless ``-G`` puts it into the URL."""
    is_get: bool = False
    data: list[str] = field(default_factory=list)
    query: list[str] = field(default_factory=list)

    def read(self, tokens: list[Token]) -> None:
        """Parse what follows the program's name.

        Raises:
            ValueError: the command does not make a plain download.
        """
        rest = deque(tokens)
        is_option = True
        while rest:
            word, is_operator = rest.popleft()
            if is_operator:
                target = rest.popleft().text if rest else ""
                if word.removesuffix("|") in _TO_FILE:
                    self.redirected = None if target in _DISCARDED else target
            elif not is_option or not word.startswith("-") or word == "-":
                self.urls.append(word)
            elif word == "--":
                is_option = False
            elif word.startswith("--"):
                self._read_long(word, rest)
            else:
                self._read_short(word, rest)

    def requests(self) -> list[DownloadRequest]:
        """Return the command's downloads.

        Raises:
            ValueError: there is no URL, or a URL or a name is invalid.
        """
        if not self.urls:
            raise ValueError("the command has no URL")
        if self.sends and not self.is_get:
            raise ValueError(f"{self.sends} {SENDS}")
        if self.cookies:
            self.from_options["cookie"] = f"Cookie: {'; '.join(self.cookies)}"
        given = {name for name, _ in self.headers}
        from_options = (v for k, v in self.from_options.items() if k not in given)
        lines = [*(line for _, line in self.headers), *from_options]
        headers = tuple(map(parse_header, lines))
        found = []
        for number, text in enumerate(self.urls):
            if _VARIABLE_HOST.match(text):
                raise ValueError(
                    "the URL has a variable, and nothing is expanded; write the URL"
                )
            url = text if _SCHEME.match(text) else f"http://{text}"
            if self.program is CURL and not self.is_literal:
                url = from_curl(url)
            elif "{" in url:
                url = url.replace("{", "%7B").replace("}", "%7D")
            url, login = self._with_login(self._with_query(url))
            url = check_pattern(url)
            folder, name = self._output_path(number)
            found.append(
                DownloadRequest(
                    (url,), name, folder, None, headers + login, source=self.where
                )
            )
        return found

    def _output_path(self, number: int) -> tuple[str | None, str | None]:
        """Return the folder and name for one of the URLs."""
        one = self._name(number)
        if one is not None and self.program is CURL and "#1" in one:
            raise ValueError("#1 in -o is not supported; write out the URLs")
        folder = parse_folder(self.folder) if self.folder else None
        if one is None:
            return folder, None
        below, name = parse_output_path(one, "the file name")
        if self.program is WGET or below is None:
            # With -O, wget ignores -P.
            return (below if self.program is WGET else folder), name
        return (f"{folder}/{below}" if folder else below), name

    def _name(self, number: int) -> str | None:
        """Return the file name that the command gives to one of the URLs."""
        one: str | None = "-" if self.program is CURL else None
        if self.program is WGET:
            one = self.names[-1] if self.names else None
        elif number < len(self.names):
            one = self.names[number]
        elif self.is_remote_all:
            one = None
        is_joined = self.program is WGET and len(self.urls) > 1
        if one == "-":
            one = self.redirected
            if one is not None and len(self.urls) > 1:
                raise ValueError("> joins several files into one; use one line per URL")
        elif one is not None and is_joined:
            raise ValueError("-O joins several files into one; use one line per URL")
        return one

    def _with_query(self, url: str) -> str:
        """Append the data of ``-G`` and ``--url-query`` to the URL."""
        parts = [*self.query, *(self.data if self.is_get else [])]
        if not parts:
            return url
        before, mark, fragment = url.partition("#")
        joint = "?" if "?" not in before else "" if before[-1] in "?&" else "&"
        # Only the URL itself can be a pattern.
        return f"{before}{joint}{escape('&'.join(parts))}{mark}{fragment}"

    def _with_login(self, url: str) -> tuple[str, tuple[tuple[str, str], ...]]:
        """Return the URL and header with the login, which may be in the URL itself.

        A login becomes a header: for Basic one that is sent with the first request, for
        any other scheme one that the session replaces once it has the server's
        challenge, as the programs do. A name without a password stays in the URL.
        """
        match = _LOGIN.search(url)
        user, password = self.user, self.password
        if not user and match is not None:
            user, colon, rest = match[1].partition(":")
            user, password = unquote(user), unquote(rest) if colon else None
        if not user:
            return url, ()
        login = quote(user, safe="") if password is None else ""
        start = match.start() if match is not None else url.index("://") + 3
        end = match.end() if match is not None else start
        url = f"{url[:start]}{login}{'@' if login else ''}{url[end:]}"
        given = {*self.from_options, *(name for name, _ in self.headers)}
        if login or "authorization" in given:
            return url, ()
        pair = b64encode(f"{user}:{password}".encode()).decode("ascii")
        return url, (("Authorization", f"{self._scheme()} {pair}"),)

    def _scheme(self) -> str:
        """Return the scheme of a login, which only Basic sends at once."""
        if self.program is WGET:
            return "Basic" if "basic" in self.schemes else ANY_LOGIN
        if self.schemes <= {"basic"}:
            return "Basic"
        return DIGEST_LOGIN if self.schemes == {"digest"} else ANY_LOGIN

    # -- options ---------------------------------------------------------------------

    def _read_long(self, word: str, rest: deque[Token]) -> None:
        program = self.program
        name, equals, value = word.partition("=")
        if equals and program is CURL:
            # curl has no options with =.
            raise ValueError(f"{sanitize(name, 40)}= is not an option of curl")
        if name in program.valued and not equals:
            if not rest:
                raise ValueError(f"{sanitize(name, 40)} needs a value")
            value = rest.popleft().text
        elif rest and not equals and not self._is_known(name):
            # Its value would be taken for a URL, and it may be a secret.
            text, is_operator = rest[0]
            if not (is_operator or text.startswith("-") or _SCHEME.match(text)):
                raise ValueError(
                    f"{sanitize(name, 40)} is not a known option of {program.name};"
                    " remove it and its value"
                )
        self._apply(name, value)

    def _is_known(self, name: str) -> bool:
        """Return True for an option without a value."""
        program = self.program
        positive = f"--{name.removeprefix('--no-')}"
        return (
            name in program.meanings
            or name in program.refused
            or name in program.flags
            or positive in program.flags
            or positive in program.meanings
        )

    def _read_short(self, word: str, rest: deque[Token]) -> None:
        """Read ``-L``, ``-sSLo name``, ``-oname``; wget has ``-nc`` and the like."""
        if self.program is WGET and word[:2] == "-n":
            return
        for at, letter in enumerate(word[1:], 1):
            name = self.program.long_of.get(letter)
            if name is None:
                self.ignored.add(f"-{sanitize(letter, 1)}")
                if letter in _SHORT_FLAGS:
                    continue
                # The rest may be its value.
                return
            if name not in self.program.valued:
                self._apply(name, "")
                continue
            value = word[at + 1 :]
            if not value:
                if not rest:
                    raise ValueError(f"-{letter} needs a value")
                value = rest.popleft().text
            self._apply(name, value)
            return

    def _apply(self, name: str, value: str) -> None:
        refused = self.program.refused.get(name)
        if refused is not None:
            raise ValueError(f"{name} {refused}")
        match self.program.meanings.get(name):
            case "header":
                self._header(value)
            case "agent":
                self.from_options["user-agent"] = f"User-Agent: {value}"
            case "referer":
                referer = value.removesuffix(";auto")
                self.from_options["referer"] = f"Referer: {referer}"
            case "bearer":
                bearer = f"Authorization: Bearer {value}"
                self.from_options["authorization"] = bearer
            case "cookie":
                if value and "=" not in value:
                    raise ValueError(f"{name} names a file; use --cookies for it")
                self.cookies += [value.strip().rstrip("; ")] if value else []
            case "cookies":
                raise ValueError(f"{name} names a file; use --cookies for it")
            case "output":
                self._output(value)
            case "remote-name":
                self.names.append(None)
            case "folder":
                self.folder = value
            case "url":
                self.urls.append(value)
            case "method":
                if value.upper() != "GET":
                    raise ValueError(f"{name} uses a method other than GET")
            case "login":
                self.user, colon, password = value.partition(":")
                self.password = password if colon else None
            case "user":
                self.user = value
            case "password":
                self.password = value
            case "basic" | "digest" | "any" as scheme:
                self.schemes.add(scheme)
                if name in ("--ntlm", "--ntlm-wb", "--negotiate"):
                    self.ignored.add(name)
            case "get":
                self.is_get = True
            case "data":
                self.sends = self.sends or name
                self.data.append(_encoded(name, value))
            case "query":
                raw = value.startswith("+")
                kind = "--data" if raw else "--data-urlencode"
                self.query.append(_encoded(kind, value[raw:]))
            case "remote-all":
                self.is_remote_all = True
            case "literal":
                self.is_literal = True
            case "silent":
                pass
            case _:
                self.ignored.add(sanitize(name, 40))

    def _header(self, line: str) -> None:
        name, colon, value = line.partition(":")
        is_sent_empty = False
        if not colon and self.program is CURL:
            if line.startswith("@"):
                raise ValueError("--header names a file; write the headers instead")
            # "Name;" sends a header without a value, "Name:" removes one.
            name, colon, value = line.partition(";")
            is_sent_empty = not value.strip()
            if not is_sent_empty:
                return
            line = f"{name}:"
        name = name.strip()
        lower = name.lower()
        if not colon or not name:
            # Chrome lists the pseudo-headers of HTTP/2, such as ":authority".
            return
        if lower in RESERVED_HEADERS:
            # Copied from a browser, it would change which bytes the server returns.
            self.ignored.add(f"the header {sanitize(name, 40)}")
            return
        if self.program is WGET:
            # The last one counts; curl sends all of them.
            self.headers = [pair for pair in self.headers if pair[0] != lower]
        elif not value.strip() and not is_sent_empty and lower not in OMITTABLE_HEADERS:
            return
        self.headers.append((lower, line))

    def _output(self, name: str) -> None:
        self.names.append(
            "-" if name in _STDOUT else None if name in _DISCARDED else name
        )


_READS_FILE = "{} reads a file; only plain GET requests are supported"
_SHORT_FLAGS = frozenset("0123456#:")
"""Letters of curl without a long form that take no value."""


def _encoded(name: str, value: str) -> str:
    """Return the data of an option as curl puts it into a URL.

    Raises:
        ValueError: the option reads a file.
    """
    if name == "--data-raw":
        return value
    if name != "--data-urlencode":
        if value.startswith("@"):
            raise ValueError(_READS_FILE.format(name))
        return value
    head, separator, content = value.partition("=")
    if not separator:
        if "@" in value:
            raise ValueError(_READS_FILE.format(name))
        return quote(value, safe="")
    return f"{head}={quote(content, safe='')}" if head else quote(content, safe="")
