"""The composition root: command line -> settings -> engine -> front end.

This is the only module that knows both the engine and the front ends. It imports heavy
modules late, so that ``--version``, ``--help`` and errors in a list appear immediately.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn

import click

from tui.cli.event_loop import freeze_memory, run_loop
from tui.cli.options import parameters, read_command_line
from tui.cli.preflight import (
    can_show_dashboard,
    check_directory,
    check_log_file,
    resume_hint,
    title_of,
)
from tui.cli.program import Program
from tui.core.rules.exit_status import INTERRUPTED, USAGE_ERROR
from tui.core.text.units import use_units

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine
    from contextlib import AsyncExitStack

    from tui.cli.options import CommandLine
    from tui.cloud.address import Address
    from tui.cloud.upload import Uploader
    from tui.config.precedence import Resolved
    from tui.core.postprocess import PostProcessor
    from tui.core.request import DownloadRequest
    from tui.core.service import DownloadService
    from tui.core.settings import Settings
    from tui.engine.session.session import SavedSession
    from tui.headless.run import RemoteControl
    from tui.net.transports.early_connections import EarlyConnections
    from tui.postprocess.pipeline import Pipeline
    from tui.rpc.config import RpcConfig
    from tui.ui.exit import AfterExit

_STORES = ("s3:/", "gs:/", "az:/")
"""Starts of sources and destinations in object stores; paths have one slash less."""


@click.command(
    cls=Program,
    params=parameters(),
    context_settings={"help_option_names": ["-h", "--help"]},
)
def main(**chosen: Any) -> None:
    """Download files with a dashboard in the terminal.

    SOURCE is a URL, a list file, or - for standard input. Without a SOURCE, the
    dashboard reopens the last session and accepts pasted URLs.

    Options override FETCHTUI_* variables, which override the profile, which overrides
    the settings file. fetchtui config show lists the effective settings and where each
    comes from.

    Exit status: 0 all done, 1 at least one failed, 2 usage or list error,
    130 interrupted (progress is saved; run the same command to resume).
    """
    gc.disable()  # until the run starts: objects created until then live to the end
    try:
        sys.exit(run_command(read_command_line(click.get_current_context(), chosen)))
    except KeyboardInterrupt:
        # Ctrl+C before the loop runs, for example while a long list is read.
        sys.exit(INTERRUPTED)
    finally:
        gc.enable()


def run_command(line: CommandLine) -> int:
    """Load settings and sources, choose a front end, run; return the exit status."""
    from tui.cli.load_settings import (
        build_settings,
        load_settings,
        print_settings,
        prompt_for_passwords,
    )
    from tui.headless import terminal

    terminal.fill_closed_streams()
    if line.demo and (line.sources or line.checksum or line.output):
        raise click.UsageError(
            "--demo uses its own list and cannot be combined with SOURCE"
        )
    resolved = load_settings(line)
    settings = build_settings(resolved)
    use_units(resolved["units"])
    if line.detach:
        from tui.cli.background.start import check_free

        check_free(line.process_name)
    if line.verbose:
        print_settings(resolved)
    if line.links is not None:
        settings = prompt_for_passwords(settings, line.sources)
    address = signed = None
    names = (*line.sources, str(settings.output_dir))
    if any(name.lower().startswith(_STORES) for name in names):
        from tui.cli.object_store import destination_of, sign_sources, with_staging

        signed = sign_sources(line.sources)
        line = line._replace(sources=signed.sources)
        address = destination_of(settings)
        if address is not None:
            settings = with_staging(line, settings, address)
    requests = _load_requests(line, settings)
    if signed is not None and line.output is None:
        requests = signed.with_folders(requests)
    urls = (url for request in requests for url in request.mirrors)
    if line.is_dry:
        from tui.cli.commands.dry_run import dry_run

        if line.sizes:
            settings = prompt_for_passwords(settings, urls)
        freeze_memory()
        store = "" if address is None else str(address)
        return dry_run(settings, requests, probe_servers=line.sizes, store=store)
    rpc = None
    if resolved.rpc().listen:
        from tui.cli.remote_control import rpc_config

        rpc = rpc_config(resolved)
    if line.detach:
        return _detach(line, resolved, settings, requests, rpc)
    if address is not None:
        _run_to_store(line, resolved, settings, requests, address)
    return _run_here(line, resolved, settings, requests, rpc)


def _run_to_store(
    line: CommandLine,
    resolved: Resolved,
    settings: Settings,
    requests: list[DownloadRequest],
    address: Address,
) -> NoReturn:
    """Download in this process, upload each file, and exit.

    Sessions are not saved.
    """
    from tui.cli.load_settings import prompt_for_passwords
    from tui.cli.object_store import run_to_store

    if not requests:
        raise click.UsageError(
            "nothing to download; give a URL, a list file, or - for standard input"
        )
    urls = (url for request in requests for url in request.mirrors)
    settings = prompt_for_passwords(settings, urls)
    check_directory(settings.output_dir)
    check_log_file(settings.log_file)
    has_dashboard = can_show_dashboard(is_wanted=line.wants_dashboard)

    def run(
        left: list[DownloadRequest], uploader: Uploader
    ) -> Coroutine[Any, Any, int]:
        return _run(
            line,
            settings,
            left,
            has_dashboard,
            None,
            resolved,
            None,
            uploader=uploader,
        )

    run_to_store(
        settings,
        requests,
        address,
        run,
        run_loop,
        is_quiet=line.quiet,
        has_summary=line.json,
    )


def _run_here(
    line: CommandLine,
    resolved: Resolved,
    settings: Settings,
    requests: list[DownloadRequest],
    rpc: RpcConfig | None,
) -> int:
    """Download in this process, with or without a dashboard."""
    from tui.cli.load_settings import prompt_for_passwords

    urls = (url for request in requests for url in request.mirrors)
    has_dashboard = can_show_dashboard(is_wanted=line.wants_dashboard)
    if not (requests or has_dashboard or line.demo or rpc):
        raise click.UsageError(
            "nothing to download; give a URL, a list file, or - for standard input"
        )
    if not has_dashboard:
        settings = settings._replace(sizes_ahead=False)
    with ExitStack() as stack:
        if line.demo:
            settings = _demo_settings(resolved, settings, stack)
        if line.is_stdout:
            settings = _stdout_settings(settings, stack)
        session = None
        if has_dashboard and not line.demo:
            session = _open_session(line, resolved, settings, len(requests))
            settings = session.settings
        settings = prompt_for_passwords(settings, urls)
        if session is not None:
            session.settings = settings
        check_directory(settings.output_dir)
        check_log_file(settings.log_file)
        early = _connect_early(settings, requests)
        status = run_loop(
            _run(line, settings, requests, has_dashboard, session, resolved, rpc, early)
        )
        while session is not None and session.next_session:
            status, session = _run_session(line, resolved, session.next_session, rpc)
        if session is not None and session.is_handed_over:
            from tui.cli.background.hand_over import continue_in_background

            return continue_in_background(session, rpc)
        if line.is_stdout and not status:
            from tui.cli.standard_output import copy_to_stdout

            status = copy_to_stdout(settings.output_dir)
        return status


def _connect_early(
    settings: Settings, requests: list[DownloadRequest]
) -> EarlyConnections | None:
    """Begin to connect to the first host, while the engine is being loaded."""
    import time

    from tui.disk.state.host_limits import HostLimits
    from tui.net.transports.early_connections import open_early

    urls = [request.url for request in requests[: settings.concurrency]]
    return open_early(settings, urls, HostLimits().load(time.time()))


def _detach(
    line: CommandLine,
    resolved: Resolved,
    settings: Settings,
    requests: list[DownloadRequest],
    rpc: RpcConfig | None,
) -> int:
    """Download in a background process; return the exit status."""
    from tui.cli.background.start import StartOrder, start_process, started_lines
    from tui.cli.load_settings import prompt_for_passwords

    urls = (url for request in requests for url in request.mirrors)
    started = start_process(
        StartOrder(
            line.process_name,
            # Asked for now, while there is a terminal; kept in memory only.
            prompt_for_passwords(settings, urls),
            resolved.explicit_fields,
            title_of(line.sources),
            tuple(requests),
            exit_when_done=resolved.dashboard().exit_when_done,
            rpc=rpc,
        )
    )
    if not line.quiet:
        for text in started_lines(line.process_name, started):
            click.echo(text)
    return 0


def _load_requests(line: CommandLine, settings: Settings) -> list[DownloadRequest]:
    """Read all sources; print every error and exit before any download starts."""
    if not line.sources:
        return _apply_to_single(line, [])
    from tui.cli.read_sources import load_requests

    requests = load_requests(line, settings, is_quiet=line.quiet)
    return _apply_to_single(line, requests)


def _apply_to_single(
    line: CommandLine, requests: list[DownloadRequest]
) -> list[DownloadRequest]:
    """Apply the options that are about one file."""
    for option, key, value in (
        ("--checksum", "checksum", line.checksum),
        ("--output", "out", line.output),
    ):
        if value is not None and len(requests) != 1:
            raise click.UsageError(
                f"{option} needs exactly one URL, not {len(requests):,}; in a list,"
                f" write {key}= below each URL"
            )
    if line.checksum is not None:
        requests = [requests[0]._replace(checksum=line.checksum)]
    if line.is_stdout:
        requests = [requests[0]._replace(directory=None)]
    elif line.output is not None:
        from tui.sources.values import parse_output_path

        directory, name = parse_output_path(line.output, "--output")
        requests = [requests[0]._replace(name=name, directory=directory)]
    return requests


def _demo_settings(
    resolved: Resolved, settings: Settings, stack: ExitStack
) -> Settings:
    """Give the demo a temporary directory, unless one was chosen."""
    from tui.config.option import SettingValue
    from tui.demo.tempdir import TemporaryDirectory

    if resolved.values["output-dir"].source != "default":
        return settings
    directory = stack.enter_context(TemporaryDirectory())
    resolved.values["output-dir"] = SettingValue(directory, "--demo")
    return settings._replace(output_dir=directory)


def _stdout_settings(settings: Settings, stack: ExitStack) -> Settings:
    """Save the file in a temporary directory, from which it is copied to stdout."""
    from tui.cli.standard_output import check_stdout
    from tui.demo.tempdir import TemporaryDirectory

    check_stdout()
    directory = stack.enter_context(TemporaryDirectory("stdout"))
    return settings._replace(
        output_dir=directory, folders=(), unpack=False, keeps_corrupt=False
    )


def _open_session(
    line: CommandLine, resolved: Resolved, settings: Settings, expected: int
) -> SavedSession:
    """Start a session of ``expected`` downloads, or open the last one."""
    from tui.engine.session.session import begin_session, last_session

    if line.sources:
        return begin_session(settings, title_of(line.sources), expected)
    return last_session(settings, resolved.explicit_fields)


def _run_session(
    line: CommandLine, resolved: Resolved, name: str, rpc: RpcConfig | None
) -> tuple[int, SavedSession]:
    """Run the dashboard on a session of the history."""
    from tui.cli.load_settings import prompt_for_passwords
    from tui.engine.session.session import named_session

    settings = resolved.settings()
    session = named_session(settings, resolved.explicit_fields, name)
    settings = session.settings = prompt_for_passwords(session.settings, ())
    check_directory(settings.output_dir)
    line = line._replace(sources=())
    run = _run(line, settings, [], True, session, resolved, rpc)
    return run_loop(run), session


async def _run(
    line: CommandLine,
    settings: Settings,
    requests: list[DownloadRequest],
    has_dashboard: bool,
    session: SavedSession | None,
    resolved: Resolved,
    rpc: RpcConfig | None,
    early: EarlyConnections | None = None,
    uploader: Uploader | None = None,
) -> int:
    """Open the engine, run a front end on it, and always close it."""
    from contextlib import AsyncExitStack

    from tui.core.errors import LocalError
    from tui.core.postprocess import is_wanted
    from tui.disk.state.host_limits import HostLimits
    from tui.engine.factory import open_engine
    from tui.messages import error_text

    async with AsyncExitStack() as stack:
        if line.demo:
            from tui.demo.playlist import open_demo

            requests = await stack.enter_async_context(open_demo())
        if session is not None:
            stack.push_async_callback(session.close)
        try:
            service = await open_engine(
                settings,
                session=session,
                host_limits=None if line.demo else HostLimits(),
                early=early,
            )
            stack.push_async_callback(service.close)
            remote = await _open_rpc(stack, service, rpc, has_dashboard)
        except LocalError as error:
            click.echo(f"fetchtui: {error_text(error)}", err=True)
            return USAGE_ERROR
        post_processor = None
        if uploader is not None or is_wanted(settings):
            from tui.postprocess.pipeline import post_processing

            post_processor = await stack.enter_async_context(
                post_processing(service, settings, uploader)
            )
        if has_dashboard:
            status = await _run_dashboard(
                line, service, requests, session, resolved, post_processor, remote
            )
            if session is not None and session.is_handed_over:
                # Only the steps after finished downloads are waited for.
                await service.close()
            return await _finish_post_processing(post_processor, status)
        return await _run_headless(line, service, requests, post_processor, remote)


async def _finish_post_processing(post_processor: Pipeline | None, status: int) -> int:
    """Wait for the steps after the downloads; return the exit status of the run."""
    if post_processor is None:
        return status
    from tui.postprocess.pipeline import finish_post_processing

    return await finish_post_processing(
        post_processor, status, partial(click.echo, err=True)
    )


async def _run_headless(
    line: CommandLine,
    service: DownloadService,
    requests: list[DownloadRequest],
    post_processor: PostProcessor | None,
    remote: RemoteControl | None,
) -> int:
    """Download without a dashboard."""
    from tui.demo.tempdir import TemporaryDirectory
    from tui.headless.run import run_headless

    freeze_memory()
    return await run_headless(
        service,
        requests,
        is_json=line.json,
        resume_hint=_headless_hint(line),
        on_forced_exit=TemporaryDirectory.remove_all,
        post_processor=post_processor,
        verbosity=line.verbosity,
        remote=remote,
    )


async def _open_rpc(
    stack: AsyncExitStack,
    service: DownloadService,
    config: RpcConfig | None,
    has_dashboard: bool,
) -> RemoteControl | None:
    """Start the remote control, if it is wanted."""
    if config is None:
        return None
    from asyncio import Event

    from tui.cli.remote_control import open_rpc
    from tui.headless.run import RemoteControl

    ended = Event()
    shut_down = _terminate if has_dashboard else ended.set
    return RemoteControl(await open_rpc(stack, service, config, shut_down), ended)


def _terminate() -> None:
    """End the program as SIGTERM does."""
    os.kill(os.getpid(), signal.SIGTERM)


def _headless_hint(line: CommandLine) -> str:
    """Return what to do about downloads that are left over at the end."""
    from tui.headless.summary import RESUME_HINT

    if line.demo and line.value("output-dir") is None:
        return "The demo keeps no files"
    return "Nothing was written to stdout" if line.is_stdout else RESUME_HINT


async def _run_dashboard(
    line: CommandLine,
    service: DownloadService,
    requests: list[DownloadRequest],
    session: SavedSession | None,
    resolved: Resolved,
    post_processor: PostProcessor | None,
    remote: RemoteControl | None,
) -> int:
    """Start downloading, import the dashboard meanwhile, and run it."""
    from tui.cli.startup import start_early
    from tui.headless.interrupts import Interrupts
    from tui.messages import session_text

    hint = resume_hint(line.sources, is_demo=line.demo)
    restore: Callable[[], Awaitable[str]] | None = None
    if session is not None:
        # For a new session, open the journal first, so that no event is missing.
        restored = session_text(await session.restore()) if requests else None

        async def restore() -> str:
            return (
                session_text(await session.restore()) if restored is None else restored
            )

    # Until the dashboard handles signals itself, a moment before it takes the screen.
    with Interrupts() as interrupts:
        early = await start_early(service, requests, _import_dashboard, interrupts)
        freeze_memory()
        if remote is not None:
            service.notify(remote.opened)
        _notify_background(line, service)
        from tui.engine.session.history import SavedHistory
        from tui.ui.app import run_dashboard

        status = await run_dashboard(
            service,
            requests=early.remaining,
            subscription=early.subscription,
            post_processor=post_processor,
            source_title=session.title if session else title_of(line.sources) or "demo",
            exit_when_done=resolved.dashboard().exit_when_done,
            restore=restore,
            expect=None if session is None else session.expect,
            after_exit=_after_exit(session, hint),
            history=None if session is None else SavedHistory(session),
            settings=resolved,
            is_interrupted=interrupts.arrived.is_set,
        )
        if interrupts.arrived.is_set():
            early.subscription.close()
            click.echo(f"fetchtui: interrupted. {hint}", err=True)
        return status


def _notify_background(line: CommandLine, service: DownloadService) -> None:
    """Name background processes, whose downloads plain ``fetchtui`` does not show."""
    if line.sources or line.demo:
        return
    from tui.background.address import running_names
    from tui.core.notices import Notice, NoticeCode

    for name in running_names():
        service.notify(Notice(NoticeCode.BACKGROUND_RUNS, (name,)))


def _after_exit(session: SavedSession | None, hint: str) -> AfterExit:
    from tui.ui.exit import AfterExit

    if session is None:
        return AfterExit(hint, has_session=False)
    return AfterExit(
        hint,
        session.unsaved,
        hand_over=session.hand_over,
        set_aside=session.set_aside,
    )


def _import_dashboard() -> None:
    import tui.ui.app  # noqa: F401  # takes 0.2 s
