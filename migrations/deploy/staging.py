"""What PartyKit's CLI is given to bundle: a copy of the relay's sources in a folder where no `.env` is found.

`partykit deploy` reads the `.env` that it finds in its working folder or above and bundles all of its values into the
upload (its source, `getConfig`: `define.PARTYKIT_PROCESS_ENV`), the app's keys too.
"""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from relay_server.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from migrations.engine import AppView

CONFIG = "partykit.json"
# In the order in which the CLI looks for them.
_CONFIGS = (CONFIG, "partykit.json5", "partykit.jsonc")
_IMPORTED = re.compile(rb"""(?:\bfrom|\bimport)\s*\(?\s*["']([^"'\s()]+)["']""")
_OWN = re.compile(rb"\./(?!.*\.\./)|partykit(/|$)")
_SOURCES = (".ts", ".tsx", ".mts", ".cts", ".js", ".jsx", ".mjs", ".cjs", ".json", ".wasm", ".bin", ".css", ".html")


def project_settings(view: AppView) -> dict[str, Any]:
    """What the app tells PartyKit, from partykit.json or package.json. Raises UsageError."""
    manifest = view.json("package.json")
    found = next(((path, view.json(path)) for path in _CONFIGS if view.exists(path)), None)
    path, settings = found or ("package.json", manifest.get("partykit") if isinstance(manifest, dict) else None)
    if settings is None:
        raise UsageError(
            f"the app has no {CONFIG}", next_step="run chatops migrate up, which writes it", code="no_partykit_project"
        )
    if not isinstance(settings, dict):
        raise UsageError(f"{path} is not an object", next_step=f"mend {path}", code="bad_partykit_project")
    main = settings.get("main")
    if not isinstance(main, str) or not view.exists(str(PurePosixPath(main))):
        what = f"{main}, which {path} names as main, is not there" if main else f"{path} names no main"
        raise UsageError(
            f"there is no relay to deploy: {what}",
            next_step="run chatops migrate up, which writes party/server.ts",
            code="no_partykit_project",
        )
    return settings


@contextmanager
def staged(view: AppView, settings: dict[str, Any]) -> Iterator[Path]:
    """The relay's sources in a temporary folder that is gone afterwards, with the app's packages in reach."""
    with empty_stage(view.root) as folder:
        for path in _paths(view, settings):
            data = view.read(path)
            if data is not None:
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                (folder / path).write_bytes(data)
        (folder / CONFIG).write_text(json.dumps(settings, indent=2) + "\n")
        yield folder


@contextmanager
def restaged(app: Path, kept: Path) -> Iterator[Path]:
    """What was staged for an earlier build, again."""
    with empty_stage(app) as folder:
        shutil.copytree(kept, folder, dirs_exist_ok=True)
        yield folder


@contextmanager
def empty_stage(app: Path) -> Iterator[Path]:
    """A temporary folder where the CLI finds the app's packages and an empty `.env`, which keeps it from looking on."""
    with tempfile.TemporaryDirectory(prefix="chatops-deploy-", ignore_cleanup_errors=True) as name:
        folder = Path(name).resolve()
        (folder / ".env").touch()
        for parent in (app.resolve(), *app.resolve().parents):
            if (parent / "node_modules").is_dir():
                (folder / "node_modules").symlink_to(parent / "node_modules", target_is_directory=True)
                break
        yield folder


def sent_files(stage: Path) -> dict[Path, bytes]:
    """What stands in a stage, seen from it: what an upload was made of."""
    files = {}
    for path in stage.rglob("*"):
        seen_from_it = path.relative_to(stage)
        if path.is_file() and seen_from_it.parts[0] not in ("node_modules", ".env"):
            files[seen_from_it] = path.read_bytes()
    return files


def _paths(view: AppView, settings: dict[str, Any]) -> list[str]:
    """The relay's folder where that is all it needs; else every source file of the app, but no `.env` file."""
    folder = PurePosixPath(str(settings["main"])).parent
    relay = [path for path in view.paths if PurePosixPath(path).is_relative_to(folder)]
    alone = folder != PurePosixPath() and not any(settings.get(key) for key in ("parties", "serve", "build"))
    if alone and all(_is_contained(view.read(path) or b"") for path in relay):
        return relay
    return [path for path in view.paths if path.endswith(_SOURCES) and not PurePosixPath(path).name.startswith(".env")]


def _is_contained(source: bytes) -> bool:
    """Whether everything that it imports lies beside it or comes from PartyKit."""
    return all(_OWN.match(name) for name in _IMPORTED.findall(source))
