"""Where the relay and the app are deployed to: sign-in, pinned dates, the limits of the app's functions."""

from __future__ import annotations

import json
import re
import tomllib
from datetime import UTC, datetime
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from migrations.deploy.partykit_sign_in import find_sign_in
from migrations.discovery.chat import Chat, find_chat
from migrations.discovery.layout import find_layout
from migrations.discovery.route_handler import RouteHandler, find_route_handlers
from migrations.discovery.trpc_client import property_of, unwrapped
from migrations.doctor.findings import Finding, Fix, bad, check, good, unknown
from migrations.engine import Blocked, Edits, FileChange
from migrations.engine.syntax import text_of
from migrations.m2_relay import CONFIG as PARTYKIT_CONFIG
from migrations.m2_relay import own_config as partykit_config
from migrations.m6_own_account import own_worker

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tree_sitter import Node

    from migrations.doctor.findings import Situation
    from migrations.engine import AppView

# https://vercel.com/docs/functions/configuring-functions/duration and /limitations: with fluid compute, which projects
# have by default since April 2025, 300 s where nothing is set; without it 10 s (Hobby) or 15 s.
_DEFAULT_S = 300
_WITHOUT_FLUID = "10 or 15"
# A reply of a model that thinks first takes that long.
_ENOUGH_S = 60
_CLOUDFLARE_KEYS = ("CLOUDFLARE_ACCOUNT_ID", "CLOUDFLARE_API_TOKEN")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


def check_platform(situation: Situation) -> list[Finding]:
    """Every check of this module."""
    return [
        check_sign_in(situation),
        check_compatibility_date(situation),
        check_max_duration(situation),
        check_runtime(situation),
    ]


@check("sign-in")
def check_sign_in(situation: Situation) -> Finding:
    """What the target's command line signs in with is there. Nothing is sent, so whether it is good is not known."""
    target = situation.target
    if target == "cloudflare":
        return _cloudflare_sign_in(situation)
    if target != "partykit":
        return good(f"the target {target} needs none")
    found = find_sign_in(situation.environment)
    missing = [key for key in _CLOUDFLARE_KEYS if situation.domain and not situation.environment.get(key)]
    if missing:
        said = f"a domain of your own needs {' and '.join(_CLOUDFLARE_KEYS)} too; {' and '.join(missing)} is not set"
        return bad(said, f"set {' and '.join(missing)}")
    return good(f"PartyKit: {found.source}")


@check("compatibility date")
def check_compatibility_date(situation: Situation) -> Finding:
    """The platform's behaviour is pinned, to a day that has come: else a deploy changes it without an edit."""
    view = situation.view
    if situation.target == "cloudflare":
        key, (path, settings) = "compatibility_date", own_worker(view) or ("", {})
    elif situation.target == "partykit":
        key, (path, settings) = "compatibilityDate", partykit_config(view) or ("", {})
    else:
        return good(f"the target {situation.target} has none")
    fix = Fix(_pin_partykit) if path == PARTYKIT_CONFIG else None
    if not path:
        file = PARTYKIT_CONFIG if situation.target == "partykit" else "wrangler.jsonc"
        return unknown(f"there is no {file} yet", "chatops migrate up")
    value = settings.get(key)
    if value is None:
        return bad(f"{path} pins none", f'add "{key}": "{_our_date()}"', fix)
    try:
        if not _DATE.fullmatch(str(value)):
            raise ValueError
        day = datetime.strptime(str(value), "%Y-%m-%d").replace(tzinfo=UTC).date()
    except ValueError:
        return bad(f"{path} has {str(value)[:40]!r}, which is no date", 'write it as "2024-07-18"', fix)
    today = datetime.now(UTC).date()
    if day > today:
        return bad(f"{path} has {day}, and it is {today} (UTC)", "take a day that has come", fix)
    return good(f"{day} ({path})")


@check("max duration")
def check_max_duration(situation: Situation) -> Finding:
    """How long the function that makes the reply may run on Vercel."""
    handlers = _handlers(situation)
    if isinstance(handlers, str):
        return unknown(handlers)
    for handler in handlers:
        path = handler.file.path
        limit, where = _max_duration(situation.view, handler)
        mend = f"export const maxDuration = {_DEFAULT_S} in {path}"
        if where is None:
            fluid = _vercel_config(situation.view).get("fluid")
            if fluid is False:
                said = f"nothing is set for {path}, and without fluid compute (vercel.json) a reply"
                return bad(f"{said} is cut off after {_WITHOUT_FLUID} s on Vercel", mend)
            said = f"nothing is set for {path}: on Vercel a reply is cut off after {_DEFAULT_S} s"
            said += f" ({_WITHOUT_FLUID} s in a project without fluid compute)"
            return unknown(said, mend)
        if limit is None:
            return unknown(f"{where} does not give it as a number")
        if limit < _ENOUGH_S:
            return bad(f"{where}: a reply that takes longer than {limit} s is cut off on Vercel", mend)
        return good(f"{limit} s ({where})")
    return unknown("no route handler was found")


