"""A relay that makes a loopback server far away: latency, slow start, a shared link.

Each connection takes one round trip to connect, and half a round trip each way. What
the server sends passes a window as in TCP slow start: 14,600 bytes, doubled each round
trip up to ``rate`` times the round trip, and back at the start after the connection was
idle. All connections share one link, which serves their bytes in the order in which
they come. Requests are not delayed by the link: they are small.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from typing import NamedTuple

import uvloop

from tests.bench.traffic import Traffic

INITIAL_WINDOW = 14_600
"""Ten segments (RFC 6928)."""
CHUNK = 16 << 10
LEAST_PIECE = 4 * 1460
"""A chunk that does not fit into the window is cut, but not finer."""
IDLE_S = 1.0
"""A connection that was idle longer starts with the initial window again, after
RFC 5681 section 4.1 (one retransmission timeout)."""
_TIMER_S = 0.005
"""By which timers may be late."""
REFUSAL = (
    b"HTTP/1.1 429 Too Many Requests\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
)


class Link(NamedTuple):
    """How far away the server is."""

    round_trip_s: float = 0.06
    rate: float = 2e6
    """Bytes per second of one connection."""
    shared_rate: float = 25e6
    """Bytes per second of all connections."""
    capacity: int = 0
    """Connections that are served; another one gets a 429. 0 for no limit."""


class Counts(NamedTuple):
    """What the clients did."""

    opened: int
    most: int
    """Connections that clients had open at once."""
    refused: int


class Relay:
    """Relays connections to ports of loopback in a thread; use it in ``with``."""

    def __init__(self, link: Link, ports: tuple[int, ...]) -> None:
        """Prepare a relay to each of ``ports``."""
        self._link = link
        self._targets = ports
        self._loop = uvloop.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._is_ready = threading.Event()
        self._link_free_at = 0.0
        self._tasks: set[asyncio.Task[None]] = set()
        self._opened = self._open = self._most = self._refused = 0
        self._served = 0
        self._traffic: list[Traffic] = []
        self.ports: tuple[int, ...] = ()
        """Where it listens, for each target."""

    def __enter__(self) -> Relay:
        self._thread.start()
        self._is_ready.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def take_counts(self) -> Counts:
        """Return what happened since the last call; connections are closed by now."""
        counts = Counts(self._opened, self._most, self._refused)
        self._opened = self._most = self._refused = 0
        return counts

    def take_traffic(self) -> list[Traffic]:
        """Return the connections since the last call, in the order of their opening."""
        traffic, self._traffic = self._traffic, []
        return traffic

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._listen())
        self._is_ready.set()
        self._loop.run_forever()

    async def _listen(self) -> None:
        ports = []
        for target in self._targets:

            async def serve(
                reader: asyncio.StreamReader,
                writer: asyncio.StreamWriter,
                target: int = target,
            ) -> None:
                await self._serve(reader, writer, target)

            server = await asyncio.start_server(serve, "127.0.0.1", 0, backlog=1024)
            ports.append(server.sockets[0].getsockname()[1])
        self.ports = tuple(ports)

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, target: int
    ) -> None:
        traffic = Traffic(self._loop.time())
        self._traffic.append(traffic)
        self._opened += 1
        self._open += 1
        self._most = max(self._most, self._open)
        try:
            # The handshake of TCP, which loopback makes in no time.
            await asyncio.sleep(self._link.round_trip_s)
            if self._link.capacity and self._served >= self._link.capacity:
                await self._refuse(reader, writer)
                return
            self._served += 1
            try:
                await self._relay(reader, writer, target, traffic)
            finally:
                self._served -= 1
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client has gone
        finally:
            self._note_closed(traffic)
            writer.close()

    def _note_closed(self, traffic: Traffic) -> None:
        """Note that the client has closed a connection, or else that the server has.

        The server hears of it later: a client that opens another connection meanwhile
        does not have both.
        """
        if not traffic.closed_at:
            self._open -= 1
            traffic.closed_at = self._loop.time()

    async def _relay(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        target: int,
        traffic: Traffic,
    ) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", target)
        up = asyncio.create_task(self._send_up(reader, far_writer, traffic))
        try:
            await Downstream(self, far_reader, writer, traffic).run()
        finally:
            up.cancel()
            far_writer.close()

    async def _refuse(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await reader.readuntil(b"\r\n\r\n")
        self._refused += 1
        await asyncio.sleep(self._link.round_trip_s)
        writer.write(REFUSAL)
        await writer.drain()

    async def _send_up(
        self,
        reader: asyncio.StreamReader,
        far: asyncio.StreamWriter,
        traffic: Traffic,
    ) -> None:
        """Pass requests on, each half a round trip later."""
        half_s = self._link.round_trip_s / 2
        pipe = Pipe(far)
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(CHUNK):
                now = self._loop.time()
                traffic.up.append(now)
                pipe.write_at(now + half_s, data)
        self._note_closed(traffic)
        self._loop.call_later(half_s + _TIMER_S, far.close)

    def reserve(self, nbytes: int) -> float:
        """Reserve the shared link for some bytes; return when they have passed it."""
        start = max(self._link_free_at, self._loop.time())
        self._link_free_at = start + nbytes / self._link.shared_rate
        return self._link_free_at

    @property
    def link(self) -> Link:
        """How far away the server is."""
        return self._link


class Downstream:
    """What the server sends over one connection: a window, the link, and a delay."""

    def __init__(
        self,
        relay: Relay,
        far: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        traffic: Traffic,
    ) -> None:
        self._relay = relay
        self._traffic = traffic
        self._far = far
        self._writer = writer
        link = relay.link
        self._half_s = link.round_trip_s / 2
        self._ceiling = max(INITIAL_WINDOW, link.rate * link.round_trip_s)
        self._window = float(INITIAL_WINDOW)
        self._flight: deque[tuple[float, int]] = deque()
        """Time of acknowledgment and size of each chunk on its way."""
        self._in_flight = 0
        self._sent_at = 0.0

    async def run(self) -> None:
        """Pass on what the server sends until it closes the connection."""
        loop = asyncio.get_running_loop()
        arrives_at = 0.0
        pipe = Pipe(self._writer)
        while data := await self._far.read(CHUNK):
            if loop.time() - self._sent_at > IDLE_S:
                self._window = float(INITIAL_WINDOW)
            while data:
                space = await self._wait_for_window(loop, min(len(data), LEAST_PIECE))
                piece, data = data[:space], data[space:]
                arrives_at = self._relay.reserve(len(piece)) + self._half_s
                self._flight.append((arrives_at + self._half_s, len(piece)))
                self._in_flight += len(piece)
                self._sent_at = loop.time()
                self._traffic.down.append((arrives_at, len(piece)))
                pipe.write_at(arrives_at, piece)
                if self._writer.is_closing():
                    raise ConnectionResetError
                await self._writer.drain()
        await asyncio.sleep(max(0.0, arrives_at - loop.time()) + _TIMER_S)

    async def _wait_for_window(
        self, loop: asyncio.AbstractEventLoop, least: int
    ) -> int:
        """Wait until so many bytes may be sent; return how many may be."""
        self._take_acknowledgments(loop.time())
        while self._in_flight and self._in_flight + least > self._window:
            await asyncio.sleep(max(0.0, self._flight[0][0] - loop.time()))
            self._take_acknowledgments(loop.time())
        return max(least, int(self._window) - self._in_flight)

    def _take_acknowledgments(self, now: float) -> None:
        while self._flight and self._flight[0][0] <= now:
            _, nbytes = self._flight.popleft()
            self._in_flight -= nbytes
            # Slow start: a byte more for each byte that arrived.
            self._window = min(self._ceiling, self._window + nbytes)


class Pipe:
    """Writes chunks to a connection later, in their order.

    Timers may fire in another order than that of their times, by a millisecond.
    """

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self._loop = asyncio.get_running_loop()
        self._chunks: deque[bytes] = deque()

    def write_at(self, when: float, data: bytes) -> None:
        """Write ``data`` at a time of the loop."""
        self._chunks.append(data)
        self._loop.call_at(when, self._write_next)

    def _write_next(self) -> None:
        data = self._chunks.popleft()
        if not self._writer.is_closing():
            self._writer.write(data)
