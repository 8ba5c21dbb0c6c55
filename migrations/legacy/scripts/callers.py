"""Who calls the scripts of package.json, outside its scripts: the app's other files, the workspace around it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from migrations.engine.packages import MANIFEST, is_lock_file
from migrations.engine.syntax import SOURCE_SUFFIXES
from migrations.legacy.manifest import line_of_key, line_of_text, scripts_of
from relay_server.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from migrations.engine.view import AppView

_LONGEST = 1 << 18
_SHELL_FILE = re.compile(
    r"(^|/)(\.husky/[^/]+|[Mm]akefile|justfile|Taskfile\.ya?ml|lefthook\.ya?ml|[^/]+\.(sh|bash|mk))$"
)
_DEPLOYMENT = re.compile(r"(^|/)(ecosystem|pm2|process)[\w.-]*\.[cm]?[jt]s$")
_COMMENT = re.compile(r"\s*(//|#|\*|/\*)")
_ROOTS = ("..", "../..", "../../..")
# They run a task wherever there is one of that name, and do without where there is none.
_TASK_GRAPHS = re.compile(r"\b(turbo|nx|lerna)\b")
_FILTER = re.compile(r"(?:--filter|-F|--workspace|-w|--prefix|-C|--dir|--cwd|\bworkspace)[ =]+[\"']?([^\s\"']+)")


@dataclass(frozen=True, slots=True)
class Caller:
    """A place that calls the script `name`. `is_needed`: it fails when there is none of that name."""

    file: str
    line: int
    name: str
    is_needed: bool


def calls(text: str, name: str) -> bool:
    """Whether a command line has the script's name in it, where a name of one plain word only counts if called."""
    return _pattern(name).search(text) is not None


def callers(view: AppView, names: Iterable[str]) -> Iterator[Caller]:
    """Those who call one of these scripts: code, hooks, Makefiles, shell scripts, the workspace around the app.

    Not what deploys the app.
    """
    names = sorted(names)
    if not names:
        return
    for path in view.paths:
        if not (path.endswith(SOURCE_SUFFIXES) or _SHELL_FILE.search(path)) or _DEPLOYMENT.search(path):
            continue
        data = view.read(path) or b""
        if len(data) > _LONGEST:
            continue
        for name in names:
            if name.encode() in data:
                line = _calling_line(data.decode(errors="replace"), name, is_code=path.endswith(SOURCE_SUFFIXES))
                if line:
                    yield Caller(path, line, name, is_needed=True)
    yield from _workspace_callers(view, names)


def shell_lines(view: AppView) -> Iterator[tuple[str, int, str]]:
    """Path, number and text of every line of a shell script, hook or Makefile that is no comment."""
    for path in view.paths:
        if _SHELL_FILE.search(path):
            text = (view.read(path) or b"").decode(errors="replace")
            for number, line in enumerate(text.splitlines(), 1):
                if not _COMMENT.match(line):
                    yield path, number, line


def names_folder(view: AppView, folder: str) -> bool:
    """Whether any file that does something names a file in a folder."""
    return _is_in_any(view, folder, re.compile(rf"(?<![\w./@-])(?:\./)?{re.escape(folder)}/"))


def names_word(view: AppView, word: str) -> bool:
    """Whether any file that does something has a word in it."""
    return _is_in_any(view, word, re.compile(rf"\b{re.escape(word)}\b"))


def _is_in_any(view: AppView, needle: str, pattern: re.Pattern[str]) -> bool:
    """Whether a pattern is found in a file other than manifests, documents, ignore files and compiler settings."""
    for path in view.paths:
        name = PurePosixPath(path).name
        if name == MANIFEST or is_lock_file(path) or "tsconfig" in name or name.endswith(("ignore", ".md")):
            continue
        data = view.read(path) or b""
        if len(data) <= _LONGEST and needle.encode() in data and pattern.search(data.decode(errors="replace")):
            return True
    return False


def _calling_line(text: str, name: str, *, is_code: bool) -> int:
    """The first line that calls a script and is no comment; 0 if none does. In code, a string that is nothing but a
    name with a colon is taken for one that something calls.
    """
    found = list(_call(name).finditer(text))
    if is_code and ":" in name:
        found += re.finditer(rf"[\"'`]{re.escape(name)}(?=[\"'`])", text)
    for match in sorted(found, key=lambda match: match.start()):
        start = text.rfind("\n", 0, match.start()) + 1
        if not _COMMENT.match(text[start : match.end()]):
            return text.count("\n", 0, match.end()) + 1
    return 0


def _workspace_callers(view: AppView, names: Iterable[str]) -> Iterator[Caller]:
    for root in _ROOTS:
        manifest = f"{root}/{MANIFEST}"
        try:
            scripts = scripts_of(view, manifest) if view.exists(manifest) else {}
        except UsageError:  # what is around the app is not the app's to mend
            scripts = {}
        for name in names:
            for script, text in scripts.items():
                if calls(text, name) and _is_meant(view, text):
                    line = line_of_key(view, manifest, "scripts", script)
                    yield Caller(manifest, line, name, is_needed=not _TASK_GRAPHS.search(text))
            for file in ("turbo.json", "turbo.jsonc"):
                line = line_of_text(view, f"{root}/{file}", rf"\"(?:[^\"]*#)?{re.escape(name)}\"")
                if line:
                    yield Caller(f"{root}/{file}", line, name, is_needed=False)


def _is_meant(view: AppView, text: str) -> bool:
    """Whether a script of the workspace can be about this app: it names no other member."""
    filters = _FILTER.findall(text)
    if not filters:
        return True
    manifest = view.json(MANIFEST)
    own = str(manifest.get("name", "")) if isinstance(manifest, dict) else ""
    folder = view.root.name
    return any((own and own in f) or PurePosixPath(f.strip("./{}")).name == folder or "*" in f for f in filters)


def _pattern(name: str) -> re.Pattern[str]:
    if re.search(r"[:_.-]", name):
        return re.compile(rf"(?<![\w:.-]){re.escape(name)}(?![\w:-])")
    return _call(name)


def _call(name: str) -> re.Pattern[str]:
    manager = r"\b(?:npm|pnpm|yarn|bun|turbo)\b(?:[\s\"',\[]+(?:run|run-script|-[\w=@/.-]+))*[\s\"',\[]+"
    runner = r"\b(?:run-[ps]|npm-run-all2?)\b[^\n\"'&|;]*\s"
    return re.compile(rf"(?:{manager}|{runner}|\bnpm:){re.escape(name)}(?![\w:-])")
