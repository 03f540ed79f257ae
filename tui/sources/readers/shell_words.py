"""Split copied commands into words, as a POSIX shell or Windows' cmd would.

Browsers offer "Copy as cURL" in both forms. Nothing is executed or expanded: variables,
globs and substitutions remain literal text.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from tui.core.quick.pattern import late_pattern

if TYPE_CHECKING:
    from collections.abc import Iterator

COMMAND_LIMIT = 1 << 18
"""Maximum characters of a command; browsers send up to 16 KiB of cookies."""

_PROGRAM = r"(?:[A-Za-z]:)?(?:[\w.~\\/-]*[\\/])?(curl|wget2?)(?:\.exe)?"
_VARIABLE = (
    r"(?:[A-Z][A-Z0-9_]*|https?_proxy|all_proxy|no_proxy)="
    r"(?:\"[^\"]*\"|'[^']*'|[^\s\"'])*\s+"
)
_RUNS_COMMANDS = (
    "sudo",
    "doas",
    "command",
    "exec",
    "time",
    "nohup",
    "nice",
    "env",
    "builtin",
    "stdbuf",
)
_WRAPPER = (
    rf"(?:{'|'.join(_RUNS_COMMANDS)})\s+"
    r"(?:-(?:[ug]\s+[\w-]+|n\s+-?\d+|[\w=-]+)\s+)*+"
)
_FOLDER_PROGRAMS = "cd|pushd|mkdir"
_REST_OF_STEP = r"\s[^;&|<>()$`'\"\n]*(?:&&|;)\s*"
_STEP = rf"(?:{_FOLDER_PROGRAMS}){_REST_OF_STEP}"
"""What often stands before a copied command."""
_STEP_NAMES = late_pattern(rf"({_FOLDER_PROGRAMS}){_REST_OF_STEP}")
_START = late_pattern(
    r"(?:[$%>]\s+|PS>\s*)?"
    rf"((?:[({{!]\s*|{_WRAPPER}|{_VARIABLE}|{_STEP})*+){_PROGRAM}(?=\s)",
    re.ASCII,
)
"""A prompt, what runs the command (``sudo``, parentheses, variables) or changes the
folder, and the program."""


class Token(NamedTuple):
    """A word or an operator of a command line."""

    text: str
    is_operator: bool = False
    """True if the shell acts on it; a quoted ``|`` is a word."""


_PLAIN = late_pattern(r"[^\s\\'\"$|<>;&()#]+")
_OPERATOR = late_pattern(
    r"\|\||\|&|\||;;|;|&&|&>>|&>|&|<<<|<<-?|<>|<&|<|>>|>\||>&|>", re.ASCII
)
_IN_DOUBLE_QUOTES = late_pattern(r'[^"\\]+')
_ANSI_QUOTED = late_pattern(r"\$'((?:[^'\\]|\\.)*+)'", re.DOTALL)
_ANSI = late_pattern(
    r"\\(?:u([0-9A-Fa-f]{1,4})|U([0-9A-Fa-f]{1,8})|x([0-9A-Fa-f]{1,2})|([0-7]{1,3})|(.))",
    re.DOTALL,
)
_ANSI_LETTERS = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "e": "\x1b"}
_BACKSLASHES = late_pattern(r'(\\*)("?)')
_BACKTICK_END = late_pattern(r"[ \t]`(?=\r?\n|\Z)")
"""How a line continues in PowerShell."""
_UNCLOSED = "unclosed quote in the command"


def is_command(text: str) -> bool:
    """Return True if a line starts a curl or wget command."""
    return _START.match(text) is not None


def steps_before(text: str) -> list[str]:
    """Return the programs that change the folder before a line's first command."""
    match = _START.match(text)
    names = _STEP_NAMES.findall(match[1]) if match is not None else ()
    return list(dict.fromkeys(names))


def program_of(words: list[str]) -> tuple[str, int]:
    """Return the program that words run, and the index of the first argument.

    ``curl`` or ``wget``; ``""`` for any other program.
    """
    for at, word in enumerate(words):
        name = word.replace("\\", "/").rpartition("/")[2].removesuffix(".exe")
        if name in ("curl", "wget", "wget2"):
            return name.removesuffix("2"), at + 1
        if word not in _RUNS_COMMANDS and "=" not in word and word[:1] not in "-{!":
            break
    return "", 0


