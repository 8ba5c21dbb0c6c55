"""The programs that the way to a streaming app needs, and the packages that the app has asked for."""

from __future__ import annotations

import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from migrations.doctor.findings import Finding, bad, check, good, unknown
from migrations.doctor.versions import engines_of, installed_version, read_version, satisfies
from migrations.engine import detect_package_manager, git
from relay_server.errors import UsageError
from relay_server.process import NotRun, run

if TYPE_CHECKING:
    from collections.abc import Iterator

    from migrations.doctor.findings import Situation
    from migrations.engine import AppView, PackageManager

_SECONDS = 10.0
# No question, and nothing fetched in order to say a version.
_QUIET = {"NO_UPDATE_NOTIFIER": "1", "COREPACK_ENABLE_NETWORK": "0", "COREPACK_ENABLE_DOWNLOAD_PROMPT": "0"}
_RELAY_TOOLS = {"partykit": "partykit", "cloudflare": "wrangler"}
# For an app that has it not installed yet: `engines` of wrangler 4.
_NODE_OF = {"wrangler": ">=22.0.0"}
_SUGGESTED_NODE = "24"
_SECTIONS = ("dependencies", "devDependencies")
_SHOWN = 3


def check_tools(situation: Situation) -> list[Finding]:
    """Every check of this module; the programs are asked at once."""
    checks = (check_node, check_package_manager, check_git, check_vercel, check_relay_tool, check_lock, check_installed)
    with ThreadPoolExecutor(len(checks)) as pool:
        return list(pool.map(lambda make: make(situation), checks))


@check("node")
def check_node(situation: Situation) -> Finding:
    """Node, against what the app, Next.js and the target's command line ask for."""
    try:
        said = _version_of(situation, "node")
    except NotRun as error:
        return bad(str(error), f"install Node {_SUGGESTED_NODE} (nodejs.org), or put it on the PATH")
    version = read_version(said)
    if version is None:
        return unknown(f"`node --version` said {said[:40]!r}")
    asked = list(_asked_of_node(situation))
    for who, wanted in asked:
        if satisfies(version, wanted) is False:
            return bad(f"{said}, and {who} needs {wanted}", f"install Node {_SUGGESTED_NODE} (nodejs.org)")
    return good(f"{said}, as {_listed([who for who, _ in asked])} {_verb(asked)}" if asked else said)


@check("package manager")
def check_package_manager(situation: Situation) -> Finding:
    """The app's own package manager."""
    manager = detect_package_manager(situation.view)
    try:
        said = _version_of(situation, manager.name)
    except NotRun as error:
        how = "install Node with npm" if manager.name == "npm" else f"npm install --global {manager.name}"
        return bad(f"the app uses {manager.name}, and {error}", how)
    return good(f"{manager.name} {said}")


@check("git")
def check_git(situation: Situation) -> Finding:
    """git, which shows and takes back what somebody else changed; what chatops did it takes back without it."""
    try:
        said = _version_of(situation, "git")
        top = git.work_tree(situation.view.root)
    except NotRun as error:
        return bad(str(error), "install git")
    except git.GitFailed as error:
        return bad(f"git does not answer in the app: {error}", "see that `git status` works in the app")
    said = said.removeprefix("git version ")
    if top is None:
        return unknown(f"{said}; the app is in no repository, so nobody can see what changed", "git init")
    return good(said)


@check("vercel")
def check_vercel(situation: Situation) -> Finding:
    """Vercel's command line, where this copy of the app is linked to a project there."""
    if not situation.view.exists(".vercel/project.json"):
        return unknown("this copy of the app is not linked to a project on Vercel")
    if shutil.which("vercel", path=situation.environment.get("PATH")) is None:
        return bad("the app is linked to Vercel, and vercel is not on the PATH", "npm install --global vercel")
    return good("linked, and vercel is on the PATH")


@check("relay tool")
def check_relay_tool(situation: Situation) -> Finding:
    """The command line of the target, among the app's packages."""
    tool = _RELAY_TOOLS.get(situation.target)
    if tool is None:
        return good(f"the target {situation.target} needs none")
    manager = _manager(situation.view)
    version = installed_version(situation.view, tool, manager.folder if manager else "")
    if version is not None:
        return good(f"{tool} {version}")
    if _is_plug_and_play(situation.view, manager):
        return unknown(f"the app's packages are in yarn's archive, so whether {tool} is there is not known")
    if tool in _listed_packages(situation.view):
        return bad(f"{tool} is in package.json and not installed", _install(manager))
    if situation.target == "partykit" and situation.state_of(1) == "pending":
        return unknown("partykit comes with the migrations", "chatops migrate up")
    return bad(f"{tool}, which deploys to {situation.target}, is not installed", f"{_add(manager)} {tool}")


@check("packages installed")
def check_installed(situation: Situation) -> Finding:
    """Every package that package.json lists is there."""
    view = situation.view
    manager = _manager(view)
    if manager is None:
        return unknown("the package manager is not known")
    if _is_plug_and_play(view, manager):
        return unknown("the app's packages are in yarn's archive, which is not looked into")
    listed = _listed_packages(view)
    missing = [package for package in listed if installed_version(view, package, manager.folder) is None]
    if not missing:
        return good(f"{len(listed)}")
    if len(missing) == len(listed):
        return bad("none of the app's packages is installed", _install(manager))
    return bad(f"{len(missing)} of {len(listed)} are not: {_shortened(missing)}", _install(manager))


