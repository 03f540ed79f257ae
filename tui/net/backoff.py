"""Compute how long to wait before the next attempt: pure functions."""

from __future__ import annotations

import time
from datetime import UTC
from typing import TYPE_CHECKING

from tui.core.quick.pattern import late_pattern

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

BASE_S = 0.5
"""Upper bound of the first wait; it doubles with each consecutive failure."""
CAP_S = 30.0
"""Upper bound of every wait: a server that recovers is noticed within half a minute."""

_SECONDS = late_pattern(r"[0-9]{1,1000}(?:\.[0-9]{1,9})?")
_MOST_S = 1e11
"""Some 3,000 years: what exceeds it still means that the server wants no request."""


def next_wait_s(
    failures: int, retry_after_s: float | None, random: Callable[[], float]
) -> float:
    """Return the wait before the next attempt.

    Full jitter: uniform between zero and a ceiling that doubles, which spreads many
    clients best (Brooker, "Exponential Backoff And Jitter", 2015).

    Args:
        failures: consecutive failed attempts, at least 1.
        retry_after_s: the server's request, or ``None``. The wait is never shorter; the
            caller refuses requests that are too long.
        random: uniform in [0, 1).

    Returns:
        Seconds.
    """
    wait = random() * _ceiling_s(failures)
    if retry_after_s is None:
        return wait
    return max(wait, retry_after_s)


def pause_s(failures: int, random: Callable[[], float]) -> float:
    """Return how long to leave a server alone that refuses every request.

    At least half the longest wait of a download that failed as often, since a request
    that follows at once would be refused as well.

    Args:
        failures: bursts of requests in a row that were refused, at least 1.
        random: uniform in [0, 1).

    Returns:
        Seconds.
    """
    return (1.0 + random()) / 2 * _ceiling_s(failures)


def _ceiling_s(failures: int) -> float:
    # 2 ** 16 is past every cap; a float overflows at 1024 failures.
    return min(CAP_S, BASE_S * 2.0 ** min(max(failures, 1) - 1, 16))


def read_retry_after(
    headers: Mapping[str, str], now_wall: float | None = None
) -> float | None:
    """Return the seconds that a response asks to wait; ``None`` if it does not.

    Args:
        headers: by lower-case name; repeated ones are joined by ``, ``.
        now_wall: seconds since the epoch, used if there is no Date; ``None`` uses the
            system clock.
    """
    value = headers.get("retry-after", "")
    if not value:
        return None
    # Repeated headers arrive joined; a date contains a comma of its own.
    parts = [part.strip() for part in value.split(",")]
    for size in (1, 2):
        if parts == parts[:size] * (len(parts) // size):
            value = ", ".join(parts[:size])
            break
    date = parse_http_date(headers.get("date", ""))
    if date is None:
        date = time.time() if now_wall is None else now_wall
    return parse_retry_after(value, date)


def parse_retry_after(value: str, now_wall: float) -> float | None:
    """Parse ``Retry-After`` (RFC 9110 section 10.2.3): seconds or a date.

    Args:
        value: the header's value.
        now_wall: seconds since the epoch; preferably the response's own Date, since
            clocks differ.

    Returns:
        Seconds from now, never negative; ``None`` if it is neither.
    """
    value = value.strip()
    if _SECONDS.fullmatch(value) is not None:
        return min(_MOST_S, float(value))
    at = parse_http_date(value)
    return None if at is None else max(0.0, at - now_wall)


def parse_http_date(value: str) -> float | None:
    """Parse an HTTP date (RFC 9110 section 5.6.7) in any of its three forms.

    Returns:
        Seconds since the epoch, or ``None``.
    """
    # Only a date starts with a letter; the parser accepts much else as one.
    if len(value) > 64 or not value[:1].isalpha():
        return None
    # 5 ms to load, and most servers send ETags.
    from email.utils import parsedate_to_datetime

    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    try:
        # The asctime form has no zone and means UTC.
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return moment.timestamp()
    except (ValueError, OverflowError):
        return None
