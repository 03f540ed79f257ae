"""What no file may contain: paths of a machine, registries, open ends, the version."""

from __future__ import annotations

import re
from importlib.metadata import version

import tui
from tests.architecture.files import ROOT, text_files

# Taken apart, so that this file does not break its own rules.
_MACHINE = re.compile("/(?:work|root|opt(?!/homebrew))/" + r"\w|/tmp/(?!fetc)[\w-]+")
"""The directory of the demo, which its recording shows and may cut, is the same
everywhere, and so is that of Homebrew."""
_REGISTRY = re.compile(
    "py" + "pi|pythonho" + "sted|index-" + "url|artifac" + "tory", re.IGNORECASE
)
_OPEN_END = re.compile(r"\b(?:TO" + r"DO|FIX" + r"ME|XX" + r"X)\b")
_VERSION = re.compile(r"(?<![\d.])" + re.escape(tui.__version__) + r"(?![\d.])")


def found(pattern: re.Pattern[str], but: frozenset[str] = frozenset()) -> list[str]:
    hits = []
    for path in text_files():
        name = path.relative_to(ROOT).as_posix()
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if name not in but and pattern.search(line):
                hits.append(f"{name}:{number}: {line.strip()[:80]}")
    return hits


def test_no_file_contains_a_path_of_a_machine():
    assert found(_MACHINE) == []


def test_no_file_names_a_package_registry():
    assert found(_REGISTRY) == []


def test_nothing_is_left_for_later():
    assert found(_OPEN_END) == []


def test_the_version_is_in_one_place():
    allowed = frozenset({"tui/__init__.py", "CHANGELOG.md"})
    assert found(_VERSION, allowed) == []
    assert version("fetchtui") == tui.__version__


def test_the_changelog_covers_this_version():
    heading = re.search(
        r"^## \[([^]]+)]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE
    )
    assert heading is not None
    assert heading[1] in ("Unreleased", tui.__version__)
