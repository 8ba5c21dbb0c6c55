"""What the commands of a deployment run of what went: the server, what it was compiled to, scripts that are gone."""

from __future__ import annotations

import json
import posixpath
import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Literal, TypeAlias

from migrations.engine.memo import Memo
from migrations.engine.packages import is_lock_file
from migrations.legacy.environment.env_lines import env_files
from migrations.legacy.environment.lost_words import changed_sources, lost_socket_ports
from migrations.legacy.environment.settings import is_dockerfile
from migrations.legacy.manifest import scripts_of
from migrations.legacy.scripts.command_line import parse_line, quoted
from migrations.legacy.scripts.names import Unclear
from migrations.legacy.scripts.stage import script_reducer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from migrations.legacy.pieces import LegacyApp
    from migrations.legacy.scripts.reduction import ScriptReducer

Becomes: TypeAlias = Literal["same", "gone", "next", "less", "unclear"]

# They start the command behind them and pass signals on; `gosu` and `su-exec` take a user first.
_INITS = re.compile(
    r"^\s*((?:\S*/)?(?:dumb-init|tini|catatonit)\s+(?:-\w+\s+)*(?:--\s+)?|(?:\S*/)?(?:gosu|su-exec)\s+\S+\s+|exec\s+)"
)
_WORD = re.compile(r"[\w@./:+\[\]\\-]+")
_EXECS = {"npm": "npx next", "pnpm": "pnpm exec next", "yarn": "yarn next", "bun": "bunx next"}
_SET = re.compile(r"""(?<![\w-])(?P<name>[A-Za-z_]\w*)=(?:"[^"]*"|'[^']*'|[^\s"']+)""")
_TOLD = frozenset({"NODE_ENV", "PORT"})
_OWN_PORT = re.compile(r"""(?<![\w-])(?:PORT["']?\s*[=: ]\s*["']?(\d{2,5})\b|(?:-p|--port)[ =](\d{2,5})\b)""")
_NOT_PORTS = frozenset({80, 443, 3000, 5432, 6379, 27017, 3306})


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of a command: it stays as it is ("same"), goes whole, is Next's own now, has less to do (`text`), or
    nobody can say (`why`). `sources` are the files that went and that it ran.
    """

    becomes: Becomes
    text: str = ""
    why: str = ""
    sources: tuple[str, ...] = ()


@dataclass
class Handled:
    """What a file's rules say of it: pieces and needs by its lines as they are read, and its new bytes, None where it
    can go. `freed` are other files that were only for what goes from this one.
    """

    after: bytes | None
    pieces: list[tuple[int, str, str, str]] = field(default_factory=list)
    needs: list[tuple[int, str, str]] = field(default_factory=list)
    freed: set[str] = field(default_factory=set)

    def remove(self, line: int, what: str, why: str) -> None:
        self.pieces.append((line, what, "remove", why))

    def rewrite(self, line: int, what: str, why: str) -> None:
        self.pieces.append((line, what, "rewrite", why))

    def becomes(self, line: int, what: str, command: str) -> None:
        """A command that is written anew; values that it sets may be secrets and are not told."""
        self.rewrite(line, what, f"becomes `{_SET.sub(_masked, command)}`")

    def by_hand(self, line: int, what: str, how: str) -> None:
        self.pieces.append((line, what, "by-hand", how))

    def need(self, line: int, what: str, how: str) -> None:
        self.needs.append((line, what, how))


@dataclass(frozen=True, eq=False)
class DeployedCommands(Memo):
    """Reads commands of an app whose server's files and scripts are gone already."""

    app: LegacyApp

    @cached_property
    def reducer(self) -> ScriptReducer:
        scripts = scripts_of(self.app.before)
        return script_reducer(self.app, scripts).with_removed(frozenset(scripts) - frozenset(scripts_of(self.app.view)))

    @cached_property
    def ports(self) -> frozenset[int]:
        """The ports that only the server that went listened on."""
        found = self.reducer.ports
        if self.reducer.gone.sources:
            found |= lost_socket_ports(self.app, changed_sources(self.app))
        return found - _NOT_PORTS - self._ports_of_the_app() if found else found

    def _ports_of_the_app(self) -> set[int]:
        """The ports that the app itself is told to listen on."""
        view = self.app.view
        paths = {*env_files(view), *(path for path in view.paths if is_dockerfile(path) or _is_setting(path))}
        texts = ["\n".join(scripts_of(view).values())]
        texts += [(view.read(path) or b"").decode(errors="replace") for path in paths]
        return {int(one or other) for text in texts for one, other in _OWN_PORT.findall(text)}

    @cached_property
    def needles(self) -> tuple[bytes, ...]:
        """One of these is in each file that has to do with what went: quicker to look for than `may_name`."""
        names = {*self._stems, *self._index_folders, *self.reducer.names.removed, *map(str, self.ports)}
        return tuple(name.encode() for name in sorted(names | set(map(posixpath.basename, self.out_folders))))

    @cached_property
    def may_name(self) -> re.Pattern[str]:
        """Found in each line that names what went, a file, what it was compiled to or a script, or its port."""
        names = [re.escape(name) for name in sorted({*self._stems, *self.reducer.names.removed})]
        names += [rf"/{re.escape(folder)}(?:/index)?(?!/)" for folder in sorted(self._index_folders)]
        names += [str(port) for port in sorted(self.ports)]
        return re.compile(f"(?:{'|'.join(names)})(?![\\w-])" if names else r"(?!)")

    @cached_property
    def _stems(self) -> frozenset[str]:
        """The names, without suffix, of the files that went and what they were compiled to."""
        paths = (*self.app.gone, *self.reducer.outputs.files)
        return frozenset(posixpath.splitext(posixpath.basename(path))[0] for path in paths) - {"", "index"}

    @cached_property
    def _index_folders(self) -> frozenset[str]:
        """The folders of those that are called `index`, which says nothing by itself."""
        paths = (path for path in self.app.gone if posixpath.basename(path).startswith("index."))
        return frozenset(posixpath.basename(posixpath.dirname(path)) for path in paths) - {""}

    @cached_property
    def out_folders(self) -> frozenset[str]:
        """Folders that nothing fills any more: what went was compiled there."""
        kept = " ".join(scripts_of(self.app.view).values())
        left = {
            folder
            for folder in {*self.reducer.outputs.folders, *self.reducer.gone.gone_out_folders}
            if folder and folder != "." and not re.search(rf"(?<![\w-]){re.escape(folder)}(?![\w-])", kept)
        }
        others = [path for path in self.app.view.paths if re.search(r"(^|/)(ts|js)config[\w.-]*\.json$", path)]
        texts = [(self.app.view.read(path) or b"").decode(errors="replace") for path in others]
        return frozenset(
            f for f in left if not any(re.search(rf'"outDir"\s*:\s*"(\./)?{re.escape(f)}"', t) for t in texts)
        )

    def verdict(self, command: str, *, folder: str = "", name: str = "start") -> Verdict:
        """What becomes of a command line. `folder` is the absolute one that the app lies in there, as in an image;
        `name` says what the command is for, where the server's own file does not.
        """
        init = _INITS.match(command)
        if init is not None:
            inner = self.verdict(command[init.end() :], folder=folder, name=name)
            return Verdict(inner.becomes, init[0] + inner.text if inner.text else "", inner.why, inner.sources)
        text = command.strip()
        if folder:
            text = re.sub(rf"(?<![\w./-]){re.escape(folder.rstrip('/'))}/(?=\S)", "", text)
        try:
            found = self.reducer.reduce(name, text)
        except Unclear as error:
            return Verdict("unclear", why=str(error))
        sources = tuple(sorted(found.sources))
        if found.text is None:
            return Verdict("gone", sources=sources)
        if found.text == text:
            lost = self.mentioned(text)
            return Verdict("unclear", why=f"it names {lost}") if lost else Verdict("same")
        is_next = bool(set(sources) & self.reducer.gone.next_servers)
        return Verdict("next" if is_next else "less", found.text, sources=sources)

    def with_next_found(self, text: str) -> str:
        """A command line in which a bare `next` is found through the package manager, as scripts alone need not."""
        return re.sub(r"(?<![\w./-])next (?=start|dev|build)", f"{_EXECS[self.reducer.manager]} ", text)

    def mentioned(self, text: str) -> str | None:
        """What of what went stands in a text: a file, what it was compiled to, a script that is called."""
        if not self.may_name.search(text):
            return None
        found = self.reducer.mentioned(text)
        if found is not None:
            return found
        for word in _WORD.findall(text.replace("\\", "/")):
            if not self.may_name.search(word):
                continue
            path = re.sub(r"^(?:/(?:usr/src/|opt/|srv/|home/\w+/|var/www/)?[\w-]+/|\./)(?=\w)", "", word)
            source = self.reducer.gone.source_of(path, "", self.reducer.outputs) if "/" in word or "." in word else None
            if source is not None:
                return source
        return None


def _is_setting(path: str) -> bool:
    return path.endswith((".toml", ".yml", ".yaml")) and not is_lock_file(path)


def _masked(found: re.Match[str]) -> str:
    return found[0] if found["name"] in _TOLD else f"{found['name']}=***"


def words_of(text: str) -> list[str] | None:
    """The words of a command line that is one simple command; None if it is more."""
    line = parse_line(text)
    if line is None or len(line.commands) != 1 or line.operators != ("",):
        return None
    return [word.text for word in line.commands[0].words]


def as_line(words: Sequence[str]) -> str:
    """Words as one command line."""
    return " ".join(quoted(word) for word in words)


def json_words(text: str) -> list[str] | None:
    """The words of a JSON list of texts, as Docker's exec form has them; None if it is none."""
    try:
        value = json.loads(text)
    except ValueError:
        return None
    return value if isinstance(value, list) and all(isinstance(word, str) for word in value) else None
