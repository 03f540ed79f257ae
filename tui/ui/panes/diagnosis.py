"""Shows a diagnosis: what limits the run, with the keys that may help."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui.core.diagnosis import NO_DIAGNOSIS, Diagnosis, LimitCause
from tui.core.download import DownloadState
from tui.core.quick.pattern import late_pattern
from tui.messages import diagnosis_headline, diagnosis_text, queue_text
from tui.ui.keys.keymap import key_of
from tui.ui.keys.registry import BY_ID
from tui.ui.panes.pane import Line, Span

if TYPE_CHECKING:
    from tui.core.snapshot import EngineSnapshot

_ACTION = late_pattern(r"\{(\w{1,40})\}")


def diagnosis_spans(snapshot: EngineSnapshot, *, is_short: bool = False) -> Line:
    """Return what limits the run, the limit brighter than the proof."""
    if is_short:
        headline = diagnosis_headline(_present(snapshot))
        return [Span(headline, "strong")] if headline else []
    words = with_keys(diagnosis_text(_present(snapshot)))
    headline, colon, proof = words.partition(":")
    line = [Span(headline, "strong")] if headline else []
    if proof:
        line.append(Span(colon + proof, "dim"))
    waiting_for = queue_text(snapshot.waiting_for)
    if waiting_for:
        line.append(Span(("   " if line else "") + waiting_for, "warn"))
    return line


def _present(snapshot: EngineSnapshot) -> Diagnosis:
    """Return the diagnosis with the numbers of slots that the header shows.

    It is made every few seconds, and the numbers may have changed since.
    """
    diagnosis = snapshot.diagnosis
    if diagnosis.cause not in (LimitCause.SLOTS_BUSY, LimitCause.SLOTS_BUSY_AUTO):
        return diagnosis
    queued = snapshot.counts[DownloadState.QUEUED]
    if not queued or snapshot.active < snapshot.concurrency:
        return NO_DIAGNOSIS
    return diagnosis._replace(values=(snapshot.concurrency, queued))


def with_keys(words: str) -> str:
    """Replace ids of actions in braces, such as ``{more}``, with their keys."""
    return _ACTION.sub(lambda match: _key(match[1]), words)


def _key(id: str) -> str:
    return key_of(id) if id in BY_ID else id
