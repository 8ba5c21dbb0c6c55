"""One browser and one migrated app for all of a file's tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.end_to_end.app import App, make_migrated_app
from tests.end_to_end.browser import ChatPage, chromium

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """The migrated app, switched to streaming and built; the model that it asks is there, its relay is not."""
    app = make_migrated_app(tmp_path_factory.mktemp("end-to-end"))
    app.switch("streaming")
    app.build()
    with app.model():
        yield app


@pytest.fixture(scope="module")
def url(app: App) -> Iterator[str]:
    """Where the streaming app runs."""
    with app.running() as port:
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def open_chat(browser: Browser) -> Iterator[Callable[[str], ChatPage]]:
    """Opens an address in a window of its own, with nothing that another has stored."""
    contexts = []

    def open_chat(url: str) -> ChatPage:
        contexts.append(browser.new_context())
        return ChatPage(contexts[-1], url)

    yield open_chat
    for context in contexts:
        context.close()
