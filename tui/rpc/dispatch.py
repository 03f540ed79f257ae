"""JSON-RPC as aria2 understands it: requests, batches, tokens and replies."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hmac
import json
import logging
import re
from math import isinf
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote_to_bytes

from tui.rpc.endings import NOTIFICATIONS
from tui.rpc.errors import (
    INVALID_PARAMS,
    INVALID_REQUEST,
    PARSE_ERROR,
    STATUS_OF_CODE,
    Refused,
    RpcError,
    Unauthorized,
)
from tui.rpc.methods import NAMES

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tui.rpc.methods import Methods

log = logging.getLogger(__name__)

UNAUTHORIZED_DELAY_S = 1.0
"""Time before a response to a wrong token, as in aria2."""
_TOKEN = "token:"
_CALLBACK = re.compile(r"[A-Za-z_$][0-9A-Za-z_$.]{0,127}")
_SYSTEM = ("system.multicall", "system.listMethods", "system.listNotifications")
_MULTICALL, _LIST_METHODS, _LIST_NOTIFICATIONS = _SYSTEM
MAX_CALLS = 10_000
"""Calls of one message, also within ``system.multicall``."""
MAX_LISTED = 50_000
"""Downloads that the calls of one message may list together: about 35 MB of JSON."""
_SLICE = 20
"""Calls between two turns of the loop."""


class Reply(NamedTuple):
    """What to send for one message."""

    status: int
    """For HTTP."""
    text: str
    is_script: bool = False
    """It calls a function (JSONP)."""
    is_authorized: bool = False
    """A call in the message had the right token."""


class _Message:
    """One message with all of its calls."""

    def __init__(self, client: str) -> None:
        self.client = client
        self.wrong_tokens: set[str] = set()
        self.is_authorized = False
        """A call had the right token."""
        self._calls = 0
        self._listed = 0

    def count_listed(self, number: int) -> None:
        """Count the downloads that a call lists.

        Raises:
            RpcError: there are too many.
        """
        self._listed += number
        if self._listed > MAX_LISTED:
            raise RpcError("Too many downloads in one message.")

    def count(self) -> None:
        """Count a call.

        Raises:
            RpcError: there are too many.
        """
        self._calls += 1
        if self._calls > MAX_CALLS:
            raise RpcError("Too many calls in one message.")


class Dispatcher:
    """Answers messages."""

    def __init__(
        self,
        methods: Methods,
        secret: str,
        on_refused: Callable[[str, str], None],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Answer calls that carry a secret.

        Args:
            methods: what can be called.
            secret: the token of every call.
            on_refused: receives the client's address and the reason of each refusal.
            sleep: waits some seconds.
        """
        self._methods = methods
        self._secret = secret.encode()
        self._on_refused = on_refused
        self._sleep = sleep

    async def answer(self, body: bytes | str, client: str) -> Reply:
        """Answer the body of a POST, or a text frame.

        Args:
            body: JSON, from anybody.
            client: the client's address, for the log.
        """
        try:
            message = json.loads(
                body, parse_constant=_refuse_constant, parse_float=_finite
            )
        except (ValueError, RecursionError):
            return _error_reply(PARSE_ERROR, "Parse error.")
        context = _Message(client)
        response: Any
        if isinstance(message, dict):
            response = await self._call(message, context)
            code = response.get("error", {}).get("code", 0)
            status = STATUS_OF_CODE.get(code, 500) if code else 200
        elif isinstance(message, list):
            calls = [one for one in message if isinstance(one, dict)]
            responses = []
            for number, one in enumerate(calls):
                if number and number % _SLICE == 0:
                    await asyncio.sleep(0)
                responses.append(await self._call(one, context))
            response, status = responses, 200
        elif isinstance(message, str):
            return _error_reply(INVALID_REQUEST, "Invalid Request.")
        else:
            return _error_reply(PARSE_ERROR, "Parse error.")
        if context.wrong_tokens:
            await self._sleep(UNAUTHORIZED_DELAY_S)
        is_authorized = context.is_authorized
        return Reply(status, _to_json(response), is_authorized=is_authorized)

    async def answer_get(self, query: str, client: str) -> Reply:
        """Answer a GET with ``method``, ``id``, ``params`` and ``jsoncallback``.

        Args:
            query: of the URL; without ``method`` and ``id``, ``params`` is a batch.
            client: the client's address, for the log.
        """
        fields: dict[str, str] = {}
        for part in query.split("&"):
            name, _, value = part.partition("=")
            fields[name] = value
        callback = fields.get("jsoncallback", "")
        if callback and _CALLBACK.fullmatch(callback) is None:
            return _error_reply(INVALID_REQUEST, "Invalid Request.")
        try:
            params = base64.b64decode(unquote_to_bytes(fields.get("params", "")))
        except (binascii.Error, ValueError):
            params = b"?"
        body: bytes = params
        if fields.get("method") or fields.get("id"):
            head = {k: fields[k] for k in ("method", "id") if fields.get(k)}
            text = json.dumps(head)[:-1].encode()
            body = text + (b', "params":' + params if params else b"") + b"}"
        elif not params:
            body = b"{}"
        reply = await self.answer(body, client)
        if callback:
            return Reply(reply.status, f"{callback}({reply.text})", is_script=True)
        return reply

    async def _call(self, message: dict[str, Any], context: _Message) -> dict[str, Any]:
        """Return the response object to one call."""
        if "id" not in message:
            return _failure(None, INVALID_REQUEST, "Invalid Request.")
        id = message["id"]
        name = message.get("method")
        if not isinstance(name, str):
            return _failure(id, INVALID_REQUEST, "Invalid Request.")
        params = message.get("params", [])
        if not isinstance(params, list):
            return _failure(id, INVALID_PARAMS, "Invalid params.")
        try:
            result = await self._execute(name, params, context)
        except RpcError as error:
            return _failure(id, error.code, str(error))
        return {"id": id, "jsonrpc": "2.0", "result": result}

    async def _execute(self, name: str, params: list[Any], context: _Message) -> Any:
        context.count()
        try:
            if name == _MULTICALL:
                return await self._multicall(params, context)
            if name == _LIST_METHODS:
                return [*(f"aria2.{name}" for name in NAMES), *_SYSTEM]
            if name == _LIST_NOTIFICATIONS:
                return list(NOTIFICATIONS)
            params = self._authorized(params, context)
            method = self._methods.by_name.get(name)
            if method is None:
                raise RpcError(f"No such method: {name[:100]}")
            result = await method(params)
            if isinstance(result, list) and name.startswith("aria2.tell"):
                context.count_listed(len(result))
            return result
        except Refused as refusal:
            self._on_refused(context.client, str(refusal))
            raise
        except RpcError:
            raise
        except Exception:
            log.exception("bug in %s", name)
            raise RpcError(f"Internal error in {name[:100]}.") from None

    async def _multicall(self, params: list[Any], context: _Message) -> list[Any]:
        """Make several calls; each of them carries a token of its own."""
        if not params:
            raise RpcError("The parameter at 0 is required but missing.")
        calls = params[0]
        if not isinstance(calls, list):
            raise RpcError("The parameter at 0 has wrong type.")
        results: list[Any] = []
        for number, call in enumerate(calls):
            if number and number % _SLICE == 0:
                await asyncio.sleep(0)
            try:
                results.append([await self._inner(call, context)])
            except RpcError as error:
                results.append({"code": error.code, "message": str(error)})
        return results

    async def _inner(self, call: Any, context: _Message) -> Any:
        if not isinstance(call, dict):
            context.count()
            raise RpcError("system.multicall expected struct.")
        name = call.get("methodName")
        if not isinstance(name, str):
            raise RpcError("Missing methodName.")
        if name == _MULTICALL:
            raise RpcError("Recursive system.multicall forbidden.")
        params = call.get("params")
        params = params if isinstance(params, list) else []
        return await self._execute(name, params, context)

    def _authorized(self, params: list[Any], context: _Message) -> list[Any]:
        """Return the parameters without the token, which must be right.

        Raises:
            Unauthorized: it is missing or wrong, or the message had two other wrong
                ones.
        """
        token = ""
        if params and isinstance(params[0], str) and params[0].startswith(_TOKEN):
            token, params = params[0].removeprefix(_TOKEN), params[1:]
        given = token.encode("utf-8", "surrogatepass")
        is_search = len(context.wrong_tokens) > 1  # for the right one
        if is_search or not hmac.compare_digest(given, self._secret):
            context.wrong_tokens.add(token)
            raise Unauthorized
        context.is_authorized = True
        return params


def notification(name: str, gid: str) -> str:
    """Return the message that notifies clients of a change."""
    return _to_json({"jsonrpc": "2.0", "method": name, "params": [{"gid": gid}]})


def _failure(id: Any, code: int, message: str) -> dict[str, Any]:
    error = {"code": code, "message": message}
    return {"id": id, "jsonrpc": "2.0", "error": error}


def _error_reply(code: int, message: str) -> Reply:
    status = STATUS_OF_CODE.get(code, 500)
    return Reply(status, _to_json(_failure(None, code, message)))


def _to_json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


def _refuse_constant(name: str) -> None:
    raise ValueError(name)


def _finite(text: str) -> float:
    """Return a number; one that is too large could not be echoed as JSON."""
    number = float(text)
    if isinf(number):
        raise ValueError(text)
    return number
