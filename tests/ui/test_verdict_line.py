"""What bounds the run, and the automatic number, where they can be seen."""

from __future__ import annotations

import pytest
from rich.cells import cell_len

from tests.ui.dashboards import dashboard
from tests.ui.lively import lively_service
from tui.core.snapshot import AutoSnapshot

DISK = "bound by the disk: connections wait for it 82 % of the time; W adds a writer"
STEP = "16 give 23.9 MB/s (+98 %): tries 32"


async def test_the_whole_verdict_is_told_where_there_is_room():
    service = lively_service()
    service.verdict = DISK
    async with dashboard(service, size=(120, 36)) as board:
        assert any(line.strip() == DISK for line in board.screen())


async def test_the_last_step_of_the_automatic_choice_is_told_beside_it():
    service = lively_service()
    service.verdict, service.auto = DISK, AutoSnapshot(is_on=True, reason=STEP)
    async with dashboard(service, size=(160, 40)) as board:
        (line,) = (line for line in board.screen() if DISK in line)
        assert line.rstrip().endswith(f"auto: {STEP}")
    async with dashboard(service, size=(100, 30)) as board:
        (line,) = (line for line in board.screen() if "bound by the disk" in line)
        assert line.rstrip().endswith(f"auto: {STEP}")


@pytest.mark.parametrize("size", [(120, 36), (80, 24), (60, 15)])
async def test_a_key_lets_it_choose_and_a_number_pins_it(size):
    service = lively_service()
    async with dashboard(service, size=size) as board:
        assert " auto" not in board.screen()[1]
        await board.press("A")
        assert service.last == ("set_auto", True)
        assert "[+] auto" in board.screen()[1]
        await board.press("plus")
        assert "[+] pinned" in board.screen()[1]
        await board.press("A")
        assert "[+] auto" in board.screen()[1]
        await board.press("A")
        assert service.last == ("set_auto", False)


async def test_the_word_beside_the_number_can_be_clicked():
    service = lively_service()
    service.auto = AutoSnapshot(is_pinned=True)
    async with dashboard(service, size=(120, 36)) as board:
        at = board.screen()[1].index("pinned")
        await board.pilot.click(offset=(at + 1, 1))
        assert service.last == ("set_auto", True)


async def test_the_folded_graph_tells_what_bounds_in_short():
    service = lively_service()
    service.verdict = DISK
    async with dashboard(service, size=(80, 24)) as board:
        (line,) = (line for line in board.screen() if line.startswith(" net "))
        assert "bound by the disk" in line
        assert "MB/s" in line


async def test_hostile_words_stay_in_their_line():
    service = lively_service()
    service.verdict = "bound by \x1b[31m\nx: y"
    service.auto = AutoSnapshot(is_on=True, reason="\x1b[2J" * 60)
    async with dashboard(service, size=(100, 30)) as board:
        assert "\x1b" not in board.text()
        assert {cell_len(line) for line in board.screen()} == {100}


async def test_an_action_in_the_words_is_named_by_the_key_that_it_has():
    service = lively_service()
    service.verdict = "bound by the disk: {writers_more} adds a writer, {nothing} ends"
    async with dashboard(service, size=(120, 36)) as board:
        assert "bound by the disk: W adds a writer, nothing ends" in board.text()
    async with dashboard(service, size=(120, 36), keys={"writers_more": "F9"}) as board:
        assert "bound by the disk: F9 adds a writer" in board.text()
