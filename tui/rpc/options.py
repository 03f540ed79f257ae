"""Options as aria2 names them: their values, and what they mean for a request.

Unknown options are ignored without an error, as aria2 does. Options that would let a
client run programs, read or write other files or weaken TLS are refused by name.
"""

from __future__ import annotations

import asyncio
import os
import re
from base64 import b64encode
from typing import TYPE_CHECKING, Any, NamedTuple

from tui.core.request import (
    ANY_LOGIN,
    Checksum,
    DownloadRequest,
    origin_of,
    referer_for,
)
from tui.core.rules.secret_headers import may_be_secret
from tui.core.settings import MAX_CONCURRENCY, MAX_SEGMENTS, OnExists
from tui.core.text.sanitize import sanitize, sanitize_url
from tui.rpc.errors import Refused, bad_option
from tui.sources.values import parse_folder, parse_header, parse_output_path

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Options = dict[str, str]
"""Accepted options by name, with normalized values; headers one per line."""

_SIZE = re.compile(r"([0-9]{1,15})([kKmM]?)")
_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20}
RETRY_OF = "fetchtui-retry-of"
"""Key of ``getOption`` by which ``addUri`` knows that a client retries a download. Its
secrets are used again, which are never sent to a client."""

_PROGRAMS = "clients must not run programs; set hooks in the settings of fetchtui"
_FILES = "clients must not choose files of this kind; see fetchtui help options"
_TLS = "clients must not change how servers are verified"
_PROXIES = "clients must not choose a proxy; set it with --proxy or proxy in [hosts]"
REFUSED: dict[str, str] = {
    **dict.fromkeys(
        (
            "log",
            "save-session",
            "input-file",
            "load-cookies",
            "save-cookies",
            "conf-path",
            "netrc-path",
            "dht-file-path",
            "dht-file-path6",
            "server-stat-if",
            "server-stat-of",
        ),
        _FILES,
    ),
    **dict.fromkeys(("ca-certificate", "certificate", "private-key"), _TLS),
    **dict.fromkeys(
        (
            f"{kind}-proxy{part}"
            for kind in ("all", "http", "https", "ftp")
            for part in ("", "-user", "-passwd")
        ),
        _PROXIES,
    ),
}
"""Options that are refused unless they are empty, and the reason."""


def _switch(text: str) -> str:
    if text not in ("true", "false"):
        raise ValueError
    return text


def _number(low: int, high: int) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if not (text.isascii() and text.isdecimal()) or not low <= int(text[:12]):
            raise ValueError
        return str(min(int(text[:12]), high))

    return parse


def _size(text: str) -> str:
    match = _SIZE.fullmatch(text)
    if match is None:
        raise ValueError
    return str(int(match[1]) * _UNITS[match[2].lower()])


def _word(text: str) -> str:
    if not text.isprintable():
        raise ValueError
    return text


def _checksum(text: str) -> str:
    if text:
        Checksum.parse(text)
    return text


def _headers(text: str) -> str:
    lines = [line.strip() for line in text.splitlines()]
    return "\n".join(lines)


PER_DOWNLOAD: dict[str, Callable[[str], str]] = {
    "dir": _word,
    "out": _word,
    "header": _headers,
    "user-agent": _word,
    "referer": _word,
    "http-user": _word,
    "http-passwd": _word,
    "checksum": _checksum,
    "split": _number(1, MAX_SEGMENTS),
    "max-connection-per-server": _number(1, MAX_SEGMENTS),
    "max-download-limit": _size,
    "pause": _switch,
    "continue": _switch,
    "allow-overwrite": _switch,
    "auto-file-renaming": _switch,
    "conditional-get": _switch,
    "gid": _word,
    RETRY_OF: _word,
}
ONLY_GLOBAL: dict[str, Callable[[str], str]] = {
    "max-overall-download-limit": _size,
    "max-concurrent-downloads": _number(1, MAX_CONCURRENCY),
    "optimize-concurrent-downloads": _switch,
    "max-download-result": _number(0, 1_000_000),
}
NOT_STORED = frozenset({"pause", "gid", RETRY_OF})
"""Options of adding alone."""
STORED = frozenset(
    {
        "split",
        "max-connection-per-server",
        "continue",
        "auto-file-renaming",
        "conditional-get",
    }
)
"""Options of a download that its request does not contain."""
_SECRET = frozenset({"http-user", "http-passwd"})


