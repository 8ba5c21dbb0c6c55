"""What runs the server elsewhere: Docker, Procfile, PM2, fly, CI; and what tells of it."""

from __future__ import annotations

import json
import posixpath
import re
from typing import TYPE_CHECKING

from migrations.engine.diff import line_in
from migrations.engine.edits import Edits
from migrations.engine.packages import MANIFEST, SECTIONS, is_lock_file
from migrations.engine.syntax import SOURCE_SUFFIXES, find_all, parse, text_of
from migrations.legacy.deployments.commands import DeployedCommands, Handled
from migrations.legacy.deployments.compose_files import clean_compose, is_compose_file, services_of
from migrations.legacy.deployments.dockerfiles import clean_dockerfile, dockerfile_users
from migrations.legacy.deployments.mentions import Mentions
from migrations.legacy.deployments.pipeline_files import clean_pipeline, lines_naming
from migrations.legacy.deployments.platform_files import (
    clean_json,
    clean_toml,
    is_platform_json,
    is_platform_toml,
    without_formation,
)
from migrations.legacy.deployments.process_files import clean_procfile, clean_unit, is_procfile, is_shell_file, is_unit
from migrations.legacy.deployments.process_objects import clean_process_config, is_process_config
from migrations.legacy.environment.env_lines import is_env_file
from migrations.legacy.environment.settings import is_dockerfile
from migrations.legacy.manifest import line_of_text
from migrations.legacy.pieces import Found, Piece

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from migrations.engine.source import SourceFile
    from migrations.legacy.deployments.compose_files import Service
    from migrations.legacy.pieces import Action, LegacyApp

    Cleaner = Callable[[DeployedCommands, SourceFile], Handled]

_LONGEST = 1 << 18
_NOT_READ = (".lock", ".lockb", ".map", ".svg", ".snap", ".tsbuildinfo", ".png", ".ico", ".woff2", ".sql", ".csv")
_HISTORY = re.compile(r"(^|/)(CHANGELOG|HISTORY|RELEASES)[^/]*$", re.IGNORECASE)
# They start things too, and are not understood here: supervisord, cron, IIS, CapRover, Playwright.
_STARTS = re.compile(
    r"(^|/)(supervisor[\w.-]*\.(conf|ini)|crontab|web\.config|captain-definition|playwright[\w.-]*\.config\.[cm]?[jt]s)$"
)
_YAML = (".yml", ".yaml")
_HEROKU = "app.json"
_DEPLOYED = (
    "take the image out of what is deployed, delete this file and what builds it, then run this again: it starts the "
    "WebSocket server alone"
)
_CLEANERS: tuple[tuple[Callable[[str], bool], Cleaner], ...] = (
    (is_dockerfile, clean_dockerfile),
    (is_compose_file, clean_compose),
    (is_procfile, clean_procfile),
    (is_unit, clean_unit),
    (lambda path: is_shell_file(path) or _STARTS.search(path) is not None, lambda _, file: Handled(file.data)),
    (is_platform_toml, clean_toml),
    (is_platform_json, clean_json),
    (is_process_config, clean_process_config),
    (lambda path: path.endswith(_YAML), clean_pipeline),
)


def clean_deployments(app: LegacyApp) -> Found:
    """What runs or builds what went, in the files that start things: lines and blocks that are for it alone go, an
    image that ran the whole app within the server starts Next.js itself, and whatever else would break is a need.

    A place that calls a script goes on working where the script was rewritten. What only tells of the server is listed.
    """
    if not app.gone and app.before.read(MANIFEST) == app.view.read(MANIFEST):
        return Found()
    commands = DeployedCommands(app)
    if not commands.needles:
        return Found()
    work = _Work(commands)
    for path in sorted(app.view.paths, key=lambda path: not is_compose_file(path)):  # images are seen to after these
        work.look_at(path)
    work.tell_of_the_manifest()
    work.see_to_hosts()
    work.see_to_dynos()
    return Found(tuple(work.pieces), tuple(work.needs), work.edits.changes())


