from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from migrations.discovery.imports import imports_of
from migrations.engine import Applied, AppView, Blocked, Engine, NotApplicable, Pending, SourceFile, Style, make_plan
from migrations.hints import AppHints
from migrations.m1_packages import Packages
from migrations.m2_relay import RelayFiles, project_name, relay_files
from tests.apps.t3 import make_t3_app
from tests.apps.toolchain import developers_environment, run, run_well
from tests.migrations.engine.apps import FORMATS, snapshot
from tests.migrations.env_schemas import T3 as ENV_SCHEMA
from tests.migrations.env_schemas import T3_AFTER as ENV_SCHEMA_AFTER
from tests.migrations.test_kit import KIT
from tests.node import NODE, ensure_node_modules

if TYPE_CHECKING:
    from collections.abc import Iterator

    from migrations.engine import Outcome

TYPESCRIPT = KIT.parent.parent / "relay_server" / "typescript"
MANIFEST = """\
{
  "name": "@acme/My_App",
  "scripts": {
    "build": "next build",
    "dev": "next dev",
    "start": "next start"
  },
  "dependencies": {
    "@trpc/server": "^11.0.0",
    "next": "^15.2.3"
  }
}
"""
CODE = 'export function f() {\n  if (a) {\n    b("c");\n  }\n}\n' * 6
TSCONFIG = '{\n  "compilerOptions": {\n    "target": "es2022",\n    "strict": true\n  }\n}\n'
APP = {
    "package.json": MANIFEST,
    "tsconfig.json": TSCONFIG,
    ".env.example": 'KEY="x"\n',
    ".gitignore": "node_modules\n",
    "src/code.ts": CODE,
    "src/env.js": ENV_SCHEMA,
}


def app(changes: dict[str, str | None] | None = None, root: Path = Path("/acme/apps/web")) -> AppView:
    files = {path: text for path, text in {**APP, **(changes or {})}.items() if text is not None}
    return AppView.of_files({path: text.encode() for path, text in files.items()}, root)


def applied(view: AppView) -> AppView:
    """The app after the migration, which then knows its own work."""
    plan = make_plan(view, [RelayFiles()])
    assert plan.steps[0].state == "pending", plan.steps[0].reason
    assert make_plan(plan.after, [RelayFiles()]).steps[0].state == "applied"
    return plan.after


def text(view: AppView, path: str) -> str:
    return (view.read(path) or b"").decode()


def planned(changes: dict[str, str | None]) -> Outcome:
    return RelayFiles().plan(app(changes))


# --- the files


def test_the_files_are_the_servers_and_everything_that_it_imports() -> None:
    """Followed from party/server.ts; nothing is missing in an app, and nothing is there for nothing."""
    needed, seen = ["server"], set[str]()
    while needed:
        name = needed.pop()
        seen.add(name)
        path = TYPESCRIPT / "party" / f"{name}.ts"
        specifiers = [statement.specifier for statement in imports_of(SourceFile(path.name, path.read_bytes()))]
        needed += [s.removeprefix("./") for s in specifiers if s.startswith("./") and s.removeprefix("./") not in seen]
        assert {s for s in specifiers if not s.startswith("./")} <= {"partykit/server"}
    assert set(relay_files()) == {f"party/{name}.ts" for name in seen}


def test_an_app_of_the_repositorys_format_gets_the_repositorys_bytes() -> None:
    after = applied(app())
    for path in relay_files():
        assert after.read(path) == (TYPESCRIPT / path).read_bytes()


@pytest.mark.parametrize("name", FORMATS)
def test_in_another_format_it_is_the_same_program(name: str) -> None:
    """Line ends, indentation, quotes and semicolons are the app's; the tokens are the repository's."""
    form = FORMATS[name]
    files = {path: form.write(code).decode() for path, code in APP.items() if path.startswith("src/")}
    after = applied(app(dict(files)))
    style = after.style
    assert style == form.style or not form.style.final_newline
    for path, code in relay_files().items():
        data = after.read(path) or b""
        assert data.endswith(style.newline.encode())
        lines = data.decode().split(style.newline)
        assert not any(line.strip() and "\n" in line for line in lines)
        if style.indent == "\t":
            assert not [line for line in lines if re.match(r"  ", line)]
        assert _tokens(data.decode()) == _tokens(code)
    config = after.read("partykit.json") or b""
    assert config.count(b"\r\n") == (config.count(b"\n") if style.newline == "\r\n" else 0)
    assert f'\n{style.indent}"name": '.encode() in config.replace(b"\r\n", b"\n")


