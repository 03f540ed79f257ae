"""Shows a diagnosis: what limits the run, with the keys that may help."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tui.messages import diagnosis_headline, diagnosis_text, queue_text
from tui.ui.keys.keymap import key_of
from tui.ui.keys.registry import BY_ID
from tui.ui.panes.pane import Line, Span

if TYPE_CHECKING:
    from tui.core.snapshot import EngineSnapshot

_ACTION = re.compile(r"\{(\w{1,40})\}")


def diagnosis_spans(snapshot: EngineSnapshot, *, is_short: bool = False) -> Line:
    """Return what limits the run, the limit brighter than the proof."""
    if is_short:
        headline = diagnosis_headline(snapshot.diagnosis)
        return [Span(headline, "strong")] if headline else []
    words = with_keys(diagnosis_text(snapshot.diagnosis))
    headline, colon, proof = words.partition(":")
    line = [Span(headline, "strong")] if headline else []
    if proof:
        line.append(Span(colon + proof, "dim"))
    waiting_for = queue_text(snapshot.waiting_for)
    if waiting_for:
        line.append(Span(("   " if line else "") + waiting_for, "warn"))
    return line


def with_keys(words: str) -> str:
    """Replace ids of actions in braces, such as ``{more}``, with their keys."""
    return _ACTION.sub(lambda match: _key(match[1]), words)


def _key(id: str) -> str:
    return key_of(id) if id in BY_ID else id
