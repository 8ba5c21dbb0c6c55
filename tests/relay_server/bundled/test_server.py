"""The bundled relay as a process: draining, slow readers, metrics, and what it keeps to itself."""

from __future__ import annotations

import json
import resource
import signal
import socket
import ssl
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.servers import SECRET, RunningRelay, running_relay, start_relay

if TYPE_CHECKING:
    from collections.abc import Iterator

AUTHORIZED = {"Authorization": f"Bearer {SECRET}"}
# Given to httpx, which otherwise reads the machine's certificates anew for every request.
TLS = ssl.create_default_context()


@pytest.fixture(scope="module")
def relay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningRelay]:
    folder = tmp_path_factory.mktemp("relay")
    with running_relay("bundled", folder, variables={"RELAY_MODEL": "true"}) as relay:
        yield relay


def room_url(relay: RunningRelay, room: str) -> str:
    return f"{relay.url}/parties/main/{room}"


def socket_url(relay: RunningRelay, room: str) -> str:
    return room_url(relay, room).replace("http", "ws", 1)


def publish(relay: RunningRelay, room: str, *frames: dict[str, object]) -> httpx.Response:
    return httpx.post(room_url(relay, room), headers=AUTHORIZED, json={"frames": frames}, verify=TLS)


def data(seq: int, text: str = "x", stream: str = "s") -> dict[str, object]:
    return {"stream": stream, "seq": seq, "kind": "data", "data": text}


def metric(relay: RunningRelay, name: str) -> float:
    lines = httpx.get(f"{relay.url}/metrics", verify=TLS).text.splitlines()
    return next(float(line.split()[-1]) for line in lines if line.startswith(f"{name} "))


@pytest.mark.slow
def test_sigterm_says_goodbye_and_ends_well(tmp_path: Path) -> None:
    """A subscriber is told to come back, a frame that was acknowledged has been sent, and the exit code is 0."""
    relay = start_relay("bundled", tmp_path)
    try:
        with connect(socket_url(relay, "lobby")) as subscriber:
            assert json.loads(subscriber.recv())["kind"] == "hello"
            for seq in range(50):
                assert publish(relay, "lobby", data(seq)).status_code == 200
            relay.process.send_signal(signal.SIGTERM)
            assert [json.loads(subscriber.recv())["seq"] for _ in range(50)] == list(range(50))
            with pytest.raises(ConnectionClosed) as closed:
                subscriber.recv()
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1001
        assert relay.process.wait(60) == 0
        assert "Traceback" not in (tmp_path / "log").read_text()
    finally:
        relay.kill()


def test_a_reply_of_the_built_in_model_ends_before_the_relay_does(tmp_path: Path) -> None:
    variables = {"RELAY_MODEL": "true", "RELAY_MODEL_RATE": "400"}
    relay = start_relay("bundled", tmp_path, variables=variables)
    try:
        request = {"model": "m", "stream": True, "messages": [{"role": "user", "content": "hello"}]}
        with httpx.stream("POST", f"{relay.url}/v1/chat/completions", json=request) as answer:
            lines = answer.iter_lines()
            next(lines)
            relay.process.send_signal(signal.SIGTERM)
            assert [line for line in lines if line][-1] == "data: [DONE]"
        assert relay.process.wait(60) == 0
    finally:
        relay.kill()


