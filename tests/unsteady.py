"""Tests that are known to fail now and then: each with its date and the reason.

A test is listed from the day somebody saw it fail without a fault of the product until
the day it is fixed. It still runs; its failure is reported as an expected one. After 30
days an entry fails the check itself (``tests/architecture/test_unsteady.py``).
"""

from __future__ import annotations

from datetime import date  # noqa: TC003  # entries need it
from typing import NamedTuple


class Unsteady(NamedTuple):
    """One test that may fail."""

    test: str
    """Its node id: ``tests/disk/test_writer.py::test_name[parameter]``."""
    since: date
    reason: str


KNOWN: tuple[Unsteady, ...] = ()
