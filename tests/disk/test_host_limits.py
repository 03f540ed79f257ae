"""Limits of hosts that are remembered from one run to the next."""

from __future__ import annotations

import stat

import pytest

from tui.disk.state.host_limits import KEPT_S, MOST_HOSTS, HostLimits

A, B = "https://a.example", "https://b.example"


def test_limits_are_kept_for_a_day_beside_those_of_other_hosts(tmp_path) -> None:
    limits = HostLimits(tmp_path / "state")
    assert limits.load(1000.0) == {}
    limits.save({A: 10}, 1000.0)
    limits.save({B: 3}, 2000.0)
    assert limits.load(2000.0) == {A: 10, B: 3}
    assert limits.load(1000.0 + KEPT_S + 1) == {B: 3}
    assert limits.load(500.0) == {}
    mode = (tmp_path / "state" / "hosts.json").stat().st_mode
    assert stat.S_IMODE(mode) == 0o600


def test_a_limit_that_does_not_apply_any_more_is_removed(tmp_path) -> None:
    limits = HostLimits(tmp_path)
    limits.save({A: 10, B: 3}, 1000.0)
    limits.save({A: 0}, 1001.0)
    assert limits.load(1001.0) == {B: 3}


def test_only_the_hosts_used_last_are_kept(tmp_path) -> None:
    limits = HostLimits(tmp_path)
    limits.save({A: 1}, 1.0)
    limits.save({f"https://{n}.example": 1 for n in range(MOST_HOSTS)}, 2.0)
    assert len(limits.load(2.0)) == MOST_HOSTS
    assert A not in limits.load(2.0)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b'{"version": 2, "hosts": {"https://a.example": [1, 1]}}',
        b'{"version": 1, "hosts": ["x"]}',
        b'{"version": 1, "hosts": {"https://a.example": [1]}}',
        b'{"version": 1, "hosts": {"https://a.example": ["x", 1]}}',
        b'{"version": 1, "hosts": {"https://a.example": [1e999, 1]}}',
        b'{"version": 1, "hosts": {"https://a.example": [-1, 1]}}',
        b"[" * 100_000,
        b"\xff\xfe",
    ],
)
def test_a_damaged_file_is_ignored_and_replaced(tmp_path, content) -> None:
    limits = HostLimits(tmp_path)
    (tmp_path / "hosts.json").write_bytes(content)
    assert limits.load(1.0) == {}
    limits.save({A: 2}, 1.0)
    assert limits.load(1.0) == {A: 2}


def test_a_state_directory_that_cannot_be_written_costs_nothing(tmp_path) -> None:
    (tmp_path / "state").write_text("a file")
    limits = HostLimits(tmp_path / "state")
    limits.save({A: 2}, 1.0)
    assert limits.load(1.0) == {}
