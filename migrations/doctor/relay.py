"""The relay as it is reached from here: by the address that is configured, and by the one that the app has."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

import httpx

from migrations.doctor.findings import Finding, bad, bad_for, check, good, unknown
from migrations.mode import HOST_KEY, SECRET_KEY, current_mode, env_value, env_values
from relay_server.checks.health import check_health
from relay_server.client.address import RelayAddress, relay_address, relay_address_of_host
from relay_server.client.failures import connection_cause, tls_context
from relay_server.errors import ChatopsError, UsageError

if TYPE_CHECKING:
    from migrations.doctor.findings import Situation
    from relay_server.checks.health import HealthReport

# The Date header counts whole seconds; sign-in tokens forgive about a minute.
_SKEW = timedelta(seconds=30)
_DEPLOY = "chatops deploy"
_SECOND = "relay of the app"


@dataclass(frozen=True, slots=True)
class Addresses:
    """`configured` is relay.url, `app` what the app's env gives on this machine; None is not set."""

    configured: RelayAddress | None
    app: RelayAddress | None

    @property
    def main(self) -> RelayAddress | None:
        """The one that is looked at from all sides."""
        return self.configured or self.app

    @property
    def second(self) -> RelayAddress | None:
        """The app's own, where it is another."""
        return self.app if self.configured is not None and self.app != self.configured else None


def check_relay(situation: Situation) -> list[Finding]:
    """Every check of this module, those of the network at once."""
    named = check_addresses(situation)
    try:
        addresses = addresses_of(situation)
    except UsageError as error:
        return _not_asked(bad_for(error), named)
    if addresses.main is None:
        return _not_asked(unknown("no relay is known yet", _DEPLOY), named)
    return asyncio.run(_check(situation, addresses, addresses.main, named))


def _not_asked(relay: Finding, named: Finding) -> list[Finding]:
    waiting = unknown("there is no relay to ask")
    return [relay.named("relay"), waiting.named("relay secret"), named, waiting.named("clock")]


def addresses_of(situation: Situation) -> Addresses:
    """Raises UsageError where one cannot be read."""
    host = env_value(situation.view, HOST_KEY)
    return Addresses(
        relay_address(situation.relay_url) if situation.relay_url else None,
        relay_address_of_host(host) if host else None,
    )


@check("relay address")
def check_addresses(situation: Situation) -> Finding:
    """The app's env and relay.url mean the same relay; a relay of this machine may stand in for it here."""
    values = [there for there in env_values(situation.view, HOST_KEY) if there.value]
    if not situation.relay_url or not values:
        missing = "relay.url in partyconfig.toml" if values else HOST_KEY
        return unknown(f"{missing} is not set, so there is nothing to compare")
    configured = relay_address(situation.relay_url)
    others = [there for there in values if relay_address_of_host(there.value) != configured]
    far = [there for there in others if not relay_address_of_host(there.value).is_loopback]
    if far:
        said = f"{far[0].file} has {far[0].value}, relay.url in partyconfig.toml {configured.url}"
        return bad(said, f"chatops mode {current_mode(situation.view)} --relay with the right one, or set relay.url")
    if others:
        return good(f"{configured.url}; {others[0].file} has one on this machine")
    return good(configured.url)


async def _check(situation: Situation, addresses: Addresses, main: RelayAddress, named: Finding) -> list[Finding]:
    app_secret = env_value(situation.view, SECRET_KEY) or None
    looks = [_health(main, situation.secret or app_secret, situation.timeout_s)]
    if addresses.second is not None:
        looks.append(_health(addresses.second, app_secret, situation.timeout_s))
    clock, reports = await asyncio.gather(_clock(main, situation.timeout_s), asyncio.gather(*looks))
    of_app = (
        [_of_second(situation, addresses.second, reports[1]).named(_SECOND)] if addresses.second is not None else []
    )
    relay, secret = _of_report(reports[0])
    return [relay.named("relay"), secret.named("relay secret"), named, *of_app, clock.named("clock")]


async def _health(relay: RelayAddress, secret: str | None, timeout_s: float) -> HealthReport | ChatopsError:
    try:
        return await check_health(relay.url, secret, timeout_s=timeout_s)
    except UsageError as error:  # a secret that cannot be sent
        return error


def _of_report(report: HealthReport | ChatopsError) -> tuple[Finding, Finding]:
    """What the probe of `chatops health` says about the relay, and about the secret."""
    if isinstance(report, ChatopsError):
        return unknown("it was not asked"), bad_for(report)
    steps = {check.name: check for check in report.checks}
    error = report.error
    mend = error.next_step if error is not None else "chatops health"
    has_none = error is not None and error.code == "no_secret"
    failed = next((step for step in ("health", "subscribe", "echo") if steps[step].ok is False), None)
    if failed is not None and not has_none:
        relay = bad(steps[failed].detail, mend)
    else:
        relay = good(f"{report.url}: {report.server}, build {report.build}, protocol {report.protocol}")
    open_step = next((s for s in ("refuses_no_secret", "refuses_wrong_secret") if steps[s].ok is False), None)
    if has_none and error is not None:
        secret = bad_for(error)
    elif steps["health"].ok is not True:
        secret = unknown("the relay does not answer")
    elif steps["publish"].ok is False:
        secret = bad(steps["publish"].detail, mend)
    elif open_step is not None:
        secret = bad(steps[open_step].detail, mend)
    elif steps["publish"].ok is None:
        why = "the relay has one; whether it is the app's is not known, as none was found here"
        secret = unknown(why, "set RELAY_SECRET, or relay.secret_file in partyconfig.toml")
    else:
        secret = good("the relay takes the one that was found here, and no other")
    return relay, secret


def _of_second(situation: Situation, address: RelayAddress, report: HealthReport | ChatopsError) -> Finding:
    error = report if isinstance(report, ChatopsError) else report.error
    if error is None:
        return good(f"{address.url} is well")
    if address.is_loopback and current_mode(situation.view) != "streaming":
        return unknown(f"{error.message}; the app does not stream now")
    mend = "start it: the script dev:relay, or chatops relay serve" if address.is_loopback else error.next_step
    return bad(error.message, mend)


async def _clock(relay: RelayAddress, timeout_s: float) -> Finding:
    """This machine's clock against the Date that the relay's side writes."""
    if relay.is_loopback:
        return good("the relay is on this machine")
    context = tls_context() if relay.secure else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        async with httpx.AsyncClient(timeout=timeout_s, verify=context) as http:
            before = datetime.now(UTC)
            answer = await http.head(relay.health_url)
            after = datetime.now(UTC)
    except httpx.HTTPError as error:
        return unknown(f"{relay.url} cannot be asked: {connection_cause(error).text}")
    return judge_clock(answer.headers.get("date"), before + (after - before) / 2)


def judge_clock(header: str | None, here: datetime) -> Finding:
    """What a Date header says about the time `here`."""
    try:
        there = parsedate_to_datetime(header or "")
    except ValueError:
        return unknown("the relay's answer has no Date" if header is None else "the relay's Date cannot be read")
    apart = here - (there if there.tzinfo else there.replace(tzinfo=UTC))
    seconds = round(abs(apart).total_seconds())
    if abs(apart) > _SKEW:
        which = "ahead of" if apart > timedelta(0) else "behind"
        said = f"this machine's clock is {seconds} s {which} the relay's: tokens and time limits suffer"
        return bad(said, "set the clock, best by turning on its synchronisation")
    return good(f"{seconds} s apart from the relay's")
