"""``fetchtui scale``: download a list that is larger than one machine."""

from __future__ import annotations

import asyncio
import os
import re
import sys
import uuid
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tui.cli.load_settings import build_settings, load_settings
from tui.cli.object_store import destination_of, end_process
from tui.cli.options import Parameter, parameters, read_command_line
from tui.config.option import Group
from tui.core.rules.exit_status import INTERRUPTED, USAGE_ERROR
from tui.core.text.sanitize import sanitize
from tui.core.text.units import plural

if TYPE_CHECKING:
    from tui.cli.options import CommandLine
    from tui.cloud.upload import Uploader
    from tui.core.settings import Login, Settings
    from tui.scale.coordinator import Coordinator
    from tui.scale.job import JobOptions, OpenJob, Part
    from tui.scale.pool import Pool

_SHARD_SIZE = 5000
_CLUSTER_PARTS = 32
"""Workers for which a plan for a cluster is cut."""
_RUN_OPTIONS = frozenset(
    {
        *("url-column", "name-column", "checksum-column", "base-url", "profile"),
        *("quiet", "headless", "json"),
    }
)
"""Options of one run that apply here, too."""
_LEFT_OUT = frozenset(
    {"auto", "on-exists", "unpack", "server-time", "folders", "sizes-ahead"}
)
_LOCAL = re.compile(r"local:([0-9]{1,4})")
_ADDRESS = re.compile(r"(tcp|tls|ucx|ws|wss)://[^\s/]+:[0-9]+/?")
_PART = re.compile(r"([0-9]{1,6})/([0-9]{1,6})")


def _read_scheduler(
    _context: click.Context, _option: click.Parameter, value: str | None
) -> str:
    if value is None:
        return ""
    local = _LOCAL.fullmatch(value)
    if local is not None and int(local[1]) > 0:
        return value
    if _ADDRESS.fullmatch(value):
        return value
    raise click.BadParameter(
        f"{sanitize(value, 60)!r} is not a scheduler; write local:N for N processes on"
        " this machine, or an address such as tcp://10.0.0.1:8786"
    )


def _read_part(
    _context: click.Context, _option: click.Parameter, value: str | None
) -> Part | None:
    if value is None:
        return None
    from tui.scale.job import Part

    match = _PART.fullmatch(value)
    if match is None or int(match[1]) >= int(match[2]):
        raise click.BadParameter(
            "write I/N with I from 0 to N-1, such as 0/4 for the first of four"
        )
    return Part(int(match[1]), int(match[2]))


def _parameters() -> list[click.Parameter]:
    own: list[click.Parameter] = [
        click.Argument(["lists"], nargs=-1, metavar="[LIST]..."),
        click.Option(
            ["--scheduler"],
            callback=_read_scheduler,
            metavar="ADDRESS|local:N",
            help="Dask scheduler, or N worker processes on this machine."
            "  [default: one worker in this process]",
        ),
        click.Option(
            ["--shard", "part"],
            callback=_read_part,
            metavar="I/N",
            help="Run part I of N, for job arrays without a scheduler.",
        ),
        click.Option(
            ["--shard-size"],
            type=click.IntRange(1, 100_000),
            default=_SHARD_SIZE,
            show_default=True,
            metavar="ROWS",
            help="Downloads per shard.",
        ),
        click.Option(
            ["--format"],
            type=click.Choice(["files", "tar", "parquet"]),
            help="Form of the output: files (the default), or one file per shard.",
        ),
        click.Option(
            ["--job"],
            type=click.Path(file_okay=False, path_type=Path),
            metavar="DIR",
            help="Directory for plan and manifests.  [default: in the destination]",
        ),
        click.Option(["--replan"], is_flag=True, help="Make a new plan."),
        click.Option(
            ["--retry-failed"],
            is_flag=True,
            help="Also run shards with failed downloads again.",
        ),
    ]
    shared = [
        parameter
        for parameter in parameters()
        if isinstance(parameter, Parameter)
        and parameter.option.key not in _LEFT_OUT
        and (
            parameter.option.key in _RUN_OPTIONS
            or parameter.option.group
            in (Group.WHERE, Group.SPEED, Group.TRUST, Group.NETWORK, Group.LOGIN)
        )
    ]
    return [*own, *shared]


