"""Run the user's hooks: which command runs when, with what data, and its process.

Text from servers reaches a command as complete arguments and as variables, never
through a shell. ``{path}`` is replaced where it is an argument of its own, or the end
of one such as ``--out={path}``. Inside a longer text nothing is replaced: that text may
be a script, in which a name would be executed as code, and too many programs take
scripts to know them all. There, ``"$FETCHTUI_PATH"`` is safe. The first word, the
program, is never changed. No value looks like an option. The settings refuse commands
known to run a whole argument as code, such as ``sh -c {name}``.

Each command runs in its own session: without a terminal, without the Ctrl+C meant for
fetchtui, and in a process group that is killed as a whole when its time is up.
"""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress
from typing import TYPE_CHECKING

from tui.core.download import DownloadState
from tui.core.notices import Notice, NoticeCode
from tui.core.quick.named_tuple import NamedTuple
from tui.core.rules.hooks import ARGUMENT, FACTS, PLACEHOLDER, code_arguments
from tui.core.text.sanitize import sanitize, sanitize_url
from tui.core.text.units import format_elapsed
from tui.postprocess.job_queue import JobQueue

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tui.core.download import DownloadId
    from tui.core.service import DownloadService
    from tui.core.settings import Hooks
    from tui.core.snapshot import EngineSnapshot

PREFIX = "FETCHTUI_"
_S = DownloadState


class Ended(NamedTuple):
    """A finished or failed download, for its hook."""

    id: DownloadId
    is_done: bool
    error: str = ""
    error_kind: str = ""
    unpacked: str = ""
    """Directory into which its archive was unpacked."""


class HookRunner:
    """Runs hooks, a few concurrently; a failing hook affects nothing else."""

    def __init__(
        self,
        hooks: Hooks,
        service: DownloadService,
        on_failure: Callable[[str, DownloadId | None, Notice], None],
    ) -> None:
        """Create the runner.

        Args:
            hooks: the commands.
            service: provides details of a download when its hook runs.
            on_failure: called with the kind of work, the download (or ``None`` for the
                whole run) and a notice.
        """
        self._hooks = hooks
        self._service = service
        self._report_failure = on_failure
        self._commands = Commands()
        self._queue: JobQueue[Ended | None] = JobQueue(hooks.at_once, self._run)
        self._disabled: set[str] = set()
        """Programs that cannot be started: reported once and not run again."""
        self.skipped = 0
        """Number of hooks that were not run for that reason."""

    def __len__(self) -> int:
        return len(self._queue)

    def push(self, ended: Ended) -> None:
        """Queue the hook for a finished or failed download, if there is one."""
        if self._hooks.on_done if ended.is_done else self._hooks.on_failed:
            self._queue.push(ended)

    def push_all_done(self) -> None:
        """Queue the hook for the end of the run, if there is one."""
        if self._hooks.on_all_done:
            self._queue.push(None)

    async def idle(self) -> None:
        """Wait until no hook is queued or running."""
        await self._queue.idle()

    async def close(self) -> None:
        """Stop running hooks and drop queued ones."""
        await self._queue.close()

    def kill_all(self) -> None:
        """Kill running hooks without waiting."""
        self._commands.kill_all()

    def _report_output(self, id: DownloadId | None, notice: Notice) -> None:
        """Show the last line that a hook printed, where its failure would be shown."""
        if id is None:
            self._service.notify(notice)
        else:
            self._service.add_note(id, notice)

    async def _run(self, ended: Ended | None) -> None:
        if ended is None:
            template = self._hooks.on_all_done
            facts = facts_of_run(self._service.snapshot())
        else:
            hooks = self._hooks
            template = hooks.on_done if ended.is_done else hooks.on_failed
            facts = facts_of(ended, self._service)
        if template[0] in self._disabled:
            self.skipped += 1
            return
        variables = {PREFIX + name.upper(): value for name, value in facts.items()}
        id = None if ended is None else ended.id
        try:
            argv = filled(template, facts)
            line = await self._commands.run(argv, variables, self._hooks.timeout_s)
            if line:
                name = sanitize(template[0].rpartition("/")[2], 40)
                self._report_output(id, Notice(NoticeCode.HOOK_OUTPUT, (name, line)))
        except NoProgram as error:
            self._disabled.add(template[0])
            notice = Notice(NoticeCode.HOOK_DISABLED, (str(error),))
            self._report_failure("hook", None, notice)
        except CommandError as error:
            name = sanitize(template[0].rpartition("/")[2], 40)
            notice = Notice(NoticeCode.HOOK_FAILED, (name, str(error)))
            self._report_failure("hook", id, notice)


def filled(template: Sequence[str], facts: Mapping[str, str]) -> list[str]:
    """Replace arguments that are, or end with, ``{name}``; leave all others unchanged.

    Arguments that the program is known to run as code are left alone, too.

    Args:
        template: program and arguments; the program is never changed.
        facts: by name.
    """
    code = code_arguments(template)
    return [
        argument if at == 0 or at in code else _replaced(argument, facts)
        for at, argument in enumerate(template)
    ]


def _replaced(argument: str, facts: Mapping[str, str]) -> str:
    match = ARGUMENT.fullmatch(argument)
    if match is None or match[2] not in facts:
        return argument
    value = facts[match[2]]
    # A text such as an error may begin with a dash, too.
    is_option = not match[1] and value.startswith("-")
    return f"{match[1]} {value}" if is_option else match[1] + value


def placeholder_notice(hooks: Hooks) -> Notice | None:
    """Return a notice if a text contains a placeholder, which is not replaced there."""
    for template in (hooks.on_done, hooks.on_failed, hooks.on_all_done):
        for at, argument in enumerate(template):
            if at and ARGUMENT.fullmatch(argument):
                continue
            for match in PLACEHOLDER.finditer(argument):
                if match[1] in FACTS:
                    variable = f"${PREFIX}{match[1].upper()}"
                    values = (match[0], variable)
                    return Notice(NoticeCode.HOOK_PLACEHOLDER, values)
    return None


