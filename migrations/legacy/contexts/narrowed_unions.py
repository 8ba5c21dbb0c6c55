"""Members taken out of a union type, and what is left put where Prettier and Biome would have it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from migrations.discovery.nodes import without_comments
from migrations.engine.syntax import find_all, text_of
from migrations.legacy.contexts.ws_types import union_members
from migrations.transforms.long_lines import width_of
from migrations.transforms.object_members import columns, line_before, line_behind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tree_sitter import Node

    from migrations.engine.edits import FileEdit

_BEFORE_TYPES = frozenset({":", "=", "?:"})


def narrow_union(edit: FileEdit, union: Node, gone: Sequence[Node]) -> None:
    """Take these members, not all of them, out of a union. What was broken over lines and fits on one now is joined,
    with the list of parameters around it if there is only this one in it.
    """
    kept = [member for member in union_members(union) if member not in gone]
    joined = " | ".join(text_of(member) for member in kept) if len(kept) > 1 else _unwrapped(kept[0])
    if _join_parameters(edit, union, joined) or _join_lines(edit, union, joined):
        return
    comments = _comments_of(union)
    if any(text_of(comment).startswith("//") for of_member in comments.values() for comment in of_member) and (
        len(kept) > 1 or comments[kept[0]]
    ):
        _list_anew(edit, union, {member: comments[member] for member in kept})
    elif len(kept) > 1:
        for member in gone:
            _cut(edit, union, member)
    else:
        before = _broken_before(edit, union)
        start = before.end_byte if before is not None else union.start_byte
        edit.replace(start, union.end_byte, joined if before is None else f" {joined}")


def _broken_before(edit: FileEdit, union: Node) -> Node | None:
    """The `:` or `=` that a union on lines of its own stands behind."""
    before = union.prev_sibling
    if before is None or before.type not in _BEFORE_TYPES:
        return None
    return before if b"\n" in edit.source.data[before.end_byte : union.start_byte] else None


def _join_lines(edit: FileEdit, union: Node, joined: str) -> bool:
    before = _broken_before(edit, union)
    if before is None or _has_comment(union):
        return False
    line = f"{line_before(edit.source, before.end_byte)} {joined}{line_behind(edit.source, union.end_byte)}"
    if columns(line) > width_of(edit.source):
        return False
    edit.replace(before.end_byte, union.end_byte, f" {joined}")
    return True


def _join_parameters(edit: FileEdit, union: Node, joined: str) -> bool:
    """`(` and the one parameter on lines of their own, joined where that fits."""
    annotation = union.parent
    parameter = annotation.parent if annotation is not None and annotation.type == "type_annotation" else None
    parameters = parameter.parent if parameter is not None else None
    if annotation is None or parameter is None or parameters is None or parameters.type != "formal_parameters":
        return False
    opening, closing = parameters.children[0], parameters.children[-1]
    data = edit.source.data
    name = data[parameter.start_byte : annotation.start_byte].decode()
    is_alone = len(without_comments(parameters)) == 1 and not _has_comment(parameters)
    is_broken = b"\n" in data[opening.end_byte : parameter.start_byte]
    if not is_alone or not is_broken or "\n" in name or "\n" in joined:
        return False
    inside = f"{name}: {joined}"
    line = f"{line_before(edit.source, opening.end_byte)}{inside}{line_behind(edit.source, closing.start_byte)}"
    if columns(line) > width_of(edit.source):
        return False
    edit.replace(opening.end_byte, closing.start_byte, inside)
    return True


def _list_anew(edit: FileEdit, union: Node, members: Mapping[Node, Sequence[Node]]) -> None:
    """Write these members on lines of their own, each below its comments: what follows the union must not come to stand
    behind one.
    """
    data, last = edit.source.data, union_members(union)[-1]
    newline = "\r\n" if b"\r\n" in data[union.start_byte : union.end_byte] else "\n"
    lines = [line for member, comments in members.items() for line in (*map(text_of, comments), f"| {text_of(member)}")]
    separator = newline + edit.source.indentation_of(last.start_byte)
    edit.replace(union.start_byte, union.end_byte, separator.join(lines))


def _comments_of(union: Node) -> dict[Node, list[Node]]:
    """The members of a union, each with the comments that tell of it: those before it, and behind it on its line."""
    members = union_members(union)
    found: dict[Node, list[Node]] = {member: [] for member in members}
    for comment in find_all(union, "comment"):
        if any(member.start_byte <= comment.start_byte < member.end_byte for member in members):
            continue
        before = [member for member in members if member.end_byte <= comment.start_byte]
        is_behind = bool(before) and before[-1].end_point.row == comment.start_point.row
        found[before[-1] if is_behind else members[len(before)]].append(comment)
    return found


def _has_comment(node: Node) -> bool:
    return any(True for _ in find_all(node, "comment"))


def _cut(edit: FileEdit, union: Node, member: Node) -> None:
    """Take one of several members out, with the bar that belongs to it."""
    data = edit.source.data
    bars = [bar for bar in _bars(union) if bar.end_byte <= member.start_byte]
    if bars and bars[-1].start_byte > union.start_byte:
        edit.replace(len(data[: bars[-1].start_byte].rstrip()), member.end_byte, "")
        return
    after = next(bar for bar in _bars(union) if bar.start_byte >= member.end_byte)
    if bars:
        edit.replace(bars[-1].start_byte, after.start_byte, "")
        return
    behind = len(data) - len(data[after.end_byte :].lstrip())
    edit.replace(member.start_byte, behind, "")


def _bars(union: Node) -> list[Node]:
    """The bars between, and before, the members of a union, in their order."""
    found: list[Node] = []
    for child in union.children:
        if child.type == "|":
            found.append(child)
        elif child.type == "union_type":
            found += _bars(child)
    return sorted(found, key=lambda node: node.start_byte)


def _unwrapped(node: Node) -> str:
    inner = without_comments(node)
    return text_of(inner[0]) if node.type == "parenthesized_type" and len(inner) == 1 else text_of(node)