@check("runtime")
def check_runtime(situation: Situation) -> Finding:
    """The route runs on Node.js."""
    handlers = _handlers(situation)
    if isinstance(handlers, str):
        return unknown(handlers)
    for handler in handlers:
        value = _setting(handler.file.root, "runtime")
        runtime = text_of(value).strip("\"'`") if value is not None else "nodejs"
        if runtime != "nodejs":
            line = handler.file.line_of(value.start_byte) if value is not None else 0
            said = f"{handler.file.path}:{line} asks for {runtime!r}; the kit is tried on Node.js alone"
            return unknown(said, "take the line out (Next.js gives the edge runtime up)")
    return good("nodejs")


def _cloudflare_sign_in(situation: Situation) -> Finding:
    environment = situation.environment
    if environment.get("CLOUDFLARE_API_TOKEN"):
        return good("Cloudflare: CLOUDFLARE_API_TOKEN")
    key, email = environment.get("CLOUDFLARE_API_KEY"), environment.get("CLOUDFLARE_EMAIL")
    if key and email:
        return good("Cloudflare: CLOUDFLARE_API_KEY and CLOUDFLARE_EMAIL")
    mend = "npx wrangler login, or set CLOUDFLARE_API_TOKEN and CLOUDFLARE_ACCOUNT_ID"
    for folder in _wrangler_folders(environment):
        try:
            saved = tomllib.loads((folder / "config" / "default.toml").read_text())
        except FileNotFoundError:
            continue
        except (OSError, ValueError):
            return bad(f"wrangler's saved sign-in in {folder} cannot be read", mend)
        if saved.get("oauth_token") or saved.get("api_token"):
            return good("Cloudflare: the saved sign-in of `wrangler login`")
    if environment.get("CI"):
        mend = "set CLOUDFLARE_API_TOKEN and CLOUDFLARE_ACCOUNT_ID"
    return bad("there is no sign-in for Cloudflare: no CLOUDFLARE_API_TOKEN, and none is saved", mend)


def _wrangler_folders(environment: Any) -> Iterator[Any]:
    """Where wrangler keeps its sign-in (its source, `getGlobalConfigPath`)."""
    import sys
    from pathlib import Path

    home = Path(environment.get("HOME") or Path.home())
    yield home / ".wrangler"
    usual = home / "Library" / "Preferences" if sys.platform == "darwin" else home / ".config"
    yield Path(environment.get("XDG_CONFIG_HOME") or usual) / ".wrangler"


def _our_date() -> str:
    """The date of the relay as this project has it."""
    ours = json.loads((files("relay_server") / "typescript" / PARTYKIT_CONFIG).read_bytes())
    return str(ours["compatibilityDate"])


def _pin_partykit(view: AppView) -> Sequence[FileChange]:
    edits = Edits(view)
    edits.set_json(PARTYKIT_CONFIG, ("compatibilityDate",), _our_date())
    return edits.changes()


def _handlers(situation: Situation) -> tuple[RouteHandler, ...] | str:
    """The route handlers of the chat's router; or why they are not known. Raises UsageError."""
    view = situation.view
    layout = find_layout(view)
    chat = find_chat(view, layout, situation.hints)
    router_file = chat.mutation.file.path if isinstance(chat, Chat) else ""
    found = find_route_handlers(view, layout, situation.hints, router_file)
    return found.reason if isinstance(found, Blocked) else found


def _max_duration(view: AppView, handler: RouteHandler) -> tuple[int | None, str | None]:
    """Seconds and where they are set: in the file, else for it in vercel.json; (None, None) if nowhere."""
    value = _setting(handler.file.root, "maxDuration")
    path = handler.file.path
    if value is not None:
        where = f"{path}:{handler.file.line_of(value.start_byte)}"
        text = text_of(value).replace("_", "")
        return (int(text) if text.isdigit() else None), where
    functions = _vercel_config(view).get("functions")
    for pattern, settings in functions.items() if isinstance(functions, dict) else ():
        seconds = settings.get("maxDuration") if isinstance(settings, dict) else None
        if seconds is not None and re.fullmatch(_glob(str(pattern)), path):
            return (seconds if isinstance(seconds, int) else None), f"vercel.json, {pattern}"
    return None, None


def _setting(root: Node, name: str) -> Node | None:
    """The value of `export const <name>`, or of that key of `export const config = {...}`."""
    for statement in root.named_children:
        for declaration in statement.named_children if statement.type == "export_statement" else ():
            for declared in declaration.named_children if declaration.type == "lexical_declaration" else ():
                key, value = declared.child_by_field_name("name"), declared.child_by_field_name("value")
                if key is None or value is None:
                    continue
                if text_of(key) == name:
                    return unwrapped(value)
                if text_of(key) == "config":
                    inner = property_of(unwrapped(value), name)
                    if inner is not None:
                        return unwrapped(inner)
    return None


def _vercel_config(view: AppView) -> dict[str, Any]:
    settings = view.json("vercel.json")
    return settings if isinstance(settings, dict) else {}


def _glob(pattern: str) -> str:
    escaped = re.escape(pattern.removeprefix("/"))
    return escaped.replace(r"\*\*/", "(?:.*/)?").replace(r"\*\*", ".*").replace(r"\*", "[^/]*")
