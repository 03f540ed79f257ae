"""The remote control on the command line."""

from __future__ import annotations

import asyncio
import json
import re
import socket

import httpx
import pytest

from tests.support import command
from tests.support.until import until
from tui.cli import remote_control
from tui.config.document import read_document
from tui.config.option import SettingValue
from tui.config.precedence import resolve
from tui.demo.pattern import Pattern
from tui.demo.script import ResponseScript


def resolved(**values):
    settings = {
        f"rpc.{key.replace('_', '-')}": SettingValue(value, "--rpc")
        for key, value in values.items()
    }
    document = read_document(b"", "config.toml")
    return resolve(document, environment={}, command_line=settings)


def test_it_is_off_by_default():
    assert remote_control.rpc_config(resolved()) is None


def test_without_its_libraries_it_says_how_to_install_them(monkeypatch):
    monkeypatch.setattr(remote_control, "find_spec", lambda name: None)
    with pytest.raises(Exception, match=r"pipx install 'fetchtui\[rpc\]'"):
        remote_control.rpc_config(resolved(listen="127.0.0.1:6800"))


@pytest.mark.parametrize("host", ["0.0.0.0", "[::]", "192.168.0.2", "nas.local"])
def test_other_machines_need_a_secret_of_the_user(monkeypatch, host):
    monkeypatch.setenv("MY_SECRET", "hunter2")
    with pytest.raises(Exception, match="--rpc-secret-from"):
        remote_control.rpc_config(resolved(listen=f"{host}:6800"))
    config = remote_control.rpc_config(
        resolved(listen=f"{host}:6800", secret_from="env:MY_SECRET")
    )
    assert config.secret == "hunter2"
    assert "hunter2" not in repr(config)


def test_a_generated_secret_is_kept(tmp_path, monkeypatch):
    monkeypatch.setenv("FETCHTUI_STATE_DIR", str(tmp_path))
    configs = [
        remote_control.rpc_config(resolved(listen="127.0.0.1:0")) for _ in range(2)
    ]
    assert configs[0] == configs[1]
    assert configs[0].secret == (tmp_path / "rpc-secret").read_text().strip()


def test_a_folder_without_a_page_is_refused(tmp_path):
    with pytest.raises(Exception, match=r"no index\.html"):
        remote_control.rpc_config(resolved(listen="127.0.0.1:0", ui=tmp_path))


async def test_a_run_without_a_dashboard_lasts_until_a_client_ends_it(tmp_path, server):
    url = server.add("/a.bin", ResponseScript(Pattern(1000, 1)))
    state = tmp_path / "state"
    process = await command.start(
        *("--rpc", "0", "--rpc-allow-shutdown", "--headless", "-o", "out"),
        cwd=tmp_path,
        env={"FETCHTUI_STATE_DIR": str(state)},
    )
    assert process.stderr is not None
    line = (await asyncio.wait_for(process.stderr.readline(), 30)).decode()
    address, where = re.search(r"control: (\S+) \(secret: (.*)\)", line).groups()
    token = f"token:{(state / 'rpc-secret').read_text().strip()}"
    assert where == str(state / "rpc-secret")

    async def call(method, *params):
        message = {"id": 1, "method": f"aria2.{method}", "params": [token, *params]}
        reply = await client.post(address, content=json.dumps(message))
        return reply.json()["result"]

    async with httpx.AsyncClient() as client:
        gid = await call("addUri", [url])
        await until(lambda: (tmp_path / "out" / "a.bin").exists(), 20)
        assert (await call("tellStatus", gid, ["gid"])) == {"gid": gid}
        assert await call("shutdown") == "OK"
    ended = await command.finish(process)
    assert ended.status == 0, ended.err
    assert (tmp_path / "out" / "a.bin").stat().st_size == 1000


async def test_a_port_in_use_is_an_error(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        process = await command.start("--rpc", str(port), "--headless", cwd=tmp_path)
        ended = await command.finish(process)
    assert ended.status == 2
    assert f"cannot listen on 127.0.0.1:{port}: Address already in use" in ended.err
    assert "choose another address or port with --rpc" in ended.err
    assert "--interface" not in ended.err
    assert "Traceback" not in ended.err
