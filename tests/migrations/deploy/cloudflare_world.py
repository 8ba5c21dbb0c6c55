"""A deployment to one's own Cloudflare account as tests see it: the app, the stand-in of the API, the environment."""

from __future__ import annotations

import json
import os
import shutil
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.migrations.deploy.cloudflare_api import ACCOUNT, TOKEN, CloudflareApi, cloudflare_api
from tests.node import NODE, ensure_node_modules
from tests.servers import TYPESCRIPT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MODEL_KEY = "the-key-of-the-apps-model"
WORKER = "chat-app"


def make_cloudflare_app(folder: Path) -> Path:
    """An app as migration 6 leaves it, as far as wrangler looks at it, with a `.env` of its own."""
    ensure_node_modules(TYPESCRIPT)
    folder.mkdir()
    for source in ("party", "cloudflare"):
        shutil.copytree(TYPESCRIPT / source, folder / source)
    shutil.copy(TYPESCRIPT / "wrangler.jsonc", folder)
    (folder / "package.json").write_text(json.dumps({"name": WORKER, "private": True}))
    (folder / "node_modules").symlink_to(TYPESCRIPT / "node_modules")
    (folder / ".env").write_text(f"OPENAI_API_KEY={MODEL_KEY}\nNEXT_PUBLIC_RELAY_HOST=127.0.0.1:1999\n")
    (folder / "partyconfig.toml").write_text(f'[deploy]\ntarget = "cloudflare"\nname = "{WORKER}"\n')
    return folder


@contextmanager
def signed_in(folder: Path) -> Iterator[tuple[CloudflareApi, dict[str, str]]]:
    """The stand-in, and an environment like that of a CI job: a token, and no login of wrangler's own."""
    temporary = folder / "tmp"
    asked = temporary / "update-check" / "wrangler-latest.json"
    asked.parent.mkdir(parents=True)
    asked.write_text(json.dumps({"latest": None, "lastUpdate": time.time_ns() // 1_000_000}))
    with cloudflare_api() as api:
        yield (
            api,
            {
                "PATH": f"{NODE.parent}{os.pathsep}{os.environ['PATH']}",
                "TMPDIR": str(temporary),
                "XDG_CONFIG_HOME": str(folder / "config"),
                "HOME": str(folder / "home"),
                "WRANGLER_SEND_METRICS": "false",
                "WRANGLER_SEND_ERROR_REPORTS": "false",
                "CLOUDFLARE_CF_FETCH_ENABLED": "false",
                "CLOUDFLARE_API_BASE_URL": api.url,
                "CLOUDFLARE_API_TOKEN": TOKEN,
                "CLOUDFLARE_ACCOUNT_ID": ACCOUNT["id"],
            },
        )
