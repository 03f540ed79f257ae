"""The composition root: arguments -> Settings -> engine -> a face.

The only module that knows both the engine and the faces. What is heavy is imported
late: ``--version``, ``--help`` and a mistyped list answer at once.
"""

from __future__ import annotations

import gc
import sys
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from tui.cli.command_line import read_command_line
from tui.cli.options import parameters
from tui.cli.preflight import check_directory, check_log_file, resume_hint, title_of
from tui.cli.program import Program

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Coroutine

    from tui.cli.command_line import CommandLine
    from tui.config.precedence import Resolved
    from tui.core.postprocess import Aftermath
    from tui.core.request import DownloadRequest
    from tui.core.service import DownloadService
    from tui.core.settings import Settings
    from tui.engine.session.session import Session

USAGE_ERROR = 2
INTERRUPTED = 130


@click.command(
    cls=Program,
    params=parameters(),
    context_settings={"help_option_names": ["-h", "--help"]},
)
def main(**chosen: Any) -> None:
    """Download files with a dashboard in the terminal.

    SOURCE is a URL, a list file, or - for standard input. Without any, the
    dashboard opens the last session as it was left, and takes pasted URLs.

    What an option says wins over FETCHTUI_* variables, those over a profile, and
    that over the settings file: fetchtui config show tells what holds, and why.

    Exit status: 0 all done, 1 at least one failed, 2 usage or list error,
    130 interrupted (state kept; the same command resumes).
    """
    gc.disable()  # until the run begins: what is loaded and read until then stays
    try:
        sys.exit(launch(read_command_line(click.get_current_context(), chosen)))
    except KeyboardInterrupt:
        # Before the loop runs, say while a long list is read.
        sys.exit(INTERRUPTED)
    finally:
        gc.enable()


def launch(line: CommandLine) -> int:
    """Read settings and sources, choose a face, run; return the exit status."""
    from tui.cli.load_settings import ask_secrets, settings_of, settle, tell_settings
    from tui.headless import terminal

    terminal.fill_closed_streams()
    if line.demo and (line.sources or line.checksum):
        raise click.UsageError("--demo brings a list of its own; leave SOURCE away")
    resolved = settle(line)
    settings = settings_of(resolved)
    if line.verbose:
        tell_settings(resolved)
    if line.links is not None:
        settings = ask_secrets(settings, line.sources)
    requests = _load(line, settings)
    urls = (url for request in requests for url in request.mirrors)
    if line.is_dry:
        from tui.cli.commands.dry_run import dry_run

        if line.sizes:
            settings = ask_secrets(settings, urls)
        _settle_memory()
        return dry_run(settings, requests, asks_sizes=line.sizes)
    has_dashboard = line.wants_dashboard and terminal.can_show_dashboard()
    if not (requests or has_dashboard or line.demo):
        raise click.UsageError(
            "nothing to fetch; give a URL, a list file, or - for standard input"
        )
    with ExitStack() as stack:
        if line.demo:
            settings = _demo_settings(line, settings, stack)
        session = None
        if has_dashboard and not line.demo:
            session = _open_session(line, resolved, settings)
            settings = session.settings
        settings = ask_secrets(settings, urls)
        check_directory(settings.output_dir)
        check_log_file(settings.log_file)
        return _run_loop(
            _fetch(line, settings, requests, has_dashboard, session, resolved)
        )


def _load(line: CommandLine, settings: Settings) -> list[DownloadRequest]:
    """Read all sources; every complaint is told before anything is fetched."""
    from tui.cli.fetch_page import page_fetcher
    from tui.sources.load import load_sources

    notes: list[str] = []
    requests, complaints = load_sources(
        line.sources,
        None if sys.stdin is None else sys.stdin.buffer,
        notes,
        links=line.links,
        base_url=line.base_url,
        fetch_page=page_fetcher(settings),
    )
    if not line.quiet:
        for note in notes:
            click.echo(f"note: {note}", err=True)
    for complaint in complaints:
        click.echo(f"{complaint}", err=True)
    if complaints:
        sys.exit(USAGE_ERROR)
    if line.checksum is None:
        return requests
    if len(requests) != 1:
        raise click.UsageError(
            f"--checksum goes with one URL, not {len(requests):,};"
            " write checksum= below each URL of a list"
        )
    return [requests[0]._replace(checksum=line.checksum)]