@pytest.mark.slow
def test_a_subscriber_that_stops_reading_is_dropped_and_delays_nobody(relay: RunningRelay) -> None:
    """More than its queue may hold is sent; the other one has all of it, and the stalled one comes back and resumes."""
    dropped = metric(relay, "chatops_relay_slow_subscribers_total")
    path = "/parties/main/slow"
    with socket.socket() as stalled, connect(socket_url(relay, "slow")) as reader:
        stalled.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        stalled.connect(("127.0.0.1", relay.port))
        stalled.sendall(
            f"GET {path} HTTP/1.1\r\nHost: relay\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        assert json.loads(reader.recv())["kind"] == "hello"
        big = "x" * 60_000
        sent = 0
        while metric(relay, "chatops_relay_slow_subscribers_total") == dropped:
            assert sent < 400, "the stalled subscriber was never dropped"
            assert publish(relay, "slow", data(sent, big)).status_code == 200
            assert json.loads(reader.recv(timeout=30))["seq"] == sent
            sent += 1
        state = httpx.get(room_url(relay, "slow")).json()
        assert state["subscribers"] == 1
    with connect(f"{socket_url(relay, 'slow')}?from=s:{state['streams'][0]['first']}") as returned:
        kinds = [json.loads(returned.recv()) for _ in range(1 + sent - state["streams"][0]["first"])]
        assert [frame["seq"] for frame in kinds[1:]] == list(range(state["streams"][0]["first"], sent))


def test_a_stop_counts_that_comes_with_the_close(relay: RunningRelay) -> None:
    """Somebody presses stop and closes the page: both arrive in one packet."""
    assert publish(relay, "leaving", data(0)).status_code == 200
    stop = b'{"kind":"stop","stream":"s"}'
    with socket.create_connection(("127.0.0.1", relay.port)) as leaving:
        leaving.sendall(
            b"GET /parties/main/leaving HTTP/1.1\r\nHost: relay\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
            + bytes([0x81, 0x80 | len(stop), 0, 0, 0, 0])
            + stop
            + bytes([0x88, 0x80, 0, 0, 0, 0])
        )
        while leaving.recv(65536):
            pass
    assert publish(relay, "leaving", data(1)).json()["stop"] == ["s"]


def test_a_subscriber_that_only_asks_and_never_reads_is_dropped(relay: RunningRelay) -> None:
    """Its pongs would pile up without end."""
    with socket.socket() as greedy:
        greedy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        greedy.connect(("127.0.0.1", relay.port))
        greedy.sendall(
            b"GET /parties/main/greedy HTTP/1.1\r\nHost: relay\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        pings = (bytes([0x89, 0x80 | 125, 0, 0, 0, 0]) + bytes(125)) * 400_000
        with pytest.raises(ConnectionError):
            greedy.sendall(pings)


def test_a_refusal_of_head_has_no_body(relay: RunningRelay) -> None:
    """Or the next answer on the connection would begin in its middle."""
    with socket.create_connection(("127.0.0.1", relay.port)) as connection:
        connection.sendall(b"HEAD /nope HTTP/1.1\r\nHost: relay\r\n\r\n")
        connection.sendall(b"GET /health HTTP/1.1\r\nHost: relay\r\nConnection: close\r\n\r\n")
        answers = b""
        while more := connection.recv(65536):
            answers += more
    head, _, rest = answers.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 404")
    assert rest.startswith(b"HTTP/1.1 200")


@pytest.mark.slow
def test_a_damaged_file_is_one_line(tmp_path: Path) -> None:
    with running_relay("bundled", tmp_path) as relay:
        for seq in range(20):
            assert publish(relay, "lobby", data(seq, "x" * 5000)).status_code == 200
    file = tmp_path / "rooms.sqlite"
    kept = bytearray(file.read_bytes())
    kept[4096 * 3 :] = b"\xff" * (len(kept) - 4096 * 3)
    file.write_bytes(kept)
    with pytest.raises(RuntimeError, match=r"rooms\.sqlite is damaged"):
        start_relay("bundled", tmp_path)


@pytest.mark.slow
def test_a_replay_larger_than_the_queue_is_sent_whole(relay: RunningRelay) -> None:
    """What a late joiner has to catch up with is no sign of slowness."""
    big = "x" * 60_000
    for seq in range(100):
        assert publish(relay, "large", data(seq, big)).status_code == 200
    with connect(socket_url(relay, "large"), max_size=None) as reader:
        time.sleep(0.2)  # the relay's queue is full of it while nobody reads
        assert publish(relay, "large", data(100, "live")).status_code == 200
        reader.recv()
        assert [json.loads(reader.recv())["seq"] for _ in range(101)] == list(range(101))


def test_metrics_count_what_was_done(relay: RunningRelay) -> None:
    frames, deliveries = metric(relay, "chatops_relay_frames_total"), metric(relay, "chatops_relay_deliveries_total")
    with connect(socket_url(relay, "counted")) as one, connect(socket_url(relay, "counted")) as two:
        assert one.recv()
        assert two.recv()
        publish(relay, "counted", data(0), data(1))
        publish(relay, "counted", data(1))
        for reader in (one, two):
            assert [json.loads(reader.recv())["seq"] for _ in range(2)] == [0, 1]
        assert metric(relay, "chatops_relay_subscribers") >= 2
    assert metric(relay, "chatops_relay_frames_total") == frames + 2
    assert metric(relay, "chatops_relay_deliveries_total") == deliveries + 4
    answer = httpx.get(f"{relay.url}/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    assert 'chatops_relay_posts_total{status="200"}' in answer.text


@pytest.mark.slow
def test_rooms_that_nobody_uses_are_let_go(relay: RunningRelay) -> None:
    rooms = metric(relay, "chatops_relay_rooms")
    for number in range(20):
        with connect(socket_url(relay, f"empty-{number}")) as reader:
            assert reader.recv()
        assert httpx.get(room_url(relay, f"looked-at-{number}"), verify=TLS).status_code == 200
        assert publish(relay, f"refused-{number}", data(7)).status_code == 409
    deadline = time.monotonic() + 60
    while metric(relay, "chatops_relay_rooms") > rooms and time.monotonic() < deadline:
        time.sleep(0.05)
    assert metric(relay, "chatops_relay_rooms") <= rooms


def test_the_secret_is_in_no_log_no_error_and_no_process_list(tmp_path: Path) -> None:
    with running_relay("bundled", tmp_path) as relay:
        answers = [
            publish(relay, "lobby", data(0)),
            httpx.post(room_url(relay, "lobby"), headers={"Authorization": f"Bearer {SECRET}x"}, json={}),
            httpx.post(room_url(relay, "lobby"), headers={"Authorization": f"Basic {SECRET}"}, json={}),
            httpx.post(room_url(relay, "lobby"), headers=AUTHORIZED, content=b"{"),
            httpx.get(f"{relay.url}/metrics"),
            httpx.get(f"{relay.url}/health"),
        ]
        processes = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.parent.exists()]
    kept = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    said = [answer.content + str(answer.headers).encode() for answer in answers]
    assert not any(SECRET.encode() in text for text in (*said, *processes, *kept))


def test_a_port_that_is_taken_is_one_line(relay: RunningRelay) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "cli", "relay", "serve", "--port", str(relay.port), "--db", "memory"],
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 2
    assert f"cannot listen on 127.0.0.1:{relay.port}" in done.stderr
    assert len(done.stderr.splitlines()) == 2


@pytest.mark.slow
def test_a_limit_that_is_no_number_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="RELAY_IDLE_SECONDS is 'soon'"):
        start_relay("bundled", tmp_path, variables={"RELAY_IDLE_SECONDS": "soon"})


