"""Target `docker`: nothing is run; the files with which a team hosts the bundled relay itself are written."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING

from migrations.catalogue import all_migrations
from migrations.deploy.docker_files import ENV_FILE, FOLDER, files, is_ours, was_ours
from migrations.deploy.docker_wheel import DISTRIBUTION, is_wheel, make_wheel
from migrations.deploy.target import Request, Tell, Uploaded
from migrations.engine import AppView, Engine, FileChange
from migrations.engine.line_edits import set_env
from migrations.hints import AppHints
from relay_server.errors import UsageError
from relay_server.private_file import write_private
from relay_server.process import NotRun, run

if TYPE_CHECKING:
    from pathlib import Path

    from migrations.deploy.history import Deployment

_START = f"docker compose --file {FOLDER}/compose.yaml up --build --detach"
_AFTERWARDS = (
    f"when it runs: give the app the RELAY_SECRET of {FOLDER}/{ENV_FILE}, look with chatops health URL, and point the "
    "app at it with chatops mode streaming --relay URL",
)
_GIT_S = 20.0
_PLAIN = re.compile(r"[\w./:@%+,~-]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class DockerTarget:
    """The folder `relay/` of the app."""

    @property
    def name(self) -> str:
        return "docker"

    @property
    def remote(self) -> bool:
        return True

    def preflight(self, request: Request, tell: Tell) -> str:
        """See that nothing of somebody else's is in the way."""
        for flag, value in (("--preview", request.preview), ("--domain", request.domain)):
            if value:
                raise UsageError(
                    f"the target docker knows no {flag}: what runs where is up to you",
                    next_step=f"leave out {flag} {value}",
                    code="usage",
                )
        _check_secret(request.secret)
        tell(f"looking at {FOLDER}/")
        changes, kept = self._changes(request)
        _check_env_file(request.app)
        found = f"{len(changes)} files to write to {FOLDER}/" if changes else f"{FOLDER}/ is up to date"
        return f"{found}{_kept(kept)}"

    def dry_run(self, request: Request, to: Deployment | None = None) -> list[str]:
        changes, kept = self._changes(request)
        lines = [f"{'remove' if change.after is None else 'write'} {change.path}" for change in changes]
        lines.append(f"write RELAY_SECRET=*** and RELAY_BUILD={request.build} to {FOLDER}/{ENV_FILE} (mode 0600)")
        lines += [f"leave {path} as you edited it" for path in kept]
        return [*lines, f"nothing is run; to start it: {_START}"]

    def store_secret(self, request: Request, tell: Tell) -> str:
        """Write the env file, for the user's eyes alone and not for git, whose ignore file is written before it."""
        path = f"{FOLDER}/.gitignore"
        changes, _ = self._changes(request)
        self._write(request, [change for change in changes if change.path == path])
        _check_ignored(request.app)
        _check_env_file(request.app)
        tell(f"writing {FOLDER}/{ENV_FILE}")
        _write_env(request)
        return f"in {FOLDER}/{ENV_FILE}, which only you can read and git does not have"

    def upload(self, request: Request, tell: Tell) -> Uploaded:
        """Write the files, all or nothing; the build id goes into the env file."""
        tell(f"writing {FOLDER}/")
        changes, kept = self._changes(request)
        self._write(request, changes)
        _write_env(request)
        return Uploaded("", f"written to {FOLDER}/{_kept(kept)}; start it: {_START}", notes=_AFTERWARDS)

    def way_back(self, app: Path, name: str, preview: str) -> Deployment:
        """There is none: nothing runs, and git has the files of before."""
        raise _no_way_back()

    def rollback(self, request: Request, to: Deployment, tell: Tell) -> Uploaded:
        raise _no_way_back()

    def abandon(self, request: Request) -> None:
        """Nothing runs."""

    def _changes(self, request: Request) -> tuple[list[FileChange], list[str]]:
        """What has to be written, and the files that somebody has edited, which stay. Raises UsageError."""
        view = AppView.of_folder(request.app)
        name, wheel = make_wheel()
        changes: list[FileChange] = []
        kept: list[str] = []
        for path, data in files(version(DISTRIBUTION)).items():
            there = view.read(path)
            if there == data:
                continue
            if there is not None and was_ours(there):
                kept.append(path)
            elif there is not None and not is_ours(there):
                raise UsageError(
                    f"{path} is there already, and is not chatops' own",
                    next_step=f"move or rename it, or host the relay with your own files: see {FOLDER}/ of another app",
                    code="foreign_file",
                )
            else:
                changes.append(FileChange(path, data))
        wheels = [path.name for path in sorted((request.app / FOLDER).glob("*.whl")) if is_wheel(path.name)]
        changes += [FileChange(f"{FOLDER}/{old}", None) for old in wheels if old != name]
        if view.read(f"{FOLDER}/{name}") != wheel:
            changes.append(FileChange(f"{FOLDER}/{name}", wheel))
        return changes, kept

    def _write(self, request: Request, changes: list[FileChange]) -> None:
        Engine(request.app, all_migrations(AppHints())).change("the files for hosting the relay", changes)


def _no_way_back() -> UsageError:
    return UsageError(
        "the target docker runs nothing, so nothing can go back",
        next_step=f"take {FOLDER}/ back with git, and start it anew: {_START}",
        code="no_rollback",
    )


def _write_env(request: Request) -> None:
    """Set the two keys; what somebody added to the file stays. Not through the journal, which would keep the secret."""
    _check_secret(request.secret)
    path = request.app / FOLDER / ENV_FILE
    data = path.read_bytes() if path.is_file() else b""
    data = set_env(data, "RELAY_BUILD", request.build)
    if request.secret:
        data = set_env(data, "RELAY_SECRET", request.secret)
    write_private(path, data)


def _check_secret(secret: str) -> None:
    """Raises UsageError for one that Docker's reader of env files and systemd's would not read alike."""
    if secret and not _PLAIN.fullmatch(secret):
        raise UsageError(
            "the relay's secret has characters that Docker and systemd read differently in an env file",
            next_step="use letters and digits, such as `openssl rand -hex 32` makes",
            code="bad_secret",
        )


def _check_ignored(app: Path) -> None:
    """Raises UsageError where the ignore file, edited by somebody, does not name the env file."""
    ignored = (app / FOLDER / ".gitignore").read_text().splitlines()
    if ENV_FILE not in (line.strip() for line in ignored):
        raise UsageError(
            f"{FOLDER}/.gitignore does not keep {ENV_FILE}, which will hold the secret, out of git",
            next_step=f"add the line {ENV_FILE} to it",
            code="not_ignored",
        )


def _check_env_file(app: Path) -> None:
    """Raises UsageError where git has the env file already: ignoring it would not help then."""
    with suppress(NotRun):  # no git: nothing is committed
        path = f"{FOLDER}/{ENV_FILE}"
        if run(["git", "ls-files", "--error-unmatch", path], app, seconds=_GIT_S).code == 0:
            raise UsageError(
                f"git keeps {path}, which is to hold the secret",
                next_step=f"take it out (git rm --cached {path}), and replace a secret that was committed by a new one",
                code="secret_in_git",
            )


def _kept(paths: list[str]) -> str:
    return f" ({', '.join(paths)} left as you edited it)" if paths else ""
