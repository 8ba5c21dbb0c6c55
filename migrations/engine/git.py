"""What git knows about an app: its files, what has changed, a merge of three versions."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from relay_server.process import Finished, NotRun, run

if TYPE_CHECKING:
    from collections.abc import Iterable

_SECONDS = 60.0
# The app's own repository, whatever hook or shell this runs in; no question, no lock, English messages.
_ENVIRONMENT = {
    "GIT_DIR": None,
    "GIT_WORK_TREE": None,
    "GIT_INDEX_FILE": None,
    "GIT_PREFIX": None,
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
    "LC_ALL": "C",
}


class GitFailed(Exception):
    """git is there and this is a work tree, yet it does not answer; the text is its reason."""


def _git(folder: Path, *arguments: str) -> Finished:
    # A file system monitor named in the repository's settings would be a program of its choice.
    return run(["git", "-c", "core.fsmonitor=false", *arguments], folder, seconds=_SECONDS, environment=_ENVIRONMENT)


def work_tree(folder: Path) -> Path | None:
    """The top of the work tree that `folder` is in; None where there is none, or no git. Raises GitFailed."""
    try:
        answer = _git(folder, "rev-parse", "--show-toplevel")
    except NotRun:
        return None
    if answer.code == 0:
        return Path(answer.stdout.decode(errors="surrogateescape").rstrip("\n"))
    reason = answer.stderr.decode(errors="replace")
    if "not a git repository" in reason or "must be run in a work tree" in reason:
        return None
    raise GitFailed(reason.strip().splitlines()[0].removeprefix("fatal: ") if reason.strip() else "no reason given")


def tracked_and_new(folder: Path) -> list[str] | None:
    """The files in and below `folder` that git tracks or would track, seen from it. None: git cannot tell."""
    try:
        answer = _git(folder, "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate")
    except NotRun:
        return None
    return _paths(answer.stdout) if answer.code == 0 else None


def changes(folder: Path, untracked: Iterable[str]) -> list[str]:
    """Paths, seen from `folder`, at or below it that differ from the last commit; of files that git does not know,
    only those in `untracked` (which may lie outside of `folder`). Raises GitFailed.
    """
    changed = []
    for pathspecs, mode in (((".",), "no"), (tuple(f":(literal){path}" for path in untracked), "all")):
        if not pathspecs:
            continue
        try:
            answer = _git(folder, "status", "--porcelain=v1", "-z", "--no-renames", f"--untracked-files={mode}",
                          "--ignore-submodules=all", "--", *pathspecs)  # fmt: skip
        except NotRun as error:
            raise GitFailed(str(error)) from None
        if answer.code != 0:
            raise GitFailed(cleaned_reason(answer))
        # Paths in this format are always seen from the top of the work tree.
        top = work_tree(folder)
        if top is not None:
            resolved = folder.resolve()
            changed += [_seen_from(resolved, top.resolve() / entry[3:]) for entry in _paths(answer.stdout)]
    return list(dict.fromkeys(changed))


def merge(current: bytes, base: bytes, other: bytes) -> bytes | None:
    """`current` with the changes that lead from `base` to `other`; None where they touch the same lines.

    Raises GitFailed where git is not there or will not merge (binary files).
    """
    with tempfile.TemporaryDirectory(prefix="chatops-") as folder:
        names = [Path(folder, name) for name in ("current", "base", "other")]
        for path, data in zip(names, (current, base, other), strict=True):
            path.write_bytes(data)
        try:
            answer = _git(Path(folder), "merge-file", "-p", *map(str, names))
        except NotRun as error:
            raise GitFailed(str(error)) from None
    if 0 < answer.code < 128:  # the number of conflicts
        return None
    if answer.code != 0:
        raise GitFailed(cleaned_reason(answer))
    return answer.stdout


def cleaned_reason(answer: Finished) -> str:
    """The first line that git wrote on its way out."""
    lines = answer.stderr.decode(errors="replace").strip().splitlines()
    return lines[0].removeprefix("fatal: ").removeprefix("error: ") if lines else f"it ended with {answer.code}"


def _paths(output: bytes) -> list[str]:
    return [path.decode(errors="surrogateescape") for path in output.split(b"\0") if path]


def _seen_from(folder: Path, path: Path) -> str:
    import os.path

    return Path(os.path.relpath(path, folder)).as_posix()
