"""`chatops doctor`: whole runs on an app on disk, with and without a relay."""

from __future__ import annotations

import json
import re
import stat
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from tests.apps.variants import VARIANTS
from tests.migrations.engine.apps import snapshot
from tests.servers import SECRET

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.command import Chatops
    from tests.servers import RunningRelay

SIGNED_IN = {"PARTYKIT_LOGIN": "me", "PARTYKIT_TOKEN": "a-token-that-nobody-shall-see"}
# The installed version of every package is a fiction; those of tRPC are as in the kit's own tests.
VERSIONS = {"@trpc": "11.19.0", "partykit": "0.0.115"}


@pytest.fixture(autouse=True)
def a_home_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    for name in (*SIGNED_IN, "GITHUB_LOGIN", "GITHUB_TOKEN", "CLOUDFLARE_API_TOKEN"):
        monkeypatch.delenv(name, raising=False)


def write_app(root: Path, variant: str = "npm") -> Path:
    """An app without a lock file, so that no package manager has to run."""
    for path, data in VARIANTS[variant]().items():
        if "lock" not in path:
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(data)
    return root


def install(root: Path) -> None:
    """node_modules as far as the doctor looks: a package.json each; and the lock file of it."""
    manifest = json.loads((root / "package.json").read_bytes())
    packages = {**manifest["dependencies"], **manifest["devDependencies"]}
    for name in packages:
        place = root / "node_modules" / name
        place.mkdir(parents=True, exist_ok=True)
        version = VERSIONS.get(name.partition("/")[0], "1.0.0")
        (place / "package.json").write_text(json.dumps({"name": name, "version": version}))
    sections = {key: manifest[key] for key in ("dependencies", "devDependencies")}
    (root / "package-lock.json").write_text(json.dumps({"lockfileVersion": 3, "packages": {"": sections}}))


@pytest.fixture
def app(tmp_path: Path) -> Path:
    return write_app(tmp_path / "app")


@pytest.fixture
def streaming_app(app: Path, chatops: Chatops, bundled_relay: RunningRelay) -> Path:
    """An app that has gone the whole way: migrated, installed, in git, pointed at a relay that runs."""
    (app / ".env").write_text(f"RELAY_SECRET={SECRET}\n")
    (app / ".env").chmod(0o600)
    assert chatops("init", "--app", "app").code == 0
    assert chatops("migrate", "up", "--app", "app").code == 0
    install(app)
    subprocess.run(["git", "init", "--quiet"], cwd=app, check=True)
    assert chatops("mode", "streaming", "--relay", bundled_relay.url, "--app", "app").code == 0
    config = app / "partyconfig.toml"
    config.write_text(config.read_text().replace('url = ""', f'url = "{bundled_relay.url}"'))
    return app