def _tokens(code: str) -> list[str]:
    return re.findall(r"\w+|[^\w\s;]", code.replace("'", '"'))


def test_the_settings_are_the_repositorys_under_the_apps_name() -> None:
    ours = json.loads((TYPESCRIPT / "partykit.json").read_text())
    after = applied(app())
    assert text(after, "partykit.json") == json.dumps({**ours, "name": "acme-my-app"}, indent=2) + "\n"
    assert (ours["main"], ours["compatibilityDate"]) == ("party/server.ts", "2024-07-18")


@pytest.mark.parametrize(
    ("package", "name"),
    [
        ("my-app", "my-app"),
        ("@acme/web.app", "acme-web-app"),
        ("_Chat_", "chat"),
        ("åäö", "chat-relay"),
        (None, "chat-relay"),
        ("", "chat-relay"),
        ("a" * 62 + "-b", "a" * 62),
    ],
)
def test_the_name_is_one_that_partykit_takes(package: object, name: str) -> None:
    """Its own pattern, and a label of a host name (RFC 1035)."""
    assert project_name(package) == name
    assert re.fullmatch(r"[a-zA-Z0-9-]{1,63}", name)


# --- what is there already


def test_a_file_of_ours_that_somebody_edited_stays() -> None:
    edited = relay_files()["party/server.ts"].replace("hibernate: false", "hibernate: true")
    after = applied(app({"party/server.ts": edited}))
    assert text(after, "party/server.ts") == edited
    assert after.exists("party/room.ts")


def test_settings_of_ours_that_somebody_edited_stay() -> None:
    for path in ("partykit.json", "partykit.jsonc", "partykit.json5"):
        settings = '{\n  // ours\n  "name": "x",\n  "main": "./party/server.ts",\n  "port": 1888,\n}\n'
        after = applied(app({path: settings}))
        assert text(after, path) == settings
        assert [p for p in after.paths if p.startswith("partykit")] == [path]


@pytest.mark.parametrize(
    ("changes", "blocked"),
    [
        (
            {"party/room.ts": "export class ChatRoom {}\n"},
            ("party/room.ts", 1, "there is another file where one of the relay's has to be"),
        ),
        (
            {"partykit.json": '{\n  "name": "x",\n  "main": "party/index.ts"\n}\n'},
            ("partykit.json", 3, "it runs a party of the app's own, party/index.ts, where the relay has to be"),
        ),
        ({"partykit.json": '{"name": "x"}'}, ("partykit.json", 1, "it has no main, which has to be party/server.ts")),
        (
            {
                "package.json": MANIFEST.replace(
                    '  "scripts"', '  "partykit": {\n    "main": "src/p.ts"\n  },\n  "scripts"'
                )
            },
            ("package.json", 4, "it runs a party of the app's own, src/p.ts, where the relay has to be"),
        ),
        ({"tsconfig.json": None}, ("", 0, "the app has no tsconfig.json: the relay and the kit are TypeScript")),
        (
            {"tsconfig.json": TSCONFIG.replace("es2022", "ES5")},
            ("tsconfig.json", 3, "target es5 is too old for the relay and the kit"),
        ),
        (
            {"tsconfig.json": '{"compilerOptions": {"moduleResolution": "NodeNext"}}'},
            ("tsconfig.json", 1, "moduleResolution nodenext is not how the kit's imports are written"),
        ),
        (
            {"tsconfig.json": '{"compilerOptions": {"noPropertyAccessFromIndexSignature": true}}'},
            (
                "tsconfig.json",
                1,
                "noPropertyAccessFromIndexSignature true is not how the relay and the kit are written",
            ),
        ),
    ],
)
def test_what_is_the_apps_own_is_not_written_over(
    changes: dict[str, str | None], blocked: tuple[str, int, str]
) -> None:
    outcome = planned(changes)
    assert isinstance(outcome, Blocked)
    assert (outcome.file, outcome.line, outcome.reason) == blocked
    assert outcome.next_step


def test_other_files_in_the_folder_are_nobodys_business() -> None:
    assert isinstance(planned({"party/index.ts": "export default 1;\n", "party/README.md": "party\n"}), Pending)


