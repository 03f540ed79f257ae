"""A small HTTP/1.1 server on loopback that can simulate every fault we know of.

``fetchtui --demo`` serves its files with it, and tests use it to script faults. Each
path has a ``ResponseScript``, each request is recorded as a ``RecordedRequest``, and
``until`` waits for a condition on them.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING, Self

from tui.demo.connection import Connection
from tui.demo.pattern import Pattern
from tui.demo.script import RecordedRequest, ResponseScript

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable
    from types import TracebackType

__all__ = ["Pattern", "RecordedRequest", "ResponseScript", "ScriptedServer"]

_POLL_S = 0.01
"""How often ``until`` checks its condition again, if nothing happens here."""
_NOT_FOUND = ResponseScript(body=b"not found\n", status=404)


class ScriptedServer:
    """Serves scripts on an ephemeral port of 127.0.0.1.

    Args:
        tls: serve https with this context; the certificate must be for 127.0.0.1.
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self.scripts: dict[str, ResponseScript] = {}
        """The script for each path."""
        self._counts: Counter[str] = Counter()
        self._accepted = 0
        self._woken = asyncio.Event()
        self._listener: asyncio.Server | None = None
        self.port = 0
        self.requests: list[RecordedRequest] = []
        """Every request, in the order in which their header sections were complete."""
        self.connections: set[Connection] = set()

    @property
    def open_connections(self) -> int:
        """Number of connections that neither side has closed."""
        return len(self.connections)

    def add(self, path: str, script: ResponseScript) -> str:
        """Use ``script`` for ``path`` from now on; return the URL."""
        self.scripts[path] = script
        return self.url(path)

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        """Return the URL of ``path``; ``host="localhost"`` is another origin."""
        return f"{'https' if self._tls else 'http'}://{host}:{self.port}{path}"

    def requests_for(self, path: str) -> list[RecordedRequest]:
        """Return the requests for one path, oldest first."""
        return [request for request in self.requests if request.path == path]

    async def start(self) -> None:
        """Start listening."""
        loop = asyncio.get_running_loop()
        self._listener = await loop.create_server(
            self._accept, "127.0.0.1", 0, ssl=self._tls, backlog=1024
        )
        self.port = self._listener.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Stop listening, close every connection and wait for them to end."""
        if self._listener is None:
            return
        self._listener.close()
        self._listener = None
        tasks = [c.task for c in self.connections if c.task is not None]
        for connection in list(self.connections):
            connection.abort()
        if tasks:
            await asyncio.wait(tasks, timeout=5)
        await self.until(lambda: not self.connections)

    async def until(
        self, condition: Callable[[], object], timeout_s: float = 30.0
    ) -> None:
        """Wait until ``condition`` is true.

        It is checked after every request, response and close, and every 10 ms.

        Raises:
            TimeoutError: it was not true within ``timeout_s``; the message lists the
                last requests.
        """
        try:
            async with asyncio.timeout(timeout_s):
                while not condition():
                    self._woken.clear()
                    with suppress(TimeoutError):
                        async with asyncio.timeout(_POLL_S):
                            await self._woken.wait()
        except TimeoutError:
            requests = "\n".join(f"  {one}" for one in self.requests[-20:])
            raise TimeoutError(
                f"not true within {timeout_s:g} s; last requests:\n"
                f"{requests or '  none'}"
            ) from None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.stop()

    # -- ConnectionOwner -------------------------------------------------------------

    def script_for(self, request: RecordedRequest) -> ResponseScript:
        """Return the script for a request; 404 if there is none."""
        script = self.scripts.get(request.path)
        if script is None:
            script = self.scripts.get(request.path.partition("?")[0], _NOT_FOUND)
        return script.script_for(request)

    def count(self, path: str) -> int:
        """Count a request for ``path``; return how many there were before."""
        number = self._counts[path]
        self._counts[path] += 1
        return number

    def wake(self) -> None:
        """Make ``until`` check its condition."""
        self._woken.set()

    def _accept(self) -> Connection:
        self._accepted += 1
        return Connection(self, self._accepted - 1)
