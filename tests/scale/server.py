"""A server on all addresses of 127.0.0.0/8, each of which is a host of its own.

``/SIZE/NAME`` gives ``SIZE`` bytes that follow from the path, so that a digest can be
computed without asking. The server logs the highest number of concurrent requests per
host, and can refuse with 429, be slow, or answer 404.

``python -m tests.scale.server`` runs it alone and prints its port; each line on stdin
makes it print its log as JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import sys
from collections import Counter
from dataclasses import dataclass, field

_BLOCK = 65536


def content(path: str) -> bytes:
    """Return the body of a path."""
    size = int(path.split("/")[1])
    seed = hashlib.sha256(path.encode()).digest()
    return (seed * (size // len(seed) + 1))[:size]


@dataclass
class HostServer:
    """See the module."""

    delay_s: float = 0.0
    """Between request and response."""
    limits: dict[str, int] = field(default_factory=dict)
    """Host -> concurrent requests above which it answers 429."""
    requests: Counter[str] = field(default_factory=Counter)
    """By host."""
    paths: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By host and path; complete responses only."""
    refused: Counter[str] = field(default_factory=Counter)
    active: Counter[str] = field(default_factory=Counter)
    highest: Counter[str] = field(default_factory=Counter)
    """Most concurrent requests, by host."""
    sent: int = 0
    keeps_paths: bool = True
    _clients: dict[str, set[asyncio.StreamReader]] = field(default_factory=dict)
    """Connections with a request, by host."""

    async def start(self) -> None:
        """Listen."""
        self._server = await asyncio.start_server(self._serve, "0.0.0.0", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Stop."""
        self._server.close()

    def url(self, host: int, path: str) -> str:
        """Return a URL of host number ``host``."""
        return f"http://127.{1 + host // 250}.0.{1 + host % 250}:{self.port}{path}"

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        host = writer.get_extra_info("sockname")[0]
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                path = head.split(b" ", 2)[1].decode()
                self.active[host] += 1
                clients = self._clients.setdefault(host, set())
                clients.add(reader)
                # Clients that were killed wait for nothing any more.
                present = sum(
                    not (client.at_eof() or client.exception()) for client in clients
                )
                self.highest[host] = max(self.highest[host], present)
                self.requests[host] += 1
                try:
                    await self._answer(host, path, writer)
                finally:
                    self.active[host] -= 1
                    clients.discard(reader)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _answer(self, host: str, path: str, writer: asyncio.StreamWriter) -> None:
        if self.delay_s:
            await asyncio.sleep(self.delay_s)
        limit = self.limits.get(host)
        if limit is not None and self.active[host] > limit:
            self.refused[host] += 1
            writer.write(
                b"HTTP/1.1 429 Too Many\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n"
            )
            await writer.drain()
            return
        if path.startswith("/missing"):
            writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
            await writer.drain()
            return
        body = content(path)
        writer.write(
            b'HTTP/1.1 200 OK\r\nETag: "%s"\r\nAccept-Ranges: bytes\r\n'
            b"Content-Length: %d\r\n\r\n"
            % (hashlib.md5(path.encode()).hexdigest().encode(), len(body))
        )
        for at in range(0, len(body), _BLOCK):
            writer.write(body[at : at + _BLOCK])
            await writer.drain()
        self.sent += len(body)
        if self.keeps_paths:
            self.paths[host, path] += 1

    def log(self) -> dict[str, object]:
        """Return the log as JSON values."""
        return {
            "requests": sum(self.requests.values()),
            "sent": self.sent,
            "highest": dict(self.highest),
            "by_host": dict(self.requests),
            "refused": dict(self.refused),
            "repeated": sum(count - 1 for count in self.paths.values()),
        }


async def _main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--delay", type=float, default=0.0)
    parser.add_argument("--limit", action="append", default=[])
    options = parser.parse_args()
    limits = dict(pair.split("=") for pair in options.limit)
    server = HostServer(options.delay, {name: int(n) for name, n in limits.items()})
    await server.start()
    print(server.port, flush=True)
    loop = asyncio.get_running_loop()
    while await loop.run_in_executor(None, sys.stdin.readline):
        print(json.dumps(server.log()), flush=True)


if __name__ == "__main__":
    asyncio.run(_main())
