"""Fan-out of facts: every listener gets every event, in order, none dropped."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tui.core.events import Event, Kinds


class EventSubscription:
    """One listener's own queue (``core.service.Subscription``).

    A deque and at most one future: publishing 15,000 events a second must not cost a
    task switch each, so the listener is woken once and drains many.
    """

    def __init__(self, bus: EventBus, besides: Kinds) -> None:
        self._bus = bus
        self.besides = besides
        """Kinds that it does not hear."""
        self._events: deque[Event] = deque()
        self._waiter: asyncio.Future[None] | None = None

    def put(self, event: Event) -> None:
        """Queue one event and wake the listener."""
        self._events.append(event)
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def drain(self) -> list[Event]:
        """Take all events since the last call, oldest first."""
        events = list(self._events)
        self._events.clear()
        return events

    async def wait(self) -> None:
        """Return as soon as there is an event to drain."""
        if self._events:
            return
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def close(self) -> None:
        """Stop listening."""
        self._bus.forget(self)
        self._events.clear()


class EventBus:
    """Where the engine tells facts."""

    def __init__(self) -> None:
        self._listeners: list[EventSubscription] = []
        self._unheard: Kinds = frozenset()
        """Kinds that none of them hears."""

    def is_heard(self, kind: type[Event]) -> bool:
        """Whether building an event of that kind is worth it."""
        return bool(self._listeners) and kind not in self._unheard

    def publish(self, event: Event) -> None:
        """Hand ``event`` to every listener, without waiting for any."""
        for listener in self._listeners:
            if type(event) not in listener.besides:
                listener.put(event)

    def subscribe(self, besides: Kinds = frozenset()) -> EventSubscription:
        """Add a listener that hears everything from now on, besides some kinds."""
        subscription = EventSubscription(self, besides)
        self._listeners.append(subscription)
        self._sum_up()
        return subscription

    def forget(self, subscription: EventSubscription) -> None:
        """Remove a listener; unknown ones are ignored."""
        if subscription in self._listeners:
            self._listeners.remove(subscription)
            self._sum_up()

    def _sum_up(self) -> None:
        kinds = [listener.besides for listener in self._listeners]
        self._unheard = frozenset.intersection(*kinds) if kinds else frozenset()
