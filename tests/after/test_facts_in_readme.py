"""The README's table of what a command is told, and the statuses, are the real ones."""

from __future__ import annotations

import re

from tests.house import readme
from tests.house.files import ROOT
from tui.after.archive_names import SUFFIXES
from tui.after.hooks import FACTS, PREFIX

TEXT = (ROOT / "README.md").read_text()


def test_the_table_names_every_fact_in_both_forms():
    rows = re.findall(r"^\| `(\w+)` \| `\{(\w+)\}` \|", readme.part("facts"), re.M)
    assert {word for _, word in rows} == FACTS
    assert all(name == PREFIX + word.upper() for name, word in rows)


def test_every_kind_of_archive_is_named():
    section = TEXT.partition("**Unpacking**")[2].partition("**The server")[0]
    kinds = {suffix.replace(".tar.", ".") for suffix in SUFFIXES if ".t" not in suffix}
    kinds |= {s.removeprefix(".tar") for s in SUFFIXES if s.startswith(".tar.")}
    assert [kind for kind in kinds if f"`{kind}`" not in section] in ([], [".gz"])
    assert "`.tar.gz`" in section
