"""The dashboard in a browser: who may see it."""

from __future__ import annotations

import base64
import re

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from tests.rpc.client import SECRET
from tests.rpc.conftest import rpc_config
from tui.rpc.web import dashboard


def basic(password, user=""):
    pair = base64.b64encode(f"{user}:{password}".encode()).decode()
    return f"Basic {pair}"


async def test_only_a_background_process_has_it(rpc):
    answer = await rpc.get("/", authorization=basic(SECRET))
    assert answer.status == 404
    assert b"fetchtui -b --rpc" in answer.body


class TestOfABackgroundProcess:
    @pytest.fixture
    def config(self):
        return rpc_config(process_name="main")

    async def test_a_browser_is_asked_for_the_secret(self, rpc):
        answer = await rpc.get("/")
        assert answer.status == 401
        assert answer.headers["www-authenticate"].startswith("Basic ")
        assert rpc.slept == []

    @pytest.mark.parametrize(
        "authorization",
        [basic("x"), basic(""), "Basic !", f"Bearer {SECRET}", basic(f"{SECRET}x")],
    )
    async def test_a_wrong_secret_waits(self, rpc, authorization):
        answer = await rpc.get("/static/js/textual.js", authorization=authorization)
        assert answer.status == 401
        assert rpc.slept == [1.0]

    @pytest.mark.parametrize("user", ["", "me"])
    async def test_the_secret_opens_the_page_and_its_files(self, rpc, user):
        authorization = basic(SECRET, user)
        page = await rpc.get("/", authorization=authorization)
        assert page.status == 200
        assert f"{rpc.server.config.url}ws".replace("http", "ws").encode() in page.body
        script = await rpc.get("/static/js/textual.js", authorization=authorization)
        assert script.status == 200

    async def test_the_page_loads_nothing_from_elsewhere(self, rpc):
        page = await rpc.get("/", authorization=basic(SECRET))
        addresses = re.findall(rb"(?:[a-z]+:)?//[^\"\'\s]+", page.body)
        own = rpc.server.config.url.encode()
        ours = (own, own.replace(b"http", b"ws", 1))
        assert addresses
        assert [address for address in addresses if not address.startswith(ours)] == []

    async def test_pages_of_other_origins_do_not_see_it(self, rpc):
        answer = await rpc.get(
            "/", authorization=basic(SECRET), origin="https://evil.example"
        )
        assert answer.status == 403

    @pytest.mark.parametrize(
        "headers",
        [
            {},
            {"Authorization": basic("x")},
            {"Authorization": basic(SECRET), "Origin": "https://evil.example"},
        ],
        ids=["none", "wrong", "origin"],
    )
    async def test_no_terminal_without_the_secret(self, rpc, headers):
        url = f"{rpc.server.config.url}ws".replace("http", "ws", 1)
        with pytest.raises(InvalidStatus, match="403"):
            async with connect(url, additional_headers=headers, proxy=None):
                pass

    async def test_the_number_of_pages_is_limited(self, rpc, monkeypatch):
        monkeypatch.setattr(dashboard, "MAX_PAGES", 0)
        url = f"{rpc.server.config.url}ws".replace("http", "ws", 1)
        headers = {"Authorization": basic(SECRET)}
        with pytest.raises(InvalidStatus, match="403"):
            async with connect(url, additional_headers=headers, proxy=None):
                pass

    async def test_without_its_library_it_says_how_to_install_it(
        self, rpc, monkeypatch
    ):
        monkeypatch.setattr(dashboard, "find_spec", lambda name: None)
        answer = await rpc.get("/", authorization=basic(SECRET))
        assert answer.status == 501
        assert b"fetchtui[rpc,web]" in answer.body
