"""The relay moves from PartyKit's platform to the team's own account, and back."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from migrations.catalogue import all_migrations
from migrations.discovery.imports import imports_of
from migrations.engine import (
    Applied,
    AppView,
    Blocked,
    Engine,
    FileChange,
    NotApplicable,
    Pending,
    SourceFile,
    make_plan,
)
from migrations.engine.json_edits import parse_json
from migrations.hints import AppHints
from migrations.m1_packages import Packages, range_of
from migrations.m2_relay import RelayFiles, relay_files
from migrations.m6_own_account import EitherHome, OwnAccount, on_own_account
from migrations.transforms.own_account import wrangler_script
from migrations.transforms.own_account_exclude import _matches
from tests.apps.t3 import make_t3_app
from tests.apps.toolchain import developers_environment, run_well
from tests.apps.variants import VARIANTS
from tests.migrations.engine.apps import FORMATS, snapshot
from tests.node import ensure_node_modules
from tests.servers import TYPESCRIPT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from migrations.engine import Migration, Outcome

MANIFEST = """\
{
  "name": "@acme/My_App",
  "scripts": {
    "build": "next build",
    "dev": "next dev"
  },
  "dependencies": {
    "@trpc/server": "^11.0.0",
    "next": "^15.2.3"
  }
}
"""
TSCONFIG = """\
{
  "compilerOptions": {
    "target": "es2022"
  },
  "include": ["**/*.ts"],
  "exclude": ["node_modules"]
}
"""
APP = {
    "package.json": MANIFEST,
    "tsconfig.json": TSCONFIG,
    ".gitignore": "node_modules\n",
    "src/code.ts": 'export function f() {\n  if (a) {\n    b("c");\n  }\n}\n' * 6,
}
ALL: Sequence[Migration] = (
    EitherHome(Packages()),
    EitherHome(RelayFiles()),
    OwnAccount(AppHints(target="cloudflare")),
)


def app(changes: dict[str, str | None] | None = None) -> AppView:
    """The app with its relay on PartyKit, as migrations 1 and 2 leave it, and then these files changed."""
    view = AppView.of_files({path: text.encode() for path, text in APP.items()}, Path("/acme/web"))
    on_partykit = make_plan(view, ALL[:2]).after
    return on_partykit.with_changes({p: None if t is None else t.encode() for p, t in (changes or {}).items()})


def planned(changes: dict[str, str | None] | None = None, target: str = "cloudflare") -> Outcome:
    return OwnAccount(AppHints(target=target)).plan(app(changes))


def moved(changes: dict[str, str | None] | None = None) -> AppView:
    """The app after all of it, which every migration then knows."""
    plan = make_plan(app(changes), ALL)
    assert plan.blocked == ()
    assert plan.steps[2].state == "pending"
    again = make_plan(plan.after, ALL)
    assert [(step.state, step.reason) for step in again.steps] == [("applied", "")] * 3
    return plan.after


def text(view: AppView, path: str) -> str:
    return (view.read(path) or b"").decode()


# --- what it does


def test_the_entry_changes_and_the_room_stays_one_source() -> None:
    before, after = app(), moved()
    assert text(after, "cloudflare/server.ts") == (TYPESCRIPT / "cloudflare" / "server.ts").read_text()
    assert not after.exists("partykit.json")
    assert not after.exists("party/server.ts")
    for path in set(relay_files()) - {"party/server.ts"}:
        assert after.read(path) == before.read(path)
    entry = SourceFile("server.ts", (after.read("cloudflare/server.ts") or b""))
    wanted = [i.specifier.replace("../", "") + ".ts" for i in imports_of(entry) if i.specifier.startswith("..")]
    assert wanted
    assert all(after.exists(path) for path in wanted)


def test_wranglers_settings_are_the_repositorys_with_the_apps_name_and_partykits_port() -> None:
    after = moved()
    ours = parse_json((TYPESCRIPT / "wrangler.jsonc").read_bytes())
    assert after.json("wrangler.jsonc") == {**ours, "name": "acme-my-app", "dev": {"ip": "127.0.0.1", "port": 1999}}
    assert "the secret never does" in text(after, "wrangler.jsonc")  # the comments are there too


def test_what_partykits_settings_say_is_carried_over() -> None:
    settings = {
        "name": "chat",
        "main": "party/server.ts",
        "port": 4000,
        "vars": {"RELAY_MAX_ROOM_FRAMES": "500"},
        "define": {"A": "1"},
        "minify": True,
        "compatibilityFlags": ["nodejs_compat"],
        "persist": "x",
    }
    found = moved({"partykit.json": json.dumps(settings)}).json("wrangler.jsonc")
    assert (found["name"], found["dev"]["port"]) == ("chat", 4000)
    assert found["vars"] == {"RELAY_MAX_ROOM_FRAMES": "500"}
    assert (found["define"], found["minify"]) == ({"A": "1"}, True)
    assert found["compatibility_flags"] == ["nodejs_compat"]
    assert "persist" not in found


def test_the_packages_are_those_that_the_repository_tests_with_and_wrangler_is_pinned() -> None:
    packages = json.loads(text(moved(), "package.json"))["devDependencies"]
    assert "partykit" not in packages
    assert packages["partyserver"] == range_of("partyserver")
    assert packages["@cloudflare/workers-types"] == range_of("@cloudflare/workers-types")
    assert re.fullmatch(r"\d+\.\d+\.\d+", packages["wrangler"])
    assert f"^{packages['wrangler']}" == range_of("wrangler")


def test_the_script_is_wranglers_under_the_same_name() -> None:
    assert json.loads(text(moved(), "package.json"))["scripts"]["dev:relay"] == "wrangler dev"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("partykit dev", "wrangler dev"),
        ("npx partykit deploy", "wrangler deploy"),
        ('concurrently "next dev" "partykit dev"', 'concurrently "next dev" "wrangler dev"'),
        ("partykit dev & next dev", "wrangler dev & next dev"),
        ("partykit dev && partykit deploy", "wrangler dev && wrangler deploy"),
        ("partykit dev --port 4000", None),
        ("partykit deploy --domain chat.example.com", None),
        ("partykit dev && partykit tail", None),
        ("partykit env push", None),
    ],
)
def test_scripts_with_options_of_partykits_own_are_left(before: str, after: str | None) -> None:
    assert wrangler_script(before) == after


def test_a_script_that_is_left_is_told_and_still_told_afterwards() -> None:
    manifest = text(app(), "package.json").replace('"partykit dev"', '"partykit dev --live"')
    outcome = planned({"package.json": manifest})
    assert isinstance(outcome, Pending)
    assert [left.what for left in outcome.leftovers] == ['the script "dev:relay" gives partykit options of its own']
    plan = make_plan(app({"package.json": manifest}), ALL[2:])
    assert [left.line for left in plan.leftovers] == [6]
    assert make_plan(plan.after, ALL[2:]).leftovers != ()


def test_wranglers_state_and_its_file_of_secrets_stay_out_of_git_and_of_uploads() -> None:
    after = moved({".dockerignore": "node_modules\n", ".vercelignore": ".wrangler\n"})
    assert text(after, ".gitignore").endswith("\n# wrangler\n.wrangler\n.dev.vars*\n")
    assert text(after, ".dockerignore") == "node_modules\n.partykit\n.wrangler\n.dev.vars*\n"
    assert text(after, ".vercelignore") == ".wrangler\n.partykit\n.dev.vars*\n"


def test_what_is_ignored_already_is_not_added_again() -> None:
    ignored = "node_modules\n.partykit\n.wrangler/\n.dev.vars\n"
    assert text(moved({".gitignore": ignored}), ".gitignore") == ignored


@pytest.mark.parametrize(
    ("settings", "after"),
    [
        ('{\n  "exclude": ["node_modules"]\n}\n', '{\n  "exclude": ["node_modules", "cloudflare"]\n}\n'),
        ("{}\n", '{\n  "exclude": ["node_modules", "cloudflare"]\n}\n'),
        (
            '{ "compilerOptions": { "outDir": "out" } }\n',
            '{ "compilerOptions": { "outDir": "out" }, "exclude": ["node_modules", "out", "cloudflare"] }\n',
        ),
        ('{ "include": ["src"] }\n', '{ "include": ["src"] }\n'),
        ('{ "files": ["src/a.ts"] }\n', '{ "files": ["src/a.ts"] }\n'),
        ('{ "exclude": ["./cloudflare"] }\n', '{ "exclude": ["./cloudflare"] }\n'),
        ('{ "exclude": ["cloudflare/**/*"] }\n', '{ "exclude": ["cloudflare/**/*"] }\n'),
    ],
)
def test_the_entrys_folder_leaves_the_apps_typescript_settings_which_are_a_browsers(settings: str, after: str) -> None:
    assert text(moved({"tsconfig.json": settings}), "tsconfig.json") == after


@pytest.mark.parametrize(
    ("pattern", "covered"),
    [
        (".", True), ("**/*.ts", True), ("*", True), ("**/*", True), ("./**/*.ts", True), ("cloudflare", True),
        ("cloudflare/", True), ("cloud*", True), ("src", False), ("*.ts", False), ("**/*.tsx", False),
        ("src/**/*.ts", False), ("cloud", False),
    ],
)  # fmt: skip
def test_patterns_of_typescript_are_read_as_typescript_does(pattern: str, covered: bool) -> None:
    """typescriptlang.org, "TSConfig Reference", include."""
    assert _matches(pattern, "cloudflare/server.ts") is covered


@pytest.mark.parametrize("name", FORMATS)
def test_what_is_written_is_in_the_apps_own_format(name: str) -> None:
    form = FORMATS[name]
    source = form.write(APP["src/code.ts"]).decode()
    view = AppView.of_files({**{p: t.encode() for p, t in APP.items()}, "src/code.ts": source.encode()}, Path("/a/b"))
    after = make_plan(view, ALL).after
    style = view.style
    for path in ("cloudflare/server.ts", "cloudflare/tsconfig.json", "wrangler.jsonc"):
        data = text(after, path)
        assert data.count("\r\n") == (data.count("\n") if style.newline == "\r\n" else 0)
        assert f"\n{style.indent}" in data.replace("\r\n", "\n")
    assert after.json("wrangler.jsonc")["main"] == "cloudflare/server.ts"


# --- when it is not for the app, or not clear enough


@pytest.mark.parametrize("target", ["", "partykit", "local", "docker"])
def test_it_is_for_no_other_target(target: str) -> None:
    assert isinstance(planned(target=target), NotApplicable)


def test_an_app_that_has_moved_stays_moved_whatever_the_target_says() -> None:
    after = moved()
    assert on_own_account(after)
    assert OwnAccount(AppHints(target="partykit")).plan(after) == Applied()


def test_the_migrations_before_still_add_what_is_missing_beside_the_relays_home() -> None:
    manifest = json.loads(text(moved(), "package.json"))
    del manifest["dependencies"]["partysocket"]
    view = moved().with_changes({"package.json": json.dumps(manifest).encode(), "party/room.ts": None})
    packages, relay = (migration.plan(view) for migration in ALL[:2])
    assert isinstance(packages, Pending)
    assert [package.name for package in packages.packages] == ["partysocket"]
    assert isinstance(relay, Pending)
    assert [change.path for change in relay.changes] == ["party/room.ts"]


BLOCKED: list[tuple[dict[str, str | None], str, int, str]] = [
    (
        {"wrangler.jsonc": '{\n  // of the site\n  "main": ".open-next/worker.js"\n}\n'},
        "wrangler.jsonc", 3, "it is for a Worker of the app's own, .open-next/worker.js",
    ),
    ({"wrangler.toml": 'name = "x"\nmain = "src/w.ts"\n'}, "wrangler.toml", 2, "it is for a Worker of the app's own"),
    ({"wrangler.json": '{"assets": {}}'}, "wrangler.json", 1, "it is for something of the app's own"),
    ({"cloudflare/server.ts": "export {};\n"}, "cloudflare/server.ts", 1, "there is another file"),
    ({"party/server.ts": "export {};\n"}, "party/server.ts", 1, "there is another file"),
    (
        {"party/server.ts": relay_files()["party/server.ts"].replace("hibernate: false", "hibernate: true")},
        "party/server.ts", 1, "it was changed, and is to make way for cloudflare/server.ts",
    ),
    ({"party/room.ts": None}, "", 0, "there is no party/room.ts"),
    (
        {"partykit.json": '{\n  "main": "party/server.ts",\n  "parties": {"a": "party/a.ts"},\n  "serve": "p"\n}'},
        "partykit.json", 3, '"parties", "serve" would be lost',
    ),
    (
        {"tsconfig.json": '{ "extends": "./base.json" }', "base.json": '{ "exclude": ["x"] }'},
        "tsconfig.json", 1, 'its "exclude" comes from the file that it extends',
    ),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "file", "line", "reason"), BLOCKED)
def test_what_is_not_known_well_enough_blocks_it(
    changes: dict[str, str | None], file: str, line: int, reason: str
) -> None:
    outcome = planned(changes)
    assert isinstance(outcome, Blocked)
    assert (outcome.file, outcome.line) == (file, line)
    assert reason in outcome.reason
    assert outcome.next_step


def test_a_relay_that_a_formatter_wrote_anew_is_still_chatops_own() -> None:
    source = relay_files()["party/server.ts"].replace(";\n", "\n").replace('"', "'").replace("  ", "\t")
    assert not moved({"party/server.ts": source}).exists("party/server.ts")


# --- what is left to a person


def test_the_host_of_before_is_told_with_the_secrets_new_home_until_it_is_changed() -> None:
    env = "A=1\nNEXT_PUBLIC_RELAY_HOST=chat.acme.partykit.dev\n"
    (left,) = make_plan(app({".env": env}), ALL).leftovers
    assert (left.file, left.line) == (".env", 2)
    assert "chat.acme.partykit.dev" in left.what
    assert "chatops deploy --target cloudflare" in left.how
    assert "RELAY_SECRET" in left.how
    after = moved({".env": env})
    assert make_plan(after, ALL).leftovers == (left,)
    there = after.with_changes({".env": b"NEXT_PUBLIC_RELAY_HOST=chat.acme.workers.dev\n"})
    assert make_plan(there, ALL).leftovers == ()


def test_other_uses_of_partykit_are_told_and_keep_the_package() -> None:
    changes: dict[str, str | None] = {
        "src/other.ts": 'const a = 1;\nimport type * as Party from "partykit/server";\n',
        "src/words.ts": "// partykit was here\n",
        ".github/workflows/relay.yml": "jobs:\n  a:\n    steps:\n      - run: npx partykit deploy\n",
        ".dev.vars": "OTHER=1\n",
    }
    plan = make_plan(app(changes), ALL)
    assert [(left.file, left.line) for left in plan.leftovers] == [
        (".dev.vars", 1),
        (".github/workflows/relay.yml", 4),
        ("src/other.ts", 2),
    ]
    assert "partykit" in json.loads(text(plan.after, "package.json"))["devDependencies"]


# --- with all the others


@pytest.mark.parametrize("name", VARIANTS)
def test_with_every_other_migration_it_is_planned_in_one_go_and_a_second_run_changes_nothing(name: str) -> None:
    migrations = all_migrations(AppHints(target="cloudflare"))
    plan = make_plan(AppView.of_files(VARIANTS[name]()), migrations)
    assert [(step.state, step.reason) for step in plan.steps] == [("pending", "")] * 6
    assert not {"partykit.json", "party/server.ts"} & set(plan.after.paths)
    again = make_plan(plan.after, migrations)
    assert [(step.state, step.reason) for step in again.steps] == [("applied", "")] * 6


# --- real apps


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_real_app_keeps_its_types_and_its_linter_clean_and_can_go_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The app's own compiler and linter; wrangler builds the Worker in the app; down gives back every byte."""
    for name, value in developers_environment().items():
        monkeypatch.setenv(name, value)
    root = make_t3_app(tmp_path / "app", biome=True)
    before = snapshot(root)
    engine = Engine(root, ALL)
    report = engine.up()  # checks the app's types before and after
    assert [number for number, _ in report.migrations] == [1, 2, 6]
    assert report.leftovers == ()
    run_well("npx", "tsc", "--project", "cloudflare", cwd=root)
    run_well("npx", "biome", "check", "cloudflare", "party", "wrangler.jsonc", "tsconfig.json", cwd=root)
    settings = {"XDG_CONFIG_HOME": str(tmp_path / "config"), "WRANGLER_SEND_METRICS": "false"}
    bundle = tmp_path / "bundle"
    run_well("npx", "wrangler", "deploy", "--dry-run", "--outdir", bundle, cwd=root, environment=settings)
    assert b"secret_configured" in (bundle / "server.js").read_bytes()
    shown = run_well("git", "status", "--porcelain", "--untracked-files=all", cwd=root)
    assert ".wrangler" not in shown
    engine.down()
    after = snapshot(root)
    assert {path for path in set(before) ^ set(after) if not path.startswith(".wrangler")} == set()
    assert {path for path in before if before[path] != after[path]} == set()


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_the_strict_linter_of_a_real_app_has_nothing_against_the_entry(tmp_path: Path) -> None:
    """create-t3-app's type-checked ESLint; the packages are lent by the repository, and npm has nothing to do."""
    root = make_t3_app(tmp_path / "app", biome=False)
    plan = make_plan(AppView.of_folder(root), ALL)
    changes = [FileChange(path, plan.after.read(path)) for path in plan.files if not path.startswith("package")]
    Engine(root, ALL).change("what the migrations write", changes)
    ensure_node_modules(TYPESCRIPT)
    for package in ("partyserver", "@cloudflare"):
        (root / "node_modules" / package).symlink_to(TYPESCRIPT / "node_modules" / package)
    run_well("npx", "eslint", "cloudflare", "party", cwd=root)
    run_well("npx", "prettier", "--check", "cloudflare", cwd=root)
