"""The files of the repository that the checks read."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
_ROOMS = ("tui", "tests", "sample_lists", ".ci", ".github")
_TOP = (
    "README.md",
    "CHANGELOG.md",
    "LICENSE",
    "pyproject.toml",
    ".gitignore",
    ".editorconfig",
    ".git-blame-ignore-revs",
    ".pre-commit-config.yaml",
)
_PICTURES = (".svg", ".png", ".gif")


def python_files(room: str) -> list[Path]:
    """Return every module below ``room``, a folder of the repository."""
    return sorted((ROOT / room).rglob("*.py"))


@cache
def tree(path: Path) -> ast.Module:
    """Return the syntax tree of a module; several checks read it."""
    return ast.parse(path.read_text(), str(path))


def text_files() -> list[Path]:
    """Return every text file; works without git, in a plain copy."""
    found = [ROOT / name for name in _TOP]
    for room in _ROOMS:
        found += [
            path
            for path in sorted((ROOT / room).rglob("*"))
            if path.is_file()
            and "__pycache__" not in path.parts
            and path.suffix not in _PICTURES
        ]
    return found


def modules(room: str) -> list[str]:
    """Return the dotted names of the modules below ``room``."""
    names = []
    for path in python_files(room):
        parts = path.relative_to(ROOT).with_suffix("").parts
        names.append(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
    return names


def documents() -> list[Path]:
    """Return every Markdown file of the repository."""
    return [path for path in text_files() if path.suffix == ".md"]
