"""Which subscriber receives which event."""

from __future__ import annotations

from tui.core.events import Done, Failed, Queued, Started
from tui.engine.events import EventBus


def test_events_that_nobody_receives_need_not_be_created():
    bus = EventBus()
    assert not bus.is_heard(Done)
    few = bus.subscribe(exclude=frozenset({Queued, Started}))
    assert bus.is_heard(Done)
    assert not bus.is_heard(Queued)
    every = bus.subscribe()
    assert bus.is_heard(Queued)
    for event in (Queued(0, 1.0), Started(0, 1.0, 1), Done(0, 2.0)):
        bus.publish(event)
    assert few.drain() == [Done(0, 2.0)]
    assert every.drain() == [Queued(0, 1.0), Started(0, 1.0, 1), Done(0, 2.0)]
    every.close()
    assert not bus.is_heard(Queued)
    assert bus.is_heard(Failed)
