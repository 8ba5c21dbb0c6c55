"""What the files that went were to a script: their paths, what they were compiled to, the ports they listened on."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from migrations.engine.memo import Memo
from migrations.engine.syntax import SOURCE_SUFFIXES
from migrations.legacy.scripts.names import is_server_name
from relay_server.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from migrations.engine.view import AppView
    from migrations.legacy.pieces import LegacyApp

_COMPILED = (".js", ".mjs", ".cjs")
_USUAL_OUT_FOLDERS = ("dist", "build", "out", "lib", ".server", "dist-server", "server-dist")
_LONGEST_CHAIN = 8
_OUT_FOLDER = re.compile(r"""\b(?:outDir|outdir|dir)\s*:\s*["']([^"']+)["']""")
_OUT_FILE = re.compile(r"""\b(?:outfile|file|filename)\s*:\s*["']([^"']+\.[mc]?js)["']""")
_PORT = re.compile(r"""(?:\bport\w*\b[^\n]{0,40}?|\.listen\s*\(\s*)["']?\b(\d{4,5})\b""", re.IGNORECASE)
_NEXT_PORT = 3000


@dataclass(frozen=True, eq=False)
class GoneFiles(Memo):
    """The files that went, by what scripts can call them. Paths are seen from the app's folder."""

    before: AppView
    view: AppView
    paths: frozenset[str]
    next_servers: frozenset[str]

    @cached_property
    def sources(self) -> frozenset[str]:
        return frozenset(path for path in self.paths if path.endswith(SOURCE_SUFFIXES))

    def source_of(self, word: str, folder: str, outputs: Outputs) -> str | None:
        """The file that went and that a word of a command names, itself or as what it was compiled to; else None."""
        text = word.replace("\\", "/")
        if not self.paths or not re.search(r"[\w\]]", text) or text.startswith(("-", "/", "$", "http:", "https:")):
            return None
        path = posixpath.normpath(posixpath.join(folder, text))
        for candidate in _candidates(path):
            if self.view.exists(candidate):
                return None
            if candidate in self.paths:
                return candidate
        return self._compiled_source(path, outputs)

    def is_path_of(self, word: str, folder: str, outputs: Outputs) -> bool:
        """Whether a word that may be anything is a path of a file that went; no bare name, no folder that stays."""
        if "/" not in word and "." not in word:
            return False
        inside = posixpath.normpath(posixpath.join(folder, word)) + "/"
        return self.source_of(word, folder, outputs) is not None and not any(
            path.startswith(inside) for path in self.view.paths
        )

    def is_missing_server(self, word: str, folder: str) -> bool:
        """Whether a word names a TypeScript file that was not there before either, and that was a WebSocket server by
        its name: what runs it cannot run.
        """
        path = posixpath.normpath(posixpath.join(folder, word))
        if not path.endswith((".ts", ".mts", ".cts")) or path.startswith(("/", "../")):
            return False
        stem = posixpath.splitext(posixpath.basename(path))[0]
        return is_server_name(stem) and not self.before.exists(path) and not re.search(r"[*$%~{]", path)

    def _compiled_source(self, path: str, outputs: Outputs) -> str | None:
        stem, suffix = posixpath.splitext(path)
        if suffix not in (*_COMPILED, ""):
            stem, suffix = path, ""
        if path in outputs.files:
            return outputs.files[path]
        if not suffix and "/" not in path:
            return None
        for folders, alone in ((outputs.folders, True), ((*self.out_folders, *_USUAL_OUT_FOLDERS), False)):
            for folder in sorted(set(folders), key=len, reverse=True):
                if not stem.startswith(f"{folder}/"):
                    continue
                tail = stem.removeprefix(f"{folder}/")
                found = sorted((path for path in self.sources if _ends_with(path, tail)), key=len)
                if found and (alone or not any(_ends_with(path, tail) for path in self._remaining)):
                    return found[0]
        return None

    @cached_property
    def _remaining(self) -> tuple[str, ...]:
        return tuple(path for path in self.view.paths if path.endswith(SOURCE_SUFFIXES) and path not in self.paths)

    @cached_property
    def out_folders(self) -> tuple[str, ...]:
        """The `outDir` of every tsconfig that is or was there."""
        return tuple(_out_folders(self.before, (p for p in self.before.paths if _is_tsconfig(p))))

    @cached_property
    def gone_out_folders(self) -> tuple[str, ...]:
        """Where the compiler settings that went had their output put."""
        folders = list(_out_folders(self.before, (p for p in self.paths if _is_tsconfig(p))))
        for text in self._gone_bundlers:
            folders += [posixpath.normpath(folder) for folder in _OUT_FOLDER.findall(text)] or ["dist"]
        return tuple(folders)

    @cached_property
    def _gone_bundlers(self) -> tuple[str, ...]:
        return tuple(
            (self.before.read(path) or b"").decode(errors="replace")
            for path in sorted(self.sources)
            if re.search(r"(^|/)(tsup|esbuild|rollup|webpack|vite|rspack)[\w.-]*\.\w+$", path)
        )

    @cached_property
    def ports(self) -> frozenset[int]:
        """The ports that the servers that went listened on and Next does not."""
        found: set[int] = set()
        for path in self.sources - self.next_servers:
            text = (self.before.read(path) or b"").decode(errors="replace")
            found.update(int(port) for port in _PORT.findall(text))
        return frozenset(found - {_NEXT_PORT})


@dataclass(frozen=True, slots=True)
class Outputs:
    """What scripts had the files that went compiled to: folders, and files with the source of each."""

    folders: tuple[str, ...]
    files: dict[str, str]


def gone_files(app: LegacyApp) -> GoneFiles:
    """The files that the stages before have removed."""
    servers = {server.file.path for server in app.servers if server.kind == "next"}
    for path in app.gone:
        data = app.before.read(path) if path.endswith(SOURCE_SUFFIXES) else None
        if data is not None and b"getRequestHandler" in data and not _is_commented(data):
            servers.add(path)
    return GoneFiles(app.before, app.view, app.gone, frozenset(servers & app.gone))


def _is_commented(data: bytes) -> bool:
    return all(line.strip().startswith(b"//") for line in data.splitlines() if line.strip())


def _candidates(path: str) -> Iterator[str]:
    """What Node and the TypeScript runners take a path for, in their order."""
    yield path
    stem, suffix = posixpath.splitext(path)
    if suffix in _COMPILED:
        yield stem + suffix.replace("js", "ts")
        yield f"{stem}.tsx"
    for other in (*SOURCE_SUFFIXES, ".json"):
        yield path + other
    for other in SOURCE_SUFFIXES:
        yield f"{path}/index{other}"


def _ends_with(path: str, tail: str) -> bool:
    stem = posixpath.splitext(path)[0]
    return f"/{stem}".endswith((f"/{tail}", f"/{tail}/index"))


def _is_tsconfig(path: str) -> bool:
    return "tsconfig" in posixpath.basename(path) and path.endswith(".json")


def _out_folders(view: AppView, configs: Iterable[str]) -> Iterator[str]:
    for config in sorted(configs):
        folder = compiled_to(view, config)
        if folder:
            yield folder


def compiled_to(view: AppView, config: str) -> str | None:
    """The outDir in force for a tsconfig, seen from the app's folder."""
    for _ in range(_LONGEST_CHAIN):
        try:
            value: Any = view.json(config)
        except UsageError:  # a tsconfig that nobody can read compiles nothing
            return None
        if not isinstance(value, dict):
            return None
        options = value.get("compilerOptions")
        out = options.get("outDir") if isinstance(options, dict) else None
        base = posixpath.dirname(config)
        if isinstance(out, str):
            return posixpath.normpath(posixpath.join(base, out.replace("${configDir}", ".")))
        parent = value.get("extends")
        if not (isinstance(parent, str) and parent.startswith(".")):
            return None
        config = posixpath.normpath(posixpath.join(base, parent))
        config = config if config.endswith(".json") else f"{config}.json"
    return None
