"""``fetchtui lab``: race download strategies, on a screen or as plain text."""

from __future__ import annotations

import asyncio
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tui.core.rules.exit_status import INTERRUPTED
from tui.core.settings import MAX_CONCURRENCY
from tui.core.text.sanitize import sanitize
from tui.core.text.units import parse_size
from tui.lab.catalog import BY_NAME, choose
from tui.lab.job import Target
from tui.lab.race import Plan, Race
from tui.lab.report.export import check_export, report_of, write
from tui.lab.server_process import ServerProfile

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

FAILED = 1
_PROFILE = ServerProfile()
_DISK_LATENCY_MS = 20.0
"""Used with the demo, so that blocking writes are visible even on a fast disk."""


def _read_by(parse: Callable[[Any], Any]) -> Callable[..., Any]:
    """Turn a parser that raises ``ValueError`` into a click callback."""

    def read(_context: click.Context, _option: click.Parameter, value: Any) -> Any:
        try:
            if isinstance(value, tuple):
                return tuple(parse(one) for one in value)
            return None if value is None else parse(value)
        except ValueError as error:
            raise click.BadParameter(sanitize(str(error))) from None

    return read


def _read_names(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    choose(names)
    return names


@click.command(
    "lab",
    context_settings={"help_option_names": ["-h", "--help"], "show_default": True},
)
@click.argument("sources", nargs=-1, metavar="[SOURCE]...")
@click.option(
    "--headless",
    is_flag=True,
    help="Print the results as a table instead of showing a screen.",
)
@click.option(
    "--rounds",
    type=click.IntRange(1, 100),
    default=3,
    metavar="N",
    help="Number of runs per strategy; the median is shown.",
)
@click.option(
    "-c",
    "--concurrency",
    type=click.IntRange(1, MAX_CONCURRENCY),
    default=8,
    metavar="N",
    help="Simultaneous downloads; at most the number of files.",
)
@click.option(
    "--only",
    callback=_read_by(_read_names),
    metavar="NAME,...",
    help=f"Run only these strategies: {', '.join(BY_NAME)}.",
)
@click.option(
    "--cancel-round/--no-cancel-round",
    default=None,
    help="Run each strategy once more and cancel it after a quarter of the files."
    "  [default: with the demo]",
)
@click.option(
    "--export",
    "exports",
    multiple=True,
    type=click.Path(dir_okay=False, path_type=Path),
    callback=_read_by(check_export),
    metavar="FILE",
    help="Save the results as .md, .json or .svg; repeatable.",
)
@click.option(
    "--timeout",
    type=click.FloatRange(0.1, 86400),
    default=30.0,
    metavar="SECONDS",
    help="Connect and stall timeout in seconds.",
)
@click.option(
    "--disk-latency",
    type=click.FloatRange(0, 10_000),
    metavar="MS",
    help=f"Delay added to each fsync.  [default: {_DISK_LATENCY_MS:g} with the demo]",
)
@click.option(
    "--latency",
    type=click.FloatRange(0, 60_000),
    default=_PROFILE.latency_s * 1000,
    metavar="MS",
    help="Latency of the demo server.",
)
@click.option(
    "--bandwidth",
    callback=_read_by(partial(parse_size, noun="rate")),
    metavar="RATE",
    help="Rate per connection to the demo server, in bytes per second; 0 for no limit."
    "  [default: 2MB]",
)
@click.option(
    "--files",
    type=click.IntRange(1, 10_000),
    default=_PROFILE.files,
    metavar="N",
    help="Number of files on the demo server.",
)
@click.option(
    "--size",
    callback=_read_by(parse_size),
    metavar="SIZE",
    help="Average file size.  [default: 120KB]",
)
def lab(**chosen: Any) -> None:
    """Benchmark strategies for concurrent downloads against each other.

    SOURCE is a URL, a list file, or - for standard input; without a SOURCE, a built-in
    demo server is used. Each strategy runs alone in a new process, and the order is
    shuffled every round. Files go to a temporary directory that is removed afterwards.

    Exit status: 0 all ran with the same result, 1 a strategy failed or results differ,
    2 usage or list error, 130 interrupted.
    """
    try:
        sys.exit(_run(**chosen))
    except KeyboardInterrupt:
        Race.end_at_once()
        sys.exit(INTERRUPTED)


def _run(*, headless: bool, exports: tuple[Path, ...], **chosen: Any) -> int:
    """Plan the race, choose a front end, run; return the exit status."""
    from tui.cli.preflight import can_show_dashboard
    from tui.headless import terminal

    terminal.fill_closed_streams()
    plan = _plan(_load(chosen.pop("sources")), **chosen)
    has_screen = can_show_dashboard(is_wanted=not headless)
    try:
        return asyncio.run(_race(plan, exports, has_screen=has_screen))
    except OSError as error:
        click.echo(f"fetchtui lab: {error}", err=True)
        return FAILED


def _load(sources: Sequence[str]) -> tuple[Target, ...]:
    """Read the sources; print every error and exit before any download starts."""
    if not sources:
        return ()
    from tui.cli.options import CommandLine
    from tui.cli.read_sources import load_requests
    from tui.core.settings import Settings

    requests = load_requests(CommandLine(tuple(sources)), Settings())
    return tuple(
        Target(request.url, f"file-{number:05d}", request.headers)
        for number, request in enumerate(requests)
    )


def _plan(
    targets: tuple[Target, ...],
    *,
    only: tuple[str, ...] | None,
    disk_latency: float | None,
    latency: float,
    bandwidth: int | None,
    size: int | None,
    files: int,
    cancel_round: bool | None,
    timeout: float,
    **rest: int,
) -> Plan:
    if size == 0:
        raise click.BadParameter("must be at least 1 byte", param_hint="--size")
    is_demo = not targets
    if disk_latency is None:
        disk_latency = _DISK_LATENCY_MS if is_demo else 0.0
    return Plan(
        entries=choose(only or ()),
        targets=targets,
        profile=ServerProfile(
            files=files,
            size=_PROFILE.size if size is None else size,
            latency_s=latency / 1000,
            rate=_PROFILE.rate if bandwidth is None else bandwidth,
        ),
        timeout_s=timeout,
        disk_latency_s=disk_latency / 1000,
        has_cancel_round=is_demo if cancel_round is None else cancel_round,
        **rest,
    )


async def _race(plan: Plan, exports: tuple[Path, ...], *, has_screen: bool) -> int:
    from tui.lab.report.plain import exit_status, run_plainly

    if has_screen:
        from tui.ui.lab.app import run_race_screen

        race, is_complete = await run_race_screen(plan)
    else:
        from tui.headless.interrupts import Interrupts

        with Interrupts(Race.end_at_once) as interrupts:
            race, is_complete = await run_plainly(plan, interrupts.arrived)
    for path in exports:
        await asyncio.to_thread(write, report_of(race), path)
        click.echo(f"wrote {path}", err=True)
    return exit_status(race, is_complete=is_complete)


if __name__ == "__main__":
    lab(prog_name="fetchtui lab")
