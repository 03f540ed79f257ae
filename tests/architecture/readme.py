"""Generated tables of the documentation, and access to its marked parts.

``python -m tests.architecture.readme`` writes the tables of options, keys and errors in
``tui/docs`` and the map of packages in ``tui/README.md`` again.
"""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

from tests.architecture.files import ROOT, python_files
from tui.cli.commands.man import markdown_options
from tui.core.errors import ErrorKind
from tui.messages import remedy
from tui.ui.keys.keymap import Keymap
from tui.ui.keys.registry import Group, shown_key

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

README = ROOT / "README.md"
DOCS = ROOT / "tui" / "docs"


def part(path: Path, name: str) -> str:
    """Return the text between ``<!-- name -->`` and ``<!-- /name -->``."""
    text = path.read_text()
    start, end = _span(text, name)
    return text[start:end]


def command(name: str) -> str:
    """Return the one command in the fenced block of a part of the README."""
    lines = part(README, name).strip().splitlines()
    if len(lines) != 3 or lines[0] != "```sh" or lines[2] != "```":
        raise LookupError(f"the part {name!r} of README.md is not one command")
    return lines[1]


def guide() -> str:
    """Return the README and all topics as one text."""
    return "\n".join(path.read_text() for path in (README, *sorted(DOCS.glob("*.md"))))


def error_table() -> str:
    """Return the table of error codes with the suggestion for each."""
    rows = [f"| `{kind}` | {remedy(kind)} |" for kind in ErrorKind]
    return "\n".join(["| code | suggestion |", "|---|---|", *rows])


def key_table() -> str:
    """Return the table of keys and actions, by group."""
    lines = []
    for group in Group:
        lines += [f"**{group.value}**", "", "| key | action | id |", "|---|---|---|"]
        for action in Keymap().actions:
            if action.group is group:
                keys = " ".join(f"`{shown_key(key)}`" for key in action.keys)
                about = f"{action.title}. {action.help}"
                lines.append(f"| {keys} | {about} | `{action.id}` |")
        lines.append("")
    return "\n".join(lines)


def package_map() -> str:
    """Return the table of all packages, with the first line of their docstrings."""
    rows = []
    for path in python_files("tui"):
        if path.name == "__init__.py" and path.parent.name != "tui":
            name = path.parent.relative_to(ROOT / "tui").as_posix()
            doc = ast.get_docstring(ast.parse(path.read_text())) or ""
            about = doc.partition("\n")[0].rstrip(".").replace("``", "`")
            rows.append(f"| `{name}/` | {about} |")
    return "\n".join(["| package | what is in it |", "|---|---|", *sorted(rows)])


TABLES: dict[str, tuple[str, Callable[[], str]]] = {
    "options": ("tui/docs/options.md", markdown_options),
    "keys": ("tui/docs/keys.md", key_table),
    "errors": ("tui/docs/json-events.md", error_table),
    "map": ("tui/README.md", package_map),
}
"""By the name of the part: the page that has it, and what makes it."""


def generated(name: str) -> str:
    """Return a table as it should be in its page."""
    _, make = TABLES[name]
    return f"\n{make().strip()}\n\n"


def write_tables() -> None:
    """Write every generated table into its page."""
    for name, (page, _) in TABLES.items():
        path = ROOT / page
        text = path.read_text()
        start, end = _span(text, name)
        path.write_text(text[:start] + generated(name) + text[end:])


def _span(text: str, name: str) -> tuple[int, int]:
    match = re.search(rf"<!-- {name} -->\n(.*?)<!-- /{name} -->", text, re.DOTALL)
    if match is None:
        raise LookupError(f"there is no part {name!r}")
    return match.span(1)


if __name__ == "__main__":
    write_tables()
