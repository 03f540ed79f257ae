"""What every worker shares: one object instead of a dozen arguments."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from tui.core.events import DownloadNotice
from tui.core.notices import Notice, NoticeCode
from tui.core.request import origin_of
from tui.core.settings import Verify
from tui.engine.metrics.wait_times import Waits

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tui.core.clock import Clock
    from tui.core.download import Download
    from tui.core.request import Checksum
    from tui.core.settings import Settings
    from tui.disk.folders import OutputFolders
    from tui.disk.writer import DiskWriter
    from tui.engine.events import EventBus
    from tui.engine.registry import DownloadRegistry
    from tui.engine.scheduling.queue import DownloadQueue
    from tui.net.limiter import Limiter
    from tui.net.mirrors import MirrorSelector
    from tui.net.session import HttpSession


LANDED_KEPT = 200


class TransferSummary(NamedTuple):
    """What is worth showing of a flight that has ended."""

    headers: tuple[tuple[str, str], ...] = ()
    """Of the response; secrets are never among them."""
    validator: str = ""
    http_version: str = ""
    speeds: tuple[float, ...] = ()
    """Bytes per second of each second, oldest first."""


@dataclass(slots=True, eq=False, repr=False)
class EngineContext:
    """The run's tools and its live limits."""

    settings: Settings
    clock: Clock
    random: Callable[[], float]
    """Uniform in [0, 1), for jitter."""
    session: HttpSession
    writer: DiskWriter
    folders: OutputFolders
    registry: DownloadRegistry
    queue: DownloadQueue
    bus: EventBus
    mirrors: MirrorSelector
    limiter: Limiter
    """Bytes per second over everything."""
    segments: int
    """Connections per download; 0 lets the size decide. Changes live."""
    concurrency: int
    """Downloads at once. Changes live."""
    single_source: set[int] = field(default_factory=set)
    """Downloads whose mirrors gave different bytes: only one at a time for them."""
    whole_only: set[int] = field(default_factory=set)
    """Downloads whose servers fail at ranges: they are asked for the whole."""
    one_connection: set[int] = field(default_factory=set)
    """Downloads whose servers refused or garbled a further range."""
    own_segments: dict[int, int] = field(default_factory=dict)
    """Connections that a user set for single downloads, by id."""
    own_limiters: dict[int, Limiter] = field(default_factory=dict)
    """Limiters of single downloads, by id."""
    naming: set[int] = field(default_factory=set)
    """Downloads whose rename is under way: too late to stop them."""
    modified: dict[int, float] = field(default_factory=dict)
    """What the servers gave as Last-Modified, wall time by id; kept if asked for."""
    open_connections: int = 0
    """Bodies being read right now, over all downloads."""
    breaks: int = 0
    """Attempts whose connection broke or fell silent, in this run."""
    most_connections: int = 4
    """Connections that a large download takes where the size decides."""
    waits: Waits = field(default_factory=Waits)
    """What connections wait for, over all downloads."""

    landed: dict[int, TransferSummary] = field(default_factory=dict)
    """What was learned on the flights that ended last, by id."""

    def remember(self, id: int, landed: TransferSummary) -> None:
        """Keep what was learned on a flight that ends, for its details."""
        self.landed.pop(id, None)
        self.landed[id] = landed
        if len(self.landed) > LANDED_KEPT:
            del self.landed[next(iter(self.landed))]

    def gather_bytes(self, least: int, most: int) -> int:
        """Bytes that one connection may hold back for a parcel."""
        share = self.settings.in_flight_limit // (8 * max(1, self.open_connections))
        return max(least, min(most, share))

    def spare_connections(self) -> int:
        """Connections that nobody needs for a download of its own.

        Where the size decides, a large file takes more connections only from these:
        many downloads at once already keep the link busy, and a server should not see
        more of us than the user asked for.
        """
        return self.concurrency - self.open_connections

    def vouched(self, digests: Sequence[Checksum]) -> Checksum | None:
        """Return the best of the digests that a server's headers tell, if they count.

        Args:
            digests: of the whole file, best first.
        """
        if not digests or self.settings.verify is Verify.OFF:
            return None
        return digests[0]

    def notice(self, download: Download, notice: Notice) -> None:
        """Note something about a download and publish it."""
        download.note = notice
        self.registry.touch(download)
        self.bus.publish(DownloadNotice(download.id, self.clock.wall(), notice))

    def show_name(self, download: Download, name: str) -> None:
        """Show a download under the name that its file will have."""
        download.name = name
        self.registry.touch(download)

    def use_mirror(self, download: Download, url: str) -> None:
        """Go on with another URL for the same bytes, and say so."""
        old, download.origin = download.origin, origin_of(url)
        download.url = url
        self.notice(download, Notice(NoticeCode.MIRROR_CHANGED, (old, url)))

    def headers_for(self, download: Download, url: str) -> tuple[tuple[str, str], ...]:
        """Request headers for ``url``: what is secret stays with its origin.

        A list (or a Metalink file) names mirrors at will; logins given for the first
        URL must not go to the others.
        """
        request = download.request
        if url is request.mirrors[0] or origin_of(url) == origin_of(request.url):
            return self.session.headers_for(url, request.headers, is_named=True)
        # What no list names as a mirror stands beside the file it belongs to.
        is_named = url not in request.mirrors
        return self.session.headers_for(url, (), is_named=is_named)
