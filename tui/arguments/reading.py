"""What a run says of itself, and whether its directory can be written."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from tui.core.plain_text import plain, plain_url

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def check_directory(path: Path) -> None:
    """Make the output directory, and prove that files can be made in it.

    Raises:
        BadParameter: they cannot, with the reason.
    """
    import tempfile

    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass
    except OSError as error:
        reason = error.strerror or type(error).__name__
        if isinstance(error, (FileExistsError, NotADirectoryError)):
            reason = "it or a part of its path is a file"
        raise click.BadParameter(
            f"cannot write to {plain(str(path))}: {reason}; choose another directory",
            param_hint="--output-dir",
        ) from None


def title_of(sources: Sequence[str]) -> str:
    """Return what is downloaded, in words for the header."""
    if len(sources) > 1:
        return f"{len(sources)} sources"
    return "".join("stdin" if name == "-" else plain_url(name) for name in sources)


def resume_hint(sources: Sequence[str], *, is_demo: bool) -> str:
    """Return what leaving the dashboard now means, in one sentence."""
    if is_demo:
        return "The demo can be started again at any time."
    command = "the same command or plain fetchtui" if sources else "plain fetchtui"
    return f"Every byte is kept; {command} goes on."
