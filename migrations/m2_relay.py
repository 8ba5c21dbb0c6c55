"""The relay in the app: its files for PartyKit, the script that runs it, and the variables that the app reads."""

from __future__ import annotations

import json
import posixpath
import re
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from migrations.discovery.env_schema import find_env_schema
from migrations.engine.edits import Edits
from migrations.engine.outcome import Applied, Blocked, Leftover, NotApplicable, Pending
from migrations.hints import AppHints
from migrations.m1_packages import packages_of, why_unsuitable
from migrations.transforms.env_example import show_variables
from migrations.transforms.env_schema import KIT_VARIABLES, declare_variables
from migrations.transforms.ignore_files import ignore_for_linters, ignore_state
from relay_server.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from migrations.engine import AppView, Outcome

FOLDER = "party"
MAIN = f"{FOLDER}/server.ts"
CONFIG = "partykit.json"

_MANIFEST = "package.json"
_TSCONFIG = "tsconfig.json"
# In the order in which partykit looks for them.
_CONFIGS = (CONFIG, "partykit.json5", "partykit.jsonc")
_COMMAND = "partykit dev"
_SCRIPTS = ("dev:relay", "relay:dev")
# Every file of the relay says so in the comment that it begins with.
_OURS = re.compile(rb"PROTOCOL\.md\W+of\W+chatops")
_LONGEST_NAME = 63  # it becomes a label of a host name
_FALLBACK_NAME = "chat-relay"
_HIGHEST = 8


@dataclass(frozen=True, slots=True)
class RelayFiles:
    """`party/server.ts` and what it imports, `partykit.json`, the script that runs it, ignore entries, env keys."""

    hints: AppHints = field(default_factory=AppHints)
    number: int = 2
    title: str = "Add the relay for PartyKit"

    def plan(self, view: AppView) -> Outcome:
        packages = packages_of(view)
        unsuitable = why_unsuitable(packages)
        if unsuitable:
            return NotApplicable(unsuitable)
        blocked = _unfit_compiler(view) or _foreign_config(view) or _foreign_file(view)
        if blocked is not None:
            return blocked
        edits = Edits(view)
        if not any(view.exists(path) for path in relay_files()):
            ignore_for_linters(edits, FOLDER)
        for path, text in relay_files().items():
            if not view.exists(path):
                edits.write(path, view.style.whole_file(text))
        if own_config(view) is None:
            edits.write(CONFIG, _config(view))
        leftovers = list(_add_script(edits))
        ignore_state(edits)
        schema = find_env_schema(view, self.hints)
        show_variables(edits, has_schema=schema is not None)
        if schema is not None:
            leftovers += declare_variables(edits, schema)
        leftovers += _undeclared_in_turbo(view)
        changes = edits.changes()
        return Pending(changes, leftovers=tuple(leftovers)) if changes else Applied(tuple(leftovers))


@cache
def relay_files() -> dict[str, str]:
    """The relay's files for PartyKit as this project has them, by the paths that they get in an app."""
    folder = files("relay_server") / "typescript" / FOLDER
    sources = sorted((s for s in folder.iterdir() if s.name.endswith(".ts")), key=lambda source: source.name)
    return {f"{FOLDER}/{source.name}": source.read_text(encoding="utf-8") for source in sources}


def _unfit_compiler(view: AppView) -> Blocked | None:
    """The settings under which neither the relay nor the kit compiles."""
    settings = view.json(_TSCONFIG)
    if settings is None:
        return Blocked(
            "the app has no tsconfig.json: the relay and the kit are TypeScript", next_step="set up TypeScript first"
        )
    options = settings.get("compilerOptions") if isinstance(settings, dict) else None
    options = options if isinstance(options, dict) else {}
    for name, bad, why, mend in (
        (
            "target",
            ("es3", "es5"),
            "is too old for the relay and the kit",
            '"ES2017", which changes nothing in the build',
        ),
        ("moduleResolution", ("node16", "nodenext"), "is not how the kit's imports are written", '"bundler"'),
        ("noPropertyAccessFromIndexSignature", ("true",), "is not how the relay and the kit are written", "false"),
    ):
        value = str(options.get(name)).lower()
        if value in bad:
            line = _line(view, _TSCONFIG, f'"{name}"')
            return Blocked(f"{name} {value} {why}", _TSCONFIG, line, f"set {name} to {mend}")
    return None


def own_config(view: AppView) -> tuple[str, Any] | None:
    """The file with partykit's settings, and what it says; None if there is none yet."""
    for path in _CONFIGS:
        if view.exists(path):
            return path, view.json(path)
    manifest = view.json(_MANIFEST)
    settings = manifest.get("partykit") if isinstance(manifest, dict) else None
    return None if settings is None else (_MANIFEST, settings)


