"""What the connections of the loop's own wire share, so that none starves the rest."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import asyncio

_TURN_BYTES = 1 << 20
"""Read off all connections in one turn of the loop: 1 ms of work with all that follows
from it. Four times as much took the loop's lag at 200 connections from 20 to 30 ms
(p99, on a busy machine), half as much memory again, and a sixth of the speed: what is
read is written while it is still in the processor's cache."""
_READ_BYTES = 192 << 10
"""Most in one read. Half of it costs a third more at 500 connections; 256 KiB cost
40 MB there and saved a tenth."""
_FEW = 32
_FEW_READ_BYTES = 512 << 10
"""Most in one read of so few connections: takes a fifth off the loop's time for a MiB,
and nobody's memory is short of 16 MB."""
_FEW_TURN_BYTES = 2 << 20
"""Read off so few in one turn: four reads."""
_HELD_BYTES = 64 << 10
"""At which a connection is not read on before somebody has taken what it has."""
_LATE_BYTES = 16 << 10
"""Most in one read when the turn has had its share."""


class Reader(Protocol):
    """A connection that was paused."""

    def read_on(self) -> None:
        """Go on after a pause."""
        ...


class ReadBudget:
    """What the connections of a wire share: a buffer to read into, and turns.

    In one turn of the loop only so many bytes come off all of them together,
    so that the loop has time for everything else; connections that were paused go on
    in the order in which they asked.
    """

    __slots__ = (
        "_all",
        "_is_turning",
        "_late",
        "_left",
        "_loop",
        "_promised",
        "_turn_bytes",
        "_usual",
        "_waiting",
        "connections",
    )

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        # The loop fills it and the connection empties it within one callback, so that
        # one serves all; a copy out of the processor's cache is cheaper than memory
        # that each connection holds.
        self._all = memoryview(bytearray(_FEW_READ_BYTES))
        self._usual = self._all[:_READ_BYTES]
        self._late = self._all[:_LATE_BYTES]
        self.connections = 0
        """That are open."""
        self._loop = loop
        self._left = self._promised = self._turn_bytes = _FEW_TURN_BYTES
        self._waiting: deque[Reader] = deque()
        self._is_turning = False

    def buffer(self) -> memoryview:
        """Return what to read into."""
        if self._left <= 0:
            return self._late
        return self._all if self.connections <= _FEW else self._usual

    @property
    def held_bytes(self) -> int:
        """At which a connection pauses until somebody has taken what it has."""
        return _FEW_READ_BYTES if self.connections <= _FEW else _HELD_BYTES

    def take(self, nbytes: int) -> bytes:
        """Return what was read; it counts for this turn."""
        self._left -= nbytes
        if not self._is_turning:
            self._is_turning = True
            self._loop.call_soon(self._turn)
        return bytes(self._all[:nbytes])

    @property
    def is_used_up(self) -> bool:
        """Whether this turn has had its share."""
        return self._left <= 0

    @property
    def _share(self) -> int:
        """What one read may bring."""
        return _FEW_READ_BYTES if self.connections <= _FEW else _READ_BYTES

    def resume(self, connection: Reader) -> None:
        """Let a connection read on, now or in a later turn."""
        if self._promised > 0 and not self._waiting:
            self._promised -= self._share
            connection.read_on()
        else:
            self._waiting.append(connection)
        if not self._is_turning:
            self._is_turning = True
            self._loop.call_soon(self._turn)

    def _turn(self) -> None:
        """Begin a turn; the last one of a busy time finds nothing to do."""
        turn = _FEW_TURN_BYTES if self.connections <= _FEW else _TURN_BYTES
        is_busy = min(self._left, self._promised) < self._turn_bytes
        self._left = self._promised = self._turn_bytes = turn
        while self._waiting and self._promised > 0:
            self._promised -= self._share
            self._waiting.popleft().read_on()
        self._is_turning = is_busy
        if is_busy:
            self._loop.call_soon(self._turn)