def read_options(
    given: Any, known: Mapping[str, Callable[[str], str]], refuse: bool = True
) -> Options:
    """Return the options that are known, with normalized values.

    Args:
        given: a JSON object; values that are not text are ignored, as in aria2, except
            lists of headers.
        known: parsers by name.
        refuse: refuse the options in ``REFUSED``.

    Raises:
        RpcError: a value is invalid.
        Refused: an option is not allowed.
    """
    options: Options = {}
    for name, value in given.items():
        if name == "header" and isinstance(value, list):
            value = "\n".join(item for item in value if isinstance(item, str))
        if not isinstance(value, str):
            continue
        if refuse and value:
            _check_allowed(name, value)
        parse = known.get(name)
        if parse is None:
            continue
        try:
            options[name] = parse(value)
        except ValueError:
            raise bad_option(name) from None
    return options


def _check_allowed(name: str, value: str) -> None:
    reason = REFUSED.get(name)
    if name.startswith("on-"):
        reason = _PROGRAMS
    elif name == "check-certificate" and value != "true":
        reason = _TLS
    if reason is not None:
        raise Refused(f"The option '{sanitize(name, 60)}' is refused: {reason}.")


class Target(NamedTuple):
    """Where a file goes."""

    directory: str | None
    """Below the output directory, ``/``-separated; ``None`` for the directory."""
    name: str | None


async def resolve_target(options: Options, output_dir: str) -> Target:
    """Return the folder and name that ``dir`` and ``out`` choose.

    Raises:
        Refused: they are not below the output directory.
    """
    directory = name = None
    try:
        if options.get("dir"):
            relative = await asyncio.to_thread(confine, options["dir"], output_dir)
            directory = parse_folder(relative) if relative else None
        if options.get("out"):
            folder, name = parse_output_path(options["out"], "out")
            if folder is not None:
                directory = f"{directory}/{folder}" if directory else folder
                await asyncio.to_thread(confine, directory, output_dir)
    except ValueError as error:
        reason = str(error).replace("dir=", "dir").replace("out=", "out")
        raise Refused(f"dir or out is refused: {reason}.") from None
    return Target(directory, name)


def confine(text: str, output_dir: str) -> str:
    """Return a folder relative to the output directory; it touches the disk.

    Args:
        text: absolute, or relative to the output directory.
        output_dir: absolute.

    Raises:
        ValueError: it is not below the output directory, also after links are resolved.
    """
    if ".." in text.split("/") or not text.isprintable():
        raise ValueError("the folder must not contain .. or control characters")
    base = os.path.realpath(output_dir)
    path = os.path.normpath(os.path.join(output_dir, text))
    real = os.path.realpath(path)
    if real != base and not real.startswith(base.rstrip("/") + "/"):
        raise ValueError(f"the folder must be below {sanitize(output_dir, 200)}")
    is_inside = path == output_dir or path.startswith(output_dir.rstrip("/") + "/")
    relative = os.path.relpath(
        path if is_inside else real, output_dir if is_inside else base
    )
    return "" if relative == "." else relative


def read_headers(options: Options, url: str) -> tuple[tuple[str, str], ...]:
    """Return the request headers that options set.

    Args:
        options: normalized.
        url: of the download, for ``referer=*``.

    Raises:
        Refused: a header that decides which bytes come back, or not a header.
    """
    headers: list[tuple[str, str]] = []
    if options.get("user-agent"):
        headers.append(("User-Agent", options["user-agent"]))
    referer = referer_for(url, options.get("referer", ""))
    if referer:
        headers.append(("Referer", referer))
    for line in options.get("header", "").splitlines():
        if not line:
            continue
        try:
            name, value = parse_header(line)
        except ValueError as error:
            raise Refused(f"The option 'header' is refused: {error}.") from None
        headers = [pair for pair in headers if pair[0].lower() != name.lower()]
        headers.append((name, value))
    user, password = options.get("http-user", ""), options.get("http-passwd", "")
    if user and not any(name.lower() == "authorization" for name, _ in headers):
        pair = b64encode(f"{user}:{password}".encode()).decode("ascii")
        headers.append(("Authorization", f"{ANY_LOGIN} {pair}"))
    return tuple(headers)


