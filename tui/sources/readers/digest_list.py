"""Digest lists (``SHA256SUMS`` and its kind) as lists: each name is a file to fetch.

The names are relative to a base URL that somebody has to tell, or to the place the list
itself came from. The lines are those that ``core.text.digest_lists`` knows, a
PGP signature around them included.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING
from urllib.parse import quote, urljoin

from tui.core.request import (
    STRONGEST_FIRST,
    BadRequestLine,
    Checksum,
    DownloadRequest,
    check_url,
)
from tui.core.text.digest_lists import sum_of_line
from tui.sources.options import folder_url, parse_place
from tui.sources.readers.lines import LINE_LIMIT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_SUMS_NAME = re.compile(
    r"(?:md5|sha-?\d*|b2|blake2[bs]?|shasums?)[-_]?(?:sums?)?\d*(?:\.txt|\.asc)?"
    r"|.*\.(?:md5|sha\d+|b2|md5sum|sha\d+sum|b2sum)|checksums?(?:\.txt)?|.*-CHECKSUM",
    re.IGNORECASE,
)
_SUFFIX = re.compile(r"\.(?:md5|sha\d+|b2)(?:sum)?$", re.IGNORECASE)


def is_sums_line(line: str) -> bool:
    """Whether a list that begins with this line is a digest list."""
    return line.startswith("-----BEGIN PGP SIGNED") or sum_of_line(line) is not None


def is_sums_name(name: str) -> bool:
    """Whether a file of this name is likely a digest list."""
    return _SUMS_NAME.fullmatch(name) is not None


def parse_sums_list(
    lines: Iterable[str], where: str, base_url: str | None
) -> Iterator[DownloadRequest | BadRequestLine]:
    """Turn a digest list into requests and complaints, in the order of the names.

    A name that stands there with several kinds of digest, as in ``CHECKSUM`` files of
    BSD style, is one file; the strongest kind counts.

    Args:
        lines: text without line ends.
        where: what the list is called in messages; a line number is added.
        base_url: the folder that the names are relative to.
    """
    if not base_url:
        yield BadRequestLine(
            where, "this is a list of digests; tell where its files are with --base-url"
        )
        return
    try:
        folder = folder_url(base_url)
    except ValueError as error:
        yield BadRequestLine("--base-url", str(error))
        return
    # b2sum writes as many digits as sha512sum, and no word about it.
    name = os.path.basename(where)
    untagged = "blake2b" if name.lower().startswith(("b2", "blake2b")) else ""
    files: dict[str, tuple[str, Checksum]] = {}
    for here, line in _significant(lines, where):
        entry = sum_of_line(line, untagged) if len(line) <= LINE_LIMIT else None
        if entry is None:
            yield BadRequestLine(
                here, "neither 'DIGEST  NAME' nor 'KIND (NAME) = DIGEST'"
            )
            continue
        path, checksum = entry
        path = path or _SUFFIX.sub("", name)
        first, known = files.get(path, (here, checksum))
        if known.algorithm == checksum.algorithm and known != checksum:
            yield BadRequestLine(here, f"contradicts the digest in {first}")
            continue
        order = STRONGEST_FIRST.index
        if order(checksum.algorithm) <= order(known.algorithm):
            files[path] = (first, checksum)
    for path, (here, checksum) in files.items():
        yield _request(folder, path, checksum, here)


def _request(
    folder: str, path: str, checksum: Checksum, here: str
) -> DownloadRequest | BadRequestLine:
    try:
        below, name = parse_place(path, "the name")
        url = check_url(
            urljoin(folder, quote(path.replace("//", "/"), safe="/~!$&'()*+,;=@"))
        )
    except ValueError as error:
        return BadRequestLine(here, str(error))
    return DownloadRequest((url,), name, below, checksum, source=here)


def _significant(lines: Iterable[str], where: str) -> Iterator[tuple[str, str]]:
    """Return the lines that should be digests, each with its place."""
    is_signature = False
    for number, line in enumerate(lines, 1):
        text = line.strip().removeprefix("\ufeff")
        if text.startswith("-----"):
            is_signature = "BEGIN PGP SIGNATURE" in text
        elif (
            text
            and not is_signature
            and text[0] not in "#;"
            and not text.startswith("Hash: ")
        ):
            yield f"{where}:{number}", text
