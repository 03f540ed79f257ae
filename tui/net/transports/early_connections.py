"""Connections to the first host of a run, opened while the engine is being loaded.

Loading takes 50 ms, and connecting to a far server a round trip: one hides behind the
other. Only connections that the first downloads open in any case are opened early, and
only where nothing but the URL decides how.
"""

from __future__ import annotations

import os
import resource
import socket
import sys
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from tui.core.errors import LocalError
from tui.core.quick.named_tuple import NamedTuple
from tui.core.request import origin_of
from tui.core.rules.hosts import rule_for, split_port
from tui.net.routing.proxies import ProxyResolver

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from tui.core.settings import Settings

    Address = tuple[int, int, int, str, tuple[Any, ...]]
    """As from ``getaddrinfo``."""

MOST = 16
"""Connections at most."""
_FOR_LOADING = 32
"""Descriptors that are left for loading and for the event loop."""
KEEPALIVE_S = 4.0
"""Unused connections, early ones and idle ones alike, are closed before common servers
close them (Node and Apache after 5 s): a request into a connection that has just closed
fails as ``reset``."""


class OpeningSocket(NamedTuple):
    """A socket whose connection is being made."""

    sock: socket.socket
    """Not blocking."""
    address: Address
    since_s: float
    """Monotonic time at which it began."""
    is_only_address: bool
    """The host has no other one."""


class EarlyConnections:
    """Connections that a thread opens, until a session takes them."""

    def __init__(self, host: str, port: int, count: int) -> None:
        """Begin to open ``count`` connections to the first address of a host."""
        self._host, self._port = host, port
        self._lock = threading.Lock()
        self._opening: list[OpeningSocket] = []
        self._is_closed = False
        # A name that is not resolved soon must not keep the program from ending.
        threading.Thread(target=self._open, args=(count,), daemon=True).start()

    def take(self, host: str, port: int) -> OpeningSocket | None:
        """Return a connection to this host, if there is one; the caller closes it.

        If there is none, no more are opened: the caller opens what it needs.
        """
        if (host, port) != (self._host, self._port):
            return None
        with self._lock:
            if (
                self._opening
                and time.monotonic() < self._opening[-1].since_s + KEEPALIVE_S
            ):
                return self._opening.pop()
        self.close()
        return None

    def close(self) -> None:
        """Close what was not taken, and open no more. Safe to call twice."""
        with self._lock:
            self._is_closed = True
            for opening in self._opening:
                opening.sock.close()
            self._opening.clear()

    def _open(self, count: int) -> None:
        # The session connects again, and reports why that fails.
        with suppress(OSError, UnicodeError):
            # In bytes: for text, Python loads what encodes international names.
            host = self._host.encode("ascii")
            found = socket.getaddrinfo(host, self._port, type=socket.SOCK_STREAM)
            for _ in range(count):
                self._open_one(found[0], is_only_address=len(found) == 1)

    def _open_one(self, address: Address, *, is_only_address: bool) -> None:
        family, kind, protocol, _, target = address
        sock = socket.socket(family, kind, protocol)
        sock.setblocking(False)
        sock.connect_ex(target)
        with self._lock:
            if self._is_closed:
                sock.close()
            else:
                now_s = time.monotonic()
                self._opening.append(
                    OpeningSocket(sock, address, now_s, is_only_address)
                )


def open_early(
    settings: Settings, urls: Sequence[str], remembered: Mapping[str, int]
) -> EarlyConnections | None:
    """Begin to connect to the host of the first URL, unless settings say how.

    Args:
        settings: of the run.
        urls: of the downloads that start first.
        remembered: connections that hosts accepted before, by origin.

    Returns:
        No more connections than these downloads open. ``None`` for none: a proxy, a
        local address, a pin or HTTP/2 are left to the session.
    """
    if not urls or settings.interface or settings.ip_version or settings.resolve:
        return None
    if settings.http2 or settings.http_backend not in ("", "http1"):
        return None
    origin = origin_of(urls[0])
    try:
        if ProxyResolver(settings, os.environ).proxy_for(origin) is not None:
            return None
    except LocalError:
        return None  # the engine reports it
    if not origin.isascii():
        return None
    rule = rule_for(settings.hosts, origin)
    most = min(MOST, _descriptors() - _FOR_LOADING)
    if most < 1:
        return None
    limits = (
        most,
        sum(origin_of(url) == origin for url in urls),
        (rule.cap if rule is not None else 0) or settings.per_host,
        remembered.get(origin, 0),
    )
    scheme, _, authority = origin.partition("://")
    host, port = split_port(authority)
    number = int(port) if port.isdecimal() else 443 if scheme == "https" else 80
    return EarlyConnections(host, number, min(filter(None, limits)))


def _descriptors() -> int:
    """Return how many files and sockets this process may have open."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return sys.maxsize if soft == resource.RLIM_INFINITY else soft
