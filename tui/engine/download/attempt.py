"""One attempt at one download, from the first look at the disk to the final name.

The stages follow each other and none asks an earlier one again: reserve a target and
decide what to do with the files there, probe the server, fix the target by what the
server says, receive the body, verify it and give it its name. ``outcome`` applies how
it ended, and ``retry`` decides what a failure means.
"""

from __future__ import annotations

import itertools
import logging
import os
from typing import TYPE_CHECKING, Any

from tui.core.download import DownloadState
from tui.core.errors import (
    ErrorKind,
    FetchError,
    IntegrityError,
    LocalError,
    PermanentError,
    TransientError,
)
from tui.core.events import Started
from tui.core.notices import ALREADY_PRESENT, EXISTING_KEPT, Notice, NoticeCode
from tui.core.settings import OnExists
from tui.core.text.sanitize import sanitize
from tui.disk.errors import ChangedOnDiskError
from tui.engine.download.checkpoint import record_of
from tui.engine.download.finish import Finisher
from tui.engine.download.probe import SMALL_BYTES, NotModified, Probe, Prober
from tui.engine.download.ranges.opener import Changed
from tui.engine.download.resume_policy import (
    START,
    Decision,
    Plan,
    accepts_numbered,
    decide,
    digests_of,
    record_matches_urls,
    resumable_record,
)
from tui.engine.download.transfer import Transfer
from tui.engine.metrics.wait_times import Wait
from tui.engine.notices import add_note
from tui.net.backoff import parse_http_date

if TYPE_CHECKING:
    from tui.disk.part_file import PartFile
    from tui.disk.resume_record import ExistingFiles, ResumeRecord
    from tui.engine.context import EngineContext
    from tui.engine.download.outcome import AttemptOutcome
    from tui.engine.download.target import TargetResolver
    from tui.engine.job import Job, TargetPath
    from tui.net.response import Response

log = logging.getLogger(__name__)

_LONG_S = 1.0
"""Seconds after which a small file whose body still arrives enters DOWNLOADING. Most
are complete long before, and are only shown in that state (``registry.shown_state``).
"""
LOOKS = 10
"""Times that an attempt looks at files which another process keeps changing."""
_USES_EXISTING = (Decision.COMPARE, Decision.FINISH)
"""Decisions after which nothing more is received."""
_PAGES = frozenset({"", ".html", ".htm", ".xhtml", ".php", ".asp", ".aspx", ".jsp"})
"""Extensions of files that may well turn out to be web pages."""


