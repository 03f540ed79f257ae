"""A process of the lab's own, in a group of its own: nothing of it is left behind."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from typing import TYPE_CHECKING, Any, ClassVar, Self

from tui.core.text.plain_text import plain

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

_LINE_LIMIT = 64 << 20
"""Bytes of one line: the list of the demo comes as one."""
_END_S = 5.0
SILENCE_S = 30.0
"""Seconds without a line after which a process counts as hung."""


class LabProcess:
    """``python -m MODULE ARGUMENT``, which says what it does in lines of JSON."""

    _alive: ClassVar[set[LabProcess]] = set()

    def __init__(self, process: asyncio.subprocess.Process, errors: Path) -> None:
        """Use ``start``."""
        self._process = process
        self._errors = errors
        self._alive.add(self)

    @classmethod
    async def start(cls, module: str, argument: str, errors: Path) -> Self:
        """Start it.

        Args:
            module: what to run.
            argument: its one argument.
            errors: a file for what it writes to standard error.

        Raises:
            OSError: it cannot be started.
        """
        with errors.open("wb") as stderr:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                module,
                argument,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=stderr,
                limit=_LINE_LIMIT,
                # A group of its own: ctrl+c is for us alone, and a kill of the group
                # takes a pool's workers along, which outlive a killed parent.
                process_group=0,
            )
        return cls(process, errors)

    @property
    def pid(self) -> int:
        """Its process id, which is its group's as well."""
        return self._process.pid

    async def wait(self) -> None:
        """Return when it has ended, however."""
        await self._process.wait()

    async def lines(self) -> AsyncGenerator[Any]:
        """Yield what it says until it is silent for good.

        Raises:
            TimeoutError: it said nothing for ``SILENCE_S``.
        """
        assert self._process.stdout is not None
        while True:
            async with asyncio.timeout(SILENCE_S):
                line = await self._process.stdout.readline()
            if not line.endswith(b"\n"):
                return  # its end, perhaps in the middle of a line
            with contextlib.suppress(ValueError):
                yield json.loads(line)

    def say(self, word: str) -> None:
        """Write a line to its standard input."""
        if self._process.stdin is not None and not self._process.stdin.is_closing():
            self._process.stdin.write(f"{word}\n".encode())

    def kill(self) -> None:
        """End it and all that it started, at once."""
        self._alive.discard(self)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)

    async def end(self) -> None:
        """End it, and wait until it is gone."""
        self.kill()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_END_S):
                await self._process.wait()

    async def say_end(self) -> str:
        """Wait for its end; return how it ended, in words, with its last error."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_END_S):
                await self._process.wait()
        status = self._process.returncode
        if status is None:
            return "it does not end"
        if status < 0:
            return f"killed by {signal.Signals(-status).name}"
        said = self._errors.read_text("utf-8", "replace").strip().splitlines()
        return f"ended with status {status}" + (
            f": {plain(said[-1], 300)}" if said else ""
        )

    @classmethod
    def kill_all(cls) -> None:
        """End whatever runs, for an end of this process without unwinding."""
        for process in list(cls._alive):
            process.kill()
