"""The links of an HTML page that match a pattern.

Parsed as browsers parse: ``base href``, relative links, entities, whatever encoding the
page or its server tells.
"""

from __future__ import annotations

import re
from codecs import lookup
from collections import Counter
from fnmatch import translate
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote, urljoin, urlsplit

from selectolax.lexbor import LexborHTMLParser

from tui.core.request import BadRequestLine, DownloadRequest, check_url
from tui.core.text.plain_text import plain
from tui.sources.page import PAGE_LIMIT, Page
from tui.sources.patterns import expand

if TYPE_CHECKING:
    from collections.abc import Iterator

_LINKS = (
    "a[href], area[href], img[src], source[src], audio[src], video[src], embed[src]"
)
_SPACE = " \t\n\f\r"
_META = re.compile(
    rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?([\w:-]{1,40})", re.IGNORECASE
)
_SAFE = "%:/?#[]@!$&'()*+,;=~|^{}\\"
"""Kept as it is in a link; white space and what is not ASCII is encoded."""
_LEAVES_PAGE = re.compile(r"(?!https?:)[A-Za-z][A-Za-z0-9+.-]*:", re.IGNORECASE)
"""``mailto:``, ``javascript:``, ``ftp:`` and the like."""


_NOT_OF_PAGES = frozenset({"idna", "punycode", "unicode_escape", "raw_unicode_escape"})
"""Codecs of Python that no page has; the first two take minutes for a long text."""


class LinkPattern:
    """Which links are meant.

    A shell pattern (``*``, ``?``, ``[a-z]``, and words in braces: ``*.{iso,img}``) for
    the last part of the path, or for the whole URL if a slash is in it. Case matters
    for neither.
    """

    def __init__(self, pattern: str) -> None:
        """Read the pattern.

        Raises:
            ValueError: it is empty, or stands for too many.
        """
        if not pattern.strip():
            raise ValueError("--links needs a pattern, such as '*.iso'")
        self._is_whole = "/" in pattern
        parts = expand(pattern)
        if len(parts) > 1000:
            raise ValueError("--links stands for more than 1,000 patterns")
        self._match = re.compile("|".join(map(translate, parts)), re.IGNORECASE).match

    def matches(self, url: str) -> bool:
        """Whether a link is meant; folders, which end in a slash, have no name."""
        if self._is_whole:
            return self._match(url) is not None
        name = unquote(urlsplit(url).path.rpartition("/")[2])
        return bool(name) and self._match(name) is not None


def parse_page(
    page: Page, links: str, where: str, notes: list[str] | None = None
) -> Iterator[DownloadRequest | BadRequestLine]:
    """Turn a page's links into requests, each URL once, in the order of the page.

    Args:
        page: its bytes, and the URL that relative links start from ("" if unknown).
        links: which of them are meant, as ``LinkPattern`` reads it.
        where: what the page is called in messages.
        notes: gets a line that tells how many links did not match.
    """
    if len(page.body) > PAGE_LIMIT:
        yield BadRequestLine(where, f"the page is larger than {PAGE_LIMIT >> 20} MiB")
        return
    try:
        pattern = LinkPattern(links)
    except ValueError as error:
        yield BadRequestLine("--links", str(error))
        return
    found = _found(page)
    relative = bad = 0
    others: Counter[str] = Counter()
    wanted = []
    for url in found:
        if not urlsplit(url).scheme:
            relative += pattern.matches(f"https://x/{url}")
        elif not pattern.matches(url):
            others[_kind(url)] += 1
        else:
            try:
                wanted.append(DownloadRequest((check_url(url),), source=where))
            except ValueError:
                bad += 1
    if relative:
        yield BadRequestLine(
            where,
            f"links that match are relative ({relative:,});"
            " tell where the page comes from with --base-url",
        )
    elif not wanted:
        kinds = ", ".join(f"{count:,} {kind}" for kind, count in others.most_common(5))
        told = f"; there are {kinds}" if kinds else "; it has no links"
        reason = f"no link matches {plain(links, 100)!r}{told}"
        yield BadRequestLine(where, reason)
    elif notes is not None and (others or bad):
        notes.append(
            f"{where}: {len(wanted):,} links match {plain(links, 100)!r},"
            f" {others.total() + bad:,} do not"
        )
    yield from wanted


def _found(page: Page) -> dict[str, None]:
    """Return the links that a download could be, absolute if there is a base."""
    tree = LexborHTMLParser(_decoded(page))
    base = page.url
    element = tree.css_first("base[href]")
    if element is not None:
        base = _joined(base, element.attributes.get("href") or "") or base
    found: dict[str, None] = {}
    for node in tree.css(_LINKS):
        attributes = node.attributes
        link = attributes.get("href") or attributes.get("src") or ""
        url = _joined(base, link)
        if url and url.partition("#")[0] != page.url:
            found[url] = None
    return found


def _joined(base: str, link: str) -> str:
    """Return a link as a URL without its fragment, or "" if it leads elsewhere.

    White space inside goes as browsers take it: WHATWG URL, section 4.4.
    """
    link = re.sub(r"[\t\n\r]", "", link.strip(_SPACE)).partition("#")[0]
    if not link or _LEAVES_PAGE.match(link):
        return ""
    try:
        url = quote(urljoin(base, link), safe=_SAFE)
        urlsplit(url)
    except ValueError:
        # A bracket in the host that is no address.
        return ""
    return url


def _decoded(page: Page) -> str:
    """Return the text: a mark wins over the server's word, that over the page's own."""
    body = page.body
    for mark, name in (
        (b"\xef\xbb\xbf", "utf-8-sig"),
        (b"\xff\xfe", "utf-16"),
        (b"\xfe\xff", "utf-16"),
    ):
        if body.startswith(mark):
            return body.decode(name, "replace")
    meta = _META.search(body[:4096])
    told = page.charset or (meta[1].decode("ascii") if meta is not None else "")
    for name in (told, "utf-8"):
        try:
            if lookup(name).name in _NOT_OF_PAGES:
                continue
            return body.decode(name)
        except (LookupError, ValueError):
            continue
    # What browsers fall back to in the west.
    return body.decode("windows-1252", "replace")


def _kind(url: str) -> str:
    """Return the end of the file's name, for telling what there is."""
    name = urlsplit(url).path.rpartition("/")[2]
    _, dot, suffix = name.rpartition(".")
    return plain(f".{suffix}", 12) if dot and suffix else "others"
