"""Digest lists such as ``SHA256SUMS``: each name is a file to download.

The names are relative to a base URL, which the user gives, or to the URL of the list
itself. ``core.text.checksum_list`` parses the lines; a PGP signature is skipped.
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
from tui.core.text.checksum_list import parse_checksum_line
from tui.sources.readers.lines import LINE_LIMIT
from tui.sources.values import folder_url, parse_output_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_SUMS_NAME = re.compile(
    r"(?:md5|sha-?\d*|b2|blake2[bs]?|shasums?)[-_]?(?:sums?)?\d*(?:\.txt|\.asc)?"
    r"|.*\.(?:md5|sha\d+|b2|md5sum|sha\d+sum|b2sum)|checksums?(?:\.txt)?|.*-CHECKSUM",
    re.IGNORECASE,
)
_SUFFIX = re.compile(r"\.(?:md5|sha\d+|b2)(?:sum)?$", re.IGNORECASE)


def is_sums_line(line: str) -> bool:
    """Return True if a list that starts with this line is a digest list."""
    return (
        line.startswith("-----BEGIN PGP SIGNED")
        or parse_checksum_line(line) is not None
    )


def is_sums_name(name: str) -> bool:
    """Return True if a file with this name is probably a digest list."""
    return _SUMS_NAME.fullmatch(name) is not None


def parse_sums_list(
    lines: Iterable[str], where: str, base_url: str | None
) -> Iterator[DownloadRequest | BadRequestLine]:
    """Parse a digest list; yields requests and errors in the order of the names.

    A name with several kinds of digest, as in BSD-style ``CHECKSUM`` files, is one
    file; the strongest digest is used.

    Args:
        lines: text without line endings.
        where: the list's name in messages; a line number is added.
        base_url: the folder to which the names are relative.
    """
    if not base_url:
        yield BadRequestLine(
            where, "is a list of digests; set the URL of its folder with --base-url"
        )
        return
    try:
        folder = folder_url(base_url)
    except ValueError as error:
        yield BadRequestLine("--base-url", str(error))
        return
    # b2sum writes as many digits as sha512sum and does not name the algorithm.
    name = os.path.basename(where)
    untagged = "blake2b" if name.lower().startswith(("b2", "blake2b")) else ""
    files: dict[str, tuple[str, Checksum]] = {}
    for here, line in _significant(lines, where):
        entry = parse_checksum_line(line, untagged) if len(line) <= LINE_LIMIT else None
        if entry is None:
            yield BadRequestLine(
                here, "expected 'DIGEST  NAME' or 'KIND (NAME) = DIGEST'"
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
        below, name = parse_output_path(path, "the name")
        url = check_url(
            urljoin(folder, quote(path.replace("//", "/"), safe="/~!$&'()*+,;=@"))
        )
    except ValueError as error:
        return BadRequestLine(here, str(error))
    return DownloadRequest((url,), name, below, checksum, source=here)


def _significant(lines: Iterable[str], where: str) -> Iterator[tuple[str, str]]:
    """Return the lines that should contain digests, each with its location."""
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
