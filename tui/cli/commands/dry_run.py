"""``fetchtui --dry-run``: list what a run would download, without downloading.

A dry run creates nothing, not even the output directory. Names that only the server
knows (``Content-Disposition``) are requested together with the sizes.
"""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import click

from tui.core.errors import FetchError, LocalError
from tui.core.rules.folders import folder_for
from tui.core.settings import OnExists
from tui.core.text.sanitize import display_url, sanitize
from tui.core.text.units import format_size, plural
from tui.disk.folders import fold, numbered
from tui.messages import error_text
from tui.net.filename import name_from_url, safe_name
from tui.net.request import GetRequest
from tui.net.resource import RangeNotSatisfiable, read_resource_info
from tui.net.session import HttpSession
from tui.sources.load import COMMAND_LINE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tui.core.request import DownloadRequest
    from tui.core.settings import Settings


class ProbeResult(NamedTuple):
    """What a server reports about a file."""

    size: int | None = None
    name: str | None = None
    """Sanitized name from Content-Disposition."""
    error: str = ""
    """Why the download would fail; safe to display."""


async def probe_all(
    settings: Settings, requests: Sequence[DownloadRequest]
) -> list[ProbeResult]:
    """Request the first byte of each file, ``settings.concurrency`` at a time.

    This is not HEAD, because many servers answer HEAD differently from the GET that a
    download uses. ``settings.timeout_s`` bounds every wait.
    """
    session = HttpSession(settings)
    results = [ProbeResult()] * len(requests)
    remaining = iter(range(len(requests)))

    async def work() -> None:
        for index in remaining:
            results[index] = await _probe(session, requests[index])

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(min(settings.concurrency, len(requests))):
                group.create_task(work())
    finally:
        await session.close()
    return results


async def _probe(session: HttpSession, request: DownloadRequest) -> ProbeResult:
    url = request.url
    headers = session.headers_for(url, request.headers, is_named=True)
    target = GetRequest(url, headers, start=0, end=1)
    try:
        reply = await session.open(target)
        try:
            answer = read_resource_info(reply, target)
            if answer.status == 206:
                # Read the one byte to its end, so that the connection can be reused.
                while await reply.read() is not None:
                    pass
            return ProbeResult(answer.size, answer.suggested_name)
        finally:
            await reply.close()
    except RangeNotSatisfiable as error:
        # An empty file has no first byte (RFC 9110, section 15.5.17).
        if error.total == 0:
            return ProbeResult(0)
        return ProbeResult(error=str(error))
    except FetchError as error:
        return ProbeResult(error=error_text(error))


@dataclass(slots=True)
class PlannedDownload:
    """One download, as a run would carry it out."""

    request: DownloadRequest
    directory: str
    name: str
    size: int | None = None
    note: str = ""
    """A name clash or an existing file; "" for neither."""
    is_clash: bool = False
    """True if another entry of the list has the same name."""
    error: str = ""
    """Why the download would fail."""

    @property
    def path(self) -> str:
        """Return the path below the output directory."""
        return os.path.join(self.directory, self.name)


def dry_run(
    settings: Settings,
    requests: Sequence[DownloadRequest],
    *,
    probe_servers: bool,
    store: str = "",
) -> int:
    """Print what would be downloaded.

    Args:
        settings: the settings of the run.
        requests: the complete list.
        probe_servers: ask the servers for names and sizes, ``settings.concurrency`` at
            a time.
        store: the object store that files are uploaded to, or "" for a directory.

    Returns:
        The exit status: 0; 1 if a server reports that a download would fail; 2 if the
        servers could not be asked.
    """
    if not requests:
        raise click.UsageError(
            "nothing to list; give a URL, a list file, or - for standard input"
        )
    results: Sequence[ProbeResult | None] = [None] * len(requests)
    if probe_servers:
        try:
            results = asyncio.run(probe_all(settings, requests))
        except LocalError as error:
            click.echo(f"fetchtui: {error_text(error)}", err=True)
            return 2
    plans = plan_downloads(settings, requests, results)
    for plan in plans:
        click.echo(_line(plan))
    output = store or str(settings.output_dir.absolute())
    for line in _summary(output, plans, probed=probe_servers):
        click.echo(line)
    return int(any(plan.error for plan in plans))


