"""Which package manager an app uses, by its lock file, `packageManager` and the workspace around it; pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from migrations.engine.json_edits import remove_json, set_json
from migrations.engine.outcome import AddPackage
from relay_server.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from migrations.engine.outcome import PackageChange
    from migrations.engine.view import AppView

Name: TypeAlias = Literal["npm", "pnpm", "yarn", "bun"]

MANIFEST = "package.json"
# Of two lock files of one package manager, the first is the one that it reads.
LOCK_FILES: dict[str, Name] = {
    "npm-shrinkwrap.json": "npm",
    "package-lock.json": "npm",
    "pnpm-lock.yaml": "pnpm",
    "yarn.lock": "yarn",
    "bun.lock": "bun",
    "bun.lockb": "bun",
}
SECTIONS = ("dependencies", "devDependencies", "optionalDependencies", "peerDependencies")
_HIGHEST = 8


@dataclass(frozen=True, slots=True)
class PackageManager:
    """`folder` is where it works, seen from the app ("" is the app itself, `../..` a workspace around it); `lock` the
    lock file, seen from the app, None if there is none. `classic` is yarn 1.
    """

    name: Name
    folder: str = ""
    lock: str | None = None
    classic: bool = False

    @property
    def install_command(self) -> str:
        """What a person types to bring node_modules in step."""
        return f"{self.name} install"


def is_lock_file(path: str) -> bool:
    return PurePosixPath(path).name in LOCK_FILES


def detect_package_manager(view: AppView) -> PackageManager:
    """The app's package manager. With no lock file and no `packageManager` it is npm, and no lock file is made.

    Raises UsageError where two could be meant.
    """
    folders = ["", *workspaces_around(view)]
    found = {_join(folder, lock): name for folder in folders for lock, name in LOCK_FILES.items()
             if view.exists(_join(folder, lock))}  # fmt: skip
    declared = next((d for d in (_declared(view, folder) for folder in folders) if d is not None), None)
    names = set(found.values())
    if declared is not None and names and declared[0] not in names:
        raise _unclear(
            f"package.json names {declared[0]} as its packageManager, but the lock file is {_joined(found)}",
            f"run {declared[0]} install and delete the other lock file, or take packageManager out of package.json",
        )
    if declared is None and len(names) > 1:
        raise _unclear(
            f"there are lock files of {len(names)} package managers: {_joined(found)}",
            "delete those that are not used, or set packageManager in package.json",
        )
    default: Name = "npm"
    name = declared[0] if declared is not None else next(iter(names), default)
    locks = [path for path, owner in found.items() if owner == name]
    if len({_folder_of(path) for path in locks}) > 1:
        raise _unclear(
            f"the app and the workspace around it both have a lock file: {_joined(locks)}", "delete the one not used"
        )
    lock = locks[0] if locks else None
    classic = name == "yarn" and _is_classic(view, lock, declared[1] if declared else "")
    return PackageManager(name, _folder_of(lock) if lock else folders[-1], lock, classic)


def with_packages(manifest: bytes, changes: Iterable[PackageChange]) -> bytes:
    """The bytes of package.json with these dependencies. Raises UsageError: it is no JSON object."""
    from migrations.engine.json_edits import parse_json

    for change in changes:
        value = parse_json(manifest, MANIFEST)
        there = [s for s in SECTIONS if isinstance(value, dict) and change.name in (value.get(s) or {})]
        if isinstance(change, AddPackage):
            section = next((s for s in there if s != "peerDependencies"), None) or (
                "devDependencies" if change.dev else "dependencies"
            )
            manifest = set_json(manifest, (section, change.name), change.range, MANIFEST, in_order=True)
        else:
            for section in there:
                manifest = remove_json(manifest, (section, change.name), MANIFEST)
    return manifest


def _declared(view: AppView, folder: str) -> tuple[Name, str] | None:
    """Name and version in the `packageManager` field, None if there is no such field that can be read."""
    manifest = view.json(_join(folder, MANIFEST))
    field = manifest.get("packageManager") if isinstance(manifest, dict) else None
    match = re.match(r"(npm|pnpm|yarn|bun)@(\S+)", field) if isinstance(field, str) else None
    return (match[1], match[2]) if match else None  # type: ignore[return-value]  # one of the four, by the pattern


def _is_classic(view: AppView, lock: str | None, version: str) -> bool:
    """Whether yarn is yarn 1: by what the lock file says, else by the version, else by the settings file."""
    text = (view.read(lock) or b"") if lock else b""
    if text.strip():
        return b"\n__metadata:" not in text
    if version:
        return version.startswith(("1.", "0."))
    return not view.exists(".yarnrc.yml")


def workspaces_around(view: AppView) -> list[str]:
    """The folder around the app whose workspace the app is a member of, if there is one."""
    inside: list[str] = []
    root = view.root.resolve()
    for height in range(1, _HIGHEST + 1):
        if height > len(root.parts) - 1:
            break
        folder = "/".join([".."] * height)
        inside.insert(0, root.parts[-height])
        globs = _workspace_globs(view, folder)
        if globs is not None:
            return [folder] if _is_member("/".join(inside), globs) else []
    return []


def _workspace_globs(view: AppView, folder: str) -> list[str] | None:
    settings = view.file(_join(folder, "pnpm-workspace.yaml"))
    if settings is not None:
        # The list under `packages:`; https://pnpm.io/pnpm-workspace_yaml has no other form of it in use.
        listed = re.search(
            r"^packages:[^\n]*\n((?:[ \t]*(?:-[^\n]*|#[^\n]*)?\r?\n?)*)", settings.text + "\n", re.MULTILINE
        )
        return re.findall(r"^\s*-\s*[\"']?([^\"'\s#]+)", listed[1], re.MULTILINE) if listed else []
    manifest: Any = view.json(_join(folder, MANIFEST))
    workspaces = manifest.get("workspaces") if isinstance(manifest, dict) else None
    if isinstance(workspaces, dict):
        workspaces = workspaces.get("packages")
    return [glob for glob in workspaces if isinstance(glob, str)] if isinstance(workspaces, list) else None


def _is_member(path: str, globs: list[str]) -> bool:
    member = False
    for glob in globs:
        pattern = re.escape(glob.lstrip("!").removeprefix("./").rstrip("/"))
        pattern = pattern.replace(r"\*\*/", "(?:.*/)?").replace(r"\*\*", ".*").replace(r"\*", "[^/]*")
        if re.fullmatch(pattern, path):
            member = not glob.startswith("!")
    return member


def _join(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name


def _folder_of(path: str) -> str:
    return path.rpartition("/")[0]


def _joined(paths: Iterable[str]) -> str:
    return " and ".join(paths)


def _unclear(message: str, next_step: str) -> UsageError:
    return UsageError(message, next_step=next_step, code="package_manager_unclear")
