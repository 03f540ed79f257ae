"""Attaching over ssh: its arguments, its errors, and a connection that is lost.

A script takes the place of ssh. As the other machine does, it gives the command to a
shell, with the usual short PATH; fetchtui is where pipx installs it.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from tests.support.attached import a_server
from tests.support.fake_service import FakeService
from tests.support.until import until
from tui.background.attach.link import Link
from tui.background.attach.replica import Replica
from tui.background.attach.ssh import SshConnector, SshTarget, command, parse_target
from tui.background.client import ConnectionLost, NotRunning
from tui.cli.background.attach import link_to
from tui.core.attachment import LinkState
from tui.core.download import DownloadState
from tui.messages import detached_text

if TYPE_CHECKING:
    from pathlib import Path

_BRIDGE = """#!/bin/sh
printf '%s\\n' "$@" >> "$FAKE_SSH.log"
echo $$ > "$FAKE_SSH.pid"
while [ "$1" != -- ]; do shift; done
shift 2
PATH=/usr/bin:/bin exec sh -c "exec $*"
"""
_FETCHTUI = f"""#!/bin/sh
exec {sys.executable} -m tui "$@"
"""


@pytest.fixture
def ssh(tmp_path, monkeypatch) -> Path:
    """Replace ssh; the file beside it with ``.log`` has its arguments."""
    program = tmp_path / "bin" / "ssh"
    program.parent.mkdir()
    program.write_text(_BRIDGE)
    program.chmod(0o755)
    installed = tmp_path / "home dir/.local/bin/fetchtui"
    installed.parent.mkdir(parents=True)
    installed.write_text(_FETCHTUI)
    installed.chmod(0o755)
    monkeypatch.setenv("HOME", str(tmp_path / "home dir"))
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")
    monkeypatch.setenv("FAKE_SSH", str(program))
    return program


def link_over_ssh(name: str = "main") -> tuple[Replica, Link]:
    replica = Replica()
    connector = SshConnector(SshTarget("ada@far", 2222, name))
    return replica, Link(replica, connector, name, "ada@far")


async def test_verbs_travel_over_ssh_and_a_killed_ssh_is_started_again(ssh):
    service = FakeService()
    service.put("far.bin", DownloadState.QUEUED)
    async with a_server(service):
        replica, link = link_over_ssh()
        await link.start()
        try:
            assert (await replica.fetch_rows([0]))[0].name == "far.bin"
            log = ssh.with_suffix(".log")
            arguments = log.read_text().splitlines()
            assert arguments[-3:-1] == ["--", "ada@far"]
            assert arguments[-1].endswith("exec fetchtui bridge main'")
            assert "-oBatchMode=yes" not in arguments, "it may ask for a password"
            link._replica._outbox.connection._process.kill()
            await until(lambda: link.state is LinkState.LOST)
            await until(lambda: link.state is LinkState.CONNECTED, 20)
            assert "-oBatchMode=yes" in log.read_text().splitlines()
            assert replica.pause([0]) == [0]
            await replica.sync()
            assert service.downloads[0].state is DownloadState.PAUSED
        finally:
            await link.close()


async def test_no_process_on_the_other_machine_is_said_by_the_other_machine(ssh):
    _, link = link_over_ssh("nosuch")
    with pytest.raises(NotRunning, match="no background process 'nosuch'"):
        await link.start()
    await link.close()


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("echo 'ssh: connect to host far port 22: refused' >&2; exit 255", "refused"),
        ("echo 'sh: fetchtui: not found' >&2; exit 127", "not installed there"),
        (
            'rm -r "$HOME/.local"; PATH=/usr/bin:/bin; for a; do :; done; sh -c "$a"',
            "not installed there",
        ),
        ("printf '\\033[31mred\\033[0m\\n' >&2; exit 1", "red"),
        ("echo Welcome to far; exit 0", "must print nothing"),
        ("exit 1", ""),
    ],
)
async def test_what_ssh_prints_is_the_reason(ssh, script, reason):
    ssh.write_text(f"#!/bin/sh\n{script}\n")
    _, link = link_over_ssh()
    with pytest.raises(ConnectionLost) as caught:
        await link.start()
    assert reason in str(caught.value)
    assert "\x1b" not in str(caught.value)
    await link.close()


async def test_without_ssh_the_reason_says_so(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    _, link = link_over_ssh()
    with pytest.raises(ConnectionLost, match="cannot start ssh"):
        await link.start()
    await link.close()


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("ssh://far", SshTarget("far", None, "main")),
        (
            "ssh://ada@far.example.org:2222/night",
            SshTarget("ada@far.example.org", 2222, "night"),
        ),
        ("ssh://10.0.0.7/", SshTarget("10.0.0.7", None, "main")),
    ],
)
def test_targets(text, target):
    assert parse_target(text) == target
    arguments = command(target, is_first=False)
    assert arguments[arguments.index("--") + 1] == target.host


@pytest.mark.parametrize(
    "text",
    [
        "ssh://",
        "ssh://-oProxyCommand=id",
        "ssh://-v",
        "ssh://ada@-v",
        "ssh://ada:secret@far",
        "ssh://far:port",
        "ssh://far/../etc",
        "ssh://far/a;b",
        "ssh://far/a b",
        "ssh://fa r",
        "ssh://far\n",
        "ssh://$(id)",
        "ssh://far?x=1",
    ],
)
def test_targets_that_ssh_or_a_shell_could_misread_are_refused(text):
    with pytest.raises(ValueError, match=r".") as caught:
        parse_target(text)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "target", ["ssh://far", "ssh://ada@far:2222", "ssh://ada@far:2222/night"]
)
def test_the_command_that_attaches_again_has_the_port(target):
    link = link_to(Replica(), target, parse_target(target))
    service = FakeService()
    service.put("a")
    assert f"fetchtui attach {target} shows it" in detached_text(
        link, service.snapshot()
    )
