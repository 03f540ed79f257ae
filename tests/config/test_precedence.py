"""Who wins: defaults < settings file < profile < environment < command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from tui.config.display import shown_value
from tui.config.document import read_document
from tui.config.errors import ConfigError
from tui.config.given import Given
from tui.config.precedence import DashboardSettings, resolve
from tui.config.registry import BY_KEY
from tui.core.settings import Hooks, Login, Scheme, Settings

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


def test_the_later_source_wins_and_is_named():
    line = {"segments": Given(5, "--segments", is_asked=True)}
    found = resolved(FILE, "work", line, FETCHTUI_TIMEOUT="4", FETCHTUI_SEGMENTS="4")
    told = {key: (found[key], found.values[key].source) for key in found.values}
    assert told["per-host"] == (0, "default")
    assert told["concurrency"] == (2, "config.toml:2")
    assert told["retries"] == (3, "config.toml:12 [profile work]")
    assert told["timeout"] == (4.0, "FETCHTUI_TIMEOUT")
    assert told["segments"] == (5, "--segments")
    settings = found.settings()
    assert (settings.retries, settings.timeout_s, settings.segments) == (3, 4.0, 5)
    assert found.asked_fields == {"retries", "segments", "hosts"}


def test_a_profiles_hosts_come_first_and_its_keys_are_added():
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
def test_a_profile_is_chosen_by_option_or_variable(how, wanted):
    assert resolved(FILE, **how).settings().retries == wanted


def test_a_profile_may_be_the_usual_one():
    assert resolved('profile = "work"\n' + FILE).settings().retries == 3


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ({"profile": "wrk"}, "--profile: config.toml has no [profiles.wrk]; did you"),
        ({"FETCHTUI_PROFILE": "zzz"}, "has no [profiles.zzz]; it has work"),
        ({"FETCHTUI_CONCURRENCY": "0"}, "FETCHTUI_CONCURRENCY: 0 is not in the range"),
        ({"FETCHTUI_NOTIFY": "maybe"}, "FETCHTUI_NOTIFY: must be true or false"),
        ({"FETCHTUI_PASSWORD_FROM": "hush"}, "say where the secret is"),
        ({"FETCHTUI_PASSWORD_FROM": "env:X"}, "password-from needs a name"),
        ({"FETCHTUI_KEY": "/dev/null"}, "a key proves nothing alone; add cert"),
        (
            {"FETCHTUI_USER": "me", "FETCHTUI_BEARER_FROM": "env:T"},
            "two ways to log in; leave one away",
        ),
    ],
)
def test_what_makes_no_sense_is_told_with_its_source(how, told):
    with pytest.raises(ConfigError) as refused:
        resolved(FILE, **how).settings()
    assert told in str(refused.value)
    assert "hush" not in str(refused.value)


def test_a_misspelt_variable_is_noted_with_a_suggestion():
    found = resolved(FETCHTUI_LIMIT_RAT="3", FETCHTUI_CONFIG="x", OTHER="y")
    assert found.notes == [
        "FETCHTUI_LIMIT_RAT is not known; did you mean 'FETCHTUI_LIMIT_RATE'?"
    ]


def test_an_empty_variable_says_nothing():
    assert resolved(FETCHTUI_CONCURRENCY="", FETCHTUI_PROXY="").settings() == Settings()


def test_settings_are_put_together_from_several_options(tmp_path, monkeypatch):
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
        proxy="http://proxy:3128",
        proxy_login=Login("me", "text:p@ss"),
        login=Login("you", "file:/run/secret", Scheme.DIGEST),
        netrc=tmp_path / ".netrc",
        ip_version=6,
        http_backend="httpx",
        resolve=(("a.test", 443, "192.0.2.1"), ("b.test", 0, "2001:db8::1")),
        hooks=Hooks(on_done=("notify", "a b")),
        headers=(("A", "b"), ("C", "d")),
    )


def test_netrc_must_be_there_if_it_is_asked_for():
    with pytest.raises(ConfigError, match="name another with netrc-file"):
        resolved(FETCHTUI_NETRC="on").settings()


def test_a_name_without_a_secret_means_to_ask_and_netrc_is_read_where_it_is_meant():
    Path("~/.netrc").expanduser().touch()
    assert resolved(FETCHTUI_USER="me").settings().login == Login("me", "ask")
    found = resolved("[hosts.x]\nuser='me'\npassword-from='netrc'", NETRC="/n")
    assert found.settings().netrc == Path("~/.netrc").expanduser()


def test_the_dashboards_settings():
    text = '[dashboard]\ntheme = "nord"\nmotion = false\nascii = false'
    assert resolved(text).dashboard() == DashboardSettings("nord", False, False)
    assert resolved().dashboard().ascii is None


def test_what_is_shown_holds_no_secret():
    values = {
        "headers": (("Authorization", "hush"), ("A", "b")),
        "proxy": "http://me:hush@proxy:1",
        "user": "me:hush",
    }
    for key, value in values.items():
        assert "hush" not in shown_value(BY_KEY[key], value)
    assert shown_value(BY_KEY["proxy"], values["proxy"]) == '"http://proxy:1"'
    assert shown_value(BY_KEY["user"], values["user"]) == '"me"'
