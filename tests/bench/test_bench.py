"""The benchmark tools can be loaded, and their arithmetic is right."""

from __future__ import annotations

import importlib
from dataclasses import replace

import pytest

from tests.bench.measure import Run
from tests.bench.programs import PEERS, contenders
from tests.bench.report import best_peer, ratio, results, table
from tests.bench.work import MIB, Data, Work, works

GOOD = Run(1.0, 0.5, 10 * MIB, 0, "", 0.0)
WORK = Work("small", "small", 3, 10, 2)


def runs(*seconds):
    return [replace(GOOD, wall_s=wall_s) for wall_s in seconds]


@pytest.mark.parametrize(
    "name",
    [
        "__main__",
        "compare",
        "far",
        "first_frame",
        "growth",
        "pieces",
        "proxies",
        "rates",
        "starve",
    ],
)
def test_every_benchmark_can_be_loaded(name):
    assert importlib.import_module(f"tests.bench.{name}").main


def test_runs_of_one_round_are_compared_with_each_other():
    assert ratio(runs(1, 10, 4), runs(2, 5, 1)) == 2.0


def test_a_round_with_a_wrong_file_is_left_out():
    wrong = replace(GOOD, wall_s=0.01, problem="a.bin has other bytes")
    assert ratio(runs(1, 1), [wrong, *runs(0.5)]) == 2.0


def test_a_peer_that_fails_is_never_the_best():
    rows = contenders(["aria2c", "curl"], fsync_off=False)
    done = {row.label: runs(9) for row in rows}
    done["curl -Z"] = [replace(GOOD, problem="exit status 7")]
    done["aria2c"] = runs(2)
    assert best_peer(done, rows) == "aria2c"


def test_a_wrong_file_is_named_in_the_report():
    rows = contenders(["curl"], fsync_off=False)
    done = {row.label: runs(1) for row in rows}
    done["fetchtui"] = [replace(GOOD, problem="a.bin has other bytes")]
    told = results(WORK, rows, done, dict.fromkeys(done, "command"))
    assert "**WRONG** fetchtui: a.bin has other bytes" in told


def test_every_row_of_a_work_says_its_connections():
    for row in contenders(PEERS, fsync_off=True):
        assert row.connections(works(is_quick=True)["many"])


def test_a_table_has_a_column_for_each_word_of_its_header():
    assert table(["a", "b"], [["1", "2"]]).splitlines() == [
        "| a | b |",
        "| --- | ---: |",
        "| 1 | 2 |",
    ]


def test_outputs_are_compared_with_what_is_served(tmp_path):
    data = Data(tmp_path / "data")
    data.make(WORK)
    output = tmp_path / "out"
    (tmp_path / "data" / "small").rename(output)
    assert data.problem(WORK, output) == ""
    (output / "000001.bin").write_bytes(bytes(10))
    assert data.problem(WORK, output) == "000001.bin has other bytes"
    (output / "000002.bin").unlink()
    assert "000002.bin" in data.problem(WORK, output)
