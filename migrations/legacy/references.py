"""Who refers to a file of the app: by an import of any kind, or by its path in a text."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from migrations.engine.packages import is_lock_file
from migrations.engine.syntax import SOURCE_SUFFIXES, find_all, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Node

    from migrations.discovery.layout import Layout
    from migrations.engine.source import SourceFile
    from migrations.engine.view import AppView

# What a module is named in, with everything that test runners and bundlers have for it.
_SPECIFIER = re.compile(
    r"""(?:\bfrom|\bimport|\b(?:require|import|jest\.\w+|vi\.\w+|require\.resolve|importActual)\s*(?:<[^>()]*>)?\s*\(|="""
    r"""\s*require\s*\()\s*["'`]([^"'`\n]+)["'`]"""
)
_LONGEST_TEXT = 1 << 18
# What tells of an app and does nothing.
_PROSE = re.compile(r"\.(md|mdx|txt|rst|svg|snap|log)$|(^|/)(LICENSE|CHANGELOG)[^/]*$")


@dataclass(frozen=True, slots=True)
class Reference:
    """A place that refers to a file; `line` is from 1."""

    path: str
    line: int


def importers_of(view: AppView, layout: Layout, path: str) -> Iterator[Reference]:
    """The source files that import a file, for its types alone too; each once."""
    pure = PurePosixPath(path)
    stem = pure.parent.name if pure.stem == "index" else pure.stem
    needle = stem.removesuffix(".d")
    for other in view.sources(needle):
        if other.path == path:
            continue
        for specifier, line in specifiers_of(other):
            if needle in specifier and layout.resolve(other.path, specifier) == path:
                yield Reference(other.path, line)
                break


def specifiers_of(file: SourceFile) -> tuple[tuple[str, int], ...]:
    """The modules that a file names, with the line of each; not those in comments."""
    return file.once("specifiers", lambda: tuple(_specifiers(file)))


def named_in_code(view: AppView, path: str) -> Iterator[Reference]:
    """The source files in whose texts the path stands, such as a script that starts it; each once, by its first line.

    Imports are not looked for here, and neither are comments.
    """
    pattern = path_pattern(path)
    needle = PurePosixPath(path).stem
    for other in view.sources(needle):
        if other.path == path:
            continue
        for node in find_all(other.root, "string", "template_string"):
            text = text_of(node)[1:-1]
            if needle in text and not _is_specifier(node) and pattern.search(text):
                yield Reference(other.path, other.line_of(node.start_byte))
                break


def named_elsewhere(view: AppView, path: str) -> Reference | None:
    """The first file that is no source code (and no prose) in which the path stands."""
    pattern = path_pattern(path)
    needle = PurePosixPath(path).stem.encode()
    for other in view.paths:
        if other.endswith(SOURCE_SUFFIXES) or _PROSE.search(other) or is_lock_file(other):
            continue
        data = view.read(other) or b""
        if needle not in data or len(data) > _LONGEST_TEXT or b"\0" in data:
            continue
        found = pattern.search(data.decode(errors="replace"))
        if found is not None:
            return Reference(other, data.decode(errors="replace").count("\n", 0, found.start()) + 1)
    return None


def path_pattern(path: str) -> re.Pattern[str]:
    """Matches the path as texts have it: from the app's folder or from one on the way, compiled or not, with a suffix
    or without.
    """
    folder, name = posixpath.split(posixpath.splitext(path)[0])
    tail = f"{posixpath.basename(folder)}/{name}" if folder else name
    own = rf"(?<![\w.-]){re.escape(tail)}(?:\.[cm]?[jt]sx?)?(?![\w/-]|\.\w)"
    suffixed = rf"(?<![\w./-])(?:\./)?{re.escape(name)}\.[cm]?[jt]sx?(?![\w.-])"
    return re.compile(own if folder else suffixed)


def _specifiers(file: SourceFile) -> Iterator[tuple[str, int]]:
    text = file.data.decode(errors="replace")
    if not any(word in text for word in ("import", "require", "from", "jest", "vi.")):
        return
    for match in _SPECIFIER.finditer(text):
        at = len(text[: match.start(1)].encode())
        node = file.root.descendant_for_byte_range(at, at)
        if node is not None and node.type != "comment":
            yield match[1], file.line_of(at)


def _is_specifier(node: Node) -> bool:
    parent = node.parent
    if parent is not None and parent.type in ("import_statement", "export_statement"):
        return True
    call = parent.parent if parent is not None and parent.type == "arguments" else None
    function = call.child_by_field_name("function") if call is not None else None
    name = text_of(function) if function is not None else ""
    return name in ("require", "import", "require.resolve") or name.startswith(("jest.", "vi."))
