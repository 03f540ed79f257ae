"""How much of a run is over, as one fraction that never falls back."""

from __future__ import annotations

from tui.core.quick.named_tuple import NamedTuple

_MAX_STEP_BACK = 0.005
"""Fraction by which bytes may be behind the bar when it changes to them."""
_MAX_GAP = 0.2
"""Fraction by which bytes may be behind the bar when it begins to wait for them."""
_CATCHING_UP = 0.25
"""How fast the bar then moves, relative to the speed at which both would be full at the
same time."""


class Work(NamedTuple):
    """What the fraction is computed from."""

    files: int
    """Downloads without cancelled ones."""
    over: int
    """Of these, done or failed."""
    failed: int
    """Of these, failed."""
    shares: float
    """Sum of the fractions of unfinished downloads of known size."""
    unknown: int
    """Unfinished downloads of unknown size."""
    size: int
    """Bytes of all files of known size, without failed ones."""
    received: int
    """Bytes received of these files."""


class RunProgress:
    """Counts files while sizes are unknown, else bytes.

    A fraction of bytes means nothing while sizes are unknown: 1,900 of 2,000 files may
    be 2 % of the bytes. When the last size becomes known, or the last file of unknown
    size is done, the bar changes to bytes at once if that does not set it back. If it
    is a little ahead of the bytes, it moves slowly with them until they have caught up;
    if it is far ahead, files are still counted.

    Failed downloads are left out, of bytes and of files, so that many of them do not
    delay the change to bytes. The bar is full once all have ended; front ends show
    which part of it failed. When a download fails or starts from zero again, the
    fraction stays until the others have caught up.
    """

    def __init__(self) -> None:
        self.fraction: float | None = None
        """0 to 1; ``None`` without downloads. 1 only when all have ended."""
        self.counts_files = True
        """Whether it is a fraction of files, not of bytes."""
        self._files = 0
        self._over = 0
        self._slow_from: tuple[float, float] | None = None
        """Fractions of bar and bytes from which it moves slowly until bytes catch up.
        """

    def update(self, work: Work) -> None:
        """Compute the fraction from the present state."""
        if work.files <= 0:
            self.fraction, self.counts_files = None, True
            self._files = self._over = 0
            return
        before = self.fraction or 0.0
        if work.files > self._files or work.over < self._over:
            # Something new has begun.
            before, self.counts_files, self._slow_from = 0.0, True, None
        self._files, self._over = work.files, work.over
        if work.over == work.files:
            self.fraction = 1.0
            return
        done, wanted = work.over - work.failed, work.files - work.failed
        by_files = (done + work.shares) / wanted
        by_bytes = work.received / work.size if work.size else 0.0
        if work.unknown or not work.size:
            self.counts_files, self._slow_from = True, None
        elif by_bytes >= before - _MAX_STEP_BACK:
            self.counts_files, self._slow_from = False, None
        elif self.counts_files and by_bytes >= before - _MAX_GAP:
            self._slow_from = self._slow_from or (before, by_bytes)
        now = by_files if self.counts_files else by_bytes
        if self._slow_from is not None:
            bar, received = self._slow_from
            pace = _CATCHING_UP * (1 - bar) / (1 - received)
            now = bar + pace * (by_bytes - received)
        self.fraction = min(0.999, max(now, before))
