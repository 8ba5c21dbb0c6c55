"""Does a relay do what the protocol says, from here, now? Six steps in a room that nobody else can know."""

from __future__ import annotations

import asyncio
import secrets
import ssl
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import datetime
from time import perf_counter
from typing import TYPE_CHECKING

import httpx
import msgspec

from relay_server.client.address import RelayAddress, relay_address
from relay_server.client.failures import (
    connection_failure,
    describe_body,
    http_failure,
    not_a_relay,
    one_line,
    read_refusal,
    tls_context,
)
from relay_server.client.publisher import Publisher, PublisherSettings
from relay_server.client.subscriber import Event, FrameReceived, Hello, Subscriber, SubscriberSettings
from relay_server.errors import ChatopsError, CheckFailed, Denied, Unreachable
from relay_server.protocol import PROTOCOL_VERSION

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

STEPS = {
    "health": "/health answers as a relay of this protocol version does",
    "subscribe": "a WebSocket on a room is greeted",
    "publish": "a stream is acknowledged",
    "echo": "the subscriber gets that stream, in order",
    "refuses_no_secret": "publishing without the secret is refused",
    "refuses_wrong_secret": "publishing with a wrong secret is refused",
}

_MAX_ANSWER_BYTES = 64 * 1024

# Refused for its form by a relay that does not ask for the secret first, so that this check leaves nothing behind.
_NOTHING = b'{"frames":[]}'


@dataclass(frozen=True, slots=True)
class Check:
    """One step. `ok` None: not checked, and `detail` says why. `ms` is how long it took, None if it did not run."""

    name: str
    ok: bool | None
    ms: float | None
    detail: str

    def as_json(self) -> dict[str, object]:
        return {"name": self.name, "ok": self.ok, "ms": self.ms, "detail": self.detail}


@dataclass(slots=True)
class HealthReport:
    """What was found: `checks` always holds every step of STEPS, in order; `error` is the first failure, `started`
    in local time."""

    url: str
    started: datetime
    server: str | None = None
    protocol: int | None = None
    build: str | None = None
    checks: list[Check] = field(default_factory=list)
    error: ChatopsError | None = None

    @property
    def ok(self) -> bool:
        return self.error is None

    @property
    def ms(self) -> float:
        return round(sum(check.ms or 0.0 for check in self.checks), 1)

    @property
    def unchecked(self) -> list[str]:
        return [check.name for check in self.checks if check.ok is None]

    def as_json(self) -> dict[str, object]:
        """The `--json` output apart from `ok` and `error`."""
        return {
            "url": self.url,
            "time": self.started.isoformat(timespec="milliseconds"),
            "server": self.server,
            "protocol": self.protocol,
            "build": self.build,
            "checks": [check.as_json() for check in self.checks],
        }


class _HealthForm(msgspec.Struct):
    ok: bool
    protocol: int
    server: str
    build: str
    secret_configured: bool


async def check_health(
    base_url: str,
    secret: str | None = None,
    *,
    timeout_s: float = 10.0,
    on_step: Callable[[str], None] = lambda _name: None,
) -> HealthReport:
    """Check the relay at `base_url`; each step may take `timeout_s`. `on_step` hears the name of each before it runs.

    Without a secret nothing can be published, so those steps are not checked. What fails is in the report; raised is
    only UsageError, for a URL or a secret that cannot be.
    """
    run = _Run(relay_address(base_url), timeout_s, on_step)
    room = f"health-{secrets.token_hex(16)}"
    publisher = None
    if secret is not None:
        publisher = Publisher(base_url, room, room, secret, PublisherSettings(retry_for_s=timeout_s / 2))
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(_http(run.relay, timeout_s))
        await run.step("health", run.look(http))
        if run.is_relay:
            settings = SubscriberSettings(open_timeout_s=timeout_s, hello_timeout_s=timeout_s, reconnect_for_s=0)
            subscriber = await stack.enter_async_context(Subscriber(base_url, room, settings=settings))
            events = subscriber.events()
            subscribed = await run.step("subscribe", run.greet(events, room))
            if publisher is None:
                run.skip("no secret was given", "publish", "echo")
            else:
                token = secrets.token_hex(8)
                published = await run.step("publish", run.publish(publisher, token))
                if subscribed and published:
                    await run.step("echo", run.read_back(events, token))
            publish_url = run.relay.room(room).publish_url
            await run.step("refuses_no_secret", run.be_refused(http, publish_url, None))
            await run.step("refuses_wrong_secret", run.be_refused(http, publish_url, secrets.token_hex(16)))
    run.skip("a step before it failed", *STEPS)
    run.report.checks.sort(key=lambda check: list(STEPS).index(check.name))
    return run.report


def _http(relay: RelayAddress, timeout_s: float) -> httpx.AsyncClient:
    context = tls_context() if relay.secure else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    return httpx.AsyncClient(timeout=timeout_s, verify=context, trust_env=not relay.is_loopback)