class _Work:
    """The work on all files."""

    def __init__(self, commands: DeployedCommands) -> None:
        self.commands = commands
        self.app = commands.app
        self.edits = Edits(self.app.view)
        self.pieces: list[Piece] = []
        self.needs: list[Piece] = []
        self._mentions = Mentions(commands)
        self._hosts: set[str] = set()
        self._freed: set[str] = set()
        self._dynos: list[str] = []

    def look_at(self, path: str) -> None:
        if path == MANIFEST or path.endswith(_NOT_READ) or is_lock_file(path) or is_env_file(path):
            return
        file = self.app.view.file(path)
        if file is None or len(file.data) > _LONGEST or b"\0" in file.data[:4096]:
            return
        is_compose = is_compose_file(path)  # it may run the server by its image alone
        if not is_compose and not any(needle in file.data for needle in self.commands.needles):
            return
        cleaner = next((clean for fits, clean in _CLEANERS if fits(path)), None)
        if cleaner is None:
            self._tell(file)
            return
        handled = cleaner(self.commands, file)
        if handled.after is None and is_dockerfile(path):
            self._see_to_image(file, handled)
        if handled.after is not None and not handled.needs:
            _need_the_rest(self.commands, file, handled)
        self._take(file, handled)

    def _take(self, file: SourceFile, handled: Handled) -> None:
        for line, what, action, why in handled.pieces:
            self.pieces.append(self._piece(file, line, what, _action(action), why))
        for line, what, how in handled.needs:
            self.needs.append(self._piece(file, line, what, "keep", how))
        if handled.needs:
            return
        self._freed |= handled.freed
        if handled.after is None:
            self.edits.delete(file.path)
        elif handled.after != file.data:
            self.edits.write(file.path, handled.after)
        self._remember(file, handled.after or b"")

    def _remember(self, file: SourceFile, after: bytes) -> None:
        """The services and processes that are no more: others may name them."""
        if is_compose_file(file.path):
            names = [{service.name for service in _services(data)} for data in (file.data, after)]
            self._hosts |= names[0] - names[1]
        elif is_procfile(file.path):
            before, left = (set(re.findall(rb"(?m)^([\w-]+)\s*:", data)) for data in (file.data, after))
            self._dynos += sorted(name.decode() for name in before - left)

    def _see_to_image(self, file: SourceFile, handled: Handled) -> None:
        """An image that only starts the server goes where nothing but compose services that go are built from it; one
        called Dockerfile may be built by a platform that finds it by that name.
        """
        users = [path for path, _ in dockerfile_users(self.commands, file.path) if not is_compose_file(path)]
        if not users and (file.path != "Dockerfile" or file.path in self._freed):
            return
        line = handled.pieces[0][0]
        handled.pieces.clear()
        handled.need(line, "this image starts the WebSocket server", _DEPLOYED + (f" ({users[0]})" if users else ""))

    def _tell(self, file: SourceFile) -> None:
        """One piece for all that a file tells of what went."""
        if _HISTORY.search(file.path):
            return
        found = list(self._mentions.of(file))
        if not found:
            return
        more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
        why = "it tells of something that is gone; see what it has to say instead"
        self.pieces.append(self._piece(file, found[0].line, f"mention of {found[0].what}{more}", "by-hand", why))

    def tell_of_the_manifest(self) -> None:
        """What package.json names besides its scripts: hosts may run `main`, and only its owner knows what else."""
        file = self.app.view.file(MANIFEST)
        manifest = self.app.view.json(MANIFEST)
        for key, value in manifest.items() if isinstance(manifest, dict) else ():
            lost = None if key in (*SECTIONS, "scripts") else self.commands.mentioned(json.dumps(value))
            if file is not None and lost is not None:
                line = line_of_text(self.app.view, MANIFEST, rf"(?m)^[ \t]*\{{?[ \t]*{re.escape(json.dumps(key))}\s*:")
                how = f"it names {lost}, which goes; say what stands there instead, or take it out"
                self.pieces.append(self._piece(file, line, f"{key} of package.json", "by-hand", how))

    def see_to_hosts(self) -> None:
        """A proxy that names a compose service which goes does not start without it."""
        self._see_to_overrides()
        for name in sorted(self._hosts):
            named = re.compile(rf"(?://|@|\bserver\s+|=){re.escape(name)}(?::\d+)?(?=[/;\s\"']|$)")
            for path in self.app.view.paths:
                if not (path.endswith((".conf", ".template", "Caddyfile", *_YAML)) or "nginx" in path):
                    continue
                file = self.app.view.file(path)
                texts = (
                    file.data.decode(errors="replace").splitlines()
                    if file is not None and not is_compose_file(path)
                    else []
                )
                for number, text in enumerate(texts, start=1):
                    if file is not None and not text.lstrip().startswith("#") and named.search(text):
                        how = "take the host out by hand, then run this again"
                        self.needs.append(
                            self._piece(file, number, f"names the service {name}, which goes", "keep", how)
                        )

    def _see_to_overrides(self) -> None:
        """A compose file that adds to a service of another file, which loses it, has half a service."""
        written = {change.path: change.after for change in self.edits.changes()}
        for path in filter(is_compose_file, self.app.view.paths):
            file = self.app.view.file(path)
            if file is None:
                continue
            left = {service.name for service in _services(written.get(path) or file.data)} & self._hosts
            for service in _services(file.data):
                if service.name in left:
                    how = (
                        "take the service out here too by hand, then run this again: the file that it adds to loses it"
                    )
                    self.needs.append(self._piece(file, service.start + 1, f"service {service.name}", "keep", how))

    def see_to_dynos(self) -> None:
        """Heroku's app.json counts the dynos of each process."""
        file = self.app.view.file(_HEROKU) if self._dynos else None
        if file is None or b'"formation"' not in file.data:
            return
        self.edits.change(_HEROKU, lambda data: without_formation(data, self._dynos, _HEROKU))
        for name in self._dynos:
            at = file.data.find(f'"{name}"'.encode())
            if at >= 0:
                line = file.line_of(at)
                self.pieces.append(self._piece(file, line, f"formation of {name}", "rewrite", "the process goes"))

    def _piece(self, file: SourceFile, line: int, what: str, action: Action, why: str) -> Piece:
        return Piece(file.path, line_in(self.app.before.read(file.path), file.data, line), what, action, why)


