"""Try completion in real shells: press Tab on a terminal and read the screen.

``python -m tests.cli.completion_trial [SHELL]...`` with the shells that are
installed; status 1 if one of them offers the wrong words. ``fetchtui`` must be on PATH.
"""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import shutil
import subprocess
import sys
import tempfile
import termios
import time
from pathlib import Path

TRIALS = (
    ("fetchtui --limit-\t", "--limit-rate"),
    ("fetchtui --on-exists ov\t", "overwrite"),
    ("fetchtui --on-exists=ov\t", "--on-exists=overwrite"),
    ("fetchtui conf\t", "config"),
    ("fetchtui config expl\t", "explain"),
    ("fetchtui config explain limit-\t", "limit-rate"),
    ("fetchtui compl\t", "completion"),
    ("fetchtui completion f\t", "fish"),
    ("fetchtui some-l\t", "some-list.txt"),
    ("fetchtui -o some-d\t", "some-dir"),
    ("fetchtui --profile met\t", "metered"),
)
"""What is typed, and the word that must then be on the line."""

_START = {
    "bash": (["bash", "--norc", "--noprofile", "-i"], "source {script}\n"),
    "zsh": (
        ["zsh", "-f", "-i"],
        "autoload -Uz compinit && compinit -u -D && source {script}\n",
    ),
    "fish": (["fish", "--no-config", "-i"], "source {script}\n"),
}
_ESCAPES = re.compile(
    r"\x1b\[[0-9;?<>=]*[ -/]*[@-~]|\x1b[\]P][^\x07\x1b]*(\x07|\x1b\\)|\x1b."
)
_TIMEOUT_S = 20.0


def _own_terminal() -> None:
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


class Terminal:
    """A shell on its own pseudo-terminal."""

    def __init__(self, command: list[str], cwd: str, env: dict[str, str]) -> None:
        self._leader, follower = pty.openpty()
        self._process = subprocess.Popen(
            command,
            cwd=cwd,
            env=env,
            stdin=follower,
            stdout=follower,
            stderr=follower,
            start_new_session=True,
            preexec_fn=_own_terminal,  # fish insists
        )
        os.close(follower)

    def type(self, text: str) -> None:
        """Press keys."""
        os.write(self._leader, text.encode())

    def read_until(self, wanted: str, timeout_s: float) -> str:
        """Return the output until it contains ``wanted``, or until the timeout."""
        seen = ""
        end = time.monotonic() + timeout_s
        while wanted not in seen and time.monotonic() < end:
            ready, _, _ = select.select([self._leader], [], [], 0.1)
            if ready:
                data = os.read(self._leader, 65536).decode(errors="replace")
                if "\x1b[c" in data:  # fish waits for the terminal type
                    self.type("\x1b[?62;c")
                if "\x1b[6n" in data:
                    self.type("\x1b[1;1R")
                seen = _ESCAPES.sub("", seen + data)
        return seen

    def close(self) -> None:
        """Kill the shell."""
        self._process.kill()
        self._process.wait()
        os.close(self._leader)


def try_shell(shell: str, home: Path) -> list[str]:
    """Return the completions that a shell got wrong."""
    script = home / f"completion.{shell}"
    script.write_bytes(subprocess.check_output(["fetchtui", "completion", shell]))
    (home / "some-list.txt").touch()
    (home / "some-dir").mkdir(exist_ok=True)
    (home / "config.toml").write_text("[profiles.metered]\n")
    env = {
        **os.environ,
        "HOME": str(home),
        "FETCHTUI_CONFIG": str(home / "config.toml"),
        "PS1": "$ ",
        "TERM": "xterm",
    }
    command, start = _START[shell]
    wrong = []
    for typed, wanted in TRIALS:
        terminal = Terminal(command, str(home), env)
        try:
            terminal.type(start.format(script=script) + "echo rea''dy\n")
            terminal.read_until("ready", _TIMEOUT_S)
            terminal.read_until("\0", 0.5)
            terminal.type(typed)
            line = f"{typed.rstrip().rpartition(' ')[0]} {wanted}"
            seen = terminal.read_until(line, _TIMEOUT_S)
            if line not in seen.replace("\r", ""):
                wrong.append(f"{shell}: {typed!r} gave {seen!r}")
        finally:
            terminal.close()
    return wrong


def main(shells: list[str]) -> int:
    """Try the given shells, or all that are installed."""
    wrong = []
    for shell in shells or [shell for shell in _START if shutil.which(shell)]:
        with tempfile.TemporaryDirectory() as home:
            found = try_shell(shell, Path(home))
        print(f"{shell}: {len(TRIALS) - len(found)} of {len(TRIALS)} right")
        wrong += found
    print(*wrong, sep="\n")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
