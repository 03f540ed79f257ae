"""The verbs of the command line, on a server with a service in memory."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from tests.support.fake_service import FakeService
from tests.support.until import until
from tui import __version__
from tui.background.address import Lock, address_of
from tui.background.handler import ClientHandler, Process
from tui.background.protocol import PROTOCOL, Hello
from tui.background.server import BackgroundServer
from tui.cli.commands.completion import answer
from tui.cli.main import main
from tui.cli.subcommands import find_subcommand
from tui.core.download import DownloadState
from tui.core.errors import ErrorKind
from tui.core.notices import PauseReason

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from click.testing import Result

_S = DownloadState


class Background:
    """A background process in the loop of the test, and its command line."""

    def __init__(self, name: str = "main") -> None:
        self.service = FakeService()
        self.stopped = asyncio.Event()
        self.address = address_of(name)
        self.lock = Lock(self.address)
        self.hello = Hello(PROTOCOL, __version__, os.getpid(), 1000.0, name)
        self.trouble = ""
        """Why the session is not saved."""
        process = Process(
            self.service,
            self.stopped.set,
            self._log,
            unsaved=lambda: self.trouble,
            save=self._save,
        )
        self.server = BackgroundServer(
            self.address,
            self.hello,
            lambda client: ClientHandler(process, client),
            notify=self.service.notify,
        )

    async def _log(self, limit: int) -> str:
        return ""

    async def _save(self) -> str:
        return self.trouble

    async def __call__(self, *arguments: str, stdin: str | None = None) -> Result:
        """Run ``fetchtui ARGUMENTS`` in a thread beside the server."""
        name, *others = arguments
        command = find_subcommand(name)
        runner = CliRunner()
        return await asyncio.to_thread(runner.invoke, command, others, input=stdin)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        self.lock.acquire()
        self.lock.write(self.hello)
        await self.server.open()
        yield
        await self.server.close("stopped")
        self.lock.release()


@pytest.fixture
async def fetchtui() -> AsyncIterator[Background]:
    made = Background()
    async with made.running():
        yield made


def _lines(result: Result) -> list[Any]:
    return [json.loads(line) for line in result.stdout.splitlines()]


async def test_ls_shows_a_table_and_a_summary(fetchtui):
    put = fetchtui.service.put
    put("a.iso", _S.DOWNLOADING, size=1000, received=250, speed=2048.0)
    put("b\x1b[2J.iso", _S.FAILED, error="bad\x07", error_kind="not_found")
    result = await fetchtui("ls")
    assert result.exit_code == 0
    head, first, second, summary = result.stdout.splitlines()
    assert head.split() == ["ID", "STATE", "DONE", "SIZE", "SPEED", "NAME"]
    assert first.split()[:3] == ["0", "downloading", "25%"]
    assert "(bad�)" in second
    assert "1 downloading · 1 failed" in summary
    assert "\x1b" not in result.stdout


async def test_ls_as_json_is_safe_to_show_and_filtered(fetchtui):
    put = fetchtui.service.put
    put("a.iso", _S.DONE, size=10, received=10, url="https://me:pw@example.org/a.iso")
    put("b\x1b.iso", _S.QUEUED)
    (row,) = _lines(await fetchtui("ls", "is:done", "--json"))
    assert row["url"] == "https://example.org/a.iso"
    assert (row["state"], row["bytes"], row["size"]) == ("done", 10, 10)
    (row,) = _lines(await fetchtui("ls", "1", "--json"))
    assert row["path"].endswith("/b�.iso")
    assert (row["size"], row["error"], row["error_kind"]) == (None, None, None)


async def test_verbs_report_what_they_changed(fetchtui):
    for name in ("a", "b", "c"):
        fetchtui.service.put(name)
    assert (await fetchtui("pause", "a", "1")).stdout == "Paused 2 downloads.\n"
    assert _lines(await fetchtui("resume", "is:paused", "--json")) == [
        {"changed": [0, 1]}
    ]
    fetchtui.service.fail(2)
    assert (await fetchtui("retry", "--all")).stdout == "Retrying 1 download.\n"
    assert (await fetchtui("cancel", "0-1")).stdout == "Cancelled 2 downloads.\n"
    assert (await fetchtui("remove", "--all")).stdout == "Removed 2 downloads.\n"


@pytest.mark.parametrize(
    ("verb", "state", "expected"),
    [
        ("remove", _S.QUEUED, "Removed 0 of 1 download; unfinished ones are cancelled"),
        ("cancel", _S.DONE, "Cancelled 0 of 1 download; the others have ended"),
        ("pause", _S.PAUSED, "Paused 0 of 1 download; the others are paused or have"),
        ("resume", _S.QUEUED, "Resumed 0 of 1 download; the others are neither paused"),
        ("retry", _S.DONE, "Retrying 0 of 1 download; the others have not failed"),
    ],
)
async def test_a_verb_that_changes_less_says_why(fetchtui, verb, state, expected):
    fetchtui.service.put("a", state)
    result = await fetchtui(verb, "a")
    assert result.exit_code == 0
    assert result.stdout.startswith(expected)


async def test_all_pauses_and_resumes_the_queue(fetchtui):
    fetchtui.service.put("a")
    await fetchtui("pause", "--all")
    assert fetchtui.service.is_queue_paused
    assert "The queue is paused; fetchtui resume --all" in (await fetchtui("ls")).stdout
    await fetchtui("resume", "--all")
    assert not fetchtui.service.is_queue_paused
    assert fetchtui.service.downloads[0].state is _S.QUEUED


async def test_a_target_without_match_changes_nothing(fetchtui):
    fetchtui.service.put("a")
    result = await fetchtui("pause", "a", "b\x1b")
    assert result.exit_code == 1
    assert "no download matches 'b�'" in result.stderr
    assert fetchtui.service.downloads[0].state is _S.QUEUED
    result = await fetchtui("pause", "is:nonsense")
    assert result.exit_code == 1
    assert "nonsense" in result.stderr


@pytest.mark.parametrize("arguments", [("a", "--all"), ("--json",)])
async def test_a_verb_needs_targets_or_all(fetchtui, arguments):
    assert (await fetchtui("cancel", *arguments)).exit_code == 2


async def test_add_sends_lists_urls_and_headers(fetchtui, tmp_path):
    path = tmp_path / "l.txt"
    path.write_text(
        "https://example.org/a\n  out=x.bin\n  header=Authorization: secret\n"
    )
    result = await fetchtui("add", str(path), "https://example.org/b")
    assert result.stdout == "Added 2 downloads (ids 0-1).\n"
    first, second = (download.request for download in fetchtui.service.downloads)
    assert (first.name, first.headers) == ("x.bin", (("Authorization", "secret"),))
    assert second.url == "https://example.org/b"
    result = await fetchtui("add", "-", "--json", stdin="https://example.org/c\n")
    assert _lines(result) == [{"first": 2, "count": 1}]


async def test_a_list_with_long_urls_is_added(fetchtui, tmp_path):
    """Signed URLs of object stores have some thousand characters."""
    path = tmp_path / "l.txt"
    with path.open("w") as file:
        for number in range(5_000):
            file.write(f"https://example.org/{number}?token={'A' * 2_000}\n")
    result = await fetchtui("add", str(path))
    assert result.stdout == "Added 5,000 downloads (ids 0-4999).\n"
    assert len(fetchtui.service.downloads) == 5_000


async def test_a_list_with_mistakes_adds_nothing(fetchtui, tmp_path):
    path = tmp_path / "l.txt"
    path.write_text("https://example.org/a\nftp://example.org/b\n")
    result = await fetchtui("add", str(path))
    assert result.exit_code == 2
    assert "l.txt:2" in result.stderr
    assert fetchtui.service.downloads == []


async def test_limits_are_shown_and_set(fetchtui):
    fetchtui.service.put("a", _S.DOWNLOADING)
    result = await fetchtui("limit", "--rate", "2M", "-c", "3", "--json")
    assert _lines(result)[0]["rate_limit"] == 2 << 20
    assert fetchtui.service.concurrency == 3
    result = await fetchtui("limit", "a", "--rate", "1k", "-s", "0")
    assert result.stdout == "Set for 1 download: rate limit 1k, connections by size.\n"
    assert fetchtui.service.limits[0] == 1024
    result = await fetchtui("limit", "--rate", "off", "-c", "auto")
    assert "rate limit       off" in result.stdout
    assert fetchtui.service.rate_limit is None


async def test_a_limit_is_set_for_more_downloads_than_open_requests(fetchtui):
    for number in range(200):
        fetchtui.service.put(f"f{number}", _S.DOWNLOADING)
    result = await fetchtui("limit", "0-199", "--rate", "1k", "-s", "2")
    assert result.stdout == "Set for 200 downloads: rate limit 1k, connections 2.\n"
    assert fetchtui.service.limits == dict.fromkeys(range(200), 1024)


@pytest.mark.parametrize(
    "arguments",
    [("--rate", "x"), ("-c", "0"), ("-c", "1e9"), ("a", "-c", "3"), ("a",)],
)
async def test_wrong_limits_are_usage_errors(fetchtui, arguments):
    assert (await fetchtui("limit", *arguments)).exit_code == 2


async def test_wait_has_the_status_of_a_run(fetchtui):
    put = fetchtui.service.put
    put("a", _S.DONE)
    put("b", _S.FAILED)
    assert (await fetchtui("wait", "a")).exit_code == 0
    result = await fetchtui("wait", "a", "b")
    assert (result.exit_code, result.stdout) == (1, "1 done, 1 failed\n")


async def test_wait_ends_when_the_process_is_stopped(fetchtui):
    fetchtui.service.put("a", _S.DOWNLOADING)
    waiting = asyncio.ensure_future(fetchtui("wait", "a"))
    while not fetchtui.service.subscriptions:  # noqa: ASYNC110
        await asyncio.sleep(0.005)
    await fetchtui.server.close("stopped")
    result = await waiting
    assert result.exit_code == 130
    assert "was stopped; its downloads are saved" in result.stderr


async def test_stop_waits_for_the_end(fetchtui):
    stopping = asyncio.ensure_future(fetchtui("stop"))
    await fetchtui.stopped.wait()
    await fetchtui.server.close("stopped")
    assert not stopping.done()
    fetchtui.lock.release()
    assert (await stopping).stdout.startswith("Stopped 'main'.")


async def test_stop_says_that_the_session_could_not_be_saved(fetchtui):
    fetchtui.trouble = "the disk\x1b is full"
    stopping = asyncio.ensure_future(fetchtui("stop"))
    await fetchtui.stopped.wait()
    await fetchtui.server.close("stopped")
    fetchtui.lock.release()
    result = await stopping
    assert result.exit_code == 1
    assert "could not be saved: the disk� is full" in result.stderr
    assert "add them again" in result.stderr


async def test_add_warns_that_the_session_is_not_saved(fetchtui):
    fetchtui.trouble = "the disk is full"
    result = await fetchtui("add", "https://example.org/a")
    assert result.exit_code == 0
    assert result.stdout == "Added 1 download (id 0).\n"
    assert "warning: this session is not being saved: the disk is full" in result.stderr


async def test_add_says_how_many_a_process_took_before_it_ended(
    fetchtui, tmp_path, monkeypatch
):
    path = tmp_path / "list.txt"
    path.write_text("".join(f"https://example.org/{n}\n" for n in range(12_000)))
    real = fetchtui.service.add
    calls = []

    def add(requests):
        calls.append(len(requests))
        if len(calls) == 2:
            raise asyncio.CancelledError  # the process is killed meanwhile
        return real(requests)

    monkeypatch.setattr(fetchtui.service, "add", add)
    adding = asyncio.ensure_future(fetchtui("add", str(path)))
    await until(lambda: len(calls) == 2)
    for channel in fetchtui.server._channels:
        channel.abort()
    result = await adding
    assert result.exit_code == 3
    assert "does not answer" in result.stderr
    assert "5,000 of 12,000 downloads were added before" in result.stderr
    assert "fetchtui -b LIST adds the others" in result.stderr


async def test_commands_that_are_suggested_name_the_process(monkeypatch):
    made = Background("night")
    async with made.running():
        made.service.pause_all()
        assert (
            "fetchtui resume --all --name night"
            in (await made("ls", "--name", "night")).stdout
        )
        stopping = asyncio.ensure_future(made("stop", "--name", "night"))
        await made.stopped.wait()
        made.lock.release()
        assert "fetchtui -b --name night continues" in (await stopping).stdout


async def test_wait_says_how_to_continue_after_an_error(fetchtui):
    fetchtui.service.put("a")
    fetchtui.service.pause_for(PauseReason(ErrorKind.DISK_FULL, "the disk is full"))
    result = await fetchtui("wait")
    assert result.exit_code == 1
    assert "fetchtui resume --all continues" in result.stderr


async def test_wait_without_downloads_says_so(fetchtui):
    result = await fetchtui("wait")
    assert (result.exit_code, result.stdout) == (0, "no downloads\n")


@pytest.mark.parametrize(
    "arguments",
    [("ls",), ("add", "https://example.org/"), ("pause", "1"), ("wait",), ("stop",)],
)
def test_without_a_process_the_text_says_how_to_start_one(arguments):
    result = CliRunner().invoke(find_subcommand(arguments[0]), arguments[1:])
    assert result.exit_code == 3
    assert "no background process 'main' is running" in result.stderr
    assert "fetchtui -b LIST starts one" in result.stderr


async def test_other_processes_are_named(fetchtui):
    result = await fetchtui("ls", "--name", "other")
    assert result.exit_code == 3
    assert "running: main" in result.stderr


async def test_a_wrong_name_is_a_usage_error(fetchtui):
    result = await fetchtui("ls", "--name", "../x")
    assert result.exit_code == 2
    assert "cannot name a background process" in result.stderr


async def test_another_version_is_named_with_the_command_that_helps(
    fetchtui, monkeypatch
):
    monkeypatch.setattr("tui.background.client.PROTOCOL", PROTOCOL + 1)
    result = await fetchtui("ls")
    assert result.exit_code == 3
    assert f"runs fetchtui {__version__} (protocol {PROTOCOL})" in result.stderr
    assert "fetchtui stop and then fetchtui -b" in result.stderr


async def test_stop_ends_a_process_of_another_version(fetchtui, monkeypatch):
    monkeypatch.setattr("tui.background.client.PROTOCOL", PROTOCOL + 1)
    killed = []

    def kill(pid: int, number: int) -> None:
        killed.append((pid, number))
        fetchtui.lock.release()

    monkeypatch.setattr("tui.cli.background.wait.os.kill", kill)
    assert (await fetchtui("stop")).exit_code == 0
    assert killed == [(os.getpid(), signal.SIGTERM)]


async def test_a_process_that_does_not_speak_the_protocol(fetchtui):
    await fetchtui.server.close("stopped")

    async def chatter(reader, writer) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\x1b[2J\r\n")
        writer.close()

    server = await asyncio.start_unix_server(chatter, fetchtui.address.socket)
    result = await fetchtui("ls")
    assert result.exit_code == 3
    assert "does not answer" in result.stderr
    assert "\x1b" not in result.stderr
    server.close()


async def test_ids_and_names_are_completed(fetchtui, monkeypatch, capsys):
    fetchtui.service.put("ubuntu.iso")
    fetchtui.service.put("evil\x1b.iso")

    def complete(words: str) -> str:
        monkeypatch.setenv("COMP_WORDS", f"fetchtui {words}")
        monkeypatch.setenv("COMP_CWORD", str(len(words.split(" "))))
        answer(main, "bash_complete")
        return capsys.readouterr().out

    assert "ubuntu.iso" in await asyncio.to_thread(complete, "pause ub")
    shown = await asyncio.to_thread(complete, "pause ")
    assert "plain,0" in shown
    assert "\x1b" not in shown
    assert await asyncio.to_thread(complete, "pause --name nobody ub") == ""
    assert "main" in await asyncio.to_thread(complete, "ls --name m")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["night", "--name", "day"], "give TARGET or --name, not both"),
        (["--name", "a b"], "'a b' cannot name a background process"),
        (["a b"], "'a b' cannot name a background process"),
    ],
)
def test_attach_takes_its_process_by_target_or_by_name(arguments, expected):
    result = CliRunner().invoke(find_subcommand("attach"), arguments)
    assert result.exit_code == 2
    assert expected in result.stderr
