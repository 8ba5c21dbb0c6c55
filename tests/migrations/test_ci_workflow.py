"""The workflow for GitHub Actions, read back with a YAML parser, and its shell steps run."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from migrations.ci_workflow import WHEELS, WORKFLOW, CiSettings, ci_files, default_branch, needed_secrets, workflow
from migrations.engine import AppView
from relay_server.errors import UsageError
from tests.apps.variants import VARIANTS

if TYPE_CHECKING:
    from collections.abc import Mapping

WHEEL = ("chatops_partykit-1.2.3-py3-none-any.whl", b"PK\0a wheel")
SETTINGS = CiSettings("partykit", WHEEL)


def view_of(variant: str = "npm", more: Mapping[str, bytes] | None = None) -> AppView:
    return AppView.of_files({**VARIANTS[variant](), **(more or {})})


def read(view: AppView, settings: CiSettings = SETTINGS) -> dict[str, Any]:
    # YAML 1.1 takes the key `on` for true; GitHub reads it as a word.
    document: dict[str, Any] = yaml.load(workflow(view, settings).replace("\non:", '\n"on":'), Loader=yaml.BaseLoader)
    return document


def steps(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    found = document["jobs"]["deploy"]["steps"]
    return {step.get("name") or re.split("[@]", step["uses"])[0]: step for step in found}


def test_when_it_runs_and_what_it_may() -> None:
    document = read(view_of())
    assert list(document["on"]) == ["push", "pull_request"]
    assert document["on"]["push"]["branches"] == ["main"]
    assert document["on"]["push"]["paths"] == document["on"]["pull_request"]["paths"]
    assert {"party/**", "partykit.json", "partyconfig.toml", "package.json", "package-lock.json", WORKFLOW} <= set(
        document["on"]["push"]["paths"]
    )
    assert document["permissions"] == {"contents": "read"}
    assert document["concurrency"]["cancel-in-progress"] == "${{ github.event_name == 'pull_request' }}"
    assert list(document["jobs"]) == ["deploy"]


def test_forks_and_dependabot_are_left_out() -> None:
    condition = read(view_of())["jobs"]["deploy"]["if"]
    assert condition == (
        "github.event_name == 'push' || (github.event.pull_request.head.repo.full_name == github.repository && "
        "github.event.pull_request.user.login != 'dependabot[bot]')"
    )


@pytest.mark.parametrize("variant", ["npm", "pnpm", "yarn", "bun"])
def test_every_action_is_pinned_to_a_commit(variant: str) -> None:
    text = workflow(view_of(variant), SETTINGS)
    used = re.findall(r"uses: (.*)", text)
    assert len(used) == (4 if variant == "bun" else 3)
    assert all(re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", each) for each in used)


@pytest.mark.parametrize(
    ("variant", "names", "command"),
    [
        ("npm", [], "npm ci"),
        ("pnpm", ["Provide pnpm"], "pnpm install --frozen-lockfile"),
        ("yarn", ["Provide yarn"], "yarn install --frozen-lockfile"),
        ("bun", ["oven-sh/setup-bun"], "bun install --frozen-lockfile"),
    ],
)
def test_the_apps_own_package_manager_installs(variant: str, names: list[str], command: str) -> None:
    found = steps(read(view_of(variant)))
    assert found["Install the app's packages"]["run"] == command
    for name in ("Provide pnpm", "Provide yarn", "oven-sh/setup-bun"):
        assert (name in found) is (name in names)


def test_yarn_2_and_an_app_without_a_lock_file_install_otherwise() -> None:
    berry = view_of("yarn", {"yarn.lock": b"__metadata:\n  version: 8\n\n__metadata:\n"})
    assert steps(read(berry))["Install the app's packages"]["run"] == "yarn install --immutable"
    files = {path: data for path, data in VARIANTS["npm"]().items() if path != "package-lock.json"}
    assert steps(read(AppView.of_files(files)))["Install the app's packages"]["run"] == "npm install"


@pytest.mark.parametrize(
    ("settings", "names"),
    [
        (SETTINGS, ["RELAY_SECRET", "PARTYKIT_LOGIN", "PARTYKIT_TOKEN"]),
        (CiSettings("cloudflare", WHEEL), ["RELAY_SECRET", "CLOUDFLARE_ACCOUNT_ID", "CLOUDFLARE_API_TOKEN"]),
        (
            CiSettings("partykit", WHEEL, domain="relay.example.com"),
            ["RELAY_SECRET", "PARTYKIT_LOGIN", "PARTYKIT_TOKEN", "CLOUDFLARE_ACCOUNT_ID", "CLOUDFLARE_API_TOKEN"],
        ),
    ],
)
def test_the_targets_credentials_go_to_the_step_that_deploys_and_nowhere_else(
    settings: CiSettings, names: list[str]
) -> None:
    text, document = workflow(view_of(), settings), read(view_of(), settings)
    found = steps(document)
    environment = found["Deploy"]["env"]
    assert {name: environment[name] for name in names} == {name: f"${{{{ secrets.{name} }}}}" for name in names}
    assert set(environment) - set(names) == {"PREVIEW"}
    with_secrets = [name for name, step in found.items() if "secrets." in str(step)]
    assert with_secrets == ["Deploy", "Stream through what was deployed"]
    assert "secrets." not in str({key: value for key, value in document.items() if key != "jobs"})
    for name in names:
        assert re.search(rf"^#   {name} +\w", text, re.MULTILINE)


@pytest.mark.parametrize("target", ["local", "docker"])
def test_a_target_that_github_cannot_deploy_to_is_refused(target: str) -> None:
    with pytest.raises(UsageError, match=f"the target {target} is not deployed from GitHub"):
        workflow(view_of(), CiSettings(target, WHEEL))
    with pytest.raises(UsageError):
        needed_secrets(target)


def test_the_branch_is_the_one_that_the_clone_knows() -> None:
    noted = {".git/refs/remotes/origin/HEAD": b"ref: refs/remotes/origin/trunk\n"}
    assert default_branch(view_of(more=noted)) == "trunk"
    assert read(view_of(more=noted))["on"]["push"]["branches"] == ["trunk"]
    assert default_branch(view_of()) == "main"


def test_an_app_in_a_folder_of_its_repository() -> None:
    files = {path: data for path, data in VARIANTS["pnpm"]().items() if "lock" not in path}
    files["../../pnpm-workspace.yaml"] = b"packages:\n  - apps/*\n"
    files["../../pnpm-lock.yaml"] = b"lockfileVersion: '9.0'\n"
    view = AppView.of_files(files, Path("/home/ida/shop/apps/web"))
    settings = CiSettings("partykit", WHEEL, inside="apps/web")
    document = read(view, settings)
    assert document["jobs"]["deploy"]["defaults"]["run"]["working-directory"] == "apps/web"
    assert steps(document)["Install the app's packages"]["working-directory"] == "."
    assert {"apps/web/party/**", "apps/web/package.json", "pnpm-lock.yaml", f"{WHEELS}/**"} <= set(
        document["on"]["push"]["paths"]
    )
    assert [change.path for change in ci_files(view, settings).changes] == [
        f"../../{WHEELS}/{WHEEL[0]}",
        f"../../{WORKFLOW}",
    ]


# --- the shell of its steps


def run_step(step: dict[str, Any], folder: Path, programs: Mapping[str, str], **environment: str) -> tuple[int, str]:
    """A step's script, as GitHub's `shell: bash` runs it, with these programs in the place of the real ones."""
    bin_folder = folder / "bin"
    bin_folder.mkdir(exist_ok=True)
    for name, text in programs.items():
        (bin_folder / name).write_text(f"#!/bin/sh\n{text}\n")
        (bin_folder / name).chmod(0o755)
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
        cwd=folder,
        env={"PATH": f"{bin_folder}:/usr/bin:/bin", "RUNNER_TEMP": str(folder), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


SECRETS = {"RELAY_SECRET": "a", "PARTYKIT_LOGIN": "b", "PARTYKIT_TOKEN": "c"}
CHATOPS = {"chatops": 'echo "$*" > asked; echo \'{"ok": true, "url": "https://relay.example.com"}\''}


@pytest.mark.parametrize(("preview", "more"), [("", ""), ("pr-7", " --preview pr-7")])
def test_the_step_that_deploys(tmp_path: Path, preview: str, more: str) -> None:
    code, _ = run_step(steps(read(view_of()))["Deploy"], tmp_path, CHATOPS, PREVIEW=preview, **SECRETS)
    assert code == 0
    assert (tmp_path / "asked").read_text() == f"deploy --yes --json{more}\n"
    assert "https://relay.example.com" in (tmp_path / "deployment.json").read_text()


def test_a_secret_that_is_not_set_is_named_before_anything_is_sent(tmp_path: Path) -> None:
    missing = {**SECRETS, "PARTYKIT_TOKEN": "", "PREVIEW": ""}
    code, said = run_step(steps(read(view_of()))["Deploy"], tmp_path, CHATOPS, **missing)
    assert (code, said) == (1, "::error::the secret PARTYKIT_TOKEN is not set in this repository\n")
    assert not (tmp_path / "asked").exists()


def test_a_deployment_that_fails_fails_the_step(tmp_path: Path) -> None:
    failing = {"chatops": "echo '{\"ok\": false}'; exit 3"}
    assert run_step(steps(read(view_of()))["Deploy"], tmp_path, failing, PREVIEW="", **SECRETS)[0] == 3


@pytest.mark.parametrize(("code", "program"), [(0, "true"), (1, "exit 1")])
def test_the_stream_test_goes_to_what_was_deployed_and_decides(tmp_path: Path, code: int, program: str) -> None:
    (tmp_path / "deployment.json").write_text('{"url": "https://pr-7.relay.example.com"}')
    jq = {"jq": """sed 's/.*"url": "\\([^"]*\\)".*/\\1/' "$3" """}
    programs = {"chatops": f'echo "$*" > asked; {program}', **jq}
    step = steps(read(view_of()))["Stream through what was deployed"]
    summary = tmp_path / "summary"
    environment = {"GITHUB_RUN_ID": "5", "GITHUB_RUN_ATTEMPT": "2", "GITHUB_STEP_SUMMARY": str(summary)}
    assert run_step(step, tmp_path, programs, **environment)[0] == code
    assert (tmp_path / "asked").read_text() == "stream-test ci-5-2 --relay https://pr-7.relay.example.com\n"
    assert summary.read_text() == "The relay is at https://pr-7.relay.example.com\n"


# --- the files


def test_a_workflow_that_is_there_stays_as_somebody_has_it() -> None:
    files = ci_files(view_of(more={WORKFLOW: b"name: mine\n"}), SETTINGS)
    assert files.kept == WORKFLOW
    assert [change.path for change in files.changes] == [f"{WHEELS}/{WHEEL[0]}"]


def test_the_chatops_of_before_goes() -> None:
    old = "chatops_partykit-1.0.0-py3-none-any.whl"
    settings = CiSettings("partykit", WHEEL, wheels_there=(old, WHEEL[0]))
    files = ci_files(view_of(more={f"{WHEELS}/{old}": b"old"}), settings)
    assert {change.path: change.after for change in files.changes if change.path.endswith(".whl")} == {
        f"{WHEELS}/{WHEEL[0]}": WHEEL[1],
        f"{WHEELS}/{old}": None,
    }


def test_a_second_time_nothing_is_written() -> None:
    first = ci_files(view_of(), SETTINGS)
    after = view_of().with_changes({change.path: change.after for change in first.changes})
    second = ci_files(after, SETTINGS)
    assert (second.changes, second.kept) == ((), "")
