"""Compare hosts, and find the host rule of the settings for an origin."""

from __future__ import annotations

import re
from fnmatch import translate
from functools import lru_cache
from typing import TYPE_CHECKING
from unicodedata import normalize

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tui.core.settings import HostRule


_DOTS = str.maketrans(dict.fromkeys("\u3002\uff0e\uff61", "."))
"""What may separate the labels of a host (RFC 3490, section 3.1)."""
_WILDCARDS = frozenset("*?[]")


def ascii_host(host: str) -> str:
    """Return the one form of a host, or of a pattern, in which hosts are compared.

    It is lower case and ASCII, as hosts are connected to (IDNA 2008, RFC 5890): no
    letter is replaced by similar ones, since that would be another host. A label with
    wildcards beside letters outside ASCII has no such form and stays as it is.
    """
    host = host.lower()
    if host.isascii():
        return host
    return ".".join(
        map(_ascii_label, normalize("NFC", host.translate(_DOTS)).split("."))
    )


def _ascii_label(label: str) -> str:
    if label.isascii() or not _WILDCARDS.isdisjoint(label):
        return label
    return f"xn--{label.encode('punycode').decode('ascii')}"


def rule_for(rules: Sequence[HostRule], origin: str) -> HostRule | None:
    """Return the first rule that matches ``origin``, or ``None``.

    Args:
        rules: in the order of the settings.
        origin: ``scheme://host`` or ``scheme://host:port``, as ``origin_of`` gives it;
            without a port, the default port of the scheme counts.
    """
    for rule in rules:
        if matches(rule.pattern, origin):
            return rule
    return None


def matches(pattern: str, origin: str) -> bool:
    """Return True if a pattern, ``HOST`` or ``HOST:PORT``, matches ``origin``."""
    scheme, _, authority = origin.lower().partition("://")
    host, port = split_port(authority)
    wanted_host, wanted_port = split_port(pattern.lower())
    if wanted_port and wanted_port != (port or ("443" if scheme == "https" else "80")):
        return False
    if _compiled(wanted_host).match(host.removesuffix(".")) is not None:
        return True
    if host.isascii() and wanted_host.isascii():
        return False
    pattern, host = ascii_host(wanted_host), ascii_host(host).removesuffix(".")
    return _compiled(pattern).match(host) is not None


def names_a_host(pattern: str) -> bool:
    """Return True if a pattern names hosts, and does not match all of them (``*``)."""
    return any(letter.isalnum() for letter in split_port(pattern)[0])


def split_port(authority: str) -> tuple[str, str]:
    """Split ``host:port`` or ``[v6]:port``; the port is "" if it is missing."""
    host, colon, port = authority.rpartition(":")
    if not colon or "]" in port or (":" in host and not host.endswith("]")):
        host, port = authority, ""
    return host.removeprefix("[").removesuffix("]"), port


@lru_cache(1024)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(translate(pattern))
