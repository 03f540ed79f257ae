"""What passed over the connections of a run, and where its time went."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_TOGETHER_S = 0.05
"""Connections opened within so short a time are reported together."""
_BIN_S = 0.1
_MOST_BINS = 100
_MOMENTS = 10


class Traffic:
    """What passed over one connection, at the client's end of the relay."""

    __slots__ = ("closed_at", "down", "opened_at", "up")

    def __init__(self, opened_at: float) -> None:
        self.opened_at = opened_at
        """By the monotonic clock, like all times here."""
        self.closed_at = 0.0
        self.up: list[float] = []
        """When the client sent something."""
        self.down: list[tuple[float, int]] = []
        """When bytes arrived at it, and how many."""

    def idle(self) -> list[tuple[float, float]]:
        """Return the gaps between the last byte of a response and the next request."""
        gaps, number = [], 0
        for at in self.up:
            before = number
            while number < len(self.down) and self.down[number][0] <= at:
                number += 1
            if number > before:
                gaps.append((self.down[number - 1][0], at))
        return gaps


def describe(connections: Sequence[Traffic], began_s: float, wall_s: float) -> str:
    """Return when connections were opened, how long they idled, and the speed.

    Args:
        connections: of one run, in the order of their opening.
        began_s: when the program was started, by the monotonic clock.
        wall_s: seconds until it ended.
    """
    used = [one for one in connections if one.down]
    if not used:
        return "no response"
    arrivals = sorted(chunk for one in used for chunk in one.down)
    first, last = (at - began_s for at in (arrivals[0][0], arrivals[-1][0]))
    lines = [
        f"first byte after {first:.2f} s, last byte after {last:.2f} s,"
        f" end after {wall_s:.2f} s",
        "opened: " + _openings([one.opened_at - began_s for one in connections]),
    ]
    moments = [began_s + last * number / _MOMENTS for number in range(1, _MOMENTS)]
    lines.append(
        "open at each tenth: "
        + " ".join(
            str(sum(one.opened_at <= at < (one.closed_at or at + 1) for one in used))
            for at in moments
        )
    )
    gaps = [end - start for one in used for start, end in one.idle()]
    open_s = sum(one.down[-1][0] - one.opened_at for one in used)
    if gaps:
        lines.append(
            f"idle between responses: {sum(gaps):.2f} of {open_s:.1f} s of all"
            f" connections, median {median(gaps) * 1e3:.1f} ms,"
            f" longest {max(gaps) * 1e3:.0f} ms"
        )
    width = max(_BIN_S, last / _MOST_BINS)
    bins = [0] * (int(last / width) + 1)
    for at, nbytes in arrivals:
        bins[int((at - began_s) / width)] += nbytes
    speeds = " ".join(f"{nbytes / width / 1e6:.0f}" for nbytes in bins)
    return "\n".join([*lines, f"MB/s every {width:.2f} s: {speeds}"])


def _openings(seconds: Sequence[float]) -> str:
    """Return when how many connections were opened."""
    groups: list[list[float]] = []
    for at in seconds:
        if groups and at - groups[-1][0] < _TOGETHER_S:
            groups[-1].append(at)
        else:
            groups.append([at])
    return ", ".join(f"{len(group)} at {group[0]:.2f} s" for group in groups)
