"""A deployment from the first look to the app that is pointed at it: the steps in their order, timed and recorded.

Nothing is sent before the preflight is good, and the app is pointed at the new relay only after that one was checked.
"""

from __future__ import annotations

from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from time import perf_counter
from typing import TYPE_CHECKING, Literal

from migrations.deploy import live
from migrations.deploy.history import Deployment, History, now
from migrations.deploy.live import Pace
from migrations.deploy.retry import Retry, retried
from relay_server.errors import ChatopsError, CheckFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from migrations.deploy.target import Request, Target, Tell, Uploaded

STEPS = {
    "preflight": "tools, sign-in and configuration",
    "secret": "the relay's secret at the platform",
    "build": "the build id",
    "upload": "the relay is sent",
    "live": "/health answers with this build",
    "health": "the probe of chatops health",
    "stream_test": "a reply streams through it",
    "point": "the app uses it",
}


@dataclass(frozen=True, slots=True)
class Step:
    """One step. `ok` None: it did not run, and `detail` says why. `ms` is None then."""

    name: str
    ok: bool | None
    ms: float | None
    detail: str

    def as_json(self) -> dict[str, object]:
        return {"name": self.name, "ok": self.ok, "ms": self.ms, "detail": self.detail}


@dataclass(slots=True)
class DeployReport:
    """What was done: after the run `steps` holds every step of STEPS, in order. `url` "" is not known (yet)."""

    target: str
    build: str
    url: str = ""
    steps: list[Step] = field(default_factory=list)
    pointed: bool = False
    notes: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, object]:
        """The `--json` output apart from `ok` and `error`."""
        return {
            "target": self.target,
            "url": self.url or None,
            "build": self.build,
            "steps": [step.as_json() for step in self.steps],
            "pointed": self.pointed,
            "notes": self.notes,
        }


@dataclass(frozen=True, slots=True)
class Pointed:
    """What pointing the app did: one line, and what a person should know."""

    detail: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DeploySettings:
    """How to go about it.

    `url` is where clients reach the relay if that is not where the target says (a proxy in front of it). `rollback`
    is the deployment to go back to, whose build `request.build` then is. `live_timeout_s` is how long the new build may
    take to answer.
    """

    url: str = ""
    verify: bool = True
    rollback: Deployment | None = None
    live_timeout_s: float = 300.0
    retry: Retry = field(default_factory=Retry)
    pace: Pace = field(default_factory=Pace)


def deploy(
    target: Target,
    request: Request,
    settings: DeploySettings,
    *,
    point: Callable[[str], Pointed] | str,
    tell: Tell = lambda _text: None,
    on_step: Callable[[Step], None] = lambda _step: None,
) -> DeployReport:
    """Run every step. `point` is given the new relay's URL and points the app at it, or says why that is not done.

    `on_step` hears of each step that has run. Raises ChatopsError, whose `report` is the JSON form of what was done
    until then: before the upload as it is (nothing went live), after it as CheckFailed. In both cases the app still
    uses what it used, and what was sent is in the app's history. An interruption leaves no process running.
    """
    return _Run(target, request, settings, tell, on_step).run(point)


