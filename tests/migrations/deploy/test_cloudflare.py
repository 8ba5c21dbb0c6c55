"""Target cloudflare: the real wrangler against a stand-in of Cloudflare's API, and what it uploaded in real workerd."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import threading
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from cli.deploy import _point
from migrations.catalogue import all_migrations
from migrations.deploy.cloudflare import CloudflareTarget
from migrations.deploy.cloudflare_faults import failure
from migrations.deploy.cloudflare_wrangler import Entry, WranglerRun
from migrations.deploy.history import Deployment, History
from migrations.deploy.live import Pace, probe, small_stream_test, wait_for_build
from migrations.deploy.pipeline import DeployReport, DeploySettings, Pointed, deploy
from migrations.deploy.retry import Retry
from migrations.deploy.target import Request
from migrations.engine import Engine
from migrations.hints import AppHints
from relay_server.errors import ChatopsError, Denied, UsageError
from tests.control_plane import free_port
from tests.migrations.deploy.apps import files_of
from tests.migrations.deploy.cloudflare_api import TOKEN, CloudflareApi, Fault, Upload
from tests.migrations.deploy.cloudflare_world import MODEL_KEY, WORKER, make_cloudflare_app, signed_in
from tests.node import NODE
from tests.servers import SECRET, TYPESCRIPT, kill_group

if TYPE_CHECKING:
    from collections.abc import Iterator

    from migrations.deploy.target import Tell
    from tests.servers import RunningRelay

slow = pytest.mark.slow
QUICK = DeploySettings(retry=Retry(2, 0.05), pace=Pace(0.05, 0.2), live_timeout_s=20)


@pytest.fixture
def app(tmp_path: Path) -> Path:
    return make_cloudflare_app(tmp_path / "app")


@pytest.fixture
def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[CloudflareApi]:
    with signed_in(tmp_path) as (api, environment):
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        yield api


def request_for(app: Path, build: str = "build-1", **more: object) -> Request:
    values: dict[str, Any] = {"app": app, "name": WORKER, "build": build, "secret": SECRET, **more}
    return Request(**values)


def quiet(_line: str) -> None:
    pass


class LookedBefore(CloudflareTarget):
    """The look before the upload has tests of its own, and takes longer than most of what comes after it."""

    def preflight(self, request: Request, tell: Tell) -> str:
        return "looked at before"


def run(app: Path, request: Request, settings: DeploySettings = QUICK) -> DeployReport:
    """A deployment that points the app as the command does."""
    engine, target = Engine(app, all_migrations(AppHints())), LookedBefore()

    def point(url: str) -> Pointed:
        return _point(engine, target, url, request.secret, vercel=False)

    return deploy(target, request, settings, point=point)


def refused(app: Path, request: Request, settings: DeploySettings = QUICK) -> ChatopsError:
    """The error of a deployment that must fail, and that must leave the app as it was."""
    before = files_of(app)
    with pytest.raises(ChatopsError) as caught:
        run(app, request, settings)
    error = caught.value
    assert files_of(app) == before
    assert error.report["pointed"] is False
    for text in (error.message, error.next_step, json.dumps(error.report)):
        assert "\n" not in text
        assert SECRET not in text
        assert TOKEN not in text
    return error


@contextmanager
def running(upload: Upload, folder: Path, port: int = 0) -> Iterator[str]:
    """The uploaded modules, as they are, in workerd, with the bindings that were uploaded beside them; its URL."""
    code = folder / "code"  # wrangler looks for changes in this one
    code.mkdir(parents=True)
    for name, data in upload.modules.items():
        (code / name).write_bytes(data)
    metadata = upload.metadata
    objects = [b for b in metadata["bindings"] if b["type"] == "durable_object_namespace"]
    settings = {
        "name": upload.worker,
        "main": metadata["main_module"],
        "no_bundle": True,
        "compatibility_date": metadata["compatibility_date"],
        "durable_objects": {"bindings": [{"name": b["name"], "class_name": b["class_name"]} for b in objects]},
        "migrations": [{"tag": metadata["migrations"]["new_tag"], **metadata["migrations"]["steps"][0]}],
        "vars": upload.bindings("plain_text"),
    }
    (code / "wrangler.json").write_text(json.dumps(settings))
    (code / ".dev.vars").write_text("".join(f'{k}="{v}"\n' for k, v in upload.bindings("secret_text").items()))
    port = port or free_port()
    command = [
        str(NODE), str(TYPESCRIPT / "node_modules" / "wrangler" / "bin" / "wrangler.js"), "dev", "--local",
        "--config", "wrangler.json", "--ip", "127.0.0.1", "--port", str(port), "--inspector-port", "0",
        "--show-interactive-dev-session=false", "--persist-to", str(folder / "state"),
    ]  # fmt: skip
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=code, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(10)
        kill_group(process)


@slow
def test_a_first_deployment_goes_from_the_look_before_to_a_stream_through_what_was_uploaded(
    app: Path, api: CloudflareApi, tmp_path: Path
) -> None:
    """One upload has code, build, secret and the rooms' class; the uploaded bytes stream in real workerd."""
    target, request = CloudflareTarget(), request_for(app)
    found = target.preflight(request, quiet)
    assert not api.uploads
    target.store_secret(request, quiet)
    uploaded = target.upload(request, quiet)
    assert found.endswith("signed in for the account Skarv")
    assert uploaded.url == f"https://{WORKER}.skarv.workers.dev"
    assert uploaded.version == api.version_id(1)
    (upload,) = api.uploads
    assert upload.worker == WORKER
    assert upload.bindings("secret_text") == {"RELAY_SECRET": SECRET}
    assert upload.bindings("plain_text") == {"RELAY_BUILD": "build-1"}
    assert upload.metadata["migrations"] == {"new_tag": "v1", "steps": [{"new_sqlite_classes": ["Main"]}]}
    sent = json.dumps(upload.metadata).encode() + b"".join(upload.modules.values())
    assert MODEL_KEY.encode() not in sent
    assert SECRET.encode() not in b"".join(upload.modules.values())
    logs = [path for path in (tmp_path / "config").rglob("*") if path.is_file()]
    assert not [path for path in logs if SECRET.encode() in path.read_bytes()]
    with running(upload, tmp_path / "workerd") as url:
        wait_for_build(url, "build-1", 30, quiet)
        assert probe(url, SECRET, quiet).server == "partyserver"
        assert small_stream_test(url, SECRET, quiet).ok


