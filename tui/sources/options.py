"""Values that a list or the command line gives for one download, checked.

A list is often somebody else's text, so a place it names must stay below the output
directory, and a header it names must not undo what the wire relies on. Complaints
never repeat a value: a header may hold a password.
"""

from __future__ import annotations

import re

from tui.core.request import check_url

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""A field name: RFC 9110, section 5.6.2."""

OWN_HEADERS = frozenset(
    {
        "accept-encoding",  # identity, so that sizes and ranges mean the file's bytes
        "connection",
        "content-length",
        "expect",
        "if-match",
        "if-modified-since",
        "if-none-match",
        "if-range",  # the proof on which a resume stands
        "if-unmodified-since",
        "range",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""Headers that decide which bytes come back; a list may not set them."""

_NUMBER = re.compile(r"[0-9]{1,18}")
_COMPONENT_LIMIT = 255
"""Bytes of one name on common file systems."""


def parse_header(text: str) -> tuple[str, str]:
    """Read ``Name: value``.

    Returns:
        The name as it was written and the value without white space around it.

    Raises:
        ValueError: it has no colon, is not ASCII, or names a header that decides
            which bytes come back. The message does not hold the value.
    """
    name, colon, value = text.partition(":")
    name = name.strip()
    value = value.strip()
    if not colon or _TOKEN.fullmatch(name) is None:
        raise ValueError("a header is written as 'Name: value'")
    if name.lower() in OWN_HEADERS:
        raise ValueError(f"the header {name} is set by fetchtui itself")
    if not value.isascii() or not value.replace("\t", " ").isprintable():
        raise ValueError(f"the value of {name} holds more than printable ASCII")
    return name, value


def folder_url(url: str) -> str:
    """Return ``url`` with a slash at its end: what is relative lies below it.

    Raises:
        ValueError: ``check_url`` refuses it.
    """
    url = check_url(url).partition("#")[0].partition("?")[0]
    return url if url.endswith("/") else f"{url}/"


def parse_size(name: str, text: str) -> int:
    """Read a size in bytes.

    Raises:
        ValueError: it is negative, or no whole number that a file could have.
    """
    if _NUMBER.fullmatch(text.strip()) is None:
        raise ValueError(f"{name} must be a whole number from 0, of at most 18 digits")
    return int(text)


def parse_folder(text: str) -> str | None:
    """Read ``dir=``: a folder below the output directory.

    Returns:
        Its components joined by ``/``, or ``None`` for the output directory itself.

    Raises:
        ValueError: the folder is absolute, leaves the output directory or is hidden.
    """
    parts = _split("dir=", text)
    _check_folders("dir=", parts)
    return "/".join(parts) or None


def parse_place(text: str, option: str = "out=") -> tuple[str | None, str]:
    """Read ``out=``: a file name, with folders in front as aria2 allows.

    Args:
        text: the place.
        option: what it is called in complaints.

    Returns:
        The folder (as ``parse_folder``) and the name.

    Raises:
        ValueError: the place is outside the output directory or names no file.
    """
    parts = _split(option, text)
    if not parts or text.rstrip().endswith("/"):
        raise ValueError(f"{option} must end in a file name")
    _check_folders(option, parts[:-1])
    return "/".join(parts[:-1]) or None, parts[-1]


def _split(option: str, text: str) -> list[str]:
    if not text.isprintable():
        raise ValueError(f"{option} holds a control or invisible character")
    if "\\" in text:
        raise ValueError(f"{option} holds a backslash; separate folders with /")
    if text.startswith("/") or text.split("/", 1)[0].startswith("~"):
        raise ValueError(
            f"{option} must be relative: files stay below the output directory,"
            " which -o sets"
        )
    parts = [part for part in text.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise ValueError(f"{option} must not climb out of the output directory with ..")
    for part in parts:
        if len(part.encode()) > _COMPONENT_LIMIT:
            raise ValueError(f"{option} holds a name of more than 255 bytes")
    return parts


def _check_folders(option: str, parts: list[str]) -> None:
    # A list that may say dir=.ssh could plant keys when the output directory is home.
    if any(part.startswith(".") for part in parts):
        raise ValueError(f"{option} names a hidden folder; take the dot away")
