"""Digest lists and pages: names and links become requests or errors."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.core.errors import PermanentError
from tui.core.request import BadRequestLine, DownloadRequest
from tui.sources.load import load_sources
from tui.sources.page import PAGE_LIMIT, Page
from tui.sources.readers.digest_list import is_sums_name, parse_sums_list
from tui.sources.readers.links import parse_page

A, B, LONG = "a" * 64, "b" * 64, "c" * 128
BASE = "https://e.example/rel"


def checksums(text: str, where: str = "SHA256SUMS"):
    items = list(parse_sums_list(text.split("\n"), where, BASE))
    good = [i for i in items if isinstance(i, DownloadRequest)]
    return good, [str(i) for i in items if isinstance(i, BadRequestLine)]


def links(body: str | bytes, pattern: str = "*", url: str = "https://e.example/d/"):
    page = Page(url, body.encode() if isinstance(body, str) else body)
    items = list(parse_page(page, pattern, "page"))
    good = [i.url for i in items if isinstance(i, DownloadRequest)]
    return good, [str(i) for i in items if isinstance(i, BadRequestLine)]


def load(sources, data: bytes = b"", **how):
    notes: list[str] = []
    requests, errors = load_sources(sources, io.BytesIO(data), notes, **how)
    return requests, [str(c) for c in errors], notes


# -- digest lists ----------------------------------------------------------------------


def test_names_are_resolved_against_the_base_url():
    good, bad = checksums(
        f"# top\n{A}  ./sub/a b.iso\n\n{B} *x%.iso\nSHA1(y)= {'d' * 40}"
    )
    assert bad == []
    assert [(r.url, r.directory, r.name, str(r.checksum)) for r in good] == [
        (f"{BASE}/sub/a%20b.iso", "sub", "a b.iso", f"sha256={A}"),
        (f"{BASE}/x%25.iso", None, "x%.iso", f"sha256={B}"),
        (f"{BASE}/y", None, "y", f"sha1={'d' * 40}"),
    ]
    assert good[1].source == "SHA256SUMS:4"


def test_strongest_digest_is_used():
    (request,), bad = checksums(
        f"MD5 (x) = {'1' * 32}\nSHA512 (x) = {LONG}\nSHA256 (x) = {A}"
    )
    assert (str(request.checksum), bad) == (f"sha512={LONG}", [])


def test_b2sums_are_detected_by_the_list_name():
    assert checksums(f"{LONG}  x", "dir/B2SUMS")[0][0].checksum.algorithm == "blake2b"
    assert (
        checksums(f"{LONG}  x", "dir/SHA512SUMS")[0][0].checksum.algorithm == "sha512"
    )


def test_bare_digest_belongs_to_the_file_in_the_list_name():
    for text in (A, f"{A}  -\n"):  # "sha256sum < big.iso" writes a dash
        assert checksums(text, "dir/big.iso.sha256")[0][0].name == "big.iso"


def test_pgp_signature_is_skipped():
    text = (
        "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n"
        f"{A}  x\n-----BEGIN PGP SIGNATURE-----\n\nabc\n=x\n-----END PGP SIGNATURE-----"
    )
    requests, errors, _ = load(["-"], text.encode(), base_url=BASE)
    assert ([r.name for r in requests], errors) == (["x"], [])


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (f"{A}  x\n{B}  x", "2: contradicts the digest in SHA256SUMS:1"),
        (f"{A}  ../x", "1: the name must not leave the output directory"),
        (f"{A}  /etc/x", "1: the name must be relative"),
        (f"{A}  .ssh/x", "1: the name: hidden folders are not allowed"),
        (f"\\{A}  a\\nb", "1: the name contains a control"),
        (f"{A}  {'n' * 300}", "1: the name contains a name longer than 255 bytes"),
        (f"{'a' * 63}  x", "1: expected"),
        (A, "1: the digest has no file name"),
        (f"{A}  -", "1: the digest has no file name"),
        (f"{A}  \udce4.iso", "1: not UTF-8; save the list as UTF-8 text"),
    ],
)
def test_invalid_line_is_reported_with_its_number(text, why):
    _, (expected,) = checksums(text)
    assert expected.startswith(f"SHA256SUMS:{why}")


def test_missing_base_url_error_names_the_option(tmp_path):
    path = tmp_path / "SHA256SUMS"
    path.write_text(f"{A}  x\n")
    _, errors, _ = load([str(path)])
    assert errors == [
        f"{path}: is a list of digests; set the URL of its folder with --base-url"
    ]
    assert load([str(path)], base_url="ftp://a")[1][0].startswith("--base-url: unsupp")


def test_digest_list_url_is_fetched_with_a_base_url():
    asked = []

    def fetch(url: str) -> Page:
        asked.append(url)
        return Page("https://cdn.example/r/1/SHA256SUMS", f"{A}  x\n".encode())

    url = "https://e.example/SHA256SUMS"
    requests, errors, _ = load([url], base_url=".", fetch_page=fetch)
    assert (requests[0].url, errors) == ("https://cdn.example/r/1/x", [])
    assert requests[0].source == f"{url}:1"
    assert load([url], fetch_page=fetch)[0][0].url == url, "without one it is a file"
    assert asked == [url]


@pytest.mark.parametrize("name", ["all.meta4", "ALL.METALINK"])
def test_metalink_at_a_url_is_fetched_with_a_base_url(name):
    text = """<metalink xmlns="urn:ietf:params:xml:ns:metalink">
      <file name="x"><url>sub/x</url></file></metalink>"""
    page = Page(f"https://cdn.example/r/{name}", text.encode())
    url = f"https://e.example/{name}"
    requests, errors, _ = load([url], base_url=".", fetch_page=lambda _: page)
    assert ([r.url for r in requests], errors) == (["https://cdn.example/r/sub/x"], [])
    assert load([url])[0][0].url == url, "without one it is a file"


def test_the_own_folder_of_a_list_on_disk_is_no_base_url(tmp_path):
    path = tmp_path / "SHA256SUMS"
    path.write_text(f"{A}  x\n")
    _, (error,), _ = load([str(path)], base_url=".")
    assert error == (
        "--base-url: . is the folder of a list at a URL; for a file, write the URL of"
        " the folder"
    )


@pytest.mark.parametrize(
    "name",
    ["SHA256SUMS", "sha512sum.txt", "MD5SUMS", "x.iso.sha256", "SHASUMS256.txt",
     "Fedora-41-CHECKSUM", "checksums.txt", "B2SUMS", "sha256sums.asc"],
)  # fmt: skip
def test_names_of_digest_lists_are_recognized(name):
    assert is_sums_name(name)
    assert not is_sums_name(f"{name}.iso")


# -- pages -----------------------------------------------------------------------------


def test_links_are_parsed_as_in_browsers():
    body = """<base href="/b/"><a href=one.zip>1</a><a href=' two.zip#x '>2</a>
      <a href="//c.example/three.zip?a=1&amp;b=2">3</a><area href="../four.zip">
      <a href="fi ve.zip"><a href="ä.zip"><img src=six.zip><a href=one.zip>again</a>
      <a href="mailto:a@b"><a href="javascript:x.zip"><a href="#here"><a>none</a>"""
    assert links(body, "*.zip") == (
        [
            "https://e.example/b/one.zip",
            "https://e.example/b/two.zip",
            "https://c.example/three.zip?a=1&b=2",
            "https://e.example/four.zip",
            "https://e.example/b/fi%20ve.zip",
            "https://e.example/b/%C3%A4.zip",
            "https://e.example/b/six.zip",
        ],
        [],
    )


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("*.iso", ["a.iso", "B.ISO"]),
        ("*.{iso,img}", ["a.iso", "B.ISO", "c.img"]),
        ("?.i*", ["a.iso", "B.ISO", "c.img"]),
        ("*/d/a*o", ["a.iso"]),
        ("a b.txt", ["a%20b.txt"]),
    ],
)
def test_pattern_matches_names_or_with_a_slash_urls(pattern, names):
    body = "".join(
        f"<a href='{n}'>" for n in ("a.iso", "B.ISO", "c.img", "d/", "a%20b.txt", "?x")
    )
    assert links(body, pattern)[0] == [f"https://e.example/d/{n}" for n in names]


def test_encoding_comes_from_bom_server_or_page():
    text = "<a href='ä.zip'>"
    (expected,) = links(text)[0]
    for body, charset in [
        (text.encode("latin-1"), "latin-1"),
        (b"<meta charset='latin-1'>" + text.encode("latin-1"), ""),
        (text.encode("latin-1"), ""),
        (text.encode("utf-16"), "latin-1"),
        (b"\xef\xbb\xbf" + text.encode(), "latin-1"),
        (text.encode(), "no-such-charset"),
        (text.encode(), "punycode"),
    ]:
        page = Page("https://e.example/d/", body, charset)
        (item,) = parse_page(page, "*.zip", "page")
        assert item.url == expected


@pytest.mark.parametrize(
    ("body", "pattern", "url", "why"),
    [
        ("<a href=a.pdf><a href=b.pdf><a href=/x>", "*.zip", "https://e.example/",
         "page: no link matches '*.zip'; found 2 .pdf, 1 others"),
        (
            "",
            "*",
            "https://e.example/",
            "page: no link matches '*'; the page has no links",
        ),
        ("<a href=a.zip>", "*.zip", "",
         "page: 1 matching link cannot be resolved; set the page's URL"),
        ("<a href=a.zip>", " ", "https://e.example/", "--links: --links needs a"),
        ("<a href=a.zip>", "{1..99999}", "https://e.example/", "--links: --links ex"),
        (b"x" * (PAGE_LIMIT + 1), "*", "https://e.example/", "page: the page is la"),
    ],
)  # fmt: skip
def test_page_errors_have_a_reason(body, pattern, url, why):
    _, (expected,) = links(body, pattern, url)
    assert expected.startswith(why)


def test_pages_come_from_files_stdin_and_urls(tmp_path):
    body = b"<!doctype html><a href='https://e.example/a.zip'>"
    path = tmp_path / "page.html"
    path.write_bytes(body)
    found = ["https://e.example/a.zip"]
    for sources, data in (([str(path)], b""), (["-"], body)):
        requests, errors, _ = load(sources, data, links="*.zip")
        assert ([r.url for r in requests], errors) == (found, [])
        _, (expected,), _ = load(sources, data)
        assert "is an HTML page; choose links with --links" in expected
    page = Page("https://f.example/", body)
    requests, _, notes = load(["https://x/"], links="*", fetch_page=lambda _: page)
    assert ([r.url for r in requests], notes) == (found, [])


@pytest.mark.parametrize(
    ("source", "options"),
    [
        ("https://me:p%40w@e.example/d/page", {"links": "https://e.example/*"}),
        ("https://me:p%40w@e.example/d/SHA256SUMS", {"base_url": "."}),
    ],
)
def test_the_login_of_a_page_is_for_its_origin_only(source, options):
    body = b"<a href='x'><a href='https://e.example/y'><a href='//e.example:81/z'>"
    if "base_url" in options:
        body = f"{A}  x\n{A}  y\n".encode()
    page = Page(source.replace("me:p%40w@", ""), body)
    requests, errors, _ = load([source], fetch_page=lambda _: page, **options)
    assert errors == []
    names = [r.url.rpartition("/")[2] for r in requests]
    assert names == ["x", "y"]
    assert all(r.url.startswith("https://me:p%40w@e.example/") for r in requests)
    other = page._replace(url="https://cdn.example/d/")
    options = {**options, "links": "*"} if "links" in options else options
    requests, _, _ = load([source], fetch_page=lambda _: other, **options)
    assert "p%40w" not in requests[0].url


def test_page_that_cannot_be_fetched_is_an_error():
    def fail(url: str) -> Page:
        raise PermanentError("not_found", "x answered 404")

    assert load(["https://me:pw@x/"], links="*", fetch_page=fail)[1] == [
        "https://x/: cannot fetch: x answered 404"
    ]
    assert "cannot fetch pages here" in load(["https://x/"], links="*")[1][0]


@given(st.binary(max_size=300), st.text(max_size=20))
def test_any_page_is_handled(body, charset):
    page = Page("https://e.example/", b"<a href='" + body, charset)
    for item in parse_page(page, "*", "page"):
        assert isinstance(item, DownloadRequest | BadRequestLine)
