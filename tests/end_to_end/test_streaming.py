"""The first user's app after `chatops migrate up`, in Chromium: how replies arrive, and what may go wrong meanwhile."""

from __future__ import annotations

import json
import re
import shutil
from itertools import pairwise
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from relay_server.model import expected_text
from tests.apps.t3 import commit_all, copy_app
from tests.apps.toolchain import run_well
from tests.end_to_end.app import SECRET, App, chatops, free_port, get
from tests.end_to_end.line import line
from tests.end_to_end.model import streaming, text, tool_call
from tests.servers import kill_group

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.end_to_end.browser import ChatPage

    OpenChat = Callable[[str], ChatPage]

# The first test waits for npm, the migrations and a build.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

MESSAGE = "Is the lamp lit tonight?"
REPLY = expected_text([{"role": "user", "content": MESSAGE}])
WHOLE = [f"user: {MESSAGE}", f"model: {REPLY}"]


def replies(shown: list[list[str]]) -> list[str]:
    """The reply as it stood on the page each time, given that every list of turns was the question and a reply."""
    assert all(len(turns) == 2 and turns[0] == WHOLE[0] for turns in shown), shown
    return [turns[1].removeprefix("model: ") for turns in shown]


def assert_grew(texts: list[str], whole: str = REPLY) -> None:
    """Each text begins with the one before, the last is the whole, and there were five or more until then."""
    assert texts[-1] == whole
    for before, after in pairwise(texts):
        assert after.startswith(before)
        assert len(after) > len(before)
    assert len(texts) > 5


def assert_came_once(chat: ChatPage) -> None:
    """The question and the whole reply are on the page, and nothing else."""
    chat.wait_until_done()
    assert chat.turns() == WHOLE
    assert replies(chat.shown())[-1] == REPLY
    assert chat.errors == []


def test_types_and_lint_of_the_app_pass(app: App) -> None:
    """The app's own compiler and its own Biome, over all that the migrations have written too."""
    run_well("npm", "run", "typecheck", cwd=app.folder)
    run_well("npm", "run", "check", cwd=app.folder)


def test_the_secret_is_in_nothing_that_the_browser_gets(app: App) -> None:
    """The relay's public address is there, so what a build writes into the bundle would be found."""
    bundle = app.bundle
    assert any(f"127.0.0.1:{app.relay_port}".encode() in data for data in bundle.values())
    for path, data in bundle.items():
        assert SECRET.encode() not in data, path
        assert b"RELAY_SECRET" not in data, path


@pytest.mark.parametrize("relay", ["bundled", "partykit"])
def test_a_reply_grows_on_the_page(relay: str, app: App, url: str, open_chat: OpenChat) -> None:
    """Over the bundled relay, and over the app's own party/server.ts in `partykit dev`."""
    with app.bundled() if relay == "bundled" else app.partykit():
        chat = open_chat(url)
        chat.screenshot(f"{relay}-1-before")
        chat.ask(MESSAGE)
        chat.wait_for_growth(10)
        chat.screenshot(f"{relay}-2-growing")
        assert_came_once(chat)
        chat.screenshot(f"{relay}-3-whole")
        assert chat.complaints == []
    assert_grew(replies(chat.shown()))
    assert [socket.url.split("?")[0].rpartition("/")[0] for socket in chat.sockets] == [
        f"ws://127.0.0.1:{app.relay_port}/parties/main"
    ]


def test_a_second_message_follows_the_first(app: App, url: str, open_chat: OpenChat) -> None:
    """Its history goes to the model, its reply goes below, and the first stays as it was."""
    with app.bundled():
        chat = open_chat(url)
        chat.ask(MESSAGE)
        assert_came_once(chat)
        with chat.page.expect_request("**/chat.sendMessageStream") as asked:
            chat.ask("And tomorrow?")
        chat.wait_for_turns(4)
        chat.wait_until_done()
        assert chat.complaints == []
    sent = json.loads(asked.value.post_data or "")["json"]
    assert [turn["parts"][0]["text"] for turn in sent["history"]] == [MESSAGE, REPLY]
    second = expected_text([{"role": "user", "content": "And tomorrow?"}])
    assert chat.turns() == [*WHOLE, "user: And tomorrow?", f"model: {second}"]


