"""What tools shall leave alone: the relay's local state, and files that an app's formatter would write otherwise."""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from migrations.engine import AppView, Edits

# `partykit dev` keeps its rooms there.
STATE_FOLDER = ".partykit"

_HIGHEST = 8
# Files that list what is not sent to Docker and to Vercel.
_UPLOADS = (".dockerignore", ".vercelignore")
_PRETTIER_CONFIGS = (
    *(f".prettierrc{suffix}" for suffix in ("", ".json", ".json5", ".yaml", ".yml", ".toml")),
    *(f"{name}.{suffix}" for name in (".prettierrc", "prettier.config") for suffix in ("js", "cjs", "mjs", "ts")),
)
# Settings of Prettier and of Biome that break or write lines otherwise than by default. Line ends, quotes and
# indentation by tabs or two spaces are held.
_OTHER_LINES = re.compile(
    r"\b(printWidth|trailingCommas?|bracketSpacing|arrowParens|arrowParentheses|quoteProps|quoteProperties|objectWrap|expand"
    r"|experimentalTernaries|experimentalOperatorPosition|operatorLinebreak|importOrder|lineWidth|bracketSameLine"
    r"|max_line_length)\b"
)
_HELD_INDENTS = ("  ", "\t")


def ignore_state(edits: Edits) -> None:
    """Keep the relay's local state out of git, and out of what is sent to Docker and Vercel where a file rules that."""
    view = edits.view
    if not _ignored_by_git(view) and (view.exists(".gitignore") or _in_git(view)):
        edits.add_lines(".gitignore", [STATE_FOLDER], comment=["partykit"])
    for path in _UPLOADS:
        if view.exists(path) and not _ignores(view, path, f"{STATE_FOLDER}/x"):
            edits.add_lines(path, [STATE_FOLDER])


def ignore_for_linters(edits: Edits, folder: str) -> None:
    """Keep formatters from a folder of chatops' files where the app's settings would have them write it otherwise.

    With what create-t3-app sets up (Prettier or Biome 2 by default, at 80 columns) the files are clean as they are.
    `.eslintignore` gets the folder wherever it is: nobody can tell what the app's rules are.
    """
    view = edits.view
    probe = f"{folder}/server.ts"
    if view.exists(".eslintignore") and not _ignores(view, ".eslintignore", probe):
        edits.add_lines(".eslintignore", [folder])
    if _prettier_differs(view) and not _ignores(view, ".prettierignore", probe):
        edits.add_lines(".prettierignore", [folder])
    config = next((path for path in ("biome.json", "biome.jsonc") if view.exists(path)), None)
    if config is not None:
        _ignore_for_biome(edits, config, folder)


def _ignore_for_biome(edits: Edits, path: str, folder: str) -> None:
    settings = edits.view.json(path)
    files = settings.get("files") if isinstance(settings, dict) else None
    files = files if isinstance(files, dict) else {}
    text = edits.view.read(path) or b""
    # Biome 1 sorts imported names by letters, capitals first.
    if _biome_major(edits.view, settings) == 1:
        if folder not in (files.get("ignore") or []):
            edits.append_json(path, ("files", "ignore"), folder)
    elif _OTHER_LINES.search(text.decode(errors="replace")) or _style_differs(edits.view):
        included = files.get("includes")
        if included is None:
            edits.set_json(path, ("files", "includes"), ["**", f"!{folder}"])
        elif isinstance(included, list) and not {f"!{folder}", f"!{folder}/**", f"!**/{folder}"} & set(included):
            edits.append_json(path, ("files", "includes"), f"!{folder}")


def _biome_major(view: AppView, settings: Any) -> int | None:
    schema = settings.get("$schema") if isinstance(settings, dict) else None
    match = re.search(r"/schemas/(\d+)\.", str(schema))
    if match is None:
        manifest = view.json("package.json")
        packages = {**(manifest.get("dependencies") or {}), **(manifest.get("devDependencies") or {})}
        match = re.match(r"[\^~>=v\s]*(\d+)\.", str(packages.get("@biomejs/biome")))
    return int(match[1]) if match else None


def _prettier_differs(view: AppView) -> bool:
    manifest = view.json("package.json")
    manifest = manifest if isinstance(manifest, dict) else {}
    configs = [view.read(path) for path in _PRETTIER_CONFIGS]
    embedded = manifest.get("prettier")
    packages = {**(manifest.get("dependencies") or {}), **(manifest.get("devDependencies") or {})}
    if not any(configs) and embedded is None and "prettier" not in packages:
        return False
    text = b"\n".join([*(config for config in configs if config), view.read(".editorconfig") or b""]).decode(
        errors="replace"
    )
    # A text there is the name of a package of settings.
    return _OTHER_LINES.search(f"{text}\n{embedded}") is not None or isinstance(embedded, str) or _style_differs(view)


def _style_differs(view: AppView) -> bool:
    """Four spaces make lines too long, and no semicolons make some short enough for one line."""
    return view.style.indent not in _HELD_INDENTS or not view.style.semicolons


def _ignored_by_git(view: AppView) -> bool:
    parts = view.root.resolve().parts
    for height, folder in enumerate(_git_folders(view)):
        inside = posixpath.join(*parts[len(parts) - height :], STATE_FOLDER, "x")
        if _ignores(view, posixpath.join(folder, ".gitignore"), inside):
            return True
    return False


def _in_git(view: AppView) -> bool:
    return any(_is_repository(view, folder) for folder in _git_folders(view))


def _git_folders(view: AppView) -> Iterator[str]:
    """The app's folder and those around it, up to the top of the git work tree."""
    for height in range(min(_HIGHEST, len(view.root.resolve().parts))):
        folder = "/".join([".."] * height)
        yield folder
        if _is_repository(view, folder):
            break


def _is_repository(view: AppView, folder: str) -> bool:
    # A file in a work tree that was added to a repository, a folder otherwise.
    return any(view.exists(posixpath.join(folder, name)) for name in (".git/HEAD", ".git"))


def _ignores(view: AppView, ignore_file: str, path: str) -> bool:
    """Whether an ignore file, as git would read it, names `path` or a folder around it."""
    from pathspec import GitIgnoreSpec

    file = view.file(ignore_file)
    return file is not None and GitIgnoreSpec.from_lines(file.text.splitlines()).match_file(path)
