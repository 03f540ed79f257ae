"""The details of one download as lines: pure functions of a snapshot and a width."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from tui.core.download import ENDED, DownloadState
from tui.core.text.sanitize import display_url, sanitize
from tui.core.text.units import format_duration, format_limit, format_rate, format_size
from tui.messages import diagnosis_tag, diagnosis_text, notice_text, remedy_for
from tui.ui.keys.keymap import key_of
from tui.ui.panes.diagnosis import with_keys
from tui.ui.panes.pane import Line, Span, justify, line_width
from tui.ui.panes.plot import spark
from tui.ui.panes.segment_map import map_lines
from tui.ui.style.format import (
    appearance_of_row,
    cells,
    count,
    done_fraction,
    fit,
    middle_ellipsis,
    percent,
    wrap,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tui.core.snapshot import DetailSnapshot, SegmentSnapshot

_LABEL = 10
"""Width of the labels in the long form."""
_SHEET_FROM = 18
"""Height from which a pane shows the long form."""
_STALLED_S = 5.0
_CHECKSUM_STYLES = {"ok": "done", "mismatch": "failed", "pending": "dim"}


# -- short forms, for the pane ---------------------------------------------------------


def state_line(detail: DetailSnapshot, width: int, is_ascii: bool = False) -> Line:
    """Return state, fraction done, and when the next attempt is or what limits it."""
    row = detail.row
    appearance = appearance_of_row(row)
    glyph = appearance.ascii_glyph if is_ascii else appearance.glyph
    dot = "-" if is_ascii else "·"
    left = [Span(f"{glyph} {appearance.word}", appearance.style)]
    if row.state is DownloadState.WAITING and row.retry_in_s is not None:
        left.append(Span(f" in {format_duration(row.retry_in_s)}", appearance.style))
    if row.stalled_s >= _STALLED_S and row.state is DownloadState.DOWNLOADING:
        left.append(Span(f"  stalled {format_duration(row.stalled_s)}", "warn"))
    share = done_fraction(row)
    right = [Span(percent(share), "strong")] if share is not None else []
    room = width - line_width(left) - line_width(right) - 4
    tag = diagnosis_tag(detail.diagnosis)
    if tag and row.stalled_s < _STALLED_S and cells(tag) <= room:
        left.append(Span(f" {dot} {tag}", "dim"))
    return justify(left, right, width)


def progress_line(detail: DetailSnapshot, width: int) -> Line:
    """Return ``826 MB of 2.00 GB  28.7 MB/s  41s``."""
    row = detail.row
    if row.state is DownloadState.DONE or row.size is None:
        words = format_size(row.received if row.size is None else row.size)
    else:
        words = f"{format_size(row.received)} of {format_size(row.size)}"
    line = [Span(words, "strong")]
    if row.has_speed:
        line.append(Span(f"  {format_rate(row.speed)}"))
        line.append(Span(f"  {format_duration(row.eta_s)}", "dim"))
    if detail.rate_limit is not None:
        line.append(Span(f"  limit {format_limit(detail.rate_limit)}", "warn"))
    while len(line) > 1 and line_width(line) > width:
        line.pop()  # no figure is cut
    return justify(line, (), width)


def response_line(detail: DetailSnapshot, width: int) -> Line:
    """Return ``HTTP/1.1 206  etag  sha256 pending  3/3 conn``."""
    line: Line = []
    if detail.row.status:
        version = sanitize(detail.http_version) or "HTTP"
        line.append(Span(f"{version} {detail.row.status}  "))
    line.append(Span(validator_text(detail), "dim"))
    if detail.checksum:
        name = sanitize(detail.checksum.partition("=")[0])
        state = detail.checksum_state
        style = _CHECKSUM_STYLES.get(state, "dim")
        line.append(Span(f"  {name} {sanitize(state)}", style))
    right: Line = []
    if detail.row.connections:
        words = f"{detail.row.connections}/{detail.connections_wanted} conn"
        if line_width(line) + len(words) < width:
            right = [Span(words, "dim")]
    return justify(line, right, width)


def validator_text(detail: DetailSnapshot) -> str:
    """Return what a resume is validated by: ``etag``, ``date`` or ``no validator``."""
    if detail.row.state is DownloadState.DONE and not detail.validator:
        return ""  # it will not be resumed
    if not detail.validator and not detail.row.status:
        return "not requested yet"
    if not detail.validator:
        return "no validator" if detail.http_version else "validator unknown"
    return "etag" if '"' in detail.validator else "date"


def error_lines(
    detail: DetailSnapshot, width: int, is_ascii: bool = False
) -> list[Line]:
    """Return the error and its remedy, or the note; empty if there is neither."""
    row = detail.row
    if not row.error:
        note = notice_text(row.note)
        return [[Span(fit(note, width), "waiting")]] if note else []
    arrow = "-> " if is_ascii else "→ "
    style = "failed" if row.state is DownloadState.FAILED else "waiting"
    rows = [[Span(text, style)] for text in wrap(sanitize(row.error, 300), width)]
    remedy = remedy_for(row.error_kind, row.error, row.status)
    if remedy:
        for index, text in enumerate(wrap(remedy, width - len(arrow))):
            lead = " " * len(arrow) if index else arrow
            rows.append([Span(lead + text, "dim")])
    return rows


def pane_lines(
    detail: DetailSnapshot, width: int, height: int, is_ascii: bool = False
) -> list[Line]:
    """Return what a pane of this size shows, most important first."""
    if height >= _SHEET_FROM:
        return sheet_lines(detail, width, is_ascii)
    row = detail.row
    head = [state_line(detail, width, is_ascii), progress_line(detail, width)]
    error = error_lines(detail, width, is_ascii)
    path = sanitize(
        detail.path if row.state is DownloadState.DONE else detail.part_path
    )
    url = display_url(row.url)
    tail: list[Line] = [
        [Span("from ", "dim"), Span(middle_ellipsis(url, width - 5))],
        [Span("to   ", "dim"), Span(middle_ellipsis(path, width - 5))],
        response_line(detail, width),
    ]
    room = height - len(head) - len(tail) - len(error)
    # Two lines of map are enough for a few dozen ranges; the full screen shows more.
    rows = 1 if room <= 1 else min(4, max(2, room // 2))
    drawn = map_lines(detail, width, rows, is_ascii=is_ascii)
    if error:
        # In little space, the error and its remedy are more important than the map.
        shown = drawn if room >= 1 else []
        return [head[0], *error, *shown, *head[1:], *tail]
    if room <= 0:
        return [*drawn, *head[1:], *tail][:height]
    spare = height - len(head) - len(tail) - len(drawn)
    extra = attempt_lines(detail, width)[-spare:] if spare > 0 else []
    return [head[0], *drawn, head[1], *tail, *extra]


def attempt_lines(detail: DetailSnapshot, width: int) -> list[Line]:
    """Return a line per attempt: number, time of day and outcome."""
    lines: list[Line] = []
    for attempt in detail.attempts:
        at = time.strftime("%H:%M:%S", time.localtime(attempt.at))
        outcome = sanitize(attempt.outcome) or "running"
        head = f"try {attempt.number}  {at}  "
        style = "text" if attempt.outcome else "active"
        lines.append(
            [Span(head, "dim"), Span(fit(outcome, max(0, width - len(head))), style)]
        )
    row = detail.row
    if lines and row.state is DownloadState.DONE and detail.finished_at:
        at = time.strftime("%H:%M:%S", time.localtime(detail.finished_at))
        lines.append([Span(f"try {row.attempt}  {at}  ", "dim"), Span("done", "done")])
    return lines


# -- the long form, for the screen -----------------------------------------------------


def sheet_lines(
    detail: DetailSnapshot, width: int, is_ascii: bool = False
) -> list[Line]:
    """Return everything known about a download, a fact per line; long values wrap."""
    row = detail.row
    rows = 2 if width >= 80 else 3
    lines: list[Line] = [
        state_line(detail, width, is_ascii),
        *map_lines(detail, width, rows, is_ascii=is_ascii),
        progress_line(detail, width),
    ]
    error = error_lines(detail, width, is_ascii)
    if error:
        lines += [[], *error]
    lines += _current_facts(detail, width, is_ascii)
    lines += _section("Location", width, is_ascii)
    lines += _fact("URL", display_url(row.url), width)
    for mirror in detail.mirrors:
        if mirror != row.url:
            lines += _fact("mirror", display_url(mirror), width)
    lines += _fact("file", sanitize(detail.path), width)
    if row.state is not DownloadState.DONE:
        lines += _fact("part file", sanitize(detail.part_path), width)
    lines += _fact("source", sanitize(detail.source), width)
    if detail.asked:
        lines += _section("Request", width, is_ascii)
        lines += _headers(detail.asked, width)
    lines += _section("Response", width, is_ascii)
    lines += _response_facts(detail, width)
    if detail.segments:
        title = f"Ranges in flight ({count(len(detail.segments))})"
        lines += _section(title, width, is_ascii)
        lines += [
            segment_line(number, segment, width)
            for number, segment in enumerate(detail.segments, 1)
        ]
    if detail.attempts:
        lines += _section("Attempts", width, is_ascii)
        lines += attempt_lines(detail, width)
    return lines


def _current_facts(detail: DetailSnapshot, width: int, is_ascii: bool) -> list[Line]:
    """Return what limits the download, its speed, times, and the keys to change it."""
    row = detail.row
    lines = _fact("now", with_keys(diagnosis_text(detail.diagnosis)), width)
    if detail.speeds:
        graph = spark(detail.speeds, min(len(detail.speeds), 60), is_ascii=is_ascii)
        mean = sum(detail.speeds) / len(detail.speeds)
        words = f"mean {format_rate(mean)}, peak {format_rate(max(detail.speeds))}"
        graph = graph[-max(8, width - _LABEL - cells(words) - 2) :]
        line = [Span(fit("speed", _LABEL), "dim"), Span(graph, "active")]
        lines.append([*line, Span(f"  {words}", "text")])
    if row.state is DownloadState.DOWNLOADING:
        wanted = detail.connections_wanted
        active = f"{row.connections} of {wanted}" if wanted else f"{row.connections}"
        more, fewer = key_of("connections_more"), key_of("connections_fewer")
        words = f"{active} in flight   {more} to add one, {fewer} to remove one"
        lines += _fact("ranges", words, width)
    if row.state not in ENDED:
        rate = format_limit(detail.rate_limit) if detail.rate_limit else "none"
        lines += _fact("limit", f"{rate}   {key_of('limit_row')} to change", width)
    if detail.started_at:
        lines += _fact("started", _local_time(detail.started_at), width)
    if detail.finished_at and row.state in ENDED:
        took = max(0.0, detail.finished_at - detail.started_at)
        words = f"{_local_time(detail.finished_at)} (took {format_duration(took)})"
        lines += _fact("finished", words, width)
    return [[], *lines] if lines else []


def _local_time(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at))


def _response_facts(detail: DetailSnapshot, width: int) -> list[Line]:
    row = detail.row
    status = f"{sanitize(detail.http_version)} {row.status}".strip()
    lines = _fact("status", status if row.status else "not requested yet", width)
    if 200 <= row.status < 300 and validator_text(detail):
        value = sanitize(detail.validator)
        if not value and detail.http_version:
            value = "none; a resume starts from the beginning"
        value = value or "not known until it is requested again"
        lines += _fact("validator", value, width)
    if detail.checksum:
        style = _CHECKSUM_STYLES.get(detail.checksum_state, "dim")
        lines += _fact("checksum", sanitize(detail.checksum_state), width, style)
        lines += _fact("", sanitize(detail.checksum), width)
    return lines + _headers(detail.answer, width)


def _headers(headers: Iterable[tuple[str, str]], width: int) -> list[Line]:
    """Return headers; their values form a column, beside all but very long names."""
    shown = [(sanitize(name), sanitize(value)) for name, value in headers]
    fitting = (cells(name) + 1 for name, _ in shown if cells(name) < width // 3)
    label = max((_LABEL, *fitting))
    return [
        line for name, value in shown for line in _fact(name, value, width, label=label)
    ]


def segment_line(number: int, segment: SegmentSnapshot, width: int) -> Line:
    """Return number, speed, fraction done and extent of a range in flight."""
    size = None if segment.end is None else segment.end - segment.start
    received = segment.at - segment.start
    share = percent(received / size if size else None)
    head = f"{number:>3}  {format_rate(segment.speed):>10}  {share:>6}"
    upto = "end" if segment.end is None else format_size(segment.end)
    extent = f"  {format_size(segment.start):>8} to {upto:<8}"
    line = [Span(head), Span(extent, "dim")]
    room = width - len(head) - len(extent)
    if room >= 20:
        line.append(Span(middle_ellipsis(display_url(segment.url), room), "dim"))
    return justify(line, (), width)


def _section(title: str, width: int, is_ascii: bool) -> list[Line]:
    rule = ("-" if is_ascii else "─") * max(0, width - len(title) - 1)
    return [[], [Span(f"{title} ", "title"), Span(rule, "faint")]]


def _fact(
    name: str, value: str, width: int, style: str = "text", *, label: int = _LABEL
) -> list[Line]:
    """Return a value beside its name, which gets ``label`` cells or more."""
    if not value:
        return []
    name = middle_ellipsis(name, max(label, width // 2))
    head = fit(name, label) if cells(name) < label else f"{name} "
    rows = wrap(value, width - cells(head))
    pad = " " * cells(head)
    return [
        [Span(pad if index else head, "dim"), Span(text, style)]
        for index, text in enumerate(rows)
    ]
