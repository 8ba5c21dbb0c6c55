"""How an app's folders lie, and how its files import each other."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from migrations.engine import AppView

# In the order in which TypeScript looks (its handbook, "Modules - Reference", extensionless paths).
_SUFFIXES = (".ts", ".tsx", ".d.ts", ".js", ".jsx", ".mts", ".cts", ".mjs", ".cjs")
# What a specifier with a JavaScript suffix may stand for.
_TYPESCRIPT_OF = {".js": (".ts", ".tsx"), ".jsx": (".tsx",), ".mjs": (".mts",), ".cjs": (".cts",)}
_LONGEST_CHAIN = 8


@dataclass(frozen=True, slots=True)
class Alias:
    """A pattern of `paths` in tsconfig.json: what begins with `prefix` lies in `folder` ("" or ending with `/`)."""

    prefix: str
    folder: str


@dataclass(frozen=True)
class Layout:
    """`source_root` is "src/" or "": where `app`, `pages` and the rest stand. `router` is app, pages, both or none."""

    view: AppView
    source_root: str
    router: str
    aliases: tuple[Alias, ...]
    base_folder: str | None
    has_typescript: bool

    @property
    def kit_folder(self) -> str:
        """Where the app kit's files go, ending with `/`."""
        return f"{self.source_root}relay-kit/"

    @property
    def alias(self) -> str:
        """The prefix by which the app's own files are imported, such as `~/`; "" if by relative paths."""
        return next((a.prefix for a in self.aliases if self.source_root.startswith(a.folder)), "")

    def resolve(self, importer: str, specifier: str) -> str | None:
        """The file of the app that an import in `importer` names; None for a package and for what is not there."""
        if specifier.startswith("."):
            candidates = [posixpath.join(posixpath.dirname(importer), specifier)]
        else:
            candidates = [
                alias.folder + specifier.removeprefix(alias.prefix)
                for alias in self.aliases
                if specifier.startswith(alias.prefix)
            ]
            if self.base_folder is not None:
                candidates.append(self.base_folder + specifier)
        for candidate in candidates:
            found = self._file_at(posixpath.normpath(candidate))
            if found is not None:
                return found
        return None

    def specifier(self, importer: str, target: str) -> str:
        """How `importer` imports the file `target`: by the alias if it reaches there, else by a relative path."""
        path = PurePosixPath(target)
        name = str(path.parent if path.stem == "index" else path.with_suffix(""))
        for alias in self.aliases:
            if target.startswith(alias.folder):
                return alias.prefix + name.removeprefix(alias.folder)
        relative = posixpath.relpath(name, posixpath.dirname(importer) or ".")
        return relative if relative.startswith(".") else f"./{relative}"

    def _file_at(self, path: str) -> str | None:
        stem, suffix = posixpath.splitext(path)
        names = [path] if suffix in _SUFFIXES else []
        names += [stem + other for other in _TYPESCRIPT_OF.get(suffix, ())]
        names += [path + other for other in _SUFFIXES]
        names += [f"{path}/index{other}" for other in _SUFFIXES]
        return next((name for name in names if self.view.exists(name)), None)


def find_layout(view: AppView) -> Layout:
    """The layout of the app in `view`. Raises UsageError where tsconfig.json cannot be read."""
    routers = {
        router
        for router in ("app", "pages")
        for folder in ("", "src/")
        if any(path.startswith(f"{folder}{router}/") for path in view.paths)
    }
    at_root = any(path.startswith(("app/", "pages/")) for path in view.paths)  # Next.js then ignores src/app, src/pages
    source_root = "src/" if not at_root and any(path.startswith("src/") for path in view.paths) else ""
    options = _compiler_options(view)
    base = options.get("baseUrl")
    base_folder = _folder(options["folder"], base) if isinstance(base, str) else None
    aliases = []
    paths = options.get("paths")
    for pattern, targets in paths.items() if isinstance(paths, dict) else ():
        for target in targets if isinstance(targets, list) else ():
            if pattern.endswith("*") and pattern != "*" and isinstance(target, str) and target.endswith("*"):
                folder = _folder(base_folder if base_folder is not None else options["paths_folder"], target[:-1])
                aliases.append(Alias(pattern[:-1], folder))
    # `~/*` before `~/components/*`: an import written for the general one is right for every file.
    aliases.sort(key=lambda alias: (len(alias.folder), alias.prefix.count("/")))
    return Layout(
        view,
        source_root,
        "both" if len(routers) == 2 else next(iter(routers), "none"),
        tuple(alias for alias in aliases if not alias.folder.startswith("../")),
        base_folder,
        has_typescript=view.exists("tsconfig.json"),
    )


def _compiler_options(view: AppView) -> dict[str, Any]:
    """The compilerOptions in force, as far as they stand in files of the app; `folder` and `paths_folder` say from
    where `baseUrl` and `paths` are seen.
    """
    path: str | None = "tsconfig.json" if view.exists("tsconfig.json") else "jsconfig.json"
    options: dict[str, Any] = {"folder": "", "paths_folder": ""}
    for _ in range(_LONGEST_CHAIN):
        config = view.json(path) if path else None
        if not path or not isinstance(config, dict):
            break
        folder = posixpath.dirname(path)
        own = config.get("compilerOptions")
        for key, value in own.items() if isinstance(own, dict) else ():
            if key not in options:
                options[key] = value
                if key == "baseUrl":
                    options["folder"] = folder
                elif key == "paths":
                    options["paths_folder"] = folder
        parent = config.get("extends")
        path = None
        if isinstance(parent, str) and parent.startswith("."):
            path = posixpath.normpath(posixpath.join(folder, parent))
            path = path if view.exists(path) else f"{path}.json"
    return options


def _folder(base: str, path: str) -> str:
    folder = posixpath.normpath(posixpath.join(base, path))
    return "" if folder == "." else f"{folder}/"
