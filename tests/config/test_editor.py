"""Editing the settings file keeps comments and everything else in it."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import tomllib
from typing import TYPE_CHECKING

import pytest

from tui.config import editor
from tui.config.errors import ConfigError
from tui.config.registry import OPTIONS
from tui.config.sample import sample

if TYPE_CHECKING:
    from pathlib import Path

WRITTEN = """\
# my settings
concurrency = 4  # slow line

# where the big ones go
folders = ["*.iso=images"]

# commands
[hooks]
on-done = "notify-send done"   # tell me

[keys]
cancel = ["x"]
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "config.toml"
    path.write_text(WRITTEN)
    return path


def test_changing_a_value_keeps_comments_and_order(path):
    file = editor.load(path)
    file.set("concurrency", 16)
    file.set("hooks.on-done", ["notify-send", "done"])
    file.save()
    wanted = WRITTEN.replace("= 4 ", "= 16 ").replace(
        '"notify-send done"', '["notify-send", "done"]'
    )
    assert path.read_text() == wanted


def test_new_key_goes_before_the_first_table(path):
    file = editor.load(path)
    file.set("limit-rate", "10M")
    file.save()
    assert path.read_text() == WRITTEN.replace(
        '["*.iso=images"]\n', '["*.iso=images"]\nlimit-rate = "10M"\n'
    )


def test_new_table_is_appended(path):
    file = editor.load(path)
    file.set("dashboard.theme", "nord")
    file.save()
    assert path.read_text() == WRITTEN + '\n[dashboard]\ntheme = "nord"\n'


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "# c",
        "# c\n[hooks]\n",
        "[hooks]\n\n# d\n[keys]",
        "keys = {}\n",
        "\n\n[keys]",
    ],
)
def test_new_key_is_top_level_in_any_file(tmp_path, text):
    path = tmp_path / "deep" / "config.toml"
    path.parent.mkdir()
    path.write_text(text)
    file = editor.load(path)
    file.set("notify", True)
    file.set("keys.cancel", ["c"])
    file.save()
    read = tomllib.loads(path.read_text())
    assert read["notify"] is True
    assert read["keys"] == {"cancel": ["c"]}
    assert path.read_text().count("#") >= text.count("#")
    again = editor.load(path)
    assert (again.value("notify"), again.problems) == (True, [])


def test_missing_file_is_created_with_mode_600(tmp_path):
    path = tmp_path / "new" / "config.toml"
    file = editor.load(path)
    assert file.value("concurrency") == 8
    assert not file.is_set("concurrency")
    file.set("concurrency", 3)
    file.save()
    assert path.read_text().startswith("# Settings for fetchtui")
    assert tomllib.loads(path.read_text()) == {"concurrency": 3}
    assert path.stat().st_mode & 0o777 == 0o600


def test_save_keeps_mode_and_symlink(path, tmp_path):
    path.chmod(0o640)
    link = tmp_path / "link.toml"
    link.symlink_to(path)
    file = editor.load(link)
    file.set("notify", True)
    file.save()
    assert link.is_symlink()
    assert path.stat().st_mode & 0o777 == 0o640
    assert "notify = true" in path.read_text()
    assert sorted(os.listdir(tmp_path)) == ["config.toml", "link.toml"]


def test_save_keeps_concurrent_changes(path):
    file = editor.load(path)
    file.set("notify", True)
    path.write_text(WRITTEN.replace("= 4", "= 5"))
    file.save()
    read = tomllib.loads(path.read_text())
    assert (read["concurrency"], read["notify"]) == (5, True)


def test_unset_removes_the_key(path):
    file = editor.load(path)
    file.unset("hooks.on-done")
    file.unset("notify")
    assert file.value("hooks.on-done") == ()
    file.save()
    assert "on-done" not in path.read_text()
    assert "# commands" in path.read_text()


