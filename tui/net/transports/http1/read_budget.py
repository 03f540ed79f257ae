"""The read budget that all connections share, so that none starves the others."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import asyncio

_ITERATION_BYTES = 1 << 20
"""Read from all connections in one iteration of the loop: 1 ms of work, including
everything that follows from it. Four times as much raised the loop's lag at 200
connections from 20 to 30 ms (p99, on a busy machine), memory by half, and cost a sixth
of the speed: data is written while it is still in the processor's cache."""
_READ_BYTES = 192 << 10
"""Limit of one read. Half of it costs a third more at 500 connections; 256 KiB took
40 MB there and saved a tenth."""
_FEW = 32
_FEW_READ_BYTES = 512 << 10
"""Limit of one read with so few connections: saves a fifth of the loop's time per MiB,
for at most 16 MB of memory."""
_FEW_ITERATION_BYTES = 2 << 20
"""Read in one iteration with so few: four reads."""
_PAUSE_BYTES = 64 << 10
"""Unread bytes at which a connection pauses until its reader catches up."""
_HEAD_BYTES = 64 << 10
"""Limit of the read that brings a head: the rest of a large body is left for a thread,
which writes it without a copy on the loop."""
_OVERDRAFT_BYTES = 16 << 10
"""Limit of one read once the budget of the iteration is spent."""
_LINE_BYTES = 1 << 10
"""What a line of a chunked body counts for beside its bytes, since decoding it takes
about as long as passing on a KiB. At chunks of one byte the loop's lag was 2.4 s (p50)
without it."""
_MAX_LINES = 512
"""Decoded by a connection at a time: 0.4 ms."""
_OVERDRAFT_LINES = 16
"""The same once the budget of the iteration is spent."""


class PausedConnection(Protocol):
    """A connection that waits for budget."""

    def resume_reading(self) -> None:
        """Read from the socket again."""
        ...


class _Handshake:
    """A handshake that waits for budget as a connection does."""

    __slots__ = ("may_continue",)

    def __init__(self, may_continue: asyncio.Future[None]) -> None:
        self.may_continue = may_continue

    def resume_reading(self) -> None:
        """Let the handshake continue, unless it was given up."""
        if not self.may_continue.done():
            self.may_continue.set_result(None)


class ReadBudget:
    """The bytes that all connections of a transport may read per loop iteration.

    It limits how many bytes all connections read together in one iteration, so that the
    loop has time for everything else; paused connections resume first come, first
    served. Steps of TLS handshakes take turns with them. It also owns the buffer that
    they all read into.
    """

    __slots__ = (
        "_all",
        "_first",
        "_is_scheduled",
        "_iteration_bytes",
        "_left",
        "_loop",
        "_overdraft",
        "_unreserved",
        "_usual",
        "_waiting",
        "connections",
    )

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        # The loop fills it and the connection empties it within one callback, so one
        # buffer serves all; a copy out of the processor's cache is cheaper than a
        # buffer per connection.
        self._all = memoryview(bytearray(_FEW_READ_BYTES))
        self._usual = self._all[:_READ_BYTES]
        self._first = self._all[:_HEAD_BYTES]
        self._overdraft = self._all[:_OVERDRAFT_BYTES]
        self.connections = 0
        """Open connections."""
        self._loop = loop
        self._left = self._unreserved = self._iteration_bytes = _FEW_ITERATION_BYTES
        self._waiting: deque[PausedConnection] = deque()
        self._is_scheduled = False

    def buffer(self, *, is_head: bool = False) -> memoryview:
        """Return the buffer to read into.

        Args:
            is_head: the head of a response is expected.
        """
        if self._left <= 0:
            return self._overdraft
        if is_head:
            return self._first
        return self._all if self.connections <= _FEW else self._usual

    @property
    def pause_bytes(self) -> int:
        """Unread bytes at which a connection pauses until its reader catches up."""
        return _FEW_READ_BYTES if self.connections <= _FEW else _PAUSE_BYTES

    def take(self, nbytes: int) -> memoryview:
        """Return what was just read, valid until the next read, and charge it."""
        self._left -= nbytes
        if not self._is_scheduled:
            self._is_scheduled = True
            self._loop.call_soon(self._start_iteration)
        return self._all[:nbytes]

    @property
    def max_lines(self) -> int:
        """Lines of a chunked body that a connection may decode before others run."""
        return _MAX_LINES if self._left > 0 else _OVERDRAFT_LINES

    def charge(self, nbytes: int) -> None:
        """Charge bytes that were read before to this iteration."""
        self._left -= nbytes

    def charge_lines(self, lines: int) -> None:
        """Charge the decoding of lines of a chunked body to this iteration."""
        self._left -= lines * _LINE_BYTES

    @property
    def is_spent(self) -> bool:
        """Whether the budget of this iteration is used up."""
        return self._left <= 0

    @property
    def _reservation(self) -> int:
        """Bytes that one read may bring."""
        return _FEW_READ_BYTES if self.connections <= _FEW else _READ_BYTES

    def resume(self, connection: PausedConnection) -> None:
        """Let a connection read again, now or in a later iteration."""
        if self._unreserved > 0 and not self._waiting:
            self._unreserved -= self._reservation
            connection.resume_reading()
        else:
            self._waiting.append(connection)
        if not self._is_scheduled:
            self._is_scheduled = True
            self._loop.call_soon(self._start_iteration)

    async def turn(self) -> None:
        """Wait until a step of a TLS handshake fits into an iteration.

        It takes 0.1 to 0.4 ms, about as long as a read. When 200 servers answered at
        once, their handshakes held the loop up for 70 ms.
        """
        handshake = _Handshake(self._loop.create_future())
        self.resume(handshake)
        await handshake.may_continue

    def _start_iteration(self) -> None:
        """Renew the budget; the last call of a busy period finds nothing to do."""
        budget = _FEW_ITERATION_BYTES if self.connections <= _FEW else _ITERATION_BYTES
        is_busy = min(self._left, self._unreserved) < self._iteration_bytes
        self._left = self._unreserved = self._iteration_bytes = budget
        while self._waiting and self._unreserved > 0:
            self._unreserved -= self._reservation
            self._waiting.popleft().resume_reading()
        self._is_scheduled = is_busy
        if is_busy:
            self._loop.call_soon(self._start_iteration)
