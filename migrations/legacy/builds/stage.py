"""What builds the server: its own tsconfig, bundler entries."""

from __future__ import annotations

import json
import posixpath
from typing import TYPE_CHECKING, Any

from migrations.engine.edits import Edits
from migrations.engine.json_edits import remove_item_json
from migrations.engine.packages import MANIFEST
from migrations.engine.syntax import SOURCE_SUFFIXES, find_all, text_of
from migrations.legacy.builds.bundler_entries import Entry, entries_of_gone
from migrations.legacy.builds.server_tsconfigs import Tsconfig, named_by_linters, tsconfigs, user_of
from migrations.legacy.member_removal import remove_members
from migrations.legacy.pieces import Found, Piece
from migrations.legacy.references import path_pattern
from relay_server.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from migrations.engine.view import AppView
    from migrations.legacy.pieces import Action, LegacyApp

_FOUND_BY_NAME = "tsconfig.json"  # editors and Next.js take it for the files of its folder
_LISTS = ("files", "include", "exclude")


def clean_builds(app: LegacyApp) -> Found:
    """Remove the settings by which alone files that went were built, and shorten the lists that name them."""
    gone = frozenset(path for path in app.gone if path.endswith(SOURCE_SUFFIXES))
    return _Builds(app, gone).found() if gone else Found()


