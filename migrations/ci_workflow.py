"""The GitHub Actions workflow that deploys the relay, and previews it for pull requests.

Facts from GitHub's documentation ("Workflow syntax", "Security hardening") and the actions' own READMEs. Actions are
pinned to the commit of a release: a tag can be moved, and this job has the team's secrets.
"""

from __future__ import annotations

import json
import posixpath
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from migrations.engine import FileChange, detect_package_manager
from relay_server.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from migrations.engine import AppView, PackageManager

WORKFLOW = ".github/workflows/relay.yml"
WHEELS = ".github/chatops"

_CHECKOUT = "actions/checkout@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1"
_NODE = "actions/setup-node@820762786026740c76f36085b0efc47a31fe5020 # v7.0.0"
_PYTHON = "actions/setup-python@5fda3b95a4ea91299a34e894583c3862153e4b97 # v7.0.0"
_BUN = "oven-sh/setup-bun@0c5077e51419868618aeaa5fe8019c62421857d6 # v2.2.0"
_NODE_VERSION = 24  # the last with corepack
_PYTHON_VERSION = "3.13"

_RELAY_SECRET = ("RELAY_SECRET", "the relay's secret, the same that the app has")
_CLOUDFLARE = (
    ("CLOUDFLARE_ACCOUNT_ID", "the account that it runs in"),
    ("CLOUDFLARE_API_TOKEN", 'a token that may edit Workers there ("Edit Cloudflare Workers" in the dashboard)'),
)
_SECRETS = {
    "partykit": (
        ("PARTYKIT_LOGIN", "both are shown by `npx partykit token generate`"),
        ("PARTYKIT_TOKEN", "likewise"),
    ),
    "cloudflare": _CLOUDFLARE,
}
_RELAY_PATHS = {
    "partykit": ("party/**", "partykit.json"),
    "cloudflare": ("party/**", "cloudflare/**", "wrangler.jsonc"),
}
_INSTALL = {
    "npm": "npm ci",
    "pnpm": "pnpm install --frozen-lockfile",
    "yarn": "yarn install --immutable",
    "bun": "bun install --frozen-lockfile",
}
_INSTALL_CLASSIC = "yarn install --frozen-lockfile"
_DEFAULT_BRANCH = "main"


@dataclass(frozen=True, slots=True)
class CiSettings:
    """`target` and `domain` as configured; `inside` is the app's folder seen from the top of its repository ("" is the
    top). `wheel` is the file name and the bytes of the chatops that shall run there, `wheels_there` the names of those
    that lie there already.
    """

    target: str
    wheel: tuple[str, bytes] = field(repr=False)
    domain: str = ""
    inside: str = ""
    wheels_there: tuple[str, ...] = ()

    @property
    def up(self) -> str:
        """The way from the app to the top of the repository, ending with `/`, or ""."""
        return "../" * len([part for part in self.inside.split("/") if part])


@dataclass(frozen=True, slots=True)
class CiFiles:
    """What is to be written, by paths seen from the app. `kept` is a workflow that is there and says something else."""

    changes: tuple[FileChange, ...]
    kept: str = ""


def ci_files(view: AppView, settings: CiSettings) -> CiFiles:
    """The workflow, and chatops for it. A workflow that is there stays as it is; other versions of chatops go.

    Raises UsageError where the target cannot be deployed to from there.
    """
    path = settings.up + WORKFLOW
    text = workflow(view, settings).encode()
    there = view.read(path)
    name, wheel = settings.wheel
    changes = [FileChange(f"{settings.up}{WHEELS}/{name}", wheel)]
    changes += [FileChange(f"{settings.up}{WHEELS}/{old}", None) for old in settings.wheels_there if old != name]
    if there is None:
        changes.append(FileChange(path, text))
    wanted = tuple(change for change in changes if view.read(change.path) != change.after)
    return CiFiles(wanted, path if there not in (None, text) else "")


def needed_secrets(target: str, domain: str = "") -> tuple[tuple[str, str], ...]:
    """Name and meaning of each secret that the workflow needs. Raises UsageError: nothing is deployed from there."""
    if target not in _SECRETS:
        raise UsageError(
            f"the target {target} is not deployed from GitHub",
            next_step="set deploy.target in partyconfig.toml to partykit or cloudflare",
            code="no_ci_for_target",
        )
    of_domain = _CLOUDFLARE if domain and target == "partykit" else ()
    return (_RELAY_SECRET, *_SECRETS[target], *of_domain)


def workflow(view: AppView, settings: CiSettings) -> str:
    """The text of the workflow. Raises UsageError."""
    secrets = needed_secrets(settings.target, settings.domain)
    manager = detect_package_manager(view)
    return "\n".join([*_head(view, settings, secrets, manager), *_job(settings, secrets, manager), ""])


def default_branch(view: AppView, up: str = "") -> str:
    """The branch that GitHub shows first, as the clone noted it; `main` where it did not."""
    noted = view.read(f"{up}.git/refs/remotes/origin/HEAD") or b""
    _, _, branch = noted.decode(errors="replace").strip().partition("refs/remotes/origin/")
    return branch or _DEFAULT_BRANCH


