"""What is refused and how: secrets, bodies, paths, methods, cursors, CORS, health (PROTOCOL.md, "Errors", "Look")."""

from __future__ import annotations

import http.client
import json
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from relay_server import protocol
from tests.conformance.harness import (
    CORS,
    DEADLINE_S,
    Publisher,
    Subscriber,
    ask,
    ask_on,
    assert_answered,
    assert_refused,
    encode,
    frame,
    look,
    read_answer,
    refused_upgrade,
    reply,
    room_path,
)

if TYPE_CHECKING:
    from tests.conformance.harness import Answer
    from tests.servers import RunningRelay

WIRE = json.loads((Path(protocol.__file__).parent / "vectors" / "wire.json").read_text())

BODY = encode({"frames": [frame("s", 0)]})


def authorized(relay: RunningRelay) -> dict[str, str]:
    return {"Authorization": f"Bearer {relay.secret}"}


# The secret.


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Bearer wrong",
        "Bearer {secret}x",
        "Bearer {secret_cut}",
        "Bearer {secret_upper}",
        "Basic {secret}",
        "Bearer{secret}",
        "{secret}",
        "Bearer s\xe9cret",
    ],
)
def test_wrong_secret(relay: RunningRelay, room: str, authorization: str | None) -> None:
    """A missing, empty or wrong secret, or one under another scheme, is refused and the room stays untouched."""
    assert relay.secret is not None
    forms = {"secret": relay.secret, "secret_cut": relay.secret[:-1], "secret_upper": relay.secret.upper()}
    headers = {} if authorization is None else {"Authorization": authorization.format(**forms)}
    answer = ask(relay, "POST", room_path(room), BODY, headers)
    assert_refused(answer, 401, "unauthorized")
    assert relay.secret.encode() not in answer.body
    assert look(relay, room)["streams"] == []


@pytest.mark.parametrize("form", ["Bearer {}", "bearer {}", "BEARER {}", "Bearer  {} "])
def test_scheme_in_any_case(relay: RunningRelay, room: str, form: str) -> None:
    """The scheme's letter case and the space around the secret mean nothing, as RFC 9110 has it."""
    headers = {"Authorization": form.format(relay.secret)}
    assert assert_answered(ask(relay, "POST", room_path(room), BODY, headers))["next"] == {"s": 1}


def test_reading_needs_no_secret(relay: RunningRelay, room: str) -> None:
    """Who knows a room's id reads it, and a wrong secret does not keep anybody from it."""
    with Publisher(relay, room) as publisher:
        publisher.publish(frame("s", 0))
    with Subscriber(relay, room) as subscriber:
        subscriber.hello()
        assert subscriber.next() == frame("s", 0)
    answer = ask(relay, "GET", room_path(room), headers={"Authorization": "Bearer wrong"})
    assert assert_answered(answer)["frames"] == 1


# The form of a body. The bounds on its size are in test_limits.py, with all the recorded bodies.


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"hello",
        b"[]",
        b'{"frames":[]}',
        b'{"frames":{}}',
        b'{"frames":[{"stream":"s","seq":0,"kind":"stop"}]}',
        b'{"frames":[{"stream":"s","seq":"0","kind":"data"}]}',
        b'{"frames":[{"stream":"a b","seq":0,"kind":"data"}]}',
        rb'{"frames":[{"stream":"s","seq":0,"kind":"data","data":"\ud83d"}]}',
        b'{"frames":[{"stream":"s","seq":0,"kind":"data","data":"\xff\xfe"}]}',
    ],
)
def test_malformed_body(relay: RunningRelay, room: str, body: bytes) -> None:
    """A body that is no publish request is refused with a reason, and the connection goes on."""
    with Publisher(relay, room) as publisher:
        assert_refused(publisher.post_body(body), 400, "bad_request")
        assert look(relay, room)["streams"] == []
        assert publisher.publish(frame("s", 0))["next"] == {"s": 1}