def test_what_is_no_text_reaches_the_components_own_handler(app: App, open_chat: OpenChat) -> None:
    """A call of the lamp's tool becomes the event that the component imports a function for, and is not shown."""
    deltas = [text("Let there "), text("be light."), *tool_call("set_lamp", '{"lamp": "bea', 'con", "brightness": 80}')]
    with streaming(deltas) as model, app.bundled(), app.running(OPENAI_BASE_URL=model) as port:
        chat = open_chat(f"http://127.0.0.1:{port}")
        chat.page.evaluate("addEventListener('lighthouse:light', (event) => { window.light = event.detail; })")
        chat.ask(MESSAGE)
        light = chat.page.wait_for_function("window.light").json_value()
        chat.wait_until_done()
        assert chat.turns() == [WHOLE[0], "model: Let there be light."]
        assert chat.complaints == []
    assert light["name"] == "set_lamp"
    assert light["parameters"] == {"lamp": "beacon", "brightness": 80}


def test_two_windows_in_a_shared_room_see_the_reply_grow(app: App, url: str, open_chat: OpenChat) -> None:
    """And the window that only reads sees it to its end although the one that asked has gone."""
    address = f"{url}/lab?room=shared-{uuid4().hex}"
    with app.bundled():
        asking, reading = open_chat(address), open_chat(address)
        asking.ask(MESSAGE)
        asking.wait_for_growth()
        reading.wait_for_growth()
        reading.screenshot("shared-room-2-reading")
        asking.page.close()
        reading.wait_for_status("complete")
        assert reading.complaints == []
    shown = reading.shown("feed")
    assert all(len(turns) == 1 for turns in shown)
    assert_grew([turns[0] for turns in shown], WHOLE[1])
    assert reading.turns() == []


def test_a_network_that_stands_still_in_mid_reply(app: App, url: str, open_chat: OpenChat) -> None:
    """The browser is offline as Chromium plays it: connections stay and carry nothing. The whole reply, once."""
    with app.bundled():
        chat = open_chat(url)
        chat.ask(MESSAGE)
        chat.wait_for_growth()
        chat.context.set_offline(True)
        chat.page.wait_for_timeout(300)
        at_first = chat.turns()
        chat.page.wait_for_timeout(700)
        assert chat.turns() == at_first
        chat.context.set_offline(False)
        assert_came_once(chat)
    assert len(at_first[1]) < len(WHOLE[1])


def test_a_network_that_was_cut_in_mid_reply(app: App, open_chat: OpenChat) -> None:
    """Every connection of the page breaks, and none comes about for a while. The whole reply, once."""
    relay_port = free_port()
    with (
        app.bundled(relay_port),
        app.running(RELAY_URL=f"http://127.0.0.1:{relay_port}") as app_port,
        line(relay_port, app.relay_port) as line_to_relay,
        line(app_port) as line_to_app,
    ):
        chat = open_chat(f"http://127.0.0.1:{line_to_app.port}")
        chat.ask(MESSAGE)
        chat.wait_for_growth()
        line_to_relay.cut()
        line_to_app.cut()
        chat.page.wait_for_timeout(1000)
        at_the_cut = chat.turns()
        chat.screenshot("network-cut")
        line_to_relay.mend()
        line_to_app.mend()
        assert_came_once(chat)
    assert len(at_the_cut[1]) < len(WHOLE[1])
    assert_grew(replies(chat.shown()))
    assert len(chat.sockets) > 1


def test_a_reload_in_mid_reply_reads_on(app: App, url: str, open_chat: OpenChat) -> None:
    """The question is on the page again, and the reply was asked for once."""
    with app.bundled():
        chat = open_chat(f"{url}/lab?room=reload-{uuid4().hex}")
        asked = chat.count_requests("chat.sendMessage")
        chat.ask(MESSAGE)
        chat.wait_for_growth()
        chat.page.reload()
        assert_came_once(chat)
        assert chat.complaints == []
    assert asked() == 1


def test_stop_ends_the_reply(app: App, url: str, open_chat: OpenChat) -> None:
    """What has come of it stays, and the relay has a terminal frame."""
    room = f"stop-{uuid4().hex}"
    with app.bundled():
        chat = open_chat(f"{url}/lab?room={room}")
        chat.ask(MESSAGE)
        chat.wait_for_growth()
        chat.page.get_by_role("button", name="Stop").click()
        chat.wait_until_done()
        assert chat.complaints == []
        state = json.loads(get(app.relay_port, f"/parties/main/{room}") or b"")
    question, reply = chat.turns()
    assert question == WHOLE[0]
    assert WHOLE[1].startswith(reply)
    assert len("model: ") < len(reply) < len(WHOLE[1])
    assert [stream["finished"] for stream in state["streams"]] == [True]