def test_value_includes_unsaved_changes(path):
    file = editor.load(path)
    assert file.value("concurrency") == 4
    file.set_text("limit-rate", "2M")
    assert file.value("limit-rate") == 2 << 20
    assert file.is_set("limit-rate")
    file.set("keys.cancel", [])
    file.set_text("keys.pause", "p, ctrl+p")
    assert file.value("keys") == (("cancel", ()), ("pause", ("p", "ctrl+p")))
    file.save()
    assert file.value("keys") == (("cancel", ()), ("pause", ("p", "ctrl+p")))


def test_set_accepts_what_value_returns(tmp_path):
    file = editor.load(tmp_path / "config.toml")
    examples = {o: tomllib.loads(f"x = {o.example}")["x"] for o in OPTIONS}
    for option, example in examples.items():
        if option.kind is editor.Kind.TABLE or option.must_exist:
            continue
        file.set(option.key, example)
        value = file.value(option.key)
        file.set(option.key, value)
        assert file.value(option.key) == value, option.key
    file.save()
    assert editor.load(file.path).problems == []


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        (
            "concurency",
            3,
            "unknown setting 'concurency'; did you mean 'concurrency'",
        ),
        ("concurrency", 0, "0 is not in the range 1 to 1,000"),
        ("concurrency", "8", "must be a whole number, without quotes"),
        ("concurrency", True, "must be a whole number"),
        ("timeout", float("nan"), "not in the range"),
        ("notify", "yes", "must be true or false, without quotes"),
        ("limit-rate", "fast", "use 500k"),
        ("limit-rate", -1, "-1 is not in the range"),
        ("on-exists", "overwrit", "did you mean 'overwrite'"),
        ("output-dir", "here", "is relative; write an absolute path"),
        ("output-dir", "s3://bucket/x", "-o s3://BUCKET/PREFIX"),
        ("ca-file", "/nowhere.pem", "does not exist"),
        ("headers", ["Authorization: hush"], "this file must not contain secrets"),
        ("proxy", "http://me:hush@proxy:1", "this file must not contain passwords"),
        ("proxy", "gopher://proxy:1", "unknown proxy scheme 'gopher'"),
        ("proxy", "http://:80", "not a valid proxy address"),
        ("proxy", "foo", "write http://HOST:PORT"),
        ("password-from", "hush", "must say where to read the secret from: env:NAME"),
        ("user", "me:hush", "set the user name alone, and password-from"),
        ("resolve", ["example.org:443"], "write HOST:PORT:ADDRESS"),
        ("resolve", ["*:443:192.0.2.7"], "* is for ports only"),
        ("folders", ["*.iso=../up"], "must stay below the output directory"),
        ("hooks.on-done", "a | b", "commands do not run in a shell"),
        ("hooks.on-done", "a 'b", "unclosed quote"),
        ("hosts", {}, "is a table; write it with an editor"),
        ("keys.cancel", ["x y"], "must be a list of keys"),
    ],
)
def test_set_refuses_invalid_values(path, key, value, expected):
    file = editor.load(path)
    with pytest.raises(ValueError, match=r"\S") as refused:
        file.set(key, value)
    assert expected in str(refused.value)
    assert "hush" not in str(refused.value)
    before = path.read_text()
    file.save()
    assert path.read_text() == before


def test_invalid_toml_is_not_changed(path):
    path.write_text("concurrency = \n")
    with pytest.raises(ConfigError, match=r"config\.toml:1: invalid TOML: Invalid"):
        editor.load(path)


def test_file_that_became_invalid_is_not_changed(path):
    file = editor.load(path)
    file.set("notify", True)
    path.write_text("[[[")
    with pytest.raises(ConfigError, match=r"config\.toml:1"):
        file.save()
    assert path.read_text() == "[[["


