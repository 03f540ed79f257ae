"""What a strategy tells while it runs; made to cost next to nothing."""

from __future__ import annotations

import os
import threading
import time
from asyncio import CancelledError
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tui.core.text.plain_text import plain
from tui.lab.report.figures import Figures, Status, Stop
from tui.lab.worker.process_stats import cpu_s, peak_memory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tui.lab.worker.loop_watch import LoopLagMeter

_MOMENT_S = 0.02


class Instrumentation:
    """Counts what a strategy does; any thread may call it.

    Args:
        total: files of the job.
        cancel_after: results after which the strategy is cancelled; 0 for never.
    """

    def __init__(self, total: int, cancel_after: int = 0) -> None:
        self.total = total
        self._cancel_after = cancel_after
        self.received = 0
        """Bytes taken in."""
        self.counts: Counter[str] = Counter()
        self.trouble = ""
        self.loop: LoopLagMeter | None = None
        """Set by whoever runs the strategy, where it has an event loop."""
        self._lock = threading.Lock()
        self._began = self._running = self._finished_late = self._counted_late = 0
        self._is_over = False
        self._workers: dict[int, int] = {}
        self._first_at: float | None = None
        self._stop_at: float | None = None
        self._at_stop = (0, 0)
        self._on_cancel: Callable[[], object] | None = None
        self.start_clock()

    # -- what strategies call --------------------------------------------------------

    def start_clock(self) -> None:
        """Measure from now on; what came before was preparation."""
        with self._lock:
            self.received = 0
            self._first_at = None
            self._cpu_at = cpu_s()
            self._at = time.perf_counter()
            if self.loop is not None:
                self.loop.restart()

    @contextmanager
    def download(self) -> Iterator[None]:
        """Stand around all the work for one file, wherever it is done."""
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
        """The work for one file begins."""
        with self._lock:
            self._began += 1
            self._running += 1

    def end(self, *, was_cancelled: bool = False) -> None:
        """The work for one file has ended."""
        with self._lock:
            self._running -= 1
            self._finished_late += self._stop_at is not None and not was_cancelled

    def took(self, nbytes: int) -> None:
        """Count bytes that came in."""
        with self._lock:
            self.received += nbytes

    def count(self, status: Status, error: BaseException | str | None = None) -> None:
        """Count one result; called where the program learns of it."""
        with self._lock:
            self._counted_late += self._stop_at is not None
            if self._first_at is None:
                self._first_at = time.perf_counter()
            self.counts[status.value] += 1
            if error is not None and not self.trouble and status is Status.ERROR:
                self.trouble = _say(error)
            is_due = self.counts.total() == self._cancel_after
        if is_due:
            # A moment later, in the middle of something, as a person would.
            timer = threading.Timer(_MOMENT_S, self.cancel)
            timer.daemon = True
            timer.start()

    def worker(self, pid: int, peak: int) -> None:
        """Note the peak memory (bytes) of a process that works for this one."""
        if pid != os.getpid():
            self._workers[pid] = max(peak, self._workers.get(pid, 0))

    def on_cancel(self, cancel: Callable[[], object]) -> None:
        """Say how this strategy is stopped.

        Args:
            cancel: called from another thread, once; may return how many downloads
                it kept from beginning.
        """
        self._on_cancel = cancel
        if self._stop_at is not None:  # it was asked to stop before it could say how
            self._call(cancel)

    @property
    def is_cancelled(self) -> bool:
        """Whether somebody wants it to stop."""
        return self._stop_at is not None

    # -- what runs the strategy calls ------------------------------------------------

    def cancel(self) -> None:
        """Stop the strategy in its own way."""
        with self._lock:
            if self._stop_at is not None or self._is_over:
                return
            self._stop_at = time.perf_counter()
            # On a loop a result is counted when it is there; that of a thread may have
            # to wait until it is asked for.
            begun = self.ended + self._running if self.loop else self._began
            self._at_stop = (self._running, max(0, self.total - begun))
        if self._on_cancel is not None:
            self._call(self._on_cancel)

    def _call(self, cancel: Callable[[], object]) -> None:
        cancelled = cancel()
        if isinstance(cancelled, int):  # futures know best which of them waited
            running = max(0, self.total - self.ended - cancelled)
            self._at_stop = (min(running, self._at_stop[0] or running), cancelled)

    @property
    def ended(self) -> int:
        """Results so far."""
        return self.counts.total()

    def progress(self) -> dict[str, object]:
        """Return what there is to see now, cheaply."""
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
        """End the measurement; what is returned makes the figures of it.

        It wants the bytes of all whole files and their fingerprint, which take time to
        compute that is not the strategy's.
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
            "trouble": self.trouble,
            "stop": stop,
        }
        return lambda nbytes, fingerprint: Figures(
            **figures, nbytes=nbytes, fingerprint=fingerprint
        )


def _say(error: BaseException | str) -> str:
    """Return what went wrong, in one line that is safe to show."""
    if isinstance(error, str):
        return plain(error, 200)
    answer = getattr(error, "response", None)
    if answer is not None:
        return plain(f"{answer.status_code} {answer.reason_phrase}", 200)
    return plain(f"{type(error).__name__}: {error}", 200)
