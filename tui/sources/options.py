"""How a list is read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui.core.quick.named_tuple import NamedTuple

if TYPE_CHECKING:
    from tui.sources.readers.fields import Columns


class ReadOptions(NamedTuple):
    """Options for reading a list."""

    notes: list[str] | None = None
    """Receives a line for everything that is ignored but not an error."""
    links: str | None = None
    """Pattern for the links of a page; see ``readers.links.LinkPattern``."""
    base_url: str | None = None
    """Base for relative entries of digest lists, pages, Metalink and plain lists."""
    adds_https: bool = False
    """Read ``host/path`` in a plain list as an https URL, with a note."""
    columns: Columns | None = None
    """Columns of tables and fields of JSON to use instead of the usual ones."""
    is_limited: bool = True
    """Stop at the limits of ``readers.lines``; only a caller that keeps no requests in
    memory may read without them."""