@click.command("scale", params=_parameters())
@click.pass_context
def scale(context: click.Context, /, **chosen: Any) -> None:
    """Download a list that is too large for one run or one machine.

    LIST is a text, CSV, JSON, Parquet or Arrow list, also as .gz or .zst, or a pattern
    for several. Its rows are planned once, on disk, and downloaded in shards. All URLs
    of a host go to one worker at a time, so limits per host apply to all workers
    together. The same command resumes; fetchtui help scale explains more.

    Exit status: 0 all done, 1 at least one download or shard failed, 2 usage or list
    error, 130 interrupted.
    """
    own = {
        name: chosen.pop(name)
        for name in (
            *("lists", "scheduler", "part", "shard_size", "format", "job"),
            *("replan", "retry_failed"),
        )
    }
    line = read_command_line(
        context, {**chosen, "sources": own["lists"], "input_file": ()}
    )
    try:
        status = _run(line, **own)
    except KeyboardInterrupt:
        status = INTERRUPTED
    if "obstore" in sys.modules:
        end_process(status)
    sys.exit(status)


def _run(line: CommandLine, **own: Any) -> int:
    from tui.headless import terminal
    from tui.scale.errors import ScaleError

    terminal.fill_closed_streams()
    if line.value("output-dir") is None:
        raise click.UsageError("choose a destination with -o DIR")
    if own["scheduler"] and own["part"]:
        raise click.UsageError("use only one of --scheduler and --shard")
    settings = build_settings(load_settings(line))
    try:
        _check_secrets(settings, own["scheduler"])
        return _run_job(line, settings, own)
    except ScaleError as error:
        click.echo(f"fetchtui: {error}", err=True)
        return USAGE_ERROR
    except OSError as error:
        # Of the job directory: what a shard meets, its worker reports.
        reason = error.strerror or type(error).__name__
        where = f"{sanitize(str(error.filename))}: " if error.filename else ""
        click.echo(f"fetchtui: {where}{reason}", err=True)
        return 1


def _run_job(line: CommandLine, settings: Settings, own: dict[str, Any]) -> int:
    """Lock and open the job, run it, and return the exit status."""
    from tui.cli.event_loop import run_loop
    from tui.headless.scale import show_planning
    from tui.scale.job import check_destination, locked, open_job, reopen_failed
    from tui.scale.plan import job_paths

    options = _job_options(line, settings, own)
    check_destination(options)
    part: Part | None = own["part"]
    with ExitStack() as stack:
        root = job_paths(options.root).root
        stack.enter_context(locked(root / "run.lock", is_shared=part is not None))
        if part is not None:
            name = f"run-{part.number}-of-{part.of}.lock"
            stack.enter_context(locked(root / name))
        if options.store:
            # Before the list is planned, which may take minutes.
            asyncio.run(_check_store(options))
        stdin = None if sys.stdin is None else sys.stdin.buffer
        job = open_job(options, settings, stdin, show_planning)
        options = replace(options, format=job.plan.options["format"])
        if job.is_planned_now and not line.quiet:
            _show_plan(job)
        reopened: set[int] = set()
        if own["retry_failed"]:
            reopened = reopen_failed(job.paths, is_stored=bool(options.store))
            if not line.quiet:
                text = plural(len(reopened), "shard")
                click.echo(f"running {text} with failed downloads again", err=True)
        return run_loop(_run_workers(line, settings, options, job, own, reopened))


def _job_options(
    line: CommandLine, settings: Settings, own: dict[str, Any]
) -> JobOptions:
    from tui.scale.job import JOB_FOLDER, JobOptions, expand_lists

    address = destination_of(settings)
    destination = Path(os.path.abspath(settings.output_dir))
    if address is not None:
        if own["job"] is None:
            raise click.UsageError(
                f"{address.scheme}:// needs --job DIR, a directory that all workers"
                " reach, for the plan and for files before their upload"
            )
        destination = Path(os.path.abspath(own["job"])) / "output"
    local = _LOCAL.fullmatch(own["scheduler"])
    part: Part | None = own["part"]
    if part is not None:
        parts = part.of
    elif local is not None:
        parts = int(local[1])
    else:
        # The number of workers of a cluster is not known, and changes.
        parts = _CLUSTER_PARTS if own["scheduler"] else 1
    root = Path(os.path.abspath(own["job"])) if own["job"] else None
    return JobOptions(
        lists=expand_lists(own["lists"]),
        destination=destination,
        root=root or destination / JOB_FOLDER,
        format=own["format"] or "",
        shard_size=own["shard_size"],
        parts=parts,
        columns=line.columns,
        base_url=line.base_url,
        is_new=own["replan"],
        store=str(address) if address is not None else "",
    )


