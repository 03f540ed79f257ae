"""What a run would do, told without doing it: names, folders, clashes, sizes.

Nothing is made, not even a directory. Names that only a server knows
(``Content-Disposition``) are asked for together with the sizes.
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
from tui.core.text.plain_text import plain, plain_url
from tui.core.text.units import format_size
from tui.disk.folders import fold, numbered
from tui.net.filename import name_from_url, safe_name
from tui.net.resource import RangeRefused, read_answer
from tui.net.session import GetRequest, HttpSession

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tui.core.request import DownloadRequest
    from tui.core.settings import Settings


class Look(NamedTuple):
    """What a server says about a file."""

    size: int | None = None
    name: str | None = None
    """Safe name out of Content-Disposition."""
    fault: str = ""
    """Why it would fail; safe to show."""


async def look_at_all(
    settings: Settings, requests: Sequence[DownloadRequest]
) -> list[Look]:
    """Ask for the first byte of each file, ``settings.concurrency`` at once.

    The first byte and not HEAD, which many servers answer differently from the GET
    that a download would be. Every wait is bounded by ``settings.timeout_s``.
    """
    session = HttpSession(settings)
    looks = [Look()] * len(requests)
    left = iter(range(len(requests)))

    async def work() -> None:
        for index in left:
            looks[index] = await _look(session, requests[index])

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(min(settings.concurrency, len(requests))):
                group.create_task(work())
    finally:
        await session.close()
    return looks


async def _look(session: HttpSession, request: DownloadRequest) -> Look:
    url = request.url
    headers = session.headers_for(url, request.headers, is_named=True)
    target = GetRequest(url, headers, start=0, end=1)
    try:
        reply = await session.open(target)
        try:
            answer = read_answer(reply, target)
            if answer.status == 206:
                # One byte; read to its end, the connection serves the next one.
                while await reply.read() is not None:
                    pass
            return Look(answer.size, answer.suggested_name)
        finally:
            await reply.close()
    except RangeRefused as error:
        # An empty file has no first byte (RFC 9110, section 15.5.17).
        return Look(0) if error.total == 0 else Look(fault=str(error))
    except FetchError as error:
        return Look(fault=f"{error}; {error.advice}")


@dataclass(slots=True)
class Plan:
    """One download, as it would be."""

    request: DownloadRequest
    directory: str
    name: str
    size: int | None = None
    remark: str = ""
    """What lies in the way, or was found there; "" for nothing."""
    fault: str = ""
    """Why it would fail."""

    @property
    def place(self) -> str:
        """Where it goes, below the output directory."""
        return os.path.join(self.directory, self.name)


def dry_run(
    settings: Settings, requests: Sequence[DownloadRequest], *, asks_sizes: bool
) -> int:
    """Tell on stdout what would be fetched.

    Args:
        settings: of the run.
        requests: the whole list.
        asks_sizes: ask the servers, as many at once as downloads would run.

    Returns:
        The exit status: 0; 1 if a server says that a download would fail; 2 if
        nobody could be asked.
    """
    if not requests:
        raise click.UsageError(
            "nothing to look at; give a URL, a list file, or - for standard input"
        )
    looks: Sequence[Look | None] = [None] * len(requests)
    if asks_sizes:
        try:
            looks = asyncio.run(look_at_all(settings, requests))
        except LocalError as error:
            click.echo(f"fetchtui: {error}; {error.advice}", err=True)
            return 2
    plans = make_plans(settings, requests, looks)
    for plan in plans:
        click.echo(_line(plan))
    for line in _summary(settings, plans, asks_sizes=asks_sizes):
        click.echo(line)
    return int(any(plan.fault for plan in plans))


def make_plans(
    settings: Settings,
    requests: Sequence[DownloadRequest],
    looks: Sequence[Look | None],
) -> list[Plan]:
    """Give each download its folder and name, in the order of the list."""
    taken: dict[tuple[str, str], str] = {}
    counts: dict[tuple[str, str], int] = {}
    plans = []
    for request, look in zip(requests, looks, strict=True):
        asked = safe_name(request.name) if request.name else ""
        told = look.name if look is not None else None
        name = asked or told or name_from_url(request.url)
        directory = request.directory or folder_for(settings.folders, name)
        size = request.size if look is None or look.size is None else look.size
        plan = Plan(request, directory, name, size, fault=look.fault if look else "")
        first = key = (directory, fold(name))
        while key in taken:
            counts[first] = counts.get(first, 0) + 1
            plan.name = numbered(name, counts[first])
            plan.remark = f"clash: {taken[first]} has the name {plain(name)}"
            key = (directory, fold(plan.name))
        taken[key] = plain(request.source) or plain_url(request.url)
        if not plan.remark:
            plan.remark = _lies_there(settings, plan)
        plans.append(plan)
    return plans


def _lies_there(settings: Settings, plan: Plan) -> str:
    """Say what is on disk where a download goes, and what would become of it."""
    path = settings.output_dir / plan.place
    try:
        found = os.lstat(path)
    except OSError:
        part = path.with_name(path.name + ".part")
        try:
            held = os.lstat(part)
        except OSError:
            return ""
        is_kept = settings.on_exists in (OnExists.RESUME, OnExists.SKIP)
        what = "a part file is there" if is_kept else "a part file is in the way"
        return f"{what}, {format_size(held.st_blocks * 512)} on disk"
    there = f"{format_size(found.st_size)} there"
    match settings.on_exists:
        case OnExists.OVERWRITE:
            return f"exists: {there}, would be replaced"
        case OnExists.RENAME:
            return f"exists: {there}, would get another name"
        case OnExists.SKIP:
            return f"exists: {there}, would be skipped"
    if plan.size is None:
        return f"exists: {there}; done if it has the right size"
    if plan.size == found.st_size:
        return f"exists: {there}, as large as it should be"
    return f"exists: {there}, so it would get another name"


def _line(plan: Plan) -> str:
    size = format_size(plan.size) if plan.size is not None else "?"
    text = f"{size:>8}  {plain(plan.place)}  <{plain_url(plan.request.url)}>"
    if plan.remark:
        text += f"\n          {plan.remark}"
    if plan.fault:
        text += f"\n          would fail: {plan.fault}"
    return text


def _summary(
    settings: Settings, plans: Sequence[Plan], *, asks_sizes: bool
) -> list[str]:
    sizes = [plan.size for plan in plans if plan.size is not None]
    unknown = len(plans) - len(sizes)
    parts = [f"{len(plans):,} download{'s' if len(plans) != 1 else ''}"]
    if sizes:
        parts.append(format_size(sum(sizes)))
    if unknown:
        parts.append(f"{unknown:,} of unknown size")
    clashes = sum(plan.remark.startswith("clash") for plan in plans)
    there = sum(bool(plan.remark) for plan in plans) - clashes
    faults = sum(bool(plan.fault) for plan in plans)
    if clashes:
        parts.append(f"{clashes:,} with a name that is taken in the list")
    if there:
        parts.append(f"{there:,} of which something is there")
    if faults:
        parts.append(f"{faults:,} that would fail")
    lines = ["", ", ".join(parts), f"into {plain(str(settings.output_dir.absolute()))}"]
    folders: dict[str, int] = {}
    for plan in plans:
        if plan.directory:
            folders[plan.directory] = folders.get(plan.directory, 0) + 1
    lines += [f"  {plain(name)}/  {count:,}" for name, count in folders.items()]
    if not asks_sizes:
        lines.append("nobody was asked; --sizes asks the servers for names and sizes")
    return lines
