"""Running the app's package manager: the lock file brought in step away from the app, node_modules in it.

The lock file is worked out in a scratch folder that has the manifests, lock file and settings of the app (and of its
workspace) and nothing else. So it becomes one more file of the run that is written whole or not at all, and the app is
untouched when the package manager fails.
"""

from __future__ import annotations

import re
import tempfile
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from migrations.engine.listing import list_files
from migrations.engine.packages import LOCK_FILES, MANIFEST, PackageManager
from relay_server.errors import CheckFailed
from relay_server.process import NotRun, run

if TYPE_CHECKING:
    from collections.abc import Mapping

_LOCK_SECONDS = 600.0
_INSTALL_SECONDS = 1800.0
_SETTINGS = frozenset(
    {
        MANIFEST,
        ".npmrc",
        ".yarnrc",
        ".yarnrc.yml",
        "pnpm-workspace.yaml",
        ".pnpmfile.cjs",
        ".pnpmfile.mjs",
        "bunfig.toml",
    }
) | set(LOCK_FILES)
_SETTING_FOLDERS = re.compile(r"(^|/)(\.yarn/(releases|plugins|patches)|patches)/")
_ENVIRONMENT: Mapping[str, str | None] = {
    "CI": "true",  # no questions, no progress bars
    "NO_COLOR": "1",
    "FORCE_COLOR": None,
    "NO_UPDATE_NOTIFIER": "1",
    "NODE_ENV": None,  # npm and yarn leave out devDependencies where it says production
    "COREPACK_ENABLE_DOWNLOAD_PROMPT": "0",
    "COREPACK_ENABLE_AUTO_PIN": "0",
    "YARN_ENABLE_IMMUTABLE_INSTALLS": "false",
    "YARN_ENABLE_TELEMETRY": "0",
}
_LOCK_ONLY = {
    "npm": ["npm", "install", "--package-lock-only", "--ignore-scripts", "--no-audit", "--no-fund"],
    "pnpm": ["pnpm", "install", "--lockfile-only", "--ignore-scripts", "--no-frozen-lockfile"],
    "yarn": ["yarn", "install", "--mode=update-lockfile"],
    "bun": ["bun", "install", "--lockfile-only", "--ignore-scripts"],
}
# yarn 1 has no such option; in a scratch folder a whole install costs time and nothing else.
_LOCK_ONLY_CLASSIC = ["yarn", "install", "--ignore-scripts", "--non-interactive", "--no-progress"]
_INSTALL = {
    "npm": ["npm", "install", "--no-save", "--no-audit", "--no-fund"],  # --no-save: the lock file stays as it is
    "pnpm": ["pnpm", "install"],
    "yarn": ["yarn", "install"],
    "bun": ["bun", "install"],
}
_NO_NETWORK = re.compile(
    r"ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|ConnectionRefused|FailedToOpenSocket"
    r"|META_FETCH_FAIL|network connectivity|fetch failed",
    re.IGNORECASE,
)
_ERROR_LINE = re.compile(r"\berr(or)?\b|ERR_|✖|YN\d{4}", re.IGNORECASE)
_UNTOLD = re.compile(r"^\W*(npm (error|ERR!)( code \S+| errno .*| syscall .*| A complete log .*)?$|YN0000|warning )")
_LINE_HEAD = re.compile(
    r"^\W*(npm (error|ERR!)( (\d+|E[A-Z]+|[a-z]+(?= [A-Z])))?|ERR_PNPM_\w+|YN\d{4}|(?i:error)\b)[\s:│➤]*"
)
_LONGEST_LINE = 200


def has_installed(root: Path, manager: PackageManager) -> bool:
    """Whether the app's packages are installed, so that they have to be kept in step."""
    folders = {root, root / manager.folder}
    return any((folder / name).exists() for folder in folders for name in ("node_modules", ".pnp.cjs"))