def test_full_disk_leaves_the_file_unchanged(path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    file = editor.load(path)
    file.set("notify", True)
    monkeypatch.setattr(editor.os, "replace", full)
    with pytest.raises(OSError, match="No space"):
        file.save()
    assert path.read_text() == WRITTEN
    assert os.listdir(path.parent) == ["config.toml"]


def saved(tmp_path, before: str, *changes: tuple[str, object]) -> str:
    """Return a file's text after changes, each saved on its own."""
    path = tmp_path / "c.toml"
    path.write_text(before)
    for key, value in changes:
        file = editor.load(path)
        file.set(key, value)
        file.save()
    return path.read_text()


@pytest.mark.parametrize(
    ("key", "value", "line"),
    [
        ("concurrency", 16, "concurrency = 16"),
        ("headers", ["A: b"], 'headers = ["A: b"]'),
        ("hooks.on-done", ["a"], 'on-done = ["a"]'),
        ("dashboard.theme", "nord", 'theme = "nord"'),
        ("keys.cancel", ["x"], 'cancel = ["x"]'),
    ],
)
def test_a_setting_replaces_its_comment_in_the_sample(tmp_path, key, value, line):
    before = sample()
    after = saved(tmp_path, before, (key, value))
    changed = [
        (old, new)
        for old, new in zip(before.splitlines(), after.splitlines(), strict=True)
        if old != new
    ]
    assert changed[-1][1] == line
    assert changed[-1][0].startswith(f"# {line.partition(' ')[0]} =")
    # The header of its table is uncommented, too.
    table = key.rpartition(".")[0]
    assert [new for _, new in changed[:-1]] == ([f"[{table}]"] if table else [])


def test_the_sample_can_be_uncommented_after_settings_were_added(tmp_path):
    text = saved(tmp_path, sample(), ("concurrency", 16), ("dashboard.theme", "nord"))
    text = text.replace("# [hooks]", "[hooks]").replace("# [keys]", "[keys]")
    (tmp_path / "c.toml").write_text(text)
    file = editor.load(tmp_path / "c.toml")
    assert file.problems == []
    assert file.value("concurrency") == 16
    assert file.value("dashboard.theme") == "nord"


def test_a_setting_without_a_comment_goes_above_commented_tables(tmp_path):
    before = "retries = 2\n\n# my hooks\n# [hooks]\n# on-done = []\n"
    after = saved(tmp_path, before, ("concurrency", 16))
    assert after == (
        "retries = 2\nconcurrency = 16\n\n# my hooks\n# [hooks]\n# on-done = []\n"
    )


def test_a_comment_of_another_table_is_left_alone(tmp_path):
    before = "# [profiles.slow]\n# concurrency = 2\n"
    after = saved(tmp_path, before, ("concurrency", 16))
    assert after.endswith(before)
    assert after.startswith("concurrency = 16\n")


def test_concurrent_changes_are_all_kept(tmp_path):
    """Several ``config set`` at once, and the settings dialog."""
    path = tmp_path / "sub/config.toml"
    keys = ["concurrency", "per-host", "retries", "timeout", "segments", "writers"]
    code = "; ".join(
        (
            "import sys, pathlib",
            "from tui.config import editor",
            "file = editor.load(pathlib.Path(sys.argv[1]))",
            "sys.stdin.readline()",
            "file.set(sys.argv[2], 7)",
            "file.save()",
        )
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(path), key], stdin=subprocess.PIPE
        )
        for key in keys
    ]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write(b"now\n")
        process.stdin.close()
    assert [process.wait() for process in processes] == [0] * len(keys)
    file = editor.load(path)
    assert all(file.is_set(key) for key in keys)
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_a_lock_that_is_never_released_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr(editor, "_LOCK_TIMEOUT_S", 0.05)
    descriptor = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    file = editor.load(tmp_path / "config.toml")
    file.set("retries", 7)
    with pytest.raises(TimeoutError, match="another process is changing it"):
        file.save()
    os.close(descriptor)
    file.save()
    assert editor.load(file.path).value("retries") == 7
