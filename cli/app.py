"""The app that a command works on: the engine with the migrations, set up from the configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from cli.config import Config
    from migrations.engine import Engine, FileChange, Migration
    from migrations.hints import AppHints


def open_app(
    root: Path,
    config: Config,
    progress: Callable[[str], None] = lambda _line: None,
    migrations: Sequence[Migration] | None = None,
) -> Engine:
    """The engine on the app in the folder `root`, with all migrations if not told otherwise.

    Raises UsageError where there is no app, or it is another folder.
    """
    from migrations.catalogue import all_migrations
    from migrations.discovery.workspace import apps_below
    from migrations.engine import Engine
    from relay_server.errors import UsageError

    engine = Engine(root, migrations or all_migrations(hints_of(config)), progress=progress)
    below = apps_below(engine.view())
    if below:
        raise UsageError(
            f"{engine.root} is the root of a workspace; with Next.js and tRPC there is {' and '.join(below)}",
            next_step=f"give the app's folder: --app {root / below[0]}",
            code="no_app",
        )
    return engine


def hints_of(config: Config) -> AppHints:
    """What partyconfig.toml says of the app's parts, and where its relay goes."""
    from dataclasses import fields

    from migrations.hints import AppHints

    parts = {hint.name: getattr(config.app, hint.name) for hint in fields(AppHints) if hint.name != "target"}
    return AppHints(**parts, target=config.deploy.target)


def config_change(root: Path, before: bytes | None, values: dict[str, str]) -> FileChange:
    """partyconfig.toml with these keys set; where there is none, one that has the sections about the app."""
    from cli.config import FILE_NAME, default_file, with_value
    from migrations.engine import FileChange

    path = root / FILE_NAME
    data = default_file("relay", "app").encode() if before is None else before
    for name, value in values.items():
        data = with_value(path, data, name, value)
    return FileChange(FILE_NAME, data)


def may_ask(*, yes: bool) -> bool:
    """Whether a question is put: to a person at a terminal; a script and CI are not asked."""
    import sys

    from cli.console import is_interactive

    return not yes and is_interactive() and sys.stdin.isatty()


def confirm(lines: Sequence[str]) -> None:
    """Ask; the last of the lines is the question. Raises typer.Abort on a no."""
    import typer

    from cli.console import note

    *before, question = lines
    for line in before:
        note(line)
    typer.confirm(question, default=True, abort=True, err=True)
