"""Files and functions that fit into a head."""

from __future__ import annotations

import ast

import pytest

from tests.architecture.files import ROOT, python_files

FILE_LIMIT = 350
"""Lines of a module of the package."""
TEST_FILE_LIMIT = 650
"""Tables of cases may go on for longer than code."""
FUNCTION_LIMIT = 60

LONGER = {
    "tui/ui/actions.py": "one table: every action with its key and its help",
}
"""Exceptions, with the reason; one that is no longer needed is a failure too."""


def relative(path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", python_files("tui"), ids=relative)
def test_a_module_stays_short(path):
    lines = len(path.read_text().splitlines())
    assert (lines > FILE_LIMIT) == (relative(path) in LONGER)


@pytest.mark.parametrize("path", python_files("tests"), ids=relative)
def test_a_test_module_stays_short(path):
    assert len(path.read_text().splitlines()) <= TEST_FILE_LIMIT


def test_functions_stay_short():
    long = [
        f"{relative(path)}:{node.lineno} {node.name}"
        for path in python_files("tui")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and _length(node) > FUNCTION_LIMIT
    ]
    assert long == []


def _length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    # Decorators do not count: the command line's options are a table of them.
    return (node.end_lineno or node.lineno) - node.lineno + 1


def test_no_room_is_split_by_kind():
    banned = {"utils", "util", "helpers", "helper", "manager", "common", "misc"}
    assert not [
        relative(path) for path in python_files("tui") if path.stem.lower() in banned
    ]
