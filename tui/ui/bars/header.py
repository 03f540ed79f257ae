"""The header: counts, speed, ETA, the overall progress bar and the limits.

Two lines; a single one in terminals smaller than 40x10. The concurrency buttons and the
rate limit can be clicked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from textual.message import Message

from tui.core.download import ACTIVE, DownloadState
from tui.core.text.sanitize import sanitize
from tui.core.text.units import (
    format_clock,
    format_duration,
    format_limit,
    format_rate,
    format_size,
)
from tui.messages import queue_text
from tui.ui.panes.pane import Line, Pane, Span, justify, line_width
from tui.ui.style.format import appearance_of, bar, count, middle_ellipsis, percent

if TYPE_CHECKING:
    from tui.core.snapshot import AutoSnapshot, EngineSnapshot

_S = DownloadState
_COUNTED = (_S.QUEUED, _S.WAITING, _S.PAUSED, _S.DONE, _S.FAILED, _S.CANCELLED)
_BAR_MIN = 18


class ActionPressed(Message):
    """The user clicked something that represents an action of the registry."""

    def __init__(self, action: str) -> None:
        """Name the action by its id."""
        super().__init__()
        self.action = action


class HeaderBar(Pane):
    """Totals of the whole run."""

    DEFAULT_CSS = "HeaderBar { height: 2; }"
    has_frame = False

    def __init__(self, title: str, **options: Any) -> None:
        """Create the header.

        Args:
            title: what is being downloaded, such as the name of a list.
            options: of any Textual widget.
        """
        super().__init__(**options)
        self._title = sanitize(title)
        self._snapshot: EngineSnapshot | None = None
        self._marked = 0
        self.is_quitting = False
        """Whether the dashboard quits when the running downloads have ended."""
        self.attached_to = ""
        """The process whose downloads these are; "" for this one."""
        self.alert = ""
        """What is wrong with the connection to the downloads; "" if nothing is."""
        self._view = ""

    def show(
        self,
        snapshot: EngineSnapshot,
        *,
        is_moving: bool,
        marked: int = 0,
        view: str = "",
    ) -> None:
        """Draw a snapshot.

        Args:
            snapshot: the run.
            is_moving: whether to advance the spinner.
            marked: number of marked downloads, if no other line shows it.
            view: name of the view, if it is not that of all downloads and no other
                line shows it.
        """
        self._snapshot = snapshot
        self._marked = marked
        self._view = view
        if is_moving:
            self.ticks += 1
        self.redraw()

    def pressed(self, action: str) -> None:
        """Post the action of the clicked button."""
        self.post_message(ActionPressed(action))

    def folded(self, width: int) -> Line:
        """Return the single line of the smallest terminals."""
        return self.body(width, 1)[0]

    def body(self, width: int, height: int) -> list[Line]:
        """Return the lines."""
        now = self._snapshot
        if now is None:
            return []
        if height == 1:
            return [self._only_line(now, width)]
        return [self._counts_line(now, width), self._bar_line(now, width)]

    # -- first line ------------------------------------------------------------------

    def _counts(
        self, now: EngineSnapshot, *, has_words: bool, is_short: bool = False
    ) -> Line:
        """Return the number of downloads in each state; short ones save some words."""
        active = sum(now.counts[state] for state in ACTIVE)
        glyph = self.spinner() if active else self._glyph(_S.QUEUED)
        # Many small files may wait for the disk without a slot.
        saving = min(now.counts[_S.VERIFYING], max(0, active - now.active))
        words = [(glyph, active - saving, "active", "active")]
        if saving:
            style = appearance_of(_S.VERIFYING).style
            words.append((self._glyph(_S.VERIFYING), saving, "saving", style))
        for state in _COUNTED:
            number = now.counts[state]
            is_kept = state in (_S.QUEUED, _S.DONE)
            if number or is_kept:
                appearance = appearance_of(state)
                word = "retrying" if state is _S.WAITING else appearance.word
                words.append((self._glyph(state), number, word, appearance.style))
        line: Line = []
        for glyph, number, word, style in words:
            has_word = has_words and not (is_short and style == "cancelled")
            shown = f"{glyph} {count(number)} {word}" if has_word else None
            gap = "  " if is_short else "   " if has_words else " "
            line += [
                Span(gap if line else " "),
                Span(shown or f"{glyph}{count(number)}", style),
            ]
        if self._marked:
            mark = "*" if self.is_ascii else "●"
            line.append(Span(f" {mark}{count(self._marked)}", "key", "escape"))
        if self._view:
            line.insert(0, Span(f" {self._view}:", "title", "view_all"))
        return line

    def _glyph(self, state: DownloadState) -> str:
        appearance = appearance_of(state)
        return appearance.ascii_glyph if self.is_ascii else appearance.glyph

    def _counts_line(self, now: EngineSnapshot, width: int) -> Line:
        label = "time " if width >= 110 else ""
        right = [
            Span(format_rate(now.speed).rjust(10), "strong"),
            Span("   ETA ", "dim"),
            Span(_eta(now).ljust(6), "text"),
            Span(f" {label}{format_clock(now.elapsed_s)} ", "dim"),
        ]
        if now.is_queue_paused:
            right.insert(0, Span("queue paused  ", "warn"))
        if self.alert:
            right.insert(0, Span(f"{self.alert}  ", "failed"))
        if self.is_quitting:
            right.insert(0, Span("quits when done  ", "warn", "escape"))
        counts = self._counts(now, has_words=True)
        room = width - line_width(right) - line_width(counts) - 3
        if room < 0 and now.counts[_S.CANCELLED]:
            counts = self._counts(now, has_words=True, is_short=True)
            room = width - line_width(right) - line_width(counts) - 1
        program = middle_ellipsis(sanitize(self.attached_to), 24) or "fetchtui"
        name = Span(f" {program}", "title")
        if room < 0:
            counts = self._counts(now, has_words=False)
            room = width - line_width(right) - line_width(counts) - 1
            if room >= line_width([name]):
                counts = [name, *counts]
            return justify(counts, right, width)
        if room >= line_width([name]):
            left = [name]
            taken = line_width([name]) + 2
            if self._title and room >= taken + 12:
                title = middle_ellipsis(self._title, min(40, room - taken))
                left.append(Span("  " + title, "dim"))
            counts = [*left, Span("  "), *counts]
        return justify(counts, right, width)

    def _only_line(self, now: EngineSnapshot, width: int) -> Line:
        left = self._counts(now, has_words=False)
        if self.alert:
            return justify(left, [Span(f" {self.alert}", "failed")], width)
        right = [Span(f" {percent(now.progress)} "), Span(format_rate(now.speed))]
        return justify(left, right, width)

    # -- second line -----------------------------------------------------------------

    def _bar_line(self, now: EngineSnapshot, width: int) -> Line:
        right = self._limits(now, width)
        part = now.progress
        shown = Span(" " + percent(part).rjust(6), "strong")
        sizes, more = _totals(now)
        # The bar is more important than the words beside it.
        for words in (sizes + more, sizes, ""):
            tail = [shown, Span(words, "dim")]
            room = width - line_width(right) - line_width(tail) - 3
            if room >= _BAR_MIN:
                break
        cells = max(0, min(room, 60))
        left = [Span(" "), *self._bar(now, cells), *tail]
        return justify(left, right, width)

    def _bar(self, now: EngineSnapshot, cells: int) -> Line:
        """Return the bar; at the end, the part that failed has its own color."""
        filled, rest = bar(now.progress, cells, is_ascii=self.is_ascii)
        if now.progress != 1:
            return [Span(filled, "active"), Span(rest, "faint")]
        failed = now.counts[_S.FAILED] / max(1, _wanted(now))
        red = min(cells, -int(-failed * cells // 1)) if failed else 0
        return [
            Span(filled[: cells - red], "done"),
            Span(filled[cells - red :], "failed"),
        ]

    def _limits(self, now: EngineSnapshot, width: int) -> Line:
        """Return concurrency with its buttons, rate limit and disk queue."""
        is_over = now.active > now.concurrency
        slots = f"{now.active}/{now.concurrency}"
        line: Line = []
        if is_over and width >= 100:
            excess = now.active - now.concurrency
            line.append(Span(f"{count(excess)} finishing   ", "warn"))
        elif now.waiting_for and width >= 132:
            line.append(Span(f"{queue_text(now.waiting_for)}   ", "warn"))
        label = "concurrency " if width >= 70 else ""
        line += [
            Span(label, "dim"),
            Span(slots, "warn" if is_over else "strong", "set_number"),
            Span(" "),
            Span("[-]", "key", "fewer"),
            Span("[+]", "key", "more"),
        ]
        auto = auto_word(now.auto)
        if auto is not None and width >= 60:
            line += [Span(" "), auto]
        if width >= 100:
            limit = format_limit(now.rate_limit) if now.rate_limit else "off"
            style = "warn" if now.rate_limit else "dim"
            line += [Span("   limit ", "dim"), Span(limit, style, "limit")]
            queue = count(now.disk.queued)
            line += [Span("   disk queue ", "dim"), Span(queue, "text", "disk")]
        if now.disk.is_inline:
            line.append(Span("  INLINE", "warn", "inline_writes"))
        if now.disk.delay_s and width >= 100:
            line.append(Span("  SLOW DISK", "warn", "slow_disk"))
        return [*line, Span(" ")]


def auto_word(auto: AutoSnapshot) -> Span | None:
    """Return ``auto`` or ``pinned``; ``None`` if automatic concurrency never ran."""
    if auto.is_on:
        return Span("auto", "active", "auto")
    return Span("pinned", "warn", "auto") if auto.is_pinned else None


def _wanted(now: EngineSnapshot) -> int:
    return now.total - now.counts[_S.CANCELLED]


def _totals(now: EngineSnapshot) -> tuple[str, str]:
    """Return the totals beside the bar, and an addition that may be omitted.

    They must match ``EngineSnapshot.progress``, or one of the two would look wrong.
    """
    wanted, done = _wanted(now), count(now.counts[_S.DONE])
    if wanted <= 0:
        return "", ""
    received = format_size(now.known_received)
    if now.progress == 1:
        failed = now.counts[_S.FAILED]
        words = f", {count(failed)} failed" if failed else ""
        size = f", {received}" if now.known_received else ""
        return f"  {done} of {count(wanted)} done{words}", size
    if not now.counts_files:
        return f"  {_pair(now.known_received, now.known_size)}", ""
    if not now.known_received:
        size = ""
    elif now.unknown:
        size = f", {received}"
    else:
        size = f", {_pair(now.known_received, now.known_size)}"
    # Failed files are not part of the progress either.
    return f"  {done} of {count(wanted - now.counts[_S.FAILED])} files", size


def _eta(now: EngineSnapshot) -> str:
    return format_duration(now.eta_s)


def _pair(part: int, whole: int) -> str:
    """Return ``1.21 / 3.15 TB``, without repeating the unit."""
    first, second = format_size(part), format_size(whole)
    if first.rpartition(" ")[2] == second.rpartition(" ")[2]:
        first = first.rpartition(" ")[0]
    return f"{first} / {second}"
