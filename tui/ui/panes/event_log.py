"""The log pane: a line per event, newest at the bottom; bursts are summed up."""

from __future__ import annotations

import time
from collections import Counter, deque
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from textual.binding import Binding

from tui.core import events as facts
from tui.core.download import DownloadState
from tui.core.quick.named_tuple import NamedTuple
from tui.core.text.sanitize import sanitize
from tui.core.text.units import format_duration, format_size
from tui.messages import limit_text, notice_text, pause_text, remedy_for
from tui.ui.keys.keymap import key_of
from tui.ui.panes.pane import Line, Pane, Span, clip
from tui.ui.style.format import appearance_of, cells, count, middle_ellipsis

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
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
    """Determines glyph and color; ``None`` for events of the engine."""
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
# In a burst, the highest ranks are dropped first: failures matter most.
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
    """Word an event; ``row`` is its download, or ``None`` if it is gone."""
    if isinstance(event, facts.EngineEvent):
        return LogEntry(event.at, None, "", _engine_text(event))
    state = _STATES.get(type(event))
    name = sanitize(row.name) if row is not None else f"download {event.id}"
    return LogEntry(event.at, state, name, _reason(event, row))


def _engine_text(event: facts.EngineEvent) -> str:
    if isinstance(event, facts.LimitChanged):
        return limit_text(event)
    if isinstance(event, facts.RunNotice):
        return notice_text(event.notice)
    if isinstance(event, facts.QueuePaused):
        reason = pause_text(event.reason)
        return f"queue paused: {reason}" if reason else "queue paused"
    return "queue resumed"


def _reason(event: facts.DownloadEvent, row: DownloadSnapshot | None) -> str:
    if isinstance(event, facts.Failed):
        remedy = remedy_for(event.error_kind, event.error)
        return sanitize(f"{event.error}; {remedy}" if remedy else event.error)
    if isinstance(event, facts.Retrying):
        wait = format_duration(event.wait_s)
        return f"{sanitize(event.error)}; retry in {wait}"
    if isinstance(event, facts.DownloadNotice):
        return notice_text(event.notice)
    if isinstance(event, facts.Verified):
        return f"{sanitize(event.checksum.partition('=')[0])} ok"
    if isinstance(event, facts.Started):
        return f"attempt {event.attempt}" if event.attempt > 1 else "started"
    if isinstance(event, facts.Done):
        return format_size(row.size) if row is not None and row.size else "done"
    state = _STATES.get(type(event))
    return state.word if state is not None else ""


def coalesce(
    entries: Sequence[LogEntry],
    limit: int,
    others: Mapping[DownloadState | None, int] = MappingProxyType({}),
    last_at: float = 0.0,
) -> list[LogEntry]:
    """Keep the ``limit`` most important entries, the last one counting the rest.

    Failures and events of the engine are more important than finished downloads, and
    these more than starts. The entries stay in chronological order.

    Args:
        entries: in chronological order.
        limit: the most that are returned.
        others: how many more of each state there were, of which ``entries`` has at
            least ``limit``: none of them would be kept.
        last_at: wall time of the last one of those.
    """
    if len(entries) <= limit and not others:
        return list(entries)
    ranked = sorted(range(len(entries)), key=lambda index: _rank(entries[index].state))
    # One line is reserved for the counts.
    kept = sorted(ranked[: limit - 1])
    dropped = [entries[index] for index in ranked[limit - 1 :]]
    counts = Counter(state_word(entry.state) for entry in dropped)
    for state, number in others.items():
        counts[state_word(state)] += number
    words = ", ".join(
        f"{count(number)} more {word}" if index == 0 else f"{count(number)} {word}"
        for index, (word, number) in enumerate(counts.most_common())
    )
    states = {entry.state for entry in dropped} | set(others)
    only = states.pop() if len(states) == 1 else None
    at = max(last_at, *(entry.at for entry in dropped))
    return [*(entries[index] for index in kept), LogEntry(at, only, words, "")]


def _rank(state: DownloadState | None) -> int:
    return _RANK.get(state, 3)


def state_word(state: DownloadState | None) -> str:
    """Return the word for a count such as ``412 more done``."""
    if state is DownloadState.PROBING:
        return "started"
    if state is DownloadState.VERIFYING:
        return "verified"
    return appearance_of(state).word if state is not None else "notes"


