"""Digest lists in the forms that distributions publish them.

Names and layout are those of the files named in the cases; the digests are made up.
"""

from __future__ import annotations

import pytest

from tui.core.request import BadRequestLine, DownloadRequest
from tui.core.text.checksum_list import parse_checksum_list
from tui.sources.list_file import load_stream
from tui.sources.options import ReadOptions
from tui.sources.readers.digest_list import is_sums_name

MD5, SHA1, SHA256, SHA512 = "1" * 32, "2" * 40, "3" * 64, "5" * 128
BLAKE, RMD160, OTHER = "b" * 128, "6" * 40, "7" * 64


def gpg(digest: str, indent: str = " " * 8) -> str:
    groups = [digest[i : i + 8].upper() for i in range(0, len(digest), 8)]
    rows = [" ".join(groups[i : i + 8]) for i in range(0, len(groups), 8)]
    return f"\n{indent}".join(rows)


SIGNIFY = "untrusted comment: verify with openbsd-77-base.pub\nRWTOJ7+abc/=\n"
PROSE = """\
These are the MD5 message digests for the files in this directory.
If you want to test your files, use 'md5sum' and compare the values to
the ones listed here.

To test all these files, use this command:

tail +13 CHECKSUMS.md5 | md5sum --check | less

"""
PGP = "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\n"
SIGNATURE = "-----BEGIN PGP SIGNATURE-----\n\niQ/ab+cd==\n=abcd\n-----END PGP SIGNATURE"
GENTOO = (
    f"{PGP}# BLAKE2B HASH\n{BLAKE}  s.tar.xz\n# SHA512 HASH\n{SHA512}  s.tar.xz\n"
    f"{SIGNATURE}-----\n"
)
# File name, text, expected: name -> algorithm and digest.
LISTS = [
    ("Debian SHA512SUMS", f"{SHA512}  d.iso\n", {"d.iso": ("sha512", SHA512)}),
    ("Ubuntu SHA256SUMS", f"{SHA256} *u.iso\n", {"u.iso": ("sha256", SHA256)}),
    (
        "Fedora-42-x86_64-CHECKSUM",
        f"{PGP}# f.iso: 123 bytes\nSHA256 (f.iso) = {SHA256}\n{SIGNATURE}-----\n",
        {"f.iso": ("sha256", SHA256)},
    ),
    (
        "FreeBSD CHECKSUM.SHA512-FreeBSD-14.1",
        f"SHA512 (f.iso) = {SHA512}\n",
        {"f.iso": ("sha512", SHA512)},
    ),
    ("Arch b2sums.txt", f"{BLAKE}  a.iso\n", {"a.iso": ("blake2b", BLAKE)}),
    ("Alpine a.iso.sha256", f"{SHA256}  a.iso\n", {"a.iso": ("sha256", SHA256)}),
    (
        "OpenBSD SHA256.sig",
        f"{SIGNIFY}SHA256 (base77.tgz) = {SHA256}\n",
        {"base77.tgz": ("sha256", SHA256)},
    ),
    ("Slackware CHECKSUMS.md5", f"{PROSE}{MD5}  ./a/b.txz\n", {"b.txz": ("md5", MD5)}),
    (
        "NetBSD distinfo",
        f"$NetBSD: distinfo,v 1.2 $\n\nBLAKE2s (x.tgz) = {SHA256}\n"
        f"RMD160 (x.tgz) = {RMD160}\nSHA512 (x.tgz) = {SHA512}\n"
        "Size (x.tgz) = 123 bytes\n",
        {"x.tgz": ("sha512", SHA512)},
    ),
    ("Gentoo s.tar.xz.DIGESTS", GENTOO, {"s.tar.xz": ("sha512", SHA512)}),
    (
        "Gentoo with Whirlpool",
        f"# WHIRLPOOL HASH\n{BLAKE}  s.tar.xz\n# SHA512 HASH\n{SHA512}  s.tar.xz\n",
        {"s.tar.xz": ("sha512", SHA512)},
    ),
    (
        "SHA3 first",
        f"SHA3-256 (x) = {OTHER}\nBLAKE2b-256 (x) = {OTHER}\nSHA256 (x) = {SHA256}\n",
        {"x": ("sha256", SHA256)},
    ),
    (
        "OpenSSL",
        f"SHA3-256(x)= {OTHER}\nSHA2-256(x)= {SHA256}\n",
        {"x": ("sha256", SHA256)},
    ),
    (
        "Apache x.tar.gz.sha512",
        f"x.tar.gz: {gpg(SHA512)}\n",
        {"x.tar.gz": ("sha512", SHA512)},
    ),
    (
        "Apache x.tar.gz.mds",
        f"x.tar.gz:    MD5 = {MD5.upper()}\nx.tar.gz:   SHA1 = {gpg(SHA1)}\n"
        f"x.tar.gz: RMD160 = {gpg(RMD160)}\nx.tar.gz: SHA256 = {gpg(SHA256)}\n",
        {"x.tar.gz": ("sha256", SHA256)},
    ),
    ("Apache long name", f"x.zip:\n    {gpg(SHA256)}\n", {"x.zip": ("sha256", SHA256)}),
    ("shasum -b", f"{SHA1} *x\n", {"x": ("sha1", SHA1)}),
    (
        "notes between",
        f"{SHA256}  x\nThe next one is older.\n{OTHER}  y\n",
        {"x": ("sha256", SHA256), "y": ("sha256", OTHER)},
    ),
]


