"""Split copied commands into words, as a POSIX shell or Windows' cmd would.

Browsers offer "Copy as cURL" in both forms. Nothing is executed or expanded: variables,
globs and substitutions remain literal text.
"""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

COMMAND_LIMIT = 1 << 18
"""Maximum characters of a command; browsers send up to 16 KiB of cookies."""

_START = re.compile(
    r"(?:[$%>]\s+|PS>\s*)?(?:[A-Za-z]:)?(?:[\w.~\\/-]*[\\/])?(curl|wget2?)(?:\.exe)?\s",
    re.ASCII,
)
_QUOTED = re.compile(
    r"""'[^']*' | "(?:\\.|[^"\\])*" | \\. | \$'((?:\\.|[^'\\])*)'""",
    re.DOTALL | re.VERBOSE,
)
_ANSI = re.compile(
    r"\\(?:u([0-9A-Fa-f]{1,4})|U([0-9A-Fa-f]{1,8})|x([0-9A-Fa-f]{1,2})|([0-7]{1,3})|(.))",
    re.DOTALL,
)
_ANSI_LETTERS = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "e": "\x1b"}
_CARET = re.compile(r"\^(\r?\n(?:\r?\n)?|.|\Z)", re.DOTALL)
_BACKSLASHES = re.compile(r'(\\*)("?)')


def is_command(text: str) -> bool:
    """Return True if a line starts a curl or wget command."""
    return _START.match(text) is not None


def program_of(text: str) -> str:
    """Return ``curl`` or ``wget`` for a line that ``is_command`` accepts."""
    match = _START.match(text)
    return "curl" if match is not None and match[1] == "curl" else "wget"


def is_continued(line: str) -> bool:
    """Return True if the command continues on the next line."""
    line = line.rstrip("\r\n")
    ended = line.rstrip("\\")
    return (len(line) - len(ended)) % 2 == 1 or line.endswith("^")


def split_command(text: str) -> list[str]:
    """Split a command into words, starting with the program's name.

    Operators (``|``, ``>``, ``;``, ``&&``) become separate words where a POSIX shell
    would recognize them.

    Raises:
        ValueError: unclosed quote.
    """
    match = _START.match(text)
    text = text[match.start(1) if match is not None else 0 :]
    if '^"' in text or re.search(r"\^\r?(\n|\Z)", text):
        return list(_split_windows(text))
    text = text.replace("\\\r\n", " ").replace("\\\n", " ")
    lexer = shlex.shlex(
        _QUOTED.sub(_plain_quotes, text), posix=True, punctuation_chars="|<>;"
    )
    lexer.whitespace_split = True
    lexer.commenters = ""
    try:
        return list(lexer)
    except ValueError:
        raise ValueError("unclosed quote in the command") from None


def _plain_quotes(match: re.Match[str]) -> str:
    """Convert bash's ``$'...'``, which Chrome writes, to quotes that shlex supports."""
    if match[1] is None:
        return match[0]
    return shlex.quote(_ANSI.sub(_ansi_character, match[1]))


def _ansi_character(match: re.Match[str]) -> str:
    short, long, hexadecimal, octal, letter = match.groups()
    if letter is not None:
        return _ANSI_LETTERS.get(letter, letter)
    code = int(octal, 8) if octal else int(short or long or hexadecimal, 16)
    return chr(code) if code < 0x110000 else "\N{REPLACEMENT CHARACTER}"


def _split_windows(text: str) -> Iterator[str]:
    r"""Split as cmd and the Windows C library do: ``^`` escapes first, then ``\"``.

    Older browsers write plain quotes, inside which carets are literal; newer ones
    escape every quote with a caret.
    """
    if '^"' in text:
        text = _CARET.sub(lambda m: " " if m[1][:1] in "\r\n" else m[1], text)
    else:
        text = re.sub(r"\^\r?\n", " ", text)
    word = ""
    is_quoted = has_word = False
    at = 0
    while at < len(text):
        char = text[at]
        if char in '\\"':
            match = _BACKSLASHES.match(text, at)
            assert match is not None
            slashes, quote = match.groups()
            at = match.end()
            has_word = True
            if not quote:
                word += slashes
                continue
            word += "\\" * (len(slashes) // 2)
            if len(slashes) % 2:
                word += '"'
            elif is_quoted and text[at : at + 1] == '"':
                word += '"'
                at += 1
            else:
                is_quoted = not is_quoted
        elif char.isspace() and not is_quoted:
            if has_word:
                yield word
            word, has_word = "", False
            at += 1
        else:
            word += char
            has_word = True
            at += 1
    if is_quoted:
        raise ValueError("unclosed quote in the command")
    if has_word:
        yield word
