"""One connection between a background process and a client: messages in both ways."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

from tui.background.protocol import ProtocolError, decode, encode

if TYPE_CHECKING:
    import asyncio

    from tui.background.protocol import Message

BACKLOG_LIMIT: Final = 1 << 20
"""Bytes that a peer has not read yet at which it counts as too slow."""
_DRAIN_BELOW: Final = 64 << 10


class Channel:
    """Sends and receives messages over a pair of streams, such as a Unix socket."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Use streams whose reader was opened with the limit of a line."""
        self._reader = reader
        self._writer = writer
        self.sent = 0
        """Bytes sent so far, those that the peer has not read included."""
        writer.transport.set_write_buffer_limits(high=_DRAIN_BELOW)

    async def receive(self) -> Message | None:
        """Return the next message, or ``None`` at the end of the connection.

        Raises:
            ProtocolError: the peer sent something else, or too long a line.
        """
        try:
            line = await self._reader.readline()
        except ValueError:
            raise ProtocolError("a line is too long") from None
        except OSError:
            return None
        if not line.endswith(b"\n"):
            return None  # the peer ended within a line, or before one
        return decode(line)

    def send(self, message: Message) -> None:
        """Send a message without waiting; nothing happens on a closed connection."""
        if not self._writer.is_closing():
            line = encode(message)
            self.sent += len(line)
            self._writer.write(line)

    async def drain(self) -> None:
        """Wait until the peer has read most of what was sent."""
        with suppress(OSError):
            await self._writer.drain()

    @property
    def backlog(self) -> int:
        """Bytes that were sent but not yet accepted by the operating system."""
        return self._writer.transport.get_write_buffer_size()

    @property
    def is_closing(self) -> bool:
        """Whether the connection is closed or about to be."""
        return self._writer.is_closing()

    def close(self) -> None:
        """Close the connection as soon as everything is sent."""
        self._writer.close()

    def abort(self) -> None:
        """Close the connection at once."""
        self._writer.transport.abort()

    async def wait_closed(self) -> None:
        """Wait until the connection is closed."""
        with suppress(OSError):
            await self._writer.wait_closed()
