"""``fetchtui service``: run a background process from login on.

It is a unit of the user's systemd, or a launch agent of launchd on macOS. A file that
``fetchtui service install`` has not written is never replaced or removed.
"""

from __future__ import annotations

import os
import plistlib
import subprocess
import sys
from pathlib import Path
from typing import Protocol

import click

from tui.background.address import address_of, running
from tui.cli.background.connection import NOT_RUNNING, name_option
from tui.cli.background.start import StartError
from tui.core.rules.child_python import module_command
from tui.core.text.sanitize import sanitize
from tui.disk.state.replace import replacing

_MARK = "# Written by fetchtui service install; fetchtui service uninstall removes it."
_MARK_VARIABLE = "FETCHTUI_SERVICE"
_COMMAND_TIMEOUT_S = 30.0


class Manager(Protocol):
    """A service manager of the system."""

    path: Path
    """The file that describes the service."""

    def text(self, folder: Path) -> bytes:
        """Return the file for a service that saves to ``folder`` by default."""
        ...

    def is_own(self, content: bytes) -> bool:
        """Return True if ``install`` wrote a file with this content."""
        ...

    @property
    def start(self) -> list[list[str]]:
        """Commands that start it now and at each login."""
        ...

    @property
    def start_later(self) -> list[list[str]]:
        """Commands that start it at each login, but not now."""
        ...

    @property
    def end(self) -> list[list[str]]:
        """Commands that stop it and no longer start it."""
        ...

    def hints(self) -> list[str]:
        """Return lines on what else the user may want to do."""
        ...


class SystemdUnit:
    """A unit of ``systemd --user``."""

    def __init__(self, name: str) -> None:
        """Describe the service of the background process ``name``."""
        self._name = name
        self._unit = f"fetchtui-{name}.service"
        config = os.environ.get("XDG_CONFIG_HOME", "").strip() or "~/.config"
        self.path = Path(config).expanduser() / "systemd" / "user" / self._unit

    def text(self, folder: Path) -> bytes:
        """Return the unit."""
        command = " ".join(map(_quoted, _command(self._name)))
        lines = [
            _MARK,
            "[Unit]",
            f"Description=fetchtui downloads in the background ({self._name})",
            "",
            "[Service]",
            "Type=exec",
            f"ExecStart={command}",
            f"WorkingDirectory={_unit_path(folder)}",
            *(
                f"Environment={_quoted(f'{name}={value}', has_variables=False)}"
                for name, value in _environment().items()
            ),
            "Restart=on-failure",
            "RestartSec=5",
            # Wrong settings, or a process that runs already: it would fail again.
            f"RestartPreventExitStatus={StartError.exit_code}",
            # The last write and the grace period of hooks.
            "TimeoutStopSec=60",
            "",
            "[Install]",
            "WantedBy=default.target",
        ]
        return "\n".join(lines).encode() + b"\n"

    def is_own(self, content: bytes) -> bool:
        """Return True if the first line says where it comes from."""
        return content.startswith(_MARK.encode())

    @property
    def start(self) -> list[list[str]]:
        """Commands that start it now and at each login."""
        return [
            ["systemctl", "--user", "daemon-reload"],
            ["systemctl", "--user", "enable", "--now", self._unit],
        ]

    @property
    def start_later(self) -> list[list[str]]:
        """Commands that start it at each login, but not now."""
        return [
            ["systemctl", "--user", "daemon-reload"],
            ["systemctl", "--user", "enable", self._unit],
        ]

    @property
    def end(self) -> list[list[str]]:
        """Commands that stop it and no longer start it."""
        return [["systemctl", "--user", "disable", "--now", self._unit]]

    def hints(self) -> list[str]:
        """Say how to keep it running after logout, unless it is set already."""
        user = os.environ.get("USER", "")
        if user and Path("/var/lib/systemd/linger", user).exists():
            return []
        return [
            "It ends when you log out everywhere. To keep it running, and to start it"
            " when the machine starts:",
            "  loginctl enable-linger",
        ]


