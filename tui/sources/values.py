"""Validate the values that a list sets for a download: headers, sizes, paths.

Lists often come from others, so their paths must stay below the output directory, and
their headers must not change which bytes a server returns. Error messages never quote
a value, because a header may contain a password.
"""

from __future__ import annotations

import unicodedata

from tui.core.quick.pattern import late_pattern
from tui.core.request import check_url
from tui.core.text.joiners import without_needed_joiners

_TOKEN = late_pattern(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""A field name (RFC 9110, section 5.6.2)."""

RESERVED_HEADERS = frozenset(
    {
        "accept-encoding",  # identity, so that sizes and ranges mean the file's bytes
        "connection",
        "content-length",
        "expect",
        "if-match",
        "if-modified-since",
        "if-none-match",
        "if-range",  # a resume depends on it
        "if-unmodified-since",
        "range",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""Headers that decide which bytes come back; a list may not set them."""

_NUMBER = late_pattern(r"[0-9]{1,18}")
_BARE_URL = late_pattern(
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?\.)+[A-Za-z]{2,24}(?::[0-9]{1,5})?/\S+"
)
_COMPONENT_LIMIT = 255
"""Maximum bytes of a name on common file systems."""


def assumed_url(text: str) -> str | None:
    """Return the https URL that ``host.tld/path`` most likely stands for.

    There is no plain http: nobody asked for an unencrypted download. ``user@host`` is
    not completed, since its parts are ambiguous (CVE-2024-10524 in wget), and neither
    is a host without a path, which looks like a file name.
    """
    return f"https://{text}" if _BARE_URL.fullmatch(text) else None


def parse_header(text: str) -> tuple[str, str]:
    """Parse ``Name: value``.

    Returns:
        The name as written, and the value without surrounding white space.

    Raises:
        ValueError: no colon, a control character, or a reserved header. The message
            does not contain the value.
    """
    name, colon, value = text.partition(":")
    name = name.strip()
    value = value.strip()
    if not colon or _TOKEN.fullmatch(name) is None:
        raise ValueError("a header must be written as 'Name: value'")
    if name.lower() in RESERVED_HEADERS:
        raise ValueError(f"the header {name} is set by fetchtui and cannot be changed")
    if not value.replace("\t", " ").isprintable():
        raise ValueError(f"the value of {name} contains a control character")
    return name, value


def folder_url(url: str) -> str:
    """Return ``url`` with a trailing slash, as a base for relative names.

    Raises:
        ValueError: not a valid URL; see ``check_url``.
    """
    if url.startswith("."):
        raise ValueError(
            ". is the folder of a list at a URL; for a file, write the URL of the"
            " folder"
        )
    url = check_url(url).partition("#")[0].partition("?")[0]
    return url if url.endswith("/") else f"{url}/"


def parse_size(name: str, text: str) -> int:
    """Parse a size in bytes.

    Raises:
        ValueError: not a whole number from 0, or larger than any file.
    """
    if _NUMBER.fullmatch(text.strip()) is None:
        raise ValueError(f"{name} must be a whole number with at most 18 digits")
    return int(text)


def parse_folder(text: str, option: str = "dir=") -> str | None:
    """Parse ``dir=``: a folder below the output directory.

    Args:
        text: the path.
        option: the option's name in error messages.

    Returns:
        Its components joined by ``/``, or ``None`` for the output directory itself.

    Raises:
        ValueError: the folder is absolute, hidden or outside the output directory.
    """
    parts = _split(option, text)
    _check_folders(option, parts)
    return "/".join(parts) or None


def parse_output_path(text: str, option: str = "out=") -> tuple[str | None, str]:
    """Parse ``out=``: a file name, optionally with folders in front as in aria2.

    Args:
        text: the path.
        option: the option's name in error messages.

    Returns:
        The folder (as from ``parse_folder``) and the file name.

    Raises:
        ValueError: the path is outside the output directory or has no file name.
    """
    parts = _split(option, text)
    if not parts or text.rstrip().endswith("/"):
        raise ValueError(f"{option} must end in a file name")
    _check_folders(option, parts[:-1])
    return "/".join(parts[:-1]) or None, parts[-1]


def _split(option: str, text: str) -> list[str]:
    if not text.isprintable():
        text = _with_plain_spaces(text)
        if not without_needed_joiners(text).isprintable():
            raise ValueError(f"{option} contains a control or invisible character")
    if "\\" in text:
        raise ValueError(f"{option} contains a backslash; separate folders with /")
    if text.startswith("/") or text.split("/", 1)[0].startswith("~"):
        raise ValueError(
            f"{option} must be relative to the output directory, which -o sets"
        )
    parts = [part for part in text.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise ValueError(f"{option} must not leave the output directory with ..")
    for part in parts:
        if len(part.encode()) > _COMPONENT_LIMIT:
            raise ValueError(f"{option} contains a name longer than 255 bytes")
    return parts


def _with_plain_spaces(text: str) -> str:
    """Replace other kinds of space, such as the ideographic one, as in file names."""
    return "".join(" " if unicodedata.category(char) == "Zs" else char for char in text)


def _check_folders(option: str, parts: list[str]) -> None:
    # With the home directory as output directory, dir=.ssh could install SSH keys.
    if any(part.startswith(".") for part in parts):
        raise ValueError(
            f"{option}: hidden folders are not allowed; remove the leading dot"
        )
