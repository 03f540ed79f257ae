"""``fetchtui config``: show, explain and edit settings, and report every error."""

from __future__ import annotations

import stat
import tomllib

import pytest
from click.testing import CliRunner

from tui.cli import main
from tui.config.registry import OPTIONS


@pytest.fixture
def config_file(tmp_path, monkeypatch):
    config_file = tmp_path / "config.toml"
    monkeypatch.setenv("FETCHTUI_CONFIG", str(config_file))
    return config_file


def run(*arguments: str):
    return CliRunner().invoke(main.main, ["config", *arguments])


def output_of(*arguments: str) -> str:
    result = run(*arguments)
    assert (result.exit_code, result.stderr) == (0, "")
    return result.stdout


def error_of(*arguments: str) -> str:
    result = run(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "Traceback" not in result.stderr
    return result.stderr


def test_show_lists_every_setting_with_its_source(config_file, monkeypatch):
    config_file.write_text("retries = 3\n[profiles.p]\nsegments = 2\n")
    monkeypatch.setenv("FETCHTUI_CONCURRENCY", "5")
    lines = output_of("show", "--profile", "p").splitlines()
    assert len(lines) == len(OPTIONS) + 1
    expected = {line.split(" = ")[0]: line.partition("# ")[2] for line in lines[1:]}
    assert expected["retries"] == f"{config_file}:1"
    assert expected["segments"] == f"{config_file}:3 [profile p]"
    assert expected["concurrency"] == "FETCHTUI_CONCURRENCY"
    assert expected["timeout"] == "default"
    assert len(output_of("show", "--changed").splitlines()) == 3


def test_show_and_check_report_problems_with_status_2(config_file):
    config_file.write_text("retris = 3\n")
    for what in ("show", "check"):
        result = run(what)
        assert result.exit_code == 2
        assert f"{config_file}:1: unknown setting 'retris'; did you" in result.stderr


def test_path_prints_the_path(config_file):
    assert output_of("path") == f"{config_file}\n"


def test_default_path_follows_the_platform(monkeypatch):
    monkeypatch.delenv("FETCHTUI_CONFIG", raising=False)
    assert output_of("path").endswith("/config/fetchtui/config.toml\n")


def test_explain_describes_one_setting_or_lists_all(config_file):
    text = output_of("explain", "limit-rate")
    for part in ("500k", "10 MiB", "--limit-rate", "FETCHTUI_LIMIT_RATE", "no limit"):
        assert part in text
    assert "cancel" in output_of("explain", "keys")
    assert "password-from" in output_of("explain", "hosts")
    lines = output_of("explain").splitlines()
    assert [line.split()[0] for line in lines[: len(OPTIONS)]] == [
        option.key for option in OPTIONS
    ]
    assert "did you mean 'retries'" in error_of("explain", "retris")


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.key)
def test_every_setting_can_be_explained(config_file, option):
    assert option.doc in output_of("explain", option.key)


def test_set_keeps_comments_and_unset_removes_keys(config_file):
    config_file.write_text("# mine\nretries = 3  # few\n")
    output_of("set", "retries", "7")
    output_of("set", "on-done", "notify-send", "a b")
    output_of("set", "headers", "A: b", "C: d")
    output_of("set", "keys.cancel", "x,ctrl+x")
    assert config_file.read_text().startswith("# mine\nretries = 7  # few\n")
    assert tomllib.loads(config_file.read_text()) == {
        "retries": 7,
        "headers": ["A: b", "C: d"],
        "hooks": {"on-done": ["notify-send", "a b"]},
        "keys": {"cancel": ["x", "ctrl+x"]},
    }
    output_of("unset", "retries")
    output_of("unset", "keys.cancel")
    assert "retries" not in config_file.read_text()
    assert "cancel" not in config_file.read_text()


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("line_end", ["\r\n", "\n"])
def test_set_and_unset_keep_line_ends_and_the_byte_order_mark(
    config_file, mark, line_end
):
    before = '# mine\nretries = 3\n# segments = 4\n\n[keys]\nhelp = """\\\n  f1"""\n'
    config_file.write_bytes(mark + before.replace("\n", line_end).encode())
    output_of("set", "retries", "7")  # in its line
    output_of("set", "segments", "2")  # in a commented line
    output_of("set", "limit-rate", "1M")  # in a new line
    output_of("set", "on-done", "true")  # in a new table
    output_of("set", "keys.cancel", "x")  # in a table
    output_of("unset", "keys.help")
    data = config_file.read_bytes()
    assert data.startswith(mark + b"# mine")
    assert data.count(b"\xef\xbb\xbf") == bool(mark)
    assert data.count(line_end.encode()) == data.count(b"\n") > 8
    assert data.count(b"\r") == data.count(b"\r\n")
    assert tomllib.loads(data.decode("utf-8-sig")) == {
        "retries": 7,
        "segments": 2,
        "limit-rate": "1M",
        "hooks": {"on-done": ["true"]},
        "keys": {"cancel": ["x"]},
    }


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("set", "retris", "7"), "did you mean 'retries'"),
        (("set", "retries", "many"), "retries: 'many' is not a whole number"),
        (("set", "retries", "7", "8"), "retries takes one value"),
        (("set", "password-from", "hush"), "must say where to read the secret from"),
        (("set", "output-dir", "s3://bucket/x"), "-o s3://BUCKET/PREFIX"),
        (("set", "hosts", "x"), "hosts is a table; write it with an editor"),
        (("set", "keys.cancel", ""), ""),
        (("unset", "retris"), "did you mean 'retries'"),
    ],
)
def test_set_refuses_invalid_values(config_file, arguments, expected):
    if not expected:
        output_of(*arguments)
        assert tomllib.loads(config_file.read_text()) == {"keys": {"cancel": []}}
        return
    assert expected in error_of(*arguments)
    assert not config_file.exists()


