"""Small apps in every format, and migrations made for them: one of each kind of change that the engine carries out."""

from __future__ import annotations

import stat
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from migrations.engine import (
    AddPackage,
    Applied,
    AppView,
    Blocked,
    Edits,
    FileChange,
    Leftover,
    NotApplicable,
    Outcome,
    Pending,
    Style,
)
from migrations.engine.line_edits import get_env
from migrations.engine.syntax import find_all, text_of
from relay_server.errors import CheckFailed

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

BYTE_ORDER_MARK = b"\xef\xbb\xbf"

PACKAGE_JSON = """\
{
  "name": "app",
  "private": true,
  "scripts": {
    "dev": "next dev"
  },
  "dependencies": {
    "next": "^15.2.3",
    "zod": "^3.24.2"
  }
}
"""
CHAT = """\
import { z } from "zod";
import { oldCall } from "./legacy";

// Grüße: a comment that is not ASCII 🙂
export const input = z.object({
  message: z.string(),
});

export async function chat(message: string) {
  const text = await oldCall(`one
      two ${message}
`);
  if (!text) {
    return undefined;
  }
  return oldCall(text);
}
"""
OTHER = """\
export const other = () => {
  return 'nothing to do with it';
};
"""
LEGACY = """\
export async function oldCall(text: string) {
  return text;
}
"""
SERVER = """\
import { relay } from "./relay";

export default function serve(name: string) {
  const greeting = "hello";
  return relay(`
  kept as it is
`, greeting, name);
}
"""


@dataclass(frozen=True)
class Format:
    """How an app's files are written. `style.final_newline` holds for all of them."""

    style: Style
    byte_order_mark: bool = False

    def write(self, canonical: str) -> bytes:
        """Text in this format, without the help of the code under test."""
        style = self.style
        lines = []
        inside = False
        for line in canonical.rstrip("\n").split("\n"):
            text = line
            if not inside:
                depth = (len(line) - len(line.lstrip(" "))) // 2
                text = style.indent * depth + line.lstrip(" ")
                if style.quote == "'" and "'" not in text and not canonical.startswith("{"):
                    text = text.replace('"', "'")
            inside ^= line.count("`") % 2 == 1
            if not inside and not style.semicolons:
                text = text.removesuffix(";")
            lines.append(text)
        written = style.newline.join(lines) + (style.newline if style.final_newline else "")
        return (BYTE_ORDER_MARK if self.byte_order_mark else b"") + written.encode()


DEFAULT = Format(Style())
FORMATS = {
    "prettier": DEFAULT,
    "crlf": Format(Style(newline="\r\n")),
    "tabs": Format(Style(indent="\t")),
    "four spaces": Format(Style(indent="    ")),
    "standard": Format(Style(quote="'", semicolons=False)),
    "no final newline": Format(Style(final_newline=False)),
    "byte order mark": Format(Style(), byte_order_mark=True),
    "everything odd": Format(
        Style("\r\n", "\t", "'", '"', semicolons=False, final_newline=False), byte_order_mark=True
    ),
}


def app_files(form: Format = DEFAULT) -> dict[str, bytes]:
    """The files of a small app. package.json has no byte order mark, npm takes none."""
    return {
        "package.json": replace(form, byte_order_mark=False).write(PACKAGE_JSON),
        "src/chat.ts": form.write(CHAT),
        "src/other.ts": form.write(OTHER),
        "src/legacy.ts": form.write(LEGACY),
        ".env.example": form.write("# the model\nOPENAI_API_KEY=\n"),
        ".gitignore": form.write("node_modules\n.env\n"),
    }


def write_app(root: Path, files: dict[str, bytes] | None = None) -> Path:
    """An app on disk, with a mode of its own on two files; the folder is made if need be."""
    for path, data in (app_files() if files is None else files).items():
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
        target.chmod(0o644)
    for path, mode in (("src/chat.ts", 0o640), ("src/legacy.ts", 0o755)):
        if (root / path).exists():
            (root / path).chmod(mode)
    return root


def refusal(command: Callable[[], object]) -> CheckFailed | None:
    """What the command was refused with, None if it went through."""
    try:
        command()
    except CheckFailed as error:
        return error
    return None


