"""Digest lists and pages: names and links become requests; bad ones are told."""

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


def sums(text: str, where: str = "SHA256SUMS"):
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
    requests, complaints = load_sources(sources, io.BytesIO(data), notes, **how)
    return requests, [str(c) for c in complaints], notes


# -- digest lists ----------------------------------------------------------------------


def test_each_name_is_a_file_below_the_base():
    good, bad = sums(f"# top\n{A}  ./sub/a b.iso\n\n{B} *x%.iso\nSHA1(y)= {'d' * 40}")
    assert bad == []
    assert [(r.url, r.directory, r.name, str(r.checksum)) for r in good] == [
        (f"{BASE}/sub/a%20b.iso", "sub", "a b.iso", f"sha256={A}"),
        (f"{BASE}/x%25.iso", None, "x%.iso", f"sha256={B}"),
        (f"{BASE}/y", None, "y", f"sha1={'d' * 40}"),
    ]
    assert good[1].source == "SHA256SUMS:4"


def test_of_several_kinds_the_strongest_counts():
    (request,), bad = sums(
        f"MD5 (x) = {'1' * 32}\nSHA512 (x) = {LONG}\nSHA256 (x) = {A}"
    )
    assert (str(request.checksum), bad) == (f"sha512={LONG}", [])


def test_b2sums_are_known_by_the_name_of_the_list():
    assert sums(f"{LONG}  x", "dir/B2SUMS")[0][0].checksum.algorithm == "blake2b"
    assert sums(f"{LONG}  x", "dir/SHA512SUMS")[0][0].checksum.algorithm == "sha512"


def test_a_digest_alone_is_for_the_file_that_the_list_is_named_after():
    assert sums(A, "dir/big.iso.sha256")[0][0].name == "big.iso"


def test_a_signature_around_the_list_is_passed_over():
    text = (
        "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n"
        f"{A}  x\n-----BEGIN PGP SIGNATURE-----\n\nabc\n=x\n-----END PGP SIGNATURE-----"
    )
    requests, complaints, _ = load(["-"], text.encode(), base_url=BASE)
    assert ([r.name for r in requests], complaints) == (["x"], [])


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (f"{A}  x\nnope", "2: neither 'DIGEST  NAME' nor 'KIND (NAME) = DIGEST'"),
        (f"{A}  x\n{B}  x", "2: contradicts the digest in SHA256SUMS:1"),
        (f"{A}  ../x", "1: the name must not climb out of the output directory"),
        (f"{A}  /etc/x", "1: the name must be relative"),
        (f"{A}  .ssh/x", "1: the name names a hidden folder"),
        (f"\\{A}  a\\nb", "1: the name holds a control"),
        (f"{A}  {'n' * 300}", "1: the name holds a name of more than 255 bytes"),
        (f"{'a' * 63}  x", "1: neither"),
    ],
)
def test_a_wrong_line_is_told_with_its_number(text, why):
    _, (told,) = sums(text)
    assert told.startswith(f"SHA256SUMS:{why}")


def test_without_a_base_url_it_is_said_how_to_give_one(tmp_path):
    path = tmp_path / "SHA256SUMS"
    path.write_text(f"{A}  x\n")
    _, complaints, _ = load([str(path)])
    assert complaints == [
        f"{path}: this is a list of digests; tell where its files are with --base-url"
    ]
    assert load([str(path)], base_url="ftp://a")[1][0].startswith("--base-url: unsupp")


def test_a_digest_list_behind_a_url_is_fetched_where_a_base_is_given():
    asked = []

    def fetch(url: str) -> Page:
        asked.append(url)
        return Page("https://cdn.example/r/1/SHA256SUMS", f"{A}  x\n".encode())

    url = "https://e.example/SHA256SUMS"
    requests, complaints, _ = load([url], base_url=".", fetch_page=fetch)
    assert (requests[0].url, complaints) == ("https://cdn.example/r/1/x", [])
    assert requests[0].source == f"{url}:1"
    assert load([url], fetch_page=fetch)[0][0].url == url, "without one it is a file"
    assert asked == [url]


@pytest.mark.parametrize(
    "name",
    ["SHA256SUMS", "sha512sum.txt", "MD5SUMS", "x.iso.sha256", "SHASUMS256.txt",
     "Fedora-41-CHECKSUM", "checksums.txt", "B2SUMS", "sha256sums.asc"],
)  # fmt: skip
def test_names_of_digest_lists_are_known(name):
    assert is_sums_name(name)
    assert not is_sums_name(f"{name}.iso")


# -- pages -----------------------------------------------------------------------------


def test_links_are_read_as_browsers_read_them():
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
def test_a_pattern_is_for_names_or_with_a_slash_for_urls(pattern, names):
    body = "".join(
        f"<a href='{n}'>" for n in ("a.iso", "B.ISO", "c.img", "d/", "a%20b.txt", "?x")
    )
    assert links(body, pattern)[0] == [f"https://e.example/d/{n}" for n in names]


def test_encodings_come_from_mark_server_or_page():
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
         "page: no link matches '*.zip'; there are 2 .pdf, 1 others"),
        ("", "*", "https://e.example/", "page: no link matches '*'; it has no links"),
        ("<a href=a.zip>", "*.zip", "",
         "page: links that match are relative (1); tell where the page comes from"),
        ("<a href=a.zip>", " ", "https://e.example/", "--links: --links needs a"),
        ("<a href=a.zip>", "{1..99999}", "https://e.example/", "--links: --links stan"),
        (b"x" * (PAGE_LIMIT + 1), "*", "https://e.example/", "page: the page is la"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_page_is_told(body, pattern, url, why):
    _, (told,) = links(body, pattern, url)
    assert told.startswith(why)


def test_pages_come_from_files_standard_input_and_urls(tmp_path):
    body = b"<!doctype html><a href='https://e.example/a.zip'>"
    path = tmp_path / "page.html"
    path.write_bytes(body)
    found = ["https://e.example/a.zip"]
    for sources, data in (([str(path)], b""), (["-"], body)):
        requests, complaints, _ = load(sources, data, links="*.zip")
        assert ([r.url for r in requests], complaints) == (found, [])
        _, (told,), _ = load(sources, data)
        assert "this is a page; tell which of its links are meant: --links" in told
    page = Page("https://f.example/", body)
    requests, _, notes = load(["https://x/"], links="*", fetch_page=lambda _: page)
    assert ([r.url for r in requests], notes) == (found, [])


def test_a_page_that_does_not_come_is_told():
    def fail(url: str) -> Page:
        raise PermanentError("not_found", "x answered 404")

    assert load(["https://me:pw@x/"], links="*", fetch_page=fail)[1] == [
        "https://x/: cannot be fetched: x answered 404"
    ]
    assert "cannot be fetched here" in load(["https://x/"], links="*")[1][0]


@given(st.binary(max_size=300), st.text(max_size=20))
def test_no_page_makes_the_reader_stumble(body, charset):
    page = Page("https://e.example/", b"<a href='" + body, charset)
    for item in parse_page(page, "*", "page"):
        assert isinstance(item, DownloadRequest | BadRequestLine)
