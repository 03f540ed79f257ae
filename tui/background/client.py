"""The end of a client: connects to a background process and asks it."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, Self

from tui import __version__
from tui.background.address import running
from tui.background.channel import Channel
from tui.background.protocol import (
    PROTOCOL,
    REPLY_LIMIT,
    Failure,
    Notification,
    ProtocolError,
    Request,
    RequestError,
    Result,
    read_hello,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from tui.background.address import Address
    from tui.background.protocol import Hello

CONNECT_TIMEOUT_S = 10.0
START_S = 3.0
"""Time that a process has between its lock and its socket. As long as the server needs
to create a socket again that was removed."""
_TRY_INTERVAL_S = 0.05


class NotRunning(Exception):
    """No process of that name runs."""


class ConnectionLost(Exception):
    """The connection ended; ``str()`` is what the process said before, or ""."""


class Connection:
    """A connection to a background process, from ``connect`` or any two streams."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        on_notification: Callable[[Notification], None] | None = None,
    ) -> None:
        """Start to read; ``greet`` comes next.

        Args:
            reader: opened with ``limit=REPLY_LIMIT``.
            writer: sends to the process.
            on_notification: called for each notification, in their order.
        """
        self._channel = Channel(reader, writer)
        self._on_notification = on_notification
        self._waiting: dict[int | str, asyncio.Future[Any]] = {}
        self._last_id = 0
        self._end: Exception | None = None
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Done when the connection has ended, from either side."""
        self.goodbye = ""
        """The reason that the process gave for the end; "" without one."""
        self._reading = asyncio.create_task(self._read())

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def greet(self, client: str, *, watch: bool = False) -> Hello:
        """Say hello; return who answers.

        Args:
            client: what this client is, for the log of the process.
            watch: have the process refuse verbs of this client.

        Raises:
            RequestError: refused; ``Code.VERSION`` has the other version in ``data``.
            ConnectionLost: the process ended, or it does not speak the protocol.
            TimeoutError: no answer in 10 s.
        """
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            answer = await self.request(
                "hello",
                protocol=PROTOCOL,
                version=__version__,
                client=client,
                watch=watch,
            )
        try:
            return read_hello(answer)
        except ProtocolError as error:
            raise ConnectionLost(str(error)) from None

    def send(self, method: str, **params: Any) -> asyncio.Future[Any]:
        """Send a request at once; return the future of its result.

        The future raises what ``request`` raises.
        """
        future = asyncio.get_running_loop().create_future()
        if self._end is not None:
            future.set_exception(self._end)
            return future
        self._last_id += 1
        self._waiting[self._last_id] = future
        self._channel.send(Request(self._last_id, method, params))
        return future

    async def request(self, method: str, **params: Any) -> Any:
        """Send a request and wait for its result.

        Raises:
            RequestError: the process refuses it.
            ConnectionLost: the connection ended before the answer.
        """
        return await self.send(method, **params)

    async def close(self) -> None:
        """Close the connection; the downloads are not affected."""
        self._channel.close()
        self._reading.cancel()
        await asyncio.gather(self._reading, return_exceptions=True)
        await self._channel.wait_closed()

    async def _read(self) -> None:
        end: Exception = ConnectionLost("")
        try:
            while (message := await self._channel.receive()) is not None:
                match message:
                    case Notification(method, params):
                        if method == "bye":
                            self.goodbye = str(params.get("reason", ""))
                        if self._on_notification is not None:
                            self._on_notification(message)
                    case Result(id, value):
                        self._resolve(id, value)
                    case Failure(id, error):
                        if id is None:
                            end = error
                        else:
                            self._resolve(id, error)
            if self.goodbye:
                end = ConnectionLost(self.goodbye)
        except ProtocolError as error:
            end = ConnectionLost(str(error))
            end.__cause__ = error
        finally:
            self._end = end
            self._channel.close()
            for future in self._waiting.values():
                if not future.done():
                    future.set_exception(end)
                    future.exception()  # nobody has to wait for it
            self._waiting.clear()
            if not self.closed.done():
                self.closed.set_result(None)

    def _resolve(self, id: int | str, value: Any) -> None:
        future = self._waiting.pop(id, None)
        if future is None or future.done():
            return
        if isinstance(value, RequestError):
            future.set_exception(value)
            future.exception()  # nobody has to wait for it
        else:
            future.set_result(value)


async def connect(
    address: Address,
    on_notification: Callable[[Notification], None] | None = None,
) -> Connection:
    """Connect to the process of an address; one that is just starting gets 3 s.

    Raises:
        NotRunning: there is no such process.
        ConnectionLost: it runs but does not accept connections.
    """
    record = running(address)
    if record is None:
        raise NotRunning(address.name)
    deadline_s = time.monotonic() + START_S
    while True:
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                reader, writer = await asyncio.open_unix_connection(
                    record.socket, limit=REPLY_LIMIT
                )
        except (FileNotFoundError, ConnectionRefusedError) as error:
            if time.monotonic() > deadline_s:
                raise ConnectionLost(error.strerror or str(error)) from None
            await asyncio.sleep(_TRY_INTERVAL_S)
            record = running(address)
            if record is None:
                raise NotRunning(address.name) from None
        except (OSError, TimeoutError) as error:
            raise ConnectionLost(str(error)) from None
        else:
            return Connection(reader, writer, on_notification)
