"""`chatops deploy` as it is typed: what it shows, what it refuses, and how it is interrupted."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.cli.command import Ended
from tests.control_plane import LOGIN, TOKEN, Fault
from tests.migrations.deploy.apps import files_of, make_app
from tests.migrations.deploy.deploying import Deploying, deploying
from tests.process_watch import watched
from tests.servers import SECRET

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.cli.command import Chatops

REPOSITORY = Path(__file__).parent.parent.parent
STEPS = ["preflight", "secret", "build", "upload", "live", "health", "stream_test", "point"]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Deploying]:
    with deploying(tmp_path / "world") as world:
        yield world
        assert world.watch.wait_for_none() == [], "a process was left behind"
        assert list(world.temporary.glob("chatops-*")) == [], "a temporary folder was left behind"


@contextmanager
def started(world: Deploying, *arguments: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """The command as a process, without a terminal, in the environment of `world` alone; it does not outlive a test."""
    with subprocess.Popen(
        [sys.executable, "-P", "-m", "cli", "deploy", "--app", str(world.app), "--timeout", "60", *arguments],
        cwd=REPOSITORY,
        env={**world.environment, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


def deploy(world: Deploying, *arguments: str, **environment: str) -> Ended:
    with started(world, "--url", world.plane.relay, *arguments, **environment) as process:
        stdout, stderr = process.communicate(timeout=100)
    for text in (stdout, stderr):
        assert SECRET not in text
        assert TOKEN not in text
        assert "Traceback" not in text
    return Ended(process.returncode, stdout, stderr)


@pytest.mark.slow
def test_the_first_deployment_makes_a_secret_and_keeps_it_where_git_does_not_see_it(world: Deploying) -> None:
    """One line of result with the address; the steps on stderr; the app has the host and the secret."""
    del world.environment["RELAY_SECRET"]
    ended = deploy(world)
    assert ended.code == 0, ended.stderr
    assert re.fullmatch(rf"partykit: {world.plane.relay} \(build [\w-]+\)", ended.stdout.strip())
    assert re.findall(r"^ok +(\w+)", ended.stderr, re.MULTILINE) == STEPS
    made = world.plane.stored["chat-app", ""]["RELAY_SECRET"]
    assert re.fullmatch(r"[0-9a-f]{64}", made)
    assert made not in ended.stdout + ended.stderr
    assert world.cli_runs
    assert not [arguments for arguments in world.watch.own if made in arguments]
    assert f"RELAY_SECRET={made}\n".encode() in files_of(world.app)[".env"]
    assert made.encode() not in files_of(world.app)["partyconfig.toml"]


@pytest.mark.slow
def test_json_list_and_rollback(world: Deploying) -> None:
    """The shapes that scripts read; a rollback needs a good deployment before, and names its build."""
    nothing = deploy(world, "--rollback", "--json")
    assert nothing.code == 2
    assert nothing.json["error"]["code"] == "nothing_to_go_back_to"
    first = deploy(world, "--json").json
    assert list(first) == ["ok", "target", "url", "build", "steps", "pointed", "notes"]
    assert [step["name"] for step in first["steps"]] == STEPS
    assert all(list(step) == ["name", "ok", "ms", "detail"] and step["ok"] for step in first["steps"])
    assert (first["ok"], first["target"], first["url"], first["pointed"]) == (True, "partykit", world.plane.relay, True)
    world.plane.inject("deploy", Fault(other_secret=True))
    failed = deploy(world, "--json")
    assert failed.code == 1
    assert list(failed.json) == ["ok", "target", "url", "build", "steps", "pointed", "notes", "error"]
    assert [step["ok"] for step in failed.json["steps"]] == [True] * 5 + [False, None, None]
    would = deploy(world, "--rollback", "--dry-run").lines
    assert f"sent: what was kept of the build {first['build']}, RELAY_BUILD={first['build']}" in would[4]
    back = deploy(world, "--rollback", "--json").json
    assert back["build"] == first["build"]
    listed = deploy(world, "--list", "--json").json["deployments"]
    assert [(each["build"], each["result"], each["rollback"]) for each in listed] == [
        (first["build"], "good", True),
        (failed.json["build"], "failed", False),
        (first["build"], "good", False),
    ]
    shown = deploy(world, "--list").lines
    assert len(shown) == 3
    assert shown[1].endswith("refused the secret")
    assert failed.json["error"]["next_step"].endswith(f"brings back the last good one, build {first['build']}")


@pytest.mark.slow
def test_a_dry_run_writes_and_sends_nothing(world: Deploying) -> None:
    """It shows the commands and what would be sent, with the secret masked."""
    before = files_of(world.app)
    ended = deploy(world, "--dry-run", "--preview", "pr-7")
    assert ended.code == 0
    assert ended.lines[-1] == "leave the app as it is: pr-7 is a preview"
    assert "printf %s '***' | partykit env add RELAY_SECRET" in ended.stdout
    assert re.search(r"^partykit deploy .*--preview pr-7 --var RELAY_BUILD=", ended.stdout, re.MULTILINE)
    assert world.plane.requests == []
    assert files_of(world.app) == before
    assert not (world.app / ".chatops").exists()
    del world.environment["RELAY_SECRET"]
    as_json = deploy(world, "--dry-run", "--json").json
    assert (as_json["dry_run"], as_json["target"], as_json["name"]) == (True, "partykit", "chat-app")
    assert as_json["would"][0] == "make a secret: there is none yet"
    assert "point the app at it: .env, partyconfig.toml" in as_json["would"]


@pytest.mark.slow
def test_a_preview_is_checked_and_the_app_stays_where_it_is(world: Deploying) -> None:
    before = files_of(world.app)
    ended = deploy(world, "--preview", "pr-7", "--json")
    assert ended.code == 0
    assert ended.json["pointed"] is False
    assert ended.json["steps"][-1] == {
        "name": "point", "ok": None, "ms": None, "detail": "not done: pr-7 is a preview",
    }  # fmt: skip
    assert files_of(world.app) == before
    assert world.plane.stored["chat-app", "pr-7"] == {"RELAY_SECRET": SECRET}


@pytest.mark.slow
def test_without_verification_the_build_is_waited_for_and_nothing_more(world: Deploying) -> None:
    """Such a deployment is not one to go back to."""
    ended = deploy(world, "--no-verify", "--json")
    assert [step["ok"] for step in ended.json["steps"]] == [True] * 5 + [None, None, True]
    assert deploy(world, "--list", "--json").json["deployments"][0]["result"] == "unverified"


@pytest.mark.slow
def test_in_ci_a_missing_credential_is_named_and_nothing_is_asked_or_opened(world: Deploying) -> None:
    """No terminal, CI=true: PartyKit's CLI, which would open a browser, is not even run."""
    del world.environment["GITHUB_TOKEN"], world.environment["GITHUB_LOGIN"]
    ended = deploy(world, CI="true")
    assert ended.code == 4
    assert "neither PARTYKIT_LOGIN and PARTYKIT_TOKEN nor a saved one" in ended.stderr
    assert "next: set PARTYKIT_LOGIN and PARTYKIT_TOKEN" in ended.stderr
    half = deploy(world, CI="true", PARTYKIT_TOKEN=TOKEN)
    assert half.code == 4
    assert "PARTYKIT_TOKEN is set and PARTYKIT_LOGIN is not" in half.stderr
    assert world.plane.requests == []
    assert world.cli_runs == set()


