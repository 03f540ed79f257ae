"""Every code has a sentence, and the sentences read as intended."""

from __future__ import annotations

import re
import time

import pytest

from tui import messages
from tui.core.diagnosis import (
    NO_DIAGNOSIS,
    Diagnosis,
    Limit,
    LimitCause,
    QueueBlock,
    QueueStatus,
)
from tui.core.download import DownloadState
from tui.core.errors import ErrorKind, PermanentError
from tui.core.events import LimitChanged
from tui.core.notices import (
    AutoCode,
    AutoReason,
    LimitName,
    Notice,
    NoticeCode,
    PauseReason,
    RestoredSession,
)
from tui.ui.keys.registry import BY_ID

C, L, N = LimitCause, Limit, NoticeCode
NUMBERS = (3, 5_000_000, 0.5, 7)


@pytest.mark.parametrize("kind", ErrorKind)
def test_every_error_has_a_short_remedy(kind):
    remedy = messages.remedy(kind)
    assert 0 < len(remedy) <= 70
    assert not remedy.endswith(".")


def test_a_forbidden_file_needs_permissions_and_not_a_login():
    assert messages.remedy("auth", 401).startswith("check your credentials")
    assert "permissions" in messages.remedy("auth", 403)


@pytest.mark.parametrize(
    ("error", "remedy"),
    [
        ("404 Not Found", "the server has no such file; check the URL"),
        ("404 Not Found. The server has no such file", "check the URL"),
        ("the server has no such file; check the URL", ""),
    ],
)
def test_a_remedy_does_not_repeat_the_error(error, remedy):
    assert messages.remedy_for("not_found", error) == remedy


def test_an_unknown_kind_has_no_remedy():
    assert messages.remedy_for("something new", "it broke") == ""


def test_an_error_is_followed_by_its_remedy():
    error = PermanentError("dns", "no answer")
    assert messages.error_text(error) == f"no answer; {messages.remedy('dns')}"


@pytest.mark.parametrize("code", NoticeCode)
def test_every_notice_has_a_sentence(code):
    assert messages.notice_text(Notice(code, (0.5, 7, 9, 11)))


@pytest.mark.parametrize("cause", list(LimitCause)[1:])
def test_every_diagnosis_has_a_sentence_that_names_known_actions(cause):
    for first in (1, 3):
        values = (first, *NUMBERS[1:])
        text = messages.diagnosis_text(Diagnosis(L.SERVER, cause, values))
        assert text
        assert set(re.findall(r"\{(\w+)\}", text)) <= set(BY_ID)


@pytest.mark.parametrize("limit", Limit)
def test_every_limit_has_a_headline_and_a_tag(limit):
    diagnosis = Diagnosis(limit, C.NONE)
    is_limited = limit is not Limit.NOTHING
    assert bool(messages.diagnosis_headline(diagnosis)) is is_limited
    assert bool(messages.diagnosis_tag(diagnosis)) is is_limited


@pytest.mark.parametrize("code", AutoCode)
def test_every_step_of_the_controller_has_a_sentence(code):
    assert messages.auto_text(AutoReason(code, NUMBERS))


@pytest.mark.parametrize("block", QueueBlock)
def test_every_reason_to_wait_has_a_sentence(block):
    assert messages.queue_text(QueueStatus(block, (3, 9)))


@pytest.mark.parametrize("name", LimitName)
def test_every_limit_that_changes_has_a_sentence(name):
    assert messages.limit_text(LimitChanged(0.0, name, 2, 4))


@pytest.mark.parametrize(
    ("diagnosis", "text"),
    [
        (
            Diagnosis(L.CONCURRENCY, C.SLOTS_BUSY, (8, 92)),
            "Limited by concurrency: all 8 slots busy, 92 queued ({more} adds a slot)",
        ),
        (
            Diagnosis(L.CONCURRENCY, C.SLOTS_BUSY_AUTO, (1, 4203)),
            "Limited by concurrency: the only slot is busy, 4,203 queued"
            " (auto will try more)",
        ),
        (
            Diagnosis(L.SERVER, C.SERVER_WAIT, (1.0,)),
            "Limited by the server: connections spend 100% of their time"
            " waiting for data",
        ),
        (
            Diagnosis(L.SERVER, C.HOSTS_REFUSE, (1,)),
            "Limited by the server: a host is refusing connections ({hosts}: hosts)",
        ),
        (
            Diagnosis(L.LIMITER, C.RATE_LIMIT, (40 << 20,)),
            "Limited by your rate limit, 40M ({limit} to change)",
        ),
        (
            Diagnosis(L.LIMITER, C.RATE_LIMIT, (2_000_000,)),
            "Limited by your rate limit, 2.00 MB/s ({limit} to change)",
        ),
        (
            Diagnosis(L.DISK, C.DISK_WAIT_WRITERS, (0.815,)),
            "Limited by the disk: connections spend 82% of their time waiting for it"
            " ({writers_more} adds a writer)",
        ),
        (
            Diagnosis(L.SERVER, C.CONNECTIONS, (1,)),
            "Limited by the server: 1 connection ({connections_more} adds one)",
        ),
        (
            Diagnosis(L.SERVER, C.NO_DATA, (12.0,)),
            "Limited by the server: no data for 12s",
        ),
        (NO_DIAGNOSIS, ""),
    ],
)
def test_diagnoses(diagnosis, text):
    assert messages.diagnosis_text(diagnosis) == text


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (
            QueueStatus(QueueBlock.OVER_LIMIT, (16, 9)),
            "16 over the limit of 9 are finishing",
        ),
        (QueueStatus(QueueBlock.PAUSED), "queue paused"),
        (None, ""),
    ],
)
def test_queue_states(status, text):
    assert messages.queue_text(status) == text


