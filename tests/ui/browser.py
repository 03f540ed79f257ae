"""The dashboard in a real browser: ``python -m tests.ui.browser DIR``.

Serves the demo with ``textual-serve``, opens it in headless Chromium, presses keys and
clicks there, reads the output and saves pictures. Not part of the check; it needs
``pip install textual-serve playwright`` in the interpreter that runs it, and a Chromium
(``--chromium PATH``). ``--python PATH`` names the interpreter that has fetchtui.
"""

from __future__ import annotations

import argparse
import re
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from playwright.sync_api import sync_playwright

from tests.ui.grid import Grid

if TYPE_CHECKING:
    from playwright.sync_api import Page, WebSocket

_SERVE = "from textual_serve.server import Server; Server({!r}, port={}).serve()"


class Browser:
    """A page with the dashboard, and the output of its terminal."""

    def __init__(self, page: Page, folder: Path) -> None:
        self._page = page
        self._folder = folder
        self.grid = Grid(400, 200)
        self.received = 0
        self._columns = self._rows = 1
        page.on("websocket", self._listen)

    def _listen(self, socket: WebSocket) -> None:
        socket.on("framereceived", self._take)
        size = re.search(r"width=(\d+)&height=(\d+)", socket.url)
        assert size is not None
        self._columns, self._rows = map(int, size.groups())

    def _take(self, frame: str | bytes) -> None:
        self.received += len(frame)
        if isinstance(frame, bytes):
            self.grid.feed(frame.decode("utf-8", "replace"))

    def press(self, *keys: str) -> None:
        """Press keys, one after the other."""
        for key in keys:
            self._page.keyboard.press(key)
            self._page.wait_for_timeout(300)

    def until(self, text: str, seconds: float = 20.0) -> float:
        """Wait until a text is on the screen; return the milliseconds it took."""
        start = time.monotonic()
        while not any(text in line for line in self.grid.lines):
            if time.monotonic() - start > seconds:
                raise SystemExit(f"not shown in {seconds:.0f} s: {text}")
            self._page.wait_for_timeout(20)
        return (time.monotonic() - start) * 1000

    def click(self, text: str) -> None:
        """Click on a text on the screen, as the browser's terminal lays it out."""
        y, line = next((y, li) for y, li in enumerate(self.grid.lines) if text in li)
        box = self._page.locator(".xterm-screen").bounding_box()
        assert box is not None
        x = (line.index(text) + len(text) / 2) * box["width"] / self._columns
        self._page.mouse.click(
            box["x"] + x, box["y"] + (y + 0.5) * box["height"] / self._rows
        )

    def picture(self, name: str) -> None:
        """Save a screenshot of the browser."""
        self._page.wait_for_timeout(400)
        self._page.screenshot(path=str(self._folder / f"browser-{name}.png"))


def drive(browser: Browser) -> None:
    """Use the dashboard; each step prints how long it took."""
    print(f"first picture after {browser.until('fetchtui'):.0f} ms")
    browser.until("active")
    browser.click("fetchtui")  # focuses the terminal of the page
    browser.picture("list")
    browser.press("j", "x")
    print(f"x cancels: {browser.until('Cancelled'):.0f} ms")
    browser.press("u")
    print(f"u undoes: {browser.until('Undid'):.0f} ms")
    browser.click("[+]")
    print(f"a click on [+] sets concurrency 9: {browser.until('/9 [-]'):.0f} ms")
    browser.press("?")
    print(f"? opens help: {browser.until('type to search'):.0f} ms")
    browser.picture("help")
    browser.press("Escape", "5")
    browser.until("404 not found")
    browser.picture("failed")
    browser.press("1", "z")
    browser.press("Escape", "Control+p")
    print(f"ctrl+p opens the palette: {browser.until('Action, or'):.0f} ms")
    browser.press("Escape")
    print(f"received {browser.received / 1000:.0f} kB")


def main() -> None:
    """Serve the demo, use it in a browser, and clean up."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--chromium", default=shutil.which("chromium"))
    parser.add_argument("--python", default=sys.executable)
    chosen = parser.parse_args()
    chosen.folder.mkdir(parents=True, exist_ok=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = f"{chosen.python} -m tui --demo"
    server = subprocess.Popen(
        [sys.executable, "-c", _SERVE.format(command, port)], stdout=subprocess.DEVNULL
    )
    try:
        with sync_playwright() as playwright:
            chromium = playwright.chromium.launch(
                executable_path=chosen.chromium, args=["--no-sandbox"]
            )
            page = chromium.new_page(viewport={"width": 1200, "height": 720})
            browser = Browser(page, chosen.folder)
            for _ in range(50):
                try:
                    page.goto(f"http://localhost:{port}")
                    break
                except Exception:  # not started yet
                    time.sleep(0.2)
            drive(browser)
            chromium.close()
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    main()
