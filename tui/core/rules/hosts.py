"""Which rule of the settings holds for an origin."""

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
            a port that is absent is the scheme's own.
    """
    for rule in rules:
        if matches(rule.pattern, origin):
            return rule
    return None


def matches(pattern: str, origin: str) -> bool:
    """Whether a rule's pattern, ``HOST`` or ``HOST:PORT``, is about ``origin``."""
    scheme, _, authority = origin.lower().partition("://")
    host, port = split_port(authority)
    wanted_host, wanted_port = split_port(pattern.lower())
    if wanted_port and wanted_port != (port or ("443" if scheme == "https" else "80")):
        return False
    return _compiled(wanted_host).match(host.removesuffix(".")) is not None


def names_a_host(pattern: str) -> bool:
    """Whether a pattern is about some hosts, and not about any there is (``*``)."""
    return any(letter.isalnum() for letter in split_port(pattern)[0])


def split_port(authority: str) -> tuple[str, str]:
    """Part ``host:port`` or ``[v6]:port``; the port is "" where there is none."""
    host, colon, port = authority.rpartition(":")
    if not colon or "]" in port or (":" in host and not host.endswith("]")):
        host, port = authority, ""
    return host.removeprefix("[").removesuffix("]"), port


@lru_cache(1024)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(translate(pattern))
