"""The end of a background process: accepts clients and answers their requests.

What the requests mean is up to the handlers, one for each client, which the process
passes in. Here are the rules that protect the process: only the same user, ``hello``
first, limits for lines, requests and clients, and no waiting for a slow client.
"""

from __future__ import annotations

import asyncio
import os
import socket
import stat
import struct
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, Protocol

from tui import __version__
from tui.background.address import AddressError, make_private
from tui.background.channel import BACKLOG_LIMIT, Channel
from tui.background.protocol import (
    PROTOCOL,
    REQUEST_LIMIT,
    Code,
    Failure,
    Notification,
    ProtocolError,
    Request,
    RequestError,
    Result,
)
from tui.core.notices import Notice, NoticeCode

if TYPE_CHECKING:
    from collections.abc import Callable

    from tui.background.address import Address
    from tui.background.protocol import Hello

MAX_CLIENTS: Final = 64
MAX_OPEN_REQUESTS: Final = 64
"""Requests of one client that are answered at the same time."""
HELLO_TIMEOUT_S: Final = 10.0
STALL_TIMEOUT_S: Final = 60.0
"""A client that reads nothing for so long is dropped; it can attach again."""
_CHECK_INTERVAL_S: Final = 2.0
_CLOSE_TIMEOUT_S: Final = 1.0


class Handler(Protocol):
    """Answers the requests of one client."""

    async def request(self, method: str, params: dict[str, Any]) -> Any:
        """Return the result of a request, as values that JSON has.

        Requests of a client start in the order in which they arrive, and run beside
        each other when they wait.

        Raises:
            RequestError: it is refused.
        """
        ...

    def close(self) -> None:
        """Stop sending to the client, which is gone."""
        ...