class _Run:
    def __init__(self, relay: RelayAddress, timeout_s: float, on_step: Callable[[str], None]) -> None:
        self.relay = relay
        self.report = HealthReport(relay.url, datetime.now().astimezone())
        self.is_relay = False
        self._timeout_s = timeout_s
        self._on_step = on_step
        self._published_at = 0.0

    async def step(self, name: str, work: Awaitable[str]) -> bool:
        """Run one step; `work` gives the detail to show."""
        self._on_step(name)
        error: ChatopsError | None = None
        detail = ""
        began = perf_counter()
        try:
            async with asyncio.timeout(self._timeout_s):
                detail = await work
        except TimeoutError as late:
            error = connection_failure(self.relay, late)
        except ChatopsError as failure:
            error = failure
        ms = round((perf_counter() - began) * 1000, 1)
        self.report.checks.append(Check(name, error is None, ms, error.message if error else detail))
        self.report.error = self.report.error or error
        return error is None

    def skip(self, why: str, *names: str) -> None:
        done = {check.name for check in self.report.checks}
        self.report.checks += [Check(name, None, None, f"not checked: {why}") for name in names if name not in done]

    async def look(self, http: httpx.AsyncClient) -> str:
        status, headers, body = await self._send(http, "GET", self.relay.health_url)
        if status != 200:
            raise http_failure(self.relay, status, headers, body)
        try:
            health = msgspec.json.decode(body, type=_HealthForm)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            raise not_a_relay(self.relay, describe_body(headers.get("content-type", ""), body)) from None
        report = self.report
        report.server, report.build = one_line(health.server, 40), one_line(health.build, 80)
        report.protocol = health.protocol
        if health.protocol != PROTOCOL_VERSION:
            raise Unreachable(
                f"the relay at {self.relay.url} speaks protocol {health.protocol}, this client {PROTOCOL_VERSION}",
                next_step="bring chatops and the relay to the same version",
                code="protocol_mismatch",
            )
        self.is_relay = True
        if not health.secret_configured:
            raise Denied(
                f"the relay at {self.relay.url} has no secret, so it lets nobody publish",
                next_step="set RELAY_SECRET where the relay runs and start it again",
                code="no_secret",
            )
        return f"{report.server}, build {report.build}, protocol {report.protocol}"

    async def greet(self, events: AsyncIterator[Event], room: str) -> str:
        hello = await anext(events)
        if not isinstance(hello, Hello) or hello.room != room:
            raise not_a_relay(self.relay, "a greeting from another room")
        if hello.streams:
            raise CheckFailed(
                f"a room that nobody has used holds {len(hello.streams)} streams at {self.relay.url}",
                next_step="make sure that every room of the relay is its own",
                code="rooms_mixed",
            )
        return "hello"

    async def publish(self, publisher: Publisher, token: str) -> str:
        self._published_at = perf_counter()
        async with publisher:
            await publisher.send("start", {"health": token})
            await publisher.send("end")
        return f"2 frames acknowledged in {publisher.posts} request{'s' if publisher.posts > 1 else ''}"

    async def read_back(self, events: AsyncIterator[Event], token: str) -> str:
        due = [(0, "start"), (1, "end")]
        async for event in events:
            if not isinstance(event, FrameReceived):
                raise self._wrong_echo(f"{type(event).__name__} came")
            seq, kind = due.pop(0)
            if (event.seq, event.kind) != (seq, kind):
                raise self._wrong_echo(f"frame {event.seq} ({event.kind}) came where {seq} ({kind}) was due")
            if kind == "start" and event.data != {"health": token}:
                raise self._wrong_echo("the data of frame 0 is not what was published")
            if not due:
                return f"2 frames, the last {(event.arrived - self._published_at) * 1000:.1f} ms after publishing began"
        raise self._wrong_echo("the connection was closed")

    async def be_refused(self, http: httpx.AsyncClient, url: str, wrong_secret: str | None) -> str:
        headers = {"Authorization": f"Bearer {wrong_secret}"} if wrong_secret else {}
        status, answer_headers, body = await self._send(http, "POST", url, headers, _NOTHING)
        refusal = read_refusal(body)
        if refusal is not None and (status, refusal.code) in {(401, "unauthorized"), (503, "no_secret")}:
            return f"{status} {refusal.code}"
        if status == 200 or (refusal is not None and status == 400):
            raise CheckFailed(
                f"the relay at {self.relay.url} lets publish without the right secret ({status})",
                next_step="take the relay down until it asks for RELAY_SECRET",
                code="open_relay",
            )
        raise http_failure(self.relay, status, answer_headers, body)

    def _wrong_echo(self, what: str) -> CheckFailed:
        return CheckFailed(
            f"the relay at {self.relay.url} acknowledged a stream and did not send it on as it was: {what}",
            next_step="look at the relay's log",
            code="wrong_echo",
        )

    async def _send(
        self, http: httpx.AsyncClient, method: str, url: str, headers: dict[str, str] | None = None, body: bytes = b""
    ) -> tuple[int, httpx.Headers, bytes]:
        """Status, headers and the first part of the body."""
        received = b""
        try:
            async with http.stream(method, url, headers=headers, content=body or None) as answer:
                async for chunk in answer.aiter_bytes():
                    received += chunk
                    if len(received) > _MAX_ANSWER_BYTES:
                        break
        except httpx.TransportError as error:
            raise connection_failure(self.relay, error) from None
        except httpx.HTTPError as error:
            raise not_a_relay(self.relay, f"what is not HTTP ({type(error).__name__})") from None
        return answer.status_code, answer.headers, received
