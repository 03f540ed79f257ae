"""One attempt at one download: probe -> plan -> transfer -> verify -> finish."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from tui.core.download import DownloadState
from tui.core.errors import (
    FetchError,
    PermanentError,
    TransientError,
)
from tui.core.events import Started
from tui.core.notices import ALREADY_PRESENT, EXISTING_KEPT, Notice, NoticeCode
from tui.core.settings import OnExists
from tui.engine.download.checkpointer import record_of
from tui.engine.download.finish import Finisher
from tui.engine.download.probe import Probed, Prober
from tui.engine.download.range_opener import Changed
from tui.engine.download.resume_policy import (
    adopt,
    continuable,
    digests_of,
    gaps_of,
    is_ours,
    settled_later,
)
from tui.engine.download.transfer import Transfer
from tui.engine.metrics.wait_times import Wait

if TYPE_CHECKING:
    from tui.core.download import Download
    from tui.disk.resume_record import ExistingFiles, ResumeRecord
    from tui.engine.context import EngineContext
    from tui.engine.download.retry import RetryPolicy
    from tui.engine.download.target import TargetPath, TargetResolver
    from tui.net.response import Response

log = logging.getLogger(__name__)

SMALL_BYTES = 256 << 10
"""Files up to this size are read whole and stored by one operation of the writer:
open, write, sync and rename of many of them share one executor call."""


class DownloadWorker:
    """Takes one download through one attempt; stateless between downloads."""

    def __init__(
        self, context: EngineContext, targets: TargetResolver, retry: RetryPolicy
    ) -> None:
        self._context = context
        self._targets = targets
        self._retry = retry
        self._prober = Prober(context, targets)
        self._finisher = Finisher(context, targets, retry)

    async def run(self, download: Download) -> None:
        """Make one attempt (state PROBING already); end in another state.

        Never raises but for cancellation; then what was fetched is on disk, recorded,
        and the state is what the canceller set.
        """
        context = self._context
        download.attempt += 1
        started_at = context.clock.wall()
        if not download.started_at:
            download.started_at = started_at
        if context.bus.is_heard(Started):
            context.bus.publish(Started(download.id, started_at, download.attempt))
        try:
            await self._attempt(download)
        except FetchError as error:
            self._retry.attempt_failed(download, started_at, error)
        except Changed:
            self._context.notice(download, Notice(NoticeCode.CHANGED_ON_SERVER))
            change = TransientError("changed", "the file changed on the server")
            self._retry.attempt_failed(download, started_at, change)
        except Exception as fault:
            log.exception("fault in a worker")
            told = PermanentError("internal", f"{type(fault).__name__}: {fault}")
            self._retry.attempt_failed(download, started_at, told)

    # -- stages ----------------------------------------------------------------------

    async def _attempt(self, download: Download) -> None:
        place = self._targets.find(download)
        if place is None:
            await self._targets.open_folder(download)
            place = self._targets.find(download)
            assert place is not None
        try:
            await self._attempt_at(download, place)
        except FileExistsError:
            # Somebody has begun that file since we looked: look again.
            place = self._targets.find(download) or place
            place.may_exist = True
            try:
                await self._attempt_at(download, place)
            except FileExistsError:
                # A record or a link of somebody else, which a look does not show.
                place = self._prober.take_free_name(download)
                await self._attempt_at(download, place)

    async def _attempt_at(self, download: Download, place: TargetPath) -> None:
        context = self._context
        found: ExistingFiles | None = None
        if place.may_exist:
            found = await self._targets.examine(place)
            size = found.final_size
            if size is not None and size >= 0 and self._may_skip():
                self._already_there(download, size, EXISTING_KEPT)
                return
            found = settled_later(found, download, is_begun=place.is_begun)
            record = continuable(found, download.request)
            # Only for the very same URL: of another one the server has to prove it.
            is_whole = record is not None and not gaps_of(record)
            if record is not None and is_whole and is_ours(found, download):
                await self._finish_leftover(download, place, record)
                return
        probed = await self._prober.probe(download, place, found)
        context.queue.origin_state(download.origin).protocol = probed.reply.http_version
        try:
            if await self._is_here(download, probed):
                return
            record = continuable(probed.found, download.request, probed.answer)
            if record is not None and not gaps_of(record):
                # Another URL, but the server says it is that very file.
                await probed.reply.close()
                await self._finish_leftover(download, probed.place, record)
                return
            await self._receive(download, probed)
        finally:
            await probed.reply.close()

    async def _finish_leftover(
        self, download: Download, place: TargetPath, record: ResumeRecord
    ) -> None:
        """Everything had arrived when an earlier run ended: verify and name it."""
        assert record.size is not None
        writer = self._context.writer
        part = await writer.open_part(
            place.folder, place.name, size=record.size, resume=True
        )
        try:
            adopt(part, record)
            self._context.registry.set_size(download, record.size)
            self._context.registry.set_received(download, record.size)
            vouched = self._context.vouched(digests_of(record))
            await self._finisher.run(download, place, part, record.size, vouched)
        finally:
            await writer.close_part(part)

    async def _receive(self, download: Download, probed: Probed) -> None:
        """Decide how the body goes to disk, and take it there."""
        context = self._context
        answer, found = probed.answer, probed.found
        context.registry.set_size(download, answer.size)
        if probed.record is None and download.received:
            context.notice(download, Notice(NoticeCode.NOT_RESUMABLE))
        if (
            probed.record is None
            and answer.size is not None
            and answer.size <= SMALL_BYTES
            and download.request.pieces is None
            and (found is None or found.part_size is None)
        ):
            await self._take_small(download, probed)
        else:
            await self._take_large(download, probed)

    async def _take_small(self, download: Download, probed: Probed) -> None:
        """Read a small body whole and hand it to the writer; do not wait for it."""
        context = self._context
        reply, answer = probed.reply, probed.answer
        registry = context.registry
        if download.received:
            registry.set_received(download, 0)
        buffers: list[Any] = []
        held = 0
        rest = reply.take_rest() if context.limiter.is_unlimited else None
        if rest is not None:
            # It came together with the headers, as most small files do.
            buffers = rest
            held = sum(map(len, rest))
            registry.count(download, held)
        else:
            held = await self._read_small(download, reply, buffers)
        if held != answer.size:
            registry.set_received(download, 0)
            raise TransientError(
                "truncated", f"the body has {held} of {answer.size} bytes"
            )
        vouched = context.vouched(answer.digests)
        await self._finisher.store(download, probed.place, buffers, held, vouched)

    async def _read_small(
        self, download: Download, reply: Response, buffers: list[Any]
    ) -> int:
        """Read a body into ``buffers``, chunk by chunk; return its bytes."""
        context = self._context
        held = 0
        while (chunk := await reply.read()) is not None:
            size = len(chunk)
            held += size
            if held > SMALL_BYTES:
                raise TransientError("size", "the body is longer than announced")
            buffers.append(chunk)
            context.registry.count(download, size)
            if not context.limiter.is_unlimited:
                context.waits.begin(Wait.LIMITER, context.clock.monotonic())
                try:
                    await context.limiter.take(size)
                finally:
                    context.waits.end(Wait.LIMITER, context.clock.monotonic())
        return held

    async def _take_large(self, download: Download, probed: Probed) -> None:
        """Stream the body into a part file, over one or more connections."""
        context = self._context
        if probed.record is None:
            await self._clear(probed)
        place, record = probed.place, probed.record
        answer, reply = probed.answer, probed.reply
        part = await context.writer.open_part(
            place.folder,
            place.name,
            size=answer.size,
            resume=record is not None,
            record=record_of(download, answer),
        )
        if record is not None:
            adopt(part, record)
        place.may_exist = place.is_begun = True
        transfer: Transfer | None = None
        try:
            context.registry.set_received(download, part.flushed.total)
            transfer = Transfer(context, download, part, answer, reply)
            context.registry.running[download.id] = transfer
            context.registry.move(download, DownloadState.DOWNLOADING)
            await transfer.run(reply)
            await reply.close()
            transfer.finish(has_ended=False)
            await context.writer.flush(part, sync=False)
            size = part.flushed.total if answer.size is None else answer.size
            self._prober.check_promise(download, size)
            context.registry.set_received(download, size)
            context.registry.set_size(download, size)
            vouched = context.vouched(answer.digests)
            await self._finisher.run(download, place, part, size, vouched)
        except Changed:
            await context.writer.discard(part)
            context.registry.set_received(download, 0)
            raise
        except BaseException:
            if transfer is not None and part.is_open:
                await transfer.recorder.save()
            raise
        finally:
            if transfer is not None:
                transfer.finish(has_ended=True)
            context.registry.running.pop(download.id, None)
            await context.writer.close_part(part)

    async def _clear(self, probed: Probed) -> None:
        """Remove a part file of ours that nothing can continue."""
        if probed.found is None or probed.found.part_size is None:
            return
        part = await self._context.writer.open_part(
            probed.place.folder, probed.place.name, size=None, resume=True
        )
        await self._context.writer.discard(part)

    # -- decisions -------------------------------------------------------------------

    async def _is_here(self, download: Download, probed: Probed) -> bool:
        """Whether the file is there already; another one is left alone."""
        while self._prober.is_whole(probed.found, probed.answer.size):
            assert probed.found is not None
            size = probed.found.final_size
            assert size is not None
            place, vouched = probed.place, self._context.vouched(probed.answer.digests)
            if self._may_skip() or await self._finisher.verifier.agrees(
                download, place, size, vouched
            ):
                self._already_there(download, size, ALREADY_PRESENT)
                return True
            await self._prober.leave(download, probed, NoticeCode.FILE_DIFFERS)
        return False

    def _may_skip(self) -> bool:
        return self._context.settings.on_exists is OnExists.SKIP

    def _already_there(self, download: Download, size: int, notice: Notice) -> None:
        self._context.notice(download, notice)
        self._context.registry.set_size(download, size)
        self._context.registry.set_received(download, size)
        self._retry.done(download)
