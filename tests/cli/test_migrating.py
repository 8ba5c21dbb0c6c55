"""`chatops init`, `plan`, `migrate` and `mode` on small apps of the first user's shape."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.apps.variants import VARIANTS
from tests.migrations.engine.apps import snapshot
from tests.servers import SECRET

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.command import Chatops
    from tests.servers import RunningRelay

TITLES = [
    "Add partykit and partysocket",
    "Add the relay for PartyKit",
    "Enable the streaming procedure, through the relay",
    "Send the tRPC client's subscriptions through the relay",
    "Call the chat through the hook that can stream",
]


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """An app without a lock file, so that no package manager has to run."""
    root = tmp_path / "app"
    for path, data in VARIANTS["npm"]().items():
        if path != "package-lock.json":
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(data)
    return root


def git(root: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.com"]
    done = subprocess.run(["git", *identity, *arguments], cwd=root, capture_output=True, text=True, check=True)
    return done.stdout


def states(report: dict[str, list[dict[str, object]]]) -> list[object]:
    return [migration["state"] for migration in report["migrations"]]


# --- init


def test_init_finds_every_part_and_writes_it_down(app: Path, chatops: Chatops) -> None:
    ended = chatops("init", "--app", "app")
    assert (ended.code, ended.stderr) == (0, "")
    told = {line[:16].strip(): line[17:] for line in ended.lines if line}
    assert told["package manager"] == "npm (no lock file)"
    assert told["subscription"].endswith("commented out)")
    assert told["legacy server"].startswith("src/server/ws-server.ts:")
    written = (app / "partyconfig.toml").read_text()
    for line in (
        'mutation = "chat.sendMessage"',
        'subscription = "chat.sendMessageStream"',
        'client = "src/trpc/react.tsx"',
        'component = "src/components/retro-chat/retro-chat.tsx"',
    ):
        assert line in written
    assert ended.lines[-1] == "next: chatops plan"


def test_init_a_second_time_changes_nothing_and_keeps_what_a_person_set(app: Path, chatops: Chatops) -> None:
    chatops("init", "--app", "app")
    path = app / "partyconfig.toml"
    path.write_text(path.read_text().replace('url = ""', 'url = "https://mine.example.com"  # ours'))
    before = path.read_bytes()
    ended = chatops("init", "--app", "app", "--json")
    assert ended.json["written"] is False
    assert path.read_bytes() == before


def test_init_dry_run_writes_nothing(app: Path, chatops: Chatops) -> None:
    before = snapshot(app)
    ended = chatops("init", "--app", "app", "--dry-run", "--json")
    assert "+++ b/partyconfig.toml" in ended.json["diff"]
    assert {part["key"] for part in ended.json["parts"]} >= {"app.mutation", "app.client", "app.component"}
    assert snapshot(app) == before
    assert not (app / ".chatops").exists()


def test_init_says_what_it_did_not_find_and_the_key_to_set(app: Path, chatops: Chatops) -> None:
    (app / "src/components/retro-chat/retro-chat.tsx").write_text("export {};\n")
    ended = chatops("init", "--app", "app")
    assert ended.code == 0
    (line,) = [line for line in ended.lines if line.startswith("component")]
    assert "nothing calls chat.sendMessage by useMutation: set app.component" in line


# --- plan


def test_plan_shows_the_states_and_the_diff_and_writes_nothing(app: Path, chatops: Chatops) -> None:
    before = snapshot(app)
    ended = chatops("plan", "--app", "app")
    assert ended.code == 0
    assert [line.split(maxsplit=2)[1:] for line in ended.lines[:5]] == [["pending", title] for title in TITLES]
    assert "+++ b/party/server.ts" in ended.lines
    assert ended.lines[-1].startswith("5 migrations pending, ")
    assert snapshot(app) == before
    assert not (app / ".chatops").exists()


def test_plan_for_a_script(app: Path, chatops: Chatops) -> None:
    report = chatops("plan", "--app", "app", "--json").json
    assert list(report) == ["ok", "app", "migrations", "diff", "leftovers"]
    assert report["app"] == str(app)
    assert [(m["id"], m["title"], m["state"], m["reason"]) for m in report["migrations"][:5]] == [
        (number, title, "pending", "") for number, title in enumerate(TITLES, 1)
    ]
    assert [set(leftover) for leftover in report["leftovers"]] == [{"file", "line", "what", "how"}]
    (app / "patch").write_text(report["diff"])
    git(app, "init", "--quiet")
    assert git(app, "apply", "--check", "patch") == ""  # the diff is one that git takes


def test_two_candidates_are_told_with_the_key_to_set(app: Path, chatops: Chatops) -> None:
    router = app / "src/server/api/routers/chat.ts"
    text = router.read_text()
    start, end = text.index("  sendMessage:"), text.index("  /*")
    router.write_text(text[:end] + text[start:end].replace("sendMessage:", "askKeeper:") + text[end:])
    component = app / "src/components/retro-chat/retro-chat.tsx"
    component.write_text(component.read_text() + "\nexport const useAsk = () => api.chat.askKeeper.useMutation();\n")
    router.write_text(router.read_text().replace("sendMessageStream", "stream"))
    before = snapshot(app)
    ended = chatops("plan", "--app", "app", "--json")
    assert ended.code == 1
    assert ended.json["error"]["code"] == "blocked"
    assert "chat.sendMessage" in ended.json["error"]["message"]
    assert "chat.askKeeper" in ended.json["error"]["message"]
    assert "app.mutation" in ended.json["error"]["next_step"]
    assert "blocked" in states(ended.json)
    assert chatops("migrate", "up", "--app", "app").code == 1
    assert snapshot(app) == before
    (app / "partyconfig.toml").write_text('[app]\nmutation = "chat.sendMessage"\n')
    assert chatops("plan", "--app", "app", "--json").code == 0


def test_a_syntax_error_is_told_with_its_line(app: Path, chatops: Chatops) -> None:
    router = app / "src/server/api/routers/chat.ts"
    router.write_text(router.read_text().replace("sendMessage: publicProcedure", "sendMessage: publicProcedure ((", 1))
    before = snapshot(app)
    ended = chatops("migrate", "up", "--app", "app")
    assert ended.code == 1
    assert ended.stderr.count("\n") == 2
    assert "src/server/api/routers/chat.ts:" in ended.stderr
    assert snapshot(app) == before


@pytest.mark.parametrize("command", [["init"], ["plan"], ["migrate", "up"], ["migrate", "down"], ["mode"]])
def test_no_app_there_is_one_line(command: list[str], tmp_path: Path, chatops: Chatops) -> None:
    ended = chatops(*command)
    assert ended.code == 2
    assert ended.stderr.splitlines() == [
        f"error: there is no app in {tmp_path}: it has no package.json",
        "  next: give the app's folder: --app PATH",
    ]


def test_from_a_folder_of_the_app_the_app_is_named(app: Path, chatops: Chatops) -> None:
    ended = chatops("plan", "--app", "app/src")
    assert ended.code == 2
    assert ended.stderr.splitlines()[1] == f"  next: give the app's folder: --app {app}"


def test_from_the_root_of_a_workspace_the_app_is_named(app: Path, chatops: Chatops) -> None:
    (app.parent / "package.json").write_text('{"private": true, "workspaces": ["*"]}')
    ended = chatops("plan")
    assert ended.code == 2
    assert ended.stderr.splitlines()[1] == "  next: give the app's folder: --app app"


# --- migrate


def test_up_status_and_down(app: Path, chatops: Chatops) -> None:
    (app / "src/trpc/react.tsx").chmod(0o640)
    before = snapshot(app)
    up = chatops("migrate", "up", "--app", "app")
    assert up.code == 0
    assert up.lines[-1].startswith("5 migrations applied, ")
    assert states(chatops("migrate", "status", "--app", "app", "--json").json)[:5] == ["applied"] * 5
    after = snapshot(app)
    assert stat.S_IMODE((app / "src/trpc/react.tsx").stat().st_mode) == 0o640
    again = chatops("migrate", "up", "--app", "app")
    assert (again.code, again.lines[-1]) == (0, "nothing is pending")
    assert snapshot(app) == after
    down = chatops("migrate", "down", "--app", "app")
    assert down.code == 0
    assert snapshot(app) == before
    assert chatops("migrate", "down", "--app", "app").lines == ["nothing is applied"]


@pytest.mark.slow
def test_up_and_down_by_steps(app: Path, chatops: Chatops) -> None:
    seen = [snapshot(app)]
    for number in range(1, 6):
        assert chatops("migrate", "up", str(number), "--app", "app", "--json").code == 0
        seen.append(snapshot(app))
    for number in (3, 1, 0):
        report = chatops("migrate", "down", str(number), "--app", "app", "--json").json
        assert report["ok"] is True
        assert snapshot(app) == seen[number]


def test_dry_runs_write_nothing(app: Path, chatops: Chatops) -> None:
    before = snapshot(app)
    assert chatops("migrate", "up", "--app", "app", "--dry-run").lines == chatops("plan", "--app", "app").lines
    assert snapshot(app) == before
    chatops("migrate", "up", "--app", "app")
    after = snapshot(app)
    report = chatops("migrate", "down", "--app", "app", "--dry-run", "--json").json
    assert "--- a/party/server.ts" in report["diff"]
    assert len(report["migrations"]) == 5
    assert snapshot(app) == after


def test_a_dirty_tree_is_refused(app: Path, chatops: Chatops) -> None:
    git(app, "init", "--quiet")
    git(app, "add", ".")
    git(app, "commit", "--quiet", "-m", "all")
    path = app / "src/app/page.tsx"
    path.write_bytes(path.read_bytes() + b"\n")
    ended = chatops("migrate", "up", "--app", "app")
    assert ended.code == 1
    assert ended.stderr.startswith("error: there are changes that are not committed: src/app/page.tsx\n")
    assert chatops("migrate", "up", "--app", "app", "--allow-dirty").code == 0


def test_somebodys_later_edit_is_refused_and_then_kept(app: Path, chatops: Chatops) -> None:
    original = (app / ".env.example").read_bytes()
    chatops("migrate", "up", "--app", "app")
    path = app / ".env.example"
    path.write_bytes(b"# mine\n" + path.read_bytes())
    after = snapshot(app)
    ended = chatops("migrate", "down", "--app", "app", "--json")
    assert (ended.code, ended.json["error"]["code"]) == (1, "edited_since")
    assert snapshot(app) == after
    assert chatops("migrate", "down", "--app", "app", "--merge").code == 0
    assert path.read_bytes() == b"# mine\n" + original


def test_files_that_cannot_be_written_are_one_line_and_nothing_has_changed(app: Path) -> None:
    """A limit on the size of files, which the kernel enforces for root too."""
    before = snapshot(app)
    limited = ["prlimit", "--fsize=4096", sys.executable, "-P", "-m", "cli", "migrate", "up", "--app", str(app)]
    ended = subprocess.run(limited, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert re.fullmatch(r"error: .*File too large.*\n  next: .*\n", ended.stderr)
    assert snapshot(app) == before


# --- mode


def test_the_mode_is_shown(app: Path, chatops: Chatops) -> None:
    assert chatops("mode", "--app", "app").lines == ["send-message (NEXT_PUBLIC_CHAT_MODE is set nowhere)"]
    report = chatops("mode", "show", "--app", "app", "--json").json
    assert report == {
        "ok": True,
        "mode": "send-message",
        "file": None,
        "configured": None,
        "relay": None,
        "pending": [1, 2, 3, 4, 5],
    }


def test_streaming_is_refused_while_a_migration_is_pending(app: Path, chatops: Chatops) -> None:
    before = snapshot(app)
    ended = chatops("mode", "streaming", "--app", "app", "--relay", "http://127.0.0.1:9")
    assert ended.code == 1
    assert ended.stderr.startswith("error: migration 1 (Add partykit and partysocket) is pending")
    assert snapshot(app) == before


def test_streaming_is_refused_where_no_relay_answers(app: Path, chatops: Chatops) -> None:
    chatops("migrate", "up", "--app", "app")
    before = snapshot(app)
    ended = chatops("mode", "streaming", "--app", "app", "--relay", "http://127.0.0.1:9")
    assert ended.code == 3
    assert "insist with --force" in ended.stderr
    assert chatops("mode", "streaming", "--app", "app").code == 2  # no relay is known
    assert snapshot(app) == before
    assert chatops("mode", "streaming", "--app", "app", "--relay", "http://127.0.0.1:9", "--force").code == 0
    assert (app / ".env").exists() or (app / ".env.local").exists()


def test_the_switch_there_and_back(app: Path, bundled_relay: RunningRelay, chatops: Chatops) -> None:
    chatops("migrate", "up", "--app", "app")
    there = chatops("mode", "streaming", "--app", "app", "--relay", bundled_relay.url, RELAY_SECRET=SECRET)
    assert there.code == 0
    env = (app / ".env.local").read_text()
    assert env.splitlines() == [
        "NEXT_PUBLIC_CHAT_MODE=streaming",
        f"NEXT_PUBLIC_RELAY_HOST={bundled_relay.url.removeprefix('http://')}",
    ]
    assert 'mode = "streaming"' in (app / "partyconfig.toml").read_text()
    assert "  vercel env add RELAY_SECRET production --force --sensitive" in there.stderr.splitlines()
    assert SECRET not in there.stdout + there.stderr
    assert (
        chatops("mode", "streaming", "--app", "app", "--json").json["files"] == []
    )  # from here the env file says where
    back = chatops("mode", "send-message", "--app", "app")
    assert back.code == 0
    assert "NEXT_PUBLIC_CHAT_MODE=send-message" in (app / ".env.local").read_text()
    assert chatops("mode", "--app", "app", "--json").json["mode"] == "send-message"


def test_down_after_a_switch_gives_back_every_byte_of_the_app(app: Path, chatops: Chatops) -> None:
    before = snapshot(app)
    chatops("migrate", "up", "--app", "app")
    chatops("mode", "streaming", "--app", "app", "--relay", "http://127.0.0.1:9", "--force")
    chatops("migrate", "down", "--app", "app")
    after = snapshot(app)
    assert {path: after[path] for path in before} == before
    assert set(after) - set(before) == {".env.local", "partyconfig.toml"}


VERCEL = """\
#!/bin/sh
printf '%s <' "$*" >> "$VERCEL_LOG"
cat >> "$VERCEL_LOG"
printf '>\\n' >> "$VERCEL_LOG"
"""


def test_vercels_variables_go_in_through_stdin(app: Path, tmp_path: Path, chatops: Chatops) -> None:
    """A stand-in for Vercel's CLI notes what it is told: the secret is never in argv."""
    tool = tmp_path / "bin/vercel"
    tool.parent.mkdir()
    tool.write_text(VERCEL)
    tool.chmod(0o755)
    environment = {
        "PATH": f"{tool.parent}:{os.environ['PATH']}",
        "VERCEL_LOG": str(tmp_path / "log"),
        "RELAY_SECRET": SECRET,
        "CHATOPS_RELAY_URL": "https://relay.example.com",
    }
    arguments = ["mode", "streaming", "--app", "app", "--force", "--vercel"]
    local = chatops(*arguments, "--relay", "http://127.0.0.1:9", **environment)
    assert (local.code, local.stderr.splitlines()[0]) == (2, "error: a deployment cannot reach a relay on this machine")
    assert not (tmp_path / "log").exists()
    (app / ".env.local").write_text("NEXT_PUBLIC_RELAY_HOST=127.0.0.1:9\n")  # for next dev; the deployment has its own
    ended = chatops(*arguments, **environment)
    assert ended.code == 0
    assert (tmp_path / "log").read_text().splitlines() == [
        "env add NEXT_PUBLIC_CHAT_MODE production --force <streaming>",
        "env add NEXT_PUBLIC_RELAY_HOST production --force <relay.example.com>",
        f"env add RELAY_SECRET production --force --sensitive <{SECRET}>",
    ]
    assert SECRET not in ended.stdout + ended.stderr
    assert (app / ".env.local").read_text() == ("NEXT_PUBLIC_RELAY_HOST=127.0.0.1:9\nNEXT_PUBLIC_CHAT_MODE=streaming\n")


def test_a_vercel_that_fails_is_one_line(app: Path, tmp_path: Path, chatops: Chatops) -> None:
    tool = tmp_path / "bin/vercel"
    tool.parent.mkdir()
    tool.write_text('#!/bin/sh\necho "Error: Your codebase is not linked." >&2\nexit 1\n')
    tool.chmod(0o755)
    before = snapshot(app)
    ended = chatops("mode", "send-message", "--app", "app", "--vercel", PATH=f"{tool.parent}:{os.environ['PATH']}")
    assert ended.code == 1
    assert snapshot(app) == before
    assert ended.stderr.splitlines()[-2] == (
        "error: vercel env add NEXT_PUBLIC_CHAT_MODE failed: Error: Your codebase is not linked."
    )
    tool.unlink()
    missing = chatops("mode", "send-message", "--app", "app", "--vercel", PATH="/nowhere")
    assert (missing.code, json.loads(json.dumps(missing.stderr.splitlines()[0]))) == (
        2,
        "error: Vercel's CLI is not on PATH",
    )
