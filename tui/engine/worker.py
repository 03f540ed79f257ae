"""One attempt at one download: probe -> plan -> transfer -> verify -> finish."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from tui.core.download import Download, DownloadState
from tui.core.errors import (
    FetchError,
    IntegrityError,
    PermanentError,
    TransientError,
)
from tui.core.events import Started
from tui.core.settings import OnExists
from tui.disk.writer import StoreJob
from tui.engine.finisher import Finisher
from tui.engine.flight import Changed, Flight
from tui.engine.leftovers import adopt, continuable, gaps_of, is_ours, may_be_ours
from tui.net.probe import read_answer
from tui.net.session import Target

if TYPE_CHECKING:
    from tui.disk.resume import Found, ResumeRecord
    from tui.engine.kit import Kit
    from tui.engine.outcome import Outcome
    from tui.engine.placing import Place, Placing
    from tui.net.byte_stream import Reply
    from tui.net.probe import Answer

log = logging.getLogger(__name__)

SMALL_BYTES = 256 << 10
"""Files up to this size are read whole and stored by one operation of the writer:
open, write, sync and rename of many of them share one executor call."""


class DownloadWorker:
    """Takes one download through one attempt; stateless between downloads."""

    def __init__(self, kit: Kit, placing: Placing, outcome: Outcome) -> None:
        self._kit = kit
        self._placing = placing
        self._outcome = outcome
        self._finisher = Finisher(kit, placing, outcome)

    async def run(self, download: Download) -> None:
        """Make one attempt (state PROBING already); end in another state.

        Never raises but for cancellation; then what was fetched is on disk, recorded,
        and the state is what the canceller set.
        """
        kit = self._kit
        download.attempt += 1
        started_at = kit.clock.wall()
        if not download.started_at:
            download.started_at = started_at
        if kit.bus.has_listeners:
            kit.bus.publish(Started(download.id, started_at, download.attempt))
        try:
            await self._attempt(download)
        except FetchError as error:
            self._outcome.attempt_failed(download, started_at, error)
        except Changed:
            self._kit.notice(download, "changed on the server, started again")
            change = TransientError("changed", "the file changed on the server")
            self._outcome.attempt_failed(download, started_at, change)
        except Exception as fault:
            log.exception("fault in a worker")
            told = PermanentError("internal", f"{type(fault).__name__}: {fault}")
            self._outcome.attempt_failed(download, started_at, told)

    # -- stages ----------------------------------------------------------------------

    async def _attempt(self, download: Download) -> None:
        place = self._placing.find(download)
        if place is None:
            await self._placing.open_folder(download)
            place = self._placing.find(download)
            assert place is not None
        found: Found | None = None
        if place.may_exist:
            found = await self._placing.examine(place)
            if found.final_size is not None and self._may_skip():
                self._already_there(download, found.final_size, "kept as it is")
                return
        if not self._may_touch(found, place, download):
            place = self._step_aside(download, f"{place.name}.part is not ours")
            found = None
        record = continuable(found)
        target = self._target(download, record)
        reply = await self._open(download, target, record, place)
        if reply is None:
            return
        try:
            try:
                answer = read_answer(reply, target)
            except PermanentError:
                if not target.is_range:
                    raise
                # It garbles or refuses the rest; it may still give the whole.
                await reply.close()
                record = None
                target = self._target(download, None)
                reply = await self._kit.session.open(target)
                answer = read_answer(reply, target)
            download.status = answer.status
            self._check_promises(download, answer)
            if self._server_names(download, answer):
                place, found = await self._rename(download, answer)
                if not self._may_touch(found, place, download):
                    place = self._step_aside(download, f"{place.name}.part is not ours")
                    found = None
                better = continuable(found, answer)
                if better is not None:
                    await reply.close()
                    record = better
                    target = self._target(download, record)
                    reply = await self._kit.session.open(target)
                    answer = read_answer(reply, target)
            await self._receive(download, place, found, record, reply, answer)
        finally:
            await reply.close()

    async def _open(
        self,
        download: Download,
        target: Target,
        record: ResumeRecord | None,
        place: Place,
    ) -> Reply | None:
        """Ask; ``None`` when a part file turned out to be whole already."""
        if record is not None and record.size is not None and not gaps_of(record):
            part = await self._kit.writer.open_part(
                place.folder, place.name, size=record.size, resume=True
            )
            try:
                adopt(part, record)
                self._kit.ledger.set_size(download, record.size)
                self._kit.ledger.set_received(download, record.size)
                await self._finisher.run(download, place, part, record.size)
            finally:
                await self._kit.writer.close_part(part)
            return None
        return await self._kit.session.open(target)

    async def _receive(
        self,
        download: Download,
        place: Place,
        found: Found | None,
        record: ResumeRecord | None,
        reply: Reply,
        answer: Answer,
    ) -> None:
        """Decide how the body goes to disk, and take it there."""
        kit = self._kit
        kit.ledger.set_size(download, answer.size)
        if found is not None and found.final_size is not None:
            if self._is_same_size(found.final_size, answer):
                self._already_there(download, found.final_size, "was already here")
                return
            if kit.settings.on_exists is not OnExists.OVERWRITE:
                place = self._step_aside(download, f"{place.name} was there already")
                found = record = None
        is_resumed = record is not None and answer.start > 0
        if record is not None and not is_resumed and download.received:
            self._kit.notice(download, "cannot be continued, started again")
        if (
            not is_resumed
            and answer.size is not None
            and answer.size <= SMALL_BYTES
            and (found is None or found.part_size is None)
        ):
            await self._take_small(download, place, reply, answer)
        else:
            await self._take_large(
                download, place, found, reply, answer, record if is_resumed else None
            )

    async def _take_small(
        self, download: Download, place: Place, reply: Reply, answer: Answer
    ) -> None:
        """Read a small body whole and hand it to the writer; do not wait for it."""
        kit = self._kit
        ledger = kit.ledger
        if download.received:
            ledger.set_received(download, 0)
        buffers: list[Any] = []
        held = 0
        while (chunk := await reply.read()) is not None:
            size = len(chunk)
            held += size
            if held > SMALL_BYTES:
                raise TransientError("size", "the body is longer than announced")
            buffers.append(chunk)
            ledger.count(download, size)
            if not kit.limiter.is_unlimited:
                await kit.limiter.take(size)
        if held != answer.size:
            ledger.set_received(download, 0)
            raise TransientError(
                "truncated", f"the body has {held} of {answer.size} bytes"
            )
        if not kit.writer.has_room():
            await kit.writer.admit(held)
        ledger.move(download, DownloadState.VERIFYING)
        kit.writer.store(
            StoreJob(
                folder=place.folder,
                name=place.name,
                buffers=buffers,
                nbytes=held,
                checksum=download.request.checksum,
                overwrite=kit.settings.on_exists is OnExists.OVERWRITE,
                on_done=self._outcome.stored,
                token=(download, place),
            )
        )

    async def _take_large(
        self,
        download: Download,
        place: Place,
        found: Found | None,
        reply: Reply,
        answer: Answer,
        record: ResumeRecord | None,
    ) -> None:
        """Stream the body into a part file, over one or more connections."""
        kit = self._kit
        if found is not None and found.part_size is not None and record is None:
            if place.is_begun or is_ours(found, download):
                await self._discard(place)
            else:
                place = self._step_aside(download, f"{place.name}.part is not ours")
        part = await kit.writer.open_part(
            place.folder, place.name, size=answer.size, resume=record is not None
        )
        if record is not None:
            adopt(part, record)
        place.may_exist = place.is_begun = True
        flight: Flight | None = None
        try:
            kit.ledger.set_received(download, part.flushed.total)
            flight = Flight(kit, download, part, answer, reply)
            kit.ledger.running[download.id] = flight
            kit.ledger.move(download, DownloadState.DOWNLOADING)
            flight.recorder.begin()
            await flight.run(reply)
            await reply.close()
            await kit.writer.flush(part, sync=False)
            flight.is_finishing = True
            kit.ledger.set_size(download, download.received)
            await self._finisher.run(download, place, part, download.received)
        except Changed:
            await kit.writer.discard(part)
            kit.ledger.set_received(download, 0)
            raise
        except BaseException:
            if flight is not None and not flight.is_finishing:
                await flight.recorder.save()
            raise
        finally:
            kit.ledger.running.pop(download.id, None)
            await kit.writer.close_part(part)

    async def _discard(self, place: Place) -> None:
        """Remove what an earlier attempt of ours left and nothing can continue."""
        part = await self._kit.writer.open_part(
            place.folder, place.name, size=None, resume=True
        )
        await self._kit.writer.discard(part)

    # -- decisions -------------------------------------------------------------------

    def _target(self, download: Download, record: ResumeRecord | None) -> Target:
        headers = self._kit.settings.headers + download.request.headers
        if record is None:
            return Target(download.url, headers)
        missing = gaps_of(record)
        start = missing[0][0] if missing else 0
        if start == 0:
            return Target(download.url, headers)
        return Target(download.url, headers, start=start, if_range=record.validator)

    @staticmethod
    def _may_touch(found: Found | None, place: Place, download: Download) -> bool:
        """Whether a part file that is there, if any, is worth a try."""
        return (
            found is None
            or found.part_size is None
            or place.is_begun
            or may_be_ours(found, download)
        )

    def _step_aside(self, download: Download, reason: str) -> Place:
        """Leave what is there alone and take a free name."""
        place = self._placing.rename_free(download)
        self._kit.show_name(download, place.name)
        self._kit.notice(download, f"{reason}, saving as {place.name}")
        return place

    def _may_skip(self) -> bool:
        return self._kit.settings.on_exists is OnExists.SKIP

    def _is_same_size(self, final_size: int, answer: Answer) -> bool:
        """Whether a file of the final name counts as this very file."""
        return (
            self._kit.settings.on_exists is OnExists.RESUME
            and answer.size == final_size
        )

    @staticmethod
    def _check_promises(download: Download, answer: Answer) -> None:
        promised = download.request.size
        if promised is not None and answer.size not in (None, promised):
            raise IntegrityError(
                "size", f"the server has {answer.size} bytes, the list says {promised}"
            )

    @staticmethod
    def _server_names(download: Download, answer: Answer) -> bool:
        return (
            download.request.name is None
            and bool(answer.suggested_name)
            and answer.suggested_name != download.name
            and not download.received
        )

    async def _rename(
        self, download: Download, answer: Answer
    ) -> tuple[Place, Found | None]:
        """Take the name that the server gives, and look at what lies there."""
        assert answer.suggested_name is not None
        place = self._placing.rename(download, answer.suggested_name)
        self._kit.show_name(download, place.name)
        if not place.may_exist:
            return place, None
        return place, await self._placing.examine(place)

    def _already_there(self, download: Download, size: int, note: str) -> None:
        self._kit.notice(download, note)
        self._kit.ledger.set_size(download, size)
        self._kit.ledger.set_received(download, size)
        self._outcome.done(download)
