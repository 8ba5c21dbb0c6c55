"""The relay on the team's own Cloudflare account: partyserver and wrangler in the place of PartyKit's platform."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from migrations.discovery.imports import imports_of
from migrations.engine.edits import Edits
from migrations.engine.json_edits import set_json
from migrations.engine.outcome import AddPackage, Applied, Blocked, Leftover, NotApplicable, Pending, RemovePackage
from migrations.engine.packages import MANIFEST, with_packages
from migrations.hints import AppHints
from migrations.m1_packages import packages_of, range_of, why_unsuitable
from migrations.m2_relay import CONFIG as PARTYKIT_CONFIG
from migrations.m2_relay import MAIN as PARTYKIT_MAIN
from migrations.m2_relay import project_name, relay_files
from migrations.mode import HOST_KEY, env_values
from migrations.transforms.ignore_files import ignore_for_linters
from migrations.transforms.own_account import (
    CONFIG,
    FOLDER,
    MAIN,
    TSCONFIG,
    names_partykit,
    server_source,
    typescript_config,
    without_counterpart,
    worker_name,
    wrangler_config,
    wrangler_script,
)
from migrations.transforms.own_account_exclude import exclude_folder
from migrations.transforms.own_account_ignore import ignore_wrangler

if TYPE_CHECKING:
    from collections.abc import Iterator

    from migrations.engine import AppView, Migration, Outcome, PackageChange

TARGET = "cloudflare"
PARTYKIT = "partykit"
PACKAGES = ("@cloudflare/workers-types", "partyserver", "wrangler")

# In the order in which each tool looks for them.
_WRANGLER_CONFIGS = ("wrangler.json", CONFIG, "wrangler.toml")
_PARTYKIT_CONFIGS = (PARTYKIT_CONFIG, "partykit.json5", "partykit.jsonc")
_OURS = re.compile(rb"PROTOCOL\.md\W+of\W+chatops")
_PLATFORM = re.compile(r"\.partykit\.dev(?::\d+)?/?$")


@dataclass(frozen=True, slots=True)
class OwnAccount:
    """`wrangler.jsonc` and `cloudflare/server.ts` in the place of `partykit.json` and `party/server.ts`.

    The room, `party/*.ts` without the entry, stays where it is. Only for an app whose deploy.target is cloudflare, or
    that has made this step already.
    """

    hints: AppHints = field(default_factory=AppHints)
    number: int = 6
    title: str = "Move the relay to your own Cloudflare account"

    def plan(self, view: AppView) -> Outcome:
        unsuitable = why_unsuitable(packages_of(view))
        if unsuitable:
            return NotApplicable(unsuitable)
        if self.hints.target != TARGET and not on_own_account(view):
            return NotApplicable(f'deploy.target in partyconfig.toml is not "{TARGET}"')
        settings = _partykit_settings(view)
        blocked = _foreign_worker(view) or _foreign_entry(view) or _relay_missing(view) or _not_carried(view, settings)
        if blocked is not None:
            return blocked
        edits = Edits(view)
        leftovers = [*_move_scripts(edits), *_workflows(view), *_old_host(view), *_local_secret(view)]
        _move_settings(edits, settings)
        if not view.exists(MAIN):
            ignore_for_linters(edits, FOLDER)
            edits.write(MAIN, view.style.whole_file(server_source()))
        if not view.exists(TSCONFIG):
            edits.write(TSCONFIG, typescript_config(view.style))
        if view.exists(PARTYKIT_MAIN):
            edits.delete(PARTYKIT_MAIN)
        blocked = exclude_folder(edits, FOLDER, MAIN)
        if blocked is not None:
            return blocked
        ignore_wrangler(edits)
        users = list(_users_of_partykit(view))
        leftovers += users
        packages = packages_of(view)
        changed: list[PackageChange] = [
            AddPackage(name, _wanted(name), dev=True) for name in PACKAGES if name not in packages
        ]
        if PARTYKIT in packages and not users:
            changed.append(RemovePackage(PARTYKIT))
        changes = edits.changes()
        if changes or changed:
            return Pending(changes, tuple(changed), tuple(leftovers))
        return Applied(tuple(leftovers))


@dataclass(frozen=True)
class EitherHome:
    """A migration that puts the relay on PartyKit, in an app whose relay may have moved on since.

    It is planned on the app as it would be on PartyKit; so what it adds beside that home is still added, and what has
    moved is not missed.
    """

    migration: Migration

    @property
    def number(self) -> int:
        return self.migration.number

    @property
    def title(self) -> str:
        return self.migration.title

    def plan(self, view: AppView) -> Outcome:
        return self.migration.plan(_as_on_partykit(view) if on_own_account(view) else view)


def on_own_account(view: AppView) -> bool:
    """Whether the app's relay has moved: wrangler's settings run it, and there are none of partykit's."""
    return own_worker(view) is not None and _partykit_settings(view) is None


