"""Causes and what to do about them."""

from __future__ import annotations

import pytest

from tui.core.errors import (
    KINDS,
    FetchError,
    IntegrityError,
    LocalError,
    PermanentError,
    TransientError,
)


def test_two_branches_decide_everything():
    assert issubclass(LocalError, PermanentError)
    assert issubclass(IntegrityError, PermanentError)
    assert not issubclass(TransientError, PermanentError)
    assert not issubclass(PermanentError, TransientError)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_cause_has_a_short_code_and_advice(kind):
    assert kind == kind.lower()
    assert kind.replace("_", "").isalnum()
    advice = FetchError(kind, "what happened").advice
    assert advice
    assert len(advice) <= 70
    assert not advice.endswith(".")


def test_an_error_carries_what_a_retry_needs():
    error = TransientError("rate_limited", "429", status=429, retry_after_s=2.5)
    assert (str(error), error.status, error.retry_after_s) == ("429", 429, 2.5)
    assert FetchError("unheard_of", "x").advice == ""