class _Builds:
    def __init__(self, app: LegacyApp, gone: frozenset[str]) -> None:
        self._view = app.view
        self._gone = gone
        self._edits = Edits(app.view)
        self._pieces: list[Piece] = []
        self._needs: list[Piece] = []

    def found(self) -> Found:
        entries = list(entries_of_gone(self._view, self._gone))
        self._bundlers(entries)
        removed = self._tsconfigs()
        self._linters(removed)
        self._nodemon()
        self._swc()
        return Found(tuple(self._pieces), tuple(self._needs), self._edits.changes())

    # --- bundlers

    def _bundlers(self, entries: list[Entry]) -> None:
        for path in sorted({entry.file.path for entry in entries}):
            own = [entry for entry in entries if entry.file.path == path]
            unknown = [entry for entry in own if entry.fate == "unknown"]
            for entry in unknown:
                what = "a build of the WebSocket server"
                why = "take it out here by hand, then run this again"
                self._needs.append(Piece(path, entry.line, what, "keep", why))
            if unknown:
                continue
            if all(entry.fate == "remove" for entry in own):
                self._edits.delete(path)
                self._tell(path, own[0].line, "the settings that build the WebSocket server", "remove")
                continue
            edit = self._edits.source(path)
            containers = {entry.container.start_byte: entry.container for entry in own if entry.container is not None}
            for start, container in containers.items():
                members = [e.member for e in own if e.member is not None and e.container == containers[start]]
                remove_members(edit, container, members)
            for entry in own:
                self._tell(path, entry.line, "the WebSocket server among what is built", "rewrite")

    def _tell(self, path: str, line: int, what: str, action: Action, why: str = "the file has gone") -> None:
        self._pieces.append(Piece(path, line, what, action, why))

    # --- TypeScript

    def _tsconfigs(self) -> set[str]:
        configs = list(tsconfigs(self._view))
        removed: set[str] = set()
        for config in configs:
            covers_gone = any(config.covers(path) for path in self._gone)
            if config.path == _FOUND_BY_NAME or not covers_gone or not self._is_for_server(config):
                continue
            user = user_of(self._view, config, self._gone)
            if user is not None:
                why = f"it is used by {user.path}:{user.line} too"
                self._tell(config.path, 0, "compiler settings of the WebSocket server", "keep", why)
                continue
            removed.add(config.path)
            self._edits.delete(config.path)
            self._tell(
                config.path, 0, "compiler settings of the WebSocket server", "remove", "nothing else is built with them"
            )
        for config in configs:
            if config.path not in removed:
                self._shorten(config)
                self._unreference(config, removed)
        return removed

    def _is_for_server(self, config: Tsconfig) -> bool:
        """Whether it is there to compile the server, or covers nothing any more."""
        covered = [path for path in self._view.paths if path.endswith(SOURCE_SUFFIXES) and config.covers(path)]
        return not covered or (config.emits and posixpath.basename(config.path) != _FOUND_BY_NAME)

    def _shorten(self, config: Tsconfig) -> None:
        """Take single files that went out of the lists of settings that stay."""
        for key in _LISTS:
            entries = config.own.get(key)
            if not isinstance(entries, list):
                continue
            named = [entry for entry in entries if isinstance(entry, str) and self._is_gone(config.folder, entry)]
            if not named:
                continue
            line = self._line(config.path, named[0])
            if len(named) == len(entries) and key == "files":
                why = "the settings have no file left: take the list out, or the settings"
                self._needs.append(Piece(config.path, line, "the WebSocket server in a list of files", "keep", why))
                continue
            for entry in named:
                self._remove_item(config.path, [key], entry)
            self._tell(config.path, line, f"the WebSocket server in {key}", "rewrite")

    def _unreference(self, config: Tsconfig, removed: set[str]) -> None:
        references = config.own.get("references")
        for item in references if isinstance(references, list) else ():
            path = item.get("path") if isinstance(item, dict) else None
            if isinstance(path, str) and posixpath.normpath(posixpath.join(config.folder, path)) in removed:
                self._remove_item(config.path, ["references"], item)
                self._tell(config.path, self._line(config.path, path), "a reference to settings that go", "rewrite")

    def _remove_item(self, path: str, keys: Sequence[str], item: object) -> None:
        self._edits.change(path, lambda data: remove_item_json(data, keys, item, path))

    def _is_gone(self, folder: str, entry: str) -> bool:
        return posixpath.normpath(posixpath.join(folder, entry)) in self._gone

    # --- linters

    def _linters(self, removed: set[str]) -> None:
        for path in self._view.paths if removed else ():
            data = self._view.read(path) or b"" if named_by_linters(path) or path == MANIFEST else b""
            if not any(posixpath.basename(config).encode() in data for config in removed):
                continue
            if path.endswith(SOURCE_SUFFIXES):
                self._linter_code(path, removed)
            elif path != MANIFEST:
                self._linter_json(path, removed)
            elif b"eslintConfig" in data:
                self._linter_json(path, removed, "eslintConfig")

    def _linter_code(self, path: str, removed: set[str]) -> None:
        file = self._view.file(path)
        assert file is not None
        for node in find_all(file.root, "string"):
            if not self._names(path, text_of(node)[1:-1], removed):
                continue
            line = file.line_of(node.start_byte)
            element, container = node, node.parent
            if container is not None and container.type == "arguments" and container.parent is not None:
                element, container = container.parent, container.parent.parent
            others = (
                []
                if container is None
                else [c for c in container.named_children if c.type != "comment" and c != element]
            )
            if container is None or container.type != "array" or not others:
                self._need_of_linter(path, line)
                continue
            remove_members(self._edits.source(path), container, [element])
            self._tell(path, line, "the server's tsconfig among the linter's", "rewrite", "it goes")

    def _linter_json(self, path: str, removed: set[str], *outer: str) -> None:
        keys = [*outer, "parserOptions", "project"]
        value: Any = _value(self._view, path)
        for key in keys:
            value = value.get(key) if isinstance(value, dict) else None
        named = (
            [e for e in value if isinstance(e, str) and self._names(path, e, removed)]
            if isinstance(value, list)
            else []
        )
        found = _all_texts(_value(self._view, path) if not outer else value)
        unread = [text for text in found if self._names(path, text, removed) and text not in named]
        if unread or (named and isinstance(value, list) and len(named) == len(value)):
            self._need_of_linter(path, self._line(path, (unread or named)[0]))
            return
        for entry in named:
            self._remove_item(path, keys, entry)
            self._tell(path, self._line(path, entry), "the server's tsconfig among the linter's", "rewrite", "it goes")

    def _need_of_linter(self, path: str, line: int) -> None:
        why = "name another tsconfig here, then run this again"
        self._needs.append(Piece(path, line, "the linter reads the WebSocket server's tsconfig", "keep", why))

    def _names(self, path: str, text: str, removed: set[str]) -> bool:
        folders = ("", posixpath.dirname(path))
        return any(posixpath.normpath(posixpath.join(folder, text)) in removed for folder in folders)

    # --- what watches or compiles the server, without saying where else

    def _nodemon(self) -> None:
        for path in self._view.paths:
            if posixpath.basename(path) not in ("nodemon.json", ".nodemonrc", "nodemon.server.json"):
                continue
            text = (self._view.read(path) or b"").decode(errors="replace")
            value = _value(self._view, path)
            if not isinstance(value, dict) or not self._names_gone(
                json.dumps([value.get("exec"), value.get("script")])
            ):
                continue
            line = next((n for n, part in enumerate(text.splitlines(), 1) if self._names_gone(part)), 0)
            if self._runs_nodemon_otherwise():
                why = "take the server out of it: another script uses nodemon too"
                self._tell(path, line, "nodemon runs the WebSocket server", "by-hand", why)
                continue
            self._edits.delete(path)
            self._tell(path, line, "nodemon runs the WebSocket server", "remove")

    def _runs_nodemon_otherwise(self) -> bool:
        scripts = self._scripts()
        return any("nodemon" in text and not self._names_gone(text) and _has_target(text) for text in scripts.values())

    def _swc(self) -> None:
        """Where the server was compiled with swc, whether .swcrc is still read cannot be told; it does no harm."""
        if not self._view.exists(".swcrc") or not any("swc" in text for text in self._scripts().values()):
            return
        if any("swc" in text and self._is_of_server(text) for text in self._scripts().values()):
            why = "delete it if only the server was compiled with swc"
            self._tell(".swcrc", 0, "settings of swc, which compiled the WebSocket server", "by-hand", why)

    def _is_of_server(self, script: str) -> bool:
        folders = {posixpath.dirname(path) for path in self._gone}
        return self._names_gone(script) or any(folder and folder in script for folder in folders)

    def _names_gone(self, text: str) -> bool:
        return any(path_pattern(path).search(text) for path in self._gone)

    def _scripts(self) -> dict[str, str]:
        manifest = _value(self._view, MANIFEST)
        scripts = manifest.get("scripts") if isinstance(manifest, dict) else None
        return {k: v for k, v in scripts.items() if isinstance(v, str)} if isinstance(scripts, dict) else {}

    def _line(self, path: str, text: str) -> int:
        lines = (self._view.read(path) or b"").decode(errors="replace").splitlines()
        return next((number for number, line in enumerate(lines, 1) if f'"{text}"' in line), 0)


def _value(view: AppView, path: str) -> Any:
    try:
        return view.json(path)
    except UsageError:
        return None


def _all_texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _all_texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _all_texts(inner)


def _has_target(script: str) -> bool:
    return any(not word.startswith("-") for word in script.partition("nodemon")[2].split()[:1])