class LaunchAgent:
    """A launch agent of macOS."""

    def __init__(self, name: str) -> None:
        """Describe the service of the background process ``name``."""
        self._name = name
        self._label = f"org.fetchtui.{name}"
        self.path = Path("~/Library/LaunchAgents").expanduser() / f"{self._label}.plist"

    def text(self, folder: Path) -> bytes:
        """Return the property list."""
        return plistlib.dumps(
            {
                "Label": self._label,
                "ProgramArguments": _command(self._name),
                "WorkingDirectory": str(folder),
                "EnvironmentVariables": {**_environment(), _MARK_VARIABLE: self._name},
                "RunAtLoad": True,
                "KeepAlive": {"SuccessfulExit": False},
            }
        )

    def is_own(self, content: bytes) -> bool:
        """Return True if it sets the variable that ``text`` sets."""
        try:
            variables = plistlib.loads(content).get("EnvironmentVariables", {})
        except Exception:  # the parser raises whatever the XML makes it stumble over
            return False
        return isinstance(variables, dict) and _MARK_VARIABLE in variables

    @property
    def start(self) -> list[list[str]]:
        """Commands that start it now and at each login."""
        return [["launchctl", "bootstrap", f"gui/{os.getuid()}", str(self.path)]]

    @property
    def start_later(self) -> list[list[str]]:
        """Return nothing: launchd reads the file at the next login."""
        return []

    @property
    def end(self) -> list[list[str]]:
        """Commands that stop it and no longer start it."""
        return [["launchctl", "bootout", f"gui/{os.getuid()}/{self._label}"]]

    def hints(self) -> list[str]:
        """Say how long it runs."""
        return ["It runs while you are logged in to the desktop."]


def manager_of(name: str) -> Manager:
    """Return the service manager of this system."""
    return LaunchAgent(name) if sys.platform == "darwin" else SystemdUnit(name)


def _command(name: str) -> list[str]:
    return module_command("tui", "service", "run", "--name", name)


def _environment() -> dict[str, str]:
    """Return the variables that say where settings and state are, if they are set."""
    names = ("FETCHTUI_CONFIG", "FETCHTUI_STATE_DIR", "FETCHTUI_PROFILE")
    return {name: os.environ[name] for name in names if os.environ.get(name)}


def _quoted(text: str, *, has_variables: bool = True) -> str:
    """Quote a word of a unit file (systemd.service, "Command lines").

    Args:
        text: the word.
        has_variables: variables are replaced there, so ``$`` is special.
    """
    for character, escaped in (("\\", "\\\\"), ('"', '\\"'), ("%", "%%")):
        text = text.replace(character, escaped)
    if has_variables:
        text = text.replace("$", "$$")
    return f'"{text}"'


def _unit_path(folder: Path) -> str:
    """Return a path for a unit file, where only % is special."""
    return str(folder).replace("%", "%%")


# -- commands --------------------------------------------------------------------------


@click.group()
def service() -> None:
    """Start a background process at login, with systemd or launchd."""


@service.command()
@name_option
@click.option(
    "-d",
    "-o",
    "--output-dir",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(),
    help="Where relative output directories begin; default: this directory.",
)
@click.option("--no-start", is_flag=True, help="Only write the file.")
def install(name: str, folder: Path, no_start: bool) -> None:
    """Install the service and start it.

    Its settings are those of the settings file. A file of the same name that this
    command did not write is left alone.
    """
    manager = manager_of(name)
    folder = folder.absolute()
    if not str(folder).isprintable() or not sys.executable.isprintable():
        raise click.ClickException(
            "a path contains a control character; choose another"
        )
    _write(manager, manager.text(folder))
    click.echo(f"Wrote {manager.path}")
    record = None if no_start else running(address_of(name))
    commands = manager.start if record is None else manager.start_later
    is_started = no_start or _run(commands)
    if record is not None and is_started:
        click.echo(
            f"{name!r} runs already (pid {record.pid}) and is left alone. The service"
            " starts at the next login; to let it take over now:"
        )
        _show([["fetchtui", "stop", "--name", name], *manager.start[-1:]])
    elif no_start or not is_started:
        click.echo("To start it:")
        _show(manager.start)
    else:
        click.echo(f"Started {name!r}, now and at each login. It saves to {folder}.")
    for line in manager.hints():
        click.echo(line)
    sys.exit(0 if is_started else 1)


