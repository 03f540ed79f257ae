"""Attacks on lists at a tenth of their size, and streams without an end."""

from __future__ import annotations

import os
import threading
import time

import pytest

from tests.fuzz.attacks import ATTACKS, ENDLESS, run, run_endless
from tui.core.request import BadRequestLine
from tui.sources import patient_stream
from tui.sources.list_file import load_file
from tui.sources.readers import lines


@pytest.mark.alone
@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_ends_soon(name: str) -> None:
    start = time.process_time()
    run(name, 0.1)
    assert time.process_time() - start < 2


@pytest.mark.alone
@pytest.mark.parametrize("name", ["letters", "backslashes", "headers", "nested links"])
def test_the_time_is_linear(name: str) -> None:
    # At this size, quadratic time took 4 to 50 seconds.
    start = time.process_time()
    run(name)
    assert time.process_time() - start < 4


@pytest.mark.parametrize("name", ENDLESS)
def test_an_endless_list_ends(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "LINES_LIMIT", 100_000)
    monkeypatch.setattr(lines, "LIST_LIMIT", 1 << 20)
    run_endless(name)


def reason(path: object) -> str:
    (item,) = load_file(str(path))
    assert isinstance(item, BadRequestLine)
    return item.reason


def test_a_pipe_without_writer_is_not_waited_for(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(patient_stream, "WAIT_S", 0.1)
    os.mkfifo(tmp_path / "pipe")
    assert reason(tmp_path / "pipe").startswith("cannot read: no data for")


def test_a_pipe_whose_writer_stops_is_not_waited_for(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(patient_stream, "WAIT_S", 0.1)
    os.mkfifo(tmp_path / "pipe")
    writer = os.open(tmp_path / "pipe", os.O_RDWR)
    os.write(writer, b"# no URL yet\n")
    assert reason(tmp_path / "pipe").startswith("cannot read: no data for")
    os.close(writer)


def test_a_pipe_is_read_to_its_end(tmp_path) -> None:
    os.mkfifo(tmp_path / "pipe")

    def write() -> None:
        (tmp_path / "pipe").write_text("http://a/x\n" * 3)

    thread = threading.Thread(target=write)
    thread.start()
    items = list(load_file(str(tmp_path / "pipe")))
    thread.join()
    assert [item.url for item in items] == ["http://a/x"] * 3
