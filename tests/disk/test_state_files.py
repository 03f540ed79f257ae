"""Replacing a file as a whole, and appending JSON lines to one."""

from __future__ import annotations

import os
import stat

import pytest

from tui.disk.state.json_lines import append_lines, encode_lines, read_lines
from tui.disk.state.replace import creating, replace_file, replacing


def mode_of(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_a_file_is_replaced_as_a_whole(tmp_path):
    path = tmp_path / "state.json"
    path.write_text("old")
    with replacing(path) as file:
        file.write(b"new")
        file.flush()
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert os.listdir(tmp_path) == ["state.json"]


def test_after_an_error_the_old_file_is_unchanged(tmp_path):
    path = tmp_path / "state.json"
    path.write_text("old")

    def write_half() -> None:
        with replacing(path) as file:
            file.write(b"half of it")
            raise KeyError

    with pytest.raises(KeyError):
        write_half()
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["state.json"]


def test_a_new_file_is_removed_after_an_error(tmp_path):
    def write_half() -> None:
        with creating(tmp_path / "list.csv") as file:
            file.write("half of it")
            raise KeyError

    with pytest.raises(KeyError):
        write_half()
    assert os.listdir(tmp_path) == []


def test_a_file_that_exists_is_not_created(tmp_path):
    path = tmp_path / "list.csv"
    path.write_text("mine")
    with pytest.raises(FileExistsError), creating(path):
        pass
    assert path.read_text() == "mine"


def test_a_link_is_replaced_and_not_followed(tmp_path):
    path, other = tmp_path / "state.json", tmp_path / "other"
    other.write_text("of somebody else")
    path.symlink_to(other)
    replace_file(path, b"new")
    assert other.read_text() == "of somebody else"
    assert path.read_text() == "new"


def test_only_the_user_can_read_state_and_its_new_folder(tmp_path):
    path = tmp_path / "state" / "state.json"
    replace_file(path, b"new")
    assert mode_of(path) == 0o600
    assert mode_of(path.parent) == 0o700


def test_the_umask_limits_a_given_mode(tmp_path):
    path = tmp_path / "list"
    before = os.umask(0o027)
    try:
        with replacing(path, 0o666) as file:
            file.write(b"new")
    finally:
        os.umask(before)
    assert mode_of(path) == 0o640


@pytest.mark.parametrize("is_synced", [True, False])
@pytest.mark.parametrize("kept", range(len(encode_lines(["last"]))))
def test_a_torn_last_line_costs_no_other(tmp_path, kept, is_synced):
    path = tmp_path / "ledger"
    append_lines(path, [{"number": 1}, ["two"]], is_synced=is_synced)
    with open(path, "ab") as file:
        file.write(encode_lines(["last"])[:kept])
    append_lines(path, ["next"], is_synced=is_synced)
    found = [value for value in read_lines(path) if value != "last"]
    assert found == [{"number": 1}, ["two"], "next"]


def test_damaged_and_empty_lines_are_skipped(tmp_path):
    path = tmp_path / "ledger"
    path.write_bytes(b'\n1\n\n{"a":\n\xff\xfe\n2\n')
    assert [*read_lines(path)] == [1, 2]


def test_a_line_that_is_nested_too_deeply_is_skipped(tmp_path):
    path = tmp_path / "ledger"
    path.write_bytes(b"\n1\n" + b"[" * 100_000 + b"\n2\n")
    assert [*read_lines(path)] == [1, 2]
