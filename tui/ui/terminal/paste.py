"""Separates pasted text from keys, before Textual's parser sees either.

Terminals put a paste between two marks (bracketed paste, DEC private mode 2004). For
Textual (8.2.8), any escape sequence inside can end it, and what follows acts as keys: a
page could press keys in the dashboard of a user who copies from it. Here everything
between the marks is text, and control characters in it are dropped.

Some terminals (``tmux paste-buffer -p``) do not remove an end mark inside a paste. The
terminal sends its own mark at the end without a pause, so input that follows an end
mark is kept back for a moment: if another end mark follows, it was text as well.
"""

from __future__ import annotations

from tui.core.quick.named_tuple import NamedTuple
from tui.core.quick.pattern import late_pattern

START = "\x1b[200~"
END = "\x1b[201~"
LIMIT = 16 << 20
"""Characters of a paste that are kept; 5 MB are 125,000 URLs."""
INPUT_LIMIT = 8192
"""Characters that a paste may leave in an input line, which is redrawn as a whole."""
ESCAPE_S = 0.02
"""Time to wait for the rest of a start mark after ESC."""
MARK_S = 1.0
"""The same after more than ESC: no key sends that."""
QUIET_S = 0.25
"""Time without input after an end mark until the keys behind it are passed on."""
REPEAT_S = 2.0
"""Time after which few characters are passed on even so: a key that is held down."""
STALLED_S = 3.0
"""Time without input after which a paste without an end mark is passed on."""
_FEW = 256
_MANY = 65536
"""Characters behind an end mark that no keyboard sends at once: they are text."""
_CONTROL = late_pattern("\x1b\\[20[01]~|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_MOTION = late_pattern(r"\x1b\[<(?:35|39|43|47|51|55|59|63);-?\d+;-?\d+[Mm]")
"""The mouse moved with no button pressed: harmless, and frequent."""
_LONE = frozenset(("\x1b", "\x03", "\x1b[27u", "\x1b[99;5u", "\x1b[27;1u"))
"""Esc and ctrl+c, also in the Kitty protocol: they end a paste without an end mark."""


class Keys(NamedTuple):
    """Input that is not pasted."""

    text: str


class Pasted(NamedTuple):
    """Pasted text without control characters but tabs and line ends."""

    text: str
    is_cut: bool = False
    """It was longer than ``LIMIT``."""
    is_open: bool = False
    """No end mark came; more may follow, until Esc is pressed."""


class PasteReader:
    """Splits the input of a terminal into keys and pastes.

    ``feed`` takes input as it arrives, in pieces of any size; ``tick`` passes on what
    was waiting for more. Both need the current monotonic time.
    """

    def __init__(self) -> None:
        """Start outside a paste."""
        self._held = ""
        """Input that may be the beginning of a mark."""
        self._sent = ""
        """The beginning of a start mark, passed on because the rest was late."""
        self._parts: list[str] = []
        self._size = 0
        self._is_cut = False
        self._is_pasting = False
        self._behind: str | None = None
        """Input after an end mark; ``None`` unless one came a moment ago."""
        self._ended_at = 0.0
        self._last_at = 0.0
        self._lone = ""
        """Esc or ctrl+c, alone after a paste has stalled."""

    @property
    def is_waiting(self) -> bool:
        """Whether ``tick`` has something to do soon."""
        return bool(self._held or self._lone or self._behind is not None)

    def feed(self, text: str, now: float) -> list[Keys | Pasted]:
        """Take input and return what is complete."""
        if not text:
            return []
        silence = now - self._last_at
        self._last_at = now
        found: list[Keys | Pasted] = []
        if self._is_pasting and silence >= STALLED_S and text in _LONE:
            self._lone = text
            return found
        text, self._lone = self._lone + text, ""
        self._feed_all(text, now, found)
        return found

    def _feed_all(self, text: str, now: float, found: list[Keys | Pasted]) -> None:
        while text:
            if self._behind is not None:
                text = self._feed_behind(text, now, found)
            elif self._is_pasting:
                text = self._feed_paste(text, now, found)
            else:
                text = self._feed_keys(text, found)

    def tick(self, now: float) -> list[Keys | Pasted]:
        """Return what need not wait any longer."""
        found: list[Keys | Pasted] = []
        silence = now - self._last_at
        if self._behind is not None:
            is_few = len(self._behind) <= _FEW and now - self._ended_at >= REPEAT_S
            if silence >= QUIET_S or is_few:
                text, self._behind = self._behind, None
                self._pass_on(found)
                self._feed_all(text, now, found)
        elif self._lone and silence >= QUIET_S:
            self._lone = self._held = ""
            self._is_pasting = False
            self._pass_on(found)
        elif self._is_pasting:
            if silence >= STALLED_S:
                self._pass_on(found, is_open=True)
        elif self._held:
            mark = self._sent + self._held
            if silence >= (ESCAPE_S if len(mark) < 3 else MARK_S):
                found.append(Keys(self._held))
                self._sent, self._held = mark, ""
        return found

    def _feed_keys(self, text: str, found: list[Keys | Pasted]) -> str:
        """Take input outside a paste; return what follows a start mark."""
        if self._sent:
            mark = self._sent + self._held + text
            if mark.startswith(START):
                self._sent, self._held, self._is_pasting = "", "", True
                return mark[len(START) :]
            if START.startswith(mark):
                self._held += text
                return ""
        text, self._held, self._sent = self._held + text, "", ""
        keys, mark, rest = text.partition(START)
        if mark:
            self._is_pasting = True
        else:
            keys, self._held = _split_prefix(keys, START)
        if keys:
            found.append(Keys(keys))
        return rest

    def _feed_paste(self, text: str, now: float, found: list[Keys | Pasted]) -> str:
        """Take pasted text; return what follows the end mark."""
        text, self._held = self._held + text, ""
        pasted, mark, rest = text.partition(END)
        if not mark:
            pasted, self._held = _split_prefix(pasted, END)
        self._add(pasted)
        if mark:
            self._is_pasting, self._behind = False, ""
            self._ended_at = now
            self._pass_on(found)
        return rest

    def _feed_behind(self, text: str, now: float, found: list[Keys | Pasted]) -> str:
        """Take what follows an end mark; return a paste that starts at once."""
        text = (self._behind or "") + text
        self._behind = ""
        if text.startswith(START):
            self._behind, self._is_pasting = None, True
            self._pass_on(found)
            return text[len(START) :]
        pasted, mark, text = text.rpartition(END)
        if mark:
            self._add(pasted)
            self._ended_at = now
            return text
        # Not kept back: a moving mouse would postpone the keys for as long as it moves.
        moves = "".join(_MOTION.findall(text))
        if moves:
            found.append(Keys(moves))
            text = _MOTION.sub("", text)
        if len(text) > _MANY:
            self._add(text[:-_FEW])
            text = text[-_FEW:]
        self._behind = text
        return ""

    def _add(self, text: str) -> None:
        text = _CONTROL.sub("", text)
        room = LIMIT - self._size
        if len(text) > room:
            text, self._is_cut = text[:room], True
        if text:
            self._parts.append(text)
            self._size += len(text)

    def _pass_on(self, found: list[Keys | Pasted], *, is_open: bool = False) -> None:
        if self._parts:
            found.append(Pasted("".join(self._parts), self._is_cut, is_open))
        self._parts, self._size, self._is_cut = [], 0, False


def _split_prefix(text: str, mark: str) -> tuple[str, str]:
    """Split off the end of ``text`` that may be the beginning of ``mark``."""
    for size in range(min(len(mark) - 1, len(text)), 0, -1):
        if text.endswith(mark[:size]):
            return text[:-size], text[-size:]
    return text, ""


def fit_input(text: str, room: int) -> str:
    """Return the first line of a paste that is not empty, at most ``room`` characters.

    An input line has one line, and draws all of it for every key.
    """
    for line in text.splitlines():
        if line.strip():
            return line[: max(0, room)]
    return ""
