"""The lines of the disk pane: writer threads, figures, and graphs of their history.

Pure functions of a snapshot and a width.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui.core.text.sanitize import sanitize
from tui.core.text.units import format_rate, format_size
from tui.ui.keys.keymap import key_of
from tui.ui.panes.pane import Line, Span, justify, line_width
from tui.ui.panes.plot import axis_graph, milliseconds, spark, step_above
from tui.ui.style.format import bar, count, fit, middle_ellipsis, wrap

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tui.core.snapshot import DiskSnapshot, EngineSnapshot, WorkerSnapshot
    from tui.ui.panes.lag_comparison import Comparison

LAG_WARN_S = 0.05
"""Loop lag at which key presses start to feel late, seconds."""
FULL = 0.95
"""Fraction of the limit that counts as full: reading pauses one buffer earlier."""
_MIN_QUEUE_TOP = 8
_WIDE_COMPARISON = 45
"""Cells in which a comparison fits of which nothing has been measured."""
_SLOW_S = 1.0
"""A write that takes longer is shown in orange."""


def worker_lines(
    workers: Sequence[WorkerSnapshot],
    width: int,
    height: int,
    spinner: str,
    is_ascii: bool = False,
    *,
    shares: Sequence[float] = (),
) -> list[Line]:
    """Return a line per writer thread; if they do not fit, the last counts the rest."""
    if len(workers) <= height:
        shown, rest = list(enumerate(workers, 1)), []
    else:
        # Show busy threads first; their numbers identify them.
        ranked = sorted(enumerate(workers, 1), key=lambda item: not is_busy(item[1]))
        fitting = max(0, height - 1)
        shown, rest = sorted(ranked[:fitting]), ranked[fitting:]
    digits = len(str(len(workers)))
    lines = [
        worker_line(
            number,
            worker,
            width,
            digits,
            spinner,
            is_ascii,
            share=shares[number - 1] if number <= len(shares) else 0.0,
        )
        for number, worker in shown
    ]
    if rest and height > 0:
        busy = sum(is_busy(worker) for _, worker in rest)
        more = "..." if is_ascii else "…"
        lines.append([Span(f"{more} {len(rest)} more, {busy} busy", "dim")])
    return lines


def is_busy(worker: WorkerSnapshot) -> bool:
    """Return True if a thread is executing an operation."""
    return worker.operation not in ("", "idle")


def worker_line(
    number: int,
    worker: WorkerSnapshot,
    width: int,
    digits: int,
    spinner: str,
    is_ascii: bool = False,
    *,
    share: float = 0.0,
) -> Line:
    """Return ``1 ⠹ write  1.0 MB  train-00017 +2   9 ms ━━─── 37%``.

    Args:
        number: of the thread, from 1.
        worker: what it does now.
        width: cells.
        digits: width of the number.
        spinner: its current frame.
        is_ascii: use only characters below 0x80.
        share: fraction of the last seconds in which it was busy; unlike its present
            operation, it does not depend on the moment.
    """
    busy = _share(share, width, is_ascii)
    width -= line_width(busy)
    return [*_operation(number, worker, width, digits, spinner, is_ascii), *busy]


def _share(share: float, width: int, is_ascii: bool) -> Line:
    figure = Span(f" {share:4.0%}", "text" if share >= 0.005 else "dim")
    if width < 44:
        return [figure]
    full, empty = bar(share, 6, is_ascii=is_ascii)
    return [Span(" "), Span(full, "active"), Span(empty, "faint"), figure]


def _operation(
    number: int,
    worker: WorkerSnapshot,
    width: int,
    digits: int,
    spinner: str,
    is_ascii: bool,
) -> Line:
    """Return number and present operation in ``width`` cells."""
    head = Span(f"{number:>{digits}} ", "dim")
    if not is_busy(worker):
        glyph = "." if is_ascii else "·"
        return [head, Span(fit(f"{glyph} idle", width - digits - 1), "dim")]
    took = f"{milliseconds(worker.elapsed_s):>7}"
    size = f" {format_size(worker.nbytes) if worker.nbytes else '':>7}"
    size = size if width >= 34 else ""
    word = fit(sanitize(worker.operation), 6)
    room = width - digits - 3 - 6 - len(size) - 2 - len(took)
    more = f" +{count(worker.operations - 1)}" if worker.operations > 1 else ""
    more = more if len(more) <= room - 6 else ""
    name = middle_ellipsis(sanitize(worker.name), max(0, room - len(more)))
    line = [
        head,
        Span(f"{spinner} ", "active"),
        Span(word, "strong"),
        Span(f"{size}  "),
        Span(name),
        Span(more, "dim"),
    ]
    late = "warn" if worker.elapsed_s >= _SLOW_S else "dim"
    return justify(line, [Span(took, late)], width)


def comparison_line(
    comparison: Comparison, width: int, hint: str = "", is_ascii: bool = False
) -> Line:
    """Return ``loop lag: executor 9.1 ms → inline 340 ms``, the worse in orange.

    Args:
        comparison: the present mode is shown last.
        width: cells.
        hint: shown if both modes are similar and there is space.
        is_ascii: use only characters below 0x80.
    """
    modes = [("executor", comparison.executor_s), ("inline", comparison.inline_s)]
    if not comparison.is_inline:
        modes.reverse()
    worst_s = max((lag_s for _, lag_s in modes if lag_s is not None), default=0.0)
    arrow = Span(" -> " if is_ascii else " → ", "dim")
    never = "not measured" if width >= _WIDE_COMPARISON else "-"
    line: Line = []
    for name, lag_s in modes:
        line += [arrow] if line else []
        line.append(Span(f"{name} "))
        if lag_s is None:
            line.append(Span("measuring" if line[1:] else never, "dim"))
        else:
            is_worse = lag_s == worst_s and not comparison.is_similar
            is_worse = is_worse and None not in (modes[0][1], modes[1][1])
            line.append(Span(milliseconds(lag_s), "warn" if is_worse else "strong"))
    heads = ("loop lag: ", "lag ", "")
    room = width - line_width(line)
    line = [Span(next((head for head in heads if len(head) <= room), ""), "dim"), *line]
    if comparison.is_similar and hint and line_width(line) + 2 + len(hint) <= width:
        line.append(Span(f"  {hint}", "dim"))
    return line


def queue_top(history: Sequence[int]) -> float:
    """Return the top of the queue's graph, high enough that 1 or 2 look small."""
    return max(_MIN_QUEUE_TOP, *history, 0)