def _hangs(operation: str) -> Callable[[Deploying, subprocess.Popen[str]], None]:
    def wait(world: Deploying, _: subprocess.Popen[str]) -> None:
        assert world.plane.hanging.wait(60), operation

    return wait


def _shown(step: str) -> Callable[[Deploying, subprocess.Popen[str]], None]:
    def wait(_: Deploying, process: subprocess.Popen[str]) -> None:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith(f"ok    {step}"):
                return
        pytest.fail(f"{step} was never reached")

    return wait


def _wait_for(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("operation", "fault", "wait", "recorded"),
    [
        ("list", Fault(hang=True), _hangs("list"), []),
        ("env", Fault(hang=True), _hangs("env"), ["interrupted"]),
        ("deploy", Fault(hang=True), _hangs("deploy"), ["interrupted"]),
        ("deploy", Fault(silent=True), _shown("upload"), ["interrupted"]),
        ("deploy", Fault(), _shown("live"), ["interrupted"]),
        ("deploy", Fault(), _shown("health"), ["interrupted"]),
    ],
    ids=["preflight", "secret", "upload", "live", "health", "stream_test"],
)
def test_ctrl_c_at_any_step_leaves_no_process_and_nothing_half_written(
    world: Deploying,
    operation: str,
    fault: Fault,
    wait: Callable[[Deploying, subprocess.Popen[str]], None],
    recorded: list[str],
) -> None:
    """Exit code 130, the app as it was, and a history that can be read."""
    before = files_of(world.app)
    world.plane.always[operation] = fault
    with started(world, "--url", world.plane.relay) as process:
        wait(world, process)
        assert world.watch.running()
        os.killpg(process.pid, signal.SIGINT)
        _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in stderr
    assert stderr.endswith("interrupted: nothing of it runs on here; chatops deploy --list says how far it came\n")
    assert world.watch.wait_for_none() == []
    assert files_of(world.app) == before
    history = world.app / ".chatops" / "deployments.json"
    assert [each["result"] for each in json.loads(history.read_bytes() if history.exists() else b"[]")] == recorded
    state = history.parent
    left = {path.name for path in state.iterdir()} if state.exists() else set()
    assert left <= {".gitignore", "deployments.json"}


