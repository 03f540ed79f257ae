"""Documents, docstrings, comments and messages are free of banned phrases."""

from __future__ import annotations

import pytest

from tests.architecture import prose
from tests.architecture.files import python_files


def printed(findings) -> list[str]:
    return [str(found) for found in findings]


def test_documents_and_the_tables_in_them():
    assert printed(prose.in_documents()) == []


def test_docstrings_comments_and_strings():
    assert printed(prose.in_modules(python_files("tui"))) == []


@pytest.mark.parametrize(
    "sentence",
    [
        "It tells what holds.",
        "The port is no number.",
        "Start it anew; the download\ngoes on.",
        "A person who says so",
        "One trip for each face of the wire",
        "bound by the server",
        "Colours that are honoured",
        "It ends in order.",
    ],
)
def test_the_checker_finds(sentence):
    assert list(prose.check("x", sentence, prose.FOR_USERS))


@pytest.mark.parametrize(
    "sentence",
    [
        "Retry in order to resume; one round trip less.",
        "There is no limit, and this is no longer needed.",
        "The interface is surfaced by `told` and ``the wire``.",
        "See [the page](tests/wire/faces.md) and tests/net/wire.py.",
    ],
)
def test_the_checker_leaves_alone(sentence):
    assert list(prose.check("x", sentence, prose.FOR_USERS)) == []
