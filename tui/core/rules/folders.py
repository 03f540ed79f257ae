"""Choose the folder of a file by its name."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tui.core.settings import FolderRule


def folder_for(rules: Sequence[FolderRule], name: str) -> str:
    """Return the folder of the first rule that matches, or "".

    Case does not matter: ``.ISO`` is the same kind of file as ``.iso``.
    """
    lowered = name.lower()
    for rule in rules:
        if fnmatchcase(lowered, rule.pattern.lower()):
            return rule.directory.removesuffix("/")
    return ""
