"""How values are shown: without secrets, and as they are written."""

from __future__ import annotations

from pathlib import Path

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


@pytest.mark.parametrize("text", ["s3://bucket/x", "/data/s3:/x", "az://c"])
def test_an_address_of_a_store_is_shown_as_it_is_written(text):
    assert shown_value(find("output-dir"), Path(text)) == f'"{text}"'


def test_harmless_values_are_shown():
    assert "text/html" in shown_value(HEADERS, (("Accept", "text/html"),))
