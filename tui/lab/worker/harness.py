"""What runs a strategy in a process of its own, and tells about it.

Runs the job in a file and writes lines of JSON to standard output: ``progress`` ten
times a second, at last ``figures`` or ``died``. A line ``cancel`` on standard input
stops the strategy in its own way. When standard input ends, whoever started it is gone:
it then removes the race's temporary directory, and ends its process group with itself.
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

from tui.core.text.plain_text import plain
from tui.lab.job import Job
from tui.lab.worker.instrumentation import Instrumentation
from tui.lab.worker.loop_watch import LoopLagMeter

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

PROGRESS_S = 0.1
"""Between two lines about progress."""
_STAGE = "fetchtui-lab-"
"""How the race's temporary directory begins: no other folder is ever removed."""


def main() -> None:
    """Run one job; the exit status is 0 unless the strategy died."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever started us decides
    path = Path(sys.argv[1])
    job = Job.from_json(path.read_text("utf-8"))
    probe = Instrumentation(len(job.targets), job.cancel_after)
    say = _Speaker()
    slow_down_syncs(job.disk_latency_s)
    strategy = importlib.import_module(f"tui.lab.strategies.{job.strategy}")
    _in_background(lambda: _obey(probe, path.parent))
    say(event="begun")
    ended = threading.Event()
    _in_background(lambda: _report(probe, say, ended))
    try:
        run(strategy, job, probe)
    except Exception as error:
        say(event="died", reason=plain(f"{type(error).__name__}: {error}", 300))
        raise
    finally:
        ended.set()
    figures = probe.stop_clock()(*examine(job))
    say(event="figures", figures=asdict(figures))


def run(strategy: ModuleType, job: Job, probe: Instrumentation) -> None:
    """Run a strategy to its end, on an event loop if it is made for one."""
    probe.start_clock()
    if not inspect.iscoroutinefunction(strategy.run):
        strategy.run(job, probe)
        return
    factory: Callable[[], Any] | None = None
    if getattr(strategy, "WANTS_UVLOOP", False):
        try:
            from uvloop import new_event_loop as factory
        except ImportError:  # there is none for Windows
            factory = None
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(_watched(strategy, job, probe))


async def _watched(strategy: ModuleType, job: Job, probe: Instrumentation) -> None:
    """Run an async strategy beside a timer that sees how late the loop is."""
    loop = asyncio.get_running_loop()
    probe.loop = LoopLagMeter()
    watch = loop.create_task(probe.loop.watch())
    task = loop.create_task(strategy.run(job, probe))
    probe.on_cancel(lambda: loop.call_soon_threadsafe(task.cancel))
    try:
        await asyncio.wait([task])
        if not task.cancelled():
            task.result()
    finally:
        watch.cancel()


def slow_down_syncs(latency_s: float) -> None:
    """Make each sync to disk take ``latency_s`` longer, in this process.

    Below all strategies and the engine alike, so that none of them can know of it.
    """
    if latency_s <= 0:
        return
    for name in ("fsync", "fdatasync"):
        quick = getattr(os, name, None)
        if quick is not None:
            setattr(os, name, _slowed(quick, latency_s))


def _slowed(quick: Callable[[int], None], latency_s: float) -> Callable[[int], None]:
    def slow(fd: int) -> None:
        quick(fd)
        time.sleep(latency_s)

    return slow


def examine(job: Job) -> tuple[int, str]:
    """Return the bytes of all whole files, and one digest over names and bytes."""
    total = 0
    whole = hashlib.sha256()
    for target in job.targets:
        try:
            with open(job.folder / target.name, "rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
                total += os.fstat(file.fileno()).st_size
        except FileNotFoundError:
            digest = "-"
        whole.update(f"{target.name} {digest}\n".encode())
    return total, whole.hexdigest()


class _Speaker:
    """Writes lines of JSON; threads may call it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def __call__(self, **line: object) -> None:
        text = json.dumps(line) + "\n"
        with self._lock:
            sys.stdout.write(text)
            sys.stdout.flush()


def _report(probe: Instrumentation, say: _Speaker, ended: threading.Event) -> None:
    while not ended.wait(PROGRESS_S):
        say(event="progress", **probe.progress())


def _obey(probe: Instrumentation, root: Path) -> None:
    # Unbuffered: a thread in the middle of sys.stdin would upset the interpreter's end.
    with open(0, "rb", buffering=0, closefd=False) as wishes:
        for line in wishes:
            if line.strip() == b"cancel":
                probe.cancel()
    if root.name.startswith(_STAGE):
        shutil.rmtree(root, ignore_errors=True)
    os.killpg(0, signal.SIGKILL)


def _in_background(work: Callable[[], None]) -> None:
    threading.Thread(target=work, daemon=True).start()
