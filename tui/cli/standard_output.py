"""``--output -``: a single download that goes to standard output.

The file is downloaded and verified completely before its first byte is written: a
reader such as ``tar`` never gets data of a file that turns out to be damaged.
"""

from __future__ import annotations

import os
import select
import sys
from typing import TYPE_CHECKING

import click

from tui.core.text.sanitize import sanitize

if TYPE_CHECKING:
    from pathlib import Path

_CHUNK = 1 << 20
_READER_LEFT = 141
"""Exit status if the reader closed the pipe: 128 + SIGPIPE, as of other programs."""


def check_stdout() -> None:
    """Refuse to write a file to a terminal, which would obey its control codes.

    Raises:
        UsageError: standard output is a terminal or is closed.
    """
    if sys.stdout is None:
        raise click.UsageError("--output - needs a standard output, which is closed")
    if sys.stdout.isatty():
        raise click.UsageError(
            "--output - does not write to a terminal; add a pipe, such as | less, or"
            " name a file"
        )


def copy_to_stdout(directory: Path) -> int:
    """Write the one file in ``directory`` to standard output.

    Returns:
        The exit status: 1 if that failed, which is reported on stderr.
    """
    files = [path for path in directory.iterdir() if path.is_file()]
    if len(files) != 1:
        names = ", ".join(sanitize(path.name, 80) for path in files[:5]) or "no file"
        click.echo(
            "fetchtui: cannot write to stdout: expected the downloaded file, but a hook"
            f" left {names}",
            err=True,
        )
        return 1
    try:
        sys.stdout.flush()
        with files[0].open("rb") as file:
            while chunk := file.read(_CHUNK):
                _write_all(sys.stdout.fileno(), chunk)
    except BrokenPipeError:
        _drop_output()
        return _READER_LEFT
    except OSError as error:
        _drop_output()
        click.echo(f"fetchtui: cannot write to stdout: {error.strerror}", err=True)
        return 1
    return 0


def _write_all(descriptor: int, data: bytes) -> None:
    """Write all of it, in as many pieces as the system takes.

    Not with ``sys.stdout``: without its buffer (``PYTHONUNBUFFERED``), it writes a part
    and returns how much, and it fails if the descriptor does not block.
    """
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(descriptor, view) :]
        except BlockingIOError:
            # Another process that shares the descriptor made it non-blocking.
            poll = select.poll()
            poll.register(descriptor, select.POLLOUT)
            poll.poll()


def _drop_output() -> None:
    """Drop what is buffered: Python would fail to flush it again on exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
