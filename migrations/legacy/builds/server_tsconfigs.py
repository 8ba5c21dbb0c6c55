"""Compiler settings that were there for the files that went: which, and who else uses them."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from migrations.engine.packages import MANIFEST, is_lock_file
from migrations.engine.syntax import SOURCE_SUFFIXES
from migrations.legacy.references import Reference, path_pattern
from relay_server.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from migrations.engine.view import AppView

_LONGEST_CHAIN = 8
_NAME = re.compile(r"(^|/)[\w.-]*tsconfig[\w.-]*\.json$")
_PROSE = re.compile(
    r"\.(md|mdx|txt|rst|svg|snap|log)$|(^|/)(LICENSE|CHANGELOG|\.gitignore|\.dockerignore|\.prettierignore)"
)
# Seen to with what deploys the app.
_DEPLOYS = re.compile(
    r"(^|/)([\w.-]*Dockerfile[\w.-]*|(docker-)?compose[\w.-]*\.ya?ml|Procfile[\w.]*|fly[\w.]*\.toml|render\.ya?ml|railway\.\w+"
    r"|\.gitlab-ci\.yml|ecosystem[\w.]*\.[cm]?js)$|(^|/)\.(github|circleci)/"
)
# A part of a command line that only compiles.
_COMPILES = re.compile(
    r"^\s*((npx|pnpm|yarn|bunx|cross-env|exec|dlx|\w+=\S*)\s+)*(tsc|tsc-alias|swc|resolve-tspaths|tscpaths|tsup)(\s|$)"
)
_LONGEST_TEXT = 1 << 18


@dataclass(frozen=True, slots=True)
class Tsconfig:
    """`own` is what stands in the file itself, `out_folder` where its output goes, seen from the app's folder."""

    path: str
    own: dict[str, Any]
    include: tuple[str, ...]
    files: tuple[str, ...]
    out_folder: str | None
    emits: bool

    @property
    def folder(self) -> str:
        return posixpath.dirname(self.path)

    def covers(self, path: str) -> bool:
        """Whether the settings are for a file."""
        return path in self.files or any(_matches(pattern, path) for pattern in self.include)


def tsconfigs(view: AppView) -> Iterator[Tsconfig]:
    """The app's compiler settings that can be read."""
    for path in view.paths:
        if not _NAME.search(path):
            continue
        try:
            yield _read(view, path)
        except (UsageError, _NotReadable):
            continue


def user_of(view: AppView, config: Tsconfig, gone: frozenset[str]) -> Reference | None:
    """Who still uses settings of which the files that went were the purpose; None if nobody.

    Someone uses them who names them and does more than to compile, or who runs what they put out.
    """
    name = posixpath.basename(config.path)
    named = re.compile(rf"(?<![\w.-]){re.escape(name)}(?![\w-])")
    output = _output_pattern(config)
    for path in view.paths:
        if path == config.path or path in gone or is_lock_file(path) or _PROSE.search(path):
            continue
        data = view.read(path) or b""
        if len(data) > _LONGEST_TEXT or b"\0" in data:
            continue
        if name.encode() not in data and (config.out_folder or "\0").encode() not in data:
            continue
        text = data.decode(errors="replace")
        for number, line in enumerate(text.splitlines(), 1):
            is_comment = line.lstrip().startswith(("//", "#", "*", "/*"))
            if not is_comment and (_uses(line, path, named, gone) or _runs(line, output, gone)):
                return Reference(path, number)
    return None


def named_by_linters(path: str) -> bool:
    """Whether a file is a linter's configuration, in which a list of projects can be shortened."""
    return re.search(r"(^|/)(\.eslintrc(\.\w+)?|eslint\.config\.[cm]?[jt]s)$", path) is not None


