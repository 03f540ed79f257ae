"""Tests that are known to fail now and then: each with its date and the reason.

A test is listed from the day somebody saw it fail without a fault of the product until
the day it is fixed. It still runs; its failure is reported as an expected one. After 30
days an entry fails the check itself (``tests/architecture/test_unsteady.py``).
"""

from __future__ import annotations

from datetime import date
from typing import NamedTuple


class Unsteady(NamedTuple):
    """One test that may fail."""

    test: str
    """Its node id: ``tests/disk/test_writer.py::test_name[parameter]``."""
    since: date
    reason: str


KNOWN: tuple[Unsteady, ...] = (
    Unsteady(
        "tests/cli/test_dry_run.py"
        "::test_sizes_looks_up_names_and_sizes_without_downloading",
        date(2026, 11, 29),
        "how much a server sends before it notices the end differs from run to run",
    ),
    Unsteady(
        "tests/ui/test_action_table.py"
        "::test_a_number_in_the_palette_sets_the_concurrency",
        date(2026, 11, 29),
        "waits 0.1 s for the palette's search, which takes longer on a busy machine",
    ),
    Unsteady(
        "tests/ui/test_hosts_pane.py::test_the_last_error_of_a_host_is_shown_below",
        date(2026, 11, 29),
        "the pane learns its size one turn of the loop late on a busy machine",
    ),
)
