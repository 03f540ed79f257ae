"""A server that speaks HTTP/2 over TLS, and HTTP/1.1 to clients without it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import h2.config
import h2.connection
import h2.errors
import h2.events

from tests.support.stream_server import StreamServer

if TYPE_CHECKING:
    import asyncio
    import ssl


class Http2Server(StreamServer):
    """Serves one body for every request, and records the protocol of each."""

    def __init__(self, tls: ssl.SSLContext, body: bytes, *, cut_at: int = 0) -> None:
        """Configure the responses.

        Args:
            tls: with a certificate; the protocols are set here.
            body: of every response.
            cut_at: bytes after which an HTTP/2 stream is reset; 0 for never.
        """
        tls.set_alpn_protocols(["h2", "http/1.1"])
        super().__init__(self._respond, tls)
        self._body = body
        self._cut_at = cut_at
        self.protocols: list[str] = []
        """``h2`` or ``http/1.1``, one for each request."""

    async def _respond(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        secured = writer.get_extra_info("ssl_object")
        if secured.selected_alpn_protocol() == "h2":
            await self._serve_http2(reader, writer)
        else:
            await self._serve_http1(reader, writer)

    async def _serve_http1(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        while True:
            request = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            self.protocols.append("http/1.1")
            _, _, wanted = request.partition("range: bytes=")
            first = int(wanted.partition("-")[0] or 0)
            total, rest = len(self._body), self._body[first:]
            head = f"HTTP/1.1 {206 if wanted else 200} OK\r\n"
            if wanted:
                head += f"Content-Range: bytes {first}-{total - 1}/{total}\r\n"
            writer.write(f"{head}Content-Length: {len(rest)}\r\n\r\n".encode() + rest)
            await writer.drain()

    async def _serve_http2(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        connection = h2.connection.H2Connection(
            h2.config.H2Configuration(client_side=False)
        )
        connection.initiate_connection()
        writer.write(connection.data_to_send())
        pending: dict[int, memoryview] = {}
        while received := await reader.read(1 << 16):
            for event in connection.receive_data(received):
                if isinstance(event, h2.events.RequestReceived):
                    assert event.stream_id is not None
                    self.protocols.append("h2")
                    length = str(len(self._body))
                    connection.send_headers(
                        event.stream_id,
                        [(":status", "200"), ("content-length", length)],
                    )
                    pending[event.stream_id] = memoryview(self._body)
            for stream in list(pending):
                pending[stream] = self._send(connection, stream, pending[stream])
                if not pending[stream]:
                    del pending[stream]
            writer.write(connection.data_to_send())
            await writer.drain()

    def _send(
        self, connection: h2.connection.H2Connection, stream: int, rest: memoryview
    ) -> memoryview:
        """Send as much as the windows allow; return the rest."""
        while rest and (window := connection.local_flow_control_window(stream)):
            sent = len(self._body) - len(rest)
            if self._cut_at and sent >= self._cut_at:
                connection.reset_stream(stream, h2.errors.ErrorCodes.INTERNAL_ERROR)
                return memoryview(b"")
            size = min(window, connection.max_outbound_frame_size, len(rest))
            size = min(size, self._cut_at - sent) if self._cut_at else size
            connection.send_data(
                stream, bytes(rest[:size]), end_stream=size == len(rest)
            )
            rest = rest[size:]
        return rest