def _check_secrets(settings: Settings, scheduler: str) -> None:
    """Refuse secrets that would have to be sent to other machines.

    Raises:
        ScaleError: there is one.
    """
    from tui.core.rules.secret_headers import may_be_secret
    from tui.scale.errors import ScaleError

    logins: list[Login | None] = [settings.login, settings.proxy_login]
    logins += [rule.login for rule in settings.hosts]
    for login in logins:
        if login is None:
            continue
        if login.secret == "ask":
            raise ScaleError(
                "workers cannot prompt for a password; use --password-from with"
                " env:NAME or file:PATH"
            )
        if login.secret.startswith("text:") and scheduler:
            raise ScaleError(
                "a password on the command line would be sent to the workers; use"
                " --password-from with env:NAME or file:PATH, which each worker reads"
            )
    headers = [*settings.headers, *(h for rule in settings.hosts for h in rule.headers)]
    for name, _ in headers if scheduler else ():
        if may_be_secret(name):
            raise ScaleError(
                f"the header {sanitize(name, 60)} may contain a secret and would be"
                " sent to the workers; use --bearer-from or --password-from with"
                " env:NAME or file:PATH, which each worker reads, or --shard I/N"
                " without a scheduler"
            )


def _show_plan(job: OpenJob) -> None:
    if sys.stderr.isatty():
        click.echo("\r\x1b[K", err=True, nl=False)
    plan = job.plan
    split = sum(lane.of > 1 and lane.slot == 0 for lane in job.layout.lanes)
    more = f", {plural(split, 'large bucket')} of hosts split" if split else ""
    click.echo(
        f"planned {plural(plan.rows, 'download')} in"
        f" {plural(plan.shards, 'shard')}{more}",
        err=True,
    )
    if plan.bad_rows:
        click.echo(
            f"{plural(plan.bad_rows, 'row')} cannot be downloaded; see"
            f" {sanitize(str(job.paths.bad_rows))}",
            err=True,
        )
        for text in job.bad_rows:
            click.echo(f"  {text}", err=True)


async def _run_workers(
    line: CommandLine,
    settings: Settings,
    options: JobOptions,
    job: OpenJob,
    own: dict[str, Any],
    reopened: set[int],
) -> int:
    """Run a coordinator with the chosen pool and front end."""
    from tui.headless.output import AsyncOutput
    from tui.headless.scale import ScaleReport
    from tui.scale.coordinator import Coordinator
    from tui.scale.errors import ScaleError

    uploader = await _clean_store(options) if options.store else None
    stdout = AsyncOutput(1) if line.json else None
    stderr = AsyncOutput(2)
    report = ScaleReport(stdout, stderr, is_quiet=line.quiet)
    limits, lanes = _share(settings, job, own["part"])
    pool = _pool(settings, options, own)
    coordinator = Coordinator(
        job.paths,
        job.layout,
        pool,
        limits,
        lanes=lanes,
        reopened=reopened,
        on_event=report.on_event,
    )
    await asyncio.to_thread(coordinator.load_manifests)
    status = USAGE_ERROR
    problem = ""
    is_interrupted = False
    try:
        is_interrupted = await _run_front_end(line, options, coordinator, report)
        status = INTERRUPTED if is_interrupted else 0
    except ScaleError as error:
        problem = str(error)
    report.finish(coordinator.snapshot(), is_interrupted=is_interrupted)
    if status == 0:
        status = await _finish(coordinator, options, job, uploader)
    if problem:
        stderr.write(f"fetchtui: {problem}\n")
        status = status or 1
    for output in (stdout, stderr):
        if output is not None:
            await output.close(5)
    return status


