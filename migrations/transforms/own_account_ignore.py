"""Keep wrangler's local state, and the file with its local secrets, out of git and of what is sent to servers."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from migrations.engine import AppView, Edits

STATE_FOLDER = ".wrangler"
# The file itself, and one for each environment (developers.cloudflare.com/workers/configuration/secrets).
_SECRETS = ".dev.vars*"

_UPLOADS = (".dockerignore", ".vercelignore")
_HIGHEST = 8


def ignore_wrangler(edits: Edits) -> None:
    """Add what is missing to `.gitignore`, and to the lists of what is not sent to Docker and Vercel where they are."""
    view = edits.view
    missing = [pattern for pattern in (STATE_FOLDER, _SECRETS) if not _ignored_by_git(view, pattern)]
    if missing and (view.exists(".gitignore") or _in_git(view)):
        edits.add_lines(".gitignore", missing, comment=["wrangler"])
    for path in _UPLOADS:
        wanted = [pattern for pattern in (STATE_FOLDER, _SECRETS) if not _ignores(view, path, _probe(pattern))]
        if view.exists(path) and wanted:
            edits.add_lines(path, wanted)


def _probe(pattern: str) -> str:
    """A file that the pattern is there for."""
    return f"{STATE_FOLDER}/x" if pattern == STATE_FOLDER else ".dev.vars"


def _ignored_by_git(view: AppView, pattern: str) -> bool:
    """By the app's own file or one around it; how the latter see the path does not matter, as none says where."""
    return any(_ignores(view, f"{folder}.gitignore", _probe(pattern)) for folder in _folders(view))


def _in_git(view: AppView) -> bool:
    return any(view.exists(f"{folder}{name}") for folder in _folders(view) for name in (".git/HEAD", ".git"))


def _folders(view: AppView) -> list[str]:
    """The app's folder and those around it, as prefixes, up to the top of the git work tree."""
    prefixes: list[str] = []
    for height in range(min(_HIGHEST, len(view.root.resolve().parts))):
        prefixes.append("../" * height)
        if any(view.exists(f"{prefixes[-1]}{name}") for name in (".git/HEAD", ".git")):
            return prefixes
    return prefixes[:1]  # no repository: only the app's own file counts


def _ignores(view: AppView, ignore_file: str, path: str) -> bool:
    from pathspec import GitIgnoreSpec

    file = view.file(ignore_file)
    return file is not None and GitIgnoreSpec.from_lines(file.text.splitlines()).match_file(path)
