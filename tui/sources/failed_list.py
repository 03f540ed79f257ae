"""What failed, as entries of a list that can be given back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui.sources.export import ListFormat, entry_of_detail, write_list

if TYPE_CHECKING:
    from tui.core.snapshot import DetailSnapshot


def list_entry(detail: DetailSnapshot) -> str:
    """Return the lines of one download, with its reason as a comment above."""
    return "".join(write_list([entry_of_detail(detail)], ListFormat.ARIA2))
