"""Metalink 4 and 3: what is accepted and refused, without exceptions."""

from __future__ import annotations

import io
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.core.request import BadRequestLine, Checksum, DownloadRequest, Pieces
from tui.sources.load import load_sources
from tui.sources.readers import metalink
from tui.sources.readers.metalink import parse_metalink

SAMPLES = Path(__file__).parents[2] / "sample_lists"
A, B = "a" * 64, "b" * 64

FOUR = f"""<?xml version="1.0" encoding="UTF-8"?>
<metalink xmlns="urn:ietf:params:xml:ns:metalink">
  <generator>somebody/1.0</generator>
  <file name="isos/big.iso">
    <size>5</size>
    <hash type="md5">{"1" * 32}</hash>
    <hash type="sha-256">{A}</hash>
    <hash type="crc32">12345678</hash>
    <pieces length="4" type="sha-256"><hash>{A}</hash><hash>{B}</hash></pieces>
    <url location="de">http://late/big.iso</url>
    <url priority="20">http://third/big.iso</url>
    <url priority="3">https://first/big.iso</url>
    <url priority="20">http://fourth/big.iso</url>
    <url priority="3">https://first/big.iso</url>
    <url priority="1">ftp://ftp.example/big.iso</url>
    <metaurl mediatype="torrent" priority="1">http://x/big.torrent</metaurl>
  </file>
  <file name="small.txt"><url>http://a/small.txt</url></file>
</metalink>
"""
THREE = f"""<metalink version="3.0" xmlns="http://www.metalinker.org/"
 xmlns:mm0="http://fedorahosted.org/mirrormanager">
 <files>
  <file name="big.iso">
   <mm0:timestamp>1</mm0:timestamp>
   <mm0:alternates><mm0:alternate><mm0:size>9</mm0:size></mm0:alternate></mm0:alternates>
   <size>8</size>
   <verification>
    <hash type="sha1">{"2" * 40}</hash>
    <hash type="sha512">{"3" * 128}</hash>
    <pieces length="4" type="sha1">
     <hash piece="1">{"5" * 40}</hash>
     <hash piece="0">{"4" * 40}</hash>
    </pieces>
   </verification>
   <resources maxconnections="1">
    <url type="bittorrent" preference="100">http://a/big.iso.torrent</url>
    <url protocol="rsync" type="rsync" preference="100">rsync://a/big.iso</url>
    <url type="http" preference="10">http://worse/big.iso</url>
    <url type="https" preference="99">https://better/big.iso</url>
   </resources>
  </file>
 </files>
</metalink>
"""


def read(text: str | bytes, notes: list[str] | None = None):
    data = text.encode() if isinstance(text, str) else text
    return list(parse_metalink(io.BytesIO(data), "m", notes))


def one(inside: str, name: str = "f") -> str:
    """A document with one file, its parts from line 2 on."""
    return (
        '<metalink xmlns="urn:ietf:params:xml:ns:metalink">'
        f'<file name="{name}">\n{inside}</file></metalink>'
    )


def reasons(text: str | bytes) -> list[str]:
    found = read(text)
    assert all(isinstance(item, BadRequestLine) for item in found), found
    return [str(item) for item in found]


def test_version_4_is_read():
    notes: list[str] = []
    big, small = read(FOUR, notes)
    assert big == DownloadRequest(
        mirrors=(
            "https://first/big.iso",
            "http://third/big.iso",
            "http://fourth/big.iso",
            "http://late/big.iso",
        ),
        name="big.iso",
        directory="isos",
        checksum=Checksum("sha256", A),
        size=5,
        source="m:4",
        pieces=Pieces("sha256", 4, (A, B)),
    )
    assert small == DownloadRequest(
        ("http://a/small.txt",), name="small.txt", source="m:18"
    )
    assert notes == [
        "m: ignoring mirrors that are not http: 1 ftp",
        "m: ignoring unsupported digests: crc32",
    ]


def test_version_3_is_read_with_reversed_preferences():
    notes: list[str] = []
    assert read(THREE, notes) == [
        DownloadRequest(
            mirrors=("https://better/big.iso", "http://worse/big.iso"),
            name="big.iso",
            checksum=Checksum("sha512", "3" * 128),
            size=8,
            source="m:4",
            pieces=Pieces("sha1", 4, ("4" * 40, "5" * 40)),
        )
    ]
    assert notes == ["m: ignoring mirrors that are not http: 1 bittorrent, 1 rsync"]


