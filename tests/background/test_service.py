"""Installing the service, without a service manager."""

from __future__ import annotations

import os
import plistlib
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from tui import __version__
from tui.background.address import Lock, address_of
from tui.background.protocol import PROTOCOL, Hello
from tui.cli.background.service import LaunchAgent, SystemdUnit, service


class Manager:
    """Records the commands that would reach the service manager."""

    def __init__(self) -> None:
        self.commands: list[list[str]] = []
        self.status = 0

    def run(self, command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        self.commands.append(command)
        return subprocess.CompletedProcess(command, self.status, "", "no bus\x1b")


@pytest.fixture
def manager(monkeypatch) -> Manager:
    made = Manager()
    monkeypatch.setattr("tui.cli.background.service.subprocess.run", made.run)
    return made


def invoke(*arguments: str):
    return CliRunner().invoke(service, arguments)


def test_a_unit_is_written_started_and_removed(manager, tmp_path, monkeypatch):
    monkeypatch.setenv("FETCHTUI_PROFILE", 'a$b%c"d')
    path = SystemdUnit("main").path
    folder = tmp_path / "a b%c"
    result = invoke("install", "-d", str(folder))
    assert result.exit_code == 0, result.output
    text = path.read_text()
    assert f'ExecStart="{sys.executable}" "-P" "-m" "tui" "service" "run"' in text
    assert f"WorkingDirectory={tmp_path}/a b%%c\n" in text
    assert manager.commands[-1] == [
        "systemctl",
        "--user",
        "enable",
        "--now",
        "fetchtui-main.service",
    ]
    assert 'Environment="FETCHTUI_PROFILE=a$b%%c\\"d"\n' in text
    assert "loginctl enable-linger" in result.output
    assert invoke("install").exit_code == 0  # its own file may be replaced
    assert invoke("uninstall").exit_code == 0
    assert not path.exists()
    assert "disable" in manager.commands[-1]


@pytest.mark.parametrize("command", ["install", "uninstall"])
def test_a_file_of_somebody_else_is_left_alone(manager, command):
    path = SystemdUnit("main").path
    path.parent.mkdir(parents=True)
    path.write_text("[Unit]\n")
    result = invoke(command)
    assert result.exit_code == 1
    assert "was not written by fetchtui service install" in result.output
    assert path.read_text() == "[Unit]\n"
    assert manager.commands == []


def test_a_process_that_runs_already_is_left_alone(manager):
    address = address_of("night")
    lock = Lock(address)
    assert lock.acquire()
    lock.write(Hello(PROTOCOL, __version__, os.getpid(), 1000.0, "night"))
    result = invoke("install", "--name", "night")
    lock.release()
    assert result.exit_code == 0, result.output
    assert f"'night' runs already (pid {os.getpid()})" in result.output
    assert "  fetchtui stop --name night\n" in result.output
    assert "enable --now fetchtui-night.service" in result.output
    assert not any("--now" in command for command in manager.commands)
    assert manager.commands[-1][-2:] == ["enable", "fetchtui-night.service"]


def test_without_a_manager_the_commands_are_shown(manager):
    manager.status = 1
    result = invoke("install")
    assert result.exit_code == 1
    assert "  systemctl --user enable --now fetchtui-main.service" in result.output
    assert "\x1b" not in result.output


def test_nothing_is_installed(manager):
    assert "no service is installed" in invoke("uninstall").output
    result = invoke("status")
    assert result.exit_code == 3
    assert "not installed" in result.output
    assert "'main' is not running" in result.output


def test_a_launch_agent_knows_its_own_files(tmp_path):
    agent = LaunchAgent("main")
    content = agent.text(Path("/data"))
    assert agent.is_own(content)
    listed = plistlib.loads(content)
    assert listed["ProgramArguments"][1:3] == ["-P", "-m"]
    assert listed["Label"] == agent.path.stem == "org.fetchtui.main"
    assert listed["WorkingDirectory"] == "/data"
    assert listed["KeepAlive"] == {"SuccessfulExit": False}
    assert all(isinstance(value, str) for value in listed["ProgramArguments"])
    variables = listed["EnvironmentVariables"].values()
    assert all(isinstance(value, str) for value in variables)
    assert not agent.is_own(plistlib.dumps({"Label": "org.fetchtui.main"}))
    assert not agent.is_own(b"<plist><garbage")
