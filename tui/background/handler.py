"""What clients may ask of a background process: its verbs, and questions about it."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from tui.background.attach.codec import encode
from tui.background.attach.view import ClientView
from tui.background.finder import Finder
from tui.background.protocol import ROWS_LIMIT, Code, RequestError
from tui.background.requests import decode_requests
from tui.core import events
from tui.core.download import ENDED, DownloadState
from tui.core.listing.slices import run_sliced
from tui.core.request import check_url, with_login_of, without_logins
from tui.core.service import REMOVED, Move
from tui.core.settings import MAX_CONCURRENCY, MAX_RATE, MAX_SEGMENTS, MAX_WRITERS
from tui.messages import pause_text

if TYPE_CHECKING:
    from collections.abc import (
        AsyncIterator,
        Awaitable,
        Callable,
        Iterable,
        Mapping,
        Sequence,
    )

    from tui.background.server import Client
    from tui.core.download import DownloadId
    from tui.core.postprocess import PostProcessor
    from tui.core.service import DownloadService
    from tui.core.snapshot import DownloadSnapshot

Slices: TypeAlias = Generator[None, None, Any]
LOG_LIMIT: Final = 256 << 10
"""Bytes read from the end of the log."""
_SLICE: Final = 20_000
"""States read per loop iteration: 5 ms."""
_CHANGES: Final = 1_000
"""Downloads changed per loop iteration: 5 ms."""
_SAVE_S: Final = 10.0
"""Time after which a session that cannot be saved no longer delays the end."""
_MAX_DELAY_S: Final = 60
_MAX_POSITION: Final = 1e300
"""Numbers beyond the range of floats become infinite, which JSON does not have."""
_STOPPED: Final = ENDED | {DownloadState.PAUSED}
"""States that nobody waits for: a paused download waits for the user."""
_WAIT_INTERVAL_S: Final = 0.05
_ENDINGS: Final = (events.Done, events.Failed, events.Cancelled, events.Paused)
_CHANGES_NOTHING: Final = frozenset(
    {"ping", "status", "select", "find", "rows", "complete", "log", "wait", "settings"}
)
"""Requests that a client which only watches may send, beside those for its view."""


@dataclass(frozen=True, slots=True)
class Process:
    """What handlers know of the process that they run in."""

    service: DownloadService
    stop: Callable[[], object]
    """Ends the process as soon as everything is saved; returns at once."""
    read_log: Callable[[int], Awaitable[str]]
    """Returns at most that many bytes of the end of the log, from a thread."""
    post_processor: PostProcessor | None = None
    unsaved: Callable[[], str] = str
    """Returns why the session is not saved; "" if it is."""
    settings: Callable[[], Mapping[str, str]] = dict
    """Returns the settings as text by key, without secrets."""
    save: Callable[[], Awaitable[str]] | None = None
    """Saves the session now; returns why that failed, or ""."""


class ClientHandler:
    """Answers the requests of one client."""

    def __init__(self, process: Process, client: Client) -> None:
        """Answer ``client`` from the state of ``process``."""
        self._process = process
        self._service = process.service
        self._client = client
        self._view = ClientView(process.service, client)
        self._finder = Finder(process.service)
        self._calling = asyncio.Lock()
        self._methods: dict[str, Callable[[dict[str, Any]], Awaitable[Any]]] = {
            **self._view.methods,
            "ping": self._ping,
            "status": self._status,
            "call": self._call,
            "delete_data": self._delete_data,
            "select": self._finder.select,
            "find": self._finder.find,
            "rows": self._rows,
            "complete": self._finder.complete,
            "wait": self._wait,
            "log": self._log,
            "settings": self._settings,
            "stop": self._stop,
        }

    async def request(self, method: str, params: dict[str, Any]) -> Any:
        """Return the result of a request.

        Raises:
            RequestError: it is refused.
        """
        answer = self._methods.get(method)
        if answer is None:
            raise RequestError(Code.UNKNOWN_METHOD, f"unknown method {method[:40]!r}")
        is_harmless = method in _CHANGES_NOTHING or method in self._view.methods
        if self._client.is_watching and not is_harmless:
            raise RequestError(Code.WATCH_ONLY)
        return await answer(params)

    def close(self) -> None:
        """Stop sending what the client shows."""
        self._view.close()

    # -- methods ---------------------------------------------------------------------

    async def _ping(self, _params: dict[str, Any]) -> Any:
        return {}

    async def _stop(self, _params: dict[str, Any]) -> Any:
        unsaved = ""
        if self._process.save is not None:
            try:
                async with asyncio.timeout(_SAVE_S):
                    unsaved = await self._process.save()
            except TimeoutError:
                unsaved = f"the disk took more than {_SAVE_S:.0f} s"
        # The answer is sent first.
        asyncio.get_running_loop().call_soon(self._process.stop)
        return {"unsaved": unsaved}

    async def _log(self, params: dict[str, Any]) -> Any:
        count = _number(params, "count", 1, 10_000)
        text = await self._process.read_log(LOG_LIMIT)
        return {"lines": text.splitlines()[-count:]}

    async def _settings(self, _params: dict[str, Any]) -> Any:
        return {"settings": dict(self._process.settings())}

    async def _status(self, _params: dict[str, Any]) -> Any:
        now = self._service.snapshot()
        return {
            "counts": _counts(now.counts),
            "total": now.total,
            "bytes": now.received,
            "fetched": now.fetched,
            "speed": now.speed,
            "eta_s": now.eta_s,
            "output_dir": now.output_dir,
            "concurrency": now.concurrency,
            "auto": now.auto.is_on,
            "per_host": now.per_host,
            "connections": now.segments,
            "rate_limit": now.rate_limit,
            "is_paused": now.is_queue_paused,
            "pause_reason": pause_text(now.pause_reason),
            "unsaved": self._process.unsaved(),
        }

    async def _call(self, params: dict[str, Any]) -> Any:
        name, args = params.get("name"), params.get("args", {})
        verb = VERBS.get(name) if isinstance(name, str) else None
        if verb is None or not isinstance(args, dict):
            raise RequestError(Code.INVALID_PARAMS, "call needs the name of a verb")
        try:
            # Verbs take effect in the order in which they were sent.
            async with self._calling:
                result = verb(self._service, args)
                if isinstance(result, Generator):
                    result = await run_sliced(result, asyncio.sleep)
        except (IndexError, KeyError):
            raise RequestError(Code.UNKNOWN_DOWNLOAD) from None
        except ValueError as error:
            raise RequestError(Code.REFUSED, str(error)) from None
        # What it changed is sent before its answer.
        self._view.expect_change()
        self._view.flush()
        return result

    async def _delete_data(self, params: dict[str, Any]) -> Any:
        deletion = await self._service.delete_data(_ids(params))
        self._view.flush()
        return {"deletion": encode(deletion)}

    async def _rows(self, params: dict[str, Any]) -> Any:
        ids = _ids(params)
        if len(ids) > ROWS_LIMIT:
            raise RequestError(Code.INVALID_PARAMS, f"at most {ROWS_LIMIT} rows")
        try:
            rows = self._service.rows(ids)
        except (IndexError, KeyError):
            raise RequestError(Code.UNKNOWN_DOWNLOAD) from None
        return {"rows": [_record(row) for row in rows]}

    # -- waiting ---------------------------------------------------------------------

    async def _wait(self, params: dict[str, Any]) -> Any:
        """Answer when downloads have ended; an error that pauses the queue ends it."""
        service, post_processor = self._service, self._process.post_processor
        ids = _ids(params) if params.get("ids") is not None else None
        paused = asyncio.ensure_future(_until_paused(service))
        ending = asyncio.ensure_future(
            service.wait_idle() if ids is None else _until_ended(service, ids)
        )
        try:
            await asyncio.wait((paused, ending), return_when=asyncio.FIRST_COMPLETED)
            if ending.done():
                ending.result()
                if post_processor is not None and ids is None:
                    await post_processor.drain()
        except (IndexError, KeyError):
            raise RequestError(Code.UNKNOWN_DOWNLOAD) from None
        finally:
            paused.cancel()
            ending.cancel()
            await asyncio.gather(paused, ending, return_exceptions=True)
        now = service.snapshot()
        counts = list(now.counts)
        if ids is not None:
            counts = [0] * len(DownloadState)
            async for _, state in _states(service, ids):
                counts[state] += 1
        failures = post_processor.failures if post_processor and ids is None else 0
        return {
            "counts": _counts(counts),
            "pause_reason": pause_text(now.pause_reason),
            "post_processing_failures": failures,
        }


async def _until_paused(service: DownloadService) -> None:
    """Return when an error has paused the queue."""
    subscription = service.subscribe()
    try:
        while service.snapshot().pause_reason is None:
            await subscription.wait()
            subscription.drain()
            # Events come in bursts of thousands a second.
            await asyncio.sleep(_WAIT_INTERVAL_S)
    finally:
        subscription.close()


async def _states(
    service: DownloadService, ids: Sequence[DownloadId]
) -> AsyncIterator[tuple[DownloadId, DownloadState]]:
    """Yield the state of each download, with other tasks in between.

    Raises:
        IndexError: there is no such download.
    """
    for at in range(0, len(ids), _SLICE):
        part = ids[at : at + _SLICE]
        for id, state in zip(part, service.states(part), strict=True):
            yield id, DownloadState(state & ~REMOVED)
        await asyncio.sleep(0)


async def _until_ended(service: DownloadService, ids: list[DownloadId]) -> None:
    subscription = service.subscribe()
    try:
        wanted = set(ids)
        left = {id async for id, s in _states(service, ids) if s not in _STOPPED}
        while left:
            await subscription.wait()
            for event in subscription.drain():
                if isinstance(event, _ENDINGS):
                    left.discard(event.id)
                elif isinstance(event, events.Queued) and event.id in wanted:
                    left.add(event.id)
            await asyncio.sleep(_WAIT_INTERVAL_S if left else 0)
    finally:
        subscription.close()


def _record(row: DownloadSnapshot) -> dict[str, Any]:
    """Return a row for scripts; names as in the JSON events."""
    return {
        "id": row.id,
        "state": row.state.word,
        "name": row.name,
        "directory": row.directory,
        "url": without_logins(row.url),
        "bytes": row.received,
        "size": row.size,
        "speed": row.speed,
        "eta_s": row.eta_s,
        "connections": row.connections,
        "attempt": row.attempt,
        "status": row.status,
        "error": row.error or None,
        "error_kind": row.error_kind or None,
    }


def _counts(counts: Iterable[int]) -> dict[str, int]:
    return {
        state.word: count for state, count in zip(DownloadState, counts, strict=True)
    }


# -- parameters ------------------------------------------------------------------------


def _number(
    args: Mapping[str, Any], name: str, low: int, high: int, *, default: int = -1
) -> int:
    value = args.get(name, default)
    if type(value) is not int or not low <= value <= high:
        text = f"{name} must be a whole number from {low} to {high}"
        raise RequestError(Code.INVALID_PARAMS, text)
    return value


def _id(args: Mapping[str, Any]) -> DownloadId:
    return _number(args, "id", 0, 1 << 31)


def _ids(args: Mapping[str, Any]) -> list[DownloadId]:
    ids = args.get("ids")
    if isinstance(ids, list) and all(type(id) is int and id >= 0 for id in ids):
        return ids
    raise RequestError(Code.INVALID_PARAMS, "ids must be a list of whole numbers")


def _positions(args: Mapping[str, Any]) -> dict[DownloadId, float]:
    found = {}
    pairs = args.get("positions")
    for pair in pairs if isinstance(pairs, list) else [None]:
        if not isinstance(pair, list) or len(pair) != 2:
            raise RequestError(Code.INVALID_PARAMS, "positions must be pairs")
        id, position = pair
        is_number = isinstance(position, int | float) and abs(position) < _MAX_POSITION
        if type(id) is not int or id < 0 or not is_number:
            raise RequestError(Code.INVALID_PARAMS, "positions must be numbers")
        found[id] = float(position)
    return found


def _move(args: Mapping[str, Any]) -> Move:
    try:
        return Move(args.get("move"))
    except ValueError as error:
        raise RequestError(Code.INVALID_PARAMS, str(error)) from None


def _rate(args: Mapping[str, Any]) -> int | None:
    return None if args.get("rate") is None else _number(args, "rate", 1, MAX_RATE)


def _optional_id(args: Mapping[str, Any]) -> DownloadId | None:
    return None if args.get("id") is None else _id(args)


def _seconds(args: Mapping[str, Any]) -> float:
    value = args.get("seconds")
    if isinstance(value, int | float) and 0 <= value <= _MAX_DELAY_S:
        return float(value)
    text = f"seconds must be a number from 0 to {_MAX_DELAY_S}"
    raise RequestError(Code.INVALID_PARAMS, text)


def _switch(args: Mapping[str, Any]) -> bool:
    if isinstance(args.get("on"), bool):
        return bool(args["on"])
    raise RequestError(Code.INVALID_PARAMS, "on must be true or false")


# -- verbs -----------------------------------------------------------------------------


def _add(service: DownloadService, args: dict[str, Any]) -> Any:
    added = service.add(decode_requests(args.get("requests")))
    return {"first": added.start, "count": len(added)}


def _set_url(service: DownloadService, id: DownloadId, url: str) -> None:
    """Change a URL; clients see none of its logins, so they cannot repeat them."""
    check_url(url)
    mirrors = service.request(id).mirrors
    known = [row.url for row in service.rows([id])]
    known += mirrors
    service.set_url(id, with_login_of(url, known))


def _for_each(name: str) -> Callable[[DownloadService, dict[str, Any]], Any]:
    """Return the verb that calls a method of the service with ids, some at a time."""

    def verb(service: DownloadService, args: dict[str, Any]) -> Slices:
        ids, change = _ids(args), getattr(service, name)
        if ids and max(ids) >= service.count:
            raise IndexError(max(ids))
        changed: list[DownloadId] = []
        for at in range(0, len(ids), _CHANGES):
            if at:
                yield
            changed += change(ids[at : at + _CHANGES])
        return {"ids": changed}

    return verb


def _reorder(service: DownloadService, args: dict[str, Any]) -> Slices:
    moved = yield from service.reorder_iter(_ids(args), _move(args))
    return _moved(moved)


def _set_positions(service: DownloadService, args: dict[str, Any]) -> Slices:
    wanted = list(_positions(args).items())
    before: dict[DownloadId, float] = {}
    for at in range(0, len(wanted), _CHANGES):
        if at:
            yield
        before |= service.set_queue_positions(dict(wanted[at : at + _CHANGES]))
    return _moved(before)


def _moved(positions: Mapping[DownloadId, float]) -> Any:
    return {"positions": [list(pair) for pair in positions.items()]}


VERBS: dict[str, Callable[[DownloadService, dict[str, Any]], Any]] = {
    "add": _add,
    "cancel": _for_each("cancel"),
    "pause": _for_each("pause"),
    "resume": _for_each("resume"),
    "retry": _for_each("retry"),
    "undo_retry": _for_each("undo_retry"),
    "remove": _for_each("remove"),
    "restore": _for_each("restore"),
    "reorder": _reorder,
    "set_queue_positions": _set_positions,
    "set_url": lambda service, args: _set_url(
        service, _id(args), str(args.get("url", ""))
    ),
    "set_concurrency": lambda service, args: service.set_concurrency(
        _number(args, "count", 1, MAX_CONCURRENCY)
    ),
    "set_auto": lambda service, args: service.set_auto(_switch(args)),
    "set_per_host": lambda service, args: service.set_per_host(
        _number(args, "count", 0, MAX_CONCURRENCY)
    ),
    "set_origin_cap": lambda service, args: service.set_origin_cap(
        str(args.get("origin", "")), _number(args, "cap", 0, MAX_CONCURRENCY)
    ),
    "set_segments": lambda service, args: service.set_segments(
        _number(args, "count", 0, MAX_SEGMENTS), _optional_id(args)
    ),
    "set_rate_limit": lambda service, args: service.set_rate_limit(
        _rate(args), _optional_id(args)
    ),
    "set_writers": lambda service, args: service.set_writers(
        _number(args, "count", 1, MAX_WRITERS)
    ),
    "set_inline_writes": lambda service, args: service.set_inline_writes(_switch(args)),
    "set_disk_delay": lambda service, args: service.set_disk_delay(_seconds(args)),
    "pause_all": lambda service, args: service.pause_all(),  # noqa: ARG005
    "resume_all": lambda service, args: service.resume_all(),  # noqa: ARG005
}
"""The verbs of ``call``, named as in ``core.service.DownloadService``; some work in
slices of a few milliseconds, between which other tasks run."""
