"""What could be a password is not shown, even in the wrong place."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.command import fetchtui

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    "url",
    [
        "me:SECRET@host.invalid/x",
        "http:/me:SECRET@host.invalid",
        "//me:SECRET@host.invalid/y",
        "http://me:1/SECRET@host.invalid/x",
        "http://me:1?SECRET@host.invalid/x",
        "http://user.name:80/SECRET@host.invalid/x",
    ],
)
async def test_a_malformed_url_does_not_show_its_password(
    url: str, tmp_path: Path
) -> None:
    (tmp_path / "l.txt").write_text(f"{url}\n")
    for source in (url, "l.txt"):
        arguments = (source, "--json", "-v", "--retries", "0", "--timeout", "2")
        ended = await fetchtui(*arguments, cwd=tmp_path)
        assert ended.status in (1, 2)
        assert "SECRET" not in ended.out + ended.err


@pytest.mark.parametrize(
    "command",
    [
        "curl --unknown SECRET https://host.invalid/x",
        "curl --unknown=SECRET https://host.invalid/x",
        "wget --unknown SECRET https://host.invalid/x",
        "curl -u me:SECRET https://host.invalid/ x",
        "curl -u me:SECRET ftp://host.invalid/x",
        "curl -H 'X: SECRET\x07' https://host.invalid/x",
        "curl -YSECRET 'https://host.invalid/x",
        "wget --password SECRET me:SECRET@host.invalid://x",
        f"curl -H 'Cookie: SECRET{'x' * 300}' https://host.invalid/x",
        "/usr/bin/curl --oauth2-bearer SECRET http://host.invalid/x",
        "aria2c --http-passwd=SECRET http://host.invalid/x",
        "http -a me:SECRET http://host.invalid/x",
        "TOKEN=SECRET curl host.invalid/x",
        "fetch('http://host.invalid/x', {headers: {authorization: 'SECRET'}})",
        "Invoke-WebRequest -Uri http://host.invalid/x -Headers @{a='SECRET'}",
    ],
)
async def test_a_command_does_not_show_its_password(
    command: str, tmp_path: Path
) -> None:
    (tmp_path / "l.txt").write_text(f"{command}\n")
    for source in ("l.txt", command):
        ended = await fetchtui(source, "--json", "-v", "--dry-run", cwd=tmp_path)
        assert "SECRET" not in ended.out + ended.err


@pytest.mark.parametrize(
    "reference",
    ["env:SECRET", "file:SECRET", "keyring:SECRET", "SECRET", "text:SECRET"],
)
@pytest.mark.parametrize("option", ["--password-from", "--bearer-from"])
async def test_a_wrong_reference_is_not_repeated(
    reference: str, option: str, tmp_path: Path
) -> None:
    user = ("-u", "me") if option == "--password-from" else ()
    arguments = (*user, option, reference, "http://127.0.0.1:9/x", "--json", "-v")
    ended = await fetchtui(*arguments, cwd=tmp_path)
    assert ended.status in (1, 2)
    assert "SECRET" not in ended.out + ended.err


@pytest.mark.parametrize(
    "line",
    [
        '[hosts."me:SECRET@x"]\ncap = 2',
        '[hosts."https://me:SECRET@x/"]\ncap = 2',
        '"me:SECRET@x" = 2',
        'password-from = "env:SECRET"\nuser = "me"',
        '[hosts.x]\nuser = "me"\npassword-from = "file:SECRET"',
        'proxy = "http://me:SECRET@p:1"',
    ],
)
@pytest.mark.parametrize("command", ["show", "check"])
async def test_settings_do_not_show_secrets(
    line: str, command: str, tmp_path: Path
) -> None:
    (tmp_path / "c.toml").write_text(line)
    environment = {"FETCHTUI_CONFIG": str(tmp_path / "c.toml")}
    ended = await fetchtui("config", command, cwd=tmp_path, env=environment)
    assert "SECRET" not in ended.out + ended.err


@pytest.mark.parametrize(
    ("option", "value", "hint"),
    [
        ("-x", "http://me:SECRET@proxy.invalid:3128", "use --proxy URL"),
        ("--cookies", "sid=SECRET", "use -H 'Cookie: ...'"),
        ("--referer", "http://me:SECRET@host.invalid/", "leave out user and password"),
    ],
)
async def test_a_value_of_curl_is_not_quoted(
    option: str, value: str, hint: str, tmp_path: Path
) -> None:
    arguments = ("-n", option, value, "http://host.invalid/x")
    ended = await fetchtui(*arguments, cwd=tmp_path)
    assert ended.status == 2
    assert "SECRET" not in ended.out + ended.err
    assert hint in " ".join(ended.err.split())
