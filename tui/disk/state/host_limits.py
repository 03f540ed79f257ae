"""Limits that hosts have shown by refusing, remembered from one run to the next.

They are stored in ``hosts.json`` below the state directory, readable only by the user.
A host that refused an eleventh connection an hour ago is not asked for it again, but it
is probed for more like any other, so an outdated limit is left within a run.
"""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING

from tui.disk.state.location import state_dir
from tui.disk.state.replace import replace_file

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

KEPT_S = 24 * 3600.0
"""How long a limit is remembered, as aria2's ``--server-stat-timeout``."""
MOST_HOSTS = 1000
"""Hosts that are remembered at most: those used last."""
_MOST_BYTES = 1 << 20


class HostLimits:
    """The file of limits. Every call blocks briefly; failures are ignored.

    The limits only save requests that would be refused: a file that is missing, damaged
    or not writable costs nothing else.
    """

    def __init__(self, state: Path | None = None) -> None:
        """Use the given state directory, or that of the user."""
        self._path = (state or state_dir()) / "hosts.json"

    def load(self, now: float) -> dict[str, int]:
        """Return the connections that each host accepts, by origin.

        Args:
            now: wall time; what is older than ``KEPT_S``, or from the future, is left
                out.
        """
        return {origin: count for origin, (count, _) in self._read(now).items()}

    def save(self, limits: Mapping[str, int], now: float) -> None:
        """Remember limits of this run and keep those of other hosts.

        Args:
            limits: by origin; 0 removes that of a host.
            now: wall time.
        """
        known = self._read(now)
        merged = {
            **known,
            **{origin: (count, now) for origin, count in limits.items()},
        }
        kept = [item for item in merged.items() if item[1][0] > 0]
        kept.sort(key=lambda item: item[1][1], reverse=True)
        entries = dict(kept[:MOST_HOSTS])
        if entries == known:
            return
        with suppress(OSError):
            stored = json.dumps({"version": 1, "hosts": entries})
            replace_file(self._path, stored.encode())

    def _read(self, now: float) -> dict[str, tuple[int, float]]:
        try:
            with open(self._path, "rb") as file:
                stored = json.loads(file.read(_MOST_BYTES))
            hosts = stored["hosts"].items() if stored["version"] == 1 else ()
            return {
                str(origin): (int(count), float(at))
                for origin, (count, at) in hosts
                if int(count) > 0 and 0 <= now - float(at) <= KEPT_S
            }
        except (OSError, ValueError, TypeError, LookupError, AttributeError):
            return {}
        except (RecursionError, OverflowError):  # written by somebody else
            return {}
