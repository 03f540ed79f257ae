"""What an earlier attempt left behind, and what may be done with it: pure rules."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui.core.request import Checksum
from tui.core.segment import RangeSet

if TYPE_CHECKING:
    from tui.core.download import Download
    from tui.core.request import DownloadRequest
    from tui.disk.part_file import PartFile
    from tui.disk.resume_record import ExistingFiles, ResumeRecord
    from tui.net.resource import ResourceInfo


def gaps_of(record: ResumeRecord) -> list[tuple[int, int]]:
    """Return the half-open ranges that a record leaves open, in order."""
    return RangeSet(record.ranges).missing(record.size or 0)


def digests_of(record: ResumeRecord) -> tuple[Checksum, ...]:
    """Return the digest that was promised when the bytes came, if there was one."""
    try:
        return (Checksum.parse(record.checksum),)
    except ValueError:
        return ()


def adopt(part: PartFile, record: ResumeRecord) -> None:
    """Count what a record vouches for as being in the part file."""
    for start, end in record.ranges:
        part.flushed.add(start, end)


def is_ours(found: ExistingFiles, download: Download) -> bool:
    """Whether a part file's record says that it came from one of our URLs.

    Only then may it be replaced; other people's part files are left alone. One without
    a byte is nobody's: a run was killed before it had said whose it is.
    """
    if found.record is None:
        return found.part_size == 0
    urls = (download.url, *download.request.mirrors)
    return any(found.record.matches_url(url) for url in urls)


def settled_later(
    found: ExistingFiles, download: Download, *, is_begun: bool
) -> ExistingFiles:
    """Look past a file that took the final name while ours was on its way.

    What we have is worth more than the name: it goes on, and gets another one in the
    end.
    """
    if found.final_size is None or not is_ours(found, download):
        return found
    record = found.record
    has_bytes = record is not None and bool(record.ranges)
    is_other = record is not None and record.size != found.final_size
    if is_begun or (has_bytes and is_other):
        return found._replace(final_size=None)
    return found


def may_be_ours(found: ExistingFiles, download: Download) -> bool:
    """Whether asking the server to continue a part file is worth it.

    A signed URL has another query each time. If the server proves that the bytes are
    of the same file they are continued, else they are left alone.
    """
    if found.record is None:
        return found.part_size == 0
    urls = (download.url, *download.request.mirrors)
    return any(found.record.matches_url_without_query(url) for url in urls)


def contradicts(answer: ResourceInfo, validator: str) -> bool:
    """Whether a part is said to be of another file than ``validator`` stands for.

    It need not repeat the validator, but what it says must not be something else: many
    servers look at Range and never at If-Range.
    """
    if not validator:
        return False
    if answer.validator:
        return answer.validator != validator
    # Neither a weak ETag nor a date without a clock beside it proves that it is the
    # same file; that it is another one they do prove.
    said = answer.etag if validator.startswith('"') else answer.last_modified
    return bool(said) and said != validator


def continuable(
    found: ExistingFiles | None,
    request: DownloadRequest,
    answer: ResourceInfo | None = None,
) -> ResumeRecord | None:
    """Return the record to continue from, if there is one worth it.

    Continuing needs a proof that the bytes are of the same file: the validator now,
    or the checksum that both know in the end.

    Args:
        found: what is on disk.
        request: what is asked for.
        answer: what the server says about the file, where it was asked already.
    """
    if found is None or found.record is None or found.final_size is not None:
        return None
    record = found.record
    checksum = request.checksum
    has_proof = checksum is not None and record.checksum == str(checksum)
    if record.size is None or not (record.validator or has_proof):
        return None
    if answer is not None and (
        record.validator != answer.validator or record.size != answer.size
    ):
        return None
    return record
