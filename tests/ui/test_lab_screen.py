"""The race screen, with keys and resizes while a small race runs."""

from __future__ import annotations

import asyncio
import tempfile

import pytest
from textual.widgets import Static

from tests.support.lines import line_text
from tests.support.until import until
from tui.lab.process import LabProcess
from tui.lab.race import Race, State, plan_for
from tui.lab.server_process import ServerProfile
from tui.ui.lab.app import LabApp
from tui.ui.lab.explain_dialog import ExplainDialog
from tui.ui.lab.screen import LabHeader

QUICK = ServerProfile(files=4, size=5_000, latency_s=0, rate=0)
SLOW = ServerProfile(files=60, size=20_000, latency_s=0.1, rate=0)
pytestmark = pytest.mark.usefixtures("temp_folder")


@pytest.fixture
def temp_folder(monkeypatch, tmp_path):
    folder = tmp_path / "temp_folder"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield folder
    assert list(folder.iterdir()) == []
    assert not LabProcess._alive


def app_for(*names, profile=QUICK, **options):
    options = {"rounds": 1, "has_cancel_round": False, **options}
    return LabApp(plan_for(names, profile=profile, **options))


def shown(widget):
    return "\n".join(line_text(line) for line in widget._lines)


async def until_over(app):
    await until(lambda: app.race_screen.race.is_over, 30)
    await app.race_screen.runner
    app.race_screen.tick()


async def test_a_race_runs_and_shows_its_figures():
    app = app_for("one_by_one", "asyncio_blocking_save")
    async with app.run_test(size=(120, 36)):
        await until_over(app)
        screen = app.race_screen
        row = shown(screen.table).splitlines()[3]
        assert "✓ one after another" in row
        assert "MB" in row
        assert "same counts, same data" in shown(screen.table)
        assert "medians" not in shown(screen.header)
        assert "4 files of about 5.00 KB" in shown(screen.header)
        assert "1.0x" in shown(screen.chart)
        assert "ok 4, not found 0, error 0" in shown(screen.pane)
        assert "What runs where:" in shown(screen.pane)


async def test_x_cancels_the_row_that_runs_and_says_how_that_went():
    app = app_for("asyncio_executor_save", profile=SLOW, concurrency=2)
    async with app.run_test(size=(120, 36)) as pilot:
        (entrant,) = app.race_screen.race.entrants
        await until(lambda: entrant.progress.get("received"), 20)
        await pilot.press("x")
        assert entrant.state in (State.STOPPING, State.CANCELLED)
        await until_over(app)
        assert entrant.state is State.CANCELLED
        assert "interrupted" in shown(app.race_screen.pane).replace("\n", " ")
        await pilot.press("x")
        assert "nothing to cancel" in shown(app.race_screen.footer)


async def test_threads_that_run_are_said_to_be_beyond_cancelling():
    app = app_for("as_completed", profile=SLOW, concurrency=2)
    async with app.run_test(size=(80, 24)) as pilot:
        (entrant,) = app.race_screen.race.entrants
        await until(lambda: entrant.progress.get("received"), 20)
        await pilot.press("x")
        await until_over(app)
        note = "running threads could not be stopped"
        assert note in entrant.note
        assert note in shown(app.race_screen.pane)


@pytest.mark.parametrize(
    ("width", "end"), [(80, "20.0 KB"), (120, "latency 100 ms"), (160, "8.0 ms")]
)
def test_the_head_line_shows_whole_facts(width, end):
    plan = plan_for(("one_by_one",), profile=SLOW, disk_latency_s=0.008)
    (line,) = LabHeader(Race(plan)).body(width, 1)
    shown = line_text(line).rpartition("  ")[0].rstrip()
    assert shown.startswith(" fetchtui lab demo server, 60 files of about 20.0 KB")
    assert shown.endswith(end)


async def test_enter_explains_with_the_code_and_escape_comes_back():
    app = app_for("one_by_one", "thread_map")
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.press("down", "enter")
        await pilot.pause()
        dialog = app.screen
        assert isinstance(dialog, ExplainDialog)
        code = dialog.query_one("#code", Static)
        assert "pool.map(download_one, job.targets)" in code.content.code
        text = " ".join(str(it.content) for it in dialog.query(Static))
        assert "What to learn:" in text
        await pilot.press("escape")
        await pilot.pause()
        assert app.screen is app.race_screen
        await until_over(app)


