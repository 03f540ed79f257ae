"""The composition root: arguments -> Settings -> engine -> a face.

The only module that knows both the engine and the faces. What is heavy is imported
late: ``--version``, ``--help`` and a mistyped list answer at once.
"""

from __future__ import annotations

import sys
from contextlib import ExitStack
from functools import partial
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from tui import __version__
from tui.arguments.reading import (
    check_directory,
    read_by,
    read_header,
    resume_hint,
    title_of,
)
from tui.arguments.subcommands import Program
from tui.core.request import Checksum
from tui.core.settings import (
    MAX_CONCURRENCY,
    MAX_SEGMENTS,
    OnExists,
    Settings,
    Verify,
)
from tui.core.units import parse_size

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from tui.core.request import DownloadRequest
    from tui.engine.session import Session

USAGE_ERROR = 2
_DEFAULTS = Settings()
_SETTING_OF = {"limit_rate": "rate_limit", "timeout": "timeout_s"}


@dataclass(frozen=True, slots=True)
class Options:
    """The command line, read; one field an option."""

    sources: tuple[str, ...]
    output_dir: Path | None
    concurrency: int
    segments: int
    per_host: int
    limit_rate: int | None
    retries: int
    timeout: float | None
    on_exists: str
    checksum: Checksum | None
    verify: str
    headers: tuple[tuple[str, str], ...]
    fsync: str
    ca_file: Path | None
    headless: bool
    json: bool
    exit_when_done: bool
    demo: bool
    given: frozenset[str] = frozenset()
    """Settings that were asked for, not left to their defaults."""


@click.command(
    cls=Program,
    context_settings={"help_option_names": ["-h", "--help"], "show_default": True},
)
@click.argument("sources", nargs=-1, metavar="[SOURCE]...")
@click.option(
    "-o",
    "--output-dir",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Where files go; made if missing.  [default: here]",
)
@click.option(
    "-c",
    "--concurrency",
    type=click.IntRange(1, MAX_CONCURRENCY),
    metavar="N",
    default=_DEFAULTS.concurrency,
    help="Downloads at once; changes live in the dashboard.",
)
@click.option(
    "-s",
    "--segments",
    type=click.IntRange(0, MAX_SEGMENTS),
    metavar="N",
    default=_DEFAULTS.segments,
    help="Connections per download; 0 decides by size.",
)
@click.option(
    "--per-host",
    type=click.IntRange(0, MAX_CONCURRENCY),
    metavar="N",
    default=_DEFAULTS.per_host,
    help="Downloads at once from one host; 0 for no cap.",
)
@click.option(
    "--limit-rate",
    callback=read_by(parse_size),
    metavar="RATE",
    help="Bytes per second over everything, such as 500k or 10M.",
)
@click.option(
    "--retries",
    type=click.IntRange(0, 1000),
    metavar="N",
    default=_DEFAULTS.retries,
    help="Attempts after the first one.",
)
@click.option(
    "--timeout",
    type=click.FloatRange(0.1, 86400),
    metavar="SECONDS",
    help="To connect, and without a byte.  [default: 30]",
)
@click.option(
    "--on-exists",
    type=click.Choice([choice.value for choice in OnExists]),
    default=_DEFAULTS.on_exists.value,
    help="When the name is taken.",
)
@click.option(
    "--checksum",
    callback=read_by(Checksum.parse),
    metavar="TYPE=HEX",
    help="Expected digest of the one URL, such as sha-256=...",
)
@click.option(
    "--verify",
    type=click.Choice([choice.value for choice in Verify]),
    default=_DEFAULTS.verify.value,
    help="Where the list has no checksum: trust the server's headers, look for"
    " SHA256SUMS or NAME.sha256 as well (auto), or do neither.",
)
@click.option(
    "--header",
    "headers",
    multiple=True,
    callback=read_by(read_header),
    metavar="'NAME: VALUE'",
    help="Sent to the origins that the list names; repeatable.",
)
@click.option(
    "--fsync",
    type=click.Choice(["on", "off"]),
    default="on",
    help="Sync files before they get their name.",
)
@click.option(
    "--ca-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Trust these certificates (PEM) instead of the system's.",
)
@click.option(
    "--headless", is_flag=True, help="No dashboard; also when stdout is no terminal."
)
@click.option(
    "--json", is_flag=True, help="Headless; one JSON object a line on stdout."
)
@click.option(
    "--exit-when-done",
    is_flag=True,
    help="Leave the dashboard after the last download.",
)
@click.option(
    "--demo", is_flag=True, help="Fetch files from a server of its own; no network."
)
@click.version_option(__version__, prog_name="fetchtui", message="%(prog)s %(version)s")
def main(**chosen: Any) -> None:
    """Download files with a dashboard in the terminal.

    SOURCE is a URL, a list file, or - for standard input. Without any, the
    dashboard opens the last session as it was left, and takes pasted URLs.

    Exit status: 0 all done, 1 at least one failed, 2 usage or list error,
    130 interrupted (state kept; the same command resumes).
    """
    source_of = click.get_current_context().get_parameter_source
    given = frozenset(
        _SETTING_OF.get(name, name)
        for name in chosen
        if source_of(name) is ParameterSource.COMMANDLINE
    )
    try:
        sys.exit(launch(Options(**chosen, given=given)))
    except KeyboardInterrupt:
        # Before the loop runs, say while a long list is read.
        sys.exit(130)