def test_content_type_means_nothing(relay: RunningRelay, room: str) -> None:
    """The body is JSON whatever the request calls it."""
    for seq, content_type in enumerate(["text/plain", "application/x-www-form-urlencoded", "nonsense", ""]):
        body = encode({"frames": [frame("s", seq)]})
        answer = ask(relay, "POST", room_path(room), body, {**authorized(relay), "Content-Type": content_type})
        assert assert_answered(answer)["next"] == {"s": seq + 1}


def test_body_in_chunks(relay: RunningRelay, room: str) -> None:
    """A body of unknown length is one like others."""
    with Publisher(relay, room) as publisher:
        body = encode({"frames": reply("s", 10)})
        answer = publisher.post_body(body[at : at + 50] for at in range(0, len(body), 50))
        assert assert_answered(answer)["next"] == {"s": 10}


@pytest.mark.parametrize("depth", [50, 100])
def test_nested_data(relay: RunningRelay, room: str, depth: int) -> None:
    """Data nested up to 100 levels deep is taken."""
    body = b'{"frames":[{"stream":"s","seq":0,"kind":"data","data":%b1%b}]}' % (b"[" * depth, b"]" * depth)
    with Publisher(relay, room) as publisher:
        assert assert_answered(publisher.post_body(body))["next"] == {"s": 1}


@pytest.mark.parametrize("depth", [10_000, 500_000])
def test_data_nested_very_deeply(relay: RunningRelay, room: str, depth: int) -> None:
    """Data nested deeper than any parser's stack is taken or refused, and the relay lives on."""
    body = b'{"frames":[{"stream":"s","seq":0,"kind":"data","data":%b1%b}]}' % (b"[" * depth, b"]" * depth)
    with Publisher(relay, room) as publisher:
        answer = publisher.post_body(body)
        assert answer.status == 200 or answer.json["error"]["code"] in ("bad_request", "too_large")
        assert publisher.publish(frame("t", 0))["next"] == {"t": 1}


# Paths.


def assert_no_room(relay: RunningRelay, path: str, answer: Answer, *codes: str) -> None:
    """`answer` refuses a path that is no room's, with one of these codes."""
    if relay.name == "partykit" and path.startswith("/parties/") and not path.startswith("/parties/main"):
        assert answer.status in (404, 500), "PartyKit itself answers for other parties"
    else:
        code = answer.json["error"]["code"]
        assert code in codes
        assert_refused(answer, 400 if code == "bad_room" else 404, code)


@pytest.mark.parametrize("row", [row for row in WIRE["paths"] if "refused" in row], ids=lambda row: row["path"][:40])
def test_path_that_is_no_room(relay: RunningRelay, row: dict[str, str]) -> None:
    """The recorded bad paths are refused to publishers, to who looks and to subscribers."""
    path, refused = row["path"], row["refused"]
    if path == "/parties/main/%2e%2e" and relay.name != "bundled":
        refused = "not_found"  # the platform has normalised it to /parties/
    assert_no_room(relay, path, ask(relay, "POST", path, BODY, authorized(relay)), refused)
    assert_no_room(relay, path, ask(relay, "GET", path), refused)
    assert_no_room(relay, path, refused_upgrade(relay, path), refused)


@pytest.mark.parametrize(
    "path",
    [
        "/parties/main/..",
        "/parties/main/../main/lobby/..",
        "/parties/main/./",
        "/parties/main/lobby%2f..",
        "/parties/main/%00",
        "/parties/main/a%0d%0ab",
        "/parties/main/%ff",
        "/parties/main/a;b",
        "/parties/main/a\\b",
        "/parties/main/" + "r" * 129,
        "/parties/main/" + "r" * 4000,
        "/parties/main/" + "%41" * 100,
        "//parties/main/lobby",
        "/parties/constructor/lobby",
        "/parties/__proto__/lobby",
        "/parties/Main/lobby",
        "/Parties/main/lobby",
        "/parties/main/lobby/health",
        "/health/",
        "/health/lobby",
        "/HEALTH",
        "/lobby",
        "/cdn-cgi/lobby",
        "/.env",
    ],
    ids=lambda path: path[:40],
)
def test_path_tricks(relay: RunningRelay, path: str) -> None:
    """Nothing but a room's plain address is a room; what is refused is a 400 or a 404, never a failure."""
    assert_no_room(relay, path, ask(relay, "POST", path, BODY, authorized(relay)), "bad_room", "not_found")
    assert_no_room(relay, path, ask(relay, "GET", path), "bad_room", "not_found")
    assert_no_room(relay, path, refused_upgrade(relay, path), "bad_room", "not_found")


