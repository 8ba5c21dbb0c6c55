"""Waiting until the relay at an address is the build that was just deployed, and checking that one from outside."""

from __future__ import annotations

import secrets
import ssl
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx
import msgspec

from relay_server.checks.health import check_health
from relay_server.checks.stream_test import StreamTestSettings, stream_test
from relay_server.client.address import relay_address
from relay_server.client.backoff import retry_delays
from relay_server.client.failures import connection_cause, describe_body, one_line, tls_context
from relay_server.errors import CheckFailed
from relay_server.interruptions import run_to_its_end

if TYPE_CHECKING:
    from migrations.deploy.target import Tell
    from relay_server.checks.health import HealthReport
    from relay_server.checks.stream_test import StreamTestResult
    from relay_server.client.address import RelayAddress

_CLIENTS = 3
_RATE = 200.0
_QUIET_S = 15.0


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds between two looks at `/health`, growing from the first to the second, and what one look may take."""

    first_s: float = 0.5
    longest_s: float = 5.0
    look_s: float = 10.0


class _Health(msgspec.Struct):
    build: str


def wait_for_build(url: str, build: str, timeout_s: float, tell: Tell, pace: Pace = Pace()) -> str:
    """Wait until `/health` at `url` gives this build; gives one line on how long that took.

    Whatever else is found (no such host yet, the build before, an error of the platform) may still change, so only the
    time ends the wait. Raises CheckFailed with what was found last.
    """
    relay = relay_address(url)
    began = time.monotonic()
    deadline = began + timeout_s
    waits = retry_delays(pace.first_s, pace.longest_s)
    with httpx.Client(
        trust_env=not relay.is_loopback,
        verify=tls_context() if relay.secure else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
        limits=httpx.Limits(max_keepalive_connections=0),  # a connection that is kept may lead to the build before
    ) as http:
        while True:
            left_s = deadline - time.monotonic()
            found, code = _look(http, relay, build, min(pace.look_s, max(left_s, 0.5)))
            if not found:
                return f"build {build} answered after {time.monotonic() - began:.0f} s"
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                raise CheckFailed(
                    f"after {timeout_s:g} s {relay.url} is not the new build {build}: {found}",
                    next_step=f"look again with `chatops health {relay.url}`; if that is well now, deploy anew with a "
                    "longer --timeout",
                    code=code,
                )
            tell(f"waiting for build {build} at {relay.url}, {left_s:.0f} s more: {found}")
            time.sleep(min(next(waits), left_s))


def _look(http: httpx.Client, relay: RelayAddress, build: str, timeout_s: float) -> tuple[str, str]:
    """What is there that is not the build, with a stable word for it; nothing if it is."""
    try:
        answer = http.get(relay.health_url, timeout=timeout_s)
    except httpx.HTTPError as error:
        return f"it cannot be reached: {connection_cause(error).text}", "never_answered"
    if answer.status_code != 200:
        return f"it answers {answer.status_code}", "never_answered"
    try:
        there = msgspec.json.decode(answer.content, type=_Health).build
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        kind = describe_body(answer.headers.get("content-type", ""), answer.content)
        return f"it answers with {kind}", "not_a_relay"
    return ("", "") if there == build else (f"it still serves build {one_line(there, 80)}", "old_build")


def probe(url: str, secret: str, tell: Tell) -> HealthReport:
    """The probe of `chatops health`. Raises what it found."""
    report = run_to_its_end(check_health(url, secret, on_step=lambda name: tell(f"checking {url}: {name}")))
    if report.error is not None:
        raise report.error
    return report


def small_stream_test(url: str, secret: str, tell: Tell) -> StreamTestResult:
    """A reply of the built-in model through the relay, in a room that nobody else can know. Raises what it found."""
    settings = StreamTestSettings(
        room=f"deploy-{secrets.token_hex(16)}",
        relay_url=url,
        secret=secret,
        clients=_CLIENTS,
        rate=_RATE,
        timeout_s=_QUIET_S,
    )
    streamed = stream_test(settings, lambda progress: tell(f"stream test: {progress.stage or 'streaming'}"))
    return run_to_its_end(streamed)
