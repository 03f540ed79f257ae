"""Which header names are secret."""

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
        "Ocp-Apim-Subscription-Key",
        "X-Functions-Key",
        "X-Hub-Signature-256",
        "X-Sig",
        "X-Pwd",
        "X-OTP",
        "JWT",
        "sid",
        "Authentication",
    ],
)
def test_credentials_are_secret_in_every_spelling(
    name: str,
) -> None:
    assert may_be_secret(name)


def test_headers_written_to_lists_are_not_secret() -> None:
    assert not any(map(may_be_secret, HARMLESS))
    for name in ("Content-Length", "X-Author", "Keep-Alive", "X-Bypass", "X-Sigma"):
        assert not may_be_secret(name)
