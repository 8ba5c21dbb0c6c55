"""From a base URL and a room to addresses, and what is no base URL."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay_server.client.address import relay_address, room_address
from relay_server.errors import UsageError
from relay_server.protocol import decode_cursors


@pytest.mark.parametrize(
    ("base_url", "url"),
    [
        ("http://127.0.0.1:1999", "http://127.0.0.1:1999"),
        ("  https://Relay.Example.com/ ", "https://relay.example.com"),
        ("ws://localhost:80", "http://localhost"),
        ("wss://relay.example.com:443", "https://relay.example.com"),
        ("HTTPS://relay.example.com:8443", "https://relay.example.com:8443"),
        ("http://[::1]:1999", "http://[::1]:1999"),
        ("https://bücher.example", "https://xn--bcher-kva.example"),
    ],
)
def test_a_base_url_is_read(base_url: str, url: str) -> None:
    assert relay_address(base_url).url == url


def test_one_base_url_gives_all_addresses() -> None:
    """Whatever its scheme: publishing is HTTP, reading is a WebSocket, both as secure as it says."""
    for scheme in ("https", "wss"):
        room = room_address(f"{scheme}://r.example.com:1", "lobby")
        assert room.publish_url == "https://r.example.com:1/parties/main/lobby"
        assert room.subscribe_url() == "wss://r.example.com:1/parties/main/lobby"
        assert room.relay.health_url == "https://r.example.com:1/health"
    assert room_address("ws://r.example.com", "lobby").subscribe_url() == "ws://r.example.com/parties/main/lobby"


@given(st.dictionaries(st.from_regex(r"\A[A-Za-z0-9_][A-Za-z0-9._~:-]{0,30}\Z"), st.integers(0, 2**53 - 1), max_size=5))
def test_the_relay_reads_the_cursors_that_were_meant(cursors: dict[str, int]) -> None:
    query = room_address("http://127.0.0.1", "lobby").subscribe_url(cursors).partition("?")[2]
    assert decode_cursors(query) == cursors


@pytest.mark.parametrize(
    "base_url",
    [
        "",
        "relay.example.com",
        "localhost:1999",
        "ftp://relay.example.com",
        "https://",
        "https://:1999",
        "https://relay.example.com:port",
        "https://relay.example.com:99999",
        "https://relay.example.com/parties/main/lobby",
        "https://relay.example.com/?room=lobby",
        "https://relay.example.com/#lobby",
        "https://relay example.com",
        "https://[::1",
        "https://relay..example.com\u00e9",
    ],
)
def test_what_is_no_base_url_is_refused(base_url: str) -> None:
    with pytest.raises(UsageError) as caught:
        relay_address(base_url)
    assert caught.value.code == "bad_relay_url"
    assert "://" in caught.value.next_step


@pytest.mark.parametrize(
    "base_url", ["https://me:hunter2@relay.example.com", "me:hunter2@relay.example.com", "https://r.example/?k=hunter2"]
)
def test_a_password_in_a_url_is_refused_and_not_shown(base_url: str) -> None:
    with pytest.raises(UsageError) as caught:
        relay_address(base_url)
    assert "hunter2" not in caught.value.message + caught.value.next_step


def test_a_url_without_a_scheme_is_completed_in_the_advice() -> None:
    for text, advice in (("localhost:1999", "http://localhost:1999"), ("r.example.com/x", "https://r.example.com")):
        with pytest.raises(UsageError) as caught:
            relay_address(text)
        assert caught.value.next_step == f"write it as {advice}"


@pytest.mark.parametrize("room", ["", ".hidden", "two words", "a/b", "caf\u00e9", "x" * 129])
def test_a_bad_room_is_refused(room: str) -> None:
    with pytest.raises(UsageError) as caught:
        room_address("http://127.0.0.1", room)
    assert caught.value.code == "bad_room"


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.9.9.9", "[::1]", "app.localhost"])
def test_this_machine_is_known_as_such(host: str) -> None:
    assert relay_address(f"http://{host}:1999").is_loopback
    assert not relay_address("https://relay.example.com").is_loopback
