"""The list of unsteady tests stays short and young."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tests.architecture.files import ROOT
from tests.unsteady import KNOWN


def test_no_test_stays_unsteady_for_long():
    oldest = datetime.now(UTC).date() - timedelta(days=30)
    assert [known for known in KNOWN if known.since < oldest] == []


def test_every_unsteady_test_exists():
    for known in KNOWN:
        path, _, name = known.test.partition("::")
        assert f"def {name.partition('[')[0]}(" in (ROOT / path).read_text()
