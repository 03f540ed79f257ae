"""Every setting has an option, and every option is correct."""

from __future__ import annotations

import re
import tomllib

import pytest

from tui.cli.options import ALL, RUN
from tui.config.document import read_document
from tui.config.option import Group
from tui.config.precedence import DashboardSettings, RpcSettings, resolve
from tui.config.registry import BY_KEY, HOST_KEYS, OPTIONS, find
from tui.config.sample import sample
from tui.config.values import Kind
from tui.core.settings import AUTO_START, Hooks, HostRule, Login, Settings


def names(kind: type) -> set[str]:
    return set(kind.__annotations__)


def test_every_field_of_settings_has_an_option():
    fields = {option.field.partition(".")[0] for option in OPTIONS} - {""}
    # Nothing is kept of a file that is meant for a pipe, and manifests have ETags.
    assert fields | {"keeps_corrupt", "keeps_etags"} == names(Settings)


def test_every_field_of_hooks_has_an_option():
    hooks = {o.field for o in OPTIONS if o.field.startswith("hooks.")}
    assert hooks == {f"hooks.{name}" for name in names(Hooks)}


def test_every_field_of_a_host_rule_and_a_login_has_an_option():
    assert {o.key for o in HOST_KEYS} == {
        *(
            n.replace("_", "-")
            for n in names(HostRule) - {"pattern", "rate_limit", "login"}
        ),
        *("limit-rate", "user", "password-from", "auth", "bearer-from"),
    }
    assert names(Login) == {"user", "secret", "scheme"}


def test_every_dashboard_setting_has_an_option():
    keys = {o.name.replace("-", "_") for o in OPTIONS if o.group is Group.DASHBOARD}
    assert keys == names(DashboardSettings)


def test_every_setting_of_the_remote_control_has_an_option():
    keys = {o.name.replace("-", "_") for o in OPTIONS if o.group is Group.REMOTE}
    assert keys == names(RpcSettings)


def test_option_defaults_match_settings():
    resolved = resolve(read_document(b"", "config.toml"), environment={})
    # auto and its start depend on whether concurrency is given, and sizes_ahead on
    # whether there is a dashboard.
    assert resolved.settings() == Settings(
        auto=True, concurrency=AUTO_START, sizes_ahead=True
    )
    assert resolved.dashboard() == DashboardSettings()
    assert resolved.rpc() == RpcSettings()
    assert (resolved.problems, resolved.notes) == ([], [])


def test_spellings_and_variables_are_unique():
    spellings = [flag for option in ALL for flag in option.spellings]
    variables = [option.variable for option in ALL if option.variable]
    assert len(spellings) == len(set(spellings))
    assert len(variables) == len(set(variables))
    assert not {o.key for o in RUN} & set(BY_KEY)


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.key)
def test_every_option_is_complete(option):
    assert option.doc.endswith(".")
    assert len(option.doc) < 160
    example = tomllib.loads(f"x = {option.example}")["x"]
    if option.kind is Kind.TABLE:
        document = read_document(f"{option.key} = {option.example}".encode(), "c")
        assert document.problems == []
    elif not option.must_exist:
        option.read_toml(example)
    if option.spellings:
        assert option.kind is Kind.SWITCH or option.metavar or option.choices
        assert re.fullmatch(r"FETCHTUI_[A-Z0-9_]+", option.variable)


def test_find_accepts_every_spelling():
    for name in ("limit-rate", "--limit-rate", "FETCHTUI_LIMIT_RATE"):
        assert find(name).key == "limit-rate"
    assert find("on-done").key == find("hooks.on-done").key == "hooks.on-done"
    assert find("header").key == "headers"
    with pytest.raises(ValueError, match="did you mean 'concurrency'"):
        find("concurency")


def test_sample_is_commented_out_and_every_line_is_valid(tmp_path):
    text = sample()
    assert all(line.startswith("#") or not line for line in text.splitlines())
    assert read_document(text.encode(), "c").values == {}
    for option in OPTIONS:
        if option.kind is not Kind.TABLE:
            assert f"\n# {option.name} = " in text, option.key
    said = re.sub(r"^# (?=[\[\w])", "", text, flags=re.MULTILINE)
    said = "\n".join(
        line
        for line in said.splitlines()
        if line.startswith(("#", "[")) or re.match(r'[\w-]+ = [\["{0-9tf]', line)
    )
    problems = read_document(said.encode(), "c").problems
    missing = [c for c in problems if "does not exist" not in c.reason]
    assert missing == []
    assert len(problems) == sum(option.must_exist for option in OPTIONS)


@pytest.mark.parametrize("text", ["s3://bucket/x", "https://me:hush@h/x", "file:///x"])
@pytest.mark.parametrize("key", ["log-file", "ca-file", "cookies", "rpc.ui"])
def test_only_the_output_directory_may_be_an_object_store(key, text):
    """A log file in ``s3://`` became a directory called "s3:"."""
    with pytest.raises(ValueError, match="must be a path, not a URL") as refused:
        find(key).read_text(text)
    assert "hush" not in str(refused.value)
