"""Which command runs when, what it is told, and what becomes of failing ones."""

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
    scripts_in,
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


class Blame:
    def __init__(self) -> None:
        self.told: list[tuple[str, int | None, str]] = []

    def __call__(self, kind: str, id: int | None, reason: str) -> None:
        self.told.append((kind, id, reason))


async def ran(hooks: Hooks, service: FakeService, *ends: Ended | None) -> Blame:
    blame = Blame()
    runner = HookRunner(hooks, service, blame)
    for ended in ends:
        if ended is None:
            runner.push_all_done()
        else:
            runner.push(ended)
    async with asyncio.timeout(20):
        await runner.idle()
    return blame


def told(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text())


async def test_a_command_is_told_everything_about_its_download(tmp_path):
    service = service_with("http://ada:secret@host/a.iso")
    hooks = Hooks(on_done=(*TELL, str(tmp_path), "{id}-{event}"))
    blame = await ran(hooks, service, Ended(0, True, unpacked="/x/a"))
    assert not blame.told
    facts = told(tmp_path / "0-done")
    assert facts["path"] == "/home/ada/downloads/a.iso"
    assert (facts["name"], facts["dir"]) == ("a.iso", "/home/ada/downloads")
    assert (facts["state"], facts["unpacked"], facts["error"]) == ("done", "/x/a", "")
    assert facts["url"] == "http://host/a.iso", "without the password"
    assert facts["size"].isdigit()


async def test_a_failure_and_the_end_have_commands_of_their_own(tmp_path):
    service = service_with("http://host/a")
    hooks = Hooks(
        on_failed=(*TELL, str(tmp_path), "failed"),
        on_all_done=(*TELL, str(tmp_path), "all"),
    )
    ends = [Ended(0, False, "gone", "not_found"), Ended(0, True), None]
    assert not (await ran(hooks, service, *ends)).told
    failed = told(tmp_path / "failed")
    assert (failed["error"], failed["error_kind"]) == ("gone", "not_found")
    everything = told(tmp_path / "all")
    assert everything["event"] == "all_done"
    assert everything["failed"].isdigit()


def test_only_known_words_in_braces_are_replaced_once_and_never_the_program():
    facts = {"path": "/d/{url}", "url": "http://h/{path}"}
    template = ("{path}", "{path}", "awk {print $1}", "{}", "-o={url}", "{nothing}")
    assert filled(template, facts) == [
        "{path}",
        "/d/{url}",
        "awk {print $1}",
        "{}",
        "-o=http://h/{path}",
        "{nothing}",
    ]


@pytest.mark.parametrize(
    "template",
    [
        ("sh", "-c", "rm {path}"),
        ("/bin/bash", "-euc", "rm {path}", "{path}"),
        ("env", "A=1", "zsh", "-lc", "rm {path}"),
        ("python3.12", "-c", "print('{path}')"),
        ("perl", "-e", "print '{path}'"),
        ("nice", "node", "--eval", "{path}"),
    ],
)
def test_a_name_is_never_read_as_code(template):
    facts = {"path": "'; rm -rf ~; '"}
    (script,) = scripts_in(template)
    assert filled(template, facts)[script] == template[script]
    assert "$FETCHTUI_PATH" in notice_text(placeholder_notice(Hooks(on_done=template)))


def test_what_is_no_script_gets_no_advice():
    hooks = Hooks(("mv", "-c", "{path}"), ("sh", "-c", "awk '{print}'"), ("sh", "-c"))
    assert placeholder_notice(hooks) is None
    assert filled(hooks.on_done, {"path": "/x"}) == ["mv", "-c", "/x"]


async def test_the_facts_that_are_told_are_the_ones_that_are_known(tmp_path):
    service = service_with("http://host/a")
    one, all_of_them = (
        facts_of(Ended(0, True), service),
        facts_of_run(service.snapshot()),
    )
    assert one.keys() | all_of_them.keys() == FACTS


async def test_a_failing_command_is_told_of_its_own_download():
    service = service_with("http://host/a", "http://host/b")
    hooks = Hooks(on_done=("/bin/sh", "-c", "test $FETCHTUI_ID = 1 || exit 4"))
    blame = await ran(hooks, service, Ended(0, True), Ended(1, True))
    assert blame.told == [
        ("command", 0, Notice(NoticeCode.HOOK_FAILED, ("sh", "exited with status 4")))
    ]


async def test_a_missing_program_is_told_once_and_not_tried_again():
    service = service_with(*(f"http://host/{n}" for n in range(50)))
    hooks = Hooks(on_done=("no-such-program",))
    blame = await ran(hooks, service, *(Ended(n, True) for n in range(50)))
    reasons = {reason for _, id, reason in blame.told if id is None}
    assert reasons == {
        Notice(NoticeCode.HOOK_DISABLED, ("there is no program 'no-such-program'",))
    }
    assert len(blame.told) <= hooks.at_once


@pytest.mark.parametrize("at_once", [1, 3])
async def test_no_more_run_at_once_than_allowed(tmp_path, at_once):
    script = (
        f"cd {tmp_path}; mkdir run.$FETCHTUI_ID; ls -d run.* | wc -l >> seen;"
        " sleep 0.05; rmdir run.$FETCHTUI_ID"
    )
    service = service_with(*(f"http://host/{n}" for n in range(8)))
    hooks = Hooks(on_done=("sh", "-c", script), at_once=at_once)
    assert not (await ran(hooks, service, *(Ended(n, True) for n in range(8)))).told
    seen = [int(line) for line in (tmp_path / "seen").read_text().split()]
    assert len(seen) == 8
    assert max(seen) <= at_once


async def test_a_hundred_thousand_ends_are_a_queue_and_not_a_storm(tmp_path):
    service = service_with("http://host/a")
    blame = Blame()
    runner = HookRunner(Hooks(on_done=("sleep", "30"), at_once=2), service, blame)
    before = len(asyncio.all_tasks())
    for _ in range(100_000):
        runner.push(Ended(0, True))
    assert len(runner) == 100_000
    assert len(asyncio.all_tasks()) == before + 2
    async with asyncio.timeout(10):
        await runner.close()
    assert len(runner) == 0
