"""Decides what to do with files that already exist under a download's name.

Pure rules, without I/O: ``decide`` maps what is on disk, what was requested and what
the server says to a ``Plan``. Three questions matter: is the final file already there,
does a part file belong to this download, and can it be continued?
"""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING

from tui.core.notices import NoticeCode
from tui.core.quick.named_tuple import NamedTuple
from tui.core.request import Checksum
from tui.core.segment import RangeSet
from tui.core.settings import OnExists

if TYPE_CHECKING:
    from tui.core.download import Download
    from tui.core.request import DownloadRequest
    from tui.disk.folders import FinalFile
    from tui.disk.resume_record import ExistingFiles, ResumeRecord
    from tui.net.resource import ResourceInfo


class Decision(Enum):
    """What to do with the files under a download's name."""

    START = auto()
    """Download from the beginning and replace a part file, if there is one."""
    CONTINUE = auto()
    """Download what the record of the part file is missing."""
    FINISH = auto()
    """Verify and rename the part file: it has every byte."""
    KEEP = auto()
    """Keep the final file without a request."""
    COMPARE = auto()
    """The final file may be the requested one: compare its digest."""
    USE_OTHER_NAME = auto()
    """Leave the files alone and use a numbered name."""
    FAIL = auto()
    """Leave the files alone and fail."""


class Plan(NamedTuple):
    """What to do, and with what."""

    decision: Decision
    found: ExistingFiles | None = None
    """The files that matter under this name."""
    record: ResumeRecord | None = None
    """What to continue or to finish."""
    reason: NoticeCode | None = None
    """Why another name is used, or would be."""
    unless_newer: FinalFile | None = None
    """The final file, if it is kept unless the file of the server is newer."""


START = Plan(Decision.START)


def decide(
    found: ExistingFiles | None,
    download: Download,
    info: ResourceInfo | None = None,
    *,
    on_exists: OnExists,
    is_begun: bool = False,
    requested: ResumeRecord | None = None,
    is_moved: bool = False,
) -> Plan:
    """Decide what to do with the files under a download's name.

    Args:
        found: the files on disk; ``None`` if there cannot be any.
        download: what is requested.
        info: what the server says about the file; ``None`` before the request.
        on_exists: what the user wants done with final files.
        is_begun: the part file belongs to this very download.
        requested: the record whose missing bytes the response brings.
        is_moved: the response was requested without regard to these files, so the
            missing bytes can still be requested.
    """
    if found is None:
        return START
    if info is None:
        plan = _before_request(found, download, on_exists, is_begun=is_begun)
    else:
        plan = _after_response(
            found,
            download,
            info,
            on_exists,
            is_begun=is_begun,
            requested=requested,
            is_moved=is_moved,
        )
    if plan.decision is Decision.USE_OTHER_NAME and not on_exists.renames:
        return plan._replace(decision=Decision.FAIL)
    return plan


def _after_response(
    found: ExistingFiles,
    download: Download,
    info: ResourceInfo,
    on_exists: OnExists,
    *,
    is_begun: bool,
    requested: ResumeRecord | None,
    is_moved: bool,
) -> Plan:
    if is_complete(found, info.size, on_exists):
        return Plan(Decision.COMPARE, found)
    if found.final_size is not None:
        return Plan(Decision.USE_OTHER_NAME, found, reason=NoticeCode.FILE_EXISTS)
    record = resumable_record(found, download.request, info)
    if record is not None and not gaps_of(record):
        # From another URL, but the server confirms that it is this very file.
        return Plan(Decision.FINISH, found, record)
    if requested is not None:
        return Plan(Decision.CONTINUE, found, requested)
    if record is not None and is_moved:
        return Plan(Decision.CONTINUE, found, record)
    is_ours = is_begun or record is not None or record_matches_urls(found, download)
    if found.part_size is not None and not is_ours:
        return Plan(Decision.USE_OTHER_NAME, found, reason=NoticeCode.PART_FILE_FOREIGN)
    return Plan(Decision.START, found)


def _before_request(
    found: ExistingFiles, download: Download, on_exists: OnExists, *, is_begun: bool
) -> Plan:
    size = found.final_size
    if on_exists is OnExists.SKIP and size is not None and size >= 0:
        return Plan(Decision.KEEP, found)
    found = _ignore_later_file(found, download, is_begun=is_begun)
    if on_exists is OnExists.FAIL and found.final_size is not None:
        return Plan(Decision.FAIL, found, reason=NoticeCode.FILE_EXISTS)
    record = resumable_record(found, download.request)
    # Only for the very same URL: for another one the server has to confirm it.
    is_whole = record is not None and not gaps_of(record)
    if is_whole and record_matches_urls(found, download):
        return Plan(Decision.FINISH, found, record)
    if not is_begun and is_foreign_part(found, download):
        return Plan(Decision.USE_OTHER_NAME, found, reason=NoticeCode.PART_FILE_FOREIGN)
    if record is not None:
        return Plan(Decision.CONTINUE, found, record)
    return Plan(Decision.START, found)


def accepts_numbered(
    found: ExistingFiles,
    download: Download,
    size: int | None,
    on_exists: OnExists,
) -> bool:
    """Return True if a download may use a numbered name under which files exist.

    Args:
        found: the files.
        download: what is requested.
        size: bytes of the whole file, if known.
        on_exists: what the user wants done with final files.
    """
    if found.final_size is not None:
        return is_complete(found, size, on_exists)
    return found.part_size is None or record_matches_urls(found, download)


def is_complete(found: ExistingFiles, size: int | None, on_exists: OnExists) -> bool:
    """Return True if the final file counts as the file of ``size`` bytes."""
    if found.final_size is None or found.final_size < 0:
        return False
    return on_exists is OnExists.SKIP or (
        on_exists.compares and found.final_size == size
    )


