"""Keeps web pages away: checks Host and Origin of every request before anything else.

Any page that the user visits can send requests to 127.0.0.1, also without permission
(a form, an image, ``fetch`` with ``text/plain``), and after DNS rebinding its requests
even look as if they came from its own origin (CVE-2018-5702). So the host must be this
machine, and requests of pages must come from a page of this server.
"""

from __future__ import annotations

import socket
from ipaddress import ip_address
from typing import TYPE_CHECKING

from tui.core.text.sanitize import sanitize
from tui.rpc.config import bracketed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from starlette.types import ASGIApp, Receive, Scope, Send

_CROSS_SITE = frozenset({"cross-site", "same-site"})
"""Values of Sec-Fetch-Site that browsers send for requests of other pages."""
_FORBIDDEN = 403


class Guard:
    """ASGI middleware that refuses requests by their headers."""

    def __init__(
        self,
        app: ASGIApp,
        host: str,
        origins: Iterable[str],
        on_refused: Callable[[str, str], None],
    ) -> None:
        """Protect an application.

        Args:
            app: receives what is allowed.
            host: the name or address that the server listens on.
            origins: origins of other pages that are allowed.
            on_refused: receives the client's address and the reason.
        """
        self._app = app
        self._names = {"localhost", host.lower()}
        name = socket.gethostname().lower()
        if name:
            self._names |= {name, f"{name.partition('.')[0]}.local"}
        self._origins = {origin.lower().rstrip("/") for origin in origins}
        self._on_refused = on_refused

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer it with 403."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope)
        reason = self.why_refused(headers)
        if not reason:
            scope["fetchtui.origin"] = self.allowed_origin(headers)
            await self._app(scope, receive, send)
            return
        self._on_refused(client_of(scope), reason)
        await _forbid(scope, receive, send, reason)

    def why_refused(self, headers: Headers) -> str:
        """Return why a request is refused; "" if it is not."""
        hosts = headers.all("host")
        if len(hosts) != 1 or not self._is_this_machine(hosts[0]):
            name = sanitize(hosts[0], 100) if hosts else "none"
            return f"the Host header names another machine ({name})"
        origins = headers.all("origin")
        if len(origins) > 1:
            return "it has several Origin headers"
        if origins:
            origin = origins[0].lower()
            if origin not in {f"http://{hosts[0].lower()}", *self._origins}:
                return f"it comes from a page of {sanitize(origin, 200)}"
        elif headers.first("sec-fetch-site") in _CROSS_SITE:
            return "it comes from a page of another site"
        return ""

    def allowed_origin(self, headers: Headers) -> str:
        """Return the origin to name in Access-Control-Allow-Origin; "" for none."""
        origin = headers.first("origin")
        return origin if origin.lower() in self._origins else ""

    def _is_this_machine(self, host: str) -> bool:
        """Return True for names of this machine, and for every address.

        A page cannot be loaded from an address that is not its server's, so addresses
        need no check.
        """
        name, port = _split_port(host.lower())
        if port and not (port.isascii() and port.isdecimal()):
            return False
        if name in self._names:
            return True
        try:
            ip_address(name.strip("[]"))
        except ValueError:
            return False
        return name.strip("[]") == name or bracketed(name.strip("[]")) == name


class Headers:
    """The headers of a request, with lower-case names."""

    def __init__(self, scope: Scope) -> None:
        self._pairs = [
            (name.decode("latin-1").lower(), value.decode("latin-1").strip())
            for name, value in scope["headers"]
        ]

    def all(self, name: str) -> list[str]:
        """Return all values of a header."""
        return [value for key, value in self._pairs if key == name]

    def first(self, name: str) -> str:
        """Return the first value of a header; "" if it is missing."""
        return next((value for key, value in self._pairs if key == name), "")


def client_of(scope: Scope) -> str:
    """Return the address of the client, without its port, for the log."""
    client = scope.get("client")
    return str(client[0]) if client else "unknown"


def _split_port(host: str) -> tuple[str, str]:
    if host.startswith("["):
        name, _, port = host.partition("]")
        return f"{name}]", port.removeprefix(":")
    name, _, port = host.partition(":")
    return name, port


async def _forbid(scope: Scope, receive: Receive, send: Send, reason: str) -> None:
    body = f"Refused: {reason}.\n".encode("utf-8", "replace")
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),
    ]
    prefix = "http" if scope["type"] == "http" else "websocket.http"
    if scope["type"] == "websocket":
        await receive()  # websocket.connect
    start = {"status": _FORBIDDEN, "headers": headers}
    await send({"type": f"{prefix}.response.start", **start})
    await send({"type": f"{prefix}.response.body", "body": body})
