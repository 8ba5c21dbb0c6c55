"""The app pointed at a relay: relay.url in partyconfig.toml, the host and the secret in the app's env files."""

from __future__ import annotations

import re
import stat
from dataclasses import replace
from typing import TYPE_CHECKING

from relay_server.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from migrations.engine import AppView, FileChange

_GIT_S = 20.0
# A value that every reader of .env files takes as it stands.
_PLAIN = re.compile(r"[^\r\n\"'`\\]*")


def pointing_changes(view: AppView, url: str, secret: str) -> tuple[list[FileChange], list[str]]:
    """What to write so that the app uses the relay at `url`, and what a person should know.

    The host is changed wherever an env file sets it, but for production only where production can reach it. The secret
    is written only to files that git does not see; one that is made for it is its owner's alone, and one that is there
    keeps its mode, as whoever set that may have had a reason.
    """
    from cli.app import config_change
    from cli.config import FILE_NAME
    from migrations.engine import Edits
    from migrations.mode import HOST_KEY, SECRET_KEY, env_values, home_of_env, homes_of_host
    from relay_server.client.address import relay_address

    edits, host = Edits(view), relay_address(url).as_host
    homes = homes_of_host(view, host)
    kept = [there.file for there in env_values(view, HOST_KEY) if there.file not in homes]
    notes = [f"{file} keeps its relay: in production nobody can reach one on this machine" for file in kept]
    for file in homes:
        edits.set_env(file, HOST_KEY, host)
    known = env_values(view, SECRET_KEY)
    private = [there.file for there in known if there.value != secret] if known else [home_of_env(view)]
    for file in private:
        why = secret_refused_by(view.root, file, secret)
        if why:
            notes.append(f"{SECRET_KEY} was not written: {why}; set it in the app's environment")
            continue
        edits.set_env(file, SECRET_KEY, secret)
        if _is_for_everybody(view.root / file):
            notes.append(f"every user of this machine can read the secret in {file}: chmod 600 {file}")
    changes = [replace(change, private=change.path in private) for change in edits.changes()]
    return [*changes, config_change(view.root, view.read(FILE_NAME), {"relay.url": url})], notes


def _is_for_everybody(path: Path) -> bool:
    try:
        return bool(path.stat().st_mode & stat.S_IROTH)
    except OSError:
        return False


def secret_refused_by(app: Path, file: str, secret: str) -> str:
    """Why the secret may not be written into this env file of the app; "" if it may."""
    if not _PLAIN.fullmatch(secret):
        return f"it holds characters that not every reader of {file} takes alike"
    return f"git sees {file}" if seen_by_git(app, file) else ""


def check_secret_can_be_kept(view: AppView) -> None:
    """A secret that is made now must have a place in the app. Raises UsageError where git would see it there."""
    from migrations.mode import home_of_env

    file = home_of_env(view)
    if seen_by_git(view.root, file):
        raise UsageError(
            f"there is no relay secret yet, and one made now cannot be kept: git sees {file}",
            next_step=f"add {file} to .gitignore, or set RELAY_SECRET (`openssl rand -hex 32` makes one)",
            code="secret_missing",
        )


def seen_by_git(app: Path, file: str) -> bool:
    """Whether git tracks the file or would; False outside of a work tree, and True where git cannot tell."""
    from migrations.engine import git
    from relay_server.process import NotRun, run

    try:
        if git.work_tree(app) is None:
            return False
        # 0: ignored, 1: not.
        asked = run(["git", "-c", "core.fsmonitor=false", "check-ignore", "--quiet", "--", file], app, seconds=_GIT_S)
    except (git.GitFailed, NotRun):
        return True
    return asked.code != 0
