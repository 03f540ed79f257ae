"""The demo's list is what its documentation says, and fits in a minute."""

from __future__ import annotations

from urllib.parse import urlsplit

from tui.core.request import check_url
from tui.demo import story
from tui.demo.pattern import Pattern
from tui.demo.server import ScriptedServer


def path_of(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path


def test_the_documented_end_adds_up() -> None:
    requests = story.tell(ScriptedServer())
    assert len(requests) == story.TOTAL == story.DONE + story.FAILED
    assert len({request.url for request in requests}) == story.TOTAL


async def test_every_url_can_be_fetched_and_has_a_script() -> None:
    async with story.open_demo() as requests:
        for request in requests:
            assert check_url(request.url) == request.url
            assert request.url.startswith("http://127.0.0.1:")


def test_it_is_the_same_story_every_time() -> None:
    first, second = ScriptedServer(), ScriptedServer()
    one, two = story.tell(first), story.tell(second)
    assert one == two
    paths = [path_of(request.url) for request in one]
    assert [first.script(p) for p in paths] == [second.script(p) for p in paths]


def test_the_wrong_checksum_is_wrong_and_the_right_one_right() -> None:
    server = ScriptedServer()
    verdicts = {}
    for request in story.tell(server):
        if request.checksum is not None:
            path = path_of(request.url)
            script = server.script(path)
            assert script is not None
            assert isinstance(script.body, Pattern)
            verdicts[path] = script.body.sha256() == request.checksum.digest
    assert verdicts == {"/right-checksum.iso": True, "/wrong-checksum.iso": False}


def test_the_slots_are_busy_for_less_than_a_minute() -> None:
    """Adds up what one connection per file takes, waits between attempts included."""
    server = ScriptedServer()
    seconds = []
    for request in story.tell(server):
        script = server.script(path_of(request.url))
        assert script is not None
        took = script.latency_s + 0.1
        if script.rate:
            took += len(script.body) / script.rate
        if script.first:
            took += story.TIMEOUT_S + 4
        seconds.append(took)
    lanes = [0.0] * story.CONCURRENCY
    for took in seconds:
        lanes[lanes.index(min(lanes))] += took
    assert 15 < max(lanes) < 45