def test_an_app_of_another_kind_is_told_so() -> None:
    outcome = planned({"package.json": '{"dependencies": {"next": "15"}}'})
    assert outcome == NotApplicable("the app has no @trpc/server in its package.json")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"partykit.json": "{"}, "partykit.json:1: it is not JSON"),
        (
            {"package.json": MANIFEST.replace('{\n    "build', '"x", "y": {\n    "build')},
            "package.json: scripts is not an object",
        ),
    ],
)
def test_settings_that_cannot_be_read_block(changes: dict[str, str | None], reason: str) -> None:
    step = make_plan(app(changes), [RelayFiles()]).steps[0]
    assert (step.state, step.reason) == ("blocked", reason)


# --- script, ignore entries, variables


@pytest.mark.parametrize(
    ("scripts", "after"),
    [
        (
            {"build": "next build", "dev": "next dev", "start": "next start"},
            {"build": "next build", "dev": "next dev", "dev:relay": "partykit dev", "start": "next start"},
        ),
        ({"start": "x", "dev": "y"}, {"start": "x", "dev": "y", "dev:relay": "partykit dev"}),
        ({"dev:relay": "node relay.js"}, {"dev:relay": "node relay.js", "relay:dev": "partykit dev"}),
        ({"party": "npx partykit dev --port 2000"}, {"party": "npx partykit dev --port 2000"}),
        ({"dev": "run-p next 'partykit  dev'"}, {"dev": "run-p next 'partykit  dev'"}),
        ({"up": "partykit deploy"}, {"dev:relay": "partykit dev", "up": "partykit deploy"}),
        (None, {"dev:relay": "partykit dev"}),
    ],
)
def test_a_script_runs_the_relay(scripts: dict[str, str] | None, after: dict[str, str]) -> None:
    manifest = json.loads(MANIFEST)
    manifest |= {"scripts": scripts} if scripts is not None else {}
    if scripts is None:
        del manifest["scripts"]
    found = applied(app({"package.json": json.dumps(manifest, indent=2) + "\n"})).json("package.json")["scripts"]
    assert list(found.items()) == list(after.items())


def test_where_both_names_are_taken_it_is_left_to_a_person() -> None:
    manifest = MANIFEST.replace(
        '"dev": "next dev",', '"dev": "next dev",\n    "dev:relay": "a",\n    "relay:dev": "b",'
    )
    outcome = planned({"package.json": manifest})
    assert isinstance(outcome, Pending)
    assert [(left.file, left.line, left.how) for left in outcome.leftovers] == [
        ("package.json", 6, "add a script that runs `partykit dev`")
    ]


def test_everything_else_is_changed_as_the_app_has_it() -> None:
    after = applied(app())
    assert text(after, ".gitignore") == "node_modules\n\n# partykit\n.partykit\n"
    assert text(after, "src/env.js") == ENV_SCHEMA_AFTER
    assert [line for line in text(after, ".env.example").splitlines() if not line.startswith("#")] == [
        'KEY="x"',
        "",
        'RELAY_SECRET=""',
        'NEXT_PUBLIC_RELAY_HOST="127.0.0.1:1999"',
        'NEXT_PUBLIC_CHAT_MODE="send-message"',
    ]
    assert {path for path in after.paths if after.read(path) != app().read(path)} == {
        ".env.example",
        ".gitignore",
        "package.json",
        "partykit.json",
        "src/env.js",
        *relay_files(),
    }


def test_an_app_without_env_files_and_schema_gets_none() -> None:
    after = applied(app({".env.example": None, "src/env.js": None}))
    assert not [path for path in after.paths if "env" in path]


def test_a_schema_that_is_not_understood_is_a_leftover_and_stays_one() -> None:
    view = app({"src/env.js": ENV_SCHEMA.replace("createEnv({", "createEnv(fromElsewhere, {")})
    after = applied(view)
    assert text(after, "src/env.js") == text(view, "src/env.js")
    for outcome in (RelayFiles().plan(view), RelayFiles().plan(after)):
        assert isinstance(outcome, Pending | Applied)
        assert [(left.file, left.line) for left in outcome.leftovers] == [("src/env.js", 4)]


