"""``fetchtui convert``: convert lists without downloading."""

from __future__ import annotations

import json
import os
import resource
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.support.command import fetchtui
from tui.cli.main import main
from tui.demo.script import ResponseScript
from tui.sources.load import load_sources

SAMPLES = Path(__file__).parents[2] / "sample_lists"


def run(*words: str, input: str = ""):
    return CliRunner().invoke(main, ["convert", *words], input=input)


@pytest.mark.parametrize("format", ["aria2", "csv", "json", "jsonl"])
@pytest.mark.parametrize(
    "sample", ["patterns.txt", "commands.txt", "session.aria2", "linux-images.meta4"]
)
def test_converted_list_has_the_same_requests(tmp_path, sample, format):
    suffix = ".txt" if format == "aria2" else f".{format}"
    there = tmp_path / f"list{suffix}"
    source = str(SAMPLES / sample)
    assert run("-t", format, "-o", str(there), source).exit_code == 0
    before, _ = load_sources([source], None)
    after, complaints = load_sources([str(there)], None)
    assert complaints == []
    for old, new in zip(before, after, strict=True):
        assert (old.mirrors, old.name, old.directory, old.checksum) == (
            new.mirrors,
            new.name,
            new.directory,
            new.checksum,
        )


def test_convert_reads_stdin_and_writes_stdout():
    result = run("-t", "json", "-", input="http://a/{1..2}\nhttp://a/1\n")
    assert [entry["url"] for entry in json.loads(result.stdout)] == [
        "http://a/1",
        "http://a/2",
    ]
    assert "note: stdin:2: duplicate of stdin:1; skipped" in result.stderr


def test_invalid_list_is_not_converted(tmp_path):
    there = tmp_path / "list.csv"
    result = run("-t", "csv", "-o", str(there), "-", input="http://a/1\nnope\n")
    assert (result.exit_code, result.stdout, there.exists()) == (2, "", False)
    assert "stdin:2: not a URL" in result.stderr


def test_existing_output_file_is_not_replaced(tmp_path):
    there = tmp_path / "mine.txt"
    there.write_text("mine")
    result = run("-o", str(there), "http://a/1")
    assert result.exit_code == 2
    assert "already exists; choose another file" in result.stderr
    assert there.read_text() == "mine"


def test_a_full_disk_leaves_no_part_of_a_list(tmp_path):
    there = tmp_path / "list.txt"
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, limits[1]))
    try:
        result = run("-o", str(there), "http://h.example/some/{1..60000}.bin")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert result.exit_code == 2
    assert "--output: File too large" in result.stderr
    assert os.listdir(tmp_path) == []


async def test_page_request_uses_the_settings_file(server, tmp_path):
    page = server.add("/list.html", ResponseScript(b"<a href='a.iso'>a</a>"))
    config = tmp_path / "config.toml"
    config.write_text('headers = ["X-From: the file"]\n')
    env = {"FETCHTUI_CONFIG": str(config)}
    words = "convert", "-t", "text", "--links", "*.iso", page
    ended = await fetchtui(*words, cwd=tmp_path, env=env)
    assert (ended.status, ended.out) == (0, page.replace("list.html", "a.iso") + "\n")
    (request,) = server.requests
    assert request.headers["x-from"] == "the file"