def entry_line(entry: LogEntry, width: int, is_ascii: bool = False) -> Line:
    """Return glyph, time, name and reason; the name is shortened first."""
    if entry.state is None:
        glyph, style = ("i" if is_ascii else "»"), "verifying"
    else:
        appearance = appearance_of(entry.state)
        style = appearance.style
        # No spinner: log lines do not change.
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
    """Shows the last 1,000 events; follows the newest until scrolled up."""

    BINDINGS: ClassVar[list[Binding]] = [  # type: ignore[assignment]
        Binding("up,k", "scroll_log(-1)", show=False),
        Binding("down,j", "scroll_log(1)", show=False),
        Binding("pageup,ctrl+u", "scroll_log(-10)", show=False),
        Binding("pagedown,ctrl+d", "scroll_log(10)", show=False),
        Binding("home,g", "scroll_log(-100000)", show=False),
        Binding("end,G", "scroll_log(100000)", show=False),
    ]

    def __init__(self, **options: Any) -> None:
        """Create an empty log."""
        super().__init__(**options)
        self._entries: deque[LogEntry] = deque(maxlen=MAX_LINES)
        self._behind = 0
        """Lines between the last one shown and the newest; 0 to follow."""

    def extend(
        self, events: Iterable[tuple[facts.Event, DownloadSnapshot | None]]
    ) -> None:
        """Add the events since the last tick, oldest first, in at most 20 lines."""
        entries: list[LogEntry] = []
        seen: dict[DownloadState | None, int] = {}
        last_at = 0.0
        for event, row in events:
            kind = type(event)
            if kind is facts.Queued:
                continue
            state = _STATES.get(kind)  # type: ignore[arg-type]
            number = seen[state] = seen.get(state, 0) + 1
            if number <= MAX_LINES_A_TICK:
                entries.append(log_entry(event, row))
            else:
                # In a burst, the rest is only counted: wording all of it took a second.
                last_at = event.at
        others = {
            state: number - MAX_LINES_A_TICK
            for state, number in seen.items()
            if number > MAX_LINES_A_TICK
        }
        fresh = coalesce(entries, MAX_LINES_A_TICK, others, last_at)
        if not fresh:
            return
        self._entries.extend(fresh)
        if self._behind:
            # Lines being read do not move while new ones arrive below.
            self._behind = min(self._behind + len(fresh), len(self._entries) - 1)
        self.redraw()

    @property
    def lines(self) -> list[LogEntry]:
        """All entries, oldest first."""
        return list(self._entries)

    def title(self) -> Line:
        """Return name and key."""
        return [Span("Log ", "title"), Span(f"[{key_of('log')}]", "key")]

    def corner(self) -> Line:
        """Return the number of newer lines below, or of all lines."""
        if self._behind:
            return [Span(f"{count(self._behind)} newer below", "warn")]
        kept = len(self._entries)
        return [Span(f"{count(kept)} lines", "dim")] if kept > 1 else []

    def body(self, width: int, height: int) -> list[Line]:
        """Return the newest lines, or those scrolled to."""
        if not self._entries:
            return [[Span("No events yet", "dim")]]
        end = len(self._entries) - self._behind
        start = max(0, end - height)
        shown = [self._entries[index] for index in range(start, end)]
        return [entry_line(entry, width, self.is_ascii) for entry in shown]

    def newest(self, width: int) -> Line:
        """Return the newest line."""
        if not self._entries:
            return [Span("No events yet", "dim")]
        return entry_line(self._entries[-1], width, self.is_ascii)

    def folded(self, width: int) -> Line:
        """Return the newest line."""
        return [Span(" "), *self.newest(width - 1)]

    def action_scroll_log(self, lines: int) -> None:
        """Scroll by lines; at the bottom, follow the newest line again."""
        page = max(1, self.size.height - 2)
        step = lines if abs(lines) != 10 else page * (1 if lines > 0 else -1)
        highest = max(0, len(self._entries) - page)
        self._behind = max(0, min(highest, self._behind - step))
        self.redraw()

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Scroll three lines up."""
        event.stop()
        self.action_scroll_log(-3)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Scroll three lines down."""
        event.stop()
        self.action_scroll_log(3)
