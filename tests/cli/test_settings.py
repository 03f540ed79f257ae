"""Settings from every source, in the real command against a real server."""

from __future__ import annotations

import pytest

from tests.support.command import fetchtui
from tui.cli.load_settings import load_settings
from tui.cli.options import CommandLine
from tui.config.option import SettingValue
from tui.config.precedence import DashboardSettings
from tui.core.settings import Settings
from tui.demo.server import Pattern, ResponseScript

WHOLE = Pattern(40_000, seed=4)


@pytest.fixture
def config(tmp_path, monkeypatch):
    place = tmp_path / "settings" / "config.toml"
    place.parent.mkdir()
    monkeypatch.setenv("FETCHTUI_CONFIG", str(place))
    return place


@pytest.mark.parametrize(
    ("arguments", "variable", "expected"),
    [
        (
            ("--theme", "nrod"),
            {},
            "--theme: unknown theme 'nrod'; did you mean 'nord'?",
        ),
        ((), {"FETCHTUI_THEME": "x"}, "FETCHTUI_THEME: unknown theme 'x'; use one of"),
    ],
)
async def test_an_unknown_theme_is_an_error_without_a_dashboard(
    server, tmp_path, arguments, variable, expected
):
    url = server.add("/a", ResponseScript(WHOLE))
    ended = await fetchtui("--headless", *arguments, url, cwd=tmp_path, env=variable)
    assert ended.status == 2
    assert f"fetchtui: {expected}" in ended.err
    assert not server.requests


async def test_settings_of_all_sources_reach_the_request(server, tmp_path, config):
    config.write_text(
        f"""
output-dir = "{tmp_path}/from-file"
headers = ["X-From: file"]
retries = 0

[[folders]]
pattern = "*.ISO"
directory = "images"

[hosts."127.0.0.1"]
headers = ["X-Host: yes"]
user = "me"
password-from = "env:SESAME"
auth = "basic"

[profiles.other]
output-dir = "{tmp_path}/from-profile"
"""
    )
    url = server.add("/a.iso", ResponseScript(WHOLE))
    ended = await fetchtui(
        *("--json", "--profile", "other", url),
        cwd=tmp_path,
        env={"SESAME": "open", "FETCHTUI_HEADER": "X-From: variable"},
    )
    assert (ended.status, ended.err) == (0, "")
    saved = tmp_path / "from-profile" / "images" / "a.iso"
    assert saved.read_bytes() == WHOLE.read()
    (request,) = server.requests
    assert request.headers["x-from"] == "variable"
    assert request.headers["x-host"] == "yes"
    assert request.headers["authorization"] == "Basic bWU6b3Blbg=="
    again = await fetchtui(
        *("--json", "-o", "from-option", url), cwd=tmp_path, env={"SESAME": "open"}
    )
    assert again.status == 0
    assert (tmp_path / "from-option" / "images" / "a.iso").exists()


async def test_hooks_from_the_file_run_after_a_download(server, tmp_path, config):
    config.write_text(
        '[hooks]\non-done = ["cp", "{path}", "copied.bin"]\n'
        'on-all-done = "touch over"\n'
    )
    url = server.add("/a.bin", ResponseScript(WHOLE))
    ended = await fetchtui("-q", url, cwd=tmp_path)
    assert (ended.status, ended.err) == (0, "")
    assert (tmp_path / "copied.bin").read_bytes() == WHOLE.read()
    assert (tmp_path / "over").exists()


async def test_invalid_file_prevents_every_download(server, tmp_path, config):
    url = server.add("/a.bin", ResponseScript(WHOLE))
    config.write_text("\nretrys = 3\npassword = 'hush'\n")
    ended = await fetchtui("--json", url, cwd=tmp_path)
    assert (ended.status, ended.out) == (2, "")
    first, second = ended.err.splitlines()
    assert first.endswith(
        "config.toml:2: unknown setting 'retrys'; did you mean 'retries'?"
    )
    assert ":3: password: this file must not contain secrets" in second
    assert "hush" not in ended.err
    assert server.requests == []


def test_demo_ignores_network_settings_in_the_file(config, monkeypatch):
    config.write_text(
        'proxy = "http://127.0.0.1:1"\nprofile = "p"\n[hooks]\non-all-done = "off"\n'
        "[dashboard]\nmotion = false\n[profiles.p]\nretries = 0\n"
    )
    monkeypatch.setenv("FETCHTUI_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("FETCHTUI_ASCII", "1")
    resolved = load_settings(CommandLine(demo=True))
    assert resolved.settings() == Settings(
        auto=False, concurrency=8, timeout_s=3.0, proxy="direct", sizes_ahead=True
    )
    assert resolved.dashboard() == DashboardSettings(motion=False, ascii=True)


def test_what_the_demo_chooses_has_its_name_as_source(config):
    keys = ("proxy", "timeout", "auto", "concurrency", "retries")

    def sources(**typed: object) -> list[str]:
        given = {key: SettingValue(value, f"--{key}") for key, value in typed.items()}
        resolved = load_settings(CommandLine(demo=True, settings=given))
        return [resolved.values[key].source for key in keys]

    chosen = ["--demo"] * 4
    assert sources() == [*chosen, "default"]
    assert sources(timeout=9.0) == ["--demo", "--timeout", *chosen[2:], "default"]
    assert sources(auto=True)[2:4] == ["--auto", "default"]
    assert sources(concurrency=3)[2:4] == ["--demo", "--concurrency"]
