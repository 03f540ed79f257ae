"""Keeps a replica connected: tries again when the connection ends, and says why."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from tui.background.client import ConnectionLost, NotRunning
from tui.background.protocol import Code, ProtocolError, RequestError
from tui.core.attachment import LinkState

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tui.background.attach.replica import Replica
    from tui.background.client import Connection
    from tui.background.protocol import Hello, Notification

    Connector = Callable[[Callable[[Notification], None]], Awaitable[Connection]]
    """Opens a connection; gets what is to be called for each notification."""

_WAITS_S: Final = (0.1, 0.5, 1.0, 2.0, 5.0)
"""Before each new try; the last one repeats."""


class Link:
    """The connection of a replica (``core.attachment.Attachment``)."""

    def __init__(
        self, replica: Replica, open_connection: Connector, name: str, host: str = ""
    ) -> None:
        """Connect ``replica`` with ``start``.

        Args:
            replica: shows what arrives.
            open_connection: opens a connection to the process. It raises
                ``NotRunning`` or ``ConnectionLost``.
            name: name of the background process.
            host: the machine that it runs on; "" for this one.
        """
        self._replica = replica
        self._open_connection = open_connection
        self.name = name
        self.host = host
        self.state = LinkState.LOST
        self.detail = ""
        self.restarts = 0
        self.settings: dict[str, str] = {}
        self.on_change: Callable[[], object] = _do_nothing
        self._process: tuple[int, float] | None = None
        self._keeping: asyncio.Task[None] | None = None

    @property
    def is_watching(self) -> bool:
        """Whether the replica only looks."""
        return self._replica.is_watching

    def on_arrival(self, callback: Callable[[], object]) -> None:
        """Call ``callback`` when rows have arrived that the dashboard waits for."""
        self._replica.on_change = callback

    async def start(self) -> None:
        """Connect, and keep connected from then on.

        Raises:
            NotRunning: there is no such process.
            ConnectionLost: it does not answer, or not in the protocol.
            RequestError: it refuses this client.
            TimeoutError: it does not answer in time.
        """
        connection = await self._connect()
        self._keeping = asyncio.create_task(self._keep(connection))

    async def close(self) -> None:
        """Close the connection; the downloads continue."""
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.gather(self._keeping, return_exceptions=True)
        await self._replica.close()

    async def _connect(self) -> Connection:
        replica = self._replica
        connection = await self._open_connection(replica.on_notification)
        try:
            hello = await connection.greet("dashboard", watch=replica.is_watching)
            settings = connection.send("settings")  # travels with the next request
            await replica.attach(connection)
            self.settings = _texts(await settings)
        except ProtocolError as error:
            await connection.close()
            raise ConnectionLost(str(error)) from None
        except BaseException:
            await connection.close()
            raise
        self._note_process(hello)
        self._set(LinkState.CONNECTED)
        return connection

    def _note_process(self, hello: Hello) -> None:
        process = hello.pid, hello.started_at
        self.restarts += self._process not in (None, process)
        self._process = process

    def _set(self, state: LinkState, detail: str = "") -> None:
        if (self.state, self.detail) != (state, detail):
            self.state, self.detail = state, detail
            self.on_change()

    async def _keep(self, connection: Connection | None) -> None:
        tries = 0
        while self.state is not LinkState.REFUSED:
            if connection is not None:
                await asyncio.shield(connection.closed)
                self._replica.detach()
                await connection.close()
                has_ended = connection.goodbye == "stopped"
                self._set(LinkState.STOPPED if has_ended else LinkState.LOST)
                tries = 0
            await asyncio.sleep(_WAITS_S[min(tries, len(_WAITS_S) - 1)])
            tries += 1
            connection = await self._try()

    async def _try(self) -> Connection | None:
        """Connect again; note what is wrong if that fails."""
        try:
            return await self._connect()
        except NotRunning:
            self._set(LinkState.STOPPED)
        except RequestError as error:
            if error.code is Code.VERSION:
                self._set(LinkState.REFUSED, str(error.data.get("version", "")))
            else:
                self._set(LinkState.LOST, str(error))
        except (ConnectionLost, TimeoutError) as error:
            self._set(LinkState.LOST, str(error))
        return None


def _texts(answer: object) -> dict[str, str]:
    """Return the settings in an answer, without what is not text."""
    found = answer.get("settings") if isinstance(answer, dict) else None
    pairs = found.items() if isinstance(found, dict) else ()
    return {key: text for key, text in pairs if isinstance(text, str)}


def _do_nothing() -> None:
    pass