def test_the_schema_is_the_one_that_the_owner_names() -> None:
    view = app({"src/other.ts": ENV_SCHEMA, "src/third.ts": ENV_SCHEMA})
    plan = make_plan(view, [RelayFiles(AppHints(env_schema="src/third.ts"))])
    assert text(plan.after, "src/third.ts") == ENV_SCHEMA_AFTER
    assert "src/env.js" not in plan.files
    step = make_plan(view, [RelayFiles(AppHints(env_schema="src/gone.ts"))]).steps[0]
    assert (step.state, "no file src/gone.ts" in step.reason) == ("blocked", True)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ('{\n  "globalEnv": ["AUTH_SECRET"]\n}\n', [(2, 'add "RELAY_SECRET", "RELAY_URL" to that list')]),
        ('{"tasks": {"build": {"env": ["A", "RELAY_URL"]}}}', [(1, 'add "RELAY_SECRET" to that list')]),
        ('{"pipeline": {"build": {"env": ["RELAY_*"]}}}', []),
        ('{"globalEnv": ["A"], "globalPassThroughEnv": ["RELAY_SECRET", "RELAY_URL"]}', []),
        ('{"tasks": {"build": {"dependsOn": ["^build"]}}}', []),
        ('{"globalEnv": [', []),
    ],
)
def test_turborepo_has_to_be_told_of_variables_where_it_lists_them(settings: str, told: list[tuple[int, str]]) -> None:
    outcome = planned({"../../turbo.json": settings})
    assert isinstance(outcome, Pending)
    assert [(left.line, left.how) for left in outcome.leftovers if left.file == "../../turbo.json"] == told
    assert "../../turbo.json" not in [change.path for change in outcome.changes]


# --- with real tools


@pytest.mark.slow
@pytest.mark.parametrize("style", [Style(), Style(indent="\t"), Style(newline="\r\n")], ids=repr)
def test_prettier_is_content_with_the_files(style: Style, tmp_path: Path) -> None:
    """In the formats that `ignore_for_linters` takes for held."""
    for path, code in relay_files().items():
        (tmp_path / Path(path).name).write_bytes(style.whole_file(code))
    options = ["--use-tabs"] * (style.indent == "\t") + ["--end-of-line=crlf"] * (style.newline == "\r\n")
    done = ensure_node_modules(KIT).run("prettier", "--check", "--no-config", *options, str(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def developers_path(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in developers_environment().items():
        monkeypatch.setenv(name, value)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.usefixtures("developers_path")
@pytest.mark.parametrize("biome", [True, False], ids=["biome", "eslint"])
def test_a_real_app_lints_type_checks_runs_the_relay_and_is_given_back(tmp_path: Path, biome: bool) -> None:
    """The engine's own type check finds nothing new; PartyKit takes the secret from the app's .env."""
    root = make_t3_app(tmp_path / "app", biome=biome)
    before = snapshot(root)
    engine = Engine(root, [Packages(), RelayFiles()])
    report = engine.up()
    assert (report.leftovers, report.notes) == ((), ())
    written = [path for path in report.files if path.endswith((".ts", ".js", ".json")) and path != "package-lock.json"]
    assert len(written) == len(relay_files()) + 3
    if biome:
        run_well("npx", "biome", "check", "--error-on-warnings", *written, cwd=root)
    else:
        run_well("npx", "eslint", "--max-warnings", "0", "party", "src/env.js", cwd=root)
        run_well("npx", "prettier", "--check", *written, cwd=root)
    run_well("npx", "tsc", "--noEmit", cwd=root)
    with (root / ".env").open("a") as env:
        env.write('\nRELAY_SECRET="from the app"\n')
    for health in _partykit_dev(root):
        assert health == {"ok": True, "protocol": 1, "server": "partykit", "build": "dev", "secret_configured": True}
    (root / ".env").write_bytes(before[".env"][1])
    assert run(
        "git", "status", "--porcelain", "--ignored", "--", ".partykit", "party", cwd=root
    ).stdout.splitlines() == ["?? party/"]
    engine.down()
    now = {path: state for path, state in snapshot(root).items() if not path.endswith(".tsbuildinfo")}
    assert now == before


def _partykit_dev(root: Path) -> Iterator[object]:
    """What the relay's health address answers, while the app's own `partykit dev` runs."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command: list[str | Path] = [NODE, "node_modules/partykit/dist/bin.mjs", "dev", "--port", str(port), "--no-hotkeys"]
    with (root.parent / "partykit.log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "--disable-request-cf-fetch", "--persist", "false"],
            cwd=root, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    try:
        for _ in range(300):
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5) as answer:
                    yield json.load(answer)
                return
            except (urllib.error.URLError, ConnectionError):
                assert process.poll() is None, (root.parent / "partykit.log").read_text()
                time.sleep(0.1)
        raise AssertionError((root.parent / "partykit.log").read_text())
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)
