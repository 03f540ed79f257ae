"""Who imports whom, read from the source; type-only imports count like any other."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from tests.architecture.files import tree

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Graph = dict[str, set[str]]
"""Modules that each module imports, by dotted name; only those of the package."""


def modules(root: Path, package: str = "tui") -> dict[str, ast.Module]:
    """Parse every module of a package.

    Args:
        root: the folder that holds the package.
        package: its name.

    Returns:
        Syntax trees by dotted name; a package stands under its own name.
    """
    found = {}
    for path in sorted((root / package).rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        found[name] = tree(path)
    return found


def graph(trees: dict[str, ast.Module]) -> Graph:
    """Return the imports between modules, those inside functions included."""
    return {
        name: {target for target in _imported(module, trees) if target != name}
        for name, module in trees.items()
    }


def _imported(module: ast.Module, known: dict[str, ast.Module]) -> Iterator[str]:
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom) and node.module in known:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if inner in known else node.module


def circles(imports: Graph) -> list[list[str]]:
    """Return the groups of modules that import each other, directly or around.

    Tarjan's strongly connected components, without recursion.
    """
    index: dict[str, int] = {}
    lowest: dict[str, int] = {}
    stack: list[str] = []
    found = []
    for start in imports:
        if start in index:
            continue
        work = [(start, iter(sorted(imports[start])))]
        index[start] = lowest[start] = len(index)
        stack.append(start)
        while work:
            name, targets = work[-1]
            for target in targets:
                if target not in index:
                    index[target] = lowest[target] = len(index)
                    stack.append(target)
                    work.append((target, iter(sorted(imports[target]))))
                    break
                if target in stack:
                    lowest[name] = min(lowest[name], index[target])
            else:
                work.pop()
                if work:
                    above = work[-1][0]
                    lowest[above] = min(lowest[above], lowest[name])
                if lowest[name] == index[name]:
                    at = stack.index(name)
                    group, stack[at:] = stack[at:], []
                    if len(group) > 1:
                        found.append(sorted(group))
    return found


def importers(imports: Graph) -> dict[str, set[str]]:
    """Return who imports each module."""
    users: dict[str, set[str]] = {name: set() for name in imports}
    for name, targets in imports.items():
        for target in targets:
            users[target].add(name)
    return users
