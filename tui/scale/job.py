"""Open a job: its directory, locks and plan, which is made if there is none."""

from __future__ import annotations

import fcntl
import glob
import os
import re
import shutil
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from tui.core.request import BadRequestLine, DownloadRequest
from tui.core.text.sanitize import sanitize
from tui.scale import manifest
from tui.scale.errors import JobInUseError, ScaleError
from tui.scale.lanes import Layout, lowest_cap
from tui.scale.plan import JobPaths, Plan, fingerprint, job_paths, load_plan, make_plan
from tui.sources.load import read_sources
from tui.sources.options import ReadOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path
    from typing import BinaryIO

    from tui.core.settings import Settings
    from tui.sources.readers.fields import Columns

JOB_FOLDER = ".fetchtui-scale"
"""Name of the job directory in the destination."""
FILES = "files"
"""The usual form of the output."""
_OPTION_NAMES = {
    "destination": "-o",
    "format": "--format",
    "columns": "the columns",
    "base_url": "--base-url",
}
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_PROBE = ".fetchtui-probe-"
_WAIT_FOR_PLAN_S = 24 * 3600.0
_POLL_S = 0.5


class Part(NamedTuple):
    """One of several processes that work without a scheduler: ``--shard I/N``."""

    number: int
    """From 0."""
    of: int


@dataclass(frozen=True, slots=True)
class JobOptions:
    """What the command line says about a job."""

    lists: tuple[str, ...]
    destination: Path
    root: Path
    """The job directory."""
    format: str
    """Form of the output; "" for that of the plan, or files for a new one."""
    shard_size: int
    parts: int
    """Number of workers that are expected."""
    columns: Columns | None = None
    base_url: str | None = None
    is_new: bool = False
    """Make a new plan even if there is one."""
    store: str = ""
    """Address of the object store that the output is uploaded to, or ""."""

    @property
    def stored(self) -> dict[str, Any]:
        """Return the options that a plan cannot change afterwards."""
        return {
            "destination": self.store or os.path.abspath(self.destination),
            "format": self.format or FILES,
            "columns": list(self.columns) if self.columns else None,
            "base_url": self.base_url,
        }


class OpenJob(NamedTuple):
    """A job with its plan."""

    paths: JobPaths
    plan: Plan
    layout: Layout
    is_planned_now: bool
    bad_rows: tuple[str, ...] = ()
    """The first rows that are not downloads, if the plan was made now."""


def expand_lists(lists: Sequence[str]) -> tuple[str, ...]:
    """Replace shell patterns by the files that they match.

    Raises:
        ScaleError: a pattern matches nothing.
    """
    found: list[str] = []
    for name in lists:
        is_file = name == "-" or _URL.match(name) or os.path.exists(name)
        if is_file or not glob.has_magic(name):
            found.append(name)
            continue
        matching = sorted(glob.glob(name, recursive=True))
        if not matching:
            raise ScaleError(f"{sanitize(name, 200)}: no file matches this pattern")
        found += matching
    return tuple(found)


def check_destination(options: JobOptions) -> None:
    """Create the destination, and check that it may be used.

    Raises:
        ScaleError: it cannot be written, or has files of something else.
    """
    destination = options.destination
    shown = sanitize(str(destination))
    try:
        destination.mkdir(parents=True, exist_ok=True)
        present = {
            entry.name
            for entry in os.scandir(destination)
            # Also that of another part of a job array, which checks at the same time.
            if not entry.name.startswith(_PROBE)
        }
        probe = destination / f"{_PROBE}{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise ScaleError(
            f"cannot write to {shown}: {error.strerror}; choose another directory with"
            " -o"
        ) from None
    if options.store:
        return  # no object is replaced, so the bucket may have others
    if present - {JOB_FOLDER} and not (options.root / "plan.json").exists():
        raise ScaleError(
            f"{shown} has files, but no plan of fetchtui scale; choose an empty"
            " directory with -o"
        )