def launch(options: Options) -> int:
    """Read the sources, choose a face, run; return the exit status."""
    from tui.headless import terminal

    terminal.fill_closed_streams()
    if options.demo and (options.sources or options.checksum):
        raise click.UsageError("--demo brings a list of its own; leave SOURCE away")
    requests = _load(options)
    has_dashboard = (
        not (options.headless or options.json)
        and terminal.can_repaint(1)
        and terminal.give_keyboard_back()
    )
    if not (requests or has_dashboard or options.demo):
        raise click.UsageError(
            "nothing to fetch; give a URL, a list file, or - for standard input"
        )
    with ExitStack() as stack:
        output_dir = options.output_dir or Path()
        if options.demo and options.output_dir is None:
            from tui.demo.stage import TemporaryStage

            output_dir = stack.enter_context(TemporaryStage())
        settings = _settings(options, output_dir)
        session = None
        if has_dashboard and not options.demo:
            session = _open_session(options, settings)
            settings = session.settings
        check_directory(settings.output_dir)
        return _run_loop(_fetch(options, settings, requests, has_dashboard, session))


def _load(options: Options) -> list[DownloadRequest]:
    """Read all sources; every complaint is told before anything is fetched."""
    from tui.sources.detect import load_sources

    notes: list[str] = []
    stdin = None if sys.stdin is None else sys.stdin.buffer
    requests, complaints = load_sources(options.sources, stdin, notes)
    for line in (*(f"note: {note}" for note in notes), *complaints):
        click.echo(f"{line}", err=True)
    if complaints:
        sys.exit(USAGE_ERROR)
    if options.checksum is None:
        return requests
    if len(requests) != 1:
        raise click.UsageError(
            f"--checksum goes with one URL, not {len(requests):,};"
            " write checksum= below each URL of a list"
        )
    return [replace(requests[0], checksum=options.checksum)]


def _settings(options: Options, output_dir: Path) -> Settings:
    timeout_s = options.timeout or _DEFAULTS.timeout_s
    if options.demo and options.timeout is None:
        from tui.demo.story import TIMEOUT_S

        timeout_s = TIMEOUT_S
    return Settings(
        output_dir=output_dir,
        concurrency=options.concurrency,
        per_host=options.per_host,
        segments=options.segments,
        retries=options.retries,
        timeout_s=timeout_s,
        rate_limit=options.limit_rate or None,
        on_exists=OnExists(options.on_exists),
        verify=Verify(options.verify),
        headers=options.headers,
        ca_file=options.ca_file,
        fsync=options.fsync == "on",
    )


def _open_session(options: Options, settings: Settings) -> Session:
    from tui.engine.session import begin_session, last_session

    if options.sources:
        return begin_session(settings, title_of(options.sources))
    return last_session(settings, options.given)


async def _fetch(
    options: Options,
    settings: Settings,
    requests: list[DownloadRequest],
    has_dashboard: bool,
    session: Session | None,
) -> int:
    """Open the engine, hand it to a face, and close it whatever happens."""
    from contextlib import AsyncExitStack

    from tui.after.follower import follow
    from tui.after.parting import part
    from tui.core.errors import LocalError
    from tui.engine.wiring import open_engine

    async with AsyncExitStack() as stack:
        if options.demo:
            from tui.demo.story import open_demo

            requests = await stack.enter_async_context(open_demo())
        if session is not None:
            stack.push_async_callback(session.close)
        try:
            service = await open_engine(settings, session=session)
        except LocalError as error:
            click.echo(f"fetchtui: {error}; {error.advice}", err=True)
            return USAGE_ERROR
        stack.push_async_callback(service.close)
        aftermath = follow(service, settings)
        if aftermath is not None:
            stack.push_async_callback(aftermath.close)
        if has_dashboard:
            from tui.ui.app import run_dashboard

            status = await run_dashboard(
                service,
                requests=requests,
                aftermath=aftermath,
                source_title=session.title if session else "demo",
                exit_when_done=options.exit_when_done,
                restore=None if session is None else session.restore,
                unsaved=None if session is None else session.unsaved,
                resume_hint=resume_hint(options.sources, is_demo=options.demo),
            )
            return await part(aftermath, status, partial(click.echo, err=True))
        from tui.demo.stage import TemporaryStage
        from tui.headless.face import RESUME_HINT
        from tui.headless.run import run_headless

        is_lost = options.demo and options.output_dir is None
        return await run_headless(
            service,
            requests,
            is_json=options.json,
            resume_hint="the demo keeps nothing" if is_lost else RESUME_HINT,
            at_once=TemporaryStage.remove_all,
            aftermath=aftermath,
        )


def _run_loop(run: Coroutine[Any, Any, int]) -> int:
    import gc
    from asyncio import Runner

    try:
        from uvloop import new_event_loop
    except ImportError:  # there is none for Windows
        from asyncio import new_event_loop  # type: ignore[assignment]
    gc.collect()
    gc.freeze()  # the list lives as long as the run: no need to walk over it again
    with Runner(loop_factory=new_event_loop) as runner:
        return runner.run(run)