def test_query_of_a_publish_means_nothing(relay: RunningRelay, room: str) -> None:
    """Only an upgrade has cursors."""
    answer = ask(relay, "POST", f"{room_path(room)}?from=nonsense&x=/parties/main/y", BODY, authorized(relay))
    assert assert_answered(answer)["next"] == {"s": 1}
    assert assert_answered(ask(relay, "GET", f"{room_path(room)}?from=nonsense"))["frames"] == 1


# Cursors.


@pytest.mark.parametrize(
    "row", [row for row in WIRE["cursors"] if "refused" in row], ids=lambda row: ascii(row["query"])
)
def test_bad_cursor(relay: RunningRelay, room: str, row: dict[str, str]) -> None:
    """An upgrade with an unreadable cursor is refused, one good cursor beside it or not."""
    query = row["query"].replace("\u0663", "%D9%A3")
    assert_refused(refused_upgrade(relay, room_path(room), query), 400, "bad_cursor")
    assert_refused(refused_upgrade(relay, room_path(room), f"from=s:1&{query}&_pk=1"), 400, "bad_cursor")
    assert look(relay, room)["subscribers"] == 0


# The order of the checks: path, room id, method, secret, size, form, state.

CHECKS = {
    "path": ("/parties/main/lobby/below", 404, "not_found"),
    "room": ("/parties/main/-", 400, "bad_room"),
}


@pytest.mark.parametrize("method", ["POST", "PUT"])
@pytest.mark.parametrize(("path", "status", "code"), CHECKS.values(), ids=list(CHECKS))
def test_path_comes_before_method_and_secret(
    relay: RunningRelay, path: str, status: int, code: str, method: str
) -> None:
    """A bad address is refused as such, whatever else is wrong."""
    assert_refused(ask(relay, method, path, b"not JSON"), status, code)


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH"])
def test_other_methods(relay: RunningRelay, room: str, method: str) -> None:
    """A room takes GET, HEAD, POST and OPTIONS, and says so before it looks at the secret or the body."""
    assert_refused(ask(relay, method, room_path(room), b"not JSON"), 405, "method_not_allowed")
    assert_refused(ask(relay, method, "/health"), 405, "method_not_allowed")


def test_publish_to_health(relay: RunningRelay) -> None:
    """Health is for looking only."""
    assert_refused(ask(relay, "POST", "/health", BODY, authorized(relay)), 405, "method_not_allowed")


def test_secret_comes_before_the_body(relay: RunningRelay, room: str) -> None:
    """Who is not let in does not learn what is wrong with the body, not even that it is too large."""
    for body in (b"not JSON", b"x" * ((1 << 20) + 1), (b"x" * (1 << 18) for _ in range(5))):
        answer = ask(relay, "POST", room_path(room), body, {"Authorization": "Bearer wrong"})
        assert_refused(answer, 401, "unauthorized")


def test_form_comes_before_state(relay: RunningRelay, room: str) -> None:
    """A request with a gap and a malformed frame is malformed."""
    with Publisher(relay, room) as publisher:
        assert_refused(publisher.post(frame("s", 5), frame("s", 6, "stop")), 400, "bad_request")


# Looking, and what browsers ask.


