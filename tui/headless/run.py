"""Run downloads without a dashboard: add, render, wait, and return an exit status."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any

from tui.core.events import DownloadNotice, QueuePaused, QueueResumed
from tui.core.listing.query import DownloadQuery, View
from tui.core.listing.slices import run_at_once
from tui.core.notices import NoticeCode
from tui.core.quick.named_tuple import NamedTuple
from tui.headless.interrupts import Interrupts
from tui.headless.output import AsyncOutput
from tui.headless.renderers.base import Renderer, Run
from tui.headless.summary import BROKEN_PIPE, RESUME_HINT, RunResult
from tui.headless.terminal import can_repaint

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tui.core.events import Event
    from tui.core.listing.query import FailureGroup
    from tui.core.notices import Notice, PauseReason
    from tui.core.postprocess import PostProcessor
    from tui.core.request import DownloadRequest
    from tui.core.service import DownloadService, Subscription

_STDOUT, _STDERR = 1, 2
_EVENT_INTERVAL_S = 0.05
"""Interval between batches of events: at 5,000 files per second, waking up for each
event would cost more than the downloads."""
_SLICE, _FIRST_SLICE = 1000, 200
"""Requests added per loop iteration, which takes about 5 ms; fewer at first, so that
connections are opened before that."""
_OPENING_S = 0.01
"""Time for that; the first slice lasts longer, even with small files on loopback."""
_CLOSE_TIMEOUT_S = 20.0
"""Time for the engine to flush and to write its records."""
_OUTPUT_TIMEOUT_S = 5.0
"""Time for a terminal to accept the summary; a stopped one must not block the exit."""


class RemoteControl(NamedTuple):
    """Clients that can add downloads at any time, and end the run."""

    opened: Notice
    """Where they connect; published as soon as it is shown."""
    ended: asyncio.Event
    """Set when a client ends the run."""


async def run_headless(
    service: DownloadService,
    requests: Sequence[DownloadRequest],
    *,
    is_json: bool = False,
    resume_hint: str = RESUME_HINT,
    on_forced_exit: Callable[[], None] = lambda: None,
    post_processor: PostProcessor | None = None,
    verbosity: int = 0,
    remote: RemoteControl | None = None,
    stdout_fd: int = _STDOUT,
    stderr_fd: int = _STDERR,
) -> int:
    """Download everything, show progress, and return the exit status.

    Closes the service if the run is interrupted; otherwise the caller closes it.

    Args:
        service: an engine without any downloads.
        requests: what to download.
        is_json: write JSON Lines to stdout; messages go to stderr either way.
        resume_hint: printed if downloads are left unfinished.
        on_forced_exit: called when a second Ctrl+C exits immediately.
        post_processor: the post-processing, if any; the caller closes it.
        verbosity: -1 for errors only, 1 to also print starts.
        remote: keeps the run going when nothing is left to download.
        stdout_fd: the descriptor for JSON.
        stderr_fd: the descriptor for messages; a terminal gets live progress.

    Returns:
        0 if all is done; 1 if something failed, the engine stopped or stdout could not
        be written; 130 if a signal or the end of stdout's reader interrupted the run.
    """
    stdout, stderr = AsyncOutput(stdout_fd), AsyncOutput(stderr_fd)
    is_live = not (is_json or verbosity) and can_repaint(stderr_fd)

    def clean_up() -> None:
        if is_live:
            os.write(stderr_fd, b"\x1b[?25h")
        if post_processor is not None:
            post_processor.kill_all()
        on_forced_exit()

    if post_processor is not None and os.isatty(stderr_fd):
        post_processor.use_terminal(stderr.write)
    run = Run(service, requests, resume_hint)
    with Interrupts(clean_up) as interrupts:
        renderer = _json_renderer(run, stdout, stderr) if is_json else None
        renderer = renderer or _text_renderer(run, stderr, verbosity, is_live=is_live)
        run_loop = _RunLoop(service, requests, renderer, post_processor, remote)
        result = await run_loop.follow(interrupts, stdout)
        if result.interruption:
            await _close(service)
            result.snapshot = service.snapshot()
        renderer.finish(result)
        await _close_outputs(stdout, stderr, result, interrupts)
        await _close_post_processor(post_processor, result)
    if stdout.error is not None and result.interruption in ("", BROKEN_PIPE):
        return 1
    return result.exit_status


async def _close_outputs(
    stdout: AsyncOutput, stderr: AsyncOutput, result: RunResult, interrupts: Interrupts
) -> None:
    """Wait until the readers have the output, but not beyond an interruption."""
    if result.interruption:
        # The user wants to exit; do not wait long for a stuck reader.
        await stdout.close(_OUTPUT_TIMEOUT_S)
    else:
        closing = asyncio.ensure_future(stdout.close())
        hurry = asyncio.ensure_future(interrupts.arrived.wait())
        await asyncio.wait((closing, hurry), return_when=asyncio.FIRST_COMPLETED)
        closing.cancel()
        hurry.cancel()
    if stdout.error is not None:
        stderr.write(f"cannot write to stdout: {stdout.error.strerror}\n")
    await stderr.close(_OUTPUT_TIMEOUT_S)


async def _close_post_processor(
    post_processor: PostProcessor | None, result: RunResult
) -> None:
    # Signals are still handled here: a second one does not wait for a stuck hook.
    if result.interruption and post_processor is not None:
        await post_processor.close()


# Imported late: rich takes 60 ms, which JSON output does not need.


def _json_renderer(run: Run, stdout: AsyncOutput, stderr: AsyncOutput) -> Renderer:
    from tui.headless.renderers.json import JsonRenderer

    return JsonRenderer(run, stdout, stderr)


def _text_renderer(
    run: Run, stderr: AsyncOutput, verbosity: int, *, is_live: bool
) -> Renderer:
    if verbosity < 0:
        from tui.headless.renderers.quiet import QuietRenderer

        return QuietRenderer(run, stderr)
    if is_live:
        from tui.headless.renderers.live import LiveRenderer

        return LiveRenderer(run, stderr)
    from tui.headless.renderers.plain import PlainRenderer

    return PlainRenderer(run, stderr, show_starts=verbosity > 0)


async def _close(service: DownloadService) -> None:
    try:
        async with asyncio.timeout(_CLOSE_TIMEOUT_S):
            await service.close()
    except TimeoutError:
        # Records are saved during the run, so at most a second of progress is lost.
        return


class _RunLoop:
    """Adds the requests and feeds the renderer until the run is over."""

    def __init__(
        self,
        service: DownloadService,
        requests: Sequence[DownloadRequest],
        renderer: Renderer,
        post_processor: PostProcessor | None,
        remote: RemoteControl | None,
    ) -> None:
        self._remote = remote
        self._service = service
        self._post_processor = post_processor
        self._requests = requests
        self._renderer = renderer
        self._pause_reason: PauseReason | None = None
        self._already_here = 0

    async def follow(self, interrupts: Interrupts, stdout: AsyncOutput) -> RunResult:
        subscription = self._service.subscribe(self._renderer.exclude)
        if self._remote is not None:
            self._service.notify(self._remote.opened)
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
            else:
                interruption = BROKEN_PIPE
            self._on_events(subscription)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            subscription.close()
        return RunResult(
            self._service.snapshot(),
            interruption,
            self._pause_reason,
            self._failure_groups(),
            self._already_here,
            tuple(self._post_processor.summary()) if self._post_processor else (),
            self._post_processor.failures if self._post_processor else 0,
        )

    def _failure_groups(self) -> tuple[FailureGroup, ...]:
        groups = run_at_once(self._service.by_cause_iter(DownloadQuery(View.FAILED)))
        return tuple(group for group in groups if group.kind)

    async def _fetch(self) -> None:
        at, count = 0, _FIRST_SLICE
        while at < len(self._requests):
            self._service.add(self._requests[at : at + count])
            await asyncio.sleep(0 if at else _OPENING_S)
            at, count = at + count, _SLICE
        if self._remote is not None:
            await self._remote.ended.wait()
        else:
            # Also if an error pauses the queue: what runs ends first.
            await self._service.wait_idle()
        if self._post_processor is not None:
            await self._post_processor.drain()

    async def _until_done(
        self, ends: set[asyncio.Future[Any]], subscription: Subscription
    ) -> None:
        loop = asyncio.get_running_loop()
        next_tick = loop.time() + self._renderer.tick_s
        while True:
            done, _ = await asyncio.wait(
                ends, timeout=_EVENT_INTERVAL_S, return_when=asyncio.FIRST_COMPLETED
            )
            self._on_events(subscription)
            if done:
                return
            if loop.time() >= next_tick:
                self._renderer.tick()
                next_tick = loop.time() + self._renderer.tick_s

    def _on_events(self, subscription: Subscription) -> None:
        events: list[Event] = subscription.drain()
        if not events:
            return
        for event in events:
            if isinstance(event, QueuePaused):
                self._pause_reason = event.reason
            elif isinstance(event, QueueResumed):
                self._pause_reason = None
            elif isinstance(event, DownloadNotice):
                is_present = event.notice.code is NoticeCode.ALREADY_PRESENT
                self._already_here += is_present
        self._renderer.on_events(events)
