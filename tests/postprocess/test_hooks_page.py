"""The guide's table of hook variables and its list of archives match the code."""

from __future__ import annotations

import os
import re
import shlex
import subprocess

from tests.architecture import readme
from tui.postprocess.hooks import FACTS, PREFIX
from tui.postprocess.unpack.extract_dir import SUFFIXES

HOOKS = readme.DOCS / "hooks.md"
TEXT = HOOKS.read_text()


def test_table_has_every_fact_in_both_forms():
    rows = re.findall(
        r"^\| `(\w+)` \| `\{(\w+)\}` \|",
        readme.part(HOOKS, "facts"),
        re.M,
    )
    assert {word for _, word in rows} == FACTS
    assert all(name == PREFIX + word.upper() for name, word in rows)


def test_every_archive_format_is_documented():
    section = TEXT.partition("## Unpacking")[2].partition("\n## ")[0]
    short = (".tgz", ".tbz", ".txz", ".tzst")
    kinds = [suffix for suffix in SUFFIXES if not suffix.startswith(short)]
    assert ".tar.gz" in kinds
    assert [kind for kind in kinds if f"`{kind}`" not in section] == []


def test_example_script_runs_in_a_shell(tmp_path):
    """The interactive shell must not expand the variable."""
    (line,) = [
        line for line in TEXT.splitlines() if "sha256sum" in line and "-c" in line
    ]
    given = subprocess.run(
        ["sh", "-c", line.replace("fetchtui", "printf '%s\\n'")],
        capture_output=True,
        text=True,
        check=True,
        timeout=20,
    ).stdout.splitlines()
    _, command, _ = given
    (tmp_path / "a b").write_bytes(b"x")
    subprocess.run(
        shlex.split(command),
        cwd=tmp_path,
        env={**os.environ, f"{PREFIX}PATH": str(tmp_path / "a b")},
        check=True,
        timeout=20,
    )
    assert (tmp_path / "sums").read_text().endswith("a b\n")