# -- records ---------------------------------------------------------------------------


def gaps_of(record: ResumeRecord) -> list[tuple[int, int]]:
    """Return the half-open ranges that a record is missing, in order."""
    return RangeSet(record.ranges).missing(record.size or 0)


def digests_of(record: ResumeRecord) -> tuple[Checksum, ...]:
    """Return the digest that was expected when the bytes came, if there was one."""
    try:
        return (Checksum.parse(record.checksum),)
    except ValueError:
        return ()


def record_matches_urls(found: ExistingFiles, download: Download) -> bool:
    """Return True if the part file came from one of the download's URLs.

    Only then may it be replaced; part files of others are left alone. One without a
    byte belongs to nobody, because a run was killed before it had written its record;
    and one whose record is torn can only be replaced, whichever URL it came from.
    """
    if found.record is None:
        return found.part_size == 0 or found.is_torn
    urls = (download.url, *download.request.mirrors)
    return any(found.record.matches_url(url) for url in urls)


def is_foreign_part(found: ExistingFiles, download: Download) -> bool:
    """Return True if a part file is not worth asking the server about.

    A signed URL has another query each time. If the server confirms that the bytes are
    of the same file they are continued, otherwise they are left alone.
    """
    if found.part_size is None:
        return False
    if found.record is None:
        return found.part_size != 0 and not found.is_torn
    urls = (download.url, *download.request.mirrors)
    return not any(found.record.matches_url_without_query(url) for url in urls)


def resumable_record(
    found: ExistingFiles | None,
    request: DownloadRequest,
    info: ResourceInfo | None = None,
) -> ResumeRecord | None:
    """Return the record to continue from, if it can be continued.

    Continuing needs a proof that the bytes are of the same file: the validator now, or
    the same checksum at the end (see ``is_same_file``).

    Args:
        found: the files on disk.
        request: what is requested.
        info: what the server says about the file, if it was asked already.
    """
    if found is None or found.record is None or found.final_size is not None:
        return None
    record = found.record
    checksum = request.checksum
    has_proof = checksum is not None and record.checksum == str(checksum)
    if record.size is None or not (record.validator or has_proof):
        return None
    if info is not None and not is_same_file(record, info):
        return None
    return record


def is_same_file(record: ResumeRecord, info: ResourceInfo) -> bool:
    """Return True if a response states the file that a record describes.

    Validator, size and coding have to be the same. This also holds for another mirror.
    The list promises that it has the same bytes; the only question is whether both have
    the same version, and mirrors that copy a file with its date agree on tag or date
    just then. Where both have tags, strong or weak, these have to agree as well, on the
    same server and on another one: a date that a tag contradicts proves nothing. Tags
    of unrelated servers differ for the same bytes, too; that costs a download from the
    start, and never mixes two files.
    """
    return (
        (record.validator, record.size) == (info.validator, info.size)
        and record.coding == info.coding
        and not _do_tags_differ(record.etag, info.etag)
    )


class ValidatorCheck(Enum):
    """How a response compares with the validator that an earlier one had."""

    SAME = auto()
    OTHER = auto()
    """It is of another file."""
    MISSING = auto()
    """It does not prove which file it is of."""


def check_validator(
    info: ResourceInfo, validator: str, etag: str = ""
) -> ValidatorCheck:
    """Compare a 206 with the validator of the bytes that it continues.

    Many servers honor Range and ignore If-Range, so the 206 alone proves nothing. It
    has to carry the ETag that a 200 would have (RFC 9110 section 15.3.7); one without
    it may be of a file that has changed meanwhile.

    Args:
        info: what the 206 says.
        validator: of the earlier response; "" if that had none.
        etag: of that response as well, if it had one: beside a date as validator, weak
            tags still distinguish two files that have the same date.
    """
    if not validator:
        return ValidatorCheck.SAME
    if info.coding and not validator.startswith('"'):
        # The file has the same date with and without the coding.
        return ValidatorCheck.OTHER
    is_tag = validator.startswith('"')
    # Only the same kind says something: servers behind one address may send a tag, a
    # date, both or neither. The date needs no Date beside it here, because the earlier
    # response was old enough.
    stated = info.etag if is_tag else info.last_modified
    if stated == validator:
        if not is_tag and _do_tags_differ(etag, info.etag):
            # Another file of the same date, or another server behind the address.
            return ValidatorCheck.MISSING
        return ValidatorCheck.SAME
    # A weak tag proves nothing, but only another one shows that the file is another.
    if not stated or (is_tag and stated == f"W/{validator}"):
        return ValidatorCheck.MISSING
    return ValidatorCheck.OTHER


def may_be_same(first: ResourceInfo, later: ResourceInfo) -> bool:
    """Compare two responses of which the first had no validator.

    Returns:
        False if they state different files. True proves nothing.
    """
    if _do_tags_differ(first.etag, later.etag):
        return False
    dates = {first.last_modified, later.last_modified} - {""}
    return len(dates) < 2


def _do_tags_differ(first: str, later: str) -> bool:
    """Return True if there are two ETags, and not of the same file, weak or not."""
    tags = {first.removeprefix("W/"), later.removeprefix("W/")} - {""}
    return len(tags) > 1


def _ignore_later_file(
    found: ExistingFiles, download: Download, *, is_begun: bool
) -> ExistingFiles:
    """Ignore a final file that appeared while this download was under way.

    The bytes in the part file are worth more than the name: they are continued, and
    get another name at the end.
    """
    if found.final_size is None or not record_matches_urls(found, download):
        return found
    record = found.record
    has_bytes = record is not None and bool(record.ranges)
    is_other = record is not None and record.size != found.final_size
    if is_begun or (has_bytes and is_other):
        return found._replace(final_size=None)
    return found
