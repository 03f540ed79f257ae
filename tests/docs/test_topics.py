"""Topics of the guide: complete, readable in a terminal, and found by similar names."""

from __future__ import annotations

import re

import pytest

from tests.architecture.files import ROOT
from tui.docs import TOPICS, read_topic, similar_topics

DOCS = ROOT / "tui" / "docs"


def test_every_page_is_a_topic():
    assert {path.stem for path in DOCS.glob("*.md")} == set(TOPICS)


@pytest.mark.parametrize("topic", TOPICS)
def test_a_topic_reads_well_in_a_terminal(topic):
    text = read_topic(topic)
    assert text.startswith("# ")
    assert "<!--" not in text
    assert "](" not in text.replace("](http", "")
    for other in re.findall(r"`fetchtui help ([a-z-]+)`", text):
        assert other in TOPICS


@pytest.mark.parametrize("topic", TOPICS)
def test_commands_fit_into_a_terminal(topic):
    # With the blank on both sides that the help has: a wrapped comment or option
    # would become a command of its own when it is copied.
    blocks = re.findall(r"```sh\n(.*?)```", read_topic(topic), re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    assert [line for line in lines if len(line) > 78] == []


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("json", ["json-events"]),
        ("exit", ["exit-status"]),
        ("netwrok", ["network"]),
        ("option", ["options"]),
        ("Sessions", ["sessions"]),
        ("quantum", []),
        ("", []),
    ],
)
def test_similar_names_are_found(name, expected):
    assert similar_topics(name)[: len(expected) or None] == expected