class _Run:
    def __init__(
        self,
        target: Target,
        request: Request,
        settings: DeploySettings,
        tell: Tell,
        on_step: Callable[[Step], None],
    ) -> None:
        self.target = target
        self.request = request
        self.settings = settings
        self.report = DeployReport(target.name, request.build)
        self._tell = tell
        self._on_step = on_step
        self._began = now()
        self._uploaded: Uploaded | None = None
        self._sending = False

    def run(self, point: Callable[[str], Pointed] | str) -> DeployReport:
        history = History(self.request.app)
        try:
            history.all()  # one that cannot be read stops it now, not after the upload
            self._send()
            self._verify()
            self._keep(history)
        except ChatopsError as error:
            raise self._failed(error, history) from None
        except BaseException as error:
            self._interrupted(error, history)
            raise
        try:
            self._point(point)
        except ChatopsError as error:
            raise _not_pointed(error, self.report) from None
        except KeyboardInterrupt:
            self.target.abandon(self.request)
            raise
        self._skip("there is nothing to do", *STEPS)
        return self.report

    def _keep(self, history: History) -> None:
        """The deployment is good, or nothing was found wrong with it: remember it, and what was sent."""
        good = self.settings.verify and bool(self.report.url)
        if good and self._uploaded is not None and self._uploaded.sent:
            history.keep_upload(self.request.build, self._uploaded.sent)
        self._record(history, "good" if good else "unverified")

    def _failed(self, error: ChatopsError, history: History) -> ChatopsError:
        """The error as a person gets it, recorded if anything was sent."""
        self._skip("a step before it failed", *STEPS)
        error.report = self.report.as_json()
        if self._sending:
            with suppress(OSError):  # what went wrong is told all the same
                self._record(history, "failed", error.message)
        if self._uploaded is not None:
            error = _not_pointed(error, self.report)
            error.next_step += self._way_back()
        return error

    def _interrupted(self, error: BaseException, history: History) -> None:
        if not self._sending:
            return
        self.target.abandon(self.request)
        with suppress(OSError):
            self._record(history, "interrupted", "" if isinstance(error, KeyboardInterrupt) else type(error).__name__)

    def _way_back(self) -> str:
        """The end of a next step, where there is something to go back to."""
        try:
            to = self.target.way_back(self.request.app, self.request.name, self.request.preview)
        except ChatopsError:
            return ""
        return f"; `chatops deploy --rollback` brings back the last good one, build {to.build}"

    def _send(self) -> None:
        target, request, rollback = self.target, self.request, self.settings.rollback
        with self._step("preflight") as done:
            done(target.preflight(request, self._tell))
        self._sending = True
        with self._step("secret") as done:
            done(retried(lambda: target.store_secret(request, self._tell), self.settings.retry, self._tell)[0])
        with self._step("build") as done:
            done(f"RELAY_BUILD={request.build}")
        with self._step("upload") as done:

            def send() -> Uploaded:
                if rollback is not None:
                    return target.rollback(request, rollback, self._tell)
                return target.upload(request, self._tell)

            uploaded, tries = retried(send, self.settings.retry, self._tell)
            self._uploaded = uploaded
            self.report.notes += uploaded.notes
            self.report.url = self.settings.url or uploaded.url
            again = f" (try {tries})" if tries > 1 else ""
            done(f"{uploaded.detail or uploaded.url}{again}")

    def _verify(self) -> None:
        url, request, settings = self.report.url, self.request, self.settings
        if not url:
            self._skip("nothing runs yet", "live", "health", "stream_test")
            return
        with self._step("live") as done:
            done(live.wait_for_build(url, request.build, settings.live_timeout_s, self._tell, settings.pace))
        if not settings.verify:
            self._skip("told not to verify", "health", "stream_test")
            return
        with self._step("health") as done:
            report = live.probe(url, request.secret, self._tell)
            done(f"{len(report.checks)} checks in {report.ms:.0f} ms")
        with self._step("stream_test") as done:
            test = live.small_stream_test(url, request.secret, self._tell)
            done(f"{len(test.clients)} clients read all of {test.frames} frames")

    def _point(self, point: Callable[[str], Pointed] | str) -> None:
        if isinstance(point, str) or not self.report.url:
            self._skip(point if isinstance(point, str) else "nothing runs yet", "point")
            return
        with self._step("point") as done:
            pointed = point(self.report.url)
            self.report.pointed = True
            self.report.notes += pointed.notes
            done(pointed.detail)

    @contextmanager
    def _step(self, name: str) -> Iterator[Callable[[str], None]]:
        """Time one step; the block says with the yielded function what came of it."""
        details: list[str] = []
        began = perf_counter()
        self._tell(STEPS[name])
        ok = False
        try:
            yield details.append
            ok = True
        except ChatopsError as error:
            details = [error.message]
            raise
        finally:
            if details:
                step = Step(name, ok, round((perf_counter() - began) * 1000, 1), details[-1])
                self.report.steps.append(step)
                self._on_step(step)

    def _skip(self, why: str, *names: str) -> None:
        done = {step.name for step in self.report.steps}
        self.report.steps += [Step(name, None, None, f"not done: {why}") for name in names if name not in done]
        self.report.steps.sort(key=lambda step: list(STEPS).index(step.name))

    def _record(
        self, history: History, result: Literal["good", "unverified", "failed", "interrupted"], reason: str = ""
    ) -> None:
        uploaded = self._uploaded
        history.add(
            Deployment(
                build=self.request.build,
                target=self.target.name,
                name=self.request.name,
                at=self._began,
                result=result,
                preview=self.request.preview,
                url=self.report.url,
                version=uploaded.version if uploaded else "",
                reason=reason,
                uploaded=uploaded is not None,
                rollback=self.settings.rollback is not None,
            )
        )


def _not_pointed(error: ChatopsError, report: DeployReport) -> CheckFailed:
    """The relay is there, and not used: that is a failed check, whatever it was for who found it."""
    return CheckFailed(
        f"the relay was deployed, and the app was not pointed at it: {error.message}",
        next_step=error.next_step,
        code=error.code,
        report=report.as_json(),
    )