@pytest.mark.parametrize("text", [FOUR, THREE])
def test_any_encoding_with_a_bom_is_read(text):
    bare = text.replace('<?xml version="1.0" encoding="UTF-8"?>', "")
    assert read(bare.encode("utf-16")) == read(bare)
    assert read(b"\xef\xbb\xbf" + bare.encode()) == read(bare)
    latin = '<?xml version="1.0" encoding="iso-8859-1"?>' + bare
    assert read(latin.encode("latin-1")) == read(bare)


def test_suffixes_meta4_and_metalink_select_the_format(tmp_path):
    for name, text in (("a.META4", FOUR), ("b.metalink", THREE)):
        (tmp_path / name).write_text(text)
    requests, errors = load_sources([str(p) for p in tmp_path.iterdir()], None)
    assert errors == []
    assert sorted(r.source.rpartition("/")[2] for r in requests) == [
        "a.META4:18",
        "a.META4:4",
        "b.metalink:4",
    ]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("../x", "the name must not leave the output directory with .."),
        ("a/../../x", "the name must not leave the output directory with .."),
        ("/etc/x", "the name must be relative"),
        ("~/x", "the name must be relative"),
        ("..\\x", "the name contains a backslash"),
        ("C:\\x", "the name contains a backslash"),
        (".ssh/x", "the name: hidden folders are not allowed"),
        ("x/", "the name must end in a file name"),
        ("..", "the name must not leave"),
        (".", "the name must end in a file name"),
        ("", "the file has no name"),
        ("a&#x202e;b", "the name contains a control or invisible character"),
        ("a&#10;b&#13;", "the name contains a control or invisible character"),
        ("n" * 256, "the name contains a name longer than 255 bytes"),
    ],
)
def test_name_outside_the_directory_is_an_error(name, reason):
    (expected,) = reasons(one("<url>http://a/x</url>", name))
    assert expected.startswith(f"m:1: {reason}")


@pytest.mark.parametrize(
    ("inside", "expected"),
    [
        ("<url>ftp://a/x</url>", "m:1: the file has no http or https URL "
         "(only ftp)"),
        ("", "m:1: the file has no http or https URL"),
        ("<url>http://a b/</url>", "m:2: the URL contains a space or a control"
         " character; encode it"),
        ("<url>big.iso</url>", "m:2: the URL is relative; set the URL of"
             " its folder with --base-url"),
        ("<url priority='first'>http://a/</url>", "m:2: priority must be a whole number"
         " with at most 18 digits"),
        ("<size>-5</size><url>http://a/</url>", "m:2: size must be a whole number"
         " with at most 18 digits"),
        ("<size>9999999999999999999</size><url>http://a/</url>", "m:2: size must be a"
         " whole number with at most 18 digits"),
        ("<hash type='sha-256'>abc</hash><url>http://a/</url>", "m:2: sha-256 needs 64"
         " hexadecimal digits, got 3"),
        (f"<pieces length='0' type='sha-256'><hash>{A}</hash></pieces>",
         "m:2: the length of pieces must not be 0"),
        (f"<pieces type='sha-256'><hash>{A}</hash></pieces>", "m:2: length must be a"
         " whole number with at most 18 digits"),
        ("<pieces length='4' type='md5'><hash>x</hash></pieces>", "m:2: md5 needs 32"
         " hexadecimal digits, got 1"),
        (f"<pieces length='4' type='sha-256'><hash piece='1'>{A}</hash></pieces>",
         "m:2: a piece is missing"),
        (f"<size>9</size><pieces length='4' type='sha-256'><hash>{A}</hash></pieces>"
         "<url>http://a/</url>", "m:1: 1 pieces of 4 bytes do not add up to 9 bytes"),
    ],
)  # fmt: skip
def test_invalid_element_is_reported_with_its_line(inside, expected):
    assert reasons(one(inside)) == [expected]