@pytest.mark.parametrize(
    ("reason", "text"),
    [
        (
            AutoReason(AutoCode.TRY_MORE, (8, 8e6, 16)),
            "8 downloads reach 8.00 MB/s; trying 16",
        ),
        (
            AutoReason(AutoCode.BACK, (16, 8e6, 0.004, 8)),
            "16 downloads reach 8.00 MB/s (+0%); back to 8",
        ),
        (
            AutoReason(AutoCode.FEWER_STAY, (4, 8e6, -0.03)),
            "4 downloads are as fast, 8.00 MB/s (-3%); keeping them",
        ),
        (
            AutoReason(AutoCode.CONNECTIONS_BROKE, (5, 5.0)),
            "5 connections broke",
        ),
    ],
)
def test_steps_of_the_controller(reason, text):
    assert messages.auto_text(reason).startswith(text)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (LimitChanged(0.0, LimitName.CONCURRENCY, 4, 32), "concurrency 4 → 32"),
        (
            LimitChanged(
                0.0,
                LimitName.CONCURRENCY,
                4,
                8,
                reason=AutoReason(AutoCode.TRY_FEWER, (8,)),
            ),
            "concurrency 4 → 8 (fewer may be as fast; trying 8)",
        ),
        (LimitChanged(0.0, LimitName.PER_HOST, 0, 2), "per host unlimited → 2"),
        (
            LimitChanged(0.0, LimitName.RATE_LIMIT, 40 << 20, None),
            "rate limit 40M → off",
        ),
        (LimitChanged(0.0, LimitName.AUTO, 0, 1), "automatic concurrency on"),
        (
            LimitChanged(0.0, LimitName.ORIGIN, 0, 3, origin="http://a:b@c"),
            "max downloads from http://c unlimited → 3",
        ),
    ],
)
def test_limit_changes(change, text):
    assert messages.limit_text(change) == text


@pytest.mark.parametrize(
    ("notice", "text"),
    [
        (Notice(N.UNPACKED, (1, "a")), "unpacked into a/ (1 entry)"),
        (Notice(N.UNPACKED, (3000, "a")), "unpacked into a/ (3,000 entries)"),
        (Notice(N.HOOK_FAILED, ("false", "exited")), "hook 'false' exited"),
        (
            Notice(N.TEXT, ("from an {0} old {x} journal",)),
            "from an {0} old {x} journal",
        ),
    ],
)
def test_notices(notice, text):
    assert messages.notice_text(notice) == text


def test_text_from_outside_is_safe_to_show():
    hostile = "\x1b[2J\u202e"
    for text in (
        messages.notice_text(Notice(N.FILE_EXISTS, (hostile, hostile))),
        messages.notice_text(
            Notice(N.MIRROR_CHANGED, (hostile, f"http://u:p@{hostile}"))
        ),
        messages.pause_text(PauseReason(ErrorKind.DISK_FULL, hostile)),
    ):
        assert "\x1b" not in text
        assert "\u202e" not in text
        assert "u:p" not in text


def test_a_restored_session_is_summed_up():
    counts = [0] * len(DownloadState)
    counts[DownloadState.QUEUED], counts[DownloadState.DONE] = 10, 1990
    session = RestoredSession(0.0, tuple(counts))
    when = time.strftime("%d %b %H:%M", time.localtime(0.0))
    text = f"Restored session of {when}: 10 left, 1,990 done"
    assert messages.session_text(session) == text
    lost = session._replace(problem=Notice(N.ENTRIES_LOST, (2,)))
    assert messages.session_text(lost) == f"{text}; 2 entries could not be read"
    assert messages.session_text(Notice(N.LAST_SESSION_OPEN)).startswith("Last session")
    assert messages.session_text(None) == ""
