"""A read-only view of an app: what migrations plan on. Files are read when they are asked for, once."""

from __future__ import annotations

import json
import os
import tomllib
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Protocol

from migrations.engine.json_edits import parse_json
from migrations.engine.listing import SKIPPED_FOLDERS, list_files
from migrations.engine.memo import Memo
from migrations.engine.source import SourceFile
from migrations.engine.style import Style, common_style
from migrations.engine.syntax import SOURCE_SUFFIXES
from relay_server.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

# Generated bundles are longer than anything that people write.
_LONGEST_SOURCE = 1 << 20
_STYLE_SAMPLE = 40


class Files(Protocol):
    """Where a view gets files from: a folder, or a mapping in memory."""

    def list(self) -> Sequence[str]:
        """The app's own files, sorted."""

    def list_around(self, folder: str) -> Sequence[str]:
        """The files of a folder around the app (`../..`) that are not the app's own, seen from the app."""

    def read(self, path: str) -> bytes | None:
        """The bytes of any file, None if there is none. Raises UsageError where it cannot be read."""


class FolderFiles:
    """The files of a folder on disk."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def list(self) -> Sequence[str]:
        return list_files(self._root)

    def list_around(self, folder: str) -> Sequence[str]:
        own = Path(os.path.relpath(self._root.resolve(), (self._root / folder).resolve())).as_posix() + "/"
        return [f"{folder}/{path}" for path in list_files(self._root / folder) if not path.startswith(own)]

    def read(self, path: str) -> bytes | None:
        try:
            return (self._root / path).read_bytes()
        except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
            return None
        except OSError as error:
            raise UsageError(
                f"{self._root / path} cannot be read: {error.strerror}",
                next_step="make it a readable file",
                code="unreadable",
            ) from None


class MemoryFiles:
    """Files that stand nowhere; all of them are the app's own but those in folders that are never looked into."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self._files = files

    def list(self) -> Sequence[str]:
        return sorted(
            path for path in self._files if not {"..", *SKIPPED_FOLDERS} & set(PurePosixPath(path).parts[:-1])
        )

    def list_around(self, folder: str) -> Sequence[str]:
        return sorted(
            path
            for path in self._files
            if path.startswith(f"{folder}/") and not set(SKIPPED_FOLDERS) & set(PurePosixPath(path).parts[:-1])
        )

    def read(self, path: str) -> bytes | None:
        return self._files.get(path)


class AppView(Memo):
    """The app in the folder `root`. Paths are seen from there, with `/`; `../` reaches a workspace around the app."""

    def __init__(self, files: Files, root: Path) -> None:
        self.root = root
        self._files = files
        self._cache: dict[str, SourceFile | None] = {}
        self._changed: Mapping[str, bytes | None] = {}

    @classmethod
    def of_folder(cls, root: Path) -> AppView:
        """The app on disk. Raises UsageError where there is none."""
        if not root.is_dir():
            raise UsageError(f"there is no folder {root}", next_step="give the app's folder: --app PATH", code="no_app")
        if not (root / "package.json").is_file():
            above = next((folder for folder in root.resolve().parents if (folder / "package.json").is_file()), None)
            raise UsageError(
                f"there is no app in {root.resolve()}: it has no package.json",
                next_step="give the app's folder: --app " + (str(above) if above is not None else "PATH"),
                code="no_app",
            )
        return cls(FolderFiles(root), root)

    @classmethod
    def of_files(cls, files: Mapping[str, bytes], root: Path = Path("/app")) -> AppView:
        """An app in memory."""
        return cls(MemoryFiles(dict(files)), root)

    def with_changes(self, changed: Mapping[str, bytes | None]) -> AppView:
        """This view as it is after these files have been written (None: removed). What was read stays read."""
        view = AppView(self._files, self.root)
        view._changed = {**self._changed, **changed}
        view._cache = {path: file for path, file in self._cache.items() if path not in changed}
        if "paths" in self.__dict__ and not any((self.read(p) is None) != (d is None) for p, d in changed.items()):
            view.__dict__["paths"] = self.paths
        return view

    @cached_property
    def paths(self) -> tuple[str, ...]:
        """The app's own files, sorted: not what git ignores, not node_modules, dist or .next.

        One that git knows may be gone from the disk; `file` tells.
        """
        paths = set(self._files.list())
        paths.update(path for path, data in self._changed.items() if data is not None and not path.startswith("../"))
        return tuple(sorted(path for path in paths if self._changed.get(path, b"") is not None))

    def paths_around(self, folder: str) -> Sequence[str]:
        """The files of a workspace's folder around the app (`../..`), those of the app itself left out."""
        return self._files.list_around(folder)

    def file(self, path: str) -> SourceFile | None:
        """Any file, whether git ignores it or not; None if there is none. Raises UsageError: it cannot be read."""
        if path not in self._cache:
            data = self._changed[path] if path in self._changed else self._files.read(path)
            self._cache[path] = None if data is None else SourceFile(path, data)
        return self._cache[path]

    def read(self, path: str) -> bytes | None:
        file = self.file(path)
        return None if file is None else file.data

    def exists(self, path: str) -> bool:
        return self.file(path) is not None

    def sources(self, *needles: str, suffixes: tuple[str, ...] = SOURCE_SUFFIXES) -> Iterator[SourceFile]:
        """The app's own files with one of these suffixes that hold all of `needles`, in the order of their paths.

        The look for the needles comes before any parsing and is what makes a big app cheap. Files of more than a
        megabyte are taken for generated and left out.
        """
        wanted = [needle.encode() for needle in needles]
        for path in self.paths:
            if path.endswith(suffixes):
                file = self.file(path)
                if file is not None and len(file.data) <= _LONGEST_SOURCE and all(n in file.data for n in wanted):
                    yield file

    def json(self, path: str) -> Any:
        """The value of a JSON file, comments and trailing commas allowed; None if there is no such file.

        Raises UsageError: not JSON.
        """
        file = self.file(path)
        if file is None:
            return None
        try:
            return json.loads(file.text)  # far quicker where there are no comments
        except ValueError:
            return parse_json(file.data, path)

    def toml(self, path: str) -> dict[str, Any] | None:
        """The value of a TOML file, None if there is no such file. Raises UsageError: not TOML."""
        file = self.file(path)
        try:
            return None if file is None else tomllib.loads(file.text)
        except tomllib.TOMLDecodeError as error:
            raise UsageError(f"{path} is not TOML: {error}", next_step=f"mend {path}", code="bad_file") from None

    @cached_property
    def style(self) -> Style:
        """What most of the app's TypeScript files look like: for new files."""
        sample = []
        for file in self.sources(suffixes=(".ts", ".tsx")):
            if len(file.data) > 200 and not file.path.endswith(".d.ts"):
                sample.append(file.style)
            if len(sample) == _STYLE_SAMPLE:
                break
        return common_style(sample)

    def real_path(self, path: str) -> str:
        """The path of the file that a symbolic link leads to, seen from the app's folder."""
        return Path(os.path.relpath((self.root / path).resolve(), self.root.resolve())).as_posix()