@pytest.mark.parametrize(
    ("inside", "size", "checksum"),
    [
        # metalink-dev/checker, 1_empty_size.meta4
        (f"<size></size><hash type='sha-1'>{'1' * 40}</hash>", None, "sha1"),
        ("<size> </size>", None, None),
        # aria2, test/metalink4.xml: a digest of the wrong length beside a good one
        (
            f"<hash type='sha-256'>abc</hash><hash type='sha-1'>{'1' * 40}</hash>",
            None,
            "sha1",
        ),
        (
            f"<hash type='sha-1'>{'1' * 40}</hash>"
            "<pieces length='4' type='sha-1'><hash>x</hash></pieces>",
            None,
            "sha1",
        ),
        (f"<hash type='crc32'>1</hash><hash type='sha-256'>{A}</hash>", None, "sha256"),
    ],
)
def test_invalid_parts_beside_good_ones_are_left_out(inside, size, checksum):
    (item,) = read(one(f"{inside}<url>http://a/x</url>"))
    assert isinstance(item, DownloadRequest)
    assert item.size == size
    assert (item.checksum.algorithm if item.checksum else None) == checksum
    assert item.pieces is None


def test_a_left_out_digest_is_noted():
    notes: list[str] = []
    good = f"<hash type='sha-1'>{'1' * 40}</hash>"
    read(one(f"<hash type='md5'>1</hash>{good}<url>http://a/x</url>"), notes)
    assert notes == ["m: ignoring invalid digests of 1 file with other, valid ones"]


def test_a_file_whose_only_digest_is_invalid_has_no_other():
    notes: list[str] = []
    (item,) = read(one("<hash type='md5'>1</hash><url>http://a/x</url>"), notes)
    assert isinstance(item, BadRequestLine)
    assert notes == []


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("big.iso", "https://a/r/big.iso"),
        ("sub/big.iso", "https://a/r/sub/big.iso"),
        ("/big.iso", "https://a/big.iso"),
        ("//b/big.iso", "https://b/big.iso"),
        ("http://c/big.iso", "http://c/big.iso"),
    ],
)
def test_relative_urls_are_below_the_base_url(url, expected):
    # aria2 has --metalink-base-uri for it.
    stream = io.BytesIO(one(f"<url>{url}</url>").encode())
    (item,) = parse_metalink(stream, "m", None, "https://a/r")
    assert isinstance(item, DownloadRequest)
    assert item.url == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<html/>", "m:1: not a Metalink document"),
        ("<metalink xmlns='urn:other'/>", "m:1: not a Metalink document"),
        ("http://a/x\n", "m:1: invalid XML: not well-formed (invalid token)"),
        (FOUR[:400], "m:9: invalid XML: unclosed token"),
        (FOUR.replace("</size>", "</sise>"), "m:5: invalid XML: mismatched tag"),
        (FOUR.encode() + b"\0", "m:20: invalid XML: not well-formed (invalid "
         "token)"),
        (FOUR.replace("UTF-8", "EBCDIC-FOO"), "m:1: unsupported encoding; save"
         " it as UTF-8"),
        (FOUR.replace("UTF-8", "utf-7"), None),
        (one("<url>http://a/\xff</url>").encode("latin-1"), "m:2: invalid XML:"
         " not well-formed (invalid token)"),
        ("<metalink>" + "<a>" * 40, "m:1: nested too deeply"),
        (one(f"<size>{'1' * 70_000}</size>"), "m:2: an element contains more than 65536"
         " characters"),
    ],
)  # fmt: skip
def test_unreadable_document_is_reported_with_its_line(text, expected):
    found = [item for item in read(text) if isinstance(item, BadRequestLine)]
    assert len(found) == 1
    assert expected is None or str(found[0]) == expected


LAUGHS = "".join(
    f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' if n else '<!ENTITY l0 "ha">'
    for n in range(12)
)


@pytest.mark.alone
@pytest.mark.parametrize(
    "declared",
    [
        f"<!DOCTYPE metalink [{LAUGHS}]>",
        f'<!DOCTYPE metalink [<!ENTITY big "{"x" * 100_000}">]>',
        '<!DOCTYPE metalink [<!ENTITY x SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE metalink SYSTEM "http://127.0.0.1:1/evil.dtd">',
        '<!DOCTYPE metalink [<!ENTITY % p SYSTEM "http://127.0.0.1:1/e">%p;]>',
        "<!DOCTYPE metalink>",
    ],
    ids=["laughs", "quadratic", "file", "dtd", "parameter", "empty"],
)
def test_entity_bomb_is_refused(declared):
    body = one("<url>http://a/&l11;</url>" if "l11" in declared else "")
    before = time.process_time()
    expected = reasons(f"{declared}\n{body}")
    assert time.process_time() - before < 0.5
    assert expected == ["m:1: document types and entities are not allowed"]