def snapshot(root: Path) -> dict[str, tuple[int, bytes]]:
    """Every file and folder with mode and bytes, but for git's and chatops's own folder and node_modules."""
    found = {}
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        if name.split("/")[0] not in (".git", ".chatops", "node_modules"):
            status = path.lstat()
            data = str(path.readlink()).encode() if path.is_symlink() else path.read_bytes() if path.is_file() else b""
            found[name] = (stat.S_IMODE(status.st_mode), data)
    return found


@dataclass(frozen=True)
class AddPackages:
    """A dependency in package.json."""

    number: int = 1
    title: str = "Add tiny"

    def plan(self, view: AppView) -> Outcome:
        if "tiny" in view.json("package.json").get("dependencies", {}):
            return Applied()
        return Pending(packages=(AddPackage("tiny", "^1.0.0"),))


@dataclass(frozen=True)
class AddServer:
    """A new file in a new folder, and lines in files of three kinds."""

    number: int = 2
    title: str = "Add the server"

    def plan(self, view: AppView) -> Outcome:
        edits = Edits(view)
        if not view.exists("party/deep/server.ts"):
            edits.write("party/deep/server.ts", view.style.whole_file(SERVER))
        if not view.exists("party/run.sh"):
            edits.write("party/run.sh", b"#!/bin/sh\n", executable=True)
        edits.set_json("package.json", ("scripts", "party"), "party dev")
        if get_env(view.read(".env.example") or b"", "PARTY_HOST") is None:
            edits.set_env(".env.example", "PARTY_HOST", "127.0.0.1:1999", comment=["where the server is"])
        edits.add_lines(".gitignore", [".party"])
        return Pending(edits.changes()) if edits.changes() else Applied()


@dataclass(frozen=True)
class RenameCalls:
    """Every call of oldCall becomes one of newCall, with an import of it; a call in a .js file is left to a person."""

    number: int = 3
    title: str = "Rename the calls"

    def plan(self, view: AppView) -> Outcome:
        edits = Edits(view)
        leftovers = []
        seen = False
        for file in view.sources("oldCall", suffixes=(".ts", ".tsx")):
            if file.syntax_error_line is not None:
                return Blocked("it cannot be read", file.path, file.syntax_error_line)
            calls = [
                name
                for call in find_all(file.root, "call_expression")
                if (name := call.child_by_field_name("function")) is not None and text_of(name) == "oldCall"
            ]
            for name in calls:
                edits.source(file.path).replace_node(name, "newCall")
            if calls:
                first = next(find_all(file.root, "import_statement"))
                edits.source(file.path).insert_line(first.start_byte, 'import { newCall } from "./new";')
        for file in view.sources("oldCall(", suffixes=(".js",)):
            line = file.line_of(file.data.index(b"oldCall("))
            leftovers.append(Leftover(file.path, line, "oldCall is called", "call newCall"))
        seen = any(True for _ in view.sources("newCall", suffixes=(".ts",)))
        if edits.changes():
            return Pending(edits.changes(), leftovers=tuple(leftovers))
        return Applied(tuple(leftovers)) if seen else NotApplicable("nothing calls oldCall")


@dataclass(frozen=True)
class RemoveLegacy:
    """A file is removed, and a file changed that another migration has changed already."""

    number: int = 4
    title: str = "Remove what is old"

    def plan(self, view: AppView) -> Outcome:
        if not view.exists("src/legacy.ts"):
            return Applied()
        edits = Edits(view)
        for file in view.sources("newCall"):
            for statement in find_all(file.root, "import_statement"):
                if "oldCall" in text_of(statement):
                    edits.source(file.path).delete_lines(statement.start_byte, statement.end_byte)
        edits.delete("src/legacy.ts")
        return Pending(edits.changes())


@dataclass(frozen=True)
class Writes:
    """Writes the files that it is given, and is applied where they are there."""

    changes: tuple[FileChange, ...]
    number: int = 1
    title: str = "Write files"

    def plan(self, view: AppView) -> Outcome:
        todo = tuple(change for change in self.changes if view.read(change.path) != change.after)
        return Pending(todo) if todo else Applied()


ALL = (AddPackages(), AddServer(), RenameCalls(), RemoveLegacy())
