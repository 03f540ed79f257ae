"""Find the host rule of the settings for an origin."""

from __future__ import annotations

import re
from fnmatch import translate
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tui.core.settings import HostRule


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
    return _compiled(wanted_host).match(host.removesuffix(".")) is not None


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
