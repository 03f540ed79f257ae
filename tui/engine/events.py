"""The event bus: every subscriber gets every event, in their order, none dropped."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tui.core.events import Event, Kinds


class EventSubscription:
    """The queue of one subscriber (``core.service.Subscription``).

    A deque and at most one future: publishing 15,000 events a second must not cost a
    task switch each, so a subscriber is woken once and drains many.
    """

    def __init__(self, bus: EventBus, exclude: Kinds) -> None:
        self._bus = bus
        self.exclude = exclude
        """Kinds of events that it does not receive."""
        self._events: deque[Event] = deque()
        self._waiter: asyncio.Future[None] | None = None

    def put(self, event: Event) -> None:
        """Queue one event and wake the subscriber."""
        self._events.append(event)
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def drain(self) -> list[Event]:
        """Return all events since the last call, oldest first."""
        events = list(self._events)
        self._events.clear()
        return events

    async def wait(self) -> None:
        """Wait until there is an event to drain."""
        if self._events:
            return
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def close(self) -> None:
        """Unsubscribe."""
        self._bus.unsubscribe(self)
        self._events.clear()


class EventBus:
    """Publishes the engine's events to its subscribers."""

    def __init__(self) -> None:
        self._subscribers: list[EventSubscription] = []
        self._unwanted: Kinds = frozenset()
        """Kinds that no subscriber receives."""
        self._opening: list[Event] = []

    def is_heard(self, kind: type[Event]) -> bool:
        """Return True if anybody receives events of that kind."""
        return bool(self._subscribers) and kind not in self._unwanted

    def publish(self, event: Event) -> None:
        """Queue ``event`` for every subscriber, without waiting for any."""
        for subscriber in self._subscribers:
            if type(event) not in subscriber.exclude:
                subscriber.put(event)

    def publish_to_all(self, event: Event) -> None:
        """Publish an event of the start of the run, to later subscribers as well."""
        self._opening.append(event)
        self.publish(event)

    def subscribe(self, exclude: Kinds = frozenset()) -> EventSubscription:
        """Add a subscriber for all events from now on, except those of some kinds."""
        subscription = EventSubscription(self, exclude)
        for event in self._opening:
            subscription.put(event)
        self._subscribers.append(subscription)
        self._update_unwanted()
        return subscription

    def unsubscribe(self, subscription: EventSubscription) -> None:
        """Remove a subscriber; unknown ones are ignored."""
        if subscription in self._subscribers:
            self._subscribers.remove(subscription)
            self._update_unwanted()

    def _update_unwanted(self) -> None:
        kinds = [subscriber.exclude for subscriber in self._subscribers]
        self._unwanted = frozenset.intersection(*kinds) if kinds else frozenset()