@pytest.mark.slow
def test_ctrl_c_while_the_app_is_pointed_leaves_it_as_it_was_or_wholly_pointed(world: Deploying) -> None:
    """The files change all or nothing, wherever the interruption falls."""
    before = files_of(world.app)
    with started(world, "--url", world.plane.relay) as process:
        _shown("stream_test")(world, process)
        os.killpg(process.pid, signal.SIGINT)
        process.communicate(timeout=60)
    assert world.watch.wait_for_none() == []
    after = files_of(world.app)
    pointed = world.plane.relay.encode() in after["partyconfig.toml"]
    assert (SECRET.encode() in after[".env"]) is pointed
    assert pointed or after == before


@pytest.mark.slow
def test_ctrl_c_while_vercel_is_asked_leaves_the_app_as_it_was(world: Deploying) -> None:
    """The step that points the app has begun; what its command line started goes too."""
    folder = Path(world.environment["PATH"].split(os.pathsep)[0])
    asked = folder / "asked"
    (folder / "vercel").write_text(f"#!/bin/sh\nsleep 300 &\necho > {asked}\nwait\n")
    (folder / "vercel").chmod(0o755)
    before = files_of(world.app)
    with started(world, "--url", world.plane.relay, "--vercel", "--no-verify") as process:
        _shown("live")(world, process)
        _wait_for(asked.exists)
        os.killpg(process.pid, signal.SIGINT)
        process.communicate(timeout=60)
    assert process.returncode == 130
    assert world.watch.wait_for_none() == []
    assert files_of(world.app) == before


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "fault", "wait"),
    [
        (signal.SIGTERM, Fault(hang=True), _hangs("deploy")),
        (signal.SIGHUP, Fault(hang=True), _hangs("deploy")),
        (signal.SIGTERM, Fault(), _shown("live")),
        (signal.SIGTERM, Fault(), _shown("health")),
    ],
    ids=["SIGTERM at upload", "SIGHUP at upload", "SIGTERM at health", "SIGTERM at stream_test"],
)
def test_a_cancelled_job_and_a_closed_terminal_end_it_like_ctrl_c(
    world: Deploying, number: signal.Signals, fault: Fault, wait: Callable[[Deploying, subprocess.Popen[str]], None]
) -> None:
    before = files_of(world.app)
    world.plane.always["deploy"] = fault
    with started(world, "--url", world.plane.relay) as process:
        wait(world, process)
        process.send_signal(number)
        _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in stderr
    assert world.watch.wait_for_none() == []
    assert files_of(world.app) == before
    assert deploy(world, "--list", "--json").json["deployments"][0]["result"] == "interrupted"