@slow
def test_the_whole_deployment_points_the_app_at_it_once_what_was_uploaded_streams(
    app: Path, api: CloudflareApi, tmp_path: Path
) -> None:
    """The relay comes up only after the upload, and at another address than the platform's: a proxy's, so to say."""
    port = free_port()
    pointed: list[str] = []
    done = threading.Event()

    def come_up() -> None:
        while not api.uploads and not done.wait(0.05):
            pass
        with running(api.uploads[-1], tmp_path / "workerd", port):
            done.wait(60)

    def point(url: str) -> Pointed:
        pointed.append(url)
        return Pointed("pointed")

    platform = threading.Thread(target=come_up)
    platform.start()
    try:
        settings = DeploySettings(url=f"http://127.0.0.1:{port}", pace=Pace(0.05, 0.2), live_timeout_s=40)
        report = deploy(CloudflareTarget(), request_for(app), settings, point=point)
    finally:
        done.set()
        platform.join()
    assert pointed == [f"http://127.0.0.1:{port}"]
    assert [step.name for step in report.steps if step.ok is not True] == []
    (deployment,) = History(app).all()
    assert (deployment.result, deployment.version) == ("good", api.version_id(1))


@slow
def test_the_next_one_is_a_new_version_and_the_first_can_be_had_back(app: Path, api: CloudflareApi) -> None:
    target = CloudflareTarget()
    first = target.upload(request_for(app), quiet)
    second = target.upload(request_for(app, "build-2"), quiet)
    assert (first.version, second.version) == (api.version_id(1), api.version_id(2))
    assert api.uploads[1].bindings("plain_text") == {"RELAY_BUILD": "build-2"}
    for build, uploaded in (("build-1", first), ("build-2", second)):
        History(app).add(
            Deployment(build, "cloudflare", WORKER, "", "good", "", uploaded.url, uploaded.version, uploaded=True)
        )
    before = target.way_back(app, WORKER, "")
    assert f"wrangler rollback {first.version} --name {WORKER} --yes" in target.dry_run(request_for(app), before)[1]
    back = target.rollback(request_for(app), before, quiet)
    assert (back.url, back.version) == (first.url, first.version)
    assert api.deployed[-1] == (WORKER, api.version_id(1))


@slow
def test_a_preview_is_a_worker_of_its_own_with_the_same_rooms_class(app: Path, api: CloudflareApi) -> None:
    """The domain stays production's."""
    request = request_for(app, preview="pr-7", domain="relay.example.com")
    assert not [line for line in CloudflareTarget().dry_run(request) if "relay.example.com" in line]
    uploaded = CloudflareTarget().upload(request, quiet)
    assert not [line for line in api.requests if "domains" in line]
    assert uploaded.url == f"https://{WORKER}-pr-7.skarv.workers.dev"
    assert api.uploads[0].worker == f"{WORKER}-pr-7"
    assert "durable_object_namespace" in {b["type"] for b in api.uploads[0].metadata["bindings"]}


