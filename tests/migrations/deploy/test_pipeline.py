"""The steps of a deployment in their order, against a real relay and a target that sends nothing anywhere."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from migrations.deploy.history import Deployment, History
from migrations.deploy.live import Pace
from migrations.deploy.pipeline import STEPS, DeploySettings, Pointed, Step, deploy
from migrations.deploy.retry import Retry
from migrations.deploy.target import Passing, Request, Tell, Uploaded
from relay_server.errors import ChatopsError, CheckFailed, Denied

if TYPE_CHECKING:
    from tests.servers import RunningRelay

QUICK = DeploySettings(live_timeout_s=0.2, retry=Retry(3, 0.01, 0.01), pace=Pace(0.02, 0.05))


@dataclass
class Place:
    """A target whose relay runs already; `faults` are raised by the method of that name, one a call."""

    url: str
    sent: dict[Path, bytes] = field(default_factory=lambda: {Path("party/server.ts"): b"relay"})
    faults: dict[str, list[BaseException]] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    name: str = "place"
    remote: bool = True

    def preflight(self, request: Request, tell: Tell) -> str:
        return self._call("preflight")

    def dry_run(self, request: Request, to: Deployment | None = None) -> list[str]:
        return []

    def store_secret(self, request: Request, tell: Tell) -> str:
        return self._call("store_secret")

    def upload(self, request: Request, tell: Tell) -> Uploaded:
        return Uploaded(self.url, self._call("upload"), "version-1", self.sent)

    def way_back(self, app: Path, name: str, preview: str) -> Deployment:
        return History(app).to_go_back_to(self.name, name, preview)

    def rollback(self, request: Request, to: Deployment, tell: Tell) -> Uploaded:
        return Uploaded(self.url, self._call(f"rollback to {to.build}"))

    def abandon(self, request: Request) -> None:
        self._call("abandon")

    def _call(self, name: str) -> str:
        self.calls.append(name)
        for fault in self.faults.get(name, [])[:1]:
            self.faults[name].pop(0)
            raise fault
        return f"{name} is done"


@pytest.fixture
def place(bundled_relay: RunningRelay) -> Place:
    return Place(bundled_relay.url)


@pytest.fixture
def request_(bundled_relay: RunningRelay, tmp_path: Path) -> Request:
    return Request(tmp_path, "chat", bundled_relay.build, secret=bundled_relay.secret or "")


def failed(place: Place, request: Request, settings: DeploySettings = QUICK) -> ChatopsError:
    pointed: list[str] = []

    def point(url: str) -> Pointed:
        pointed.append(url)
        return Pointed("pointed")

    with pytest.raises(ChatopsError) as caught:
        deploy(place, request, settings, point=point)
    assert pointed == []
    report: dict[str, Any] = dict(caught.value.report)
    assert [step["name"] for step in report["steps"]] == list(STEPS)
    assert report["pointed"] is False
    return caught.value


def oks(error: ChatopsError) -> list[bool | None]:
    steps: Any = error.report["steps"]
    return [step["ok"] for step in steps]


def test_the_app_is_pointed_last_and_what_was_sent_is_kept(place: Place, request_: Request) -> None:
    """Each step is told as it ends; the record has the platform's handle, and the upload is there to be sent again."""
    steps: list[Step] = []
    pointed: list[tuple[str, int]] = []

    def point(url: str) -> Pointed:
        pointed.append((url, len(steps)))
        return Pointed(".env", ("a note",))

    report = deploy(place, request_, replace(QUICK, live_timeout_s=20), point=point, on_step=steps.append)
    assert [step.name for step in steps] == list(STEPS)
    assert pointed == [(place.url, 7)]
    assert (report.pointed, report.notes) == (True, ["a note"])
    assert place.calls == ["preflight", "store_secret", "upload"]
    (recorded,) = History(request_.app).all()
    assert (recorded.result, recorded.version, recorded.url) == ("good", "version-1", place.url)
    assert (History(request_.app).kept_upload(request_.build) / "party" / "server.ts").read_bytes() == b"relay"


def test_nothing_is_sent_or_recorded_when_the_first_look_fails(place: Place, request_: Request) -> None:
    place.faults["preflight"] = [Denied("no", next_step="sign in", code="sign_in")]
    error = failed(place, request_)
    assert (type(error), error.message, place.calls) == (Denied, "no", ["preflight"])
    assert oks(error) == [False, *[None] * 7]
    assert not (request_.app / ".chatops").exists()


def test_a_history_that_cannot_be_read_stops_it_before_anything_is_done(place: Place, request_: Request) -> None:
    (request_.app / ".chatops").mkdir()
    (request_.app / ".chatops" / "deployments.json").write_text("{")
    assert failed(place, request_).code == "bad_history"
    assert place.calls == []


