"""Parsers for text with its own syntax: headers, proxies, credentials, rules."""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from tui.core.quick.pattern import late_pattern
from tui.core.request import without_logins
from tui.core.rules.secret_headers import may_be_secret
from tui.core.settings import COLUMNS, FolderRule, Login, Scheme
from tui.core.text.sanitize import sanitize

if TYPE_CHECKING:
    from collections.abc import Mapping

# RFC 9110, sections 5.1 and 5.5: a token, then anything printable.
_HEADER = late_pattern(
    r"([!#$%&'*+.^_`|~0-9A-Za-z-]+)\s*:\s*([^\x00-\x08\x0a-\x1f\x7f]*)"
)
_PROXIES = ("http", "https", "socks5", "socks5h")
_REFERENCE = late_pattern(r"(env:[A-Za-z_][A-Za-z0-9_]*|file:.+|keyring:.+|netrc|ask)")
LOOPBACK = "127.0.0.1"
"""Where the remote control listens if only a port is given."""
REFERENCES = "env:NAME, file:PATH, keyring:SERVICE, netrc or ask"
"""The ways to refer to a secret."""


def parse_header(text: str) -> tuple[str, str]:
    """Parse ``Name: value``.

    Raises:
        ValueError: invalid header; the message does not quote it.
    """
    match = _HEADER.fullmatch(text.strip())
    if match is None:
        # The value may be a secret, so the message does not quote it.
        raise ValueError("write a header as 'Name: value', on one line")
    return match[1], match[2]


def parse_header_value(text: str) -> str:
    """Check the value of a header.

    Raises:
        ValueError: it has a line break or another control character.
    """
    return parse_header(f"X: {text}")[1]


def parse_referer(text: str) -> str:
    """Check the URL of a Referer header.

    Raises:
        ValueError: it contains a login, which must not be sent (RFC 9110, section
            10.1.3), or a control character.
    """
    value = parse_header_value(text)
    if without_logins(value) != value:
        raise ValueError("leave out user and password; they must not be sent")
    return value


def parse_column(text: str) -> str:
    """Check the name of a column of the dashboard's list."""
    if text not in COLUMNS:
        raise ValueError(f"{sanitize(text, 40)!r} is not one of {', '.join(COLUMNS)}")
    return text


def parse_proxy(text: str) -> str:
    """Parse ``SCHEME://[USER[:PASSWORD]@]HOST:PORT`` or ``direct``.

    Raises:
        ValueError: invalid address; the message does not quote a password.
    """
    if text in ("direct", ""):
        return text
    form = "write http://HOST:PORT or socks5://HOST:PORT, or direct for no proxy"
    candidate = text if "://" in text else f"http://{text}"
    try:
        parts = urlsplit(candidate)
        has_host = bool(parts.hostname) and (parts.port is None or parts.port > 0)
        if "://" not in text and parts.port is None:
            has_host = False  # a word is more likely a mistake than a host
    except ValueError:
        has_host = False
    else:
        if parts.scheme not in _PROXIES:
            raise ValueError(
                f"unknown proxy scheme {sanitize(parts.scheme, 20)!r}; use"
                f" {', '.join(_PROXIES)}, or direct for no proxy"
            )
        if parts.path.strip("/") or parts.query or parts.fragment:
            has_host = False
    if not has_host or not candidate.isascii() or not candidate.isprintable():
        raise ValueError(f"not a valid proxy address; {form}")
    return candidate.rstrip("/")


def parse_reference(text: str) -> str:
    """Parse a reference to a secret.

    Raises:
        ValueError: not a reference; the message does not quote it, since it may be the
            secret itself.
    """
    if _REFERENCE.fullmatch(text) is None or not text.isprintable():
        raise ValueError(f"must say where to read the secret from: {REFERENCES}")
    return text


def parse_listen(text: str) -> str:
    """Parse ``PORT``, ``HOST:PORT`` or ``[ADDRESS]:PORT``; return it with the host.

    Raises:
        ValueError: not an address to listen on.
    """
    host, colon, port = text.rpartition(":")
    host = host.strip() or ("" if colon else LOOPBACK)
    if not port.isascii() or not port.isdecimal() or int(port[:6]) > 65535:
        raise ValueError("must be a port from 0 to 65535, or HOST:PORT")
    if host.startswith("["):
        try:
            ipaddress.IPv6Address(host[1:-1])
        except ValueError:
            raise ValueError("the IPv6 address in [] is not valid") from None
    elif not re.fullmatch(r"[0-9A-Za-z]([0-9A-Za-z.-]{0,252}[0-9A-Za-z])?", host):
        raise ValueError("write HOST:PORT, and an IPv6 address in brackets")
    return f"{host}:{int(port)}"


