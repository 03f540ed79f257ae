"""What people type on the command line, read and judged."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import click

from tui.core.plain_text import plain, plain_url

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

# RFC 9110, 5.1 and 5.5: a token, and anything printable.
_HEADER = re.compile(
    r"([!#$%&'*+.^_`|~0-9A-Za-z-]+)\s*:\s*([^\x00-\x08\x0a-\x1f\x7f]*)"
)


def read_by(parse: Callable[[str], Any]) -> Callable[..., Any]:
    """Make an option's callback from a parser whose ValueError explains itself."""

    def read(_context: click.Context, _option: click.Parameter, value: Any) -> Any:
        try:
            if isinstance(value, tuple):
                return tuple(parse(text) for text in value)
            return None if value is None else parse(value)
        except ValueError as error:
            raise click.BadParameter(plain(str(error))) from None

    return read


def read_header(text: str) -> tuple[str, str]:
    """Read ``Name: value``.

    Raises:
        ValueError: it is none; the message does not repeat it.
    """
    match = _HEADER.fullmatch(text.strip())
    if match is None:
        # The value may be a secret, so the message does not repeat it.
        raise ValueError("write a header as 'Name: value', on one line")
    return match[1], match[2]


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