def is_continued(line: str) -> bool:
    """Return True if the command continues on the next line."""
    line = line.rstrip("\r\n")
    ended = line.rstrip("\\")
    is_escaped = (len(line) - len(ended)) % 2 == 1
    return is_escaped or line.endswith("^") or _BACKTICK_END.search(line) is not None


def split_command(text: str) -> list[Token]:
    """Split a line of commands into words and operators.

    What stands before the program (a prompt, ``sudo``, a variable, a parenthesis) is
    left out, so that the first word is the program.

    Raises:
        ValueError: unclosed quote.
    """
    text = _BACKTICK_END.sub(" ", text)
    match = _START.match(text)
    depth = 0
    if match is not None:
        depth = match[1].count("(")
        text = match[2] + text[match.end() :]
    if _is_windows(text):
        return list(_split_windows(text))
    return list(_Lexer(text, depth).tokens())


def split_words(text: str) -> list[str]:
    r"""Split a command that no shell runs; operators and comments are text.

    Unlike ``shlex.split``, it follows POSIX within double quotes: ``"\$"`` is ``$``.

    Raises:
        ValueError: unclosed quote.
    """
    lexer = _Lexer(text, 0, has_operators=False)
    return [token.text for token in lexer.tokens()]


def _is_windows(text: str) -> bool:
    """Return True if carets escape quotes or line ends."""
    caret = text.find('^"')
    if caret >= 0 and not 0 <= text.find("'") < caret:
        return True
    return re.search(r"\^\r?(\n|\Z)", text) is not None


class _Lexer:
    """Splits text by the rules of POSIX (Shell Command Language, sections 2.2, 2.3)."""

    def __init__(self, text: str, depth: int, *, has_operators: bool = True) -> None:
        self._has_operators = has_operators
        self._text = text.replace("\r\n", "\n")
        self._at = 0
        self._depth = depth
        """Open parentheses of subshells; others are part of a word."""
        self._word: list[str] | None = None

    def tokens(self) -> Iterator[Token]:
        text = self._text
        while self._at < len(text):
            char = text[self._at]
            if plain := _PLAIN.match(text, self._at):
                self._add(plain[0], plain.end())
            elif char.isspace():
                yield from self._end_word()
                self._at += 1
            elif char in "'\"\\$":
                self._quote(char)
            elif not self._has_operators:
                self._add(char, self._at + 1)
            elif char == "#" and self._word is None:
                end = text.find("\n", self._at)
                self._at = len(text) if end < 0 else end
            elif char in "()":
                yield from self._parenthesis(char)
            elif operator := self._operator():
                descriptor = self._take_descriptor(operator)
                yield from self._end_word()
                self._at += len(operator)
                yield Token(descriptor + operator, is_operator=True)
            else:
                self._add(char, self._at + 1)
        yield from self._end_word()

    def _add(self, text: str, end: int) -> None:
        if self._word is None:
            self._word = []
        self._word.append(text)
        self._at = end

    def _end_word(self) -> Iterator[Token]:
        word, self._word = self._word, None
        if word is not None:
            yield Token("".join(word))

    def _operator(self) -> str:
        """Return the operator at the current position, or "" for literal text.

        Copied URLs often contain ``&`` without quotes, so it only counts at the end of
        a word.
        """
        match = _OPERATOR.match(self._text, self._at)
        if match is None:
            return ""
        operator = match[0]
        if operator in ("&", "&&") and self._word is not None:
            following = self._text[match.end() : match.end() + 1]
            if following and not following.isspace() and following != ")":
                return ""
        return operator

    def _take_descriptor(self, operator: str) -> str:
        """Take the number in front of a redirection, as in ``2>``, from the words."""
        if operator[0] not in "<>" or self._word is None:
            return ""
        word = "".join(self._word)
        # Quoted digits are a word.
        is_literal = self._text[self._at - len(word) : self._at] == word
        if not (is_literal and word.isascii() and word.isdigit()):
            return ""
        self._word = None
        return word

    def _parenthesis(self, char: str) -> Iterator[Token]:
        if char == "(" and self._word is None:
            self._depth += 1
        elif char == ")" and self._depth:
            self._depth -= 1
        else:
            self._add(char, self._at + 1)
            return
        yield from self._end_word()
        self._at += 1
        yield Token(char, is_operator=True)

    def _quote(self, char: str) -> None:
        """Read a quoted part of a word."""
        text, start = self._text, self._at
        if char == "\\":
            escaped = text[start + 1 : start + 2]
            if escaped == "\n":
                # A continuation line joins what is before and after it.
                self._at += 2
            else:
                self._add(escaped or "\\", start + 2)
        elif char == "'":
            end = text.find("'", start + 1)
            if end < 0:
                raise ValueError(_UNCLOSED)
            self._add(text[start + 1 : end], end + 1)
        elif char == '"':
            self._double_quotes()
        elif match := _ANSI_QUOTED.match(text, start):
            self._add(_ANSI.sub(_ansi_character, match[1]), match.end())
        elif text.startswith("$'", start):
            raise ValueError(_UNCLOSED)
        elif text.startswith('$"', start):
            self._at += 1
            self._double_quotes()
        else:
            self._add(char, start + 1)

    def _double_quotes(self) -> None:
        """Read ``"..."``: a backslash escapes only ``$``, `````, ``"`` and itself."""
        text = self._text
        self._add("", self._at + 1)
        while True:
            if literal := _IN_DOUBLE_QUOTES.match(text, self._at):
                self._add(literal[0], literal.end())
            char = text[self._at : self._at + 1]
            if not char:
                raise ValueError(_UNCLOSED)
            if char == '"':
                self._at += 1
                return
            escaped = text[self._at + 1 : self._at + 2]
            if escaped == "\n":
                self._at += 2
            elif escaped and escaped in '$`"\\':
                self._add(escaped, self._at + 2)
            else:
                self._add("\\", self._at + 1)


