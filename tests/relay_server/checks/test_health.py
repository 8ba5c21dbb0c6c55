"""The health check, against a real relay, against none, and over a network that changes what the relay says."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest

from relay_server.checks.health import STEPS, HealthReport, check_health
from relay_server.errors import ChatopsError, CheckFailed, Denied, Unreachable, UsageError
from tests.servers import ALL_SERVERS, SECRET, running_relay
from tests.strangers import answering, http_answer, tampering

if TYPE_CHECKING:
    from pathlib import Path

    from tests.servers import RunningRelay, ServerName

HTML = http_answer("200 OK", "text/html", b"<!doctype html><title>A site</title>")


def outcome(report: HealthReport) -> dict[str, bool | None]:
    assert [check.name for check in report.checks] == list(STEPS)
    return {check.name: check.ok for check in report.checks}


def check_stranger(answer: bytes, timeout_s: float = 5.0) -> HealthReport:
    with answering(answer) as url:
        return asyncio.run(check_health(url, SECRET, timeout_s=timeout_s))


def check_tampered(relay: RunningRelay, old: bytes, new: bytes) -> HealthReport:
    with tampering(relay.port, old, new) as url:
        return asyncio.run(check_health(url, SECRET))


def test_a_relay_that_is_well(bundled_relay: RunningRelay) -> None:
    steps: list[str] = []
    report = asyncio.run(check_health(bundled_relay.url, SECRET, on_step=steps.append))
    assert outcome(report) == dict.fromkeys(STEPS, True)
    assert steps == list(STEPS)
    assert report.ok
    assert report.error is None
    assert (report.server, report.protocol, report.build) == ("bundled", 1, bundled_relay.build)
    assert all(check.ms is not None and check.ms >= 0 and check.detail for check in report.checks)


@pytest.mark.parametrize("name", ALL_SERVERS)
def test_every_relay_server_is_well(name: ServerName, tmp_path: Path) -> None:
    with running_relay(name, tmp_path) as relay:
        report = asyncio.run(check_health(relay.url, SECRET))
    assert outcome(report) == dict.fromkeys(STEPS, True), report.error
    assert (report.server, report.build) == (name, relay.build)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["partykit", "partyserver"])
def test_a_deployed_relay_without_a_secret_is_not_well(name: ServerName, tmp_path: Path) -> None:
    with running_relay(name, tmp_path, secret=None) as relay:
        report = asyncio.run(check_health(relay.url, SECRET))
    assert report.error is not None
    assert report.error.code == "no_secret"
    assert outcome(report) == dict.fromkeys(STEPS, True) | {"health": False, "publish": False, "echo": None}


def test_the_report_is_json(bundled_relay: RunningRelay) -> None:
    report = asyncio.run(check_health(bundled_relay.url, SECRET))
    value = json.loads(json.dumps(report.as_json()))
    assert list(value) == ["url", "time", "server", "protocol", "build", "checks"]
    assert [set(check) for check in value["checks"]] == [{"name", "ok", "ms", "detail"}] * len(STEPS)
    assert SECRET not in json.dumps(value)


def test_without_a_secret_what_needs_it_is_not_checked_and_the_rest_decides(bundled_relay: RunningRelay) -> None:
    report = asyncio.run(check_health(bundled_relay.url))
    assert report.ok
    assert report.unchecked == ["publish", "echo"]
    assert outcome(report) == dict.fromkeys(STEPS, True) | {"publish": None, "echo": None}
    assert [check.detail for check in report.checks if check.ok is None] == ["not checked: no secret was given"] * 2


def test_a_wrong_secret_is_denied_and_the_rest_is_checked_all_the_same(bundled_relay: RunningRelay) -> None:
    report = asyncio.run(check_health(bundled_relay.url, "wrong"))
    assert isinstance(report.error, Denied)
    assert outcome(report) == dict.fromkeys(STEPS, True) | {"publish": False, "echo": None}


def test_a_relay_without_a_secret_is_not_well(tmp_path: Path) -> None:
    with running_relay("bundled", tmp_path, secret=None) as relay:
        report = asyncio.run(check_health(relay.url))
    assert isinstance(report.error, Denied)
    assert report.error.code == "no_secret"
    assert outcome(report) == dict.fromkeys(STEPS, True) | {"health": False, "publish": None, "echo": None}


def test_nothing_listens() -> None:
    report = asyncio.run(check_health("http://127.0.0.1:1", SECRET))
    assert isinstance(report.error, Unreachable)
    assert report.error.code == "connection_refused"
    assert outcome(report) == dict.fromkeys(STEPS) | {"health": False}
    assert (report.server, report.protocol, report.build) == (None, None, None)


@pytest.mark.parametrize(
    ("answer", "error", "message"),
    [
        (HTML, Unreachable, "HTML"),
        (http_answer("200 OK", "application/json", b'{"status":"up"}'), Unreachable, "JSON"),
        (http_answer("200 OK", "text/plain", b"\xff" * 200_000), Unreachable, "is this a relay?"),
        (http_answer("404 Not Found", "text/html", b"<html>no"), Unreachable, "404"),
        (http_answer("302 Found", "text/html", b"", "Location: https://login.example/x?t=1"), Unreachable, "redirect"),
        (http_answer("401 Unauthorized", "text/html", b"<html>sign in"), Denied, "sign-in"),
        (http_answer("502 Bad Gateway", "text/html", b"<html>"), Unreachable, "502"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", Unreachable, ""),
    ],
)
def test_something_else_answers(answer: bytes, error: type[ChatopsError], message: str) -> None:
    report = check_stranger(answer)
    assert type(report.error) is error
    assert message in report.error.message
    assert "\n" not in report.error.message
    assert outcome(report) == dict.fromkeys(STEPS) | {"health": False}


def test_something_never_answers() -> None:
    report = check_stranger(b"", timeout_s=0.1)
    assert isinstance(report.error, Unreachable)
    assert report.error.code == "timeout"


def test_another_protocol_version(bundled_relay: RunningRelay) -> None:
    report = check_tampered(bundled_relay, b'"protocol":1', b'"protocol":9')
    assert isinstance(report.error, Unreachable)
    assert report.error.code == "protocol_mismatch"
    assert report.protocol == 9


def test_a_relay_that_lets_everybody_publish(bundled_relay: RunningRelay) -> None:
    report = check_tampered(bundled_relay, b"HTTP/1.1 401 ", b"HTTP/1.1 200 ")
    assert isinstance(report.error, CheckFailed)
    assert report.error.code == "open_relay"
    assert outcome(report) == dict.fromkeys(STEPS, True) | {"refuses_no_secret": False, "refuses_wrong_secret": False}


def test_a_relay_that_looks_at_the_body_before_the_secret(bundled_relay: RunningRelay) -> None:
    report = check_tampered(bundled_relay, b"HTTP/1.1 401 ", b"HTTP/1.1 400 ")
    assert report.error is not None
    assert report.error.code == "open_relay"


@pytest.mark.parametrize(
    ("old", "new"),
    [(b'"seq":1,', b'"seq":7,'), (b'"kind":"start"', b'"kind":"error"'), (b'"health":', b'"wealth":')],
    ids=["number", "kind", "data"],
)
def test_an_echo_that_is_not_what_was_published(old: bytes, new: bytes, bundled_relay: RunningRelay) -> None:
    report = check_tampered(bundled_relay, old, new)
    assert isinstance(report.error, CheckFailed)
    assert report.error.code == "wrong_echo"
    assert outcome(report) == dict.fromkeys(STEPS, True) | {"echo": False}


def test_a_greeting_from_another_room(bundled_relay: RunningRelay) -> None:
    report = check_tampered(bundled_relay, b'"room":"health-', b'"room":"wealth-')
    assert isinstance(report.error, Unreachable)
    assert outcome(report) == dict.fromkeys(STEPS, True) | {"subscribe": False, "echo": None}


@pytest.mark.parametrize(("url", "secret"), [("127.0.0.1:80", SECRET), ("http://127.0.0.1:1", "two\nlines")])
def test_what_cannot_be_is_refused_before_anything_is_sent(url: str, secret: str) -> None:
    with pytest.raises(UsageError):
        asyncio.run(check_health(url, secret))