def _foreign_config(view: AppView) -> Blocked | None:
    found = own_config(view)
    if found is None:
        return None
    path, settings = found
    main = settings.get("main") if isinstance(settings, dict) else None
    if isinstance(main, str) and posixpath.normpath(main) == MAIN:
        return None
    if main is None:
        return Blocked(f"it has no main, which has to be {MAIN}", path, 1, f'add "main": "{MAIN}"')
    return Blocked(
        f"it runs a party of the app's own, {main}, where the relay has to be",
        path,
        _line(view, path, '"main"'),
        f'make that one of its "parties" (clients then connect to it by that name), and "main": "{MAIN}"',
    )


def _foreign_file(view: AppView) -> Blocked | None:
    for path in relay_files():
        data = view.read(path)
        if data is not None and not _OURS.search(data):
            return Blocked(
                "there is another file where one of the relay's has to be",
                path,
                1,
                "move or rename it, and run this again",
            )
    return None


def _config(view: AppView) -> bytes:
    """`partykit.json`, with the compatibility date of the workerd that partykit brings: a later one it cannot keep."""
    ours = json.loads((files("relay_server") / "typescript" / CONFIG).read_bytes())
    manifest = view.json(_MANIFEST)
    settings = {**ours, "name": project_name(manifest.get("name") if isinstance(manifest, dict) else None)}
    style = view.style
    return (json.dumps(settings, indent=style.indent) + "\n").replace("\n", style.newline).encode()


def project_name(package: object) -> str:
    """A package's name as PartyKit takes it: letters, digits and `-`, and short enough for a host name."""
    name = re.sub(r"[^a-z0-9]+", "-", str(package or "").lower()).strip("-")
    return name[:_LONGEST_NAME].rstrip("-") or _FALLBACK_NAME


def _add_script(edits: Edits) -> Iterator[Leftover]:
    manifest = edits.view.json(_MANIFEST)
    scripts = manifest.get("scripts")
    scripts = scripts if isinstance(scripts, dict) else {}
    if any(re.search(r"\bpartykit\s+dev\b", str(command)) for command in scripts.values()):
        return
    name = next((name for name in _SCRIPTS if name not in scripts), None)
    if name is not None:
        edits.set_json(_MANIFEST, ("scripts", name), _COMMAND, in_order=True)
        return
    line = _line(edits.view, _MANIFEST, f'"{_SCRIPTS[0]}"')
    yield Leftover(
        _MANIFEST,
        line,
        f"the scripts {' and '.join(_SCRIPTS)} are something else",
        f"add a script that runs `{_COMMAND}`",
    )


def _undeclared_in_turbo(view: AppView) -> Iterator[Leftover]:
    """The server's variables in a turbo.json that lists variables: Turborepo hides those that it does not list.

    It knows Next.js' own prefix by itself (turborepo.com, "Using environment variables").
    """
    names = [variable.name for variable in KIT_VARIABLES if variable.side == "server"]
    for height in range(min(_HIGHEST, len(view.root.resolve().parts))):
        path = posixpath.join("/".join([".."] * height), "turbo.json")
        try:
            settings = view.json(path)
        except UsageError:
            continue
        listed = list(_turbo_variables(settings)) if isinstance(settings, dict) else []
        missing = [name for name in names if not any(_covers(pattern, name) for pattern in listed)]
        if listed and missing:
            line = _line(view, path, '"globalEnv"') or _line(view, path, '"env"') or 1
            what = f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} not among the variables listed here"
            yield Leftover(path, line, what, f"add {', '.join(json.dumps(name) for name in missing)} to that list")


def _turbo_variables(settings: dict[str, Any]) -> Iterator[str]:
    lists = [settings.get("globalEnv"), settings.get("globalPassThroughEnv")]
    for key in ("tasks", "pipeline"):
        tasks = settings.get(key)
        for task in tasks.values() if isinstance(tasks, dict) else ():
            if isinstance(task, dict):
                lists += [task.get("env"), task.get("passThroughEnv")]
    for names in lists:
        yield from (name for name in names if isinstance(name, str)) if isinstance(names, list) else ()


def _covers(pattern: str, name: str) -> bool:
    return re.fullmatch(re.escape(pattern).replace(r"\*", ".*"), name) is not None


def _line(view: AppView, path: str, text: str) -> int:
    """The number of the first line with `text`, 0 if there is none."""
    file = view.file(path)
    at = -1 if file is None else file.data.find(text.encode())
    return 0 if file is None or at < 0 else file.line_of(at)
