"""Ask a proxy to connect to a server: CONNECT and SOCKS5.

Bytes are read exactly: what follows the proxy's reply belongs to the server, which
speaks first in no protocol that goes through here.
"""

from __future__ import annotations

from base64 import b64encode
from ipaddress import ip_address
from typing import TYPE_CHECKING, Protocol

from tui.net import errors
from tui.net.backoff import read_retry_after
from tui.net.transports.base import MAX_HEAD_BYTES
from tui.net.transports.http1.parser import (
    HeadTooLarge,
    InvalidHead,
    ResponseHead,
    find_head_end,
    parse_head,
)

if TYPE_CHECKING:
    from tui.net.routing.proxies import Proxy


class Stream(Protocol):
    """A connection to a proxy, before HTTP or TLS with the server."""

    async def send(self, data: bytes) -> None:
        """Send all of it."""
        ...

    async def receive(self) -> bytes:
        """Wait for bytes; ``b""`` at the end."""
        ...


def proxy_authorization(proxy: Proxy) -> str:
    """Return the value of Proxy-Authorization (RFC 7617), "" without credentials."""
    if not proxy.has_login:
        return ""
    login = f"{proxy.user}:{proxy.password}".encode()
    return f"Basic {b64encode(login).decode()}"


# -- CONNECT (RFC 9110 section 9.3.6) --------------------------------------------------


async def connect_through(
    stream: Stream, proxy: Proxy, host: str, port: int, user_agent: str
) -> None:
    """Ask an HTTP proxy for a tunnel to a server.

    Raises:
        FetchError: ``proxy`` or ``proxy_auth``, it refused; has the wait that it asked
            for.
        OSError: the connection to the proxy broke.
    """
    server = _authority(host, port)
    lines = [f"CONNECT {server} HTTP/1.1", f"host: {server}"]
    if user_agent:
        lines.append(f"user-agent: {user_agent}")
    if login := proxy_authorization(proxy):
        lines.append(f"proxy-authorization: {login}")
    await stream.send("\r\n".join([*lines, "", ""]).encode())
    head = await _read_response(stream, proxy)
    if not 200 <= head.status < 300:
        raise errors.proxy_refusal(
            proxy.label,
            server,
            head.status,
            has_credentials=proxy.has_login,
            retry_after_s=read_retry_after(head.header_map),
        )


async def _read_response(stream: Stream, proxy: Proxy) -> ResponseHead:
    """Return the head of the final response; nothing may follow a 2xx."""
    name = errors.proxy_name(proxy.label)
    data = b""
    try:
        while True:
            while (end := find_head_end(data)) >= 0:
                head = parse_head(data[:end])
                data = data[end:]
                if head.status >= 200:
                    if data and head.status < 300:
                        raise InvalidHead("data before the tunnel was used")
                    return head
            if len(data) > MAX_HEAD_BYTES:
                raise HeadTooLarge
            received = await stream.receive()
            if not received:
                raise errors.proxy_failure(errors.no_response(name))
            data += received
    except InvalidHead as error:
        raise errors.proxy_failure(errors.invalid_http(name, str(error))) from None
    except HeadTooLarge:
        raise errors.proxy_failure(errors.headers_too_large(name)) from None


# -- SOCKS5 (RFC 1928, passwords as in RFC 1929) ---------------------------------------

_VERSION, _LOGIN_VERSION, _CONNECT = 5, 1, 1
_NO_LOGIN, _PASSWORD, _NO_ACCEPTABLE_METHOD = 0, 2, 0xFF
_IPV4, _NAME, _IPV6 = 1, 3, 4
_REPLIES = {
    1: "general failure",
    2: "its rules forbid it",
    3: "network unreachable",
    4: "host unreachable",
    5: "connection refused",
    6: "too many hops",
    7: "the command is not supported",
    8: "the address type is not supported",
}


async def connect_through_socks(
    stream: Stream, proxy: Proxy, host: str, port: int
) -> None:
    """Ask a SOCKS5 proxy to connect to a server.

    Args:
        stream: to the proxy.
        proxy: with its credentials.
        host: a name, which the proxy resolves, or an address.
        port: of the server.

    Raises:
        FetchError: ``proxy`` or ``proxy_auth``, it refused.
        OSError: the connection to the proxy broke.
    """
    replies = _Exactly(stream, proxy)
    # Both with a login, as curl: ``ssh -D`` and others know no passwords.
    methods = (_NO_LOGIN, _PASSWORD) if proxy.has_login else (_NO_LOGIN,)
    await stream.send(bytes((_VERSION, len(methods), *methods)))
    version, chosen = await replies.read(2)
    if version != _VERSION or chosen not in (*methods, _NO_ACCEPTABLE_METHOD):
        raise errors.not_socks(proxy.label)
    if chosen == _NO_ACCEPTABLE_METHOD:
        raise errors.proxy_auth(proxy.label, has_credentials=proxy.has_login)
    if chosen == _PASSWORD:
        # Their lengths were checked when the settings were read.
        user, password = proxy.user.encode(), proxy.password.encode()
        await stream.send(
            bytes((_LOGIN_VERSION, len(user)))
            + user
            + bytes((len(password),))
            + password
        )
        _, status = await replies.read(2)
        if status:
            raise errors.proxy_auth(proxy.label, has_credentials=True)
    request = bytes((_VERSION, _CONNECT, 0)) + _socks_address(host)
    await stream.send(request + port.to_bytes(2, "big"))
    version, reply, _, kind = await replies.read(4)
    if version != _VERSION or kind not in (_IPV4, _NAME, _IPV6):
        raise errors.not_socks(proxy.label)
    if reply:
        reason = _REPLIES.get(reply, f"reply {reply}")
        server = _authority(host, port)
        raise errors.proxy_cannot_connect(proxy.label, server, f": {reason}")
    size = {_IPV4: 4, _IPV6: 16}.get(kind) or (await replies.read(1))[0]
    await replies.read(size + 2)
    if replies.has_more:
        raise errors.not_socks(proxy.label)


class _Exactly:
    """Reads replies of known sizes."""

    def __init__(self, stream: Stream, proxy: Proxy) -> None:
        self._stream = stream
        self._proxy = proxy
        self._data = b""

    @property
    def has_more(self) -> bool:
        """Whether bytes arrived that were not asked for."""
        return bool(self._data)

    async def read(self, size: int) -> bytes:
        """Return the next ``size`` bytes."""
        while len(self._data) < size:
            received = await self._stream.receive()
            if not received:
                raise errors.not_socks(self._proxy.label)
            self._data += received
        found, self._data = self._data[:size], self._data[size:]
        return found


def _socks_address(host: str) -> bytes:
    try:
        address = ip_address(host)
    except ValueError:
        name = host.encode()
        return bytes((_NAME, len(name[:255]))) + name[:255]
    return bytes((_IPV4 if address.version == 4 else _IPV6,)) + address.packed


def _authority(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
