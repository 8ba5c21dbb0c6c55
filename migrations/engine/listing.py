"""The files of a folder that are its own work: not what git ignores, not what a tool has put there."""

from __future__ import annotations

import os
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from migrations.engine import git

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pathspec import GitIgnoreSpec

# Left out even where they are committed.
SKIPPED_FOLDERS = frozenset({".git", ".chatops", "node_modules", "dist", ".next"})


def list_files(folder: Path) -> list[str]:
    """Paths seen from `folder`, with `/`, sorted. A file comes once: not again under the name of a link to it, and
    links to folders are not followed.
    """
    found = git.tracked_and_new(folder)
    # An app inside a folder that another repository ignores (a scratch folder, say) is unknown to that repository.
    if found is None or ("package.json" not in found and (folder / "package.json").is_file()):
        found = list(_walk(folder, "", []))
    paths = {path for path in found if not SKIPPED_FOLDERS & set(PurePosixPath(path).parts[:-1])}
    links = {path for path in paths if (folder / path).is_symlink()}
    root = folder.resolve()
    for path in links:
        real = (folder / path).resolve()
        if real.is_dir() or PurePosixPath(os.path.relpath(real, root)).as_posix() in paths:
            paths.discard(path)
    return sorted(paths)


def _walk(folder: Path, prefix: str, specs: list[tuple[str, GitIgnoreSpec]]) -> Iterator[str]:
    from pathspec import GitIgnoreSpec

    try:
        with os.scandir(folder / prefix) as scan:
            entries = list(scan)
    except PermissionError:
        return
    if any(entry.name == ".gitignore" for entry in entries):
        with (folder / prefix / ".gitignore").open(errors="replace") as file:
            specs = [*specs, (prefix, GitIgnoreSpec.from_lines(file))]
    for entry in entries:
        path = prefix + entry.name
        if entry.is_dir(follow_symlinks=False):
            if entry.name not in SKIPPED_FOLDERS and not _ignored(path + "/", specs):
                yield from _walk(folder, path + "/", specs)
        elif entry.is_file() and not _ignored(path, specs):
            yield path


def _ignored(path: str, specs: list[tuple[str, GitIgnoreSpec]]) -> bool:
    """By the innermost .gitignore that says anything about the path (gitignore(5))."""
    for prefix, spec in reversed(specs):
        answer = spec.check_file(path.removeprefix(prefix)).include
        if answer is not None:
            return answer
    return False
