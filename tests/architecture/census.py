"""Count what makes code hard to maintain: ``python -m tests.architecture.census``.

Give it folders with a checkout each to compare them::

    git worktree add ../before HEAD~10
    python -m tests.architecture.census ../before .
"""

from __future__ import annotations

import ast
import re
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from tests.architecture.imports import circles, graph, importers, modules

if TYPE_CHECKING:
    from collections.abc import Callable

_BY_ID = re.compile(r"\b(?:dict\[|set\[|Mapping\[)(?:DownloadId|int)\b")
"""How an attribute that maps or collects download ids is annotated."""
_OWNERS = {"registry", "job", "ledger"}
"""Modules that may keep something by download id."""


def census(root: Path) -> dict[str, str]:
    """Return the counts of one checkout, as text by what is counted."""
    trees = modules(root)
    imports = graph(trees)
    sources = {path: path.read_text() for path in (root / "tui").rglob("*.py")}
    lines = {path: text.count("\n") for path, text in sources.items()}
    users = importers(imports)
    found = circles(imports)
    files = [name for name in trees if not _is_package(root, name)]
    packages = Counter(name.rpartition(".")[0] for name in files)
    largest, size = packages.most_common(1)[0]
    length, function = max(_functions(trees))
    return {
        "modules": f"{len(files)}",
        "lines": f"{sum(lines.values()):,}",
        "lines of headers and imports": f"{sum(map(_header, trees.values())):,}",
        "largest folder": f"{largest} ({size})",
        "longest module": f"{max(lines.values())} lines",
        "longest function": f"{function} ({length} lines)",
        "circles": f"{len(found)} ({sum(map(len, found))} modules)",
        "modules with one importer": f"{sum(len(users[name]) == 1 for name in files)}",
        "maps keyed by download id outside their owners": f"{_keyed_by_id(trees)}",
        "mentions of MainScreen outside its module": f"{_main_screen(sources)}",
        "type: ignore": f"{_count(sources, 'type: ignore')}",
    }


def _is_package(root: Path, name: str) -> bool:
    return (root / name.replace(".", "/") / "__init__.py").exists()


def _header(tree: ast.Module) -> int:
    """Return the lines that only name a module: docstring, imports."""
    count = 0
    for number, node in enumerate(tree.body):
        is_docstring = number == 0 and isinstance(node, ast.Expr)
        is_typing = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
        if is_docstring or is_typing or isinstance(node, ast.Import | ast.ImportFrom):
            count += (node.end_lineno or node.lineno) - node.lineno + 1
    return count


def _functions(trees: dict[str, ast.Module]) -> list[tuple[int, str]]:
    return [
        ((node.end_lineno or node.lineno) - node.lineno + 1, f"{name}.{node.name}")
        for name, tree in trees.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]


def _keyed_by_id(trees: dict[str, ast.Module]) -> int:
    """Count attributes of the engine's classes that keep something by download id."""
    return sum(
        isinstance(node, ast.AnnAssign)
        and isinstance(node.target, ast.Attribute | ast.Name)
        and bool(_BY_ID.match(ast.unparse(node.annotation)))
        for name, tree in trees.items()
        if name.startswith("tui.engine") and name.rpartition(".")[2] not in _OWNERS
        for kind in ast.walk(tree)
        if isinstance(kind, ast.ClassDef)
        for node in _attributes(kind)
    )


def _attributes(kind: ast.ClassDef) -> list[ast.stmt]:
    own: list[ast.stmt] = list(kind.body)
    for method in kind.body:
        if isinstance(method, ast.FunctionDef) and method.name == "__init__":
            own += method.body
    return own


def _main_screen(sources: dict[Path, str]) -> int:
    return sum(
        text.count("MainScreen")
        for path, text in sources.items()
        if path.name not in ("main_screen.py", "main.py", "app.py")
    )


def _count(sources: dict[Path, str], word: str) -> int:
    return sum(text.count(word) for text in sources.values())


def main(arguments: list[str], show: Callable[[str], None] = print) -> None:
    """Print a table: a row for each count, a column for each checkout."""
    columns = [census(Path(folder)) for folder in arguments or ["."]]
    width = max(map(len, columns[0]))
    for name in columns[0]:
        show(
            f"{name:<{width}}  " + "  ".join(f"{c[name]:<44}" for c in columns).rstrip()
        )


if __name__ == "__main__":
    main(sys.argv[1:])