def _services(data: bytes) -> list[Service]:
    return list(services_of(data.decode(errors="replace").splitlines()))


def _action(action: str) -> Action:
    actions: dict[str, Action] = {"remove": "remove", "rewrite": "rewrite", "keep": "keep", "by-hand": "by-hand"}
    return actions[action]


def _need_the_rest(commands: DeployedCommands, file: SourceFile, handled: Handled) -> None:
    """Whatever is left in a file that starts things and names what went: it is not known what it does."""
    told = {line for line, _, action, _ in handled.pieces if action == "by-hand"}
    before = file.data.decode(errors="replace").splitlines()
    for text, lost in _left(commands, file.path, handled.after or b""):
        line = next((n for n, other in enumerate(before, start=1) if other == text and n not in told), 0)
        if line or not told:
            handled.need(line, f"names {lost}, which goes", "take it out by hand, then run this again")


def _left(commands: DeployedCommands, path: str, after: bytes) -> Iterator[tuple[str, str]]:
    """The lines that still name something that went, with its name."""
    texts = after.decode(errors="replace").splitlines()
    if not path.endswith(SOURCE_SUFFIXES):
        yield from ((texts[number - 1], lost) for number, lost in lines_naming(commands, texts))
        return
    for node in find_all(parse(after, posixpath.basename(path)).root_node, "string", "template_string"):
        lost = commands.mentioned(text_of(node)[1:-1])
        if lost is not None:
            yield texts[node.start_point.row], lost
