"""Measures a strategy while it runs, at next to no cost."""

from __future__ import annotations

import os
import threading
import time
from asyncio import CancelledError
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tui.core.text.sanitize import sanitize
from tui.lab.report.figures import Figures, Status, Stop
from tui.lab.worker.process_stats import cpu_s, peak_memory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tui.lab.worker.loop_lag import LoopLagMeter

_CANCEL_DELAY_S = 0.02


class Instrumentation:
    """Counts what a strategy does; may be called from any thread.

    Args:
        total: number of files of the job.
        cancel_after: number of results after which to cancel the strategy; 0: never.
    """

    def __init__(self, total: int, cancel_after: int = 0) -> None:
        self.total = total
        self._cancel_after = cancel_after
        self.received = 0
        """Bytes received."""
        self.counts: Counter[str] = Counter()
        self.first_error = ""
        self.loop: LoopLagMeter | None = None
        """Set by the harness, if the strategy has an event loop."""
        self._lock = threading.Lock()
        self._started_count = self._running = self._finished_late = (
            self._counted_late
        ) = 0
        self._is_over = False
        self._workers: dict[int, int] = {}
        self._first_at: float | None = None
        self._stop_at: float | None = None
        self._at_stop = (0, 0)
        self._on_cancel: Callable[[], object] | None = None
        self.start_clock()

    # -- for strategies --------------------------------------------------------------

    def start_clock(self) -> None:
        """Start measuring; everything before was preparation."""
        with self._lock:
            self.received = 0
            self._first_at = None
            self._cpu_at = cpu_s()
            self._at = time.perf_counter()
            if self.loop is not None:
                self.loop.restart()

    @contextmanager
    def download(self) -> Iterator[None]:
        """Mark all work for one file, wherever it runs."""
        self.begin()
        was_cancelled = False
        try:
            yield
        except CancelledError:
            was_cancelled = True
            raise
        finally:
            self.end(was_cancelled=was_cancelled)

    def begin(self) -> None:
        """Note that the work for one file starts."""
        with self._lock:
            self._started_count += 1
            self._running += 1

    def end(self, *, was_cancelled: bool = False) -> None:
        """Note that the work for one file ended."""
        with self._lock:
            self._running -= 1
            self._finished_late += self._stop_at is not None and not was_cancelled

    def add_bytes(self, nbytes: int) -> None:
        """Count received bytes."""
        with self._lock:
            self.received += nbytes

    def count(self, status: Status, error: BaseException | str | None = None) -> None:
        """Count one result; call this where the program learns of it."""
        with self._lock:
            self._counted_late += self._stop_at is not None
            if self._first_at is None:
                self._first_at = time.perf_counter()
            self.counts[status.value] += 1
            if error is not None and not self.first_error and status is Status.ERROR:
                self.first_error = _describe(error)
            is_due = self.counts.total() == self._cancel_after
        if is_due:
            # A moment later, in the middle of something, as a user would.
            timer = threading.Timer(_CANCEL_DELAY_S, self.cancel)
            timer.daemon = True
            timer.start()

    def worker(self, pid: int, peak: int) -> None:
        """Note the peak memory (bytes) of a worker process."""
        if pid != os.getpid():
            self._workers[pid] = max(peak, self._workers.get(pid, 0))

    def on_cancel(self, cancel: Callable[[], object]) -> None:
        """Register how this strategy is cancelled.

        Args:
            cancel: called once, from another thread; may return how many downloads
                it prevented from starting.
        """
        self._on_cancel = cancel
        if self._stop_at is not None:  # cancelled before it could register
            self._call(cancel)

    @property
    def is_cancelled(self) -> bool:
        """True if the strategy should stop."""
        return self._stop_at is not None

    # -- for the harness -------------------------------------------------------------

    def cancel(self) -> None:
        """Cancel the strategy in its own way."""
        with self._lock:
            if self._stop_at is not None or self._is_over:
                return
            self._stop_at = time.perf_counter()
            # On a loop, a result is counted at once; that of a thread may have to wait
            # until the program reads it.
            started = self.ended + self._running if self.loop else self._started_count
            self._at_stop = (self._running, max(0, self.total - started))
        if self._on_cancel is not None:
            self._call(self._on_cancel)

    def _call(self, cancel: Callable[[], object]) -> None:
        cancelled = cancel()
        if isinstance(cancelled, int):  # futures know which of them were waiting
            running = max(0, self.total - self.ended - cancelled)
            self._at_stop = (min(running, self._at_stop[0] or running), cancelled)

    @property
    def ended(self) -> int:
        """Number of results so far."""
        return self.counts.total()

    def progress(self) -> dict[str, object]:
        """Return the current state; cheap."""
        return {
            "ended": self.ended,
            "counts": dict(self.counts),
            "received": self.received,
            "elapsed_s": time.perf_counter() - self._at,
            "beats": self.loop.beats if self.loop else None,
            "lag_max_s": max(self.loop.lags, default=0.0) if self.loop else None,
            "lag_now_s": self.loop.take_worst() if self.loop else None,
        }

    def stop_clock(self) -> Callable[[int, str], Figures]:
        """Stop measuring; return a function that makes the ``Figures``.

        It takes the total bytes of all complete files and their fingerprint, which are
        computed afterwards, outside the measured time.
        """
        with self._lock:
            self._is_over = True
        now = time.perf_counter()
        stop = None
        if self._stop_at is not None and self.ended < self.total:
            running, waiting = self._at_stop
            late = min(running, max(self._finished_late, self._counted_late))
            stop = Stop(now - self._stop_at, running, waiting, late)
        figures: dict[str, Any] = {
            "wall_s": now - self._at,
            "cpu_s": cpu_s() - self._cpu_at,
            "peak_memory": peak_memory() + sum(self._workers.values()),
            "first_s": None if self._first_at is None else self._first_at - self._at,
            "lag_p99_s": self.loop.percentile(0.99) if self.loop else None,
            "lag_max_s": max(self.loop.lags, default=0.0) if self.loop else None,
            "counts": dict(self.counts),
            "first_error": self.first_error,
            "stop": stop,
        }
        return lambda nbytes, fingerprint: Figures(
            **figures, nbytes=nbytes, fingerprint=fingerprint
        )


def _describe(error: BaseException | str) -> str:
    """Return an error as one line that is safe to display."""
    if isinstance(error, str):
        return sanitize(error, 200)
    response = getattr(error, "response", None)
    if response is not None:
        return sanitize(f"{response.status_code} {response.reason_phrase}", 200)
    return sanitize(f"{type(error).__name__}: {error}", 200)
