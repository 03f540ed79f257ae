"""GIDs: the 16 hexadecimal digits by which clients name downloads.

A GID is computed from the id of a download, so a million downloads need no table. The
upper half is a permutation of the ids and the lower half is computed from them as well,
so that GIDs look random and all short prefixes are equally likely. GIDs that clients
choose themselves are kept in a table.
"""

from __future__ import annotations

import asyncio
import re
import secrets
from typing import TYPE_CHECKING

from tui.core.service import REMOVED
from tui.rpc.errors import RpcError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tui.core.download import DownloadId
    from tui.core.service import DownloadService

_HALF = (1 << 32) - 1
_HIGH, _LOW = 0x9E3779B1, 0x85EBCA77
"""Odd, so that multiplication modulo 2^32 is a permutation."""
_HIGH_INVERSE = pow(_HIGH, -1, 1 << 32)
_DIGITS = re.compile(r"[0-9a-fA-F]{1,16}")
_SLICE = 20_000
"""Downloads compared with a short prefix per loop iteration: about 4 ms."""


class Gids:
    """Translates between ids and GIDs."""

    def __init__(self, service: DownloadService, seed: int | None = None) -> None:
        """Choose a permutation.

        Args:
            service: knows which downloads exist.
            seed: 64 bits that choose the permutation; random by default.
        """
        self._service = service
        seed = secrets.randbits(64) if seed is None else seed
        self._high, self._low = seed >> 32, seed & _HALF
        self._chosen: dict[DownloadId, str] = {}
        self._ids: dict[str, DownloadId] = {}

    def of(self, id: DownloadId) -> str:
        """Return the GID of a download."""
        return self._chosen.get(id) or f"{self._computed(id):016x}"

    def choose(self, id: DownloadId, gid: str) -> None:
        """Let a client choose the GID of a download (``check`` it first)."""
        self._chosen[id] = gid
        self._ids[gid] = id

    def check(self, gid: str) -> str:
        """Return a GID that a client chose, in lower case.

        Raises:
            RpcError: it is not 16 hexadecimal digits, or taken.
        """
        gid = gid.lower()
        if len(gid) != 16 or _DIGITS.fullmatch(gid) is None or not int(gid, 16):
            raise RpcError(f"Invalid GID {gid[:40]}")
        if self.exact(gid) is not None:
            raise RpcError(f"GID {gid} is already used.")
        return gid

    def exact(self, gid: str) -> DownloadId | None:
        """Return the download with this GID, even if it was removed.

        Args:
            gid: anything; what is not 16 hexadecimal digits names no download.
        """
        gid = gid.lower()
        if len(gid) != 16 or _DIGITS.fullmatch(gid) is None:
            return None
        if gid in self._ids:
            return self._ids[gid]
        id = self._inverse(int(gid, 16) >> 32)
        if id in self._chosen or f"{self._computed(id):016x}" != gid:
            return None
        return id if self._service.rows([id]) else None

    async def find(self, text: str) -> DownloadId:
        """Return the download whose GID is ``text`` or begins with it.

        Raises:
            RpcError: none or several, or ``text`` is not hexadecimal.
        """
        if _DIGITS.fullmatch(text) is None:
            raise RpcError(f"Invalid GID {text[:40]}")
        prefix = text.lower()
        if len(prefix) == 16:
            id = self.exact(prefix)
            found = [] if id is None else [id]
        else:
            found = await self._matches(prefix)
        found = [id for id in found if not self._service.states([id])[0] & REMOVED]
        if not found:
            raise RpcError(f"GID {text} is not found")
        if len(found) > 1:
            raise RpcError(f"GID {text} is not unique")
        return found[0]

    async def _matches(self, prefix: str) -> list[DownloadId]:
        found = [id for gid, id in self._ids.items() if gid.startswith(prefix)]
        digits = len(prefix)
        if digits >= 8:
            # The upper half is known, and with it the only candidate.
            id = self._inverse(int(prefix[:8], 16))
            if self._service.rows([id]):
                found += [] if id in self._chosen else self._filter([id], prefix)
            return found
        count = self._service.count
        wanted, shift = int(prefix, 16), 32 - 4 * digits
        for start in range(0, count, _SLICE):
            if start:
                await asyncio.sleep(0)
            ids = range(start, min(count, start + _SLICE))
            high = self._high
            found += [
                id
                for id in ids
                if ((id + 1) * _HIGH + high & _HALF) >> shift == wanted
                and id not in self._chosen
            ]
        return found

    def _filter(self, ids: list[DownloadId], prefix: str) -> Iterator[DownloadId]:
        return (id for id in ids if f"{self._computed(id):016x}".startswith(prefix))

    def _computed(self, id: DownloadId) -> int:
        high = (id + 1) * _HIGH + self._high & _HALF
        low = (id + 1) * _LOW + self._low & _HALF
        return high << 32 | low | 1  # never 0, which aria2 does not allow

    def _inverse(self, high: int) -> DownloadId:
        return ((high - self._high) * _HIGH_INVERSE & _HALF) - 1
