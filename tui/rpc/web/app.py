"""The web application: JSON-RPC on /jsonrpc, and pages below /."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles

from tui.rpc.web.guard import Guard, client_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request
    from starlette.routing import BaseRoute
    from starlette.types import ASGIApp, Scope

    from tui.rpc.config import RpcConfig
    from tui.rpc.dispatch import Dispatcher, Reply
    from tui.rpc.web.sockets import Sockets

MAX_BODY = 2 << 20
"""Bytes of a request; aria2's rpc-max-request-size."""
MAX_DROPPED = 16 << 20
"""Bytes of a body that is too large before the connection is closed."""
BODY_TIMEOUT_S = 30.0
"""Time for a body to arrive, as in aria2."""
_TOO_LARGE, _TIMEOUT, _NOT_FOUND = 413, 408, 404
_PREFLIGHT_S = 1728000
_PAGE_HEADERS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "SAMEORIGIN",
    "referrer-policy": "no-referrer",
}


def build_app(
    config: RpcConfig,
    dispatcher: Dispatcher,
    sockets: Sockets,
    on_refused: Callable[[str, str], None],
    dashboard: ASGIApp,
) -> ASGIApp:
    """Return the application.

    Args:
        config: what to serve and for whom.
        dispatcher: answers calls over HTTP.
        sockets: serves WebSockets.
        on_refused: receives the client's address and the reason of each refusal.
        dashboard: serves all other paths if no folder is configured.
    """

    async def answer(request: Request) -> Response:
        if request.method == "OPTIONS":
            return Response(headers=_preflight(request))
        client = client_of(request.scope)
        if request.method == "GET":
            reply = await dispatcher.answer_get(request.url.query, client)
        else:
            try:
                body = await _read_body(request)
            except HTTPException as error:
                on_refused(client, error.detail)
                raise
            reply = await dispatcher.answer(body, client)
        return _response(reply, request.scope)

    routes: list[BaseRoute] = [
        Route("/jsonrpc", answer, methods=["GET", "POST", "OPTIONS"]),
        WebSocketRoute("/jsonrpc", sockets.serve),
    ]
    if config.ui_dir is not None:
        routes.append(Mount("/", app=_Pages(directory=config.ui_dir, html=True)))
    else:
        routes.append(Mount("/", app=dashboard))
    return Guard(Starlette(routes=routes), config.host, config.origins, on_refused)


async def _read_body(request: Request) -> bytes:
    """Return the body, whatever its type; clients send forms, text or nothing.

    Raises:
        HTTPException: it is too large, or takes too long.
    """
    body = bytearray()
    size = 0
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            async for chunk in request.stream():
                size += len(chunk)
                # The rest of a body that is too large is read and dropped: a client
                # that is still sending would not see the answer.
                if size <= MAX_BODY:
                    body += chunk
                elif size > MAX_DROPPED:
                    break
    except TimeoutError:
        raise _refusal(_TIMEOUT, "the request takes too long") from None
    if size > MAX_BODY:
        raise _refusal(_TOO_LARGE, f"the request is larger than {MAX_BODY >> 20} MiB")
    return bytes(body)


def _refusal(status: int, reason: str) -> HTTPException:
    return HTTPException(status, reason, {"connection": "close"})


def _response(reply: Reply, scope: Scope) -> Response:
    headers = {"cache-control": "no-cache", "x-content-type-options": "nosniff"}
    if scope["fetchtui.origin"]:
        headers["access-control-allow-origin"] = scope["fetchtui.origin"]
        headers["vary"] = "Origin"
    kind = "text/javascript" if reply.is_script else "application/json-rpc"
    # Not as media_type, to which Starlette would add a charset.
    headers["content-type"] = kind
    return Response(reply.text, reply.status, headers)


def _preflight(request: Request) -> dict[str, str]:
    """Return the headers that let a page of an allowed origin call (Fetch, CORS)."""
    origin = request.scope["fetchtui.origin"]
    if not origin or "access-control-request-method" not in request.headers:
        return {}
    headers = {
        "access-control-allow-origin": origin,
        "access-control-allow-methods": "POST, GET, OPTIONS",
        "access-control-max-age": str(_PREFLIGHT_S),
        "vary": "Origin",
    }
    wanted = request.headers.get("access-control-request-headers")
    if wanted:
        headers["access-control-allow-headers"] = wanted
    return headers


class _Pages(StaticFiles):
    """A folder of a web client; links that lead out of it are not followed."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Return a file; hidden ones do not exist."""
        if any(part.startswith(".") and part != "." for part in path.split("/")):
            raise HTTPException(_NOT_FOUND)
        response = await super().get_response(path, scope)
        response.headers.update(_PAGE_HEADERS)
        return response
