"""Target partykit: PartyKit's own CLI against a stand-in control plane that runs what was uploaded, and its faults."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from cli.deploy import _point
from migrations.catalogue import all_migrations
from migrations.deploy.history import Deployment, History
from migrations.deploy.live import Pace
from migrations.deploy.partykit import PartyKit
from migrations.deploy.pipeline import DeployReport, DeploySettings, Pointed, deploy
from migrations.deploy.retry import Retry
from migrations.deploy.target import Request
from migrations.engine import Engine
from migrations.hints import AppHints
from relay_server.errors import ChatopsError, Denied, Unreachable, UsageError
from tests.control_plane import LOGIN, TOKEN, Fault, free_port
from tests.migrations.deploy.apps import MODEL_KEY, files_of
from tests.migrations.deploy.deploying import Deploying, deploying
from tests.servers import SECRET

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow

ONCE = DeploySettings(retry=Retry(tries=3, first_wait_s=0.05), pace=Pace(0.05, 0.2), live_timeout_s=60)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Deploying]:
    with deploying(tmp_path) as world:
        for name, value in world.environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr("tempfile.tempdir", str(world.temporary))
        yield world
        assert world.watch.wait_for_none() == [], "a process was left behind"
        assert list(world.temporary.glob("chatops-*")) == []


def run(
    world: Deploying, build: str, *, timeout_s: float = 60, to: Deployment | None = None, **more: Any
) -> DeployReport:
    """A deployment that points the app as the command does."""
    engine = Engine(world.app, all_migrations(AppHints()))
    request = Request(world.app, "chat-app", build, secret=SECRET, timeout_s=timeout_s)
    settings = DeploySettings(
        url=world.plane.relay, retry=ONCE.retry, pace=ONCE.pace, rollback=to, **{"live_timeout_s": 60.0, **more}
    )
    target = PartyKit()

    def point(url: str) -> Pointed:
        return _point(engine, target, url, SECRET, vercel=False)

    return deploy(target, request, settings, point=point)


def refused(world: Deploying, build: str = "b1", **more: Any) -> ChatopsError:
    """The error of a deployment that must fail, and that must leave the app as it was."""
    before = files_of(world.app)
    with pytest.raises(ChatopsError) as caught:
        run(world, build, **more)
    error = caught.value
    assert files_of(world.app) == before
    assert error.report["pointed"] is False
    steps: Any = error.report["steps"]
    assert [step["name"] for step in steps] == [
        "preflight", "secret", "build", "upload", "live", "health", "stream_test", "point",
    ]  # fmt: skip
    for text in (error.message, error.next_step, json.dumps(error.report)):
        assert SECRET not in text
        assert TOKEN not in text
        assert "\n" not in text
    return error


def test_a_deployment_is_checked_in_workerd_and_the_app_is_pointed_at_it(world: Deploying) -> None:
    """The relay that is uploaded is the one that is probed, with the build id and the secret of this deployment."""
    report = run(world, "b1")
    assert [step.ok for step in report.steps] == [True] * 8
    assert report.pointed
    assert report.url == world.plane.relay
    files = files_of(world.app)
    host = world.plane.relay.removeprefix("http://")
    assert f"NEXT_PUBLIC_RELAY_HOST={host}\n".encode() in files[".env"]
    assert f"RELAY_SECRET={SECRET}\n".encode() in files[".env"]
    assert f'url = "{world.plane.relay}"'.encode() in files["partyconfig.toml"]
    assert world.cli_runs, "the sampling of processes saw no run of the CLI"
    (upload,) = world.plane.uploads
    assert json.loads(upload["vars"]) == {"RELAY_BUILD": "b1"}
    assert upload["compatibilityDate"] == "2024-07-18"


def test_nothing_of_the_apps_env_is_in_the_uploaded_form(world: Deploying) -> None:
    """PartyKit's CLI bundles a `.env` that it finds: it must find none of the app's, nor one above a staging folder."""
    (world.temporary / ".env").write_text("FOUND_ABOVE=a-value-from-above\n")
    run(world, "b1")
    (posted,) = world.plane.calls("deploy")
    assert b"relay" in posted.body
    for value in (MODEL_KEY, "pass-of-the-database", "OPENAI_API_KEY", "DATABASE_URL", "a-value-from-above", SECRET):
        assert value.encode() not in posted.body
    assert world.plane.stored["chat-app", ""] == {"RELAY_SECRET": SECRET}


@pytest.mark.parametrize(
    ("fault", "exit_code", "message", "next_step", "code"),
    [
        (
            Fault(401, '{"error":"Unauthorized"}'),
            4,
            r"PartyKit refused the sign-in \(401\)",
            "partykit login",
            "sign_in",
        ),
        (Fault(403, "<html>Forbidden</html>"), 4, r"may not do that at PartyKit \(403", "team", "forbidden"),
        (Fault(hang=True), 3, r"did not answer within 8 s while looking at the sign-in", "again", "timeout"),
        (Fault(cut=True), 3, r"the connection broke off", "network", "connection_lost"),
    ],
)
def test_what_is_wrong_with_the_sign_in_or_the_network_shows_before_anything_is_sent(
    world: Deploying, fault: Fault, exit_code: int, message: str, next_step: str, code: str
) -> None:
    """A fault at the first look ends it with its kind of exit code; nothing was sent, nothing is recorded."""
    world.plane.always["list"] = fault
    error = refused(world, timeout_s=8 if fault.hang else 60)
    assert error.exit_code == exit_code
    assert re.search(message, error.message)
    assert next_step in error.next_step
    assert error.code == code
    assert world.plane.calls("env") == world.plane.calls("deploy") == []
    assert History(world.app).all() == []


def test_a_control_plane_that_is_not_there_is_a_network_fault(
    world: Deploying, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing listens: exit code 3 and the address."""
    api = f"http://127.0.0.1:{free_port()}"
    monkeypatch.setenv("PARTYKIT_API_BASE", api)
    error = refused(world)
    assert error.exit_code == 3
    assert error.message == f"{api} cannot be reached: nothing listens there (looking at the sign-in)"
    assert error.code == "connection_refused"


