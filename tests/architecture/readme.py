"""The README's parts that other parts of the repository must agree with.

``python -m tests.architecture.readme`` writes the tables of keys and of options anew.
"""

from __future__ import annotations

import re

from tests.architecture.files import ROOT
from tui.cli.commands.man import markdown_options
from tui.ui.keys.registry import markdown_table

PATH = ROOT / "README.md"


def part(name: str) -> str:
    """Return what stands between ``<!-- name -->`` and ``<!-- /name -->``."""
    text = PATH.read_text()
    start, end = _span(text, name)
    return text[start:end]


def command(name: str) -> str:
    """Return the one command in the fenced block of a part."""
    lines = part(name).strip().splitlines()
    if len(lines) != 3 or lines[0] != "```sh" or lines[2] != "```":
        raise LookupError(f"the part {name!r} of README.md is not one command")
    return lines[1]


def keys() -> str:
    """Return the part ``keys`` as it should be."""
    return f"\n{markdown_table().strip()}\n\n"


def options() -> str:
    """Return the part ``options`` as it should be."""
    return f"\n{markdown_options().strip()}\n\n"


def write_tables() -> None:
    """Replace the tables of keys and of options."""
    text = PATH.read_text()
    for name, made in (("keys", keys()), ("options", options())):
        start, end = _span(text, name)
        text = text[:start] + made + text[end:]
    PATH.write_text(text)


def _span(text: str, name: str) -> tuple[int, int]:
    match = re.search(rf"<!-- {name} -->\n(.*?)<!-- /{name} -->", text, re.DOTALL)
    if match is None:
        raise LookupError(f"README.md has no part {name!r}")
    return match.span(1)


if __name__ == "__main__":
    write_tables()
