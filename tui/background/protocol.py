"""The messages between a background process and its clients.

JSON-RPC 2.0 (https://www.jsonrpc.org/specification), one UTF-8 object a line, without
batches. Parameters are objects. The first request of a client is ``hello``; a server
refuses all others before it, and closes the connection if the protocol numbers differ.

Requests of a client:

==============  ====================================================================
``hello``       {protocol, version, client, watch}; the result is a ``Hello``
``ping``        {}; the result is {}
``status``      {}: counts by state, bytes, speed and limits of the run
``call``        {name, args}: a verb of ``handler.VERBS``, named as in
                ``core.service.DownloadService``; refused to a client that watches
``delete_data`` {ids}: {deletion}; also refused to a client that watches
``select``      {filter, view, sort, reversed, limit}: {ids}
``find``        {targets}: {ids, missing} of ids, names and filters
``rows``        {ids}: {rows}, for scripts
``complete``    {start}: {ids, names} for the shell
``wait``        {ids}: answered when these downloads have ended; without ids, all
``settings``    {}: {settings}, as text by key and without secrets
``log``         {count}: {lines}, the last ones of the log of the process
``stop``        {}: {unsaved}, why the session could not be saved; ends the process,
                and the connection closes when it has ended
==============  ====================================================================

Requests of a dashboard, answered by ``attach.view``, where values are encoded as in
``attach.codec``:

=================  =================================================================
``attach``         {schema}: {states, totals}; the server sends frames from then
                   on, and refuses a client whose fields differ from its own
``view.set``       {ids}: the rows to send changes of; they are sent first
``view.sync``      {}: answered after a frame with all changes so far
``view.rows``      {ids}: {rows}, complete ones
``details``        {ids}: {details}, everything about these downloads
``origins``        {}: {origins}, a row for each
``search``         {search, by, filter, view, sort, reversed, rows}: {ids}, or
                   {groups, done_bytes} by activity, or {causes} by cause; before
                   the answer, a frame with the first ``rows`` rows of it
``search.cancel``  {search}: ends the search with that number
=================  =================================================================

Notifications of a server:

=========  =========================================================================
``frame``  {totals, states, rows, live, events, lost}: what changed since the last
           one; ``lost`` counts the events for which the client was too slow
``bye``    {reason}: the process ends, or drops this client
=========  =========================================================================

A server sends at most 10 frames a second to a client, and another one before each
answer to ``call``, ``view.set`` and ``view.sync``. A frame is the difference to the
last one that was sent, so it skips frames for a client that is too slow, and never
waits for one.
"""

from __future__ import annotations

import json
from enum import StrEnum
from typing import Any, Final, NamedTuple, TypeAlias, TypeGuard

PROTOCOL: Final = 1
"""Grows with every change that an older peer would misread."""
REQUEST_LIMIT: Final = 8 << 20
"""Bytes of a line to the server: a list of 50,000 URLs. Clients add longer ones in
slices."""
REPLY_LIMIT: Final = 64 << 20
"""Bytes of a line to a client: the ids of a million downloads are 7 MB."""
ROWS_LIMIT: Final = 1_000
"""Rows that a client can show or get in one answer; they take 10 ms of the loop."""


class Code(StrEnum):
    """Why a request is refused; the value travels as ``data.kind`` of the error."""

    PARSE = "parse"
    INVALID_REQUEST = "invalid_request"
    UNKNOWN_METHOD = "unknown_method"
    INVALID_PARAMS = "invalid_params"
    INTERNAL = "internal"
    VERSION = "version"
    """Another protocol number; ``data`` has ``protocol``, ``version`` and ``pid``."""
    HELLO_FIRST = "hello_first"
    WATCH_ONLY = "watch_only"
    UNKNOWN_DOWNLOAD = "unknown_download"
    REFUSED = "refused"
    """The service refuses the values; the message has the reason."""
    STOPPING = "stopping"
    TOO_MANY = "too_many"
    """Too many clients, or too many open requests of one client."""


_NUMBERS: Final = {
    Code.PARSE: -32700,
    Code.INVALID_REQUEST: -32600,
    Code.UNKNOWN_METHOD: -32601,
    Code.INVALID_PARAMS: -32602,
    Code.INTERNAL: -32603,
    Code.VERSION: -32001,
    Code.HELLO_FIRST: -32002,
    Code.WATCH_ONLY: -32003,
    Code.UNKNOWN_DOWNLOAD: -32004,
    Code.REFUSED: -32005,
    Code.STOPPING: -32006,
    Code.TOO_MANY: -32007,
}


