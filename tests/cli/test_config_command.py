"""``fetchtui config``: show, explain and change, with a message for every mistake."""

from __future__ import annotations

import stat
import tomllib

import pytest
from click.testing import CliRunner

from tui.cli import main
from tui.config.registry import OPTIONS


@pytest.fixture
def place(tmp_path, monkeypatch):
    place = tmp_path / "config.toml"
    monkeypatch.setenv("FETCHTUI_CONFIG", str(place))
    return place


def run(*arguments: str):
    return CliRunner().invoke(main.main, ["config", *arguments])


def said(*arguments: str) -> str:
    result = run(*arguments)
    assert (result.exit_code, result.stderr) == (0, "")
    return result.stdout


def refused(*arguments: str) -> str:
    result = run(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "Traceback" not in result.stderr
    return result.stderr


def test_show_lists_every_setting_with_its_source(place, monkeypatch):
    place.write_text("retries = 3\n[profiles.p]\nsegments = 2\n")
    monkeypatch.setenv("FETCHTUI_CONCURRENCY", "5")
    lines = said("show", "--profile", "p").splitlines()
    assert len(lines) == len(OPTIONS) + 1
    expected = {line.split(" = ")[0]: line.partition("# ")[2] for line in lines[1:]}
    assert expected["retries"] == f"{place}:1"
    assert expected["segments"] == f"{place}:3 [profile p]"
    assert expected["concurrency"] == "FETCHTUI_CONCURRENCY"
    assert expected["timeout"] == "default"
    assert len(said("show", "--changed").splitlines()) == 3


def test_show_and_check_report_problems_with_status_2(place):
    place.write_text("retris = 3\n")
    for what in ("show", "check"):
        result = run(what)
        assert result.exit_code == 2
        assert f"{place}:1: unknown setting 'retris'; did you" in result.stderr


def test_path_prints_the_path(place):
    assert said("path") == f"{place}\n"


def test_default_path_follows_the_platform(monkeypatch):
    monkeypatch.delenv("FETCHTUI_CONFIG", raising=False)
    assert said("path").endswith("/config/fetchtui/config.toml\n")


def test_explain_describes_one_setting_or_lists_all(place):
    text = said("explain", "limit-rate")
    for part in ("500k", "10 MiB", "--limit-rate", "FETCHTUI_LIMIT_RATE", "no limit"):
        assert part in text
    assert "cancel" in said("explain", "keys")
    assert "password-from" in said("explain", "hosts")
    lines = said("explain").splitlines()
    assert [line.split()[0] for line in lines[: len(OPTIONS)]] == [
        option.key for option in OPTIONS
    ]
    assert "did you mean 'retries'" in refused("explain", "retris")


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.key)
def test_every_setting_can_be_explained(place, option):
    assert option.doc in said("explain", option.key)


def test_set_keeps_comments_and_unset_removes_keys(place):
    place.write_text("# mine\nretries = 3  # few\n")
    said("set", "retries", "7")
    said("set", "on-done", "notify-send", "a b")
    said("set", "headers", "A: b", "C: d")
    said("set", "keys.cancel", "x,ctrl+x")
    assert place.read_text().startswith("# mine\nretries = 7  # few\n")
    assert tomllib.loads(place.read_text()) == {
        "retries": 7,
        "headers": ["A: b", "C: d"],
        "hooks": {"on-done": ["notify-send", "a b"]},
        "keys": {"cancel": ["x", "ctrl+x"]},
    }
    said("unset", "retries")
    said("unset", "keys.cancel")
    assert "retries" not in place.read_text()
    assert "cancel" not in place.read_text()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("set", "retris", "7"), "did you mean 'retries'"),
        (("set", "retries", "many"), "retries: 'many' is not a whole number"),
        (("set", "retries", "7", "8"), "retries takes one value"),
        (("set", "password-from", "hush"), "must say where to read the secret from"),
        (("set", "hosts", "x"), "hosts is a table; write it with an editor"),
        (("set", "keys.cancel", ""), ""),
        (("unset", "retris"), "did you mean 'retries'"),
    ],
)
def test_set_refuses_invalid_values(place, arguments, expected):
    if not expected:
        said(*arguments)
        assert tomllib.loads(place.read_text()) == {"keys": {"cancel": []}}
        return
    assert expected in refused(*arguments)
    assert not place.exists()


def test_set_does_not_change_a_broken_file(place):
    place.write_text("retries = \n")
    assert f"{place}:1: invalid TOML" in refused("set", "retries", "7")
    assert place.read_text() == "retries = \n"


def test_unwritable_path_is_reported(place, monkeypatch):
    monkeypatch.setenv("FETCHTUI_CONFIG", "/proc/no/config.toml")
    for arguments in (("set", "retries", "7"), ("init",)):
        assert "cannot read or write /proc/no/config.toml" in refused(*arguments)


def test_init_does_not_overwrite_a_file(place):
    assert said("init") == f"wrote {place}\n"
    assert "# concurrency = 16" in place.read_text()
    assert said("check") == f"{place} is valid\n"
    assert "already exists" in refused("init")


def test_edit_opens_the_editor_and_checks_the_file(place, tmp_path, monkeypatch):
    editor = tmp_path / "editor"
    editor.write_text('#!/bin/sh\necho "retris = 3" >> "$2"\n')
    editor.chmod(stat.S_IRWXU)
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.setenv("EDITOR", f"'{editor}' --wait")
    assert "unknown setting 'retris'" in refused("edit")
    assert place.read_text().startswith("# Settings for fetchtui")
    monkeypatch.setenv("EDITOR", "true")
    place.write_text("retries = 3\n")
    assert said("edit") == f"{place} is valid\n"
    monkeypatch.setenv("EDITOR", "no-such-editor")
    assert "choose another editor" in refused("edit")
    monkeypatch.setenv("EDITOR", "false")
    assert "exited with status 1" in refused("edit")


def test_invalid_file_stops_every_run(place):
    place.write_text("concurrency = 0\n[hosts.x]\nkap = 1\n")
    result = CliRunner().invoke(main.main, ["https://example.org/a"])
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.splitlines() == [
        f"fetchtui: {place}:1: concurrency: 0 is not in the range 1 to 1,000",
        f"fetchtui: {place}:3: [hosts] has no setting 'kap'; did you mean 'cap'?",
    ]


def test_unknown_action_is_reported(place):
    place.write_text("[keys]\ncancle = ['x']\n")
    assert f"{place}:2: keys: unknown action 'cancle'; did you" in refused("check")


def test_unknown_theme_is_reported(place):
    place.write_text("[dashboard]\ntheme = 'nrod'\n")
    expected = f"{place}:2: dashboard.theme: unknown theme 'nrod'; did you mean 'nord'?"
    assert expected in refused("check")
    place.write_text("[dashboard]\ntheme = 'nord'\n")
    assert CliRunner().invoke(main.main, ["config", "check"]).exit_code == 0


def test_file_named_by_the_variable_must_exist(place):
    result = CliRunner().invoke(main.main, ["https://example.org/a"])
    assert result.exit_code == 2
    assert "no such file; run fetchtui config init" in result.stderr