@pytest.mark.slow
def test_on_a_terminal_it_asks_first_and_a_no_sends_nothing(world: Deploying) -> None:
    """The question names what goes where."""
    before = files_of(world.app)
    leader, follower = pty.openpty()
    command = [sys.executable, "-P", "-m", "cli", "deploy", "--app", str(world.app)]
    environment = {**world.environment, "TERM": "xterm"}
    with subprocess.Popen(
        command, cwd=REPOSITORY, env=environment, stdin=follower, stdout=follower, stderr=follower
    ) as process:
        os.close(follower)
        said = b""
        deadline = time.monotonic() + 20
        while b"?" not in said and time.monotonic() < deadline:
            if select.select([leader], [], [], 0.1)[0]:
                said += os.read(leader, 4096)
        os.write(leader, b"n\n")
        assert process.wait(20) == 130
    os.close(leader)
    assert b"deploy chat-app (partykit), and point the app at it?" in said
    assert world.plane.requests == []
    assert files_of(world.app) == before


@pytest.mark.slow
def test_vercel_is_told_before_the_apps_files_say_so(world: Deploying) -> None:
    """Its CLI gets the values by stdin; where it refuses, the app is not pointed."""
    missing = deploy(world, "--vercel")
    assert missing.code == 2
    assert "Vercel's CLI is not on PATH" in missing.stderr
    assert world.plane.requests == []
    folder = Path(world.environment["PATH"].split(os.pathsep)[0])
    vercel = folder / "vercel"
    vercel.write_text('#!/bin/sh\necho "Error: not linked" >&2\nexit 1\n')
    vercel.chmod(0o755)
    before = files_of(world.app)
    refused = deploy(world, "--vercel", "--no-verify", "--json")
    assert refused.code == 1
    assert "not linked" in refused.json["error"]["message"]
    assert refused.json["pointed"] is False
    assert files_of(world.app) == before
    vercel.write_text(f'#!/bin/sh\necho "$@" >> {folder}/said\ncat >> {folder}/given\n')
    assert deploy(world, "--vercel", "--no-verify").code == 0
    assert SECRET not in (folder / "said").read_text()
    assert SECRET in (folder / "given").read_text()


@pytest.fixture(autouse=True)
def no_secret_in_any_process_list(request: pytest.FixtureRequest) -> Iterator[None]:
    if "world" in request.fixturenames:  # it watches for itself
        yield
        return
    with watched(SECRET, TOKEN):
        yield


@pytest.fixture
def app(tmp_path: Path) -> Path:
    return make_app(tmp_path / "app")


def test_an_unknown_target_is_wrong_usage(chatops: Chatops, app: Path) -> None:
    ended = chatops("deploy", "--app", str(app), "--target", "mars")
    assert ended.code == 2
    assert "there is no target 'mars'" in ended.stderr


def test_a_secret_is_not_made_where_git_would_see_it(chatops: Chatops, app: Path) -> None:
    (app / ".gitignore").write_text("node_modules\n")
    ended = chatops("deploy", "--app", str(app))
    assert ended.code == 2
    assert "git sees .env" in ended.stderr
    assert "openssl rand" in ended.stderr


def test_a_target_that_cannot_go_back_says_so_before_anything_is_done(chatops: Chatops, app: Path) -> None:
    for target in ("local", "docker"):
        ended = chatops("deploy", "--app", str(app), "--target", target, "--rollback", "--json")
        assert (ended.code, ended.json["error"]["code"]) == (2, "no_rollback")


def test_the_secret_of_a_relay_that_is_in_use_is_not_replaced_unasked(chatops: Chatops, app: Path) -> None:
    """A second machine that does not know the secret must not lock out the app."""
    (app / "partyconfig.toml").write_text('[relay]\nurl = "https://chat.team.partykit.dev"\n')
    ended = chatops("deploy", "--app", str(app))
    assert ended.code == 2
    assert (
        "the secret of the relay that is deployed at https://chat.team.partykit.dev is not known here" in ended.stderr
    )
    assert "--new-secret" in ended.stderr


@pytest.mark.parametrize(("arguments", "ci"), [(("--preview", "pr-7"), ""), ((), "true")])
def test_a_secret_is_not_made_where_it_would_be_lost(
    chatops: Chatops, app: Path, arguments: tuple[str, ...], ci: str
) -> None:
    """A preview is not what the app uses, and what a CI job writes is gone with it."""
    ended = chatops("deploy", "--app", str(app), *arguments, CI=ci)
    assert ended.code == 2
    assert "one made now would be lost with" in ended.stderr
    assert "set RELAY_SECRET" in ended.stderr