@service.command()
@name_option
def uninstall(name: str) -> None:
    """Stop the service and remove its file; downloads and session are kept."""
    manager = manager_of(name)
    content = _read(manager)
    if content is None:
        raise click.ClickException(f"no service is installed for {name!r}")
    _check_own(manager, content)
    is_stopped = _run(manager.end)
    manager.path.unlink()
    click.echo(f"Removed {manager.path}")
    if not is_stopped and running(address_of(name)) is not None:
        click.echo("The process is still running; fetchtui stop ends it.", err=True)


@service.command()
@name_option
def status(name: str) -> None:
    """Show if the service is installed and running.

    Exit status: 0 it runs, 3 it does not.
    """
    manager = manager_of(name)
    content = _read(manager)
    if content is None:
        click.echo(f"service: not installed ({manager.path})")
    elif manager.is_own(content):
        click.echo(f"service: installed ({manager.path})")
    else:
        click.echo(f"service: {manager.path} was not written by fetchtui")
    record = running(address_of(name))
    if record is None:
        click.echo(f"process: {name!r} is not running")
        sys.exit(NOT_RUNNING)
    click.echo(
        f"process: {name!r} is running (pid {record.pid}, fetchtui {record.version})"
    )


@service.command(hidden=True)
@name_option
def run(name: str) -> None:
    """Run the background process in the foreground, as the service manager does."""
    import gc

    from tui.cli.background.process import run_process
    from tui.cli.background.start import Started, StartOrder
    from tui.cli.load_settings import build_settings, load_settings
    from tui.cli.options import CommandLine

    gc.disable()  # until the downloads run, as in ``tui.cli.main``
    settings = build_settings(load_settings(CommandLine()))

    def report(started: Started) -> None:
        if started.unsaved:
            text = f"this session is not being saved: {started.unsaved}"
            click.echo(f"fetchtui: {text}", err=True)

    sys.exit(run_process(StartOrder(name, settings), report))


# -- files and commands ----------------------------------------------------------------


def _read(manager: Manager) -> bytes | None:
    try:
        return manager.path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        text = f"cannot read {manager.path}: {error.strerror}"
        raise click.ClickException(text) from None


def _check_own(manager: Manager, content: bytes) -> None:
    if not manager.is_own(content):
        raise click.ClickException(
            f"{manager.path} was not written by fetchtui service install;"
            " rename it, or use another --name"
        )


def _write(manager: Manager, content: bytes) -> None:
    found = _read(manager)
    if found is not None:
        _check_own(manager, found)
    path = manager.path
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path, 0o666, is_synced=False) as file:
            file.write(content)
    except OSError as error:
        text = f"cannot write {path}: {error.strerror}"
        raise click.ClickException(text) from None


def _run(commands: list[list[str]]) -> bool:
    """Run commands until one fails; return False then, after showing its error."""
    for command in commands:
        try:
            result = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=_COMMAND_TIMEOUT_S,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            reason = getattr(error, "strerror", None) or "it does not answer"
            click.echo(f"fetchtui: {command[0]}: {reason}", err=True)
            return False
        if result.returncode:
            text = sanitize(result.stderr.strip() or result.stdout.strip(), 500)
            click.echo(f"fetchtui: {' '.join(command)}: {text}", err=True)
            return False
    return True


def _show(commands: list[list[str]]) -> None:
    for command in commands:
        click.echo(f"  {' '.join(command)}")
