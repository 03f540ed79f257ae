"""Hooks: which command runs when, with what data, and how failures are handled."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.fake_service import FakeService
from tui.core.notices import Notice, NoticeCode
from tui.core.request import DownloadRequest
from tui.core.settings import Hooks
from tui.messages import notice_text
from tui.postprocess.hooks import (
    FACTS,
    Ended,
    HookRunner,
    facts_of,
    facts_of_run,
    filled,
    placeholder_notice,
)

if TYPE_CHECKING:
    from pathlib import Path

TELL = (
    sys.executable,
    "-c",
    "import json, os, sys; open(sys.argv[1] + '/' + sys.argv[2], 'w').write(json.dumps("
    "{k[9:].lower(): v for k, v in os.environ.items() if k.startswith('FETCHTUI_')}))",
)


def service_with(*urls: str) -> FakeService:
    service = FakeService()
    service.add([DownloadRequest((url,)) for url in urls])
    return service


class Failures:
    def __init__(self) -> None:
        self.calls: list[tuple[str, int | None, str]] = []

    def __call__(self, kind: str, id: int | None, reason: str) -> None:
        self.calls.append((kind, id, reason))


async def ran(hooks: Hooks, service: FakeService, *ends: Ended | None) -> Failures:
    failures = Failures()
    runner = HookRunner(hooks, service, failures)
    for ended in ends:
        if ended is None:
            runner.push_all_done()
        else:
            runner.push(ended)
    async with asyncio.timeout(20):
        await runner.idle()
    return failures


def facts_in(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text())


async def test_hook_gets_all_facts_of_its_download(tmp_path):
    long = f"host/{'p' * 5000}/a.iso"
    service = service_with(f"http://ada:secret@{long}")
    hooks = Hooks(on_done=(*TELL, str(tmp_path), "0-{event}"))
    failures = await ran(hooks, service, Ended(0, True, unpacked="/x/a"))
    assert not failures.calls
    facts = facts_in(tmp_path / "0-done")
    assert facts["path"] == "/home/ada/downloads/a.iso"
    assert (facts["name"], facts["dir"]) == ("a.iso", "/home/ada/downloads")
    assert (facts["state"], facts["unpacked"], facts["error"]) == ("done", "/x/a", "")
    assert facts["url"] == f"http://{long}", "whole, without the password"
    assert facts["size"].isdigit()


async def test_failure_and_end_have_their_own_hooks(tmp_path):
    service = service_with("http://host/a")
    hooks = Hooks(
        on_failed=(*TELL, str(tmp_path), "failed"),
        on_all_done=(*TELL, str(tmp_path), "all"),
    )
    ends = [Ended(0, False, "gone", "not_found"), Ended(0, True), None]
    assert not (await ran(hooks, service, *ends)).calls
    failed = facts_in(tmp_path / "failed")
    assert (failed["error"], failed["error_kind"]) == ("gone", "not_found")
    everything = facts_in(tmp_path / "all")
    assert everything["event"] == "all_done"
    assert everything["failed"].isdigit()


EVIL = "$(touch evil)`touch evil`; touch evil; '\";touch evil;'"


@pytest.mark.parametrize(
    ("argument", "expected"),
    [
        ("{path}", "/d/{url}"),
        ("-o={url}", "-o=http://h/{path}"),
        ("--out={path}", "--out=/d/{url}"),
        ("-o{path}", "-o/d/{url}"),
        ("/srv/new/{name}", "/srv/new/a b"),
        ("host:in/{name}", "host:in/a b"),
        # Not at the end, or behind more than a plain prefix: may be code.
        ("{path}.old", "{path}.old"),
        ("{dir}/{name}", "{dir}/{name}"),
        ("rm {path}", "rm {path}"),
        ("rm\t{path}", "rm\t{path}"),
        ("'{path}", "'{path}"),
        ('"{path}', '"{path}'),
        ("`{path}", "`{path}"),
        ("a;{path}", "a;{path}"),
        ("rm${IFS}{path}", "rm${IFS}{path}"),
        ("{path}\n", "{path}\n"),
        ("awk {print $1}", "awk {print $1}"),
        ("{}", "{}"),
        ("{nothing}", "{nothing}"),
        ("--x={nothing}", "--x={nothing}"),
    ],
)
def test_a_placeholder_is_replaced_at_the_end_of_a_plain_argument(argument, expected):
    facts = {"path": "/d/{url}", "url": "http://h/{path}", "name": "a b"}
    assert filled(("{path}", argument), facts) == ["{path}", expected]


# As reported (each of these ran a file's name as code), then variants.
SCRIPTS = [
    ("sh", "-c", "echo {name}"),
    ("sh", "-c", "--", "echo {name}"),
    ("bash", "-c", "-x", "echo {name}"),
    ("rbash", "-c", "echo {name}"),
    ("flock", "FILE", "-c", "echo {name}"),
    ("su", "-c", "echo {name}", "USER"),
    ("script", "-qc", "echo {name}"),
    ("awk", 'BEGIN{system("echo {name}")}'),
    ("/bin/bash", "-euc", "rm {name}"),
    ("env", "A=1", "zsh", "-lc", "rm {name}"),
    ("env", "-S", "sh -c 'echo {name}'"),
    ("busybox", "sh", "-c", "echo '{name}'"),
    ("python3.12", "-c", "print('{name}')"),
    ("pypy3", "-c", "print({name})"),
    ("perl", "-ne", "print '{name}'"),
    ("nice", "node", "--eval", "f('{name}')"),
    ("ssh", "host", "cat > {name}"),
    ("tmux", "new-window", "less {name}"),
    ("xargs", "-I", "{}", "sh", "-c", "echo;{name}"),
    ("sed", "s/x/{name}/e"),
    ("make", "FILE=$(shell cat {name})"),
    ("find", ".", "-exec", "sh", "-c", "rm${IFS}{name}", ";"),
]


@pytest.mark.parametrize("template", SCRIPTS)
def test_a_name_is_never_part_of_a_script(template):
    facts = dict.fromkeys(FACTS, EVIL)
    assert filled(template, facts) == list(template)
    notice = placeholder_notice(Hooks(on_done=template))
    assert "$FETCHTUI_NAME" in notice_text(notice)


@pytest.mark.parametrize("program", ["sh", "bash", "awk", "flock", "script"])
async def test_no_program_runs_a_name(program, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    service = service_with("http://host/a")
    service.downloads[0].name = EVIL
    for template in SCRIPTS:
        if template[0] == program:
            await ran(Hooks(on_done=template), service, Ended(0, True))
    assert not (tmp_path / "evil").exists()


def test_what_is_no_fact_or_is_replaced_needs_no_notice():
    hooks = Hooks(
        ("mv", "-c", "{path}"), ("sh", "-c", "awk '{print}'"), ("x", "--to={dir}")
    )
    assert placeholder_notice(hooks) is None
    assert filled(hooks.on_done, {"path": "/x"}) == ["mv", "-c", "/x"]


@pytest.mark.parametrize("name", ["-rf", "--help", "-", "--", "-rf.bin", "-o /etc/x"])
async def test_no_value_looks_like_an_option(name):
    service = service_with("http://host/a")
    service.downloads[0].name = name
    facts = facts_of(Ended(0, False, f"{name} answered 404"), service)
    assert facts["name"] == f"./{name}"
    for word in FACTS:
        (_, argument) = filled(("rm", f"{{{word}}}"), facts)
        assert not argument.startswith("-")


async def test_facts_match_their_documented_names(tmp_path):
    service = service_with("http://host/a")
    one, all_of_them = (
        facts_of(Ended(0, True), service),
        facts_of_run(service.snapshot()),
    )
    assert one.keys() | all_of_them.keys() == FACTS


async def test_failing_hook_is_reported_for_its_download():
    service = service_with("http://host/a", "http://host/b")
    hooks = Hooks(on_done=("/bin/sh", "-c", "test $FETCHTUI_ID = 1 || exit 4"))
    failures = await ran(hooks, service, Ended(0, True), Ended(1, True))
    assert failures.calls == [
        ("hook", 0, Notice(NoticeCode.HOOK_FAILED, ("sh", "exited with status 4")))
    ]


async def test_missing_program_is_reported_once_and_disabled():
    service = service_with(*(f"http://host/{n}" for n in range(50)))
    hooks = Hooks(on_done=("no-such-program",))
    failures = await ran(hooks, service, *(Ended(n, True) for n in range(50)))
    reasons = {calls for _, id, calls in failures.calls if id is None}
    assert reasons == {
        Notice(NoticeCode.HOOK_DISABLED, ("program 'no-such-program' not found",))
    }
    assert len(failures.calls) <= hooks.at_once


@pytest.mark.parametrize("at_once", [1, 3])
async def test_hook_concurrency_is_limited(tmp_path, at_once):
    script = (
        f"cd {tmp_path}; mkdir run.$FETCHTUI_ID; ls -d run.* | wc -l >> seen;"
        " sleep 0.05; rmdir run.$FETCHTUI_ID"
    )
    service = service_with(*(f"http://host/{n}" for n in range(8)))
    hooks = Hooks(on_done=("sh", "-c", script), at_once=at_once)
    assert not (await ran(hooks, service, *(Ended(n, True) for n in range(8)))).calls
    seen = [int(line) for line in (tmp_path / "seen").read_text().split()]
    assert len(seen) == 8
    assert max(seen) <= at_once


async def test_many_downloads_are_queued(tmp_path):
    service = service_with("http://host/a")
    failures = Failures()
    runner = HookRunner(Hooks(on_done=("sleep", "30"), at_once=2), service, failures)
    before = len(asyncio.all_tasks())
    for _ in range(100_000):
        runner.push(Ended(0, True))
    assert len(runner) == 100_000
    assert len(asyncio.all_tasks()) == before + 2
    async with asyncio.timeout(20):
        await runner.close()
    assert len(runner) == 0
