"""Short formats for figures."""

from __future__ import annotations

NONE = "—"
"""Shown where there is no figure."""


def format_seconds(seconds: float | None) -> str:
    """Format a duration with three digits: ``4.81 s``, ``320 ms``, ``1.3 ms``."""
    if seconds is None:
        return NONE
    if seconds >= 99.5:
        return f"{seconds:.0f} s"
    if seconds >= 0.9995:
        return f"{seconds:.2f} s" if seconds < 9.995 else f"{seconds:.1f} s"
    milliseconds = seconds * 1000
    return (
        f"{milliseconds:.0f} ms" if milliseconds >= 9.95 else f"{milliseconds:.1f} ms"
    )


def format_mb_per_s(speed: float | None) -> str:
    """Format bytes per second in MB/s, without the unit."""
    return NONE if speed is None else format_digits(speed / 1e6)


def format_digits(value: float | None) -> str:
    """Format a number with three digits."""
    if value is None:
        return NONE
    digits = 2 if value < 9.995 else 1 if value < 99.95 else 0
    return f"{value:.{digits}f}"
