"""Values of headers are shown only if their names are harmless."""

from __future__ import annotations

import pytest

from tui.config.display import shown_value
from tui.config.registry import find

HEADERS = find("headers")


@pytest.mark.parametrize(
    "header",
    [("X-Tok", "hush"), ("Referer", "http://u:hush@h/"), ("Authorization", "hush")],
)
def test_a_value_that_could_be_a_secret_is_hidden(header):
    assert "hush" not in shown_value(HEADERS, (header,))


def test_a_token_in_a_referer_is_masked():
    shown = shown_value(find("referer"), "https://h/?token=hush&page=2")
    assert shown == '"https://h/?token=***&page=2"'


def test_harmless_values_are_shown():
    assert "text/html" in shown_value(HEADERS, (("Accept", "text/html"),))