@contextmanager
def locked(path: Path, *, is_shared: bool = False) -> Iterator[None]:
    """Lock a file without waiting.

    Raises:
        JobInUseError: another process has the lock.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        kind = fcntl.LOCK_SH if is_shared else fcntl.LOCK_EX
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            raise JobInUseError(
                f"another fetchtui scale works on {sanitize(str(path.parent))}; wait"
                " for it, or end it first"
            ) from None
        yield
    finally:
        os.close(descriptor)


def open_job(
    options: JobOptions,
    settings: Settings,
    stdin: BinaryIO | None,
    on_progress: Callable[[int, int], None],
) -> OpenJob:
    """Return the job in a directory; make its plan if there is none. Blocks.

    Several processes may call this for one job: one of them plans, the others wait.

    Args:
        options: the command line.
        settings: limits per host, by which large hosts are split.
        stdin: where a list called ``-`` is read from.
        on_progress: called with the numbers of rows and bad rows while planning.

    Raises:
        ScaleError: a list cannot be read or changed since the plan was made, the plan
            is damaged, or the disk is full.
    """
    paths = job_paths(options.root)
    deadline = time.monotonic() + _WAIT_FOR_PLAN_S
    while True:
        try:
            with locked(paths.lock):
                if options.is_new:
                    _set_aside(paths, options.destination)
                found = load_plan(paths)
                if found is None:
                    return _plan(paths, options, settings, stdin, on_progress)
                break
        except JobInUseError:
            if time.monotonic() > deadline:
                raise
            # Another process plans.
            time.sleep(_POLL_S)
    plan, layout = found
    _compare(plan, options)
    return OpenJob(paths, plan, layout, is_planned_now=False)


def _plan(
    paths: JobPaths,
    options: JobOptions,
    settings: Settings,
    stdin: BinaryIO | None,
    on_progress: Callable[[int, int], None],
) -> OpenJob:
    if not options.lists:
        raise ScaleError(
            "no list, and no plan in the destination; give a list, such as urls.parquet"
        )
    inputs = [_fingerprint(name) for name in options.lists]
    reading = ReadOptions(
        base_url=options.base_url, columns=options.columns, is_limited=False
    )
    items = _checked(read_sources(options.lists, stdin, reading), options.lists)
    if any(rule.rate_limit for rule in settings.hosts):
        # The engine limits the rate of a host in each process by itself.
        cap = 1
    else:
        cap = lowest_cap(settings.per_host, (rule.cap for rule in settings.hosts))
    plan, bad = make_plan(
        paths,
        items,
        inputs=inputs,
        options=options.stored,
        shard_size=options.shard_size,
        parts=options.parts,
        cap=cap,
        on_progress=on_progress,
    )
    found = load_plan(paths)
    assert found is not None
    return OpenJob(paths, plan, found[1], True, tuple(bad.first))


def _checked(
    items: Iterator[DownloadRequest | BadRequestLine], lists: tuple[str, ...]
) -> Iterator[DownloadRequest | BadRequestLine]:
    """Refuse a list that cannot be read at all; single rows are only counted."""
    names = {sanitize(name, 200) for name in lists} | {"stdin", "-"}
    for item in items:
        if isinstance(item, BadRequestLine) and item.where in names:
            raise ScaleError(str(item))
        yield item


def _fingerprint(name: str) -> list[Any]:
    if name == "-" or _URL.match(name):
        return [name, 0, ""]
    return fingerprint(name)


def _compare(plan: Plan, options: JobOptions) -> None:
    """Check that the command asks for what the plan has.

    Raises:
        ScaleError: it does not.
    """
    where = sanitize(str(options.root))
    asked = options.stored
    if not options.lists:
        # How to read the lists is of no interest any more.
        del asked["columns"], asked["base_url"]
    if not options.format:
        del asked["format"]
    for name, value in asked.items():
        if plan.options.get(name) != value:
            raise ScaleError(
                f"the plan in {where} was made with {_OPTION_NAMES[name]}"
                f" {_shown(plan.options.get(name))}, and this command has"
                f" {_shown(value)}; use the same options, another destination, or"
                " --replan"
            )
    if not options.lists:
        return
    inputs = [_fingerprint(name) for name in options.lists]
    if [one[0] for one in inputs] != [one[0] for one in plan.inputs]:
        raise ScaleError(
            f"the plan in {where} is for other lists; use another destination, or"
            " --replan"
        )
    for now, before in zip(inputs, plan.inputs, strict=True):
        if now != before:
            raise ScaleError(
                f"{sanitize(str(now[0]))} changed since its plan was made; leave the"
                " list out to continue with the plan, or make a new one with --replan"
            )


def _shown(value: Any) -> str:
    if isinstance(value, list):
        value = ", ".join(filter(None, value))
    return sanitize(str(value), 200) if value else "none"


def _set_aside(paths: JobPaths, destination: Path) -> None:
    """Remove a plan, and keep what its shards downloaded.

    Shards of a new plan have other rows under the same names, so the output of the old
    ones is moved to a folder of its own.
    """
    if not paths.plan.exists():
        return
    old = destination / f"old-plan-{int(time.time())}"
    for entry in list(os.scandir(destination)):
        stem = entry.name.partition(".")[0]
        if stem.isdecimal() and len(stem) == 6:
            old.mkdir(exist_ok=True)
            os.rename(entry.path, old / entry.name)
    for name in ("fences", "manifests", "partial", "staging"):
        folder = paths.folder(name)
        if name == "manifests" and any(folder.iterdir()):
            old.mkdir(exist_ok=True)
            shutil.move(folder, old / name)
        else:
            shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(exist_ok=True)
    paths.plan.unlink()


def reopen_failed(paths: JobPaths, *, is_stored: bool) -> set[int]:
    """Let shards with failed downloads run again; return their ids.

    Args:
        paths: the job.
        is_stored: the output is in an object store.

    Raises:
        ScaleError: a manifest is damaged.
    """
    return {
        shard
        for shard, path in manifest.listed(paths).items()
        if manifest.read_counts(path).failed
        and manifest.reopen(paths, shard, is_stored=is_stored)
    }