async def test_e_writes_results_of_a_race_that_has_some(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    app = app_for("one_by_one")
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.press("e")
        assert "no results yet" in shown(app.race_screen.footer)
        await until_over(app)
        await pilot.press("e")
        await until(lambda: "wrote fetchtui-lab-1" in shown(app.race_screen.footer))
    assert {path.suffix for path in tmp_path.glob("fetchtui-lab-1.*")} == {
        ".md",
        ".json",
        ".svg",
    }


async def test_r_runs_the_race_again_but_not_twice_at_once():
    app = app_for("one_by_one")
    async with app.run_test(size=(120, 36)) as pilot:
        await pilot.press("r")
        assert "the race is running" in shown(app.race_screen.footer)
        first = app.race_screen.race
        await until_over(app)
        await pilot.press("r")
        assert app.race_screen.race is not first
        await until_over(app)
        assert app.race_screen.race.entrants[0].record.rounds


async def test_q_in_the_middle_ends_what_runs():
    app = app_for("one_by_one", profile=SLOW)
    async with app.run_test(size=(120, 36)) as pilot:
        (entrant,) = app.race_screen.race.entrants
        await until(lambda: entrant.progress.get("received"), 20)
        await pilot.press("q")
    assert await app.end_race() is False
    assert LabProcess._alive == set()


async def test_a_strategy_that_dies_is_marked_in_red():
    app = app_for("one_by_one", profile=SLOW)
    async with app.run_test(size=(120, 36)):
        (entrant,) = app.race_screen.race.entrants
        await until(lambda: entrant.progress.get("received"), 20)
        entrant.process.kill()
        await until_over(app)
        screen = app.race_screen
        assert "✗ one after another" in shown(screen.table)
        assert "failed: killed by SIGKILL" in shown(screen.pane)
        assert "some results differ or failed" in shown(screen.table)


@pytest.mark.parametrize("size", [(120, 36), (80, 24), (60, 15), (40, 10), (20, 3)])
async def test_every_size_keeps_the_rows_whole(size):
    app = app_for(profile=SLOW)
    async with app.run_test(size=size) as pilot:
        await pilot.press("end")
        screen = app.race_screen
        screen.tick()
        await pilot.pause()
        for widget in (screen.header, screen.table, screen.pane, screen.footer):
            for line in widget._lines:
                assert len(line_text(line)) <= size[0]
        if size[1] > 3:
            assert "CPU work in" in shown(screen.table)
        await pilot.press("q")
    await app.end_race()


async def test_ascii_terminals_get_ascii(monkeypatch):
    monkeypatch.setenv("FETCHTUI_ASCII", "1")
    app = app_for("one_by_one", "asyncio_executor_save")
    async with app.run_test(size=(100, 30)):
        await until_over(app)
        screen = app.race_screen
        for widget in (screen.table, screen.chart, screen.pane):
            for y in range(widget.size.height):
                assert widget.render_line(y).text.isascii()


async def test_the_spinner_of_a_loop_is_turned_by_that_loop():
    app = app_for("asyncio_blocking_save", profile=SLOW)
    async with app.run_test(size=(120, 36)) as pilot:
        screen = app.race_screen
        (entrant,) = screen.race.entrants
        await until(lambda: entrant.progress.get("received"), 20)
        entrant.progress["beats"] = 0
        still = screen.table._glyph(entrant)
        screen.table.ticks += 1
        assert screen.table._glyph(entrant) == still
        entrant.progress["beats"] = 10
        assert screen.table._glyph(entrant) != still
        await pilot.press("q")
    await asyncio.wait_for(app.end_race(), 20)


async def test_the_mouse_chooses_explains_and_presses_keys():
    # Slow enough that the second row still waits when it is withdrawn.
    app = app_for("one_by_one", "thread_map", profile=SLOW)
    async with app.run_test(size=(120, 36)) as pilot:
        screen = app.race_screen
        await pilot.click(screen.table, offset=(6, 4))
        assert screen.table.entrant.entry.name == "thread_map"
        await pilot.click(screen.table, offset=(6, 4))
        await pilot.pause()
        assert isinstance(app.screen, ExplainDialog)
        await pilot.press("escape")
        await pilot.click(screen.footer, offset=(2, 0))
        await pilot.pause()
        assert screen.table.entrant.is_withdrawn
        await pilot.press("up", "x")  # the row that runs need not be waited for
        await until_over(app)


async def test_a_race_that_cannot_begin_says_why(monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    app = app_for("one_by_one")
    async with app.run_test(size=(120, 36)):
        await until(lambda: app.race_screen.runner.done())
        await until(lambda: "the race failed" in shown(app.race_screen.footer))
    assert not app.race_screen.race.is_clean
