"""The methods of aria2, on a ``DownloadService``.

Each ``aria2.X`` is a coroutine of ``Methods`` that takes the list of parameters.
Superfluous parameters are ignored, as in aria2.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import io
import secrets
from typing import TYPE_CHECKING, Any, TypeVar

from tui import __version__
from tui.core.download import DownloadState
from tui.core.request import BadRequestLine, Checksum, DownloadRequest, check_url
from tui.core.text.sanitize import sanitize_url
from tui.rpc import options as opt
from tui.rpc.errors import Refused, RpcError
from tui.rpc.lists import Lists
from tui.rpc.params import (
    MAX_ROWS,
    Params,
    at_least,
    keys,
    optional,
    page,
    position,
    required,
)
from tui.rpc.status import (
    ACTIVE_STATES,
    STOPPED_STATES,
    WAITING_STATES,
    StatusReader,
)
from tui.sources.readers.metalink import parse_metalink

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from tui.core.download import DownloadId
    from tui.core.service import DownloadService
    from tui.core.snapshot import DownloadSnapshot
    from tui.rpc.endings import Endings
    from tui.rpc.gids import Gids

_T = TypeVar("_T")
_S = DownloadState

VERSION = "1.37.0"
"""The version of aria2 whose interface this is."""
_SLICE = 200
"""Rows built per loop iteration: about 5 ms."""
_FEATURES = ("GZip", "HTTPS", "Message Digest", "Metalink")
_BASE_OPTIONS = {
    "allow-overwrite": "false",
    "auto-file-renaming": "true",
    "conditional-get": "false",
    "continue": "true",
    "max-connection-per-server": "16",
    "max-download-limit": "0",
}


class Methods:
    """aria2's methods by name, and the state that only clients of the RPC have."""

    def __init__(
        self,
        service: DownloadService,
        gids: Gids,
        endings: Endings,
        shut_down: Callable[[], None] | None = None,
    ) -> None:
        """Offer the methods of a service.

        Args:
            service: the engine.
            gids: names its downloads.
            endings: knows in which order downloads stopped.
            shut_down: ends the program soon; ``None`` refuses ``aria2.shutdown``.
        """
        self._service = service
        self._gids = gids
        self._endings = endings
        self._shut_down = shut_down
        self._output_dir = service.snapshot().output_dir
        self.lists = Lists(service, endings)
        self._status = StatusReader(service, gids, self._output_dir)
        self._session_id = secrets.token_hex(20)
        self._defaults: opt.Options = {}
        """Options for new downloads, from ``changeGlobalOption``."""
        self._options: dict[DownloadId, opt.Options] = {}
        """Options that clients gave to a download."""
        self.by_name: dict[str, Callable[[Params], Awaitable[Any]]] = {
            f"aria2.{name}": getattr(self, f"_{_snake(name)}") for name in NAMES
        }

    # -- adding ----------------------------------------------------------------------

    async def _add_uri(self, params: Params) -> str:
        uris = [uri for uri in required(params, 0, list) if isinstance(uri, str)]
        options = opt.read_options(optional(params, 1, dict) or {}, opt.PER_DOWNLOAD)
        at = position(params, 2)
        if not uris:
            raise RpcError("URI is not provided.")
        mirrors = []
        for uri in uris:
            try:
                mirrors.append(check_url(uri))
            except ValueError:
                continue
        if not mirrors:
            raise RpcError("No URI to download.")
        request = DownloadRequest(tuple(dict.fromkeys(mirrors)), source="RPC")
        (gid,) = await self._add([request], options, at)
        return gid

    async def _add_torrent(self, params: Params) -> str:
        required(params, 0, str)
        raise RpcError("BitTorrent is not supported.")

    async def _add_metalink(self, params: Params) -> list[str]:
        text = required(params, 0, str)
        options = opt.read_options(optional(params, 1, dict) or {}, opt.PER_DOWNLOAD)
        at = position(params, 2)
        try:
            document = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            document = b"?"
        requests = []
        for entry in parse_metalink(io.BytesIO(document), "RPC"):
            if isinstance(entry, BadRequestLine):
                raise RpcError("Could not parse Metalink XML document.")
            requests.append(entry)
        return await self._add(requests, options, at)

    async def _add(
        self,
        requests: list[DownloadRequest],
        options: opt.Options,
        position: int | None,
    ) -> list[str]:
        """Queue requests with the options of a client; return their GIDs."""
        gid = self._gids.check(options["gid"]) if options.get("gid") else ""
        earlier = options.get(opt.RETRY_OF, "")
        options = self._defaults | options
        prepared = [await self._prepare(request, options) for request in requests]
        if gid:
            # Another client may have chosen it meanwhile.
            self._gids.check(gid)
        ids: list[DownloadId] = []
        if earlier and (id := self._gids.exact(earlier)) is not None:
            request = self._service.request(id)
            prepared = [opt.with_secrets(one, request) for one in prepared]
            # Added again, it would be saved under another name.
            if len(prepared) == 1 and _is_same(prepared[0], request):
                ids = self._service.retry([id])
        ids = ids or list(self._service.add(prepared))
        if gid and ids:
            self._gids.choose(ids[0], gid)
        for id, request in zip(ids, prepared, strict=True):
            self._apply_limits(id, options, len(request.mirrors))
            kept = {k: v for k, v in options.items() if k in opt.STORED}
            if kept:
                self._options[id] = kept
        if options.get("pause") == "true":
            self._service.pause(ids)
        if position is not None:
            await self._insert(ids, position)
        return [self._gids.of(id) for id in ids]

    async def _prepare(
        self, request: DownloadRequest, options: opt.Options
    ) -> DownloadRequest:
        """Apply options to a request.

        Raises:
            Refused: one is not allowed.
        """
        target = await opt.resolve_target(options, self._output_dir)
        directory, name = request.directory, request.name
        if target.directory is not None:
            directory = "/".join(filter(None, (target.directory, directory)))
        checksum = options.get("checksum")
        return request._replace(
            headers=(*request.headers, *opt.read_headers(options, request.url)),
            directory=directory,
            name=name or target.name,
            checksum=Checksum.parse(checksum) if checksum else request.checksum,
            on_exists=opt.read_on_exists(options),
        )

    def _apply_limits(self, id: DownloadId, options: opt.Options, mirrors: int) -> None:
        rate = int(options.get("max-download-limit", 0))
        if rate:
            self._service.set_rate_limit(rate, id)
        count = opt.connections(options, mirrors)
        if count:
            self._service.set_segments(count, id)

    async def _insert(self, ids: Sequence[DownloadId], position: int) -> None:
        for offset, id in enumerate(ids):
            # Those that started at once have no position.
            if self._row(id).state in WAITING_STATES:
                await self.lists.move(id, position + offset)

    # -- stopping and resuming -------------------------------------------------------

    async def _remove(self, params: Params) -> str:
        id = await self._id(params)
        gid = self._gids.of(id)
        if self._row(id).state in STOPPED_STATES:
            raise RpcError(f"Active Download not found for GID#{gid}")
        if not self._service.cancel([id]):
            raise RpcError(f"GID#{gid} cannot be removed now")
        return gid

    async def _pause(self, params: Params) -> str:
        id = await self._id(params)
        gid = self._gids.of(id)
        state = self._row(id).state
        is_stopped = state in STOPPED_STATES or state is _S.PAUSED
        if is_stopped or not self._service.pause([id]):
            raise RpcError(f"GID#{gid} cannot be paused now")
        return gid

    async def _pause_all(self, _: Params) -> str:
        # Those that wait first, so that none of them starts in a slot that gets free.
        for states in ({_S.QUEUED}, ACTIVE_STATES):
            await self._in_slices(self._service.in_states(states), self._service.pause)
        return "OK"

    async def _unpause(self, params: Params) -> str:
        id = await self._id(params)
        gid = self._gids.of(id)
        if self._row(id).state is not _S.PAUSED:
            raise RpcError(f"GID#{gid} cannot be unpaused now")
        self._service.resume([id])
        return gid

    async def _unpause_all(self, _: Params) -> str:
        # The dashboard may have paused the queue; no other method could resume it.
        self._service.resume_all()
        paused = self._service.in_states({_S.PAUSED})
        await self._in_slices(paused, self._service.resume)
        return "OK"

    @staticmethod
    async def _in_slices(
        ids: Sequence[DownloadId], verb: Callable[[Sequence[DownloadId]], object]
    ) -> None:
        for start in range(0, len(ids), _SLICE):
            verb(ids[start : start + _SLICE])
            await asyncio.sleep(0)

    async def _change_position(self, params: Params) -> int:
        id = await self._id(params)
        offset = required(params, 1, int)
        how = required(params, 2, str)
        gid = self._gids.of(id)
        if how not in ("POS_SET", "POS_CUR", "POS_END"):
            raise RpcError("Illegal argument.")
        line = await self.lists.line()
        now = line.index(id)
        if now is None:
            raise RpcError(f"GID#{gid} not found in the waiting queue.")
        start = {"POS_SET": 0, "POS_CUR": now, "POS_END": len(line) - 1}[how]
        try:
            return await self.lists.move(id, start + offset)
        except ValueError:  # it started meanwhile
            raise RpcError(f"GID#{gid} not found in the waiting queue.") from None

    async def _change_uri(self, params: Params) -> list[int]:
        id = await self._id(params)
        index = at_least(params, 1, 1)
        removed = required(params, 2, list)
        added = required(params, 3, list)
        place = position(params, 4)
        if self._row(id).state in STOPPED_STATES:
            gid = self._gids.of(id)
            raise RpcError(f"Cannot remove URIs from GID#{gid}")
        if index > 1:
            raise RpcError("fileIndex is out of range")
        request = self._service.request(id)
        mirrors = list(request.mirrors)
        shown = [sanitize_url(url) for url in mirrors]
        deleted = 0
        for uri in removed:
            if uri in shown:
                at = shown.index(uri)
                del shown[at], mirrors[at]
                deleted += 1
        new = [uri for uri in added if isinstance(uri, str) and _is_url(uri)]
        at = len(mirrors) if place is None else place
        mirrors[at:at] = new
        if not mirrors:
            raise RpcError("A download needs at least one URI.")
        if mirrors != list(request.mirrors):
            unique = tuple(dict.fromkeys(mirrors))
            try:
                self._service.change_request(id, request._replace(mirrors=unique))
            except ValueError:  # it is complete meanwhile
                gid = self._gids.of(id)
                raise RpcError(f"Cannot remove URIs from GID#{gid}") from None
        return [deleted, len(new)]

    # -- looking ---------------------------------------------------------------------

    async def _tell_status(self, params: Params) -> dict[str, Any]:
        id = await self._id(params)
        return self._status.status(self._row(id), keys(params, 1))

    async def _get_uris(self, params: Params) -> list[dict[str, str]]:
        row = self._row(await self._id(params))
        if row.state in STOPPED_STATES:
            gid = self._gids.of(row.id)
            raise RpcError(f"No URI data is available for GID#{gid}")
        return self._status.uris(row)

    async def _get_files(self, params: Params) -> list[dict[str, Any]]:
        return self._status.files(self._row(await self._id(params)))

    async def _get_servers(self, params: Params) -> list[dict[str, Any]]:
        row = self._row(await self._id(params))
        if row.state not in ACTIVE_STATES:
            gid = self._gids.of(row.id)
            raise RpcError(f"No active download for GID#{gid}")
        return self._status.servers(row)

    async def _get_peers(self, params: Params) -> list[Any]:
        row = self._row(await self._id(params))
        if row.state in STOPPED_STATES:
            gid = self._gids.of(row.id)
            raise RpcError(f"No peer data is available for GID#{gid}")
        return []

    async def _tell_active(self, params: Params) -> list[dict[str, Any]]:
        wanted = keys(params, 0)
        return await self._statuses(await self.lists.active(), wanted)

    async def _tell_waiting(self, params: Params) -> list[dict[str, Any]]:
        offset, number = required(params, 0, int), at_least(params, 1, 0)
        wanted = keys(params, 2)
        line = await self.lists.line()
        ids = line.part(page(len(line), offset, number))
        return await self._statuses(ids, wanted)

    async def _tell_stopped(self, params: Params) -> list[dict[str, Any]]:
        offset, number = required(params, 0, int), at_least(params, 1, 0)
        wanted = keys(params, 2)
        await self.lists.update()
        ids = self._endings.part(page(self._endings.count, offset, number))
        return await self._statuses(ids, wanted)

    async def _statuses(
        self, ids: Sequence[DownloadId], keys: list[str]
    ) -> list[dict[str, Any]]:
        found = []
        for start in range(0, min(len(ids), MAX_ROWS), _SLICE):
            if start:
                await asyncio.sleep(0)
            rows = self._service.rows(ids[start : start + _SLICE])
            found += [self._status.status(row, keys) for row in rows]
        return found

    async def _get_global_stat(self, _: Params) -> dict[str, str]:
        await self.lists.update()
        snapshot = self._service.snapshot()
        counts = snapshot.counts
        stopped = sum(counts[state] for state in STOPPED_STATES)
        return {
            "downloadSpeed": str(int(snapshot.speed)),
            "uploadSpeed": "0",
            "numActive": str(sum(counts[state] for state in ACTIVE_STATES)),
            "numWaiting": str(sum(counts[state] for state in WAITING_STATES)),
            "numStopped": str(self._endings.count),
            "numStoppedTotal": str(stopped),
        }

    # -- results ---------------------------------------------------------------------

    async def _purge_download_result(self, _: Params) -> str:
        ids = self._service.in_states(STOPPED_STATES)
        await self._in_slices(ids, self._service.remove)
        return "OK"

    async def _remove_download_result(self, params: Params) -> str:
        id = await self._id(params)
        if not self._service.remove([id]):
            gid = self._gids.of(id)
            raise RpcError(f"Could not remove download result of GID#{gid}")
        return "OK"

    # -- options ---------------------------------------------------------------------

    async def _get_option(self, params: Params) -> dict[str, str]:
        id = await self._id(params)
        request = self._service.request(id)
        given = self._options.get(id, {})
        shown = opt.shown_options(request, self._output_dir)
        options = {**_BASE_OPTIONS, **self._limits(), **given, **shown}
        rate = self._service.detail(id).rate_limit
        options["max-download-limit"] = str(rate or 0)
        options[opt.RETRY_OF] = self._gids.of(id)
        return options

    async def _change_option(self, params: Params) -> str:
        id = await self._id(params)
        given = required(params, 1, dict)
        gid = self._gids.of(id)
        if self._row(id).state in STOPPED_STATES:
            raise RpcError(f"Cannot change option for GID#{gid}")
        changed = opt.read_options(given, opt.PER_DOWNLOAD)
        changed = {k: v for k, v in changed.items() if k not in opt.NOT_STORED}
        request = self._service.request(id)
        options = opt.shown_options(request, self._output_dir) | changed
        options = self._options.get(id, {}) | options
        renewed = await self._changed(request, options, changed)
        if renewed != request:
            try:
                self._service.change_request(id, renewed)
            except ValueError:
                raise RpcError(f"Cannot change option for GID#{gid}") from None
        if "max-download-limit" in changed:
            rate = int(changed["max-download-limit"])
            self._service.set_rate_limit(rate or None, id)
        if changed.keys() & {"split", "max-connection-per-server"}:
            both = self._options.get(id, {}) | changed
            count = opt.connections(both, len(renewed.mirrors))
            self._service.set_segments(count, id)
        kept = {k: v for k, v in changed.items() if k in opt.STORED}
        if kept:
            self._options[id] = self._options.get(id, {}) | kept
        return "OK"

    async def _changed(
        self, request: DownloadRequest, options: opt.Options, changed: opt.Options
    ) -> DownloadRequest:
        """Apply changed options to the request of a download."""
        if changed.keys() & {"dir", "out"}:
            target = await opt.resolve_target(options, self._output_dir)
            name = target.name or request.name
            request = request._replace(directory=target.directory, name=name)
        if changed.get("checksum"):
            checksum = Checksum.parse(changed["checksum"])
            request = request._replace(checksum=checksum)
        if changed.keys() & opt.ON_EXISTS:
            request = request._replace(on_exists=opt.read_on_exists(options))
        headers = opt.read_headers(changed, request.url)
        names = {name.lower() for name, _ in headers}
        if names:
            kept = [pair for pair in request.headers if pair[0].lower() not in names]
            request = request._replace(headers=(*kept, *headers))
        return request

    async def _get_global_option(self, _: Params) -> dict[str, str]:
        snapshot = self._service.snapshot()
        return {
            **_BASE_OPTIONS,
            **self._limits(),
            "dir": self._output_dir,
            "max-concurrent-downloads": str(snapshot.concurrency),
            "max-overall-download-limit": str(snapshot.rate_limit or 0),
            "optimize-concurrent-downloads": str(snapshot.auto.is_on).lower(),
            "max-download-result": str(self._endings.limit),
            **opt.without_secrets(self._defaults),
        }

    def _limits(self) -> dict[str, str]:
        segments = self._service.snapshot().segments
        return {"split": str(segments or 5)}

    async def _change_global_option(self, params: Params) -> str:
        given = required(params, 0, dict)
        limits = opt.read_options(given, opt.ONLY_GLOBAL)
        defaults = opt.read_options(given, opt.PER_DOWNLOAD)
        defaults = {k: v for k, v in defaults.items() if k not in opt.NOT_STORED}
        defaults.pop("out", None)
        await opt.resolve_target(defaults, self._output_dir)
        opt.read_headers(defaults, "")
        self._defaults |= defaults
        service = self._service
        if "max-overall-download-limit" in limits:
            service.set_rate_limit(int(limits["max-overall-download-limit"]) or None)
        if "max-concurrent-downloads" in limits:
            service.set_concurrency(int(limits["max-concurrent-downloads"]))
        if "optimize-concurrent-downloads" in limits:
            service.set_auto(limits["optimize-concurrent-downloads"] == "true")
        if "max-download-result" in limits:
            self._endings.limit = int(limits["max-download-result"])
        if defaults.keys() & {"split", "max-connection-per-server"}:
            service.set_segments(opt.connections(self._defaults, 1))
        return "OK"

    # -- the program -----------------------------------------------------------------

    async def _get_version(self, _: Params) -> dict[str, Any]:
        return {
            "version": VERSION,
            "enabledFeatures": list(_FEATURES),
            "fetchtui": __version__,
        }

    async def _get_session_info(self, _: Params) -> dict[str, str]:
        return {"sessionId": self._session_id}

    async def _save_session(self, _: Params) -> str:
        # The journal is written all the time.
        return "OK"

    async def _shutdown(self, _: Params) -> str:
        if self._shut_down is None:
            raise Refused(
                "aria2.shutdown is refused: start fetchtui with --rpc-allow-shutdown."
            )
        self._shut_down()
        return "OK"

    # -- aria2 knows these as methods of their own -----------------------------------

    _force_remove = _remove
    _force_pause = _pause
    _force_pause_all = _pause_all
    _force_shutdown = _shutdown

    # -- inside ----------------------------------------------------------------------

    async def _id(self, params: Params) -> DownloadId:
        return await self._gids.find(required(params, 0, str))

    def _row(self, id: DownloadId) -> DownloadSnapshot:
        (row,) = self._service.rows([id])
        return row


NAMES = (
    "addUri",
    "addTorrent",
    "getPeers",
    "addMetalink",
    "remove",
    "pause",
    "forcePause",
    "pauseAll",
    "forcePauseAll",
    "unpause",
    "unpauseAll",
    "forceRemove",
    "changePosition",
    "tellStatus",
    "getUris",
    "getFiles",
    "getServers",
    "tellActive",
    "tellWaiting",
    "tellStopped",
    "getOption",
    "changeUri",
    "changeOption",
    "getGlobalOption",
    "changeGlobalOption",
    "purgeDownloadResult",
    "removeDownloadResult",
    "getVersion",
    "getSessionInfo",
    "shutdown",
    "forceShutdown",
    "getGlobalStat",
    "saveSession",
)
"""aria2's methods, in the order of ``system.listMethods``."""


def _snake(name: str) -> str:
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name)


def _is_same(one: DownloadRequest, other: DownloadRequest) -> bool:
    """Return True if two requests are for the same file in the same place."""
    return {*one.mirrors} == {*other.mirrors} and (
        (one.name, one.directory) == (other.name, other.directory)
    )


def _is_url(uri: str) -> bool:
    try:
        check_url(uri)
    except ValueError:
        return False
    return True
