"""Starts the RPC on a running loop.

uvicorn's protocols do the HTTP and the WebSockets, but not its ``Server``, which would
take over the signals of the process. Limits that uvicorn lacks are added here: for the
number of connections, and for the time until a request is complete.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import time
from typing import TYPE_CHECKING, Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import (
    WebSocketsSansIOProtocol,
)
from uvicorn.server import ServerState

from tui.core.errors import ErrorKind, LocalError
from tui.rpc.config import RpcConfig, bracketed
from tui.rpc.dispatch import Dispatcher
from tui.rpc.endings import Endings
from tui.rpc.gids import Gids
from tui.rpc.methods import Methods
from tui.rpc.refusals import RefusalLog
from tui.rpc.web.app import build_app
from tui.rpc.web.dashboard import BrowserDashboard
from tui.rpc.web.sockets import MAX_MESSAGE, Sockets

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from websockets.http11 import Request

    from tui.core.service import DownloadService

MAX_CONNECTIONS = 256
HEADER_TIMEOUT_S = 10.0
"""Time for the header section of a request to arrive, and to the first request."""
KEEP_ALIVE_S = 30
PING_S = 20.0
"""Time between two pings of a WebSocket, and for the answer to one."""
_CLOSE_S = 2.0
_SHUTDOWN_DELAY_S = 3.0
"""Time for the reply to ``aria2.shutdown`` to reach the client, as in aria2."""


class _GuardedProtocol(H11Protocol):
    """uvicorn's HTTP/1.1 with limits for connections and slow requests."""

    on_refused: Callable[[str, str], None]
    opened_at = 0.0
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Accept a connection; if there are too many, close one without a request.

        Otherwise requests that never become complete could keep all others out.
        """
        super().connection_made(transport)
        self.opened_at = time.monotonic()
        self._set_deadline()
        if len(self.connections) > MAX_CONNECTIONS:
            idle = [c for c in self.connections if isinstance(c, _GuardedProtocol)]
            idle = [c for c in idle if not c.has_request] or [self]
            oldest = min(idle, key=lambda c: c.opened_at)
            oldest.drop(f"more than {MAX_CONNECTIONS} connections are open")

    @property
    def is_busy(self) -> bool:
        """Return True while a request is being answered."""
        cycle: Any = self.cycle
        return cycle is not None and not cycle.response_complete

    @property
    def has_request(self) -> bool:
        """Return True while a request that has arrived completely is being answered."""
        return self.is_busy and not self.cycle.more_body

    def data_received(self, data: bytes) -> None:
        """Parse data; a request must be complete before the deadline."""
        super().data_received(data)
        if self.is_busy:
            self._clear_deadline()
        elif self._deadline is None and not self.transport.is_closing():
            self._set_deadline()

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        super().on_response_complete()
        self._clear_deadline()

    def connection_lost(self, exc: Exception | None) -> None:
        """Cancel the timer of a connection that has ended."""
        self._clear_deadline()
        super().connection_lost(exc)

    def drop(self, reason: str) -> None:
        """Close the connection and log why."""
        host, _ = self.client or ("unknown", 0)
        self.on_refused(host, reason)
        self.transport.abort()

    def _set_deadline(self) -> None:
        self._deadline = self.loop.call_later(HEADER_TIMEOUT_S, self._expire)

    def _clear_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _expire(self) -> None:
        self._deadline = None
        # After an upgrade, the WebSocket's protocol has the connection.
        if self in self.connections and not self.is_busy:
            self.drop("no complete request arrived in time")


class _WebSocketProtocol(WebSocketsSansIOProtocol):
    """uvicorn's WebSockets, which can also be ended if the client does not read."""

    def handle_connect(self, event: Request) -> None:
        """Start the application, which may end the connection at once."""
        super().handle_connect(event)
        if not self.transport.is_closing():
            self.scope["state"]["abort"] = self.transport.abort

    def keepalive_timeout(self) -> None:
        """End the connection of a client that answers no ping."""
        super().keepalive_timeout()
        self.transport.abort()


