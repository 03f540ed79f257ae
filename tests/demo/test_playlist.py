"""The demo's list: documented outcome, valid URLs, and under a minute."""

from __future__ import annotations

from urllib.parse import urlsplit

from tui.core.request import DownloadRequest, check_url
from tui.demo import playlist
from tui.demo.pattern import Pattern
from tui.demo.server import ResponseScript, ScriptedServer


class Demo:
    """The demo's list and scripts, on two servers that never listen."""

    def __init__(self) -> None:
        self.reliable, self.faulty = ScriptedServer(), ScriptedServer()
        self.requests = playlist.add_scripts(self.reliable, self.faulty)

    def script(self, request: DownloadRequest) -> ResponseScript:
        parts = urlsplit(request.url)
        path = f"{parts.path}?{parts.query}" if parts.query else parts.path
        script = self.reliable.scripts.get(path) or self.faulty.scripts.get(path)
        assert script is not None
        return script


def test_the_documented_counts_add_up() -> None:
    requests = Demo().requests
    assert len(requests) == playlist.TOTAL == playlist.DONE + playlist.FAILED
    assert len({request.url for request in requests}) == playlist.TOTAL


async def test_every_url_is_valid_and_has_a_script() -> None:
    async with playlist.open_demo() as requests:
        for request in requests:
            assert check_url(request.url) == request.url
            assert request.url.startswith("http://127.0.0.1:")


def test_the_list_is_deterministic() -> None:
    one, two = Demo(), Demo()
    assert one.requests == two.requests
    assert [one.script(r) for r in one.requests] == [
        two.script(r) for r in two.requests
    ]


def test_only_the_wrong_checksum_is_wrong() -> None:
    demo = Demo()
    is_correct = {}
    for request in demo.requests:
        if request.checksum is not None:
            body = demo.script(request).body
            assert isinstance(body, Pattern)
            name = request.url.rpartition("/")[2]
            is_correct[name] = body.sha256() == request.checksum.digest
    assert is_correct == {"right-checksum.iso": True, "wrong-checksum.iso": False}


def test_the_demo_takes_less_than_a_minute() -> None:
    """Sum up the time with one connection per file, including waits before retries."""
    demo = Demo()
    busy_s = [0.0] * playlist.CONCURRENCY
    for request in demo.requests:
        script = demo.script(request)
        took = script.latency_s + 0.1
        if script.rate:
            took += len(script.body) / script.rate
        if script.first:
            took += playlist.TIMEOUT_S + 4
        busy_s[busy_s.index(min(busy_s))] += took
    assert 15 < max(busy_s) < 45
