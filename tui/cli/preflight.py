"""Checks before a run: can its files be written, and what to call it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from tui.core.text.sanitize import display_url, sanitize

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def can_show_dashboard(*, is_wanted: bool) -> bool:
    """Return True if a dashboard is wanted and possible; print why it is not."""
    from tui.headless import terminal

    if not is_wanted or terminal.can_show_dashboard():
        return is_wanted
    if problem := terminal.dashboard_problem():
        click.echo(f"note: no dashboard: {problem}", err=True)
    return False


def check_directory(path: Path) -> None:
    """Create the output directory if needed, and check that it is writable.

    Raises:
        BadParameter: it is not; the message has the reason.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        _create_file_in(path)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        if isinstance(error, (FileExistsError, NotADirectoryError)):
            reason = "it or one of its parents is a file"
        raise click.BadParameter(
            f"cannot write to {sanitize(str(path))}: {reason};"
            " choose another directory",
            param_hint="--output-dir",
        ) from None


def _create_file_in(path: Path) -> None:
    """Create a file in a directory, and remove it.

    Raises:
        OSError: it cannot be created.
    """
    import os

    if sys.platform == "linux":
        try:
            os.close(os.open(path, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600))
        except OSError:
            pass  # perhaps the file system has no unnamed files
        else:
            return
    import tempfile  # late: 3 ms

    with tempfile.TemporaryFile(dir=path):
        pass


def check_log_file(path: Path | None) -> None:
    """Check that the log file is writable; create it if it does not exist.

    Raises:
        BadParameter: it is not writable; the message has the reason.
    """
    import errno
    import os

    if path is None:
        return
    # Without O_NONBLOCK, it would wait until a program reads a named pipe.
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK | os.O_NOCTTY
    try:
        os.close(os.open(path, flags, 0o600))
    except OSError as error:
        reason = error.strerror
        if error.errno == errno.ENXIO:
            reason = "no program reads this pipe"
        raise click.BadParameter(
            f"cannot write to {sanitize(str(path))}: {reason}; choose another file",
            param_hint="--log-file",
        ) from None


def title_of(sources: Sequence[str]) -> str:
    """Return a title for the dashboard's header."""
    if len(sources) > 1:
        urls = sum("://" in name for name in sources)
        noun = "sources" if 0 < urls < len(sources) else "URLs" if urls else "lists"
        return f"{len(sources)} {noun}"
    return "".join("stdin" if name == "-" else display_url(name) for name in sources)


def resume_hint(sources: Sequence[str], *, is_demo: bool) -> str:
    """Return one sentence on what happens to the downloads when the user quits."""
    if is_demo:
        return "Demo progress is not saved."
    command = "the same command, or just fetchtui," if sources else "fetchtui"
    return f"Progress is saved. Run {command} to resume."