class RpcServer:
    """A running RPC; end it with ``close``."""

    def __init__(
        self,
        service: DownloadService,
        config: RpcConfig,
        shut_down: Callable[[], None] | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Prepare to serve; ``open`` starts it.

        Args:
            service: the engine.
            config: address, secret and permissions.
            shut_down: ends the program; used only if the config allows it.
            sleep: waits some seconds.
        """
        self.config = config
        self.log = RefusalLog(service)
        self._shut_down = shut_down
        gids = Gids(service, secrets.randbits(64))
        self._endings = Endings(
            service, lambda name, id: self.sockets.notify(name, gids.of(id))
        )
        is_allowed = config.allow_shutdown and shut_down is not None
        self.methods = Methods(
            service, gids, self._endings, self._shut_down_soon if is_allowed else None
        )
        dispatcher = Dispatcher(self.methods, config.secret, self.log.note, sleep)
        self.sockets = Sockets(dispatcher, self.log.note)
        dashboard = BrowserDashboard(
            config.process_name, config.secret, self.log.note, sleep
        )
        self._app = build_app(
            config, dispatcher, self.sockets, self.log.note, dashboard
        )
        self._state = ServerState()
        self._listener: asyncio.Server | None = None
        self._following: asyncio.Task[None] | None = None
        self._shutdown_timer: asyncio.TimerHandle | None = None

    async def open(self) -> None:
        """Listen; ``config.port`` is the real port afterwards.

        Raises:
            LocalError: ``in_use`` or ``network``, the address cannot be used.
        """
        logging.getLogger("uvicorn").addHandler(logging.NullHandler())
        settings = uvicorn.Config(
            self._app,
            http="h11",
            ws=_WebSocketProtocol,
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=False,
            proxy_headers=False,
            ws_max_size=MAX_MESSAGE,
            ws_per_message_deflate=False,
            ws_ping_interval=PING_S,
            ws_ping_timeout=PING_S,
            timeout_keep_alive=KEEP_ALIVE_S,
            h11_max_incomplete_event_size=64 << 10,
        )
        settings.load()
        loop = asyncio.get_running_loop()
        log = self.log.note

        def accept() -> asyncio.Protocol:
            protocol = _GuardedProtocol(settings, self._state, {}, loop)
            protocol.on_refused = log
            return protocol

        host, port = self.config.host, self.config.port
        try:
            self._listener = await loop.create_server(accept, host, port)
        except OSError as error:
            number = error.errno or 0  # negative for a host that has no address
            reason = os.strerror(number) if number > 0 else str(error.strerror)
            raise LocalError(
                ErrorKind.NETWORK,
                f"cannot listen on {bracketed(host)}:{port}: {reason}",
            ) from None
        port = self._listener.sockets[0].getsockname()[1]
        self.config = self.config._replace(port=port)
        self._following = asyncio.create_task(self._endings.run())

    async def close(self) -> None:
        """Stop listening, close every connection and end all tasks."""
        if self._listener is None:
            return
        self._listener.close()
        self._listener = None
        if self._shutdown_timer is not None:
            self._shutdown_timer.cancel()
        for connection in list(self._state.connections):
            connection.shutdown()
        tasks = list(self._state.tasks)
        if tasks:
            await asyncio.wait(tasks, timeout=_CLOSE_S)
        for connection in list(self._state.connections):
            connection.transport.abort()
        for task in tasks:
            task.cancel()
        assert self._following is not None
        self._following.cancel()
        self.methods.lists.close()
        await asyncio.gather(self._following, *tasks, return_exceptions=True)
        self.log.flush()

    def _shut_down_soon(self) -> None:
        loop = asyncio.get_running_loop()
        if self._shutdown_timer is None and self._shut_down is not None:
            self._shutdown_timer = loop.call_later(_SHUTDOWN_DELAY_S, self._shut_down)


async def serve_rpc(
    service: DownloadService,
    config: RpcConfig,
    shut_down: Callable[[], None] | None = None,
) -> RpcServer:
    """Start the RPC of a service; end it with ``await server.close()``.

    Args:
        service: an engine in this process.
        config: address, secret and permissions; ``port`` may be 0.
        shut_down: ends the program, if the config allows clients to do that.

    Raises:
        LocalError: the address cannot be used.
    """
    server = RpcServer(service, config, shut_down)
    await server.open()
    return server