def read(name: str, text: str, notes: list[str] | None = None):
    import io

    options = ReadOptions(notes, base_url="https://a/")
    return list(load_stream(io.BytesIO(text.encode()), name, options))


@pytest.mark.parametrize(("name", "text", "expected"), LISTS)
def test_published_lists_are_read(name, text, expected):
    items = read(name.rpartition(" ")[2], text)
    assert [str(i) for i in items if isinstance(i, BadRequestLine)] == []
    found = {i.name: i.checksum for i in items if isinstance(i, DownloadRequest)}
    assert {k: (*v,) for k, v in found.items()} == expected


def test_skipped_lines_and_kinds_are_noted():
    notes: list[str] = []
    read("CHECKSUMS.md5", f"{PROSE}RMD160 (a) = {RMD160}\n{MD5}  a\n", notes)
    assert notes == [
        "CHECKSUMS.md5: ignoring unsupported digests: RMD160",
        "CHECKSUMS.md5: ignoring 5 lines without a digest (line 1, 2, 3, 5, 7)",
    ]


def test_a_size_is_not_noted_as_a_digest():
    notes: list[str] = []
    read("distinfo", f"SHA512 (a) = {SHA512}\nSize (a) = 12 bytes\n", notes)
    assert notes == []


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (f"SHA3-256 (x) = {OTHER}", "x has only a digest of SHA3-256, which"),
        (f"{SHA256[:-1]}  x", "expected 'DIGEST  NAME'"),
        (f"{OTHER}  y", "contradicts the digest in SHA256SUMS:1"),
    ],
)
def test_a_file_that_cannot_be_verified_is_an_error(line, why):
    items = read("SHA256SUMS", f"{SHA256}  y\n{line}\n")
    reasons = [i.reason for i in items if isinstance(i, BadRequestLine)]
    assert len(reasons) == 1
    assert reasons[0].startswith(why)


def test_prose_does_not_make_a_list_of_urls_a_digest_list():
    items = read("list", f"# {MD5}\nhttps://a/x\n checksum=md5={MD5}\n")
    assert [item.url for item in items] == ["https://a/x"]


@pytest.mark.parametrize(
    "name",
    ["SHA256.sig", "CHECKSUMS.md5", "stage3.tar.xz.DIGESTS", "SHA512SUMS", "MD5SUMS"],
)
def test_names_of_digest_lists_are_known(name):
    assert is_sums_name(name)


def test_digests_next_to_a_file_follow_their_heading():
    sums = parse_checksum_list(GENTOO)
    assert {k: v.digest for k, v in sums.items()} == {"s.tar.xz": SHA512}