@slow
def test_a_preview_that_wranglers_settings_describe_is_that_environment(app: Path, api: CloudflareApi) -> None:
    text = (app / "wrangler.jsonc").read_text()
    objects = '"durable_objects": { "bindings": [{ "name": "Main", "class_name": "Main" }] }'
    environment = f'"env": {{ "staging": {{ "name": "its-own-name", {objects} }} }}, "vars"'
    (app / "wrangler.jsonc").write_text(text.replace('"vars"', environment))
    uploaded = CloudflareTarget().upload(request_for(app, preview="staging"), quiet)
    assert uploaded.url == "https://its-own-name.skarv.workers.dev"
    assert api.uploads[0].bindings("secret_text") == {"RELAY_SECRET": SECRET}


FAULTS = [
    (Fault("PUT", 401, 10000, "Authentication error"), 4, "sign_in", "refused the sign-in (10000) while uploading: Au",
     "CLOUDFLARE_API_TOKEN"),
    (Fault("PUT", 403, 9109, "Unauthorized to access"), 4, "sign_in", "refused the sign-in (9109) while uploading: Una",
     "may edit Workers"),
    (Fault("PUT", 404, 7003, "No route for that"), 1, "refused", "refused uploading (7003): No route for that",
     "wrangler.jsonc"),
    (Fault("PUT", 409, 10200, "is in use"), 1, "refused", "refused uploading (10200): is in use", "wrangler.jsonc"),
    (Fault("PUT", 500, 0, "Oops"), 3, "platform_error", "platform failed (500) while uploading", "again later"),
    (Fault("PUT", 500, 10013, "workers.api.error.unknown"), 3, "platform_fault",
     "failed with workers.api.error.unknown while uploading, in 2 tries", "such faults pass"),
    (Fault("PUT", 504, 0, "Gateway time-out"), 3, "platform_fault", "failed with 504 while uploading, in 2 tries",
     "such faults pass"),
    (Fault("PUT", 0), 3, "unreachable", "Cloudflare cannot be reached while uploading", "check the network"),
    (Fault("/subdomain", 404, 10007, "none"), 2, "no_subdomain", "has no workers.dev subdomain yet", "--domain"),
]  # fmt: skip


@slow
@pytest.mark.parametrize(
    ("fault", "exit_code", "code", "said", "next_step"), FAULTS, ids=lambda value: getattr(value, "status", None)
)
def test_each_fault_of_the_platform_leaves_the_app_where_it_was(
    app: Path, api: CloudflareApi, fault: Fault, exit_code: int, code: str, said: str, next_step: str
) -> None:
    """Each has its exit code, its line and its next step; only what is known to pass is tried again."""
    api.faults.append(fault)
    error = refused(app, request_for(app))
    assert (error.exit_code, error.code) == (exit_code, code)
    assert said in error.message
    assert next_step in error.next_step
    (recorded,) = History(app).all()
    assert (recorded.result, recorded.uploaded, recorded.reason) == ("failed", False, error.message)


@slow
def test_a_platform_that_does_not_answer_is_left_after_the_time_and_nothing_runs_on(
    app: Path, api: CloudflareApi
) -> None:
    api.faults.append(Fault("PUT", 0, hang=True))
    error = refused(app, request_for(app, timeout_s=8))
    assert (error.exit_code, error.code) == (3, "timeout")
    assert "did not answer within 8 s while uploading" in error.message
    assert "wrangler deployments list" in error.next_step
    assert not [process for process in Path("/proc").glob("[0-9]*") if _works_in(process, app)]


def _works_in(process: Path, folder: Path) -> bool:
    try:
        return (process / "cwd").resolve() == folder
    except OSError:
        return False


@slow
@pytest.mark.parametrize(("times", "said"), [(2, ""), (4, " (try 2)")])
def test_504_that_passes_is_a_good_deployment(
    app: Path, api: CloudflareApi, bundled_relay: RunningRelay, times: int, said: str
) -> None:
    """Wrangler itself asks three times, and then it is asked again. The relay is one that stands in a proxy's place."""
    api.faults.append(Fault("PUT", 504, 0, "Gateway time-out", times=times))
    report = run(app, request_for(app, bundled_relay.build), replace(QUICK, url=bundled_relay.url))
    assert report.pointed
    assert next(step for step in report.steps if step.name == "upload").detail == f"the Worker {WORKER}{said}"
    assert f"NEXT_PUBLIC_RELAY_HOST={bundled_relay.url.removeprefix('http://')}\n".encode() in files_of(app)[".env"]