@check("lock file")
def check_lock(situation: Situation) -> Finding:
    """The lock file has what package.json lists: else the deployment's own install fails, which does not change it."""
    view = situation.view
    manager = _manager(view)
    if manager is None:
        return unknown("the package manager is not known")
    if manager.lock is None:
        return unknown("there is none", _install(manager))
    if manager.lock.endswith(".lockb"):
        return unknown(f"{manager.lock} is bun's binary form, which is not looked into")
    missing = _not_locked(view, manager)
    if missing:
        what = f"{manager.lock} does not have {_shortened(missing)} as package.json does"
        return bad(what, f"{_install(manager)}, and commit {manager.lock}")
    return good(f"{manager.lock} is in step with package.json")


def _version_of(situation: Situation, program: str) -> str:
    """What a program says its version is. Raises NotRun."""
    environment = {**_QUIET, "PATH": situation.environment.get("PATH")}
    done = run([program, "--version"], situation.view.root, seconds=_SECONDS, environment=environment)
    lines = [line.strip() for line in done.output.splitlines() if line.strip()]
    if done.code != 0:
        raise NotRun(f"`{program} --version` fails: {lines[0] if lines else f'it ended with {done.code}'}")
    return lines[0] if lines else ""


def _asked_of_node(situation: Situation) -> Iterator[tuple[str, str]]:
    """Who asks for which Node."""
    view = situation.view
    yield from ((who, wanted) for who, wanted in [("the app", engines_of(view, "package.json"))] if wanted)
    manager = _manager(view)
    folder = f"{manager.folder}/" if manager and manager.folder else ""
    for package in ("next", _RELAY_TOOLS.get(situation.target, "")):
        wanted = package and (
            engines_of(view, f"node_modules/{package}/package.json")
            or engines_of(view, f"{folder}node_modules/{package}/package.json")
            or _NODE_OF.get(package, "")
        )
        if wanted:
            yield package, wanted


def _not_locked(view: AppView, manager: PackageManager) -> list[str]:
    """The packages that the lock file has not, or (npm) for another range. Raises UsageError: it cannot be read."""
    lock = manager.lock or ""
    listed = _listed_packages(view)
    if manager.name == "npm":
        locked = view.json(lock)
        packages = locked.get("packages") if isinstance(locked, dict) else None
        if not isinstance(packages, dict):  # the form of npm 6: names alone
            packages = {"": {"dependencies": locked.get("dependencies", {})}} if isinstance(locked, dict) else {}
            return [name for name in listed if name not in packages.get("", {}).get("dependencies", {})]
        inside = view.root.resolve().parts[len(view.root.resolve().parts) - manager.folder.count("..") :]
        root = packages.get("/".join(inside) if manager.folder else "", {})
        ranges = {name: wanted for section in _SECTIONS for name, wanted in (root.get(section) or {}).items()}
        return [name for name, wanted in listed.items() if ranges.get(name) != wanted]
    file = view.file(lock)
    text = file.text if file is not None else ""
    return [name for name, wanted in listed.items() if re.search(_locked_as(manager, name, str(wanted)), text) is None]


def _locked_as(manager: PackageManager, name: str, wanted: str) -> str:
    """The pattern of a lock file's entry for a package; for one that comes from a folder, of its name alone."""
    package, version = re.escape(name), re.escape(wanted)
    if ":" in wanted:
        version = ".*"
    if manager.name == "pnpm":
        return rf"(?m)^ +['\"]?{package}['\"]?:\s*\n +specifier: ['\"]?{version}['\"]?$"
    if manager.name == "yarn":
        return rf"(?m)(^|[\s\"]){package}@(npm:)?{version}[\",:]"
    return rf'"{package}": "{version}"'


def _listed_packages(view: AppView) -> dict[str, Any]:
    """Name and range of what an install in the app must bring."""
    manifest = view.json("package.json")
    sections = [manifest.get(section) for section in _SECTIONS] if isinstance(manifest, dict) else []
    return {name: wanted for section in sections if isinstance(section, dict) for name, wanted in section.items()}


def _manager(view: AppView) -> PackageManager | None:
    try:
        return detect_package_manager(view)
    except UsageError:
        return None


def _is_plug_and_play(view: AppView, manager: PackageManager | None) -> bool:
    folders = ("", f"{manager.folder}/" if manager and manager.folder else "")
    return any(view.exists(f"{folder}.pnp.cjs") for folder in folders)


def _install(manager: PackageManager | None) -> str:
    return manager.install_command if manager is not None else "install the app's packages"


def _add(manager: PackageManager | None) -> str:
    return "npm install --save-dev" if manager is None or manager.name == "npm" else f"{manager.name} add --dev"


def _shortened(names: list[str]) -> str:
    rest = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {rest} more" if rest > 0 else "")


def _listed(names: list[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else names[0]


def _verb(asked: list[tuple[str, str]]) -> str:
    return "ask" if len(asked) > 1 else "asks"