def _wanted(name: str) -> str:
    """The range of a package; wrangler, whose options and output `chatops deploy` reads, as it was tested."""
    return range_of(name).removeprefix("^") if name == "wrangler" else range_of(name)


def _as_on_partykit(view: AppView) -> AppView:
    manifest = with_packages(view.read(MANIFEST) or b"{}", [AddPackage(PARTYKIT, range_of(PARTYKIT), dev=True)])
    manifest = set_json(manifest, ("scripts", "dev:relay"), "partykit dev", MANIFEST)
    return view.with_changes(
        {
            MANIFEST: manifest,
            PARTYKIT_CONFIG: f'{{ "main": "{PARTYKIT_MAIN}" }}\n'.encode(),
            PARTYKIT_MAIN: relay_files()[PARTYKIT_MAIN].encode(),
        }
    )


def _worker(view: AppView) -> tuple[str, dict[str, Any]] | None:
    """The file with wrangler's settings, and what it says; None if there is none."""
    for path in _WRANGLER_CONFIGS:
        if view.exists(path):
            settings = view.toml(path) if path.endswith(".toml") else view.json(path)
            return path, settings if isinstance(settings, dict) else {}
    return None


def own_worker(view: AppView) -> tuple[str, dict[str, Any]] | None:
    """Wrangler's settings where they run this relay; None where they do not, or there are none."""
    found = _worker(view)
    main = found[1].get("main") if found is not None else None
    return found if isinstance(main, str) and posixpath.normpath(main) == MAIN else None


def _foreign_worker(view: AppView) -> Blocked | None:
    found = _worker(view)
    if found is None or own_worker(view) is not None:
        return None
    path, settings = found
    main = settings.get("main")
    what = f"it is for a Worker of the app's own, {main}" if main else "it is for something of the app's own"
    return Blocked(
        f"{what}, where the relay's settings have to be",
        path,
        _line(view, path, "main") or 1,
        "keep the relay on PartyKit, or move that Worker's settings to a file of another name (`wrangler --config` "
        "finds it)",
    )


def _foreign_entry(view: AppView) -> Blocked | None:
    for path in (MAIN, PARTYKIT_MAIN):
        file = view.file(path)
        if file is None:
            continue
        if not _OURS.search(file.data):
            return Blocked(
                "there is another file where the relay's has to be", path, 1, "move or rename it, and run this again"
            )
        if path == PARTYKIT_MAIN and _tokens(file.text) != _tokens(relay_files()[PARTYKIT_MAIN]):
            return Blocked(
                f"it was changed, and is to make way for {MAIN}",
                path,
                1,
                f"take the change out (chatops' own has no place for it), run this again, and make it in {MAIN}",
            )
    return None


def _relay_missing(view: AppView) -> Blocked | None:
    missing = [path for path in relay_files() if path != PARTYKIT_MAIN and not view.exists(path)]
    if not missing:
        return None
    return Blocked(f"the relay is not in the app yet: there is no {missing[0]}", next_step="see what migration 2 says")


def _partykit_settings(view: AppView) -> tuple[str, dict[str, Any]] | None:
    """The file with partykit's settings, and what they are; None if there are none."""
    for path in _PARTYKIT_CONFIGS:
        if view.exists(path):
            settings = view.json(path)
            return path, settings if isinstance(settings, dict) else {}
    manifest = view.json(MANIFEST)
    settings = manifest.get(PARTYKIT) if isinstance(manifest, dict) else None
    return (MANIFEST, settings) if isinstance(settings, dict) else None


def _not_carried(view: AppView, found: tuple[str, dict[str, Any]] | None) -> Blocked | None:
    if found is None:
        return None
    path, settings = found
    keys = without_counterpart(settings)
    if not keys:
        return None
    names = ", ".join(f'"{key}"' for key in keys)
    return Blocked(
        f"{names} would be lost: chatops does not carry {'it' if len(keys) == 1 else 'them'} over to wrangler",
        path,
        _line(view, path, f'"{keys[0]}"') or 1,
        f"write {CONFIG} with its counterpart yourself, or take it out where it is not needed, and run this again",
    )