def test_passing_faults_are_tried_again_at_the_secret_too(place: Place, request_: Request) -> None:
    place.faults["store_secret"] = [Passing("504", next_step="wait", code="platform_fault")]
    place.faults["upload"] = [Passing("504", next_step="wait", code="platform_fault")] * 3
    error = failed(place, request_)
    assert (error.exit_code, error.message) == (3, "504, in 3 tries")
    assert place.calls == ["preflight", "store_secret", "store_secret", "upload", "upload", "upload"]


def test_after_the_upload_every_fault_is_a_failed_check(place: Place, request_: Request) -> None:
    """Exit code 1, with what was found, the way back, and a record that says the target took it."""
    before = Deployment("b0", "place", "chat", "2026-11-01T10:00:00+00:00", "good", uploaded=True)
    History(request_.app).add(before)
    error = failed(place, replace(request_, secret="another"), replace(QUICK, live_timeout_s=20))
    assert type(error) is CheckFailed
    assert error.code == "unauthorized"
    assert error.message.startswith("the relay was deployed, and the app was not pointed at it: ")
    assert error.next_step.endswith("; `chatops deploy --rollback` brings back the last good one, build b0")
    assert oks(error) == [*[True] * 5, False, None, None]
    _, recorded = History(request_.app).all()
    assert (recorded.result, recorded.uploaded) == ("failed", True)
    assert not History(request_.app).kept_upload(request_.build).exists()


def test_no_way_back_is_promised_where_there_is_none(place: Place, request_: Request) -> None:
    error = failed(place, replace(request_, secret="another"), replace(QUICK, live_timeout_s=20))
    assert "--rollback" not in error.next_step


def test_another_build_at_the_address_is_not_taken_for_this_one(place: Place, request_: Request) -> None:
    error = failed(place, replace(request_, build="another"))
    assert error.code == "old_build"
    assert f"it still serves build {request_.build}" in error.message


@pytest.mark.parametrize("step", STEPS)
def test_ctrl_c_in_any_step_is_recorded_and_ends_what_was_started(place: Place, request_: Request, step: str) -> None:
    """The signal comes when the step begins. What was found good before the app was pointed is known as that."""
    pointed: list[str] = []

    def point(url: str) -> Pointed:
        pointed.append(url)
        return Pointed("pointed")

    def tell(text: str) -> None:
        if text == STEPS[step]:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        deploy(place, request_, replace(QUICK, live_timeout_s=20), point=point, tell=tell)
    assert pointed == []
    expected = {"preflight": [], "point": ["good"]}.get(step, ["interrupted"])
    assert [each.result for each in History(request_.app).all()] == expected
    assert ("abandon" in place.calls) is (step != "preflight")
    assert not list(request_.app.rglob(".coming-*")) + list(request_.app.rglob(".deployments.json-*"))
    assert History(request_.app).kept_upload(request_.build).exists() is (step == "point")


def test_an_error_of_the_disk_is_recorded_by_its_kind_and_goes_on(place: Place, request_: Request) -> None:
    place.faults["upload"] = [OSError(28, "No space left on device")]
    with pytest.raises(OSError, match="No space"):
        deploy(place, request_, QUICK, point="not at all")
    (recorded,) = History(request_.app).all()
    assert (recorded.result, recorded.reason) == ("interrupted", "OSError")


def test_a_rollback_is_waited_for_and_recorded_as_one(place: Place, request_: Request) -> None:
    to = Deployment(request_.build, "place", "chat", "2026-11-01T10:00:00+00:00", "good", uploaded=True)
    settings = replace(QUICK, rollback=to, live_timeout_s=20, verify=False)
    report = deploy(place, request_, settings, point=lambda _url: Pointed("pointed"))
    assert place.calls == ["preflight", "store_secret", f"rollback to {to.build}"]
    assert [step.ok for step in report.steps] == [True] * 5 + [None, None, True]
    assert [each.rollback for each in History(request_.app).all()] == [True]


def test_a_target_that_runs_nothing_is_neither_waited_for_nor_pointed_at(request_: Request) -> None:
    report = deploy(Place(""), request_, QUICK, point=lambda _url: pytest.fail("pointed"))
    assert [step.ok for step in report.steps] == [True] * 4 + [None] * 4
    assert (report.pointed, report.url) == (False, "")


def test_pointing_that_fails_says_so(place: Place, request_: Request) -> None:
    def point(_url: str) -> Pointed:
        raise CheckFailed("the disk is full", next_step="make room", code="disk")

    with pytest.raises(
        CheckFailed, match=r"was deployed, and the app was not pointed at it: the disk is full"
    ) as caught:
        deploy(place, request_, replace(QUICK, live_timeout_s=20, verify=False), point=point)
    assert oks(caught.value) == [*[True] * 5, None, None, False]
    assert History(request_.app).all()[0].uploaded
