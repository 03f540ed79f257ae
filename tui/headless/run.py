"""A whole run without a dashboard: add, follow, tell, and an exit status."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any

from tui.core.events import DownloadNotice, QueueHeld, QueueReleased
from tui.core.notices import NoticeCode
from tui.headless.interrupts import Interrupts
from tui.headless.output import AsyncOutput
from tui.headless.renderers.base import (
    BROKEN_PIPE,
    RESUME_HINT,
    Renderer,
    Run,
    RunResult,
)
from tui.headless.terminal import can_repaint

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tui.core.events import Event
    from tui.core.notices import HoldReason
    from tui.core.postprocess import Aftermath
    from tui.core.request import DownloadRequest
    from tui.core.service import DownloadService, Subscription

_STDOUT, _STDERR = 1, 2
_HEAR_S = 0.05
"""Events are taken in batches this far apart: at 5,000 files a second a turn per
event would cost more than the downloads."""
_SLICE = 1000
"""Requests added before the loop gets its turn, about 5 ms."""
_CLOSE_S = 20.0
"""For the engine to flush and to write its records."""
_LAST_WORDS_S = 5.0
"""For a terminal to take the summary; a stopped one must not hold up the end."""


async def run_headless(
    service: DownloadService,
    requests: Sequence[DownloadRequest],
    *,
    is_json: bool = False,
    resume_hint: str = RESUME_HINT,
    at_once: Callable[[], None] = lambda: None,
    aftermath: Aftermath | None = None,
    loudness: int = 0,
    stdout_fd: int = _STDOUT,
    stderr_fd: int = _STDERR,
) -> int:
    """Fetch everything, show it plainly, and return the exit status.

    The service is closed when the run was interrupted; otherwise that is left to the
    caller, who opened it.

    Args:
        service: an engine that nothing was added to.
        requests: what to fetch.
        is_json: one JSON object a line on stdout; people read stderr either way.
        resume_hint: what people are told when something is left unfinished.
        at_once: called when a second ctrl+c ends the process on the spot.
        aftermath: what follows the downloads, if anything; the caller closes it.
        loudness: -1 for nothing but what went wrong, 1 for starts as well.
        stdout_fd: where JSON goes.
        stderr_fd: where words go; a terminal gets live progress.

    Returns:
        0 all done; 1 something failed, the engine cannot go on, or stdout could not
        be written; 130 interrupted, by a signal or a reader of stdout that is gone.
    """
    stdout, stderr = AsyncOutput(stdout_fd), AsyncOutput(stderr_fd)
    is_live = not (is_json or loudness) and can_repaint(stderr_fd)

    def end_at_once() -> None:
        if is_live:
            os.write(stderr_fd, b"\x1b[?25h")
        if aftermath is not None:
            aftermath.end_at_once()
        at_once()

    if aftermath is not None and os.isatty(stderr_fd):
        aftermath.use_terminal(stderr.write)
    run = Run(service, requests, resume_hint)
    with Interrupts(end_at_once) as interrupts:
        face = _json_face(run, stdout, stderr) if is_json else None
        face = face or _face(run, stderr, loudness, is_live=is_live)
        follower = _Follower(service, requests, face, aftermath)
        ending = await follower.follow(interrupts, stdout)
        if ending.interruption:
            await _close(service)
            ending.snapshot = service.snapshot()
        face.end(ending)
        await _close_outlets(stdout, stderr, ending, interrupts)
        await _close_aftermath(aftermath, ending)
    if stdout.fault is not None and ending.interruption in ("", BROKEN_PIPE):
        return 1
    return ending.exit_status


async def _close_outlets(
    stdout: AsyncOutput, stderr: AsyncOutput, ending: RunResult, interrupts: Interrupts
) -> None:
    """Let readers take what was said, for as long as somebody waits for that."""
    if ending.interruption:
        # Whoever interrupts has no patience for a reader that reads no more.
        await stdout.close(_LAST_WORDS_S)
    else:
        closing = asyncio.ensure_future(stdout.close())
        hurry = asyncio.ensure_future(interrupts.arrived.wait())
        await asyncio.wait((closing, hurry), return_when=asyncio.FIRST_COMPLETED)
        closing.cancel()
        hurry.cancel()
    if stdout.fault is not None:
        stderr.write(f"cannot write to stdout: {stdout.fault.strerror}\n")
    await stderr.close(_LAST_WORDS_S)


async def _close_aftermath(aftermath: Aftermath | None, ending: RunResult) -> None:
    # While signals are heard: a second one does not wait for a stubborn command.
    if ending.interruption and aftermath is not None:
        await aftermath.close()


# Late imports: rich costs 60 ms, which a script that reads JSON need not pay.


def _json_face(run: Run, stdout: AsyncOutput, stderr: AsyncOutput) -> Renderer:
    from tui.headless.renderers.json import JsonRenderer

    return JsonRenderer(run, stdout, stderr)


def _face(run: Run, stderr: AsyncOutput, loudness: int, *, is_live: bool) -> Renderer:
    if loudness < 0:
        from tui.headless.renderers.quiet import QuietRenderer

        return QuietRenderer(run, stderr)
    if is_live:
        from tui.headless.renderers.live import LiveRenderer

        return LiveRenderer(run, stderr)
    from tui.headless.renderers.plain import PlainRenderer

    return PlainRenderer(run, stderr, tells_starts=loudness > 0)


async def _close(service: DownloadService) -> None:
    try:
        async with asyncio.timeout(_CLOSE_S):
            await service.close()
    except TimeoutError:
        # Records are written as the run goes; what is lost is a second of bytes.
        return


class _Follower:
    """Adds the list and takes the face along until nothing more will happen."""

    def __init__(
        self,
        service: DownloadService,
        requests: Sequence[DownloadRequest],
        face: Renderer,
        aftermath: Aftermath | None,
    ) -> None:
        self._service = service
        self._aftermath = aftermath
        self._requests = requests
        self._face = face
        self._hold_reason: HoldReason | None = None
        self._already_here = 0

    async def follow(self, interrupts: Interrupts, stdout: AsyncOutput) -> RunResult:
        subscription = self._service.subscribe(self._face.exclude)
        signalled = asyncio.ensure_future(interrupts.arrived.wait())
        broken = asyncio.ensure_future(stdout.broken.wait())
        fetching = asyncio.ensure_future(self._fetch())
        tasks: set[asyncio.Future[Any]] = {fetching, signalled, broken}
        interruption = ""
        try:
            await self._until_done(tasks, subscription)
            if fetching.done():
                fetching.result()
            elif signalled.done():
                interruption = interrupts.signal_name
            elif broken.done():
                interruption = BROKEN_PIPE
            elif self._aftermath is not None:
                # The engine holds the queue itself; what has ended is followed up.
                settling = asyncio.ensure_future(self._aftermath.settle())
                tasks.add(settling)
                ends: set[asyncio.Future[Any]] = {settling, signalled, broken}
                await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
                if signalled.done():
                    interruption = interrupts.signal_name
            self._hear(subscription)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            subscription.close()
        return RunResult(
            self._service.snapshot(),
            interruption,
            self._hold_reason,
            self._already_here,
            tuple(self._aftermath.summary()) if self._aftermath else (),
            self._aftermath.failures if self._aftermath else 0,
        )

    async def _fetch(self) -> None:
        for at in range(0, len(self._requests), _SLICE):
            self._service.add(self._requests[at : at + _SLICE])
            await asyncio.sleep(0)
        await self._service.wait_idle()
        if self._aftermath is not None:
            await self._aftermath.settle()

    async def _until_done(
        self, ends: set[asyncio.Future[Any]], subscription: Subscription
    ) -> None:
        loop = asyncio.get_running_loop()
        next_tick = loop.time() + self._face.tick_s
        while True:
            done, _ = await asyncio.wait(
                ends, timeout=_HEAR_S, return_when=asyncio.FIRST_COMPLETED
            )
            self._hear(subscription)
            if done or self._hold_reason:
                return
            if loop.time() >= next_tick:
                self._face.tick()
                next_tick = loop.time() + self._face.tick_s

    def _hear(self, subscription: Subscription) -> None:
        events: list[Event] = subscription.drain()
        if not events:
            return
        for event in events:
            if isinstance(event, QueueHeld):
                self._hold_reason = event.reason
            elif isinstance(event, QueueReleased):
                self._hold_reason = None
            elif isinstance(event, DownloadNotice):
                is_present = event.notice.code is NoticeCode.ALREADY_PRESENT
                self._already_here += is_present
        self._face.hear(events)