def test_set_does_not_change_a_broken_file(config_file):
    config_file.write_text("retries = \n")
    assert f"{config_file}:1: invalid TOML" in error_of("set", "retries", "7")
    assert config_file.read_text() == "retries = \n"


def test_unwritable_path_is_reported(config_file, monkeypatch):
    monkeypatch.setenv("FETCHTUI_CONFIG", "/proc/no/config.toml")
    for arguments in (("set", "retries", "7"), ("init",)):
        assert "cannot read or write /proc/no/config.toml" in error_of(*arguments)


def test_check_does_not_call_a_missing_file_valid(tmp_path, monkeypatch):
    monkeypatch.delenv("FETCHTUI_CONFIG", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    path = output_of("path").strip()
    shown = path.replace(str(tmp_path), "~", 1)
    found = output_of("check").strip()
    ending = " does not exist; fetchtui config init creates it"
    assert found in (path + ending, shown + ending)


def test_init_does_not_overwrite_a_file(config_file):
    assert output_of("init") == f"wrote {config_file}\n"
    assert "# concurrency = 16" in config_file.read_text()
    assert output_of("check") == f"{config_file} is valid\n"
    assert "already exists" in error_of("init")


def test_edit_opens_the_editor_and_checks_the_file(config_file, tmp_path, monkeypatch):
    editor = tmp_path / "editor"
    editor.write_text('#!/bin/sh\necho "retris = 3" >> "$2"\n')
    editor.chmod(stat.S_IRWXU)
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.setenv("EDITOR", f"'{editor}' --wait")
    assert "unknown setting 'retris'" in error_of("edit")
    assert config_file.read_text().startswith("# Settings for fetchtui")
    monkeypatch.setenv("EDITOR", "true")
    config_file.write_text("retries = 3\n")
    assert output_of("edit") == f"{config_file} is valid\n"
    monkeypatch.setenv("EDITOR", "no-such-editor")
    assert "choose another editor" in error_of("edit")
    monkeypatch.setenv("EDITOR", "false")
    assert "exited with status 1" in error_of("edit")


def test_invalid_file_stops_every_run(config_file):
    config_file.write_text("concurrency = 0\n[hosts.x]\nkap = 1\n")
    result = CliRunner().invoke(main.main, ["https://example.org/a"])
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.splitlines() == [
        f"fetchtui: {config_file}:1: concurrency: 0 is not in the range 1 to 1,000",
        f"fetchtui: {config_file}:3: [hosts] has no setting 'kap'; did you mean 'cap'?",
    ]


def test_unknown_action_is_reported(config_file):
    config_file.write_text("[keys]\ncancle = ['x']\n")
    assert f"{config_file}:2: keys: unknown action 'cancle'; did you" in error_of(
        "check"
    )


def test_keys_that_cannot_be_bound_are_reported(config_file):
    config_file.write_text(
        "[keys]\ncancel = 'foo+bar'\npause = 'ctrl+i'\nretry = 'q'\nmore = 'p'\n"
    )
    assert error_of("check").splitlines() == [
        f"{config_file}:2: keys.cancel: unknown key “foo+bar”; write keys as x, F2 or"
        " ctrl+x",
        f"{config_file}:3: keys.pause: terminals send ctrl+i as tab; use another key",
        f"{config_file}:1: p is already used by pause; give pause another key first"
        " (keys.pause)",
        f"{config_file}:1: q is already used by quit; give quit another key first"
        " (keys.quit)",
    ]
    refused = error_of("set", "keys.undo", "foo+bar")
    assert "keys.undo: unknown key “foo+bar”" in refused
    config_file.write_text("[keys]\nretry = 'q'\nquit = ['r', 'ctrl+q']\n")
    assert run("check").exit_code == 0
    assert "use another key" in error_of("set", "keys.undo", "ctrl+c")
    # Two actions can swap their keys, one after the other.
    assert run("set", "keys.undo", "x").exit_code == 0
    assert run("check").exit_code == 2
    assert run("set", "keys.cancel", "u").exit_code == 0
    assert run("check").exit_code == 0


def test_explain_describes_the_profile(config_file):
    config_file.write_text("profile = 'p'\n[profiles.p]\nsegments = 2\n")
    text = output_of("explain", "profile")
    assert "  Also apply the settings in [profiles.NAME].\n" in text
    assert '  now          "p"\n' in text
    assert "  variable     FETCHTUI_PROFILE\n" in text
    assert "fetchtui config edit" in error_of("set", "profile", "p")
    assert "did you mean" not in error_of("set", "profile", "p")


def test_unknown_theme_is_reported(config_file):
    config_file.write_text("[dashboard]\ntheme = 'nrod'\n")
    expected = (
        f"{config_file}:2: dashboard.theme: unknown theme 'nrod'; did you mean 'nord'?"
    )
    assert expected in error_of("check")
    config_file.write_text("[dashboard]\ntheme = 'nord'\n")
    assert CliRunner().invoke(main.main, ["config", "check"]).exit_code == 0


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("theme", "nrod", "theme: unknown theme 'nrod'; did you mean 'nord'?"),
        ("keys.cancle", "x", "keys.cancle: unknown action 'cancle'; did you mean"),
    ],
)
def test_unknown_names_are_not_written(config_file, key, value, expected):
    assert expected in error_of("set", key, value)
    assert not config_file.exists()


def test_file_named_by_the_variable_must_exist(config_file):
    result = CliRunner().invoke(main.main, ["https://example.org/a"])
    assert result.exit_code == 2
    assert "no such file; run fetchtui config init" in result.stderr
