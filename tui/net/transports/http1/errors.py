"""What the exceptions of the loop's own wire mean."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from tui.net import errors
from tui.net.transports.http1.parser import BadChunk, BadHead, EndlessHead
from tui.net.url import where

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
        return errors.not_http(place, str(error))
    if isinstance(error, EndlessHead):
        return errors.oversized_head(place)
    if isinstance(error, BadChunk):
        return errors.bad_chunk(place)
    if isinstance(error, CutShort):
        return errors.cut_short(place)
    if isinstance(error, HungUp):
        return errors.hung_up(place)
    # Before OSError, of which these are kinds; a name that cannot be encoded is none.
    if isinstance(error, socket.gaierror | UnicodeError):
        number = error.errno if isinstance(error, OSError) else None
        return errors.no_address(
            place, number is None or number in errors.UNKNOWN_NAMES
        )
    if isinstance(error, OSError) and error.errno is not None:
        return errors.from_errno(place, error.errno, is_connecting)
    if isinstance(error, TimeoutError):
        return errors.connect_timeout(place)
    return errors.broken(place)
