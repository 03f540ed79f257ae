"""What a run says of itself, and whether its files can be written."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from tui.config.errors import Complaint
from tui.config.values import suggest
from tui.core.text.plain_text import plain, plain_url

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tui.config.document import Document
    from tui.config.precedence import Resolved


def known_actions() -> dict[str, str]:
    """Return the names of all actions, with what they do."""
    from tui.ui.keys.registry import ACTIONS

    return {action.id: action.title for action in ACTIONS}


def check_keys(
    document: Document, keys: Sequence[tuple[str, object]], source: str
) -> list[Complaint]:
    """Return a complaint for every action that there is not."""
    known = known_actions()
    complaints = []
    for name, _ in keys:
        if name not in known:
            place = document.place(("keys", name)) if document.text else source
            near = suggest(name, known) or "; fetchtui config explain keys lists them"
            reason = f"keys: there is no action {plain(name, 60)!r}{near}"
            complaints.append(Complaint(place, reason))
    return complaints


def check_theme(resolved: Resolved) -> list[Complaint]:
    """Return a complaint if there is no such theme.

    Only what judges settings asks: most themes are Textual's, which takes a quarter
    of a second to import. The dashboard, which has it, says so itself.
    """
    given = resolved.values["dashboard.theme"]
    if not given.value:  # mostly
        return []
    from tui.ui.style.theme import wrong_theme

    reason = wrong_theme(given.value)
    return [Complaint(given.source, reason)] if reason else []


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


def check_log_file(path: Path | None) -> None:
    """Prove that the log file can be written; it is made if it is missing.

    Raises:
        BadParameter: it cannot, with the reason.
    """
    import os

    if path is None:
        return
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600))
    except OSError as error:
        raise click.BadParameter(
            f"cannot write to {plain(str(path))}: {error.strerror}; name another file",
            param_hint="--log-file",
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
