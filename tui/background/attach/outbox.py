"""Sends the requests of a replica in the order of its calls, few at a time."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any, Final

from tui.background.client import ConnectionLost

if TYPE_CHECKING:
    from tui.background.client import Connection

_OPEN_REQUESTS: Final = 32
"""Requests that are sent before the first one is answered; the process refuses 64."""


class Outbox:
    """Requests to the process, sent as soon as few enough are open."""

    def __init__(self) -> None:
        self.connection: Connection | None = None
        self._waiting: deque[tuple[str, dict[str, Any], asyncio.Future[Any]]] = deque()
        self._open = 0

    def connect(self, connection: Connection) -> None:
        """Send over a connection from now on."""
        self.connection = connection
        self._open = 0

    def disconnect(self) -> None:
        """Fail what is waiting, and everything until the next connection."""
        self.connection = None
        for *_, future in self._waiting:
            if not future.done():
                _fail(future, ConnectionLost(""))
        self._waiting.clear()

    def send(self, method: str, **params: Any) -> asyncio.Future[Any]:
        """Send a request; return a future of its answer."""
        future = asyncio.get_running_loop().create_future()
        if self.connection is None:
            _fail(future, ConnectionLost(""))
            return future
        self._waiting.append((method, params, future))
        self._send_next()
        return future

    def _send_next(self) -> None:
        while self.connection and self._waiting and self._open < _OPEN_REQUESTS:
            method, params, future = self._waiting.popleft()
            self._open += 1
            connection = self.connection
            answer = connection.send(method, **params)

            def done(
                answer: asyncio.Future[Any],
                future: asyncio.Future[Any] = future,
                connection: Connection = connection,
            ) -> None:
                if self.connection is connection:
                    self._open -= 1
                    self._send_next()
                if future.done() or answer.cancelled():
                    return
                if error := answer.exception():
                    _fail(future, error)
                else:
                    future.set_result(answer.result())

            answer.add_done_callback(done)


def _fail(future: asyncio.Future[Any], error: BaseException) -> None:
    """Give a future an error that nobody has to look at."""
    future.set_exception(error)
    future.exception()