def test_it_ends_with_its_parent_when_asked_to() -> None:
    command = [sys.executable, "-m", "cli", "relay", "serve", "--port", "0", "--db", "memory", "--json"]
    with subprocess.Popen(
        [*command, "--until-stdin-closes"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        assert json.loads(process.stdout.readline())["server"] == "bundled"
        process.stdin.close()
        assert process.wait(60) == 0


@pytest.mark.slow
def test_a_full_disk_refuses_the_frame_and_shows_it_to_nobody(tmp_path: Path) -> None:
    """No file may grow any more: the relay says so, and goes on when there is room."""
    with running_relay("bundled", tmp_path) as relay, connect(socket_url(relay, "lobby")) as reader:
        reader.recv()
        _, hard = resource.prlimit(relay.process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(relay.process.pid, resource.RLIMIT_FSIZE, (500_000, hard))
        sent = 0
        while (answer := publish(relay, "lobby", data(sent, "x" * 50_000))).status_code == 200:
            assert json.loads(reader.recv(timeout=30))["seq"] == sent
            sent += 1
        assert answer.status_code == 503
        assert answer.json()["error"]["code"] == "unavailable"
        with pytest.raises(TimeoutError):
            reader.recv(timeout=0.2)
        state = httpx.get(room_url(relay, "lobby")).json()
        assert state["streams"][0]["next"] == sent > 0
        resource.prlimit(relay.process.pid, resource.RLIMIT_FSIZE, (hard, hard))
        assert publish(relay, "lobby", data(sent, "again")).status_code == 200
        assert json.loads(reader.recv(timeout=30))["data"] == "again"
