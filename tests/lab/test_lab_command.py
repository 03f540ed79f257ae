"""``fetchtui lab``: output, exports, errors and cleanup."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner

from tests.architecture.files import modules
from tests.architecture.test_layers import loaded
from tests.support.command import finish
from tests.support.until import until
from tui.cli.commands.lab import lab
from tui.cli.subcommands import find_subcommand
from tui.demo.server import ResponseScript
from tui.lab.catalog import BY_NAME, ENTRIES, TITLE_WIDTH, choose, explain
from tui.lab.report.export import check_export, report_of, to_markdown, write_beside

QUICK = ("--files", "6", "--latency", "5", "--disk-latency", "0", "--rounds", "1")


async def start(*arguments, cwd):
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-P",
        "-m",
        "tui.cli.commands.lab",
        *arguments,
        cwd=cwd,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def test_headless_prints_the_table_and_writes_exports(tmp_path):
    exports = ("--export", "r.md", "--export", "r.json", "--export", "r.svg")
    only = "one_by_one,asyncio_executor_save"
    process = await start("--only", only, *QUICK, *exports, cwd=tmp_path)
    ended = await finish(process)
    assert ended.status == 0, ended.err
    assert "one after another" in ended.out
    assert "same counts for all: ok 6, not found 0, error 0" in ended.out
    assert "cancelled in" in ended.out
    assert "round 1/1" in ended.err
    document = json.loads((tmp_path / "r.json").read_text())
    assert [s["name"] for s in document["strategies"]] == only.split(",")
    assert document["strategies"][0]["rounds"][0]["counts"] == {"ok": 6}
    ElementTree.parse(tmp_path / "r.svg")
    assert (tmp_path / "r.md").read_text().startswith("|  | files/s | MB/s | wall |")


async def test_a_user_list_is_raced_and_its_files_are_removed(
    tmp_path, server, temp_dir
):
    url = server.add("/one", ResponseScript(b"1"))
    (tmp_path / "list.txt").write_text(f"{url}\n{server.url('/none')}\n")
    process = await start(
        "list.txt", "--only", "thread_map", "--rounds", "2", cwd=tmp_path
    )
    ended = await finish(process)
    assert ended.status == 0, ended.err
    assert "ok 1, not found 1, error 0" in ended.out
    assert len(server.requests_for("/one")) == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["list.txt", "temp"]


async def test_nothing_is_imported_from_the_working_directory(tmp_path, temp_dir):
    for name in ("asyncio", "json", "multiprocessing", "tui"):
        (tmp_path / f"{name}.py").write_text(f"open('ran-{name}', 'w')")
    only = "one_by_one,processes_cpu"
    ended = await finish(await start("--only", only, *QUICK, cwd=tmp_path))
    assert ended.status == 0, ended.err
    assert "same counts for all: ok 6" in ended.out
    assert not list(tmp_path.glob("ran-*"))


async def test_ctrl_c_prints_the_results_so_far(tmp_path, temp_dir):
    slow = ("--files", "40", "--latency", "50", "--rounds", "50")
    process = await start("--only", "one_by_one", *slow, cwd=tmp_path)
    await until(lambda: list(temp_dir.glob("*/run-1")), 20)
    process.send_signal(signal.SIGINT)
    ended = await finish(process)
    assert ended.status == 130
    assert "one after another" in ended.out
    assert "Traceback" not in ended.err


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--only", "nothing"], "unknown strategy 'nothing'; available: one_by_one,"),
        (["--export", "results.txt"], "results.txt must end in .md, .json, .svg"),
        (["--export", "nowhere/r.md"], "nowhere is not a directory"),
        (["--bandwidth", "fast"], "'fast' is not a valid rate"),
        (["--size", "0"], "at least 1 byte"),
        (["no-such-list.txt"], "no such file"),
    ],
)
def test_errors_are_reported_before_anything_runs(arguments, reason):
    result = CliRunner().invoke(lab, ["--headless", *arguments])
    assert result.exit_code == 2
    assert reason in result.output


def test_lab_is_a_subcommand():
    assert find_subcommand("lab") is lab


def test_the_lab_imports_neither_textual_nor_http_clients_early():
    assert loaded(modules("tui/lab"), "textual click") == ""
    imported = [
        "tui.cli.commands.lab",
        "tui.lab.race",
        "tui.lab.report.plain",
        "tui.lab.report.export",
    ]
    assert loaded(imported, "textual rich httpx tui.engine tui.net") == ""


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_a_strategy_is_short_and_has_an_explanation(entry):
    explanation = explain(entry.name)
    assert explanation.headline.endswith(".")
    where, learn = explanation.paragraphs
    assert where.startswith("What runs where: ")
    assert learn.startswith("What to learn: ")
    assert explanation.code.startswith(("def run(", "async def run("))
    assert len(explanation.code.splitlines()) <= 45
    assert len(entry.title) <= TITLE_WIDTH


def test_every_strategy_module_is_in_the_catalog():
    names = [name.rpartition(".")[2] for name in modules("tui/lab/strategies")]
    assert sorted(names) == sorted([*BY_NAME, "strategies"])


def test_strategies_are_raced_in_the_order_of_the_catalog():
    chosen = choose(["engine", "one_by_one"])
    assert [entry.name for entry in chosen] == ["one_by_one", "engine"]


def test_exports_do_not_overwrite_older_ones(finished_race, tmp_path):
    report = report_of(finished_race)
    first = write_beside(report, tmp_path)
    second = write_beside(report, tmp_path)
    assert [path.name for path in first] == [
        "fetchtui-lab-1.md",
        "fetchtui-lab-1.json",
        "fetchtui-lab-1.svg",
    ]
    assert not set(first) & set(second)
    assert all(check_export(path) for path in second)
    for path in (*first, *second):
        os.unlink(path)


def test_markdown_has_a_row_per_strategy_and_a_caption(finished_race):
    text = to_markdown(report_of(finished_race))
    for entry in ENTRIES:
        assert f"| {entry.title} | " in text
    assert (
        "demo server, 24 files of about 40.0 KB, concurrency 4, latency 30 ms" in text
    )
