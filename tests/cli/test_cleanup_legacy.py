"""`chatops cleanup-legacy` on the first user's app: before the migrations, after them, and the way back."""

from __future__ import annotations

import json
import re
import subprocess
from typing import TYPE_CHECKING

import pytest

from migrations.catalogue import all_migrations
from migrations.engine import AppView, make_plan
from migrations.hints import AppHints
from relay_server.checks.verdicts import keep_verdict
from tests.apps.variants import VARIANTS
from tests.migrations.engine.apps import snapshot, write_app

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.command import Chatops

RELAY = "http://127.0.0.1:1999"
SERVER = "src/server/ws-server.ts"
LISTENER = """\
"use client";

import { api } from "~/trpc/react";

export function Listener() {
  api.chat.onMessage.useSubscription(undefined, { onData: console.log });
  return null;
}
"""


def files_of(*, migrated: bool) -> dict[str, bytes]:
    """The app without a lock file, so that no package manager has to run."""
    files = {path: data for path, data in VARIANTS["npm"]().items() if path != "package-lock.json"}
    if migrated:
        after = make_plan(AppView.of_files(files), all_migrations(AppHints())[:5]).after
        files = {path: after.read(path) or b"" for path in after.paths}
        files[".env"] = b'NEXT_PUBLIC_CHAT_MODE="streaming"\nNEXT_PUBLIC_RELAY_HOST="127.0.0.1:1999"\n'
    return files


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """As chatops has never seen it."""
    return write_app(tmp_path / "app", files_of(migrated=False))


@pytest.fixture
def migrated(tmp_path: Path) -> Path:
    """As `chatops migrate up` and `chatops mode streaming` leave it."""
    return write_app(tmp_path / "app", files_of(migrated=True))


def actions(report: dict[str, list[dict[str, object]]]) -> set[tuple[object, object]]:
    return {(piece["file"], piece["action"]) for piece in report["pieces"]}


# --- nothing to do, and no


def test_an_app_without_such_a_server(app: Path, chatops: Chatops) -> None:
    for path in (SERVER, "src/trpc/react.tsx"):
        (app / path).unlink()
    manifest = json.loads((app / "package.json").read_text())
    del manifest["dependencies"]["ws"], manifest["devDependencies"]["@types/ws"]
    (app / "package.json").write_text(json.dumps(manifest))
    before = snapshot(app)
    ended = chatops("cleanup-legacy", "--app", "app", "--json")
    assert ended.code == 0
    assert ended.json == {"ok": True, "applied": False, "refused": None, "pieces": [], "diff": ""}
    assert snapshot(app) == before
    assert "nothing of a tRPC WebSocket server is left" in chatops("cleanup-legacy", "--app", "app").stdout


def test_a_live_subscription_refuses_it_and_is_listed(app: Path, chatops: Chatops) -> None:
    client = (app / "src/trpc/react.tsx").read_text()
    assert 'condition: (op) => op.type !== "subscription"' in client or "subscription" in client
    (app / "src/components/listener.tsx").write_text(LISTENER)
    # The usual way round: subscriptions over the WebSocket.
    (app / "src/trpc/react.tsx").write_text(USUAL_CLIENT)
    before = snapshot(app)
    ended = chatops("cleanup-legacy", "--app", "app", "--json")
    assert ended.code == 1
    report = ended.json
    assert (report["ok"], report["applied"], report["error"]["code"]) == (False, False, "still_needed")
    assert report["refused"].startswith("the WebSocket server is still needed: src/components/listener.tsx:6: ")
    needed = [piece for piece in report["pieces"] if piece["file"] == "src/components/listener.tsx"]
    assert [(piece["line"], piece["action"]) for piece in needed] == [(6, "keep")]
    assert {piece["action"] for piece in report["pieces"]} == {"keep"}
    assert snapshot(app) == before
    told = chatops("cleanup-legacy", "--app", "app")
    assert told.lines[0].startswith("needed   src/components/listener.tsx:6  the subscription chat.onMessage ")
    assert f"  {SERVER}:8  a commented-out WebSocket server for tRPC" in told.lines
    assert "  next: " in told.stderr


def test_streaming_has_to_be_verified(migrated: Path, chatops: Chatops) -> None:
    def refused() -> str:
        ended = chatops("cleanup-legacy", "--app", "app", "--json")
        assert (ended.code, ended.json["error"]["code"]) == (1, "not_verified")
        assert ended.json["applied"] is False
        assert (SERVER, "remove") in actions(ended.json)
        assert f"chatops stream-test lobby --relay {RELAY}, or" in ended.json["error"]["next_step"]
        return str(ended.json["refused"])

    before = snapshot(migrated)
    assert f"no stream-test has run against {RELAY} from here" in refused()
    keep_verdict(migrated, "https://another.example.com", ok=True)
    assert "no stream-test has run" in refused()
    keep_verdict(migrated, RELAY, ok=False, reason="2 of 5 clients lost frames")
    assert "failed: 2 of 5 clients lost frames" in refused()
    assert snapshot(migrated) == before
    keep_verdict(migrated, RELAY, ok=True)
    assert chatops("cleanup-legacy", "--app", "app", "--json").json["applied"] is True


def test_force_goes_on_without_a_verdict(migrated: Path, chatops: Chatops) -> None:
    assert chatops("cleanup-legacy", "--app", "app", "--force", "--json").json["applied"] is True
    assert not (migrated / SERVER).exists()