def test_a_relay_that_dies_in_mid_reply(app: App, url: str, open_chat: OpenChat) -> None:
    """The text still comes to its end, once."""
    with app.bundled() as relay:
        chat = open_chat(url)
        chat.ask(MESSAGE)
        chat.wait_for_growth()
        kill_group(relay)
        assert_came_once(chat)
    assert_grew(replies(chat.shown()))


def test_a_relay_that_is_not_there(url: str, open_chat: OpenChat) -> None:
    """The reply comes over HTTP, and grows there too."""
    chat = open_chat(url)
    chat.ask(MESSAGE)
    assert_came_once(chat)
    assert_grew(replies(chat.shown()))


def test_one_piece_and_streaming_again(app: App, open_chat: OpenChat, tmp_path: Path) -> None:
    """`chatops mode send-message`: the same page answers in one piece, with no WebSocket; then back again."""
    copy_app(app.folder, tmp_path / "app")
    switched = App(tmp_path / "app", app.relay_port, app.model_port)
    streaming = switched.sources
    switched.switch("send-message")
    switched.build()
    with app.bundled(), switched.running() as port:
        chat = open_chat(f"http://127.0.0.1:{port}")
        chat.ask(MESSAGE)
        assert_came_once(chat)
        chat.screenshot("send-message")
        assert replies(chat.shown()) == [REPLY]
        assert chat.sockets == []
        assert chat.complaints == []

    switched.switch("streaming")
    assert switched.sources == streaming  # so its build is the one that there is
    shutil.rmtree(switched.folder / ".next")
    copy_app(app.folder / ".next", switched.folder / ".next")
    with app.bundled(), switched.running() as port:
        chat = open_chat(f"http://127.0.0.1:{port}")
        chat.ask(MESSAGE)
        assert_came_once(chat)
        assert_grew(replies(chat.shown()))
        assert len(chat.sockets) == 1
        assert chat.complaints == []


def test_without_the_old_server_the_page_streams(app: App, open_chat: OpenChat, tmp_path: Path) -> None:
    """`chatops cleanup-legacy` after a stream test: nothing of the server is left, types and lint pass, a new build
    streams; `--undo` brings every byte back.
    """
    copy_app(app.folder, tmp_path / "app")
    cleaned = App(tmp_path / "app", app.relay_port, app.model_port)
    commit_all(cleaned.folder, "The lab")
    before = cleaned.sources
    with app.bundled():
        relay = f"http://127.0.0.1:{app.relay_port}"
        chatops(cleaned.folder, "stream-test", "lobby", "--relay", relay, "--rate", "0", secret=SECRET)
        done = chatops(cleaned.folder, "cleanup-legacy", timeout_s=300)
        assert done["applied"] is True
        assert done["refused"] is None
        assert {piece["action"] for piece in done["pieces"]} <= {"remove", "rewrite"}

        manifest = json.loads((cleaned.folder / "package.json").read_text())
        assert {"ws", "@types/ws"}.isdisjoint({**manifest["dependencies"], **manifest["devDependencies"]})
        assert not (cleaned.folder / "node_modules" / "@types" / "ws").exists()
        texts = {path: data for path, (_, data) in cleaned.sources.items() if path != "package-lock.json"}
        for path, data in texts.items():
            assert not re.search(
                rb"ws-server|createWSClient|wsLink|applyWSSHandler|WS_URL|@types/ws|from \"ws\"", data
            ), path
        run_well("npm", "run", "typecheck", cwd=cleaned.folder)
        run_well("npm", "run", "check", cwd=cleaned.folder)

        again = chatops(cleaned.folder, "cleanup-legacy")
        assert (again["applied"], again["pieces"]) == (False, [])

        cleaned.build()
        with cleaned.running() as port:
            chat = open_chat(f"http://127.0.0.1:{port}")
            chat.ask(MESSAGE)
            chat.wait_for_growth()
            chat.screenshot("after-the-cleanup")
            assert_came_once(chat)
            assert_grew(replies(chat.shown()))
            assert chat.complaints == []

    chatops(cleaned.folder, "cleanup-legacy", "--undo", timeout_s=300)
    assert cleaned.sources == before
