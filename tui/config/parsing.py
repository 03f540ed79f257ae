"""Texts with a form of their own: headers, proxies, references to secrets, rules."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

from tui.core.settings import FolderRule
from tui.core.text.plain_text import plain

# RFC 9110, 5.1 and 5.5: a token, and anything printable.
_HEADER = re.compile(
    r"([!#$%&'*+.^_`|~0-9A-Za-z-]+)\s*:\s*([^\x00-\x08\x0a-\x1f\x7f]*)"
)
SECRET_HEADERS = frozenset(
    ("authorization", "proxy-authorization", "cookie", "x-api-key", "x-auth-token")
)
_PROXIES = ("http", "https", "socks5", "socks5h")
_REFERENCE = re.compile(r"(env:[A-Za-z_][A-Za-z0-9_]*|file:.+|keyring:.+|netrc|ask)")
REFERENCES = "env:NAME, file:PATH, keyring:SERVICE, netrc or ask"
"""How to say where a secret is."""


def parse_header(text: str) -> tuple[str, str]:
    """Read ``Name: value``.

    Raises:
        ValueError: it is none; the message does not repeat it.
    """
    match = _HEADER.fullmatch(text.strip())
    if match is None:
        # The value may be a secret, so the message does not repeat it.
        raise ValueError("write a header as 'Name: value', on one line")
    return match[1], match[2]


def parse_proxy(text: str) -> str:
    """Read ``SCHEME://[USER[:PASSWORD]@]HOST:PORT`` or ``direct``.

    Raises:
        ValueError: it is none; the message does not repeat a password.
    """
    if text in ("direct", ""):
        return text
    form = "write it as http://HOST:PORT or socks5://HOST:PORT, or as direct for none"
    candidate = text if "://" in text else f"http://{text}"
    try:
        parts = urlsplit(candidate)
        has_host = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        has_host = False
    else:
        if parts.scheme not in _PROXIES:
            raise ValueError(
                f"a proxy by {plain(parts.scheme, 20)} is not known; it can be"
                f" {', '.join(_PROXIES)}, or direct for none"
            )
        if parts.path.strip("/") or parts.query or parts.fragment:
            has_host = False
    if not has_host or not candidate.isascii() or not candidate.isprintable():
        raise ValueError(f"this is no address of a proxy; {form}")
    return candidate.rstrip("/")


def parse_reference(text: str) -> str:
    """Read where a secret is to be found.

    Raises:
        ValueError: it is no reference; the message does not repeat it, since it may
            be the secret itself.
    """
    if _REFERENCE.fullmatch(text) is None or not text.isprintable():
        raise ValueError(f"say where the secret is: {REFERENCES}")
    return text


def parse_user(text: str) -> str:
    """Read a name to log in with, and perhaps ``:PASSWORD`` behind it."""
    if not text.partition(":")[0] or not text.isprintable():
        raise ValueError("write the name to log in with, without control characters")
    return text


def parse_interface(text: str) -> str:
    """Read the name of an interface, or an address to connect from."""
    if not re.fullmatch(r"[0-9A-Za-z][0-9A-Za-z.:_%@-]{0,63}|::.*", text):
        raise ValueError(
            "name an interface such as eth0, or an address of this machine"
        )
    return text


def parse_pin(text: str) -> tuple[str, int, str]:
    """Read ``HOST:PORT:ADDRESS`` as curl's ``--resolve`` takes it; ``*`` for all ports.

    Raises:
        ValueError: a part is missing or makes no sense.
    """
    form = "write it as HOST:PORT:ADDRESS, such as example.org:443:192.0.2.7"
    host, _, rest = text.partition(":")
    port, separator, address = rest.partition(":")
    if not host or not separator or not re.fullmatch(r"[0-9]{1,5}|\*", port):
        raise ValueError(f"{plain(text, 80)!r} is no pin; {form}")
    number = 0 if port == "*" else int(port)
    if number > 65535:
        raise ValueError(f"port {number} does not exist; {form}")
    try:
        found = ipaddress.ip_address(address.strip("[]"))
    except ValueError:
        raise ValueError(f"{plain(address, 60)!r} is no address; {form}") from None
    return host.lower(), number, str(found)


def parse_folder(text: str) -> FolderRule:
    """Read ``PATTERN=DIR``, such as ``*.iso=images``.

    Raises:
        ValueError: a part is missing, or the directory is not below another one.
    """
    pattern, separator, directory = text.partition("=")
    if not separator:
        raise ValueError(
            f"{plain(text, 80)!r} is no rule; write it as PATTERN=DIR, such as"
            " '*.iso=images'"
        )
    return folder_rule(pattern.strip(), directory.strip())


def folder_rule(pattern: str, directory: str) -> FolderRule:
    """Make a rule.

    Raises:
        ValueError: the directory leaves the output directory, or a part is empty.
    """
    if not pattern.isprintable():
        raise ValueError("the pattern has control characters; take them away")
    try:
        return FolderRule(pattern, directory)
    except ValueError as error:
        raise ValueError(f"{plain(directory, 80)!r}: {error}") from None


def has_password(proxy: str) -> bool:
    """Whether the address of a proxy holds a password."""
    return urlsplit(proxy).password is not None if "@" in proxy else False


def is_secret_header(name: str) -> bool:
    """Whether the value of a header is usually a secret."""
    return name.lower() in SECRET_HEADERS