def test_a_dirty_tree_stops_it(app: Path, chatops: Chatops) -> None:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.com"]
    for command in (["init", "-q"], ["add", "-A"], [*identity, "commit", "-qm", "x"]):
        subprocess.run(["git", *command], cwd=app, check=True)
    (app / SERVER).write_text((app / SERVER).read_text() + "// mine\n")
    before = snapshot(app)
    ended = chatops("cleanup-legacy", "--app", "app", "--json")
    assert (ended.code, ended.json["error"]["code"], ended.json["applied"]) == (1, "dirty_tree", False)
    assert ended.json["refused"] == ended.json["error"]["message"]
    assert snapshot(app) == before
    assert chatops("cleanup-legacy", "--app", "app", "--allow-dirty", "--json").json["applied"] is True


# --- it goes, and comes back


def test_dry_run_shows_every_piece_and_the_diff_and_writes_nothing(app: Path, chatops: Chatops) -> None:
    before = snapshot(app)
    ended = chatops("cleanup-legacy", "--app", "app", "--dry-run")
    assert ended.code == 0
    assert re.search(rf"^remove   {SERVER}\S*  ", ended.stdout, re.MULTILINE)
    assert re.search(r"^rewrite  src/trpc/react.tsx:\d+  ", ended.stdout, re.MULTILINE)
    assert '-    "ws": "^8.18.0",' in ended.stdout
    assert ended.lines[-1].endswith("would change: chatops cleanup-legacy")
    assert snapshot(app) == before
    assert not (app / ".chatops").exists()


@pytest.mark.parametrize("shape", ["app", "migrated"])
def test_there_and_back(shape: str, request: pytest.FixtureRequest, chatops: Chatops) -> None:
    root: Path = request.getfixturevalue(shape)
    before = snapshot(root)
    ended = chatops("cleanup-legacy", "--app", "app", "--force", "--json")
    assert ended.code == 0
    report = ended.json
    assert {(SERVER, "remove"), ("package.json", "remove")} <= actions(report)
    assert {action for _, action in actions(report)} <= {"remove", "rewrite"}
    assert {SERVER, "package.json"} <= set(report["files"])
    assert not (root / SERVER).exists()
    manifest = json.loads((root / "package.json").read_text())
    assert {"ws", "@types/ws"}.isdisjoint({**manifest["dependencies"], **manifest["devDependencies"]})
    for path, (_, data) in snapshot(root).items():
        assert not re.search(rb"createWSClient|wsLink|applyWSSHandler|ws://", data), path

    again = chatops("cleanup-legacy", "--app", "app", "--json")
    assert again.json == {"ok": True, "applied": False, "refused": None, "pieces": [], "diff": ""}

    undone = chatops("cleanup-legacy", "--app", "app", "--undo", "--json")
    assert undone.code == 0
    assert set(undone.json["files"]) == set(report["files"])
    assert snapshot(root) == before
    nothing = chatops("cleanup-legacy", "--app", "app", "--undo")
    assert (nothing.code, nothing.lines) == (0, ["there is no cleanup to take back here"])


def test_undo_does_not_lose_what_somebody_wrote_since(app: Path, chatops: Chatops) -> None:
    assert chatops("cleanup-legacy", "--app", "app").code == 0
    manifest = app / "package.json"
    edited = manifest.read_text().replace('"version": "0.1.0"', '"version": "0.2.0"')
    manifest.write_text(edited)
    ended = chatops("cleanup-legacy", "--app", "app", "--undo", "--json")
    assert (ended.code, ended.json["error"]["code"]) == (1, "edited_since")
    assert manifest.read_text() == edited
    assert chatops("cleanup-legacy", "--app", "app", "--undo", "--merge").code == 0
    assert '"version": "0.2.0"' in manifest.read_text()
    assert '"ws": "^8.18.0"' in manifest.read_text()
    assert (app / SERVER).exists()


@pytest.mark.slow
def test_undo_of_the_migrations_waits_for_the_undo_of_the_cleanup(app: Path, chatops: Chatops) -> None:
    before = snapshot(app)
    assert chatops("migrate", "up", "--app", "app").code == 0
    assert chatops("cleanup-legacy", "--app", "app", "--force").code == 0
    after = snapshot(app)
    refused = chatops("migrate", "down", "--app", "app")
    assert refused.code == 1
    assert "chatops cleanup-legacy" in refused.stderr
    assert snapshot(app) == after
    assert chatops("cleanup-legacy", "--app", "app", "--undo").code == 0
    assert chatops("migrate", "down", "--app", "app").code == 0
    assert snapshot(app) == before


USUAL_CLIENT = """\
"use client";

import { createWSClient, httpBatchLink, splitLink, wsLink } from "@trpc/client";
import { createTRPCReact } from "@trpc/react-query";
import superjson from "superjson";

import type { AppRouter } from "~/server/api/root";

export const api = createTRPCReact<AppRouter>();

const wsClient = createWSClient({ url: "ws://localhost:3001" });

export const client = api.createClient({
  links: [
    splitLink({
      condition: (op) => op.type === "subscription",
      true: wsLink({ client: wsClient, transformer: superjson }),
      false: httpBatchLink({ url: "/api/trpc", transformer: superjson }),
    }),
  ],
});
"""