async def _check_store(options: JobOptions) -> None:
    """Check that the bucket exists and accepts the credentials.

    Raises:
        ScaleError: it does not.
    """
    from tui.cloud.address import parse_address
    from tui.cloud.errors import CloudError
    from tui.cloud.upload import open_uploader
    from tui.scale.errors import ScaleError

    try:
        await open_uploader(parse_address(options.store), options.root).check()
    except CloudError as error:
        raise ScaleError(str(error)) from None


async def _clean_store(options: JobOptions) -> Uploader:
    """Remove what an earlier run left unfinished in the bucket.

    Raises:
        ScaleError: the store refuses it.
    """
    from tui.cloud.address import parse_address
    from tui.cloud.errors import CloudError
    from tui.cloud.upload import open_uploader
    from tui.scale.errors import ScaleError

    try:
        uploader = open_uploader(parse_address(options.store), options.root)
        await uploader.clean_up()
    except (CloudError, OSError) as error:
        raise ScaleError(str(error)) from None
    return uploader


async def _run_front_end(
    line: CommandLine, options: JobOptions, coordinator: Coordinator, report: Any
) -> bool:
    """Run the job with a dashboard or without; return True if it was interrupted.

    Raises:
        ScaleError: it cannot start or continue.
    """
    from tui.cli.preflight import can_show_dashboard
    from tui.headless.interrupts import Interrupts

    is_plain = line.json or line.quiet or line.headless
    if can_show_dashboard(is_wanted=not is_plain):
        from tui.ui.scale.app import run_scale_screen

        title = options.store or str(options.destination)
        report.is_muted = True
        try:
            return await run_scale_screen(coordinator, coordinator.run, title)
        finally:
            report.is_muted = False
    with Interrupts() as interrupts:
        following = asyncio.create_task(report.follow(coordinator))
        try:
            await coordinator.run(interrupts.arrived)
        finally:
            following.cancel()
        return interrupts.arrived.is_set()


async def _finish(
    coordinator: Coordinator,
    options: JobOptions,
    job: OpenJob,
    uploader: Uploader | None,
) -> int:
    """Write the list of failed downloads if all is done; return the exit status."""
    from tui.cloud.errors import CloudError
    from tui.scale import manifest

    listed = await asyncio.to_thread(manifest.listed, job.paths)
    if len(listed) == job.plan.shards:
        target = options.destination / "failed"
        path, number = await asyncio.to_thread(manifest.write_failed, job.paths, target)
        if number:
            text = plural(number, "failed download")
            click.echo(f"{text}: {sanitize(str(path))}", err=True)
        else:
            path.unlink(missing_ok=True)
        if uploader is not None:
            # Everything is uploaded, so nothing will continue the rest.
            with suppress(CloudError, OSError):
                await uploader.clean_up(is_final=True)
    snapshot = coordinator.snapshot()
    is_whole = snapshot.shards_done == snapshot.shards and not snapshot.rows_failed
    return 0 if is_whole else 1


def _share(
    settings: Settings, job: OpenJob, part: Part | None
) -> tuple[Any, set[int] | None]:
    """Return the limits and lanes of this process."""
    from tui.scale.lanes import part_of, share
    from tui.scale.model import Limits

    limits = Limits(settings.concurrency, settings.per_host, settings.rate_limit)
    if part is None:
        return limits, None
    rate = limits.rate
    return (
        limits._replace(
            concurrency=max(1, share(limits.concurrency, part.number, part.of)),
            rate=None if rate is None else max(1, share(rate, part.number, part.of)),
        ),
        part_of(job.layout, part.number, part.of),
    )


def _pool(settings: Settings, options: JobOptions, own: dict[str, Any]) -> Pool:
    from tui.scale.worker import JobSpec

    spec = JobSpec(
        id=uuid.uuid4().hex[:12],
        root=str(options.root),
        destination=str(options.destination),
        format=options.format,
        settings=settings,
        store=options.store,
    )
    scheduler: str = own["scheduler"]
    if not scheduler:
        from tui.scale.pool import LocalPool

        part: Part | None = own["part"]
        return LocalPool(spec, f"part {part.number}/{part.of}" if part else "local")
    from tui.scale.dask_pool import DaskPool

    local = _LOCAL.fullmatch(scheduler)
    if local is not None:
        return DaskPool(spec, processes=int(local[1]))
    return DaskPool(spec, scheduler)