def queue_line(
    history: Sequence[int], queued: int, width: int, is_ascii: bool = False
) -> Line:
    """Return the number of queued operations, with its history."""
    words = f"  {count(queued)} waiting"
    room = max(0, width - 6 - len(words))
    return justify(
        [
            Span("queue ", "dim"),
            Span(
                spark(history, room, queue_top(history), is_ascii=is_ascii), "verifying"
            ),
        ],
        [Span(words)],
        width,
    )


def buffer_line(disk: DiskSnapshot, width: int, is_ascii: bool = False) -> Line:
    """Return the bytes buffered between network and disk, against their limit."""
    limit = disk.in_flight_limit
    words = f"  {format_size(disk.in_flight)} of {format_size(limit)}"
    share = disk.in_flight / limit if limit else 0.0
    full, empty = bar(share, max(0, width - 9 - len(words)), is_ascii=is_ascii)
    style = "warn" if share >= FULL else "active"
    return [
        Span("buffered ", "dim"),
        Span(full, style),
        Span(empty, "faint"),
        Span(words, "warn" if share >= FULL else "text"),
    ]


def queue_and_buffer_line(
    history: Sequence[int], disk: DiskSnapshot, width: int, is_ascii: bool = False
) -> Line:
    """Return queue and buffer on one line, for low panes."""
    left = [
        Span("queue ", "dim"),
        Span(count(disk.queued)),
        Span(" "),
        Span(spark(history, 5, queue_top(history), is_ascii=is_ascii), "verifying"),
    ]
    words = f" {format_size(disk.in_flight)}"
    limit = disk.in_flight_limit
    share = disk.in_flight / limit if limit else 0.0
    room = max(3, width - line_width(left) - 11 - len(words))
    full, empty = bar(share, min(24, room), is_ascii=is_ascii)
    style = "warn" if share >= FULL else "active"
    right = [
        Span(" buffered ", "dim"),
        Span(full, style),
        Span(empty, "faint"),
        Span(words, "warn" if share >= FULL else "text"),
    ]
    return justify(left, right, width)


def short_line(disk: DiskSnapshot, is_ascii: bool = False) -> Line:
    """Return ``buffered ━─── 3.00 MB  queue 3``, for half a line."""
    limit = disk.in_flight_limit
    share = disk.in_flight / limit if limit else 0.0
    full, empty = bar(share, 4, is_ascii=is_ascii)
    style = "warn" if share >= FULL else "active"
    return [
        Span("buffered ", "dim"),
        Span(full, style),
        Span(empty, "faint"),
        Span(f" {format_size(disk.in_flight)}"),
        Span("  queue ", "dim"),
        Span(count(disk.queued)),
    ]