class Client:
    """A client of this process, as its handler sees it."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self.is_watching = False
        """The client only looks: verbs are refused."""
        self.kind = ""
        """What the client is, for the log: ``dashboard``, ``verb``, ..."""

    @property
    def is_slow(self) -> bool:
        """Whether so much is unread that nothing more should be sent now."""
        return self._channel.backlog > BACKLOG_LIMIT

    @property
    def backlog(self) -> int:
        """Bytes that the client has not read yet."""
        return self._channel.backlog

    def notify(
        self, method: str, params: dict[str, Any], *, is_asked: bool = False
    ) -> bool:
        """Send a notification without waiting, unless the client is too slow.

        Args:
            method: its name.
            params: its values.
            is_asked: send it also to a slow client, since it belongs to an answer.

        Returns:
            False if it was not sent; what is sent later has to make up for it.
        """
        if self.is_slow and not is_asked:
            return False
        self._channel.send(Notification(method, params))
        return True


def peer_uid(peer: socket.socket) -> int:
    """Return the user id of the process at the other end of a Unix socket.

    Raises:
        OSError: the system does not say.
    """
    if sys.platform == "darwin":
        # LOCAL_PEERCRED gives struct xucred: version, uid, groups (sys/ucred.h).
        data = peer.getsockopt(0, 1, 76)
        return int(struct.unpack_from("=II", data)[1])
    data = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
    return int(struct.unpack("=iII", data)[1])


class BackgroundServer:
    """Listens at the address of a background process."""

    def __init__(
        self,
        address: Address,
        hello: Hello,
        make_handler: Callable[[Client], Handler],
        *,
        notify: Callable[[Notice], object],
        peer_uid: Callable[[socket.socket], int] = peer_uid,
    ) -> None:
        """Serve clients on the running loop after ``open``.

        Args:
            address: where to listen; its lock must be held.
            hello: what to answer to ``hello``.
            make_handler: called for each client after its ``hello``.
            notify: takes a notice about each client that is refused or dropped.
            peer_uid: returns the user of a client.
        """
        self._address = address
        self._hello = hello
        self._make_handler = make_handler
        self._notify = notify
        self._peer_uid = peer_uid
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._channels: set[Channel] = set()
        self._watch: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Listen, and replace the socket that a killed process left.

        Raises:
            AddressError: the socket cannot be created.
        """
        await self._listen()
        self._watch = asyncio.create_task(self._keep_address())

    async def close(self, reason: str) -> None:
        """Stop listening and say goodbye to all clients.

        Args:
            reason: a code for clients: ``stopped``, ...
        """
        if self._watch is not None:
            self._watch.cancel()
        if self._server is not None:
            with suppress(OSError):
                os.unlink(self._address.socket)
            self._server.close()
        for channel in list(self._channels):
            channel.send(Notification("bye", {"reason": reason}))
            channel.close()
        if self._tasks:
            # A client that does not read must not delay the end.
            _, late = await asyncio.wait(self._tasks, timeout=_CLOSE_TIMEOUT_S)
            for channel in list(self._channels):
                channel.abort()
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _listen(self) -> None:
        path = self._address.socket
        make_private(path.parent)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        # Bound under another name first: a socket with the final name accepts.
        fresh = path.with_name(f".{path.stem[:8]}.{os.getpid()}")
        try:
            with suppress(FileNotFoundError):
                os.unlink(fresh)
            listener.bind(str(fresh))
            os.chmod(fresh, 0o600)
            listener.listen(MAX_CLIENTS)
            listener.setblocking(False)
            os.rename(fresh, path)
        except OSError as error:
            listener.close()
            raise AddressError(
                f"cannot create the socket {str(path)!r}: {error.strerror}"
            ) from None
        self._server = await asyncio.start_unix_server(
            self._accept, sock=listener, limit=REQUEST_LIMIT
        )

    async def _keep_address(self) -> None:
        """Listen again when somebody removes the socket.

        Systems remove the runtime directory of a user when his last login ends; it is
        there again after the next one.
        """
        while True:
            await asyncio.sleep(_CHECK_INTERVAL_S)
            path = self._address.socket
            with suppress(OSError):
                if stat.S_ISSOCK(os.lstat(path).st_mode):
                    continue
            is_possible = path.parent.is_dir() or path.parent.parent.is_dir()
            if is_possible:
                old = self._server
                with suppress(AddressError):
                    await self._listen()
                    if old is not None:
                        old.close()

    # -- one client ------------------------------------------------------------------

    async def _accept(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        channel = Channel(reader, writer)
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._channels.add(channel)
        try:
            if self._is_allowed(channel, writer.get_extra_info("socket")):
                await self._serve(channel)
        except ProtocolError as error:
            self._notify(Notice(NoticeCode.CLIENT_GARBAGE, (str(error),)))
            channel.send(Failure(None, RequestError(Code.PARSE, str(error))))
        except TimeoutError:
            self._notify(Notice(NoticeCode.CLIENT_SILENT))
        finally:
            channel.close()
            self._channels.discard(channel)
            self._tasks.discard(task)

    def _is_allowed(self, channel: Channel, peer: socket.socket) -> bool:
        try:
            uid = self._peer_uid(peer)
        except OSError:
            uid = -1
        if uid != os.getuid():
            self._notify(Notice(NoticeCode.CLIENT_OF_OTHER_USER, (uid,)))
            return False
        if len(self._channels) > MAX_CLIENTS:
            self._notify(Notice(NoticeCode.CLIENTS_FULL, (MAX_CLIENTS,)))
            error = RequestError(Code.TOO_MANY, f"{MAX_CLIENTS} clients are connected")
            channel.send(Failure(None, error))
            return False
        return True

    async def _serve(self, channel: Channel) -> None:
        client = Client(channel)
        async with asyncio.timeout(HELLO_TIMEOUT_S):
            while not await self._greet(channel, client):
                if channel.is_closing:
                    return
        handler = self._make_handler(client)
        watch = asyncio.create_task(_drop_when_stalled(channel, self._notify))
        requests: set[asyncio.Task[None]] = set()
        try:
            while (message := await channel.receive()) is not None:
                if not isinstance(message, Request):
                    continue
                if len(requests) >= MAX_OPEN_REQUESTS:
                    error = RequestError(Code.TOO_MANY, "too many open requests")
                    channel.send(Failure(message.id, error))
                    continue
                answering = asyncio.create_task(_answer(handler, channel, message))
                requests.add(answering)
                answering.add_done_callback(requests.discard)
                await channel.drain()
        finally:
            watch.cancel()
            for task in requests:
                task.cancel()
            await asyncio.gather(watch, *requests, return_exceptions=True)
            handler.close()

    async def _greet(self, channel: Channel, client: Client) -> bool:
        """Answer one request before the greeting; return True once it is over."""
        message = await channel.receive()
        if message is None:
            channel.close()
            return False
        if not isinstance(message, Request):
            return False
        if message.method != "hello":
            channel.send(Failure(message.id, RequestError(Code.HELLO_FIRST)))
            return False
        params = message.params
        if params.get("protocol") != PROTOCOL:
            data = {
                "protocol": PROTOCOL,
                "version": __version__,
                "pid": self._hello.pid,
            }
            channel.send(Failure(message.id, RequestError(Code.VERSION, data=data)))
            channel.close()
            return False
        client.is_watching = params.get("watch") is True
        client.kind = str(params.get("client", ""))[:40]
        channel.send(Result(message.id, self._hello._asdict()))
        return True


async def _answer(handler: Handler, channel: Channel, request: Request) -> None:
    try:
        result = await handler.request(request.method, request.params)
        channel.send(Result(request.id, result))
    except RequestError as error:
        channel.send(Failure(request.id, error))
    except Exception as error:  # a mistake in a handler must not end the client
        text = f"{type(error).__name__}: {error}"
        channel.send(Failure(request.id, RequestError(Code.INTERNAL, text)))


async def _drop_when_stalled(
    channel: Channel, notify: Callable[[Notice], object]
) -> None:
    """Drop a client that has unread data and accepts none of it for a while."""
    loop = asyncio.get_running_loop()
    last, since_s = 0, loop.time()
    while True:
        await asyncio.sleep(_CHECK_INTERVAL_S)
        if channel.backlog == 0 or channel.sent - channel.backlog > last:
            last, since_s = channel.sent - channel.backlog, loop.time()
        elif loop.time() - since_s > STALL_TIMEOUT_S:
            notify(Notice(NoticeCode.CLIENT_STALLED))
            channel.abort()
            return
