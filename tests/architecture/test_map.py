"""The map of packages and the journey in ``tui/__init__.py`` match the tree."""

from __future__ import annotations

import ast
import re

import tui
from tests.architecture.files import ROOT, python_files, tree

DOC = tui.__doc__ or ""
MAP, JOURNEY = DOC.split("The journey of a download")


def test_the_map_is_the_tree():
    mapped = re.findall(r"^    ([a-z]+) {2,}\S", MAP, re.MULTILINE)
    rooms = {path.parent.name for path in (ROOT / "tui").glob("*/__init__.py")}
    assert sorted(mapped) == sorted(rooms | {"cli"})


def test_every_folder_with_code_is_a_package():
    folders = {path.parent for path in python_files("tui")}
    assert all((folder / "__init__.py").exists() for folder in folders)


def test_every_step_of_the_journey_exists():
    steps = re.findall(r"^    ([a-z_]+)\.([a-z_.]+|\*) ", JOURNEY, re.MULTILINE)
    assert len(steps) >= 6
    for room, module in steps:
        folder = ROOT / "tui" / room
        assert folder.is_dir()
        assert module == "*" or (folder / f"{module.replace('.', '/')}.py").exists(), (
            f"{room}.{module}"
        )


def test_every_module_has_a_docstring():
    silent = [
        path.relative_to(ROOT).as_posix()
        for path in python_files("tui")
        if tree(path).body and not ast.get_docstring(tree(path))
    ]
    assert silent == []


def test_tests_mirror_the_package():
    rooms = {path.parent.name for path in (ROOT / "tui").glob("*/__init__.py")}
    tested = {path.parent.name for path in (ROOT / "tests").glob("*/test_*.py")}
    assert rooms <= tested
