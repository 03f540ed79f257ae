"""The bottleneck line, and the state of automatic concurrency in the header."""

from __future__ import annotations

import pytest

from tests.ui.dashboards import dashboard
from tests.ui.sample_state import sample_service
from tui.core.diagnosis import Diagnosis, Limit, LimitCause
from tui.core.download import DownloadState
from tui.core.notices import AutoCode, AutoReason
from tui.core.snapshot import AutoSnapshot

DISK = Diagnosis(Limit.DISK, LimitCause.DISK_WAIT_WRITERS, (0.82,))
DISK_TEXT = (
    "Limited by the disk: connections spend 82% of their time waiting for it"
    " (W adds a writer)"
)
STEP = AutoReason(AutoCode.GAIN_TRY_MORE, (16, 23.9e6, 0.98, 32))
STEP_TEXT = "16 downloads reach 23.9 MB/s (+98%); trying 32"


async def test_the_diagnosis_is_shown_in_full_if_it_fits():
    service = sample_service()
    service.diagnosis = DISK
    async with dashboard(service, size=(120, 36)) as board:
        assert any(line.strip() == DISK_TEXT for line in board.screen())


async def test_the_last_step_of_automatic_concurrency_is_shown_beside_it():
    service = sample_service()
    service.diagnosis, service.auto = DISK, AutoSnapshot(is_on=True, reason=STEP)
    async with dashboard(service, size=(160, 40)) as board:
        (line,) = (line for line in board.screen() if DISK_TEXT in line)
        assert line.rstrip().endswith(f"auto: {STEP_TEXT}")
    async with dashboard(service, size=(100, 30)) as board:
        (line,) = (line for line in board.screen() if "Limited by the disk" in line)
        assert line.rstrip().endswith(f"auto: {STEP_TEXT}")


async def test_a_trial_of_more_is_shown_only_while_downloads_are_queued():
    service = sample_service()
    trial = AutoReason(AutoCode.TRY_MORE, (32, 2.28e6, 64))
    service.auto = AutoSnapshot(is_on=True, reason=trial)
    text = "auto: 32 downloads reach 2.28 MB/s; trying 64"
    async with dashboard(service, size=(200, 60)) as board:
        assert text in board.text()
        for row in service.downloads:
            if row.state is DownloadState.QUEUED:
                service.finish(row.id)
        await board.tick()
        assert text not in board.text()


@pytest.mark.parametrize("size", [(120, 36), (80, 24), (60, 15)])
async def test_a_key_lets_it_choose_and_a_number_pins_it(size):
    service = sample_service()
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
    service = sample_service()
    service.auto = AutoSnapshot(is_pinned=True)
    async with dashboard(service, size=(120, 36)) as board:
        at = board.screen()[1].index("pinned")
        await board.pilot.click(offset=(at + 1, 1))
        assert service.last == ("set_auto", True)


async def test_the_folded_graph_shows_the_short_diagnosis():
    service = sample_service()
    service.diagnosis = DISK
    async with dashboard(service, size=(80, 24)) as board:
        (line,) = (line for line in board.screen() if line.startswith(" net "))
        assert "Limited by the disk" in line
        assert "MB/s" in line


async def test_an_action_in_the_words_is_named_by_its_key():
    service = sample_service()
    service.diagnosis = DISK
    async with dashboard(service, size=(120, 36)) as board:
        assert "(W adds a writer)" in board.text()
    async with dashboard(service, size=(120, 36), keys={"writers_more": "F9"}) as board:
        assert "(F9 adds a writer)" in board.text()


async def test_the_numbers_of_slots_are_those_of_the_header():
    service = sample_service()
    service.diagnosis = Diagnosis(Limit.CONCURRENCY, LimitCause.SLOTS_BUSY, (8, 20))
    async with dashboard(service, size=(120, 36)) as board:
        assert "all 12 slots busy, 72 queued" in board.text()
        service.concurrency = 25
        await board.tick()
        await board.tick()
        assert "slots busy" not in board.text()