def findings(report: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {check["name"]: check for check in report["checks"]}


def failed(report: dict[str, Any]) -> set[str]:
    return {check["name"] for check in report["checks"] if check["ok"] is False}


def test_an_app_at_the_start_of_the_way(app: Path, chatops: Chatops) -> None:
    before = snapshot(app)
    ended = chatops("doctor", "--app", "app", "--json")
    assert ended.code == 1
    assert ended.json["ok"] is False
    assert failed(ended.json) == {"packages installed", "sign-in"}
    assert ended.json["error"]["code"] == "doctor"
    assert all(check["mend"] for check in ended.json["checks"] if check["ok"] is False)
    assert [set(check) for check in ended.json["checks"]] == [
        {"name", "ok", "detail", "mend", "fixable"}
    ] * len(ended.json["checks"])  # fmt: skip
    assert snapshot(app) == before


def test_an_app_at_the_end_of_the_way(streaming_app: Path, chatops: Chatops) -> None:
    ended = chatops("doctor", "--app", "app", "--json", **SIGNED_IN)
    assert (failed(ended.json), ended.code) == (set(), 0)
    checks = findings(ended.json)
    for name in ("node", "git", "relay tool", "packages installed", "lock file", "sign-in", "compatibility date"):
        assert checks[name]["ok"] is True, name
    for name in ("config", "parts", "migrations", "mode", "trpc", "env relay secret", "secrets and git"):
        assert checks[name]["ok"] is True, name
    for name in ("relay", "relay secret", "relay address", "clock"):
        assert checks[name]["ok"] is True, name
    assert SECRET not in ended.stdout
    assert SIGNED_IN["PARTYKIT_TOKEN"] not in ended.stdout


def test_for_a_person_each_line_that_fails_has_its_mend(streaming_app: Path, chatops: Chatops) -> None:
    (streaming_app / "node_modules/@trpc/client/package.json").write_text('{"version": "11.4.0"}')
    ended = chatops("doctor", "--app", "app", **SIGNED_IN)
    assert ended.code == 1
    at = next(number for number, line in enumerate(ended.lines) if line.split()[:2] == ["fail", "trpc"])
    assert "the @trpc packages differ" in ended.lines[at]
    assert ended.lines[at + 1].split()[0] == "mend:"
    assert re.match(r"error: 1 of \d+ checks fail: trpc\n", ended.stderr)


def test_everything_is_well_is_said(streaming_app: Path, chatops: Chatops) -> None:
    ended = chatops("doctor", "--app", "app", **SIGNED_IN)
    assert ended.code == 0
    assert ended.lines[-1] == "nothing that was checked stands in the way"


@pytest.mark.slow
def test_fix_mends_what_it_can(streaming_app: Path, chatops: Chatops) -> None:
    config, ignore, example = (streaming_app / name for name in ("partyconfig.toml", ".gitignore", ".env.example"))
    config.write_text(config.read_text().replace('mode = "streaming"', 'mode = "send-message"'))
    ignore.write_text("node_modules\n")
    example.write_text('OPENAI_API_KEY=""\n')
    (streaming_app / ".env").chmod(0o644)
    wanted = {"mode", "secrets and git", "ignore files", "env example", "env permissions"}
    before = chatops("doctor", "--app", "app", "--json", **SIGNED_IN)
    assert {check["name"] for check in before.json["checks"] if check["fixable"]} == wanted
    assert wanted <= failed(before.json)

    shown = chatops("doctor", "--app", "app", "--fix", "--dry-run", "--json", **SIGNED_IN)
    assert shown.code == 0
    assert "+.partykit" in shown.json["diff"]
    assert "+/.env" in shown.json["diff"]
    assert shown.json["owner_only"] == [".env"]
    assert ignore.read_text() == "node_modules\n"

    ended = chatops("doctor", "--app", "app", "--fix", "--json", **SIGNED_IN)
    assert set(ended.json["fixed"]) == wanted
    assert (failed(ended.json), ended.code) == (set(), 0)
    assert 'mode = "streaming"' in config.read_text()
    assert {"/.env", ".partykit"} <= set(ignore.read_text().splitlines())
    assert "NEXT_PUBLIC_RELAY_HOST" in example.read_text()
    assert stat.S_IMODE((streaming_app / ".env").stat().st_mode) == 0o600
    assert chatops("doctor", "--app", "app", "--fix", "--json", **SIGNED_IN).json["fixed"] == []


def test_what_cannot_be_fixed_stays_and_fails(app: Path, chatops: Chatops) -> None:
    ended = chatops("doctor", "--app", "app", "--fix", "--json")
    assert (ended.code, ended.json["fixed"]) == (1, [])
    assert ended.json["error"]["next_step"] == "see the mend of each"


def test_a_configuration_that_is_wrong_is_one_finding_among_the_others(app: Path, chatops: Chatops) -> None:
    (app / "partyconfig.toml").write_text("[relay]\nurl = 5\n")
    ended = chatops("doctor", "--app", "app", "--json")
    assert ended.code == 1
    assert "partyconfig.toml:2: relay.url is not text" in findings(ended.json)["config"]["detail"]
    assert findings(ended.json)["parts"]["ok"] is True


@pytest.mark.parametrize(
    ("file", "data"), [("tsconfig.json", b"{"), ("src/trpc/react.tsx", b"\xff\xfe"), ("vercel.json", b"[")]
)
def test_a_file_that_cannot_be_read_stops_only_the_checks_that_need_it(
    file: str, data: bytes, app: Path, chatops: Chatops
) -> None:
    (app / file).write_bytes(data)
    ended = chatops("doctor", "--app", "app", "--json", **SIGNED_IN)
    assert (ended.code, ended.json["error"]["code"]) == (1, "doctor")
    assert any(file in check["detail"] for check in ended.json["checks"] if check["ok"] is False)
    assert {check["ok"] for check in ended.json["checks"]} == {True, False, None}


def test_a_relay_that_does_not_answer(app: Path, chatops: Chatops) -> None:
    ended = chatops(
        "doctor",
        "--app",
        "app",
        "--json",
        "--timeout",
        "2",
        CHATOPS_RELAY_URL="http://127.0.0.1:1",
        RELAY_SECRET=SECRET,
    )
    assert {"relay"} <= failed(ended.json)
    assert findings(ended.json)["relay secret"]["ok"] is None
    assert SECRET not in ended.stdout + ended.stderr


@pytest.mark.parametrize("variant", ["pnpm", "pages router, no src", "crlf"])
def test_apps_of_other_shapes(variant: str, tmp_path: Path, chatops: Chatops) -> None:
    write_app(tmp_path / "app", variant)
    ended = chatops("doctor", "--app", "app", "--json", **SIGNED_IN)
    checks = findings(ended.json)
    for name in ("parts", "runtime", "transformer", "mode"):
        assert checks[name]["ok"] is True, checks[name]
    assert checks["max duration"]["ok"] is None
    assert checks["migrations"]["ok"] is None


def test_no_app_there_is_exit_code_2(tmp_path: Path, chatops: Chatops) -> None:
    assert chatops("doctor", "--app", str(tmp_path), "--json").code == 2
