"""What the exceptions of the loop's own wire mean."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from tui.net import faults
from tui.net.address import where
from tui.net.loop_wire_chunks import BadChunk
from tui.net.loop_wire_head import BadHead, EndlessHead

if TYPE_CHECKING:
    from tui.core.errors import FetchError


class CutShort(Exception):
    """The connection ended in the middle of a body."""


class HungUp(Exception):
    """The connection ended before an answer."""


def from_loop(error: Exception, url: str, is_connecting: bool) -> FetchError:
    """Translate an exception of the wire or of the sockets under it.

    Args:
        error: what was raised.
        url: what was asked for.
        is_connecting: the connection was not there yet.
    """
    place = where(url)
    if isinstance(error, BadHead):
        return faults.not_http(place, str(error))
    if isinstance(error, EndlessHead):
        return faults.oversized_head(place)
    if isinstance(error, BadChunk):
        return faults.bad_chunk(place)
    if isinstance(error, CutShort):
        return faults.cut_short(place)
    if isinstance(error, HungUp):
        return faults.hung_up(place)
    # Before OSError, of which these are kinds; a name that cannot be encoded is none.
    if isinstance(error, socket.gaierror | UnicodeError):
        number = error.errno if isinstance(error, OSError) else None
        return faults.no_address(
            place, number is None or number in faults.UNKNOWN_NAMES
        )
    if isinstance(error, OSError) and error.errno is not None:
        return faults.from_errno(place, error.errno, is_connecting)
    if isinstance(error, TimeoutError):
        return faults.connect_timeout(place)
    return faults.broken(place)