def _uses(line: str, path: str, named: re.Pattern[str], gone: frozenset[str]) -> bool:
    if not named.search(line) or _DEPLOYS.search(path) or named_by_linters(path):
        return False
    if path == MANIFEST:
        parts = re.split(r"&&|\|\||[;&|]|\\?\"\s*:\s*\\?\"|\\\"", line)
        return any(
            named.search(part) and not _COMPILES.match(part.strip(" \"',")) and not _names_any(part, gone)
            for part in parts
        )
    if _NAME.search(path):
        return '"extends"' in line
    return not _names_any(line, gone)


def _names_any(text: str, gone: frozenset[str]) -> bool:
    return any(path_pattern(path).search(text) for path in gone if path.endswith(SOURCE_SUFFIXES))


def _output_pattern(config: Tsconfig) -> re.Pattern[str] | None:
    if config.out_folder in (None, "", "."):
        return None
    return re.compile(rf"(?<![\w.-])(?:\./)?{re.escape(str(config.out_folder))}/[\w./\[\]-]+\.[cm]?js\b")


def _runs(line: str, output: re.Pattern[str] | None, gone: frozenset[str]) -> bool:
    """Whether a line names some output that is not of a file that went."""
    if output is None:
        return False
    stems = [posixpath.splitext(path)[0] for path in gone if path.endswith(SOURCE_SUFFIXES)]
    for match in output.finditer(line):
        tail = posixpath.splitext(match[0])[0]
        if not any(f"/{stem}".endswith("/" + tail.rpartition("/")[2]) for stem in stems):
            return True
    return False


class _NotReadable(Exception):
    pass


def _read(view: AppView, path: str) -> Tsconfig:
    own = view.json(path)
    if not isinstance(own, dict):
        raise _NotReadable
    folder = posixpath.dirname(path)
    found: dict[str, Any] = {}
    config, base = own, folder
    for _ in range(_LONGEST_CHAIN):
        options = config.get("compilerOptions")
        for key in ("outDir", "noEmit"):
            if isinstance(options, dict) and key in options and key not in found:
                found[key] = _from(base, options[key]) if key == "outDir" else options[key]
        # Either list of a file stands in the place of both of the one that it extends.
        if not {"include", "files"} & set(found) and {"include", "files"} & set(config):
            for key in ("include", "files"):
                entries = config.get(key, [])
                if not (isinstance(entries, list) and all(isinstance(entry, str) for entry in entries)):
                    raise _NotReadable
                found[key] = [_from(base, entry) for entry in entries]
        parent = config.get("extends")
        if not isinstance(parent, str) or not parent.startswith("."):
            break
        above = posixpath.normpath(posixpath.join(base, parent))
        above = above if above.endswith(".json") else f"{above}.json"
        config, base = view.json(above), posixpath.dirname(above)
        if not isinstance(config, dict):
            raise _NotReadable
    include = found.get("include", [] if "files" in found else [_from(folder, "**/*")])
    out = found.get("outDir")
    emits = found.get("noEmit") is not True
    return Tsconfig(path, own, tuple(include), tuple(found.get("files", ())), out, emits)


def _from(folder: str, entry: object) -> str:
    path = str(entry).replace("${configDir}", ".")
    return posixpath.normpath(posixpath.join(folder, path))


def _matches(pattern: str, path: str) -> bool:
    """As TypeScript's `include` does: `**/` is any folders, a folder is all that lies in it."""
    if pattern == ".":
        return True
    if not re.search(r"[*?]", pattern):
        return path == pattern or path.startswith(f"{pattern}/")
    if not pattern.endswith((".ts", ".tsx", ".js", ".jsx", ".mts", ".cts", "*")):
        pattern = f"{pattern}/**/*"
    parts = [
        re.escape(part).replace(r"\*\*/", "(?:.*/)?").replace(r"\*", "[^/]*").replace(r"\?", "[^/]")
        for part in [pattern]
    ]
    return re.fullmatch(parts[0].replace("[^/]*[^/]*", ".*"), path) is not None or fnmatchcase(path, pattern)
