"""What happened, newest at the bottom: one line a fact, floods counted in one line."""

from __future__ import annotations

import time
from collections import Counter, deque
from typing import TYPE_CHECKING, Any, NamedTuple

from textual.binding import Binding

from tui.core import events as facts
from tui.core.download import DownloadState
from tui.core.text.plain_text import plain
from tui.core.text.units import format_duration, format_size
from tui.messages import hold_text, limit_text, notice_text, remedy_for
from tui.ui.keys.keymap import key_of
from tui.ui.panes.pane import Line, Pane, Span, clip
from tui.ui.style.format import appearance_of, cells, count, middle_ellipsis

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import ClassVar

    from textual import events

    from tui.core.snapshot import DownloadSnapshot

MAX_LINES = 1000
MAX_LINES_A_TICK = 20


class LogEntry(NamedTuple):
    """One line of the log, before it is cut to a width."""

    at: float
    """Wall time."""
    state: DownloadState | None
    """Gives glyph and colour; ``None`` for the engine's own."""
    name: str
    reason: str


_STATES: dict[type[facts.DownloadEvent], DownloadState] = {
    facts.Queued: DownloadState.QUEUED,
    facts.Started: DownloadState.PROBING,
    facts.Retrying: DownloadState.WAITING,
    facts.Verified: DownloadState.VERIFYING,
    facts.Done: DownloadState.DONE,
    facts.Failed: DownloadState.FAILED,
    facts.Paused: DownloadState.PAUSED,
    facts.Cancelled: DownloadState.CANCELLED,
}
# What may be dropped first when many come at once: failures are asked for most.
_RANK = {
    DownloadState.FAILED: 0,
    None: 0,
    DownloadState.WAITING: 1,
    DownloadState.CANCELLED: 2,
    DownloadState.PAUSED: 2,
    DownloadState.DONE: 3,
    DownloadState.VERIFYING: 4,
    DownloadState.PROBING: 5,
    DownloadState.QUEUED: 6,
}


def log_entry(event: facts.Event, row: DownloadSnapshot | None) -> LogEntry:
    """Say in words what an event tells; ``row`` is its download, if still known."""
    if isinstance(event, facts.EngineEvent):
        return LogEntry(event.at, None, "", _engine_words(event))
    state = _STATES.get(type(event))
    name = plain(row.name) if row is not None else f"download {event.id}"
    return LogEntry(event.at, state, name, _reason(event, row))


def _engine_words(event: facts.EngineEvent) -> str:
    if isinstance(event, facts.LimitChanged):
        return limit_text(event)
    if isinstance(event, facts.RunNotice):
        return notice_text(event.notice)
    if isinstance(event, facts.QueueHeld):
        reason = hold_text(event.reason)
        return f"queue paused: {reason}" if reason else "queue paused"
    return "queue resumed"


def _reason(event: facts.DownloadEvent, row: DownloadSnapshot | None) -> str:
    if isinstance(event, facts.Failed):
        advice = remedy_for(event.error_kind, event.error)
        return plain(f"{event.error}; {advice}" if advice else event.error)
    if isinstance(event, facts.Retrying):
        wait = format_duration(event.wait_s)
        return f"{plain(event.error)}; again in {wait}"
    if isinstance(event, facts.DownloadNotice):
        return notice_text(event.notice)
    if isinstance(event, facts.Verified):
        return f"{plain(event.checksum.partition('=')[0])} ok"
    if isinstance(event, facts.Started):
        return f"attempt {event.attempt}" if event.attempt > 1 else "started"
    if isinstance(event, facts.Done):
        return format_size(row.size) if row is not None and row.size else "done"
    state = _STATES.get(type(event))
    return state.word if state is not None else ""


def coalesce(entries: Sequence[LogEntry], limit: int) -> list[LogEntry]:
    """Keep at most ``limit`` lines: what matters most, then the counts of the rest.

    Failures and the engine's own words stay before finished ones, those before mere
    starts; the order in time is kept among what stays.
    """
    if len(entries) <= limit:
        return list(entries)
    ranked = sorted(range(len(entries)), key=lambda index: _rank(entries[index].state))
    # One line is needed for the counts, whatever kinds they are of.
    kept = sorted(ranked[: limit - 1])
    dropped = [entries[index] for index in ranked[limit - 1 :]]
    counts = Counter(state_word(entry.state) for entry in dropped)
    words = ", ".join(
        f"{count(number)} more {word}" if index == 0 else f"{count(number)} {word}"
        for index, (word, number) in enumerate(counts.most_common())
    )
    states = {entry.state for entry in dropped}
    only = states.pop() if len(states) == 1 else None
    at = max(entry.at for entry in dropped)
    return [*(entries[index] for index in kept), LogEntry(at, only, words, "")]


def _rank(state: DownloadState | None) -> int:
    return _RANK.get(state, 3)


