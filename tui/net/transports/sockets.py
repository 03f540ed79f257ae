"""Open TCP connections along a route, for every transport."""

from __future__ import annotations

import asyncio
import errno
import socket
import sys
from ipaddress import ip_address
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tui.net.routing.router import Route
    from tui.net.transports.early_connections import (
        Address,
        EarlyConnections,
        OpeningSocket,
    )

_HEAD_START_S = 0.25
"""Time that an address gets before the next one is tried as well (RFC 8305 section 8).
"""
_IP_BOUND_IF, _IPV6_BOUND_IF = 25, 125
"""Socket options of macOS (``netinet/in.h``)."""
_BIND_ERRORS = (errno.EADDRNOTAVAIL, errno.EPERM, errno.ENODEV, errno.EACCES)


class NoMatchingAddress(Exception):
    """The host has no address of the chosen IP version."""


class CannotBind(Exception):
    """The chosen interface or local address cannot be used; ``str()`` says why."""


class SocketConnector:
    """Connects to hosts as a route says: pins, local address, interface, IP version."""

    def __init__(self, route: Route, early: EarlyConnections | None = None) -> None:
        """Prepare to connect along a route.

        Args:
            route: to the hosts.
            early: connections that are being opened along it.
        """
        self._early = early
        self._pins = dict(route.pins)
        self._interface = route.interface
        self._family = socket.AF_UNSPEC
        self._local: list[Address] = []
        if route.local_address:
            address = ip_address(route.local_address)
            is_6 = address.version == 6
            self._family = socket.AF_INET6 if is_6 else socket.AF_INET
            if not address.is_unspecified:
                kind = (self._family, socket.SOCK_STREAM, 0, "")
                self._local = [(*kind, (str(address), 0))]

    async def connect(self, host: str, port: int) -> socket.socket:
        """Connect to a host that may have several addresses (RFC 8305).

        Raises:
            NoMatchingAddress, CannotBind: the route does not lead to the host.
            OSError: no address accepted; if they failed in different ways, it has no
                errno and the messages of all. ``socket.gaierror`` if the name has no
                address.
        """
        opening = self._early.take(host, port) if self._early is not None else None
        if opening is not None:
            return await self._continue(opening, host, port)
        return await self._open_new(host, port)

    async def _continue(
        self, opening: OpeningSocket, host: str, port: int
    ) -> socket.socket:
        """Wait for a connection, and make another one if it fails or takes long."""
        loop = asyncio.get_running_loop()
        attempts = [
            asyncio.ensure_future(_connect(loop, opening.address, opening.sock))
        ]
        winner: asyncio.Task[socket.socket] | None = None
        try:
            wait_s = max(0.0, opening.since_s + _HEAD_START_S - loop.time())
            await asyncio.wait(
                attempts, timeout=None if opening.is_only_address else wait_s
            )
            if not _has_connected(attempts[0]):
                attempts.append(asyncio.ensure_future(self._open_new(host, port)))
                await asyncio.wait(attempts, return_when=asyncio.FIRST_COMPLETED)
            if not any(map(_has_connected, attempts)):
                await asyncio.wait(attempts)
            winner = next(filter(_has_connected, attempts), attempts[-1])
            return winner.result()
        finally:
            for attempt in attempts:
                if attempt is not winner:
                    attempt.cancel()
                    attempt.add_done_callback(_close_socket)

    async def _open_new(self, host: str, port: int) -> socket.socket:
        loop = asyncio.get_running_loop()
        found = await self._resolve(host, port)
        if len(found) == 1 and not (self._local or self._interface):
            opened = socket.socket(*found[0][:3])
            opened.setblocking(False)
            return await _connect(loop, found[0], opened)
        # Late: 4 ms to load.
        from aiohappyeyeballs import start_connection

        try:
            return await start_connection(
                found,
                local_addr_infos=self._local or None,
                happy_eyeballs_delay=_HEAD_START_S,
                interleave=1,
                loop=loop,
                socket_factory=self._open if self._interface else None,
            )
        except OSError as error:
            is_bound = bool(self._local or self._interface)
            if is_bound and error.errno in _BIND_ERRORS:
                raise CannotBind(errno.errorcode.get(error.errno or 0, "")) from None
            raise

    async def address_of(self, host: str, port: int) -> str:
        """Return the first address of a host, for proxies that do not resolve names.

        Raises:
            NoMatchingAddress, OSError: as ``connect``.
        """
        address: str = (await self._resolve(host, port))[0][4][0]
        return address

    async def _resolve(self, host: str, port: int) -> list[Address]:
        host = self._pins.get(host.lower().removesuffix("."), host)
        found = await asyncio.get_running_loop().getaddrinfo(
            host, port, type=socket.SOCK_STREAM
        )
        if self._family is not socket.AF_UNSPEC:
            found = [one for one in found if one[0] == self._family]
            if not found:
                raise NoMatchingAddress
        return found  # type: ignore[return-value]

    def _open(self, address: Address) -> socket.socket:
        """Return a socket of the interface."""
        family, kind, protocol, *_ = address
        opened = socket.socket(family, kind, protocol)
        try:
            if sys.platform == "linux":
                name = self._interface.encode() + b"\0"
                opened.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, name)
            else:
                index = socket.if_nametoindex(self._interface)
                if family == socket.AF_INET6:
                    opened.setsockopt(socket.IPPROTO_IPV6, _IPV6_BOUND_IF, index)
                else:
                    opened.setsockopt(socket.IPPROTO_IP, _IP_BOUND_IF, index)
        except OSError:
            opened.close()
            raise
        return opened


async def _connect(
    loop: asyncio.AbstractEventLoop, address: Address, opened: socket.socket
) -> socket.socket:
    """Connect a socket, or wait until it is connected; closed if that fails."""
    host, *others = address[4]
    try:
        # In bytes: for text, uvloop loads what encodes international names, in 1 ms.
        await loop.sock_connect(opened, (host.encode("ascii"), *others))
    except BaseException as error:
        # macOS reports this for a socket that has connected meanwhile.
        if isinstance(error, OSError) and error.errno == errno.EISCONN:
            return opened
        opened.close()
        raise
    return opened


def _has_connected(attempt: asyncio.Task[socket.socket]) -> bool:
    return attempt.done() and not attempt.cancelled() and attempt.exception() is None


def _close_socket(attempt: asyncio.Task[socket.socket]) -> None:
    if _has_connected(attempt):
        attempt.result().close()
