"""Find the start tags of an HTML page and their attributes, in linear time.

This is the tokenizer of the HTML standard (WHATWG, section 13.2.5) without the tree,
which links do not need: parsers that build it take minutes for deeply nested elements.
"""

from __future__ import annotations

import re
from html import unescape
from html.entities import html5
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_MARKUP = re.compile(r"<(?:([A-Za-z][^\s/>]*)|(!--)|/([A-Za-z][^\s/>]*)|[!?/])")
_COMMENT_END = re.compile(r"--!?>")
_ATTRIBUTE = re.compile(
    r"""[\s/]*+(?:
        (?P<end>>)
      | (?P<name>=?[^\s/>=]++)
        (?:\s*+=\s*+(?:"(?P<double>[^"]*+)"|'(?P<single>[^']*+)'
            |(?P<bare>[^\s>"'][^\s>]*+)|(?P<open>["'])|(?=>)))?
      | (?P<sign>=)
    )""",
    re.VERBOSE,
)
_RAW_TEXT = {
    name: re.compile(rf"</{name}(?=[\s/>])", re.IGNORECASE)
    for name in (
        *("script", "style", "textarea", "title"),
        *("xmp", "iframe", "noembed", "noframes"),
    )
}
"""Elements that contain no tags, and where they end."""
_REFERENCE = re.compile(
    r"&(?:#[0-9]+;?|#[xX][0-9A-Fa-f]+;?|([A-Za-z][0-9A-Za-z]*)(;|=)?)"
)


def start_tags(
    text: str, names: frozenset[str]
) -> Iterator[tuple[str, dict[str, str]]]:
    """Return the start tags with one of ``names``, in the order of the page.

    Yields:
        The name in lower case, and the attributes by their lower-case names. Of
        repeated attributes, the first one counts.
    """
    at = 0
    while match := _MARKUP.search(text, at):
        at = match.end()
        name, comment, closed = match.groups()
        if name is None:
            at = _end_of(text, at, is_comment=bool(comment), is_tag=bool(closed))
            if at < 0:
                return
            continue
        name = name.lower()
        attributes, at = _attributes(text, at, is_wanted=name in names)
        if at < 0:
            # The page ends inside the tag, which therefore does not count.
            return
        if name in names:
            yield name, attributes
        if name == "plaintext":
            return
        if name in _RAW_TEXT:
            end = _RAW_TEXT[name].search(text, at)
            if end is None:
                return
            at = end.start()


def _end_of(text: str, at: int, *, is_comment: bool, is_tag: bool) -> int:
    """Return the end of a comment, a declaration or an end tag; -1 if it has none."""
    if is_tag:
        return _attributes(text, at, is_wanted=False)[1]
    if not is_comment:
        return text.find(">", at) + 1 or -1
    if text.startswith((">", "->"), at):
        return text.index(">", at) + 1
    end = _COMMENT_END.search(text, at)
    return -1 if end is None else end.end()


def _attributes(text: str, at: int, *, is_wanted: bool) -> tuple[dict[str, str], int]:
    """Return the attributes of a tag, and its end or -1 if it has none."""
    attributes: dict[str, str] = {}
    while match := _ATTRIBUTE.match(text, at):
        at = match.end()
        if match["end"]:
            return attributes, at
        if match["open"]:
            break
        if is_wanted and match["name"]:
            value = match["double"] or match["single"] or match["bare"] or ""
            attributes.setdefault(match["name"].lower(), _decoded(value))
    return attributes, -1


def _decoded(value: str) -> str:
    return _REFERENCE.sub(_character, value) if "&" in value else value


def _character(match: re.Match[str]) -> str:
    """Decode a character reference as in an attribute.

    Without a semicolon, ``&copy`` is one, but ``&copy=`` and ``&copyright`` are not:
    they are parts of a query.
    """
    name, end = match.groups(default="")
    if name and (end == "=" or name + end not in html5):
        return match[0]
    return unescape(match[0])