def parse_origin(text: str) -> str:
    """Parse an origin such as ``https://example.org`` or ``chrome-extension://ID``."""
    if not re.fullmatch(r"[a-z][a-z+.-]*://[0-9A-Za-z.:_\[\]-]+/?", text):
        raise ValueError("must be an origin such as https://example.org")
    return text.rstrip("/")


def parse_user(text: str) -> str:
    """Parse a user name, optionally followed by ``:PASSWORD``."""
    if not text.partition(":")[0] or not text.isprintable():
        raise ValueError("must be a user name without control characters")
    return text


def parse_interface(text: str) -> str:
    """Parse the name of a network interface, or a local address."""
    if not re.fullmatch(r"[0-9A-Za-z][0-9A-Za-z.:_%@-]{0,63}|::.*", text):
        raise ValueError("must be an interface such as eth0, or a local address")
    return text


def parse_pin(text: str) -> tuple[str, int, str]:
    """Parse ``HOST:PORT:ADDRESS``, as for curl's ``--resolve``; ``*`` is any port.

    Raises:
        ValueError: a part is missing or invalid.
    """
    form = "write HOST:PORT:ADDRESS, such as example.org:443:192.0.2.7"
    host, _, rest = text.partition(":")
    port, separator, address = rest.partition(":")
    if not host or not separator or not re.fullmatch(r"[0-9]{1,5}|\*", port):
        raise ValueError(f"{sanitize(text, 80)!r} is not valid; {form}")
    number = 0 if port == "*" else int(port)
    if host == "*":
        # curl reads it as every host; here, no host would have that name.
        raise ValueError(f"* is for ports only; {form}")
    if number > 65535:
        raise ValueError(f"port {number} is out of range; {form}")
    try:
        found = ipaddress.ip_address(address.strip("[]"))
    except ValueError:
        raise ValueError(
            f"{sanitize(address, 60)!r} is not an address; {form}"
        ) from None
    return host.lower(), number, str(found)


def parse_folder(text: str) -> FolderRule:
    """Parse ``PATTERN=DIR``, such as ``*.iso=images``.

    Raises:
        ValueError: a part is missing, or the directory is outside the output directory.
    """
    pattern, separator, directory = text.partition("=")
    if not separator:
        raise ValueError(
            f"{sanitize(text, 80)!r} is not a rule; write PATTERN=DIR, such as"
            " '*.iso=images'"
        )
    return folder_rule(pattern.strip(), directory.strip())


def folder_rule(pattern: str, directory: str) -> FolderRule:
    """Build a folder rule.

    Raises:
        ValueError: the directory is outside the output directory, or a part is empty.
    """
    if not pattern.isprintable():
        raise ValueError("the pattern contains control characters; remove them")
    try:
        return FolderRule(pattern, directory)
    except ValueError as error:
        raise ValueError(f"{sanitize(directory, 80)!r}: {error}") from None


def has_password(proxy: str) -> bool:
    """Return True if a proxy address contains a password."""
    return urlsplit(proxy).password is not None if "@" in proxy else False


def is_secret_header(name: str) -> bool:
    """Return True if a header's value is usually a secret."""
    return may_be_secret(name)


def make_login(values: Mapping[str, Any], prefix: str = "") -> Login | None:
    """Build a login from ``user``, ``password-from``, ``auth`` and ``bearer-from``.

    Args:
        values: settings by key; a missing or empty value counts as unset.
        prefix: ``proxy-`` for the proxy's login.

    Returns:
        The login, or ``None`` if nothing is set. Its secret is ``ask`` if only the user
        name is set.

    Raises:
        ValueError: the settings contradict each other; the message says how to fix it.
    """
    user = values.get(f"{prefix}user") or ""
    reference = values.get(f"{prefix}password-from") or ""
    bearer = "" if prefix else values.get("bearer-from") or ""
    if bearer:
        if user or reference:
            raise ValueError("bearer-from and user cannot be combined; remove one")
        return Login("", bearer, Scheme.BEARER)
    name, separator, password = user.partition(":")
    if reference and separator:
        raise ValueError(
            f"{prefix}user contains a password, so {prefix}password-from must not be"
            " set; remove one"
        )
    if reference and not name and reference != "netrc":
        raise ValueError(f"{prefix}password-from needs a user name; add {prefix}user")
    if not name and not reference:
        return None
    scheme = Scheme.BASIC if prefix else Scheme(values.get("auth") or "auto")
    secret = f"text:{password}" if separator else reference or "ask"
    return Login(name, secret, scheme)


def split_proxy(proxy: str) -> tuple[str, str]:
    """Split the credentials off a proxy address.

    Returns:
        The address without a password, and ``NAME:PASSWORD`` ("" if it has none).
    """
    if "@" not in proxy:
        return proxy, ""
    parts = urlsplit(proxy)
    if parts.password is None:
        return proxy, ""
    user = unquote(parts.username or "")
    bare = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
    return bare, f"{user}:{unquote(parts.password)}"
