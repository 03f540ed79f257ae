"""Folders by file name."""

from __future__ import annotations

import pytest

from tui.core.rules.folders import folder_for
from tui.core.settings import FolderRule

RULES = (FolderRule("*.ISO", "images/"), FolderRule("a*", "letters/a"))


@pytest.mark.parametrize(
    ("name", "folder"),
    [("a.iso", "images"), ("A.Iso", "images"), ("Abc", "letters/a"), ("b.txt", "")],
)
def test_the_first_rule_that_matches_applies_in_any_case(
    name: str, folder: str
) -> None:
    assert folder_for(RULES, name) == folder