def _head(
    view: AppView, settings: CiSettings, secrets: tuple[tuple[str, str], ...], manager: PackageManager
) -> Iterator[str]:
    width = max(len(name) for name, _ in secrets)
    branch = default_branch(view, settings.up)
    yield from (
        "# Made by `chatops init --ci`; yours to edit, it is not written over.",
        "#",
        f"# A change of the relay that is pushed to {branch} is deployed. A pull request with one gets a preview of",
        "# its own, pr-<number>, beside it. Either fails unless a reply streams through what was deployed.",
        "# Pull requests from forks and from Dependabot are left out: GitHub gives them no secrets.",
        "#",
        "# The secrets that it needs (Settings > Secrets and variables > Actions, or `gh secret set NAME`):",
        *(f"#   {name:<{width}}  {meaning}" for name, meaning in secrets),
        "#",
        f"# chatops is in no package index. The one that made this file is beside it, in {WHEELS}, and that is the",
        "# one that runs here; `chatops init --ci` of a newer one puts the newer one there.",
        "name: Relay",
        "",
        "on:",
        "  push:",
        f"    branches: [{json.dumps(branch)}]",
        *_paths(settings, manager),
        "  pull_request:",
        *_paths(settings, manager),
        "",
        "permissions:",
        "  contents: read",
        "",
        "concurrency:",
        "  group: relay-${{ github.event.pull_request.number || 'production' }}",
        "  # A deployment that has begun is brought to its end; a preview makes way for the next.",
        "  cancel-in-progress: ${{ github.event_name == 'pull_request' }}",
        "",
    )


def _paths(settings: CiSettings, manager: PackageManager) -> Iterator[str]:
    own = [
        "package.json",
        "partyconfig.toml",
        *_RELAY_PATHS[settings.target],
        *([manager.lock] if manager.lock else []),
    ]
    paths = [posixpath.normpath(posixpath.join(settings.inside, path)) for path in own]
    yield "    paths:"
    for path in (*paths, f"{WHEELS}/**", WORKFLOW):
        yield f"      - {json.dumps(path)}"


def _job(settings: CiSettings, secrets: tuple[tuple[str, str], ...], manager: PackageManager) -> Iterator[str]:
    names = [name for name, _ in secrets]
    yield from (
        "jobs:",
        "  deploy:",
        "    name: Deploy, and stream through it",
        "    if: >-",
        "      github.event_name == 'push' ||",
        "      (github.event.pull_request.head.repo.full_name == github.repository &&",
        "      github.event.pull_request.user.login != 'dependabot[bot]')",
        "    runs-on: ubuntu-latest",
        "    timeout-minutes: 30",
        "    defaults:",
        "      run:",
        "        shell: bash",
        *([f"        working-directory: {json.dumps(settings.inside)}"] if settings.inside else []),
        "    steps:",
        f"      - uses: {_CHECKOUT}",
        "        with:",
        "          persist-credentials: false",
        f"      - uses: {_NODE}",
        "        with:",
        f"          node-version: {_NODE_VERSION}",
        "          package-manager-cache: false",
        f"      - uses: {_PYTHON}",
        "        with:",
        f'          python-version: "{_PYTHON_VERSION}"',
        *_install(settings, manager),
        "      - name: Install chatops",
        f'        run: pip install --disable-pip-version-check "$GITHUB_WORKSPACE"/{WHEELS}/*.whl',
        "      - name: Deploy",
        "        env:",
        *(f"          {name}: ${{{{ secrets.{name} }}}}" for name in names),
        "          PREVIEW: ${{ github.event_name == 'pull_request' && format('pr-{0}', github.event.number) || '' }}",
        "        run: |",
        f"          for name in {' '.join(names)}; do",
        '            if [ -z "${!name}" ]; then',
        '              echo "::error::the secret $name is not set in this repository"',
        "              exit 1",
        "            fi",
        "          done",
        '          chatops deploy --yes --json ${PREVIEW:+--preview "$PREVIEW"} | tee "$RUNNER_TEMP/deployment.json"',
        "      - name: Stream through what was deployed",
        "        env:",
        "          RELAY_SECRET: ${{ secrets.RELAY_SECRET }}",
        "        run: |",
        '          url="$(jq --raw-output .url "$RUNNER_TEMP/deployment.json")"',
        '          echo "The relay is at $url" >> "$GITHUB_STEP_SUMMARY"',
        '          chatops stream-test "ci-$GITHUB_RUN_ID-$GITHUB_RUN_ATTEMPT" --relay "$url"',
    )


def _install(settings: CiSettings, manager: PackageManager) -> Iterator[str]:
    if manager.name in ("pnpm", "yarn"):
        yield f"      - name: Provide {manager.name}"
        yield "        run: corepack enable"
    if manager.name == "bun":
        yield f"      - uses: {_BUN}"
    command = _INSTALL_CLASSIC if manager.classic else _INSTALL[manager.name]
    yield "      - name: Install the app's packages"
    if manager.folder:
        folder = posixpath.normpath(posixpath.join(settings.inside, manager.folder))
        yield f"        working-directory: {json.dumps(folder)}"
    yield f"        run: {command if manager.lock else manager.install_command}"
