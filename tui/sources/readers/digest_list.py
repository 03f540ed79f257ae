"""Digest lists such as ``SHA256SUMS``: each name is a file to download.

The names are relative to a base URL, which the user gives, or to the URL of the list
itself. ``core.text.checksum_list`` parses the lines; a PGP signature is skipped, and so
are other lines, with a note, as ``sha256sum -c`` does.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING
from urllib.parse import quote, urljoin

from tui.core.quick.pattern import late_pattern
from tui.core.request import (
    STRONGEST_FIRST,
    BadRequestLine,
    Checksum,
    DownloadRequest,
    check_url,
)
from tui.core.text.checksum_list import (
    continues_digest,
    heading_kind,
    other_digest,
    parse_checksum_line,
)
from tui.core.text.sanitize import sanitize
from tui.sources.readers.lines import LINE_LIMIT
from tui.sources.values import folder_url, parse_output_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_SUMS_NAME = late_pattern(
    r"(?:md5|sha-?\d*|b2|blake2[bs]?|shasums?)[-_]?(?:sums?)?\d*(?:\.txt|\.asc)?"
    r"|.*\.(?:md5|sha\d+|b2|md5sum|sha\d+sum|b2sum|digests)(?:\.asc)?"
    r"|(?:sha\d+|md5)\.sig|checksums?(?:\.txt|\.md5|\.sha\d+)?|.*-CHECKSUM",
    re.IGNORECASE,
)
_DIGEST = late_pattern(r"[0-9A-Fa-f]{16,}[ \t]+\*?(\S.*)")
"""A line that seems to start with a digest."""
_NOTED_LINES = 5
_NOT_TEXT = late_pattern("[\ud800-\udfff]")
"""What undecodable bytes become."""
_SUFFIX = late_pattern(r"\.(?:md5|sha\d+|b2)(?:sum)?$", re.IGNORECASE)


def is_sums_line(line: str) -> bool:
    """Return True if a list that starts with this line is a digest list."""
    return (
        line.startswith(("-----BEGIN PGP SIGNED", "untrusted comment:"))
        or parse_checksum_line(line) is not None
        or other_digest(line) is not None
        or bool(heading_kind(line))
    )


def is_sums_name(name: str) -> bool:
    """Return True if a file with this name is probably a digest list."""
    return _SUMS_NAME.fullmatch(name) is not None


def parse_sums_list(
    lines: Iterable[str],
    where: str,
    base_url: str | None,
    notes: list[str] | None = None,
) -> Iterator[DownloadRequest | BadRequestLine]:
    """Parse a digest list; yields requests and errors in the order of the names.

    A name with several kinds of digest, as in BSD-style ``CHECKSUM`` files, is one
    file; the strongest digest is used.

    Args:
        lines: text without line endings.
        where: the list's name in messages; a line number is added.
        base_url: the folder to which the names are relative.
        notes: receives a line about skipped lines and unsupported digests.
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
    digests = _Digests(os.path.basename(where))
    for here, line in _significant(lines, where):
        try:
            digests.read(here, line)
        except ValueError as error:
            yield BadRequestLine(here, str(error))
    for path, (here, checksum) in digests.files.items():
        yield _request(folder, path, checksum, here)
    for path, (here, kind) in digests.others.items():
        if path not in digests.files:
            reason = f"{sanitize(path, 100)} has only a digest of {sanitize(kind, 20)},"
            yield BadRequestLine(here, f"{reason} which is not supported")
    if notes is not None:
        notes += digests.notes(where)


class _Digests:
    """The digests of a list by name, and what else it contains."""

    def __init__(self, name: str) -> None:
        self._name = name
        # b2sum writes as many digits as sha512sum and does not name the algorithm.
        is_blake = name.lower().startswith(("b2", "blake2b"))
        self._untagged = "blake2b" if is_blake else ""
        self.files: dict[str, tuple[str, Checksum]] = {}
        """Location of the first digest, and the strongest digest."""
        self.others: dict[str, tuple[str, str]] = {}
        """Location and kind of the first unsupported digest."""
        self._kinds: set[str] = set()
        self._skipped: list[str] = []
        self._skipped_count = 0

    def read(self, here: str, line: str) -> None:
        """Read a line.

        Raises:
            ValueError: the digest is damaged, contradicts an earlier one or has no
                name.
        """
        if len(line) > LINE_LIMIT:
            raise ValueError(f"longer than {LINE_LIMIT} characters")
        if not line.isascii() and _NOT_TEXT.search(line):
            raise ValueError("not UTF-8; save the list as UTF-8 text")
        if line.startswith("#"):
            self._untagged = heading_kind(line) or self._untagged
            return
        entry = parse_checksum_line(line, self._untagged)
        if entry is not None:
            path, checksum = entry
            if not path:
                path = _SUFFIX.sub("", self._name)
                if path == self._name:
                    raise ValueError("the digest has no file name")
            self._add(path, checksum, here)
            return
        other = other_digest(line)
        if other is None and self._untagged and (match := _DIGEST.match(line)):
            other = self._untagged, match[1]
        if other is not None:
            kind, path = other
            if kind.lower() != "size":
                self._kinds.add(kind)
                self.others.setdefault(path, (here, kind))
        elif _DIGEST.match(line):
            raise ValueError("expected 'DIGEST  NAME' or 'KIND (NAME) = DIGEST'")
        else:
            self._skipped_count += 1
            if len(self._skipped) < _NOTED_LINES:
                self._skipped.append(here.rpartition(":")[2])

    def notes(self, where: str) -> list[str]:
        """Return notes about what was skipped."""
        found = []
        if self._kinds:
            listed = ", ".join(sanitize(kind, 20) for kind in sorted(self._kinds)[:10])
            found.append(f"{where}: ignoring unsupported digests: {listed}")
        if self._skipped:
            more = ", ..." if self._skipped_count > len(self._skipped) else ""
            found.append(
                f"{where}: ignoring {self._skipped_count:,} lines without a digest"
                f" (line {', '.join(self._skipped)}{more})"
            )
        return found

    def _add(self, path: str, checksum: Checksum, here: str) -> None:
        first, known = self.files.get(path, (here, checksum))
        if known.algorithm == checksum.algorithm and known != checksum:
            raise ValueError(f"contradicts the digest in {first}")
        order = STRONGEST_FIRST.index
        if order(checksum.algorithm) <= order(known.algorithm):
            self.files[path] = (first, checksum)


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
    """Return the lines that should contain digests, each with its location.

    Lines of gpg that continue a digest are joined to it.
    """
    is_signature = is_signify = False
    pending = here = ""
    for number, line in enumerate(lines, 1):
        text = line.strip().removeprefix("\ufeff")
        if pending and len(pending) < LINE_LIMIT and continues_digest(line):
            pending = f"{pending} {text}"
            continue
        if pending:
            yield here, pending
        pending, here = "", f"{where}:{number}"
        if text.startswith("-----"):
            is_signature = "BEGIN PGP SIGNATURE" in text
        elif text.startswith("untrusted comment:"):
            is_signify = True
        elif is_signify:
            # The signature, in Base64.
            is_signify = False
        elif text and not is_signature and text[0] != ";" and text[:6] != "Hash: ":
            pending = text
    if pending:
        yield here, pending
