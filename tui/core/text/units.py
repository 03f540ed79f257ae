"""Bytes, rates and durations: read from people and printed for them."""

from __future__ import annotations

import math
import re

_SIZE = re.compile(
    r"\s*([0-9]{1,18}(?:\.[0-9]{1,9})?)\s*([kmgtpe]?)(i?b?)(?:/s|ps)?\s*", re.IGNORECASE
)
_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4, "p": 5, "e": 6}
_UNITS = ("B", "KB", "MB", "GB", "TB", "PB", "EB")


def parse_size(text: str) -> int:
    """Read a size or a rate such as ``512``, ``10M``, ``1.5GiB`` or ``800k/s``.

    A bare letter means powers of 1024, as in aria2, curl and wget, so that their
    option values keep their meaning here; ``MB`` with a B but no i means 10^6.

    Returns:
        Bytes (or bytes per second), rounded down.

    Raises:
        ValueError: the text is no size; the message says what one looks like.
    """
    match = _SIZE.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no size; write it as 500k, 10M or 1.5G")
    number, letter, suffix = match.groups()
    base = 1000 if suffix.lower() == "b" and letter else 1024
    whole, _, decimals = number.partition(".")
    # In integers: a float would lose bytes above 2**53.
    factor: int = base ** _POWERS[letter.lower()]
    divisor: int = 10 ** len(decimals)
    return int(whole + decimals) * factor // divisor


def format_size(size: float | None) -> str:
    """Print bytes in at most 7 characters, three significant digits (``6.10 GB``).

    Decimal units, as disks, links and browsers count. ``None`` prints as a dash.
    """
    if size is None:
        return "—"
    if size < 0:
        return "-" + format_size(-size)
    if size < 999.5:
        return f"{size:.0f} B"
    # 999.5 and not 1000, so that rounding never prints "1000 KB".
    power = 0
    value = float(size)
    while value >= 999.5 and power < len(_UNITS) - 1:
        value /= 1000
        power += 1
    digits = 2 if value < 9.995 else 1 if value < 99.95 else 0
    return f"{value:.{digits}f} {_UNITS[power]}"


def format_rate(rate: float | None) -> str:
    """Print bytes per second (``41.2 MB/s``)."""
    return "—" if rate is None else format_size(rate) + "/s"


def format_duration(seconds: float | None) -> str:
    """Print a duration coarsely enough to stay calm: ``38s``, ``4m10s``, ``2h05m``.

    Past ten minutes the seconds go, past two days the minutes do: nobody plans by
    them, and digits that change are read as news.
    """
    if seconds is None or not math.isfinite(seconds) or seconds < 0:
        return "—"
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 600:
        return f"{whole // 60}m{whole % 60:02d}s"
    minutes = whole // 60
    if minutes < 120:
        return f"{minutes}m"
    if minutes < 48 * 60:
        return f"{minutes // 60}h{minutes % 60:02d}m"
    hours = minutes // 60
    return f"{hours // 24}d{hours % 24:02d}h"


def format_elapsed(seconds: float) -> str:
    """Print how long something took: like a duration, but with digits below ten."""
    if not 0 < seconds < 9.95:
        return format_duration(seconds)
    return f"{seconds:.1f}s" if seconds >= 0.95 else f"{seconds:.2f}s"


def format_clock(seconds: float) -> str:
    """Print elapsed time as ``hh:mm:ss``."""
    whole = int(max(0.0, seconds))
    return f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}"
