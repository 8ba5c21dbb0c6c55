"""An app with a relay to deploy, and what a deployment of it must leave alone."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import TYPE_CHECKING

from tests.servers import TYPESCRIPT

if TYPE_CHECKING:
    from pathlib import Path

MODEL_KEY = "sk-of-the-app-and-nobody-elses"
ENV = f"OPENAI_API_KEY={MODEL_KEY}\nDATABASE_URL=postgres://app:pass-of-the-database@db/app\nNEXT_PUBLIC_RELAY_HOST=127.0.0.1:1999\n"


def make_app(folder: Path) -> Path:
    """A git work tree with the relay's sources, its packages installed, and an `.env` that git ignores."""
    (folder / "src").mkdir(parents=True)
    (folder / "package.json").write_text(json.dumps({"name": "chat-app", "private": True}, indent=2) + "\n")
    (folder / "src" / "page.ts").write_text("export const page = 1;\n")
    shutil.copytree(TYPESCRIPT / "party", folder / "party")
    settings = {"name": "chat-app", "main": "party/server.ts", "compatibilityDate": "2024-07-18"}
    (folder / "partykit.json").write_text(json.dumps(settings, indent=2) + "\n")
    (folder / ".env").write_text(ENV)
    (folder / ".gitignore").write_text(".env*\nnode_modules\n")
    (folder / "partyconfig.toml").write_text('[relay]\nurl = ""\n')
    (folder / "node_modules").symlink_to(TYPESCRIPT / "node_modules")
    subprocess.run(["git", "init", "--quiet", str(folder)], check=True, capture_output=True)
    return folder


def files_of(app: Path) -> dict[str, bytes]:
    """Every file of the app but git's, the packages and chatops' own notes."""
    skipped = {".git", "node_modules", ".chatops"}
    return {
        str(path.relative_to(app)): path.read_bytes()
        for path in sorted(app.rglob("*"))
        if path.is_file() and not skipped & set(path.relative_to(app).parts)
    }
