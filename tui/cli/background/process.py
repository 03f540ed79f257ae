"""A background process: engine, session and server, without a terminal.

``start.py`` runs this module in a new interpreter, in a session of its own, so that no
terminal can end it. It runs until ``fetchtui stop``, SIGTERM or SIGINT.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import pickle
import signal
import sys
import time
from contextlib import AsyncExitStack, suppress
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING

import click

from tui import __version__
from tui.background.address import AddressError, Lock, address_of, running
from tui.background.handler import ClientHandler, Process
from tui.background.protocol import PROTOCOL, Hello
from tui.background.server import BackgroundServer
from tui.cli.background.start import Started, StartError, already_running
from tui.cli.event_loop import freeze_memory, run_loop
from tui.cli.preflight import check_directory, check_log_file
from tui.config.display import shown_settings
from tui.core.download import ENDED
from tui.core.errors import LocalError
from tui.core.text.sanitize import sanitize
from tui.core.text.units import plural
from tui.disk.state.host_limits import HostLimits
from tui.engine.factory import open_engine
from tui.engine.session.session import OtherDirectory, continued_session
from tui.headless.interrupts import Interrupts
from tui.messages import error_text, notice_text, session_text
from tui.postprocess.pipeline import post_processing

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tui.background.address import Address
    from tui.cli.background.start import StartOrder
    from tui.core.request import DownloadRequest
    from tui.core.service import DownloadService
    from tui.core.settings import Settings
    from tui.engine.session.session import SavedSession

_SLICE = 1_000
"""Requests added per loop iteration, which takes about 5 ms."""
_CLOSE_TIMEOUT_S = 20.0


def run_process(order: StartOrder, report: Callable[[Started], object]) -> int:
    """Run a background process to its end.

    Args:
        order: what to start with.
        report: called once everything is saved and clients can connect.

    Returns:
        The exit status: 0 after an orderly end.

    Raises:
        StartError: it cannot start.
    """
    address = address_of(order.name)
    lock = Lock(address)
    try:
        if not lock.acquire():
            record = running(address)
            reason = "is already running"
            text = already_running(order.name, record) if record else reason
            raise StartError(text)
        hello = Hello(PROTOCOL, __version__, os.getpid(), time.time(), order.name)
        lock.write(hello)
        try:
            session = _open_session(order, address)
            settings = _with_log(session.settings, address)
            check_directory(settings.output_dir)
            check_log_file(settings.log_file)
            process = _BackgroundProcess(order, address, hello, session, settings)
            return run_loop(process.run(report))
        finally:
            lock.release()
    except LocalError as error:
        raise StartError(error_text(error)) from None
    except AddressError as error:
        raise StartError(str(error)) from None
    except click.UsageError as error:  # of directory, log and remote control
        raise StartError(error.message) from None


def _open_session(order: StartOrder, address: Address) -> SavedSession:
    try:
        return continued_session(
            order.settings,
            order.given,
            address.folder,
            order.title,
            order.requests,
            order.carried,
        )
    except OtherDirectory as error:
        raise StartError(
            f"{order.name!r} has {plural(error.unfinished, 'unfinished download')} in"
            f" {sanitize(error.output_dir)}; leave out the output directory to continue"
            " them, or start another process with --name"
        ) from None


def _with_log(settings: Settings, address: Address) -> Settings:
    """Log to the file of this process, unless the user has chosen another one."""
    if settings.log_file is not None:
        return settings
    return settings._replace(log_file=address.log)


class _BackgroundProcess:
    """Opens everything on the loop, waits for the end, and closes it."""

    def __init__(
        self,
        order: StartOrder,
        address: Address,
        hello: Hello,
        session: SavedSession,
        settings: Settings,
    ) -> None:
        self._order = order
        self._address = address
        self._hello = hello
        self._session = session
        self._settings = settings
        self._stop = asyncio.Event()
        self._is_restored = False

    async def run(self, report: Callable[[Started], object]) -> int:
        """Run until somebody stops it; return the exit status."""
        with Interrupts() as interrupts:
            async with AsyncExitStack() as stack:
                stack.push_async_callback(self._session.close)
                service = await open_engine(
                    self._settings, session=self._session, host_limits=HostLimits()
                )
                stack.push_async_callback(_close, service)
                post_processor = await stack.enter_async_context(
                    post_processing(service, self._settings)
                )
                process = Process(
                    service,
                    self._stop.set,
                    self._read_log,
                    post_processor,
                    self._session.unsaved,
                    partial(shown_settings, self._settings),
                    self._save,
                )
                await self._serve(process, stack)
                notice = None
                if self._order.rpc is not None:
                    from tui.cli.remote_control import open_rpc

                    rpc = self._order.rpc._replace(process_name=self._order.name)
                    notice = await open_rpc(stack, service, rpc, self._stop.set)
                    service.notify(notice)
                report(await self._begin(service, notice_text(notice)))
                freeze_memory()
                await self._until_end(process, interrupts)
        return 0

    async def _serve(self, process: Process, stack: AsyncExitStack) -> None:
        server = BackgroundServer(
            self._address,
            self._hello,
            lambda client: ClientHandler(process, client),
            notify=process.service.notify,
        )
        await server.open()
        stack.push_async_callback(server.close, "stopped")

    async def _begin(self, service: DownloadService, rpc: str) -> Started:
        """Restore the session, add the new requests and save everything."""
        restored = session_text(await self._session.restore())
        new = await self._session.new_requests(self._order.requests)
        now = service.snapshot()
        # Counted before they start: a small one may end before this is reported.
        todo = now.total - sum(now.counts[state] for state in ENDED) + len(new)
        await _add(service, new)
        unsaved = await self._session.flush()
        self._is_restored = True
        return Started(
            os.getpid(),
            todo,
            restored,
            unsaved,
            now.output_dir,
            rpc,
        )

    async def _save(self) -> str:
        # Its entries are still being read before that.
        if not self._is_restored:
            return self._session.unsaved()
        return await self._session.flush()

    async def _until_end(self, process: Process, interrupts: Interrupts) -> None:
        ends: list[asyncio.Future[bool]] = [
            asyncio.ensure_future(self._stop.wait()),
            asyncio.ensure_future(interrupts.arrived.wait()),
        ]
        if self._order.exit_when_done:
            ends.append(asyncio.ensure_future(_until_done(process)))
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        for end in ends:
            end.cancel()
        await asyncio.gather(*ends, return_exceptions=True)

    async def _read_log(self, limit: int) -> str:
        assert self._settings.log_file is not None
        return await asyncio.to_thread(_tail, self._settings.log_file, limit)


async def _add(service: DownloadService, requests: list[DownloadRequest]) -> None:
    for at in range(0, len(requests), _SLICE):
        service.add(requests[at : at + _SLICE])
        await asyncio.sleep(0)


async def _until_done(process: Process) -> bool:
    await process.service.wait_idle()
    if process.post_processor is not None:
        await process.post_processor.drain()
    return True


async def _close(service: DownloadService) -> None:
    # Records are saved during the run, so at most a second of progress is lost.
    with suppress(TimeoutError):
        async with asyncio.timeout(_CLOSE_TIMEOUT_S):
            await service.close()


def _tail(path: Path, limit: int) -> str:
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            file.seek(max(0, size - limit))
            return file.read(limit).decode(errors="replace")
    except OSError:
        return ""


# -- the new interpreter ---------------------------------------------------------------


def main() -> None:
    """Read the order from standard input, run, and answer on standard output."""
    # Terminals send it to processes of their session only, but systems differ.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    gc.disable()  # until the downloads run, as in ``tui.cli.main``
    order: StartOrder = pickle.load(sys.stdin.buffer)
    answer = os.dup(1)
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1):
        os.dup2(null, fd)
    os.close(null)

    def tell(fields: dict[str, object]) -> None:
        with suppress(BrokenPipeError):  # the command that started it is gone
            os.write(answer, json.dumps(fields).encode() + b"\n")
        os.close(answer)

    try:
        status = run_process(order, lambda started: tell(asdict(started)))
    except StartError as error:
        tell({"error": error.message})
        status = error.exit_code
    sys.exit(status)


if __name__ == "__main__":
    main()