def resolved_lock(root: Path, manager: PackageManager, changed: Mapping[str, bytes | None]) -> bytes:
    """The lock file that goes with the app once the files in `changed` (seen from the app) are as given there.

    Raises CheckFailed with the package manager's reason; nothing in the app was touched.
    """
    assert manager.lock is not None
    base = (root / manager.folder).resolve()
    inside = root.resolve().relative_to(base)
    with tempfile.TemporaryDirectory(prefix="chatops-") as folder:
        scratch = Path(folder).resolve()
        for path in (*list_files(base), *(str(at / name) for at in {Path(), inside} for name in _SETTINGS)):
            if PurePosixPath(path).name in _SETTINGS or _SETTING_FOLDERS.search(path):
                _copy(base / path, scratch / path)
        for path, data in changed.items():
            if PurePosixPath(path).name in _SETTINGS and data is not None:
                target = (scratch / inside / path).resolve()
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(data)
        _copy_archives(base, scratch)
        command = _LOCK_ONLY_CLASSIC if manager.classic else _LOCK_ONLY[manager.name]
        _run(command, scratch, _LOCK_SECONDS, manager, {"YARN_ENABLE_SCRIPTS": "false"})
        return (scratch / PurePosixPath(manager.lock).name).read_bytes()


def install(root: Path, manager: PackageManager) -> None:
    """Bring node_modules in step with manifest and lock file, which stays as it is. Raises CheckFailed."""
    lock = root / manager.lock if manager.lock is not None else None
    before = lock.read_bytes() if lock is not None and lock.is_file() else None
    try:
        _run(_INSTALL[manager.name], (root / manager.folder).resolve(), _INSTALL_SECONDS, manager, {})
    finally:
        if lock is not None and before is not None and (not lock.is_file() or lock.read_bytes() != before):
            lock.write_bytes(before)  # written anew with another indentation, say


def _run(
    command: list[str], folder: Path, seconds: float, manager: PackageManager, environment: Mapping[str, str | None]
) -> None:
    by_hand = "or change the packages yourself with your package manager, and run this again"
    try:
        finished = run(command, folder, seconds=seconds, environment={**_ENVIRONMENT, **environment})
    except NotRun as error:
        raise CheckFailed(
            f"the app's packages are {manager.name}'s, and {error}",
            next_step=f"see to it that `{manager.name} --version` works here, {by_hand}",
            code="package_manager",
        ) from None
    if finished.code != 0:
        raise CheckFailed(
            f"{' '.join(command[:2])} failed: {failure(finished.output, finished.code)}",
            next_step=f"see that `{manager.install_command}` works in the app, {by_hand}",
            code="no_network" if _NO_NETWORK.search(finished.output) else "package_manager",
        )


def failure(output: str, code: int) -> str:
    """The reason in what a package manager printed, in one line."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    unreachable = [line for line in lines if _NO_NETWORK.search(line)]
    if unreachable:
        line = next((line for line in unreachable if "reason:" in line), unreachable[0])
        return f"the registry cannot be reached ({_shortened(line)})"
    if "ERESOLVE" in output:
        peer = next((line for line in lines if re.search(r"\bpeer \S+ from ", line)), "ERESOLVE")
        return f"versions do not fit together ({_shortened(peer)})"
    errors = [line for line in lines if _ERROR_LINE.search(line) and not _UNTOLD.match(line)]
    return _shortened((errors or lines[-1:] or [f"it ended with {code} and said nothing"])[0])


def _shortened(line: str) -> str:
    line = _LINE_HEAD.sub("", line).strip() or line
    return line if len(line) <= _LONGEST_LINE else line[: _LONGEST_LINE - 1] + "…"


def _copy(source: Path, target: Path) -> None:
    if source.is_file():
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(source.read_bytes())


def _copy_archives(base: Path, scratch: Path) -> None:
    """The packages that a manifest names by a file, such as `file:./vendor/thing.tgz`."""
    import json

    for manifest in list(scratch.rglob(MANIFEST)):
        try:
            value: Any = json.loads(manifest.read_bytes())
        except ValueError:
            continue
        sections = value.values() if isinstance(value, dict) else ()
        ranges = [item for section in sections if isinstance(section, dict) for item in section.values()]
        for named in ranges:
            if isinstance(named, str) and named.startswith("file:"):
                place = (manifest.parent / named.removeprefix("file:")).resolve()
                if place.is_relative_to(scratch) and not place.exists():
                    _copy(base / place.relative_to(scratch), place)
