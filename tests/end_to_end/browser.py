"""Chromium, and what a test reads off a page while a reply arrives."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from playwright.sync_api import expect, sync_playwright

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, WebSocket

ARTIFACTS = Path(__file__).parent.parent.parent / "artifacts"

_NAMES = ("chromium", "chromium-browser", "google-chrome")
# As root there is no sandbox; the others keep it from talking to anybody but the pages under test.
_FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
)  # fmt: skip
_PATIENCE_MS = 20_000

# Every text that the page's chat has shown, in the order of its changes, from before the page's first script.
_OBSERVER = """
window.shownTexts = [];
new MutationObserver(() => {
  for (const [name, selector] of [["log", "[role=log]"], ["feed", "[role=feed]"]]) {
    const turns = [...document.querySelectorAll(`${selector} > p`)].map((p) => p.textContent).filter(Boolean);
    const last = window.shownTexts.findLast((shown) => shown.name === name);
    if (JSON.stringify(turns) !== JSON.stringify(last?.turns ?? [])) window.shownTexts.push({ name, turns });
  }
}).observe(document, { subtree: true, childList: true, characterData: true });
"""


@contextmanager
def chromium() -> Iterator[Browser]:
    """Debian's Chromium, or another that is installed. Raises RuntimeError if there is none."""
    found = next(filter(None, map(shutil.which, _NAMES)), None)
    if found is None:
        raise RuntimeError(f"none of {', '.join(_NAMES)} is on PATH; on Debian: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=list(_FLAGS))
        try:
            yield browser
        finally:
            browser.close()


class ChatPage:
    """A window with a chat in it: the app's own or the lab's."""

    def __init__(self, context: BrowserContext, url: str) -> None:
        self.errors: list[str] = []  # thrown and not caught
        self.complaints: list[str] = []  # these, and what is red in the console: a lost connection is, too
        self.sockets: list[WebSocket] = []
        self.context = context
        self.page: Page = context.new_page()
        self.page.set_default_timeout(_PATIENCE_MS)
        self.page.add_init_script(_OBSERVER)
        self.page.on("console", self._listen)
        self.page.on("pageerror", self._take_error)
        self.page.on("websocket", lambda socket: self.sockets.append(socket))
        self.page.goto(url)
        expect(self.page.get_by_placeholder("Message...")).to_be_enabled(timeout=_PATIENCE_MS)

    def _take_error(self, error: object) -> None:
        self.errors.append(str(error))
        self.complaints.append(str(error))

    def _listen(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.complaints.append(message.text)

    def ask(self, message: str) -> None:
        """Type a message and send it."""
        self.page.get_by_placeholder("Message...").fill(message)
        self.page.get_by_role("button", name="Send").click()

    def wait_for_growth(self, steps: int = 3) -> None:
        """Until that many texts of a growing reply have been on the page."""
        self.page.wait_for_function("steps => window.shownTexts.length >= steps", arg=steps)

    def wait_for_turns(self, count: int) -> None:
        """Until the chat has that many turns."""
        expect(self.page.locator("[role=log] > p:not(:empty)")).to_have_count(count, timeout=_PATIENCE_MS)

    def wait_for_status(self, status: str) -> None:
        """Until the lab says so of a reply that somebody else has asked for."""
        self.page.locator(f"[data-status={status}]").wait_for(timeout=_PATIENCE_MS)

    def wait_until_done(self) -> None:
        """Until the reply is there and the page takes the next message."""
        self.page.wait_for_function("window.shownTexts.length > 0")
        expect(self.page.get_by_role("button", name="Send")).to_be_enabled(timeout=_PATIENCE_MS)

    def count_requests(self, procedure: str) -> Callable[[], int]:
        """From now on; gives the number of requests whose path holds this."""
        seen: list[str] = []
        self.page.on("request", lambda request: seen.append(request.url) if procedure in request.url else None)
        return lambda: len(seen)

    def shown(self, name: str = "log") -> list[list[str]]:
        """Every list of turns that was on the page, each unlike the one before."""
        shown: list[dict[str, Any]] = self.page.evaluate("window.shownTexts")
        return [entry["turns"] for entry in shown if entry["name"] == name]

    def turns(self, name: str = "log") -> list[str]:
        """The turns that are on the page now: `user: ...`, `model: ...`."""
        turns: list[str] = self.page.locator(f"[role={name}] > p").all_text_contents()
        return [turn for turn in turns if turn]

    def screenshot(self, name: str) -> None:
        ARTIFACTS.mkdir(exist_ok=True)
        self.page.screenshot(path=ARTIFACTS / f"{name}.png")