_UNKNOWN = '{"errors":[{"code":10013,"message":"workers.api.error.unknown"}]}'


@pytest.mark.parametrize(
    ("fault", "exit_code", "message", "next_step", "code", "tries"),
    [
        (
            Fault(401, '{"error":"expired"}'),
            4,
            r"refused the sign-in \(401\) while uploading: expired",
            "PARTYKIT_TOKEN",
            "sign_in",
            1,
        ),
        (Fault(403, ""), 4, r"may not do that at PartyKit \(403, uploading\)", "another name", "forbidden", 1),
        (
            Fault(404, '{"error":"no such team"}'),
            2,
            r"no such account or project \(404, uploading\): no such team",
            "partykit.json",
            "not_found",
            1,
        ),
        (
            Fault(409, '{"error":"busy"}'),
            1,
            r"conflict \(409, uploading\): busy",
            "wait, or choose another name",
            "conflict",
            1,
        ),
        (
            Fault(500, "<h1>oops</h1>"),
            3,
            r"platform failed \(500, uploading\): oops",
            "--target cloudflare",
            "platform_error",
            1,
        ),
        (
            Fault(504, ""),
            3,
            r"failed with 504 while uploading, in 3 tries",
            "such faults pass",
            "platform_fault",
            3,
        ),
        (
            Fault(500, _UNKNOWN),
            3,
            r"500 workers\.api\.error\.unknown while uploading, in 3 tries",
            "such faults pass",
            "platform_fault",
            3,
        ),
        (Fault(hang=True), 3, r"did not answer within 8 s while uploading", "partykit list", "timeout", 1),
        (
            Fault(cut=True),
            3,
            r"the connection broke off \(uploading\)",
            "run this again",
            "connection_lost",
            1,
        ),
    ],
)
def test_what_goes_wrong_with_the_upload_leaves_the_app_where_it_was(
    world: Deploying, fault: Fault, exit_code: int, message: str, next_step: str, code: str, tries: int
) -> None:
    """Each fault gets its exit code, its line and its next step; only what is known to pass is tried again."""
    world.plane.always["deploy"] = fault
    error = refused(world, timeout_s=8 if fault.hang else 60)
    assert error.exit_code == exit_code
    assert re.search(message, error.message)
    assert next_step in error.next_step
    assert error.code == code
    if not fault.cut:
        assert len(world.plane.calls("deploy")) == tries
    (recorded,) = History(world.app).all()
    assert (recorded.result, recorded.uploaded, recorded.reason) == ("failed", False, error.message)


