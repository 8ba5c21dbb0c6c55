"""Where an app uses a package: imports in code, programs and modules in scripts, settings, CI, Docker and hooks."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from migrations.engine.packages import MANIFEST, SECTIONS, is_lock_file
from migrations.engine.syntax import SOURCE_SUFFIXES, find_all
from migrations.legacy.manifest import line_of_key, line_of_text, scripts_of
from migrations.legacy.packages.facts import package_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from migrations.engine.source import SourceFile
    from migrations.engine.view import AppView

_LONGEST = 1 << 20
_OTHER_CODE = (".mdx", ".vue", ".svelte", ".astro")
_IMPORT = re.compile(
    r"""(?:\bfrom|\bimport|\brequire|\bresolve|\b(?:un|do|un[Dd]o|dont)?[mM]ock|\btypes=|\bimportActual)"""
    r"""\s*(?:<[^>\n]*>)?\s*\(?\s*["'`]([^"'`\n]+)["'`]"""
)
_SETTINGS = re.compile(r"(^|/)([\w.-]+\.config|\.[\w-]+rc)\.[cm]?[jt]s$")
_STARTING = re.compile(r"spawn|exec|command|interpreter|script|runner|\$`")
_COMMAND_FILE = re.compile(
    r"""(^|/)(
      \.(github|circleci|buildkite|husky|devcontainer|gitlab|woodpecker)/.+
      | [\w.-]*(gitlab-ci|pipelines|docker|compose|Docker|Compose|travis|appveyor|cloudbuild|buildspec)[\w.-]*
      | Makefile | makefile | GNUmakefile | [Jj]ustfile | Procfile[\w.-]* | Taskfile\.ya?ml | Tiltfile | Jenkinsfile
      | \.?lefthook\.ya?ml | \.pre-commit-config\.ya?ml | \.lintstagedrc(\.\w+)? | \.mocharc(\.\w+)?
      | (nodemon|turbo|vercel|railway|app|project|nx|jest\.config|launch|tasks|deno|lerna|netlify)\.jsonc?
      | (fly[\w.-]*|railway|nixpacks|netlify|wrangler)\.toml | render\.ya?ml
      | [\w.-]+\.(sh|bash|zsh|fish|mk|ps1|cmd|bat|nix)
    )$""",
    re.VERBOSE,
)
_COMMENT = re.compile(r"(^|\s)(#|//).*$")
_BREAKS = re.compile(r"[\s\"'`;&|()=]+")
_FETCHING = re.compile(r"\b(install|add|i|rebuild|prune)\b")
_UNREAD = frozenset(
    {*SECTIONS, "name", "description", "version", "keywords", "files", "browserslist", "engines", "packageManager"}
    | {
        "overrides",
        "resolutions",
        "trustedDependencies",
        "peerDependenciesMeta",
        "dependenciesMeta",
        "workspaces",
        "pnpm",
    }
)


@dataclass(frozen=True, slots=True)
class Use:
    """`line` is from 1, in the file as it stands in the view; `text` the line, shortened. `script` is the name of the
    script that it is, "" if it is none.
    """

    file: str
    line: int
    text: str
    script: str = ""


@dataclass(frozen=True)
class PackageUses:
    """Looks for packages, each with the programs it brings, in a view."""

    view: AppView
    programs: Mapping[str, frozenset[str]]
    listed: frozenset[str]

    def first(self, package: str) -> Use | None:
        """The first place that uses a package, None if there is none; documentation does not count."""
        return next(self.all(package), None)

    def all(self, package: str, paths: tuple[str, ...] | None = None) -> Iterator[Use]:
        """Every place that uses a package, at most one in a file; in these files, or in all of the app's."""
        needles = [word.encode() for word in (package.removeprefix("@types/"), *self.programs.get(package, ()))]
        for path in self.view.paths if paths is None else paths:
            if is_lock_file(path) or path.endswith((".md", ".map", ".snap")):
                continue
            file = self.view.file(path)
            if file is None or len(file.data) > _LONGEST or not any(needle in file.data for needle in needles):
                continue
            use = self._in_file(file, package)
            if use is not None:
                yield use

    def _in_file(self, file: SourceFile, package: str) -> Use | None:
        path = file.path
        if path == MANIFEST:
            return self._in_manifest(package)
        if path.endswith(SOURCE_SUFFIXES):
            return self._in_source(file, package)
        text = file.data.decode(errors="replace")
        if path.endswith(_OTHER_CODE) or _is_node_script(text):
            return next((_use(path, text, m.start()) for m in _IMPORT.finditer(text) if self._is(package, m[1])), None)
        if "tsconfig" in path.rsplit("/", 1)[-1] and path.endswith(".json"):
            name = re.escape(package.removeprefix("@types/"))
            match = re.search(rf"\"types\"\s*:\s*\[[^\]]*\"{name}\"", text)
            return _use(path, text, match.end() - 1) if match is not None else None
        if _COMMAND_FILE.search(path):
            return self._in_commands(path, text, package)
        return self._in_shebang(path, text, package)

    def _is(self, package: str, specifier: str) -> bool:
        """Whether an import needs a package: it is of the package, or of an adapter for it in another one."""
        name = package.removeprefix("@types/")
        if specifier == name or specifier.startswith(f"{name}/"):
            return True
        return name == "ws" and specifier.endswith("/ws") and package_of(specifier) in self.listed

    def _in_source(self, file: SourceFile, package: str) -> Use | None:
        text = file.data.decode(errors="replace")
        found = [m.start(1) for m in _IMPORT.finditer(text) if self._is(package, m[1])]
        name = re.escape(package.removeprefix("@types/"))
        if _SETTINGS.search(file.path):
            # "tsx" alone is a kind of files there.
            behind = "/" if name == "tsx" else "(?:/|[\"'`])"
            literals = re.finditer(rf"[\"'`](?:commonjs )?{name}{behind}", text)
            found += [m.start() for m in literals if not _names_something(text, m.start())]
        for program in self.programs.get(package, ()):
            found += _starts(text, program)
        for start in sorted(found):
            if not _is_comment(file, len(text[:start].encode())) or "<reference" in _line_text(text, start):
                return _use(file.path, text, start)
        return self._in_shebang(file.path, text, package)

    def _in_manifest(self, package: str) -> Use | None:
        for name, command in scripts_of(self.view).items():
            if self._is_word_of(package, command):
                return Use(MANIFEST, line_of_key(self.view, MANIFEST, "scripts", name), f"script {name}", name)
        value: Any = self.view.json(MANIFEST)
        for key, part in value.items() if isinstance(value, dict) else ():
            if key == "scripts":
                continue
            texts = list(_strings(part))
            refers = key in ("overrides", "resolutions", "pnpm") and f"${package}" in texts
            if refers or (key not in _UNREAD and any(self._is_word_of(package, text) for text in texts)):
                return Use(MANIFEST, line_of_text(self.view, MANIFEST, rf"\"{re.escape(key)}\"\s*:"), key)
        return None

    def _in_commands(self, path: str, text: str, package: str) -> Use | None:
        at = 0
        for line in text.splitlines(keepends=True):
            if self._is_word_of(package, _COMMENT.sub("", line)):
                return _use(path, text, at)
            at += len(line)
        return None

    def _in_shebang(self, path: str, text: str, package: str) -> Use | None:
        first = text.split("\n", 1)[0]
        return _use(path, text, 0) if first.startswith("#!") and self._is_word_of(package, first) else None

    def _is_word_of(self, package: str, text: str) -> bool:
        """Whether a command line runs a program of the package, or names a module or the folder of it."""
        if package.removeprefix("@types/") not in text and not any(p in text for p in self.programs.get(package, ())):
            return False
        programs = self.programs.get(package)
        words = _BREAKS.split(text)
        for word in words:
            name = re.sub(r"(?<=.)@[\w.^~-]*$", "", word.removeprefix("./"))
            if name.startswith(f"{package}/") or f"node_modules/{package}" in re.sub(r"[\"',\]]+$", "", name):
                return True
            if programs is not None and (
                name in programs or name.rsplit("/.bin/", 1)[-1] in programs or name == package
            ):
                return True
            if programs is None and name == package and _FETCHING.search(text):
                return True
        return False


def imported_packages(file: SourceFile) -> frozenset[str]:
    """The packages that a source file imports, in live code."""
    text = file.data.decode(errors="replace")
    found = {
        m[1]: m.start(1) for m in _IMPORT.finditer(text) if not m[1].startswith((".", "/", "node:", "~", "#", "@/"))
    }
    return frozenset(package_of(s) for s, at in found.items() if not _is_comment(file, len(text[:at].encode())))


def _names_something(text: str, at: int) -> bool:
    """Whether a string in settings is the value of a property that says a name or a protocol, not a package."""
    return (
        re.search(r"(\bname|\bprotocol|\btitle|\bid)[\"']?\s*:\s*$|[!=]=\s*$", text[max(at - 40, 0) : at]) is not None
    )


def _starts(text: str, program: str) -> list[int]:
    """Where code starts a program: by a command line in a string, or by its name where something is run."""
    word = re.escape(program)
    lines = [m.start() for m in re.finditer(rf"[\"'`](?:[^\"'`\n]*\s)?{word}\s[^\"'`\n]*[\"'`]", text)]
    lines += [m.start() for m in re.finditer(rf"[\"'`](?:npx|pnpm|yarn|bunx)\s+(?:[\w-]+\s+)?{word}[\"'`]", text)]
    alone = [m.start() for m in re.finditer(rf"[\"'`](?:[^\"'`\n]*/\.bin/)?{word}[\"'`]", text)]
    return lines + [at for at in alone if _STARTING.search(_line_text(text, at))]


def _is_comment(file: SourceFile, at: int) -> bool:
    return any(node.start_byte <= at < node.end_byte for node in find_all(file.root, "comment"))


def _is_node_script(text: str) -> bool:
    return re.match(r"#!.*\b(node|bun|tsx|deno|ts-node)\b", text) is not None


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item)


def _line_text(text: str, at: int) -> str:
    end = text.find("\n", at)
    return text[text.rfind("\n", 0, at) + 1 : end if end >= 0 else len(text)]


def _use(path: str, text: str, at: int) -> Use:
    return Use(path, text.count("\n", 0, at) + 1, _line_text(text, at).strip()[:80])
