"""Which mirror is asked next."""

from __future__ import annotations

from tui.net.mirrors import MirrorSelector

FIRST, SECOND = MIRRORS = ("http://a/f", "http://b/f")


def test_a_mirror_that_works_again_is_as_good_as_before() -> None:
    selector = MirrorSelector()
    selector.note_failure(FIRST)
    assert selector.choose(MIRRORS) == SECOND
    selector.note_success(FIRST, 1000.0)
    assert selector.choose(MIRRORS) == FIRST
    selector.note_success(SECOND, 2000.0)
    assert selector.choose(MIRRORS) == SECOND
    assert selector.choose(MIRRORS, load={SECOND: 1}) == FIRST
    assert selector.choose(MIRRORS, dead=MIRRORS) is None