def test_two_504_and_then_a_good_answer_are_a_good_deployment(world: Deploying) -> None:
    """504 passes: the third try goes through, and the step says so."""
    world.plane.inject("deploy", Fault(504), Fault(504))
    report = run(world, "b1")
    assert report.pointed
    assert len(world.plane.calls("deploy")) == 3
    assert next(step for step in report.steps if step.name == "upload").detail.endswith("(try 3)")


def test_a_relay_that_never_answers_is_not_used(world: Deploying) -> None:
    """The platform said yes, and nobody is at home when the time is over."""
    world.plane.inject("deploy", Fault(silent=True))
    error = refused(world, live_timeout_s=1.0)
    assert error.exit_code == 1
    assert re.search(r"after 1 s \S+ is not the new build b1: it cannot be reached", error.message)
    assert "longer --timeout" in error.next_step
    assert error.code == "never_answered"
    (recorded,) = History(world.app).all()
    assert (recorded.result, recorded.uploaded) == ("failed", True)


def test_the_build_before_is_not_taken_for_the_new_one(world: Deploying) -> None:
    """While the old build is served there is nothing to check; within the time the new one comes, or it is an error."""
    run(world, "b1")
    world.plane.inject("deploy", Fault(old_for_s=1.0))
    report = run(world, "b2")
    assert report.pointed
    world.plane.inject("deploy", Fault(old_for_s=30))
    error = refused(world, "b3", live_timeout_s=1.0)
    assert error.exit_code == 1
    assert "is not the new build b3: it still serves build b2" in error.message
    assert "--rollback" in error.next_step
    assert error.code == "old_build"


def test_a_relay_that_refuses_the_secret_is_not_used(world: Deploying) -> None:
    """The new build answers, but the app could not publish to it."""
    world.plane.inject("deploy", Fault(other_secret=True))
    error = refused(world)
    assert error.exit_code == 1
    assert "refused the secret" in error.message
    assert "RELAY_SECRET" in error.next_step
    assert error.code == "unauthorized"


def test_rollback_sends_what_was_good_before(world: Deploying) -> None:
    """The platform keeps nothing, so the sources of the good build are sent again, with its build id."""
    run(world, "b1")
    first = world.plane.uploads[0]
    server = world.app / "party" / "server.ts"
    server.write_text(server.read_text() + '\nconsole.log("changed since");\n')
    run(world, "b2", verify=False)
    assert "changed since" in world.plane.uploads[1]["code"]
    back_to = PartyKit().way_back(world.app, "chat-app", "")
    assert back_to.build == "b1"
    run(world, "b1", to=back_to)
    assert world.plane.uploads[2] == first
    last = History(world.app).all()[-1]
    assert (last.build, last.result, last.rollback) == ("b1", "good", True)
    with pytest.raises(UsageError, match="no good deployment"):
        PartyKit().way_back(world.app, "chat-app", "")