def _ansi_character(match: re.Match[str]) -> str:
    short, long, hexadecimal, octal, letter = match.groups()
    if letter is not None:
        return _ANSI_LETTERS.get(letter, letter)
    code = int(octal, 8) if octal else int(short or long or hexadecimal, 16)
    return chr(code) if code < 0x110000 else "\N{REPLACEMENT CHARACTER}"


_LINE_ENDS = late_pattern(r"(?:\r?\n){1,2}|\Z")
_CMD_OPERATOR = late_pattern(r"\|\||&&|[|&]|([0-9]?)(>>|>&|>|<)")


def _split_windows(text: str) -> Iterator[Token]:
    r"""Split as cmd and the Windows C library do: ``^`` escapes first, then ``\"``.

    Older browsers write plain quotes, inside which carets are literal; newer ones
    escape every quote with a caret.
    """
    part: list[str] = []
    is_quoted = False
    at = 0
    while at < len(text):
        char = text[at]
        if char == "^" and not is_quoted:
            if escaped := _LINE_ENDS.match(text, at + 1):
                part.append(" ")
                at = escaped.end()
            else:
                part.append(text[at + 1 : at + 2])
                at += 2
            continue
        operator = None
        if char == '"':
            is_quoted = not is_quoted
        elif not is_quoted and (not part or part[-1].isspace() or char in "|&<>"):
            operator = _CMD_OPERATOR.match(text, at)
        if operator is None:
            part.append(char)
            at += 1
            continue
        yield from map(Token, _split_arguments("".join(part)))
        part.clear()
        at = operator.end()
        yield Token(operator[0], is_operator=True)
    yield from map(Token, _split_arguments("".join(part)))


def _split_arguments(text: str) -> Iterator[str]:
    """Split as the Windows C library does: backslashes only escape quotes."""
    word: list[str] = []
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
                word.append(slashes)
                continue
            word.append("\\" * (len(slashes) // 2))
            if len(slashes) % 2:
                word.append('"')
            elif is_quoted and text[at : at + 1] == '"':
                word.append('"')
                at += 1
            else:
                is_quoted = not is_quoted
        elif char.isspace() and not is_quoted:
            if has_word:
                yield "".join(word)
            word, has_word = [], False
            at += 1
        else:
            word.append(char)
            has_word = True
            at += 1
    if is_quoted:
        raise ValueError(_UNCLOSED)
    if has_word:
        yield "".join(word)
