"""The demo's list is what its documentation says, and fits in a minute."""

from __future__ import annotations

from urllib.parse import urlsplit

from tui.core.request import DownloadRequest, check_url
from tui.demo import playlist
from tui.demo.pattern import Pattern
from tui.demo.server import ResponseScript, ScriptedServer


class Told:
    """The story, told on two servers that never listen."""

    def __init__(self) -> None:
        self.calm, self.moody = ScriptedServer(), ScriptedServer()
        self.requests = playlist.tell(self.calm, self.moody)

    def script(self, request: DownloadRequest) -> ResponseScript:
        parts = urlsplit(request.url)
        path = f"{parts.path}?{parts.query}" if parts.query else parts.path
        script = self.calm.scripts.get(path) or self.moody.scripts.get(path)
        assert script is not None
        return script


def test_the_documented_end_adds_up() -> None:
    requests = Told().requests
    assert len(requests) == playlist.TOTAL == playlist.DONE + playlist.FAILED
    assert len({request.url for request in requests}) == playlist.TOTAL


async def test_every_url_can_be_fetched_and_has_a_script() -> None:
    async with playlist.open_demo() as requests:
        for request in requests:
            assert check_url(request.url) == request.url
            assert request.url.startswith("http://127.0.0.1:")


def test_it_is_the_same_story_every_time() -> None:
    one, two = Told(), Told()
    assert one.requests == two.requests
    assert [one.script(r) for r in one.requests] == [
        two.script(r) for r in two.requests
    ]


def test_the_wrong_checksum_is_wrong_and_the_right_one_right() -> None:
    told = Told()
    verdicts = {}
    for request in told.requests:
        if request.checksum is not None:
            body = told.script(request).body
            assert isinstance(body, Pattern)
            name = request.url.rpartition("/")[2]
            verdicts[name] = body.sha256() == request.checksum.digest
    assert verdicts == {"right-checksum.iso": True, "wrong-checksum.iso": False}


def test_the_slots_are_busy_for_less_than_a_minute() -> None:
    """Adds up what one connection per file takes, waits between attempts included."""
    told = Told()
    lanes = [0.0] * playlist.CONCURRENCY
    for request in told.requests:
        script = told.script(request)
        took = script.latency_s + 0.1
        if script.rate:
            took += len(script.body) / script.rate
        if script.first:
            took += playlist.TIMEOUT_S + 4
        lanes[lanes.index(min(lanes))] += took
    assert 15 < max(lanes) < 45