class RequestError(Exception):
    """A request was refused. ``str()`` comes from the other process: sanitize it."""

    def __init__(
        self, code: Code, message: str = "", data: dict[str, Any] | None = None
    ) -> None:
        super().__init__(message or code.value)
        self.code = code
        self.data = data or {}
        """Values that go with the code."""


class ProtocolError(Exception):
    """A line is not a message; the connection cannot be used any longer."""


class Request(NamedTuple):
    """Asks for something; a ``Result`` or ``Failure`` with its id answers it."""

    id: int | str
    method: str
    params: dict[str, Any]


class Notification(NamedTuple):
    """Reports something; nothing answers it."""

    method: str
    params: dict[str, Any]


class Result(NamedTuple):
    """Answers a request."""

    id: int | str
    value: Any


class Failure(NamedTuple):
    """Refuses a request."""

    id: int | str | None
    """``None`` if the request could not be read."""
    error: RequestError


Message: TypeAlias = Request | Notification | Result | Failure


class Hello(NamedTuple):
    """Which process answers."""

    protocol: int
    version: str
    """Version of fetchtui."""
    pid: int
    started_at: float
    """Wall time, seconds since the epoch."""
    name: str
    """Name of the background process."""


def encode(message: Message) -> bytes:
    """Return a message as one line.

    Raises:
        ValueError: a number is not finite.
        TypeError: a value cannot be written as JSON.
    """
    body: dict[str, Any] = {"jsonrpc": "2.0"}
    match message:
        case Request(id, method, params):
            body |= {"id": id, "method": method, "params": params}
        case Notification(method, params):
            body |= {"method": method, "params": params}
        case Result(id, value):
            body |= {"id": id, "result": value}
        case Failure(id, error):
            body |= {
                "id": id,
                "error": {
                    "code": _NUMBERS[error.code],
                    "message": str(error),
                    "data": {**error.data, "kind": error.code.value},
                },
            }
    text = json.dumps(body, separators=(",", ":"), allow_nan=False)
    return text.encode() + b"\n"  # only ASCII: other characters are escaped


def decode(line: bytes) -> Message:
    """Return the message in a line.

    Raises:
        ProtocolError: it is not JSON, or not a message; the text says what is wrong.
    """
    try:
        body = json.loads(line, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else error
        raise ProtocolError(f"not JSON: {reason}") from None
    if not isinstance(body, dict) or body.get("jsonrpc") != "2.0":
        raise ProtocolError('not a JSON-RPC 2.0 message: "jsonrpc" is missing')
    if "method" in body:
        return _decode_call(body)
    id = body.get("id")
    if "error" in body:
        if id is not None and not _is_id(id):
            raise ProtocolError("the id of an error must be a number or a string")
        return Failure(id, _decode_error(body["error"]))
    if "result" not in body or not _is_id(id):
        raise ProtocolError("a message needs a method, a result or an error")
    return Result(id, body["result"])


def _decode_call(body: dict[str, Any]) -> Request | Notification:
    method, params = body["method"], body.get("params", {})
    if not isinstance(method, str) or not isinstance(params, dict):
        raise ProtocolError("a method must be a string, and its params an object")
    if "id" not in body:
        return Notification(method, params)
    if not _is_id(body["id"]):
        raise ProtocolError("the id of a request must be a number or a string")
    return Request(body["id"], method, params)


def _decode_error(error: object) -> RequestError:
    """Return an error; one of a kind that only a newer version knows is internal."""
    if not isinstance(error, dict):
        raise ProtocolError("an error must be an object")
    data = error.get("data")
    data = dict(data) if isinstance(data, dict) else {}
    try:
        code = Code(data.pop("kind", None))
    except ValueError:
        code = Code.INTERNAL
    return RequestError(code, str(error.get("message", "")), data)


def _is_id(value: object) -> TypeGuard[int | str]:
    if isinstance(value, str):
        return len(value) <= 100
    return type(value) is int and abs(value) < 1 << 53


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is not allowed")


def read_hello(value: object) -> Hello:
    """Return the identity of a server from its answer to ``hello``.

    Raises:
        ProtocolError: a field is missing or has another type.
    """
    if isinstance(value, dict):
        found = tuple(value.get(name) for name in Hello._fields)
        protocol, version, pid, started_at, name = found
        if (
            type(protocol) is int
            and isinstance(version, str)
            and type(pid) is int
            and isinstance(started_at, int | float)
            and isinstance(name, str)
        ):
            return Hello(protocol, version, pid, float(started_at), name)
    raise ProtocolError("the answer to hello has not the expected fields")
