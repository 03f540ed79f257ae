"""Functions stay short, and no module is a grab bag."""

from __future__ import annotations

import ast

from tests.architecture.files import ROOT, python_files, tree

FUNCTION_LIMIT = 60


def relative(path) -> str:
    return path.relative_to(ROOT).as_posix()


def test_functions_stay_short():
    long = [
        f"{relative(path)}:{node.lineno} {node.name}"
        for path in python_files("tui")
        for node in ast.walk(tree(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and _length(node) > FUNCTION_LIMIT
    ]
    assert long == []


def _length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    # Decorators do not count: the command line's options are a table of them.
    return (node.end_lineno or node.lineno) - node.lineno + 1


def test_no_module_is_a_grab_bag():
    banned = {"utils", "util", "helpers", "helper", "manager", "common", "misc"}
    assert not [
        relative(path) for path in python_files("tui") if path.stem.lower() in banned
    ]
