"""Writing downloads down as a list that can be given back: plain text with options."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui.core.plain_text import plain, plain_url
from tui.core.request import check_url
from tui.sources.options import parse_folder, parse_place

if TYPE_CHECKING:
    from collections.abc import Callable

    from tui.core.snapshot import DetailSnapshot


def list_entry(detail: DetailSnapshot) -> str:
    """Return the lines of one download, with its reason as a comment above.

    Logins are not written: a list is passed around. Where one was there, the comment
    says so; headers have to be given again with ``--header``.
    """
    row = detail.row
    urls = [row.url, *(url for url in detail.mirrors if url != row.url)]
    shown = [url for url in map(plain_url, urls) if _is_good(url)]
    if not shown:
        return f"# {plain(row.name)}: its URL cannot be written down\n"
    reason = plain(row.error) or row.error_kind or row.state.word
    if shown != urls:
        reason += " (its URL had a login, which is not written here)"
    lines = [f"# {reason}", "\t".join(dict.fromkeys(shown))]
    name = _option("out=", row.name, parse_place)
    folder = _option("dir=", row.directory, parse_folder)
    checksum = f"  checksum={detail.checksum}" if detail.checksum else ""
    lines += [line for line in (name, folder, checksum) if line]
    return "\n".join(lines) + "\n"


def _is_good(url: str) -> bool:
    try:
        check_url(url)
    except ValueError:
        return False
    return True


def _option(option: str, value: str, parse: Callable[[str], object]) -> str:
    """Return an indented option, or "" where reading it back would be refused."""
    if not value:
        return ""
    try:
        parse(value)
    except ValueError:
        return ""
    return f"  {option}{value}"
