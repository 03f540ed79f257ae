"""One program, run once: seconds, processor seconds and peak memory."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import resource
import signal
import struct
import subprocess
import termios
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

COLUMNS, LINES = 120, 36
_LOOK_S = 0.02
_HIGH_WATER = re.compile(r"VmHWM:\s+(\d+) kB")
_ASKS_SYNC, _ANSWER_SYNC = b"?2026$p", b"\x1b[?2026;2$y"


@dataclass(frozen=True, slots=True)
class Run:
    """Result of one run."""

    wall_s: float
    cpu_s: float
    """User and system time of the process and its children."""
    peak: int
    """Peak resident bytes."""
    status: int
    """Exit status; negative for a signal."""
    output: str
    """The end of what it printed."""
    busy: float
    """Share of all cores used by neither the program nor the server."""
    problem: str = ""
    """What is wrong with it; "" for a good run."""


def open_terminal() -> tuple[int, int]:
    """Open a terminal of 120 x 36; return its descriptors, the program's second."""
    reader, writer = pty.openpty()
    size = struct.pack("HHHH", LINES, COLUMNS, 0, 0)
    fcntl.ioctl(writer, termios.TIOCSWINSZ, size)
    return reader, writer


def terminal_environment() -> dict[str, str]:
    """Return the environment of a program in such a terminal."""
    return {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor"}


def run(
    command: Sequence[str],
    *,
    cwd: Path,
    limit_s: float,
    in_terminal: bool = False,
    server_s: Callable[[], float] = lambda: 0.0,
) -> Run:
    """Run a program to its end in its own process group.

    Args:
        command: what to run.
        cwd: where.
        limit_s: seconds after which it is killed.
        in_terminal: run it in a terminal of 120 x 36 that is always read.
        server_s: CPU time of the server so far.
    """
    reader, writer = open_terminal() if in_terminal else os.pipe()
    stdin = writer if in_terminal else subprocess.DEVNULL
    before = _machine_s(), server_s()
    began = time.perf_counter()
    process = subprocess.Popen(
        command,
        cwd=cwd,
        env=terminal_environment(),
        stdin=stdin,
        stdout=writer,
        stderr=writer,
        start_new_session=True,
    )
    os.close(writer)
    drain = _Drain(reader, in_terminal)
    watch = _Watch(process.pid)
    alarm = threading.Timer(limit_s, _kill, [process.pid])
    for thread in (drain, watch, alarm):
        thread.daemon = True
        thread.start()
    try:
        _, status, usage = os.wait4(process.pid, 0)
    except BaseException:
        _kill(process.pid)
        os.wait4(process.pid, 0)
        raise
    finally:
        wall_s = time.perf_counter() - began
        alarm.cancel()
        watch.is_over.set()
        process.returncode = 0  # it is waited for already
    drain.join(2)
    _kill(process.pid)  # whatever it left behind
    cpu_s = usage.ru_utime + usage.ru_stime
    others_s = _machine_s() - before[0] - cpu_s - (server_s() - before[1])
    return Run(
        wall_s=wall_s,
        cpu_s=cpu_s,
        peak=watch.peak_with(usage.ru_maxrss << 10),
        status=os.waitstatus_to_exitcode(status),
        output=drain.end(),
        busy=max(0.0, others_s / wall_s / (os.cpu_count() or 1)),
    )


class _Drain(threading.Thread):
    """Reads what a program prints, so that it never blocks, and keeps the end."""

    def __init__(self, fd: int, is_terminal: bool) -> None:
        super().__init__()
        self._fd = fd
        self._is_terminal = is_terminal
        self._kept = b""

    def run(self) -> None:
        with suppress(OSError):  # how a terminal says that its program has ended
            while data := os.read(self._fd, 1 << 16):
                if self._is_terminal and _ASKS_SYNC in data:
                    os.write(self._fd, _ANSWER_SYNC)
                self._kept = (self._kept + data)[-2000:]
        os.close(self._fd)

    def end(self) -> str:
        return "" if self._is_terminal else self._kept.decode(errors="replace").strip()


class _Watch(threading.Thread):
    """Samples the peak memory of a process.

    ``ru_maxrss`` alone is wrong for small programs: between fork and exec, the memory
    of the parent counts as the child's.
    """

    def __init__(self, pid: int) -> None:
        super().__init__()
        self._path = Path(f"/proc/{pid}/status")
        self._peak = 0
        self.is_over = threading.Event()

    def run(self) -> None:
        while not self.is_over.wait(_LOOK_S):
            with suppress(OSError):
                found = _HIGH_WATER.search(self._path.read_text())
                if found is not None:
                    self._peak = max(self._peak, int(found[1]) << 10)

    def peak_with(self, told: int) -> int:
        own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
        return told if told > own or not self._peak else self._peak


def _kill(group: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


def _machine_s() -> float:
    """CPU time used by all processes since the machine started."""
    fields = Path("/proc/stat").read_text().splitlines()[0].split()[1:9]
    user, nice, system, _idle, _wait, irq, soft, _steal = map(int, fields)
    ticks = user + nice + system + irq + soft
    return ticks / float(os.sysconf("SC_CLK_TCK"))