@slow
@pytest.mark.parametrize(
    ("what", "code", "said", "next_step"),
    [
        ("never answers", "never_answered", "is not the new build b1: it cannot be reached", "longer --timeout"),
        ("is an old build", "old_build", "is not the new build b1: it still serves build", "longer --timeout"),
        ("refuses the secret", "unauthorized", "refused the secret", "RELAY_SECRET"),
    ],
)
def test_what_was_taken_and_is_not_well_is_not_used(
    app: Path, api: CloudflareApi, bundled_relay: RunningRelay, what: str, code: str, said: str, next_step: str
) -> None:
    """The platform said yes; what answers at the address is found wanting, and the app stays where it was."""
    relay = f"http://127.0.0.1:{free_port()}" if what == "never answers" else bundled_relay.url
    request = request_for(app, "b1")
    if what == "refuses the secret":
        request = request_for(app, bundled_relay.build, secret="another-secret")
    error = refused(app, request, replace(QUICK, url=relay, live_timeout_s=1))
    assert (error.exit_code, error.code) == (1, code)
    assert said in error.message
    assert next_step in error.next_step
    (recorded,) = History(app).all()
    assert (recorded.result, recorded.uploaded) == ("failed", True)


@slow
def test_without_a_sign_in_nothing_is_sent_and_the_variable_is_named(
    app: Path, api: CloudflareApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CLOUDFLARE_API_TOKEN")
    with pytest.raises(Denied) as caught:
        CloudflareTarget().preflight(request_for(app), quiet)
    assert "CLOUDFLARE_API_TOKEN" in caught.value.next_step
    assert not [line for line in api.requests if not line.startswith("GET")]


@slow
def test_a_token_that_is_refused_is_told_before_anything_is_sent(
    app: Path, api: CloudflareApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLOUDFLARE_API_TOKEN", "a-wrong-one")
    with pytest.raises(Denied) as caught:
        CloudflareTarget().preflight(request_for(app), quiet)
    assert caught.value.code == "sign_in"
    assert "a-wrong-one" not in caught.value.message
    assert not api.uploads


@slow
def test_of_several_accounts_one_has_to_be_named(
    app: Path, api: CloudflareApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.accounts.append({"id": "f" * 32, "name": "Another"})
    monkeypatch.delenv("CLOUDFLARE_ACCOUNT_ID")
    with pytest.raises(UsageError) as caught:
        CloudflareTarget().preflight(request_for(app), quiet)
    assert "(Skarv)" in caught.value.message
    monkeypatch.setenv("CLOUDFLARE_ACCOUNT_ID", "0" * 32)
    with pytest.raises(Denied, match="not for the account 000"):
        CloudflareTarget().preflight(request_for(app), quiet)


@slow
def test_code_that_does_not_build_is_found_before_anything_is_sent(app: Path, api: CloudflareApi) -> None:
    (app / "party" / "room.ts").write_text("export const broken = (;\n")
    with pytest.raises(UsageError) as caught:
        CloudflareTarget().preflight(request_for(app), quiet)
    assert caught.value.code == "build_failed"
    assert "party/room.ts:1:" in caught.value.message
    assert api.requests == []


@slow
def test_a_dry_run_shows_the_command_and_no_secret(app: Path, api: CloudflareApi) -> None:
    lines = CloudflareTarget().dry_run(request_for(app, domain="relay.example.com"))
    assert not [line for line in lines if SECRET in line]
    assert f"wrangler deploy --name {WORKER} --domain relay.example.com --var RELAY_BUILD:build-1" in lines[1]
    assert api.requests == []


def test_an_app_without_the_migration_is_told_of_it(tmp_path: Path) -> None:
    (tmp_path / "package.json").write_text("{}")
    with pytest.raises(UsageError) as caught:
        CloudflareTarget().dry_run(request_for(tmp_path))
    assert "chatops migrate up" in caught.value.next_step


@pytest.mark.parametrize(("name", "preview"), [("Chat", ""), ("chat", "Feature/7"), ("c" * 60, "pr-77"), ("-", "")])
def test_names_that_no_host_can_have_are_refused(tmp_path: Path, name: str, preview: str) -> None:
    (tmp_path / "package.json").write_text("{}")
    shutil.copy(TYPESCRIPT / "wrangler.jsonc", tmp_path)
    with pytest.raises(UsageError) as caught:
        CloudflareTarget().dry_run(Request(tmp_path, name, "b", preview=preview))
    assert caught.value.code == "bad_name"


def test_a_version_that_was_not_recorded_cannot_be_had_back(tmp_path: Path) -> None:
    for build in ("b1", "b2"):
        History(tmp_path).add(Deployment(build, "cloudflare", WORKER, "", "good", uploaded=True))
    with pytest.raises(UsageError, match="was not recorded"):
        CloudflareTarget().way_back(tmp_path, WORKER, "")


def test_what_the_platform_repeats_of_a_secret_is_masked() -> None:
    said = f"  RELAY_SECRET={SECRET} is too short [code: 10021]\n"
    error = failure(WranglerRun(1, "", said, [Entry("command-failed", "failed", 10021)]), "uploading", [SECRET])
    assert SECRET not in error.message
    assert "***" in error.message
