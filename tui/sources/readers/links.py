"""Find the links of an HTML page that match a pattern.

Pages are parsed as browsers do it: ``base href``, relative links, entities, and the
encoding that the page or its server declares.
"""

from __future__ import annotations

import re
from codecs import lookup
from collections import Counter
from fnmatch import translate
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote, urljoin, urlsplit

from tui.core.request import BadRequestLine, DownloadRequest, check_url
from tui.core.text.sanitize import sanitize
from tui.core.text.units import plural
from tui.sources.page import PAGE_LIMIT, Page
from tui.sources.patterns import expand
from tui.sources.readers.html_tags import start_tags

if TYPE_CHECKING:
    from collections.abc import Iterator

_LINKS = dict.fromkeys(("a", "area"), "href") | dict.fromkeys(
    ("img", "source", "audio", "video", "embed"), "src"
)
"""The attribute of each element that contains its link."""
_SPACE = " \t\n\f\r"
_META = re.compile(
    rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?([\w:-]{1,40})", re.IGNORECASE
)
_SAFE = "%:/?#[]@!$&'()*+,;=~|^{}\\"
"""Characters left unencoded in a link; white space and non-ASCII text is encoded."""
_OTHER_SCHEME = re.compile(r"(?!https?:)[A-Za-z][A-Za-z0-9+.-]*:", re.IGNORECASE)
"""``mailto:``, ``javascript:``, ``ftp:`` and the like."""


_EXCLUDED_CODECS = frozenset(
    {"idna", "punycode", "unicode_escape", "raw_unicode_escape"}
)
"""Python codecs that no page uses; the first two take minutes for a long text."""


class LinkPattern:
    """A case-insensitive shell pattern that selects links.

    It may contain ``*``, ``?``, ``[a-z]`` and braces, as in ``*.{iso,img}``. A pattern
    with a slash matches the complete URL, any other the last part of the path.
    """

    def __init__(self, pattern: str) -> None:
        """Compile the pattern.

        Raises:
            ValueError: it is empty or has too many expansions.
        """
        if not pattern.strip():
            raise ValueError("--links needs a pattern, such as '*.iso'")
        self._is_whole = "/" in pattern
        parts = expand(pattern)
        if len(parts) > 1000:
            raise ValueError("--links expands to more than 1,000 patterns")
        self._match = re.compile("|".join(map(translate, parts)), re.IGNORECASE).match

    def matches(self, url: str) -> bool:
        """Return True if a link matches; folders (ending in a slash) have no name."""
        if self._is_whole:
            return self._match(url) is not None
        name = unquote(urlsplit(url).path.rpartition("/")[2])
        return bool(name) and self._match(name) is not None


def parse_page(
    page: Page, links: str, where: str, notes: list[str] | None = None
) -> Iterator[DownloadRequest | BadRequestLine]:
    """Turn a page's matching links into requests, each URL once, in the page's order.

    Args:
        page: the page, with the base URL of its links ("" if unknown).
        links: the pattern; see ``LinkPattern``.
        where: the page's name in messages.
        notes: receives a line with the number of links that did not match.
    """
    if len(page.body) > PAGE_LIMIT:
        yield BadRequestLine(where, f"the page is larger than {PAGE_LIMIT >> 20} MiB")
        return
    try:
        pattern = LinkPattern(links)
    except ValueError as error:
        yield BadRequestLine("--links", str(error))
        return
    found = _collect_links(page)
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
            f"{plural(relative, 'matching link')} cannot be resolved;"
            " set the page's URL with --base-url",
        )
    elif not wanted:
        kinds = ", ".join(f"{count:,} {kind}" for kind, count in others.most_common(5))
        listed = f"; found {kinds}" if kinds else "; the page has no links"
        reason = f"no link matches {sanitize(links, 100)!r}{listed}"
        yield BadRequestLine(where, reason)
    elif notes is not None and (others or bad):
        all_links = len(wanted) + others.total() + bad
        notes.append(
            f"{where}: {len(wanted):,} of {all_links:,} links match"
            f" {sanitize(links, 100)!r}"
        )
    yield from wanted


def _collect_links(page: Page) -> dict[str, None]:
    """Return the links that may be downloads, made absolute if there is a base."""
    base = page.url
    has_base = False
    links: dict[str, None] = {}
    for name, attributes in start_tags(_decoded(page), frozenset({*_LINKS, "base"})):
        if name != "base":
            links[attributes.get(_LINKS[name], "")] = None
        elif not has_base and "href" in attributes:
            # It counts for links before it, too.
            has_base = True
            base = _joined(base, attributes["href"]) or base
    found: dict[str, None] = {}
    for link in links:
        url = _joined(base, link)
        if url and url.partition("#")[0] != page.url:
            found[url] = None
    return found


def _joined(base: str, link: str) -> str:
    """Return a link as a URL without its fragment, or "" if it is not http or https.

    White space inside is removed as in browsers (WHATWG URL, section 4.4).
    """
    link = re.sub(r"[\t\n\r]", "", link.strip(_SPACE)).partition("#")[0]
    if not link or _OTHER_SCHEME.match(link):
        return ""
    try:
        url = quote(urljoin(base, link), safe=_SAFE)
        urlsplit(url)
    except ValueError:
        # Brackets in the host without a valid address.
        return ""
    return url


def _decoded(page: Page) -> str:
    """Decode a page: by byte order mark, else as the server, else the page declares."""
    body = page.body
    for mark, name in (
        (b"\xef\xbb\xbf", "utf-8-sig"),
        (b"\xff\xfe", "utf-16"),
        (b"\xfe\xff", "utf-16"),
    ):
        if body.startswith(mark):
            return body.decode(name, "replace")
    meta = _META.search(body[:4096])
    listed = page.charset or (meta[1].decode("ascii") if meta is not None else "")
    for name in (listed, "utf-8"):
        try:
            if lookup(name).name in _EXCLUDED_CODECS:
                continue
            return body.decode(name)
        except (LookupError, ValueError):
            continue
    # The fallback of browsers in Western locales.
    return body.decode("windows-1252", "replace")


def _kind(url: str) -> str:
    """Return the suffix of a link's file name, for messages."""
    name = urlsplit(url).path.rpartition("/")[2]
    _, dot, suffix = name.rpartition(".")
    return sanitize(f".{suffix}", 12) if dot and suffix else "others"
