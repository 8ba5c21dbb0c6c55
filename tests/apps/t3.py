"""Real T3 apps: made by create-t3-app, installed, and given the shape of an app that somebody has worked on.

first_user         chat.sendMessageStream commented out below its mutation, a disabled WebSocket server, a client that
                   sends the rest through wsLink
live_subscription  the subscription is live but nobody uses it; the component types the finished text out
mutation_only      a mutation, and never was anything else

Making one takes npm half a minute, so what was made is kept (in the system's temporary folder, for some days) and
every test gets a copy, whose node_modules are hard links.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

from tests.apps.toolchain import CACHE, run_well

if TYPE_CHECKING:
    from collections.abc import Callable

Shape: TypeAlias = Literal["first_user", "live_subscription", "mutation_only"]
SHAPES: tuple[Shape, ...] = get_args(Shape)

_HERE = Path(__file__).parent
_NAME = "skarv-point"
_INSTALL_S = 600
_KEPT_S = 3 * 24 * 3600

_OVERLAYS: dict[Shape, tuple[str, ...]] = {
    "first_user": ("first_user",),
    "live_subscription": ("first_user", "live_subscription"),
    "mutation_only": ("first_user", "mutation_only"),
}
_PACKAGES: dict[Shape, tuple[str, ...]] = {
    "first_user": ("openai", "ws", "-D", "@types/ws"),
    "live_subscription": ("openai", "ws", "-D", "@types/ws", "tsx"),
    "mutation_only": ("openai",),
}
_REMOVED: dict[Shape, tuple[str, ...]] = {
    "first_user": (),
    "live_subscription": (),
    "mutation_only": ("src/server/ws-server.ts", "src/lib/light-events.ts"),
}
_SCRIPTS: dict[Shape, dict[str, str]] = {
    "first_user": {},
    "live_subscription": {"dev:ws": "tsx watch src/server/ws-server.ts"},
    "mutation_only": {},
}
# create-t3-app's own example, which every one of these has replaced.
_EXAMPLE = ("src/server/api/routers/post.ts", "src/app/_components/post.tsx")


def make_t3_app(folder: Path, shape: Shape = "first_user", *, biome: bool = True) -> Path:
    """A T3 app of that shape in `folder`, which must not exist yet: packages installed, everything committed to git.

    With Biome as its linter and formatter, or else with ESLint and Prettier, as create-t3-app sets them up.
    Raises RuntimeError with what npm or create-t3-app said.
    """
    copy_app(_kept(f"{shape}-{_linter(biome)}", lambda made: _make_shape(made, shape, biome=biome)), folder)
    return folder


def overlay_files(shape: Shape) -> dict[str, bytes]:
    """What this project's files add to the scaffold for that shape, by path."""
    files = {}
    for overlay in _OVERLAYS[shape]:
        for source in sorted((_HERE / overlay).rglob("*")):
            if source.is_file():
                files[source.relative_to(_HERE / overlay).as_posix()] = source.read_bytes()
    for path in _REMOVED[shape]:
        files.pop(path, None)
    return files


def copy_app(source: Path, target: Path) -> None:
    """A copy of an app with its node_modules as hard links.

    Package managers put files in place by renaming and do not write into those that are there, except for npm's own
    copy of the lock file, which is therefore a real copy, as are all other files.
    """

    def copy(file: str, copied: str) -> None:
        path = Path(file)
        if "node_modules" in path.parent.parts[len(source.parts) :] and path.name != ".package-lock.json":
            try:
                os.link(file, copied, follow_symlinks=False)
            except OSError:  # another file system
                shutil.copy2(file, copied, follow_symlinks=False)
        else:
            shutil.copy2(file, copied, follow_symlinks=False)

    shutil.copytree(source, target, symlinks=True, copy_function=copy)


def _linter(biome: bool) -> str:
    return "biome" if biome else "eslint"


def _kept(name: str, make: Callable[[Path], None]) -> Path:
    """The folder of that name among those that are kept; made now if it is missing, old, or of other sources."""
    CACHE.mkdir(parents=True, exist_ok=True)
    folder, stamp, sources = CACHE / name, CACHE / f"{name}.stamp", _digest()
    with (CACHE / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        is_current = stamp.exists() and stamp.read_text() == sources and time.time() - stamp.stat().st_mtime < _KEPT_S
        if not is_current:
            stamp.unlink(missing_ok=True)
            shutil.rmtree(folder, ignore_errors=True)
            make(folder)
            stamp.write_text(sources)
    return folder


def _digest() -> str:
    """Of everything here that the apps are made from."""
    digest = hashlib.sha256()
    for source in [Path(__file__), *(file for shape in SHAPES for file in sorted((_HERE / shape).rglob("*")))]:
        if source.is_file():
            digest.update(f"{source}\0".encode() + source.read_bytes())
    return digest.hexdigest()


def _make_scaffold(folder: Path, *, biome: bool) -> None:
    """What create-t3-app makes, installed and formatted; without --noInstall it would do both itself."""
    flags = [
        "--CI",
        "--trpc",
        "--tailwind",
        "--appRouter",
        "--biome" if biome else "--eslint",
        "--noGit",
        "--noInstall",
    ]
    with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
        run_well("npx", "--yes", "create-t3-app@latest", _NAME, *flags, cwd=Path(scratch), timeout_s=_INSTALL_S)
        (Path(scratch) / _NAME).rename(folder)
    run_well("npm", "install", "--no-progress", cwd=folder, timeout_s=_INSTALL_S)
    run_well("git", "init", "--quiet", "--initial-branch", "main", cwd=folder)  # Biome reads .gitignore with git's help
    if biome:
        run_well("npx", "biome", "migrate", "--write", cwd=folder)  # its settings are for an older Biome than npm gives
        settings = folder / "biome.jsonc"
        text, count = re.subn(
            r'"formatter": \{', '"formatter": {"indentStyle": "space",', settings.read_text(), count=1
        )
        assert count == 1
        settings.write_text(text)
        run_well("npx", "biome", "check", "--write", "--unsafe", ".", cwd=folder)
    else:
        run_well("npm", "run", "format:write", cwd=folder)


def _make_shape(folder: Path, shape: Shape, *, biome: bool) -> None:
    copy_app(_kept(f"scaffold-{_linter(biome)}", lambda made: _make_scaffold(made, biome=biome)), folder)
    for path in _EXAMPLE:
        (folder / path).unlink()
    for path, data in overlay_files(shape).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    packages = _PACKAGES[shape]
    at = packages.index("-D") if "-D" in packages else len(packages)
    run_well("npm", "install", *packages[:at], cwd=folder, timeout_s=_INSTALL_S)
    if packages[at:]:
        run_well("npm", "install", *packages[at:], cwd=folder, timeout_s=_INSTALL_S)
    for name, command in _SCRIPTS[shape].items():
        run_well("npm", "pkg", "set", f"scripts.{name}={command}", cwd=folder)
    if not biome:
        run_well("npm", "run", "format:write", cwd=folder)
    (folder / ".env").write_text('OPENAI_API_KEY="none"\n')  # git ignores it; the app's env schema wants the key
    commit_all(folder, "The chat as it is")


def commit_all(folder: Path, message: str) -> None:
    who = ("-c", "user.name=Ida", "-c", "user.email=ida@example.com")
    run_well("git", "add", "--all", cwd=folder)
    run_well("git", *who, "commit", "--quiet", "--message", message, cwd=folder)
