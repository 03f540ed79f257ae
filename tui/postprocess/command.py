"""One command of the user's: an argument vector, run without a shell, within limits.

It gets a session of its own: no terminal to write on, no ctrl+c that was meant for us,
and a process group that ends as a whole when its time is up.
"""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress
from typing import TYPE_CHECKING

from tui.core.text.plain_text import plain
from tui.core.text.units import format_elapsed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

GRACE_S = 2.0
"""Between asking a command to end (SIGTERM) and ending it (SIGKILL)."""
_KEPT = 4096
"""Bytes of output that are kept, the last ones: errors come at the end."""
_READ = 65536
_SHOWN = 200
"""Characters of output in a message."""


class CommandError(Exception):
    """A command did not do its work; ``str()`` says why and is safe to show."""


class NoProgram(CommandError):
    """There is nothing to run: another try would fail as well."""


class Commands:
    """Runs commands and knows those that are running."""

    def __init__(self) -> None:
        self._running: set[int] = set()

    async def run(
        self, argv: Sequence[str], variables: Mapping[str, str], timeout_s: float
    ) -> None:
        """Run one command to its end.

        Args:
            argv: the program and its arguments, as they are.
            variables: added to the environment that we have.
            timeout_s: seconds after which it is ended.

        Raises:
            NoProgram: it cannot be started.
            CommandError: it ended with another status than 0, or too late.
        """
        output = _Output()
        try:
            process = await self._start(argv, variables, output)
            self._running.add(process.pid)
            try:
                async with asyncio.timeout(timeout_s):
                    status = await process.wait()
            except TimeoutError:
                told = f"took longer than {format_elapsed(timeout_s)}"
                raise CommandError(f"{told} and was ended{output.last()}") from None
            finally:
                await _end_group(process)
                self._running.discard(process.pid)
            if status:
                raise CommandError(f"{_how(status)}{output.last()}")
        finally:
            output.close()

    def end_at_once(self) -> None:
        """Kill whatever is running, without waiting for it."""
        for pid in self._running:
            _signal_group(pid, signal.SIGKILL)

    @staticmethod
    async def _start(
        argv: Sequence[str], variables: Mapping[str, str], output: _Output
    ) -> asyncio.subprocess.Process:
        program = plain(argv[0], _SHOWN)
        try:
            return await asyncio.create_subprocess_exec(
                *argv,
                env={**os.environ, **variables},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output.theirs,
                stderr=output.theirs,
                start_new_session=True,
            )
        except FileNotFoundError:
            raise NoProgram(f"there is no program {program!r}") from None
        except PermissionError:
            raise NoProgram(f"{program!r} is not executable") from None
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise CommandError(f"{program!r} cannot be run: {plain(reason)}") from None
        finally:
            output.start()


class _Output:
    """The end of what a command writes.

    A pipe of our own and not asyncio's: that would wait for its end, which a program
    left in the background by the command can put off for ever.
    """

    def __init__(self) -> None:
        self._ours, self.theirs = os.pipe()
        os.set_blocking(self._ours, False)
        self._kept = b""

    def start(self) -> None:
        """The command has its end now, or there is none."""
        os.close(self.theirs)
        asyncio.get_running_loop().add_reader(self._ours, self._read)

    def _read(self) -> None:
        try:
            data = os.read(self._ours, _READ)
        except BlockingIOError:
            return
        if not data:
            asyncio.get_running_loop().remove_reader(self._ours)
        self._kept = (self._kept + data)[-_KEPT:]

    def last(self) -> str:
        """Return ``: `` and the last line that says something, disarmed, or ""."""
        self._read()
        lines = self._kept.decode(errors="replace").splitlines()
        told = next((line.strip() for line in reversed(lines) if line.strip()), "")
        return f": {plain(told, _SHOWN)}" if told else ""

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._ours)
        os.close(self._ours)


def _how(status: int) -> str:
    if status > 0:
        return f"exited with status {status}"
    with suppress(ValueError):
        return f"was ended by {signal.Signals(-status).name}"
    return f"was ended by signal {-status}"


async def _end_group(process: asyncio.subprocess.Process) -> None:
    """End a command that is still running, with all that it started."""
    if process.returncode is not None:
        return
    _signal_group(process.pid, signal.SIGTERM)
    try:
        async with asyncio.timeout(GRACE_S):
            await process.wait()
    except (TimeoutError, asyncio.CancelledError) as error:
        _signal_group(process.pid, signal.SIGKILL)
        await process.wait()
        if isinstance(error, asyncio.CancelledError):
            raise
    # The leader may have gone quietly and left others behind.
    _signal_group(process.pid, signal.SIGKILL)


def _signal_group(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)