class DownloadWorker:
    """Takes one download through one attempt; keeps nothing between downloads."""

    def __init__(
        self, context: EngineContext, targets: TargetResolver, outcome: AttemptOutcome
    ) -> None:
        self._context = context
        self._default_on_exists = context.settings.on_exists
        self._targets = targets
        self._outcome = outcome
        self._prober = Prober(context)
        self._finisher = Finisher(context, outcome)

    def _on_exists(self, job: Job) -> OnExists:
        return job.on_exists(self._default_on_exists)

    async def run(self, job: Job) -> None:
        """Make one attempt (state PROBING already); end in another state.

        Never raises except for cancellation; then what was downloaded is on disk and
        recorded, and the state is what the canceller set.
        """
        context, download = self._context, job.download
        download.attempt += 1
        started_at = context.clock.wall()
        if not download.started_at:
            download.started_at = started_at
        job.in_memory_since = 0.0
        if context.bus.is_heard(Started):
            context.bus.publish(Started(download.id, started_at, download.attempt))
        try:
            await self._attempt(job)
        except FetchError as error:
            self._outcome.attempt_failed(job, started_at, error)
        except Changed:
            add_note(context, download, Notice(NoticeCode.CHANGED_ON_SERVER))
            change = TransientError(ErrorKind.CHANGED, "the file changed on the server")
            self._outcome.attempt_failed(job, started_at, change)
        except Exception as bug:
            log.exception("bug in a worker")
            message = f"{type(bug).__name__}: {bug}"
            internal = PermanentError(ErrorKind.INTERNAL, message)
            self._outcome.attempt_failed(job, started_at, internal)

    async def _attempt(self, job: Job) -> None:
        target = self._targets.reserve(job)
        if target is None:
            await self._targets.open_folder(job)
            target = self._targets.reserve(job)
            assert target is not None
        for looks in itertools.count(1):
            try:
                await self._attempt_at(job, target)
                return
            except ChangedOnDiskError:
                # Another process works with the same files: look again.
                target = job.target or target
                target.may_exist = True
                if looks == LOOKS:
                    raise
            except LocalError as error:
                if error.kind is ErrorKind.FILE_EXISTS:
                    self._targets.release(job)  # it has nothing under that name
                raise
            except FileExistsError:
                # A record or a link of somebody else, which a look does not show.
                target = self._use_free_name(job)

    async def _attempt_at(self, job: Job, target: TargetPath) -> None:
        """Go through the stages once."""
        plan = START
        if target.may_exist:
            plan = await self._plan_before_request(job, target)
            if plan.decision is Decision.KEEP or plan.decision is Decision.FINISH:
                await self._use_existing(job, plan, EXISTING_KEPT)
                return
        try:
            probe = await self._prober.probe(job, plan.record, plan.unless_newer)
        except NotModified:
            if await self._keep_current(job, plan):
                return
            probe = await self._prober.probe(job, None)
        try:
            self._note_response(job, probe)
            plan = await self._plan_after_response(job, plan, probe)
            if plan.decision in _USES_EXISTING:
                await probe.response.close()
                await self._use_existing(job, plan, ALREADY_PRESENT)
                return
            if plan.record is not None and plan.record is not probe.record:
                probe = await self._request_rest(job, plan.record, probe)
            await self._receive(job, plan.found, probe)
        finally:
            await probe.response.close()

    # -- before the request ----------------------------------------------------------

    async def _plan_before_request(self, job: Job, target: TargetPath) -> Plan:
        """Decide what to do with the files under the reserved name."""
        download = job.download
        found: ExistingFiles | None = await self._targets.find_existing(job, target)
        on_exists = self._on_exists(job)
        plan = decide(found, download, on_exists=on_exists, is_begun=target.is_begun)
        self._check_not_taken(job, plan)
        if on_exists is OnExists.NEWER and plan.record is None:
            file = await self._targets.final_file(target)
            return plan._replace(unless_newer=file)
        if plan.decision is Decision.USE_OTHER_NAME and plan.reason is not None:
            # Only the response gives the size by which a complete copy of an earlier
            # run is recognized. A part file can be continued before that, but only this
            # download's own: with a checksum, the request for the missing bytes of
            # another one would not be bound to its validator.
            own = await self._use_numbered_part(job, plan.reason)
            if own is not None:
                record = resumable_record(own, download.request)
                plan = Plan(Decision.CONTINUE, own, record)
        return plan

    async def _use_numbered_part(
        self, job: Job, reason: NoticeCode
    ) -> ExistingFiles | None:
        """Move to the numbered name of this download's own part file, if it has one."""
        assert job.target is not None
        old, download = job.target.name, job.download

        def accepts(found: ExistingFiles) -> bool:
            return (
                found.final_size is None
                and found.record is not None
                and record_matches_urls(found, download)
            )

        found = await self._targets.use_numbered_part(job, accepts)
        if found is not None:
            name = job.target.name
            self._context.registry.set_name(download, name)
            add_note(self._context, download, Notice(reason, (old, name)))
        return found

    # -- after the response ----------------------------------------------------------

    def _note_response(self, job: Job, probe: Probe) -> None:
        """Note what the response says about the download.

        Raises:
            IntegrityError: ``size``: the list expects another size.
        """
        context, download, info = self._context, job.download, probe.info
        download.status = info.status
        if context.settings.server_time:
            modified_at = parse_http_date(info.last_modified)
            if modified_at is not None:
                context.registry.modified_at[download.id] = modified_at
        if context.settings.keeps_etags:
            context.registry.etags[download.id] = info.etag
        _check_size(job, info.size)

    async def _plan_after_response(self, job: Job, earlier: Plan, probe: Probe) -> Plan:
        """Fix the target by what the server says and decide what to do there.

        Args:
            job: whose target to fix.
            earlier: the plan before the request.
            probe: the response.

        Returns:
            A plan for the target that the job has now: to start, to continue, to
            finish, or to use the final file, which has been compared.
        """
        download, info, found = job.download, probe.info, earlier.found
        # Nothing of another download's part file was requested.
        is_moved = earlier.decision is Decision.USE_OTHER_NAME
        if self._is_named_by_server(job, probe):
            is_moved = True
            found = await self._use_server_name(job, probe)
        assert job.target is not None
        if job.target.name != download.name:
            # Another download of this run has that name.
            self._context.registry.set_name(download, job.target.name)
        if found is None:
            return START
        while True:
            plan = decide(
                found,
                download,
                info,
                on_exists=self._on_exists(job),
                is_begun=job.target.is_begun,
                requested=None if is_moved else probe.record,
                is_moved=is_moved,
            )
            reason = plan.reason
            self._check_not_taken(job, plan)
            if plan.decision is not Decision.USE_OTHER_NAME:
                self._check_page(job, plan, probe)
                if plan.decision is not Decision.COMPARE or await self._is_same(
                    job, plan, probe
                ):
                    return plan
                reason = NoticeCode.FILE_DIFFERS
            assert reason is not None
            found = await self._use_other_name(job, reason, info.size)
            is_moved = True

    @staticmethod
    def _check_not_taken(job: Job, plan: Plan) -> None:
        """Check that the plan needs no other name, if none may be used.

        Raises:
            LocalError: ``file_exists``.
        """
        if plan.decision is Decision.FAIL:
            raise _taken(job, plan.reason)

    def _is_named_by_server(self, job: Job, probe: Probe) -> bool:
        name, target = probe.info.suggested_name, job.target
        assert target is not None
        return (
            job.download.request.name is None
            and bool(name)
            and name != job.download.name
            and not target.is_begun
            and probe.record is None
        )

    async def _use_server_name(self, job: Job, probe: Probe) -> ExistingFiles | None:
        """Take the name that the server gives; return the files under it."""
        assert probe.info.suggested_name is not None
        target = await self._targets.rename(job, probe.info.suggested_name)
        self._context.registry.set_name(job.download, target.name)
        if not target.may_exist:
            return None
        return await self._targets.find_existing(job, target)

    async def _is_same(self, job: Job, plan: Plan, probe: Probe) -> bool:
        """Return True if the final file is the requested one."""
        if plan.found is None or plan.found.final_size is None:
            return False
        if self._on_exists(job) is OnExists.SKIP:
            return True
        verifier, target = self._finisher.verifier, job.target
        assert target is not None
        digest = verifier.server_digest(probe.info.digests)
        return await verifier.matches_file(job, target, plan.found.final_size, digest)

    @staticmethod
    def _check_page(job: Job, plan: Plan, probe: Probe) -> None:
        """Keep the part file if a login page came instead of the rest.

        Raises:
            PermanentError: that is so.
        """
        record = plan.found.record if plan.found is not None else None
        assert job.target is not None
        if (
            plan.record is None
            and record is not None
            and record.ranges
            and probe.info.content_type == "text/html"
            and probe.info.validator != record.validator
            and os.path.splitext(job.target.name)[1].lower() not in _PAGES
        ):
            raise PermanentError(
                ErrorKind.HTTP_STATUS,
                "a web page came instead of the file (a login?); the part file is kept",
                status=probe.info.status,
            )

    async def _request_rest(
        self, job: Job, record: ResumeRecord, probe: Probe
    ) -> Probe:
        """Continue a part file that was found only after the response."""
        if not self._prober.is_range_needed(job.download, record):
            return Probe(probe.response, probe.info, record)
        await probe.response.close()
        return await self._prober.probe(job, record)

    # -- names -----------------------------------------------------------------------

    async def _use_other_name(
        self, job: Job, reason: NoticeCode, size: int | None
    ) -> ExistingFiles | None:
        """Leave the files under the job's name alone; return those under the new one.

        Args:
            job: whose name to change.
            reason: why; the notice names the old and the new name.
            size: bytes of the whole file, if known.

        Raises:
            LocalError: ``file_exists``: no other name may be used.
        """
        assert job.target is not None
        if not self._on_exists(job).renames:
            raise _taken(job, reason)
        old, download = job.target.name, job.download

        def accepts(found: ExistingFiles) -> bool:
            return accepts_numbered(found, download, size, self._on_exists(job))

        found = await self._targets.use_numbered_name(job, accepts)
        name = job.target.name
        self._context.registry.set_name(download, name)
        add_note(self._context, download, Notice(reason, (old, name)))
        return found

    def _use_free_name(self, job: Job) -> TargetPath:
        if not self._on_exists(job).renames:
            raise _taken(job, NoticeCode.FILE_EXISTS)
        target = self._targets.use_free_name(job)
        self._context.registry.set_name(job.download, target.name)
        taken = Notice(NoticeCode.NAME_TAKEN, (target.name,))
        add_note(self._context, job.download, taken)
        return target

    # -- files that are already there ------------------------------------------------

    async def _use_existing(self, job: Job, plan: Plan, notice: Notice) -> None:
        """End the attempt with the final file, or with a part file that is complete."""
        if plan.record is not None:
            await self._finish_part(job, plan.found, plan.record)
            return
        assert plan.found is not None
        assert plan.found.final_size is not None
        self._keep_final(job, plan.found.final_size, notice)

    async def _keep_current(self, job: Job, plan: Plan) -> bool:
        """End the attempt with a final file that is as new as that of the server.

        Returns:
            False if it is not the expected file: its size or digest is another one.
        """
        file, target = plan.unless_newer, job.target
        assert file is not None
        assert target is not None
        if job.download.request.size not in (None, file.size):
            return False
        verifier = self._finisher.verifier
        is_expected = await verifier.matches_file(job, target, file.size, None)
        if is_expected:
            self._keep_final(job, file.size, EXISTING_KEPT)
        return is_expected

    def _keep_final(self, job: Job, size: int, notice: Notice) -> None:
        """End the attempt with the final file as it is."""
        registry, download = self._context.registry, job.download
        add_note(self._context, download, notice)
        registry.set_size(download, size)
        registry.set_received(download, size)
        self._outcome.done(job)

    async def _finish_part(
        self, job: Job, found: ExistingFiles | None, record: ResumeRecord
    ) -> None:
        """Verify and rename a part file that an earlier run had completed."""
        target, download = job.target, job.download
        assert record.size is not None
        assert target is not None
        writer, registry = self._context.writer, self._context.registry
        part = await writer.open_part(
            target.folder, target.name, size=record.size, existing=found
        )
        try:
            _add_ranges(part, record)
            registry.set_size(download, record.size)
            registry.set_received(download, record.size)
            digest = self._finisher.verifier.server_digest(digests_of(record))
            await self._finisher.run(job, part, record.size, digest)
        finally:
            await writer.close_part(part)

    # -- the body --------------------------------------------------------------------

    async def _receive(
        self, job: Job, found: ExistingFiles | None, probe: Probe
    ) -> None:
        """Choose how the body goes to disk, and read it."""
        context, download, info = self._context, job.download, probe.info
        context.registry.set_size(download, info.size)
        if info.coding:
            add_note(
                context, download, Notice(NoticeCode.SAVED_ENCODED, (info.coding,))
            )
        if found is not None and found.part_size is None:
            found = None
        if probe.record is None:
            if download.received:
                add_note(context, download, Notice(NoticeCode.NOT_RESUMABLE))
            if (
                info.size is not None
                and info.size <= SMALL_BYTES
                and download.request.pieces is None
                and found is None
            ):
                await self._receive_small(job, probe)
                return
            if found is not None:
                await self._discard_part(job, found)
                found = None
        await self._receive_large(job, found, probe)

    async def _receive_small(self, job: Job, probe: Probe) -> None:
        """Read a small body whole and hand it to the writer without waiting."""
        context, download = self._context, job.download
        registry, response, info = context.registry, probe.response, probe.info
        if download.received:
            registry.set_received(download, 0)
        job.in_memory_since = context.clock.monotonic()
        buffers: list[Any] = []
        try:
            is_limited = job.limiter is not None or not context.limiter.is_unlimited
            rest = None if is_limited else response.read_rest_nowait()
            if rest is not None:
                # It came together with the headers, as most small files do.
                buffers, received = rest, sum(map(len, rest))
                registry.count(download, received)
            else:
                received = await self._read_small(job, response, buffers)
            if received != info.size:
                raise TransientError(
                    ErrorKind.TRUNCATED,
                    f"the body has {received} of {info.size} bytes",
                )
            digest = self._finisher.verifier.server_digest(info.digests)
            await self._finisher.store(job, buffers, received, digest)
        except BaseException:
            # Its bytes were only in memory.
            registry.set_received(download, 0)
            raise

    async def _read_small(
        self, job: Job, response: Response, buffers: list[Any]
    ) -> int:
        """Read a body into ``buffers``, chunk by chunk; return its bytes."""
        context, download = self._context, job.download
        received = 0
        began = job.in_memory_since
        while (chunk := await response.read()) is not None:
            size = len(chunk)
            received += size
            if received > SMALL_BYTES:
                raise TransientError(
                    ErrorKind.SIZE, "the body is longer than announced"
                )
            buffers.append(chunk)
            context.registry.count(download, size)
            if (
                download.state is DownloadState.PROBING
                and began < context.clock.monotonic() - _LONG_S
            ):
                context.registry.move(download, DownloadState.DOWNLOADING)
            if job.limiter is not None or not context.limiter.is_unlimited:
                context.waits.begin(Wait.LIMITER, context.clock.monotonic())
                try:
                    await context.limiter.take(size)
                    if job.limiter is not None:
                        await job.limiter.take(size)
                finally:
                    context.waits.end(Wait.LIMITER, context.clock.monotonic())
        return received

    async def _discard_part(self, job: Job, found: ExistingFiles) -> None:
        """Remove a part file of this download that cannot be continued."""
        target, writer = job.target, self._context.writer
        assert target is not None
        self._context.registry.set_received(job.download, 0)
        part = await writer.open_part(
            target.folder, target.name, size=None, existing=found
        )
        await writer.discard(part)

    async def _receive_large(
        self, job: Job, found: ExistingFiles | None, probe: Probe
    ) -> None:
        """Stream the body into a part file, over one or more connections."""
        context, download = self._context, job.download
        registry, target = context.registry, job.target
        info, record = probe.info, probe.record
        assert target is not None
        part = await context.writer.open_part(
            target.folder,
            target.name,
            size=info.size,
            existing=found,
            record=record_of(download, info),
            is_new=record is None and not self._on_exists(job).replaces,
        )
        if record is not None:
            _add_ranges(part, record)
        target.may_exist = target.is_begun = True
        has_one_source = info.validator and download.request.checksum is None
        job.part_url = download.url if has_one_source else ""
        transfer: Transfer | None = None
        try:
            registry.set_received(download, part.flushed.total)
            transfer = Transfer(context, job, part, info, probe.response)
            job.transfer = transfer
            registry.running[transfer] = None
            registry.move(download, DownloadState.DOWNLOADING)
            await transfer.run(probe.response)
            await probe.response.close()
            transfer.begin_finishing()
            await context.writer.flush(part, sync=False)
            size = part.flushed.total if info.size is None else info.size
            _check_size(job, size)
            registry.set_received(download, size)
            registry.set_size(download, size)
            digest = self._finisher.verifier.server_digest(info.digests)
            await self._finisher.run(job, part, size, digest)
        except Changed:
            job.part_url = ""
            # Again and again: perhaps servers behind one address have tags of their
            # own. A single response is of one file in any case.
            job.one_connection |= job.failures > 0
            registry.set_received(download, 0)
            await context.writer.discard(part)
            raise
        except BaseException:
            if transfer is not None and part.is_open:
                await transfer.checkpointer.save()
                # Again: the last writes have added to its ranges.
                registry.keep_summary(download, transfer.summary())
            raise
        finally:
            job.transfer = None
            if transfer is not None:
                transfer.end_finishing()
                registry.running.pop(transfer, None)
            await context.writer.close_part(part)


def _taken(job: Job, reason: NoticeCode | None) -> LocalError:
    """Return the error for a name that is taken if no other one may be used."""
    assert job.target is not None
    name = sanitize(job.target.name)
    if reason is NoticeCode.PART_FILE_FOREIGN:
        message = f"{name}.part belongs to another download"
    elif reason is NoticeCode.FILE_DIFFERS:
        message = f"{name} already exists with other content"
    else:
        message = f"{name} already exists"
    return LocalError(ErrorKind.FILE_EXISTS, message)


def _add_ranges(part: PartFile, record: ResumeRecord) -> None:
    """Count what a record describes as being in the part file."""
    for start, end in record.ranges:
        part.flushed.add(start, end)


def _check_size(job: Job, size: int | None) -> None:
    """Compare the server's size with the size that the list expects.

    Raises:
        IntegrityError: ``size``.
    """
    expected = job.download.request.size
    if expected is not None and size not in (None, expected):
        message = f"the server has {size} bytes, the list expects {expected}"
        raise IntegrityError(ErrorKind.SIZE, message)