def plan_downloads(
    settings: Settings,
    requests: Sequence[DownloadRequest],
    results: Sequence[ProbeResult | None],
) -> list[PlannedDownload]:
    """Choose the folder and name of each download, in the order of the list."""
    taken: dict[tuple[str, str], str] = {}
    counts: dict[tuple[str, str], int] = {}
    plans = []
    for request, result in zip(requests, results, strict=True):
        requested = safe_name(request.name) if request.name else ""
        suggested = result.name if result is not None else None
        name = requested or suggested or name_from_url(request.url)
        directory = request.directory or folder_for(settings.folders, name)
        size = request.size if result is None or result.size is None else result.size
        error = result.error if result else ""
        plan = PlannedDownload(request, directory, name, size, error=error)
        first = key = (directory, fold(name))
        while key in taken:
            counts[first] = counts.get(first, 0) + 1
            plan.name = numbered(name, counts[first])
            plan.is_clash = True
            plan.note = f"name clash: {taken[first]} is also saved as {sanitize(name)}"
            key = (directory, fold(plan.name))
        is_typed = request.source in ("", COMMAND_LINE)
        taken[key] = display_url(request.url) if is_typed else sanitize(request.source)
        if not plan.is_clash:
            plan.note = _describe_existing(settings, plan)
        plans.append(plan)
    return plans


def _describe_existing(settings: Settings, plan: PlannedDownload) -> str:
    """Describe the existing file at a download's path, and what would happen to it."""
    path = settings.output_dir / plan.path
    try:
        found = os.lstat(path)
    except OSError:
        part = path.with_name(path.name + ".part")
        try:
            found = os.lstat(part)
        except OSError:
            return ""
        size = format_size(found.st_blocks * 512)
        if settings.on_exists not in (OnExists.RENAME, OnExists.OVERWRITE):
            return f"part file exists: {size} on disk"
        return f"part file exists and is in the way: {size} on disk"
    exists = f"exists: {format_size(found.st_size)} on disk"
    match settings.on_exists:
        case OnExists.OVERWRITE:
            return f"{exists}, would be replaced"
        case OnExists.RENAME:
            return f"{exists}, would be saved under another name"
        case OnExists.SKIP:
            return f"{exists}, would be skipped"
        case OnExists.NEWER:
            return f"{exists}, would be replaced if the server's file is newer"
        case OnExists.FAIL:
            return f"{exists}, would fail"
    if plan.size is None:
        return f"{exists}, would be skipped if it has the right size"
    if plan.size == found.st_size:
        return f"{exists}, complete"
    if not settings.on_exists.renames:
        return f"{exists}, would fail"
    return f"{exists}, would be saved under another name"


def _line(plan: PlannedDownload) -> str:
    size = format_size(plan.size) if plan.size is not None else "?"
    text = f"{size:>8}  {sanitize(plan.path)}  <{display_url(plan.request.url)}>"
    if plan.note:
        text += f"\n          {plan.note}"
    if plan.error:
        text += f"\n          would fail: {plan.error}"
    return text


def _summary(
    output: str, plans: Sequence[PlannedDownload], *, probed: bool
) -> list[str]:
    sizes = [plan.size for plan in plans if plan.size is not None]
    unknown = len(plans) - len(sizes)
    parts = [plural(len(plans))]
    if sizes:
        parts.append(format_size(sum(sizes)))
    if unknown:
        parts.append(f"{unknown:,} of unknown size")
    clashes = sum(plan.is_clash for plan in plans)
    existing = sum(bool(plan.note) for plan in plans) - clashes
    errors = sum(bool(plan.error) for plan in plans)
    if clashes:
        parts.append(f"{clashes:,} with a name clash")
    if existing:
        parts.append(f"{existing:,} already on disk, in full or in part")
    if errors:
        parts.append(f"{errors:,} would fail")
    lines = ["", ", ".join(parts), f"Output directory: {sanitize(output)}"]
    folders: dict[str, int] = {}
    for plan in plans:
        if plan.directory:
            folders[plan.directory] = folders.get(plan.directory, 0) + 1
    lines += [f"  {sanitize(name)}/  {count:,}" for name, count in folders.items()]
    if not probed:
        lines.append("No server was contacted; use --sizes to look up names and sizes")
    return lines