def _demo_settings(line: CommandLine, settings: Settings, stack: ExitStack) -> Settings:
    """Give the demo its own directory and patience, unless others are asked for."""
    from tui.demo.playlist import TIMEOUT_S
    from tui.demo.tempdir import TemporaryDirectory

    # Its server is on this machine: no proxy of the environment leads there.
    settings = replace(settings, proxy=line.value("proxy") or "direct")
    if line.value("output-dir") is None:
        settings = replace(
            settings, output_dir=stack.enter_context(TemporaryDirectory())
        )
    if line.value("timeout") is None:
        settings = replace(settings, timeout_s=TIMEOUT_S)
    return settings


def _open_session(line: CommandLine, resolved: Resolved, settings: Settings) -> Session:
    from tui.engine.session.session import begin_session, last_session

    if line.sources:
        return begin_session(settings, title_of(line.sources))
    return last_session(settings, resolved.asked_fields)


async def _fetch(
    line: CommandLine,
    settings: Settings,
    requests: list[DownloadRequest],
    has_dashboard: bool,
    session: Session | None,
    resolved: Resolved,
) -> int:
    """Open the engine, hand it to a face, and close it whatever happens."""
    from contextlib import AsyncExitStack

    from tui.core.errors import LocalError
    from tui.engine.factory import open_engine
    from tui.postprocess.lifecycle import following, part

    async with AsyncExitStack() as stack:
        if line.demo:
            from tui.demo.playlist import open_demo

            requests = await stack.enter_async_context(open_demo())
        if session is not None:
            stack.push_async_callback(session.close)
        try:
            service = await open_engine(settings, session=session)
        except LocalError as error:
            click.echo(f"fetchtui: {error}; {error.advice}", err=True)
            return USAGE_ERROR
        stack.push_async_callback(service.close)
        aftermath = await stack.enter_async_context(following(service, settings))
        if has_dashboard:
            status = await _show(line, service, requests, session, resolved, aftermath)
            return await part(aftermath, status, partial(click.echo, err=True))
        from tui.demo.tempdir import TemporaryDirectory
        from tui.headless.renderers.base import RESUME_HINT
        from tui.headless.run import run_headless

        _settle_memory()
        is_lost = line.demo and line.value("output-dir") is None
        return await run_headless(
            service,
            requests,
            is_json=line.json,
            resume_hint="the demo keeps nothing" if is_lost else RESUME_HINT,
            at_once=TemporaryDirectory.remove_all,
            aftermath=aftermath,
            loudness=line.loudness,
        )


async def _show(
    line: CommandLine,
    service: DownloadService,
    requests: list[DownloadRequest],
    session: Session | None,
    resolved: Resolved,
    aftermath: Aftermath | None,
) -> int:
    """Begin to download, load the dashboard meanwhile, and show it."""
    from tui.cli.startup import begin_early

    def load() -> None:
        import tui.ui.app  # noqa: F401  # takes 0.2 s

    hint = resume_hint(line.sources, is_demo=line.demo)
    restore = None if session is None else session.restore
    if session is not None and requests:
        # A session that begins: its journal goes first, so that it misses nothing.
        told = await session.restore()

        async def restore() -> str:
            return told

    early = await begin_early(service, requests, load)
    _settle_memory()
    if early.is_interrupted:
        early.subscription.close()
        click.echo(f"fetchtui: interrupted. {hint}", err=True)
        return INTERRUPTED
    from tui.ui.app import run_dashboard

    return await run_dashboard(
        service,
        requests=early.left,
        subscription=early.subscription,
        aftermath=aftermath,
        source_title=session.title if session else "demo",
        exit_when_done=resolved.dashboard().exit_when_done,
        restore=restore,
        unsaved=None if session is None else session.unsaved,
        given=resolved,
        resume_hint=hint,
    )


def _settle_memory() -> None:
    """Collect from now on, but never walk over what is here: it lives to the end.

    Nor every 700 objects, Python's usual: a tenth of the time of a small file.
    """
    gc.freeze()
    gc.set_threshold(10_000, 10, 10)
    gc.enable()


def _run_loop(run: Coroutine[Any, Any, int]) -> int:
    from asyncio import Runner

    with Runner(loop_factory=_new_loop) as runner:
        return runner.run(run)


def _new_loop() -> AbstractEventLoop:
    """Make a loop whose tasks begin in a later turn, as they do on Python 3.11.

    Textual would make them eager where Python can (3.12 and later): they would run
    before their creator goes on, so another order on each version. And uvloop 0.23
    gives the eager factory an argument that the one of Python 3.13.0 does not know.
    """
    try:
        from uvloop import Loop
    except ImportError:  # there is none for Windows
        from asyncio import SelectorEventLoop as Loop  # type: ignore[assignment]

    class PlainTaskLoop(Loop):
        def set_task_factory(self, factory: object) -> None:
            """Keep the loop's own tasks."""

    return PlainTaskLoop()
