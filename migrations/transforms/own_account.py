"""What PartyKit's settings and scripts become on one's own Cloudflare account: those of wrangler. Pure."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from migrations.engine.json_edits import set_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from migrations.engine import Style

FOLDER = "cloudflare"
MAIN = f"{FOLDER}/server.ts"
TSCONFIG = f"{FOLDER}/tsconfig.json"
CONFIG = "wrangler.jsonc"

# Where `partykit dev` listens, which the app's env files have.
DEFAULT_PORT = 1999
_LONGEST_NAME = 63  # it becomes a label of a host name

# Keys of partykit.json (its schema.json, partykit 0.0.115) that go on under another name,
_CARRIED = {
    "vars": ("vars",),
    "define": ("define",),
    "minify": ("minify",),
    "compatibilityFlags": ("compatibility_flags",),
    "logpush": ("logpush",),
    "placement": ("placement",),
    "observability": ("observability",),
}
# and those that say nothing which the other side has to know: `compatibilityDate` is bound to partykit's own workerd.
_DROPPED = frozenset({"$schema", "name", "main", "port", "team", "preview", "persist", "compatibilityDate", "domain"})

_TOOL = re.compile(
    r"(?<![\w./-])(?:npx\s+)?partykit\s+(?P<verb>dev|deploy)(?P<rest>(?:\s+(?!&|\||;)[^\s\"'&|;]+)*)(?=\s*(?:$|[\"'&|;]))"
)


@cache
def server_source() -> str:
    """The Worker's entry as this project has it; it imports the room from `../party`."""
    return (files("relay_server") / "typescript" / MAIN).read_text(encoding="utf-8")


def without_counterpart(settings: Mapping[str, Any]) -> list[str]:
    """The keys of partykit.json that mean something and cannot be carried over."""
    known = _DROPPED | set(_CARRIED)
    return [key for key, value in settings.items() if key not in known and value not in (None, False, {}, [])]


def wrangler_config(name: str, settings: Mapping[str, Any], style: Style) -> bytes:
    """wrangler.jsonc: this project's own under the app's name, with what partykit.json said."""
    data = (files("relay_server") / "typescript" / CONFIG).read_bytes()
    data = set_json(data, ("name",), name, CONFIG)
    for key, keys in _CARRIED.items():
        if settings.get(key):
            data = set_json(data, keys, settings[key], CONFIG)
    port = settings.get("port")
    listen = {"ip": "127.0.0.1", "port": port if isinstance(port, int) else DEFAULT_PORT}
    text = set_json(data, ("dev",), listen, CONFIG).decode()
    if style.indent != "  ":
        text = re.sub(r"^(?:  )+", lambda m: style.indent * (len(m[0]) // 2), text, flags=re.MULTILINE)
    return text.replace("\n", style.newline).encode()


def worker_name(name: str) -> str:
    """A project's name as a Worker can have it: letters, digits and `-`, short enough for a host name."""
    return re.sub(r"[^a-z0-9-]+", "-", name.lower())[:_LONGEST_NAME].strip("-")


def typescript_config(style: Style) -> bytes:
    """The settings of the entry's folder: the Worker's types are not those of a browser, and both cannot be had."""
    text = """\
{
  "compilerOptions": {
    "target": "ES2022",
    "lib": ["ES2022"],
    "types": ["@cloudflare/workers-types"],
    "module": "ESNext",
    "moduleResolution": "Bundler",
    "moduleDetection": "force",
    "noEmit": true,
    "isolatedModules": true,
    "verbatimModuleSyntax": true,
    "skipLibCheck": true,
    "strict": true
  },
  "include": ["."]
}
"""
    if style.indent != "  ":
        text = re.sub(r"^(?:  )+", lambda m: style.indent * (len(m[0]) // 2), text, flags=re.MULTILINE)
    return text.replace("\n", style.newline).encode()


def wrangler_script(command: str) -> str | None:
    """A script of package.json with wrangler in partykit's place; None where it gives partykit options of its own."""
    for match in _TOOL.finditer(command):
        if match["rest"].strip():
            return None
    changed = _TOOL.sub(lambda match: f"wrangler {match['verb']}", command)
    return None if re.search(r"(?<![\w./-])partykit\s", changed) else changed


def names_partykit(command: str) -> bool:
    """Whether a script runs partykit."""
    return re.search(r"(?<![\w./-])partykit\s+\w", command) is not None
