"""A child process of the lab, in a process group that can be killed as a whole."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
from typing import TYPE_CHECKING, Any, ClassVar, Self

from tui.core.rules.child_python import child_environment, module_command
from tui.core.text.sanitize import sanitize

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

_LINE_LIMIT = 64 << 20
"""Most bytes of a line: the list of the demo server is a single line."""
_EXIT_TIMEOUT_S = 5.0
SILENCE_S = 30.0
"""Seconds without output after which a process is considered hung."""


class LabProcess:
    """``python -P -m MODULE ARGUMENT``, which reports in lines of JSON."""

    _alive: ClassVar[set[LabProcess]] = set()

    def __init__(self, process: asyncio.subprocess.Process, errors: Path) -> None:
        """Use ``start``."""
        self._process = process
        self._errors = errors
        self._alive.add(self)

    @classmethod
    async def start(cls, module: str, argument: str, errors: Path) -> Self:
        """Start a process.

        Args:
            module: the module to run.
            argument: its only argument.
            errors: the file for its standard error.

        Raises:
            OSError: it cannot be started.
        """
        with errors.open("wb") as stderr:
            process = await asyncio.create_subprocess_exec(
                *module_command(module, argument),
                env=child_environment(),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=stderr,
                limit=_LINE_LIMIT,
                # A new group: Ctrl+C is sent only to the lab itself, and killing the
                # group includes pool workers, which would outlive their parent.
                process_group=0,
            )
        return cls(process, errors)

    @property
    def pid(self) -> int:
        """Its process id, which is also that of its group."""
        return self._process.pid

    async def wait(self) -> None:
        """Wait until it ends."""
        await self._process.wait()

    async def lines(self) -> AsyncGenerator[Any]:
        """Yield its output, parsed, until it closes standard output.

        Raises:
            TimeoutError: no output for ``SILENCE_S``.
        """
        assert self._process.stdout is not None
        while True:
            async with asyncio.timeout(SILENCE_S):
                line = await self._process.stdout.readline()
            if not line.endswith(b"\n"):
                return  # end of output, perhaps within a line
            with contextlib.suppress(ValueError):
                yield json.loads(line)

    def send(self, command: str) -> None:
        """Write a line to its standard input."""
        if self._process.stdin is not None and not self._process.stdin.is_closing():
            self._process.stdin.write(f"{command}\n".encode())

    def kill(self) -> None:
        """Kill it and everything it started."""
        self._alive.discard(self)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)

    async def end(self) -> None:
        """Kill it and wait until it has ended."""
        self.kill()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_EXIT_TIMEOUT_S):
                await self._process.wait()

    async def describe_exit(self) -> str:
        """Wait for its end; return how it ended, with the last line of its errors."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_EXIT_TIMEOUT_S):
                await self._process.wait()
        status = self._process.returncode
        if status is None:
            return "is still running"
        if status < 0:
            return f"killed by {signal.Signals(-status).name}"
        lines = self._errors.read_text("utf-8", "replace").strip().splitlines()
        return f"exited with status {status}" + (
            f": {sanitize(lines[-1], 300)}" if lines else ""
        )

    @classmethod
    def kill_all(cls) -> None:
        """Kill all of them, before this process ends without unwinding."""
        for process in list(cls._alive):
            process.kill()
