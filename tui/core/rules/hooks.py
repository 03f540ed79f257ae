"""Where a hook's arguments are replaced, and where a value would be run as code.

A value is replaced as a whole argument, which no program can mistake for two. Some
programs run an argument as code, however: ``sh -c {name}`` runs the name of the file,
which the server chose. Such commands are refused by name and option. The list cannot be
complete, so values that are part of a longer text are not replaced at all.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tui.core.quick.pattern import late_pattern

if TYPE_CHECKING:
    from collections.abc import Sequence

DOWNLOAD_FACTS = ("id", "path", "name", "url", "error", "error_kind", "unpacked")
RUN_FACTS = ("done", "failed", "cancelled", "seconds")
FACTS = frozenset({"event", "state", "dir", "size", *DOWNLOAD_FACTS, *RUN_FACTS})
"""Names of all facts passed to commands, about one download or about the run."""
PLACEHOLDER = late_pattern(r"\{([a-z_]+)\}")
ARGUMENT = late_pattern(r"([\w./:=@%+,-]*)\{([a-z_]+)\}")
"""An argument whose end is replaced. Its beginning cannot be code."""

_SHELLS = (
    "sh ash bash dash rbash zsh ksh mksh pdksh yash fish csh tcsh busybox toybox xonsh"
    " nu elvish pwsh powershell su runuser script flock python pypy ipython vi vim nvim"
    " view ex psql git expect tclsh"
)
_LETTERS = {
    **dict.fromkeys(_SHELLS.split(), "c"),
    **dict.fromkeys(["perl", "ruby", "rscript", "r", "julia", "octave", "scala"], "eE"),
    **dict.fromkeys(["node", "nodejs", "bun", "deno"], "ep"),
    **dict.fromkeys(
        ["lua", "luajit", "osascript", "groovy", "elixir", "guile", "racket"], "e"
    ),
    **dict.fromkeys(["mysql", "mariadb", "gnuplot", "ghc", "rsync"], "e"),
    **dict.fromkeys(["awk", "gawk", "mawk", "nawk", "sed", "gsed"], "e"),
    "php": "rBRE",
    "tar": "IF",
    "env": "S",
    "emacs": "",
    "gdb": "",
    "lldb": "o",
}
"""Programs that run what follows certain options, and the letters of these options."""
_LONG_OPTION = late_pattern(
    r"--?(?:command|eval|exec|execute|expr|expression|print|run|source|code|cmd|ex|rsh"
    r"|to-command|checkpoint-action|use-compress-program|rsync-path|split-string"
    r"|session-command|encodedcommand|info-script|new-volume-script)",
    re.IGNORECASE,
)
_BY_FIRST_WORD = {
    **dict.fromkeys(["awk", "gawk", "mawk", "nawk"], "Fvil"),
    **dict.fromkeys(["sed", "gsed"], "l"),
}
"""Programs whose first argument is code, and their options with another value."""
_ALL_WORDS = frozenset(
    [
        "ssh",
        "mosh",
        "watch",
        "parallel",
        "tmux",
        "eval",
        "make",
        "gmake",
        "ninja",
    ]
)
"""Programs that give any of their arguments to a shell, here or elsewhere."""
_VERSION = late_pattern(r"[\d.-]*(?:\.exe)?\Z")


def code_arguments(words: Sequence[str]) -> list[int]:
    """Return the positions of arguments that a program would run as code.

    Args:
        words: a command with placeholders. Programs that start others (``env``,
            ``nice``, ``find -exec``) are seen through.
    """
    found: set[int] = set()
    for at, word in enumerate(words):
        name = _VERSION.sub("", word.rpartition("/")[2].lower())
        if name in _ALL_WORDS:
            found.update(range(at + 1, len(words)))
        if name in _LETTERS:
            found.update(_after_options(words, at + 1, _LETTERS[name]))
        if name in _BY_FIRST_WORD:
            found.update(_first(words, at + 1, _BY_FIRST_WORD[name]))
    return sorted(at for at in found if _is_replaced(words[at]))


def _is_replaced(word: str) -> bool:
    match = ARGUMENT.fullmatch(word)
    return match is not None and match[2] in FACTS


def _after_options(words: Sequence[str], start: int, letters: str) -> list[int]:
    """Return what belongs to options that take code, up to a script's file name."""
    found: list[int] = []
    for at in range(start, len(words)):
        word = words[at]
        option, placeholder, _ = word.partition("{")
        if _takes_code(option.partition("=")[0], letters):
            found += [at] if placeholder else _first(words, at + 1)
        elif "." in word and word[0] not in "-{" and words[at - 1][:1] != "-":
            break  # the arguments of ``python convert.py -c {path}``
    return found


def _takes_code(option: str, letters: str) -> bool:
    if _LONG_OPTION.fullmatch(option):
        return True
    return option[:1] == "-" and option[1:].isalnum() and option[-1] in letters


def _first(words: Sequence[str], start: int, with_value: str = "") -> list[int]:
    """Return the position of the first word that is not an option.

    Options may stand between ``-c`` and the script: ``sh -c -x SCRIPT``.

    Args:
        words: the command.
        start: where to begin.
        with_value: letters of options that are followed by their value. With ``-f``,
            the code is in a file, and no word is code.
    """
    at = start
    while at < len(words):
        word = words[at]
        if not word.startswith("-"):
            return [at]
        if with_value and word == "-f":
            return []
        at += 2 if len(word) == 2 and word[1] in with_value else 1
    return []
