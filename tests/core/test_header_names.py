"""Names of headers: what they tell of the values."""

from __future__ import annotations

import pytest

from tui.core.rules.secret_headers import HARMLESS, may_be_secret


@pytest.mark.parametrize(
    "name",
    [
        "Authorization",
        "Set-Cookie",
        "PRIVATE-TOKEN",
        "X-Api-Key",
        "X-Apikey",
        "Location",
    ],
)
def test_what_proves_who_asks_is_taken_for_a_secret_in_every_spelling(
    name: str,
) -> None:
    assert may_be_secret(name)


def test_what_is_written_into_lists_is_no_secret() -> None:
    assert not any(map(may_be_secret, HARMLESS))
    assert not may_be_secret("Content-Length")
