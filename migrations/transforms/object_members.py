"""Members put into object literals, formatted as Prettier and Biome would."""

from __future__ import annotations

from typing import TYPE_CHECKING

from migrations.engine.syntax import find_all, text_of
from migrations.transforms.links_text import WIDTH, Look

if TYPE_CHECKING:
    from tree_sitter import Node

    from migrations.engine import FileEdit, SourceFile


def columns(text: str) -> int:
    """How wide a line is; a tab counts two columns, as in T3's Biome and Prettier's default."""
    return len(text.replace("\t", "  "))


def line_before(file: SourceFile, at: int) -> str:
    """What stands on the line before a byte."""
    return file.data[file.line_start(at) : at].decode()


def line_behind(file: SourceFile, at: int) -> str:
    """What stands on the line from a byte on, without the line end."""
    return file.data[at : file.line_end(at)].decode().rstrip("\r\n") if at < len(file.data) else ""


def add_member(
    edit: FileEdit, literal: Node, member: str, *, behind: Node | None = None, may_break: bool = True
) -> None:
    """Add `member` behind another one of the object, or before all of them: on a line of its own if those are; an
    object on one line stays there while that is short enough, and is broken otherwise if it may.
    """
    file = edit.source
    members = [child for child in literal.named_children if child.type != "comment"]
    opening, closing = literal.children[0], literal.children[-1]
    newline = file.style.newline
    if not members and opening.end_point.row == closing.start_point.row:
        edit.replace(opening.end_byte, closing.start_byte, f" {member} ")
    elif not members or members[0].start_point.row > opening.start_point.row:
        indent = file.indentation_of(members[0].start_byte) if members else file.indentation_of(literal.start_byte)
        if behind is None:
            edit.insert(file.line_end(opening.start_byte), f"{indent}{member},{newline}")
            return
        comma = behind.next_sibling
        while comma is not None and comma.type == "comment":
            comma = comma.next_sibling
        if comma is None or comma.type != ",":  # the last one, without a comma: the new one gets none either
            edit.insert(behind.end_byte, ",")
            end = _end_of_line(file, behind.end_byte)
            edit.insert(end, f"{newline}{indent}{member}")
        elif any(m.start_point.row == comma.end_point.row for m in members if m.start_byte > comma.start_byte):
            edit.insert(comma.end_byte, f" {member},")
        else:
            edit.insert(_end_of_line(file, comma.end_byte), f"{newline}{indent}{member},")
    else:
        texts = [text_of(m) for m in members]
        texts.insert(members.index(behind) + 1 if behind is not None else 0, member)
        line = line_before(file, literal.start_byte) + one_line(texts) + line_behind(file, literal.end_byte)
        has_comment = next(find_all(literal, "comment"), None) is not None
        if "\n" in text_of(literal) or has_comment or columns(line) <= WIDTH or not may_break:
            if behind is not None:
                edit.insert(behind.end_byte, f", {member}")
            else:
                edit.insert(members[0].start_byte, f"{member}, ")
        else:
            edit.replace_node(literal, broken(file, texts, file.indentation_of(literal.start_byte)))


def one_line(members: list[str]) -> str:
    """An object literal on one line."""
    return "{ " + ", ".join(members) + " }"


def broken(file: SourceFile, members: list[str], base: str) -> str:
    """An object literal with each member on a line of its own; its last line begins with `base`."""
    newline = file.style.newline
    inner = f",{newline}{base}{file.style.indent}".join(members)
    return f"{{{newline}{base}{file.style.indent}{inner}{Look.of(file).last_comma}{newline}{base}}}"


def _end_of_line(file: SourceFile, at: int) -> int:
    """The end of the line that a byte is on, before its line end."""
    return at + len(line_behind(file, at).encode())
