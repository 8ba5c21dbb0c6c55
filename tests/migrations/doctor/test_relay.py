"""The checks of the relay, against real ones."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING

import pytest

from migrations.doctor.relay import check_addresses, check_relay, judge_clock
from tests.migrations.doctor.situations import situation
from tests.servers import SECRET, running_relay
from tests.strangers import answering, http_answer

if TYPE_CHECKING:
    from pathlib import Path

    from migrations.doctor import Finding, Situation
    from tests.servers import RunningRelay

NOBODY = "http://127.0.0.1:1"


def found(made: Situation) -> dict[str, Finding]:
    return {finding.name: finding for finding in check_relay(made)}


def host(url: str, more: str = "") -> dict[str, str | None]:
    return {".env": f"NEXT_PUBLIC_RELAY_HOST={url}\n{more}"}


def states(findings: dict[str, Finding]) -> dict[str, bool | None]:
    return {name: finding.ok for name, finding in findings.items()}


def test_a_relay_that_is_well_and_takes_our_secret(bundled_relay: RunningRelay) -> None:
    findings = found(situation(host(bundled_relay.url), relay_url=bundled_relay.url, secret=SECRET))
    assert states(findings) == {"relay": True, "relay secret": True, "relay address": True, "clock": True}
    assert f"build {bundled_relay.build}" in findings["relay"].detail
    assert SECRET not in repr(findings)


def test_the_secret_of_the_apps_env_is_used_where_no_other_is_known(bundled_relay: RunningRelay) -> None:
    made = situation(host(bundled_relay.url, f"RELAY_SECRET={SECRET}\n"), relay_url=bundled_relay.url)
    assert found(made)["relay secret"].ok is True


def test_a_relay_whose_secret_is_not_known_here_or_is_another(bundled_relay: RunningRelay) -> None:
    unknown = found(situation(relay_url=bundled_relay.url))
    assert (unknown["relay"].ok, unknown["relay secret"].ok) == (True, None)
    wrong = found(situation(relay_url=bundled_relay.url, secret="wrong-secret-of-ours"))
    assert (wrong["relay"].ok, wrong["relay secret"].ok) == (True, False)
    assert "wrong-secret-of-ours" not in repr(wrong)


def test_a_relay_without_a_secret(tmp_path: Path) -> None:
    with running_relay("bundled", tmp_path, secret=None) as relay:
        findings = found(situation(relay_url=relay.url, secret=SECRET, timeout_s=30.0))
    assert (findings["relay"].ok, findings["relay secret"].ok) == (True, False)
    assert "has no secret" in findings["relay secret"].detail


def test_nothing_there_or_something_else() -> None:
    nobody = found(situation(relay_url=NOBODY, secret=SECRET))
    assert states(nobody) == {"relay": False, "relay secret": None, "relay address": None, "clock": True}
    with answering(http_answer("200 OK", "text/html", b"<!doctype html><h1>Hello")) as url:
        page = found(situation(relay_url=url, secret=SECRET))
    assert page["relay"].ok is False
    assert "HTML" in page["relay"].detail


def test_a_relay_that_never_answers_is_given_up_in_time() -> None:
    with answering(b"") as url:
        silent = found(situation(relay_url=url, secret=SECRET, timeout_s=0.2))
    assert silent["relay"].ok is False


def test_no_relay_yet_and_an_address_that_cannot_be_one() -> None:
    none = found(situation())
    assert states(none) == {"relay": None, "relay secret": None, "relay address": None, "clock": None}
    assert none["relay"].mend == "chatops deploy"
    wrong = found(situation(relay_url="ftp://relay.example.com"))
    assert wrong["relay"].ok is False


def test_the_relay_that_the_app_uses_here_is_looked_at_too(bundled_relay: RunningRelay) -> None:
    files = host("127.0.0.1:1")
    idle = found(situation(files, relay_url=bundled_relay.url, secret=SECRET))
    assert (idle["relay"].ok, idle["relay of the app"].ok, idle["relay address"].ok) == (True, None, True)
    streaming: dict[str, str | None] = {".env": (files[".env"] or "") + "NEXT_PUBLIC_CHAT_MODE=streaming\n"}
    failing = found(situation(streaming, relay_url=bundled_relay.url, secret=SECRET))
    assert failing["relay of the app"].ok is False
    assert "dev:relay" in failing["relay of the app"].mend
    fine = host(bundled_relay.url, f"RELAY_SECRET={SECRET}\n")
    assert found(situation(fine, relay_url=NOBODY))["relay of the app"].ok is True


def test_an_env_that_names_another_relay_than_the_configuration() -> None:
    apart = check_addresses(situation(host("old.example.com"), relay_url="https://new.example.com"))
    assert apart.ok is False
    assert apart.detail == ".env has old.example.com, relay.url in partyconfig.toml https://new.example.com"
    same = check_addresses(situation(host("new.example.com"), relay_url="https://new.example.com/"))
    assert same.ok is True
    here = check_addresses(situation(host("127.0.0.1:1999"), relay_url="https://new.example.com"))
    assert here.ok is True
    assert check_addresses(situation(relay_url="https://new.example.com")).ok is None


# --- the clock

NOW = datetime(2026, 5, 4, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "ok", "said"),
    [(1, True, "1 s apart"), (-29, True, "29 s"), (90, False, "90 s ahead of"), (-3600, False, "3600 s behind")],
)
def test_a_clock_against_the_relays_date(seconds: int, ok: bool, said: str) -> None:
    judged = judge_clock(format_datetime(NOW, usegmt=True), NOW + timedelta(seconds=seconds))
    assert judged.ok is ok
    assert said in judged.detail


def test_no_date_or_one_that_cannot_be_read() -> None:
    assert judge_clock(None, NOW).ok is None
    assert judge_clock("yesterday", NOW).ok is None


def test_the_date_is_taken_from_the_relays_own_answer() -> None:
    late = format_datetime(datetime.now(UTC) - timedelta(hours=2), usegmt=True)
    with answering(http_answer("200 OK", "application/json", b"", f"Date: {late}")) as url:
        # An address of this machine that is not known as such.
        findings = found(situation(relay_url=url.replace("127.0.0.1", "0.0.0.0"), timeout_s=30.0))
    assert findings["clock"].ok is False
    assert "ahead of" in findings["clock"].detail


def test_a_relay_that_cannot_be_asked_for_the_time() -> None:
    findings = found(situation(relay_url="http://0.0.0.0:1", timeout_s=30.0))
    assert findings["clock"].ok is None
    assert "nothing listens there" in findings["clock"].detail