ON_EXISTS = frozenset(
    {"allow-overwrite", "auto-file-renaming", "conditional-get", "continue"}
)
"""Options that together say what to do if the name is taken."""


def read_on_exists(options: Mapping[str, str]) -> OnExists | None:
    """Return what to do if the name is taken; ``None`` for the setting of the run.

    A part file is continued in any case, as aria2 does with its control file, except
    that ``continue=false`` starts again under a new name. Nothing is ever appended to a
    file whose beginning nobody can prove, which ``continue`` means to aria2.
    """
    if options.get("allow-overwrite") == "true":
        is_conditional = options.get("conditional-get") == "true"
        return OnExists.NEWER if is_conditional else OnExists.OVERWRITE
    continues = options.get("continue")
    if options.get("auto-file-renaming") == "false":
        return OnExists.RESUME_ONLY if continues == "true" else OnExists.FAIL
    if continues is None:
        return None
    return OnExists.RESUME if continues == "true" else OnExists.RENAME


_OF_ON_EXISTS: dict[OnExists, Options] = {
    OnExists.RESUME: {"continue": "true"},
    OnExists.RENAME: {"continue": "false"},
    OnExists.OVERWRITE: {"allow-overwrite": "true"},
    OnExists.NEWER: {"allow-overwrite": "true", "conditional-get": "true"},
    OnExists.RESUME_ONLY: {"auto-file-renaming": "false", "continue": "true"},
    OnExists.FAIL: {"auto-file-renaming": "false", "continue": "false"},
}
"""The options that ``read_on_exists`` reads the same from."""


def connections(options: Mapping[str, str], mirrors: int) -> int:
    """Return the connections per file that options ask for; 0 if they do not.

    As in aria2, ``split`` is the number for a file, and ``max-connection-per-server``
    limits it for each server.
    """
    split = int(options.get("split", 0))
    per_server = int(options.get("max-connection-per-server", 0))
    if split and per_server:
        return min(split, per_server * mirrors)
    return split or per_server


def with_secrets(request: DownloadRequest, earlier: DownloadRequest) -> DownloadRequest:
    """Add the secrets of an earlier request for the same URL to a new one.

    A client that retries a download knows its URL without the login, and its headers
    without those that may be secret.
    """
    logins = {sanitize_url(url): url for url in earlier.mirrors}
    mirrors = tuple(logins.get(url, url) for url in request.mirrors)
    if origin_of(request.url) != origin_of(earlier.url):
        return request
    given = {name.lower() for name, _ in request.headers}
    hidden = tuple(
        (name, value)
        for name, value in earlier.headers
        if may_be_secret(name) and name.lower() not in given
    )
    return request._replace(mirrors=mirrors, headers=(*request.headers, *hidden))


def shown_options(request: DownloadRequest, output_dir: str) -> Options:
    """Return the options of a request as ``addUri`` takes them, without secrets."""
    options = {"dir": os.path.join(output_dir, request.directory or "").rstrip("/")}
    if request.name is not None:
        options["out"] = request.name
    if request.on_exists is not None:
        options |= _OF_ON_EXISTS.get(request.on_exists, {})
    if request.checksum is not None:
        algorithm = request.checksum.algorithm
        if algorithm.startswith("sha"):
            algorithm = f"sha-{algorithm[3:]}"
        options["checksum"] = f"{algorithm}={request.checksum.digest}"
    lines = []
    for name, value in request.headers:
        if name.lower() in ("user-agent", "referer"):
            options[name.lower()] = value
        else:
            lines.append(f"{name}: {value}\n")
    options["header"] = "".join(lines)
    return without_secrets(options)


def without_secrets(options: Options) -> Options:
    """Return options that may be sent to clients."""
    shown = {k: v for k, v in options.items() if k not in _SECRET}
    lines = [
        f"{line}\n"
        for line in shown.pop("header", "").splitlines()
        if not may_be_secret(line.partition(":")[0])
    ]
    return shown | ({"header": "".join(lines)} if lines else {})