def test_look_at_a_room(relay: RunningRelay, room: str) -> None:
    """GET tells the state of a room: who reads, how much it holds, its streams as in hello."""
    frames = [*reply("s", 3), frame("t", 0, data="é")]
    with Publisher(relay, room) as publisher:
        publisher.publish(*frames)
    with Subscriber(relay, room) as subscriber:
        streams = subscriber.hello()["streams"]
        seen = look(relay, room)
    assert list(seen) == ["room", "protocol", "subscribers", "frames", "bytes", "streams"]
    assert seen == {
        "room": room,
        "protocol": 1,
        "subscribers": 1,
        "frames": 4,
        "bytes": sum(len(encode(one)) for one in frames),
        "streams": streams,
    }
    assert [stream["next"] for stream in streams] == [3, 1]


def test_look_at_an_unused_room(relay: RunningRelay, room: str) -> None:
    """A room that nobody has used is an empty one, and looking does not change that."""
    empty = {"room": room, "protocol": 1, "subscribers": 0, "frames": 0, "bytes": 0, "streams": []}
    assert look(relay, room) == empty
    assert look(relay, room) == empty


def test_health(relay: RunningRelay) -> None:
    """Health tells which server and which build answers, which a deploy waits for."""
    health = assert_answered(ask(relay, "GET", "/health"))
    assert list(health) == ["ok", "protocol", "server", "build", "secret_configured"]
    assert health == {
        "ok": True,
        "protocol": 1,
        "server": relay.name,
        "build": relay.build,
        "secret_configured": True,
    }
    assert assert_answered(ask(relay, "GET", "/health?x=1")) == health


@pytest.mark.parametrize("path", ["/health", "/parties/main/lobby", "/parties/main/-", "/nowhere"])
def test_head(relay: RunningRelay, path: str) -> None:
    """HEAD is answered like GET, without the body, and the connection goes on."""
    connection = http.client.HTTPConnection(relay.host, relay.port, timeout=DEADLINE_S)
    for _ in range(2):
        head, get = ask_on(connection, "HEAD", path), ask_on(connection, "GET", path)
        assert (head.status, head.headers["Content-Type"], head.body) == (get.status, "application/json", b"")
        assert head.headers[CORS] == "*"
    connection.close()


@pytest.mark.parametrize("path", ["/health", "/parties/main/lobby"])
def test_preflight(relay: RunningRelay, path: str) -> None:
    """A browser's question before a request from another origin is answered without a secret."""
    asked = {
        "Origin": "https://app.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type",
    }
    answer = ask(relay, "OPTIONS", path, headers=asked)
    assert (answer.status, answer.body) == (204, b"")
    assert {name: answer.headers[name] for name in answer.headers if name.startswith("Access-Control-")} == {
        CORS: "*",
        "Access-Control-Allow-Methods": "GET, POST, OPTIONS",
        "Access-Control-Allow-Headers": "authorization, content-type",
        "Access-Control-Max-Age": "86400",
    }


def test_preflight_of_a_bad_address(relay: RunningRelay) -> None:
    """The path and the room id come before the method for OPTIONS too."""
    assert_refused(ask(relay, "OPTIONS", "/parties/main/-"), 400, "bad_room")
    assert_refused(ask(relay, "OPTIONS", "/nowhere"), 404, "not_found")


def test_origin_means_nothing(relay: RunningRelay, room: str) -> None:
    """Any page may read a room whose id it knows."""
    answer = ask(relay, "GET", room_path(room), headers={"Origin": "https://elsewhere.example"})
    assert assert_answered(answer)["room"] == room


@pytest.mark.parametrize("version", ["7", "14"])
def test_upgrade_of_another_version(relay: RunningRelay, room: str, version: str) -> None:
    """A handshake that is none of RFC 6455's is refused, not taken."""
    with socket.create_connection((relay.host, relay.port), timeout=DEADLINE_S) as connection:
        connection.sendall(
            f"GET {room_path(room)} HTTP/1.1\r\nHost: relay\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            f"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: {version}\r\n\r\n".encode()
        )
        with connection.makefile("rb") as file:
            assert read_answer(file).status in (400, 426)
