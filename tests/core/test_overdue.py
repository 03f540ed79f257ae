"""Stopping work that would not end, and leaving other people's alarms alone."""

from __future__ import annotations

import re
import signal
import threading
from contextlib import contextmanager

import pytest

from tui.core.listing.regex_timeout import Overdue, within


def for_ever() -> object:
    return re.search("(a+)+$", "a" * 60 + "b")


@contextmanager
def alarms(handler):
    """Have a handler and no timer running for a while; pytest-timeout has its own."""
    timer = signal.setitimer(signal.ITIMER_REAL, 0)
    before = signal.signal(signal.SIGALRM, handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGALRM, before)
        signal.setitimer(signal.ITIMER_REAL, *timer)


def test_a_search_that_would_not_end_is_ended():
    with pytest.raises(Overdue):
        within(0.02, for_ever)


def test_what_ends_in_time_is_handed_on_and_no_alarm_rings_later():
    assert within(30.0, lambda: 7) == 7
    with alarms(signal.SIG_DFL):
        assert within(30.0, lambda: 8) == 8
        assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_an_alarm_that_comes_too_late_harms_nobody():
    with alarms(signal.SIG_DFL):
        within(30.0, lambda: None)
        signal.raise_signal(signal.SIGALRM)


def test_faults_of_the_work_come_through():
    with pytest.raises(ZeroDivisionError):
        within(30.0, lambda: 1 / 0)


def test_the_alarm_of_somebody_else_goes_on():
    rung = []
    with alarms(lambda *_: rung.append(1)):
        signal.setitimer(signal.ITIMER_REAL, 40.0)
        with pytest.raises(Overdue):
            within(0.02, for_ever)
        left, _ = signal.getitimer(signal.ITIMER_REAL)
        assert 0 < left < 40.0
        signal.raise_signal(signal.SIGALRM)
    assert rung == [1]


def test_beside_the_main_thread_work_is_just_done():
    done = []
    thread = threading.Thread(target=lambda: done.append(within(0.001, lambda: 5)))
    thread.start()
    thread.join()
    assert done == [5]
