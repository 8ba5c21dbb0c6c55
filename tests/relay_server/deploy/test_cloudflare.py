"""Target cloudflare: the real wrangler against a stand-in of Cloudflare's API, and what it uploaded in real workerd."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from relay_server.deploy.cloudflare import CloudflareTarget
from relay_server.deploy.cloudflare_faults import failure
from relay_server.deploy.cloudflare_wrangler import Entry, WranglerRun
from relay_server.deploy.history import Deployment, History
from relay_server.deploy.live import Pace, probe, small_stream_test, wait_for_build
from relay_server.deploy.pipeline import DeploySettings, Pointed, deploy
from relay_server.deploy.target import Passing, Request
from relay_server.errors import ChatopsError, CheckFailed, Denied, Unreachable, UsageError
from tests.control_plane import free_port
from tests.node import NODE, ensure_node_modules
from tests.relay_server.deploy.cloudflare_api import ACCOUNT, TOKEN, CloudflareApi, Fault, Upload, cloudflare_api
from tests.servers import SECRET, TYPESCRIPT, kill_group

if TYPE_CHECKING:
    from collections.abc import Iterator

slow = pytest.mark.slow
MODEL_KEY = "the-key-of-the-apps-model"
WORKER = "chat-app"


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """An app as migration 6 leaves it, as far as wrangler looks at it, with a `.env` of its own."""
    ensure_node_modules(TYPESCRIPT)
    folder = tmp_path / "app"
    folder.mkdir()
    for source in ("party", "cloudflare"):
        shutil.copytree(TYPESCRIPT / source, folder / source)
    shutil.copy(TYPESCRIPT / "wrangler.jsonc", folder)
    (folder / "package.json").write_text(json.dumps({"name": WORKER, "private": True}))
    (folder / "node_modules").symlink_to(TYPESCRIPT / "node_modules")
    (folder / ".env").write_text(f"OPENAI_API_KEY={MODEL_KEY}\nRELAY_SECRET=another\n")
    return folder


@pytest.fixture
def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[CloudflareApi]:
    """The stand-in, in an environment like that of a CI job: a token, and no login of wrangler's own."""
    temporary = tmp_path / "tmp"
    asked = temporary / "update-check" / "wrangler-latest.json"
    asked.parent.mkdir(parents=True)
    asked.write_text(json.dumps({"latest": None, "lastUpdate": time.time_ns() // 1_000_000}))
    with cloudflare_api() as stand_in:
        for name, value in {
            "PATH": f"{NODE.parent}{os.pathsep}{os.environ['PATH']}",
            "TMPDIR": str(temporary),
            "XDG_CONFIG_HOME": str(tmp_path / "config"),
            "HOME": str(tmp_path / "home"),
            "WRANGLER_SEND_METRICS": "false",
            "WRANGLER_SEND_ERROR_REPORTS": "false",
            "CLOUDFLARE_CF_FETCH_ENABLED": "false",
            "CLOUDFLARE_API_BASE_URL": stand_in.url,
            "CLOUDFLARE_API_TOKEN": TOKEN,
            "CLOUDFLARE_ACCOUNT_ID": ACCOUNT["id"],
        }.items():
            monkeypatch.setenv(name, value)
        yield stand_in


def request_for(app: Path, build: str = "build-1", **more: object) -> Request:
    return Request(app=app, name=WORKER, build=build, secret=SECRET, **more)  # type: ignore[arg-type]


def quiet(_line: str) -> None:
    pass


@contextmanager
def arguments_watched() -> Iterator[set[str]]:
    """Every argument list on this machine that holds a secret while the block runs."""
    found: set[str] = set()
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.005):
            for entry in os.scandir("/proc"):
                try:
                    arguments = (Path(entry.path) / "cmdline").read_text(errors="replace")
                except OSError:
                    continue
                found.update([arguments] if SECRET in arguments or TOKEN in arguments else [])

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield found
    finally:
        done.set()
        thread.join()


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
    with arguments_watched() as leaks:
        found = target.preflight(request, quiet)
        assert not api.uploads
        target.store_secret(request, quiet)
        uploaded = target.upload(request, quiet)
    assert leaks == set()
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
    before = Deployment("build-1", "cloudflare", WORKER, "", "good", url=first.url, version=first.version)
    back = target.rollback(request_for(app), before, quiet)
    assert (back.url, back.version) == (first.url, first.version)
    assert api.deployed[-1] == (WORKER, api.version_id(1))


@slow
def test_a_preview_is_a_worker_of_its_own_with_the_same_rooms_class(app: Path, api: CloudflareApi) -> None:
    uploaded = CloudflareTarget().upload(request_for(app, preview="pr-7"), quiet)
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
    (Fault("PUT", 401, 10000, "Authentication error"), Denied, "sign_in", "(10000) while uploading: Authentication"),
    (Fault("PUT", 403, 9109, "Unauthorized to access"), Denied, "sign_in", "(9109) while uploading: Unauthorized"),
    (Fault("PUT", 409, 10200, "is in use"), CheckFailed, "refused", "refused uploading (10200): is in use"),
    (Fault("PUT", 500, 10013, "workers.api.error.unknown"), Passing, "platform_fault", "workers.api.error.unknown"),
    (Fault("PUT", 504, 0, "Gateway time-out"), Passing, "platform_fault", "failed with 504 while uploading"),
    (Fault("PUT", 502, 0, "Bad gateway"), Unreachable, "platform_error", "failed (502) while uploading"),
    (Fault("PUT", 0), Unreachable, "unreachable", "Cloudflare cannot be reached while uploading"),
    (Fault("/subdomain", 404, 10007, "no subdomain"), UsageError, "no_subdomain", "no workers.dev subdomain yet"),
]


@slow
@pytest.mark.parametrize(("fault", "kind", "code", "said"), FAULTS, ids=lambda value: getattr(value, "status", None))
def test_each_fault_of_the_platform_has_its_kind_and_its_line(
    app: Path, api: CloudflareApi, fault: Fault, kind: type[ChatopsError], code: str, said: str
) -> None:
    api.faults.append(fault)
    with pytest.raises(ChatopsError) as caught:
        CloudflareTarget().upload(request_for(app), quiet)
    assert (type(caught.value), caught.value.code) == (kind, code)
    assert said in caught.value.message
    assert "\n" not in caught.value.message


@slow
def test_a_platform_that_does_not_answer_is_left_after_the_time_and_nothing_runs_on(
    app: Path, api: CloudflareApi
) -> None:
    api.faults.append(Fault("PUT", 0, hang_s=6))
    with pytest.raises(Unreachable) as caught:
        CloudflareTarget().upload(request_for(app, timeout_s=4), quiet)
    assert caught.value.code == "timeout"
    assert not [p for p in Path("/proc").glob("[0-9]*") if _works_in(p, app)]


@slow
def test_ctrl_c_while_it_uploads_leaves_no_process_and_no_file(app: Path, api: CloudflareApi, tmp_path: Path) -> None:
    api.faults.append(Fault("PUT", 0, hang_s=20))
    program = (
        "from pathlib import Path\n"
        "from relay_server.deploy.cloudflare import CloudflareTarget\n"
        "from relay_server.deploy.target import Request\n"
        f"request = Request(Path({str(app)!r}), {WORKER!r}, 'b', secret='x')\n"
        "CloudflareTarget().upload(request, print)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.DEVNULL) as deploying:
        deadline = time.monotonic() + 30
        while not any(line.startswith("PUT") for line in api.requests):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        deploying.send_signal(signal.SIGINT)
        deploying.wait(10)
    assert not [p for p in Path("/proc").glob("[0-9]*") if _works_in(p, app)]
    assert not list((tmp_path / "tmp").glob("chatops-*"))
    assert api.uploads == []


def _works_in(process: Path, folder: Path) -> bool:
    try:
        return (process / "cwd").resolve() == folder
    except OSError:
        return False


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
    with pytest.raises(UsageError, match="was not recorded"):
        CloudflareTarget().rollback(
            request_for(tmp_path), Deployment("b", "cloudflare", WORKER, "", "good"), quiet
        )  # fmt: skip


def test_what_the_platform_repeats_of_a_secret_is_masked() -> None:
    said = f"  RELAY_SECRET={SECRET} is too short [code: 10021]\n"
    error = failure(WranglerRun(1, "", said, [Entry("command-failed", "failed", 10021)]), "uploading", [SECRET])
    assert SECRET not in error.message
    assert "***" in error.message
