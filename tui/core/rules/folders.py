"""Which folder a file goes to by its name."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tui.core.settings import FolderRule


def folder_for(rules: Sequence[FolderRule], name: str) -> str:
    """Return the folder of the first rule that matches, or "".

    Names are compared in lower case: what a server calls ``.ISO`` is no other kind of
    file.
    """
    lowered = name.lower()
    for rule in rules:
        if fnmatchcase(lowered, rule.pattern.lower()):
            return rule.directory.removesuffix("/")
    return ""
