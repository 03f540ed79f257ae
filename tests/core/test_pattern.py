"""Patterns that are compiled late: the same as those of ``re``, and all valid."""

from __future__ import annotations

import pkgutil
import re
from importlib import import_module

import tui
from tui.core.quick.pattern import late_pattern


def test_a_late_pattern_behaves_like_a_compiled_one():
    late = late_pattern(r"(?P<letter>[a-z])(\d)", re.IGNORECASE)
    pattern = re.compile(r"(?P<letter>[a-z])(\d)", re.IGNORECASE)
    text = "A1 b2"
    assert late.fullmatch("x") is None
    assert late.match(text).group("letter") == "A"
    assert late.search(text).span() == pattern.search(text).span()
    assert late.findall(text) == pattern.findall(text)
    assert late.split(text) == pattern.split(text)
    assert late.sub(r"\2", text) == pattern.sub(r"\2", text)
    assert [m[0] for m in late.finditer(text)] == ["A1", "b2"]
    assert (late.pattern, late.flags) == (pattern.pattern, pattern.flags)
    assert late_pattern(rb"\d").match(b"1")


def test_every_late_pattern_compiles():
    checked = 0
    for package in ("core", "config", "sources", "net", "cli", "ui", "background"):
        path = import_module(f"tui.{package}").__path__
        for module in pkgutil.walk_packages(path, f"tui.{package}."):
            for value in vars(import_module(module.name)).values():
                if type(value).__name__ == "_LatePattern":
                    assert value.groups >= 0
                    checked += 1
    assert checked > 50
    assert tui
