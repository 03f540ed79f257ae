"""Downloads to an object store: ``-o s3://bucket/prefix``, and ``s3://`` sources.

Files are downloaded to a staging directory as always, with resume and verification, and
uploaded when they are complete. Streaming them through would need neither, but could
not resume, nor verify before an object appears, nor request ranges in parallel.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

import click

from tui.cloud.address import Address, from_path, is_address, parse_address
from tui.cloud.errors import CloudError
from tui.core.rules.exit_status import USAGE_ERROR
from tui.core.settings import OnExists
from tui.core.text.sanitize import sanitize
from tui.core.text.units import plural

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from tui.cli.options import CommandLine
    from tui.cloud.upload import Uploader
    from tui.core.request import DownloadRequest
    from tui.core.settings import Settings

_ON_EXISTS = frozenset({OnExists.RESUME, OnExists.RENAME, OnExists.OVERWRITE})
"""Only these have a meaning for objects."""
SIGNED_S = 7 * 24 * 3600
"""Seconds for which the URL of a source is valid: the most that S3 allows."""


def destination_of(settings: Settings) -> Address | None:
    """Return the object store that files go to, or ``None`` for a directory.

    Raises:
        BadParameter: the address is not valid.
    """
    try:
        return from_path(settings.output_dir)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--output-dir") from None


def with_staging(line: CommandLine, settings: Settings, address: Address) -> Settings:
    """Return settings for downloads to the staging directory of a destination.

    Raises:
        UsageError: an option needs the files to stay on this machine, or has no meaning
            for an object store.
    """
    has_rpc = bool(line.value("rpc.listen"))
    for option, is_used in (("--output -", line.is_stdout), ("--rpc", has_rpc)):
        if is_used:
            raise click.UsageError(
                f"{option} cannot be combined with a destination in an object store"
            )
    if settings.on_exists not in _ON_EXISTS:
        raise click.UsageError(
            f"--on-exists {settings.on_exists.value} is for files on this machine;"
            f" for {address.scheme}:// use resume, rename or overwrite"
        )
    refused = {
        "--detach": line.detach,
        "--unpack": settings.unpack,
        "--on-done": bool(settings.hooks.on_done),
    }
    for option, is_used in refused.items():
        if is_used:
            raise click.UsageError(
                f"{option} works on files of this machine, and they are removed after"
                f" the upload to {address.scheme}://"
            )
    if line.staging is not None:
        folder = Path(line.staging)
    else:
        from tui.disk.state.location import state_dir

        name = hashlib.sha256(str(address).encode()).hexdigest()[:16]
        folder = state_dir() / "staging" / name
    return settings._replace(output_dir=Path(os.path.abspath(folder)))


def run_to_store(
    settings: Settings,
    requests: list[DownloadRequest],
    address: Address,
    run: Callable[[list[DownloadRequest], Uploader], Coroutine[Any, Any, int]],
    run_loop: Callable[[Coroutine[Any, Any, int]], int],
    *,
    is_quiet: bool = False,
    has_summary: bool = False,
) -> NoReturn:
    """Run downloads and upload them, and exit.

    Args:
        settings: the result of ``with_staging``.
        requests: what to download.
        address: where to upload it.
        run: downloads requests, and uploads each with an uploader.
        run_loop: runs a coroutine to its end.
        is_quiet: print no notes.
        has_summary: run also if nothing is left, because it ends with a summary.
    """

    async def prepare_and_run() -> int:
        try:
            uploader, left = await _prepare(settings, requests, address, is_quiet)
        except CloudError as error:
            click.echo(f"fetchtui: {error}", err=True)
            return USAGE_ERROR
        except OSError as error:
            click.echo(
                f"fetchtui: {address}: unfinished uploads of the last run cannot be"
                f" removed: {sanitize(str(error), 200)}",
                err=True,
            )
            return USAGE_ERROR
        status = 0
        if left or has_summary:
            status = await run(left, uploader)
        if status == 0:
            # Everything is uploaded, so nothing will continue the rest.
            with contextlib.suppress(CloudError, OSError):
                await uploader.clean_up(is_final=True)
        return status

    end_process(run_loop(prepare_and_run()))


async def _prepare(
    settings: Settings,
    requests: list[DownloadRequest],
    address: Address,
    is_quiet: bool,
) -> tuple[Uploader, list[DownloadRequest]]:
    """Remove what an earlier run left; return what was not uploaded before.

    Raises:
        CloudError: the store cannot be used.
        OSError: the staging directory cannot be used.
    """
    from tui.cloud.upload import open_uploader, request_digest

    uploader = open_uploader(
        address,
        settings.output_dir,
        replaces=settings.on_exists.replaces,
    )
    await uploader.check()
    removed = await uploader.clean_up()
    present = {} if uploader.replaces else await uploader.still_there()
    left = [request for request in requests if request_digest(request) not in present]
    if removed and not is_quiet:
        unfinished = plural(removed, "unfinished upload")
        click.echo(f"note: removed {unfinished}", err=True)
    if len(left) < len(requests) and not is_quiet:
        number = len(requests) - len(left)
        click.echo(f"note: uploaded before: {plural(number)}", err=True)
    return uploader, left


def end_process(status: int) -> NoReturn:
    """Exit without the interpreter's own shutdown; call it when all is closed.

    A thread of obstore that reports a late result during the shutdown aborts the
    process (seen in one of three runs that ended with an error, obstore 0.12).
    """
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
    os._exit(status)


class SignedSources(NamedTuple):
    """Sources, in which those in object stores are signed URLs."""

    sources: tuple[str, ...]
    folders: dict[str, str]
    """URL -> folder of the object below the prefix that was asked for."""

    def with_folders(self, requests: list[DownloadRequest]) -> list[DownloadRequest]:
        """Return the requests with the folders that their objects have in the store."""
        if not self.folders:
            return requests
        return [
            request._replace(directory=self.folders[request.url])
            if request.url in self.folders
            else request
            for request in requests
        ]


def sign_sources(sources: Sequence[str]) -> SignedSources:
    """Replace ``s3://`` sources by signed https URLs, and prefixes by their objects.

    Raises:
        UsageError: a source cannot be listed or signed.
    """
    signed: list[str] = []
    folders: dict[str, str] = {}
    for source in sources:
        if not is_address(source):
            signed.append(source)
            continue
        try:
            found = _sign(source)
        except (CloudError, ValueError) as error:
            raise click.UsageError(f"{sanitize(source, 200)}: {error}") from None
        signed += found
        folders |= {url: folder for url, folder in found.items() if folder}
    return SignedSources(tuple(signed), folders)


def _sign(source: str) -> dict[str, str]:
    """Return the signed URLs of a source, each with its folder below the prefix."""
    from datetime import timedelta

    from tui.cloud.store import explained, may_exist, object_keys, open_store

    address = parse_address(source)
    store = open_store(address)
    try:
        import obstore

        prefix = f"{address.prefix}/" if address.prefix else ""
        may_be_object = prefix and not source.endswith("/")
        if may_be_object and may_exist(store, address.prefix):
            keys, below = [address.prefix], [""]
        else:
            keys = object_keys(store, prefix)
            if not keys:
                what = "no such object, and none" if may_be_object else "no objects"
                raise CloudError(f"{what} below this prefix")
            below = [key.removeprefix(prefix) for key in keys]
        urls = obstore.sign(store, "GET", keys, timedelta(seconds=SIGNED_S))
    except CloudError:
        raise
    except Exception as error:
        raise explained(error, address) from None
    return dict(zip(urls, map(_folder_of, below), strict=True))


def _folder_of(key: str) -> str:
    """Return the folder of a key; parts that would not be safe as names are changed."""
    from tui.net.filename import safe_name

    parts = key.split("/")[:-1]
    return "/".join(safe_name(part) or "_" for part in parts if part)
