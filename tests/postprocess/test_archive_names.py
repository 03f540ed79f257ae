"""Names in archives: which are accepted, and that links stay inside."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.postprocess.unpack.extract_dir import (
    ExtractDir,
    UnpackError,
    check_link,
    parts_of,
    stem_of,
)


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("a.zip", "a"),
        ("linux-6.1.tar.xz", "linux-6.1"),
        ("A.TGZ", "A"),
        ("a.tar", "a"),
        ("a.b.tar.zst", "a.b"),
        ("a. .zip", "a"),
        (".zip", None),
        ("a.jar", None),
        ("disk.img.xz", None),
        ("zip", None),
    ],
)
def test_archive_is_detected_by_suffix(name, stem):
    assert stem_of(name) == stem


@pytest.mark.parametrize(
    "name",
    [
        "/etc/passwd",
        "../x",
        "a/../../x",
        "a/..",
        "..\\x",
        "a\\..\\..\\x",
        "\\\\host\\share",
        "C:\\x",
        "c:x",
        "a\0b",
        "a\nb",
        "\x1b]0;x\a",
        "a/" * 101 + "x",
    ],
)
def test_unsafe_name_is_refused(name):
    with pytest.raises(UnpackError) as reason:
        parts_of(name)
    assert str(reason.value).isprintable()


def test_safe_names_become_paths_below_the_folder():
    assert parts_of("./a//b/./c") == ["a", "b", "c"]
    assert parts_of("./") == []
    assert parts_of("Foo::Bar") == ["Foo::Bar"]
    assert parts_of("a..b/...") == ["a..b", "..."]


@pytest.mark.parametrize(
    ("place", "target"),
    [
        ("l", ".."),
        ("l", "/etc"),
        ("l", ""),
        ("a/l", "../.."),
        ("a/l", "b/../../.."),
        ("a/l", "b/../c"),
        ("l", "C:\\x"),
        ("l", "..\\x"),
        ("l", "x\ny"),
    ],
)
def test_link_outside_the_folder_is_refused(place, target):
    with pytest.raises(UnpackError, match="leaves the folder"):
        check_link(place.split("/"), target)


@pytest.mark.parametrize(
    ("place", "target"),
    [("l", "x"), ("a/l", "../x"), ("a/b/l", "../../c/d"), ("a/l", "./b//c")],
)
def test_link_inside_the_folder_is_kept(place, target):
    assert check_link(place.split("/"), target) == target


_STEP = st.sampled_from(["a", "b", "c", "..", "."])
_PATH = st.lists(_STEP, min_size=1, max_size=5).map("/".join)


@given(st.lists(st.tuples(_PATH, _PATH), max_size=12))
def test_no_combination_of_links_leaves_the_folder(links):
    with tempfile.TemporaryDirectory() as parent:
        root = os.path.join(os.path.realpath(parent), "tree")
        tree = ExtractDir(root, 1)
        for place, target in links:
            try:
                tree.link(place, target)
            except (UnpackError, OSError):
                continue
        with suppress(UnpackError):  # two of one name refuse the archive as a whole
            tree.finish()
        for folder, folders, files in os.walk(root):
            for name in [*folders, *files]:
                led = os.path.realpath(os.path.join(folder, name))
                assert led == root or led.startswith(root + os.sep)