def no_option(name: str) -> str:
    """Return a relative path that no program takes for an option."""
    return f"./{name}" if name.startswith("-") else name


def facts_of(ended: Ended, service: DownloadService) -> dict[str, str]:
    """Return the facts for the hook of one download, by name."""
    detail = service.detail(ended.id)
    row = detail.row
    return {
        "event": "done" if ended.is_done else "failed",
        "state": _S.DONE.word if ended.is_done else _S.FAILED.word,
        "id": str(row.id),
        "path": no_option(detail.path),
        "name": no_option(row.name),
        "dir": no_option(detail.path.removesuffix(row.name).rstrip("/") or "/"),
        "url": sanitize_url(row.url),
        "size": str(row.received if row.size is None else row.size),
        "error": sanitize(ended.error),
        "error_kind": ended.error_kind,
        "unpacked": no_option(ended.unpacked),
    }


def facts_of_run(now: EngineSnapshot) -> dict[str, str]:
    """Return the facts for the hook at the end of the run, by name."""
    failed = now.counts[_S.FAILED]
    return {
        "event": "all_done",
        "state": _S.FAILED.word if failed else _S.DONE.word,
        "dir": no_option(now.output_dir),
        "done": str(now.counts[_S.DONE]),
        "failed": str(failed),
        "cancelled": str(now.counts[_S.CANCELLED]),
        "size": str(now.fetched),
        "seconds": f"{now.elapsed_s:.1f}",
    }


GRACE_S = 2.0
"""Time between SIGTERM and SIGKILL."""
_KEPT_BYTES = 4096
"""Bytes of output kept; the last ones, because errors come at the end."""
_READ = 65536
_SHOWN = 200
"""Characters of output in a message."""


class CommandError(Exception):
    """A command failed; ``str()`` is the reason, safe to display."""


class NoProgram(CommandError):
    """The program cannot be started, so another attempt would fail too."""


class Commands:
    """Runs commands, and can kill those that are running."""

    def __init__(self) -> None:
        self._running: set[int] = set()

    async def run(
        self, argv: Sequence[str], variables: Mapping[str, str], timeout_s: float
    ) -> str:
        """Run a command and wait for it.

        Args:
            argv: the program and its arguments.
            variables: added to the current environment.
            timeout_s: seconds after which it is killed.

        Returns:
            The last line of its output, safe to display; "" without output.

        Raises:
            NoProgram: the program cannot be started.
            CommandError: non-zero exit status, or a timeout.
        """
        output = _Output()
        try:
            process = await self._start(argv, variables, output)
            self._running.add(process.pid)
            try:
                async with asyncio.timeout(timeout_s):
                    status = await process.wait()
            except TimeoutError:
                reason = f"took longer than {format_elapsed(timeout_s)}"
                raise CommandError(f"{reason} and was killed{output.last()}") from None
            finally:
                await _terminate_group(process)
                self._running.discard(process.pid)
            if status:
                raise CommandError(f"{_describe_status(status)}{output.last()}")
            return output.last().removeprefix(": ")
        finally:
            output.close()

    def kill_all(self) -> None:
        """Kill all running commands without waiting for them."""
        for pid in self._running:
            _signal_group(pid, signal.SIGKILL)

    @staticmethod
    async def _start(
        argv: Sequence[str], variables: Mapping[str, str], output: _Output
    ) -> asyncio.subprocess.Process:
        program = sanitize(argv[0], _SHOWN)
        try:
            return await asyncio.create_subprocess_exec(
                *argv,
                env={**os.environ, **variables},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output.write_end,
                stderr=output.write_end,
                start_new_session=True,
            )
        except FileNotFoundError:
            raise NoProgram(f"program {program!r} not found") from None
        except PermissionError:
            raise NoProgram(f"{program!r} is not executable") from None
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise CommandError(f"cannot run {program!r}: {sanitize(reason)}") from None
        finally:
            output.start()


class _Output:
    """The last part of a command's output.

    This does not use asyncio's pipes, which wait for EOF: a background process started
    by the command could keep the pipe open forever.
    """

    def __init__(self) -> None:
        self._read_end, self.write_end = os.pipe()
        os.set_blocking(self._read_end, False)
        self._kept = b""

    def start(self) -> None:
        """Start reading, once the command has its end of the pipe (or failed)."""
        os.close(self.write_end)
        asyncio.get_running_loop().add_reader(self._read_end, self._read)

    def _read(self) -> None:
        try:
            data = os.read(self._read_end, _READ)
        except BlockingIOError:
            return
        if not data:
            asyncio.get_running_loop().remove_reader(self._read_end)
        self._kept = (self._kept + data)[-_KEPT_BYTES:]

    def last(self) -> str:
        """Return ``: `` and the last non-empty line, sanitized, or ""."""
        self._read()
        lines = self._kept.decode(errors="replace").splitlines()
        last = next((line.strip() for line in reversed(lines) if line.strip()), "")
        return f": {sanitize(last, _SHOWN)}" if last else ""

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._read_end)
        os.close(self._read_end)


def _describe_status(status: int) -> str:
    if status > 0:
        return f"exited with status {status}"
    with suppress(ValueError):
        return f"was killed by {signal.Signals(-status).name}"
    return f"was killed by signal {-status}"


async def _terminate_group(process: asyncio.subprocess.Process) -> None:
    """Terminate a command that is still running, with its children."""
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
    # The command itself may have exited and left children behind.
    _signal_group(process.pid, signal.SIGKILL)


def _signal_group(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)
