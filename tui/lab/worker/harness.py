"""Runs a strategy in its own process and reports its progress.

It reads the job from a file and writes lines of JSON to standard output: ``progress``
ten times a second, finally ``figures`` or ``died``. The line ``cancel`` on standard
input cancels the strategy in its own way. When standard input is closed, the parent is
gone: then the race's temporary directory is removed and the process group killed.
"""

from __future__ import annotations

import asyncio
import hashlib
import importlib
import inspect
import json
import os
import shutil
import signal
import sys
import threading
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tui.core.text.sanitize import sanitize
from tui.lab.job import Job
from tui.lab.worker.instrumentation import Instrumentation
from tui.lab.worker.loop_lag import LoopLagMeter

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

PROGRESS_S = 0.1
"""Seconds between two progress lines."""
_TEMP_PREFIX = "fetchtui-lab-"
"""Name prefix of the race's temporary directory: no other folder is ever removed."""


def main() -> None:
    """Run one job; the exit status is 0 unless the strategy died."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
    path = Path(sys.argv[1])
    job = Job.from_json(path.read_text("utf-8"))
    stats = Instrumentation(len(job.targets), job.cancel_after)
    emit = _LineWriter()
    slow_down_syncs(job.disk_latency_s)
    strategy = importlib.import_module(f"tui.lab.strategies.{job.strategy}")
    _in_background(lambda: _read_commands(stats, path.parent))
    emit(event="started")
    ended = threading.Event()
    _in_background(lambda: _report(stats, emit, ended))
    try:
        run(strategy, job, stats)
    except Exception as error:
        emit(event="died", reason=sanitize(f"{type(error).__name__}: {error}", 300))
        raise
    finally:
        ended.set()
    figures = stats.stop_clock()(*fingerprint_files(job))
    emit(event="figures", figures=asdict(figures))


def run(strategy: ModuleType, job: Job, stats: Instrumentation) -> None:
    """Run a strategy to its end, on an event loop if it is a coroutine."""
    stats.start_clock()
    if not inspect.iscoroutinefunction(strategy.run):
        strategy.run(job, stats)
        return
    factory: Callable[[], Any] | None = None
    if getattr(strategy, "WANTS_UVLOOP", False):
        from uvloop import new_event_loop as factory
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(_run_with_lag_meter(strategy, job, stats))


async def _run_with_lag_meter(
    strategy: ModuleType, job: Job, stats: Instrumentation
) -> None:
    """Run an async strategy beside a meter of its loop lag."""
    loop = asyncio.get_running_loop()
    stats.loop = LoopLagMeter()
    meter = loop.create_task(stats.loop.watch())
    task = loop.create_task(strategy.run(job, stats))
    stats.on_cancel(lambda: loop.call_soon_threadsafe(task.cancel))
    try:
        await asyncio.wait([task])
        if not task.cancelled():
            task.result()
    finally:
        meter.cancel()


def slow_down_syncs(latency_s: float) -> None:
    """Make each sync to disk take ``latency_s`` longer in this process.

    This patches ``os``, below all strategies and the engine, so it affects all alike.
    """
    if latency_s <= 0:
        return
    for name in ("fsync", "fdatasync"):
        real = getattr(os, name, None)  # macOS has no fdatasync
        if real is not None:
            setattr(os, name, _delayed(real, latency_s))


def _delayed(real: Callable[[int], None], latency_s: float) -> Callable[[int], None]:
    def delayed(fd: int) -> None:
        real(fd)
        time.sleep(latency_s)

    return delayed


def fingerprint_files(job: Job) -> tuple[int, str]:
    """Return the total bytes of all complete files, and a digest of names and data."""
    total = 0
    fingerprint = hashlib.sha256()
    for target in job.targets:
        try:
            with open(job.folder / target.name, "rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
                total += os.fstat(file.fileno()).st_size
        except FileNotFoundError:
            digest = "-"
        fingerprint.update(f"{target.name} {digest}\n".encode())
    return total, fingerprint.hexdigest()


class _LineWriter:
    """Writes lines of JSON; may be called from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def __call__(self, **line: object) -> None:
        text = json.dumps(line) + "\n"
        with self._lock:
            sys.stdout.write(text)
            sys.stdout.flush()


def _report(stats: Instrumentation, emit: _LineWriter, ended: threading.Event) -> None:
    while not ended.wait(PROGRESS_S):
        emit(event="progress", **stats.progress())


def _read_commands(stats: Instrumentation, root: Path) -> None:
    # Unbuffered: a thread blocked in sys.stdin would disturb interpreter shutdown.
    with open(0, "rb", buffering=0, closefd=False) as commands:
        for line in commands:
            if line.strip() == b"cancel":
                stats.cancel()
    if root.name.startswith(_TEMP_PREFIX):
        shutil.rmtree(root, ignore_errors=True)
    os.killpg(0, signal.SIGKILL)


def _in_background(work: Callable[[], None]) -> None:
    threading.Thread(target=work, daemon=True).start()