def _move_settings(edits: Edits, found: tuple[str, dict[str, Any]] | None) -> None:
    view = edits.view
    settings = found[1] if found is not None else {}
    if own_worker(view) is None:
        manifest = view.json(MANIFEST)
        name = settings.get("name")
        name = worker_name(name) if isinstance(name, str) else ""
        name = name or project_name(manifest.get("name") if isinstance(manifest, dict) else None)
        edits.write(CONFIG, wrangler_config(name, settings, view.style))
    if found is not None:
        if found[0] == MANIFEST:
            edits.remove_json(MANIFEST, (PARTYKIT,))
        else:
            edits.delete(found[0])


def _move_scripts(edits: Edits) -> Iterator[Leftover]:
    manifest = edits.view.json(MANIFEST)
    scripts = manifest.get("scripts")
    for name, command in (scripts if isinstance(scripts, dict) else {}).items():
        if not isinstance(command, str) or not names_partykit(command):
            continue
        changed = wrangler_script(command)
        if changed is not None:
            edits.set_json(MANIFEST, ("scripts", name), changed)
        else:
            yield Leftover(
                MANIFEST,
                _line(edits.view, MANIFEST, f'"{name}"'),
                f'the script "{name}" gives partykit options of its own',
                "run wrangler there, with its own options (`npx wrangler dev --help`)",
            )


def _workflows(view: AppView) -> Iterator[Leftover]:
    for path in view.paths:
        if path.startswith(".github/workflows/") and path.endswith((".yml", ".yaml")):
            line = _line(view, path, "partykit deploy")
            if line:
                yield Leftover(
                    path,
                    line,
                    "this deploys the relay to PartyKit",
                    "run `chatops deploy --target cloudflare` there",
                )


def _old_host(view: AppView) -> Iterator[Leftover]:
    """Where the app still looks for its relay on the platform that it has left."""
    for value in env_values(view, HOST_KEY):
        if _PLATFORM.search(value.value):
            yield Leftover(
                value.file,
                _line(view, value.file, f"{HOST_KEY}="),
                f"the app's relay is still the one on PartyKit, {value.value}",
                "run `chatops deploy --target cloudflare`: it gives the new relay its secret (`wrangler secret put "
                f"RELAY_SECRET` by hand; PartyKit's is not taken along) and sets {HOST_KEY} to the new host; on Vercel "
                "set it too (--vercel)",
            )


def _local_secret(view: AppView) -> Iterator[Leftover]:
    """`wrangler dev` reads `.env`, as `partykit dev` does, but not beside a `.dev.vars`."""
    data = view.read(".dev.vars")
    if data is not None and not re.search(rb"^\s*(export\s+)?RELAY_SECRET\s*=", data, re.MULTILINE):
        yield Leftover(
            ".dev.vars",
            1,
            "`wrangler dev` takes its variables from here, and RELAY_SECRET is not among them",
            "add RELAY_SECRET with the value that the app's .env has",
        )


def _users_of_partykit(view: AppView) -> Iterator[Leftover]:
    """Imports of the package in files that are not the relay's."""
    for file in view.sources("partykit"):
        if file.path != PARTYKIT_MAIN:
            statement = next((i for i in imports_of(file) if _is_partykit(i.specifier)), None)
            if statement is not None:
                yield Leftover(
                    file.path,
                    file.line_of(statement.statement.start_byte),
                    f"this imports {statement.specifier}, so the package partykit stays",
                    "import what it needs from partyserver or partysocket, and remove partykit",
                )


def _is_partykit(specifier: str) -> bool:
    return specifier == PARTYKIT or specifier.startswith(f"{PARTYKIT}/")


def _tokens(code: str) -> list[str]:
    """The program without what a formatter decides."""
    return re.findall(r"\w+|[^\w\s;,]", code.replace("'", '"'))


def _line(view: AppView, path: str, text: str) -> int:
    """The number of the first line with `text`, 0 if there is none."""
    file = view.file(path)
    at = -1 if file is None else file.data.find(text.encode())
    return 0 if file is None or at < 0 else file.line_of(at)