def test_what_is_no_longer_kept_cannot_be_had_back(tmp_path: Path) -> None:
    """Told before anything is sent."""
    for build in ("b1", "b2"):
        History(tmp_path).add(Deployment(build, "partykit", "chat-app", "", "good", uploaded=True))
    with pytest.raises(UsageError, match="what was sent for the build b1 is no longer kept"):
        PartyKit().way_back(tmp_path, "chat-app", "")


def test_a_project_that_does_not_exist_gets_its_secret_after_the_first_upload(world: Deploying) -> None:
    """Where storing a secret needs the project, it is uploaded, given the secret and uploaded again."""
    world.plane.env_needs_project = True
    assert run(world, "b1").pointed
    assert len(world.plane.calls("deploy")) == 2


def test_a_sign_in_that_the_cli_would_renew_in_a_browser_ends_it(world: Deploying) -> None:
    """The platform no longer takes the kind of sign-in: PartyKit's CLI would open a browser, and does not."""
    settings = world.app.parent / "home" / ".partykit" / "settings.json"
    settings.parent.mkdir()
    settings.write_text('{"defaultLoginMethod": "clerk", "supportedLoginMethods": ["clerk"]}')
    error = refused(world)
    assert isinstance(error, Denied)
    assert error.code == "sign_in"
    assert world.plane.calls("deploy") == []


def test_a_sign_in_service_out_of_reach_is_a_network_fault(world: Deploying, monkeypatch: pytest.MonkeyPatch) -> None:
    """PARTYKIT_TOKEN is exchanged at another host first; the CLI calls that «Authentication timed out»."""
    from base64 import b64encode

    key = b64encode(f"127.0.0.1:{free_port()}$".encode()).decode()
    monkeypatch.setenv("PARTYKIT_CLERK_PUBLISHABLE_KEY", f"pk_test_{key}")
    monkeypatch.setenv("PARTYKIT_LOGIN", LOGIN)
    monkeypatch.setenv("PARTYKIT_TOKEN", TOKEN)
    error = refused(world)
    assert isinstance(error, Unreachable)
    assert error.message.startswith("PartyKit's sign-in service cannot be reached")


def test_a_relay_that_cannot_be_built_is_named_with_its_line(world: Deploying) -> None:
    """What esbuild says reaches a person as one line."""
    server = world.app / "party" / "server.ts"
    server.write_text('import "./not-there";\n' + server.read_text())
    error = refused(world)
    assert isinstance(error, UsageError)
    assert re.search(
        r'^the relay cannot be built: .*party/server\.ts:1:7: ERROR: Could not resolve "./not-there"', error.message
    )
    assert world.plane.calls("deploy") == []


def test_a_party_of_the_apps_own_comes_along(world: Deploying) -> None:
    """Where the project is more than the relay's folder, every source of the app is staged, and no `.env`."""
    (world.app / "src" / "presence.ts").write_text(
        'import { page } from "./page";\nexport default class Presence { readonly page = page; }\n'
    )
    config = world.app / "partykit.json"
    config.write_text(json.dumps({**json.loads(config.read_bytes()), "parties": {"presence": "src/presence.ts"}}))
    with pytest.raises(ChatopsError):  # the stand-in takes no form with parties
        run(world, "b1")
    posted = world.plane.calls("deploy")[0]
    assert b"Presence" in posted.body
    assert MODEL_KEY.encode() not in posted.body


def test_the_address_is_what_the_cli_says(world: Deploying) -> None:
    """Without a proxy in front, the platform's own name of it; nothing answers there from here."""
    request = Request(world.app, "chat-app", "b1", preview="pr-7", secret=SECRET)
    target = PartyKit()
    target.preflight(request, lambda _text: None)
    target.store_secret(request, lambda _text: None)
    uploaded = target.upload(request, lambda _text: None)
    assert uploaded.url == f"https://pr-7.chat-app.{LOGIN}.partykit.dev"
    assert world.plane.stored["chat-app", "pr-7"] == {"RELAY_SECRET": SECRET}
    assert world.plane.calls("deploy")[0].path.endswith("/chat-app?preview=pr-7")
