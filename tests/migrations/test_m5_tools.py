"""Migration 5 and the real tools: the formatters on what it writes, and React, tRPC and the relay running it."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.migrations.component_apps import app, component, migrated
from tests.migrations.test_m5_component import CALLS
from tests.migrations.transforms.test_live_text import DEPENDENCIES, PARTS, PURE, STATES, chat
from tests.migrations.transforms.test_made_values import MADE
from tests.migrations.transforms.test_made_values import page as making_page
from tests.migrations.transforms.test_wrapping import CASES, wrap
from tests.node import NodeTools, ensure_node_modules

if TYPE_CHECKING:
    import subprocess

KIT = Path(__file__).parent.parent.parent / "migrations" / "kit"
BIOME = {"formatter": {"indentStyle": "space"}, "linter": {"enabled": False}, "assist": {"enabled": False}}

# A page each; `show` tells the test what is rendered.
PAGES: dict[str, str] = {
    "whole": """\
const [history, setHistory] = useState<Turn[]>([]);
const send = api.chat.sendMessage.useMutation({
  onSuccess: (text, { message }) => {
    if (!text) return;
    setHistory((prev) => [
      ...prev,
      { role: "user", text: message },
      { role: "model", text },
    ]);
  },
});""",
    "part": """\
const [history, setHistory] = useState<Turn[]>([]);
const [draft, setDraft] = useState("draft");
const send = api.chat.sendMessage.useMutation({
  onMutate: ({ message }) => {
    setHistory((prev) => [...prev, { role: "user", text: message }]);
  },
  onSuccess: async (reply) => {
    const text = reply?.trim() ?? "";
    setHistory((prev) => [...prev, { role: "model", text }]);
    setDraft("");
    await Promise.resolve();
  },
});""",
    "made": """\
const [history, setHistory] = useState<Turn[]>([]);
const [draft, setDraft] = useState("draft");
const send = api.chat.sendMessage.useMutation({
  onSuccess: (text, { message }) => {
    const id = `bot-${Date.now()}`;
    setHistory((prev) => [
      ...prev,
      { id: crypto.randomUUID(), role: "user", text: message },
      { id, role: "model", text: text ?? "", at: new Date() },
    ]);
    setDraft("");
  },
});""",
    "setter": """\
const [reply, setReply] = useState<string>();
const send = api.chat.sendMessage.useMutation({ onSuccess: setReply });
const history = [
  { role: "user", text: "hi" },
  { role: "model", text: reply ?? "" },
];""",
    "left-over": """\
const [reply, setReply] = useState<string>();
const [pieces] = useState<string[]>([]);
const send = api.chat.sendMessage.useMutation({
  onSuccess: (text) => {
    setReply(keep(text));
  },
});
const history = [
  { role: "user", text: "hi" },
  { role: "model", text: reply ?? "" },
];""",
}
JSX = "<p>{show({ history, send, draft })}{pieces}</p>"


@pytest.fixture(scope="module")
def tools() -> NodeTools:
    return ensure_node_modules(KIT)


@pytest.mark.slow
def test_what_is_written_is_as_prettier_and_biome_write_it(tools: NodeTools, tmp_path: Path) -> None:
    written = [migrated(app(page=component(body))) for body, _ in CALLS.values()]
    written += [migrated(app(page=chat(on_success, above=STATES))) for on_success, _ in PARTS.values()]
    written += [migrated(app(page=chat(PURE, below=below))) for below, _ in DEPENDENCIES.values()]
    written += [migrated(app(page=making_page(on_success))) for on_success, _ in MADE.values()]
    written += [wrap(long) for long, _ in CASES.values() if not long.startswith("return")]
    for number, text in enumerate(written):
        (tmp_path / f"page-{number}.tsx").write_text(text)
    _check(tools.run("prettier", "--check", str(tmp_path)))
    (tmp_path / "biome.json").write_text(json.dumps(BIOME))
    _check(tools.run("biome", "check", f"--config-path={tmp_path}", *map(str, tmp_path.glob("*.tsx"))))


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_the_migrated_pages_stream_and_end_as_the_mutation_would_have_left_them(
    tools: NodeTools, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every page in both modes: React, a tRPC server, the bundled relay, real sockets."""
    (tmp_path / "node_modules").symlink_to(tools.folder / "node_modules")
    shutil.copytree(KIT / "src", tmp_path / "src")
    (tmp_path / "tests").mkdir()
    for file in ("tests/servers.ts", "tests/dom.ts", "vitest.config.ts", "package.json"):
        shutil.copy(KIT / file, tmp_path / file)
    shutil.copy(Path(__file__).parent / "pages.test.tsx", tmp_path / "tests")
    for name, body in PAGES.items():
        jsx = JSX if "pieces" in body else JSX.replace("{pieces}", "")
        jsx = jsx if "draft" in body else jsx.replace(", draft", "")
        helpers = 'import { api, keep, show, type Turn } from "./page";'
        source = component(body, imports='import { useState } from "react";', jsx=jsx)
        text = migrated(app(page=source)).replace('import { api } from "~/trpc/react";', helpers)
        (tmp_path / "tests" / f"{name}.tsx").write_text(text.replace("~/relay-kit/", "../src/"))
    (tmp_path / "tests" / "page.ts").write_text(
        'import { createTRPCReact } from "@trpc/react-query";\n\n'
        'import type { ChatRouter } from "./servers";\n\n'
        "export type Turn = { role: string; text: string; id?: string; at?: Date };\n"
        "export const api = createTRPCReact<ChatRouter>();\n"
        "export const keep = (text?: string) => text;\n"
        "type Send = { mutate: (variables: { message: string }) => void; isSuccess: boolean };\n"
        "export type Shown = { history: Turn[]; send: Send };\n"
        "export const shown: Shown[] = [];\n"
        "export const show = (now: Shown) => shown.push(now) && null;\n"
    )
    monkeypatch.setenv("CHATOPS_PYTHON", sys.executable)
    report = tmp_path / "report.json"
    done = NodeTools(tmp_path).run(
        "vitest", "run", "--reporter=default", "--reporter=json", f"--outputFile={report}", timeout_s=390
    )
    _check(done)
    assert json.loads(report.read_text())["numPassedTests"] == 2 * len(PAGES)


def _check(done: subprocess.CompletedProcess[str]) -> None:
    assert done.returncode == 0, f"{done.stdout[-6000:]}\n{done.stderr[-3000:]}"