def test_the_files_for_docker_keep_their_secret_over_runs(chatops: Chatops, app: Path) -> None:
    """Nothing runs, so nothing is checked and the app is not pointed; the second run has the secret of the first."""
    first = chatops("deploy", "--app", str(app), "--target", "docker", "--json")
    assert first.code == 0, first.stderr
    assert [step["ok"] for step in first.json["steps"]] == [True] * 4 + [None] * 4
    assert (first.json["url"], first.json["pointed"]) == (None, False)
    written = (app / "relay" / "relay.env").read_text()
    secret = re.search(r"^RELAY_SECRET=([0-9a-f]{64})$", written, re.MULTILINE)
    assert secret is not None
    assert chatops("deploy", "--app", str(app), "--target", "docker").code == 0
    assert secret[0] in (app / "relay" / "relay.env").read_text()
    assert secret[1] not in json.dumps(first.json)


def test_a_name_that_partykit_does_not_take_is_told_before_anything_is_run(chatops: Chatops, app: Path) -> None:
    ended = chatops("deploy", "--app", str(app), RELAY_SECRET=SECRET, CHATOPS_DEPLOY_NAME="Bad Name")
    assert ended.code == 2
    assert "the name of a project on PartyKit cannot be 'Bad Name'" in ended.stderr


def test_a_domain_needs_the_credentials_of_cloudflare(chatops: Chatops, app: Path) -> None:
    ended = chatops("deploy", "--app", str(app), "--domain", "relay.example.com", RELAY_SECRET=SECRET)
    assert ended.code == 4
    assert "CLOUDFLARE_ACCOUNT_ID and CLOUDFLARE_API_TOKEN" in ended.stderr


def test_the_configured_domain_is_not_for_another_target(chatops: Chatops, app: Path) -> None:
    ended = chatops("deploy", "--app", str(app), "--target", "docker", CHATOPS_DEPLOY_DOMAIN="relay.example.com")
    assert ended.code == 0, ended.stderr
    given = chatops("deploy", "--app", str(app), "--target", "docker", "--domain", "relay.example.com")
    assert "the target docker knows no --domain" in given.stderr


def test_an_app_without_a_relay_is_sent_to_migrate(chatops: Chatops, app: Path) -> None:
    (app / "partykit.json").unlink()
    ended = chatops("deploy", "--app", str(app), RELAY_SECRET=SECRET)
    assert ended.code == 2
    assert "chatops migrate up" in ended.stderr


def test_nothing_deployed_yet_is_an_empty_list(chatops: Chatops, app: Path) -> None:
    assert chatops("deploy", "--app", str(app), "--list", "--json").json == {"ok": True, "deployments": []}


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("echo v16.20.2", "Node.js is too old for PartyKit's CLI: v16.20.2"),
        ("exit 127", "Node.js does not work: `node --version` says nothing"),
    ],
)
def test_a_node_that_will_not_do_is_named(chatops: Chatops, app: Path, script: str, said: str) -> None:
    tools = app.parent / "tools"
    tools.mkdir()
    (tools / "node").write_text(f"#!/bin/sh\n{script}\n")
    (tools / "node").chmod(0o755)
    path = f"{tools}{os.pathsep}{os.environ['PATH']}"
    ended = chatops("deploy", "--app", str(app), PATH=path, RELAY_SECRET=SECRET, GITHUB_LOGIN=LOGIN, GITHUB_TOKEN=TOKEN)
    assert ended.code == 2
    assert said in ended.stderr
    assert "install Node.js 18 or newer" in ended.stderr


def test_no_partykit_and_no_npx_is_told(chatops: Chatops, app: Path) -> None:
    (app / "node_modules").unlink()
    tools = app.parent / "tools"
    tools.mkdir()
    (tools / "node").write_text("#!/bin/sh\necho v24.0.0\n")
    (tools / "node").chmod(0o755)
    ended = chatops("deploy", "--app", str(app), PATH=str(tools), RELAY_SECRET=SECRET)
    assert ended.code == 2
    assert "no partykit in its node_modules, and there is no npx on PATH" in ended.stderr
