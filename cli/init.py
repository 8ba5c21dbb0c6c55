"""`chatops init`: find the app's parts, and write down what was found."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.options import App, DryRun, Json

if TYPE_CHECKING:
    from cli.config import Config
    from migrations.ci_workflow import CiFiles
    from migrations.engine import Engine


def init(
    ci: Annotated[
        bool, typer.Option("--ci", help="Write a GitHub workflow too: it deploys the relay, and previews it.")
    ] = False,
    app: App = Path(),
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Find the parts of the app and write partyconfig.toml with them.

    What the file says already stays. What cannot be found is told, with the key to set.
    """
    from cli.app import config_change, hints_of, open_app
    from cli.config import FILE_NAME, load_config
    from cli.console import escape_controls, print_json, progress, result
    from migrations.discovery.parts import find_parts
    from migrations.engine.diff import unified_diff

    config = load_config(app)
    engine = open_app(app, config)
    with progress("reading the app"):
        view = engine.view()
        parts = find_parts(view, hints_of(config))
    values = {part.key: part.value for part in parts if part.key and part.value}
    change = config_change(view.root, view.read(FILE_NAME), values)
    is_new = change.after != view.read(FILE_NAME)
    ci_files = _ci_files(engine, config) if ci else None
    changes = [change, *(ci_files.changes if ci_files else ())]
    if not dry_run:
        engine.change("init", changes)
    missing = [part for part in parts if part.problem]
    if json:
        diff = unified_diff((each.path, view.read(each.path), each.after) for each in changes)
        found = {
            "app": str(view.root.resolve()),
            "parts": [part.as_json() for part in parts],
            "file": FILE_NAME,
            "written": is_new and not dry_run,
            **({"ci": _ci_as_json(ci_files, config)} if ci_files else {}),
        }
        print_json({"ok": True, **found} | ({"diff": diff} if dry_run else {}))
        return
    for part in parts:
        style = "yellow" if part.problem else None if part.detail else "dim"
        told = part.problem or part.detail or "none"
        result(f"{part.name:<16} {escape_controls(told)}", style=style)
    result("")
    wrote = "would write" if dry_run else "wrote"
    result(f"{wrote} {FILE_NAME}" if is_new else f"{FILE_NAME} says so already", style="bold")
    if ci_files is not None:
        _show_ci(engine, ci_files, config, dry_run=dry_run)
    if missing:
        result("set in it what could not be found, then: chatops plan")
    else:
        result("next: chatops plan")


def _ci_files(engine: Engine, config: Config) -> CiFiles:
    """The workflow and what it needs, at the top of the repository that the app is in."""
    from migrations.ci_workflow import WHEELS, CiSettings, ci_files
    from migrations.deploy.docker_wheel import make_wheel
    from migrations.engine import git
    from relay_server.errors import UsageError

    try:
        found = git.work_tree(engine.root)
    except git.GitFailed as error:
        raise UsageError(
            f"git does not answer in the app: {error}", next_step="see that `git status` works there", code="git"
        ) from None
    top = found.resolve() if found is not None else engine.root
    inside = engine.root.relative_to(top).as_posix()
    settings = CiSettings(
        target=config.deploy.target,
        domain=config.deploy.domain,
        wheel=make_wheel(),
        inside="" if inside == "." else inside,
        wheels_there=tuple(sorted(path.name for path in (top / WHEELS).glob("*.whl"))),
    )
    return ci_files(engine.view(), settings)


def _ci_as_json(files: CiFiles, config: Config) -> dict[str, object]:
    from migrations.ci_workflow import needed_secrets

    return {
        "files": [change.path for change in files.changes],
        "kept": files.kept or None,
        "secrets": [name for name, _ in needed_secrets(config.deploy.target, config.deploy.domain)],
    }


def _show_ci(engine: Engine, files: CiFiles, config: Config, *, dry_run: bool) -> None:
    from cli.console import note, result
    from migrations.ci_workflow import needed_secrets
    from migrations.engine import git

    for change in files.changes:
        did = "removed" if change.after is None else "wrote"
        told = {"removed": "would remove", "wrote": "would write"}[did] if dry_run else did
        result(f"{told} {change.path}", style="bold")
    if files.kept:
        note(f"{files.kept} is there and says something else, so it stays; remove it to have it made anew")
    elif not files.changes:
        result("the workflow and its chatops are there already")
    result("the repository on GitHub needs these secrets (gh secret set NAME):")
    for name, meaning in needed_secrets(config.deploy.target, config.deploy.domain):
        result(f"  {name}: {meaning}")
    written = [] if dry_run else [change.path for change in files.changes if change.after is not None]
    for path in written:
        file = engine.root / path
        seen = git.tracked_and_new(file.parent)
        if seen is not None and file.name not in seen:
            note(f"git ignores {path}, and the workflow needs it: git add --force {path}")