def write_line(disk: DiskSnapshot, width: int) -> Line:
    """Return the bytes written per second, and how long a write takes."""
    p50, p99 = milliseconds(disk.p50_s), milliseconds(disk.p99_s)
    if p50.endswith(" ms") and p99.endswith(" ms"):
        p50 = p50.removesuffix(" ms")
    right = [
        Span("p50 ", "dim"),
        Span(p50),
        Span(" p99 ", "dim"),
        Span(p99, "warn" if disk.p99_s >= _SLOW_S else "text"),
    ]
    left = [Span("write ", "dim"), Span(format_rate(disk.speed), "strong")]
    if line_width(left) + 1 + line_width(right) > width:
        right = [Span("p99 ", "dim"), right[-1]]  # no figure is cut
    return justify(left, right, width)


def batch_line(disk: DiskSnapshot, width: int) -> Line:
    """Return the operations per executor call, and how long an fsync takes."""
    per_batch = disk.operations / disk.batches if disk.batches else 0.0
    number = f"{per_batch:.1f}" if per_batch < 99.95 else count(round(per_batch))
    left = [Span("ops per call ", "dim"), Span(number)]
    right: Line = []
    if disk.sync_p99_s:
        right = [Span("sync p99 ", "dim"), Span(milliseconds(disk.sync_p99_s))]
    return justify(left, right, width)


def lag_line(snapshot: EngineSnapshot, width: int, is_ascii: bool = False) -> Line:
    """Return the loop lag in figures, with a sparkline if there is space."""
    loop = snapshot.loop
    style = "warn" if loop.p99_s >= LAG_WARN_S else "text"
    line = [
        Span("loop ", "dim"),
        Span("p50 ", "dim"),
        Span(milliseconds(loop.p50_s)),
        Span("  p99 ", "dim"),
        Span(milliseconds(loop.p99_s), style),
    ]
    room = min(24, width - sum(len(span.text) for span in line) - 2)
    if room >= 4:
        # The top is at least 50 ms, or the jitter of an idle loop would look large.
        top = max(LAG_WARN_S, *loop.history_s[-room:], 0.0)
        graph = spark(loop.history_s, room, top, is_ascii=is_ascii)
        line += [Span("  "), Span(graph, style if style == "warn" else "verifying")]
    return line


def explanation(*, is_inline: bool) -> str:
    """Return what the graphs show, and the key that switches to inline writes."""
    key = key_of("inline_writes")
    if is_inline:
        return (
            "Writes run on the event loop now: during each one, no key is handled and"
            f" no socket is read. Press {key} to run them in threads (run_in_executor)"
            " again, and compare the lag."
        )
    return (
        "Writes run in threads (run_in_executor), so the event loop stays free for"
        f" keys and sockets. Press {key} to write inline and watch the lag,"
        f" {key} again to stop. If the disk is too fast to see it,"
        f" {key_of('slow_disk')} simulates a slow one."
    )


def history_lines(
    lags_s: Sequence[float],
    queue: Sequence[int],
    width: int,
    height: int,
    is_ascii: bool = False,
    *,
    is_inline: bool = False,
) -> list[Line]:
    """Return graphs of loop lag and queue, and an explanation below them.

    Args:
        lags_s: worst lag of each past half second, oldest first.
        queue: longest queue of each past half second, oldest first.
        width: cells.
        height: lines to fill, at least 9; the queue's graph needs 14.
        is_ascii: use only characters below 0x80.
        is_inline: writes run on the event loop.
    """
    text = explanation(is_inline=is_inline)
    words: list[Line] = [[Span(row, "dim")] for row in wrap(text, width)]
    if height < len(words) + 4:
        words = words[:0]  # the graph matters more
    room = height - len(words) - 2
    has_queue = room >= 10
    rows = (room - 4) // 2 if has_queue else room - 1
    lag_top = max(LAG_WARN_S, step_above(max(lags_s, default=0.0) * 1000) / 1000)
    is_late = any(lag >= LAG_WARN_S for lag in lags_s)
    lines: list[Line] = [
        [],
        [Span("Loop lag ", "title"), Span("worst per half second", "dim")],
        *axis_graph(
            lags_s,
            width,
            rows,
            lag_top,
            milliseconds,
            style="warn" if is_late else "verifying",
            is_ascii=is_ascii,
        ),
    ]
    if has_queue:
        lines += [
            [],
            [Span("Queue ", "title"), Span("operations waiting for a thread", "dim")],
            *axis_graph(
                queue,
                width,
                rows,
                step_above(queue_top(queue)),
                lambda value: count(round(value)),
                is_ascii=is_ascii,
            ),
        ]
    return [*lines, [], *words]
