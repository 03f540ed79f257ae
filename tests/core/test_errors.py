"""Error classes and their kinds."""

from __future__ import annotations

import pytest

from tui.core.errors import (
    ErrorKind,
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


@pytest.mark.parametrize("kind", ErrorKind)
def test_every_kind_has_a_short_code(kind):
    assert kind == kind.lower()
    assert kind.replace("_", "").isalnum()


def test_an_error_has_what_a_retry_needs():
    error = TransientError("rate_limited", "429", status=429, retry_after_s=2.5)
    assert (str(error), error.status, error.retry_after_s) == ("429", 429, 2.5)
    assert error.kind is ErrorKind.RATE_LIMITED


def test_an_unknown_kind_is_refused():
    with pytest.raises(ValueError, match="unheard_of"):
        FetchError("unheard_of", "x")