def state_word(state: DownloadState | None) -> str:
    """The word counted in ``412 more done``."""
    if state is DownloadState.PROBING:
        return "started"
    if state is DownloadState.VERIFYING:
        return "verified"
    return appearance_of(state).word if state is not None else "notes"


def entry_line(entry: LogEntry, width: int, is_ascii: bool = False) -> Line:
    """Glyph, time, name, reason; the reason is cut last of all."""
    if entry.state is None:
        glyph, style = ("i" if is_ascii else "»"), "verifying"
    else:
        appearance = appearance_of(entry.state)
        style = appearance.style
        # The spinner's glyph would lie: nothing here moves.
        glyph = appearance.ascii_glyph if is_ascii else appearance.glyph
    at = time.strftime("%H:%M:%S", time.localtime(entry.at))
    line = [Span(f"{glyph} ", style), Span(f"{at} " if width >= 40 else "", "dim")]
    room = width - 2 - (9 if width >= 40 else 0)
    if not entry.reason:
        return clip([*line, Span(entry.name or "", style)], width)
    if entry.name:
        share = max(room - cells(entry.reason) - 2, room * 2 // 5)
        line.append(Span(middle_ellipsis(entry.name, share), "text"))
        line.append(Span("  "))
    is_news = entry.state in (DownloadState.FAILED, DownloadState.WAITING, None)
    line.append(Span(entry.reason, style if is_news else "dim"))
    return clip(line, width)


class EventLog(Pane, can_focus=True):
    """The last 1,000 lines; follows the newest until scrolled up."""

    BINDINGS: ClassVar[list[Binding]] = [  # type: ignore[assignment]
        Binding("up,k", "scroll_log(-1)", show=False),
        Binding("down,j", "scroll_log(1)", show=False),
        Binding("pageup,ctrl+u", "scroll_log(-10)", show=False),
        Binding("pagedown,ctrl+d", "scroll_log(10)", show=False),
        Binding("home,g", "scroll_log(-100000)", show=False),
        Binding("end,G", "scroll_log(100000)", show=False),
    ]

    def __init__(self, **options: Any) -> None:
        """Start empty."""
        super().__init__(**options)
        self._entries: deque[LogEntry] = deque(maxlen=MAX_LINES)
        self._behind = 0
        """Lines between the last one shown and the newest; 0 follows."""

    def extend(
        self, events: Iterable[tuple[facts.Event, DownloadSnapshot | None]]
    ) -> None:
        """Add what happened since the last tick, oldest first, at most 20 lines."""
        entries: list[LogEntry] = []
        told: Counter[DownloadState | None] = Counter()
        for event, row in events:
            if isinstance(event, facts.Queued):
                continue
            state = _STATES.get(type(event))  # type: ignore[arg-type]
            told[state] += 1
            # Of a flood the rest is only counted: words for all took a second.
            is_told = told[state] <= MAX_LINES_A_TICK
            entries.append(
                log_entry(event, row) if is_told else LogEntry(event.at, state, "", "")
            )
        fresh = coalesce(entries, MAX_LINES_A_TICK)
        if not fresh:
            return
        self._entries.extend(fresh)
        if self._behind:
            # What is being read stays where it is while new lines come in below.
            self._behind = min(self._behind + len(fresh), len(self._entries) - 1)
        self.redraw()

    @property
    def lines(self) -> list[LogEntry]:
        """All lines kept, oldest first."""
        return list(self._entries)

    def title(self) -> Line:
        """Name and key."""
        return [Span("Log ", "title"), Span(f"[{key_of('log')}]", "key")]

    def corner(self) -> Line:
        """How far up it is scrolled."""
        if self._behind:
            return [Span(f"{count(self._behind)} newer below", "warn")]
        kept = len(self._entries)
        return [Span(f"{count(kept)} lines", "dim")] if kept > 1 else []

    def body(self, width: int, height: int) -> list[Line]:
        """The newest lines, or those scrolled to."""
        if not self._entries:
            return [[Span("Nothing happened yet.", "dim")]]
        end = len(self._entries) - self._behind
        start = max(0, end - height)
        shown = [self._entries[index] for index in range(start, end)]
        return [entry_line(entry, width, self.is_ascii) for entry in shown]

    def newest(self, width: int) -> Line:
        """The newest line alone, for where there is room for one only."""
        if not self._entries:
            return [Span("nothing happened yet", "dim")]
        return entry_line(self._entries[-1], width, self.is_ascii)

    def folded(self, width: int) -> Line:
        """The newest line."""
        return [Span(" "), *self.newest(width - 1)]

    def action_scroll_log(self, lines: int) -> None:
        """Move by lines; down past the newest follows again."""
        page = max(1, self.size.height - 2)
        step = lines if abs(lines) != 10 else page * (1 if lines > 0 else -1)
        highest = max(0, len(self._entries) - page)
        self._behind = max(0, min(highest, self._behind - step))
        self.redraw()

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Three lines up."""
        event.stop()
        self.action_scroll_log(-3)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Three lines down."""
        event.stop()
        self.action_scroll_log(3)
