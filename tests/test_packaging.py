"""What a user installs: the wheel in an environment of its own, and the README's command in a fresh checkout."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

from cli import __version__

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

ROOT = Path(__file__).parent.parent
NOT_IN_A_CHECKOUT = shutil.ignore_patterns(
    ".git", ".venv", ".*_cache", ".hypothesis", "__pycache__", "*.egg-info", "build", "dist", "artifacts"
)
LEFT_BY_RUNS = ["relay_server/typescript/node_modules/x/index.js", "relay_server/typescript/.partykit/state/x"]
LEFT_BY_RUNS += ["relay_server/typescript/.wrangler/tmp/x", "relay_server/typescript/party/node_modules/x.ts"]

SHIPPED = {
    "cli/main.py",
    "cli/py.typed",
    "migrations/py.typed",
    "relay_server/PROTOCOL.md",
    "relay_server/py.typed",
    "relay_server/typescript/package.json",
    "relay_server/typescript/package-lock.json",
    "relay_server/typescript/partykit.json",
    "relay_server/typescript/wrangler.jsonc",
    "relay_server/vectors/room.json",
    "relay_server/vectors/wire.json",
    f"chatops_partykit-{__version__}.data/data/share/chatops/partyconfig.toml",
    f"chatops_partykit-{__version__}.dist-info/licenses/LICENSE",
}


def run(*command: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run it without what an active environment would lend it; its output is in the failure."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("VIRTUAL_ENV", "PYTHON"))}
    ended = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, f"{command}\n{ended.stdout[-2000:]}\n{ended.stderr[-4000:]}"
    return ended


def checkout(folder: Path) -> Path:
    """The repository's files as a clone has them."""
    return shutil.copytree(
        ROOT,
        folder,
        ignore=lambda where, names: {
            *NOT_IN_A_CHECKOUT(where, names),
            *({"node_modules", ".partykit", ".wrangler"} & {*names}),
        },
    )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a tree with everything in it that runs leave behind, with the locked build backend."""
    source = checkout(tmp_path_factory.mktemp("source") / "chatops")
    for name in LEFT_BY_RUNS:
        path = source / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("left by a run")
    out = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", out, cwd=source)
    (built,) = out.iterdir()
    return built


def test_the_wheel_holds_what_runs_and_what_is_deployed(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    typescript = ROOT / "relay_server" / "typescript"
    sources = {
        path.relative_to(ROOT).as_posix()
        for folder in ("party", "cloudflare")
        for path in (typescript / folder).glob("*.ts")
    }
    assert len(sources) > 2
    assert names >= SHIPPED | sources


def test_the_wheel_holds_nothing_that_runs_leave_behind_and_no_tests(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    strangers = {"node_modules", ".partykit", ".wrangler", "tests", "__pycache__", ".env", ".dev.vars"}
    assert [name for name in names if strangers & set(name.split("/"))] == []
    assert {name.split("/")[0] for name in names if "chatops_partykit" not in name} == {
        "cli",
        "migrations",
        "relay_server",
    }


def test_the_installed_command_streams(wheel: Path, tmp_path: Path) -> None:
    """In an environment that has nothing but the wheel and its dependencies, away from the repository."""
    venv.create(tmp_path / "venv", with_pip=True)
    binaries = tmp_path / "venv" / "bin"
    run(binaries / "pip", "install", "--quiet", wheel, cwd=tmp_path)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    assert run(binaries / "chatops", "--version", cwd=elsewhere).stdout == f"chatops {__version__}\n"
    report = json.loads(run(binaries / "chatops", "stream-test", "lobby", "--json", cwd=elsewhere).stdout)
    assert report["ok"] is True
    assert list(elsewhere.iterdir()) == []
    assert (tmp_path / "venv" / "share" / "chatops" / "partyconfig.toml").is_file()


def test_the_readmes_command_works_in_a_fresh_checkout(tmp_path: Path) -> None:
    blocks = re.findall(r"```sh\n(.+?)\n```", (ROOT / "README.md").read_text(), re.DOTALL)
    (command,) = [block for block in blocks if "stream-test" in block and "pip install" in block]
    ended = run("bash", "-c", command, cwd=checkout(tmp_path / "chatops"))
    assert "every client read the whole reply" in ended.stdout
