"""Prototype."""
from __future__ import annotations
import asyncio, re, socket
from tui.net.exchange import Exchange, WireTransport
from tui.net.loop_wire_connection import Connection, Room

_URL = re.compile(r"http://([A-Za-z0-9._~-]+|\[[0-9A-Fa-f:.]+\])(?::([0-9]{1,5}))?([/?][^#\s]*)?(?:#.*)?")

class LoopTransport(WireTransport):
    name = "loop"
    def __init__(self, headers, timeout_s, abandon_s, keepalive_s, ca_file):
        self._loop = asyncio.get_running_loop()
        self._headers = list(headers)
        self._common = "".join(f"{k.lower()}: {v}\r\n" for k, v in headers)
        self._keepalive_s = keepalive_s
        self._timeout_s = timeout_s
        self._room = Room(32 << 20, 256 << 10)
        self._idle: dict = {}
        self._all = set()

    async def open(self, url, headers):
        match = _URL.fullmatch(url)
        host, port, path = match.groups()
        port = int(port or 80)
        key = (host, port)
        head = f"GET {path or '/'} HTTP/1.1\r\nhost: {host}:{port}\r\n{self._common}"
        for k, v in headers:
            head += f"{k}: {v}\r\n"
        request = (head + "\r\n").encode()
        idle = self._idle.get(key)
        connection = None
        now = self._loop.time()
        while idle:
            c = idle.pop()
            if c.is_open and now - c.idle_since < self._keepalive_s:
                connection = c
                break
            c.abort()
        if connection is None:
            _, connection = await self._loop.create_connection(lambda: Connection(self._loop, self._room, self._lost), host, port)
            self._all.add(connection)
        try:
            answer = await connection.ask(request)
        except BaseException:
            connection.abort()
            raise
        return LoopExchange(self, key, connection, answer)

    def _lost(self, connection):
        self._all.discard(connection)

    def give_back(self, key, connection):
        if connection.release():
            connection.idle_since = self._loop.time()
            self._idle.setdefault(key, []).append(connection)

    async def aclose(self):
        for c in list(self._all):
            c.abort()

class LoopExchange(Exchange):
    __slots__ = ("_wire", "_key", "_connection", "_fields", "_joined", "_closed")
    def __init__(self, wire, key, connection, head):
        self.status = head.status
        self.http_version = "HTTP/" + head.version
        self.read_chunk = connection.read_chunk
        self._wire, self._key, self._connection = wire, key, connection
        self._fields = head.fields
        self._joined = dict(head.fields)
        self._closed = False
    def values(self, name):
        return [v for k, v in self._fields if k == name]
    def joined(self, name):
        return self._joined.get(name, "")
    def fields(self):
        return list(self._fields)
    def is_unreadable(self, name):
        return False
    def fault(self, error, url):
        return error
    async def close(self):
        if not self._closed:
            self._closed = True
            self._wire.give_back(self._key, self._connection)