def test_endless_document_stops_at_the_limit(monkeypatch):
    monkeypatch.setattr(metalink, "SIZE_LIMIT", 2 << 20)

    class Endless(io.RawIOBase):
        read_bytes = 0

        def read(self, size: int = -1) -> bytes:
            self.read_bytes += size
            first = self.read_bytes == size
            return (b"<metalink><!--" if first else b"") + b"x" * size

    stream = Endless()
    (expected,) = parse_metalink(stream, "m")  # type: ignore[arg-type]
    assert str(expected) == "m: larger than 2 MiB"
    assert stream.read_bytes < 4 << 20


def test_too_many_mirrors_are_an_error():
    expected = reasons(one("<url>http://a/x</url>\n" * 1001))
    assert expected == ["m:1002: more than 1000 URLs for one file"]


def test_document_without_files_is_an_empty_list(tmp_path):
    path = tmp_path / "a.meta4"
    for text in ("", "<metalink/>", "<metalink><files/></metalink>"):
        path.write_text(text)
        _, errors = load_sources([str(path)], None)
        assert [str(c) for c in errors] == [f"{path}: contains no URLs"]


@pytest.mark.alone
def test_twenty_thousand_files_are_read_in_a_second():
    file = (
        f'<file name="%d"><hash type="sha-256">{A}</hash><url>http://a/x</url></file>'
    )
    body = "".join(file % number for number in range(20_000))
    before = time.process_time()
    found = read(f"<metalink>{body}</metalink>")
    assert time.process_time() - before < 2
    assert len(found) == 20_000
    assert all(isinstance(item, DownloadRequest) for item in found)


PARTS = st.sampled_from(
    [
        b"<file name='../x'>", b"</file>", b"<url>", b"</url>", b"<size>-1</size>",
        b"<pieces length='1' type='md5'>", b"</pieces>", b"<hash>", b"</hash>", b"&l;",
        b"<!DOCTYPE metalink [<!ENTITY l 'x'>]>", b"<files>", b"</files>", b"<![CDATA[",
        b"<?xml version='1.0' encoding='utf-7'?>", b"<?xml encoding='idna'?>", b"\0",
        b"\xff", b"piece='-1'", b"priority='x'", b"xmlns='urn:x'", b"&#x0;", b"]]>",
        b"encoding='punycode'", b"encoding='undefined'", b"<" * 40, b"'", b'"',
    ]
)  # fmt: skip


@given(
    st.sampled_from([FOUR.encode(), THREE.encode()]),
    st.lists(
        st.tuples(
            st.floats(0, 1, exclude_max=True),
            st.integers(0, 40),
            PARTS | st.binary(max_size=8),
        ),
        max_size=6,
    ),
)
def test_mutated_documents_are_handled_and_stay_in_the_directory(document, changes):
    for where, removed, added in changes:
        at = int(where * len(document))
        document = document[:at] + added + document[at + removed :]
    for item in read(document, []):
        assert isinstance(item, DownloadRequest | BadRequestLine)
        if isinstance(item, DownloadRequest):
            assert item.name
            assert "/" not in item.name
            assert ".." not in (item.directory or "").split("/")
            assert all(url.startswith("http") for url in item.mirrors)
            assert item.size is None or item.size >= 0
        else:
            assert str(item).isprintable()


@given(st.binary(max_size=200))
def test_any_bytes_are_handled(data):
    read(data)
    read(b"<metalink>" + data)


@pytest.mark.parametrize("name", ["linux-images.meta4", "open-data.metalink"])
def test_samples_have_folders_and_mirrors(name):
    found = list(parse_metalink(io.BytesIO((SAMPLES / name).read_bytes()), name))
    assert all(isinstance(item, DownloadRequest) for item in found)
    assert any(len(item.mirrors) > 1 for item in found)
    assert all(item.directory for item in found)
