"""Parse and format sizes, rates and durations."""

from __future__ import annotations

import math
import re

from tui.core.quick.pattern import late_pattern

_SIZE = late_pattern(
    r"\s*([0-9]{1,18}(?:\.[0-9]{1,9})?)\s*([kmgtpe]?)(i?b?)(?:/s|ps)?\s*", re.IGNORECASE
)
_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4, "p": 5, "e": 6}
UNITS = ("si", "iec")
"""Names of the systems of units, for ``use_units``."""
_NAMES = {
    "si": (1000, ("B", "KB", "MB", "GB", "TB", "PB", "EB")),
    "iec": (1024, ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")),
}


class _Shown:
    """The units of all sizes that this process shows."""

    base, names = _NAMES["si"]


def use_units(system: str) -> None:
    """Show all sizes in decimal (``si``) or binary (``iec``, IEC 80000-13) units."""
    _Shown.base, _Shown.names = _NAMES[system]


def size_width() -> int:
    """Return the most characters that ``format_size`` returns."""
    return 7 if _Shown.base == 1000 else 8


def plural(count: int, noun: str = "download") -> str:
    """Return a count with its noun: ``1 download``, ``5,000 downloads``."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def parse_size(text: str, noun: str = "size") -> int:
    """Parse a size or a rate such as ``512``, ``10M``, ``1.5GiB`` or ``800k/s``.

    A bare letter means powers of 1024, as in aria2, curl and wget, so that their
    option values keep their meaning here; ``MB`` with a B but no i means 10^6.

    Args:
        text: what the user wrote.
        noun: ``size`` or ``rate``, for the error message.

    Returns:
        Bytes (or bytes per second), rounded down.

    Raises:
        ValueError: the text is not a size; the message shows valid ones.
    """
    match = _SIZE.fullmatch(text)
    invalid = f"{text!r} is not a valid {noun}; use 500k, 10M or 1.5G"
    if match is None:
        raise ValueError(invalid)
    number, letter, suffix = match.groups()
    base = 1000 if suffix.lower() == "b" and letter else 1024
    whole, _, decimals = number.partition(".")
    # In integers: a float would lose bytes above 2**53.
    factor: int = base ** _POWERS[letter.lower()]
    divisor: int = 10 ** len(decimals)
    digits = int(whole + decimals)
    size = digits * factor // divisor
    if digits and not size:
        # Half a byte, because a letter is missing: 0 would mean no limit.
        raise ValueError(invalid)
    return size


def editable_size(number: int | None) -> str:
    """Return a size in the form in which a user would type it: ``10M``; 0 for none."""
    if not number:
        return "0"
    for power, letter in ((3, "G"), (2, "M"), (1, "K")):
        whole, rest = divmod(number, 1024**power)
        if whole and not rest:
            return f"{whole}{letter}"
    return str(number)


def format_size(size: float | None) -> str:
    """Format bytes with three significant digits: ``6.10 GB``.

    Units are decimal, as for disks, networks and browsers, unless ``use_units`` has
    chosen binary ones. ``None`` becomes a dash.
    """
    if size is None:
        return "—"
    if size < 0:
        return "-" + format_size(-size)
    if size < 999.5:
        return f"{size:.0f} B"
    # 999.5 and not 1000, so that rounding never gives "1000 KB".
    power = 0
    value = float(size)
    while value >= 999.5 and power < len(_Shown.names) - 1:
        value /= _Shown.base
        power += 1
    digits = 2 if value < 9.995 else 1 if value < 99.95 else 0
    return f"{value:.{digits}f} {_Shown.names[power]}"


def format_rate(rate: float | None) -> str:
    """Format bytes per second (``41.2 MB/s``)."""
    return "—" if rate is None else format_size(rate) + "/s"


def format_limit(rate: int) -> str:
    """Format a rate limit as a user would type it (``40M``); others are rounded.

    A bare letter means powers of 1024, so 40M in other units would be another number.
    """
    for power, letter in ((30, "G"), (20, "M"), (10, "k")):
        number, rest = divmod(rate, 1 << power)
        if number and not rest:
            return f"{number}{letter}"
    return format_rate(rate)


def format_duration(seconds: float | None) -> str:
    """Format a duration coarsely: ``38s``, ``4m10s``, ``2h05m``.

    There are no seconds above ten minutes and no minutes above two days: they do not
    matter there, and digits that change draw attention.
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
    """Format how long something took: a duration with decimals below ten seconds."""
    if not 0 < seconds < 9.95:
        return format_duration(seconds)
    return f"{seconds:.1f}s" if seconds >= 0.95 else f"{seconds:.2f}s"


def format_clock(seconds: float) -> str:
    """Format elapsed time as ``hh:mm:ss``."""
    whole = int(max(0.0, seconds))
    return f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}"
