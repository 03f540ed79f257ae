"""Precedence: defaults < settings file < profile < environment < command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from tui.config.display import shown_value
from tui.config.document import read_document
from tui.config.errors import ConfigError
from tui.config.option import SettingValue
from tui.config.precedence import DashboardSettings, resolve
from tui.config.registry import BY_KEY
from tui.core.settings import AUTO_START, Hooks, Login, Scheme, Settings

FILE = """
concurrency = 2
retries = 2
timeout = 2
segments = 2
[hosts."*.test"]
cap = 2
[keys]
cancel = ["c"]
pause = ["p"]
[profiles.work]
retries = 3
timeout = 3
segments = 3
[profiles.work.hosts."a.test"]
cap = 3
[profiles.work.keys]
cancel = ["w"]
"""


def resolved(text: str = "", profile=None, line=None, **environment: str):
    document = read_document(text.encode(), "config.toml")
    return resolve(
        document, profile=profile, environment=environment, command_line=line or {}
    )


def test_later_source_overrides_and_is_named():
    line = {"segments": SettingValue(5, "--segments", is_explicit=True)}
    found = resolved(FILE, "work", line, FETCHTUI_TIMEOUT="4", FETCHTUI_SEGMENTS="4")
    expected = {key: (found[key], found.values[key].source) for key in found.values}
    assert expected["per-host"] == (0, "default")
    assert expected["concurrency"] == (2, "config.toml:2")
    assert expected["retries"] == (3, "config.toml:12 [profile work]")
    assert expected["timeout"] == (4.0, "FETCHTUI_TIMEOUT")
    assert expected["segments"] == (5, "--segments")
    settings = found.settings()
    assert (settings.retries, settings.timeout_s, settings.segments) == (3, 4.0, 5)
    assert found.explicit_fields == {"retries", "segments", "hosts"}


def test_profile_hosts_come_first_and_keys_are_merged():
    found = resolved(FILE, "work")
    assert [rule.pattern for rule in found.settings().hosts] == ["a.test", "*.test"]
    assert found.dashboard().keys == (("cancel", ("w",)), ("pause", ("p",)))


@pytest.mark.parametrize(
    ("how", "wanted"),
    [
        ({}, 2),
        ({"profile": "work"}, 3),
        ({"FETCHTUI_PROFILE": "work"}, 3),
    ],
)
def test_profile_is_selected_by_option_or_variable(how, wanted):
    assert resolved(FILE, **how).settings().retries == wanted


def test_file_can_set_a_default_profile():
    assert resolved('profile = "work"\n' + FILE).settings().retries == 3


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ({"profile": "wrk"}, "--profile: config.toml has no [profiles.wrk]; did you"),
        ({"FETCHTUI_PROFILE": "zzz"}, "has no [profiles.zzz]; profiles: work"),
        ({"FETCHTUI_CONCURRENCY": "0"}, "FETCHTUI_CONCURRENCY: 0 is not in the range"),
        ({"FETCHTUI_NOTIFY": "maybe"}, "FETCHTUI_NOTIFY: must be true or false"),
        ({"FETCHTUI_PASSWORD_FROM": "hush"}, "must say where to read the secret from"),
        ({"FETCHTUI_PASSWORD_FROM": "env:X"}, "password-from needs a user name"),
        ({"FETCHTUI_KEY": "/dev/null"}, "key needs a certificate; add cert"),
        (
            {"FETCHTUI_USER": "me", "FETCHTUI_BEARER_FROM": "env:T"},
            "bearer-from and user cannot be combined; remove one",
        ),
    ],
)
def test_invalid_value_is_reported_with_its_source(how, expected):
    with pytest.raises(ConfigError) as refused:
        resolved(FILE, **how).settings()
    assert expected in str(refused.value)
    assert "hush" not in str(refused.value)


def test_misspelled_variable_gets_a_suggestion():
    found = resolved(FETCHTUI_LIMIT_RAT="3", FETCHTUI_CONFIG="x", OTHER="y")
    assert found.notes == [
        "unknown variable FETCHTUI_LIMIT_RAT; did you mean 'FETCHTUI_LIMIT_RATE'?"
    ]


def test_empty_variable_counts_as_unset():
    settings = resolved(FETCHTUI_CONCURRENCY="", FETCHTUI_PROXY="").settings()
    assert settings == Settings(auto=True, concurrency=AUTO_START, sizes_ahead=True)


def test_concurrency_is_automatic_unless_a_number_is_given():
    assert resolved().settings().auto
    assert not resolved(FETCHTUI_CONCURRENCY="4").settings().auto
    both = resolved(FETCHTUI_CONCURRENCY="4", FETCHTUI_AUTO="on").settings()
    assert (both.auto, both.concurrency) == (True, 4)
    assert not resolved(FETCHTUI_AUTO="off").settings().auto


def test_settings_combine_several_options(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".netrc").touch()
    settings = resolved(
        FETCHTUI_PROXY="http://me:p%40ss@proxy:3128",
        FETCHTUI_USER="you",
        FETCHTUI_PASSWORD_FROM="file:/run/secret",
        FETCHTUI_AUTH="digest",
        FETCHTUI_NETRC="on",
        FETCHTUI_IP_VERSION="6",
        FETCHTUI_HTTP_BACKEND="httpx",
        FETCHTUI_LIMIT_RATE="0",
        FETCHTUI_RESOLVE="a.test:443:192.0.2.1\nb.test:*:[2001:db8::1]",
        FETCHTUI_ON_DONE="notify 'a b'",
        FETCHTUI_HEADER="A: b\nC: d",
    ).settings()
    assert settings == Settings(
        auto=True,
        concurrency=AUTO_START,
        sizes_ahead=True,
        proxy="http://proxy:3128",
        proxy_login=Login("me", "text:p@ss"),
        login=Login("you", "file:/run/secret", Scheme.DIGEST),
        auth=Scheme.DIGEST,
        netrc=tmp_path / ".netrc",
        ip_version=6,
        http_backend="httpx",
        resolve=(("a.test", 443, "192.0.2.1"), ("b.test", 0, "2001:db8::1")),
        hooks=Hooks(on_done=("notify", "a b")),
        headers=(("A", "b"), ("C", "d")),
    )


def test_requested_netrc_must_exist():
    with pytest.raises(ConfigError, match="set netrc-file to another file"):
        resolved(FETCHTUI_NETRC="on").settings()


def test_user_without_password_prompts_and_netrc_reference_reads_netrc():
    Path("~/.netrc").expanduser().touch()
    assert resolved(FETCHTUI_USER="me").settings().login == Login(
        "me", "ask", Scheme.AUTO
    )
    found = resolved("[hosts.x]\nuser='me'\npassword-from='netrc'", NETRC="/n")
    assert found.settings().netrc == Path("~/.netrc").expanduser()


def test_dashboard_settings():
    text = '[dashboard]\ntheme = "nord"\nmotion = false\nascii = false'
    assert resolved(text).dashboard() == DashboardSettings("nord", False, False)
    assert resolved().dashboard().ascii is None


def test_shown_values_contain_no_secrets():
    values = {
        "headers": (("Authorization", "hush"), ("A", "b")),
        "proxy": "http://me:hush@proxy:1",
        "user": "me:hush",
    }
    for key, value in values.items():
        assert "hush" not in shown_value(BY_KEY[key], value)
    assert shown_value(BY_KEY["proxy"], values["proxy"]) == '"http://proxy:1"'
    assert shown_value(BY_KEY["user"], values["user"]) == '"me"'
