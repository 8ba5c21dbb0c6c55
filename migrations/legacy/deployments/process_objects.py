"""Configurations in JavaScript that start processes: PM2's apps."""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING

from migrations.discovery.nodes import key_name
from migrations.discovery.trpc_client import property_of, unwrapped
from migrations.engine.edits import FileEdit
from migrations.engine.syntax import find_all, text_of
from migrations.legacy.deployments.commands import Handled
from migrations.legacy.member_removal import remove_members

if TYPE_CHECKING:
    from tree_sitter import Node

    from migrations.engine.source import SourceFile
    from migrations.legacy.deployments.commands import DeployedCommands

_NEXT = "node_modules/next/dist/bin/next"
_INTERPRETING = ("args", "interpreter", "interpreter_args", "node_args", "interpreterArgs", "nodeArgs", "cwd")


def is_process_config(path: str) -> bool:
    """PM2's ecosystem file in JavaScript."""
    return re.fullmatch(r"(ecosystem|pm2|process)(\.[\w-]+)*\.[cm]?js", posixpath.basename(path)) is not None


def clean_process_config(commands: DeployedCommands, file: SourceFile) -> Handled:
    """Entries that only ran the server go; PM2's that ran Next.js within it run Next's own; all else is a need."""
    handled = Handled(file.data)
    edit = FileEdit(file)
    removed: dict[int, tuple[Node, list[Node]]] = {}
    for entry in find_all(file.root, "object"):
        found = _command_of(entry)
        if found is None:
            continue
        line = file.line_of(entry.start_byte)
        verdict = commands.verdict(found[1])
        if verdict.becomes == "same":
            continue
        listing = entry.parent
        if verdict.becomes == "gone" and listing is not None and listing.type == "array":
            removed.setdefault(listing.start_byte, (listing, []))[1].append(entry)
            handled.rewrite(line, f"process {_title(entry)}".strip(), "it runs the WebSocket server and nothing else")
        elif verdict.becomes == "next" and not (why := _why_not(entry)):
            script = found[0]
            quote = text_of(script)[0]
            edit.replace_node(script, f"{quote}{_NEXT}{quote}")
            member = script.parent
            assert member is not None
            edit.insert(member.end_byte, f"{_gap(file, entry)}args: {quote}start{quote}")
            handled.rewrite(line, f"process {_title(entry)}".strip(), "becomes `next start`")
        else:
            why = verdict.why or _why_not(entry)
            how = "let it run the app without the server, then run this again" + (f": {why}" if why else "")
            handled.need(line, f"process {_title(entry)} runs what goes".replace("  ", " "), how)
    for listing, entries in removed.values():
        if len(entries) == len([child for child in listing.named_children if child.type != "comment"]):
            handled.need(
                file.line_of(listing.start_byte),
                "starts nothing but what goes",
                "delete it by hand, then run this again",
            )
            return handled
        remove_members(edit, listing, entries)
    handled.after = edit.result()
    return handled


def _command_of(entry: Node) -> tuple[Node, str] | None:
    """The text that names the program, and the command line that it makes."""
    script = property_of(entry, "script") or property_of(entry, "command")
    if script is None or unwrapped(script).type != "string":
        return None
    text = text_of(unwrapped(script))[1:-1]
    is_file = property_of(entry, "script") is not None
    arguments = property_of(entry, "args")
    behind = _words(unwrapped(arguments)) if arguments is not None else ""
    if is_file and re.search(r"\.[cm]?[jt]sx?$", text) and " " not in text:
        text = f"node {text}"
    return unwrapped(script), f"{text} {behind}".strip()


def _words(node: Node) -> str:
    if node.type == "array":
        return " ".join(text_of(item)[1:-1] for item in node.named_children if item.type == "string")
    return text_of(node)[1:-1] if node.type == "string" else ""


def _why_not(entry: Node) -> str:
    if property_of(entry, "command") is not None:
        return "it is to start Next.js in place of the server"
    names = {key_name(member) for member in entry.named_children}
    other = next((name for name in _INTERPRETING if name in names), None)
    return f"it gives the server its {other}" if other else ""


def _title(entry: Node) -> str:
    name = property_of(entry, "name")
    return text_of(name)[1:-1] if name is not None and name.type == "string" else ""


def _gap(file: SourceFile, entry: Node) -> str:
    """What stands between two members of an object."""
    members = [child for child in entry.named_children if child.type != "comment"]
    if members and members[0].start_point.row > entry.start_point.row:
        return f",{file.style.newline}{file.indentation_of(members[0].start_byte)}"
    return ", "
