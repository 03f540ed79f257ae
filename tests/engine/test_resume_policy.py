"""What to do with existing files: the table of cases of ``decide``.

A download that continues what it must not, or that starts over although it need not, is
a missing row here.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import pytest

from tui.core.download import Download
from tui.core.notices import NoticeCode
from tui.core.request import Checksum, DownloadRequest, origin_of
from tui.core.settings import OnExists
from tui.disk.resume_record import ExistingFiles, ResumeRecord
from tui.engine.download.resume_policy import (
    Decision,
    Plan,
    ValidatorCheck,
    check_validator,
    decide,
    gaps_of,
    resumable_record,
)
from tui.net.resource import ResourceInfo

SIZE = 1000
URL = "https://a.example/f"
MIRROR = "https://b.example/f"
SIGNED, SIGNED_ANEW = f"{URL}?key=1", f"{URL}?key=2"
ELSEWHERE = "https://c.example/other"
SUM = Checksum("sha256", "0" * 64)

HALF = ResumeRecord(url=URL, validator='"1"', size=SIZE, ranges=((0, 500),))
WHOLE = replace(HALF, ranges=((0, SIZE),))
UNPROVEN = replace(HALF, validator="")
BY_SUM = replace(UNPROVEN, checksum=str(SUM))
OF_NO_SIZE = replace(HALF, size=None)
SIGNED_HALF = ResumeRecord(url=SIGNED, validator='"1"', size=SIZE, ranges=((0, 500),))
OF_MIRROR = ResumeRecord(url=MIRROR, validator='"1"', size=SIZE, ranges=((0, 500),))
WHOLE_OF_MIRROR = replace(OF_MIRROR, ranges=((0, SIZE),))
FOREIGN = ResumeRecord(url=ELSEWHERE, validator='"1"', size=SIZE, ranges=((0, 500),))
WHOLE_FOREIGN = replace(FOREIGN, ranges=((0, SIZE),))
EMPTY_RECORD = replace(HALF, ranges=())

NOTHING = ExistingFiles(None, None, None)
FILE = ExistingFiles(SIZE, None, None)
SHORT_FILE = ExistingFiles(700, None, None)
DIRECTORY = ExistingFiles(-1, None, None)
NO_RECORD = ExistingFiles(None, 500, None)
NO_BYTE = ExistingFiles(None, 0, None)
TORN = ExistingFiles(None, 500, None, is_torn=True)


def part(record: ResumeRecord, final_size: int | None = None) -> ExistingFiles:
    return ExistingFiles(final_size, SIZE, record)


def a_download(url: str = URL, checksum: Checksum | None = None) -> Download:
    request = DownloadRequest((url, MIRROR), checksum=checksum)
    return Download(0, request, origin_of(url), "f")


def info(**fields: Any) -> ResourceInfo:
    said = ResourceInfo(
        status=200,
        size=SIZE,
        start=0,
        end=None,
        validator='"1"',
        etag='"1"',
        last_modified="",
        accepts_ranges=True,
        suggested_name=None,
        digests=(),
        content_type="",
    )
    return said._replace(**fields)


class Case(NamedTuple):
    """Files, the download, and the decision about them."""

    id: str
    found: ExistingFiles | None
    decision: Decision
    record: ResumeRecord | None = None
    """What is continued or finished."""
    reason: NoticeCode | None = None
    on_exists: OnExists = OnExists.RESUME
    download: Download = a_download()
    is_begun: bool = False
    info: ResourceInfo | None = None
    requested: ResumeRecord | None = None
    is_moved: bool = False


_D, _N, _O = Decision, NoticeCode, OnExists
BEFORE = [
    Case("no files can be there", None, _D.START),
    Case("no files are there", NOTHING, _D.START),
    # final files: the server has to be asked, unless they are kept in any case
    Case("a file", FILE, _D.START),
    Case("a file that is kept", FILE, _D.KEEP, on_exists=_O.SKIP),
    Case("a directory is not kept", DIRECTORY, _D.START, on_exists=_O.SKIP),
    Case(
        "a file where none may be",
        FILE,
        _D.FAIL,
        reason=_N.FILE_EXISTS,
        on_exists=_O.FAIL,
    ),
    # part files
    Case("half of it", part(HALF), _D.CONTINUE, HALF),
    Case("all of it", part(WHOLE), _D.FINISH, WHOLE),
    Case("only a record", part(EMPTY_RECORD), _D.CONTINUE, EMPTY_RECORD),
    Case("half of it, of unknown size", part(OF_NO_SIZE), _D.START),
    Case("half of it, of a mirror", part(OF_MIRROR), _D.CONTINUE, OF_MIRROR),
    Case("all of it, of a mirror", part(WHOLE_OF_MIRROR), _D.FINISH, WHOLE_OF_MIRROR),
    Case("half of it, without a proof", part(UNPROVEN), _D.START),
    Case("a checksum that nobody expects now", part(BY_SUM), _D.START),
    Case(
        "a checksum that proves it",
        part(BY_SUM),
        _D.CONTINUE,
        BY_SUM,
        download=a_download(checksum=SUM),
    ),
    Case(
        "another checksum than now",
        part(BY_SUM),
        _D.START,
        download=a_download(checksum=Checksum("sha256", "1" * 64)),
    ),
    Case(
        "a signed URL with another key",
        part(SIGNED_HALF),
        _D.CONTINUE,
        SIGNED_HALF,
        download=a_download(SIGNED_ANEW),
    ),
    Case(
        "all of a signed URL with another key: the server has to confirm it",
        part(replace(SIGNED_HALF, ranges=((0, SIZE),))),
        _D.CONTINUE,
        replace(SIGNED_HALF, ranges=((0, SIZE),)),
        download=a_download(SIGNED_ANEW),
    ),
    Case(
        "of another URL", part(FOREIGN), _D.USE_OTHER_NAME, None, _N.PART_FILE_FOREIGN
    ),
    Case("without a record", NO_RECORD, _D.USE_OTHER_NAME, None, _N.PART_FILE_FOREIGN),
    Case(
        "of another URL, where no name is left",
        part(FOREIGN),
        _D.FAIL,
        None,
        _N.PART_FILE_FOREIGN,
        on_exists=_O.RESUME_ONLY,
    ),
    Case(
        "of another URL, but begun", part(FOREIGN), _D.CONTINUE, FOREIGN, is_begun=True
    ),
    Case("without a record, but begun", NO_RECORD, _D.START, is_begun=True),
    Case("without a byte and a record", NO_BYTE, _D.START),
    Case("with a torn record", TORN, _D.START),
    # a part file beside a final file
    Case("a file of another size came later", part(HALF, 700), _D.CONTINUE, HALF),
    Case("the same file came from another run", part(HALF, SIZE), _D.START),
    Case("a file of another size and no byte", part(EMPTY_RECORD, 700), _D.START),
    Case(
        "a file came while it was under way",
        part(HALF, SIZE),
        _D.CONTINUE,
        HALF,
        is_begun=True,
    ),
    Case("kept beside a part file", part(HALF, 700), _D.KEEP, on_exists=_O.SKIP),
]

SAID = info()
AFTER = [
    # final files
    Case("the same size", FILE, _D.COMPARE, info=SAID),
    Case(
        "another size",
        SHORT_FILE,
        _D.USE_OTHER_NAME,
        reason=_N.FILE_EXISTS,
        info=SAID,
    ),
    Case(
        "another size, where no name is left",
        SHORT_FILE,
        _D.FAIL,
        reason=_N.FILE_EXISTS,
        on_exists=_O.RESUME_ONLY,
        info=SAID,
    ),
    Case(
        "an unknown size",
        FILE,
        _D.USE_OTHER_NAME,
        reason=_N.FILE_EXISTS,
        info=info(size=None),
    ),
    Case(
        "a new name in any case",
        FILE,
        _D.USE_OTHER_NAME,
        reason=_N.FILE_EXISTS,
        on_exists=_O.RENAME,
        info=SAID,
    ),
    Case("any size is kept", SHORT_FILE, _D.COMPARE, on_exists=_O.SKIP, info=SAID),
    Case(
        "a directory",
        DIRECTORY,
        _D.USE_OTHER_NAME,
        reason=_N.FILE_EXISTS,
        on_exists=_O.SKIP,
        info=SAID,
    ),
    # part files
    Case("no files", NOTHING, _D.START, info=SAID),
    Case("the rest comes", part(HALF), _D.CONTINUE, HALF, info=SAID, requested=HALF),
    Case(
        "the rest comes, although the proof is missing",
        part(BY_SUM),
        _D.CONTINUE,
        BY_SUM,
        info=info(validator='"2"'),
        requested=BY_SUM,
    ),
    Case("the whole file comes", part(HALF), _D.START, info=SAID),
    Case(
        "the name was learned", part(HALF), _D.CONTINUE, HALF, info=SAID, is_moved=True
    ),
    Case("all of it is here", part(WHOLE), _D.FINISH, WHOLE, info=SAID),
    Case(
        "all of it is here, from elsewhere",
        part(WHOLE_FOREIGN),
        _D.FINISH,
        WHOLE_FOREIGN,
        info=SAID,
    ),
    Case("it changed", part(WHOLE), _D.START, info=info(validator='"2"')),
    Case("it grew", part(WHOLE), _D.START, info=info(size=SIZE + 1)),
    Case("it is encoded now", part(WHOLE), _D.START, info=info(coding="gzip")),
    Case(
        "it changed, and the name was learned",
        part(HALF),
        _D.START,
        info=info(validator='"2"'),
        is_moved=True,
    ),
    Case("the same file from elsewhere", part(FOREIGN), _D.START, info=SAID),
    Case(
        "another file from elsewhere",
        part(FOREIGN),
        _D.USE_OTHER_NAME,
        reason=_N.PART_FILE_FOREIGN,
        info=info(validator='"2"'),
    ),
    Case(
        "another file from elsewhere, but begun",
        part(FOREIGN),
        _D.START,
        info=info(validator='"2"'),
        is_begun=True,
    ),
    Case(
        "a part file of nobody",
        NO_RECORD,
        _D.USE_OTHER_NAME,
        reason=_N.PART_FILE_FOREIGN,
        info=SAID,
    ),
    Case("a part file without a byte", NO_BYTE, _D.START, info=SAID),
    Case("a part file with a torn record", TORN, _D.START, info=SAID),
]


def plan_for(case: Case) -> Plan:
    return decide(
        case.found,
        case.download,
        case.info,
        on_exists=case.on_exists,
        is_begun=case.is_begun,
        requested=case.requested,
        is_moved=case.is_moved,
    )


@pytest.mark.parametrize("case", [*BEFORE, *AFTER], ids=lambda case: case.id)
def test_decide(case: Case) -> None:
    plan = plan_for(case)
    assert (plan.decision, plan.record, plan.reason) == (
        case.decision,
        case.record,
        case.reason,
    )


@pytest.mark.parametrize("case", [*BEFORE, *AFTER], ids=lambda case: case.id)
def test_only_bytes_with_a_proof_are_used(case: Case) -> None:
    """Whatever the table says: nothing else is joined with what the server sends."""
    request = case.download.request
    plan = plan_for(case)
    if plan.record is None or plan.record is case.requested:
        return
    assert plan.record.size is not None
    assert plan.record.validator or plan.record.checksum == str(request.checksum)
    if case.info is not None:
        assert plan.record.validator == case.info.validator
    if plan.decision is Decision.FINISH:
        assert not gaps_of(plan.record)


def test_a_part_file_beside_a_final_file_is_not_continued() -> None:
    request = a_download().request
    assert resumable_record(part(HALF), request) is HALF
    assert resumable_record(part(HALF, SIZE), request) is None
    assert resumable_record(None, request) is None


DATE, LATER = "Mon, 02 Nov 2026 10:00:00 GMT", "Tue, 03 Nov 2026 10:00:00 GMT"


@pytest.mark.parametrize(
    ("said", "validator", "result"),
    [
        (info(), "", ValidatorCheck.SAME),
        (info(), '"1"', ValidatorCheck.SAME),
        (info(), '"2"', ValidatorCheck.OTHER),
        (info(validator="", etag=""), '"1"', ValidatorCheck.MISSING),
        (info(validator="", etag='W/"1"'), '"1"', ValidatorCheck.MISSING),
        (info(validator="", etag='W/"2"'), '"1"', ValidatorCheck.OTHER),
        # what it says in the other form cannot be compared
        (info(validator=DATE, etag=""), '"1"', ValidatorCheck.MISSING),
        (info(), DATE, ValidatorCheck.MISSING),
        (info(last_modified=DATE), DATE, ValidatorCheck.SAME),
        (info(validator=DATE, etag="", last_modified=DATE), DATE, ValidatorCheck.SAME),
        (
            info(validator=LATER, etag="", last_modified=LATER),
            DATE,
            ValidatorCheck.OTHER,
        ),
        # without a Date header the date is no validator of its own
        (info(validator="", last_modified=DATE), DATE, ValidatorCheck.SAME),
        (info(validator="", last_modified=LATER), DATE, ValidatorCheck.OTHER),
        (info(validator="", last_modified=""), DATE, ValidatorCheck.MISSING),
        # an encoded body has the date of the plain one, but an ETag of its own
        (info(validator=DATE, coding="gzip"), DATE, ValidatorCheck.OTHER),
        (info(coding="gzip"), '"1"', ValidatorCheck.SAME),
    ],
)
def test_a_206_is_compared_with_the_validator_of_the_bytes_before_it(
    said: ResourceInfo, validator: str, result: ValidatorCheck
) -> None:
    assert check_validator(said, validator) is result


@pytest.mark.parametrize(
    ("said", "etag", "result"),
    [
        ('W/"1"', 'W/"1"', ValidatorCheck.SAME),
        ('"1"', 'W/"1"', ValidatorCheck.SAME),
        ("", 'W/"1"', ValidatorCheck.SAME),
        ('W/"1"', "", ValidatorCheck.SAME),
        ('W/"2"', 'W/"1"', ValidatorCheck.MISSING),
        ('"2"', 'W/"1"', ValidatorCheck.MISSING),
    ],
)
def test_a_tag_contradicts_a_date(said: str, etag: str, result: ValidatorCheck) -> None:
    dated = info(validator=DATE, etag=said, last_modified=DATE)
    assert check_validator(dated, DATE, etag) is result
    found = part(replace(HALF, validator=DATE, etag=etag))
    is_resumable = resumable_record(found, a_download().request, dated) is not None
    assert is_resumable is (result is ValidatorCheck.SAME)
