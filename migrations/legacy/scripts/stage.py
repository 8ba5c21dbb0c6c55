"""Scripts of package.json that run or build the server."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from migrations.engine.edits import Edits
from migrations.engine.packages import MANIFEST, detect_package_manager
from migrations.legacy.manifest import line_of_key, scripts_of
from migrations.legacy.pieces import Found, Piece
from migrations.legacy.scripts.callers import callers, names_folder, names_word, shell_lines
from migrations.legacy.scripts.command_line import parse_line
from migrations.legacy.scripts.gone_files import Outputs, compiled_to, gone_files
from migrations.legacy.scripts.invocations import invocation_of
from migrations.legacy.scripts.names import ScriptNames, Unclear, is_server_name
from migrations.legacy.scripts.reduction import Reduction, ScriptReducer
from migrations.legacy.scripts.runners import (
    COMPILERS,
    RUNNERS,
    entries_of,
    out_file_of,
    out_folder_of,
    project_of,
    run_file,
)
from migrations.legacy.traces import has_trace
from relay_server.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from migrations.legacy.pieces import Action, LegacyApp
    from migrations.legacy.scripts.gone_files import GoneFiles
    from migrations.legacy.scripts.invocations import Invocation

_NODEMON = "nodemon.json"


@dataclass
class _Outcome:
    """What becomes of the scripts: the text of each that changes, None for one that goes, and why."""

    texts: dict[str, str | None] = field(default_factory=dict)
    whys: dict[str, str] = field(default_factory=dict)
    unclear: dict[str, str] = field(default_factory=dict)

    @property
    def removed(self) -> frozenset[str]:
        return frozenset(name for name, text in self.texts.items() if text is None)


def clean_scripts(app: LegacyApp) -> Found:
    """Scripts lose the commands that run or build files that went; those that are nothing else go.

    A command that ran the whole Next server becomes Next's own. A script that has to do with what went in a way that
    is not understood is a need.
    """
    scripts = scripts_of(app.view)
    if not scripts:
        return Found()
    reducer = script_reducer(app, scripts)
    outcome = _outcome(reducer, scripts)
    started = _started_by_shell(app, reducer) if app.gone else []
    if not (outcome.texts or outcome.unclear or started) or not has_trace(app):
        return Found()
    edits = Edits(app.view)
    for name, text in outcome.texts.items():
        if text is None:
            edits.remove_json(MANIFEST, ("scripts", name))
        else:
            edits.set_json(MANIFEST, ("scripts", name), text)
    pieces, needs = _pieces(app, outcome), [*_needs(app, outcome), *started]
    if _is_idle_nodemon(app, {**scripts, **outcome.texts}):
        edits.delete(_NODEMON)
        pieces.append(Piece(_NODEMON, 0, "nodemon's settings", "remove", "no script runs nodemon any more"))
    return Found(tuple(pieces), tuple(needs), edits.changes())


def script_reducer(app: LegacyApp, scripts: Mapping[str, str]) -> ScriptReducer:
    gone = gone_files(app)
    outputs, ports = _made_by(scripts, gone)
    try:
        manager = detect_package_manager(app.before).name
    except UsageError:  # two could be meant; every one of them has `run`
        manager = "npm"
    names = ScriptNames(scripts)
    idle = _idle_projects(app, scripts, gone, outputs)
    return ScriptReducer(
        gone, outputs, names, manager, _run_by_config(app), gone.ports | ports, idle, _lost_variables(app, scripts)
    )


def _outcome(reducer: ScriptReducer, scripts: Mapping[str, str]) -> _Outcome:
    """Every script by itself, again and again until no further one goes because of another that went."""
    removed: frozenset[str] = frozenset()
    while True:
        outcome = _one_round(reducer.with_removed(removed), scripts)
        for name in outcome.removed:
            for hook in (f"pre{name}", f"post{name}"):
                if hook in scripts and hook not in outcome.removed:
                    outcome.texts[hook] = None
                    outcome.whys[hook] = f"it runs with {name} only"
        if outcome.removed == removed:
            return outcome
        removed |= outcome.removed


def _one_round(reducer: ScriptReducer, scripts: Mapping[str, str]) -> _Outcome:
    outcome = _Outcome()
    for name, text in scripts.items():
        try:
            found = reducer.reduce(name, text)
        except Unclear as error:
            outcome.unclear[name] = str(error)
            continue
        if found.text != text:
            outcome.texts[name] = found.text
            outcome.whys[name] = _why(found)
    return outcome


def _why(found: Reduction) -> str:
    if found.text is not None:
        return f"becomes `{found.text}`"
    if found.sources:
        return f"it is for {', '.join(sorted(found.sources))} only"
    return "it is for the WebSocket server only"


def _pieces(app: LegacyApp, outcome: _Outcome) -> list[Piece]:
    pieces = []
    for name, text in outcome.texts.items():
        line = line_of_key(app.before, MANIFEST, "scripts", name)
        action: Action = "remove" if text is None else "rewrite"
        pieces.append(Piece(MANIFEST, line, f"script {name}", action, outcome.whys[name]))
    for caller in callers(app.view, outcome.removed):
        if not caller.is_needed:
            why = f"take {caller.name} out there: the script goes"
            pieces.append(Piece(caller.file, caller.line, f"the task {caller.name}", "by-hand", why))
    return pieces


def _needs(app: LegacyApp, outcome: _Outcome) -> list[Piece]:
    needs = []
    for name, why in outcome.unclear.items():
        line = line_of_key(app.before, MANIFEST, "scripts", name)
        how = f"rewrite the script by hand so that it has nothing to do with the server, then run this again: {why}"
        needs.append(Piece(MANIFEST, line, f"script {name}", "keep", how))
    for caller in callers(app.view, outcome.removed):
        if caller.is_needed:
            why = f"take the call out by hand, then run this again: package.json will have no script {caller.name}"
            needs.append(Piece(caller.file, caller.line, f"calls the script {caller.name}", "keep", why))
    return needs


def _started_by_shell(app: LegacyApp, reducer: ScriptReducer) -> list[Piece]:
    """Shell scripts, hooks and Makefiles that run files that went."""
    found = []
    for path, number, line in shell_lines(app.view):
        mentioned = reducer.mentioned(line)
        if mentioned is not None:
            why = f"take {mentioned} out there by hand, then run this again"
            found.append(Piece(path, number, f"names {mentioned}", "keep", why))
    return found


def _made_by(scripts: Mapping[str, str], gone: GoneFiles) -> tuple[Outputs, frozenset[int]]:
    """What the scripts have the files that went compiled to, and the ports that they give them by PORT."""
    folders = list(gone.gone_out_folders)
    files: dict[str, str] = {}
    ports: set[int] = set()
    nothing = Outputs((), {})
    for invocation in _invocations(scripts):
        if invocation.program in COMPILERS or invocation.program == "bun":
            sources = [gone.source_of(word.text, "", nothing) for word in entries_of(invocation)]
            lost = [source for source in sources if source is not None]
            if (lost and len(lost) == len(sources)) or project_of(invocation) in gone.paths:
                folders.append(out_folder_of(invocation) or ("dist" if invocation.program == "tsup" else ""))
                file = out_file_of(invocation)
                if file and lost:
                    files[file.removeprefix("./")] = lost[0]
        elif invocation.program in RUNNERS:
            file_word = run_file(invocation)
            source = gone.source_of(file_word.text, "", nothing) if file_word is not None else None
            if source is not None and source not in gone.next_servers:
                ports.update(int(v) for k, v in invocation.assignments.items() if k.endswith("PORT") and v.isdigit())
    kept = tuple(folder.removeprefix("./").rstrip("/") for folder in folders if folder)
    return Outputs(kept, files), frozenset(ports - {3000})


def _lost_variables(app: LegacyApp, scripts: Mapping[str, str]) -> frozenset[str]:
    """Variables that scripts set and that the app read for its WebSockets before, and nothing of it does now."""
    wanted = {name for i in _invocations(scripts) for name in i.assignments if is_server_name(name)}
    return frozenset(name for name in wanted if names_word(app.before, name) and not names_word(app.view, name))


def _idle_projects(app: LegacyApp, scripts: Mapping[str, str], gone: GoneFiles, outputs: Outputs) -> frozenset[str]:
    """Compiler settings that stay, from whose output folder scripts ran files that went and nothing runs any other."""
    idle = set()
    for invocation in _invocations(scripts):
        project = project_of(invocation)
        if invocation.program != "tsc" or project is None or not project.endswith(".json") or not gone.sources:
            continue
        folder = out_folder_of(invocation) or compiled_to(app.view, project.removeprefix("./"))
        words = [word.text.removeprefix("./") for other in _invocations(scripts) for word in other.arguments]
        inside = [word for word in words if folder and word.startswith(f"{folder}/")]
        if folder and inside and all(gone.source_of(word, "", outputs) for word in inside):
            mentions = sum(text.count(f"{folder}/") for text in scripts.values())
            if mentions == len(inside) and not names_folder(app.view, folder):
                idle.add(project.removeprefix("./"))
    return frozenset(idle)


def _invocations(scripts: Mapping[str, str]) -> Iterator[Invocation]:
    for text in scripts.values():
        line = parse_line(text)
        for command in line.commands if line is not None else ():
            yield invocation_of(command)


def _run_by_config(app: LegacyApp) -> dict[str, str]:
    """What nodemon runs by its settings."""
    manifest, settings = app.before.json(MANIFEST), app.before.json(_NODEMON)
    own = manifest.get("nodemonConfig") if isinstance(manifest, dict) else None
    for config in (settings, own):
        if isinstance(config, dict) and isinstance(config.get("exec"), str):
            return {"nodemon": config["exec"]}
    return {}


def _is_idle_nodemon(app: LegacyApp, scripts: Mapping[str, str | None]) -> bool:
    ran = any("nodemon" in text for text in scripts_of(app.view).values())
    left = any("nodemon" in text for text in scripts.values() if text is not None)
    return ran and not left and _NODEMON in app.view.paths
