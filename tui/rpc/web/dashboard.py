"""The dashboard in a browser: Textual's web driver behind the secret of the RPC.

Each page runs ``fetchtui attach`` in a process of its own, so a page that hangs
cannot slow the downloads. Browsers send the secret as a password (RFC 7617) to
this origin only; unlike cookies, which all ports of a host share.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hmac
import shlex
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.responses import PlainTextResponse

from tui.core.rules.child_python import module_command
from tui.rpc.dispatch import UNAUTHORIZED_DELAY_S
from tui.rpc.web.guard import Headers, client_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.types import ASGIApp, Receive, Scope, Send

MAX_PAGES = 4
"""Dashboards that are open at the same time; each takes about 60 MB."""
_NO_PROCESS = """\
This is the remote control of fetchtui, for clients of aria2 (fetchtui help rpc).

To see the dashboard here, run the downloads in a background process:
fetchtui -b --rpc PORT
To use a web client such as AriaNg instead, add --rpc-ui DIR.
"""
_NO_LIBRARY = """\
To see the dashboard here, install fetchtui[web], for example with
pipx install 'fetchtui[rpc,web]', and restart fetchtui.
"""


class BrowserDashboard:
    """ASGI application for all paths but /jsonrpc."""

    def __init__(
        self,
        process_name: str,
        secret: str,
        on_refused: Callable[[str, str], None],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Show the dashboard of a background process.

        Args:
            process_name: its name; "" if there is no such process.
            secret: the password of the page.
            on_refused: receives the client's address and the reason of each refusal.
            sleep: waits some seconds.
        """
        self._process_name = process_name
        self._secret = secret.encode()
        self._on_refused = on_refused
        self._sleep = sleep
        self._app: ASGIApp | None = None
        self._pages = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, once the browser has sent the secret."""
        if scope["type"] == "websocket":
            await self._serve_page(scope, receive, send)
            return
        if not self._process_name:
            await PlainTextResponse(_NO_PROCESS, 404)(scope, receive, send)
        elif not self._is_authorized(scope):
            if Headers(scope).first("authorization"):
                self._on_refused(client_of(scope), "Unauthorized")
                await self._sleep(UNAUTHORIZED_DELAY_S)
            challenge = {"www-authenticate": 'Basic realm="fetchtui", charset="UTF-8"'}
            answer = PlainTextResponse(
                "Enter the secret as password.\n", 401, challenge
            )
            await answer(scope, receive, send)
        elif not _is_installed():
            await PlainTextResponse(_NO_LIBRARY, 501)(scope, receive, send)
        else:
            await self._loaded()(scope, receive, send)

    async def _serve_page(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Connect a page to a dashboard of its own."""
        reason = ""
        if not self._process_name or not self._is_authorized(scope):
            reason = "Unauthorized"
        elif not _is_installed():
            reason = "fetchtui[web] is not installed"
        elif self._pages >= MAX_PAGES:
            reason = f"more than {MAX_PAGES} dashboards are open"
        if reason:
            self._on_refused(client_of(scope), reason)
            await receive()  # websocket.connect
            await send({"type": "websocket.close", "code": 1008})
            return
        self._pages += 1
        try:
            await self._loaded()(scope, receive, send)
        finally:
            self._pages -= 1

    def _loaded(self) -> ASGIApp:
        """Return the application of textual-serve, which is imported at first use."""
        if self._app is None:
            from textual_serve_asgi import Server

            words = module_command("tui", "attach", self._process_name)
            # Its own page loads a font from another server.
            server = Server(
                shlex.join(words),
                title="fetchtui",
                templates_path=Path(__file__).parent,
            )
            app: ASGIApp = server.asgi_app
            self._app = app
        return self._app

    def _is_authorized(self, scope: Scope) -> bool:
        kind, _, pair = Headers(scope).first("authorization").partition(" ")
        if kind.lower() != "basic":
            return False
        try:
            _, _, password = base64.b64decode(pair.strip(), validate=True).partition(
                b":"
            )
        except (binascii.Error, ValueError):
            return False
        return hmac.compare_digest(password, self._secret)


def _is_installed() -> bool:
    return find_spec("textual_serve_asgi") is not None
