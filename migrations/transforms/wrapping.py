"""Lines that a change has made too long, broken where Prettier and Biome would; what they were before stays.

What `break_long_lines` knows comes first. It reads a line from its first node on; this adds what begins further inside:
the heads of functions, links of a chain, types and functions that are handed on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from migrations.discovery.nodes import field, without_comments
from migrations.engine.source import SourceFile
from migrations.engine.syntax import find_all, text_of
from migrations.transforms.links_text import Look
from migrations.transforms.long_lines import break_long_lines, commas_in_calls, width_of
from migrations.transforms.object_members import columns

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Node

_MOST_BREAKS = 100
_LISTS = ("object", "array", "arguments", "object_pattern")
# Bodies that an arrow function has on a line of their own, while it stays behind the call's parenthesis.
_HUGGED = ("call_expression", "ternary_expression", "as_expression", "satisfies_expression")


def wrapped(before: SourceFile, after: bytes, width: int = 0, *, is_new: bool = False) -> bytes:
    """`after` with its too long lines broken, but for those that were in `before` already (unless all of it `is_new`),
    in the way of `before` and to `width` columns, by default what `before` shows. A line for which no break is known
    stays long.
    """
    width = width or width_of(before)
    old = SourceFile(before.path, b"") if is_new else before
    known = {line.strip() for line in old.data.split(b"\n") if _columns(line) > width}
    for _ in range(_MOST_BREAKS):
        if SourceFile(before.path, after).syntax_error_line is not None:
            return after
        after = break_long_lines(old, after, width)
        file = SourceFile(before.path, after)
        lines = after.split(b"\n")
        rows = {row for row, line in enumerate(lines) if _columns(line) > width and line.strip() not in known}
        edits = next(filter(None, (_break(file, node, width) for node in _on_one_row(file.root, rows))), None)
        if edits is None:
            break
        for start, end, text in sorted(edits, reverse=True):
            after = after[:start] + text.encode() + after[end:]
    return _with_commas_of(before, after)


def _columns(line: bytes) -> int:
    return columns(line.rstrip(b"\r").decode(errors="replace"))


def _on_one_row(root: Node, rows: set[int]) -> Iterator[Node]:
    """The nodes that begin and end on one of these rows, outer ones first; none in a template literal."""
    stack = [root] if rows else []
    while stack:
        node = stack.pop()
        if node.is_named and node.start_point.row == node.end_point.row and node.start_point.row in rows:
            yield node
        if node.type != "template_string":
            stack.extend(reversed(node.children))


def _break(file: SourceFile, node: Node, width: int) -> list[tuple[int, int, str]]:
    """The edits that break one node over lines; none if it is not one to break, or a part of it is."""
    outer = file.style.newline + file.indentation_of(node.start_byte)
    if file.data[file.line_start(node.start_byte) :].lstrip(b" \t").startswith((b"? ", b": ")):
        outer += "\t" if file.style.indent == "\t" else "  "  # a choice's value stands to the right of its mark
    inner = outer + file.style.indent
    if node.type == "type_arguments":
        given = node.named_children
        if (
            len(given) != 1
            or given[0].type in ("object_type", "type_identifier", "predefined_type")
            or _columns(file.data[file.line_start(node.start_byte) : node.end_byte] + b"(") <= width
        ):
            return []
        start, end = given[0].start_byte, given[0].end_byte
        return [(node.start_byte + 1, start, inner), (end, node.end_byte - 1, outer)]
    members = node.named_children
    if node.type not in _LISTS or not members or len(without_comments(node)) < len(members):
        return []
    last = members[-1]
    if node.type == "arguments":
        body = field(last, "body") if last.type == "arrow_function" else last
        if _has_members(body) and all(other.type != last.type for other in members[:-1]):
            return []
        if body != last and body.type in _HUGGED:
            arrow = next(child for child in last.children if child.type == "=>")
            return [(arrow.end_byte, body.start_byte, inner), (last.end_byte, node.end_byte - 1, f",{outer}")]
    edits = []
    at = node.start_byte + 1
    for member in members:
        edits.append((at, member.start_byte, inner))
        follower = member.next_sibling
        at = follower.end_byte if follower is not None and follower.type == "," else member.end_byte
    comma = "" if last.type == "rest_pattern" else ","
    return [*edits, (last.end_byte, node.end_byte - 1, comma + outer)]


def _has_members(node: Node) -> bool:
    """Whether it is an object or array with members, which is broken in place of what is around it."""
    if node.type == "parenthesized_expression" and node.named_children:
        return _has_members(node.named_children[0])
    return node.type in ("object", "array") and bool(node.named_children)


def _with_commas_of(before: SourceFile, after: bytes) -> bytes:
    """`after` without commas behind last members where `before` has none; what was on several lines stays as it is."""
    kinds: set[str] = set()
    if not Look.of(before).last_comma:
        kinds.update(("object", "array", "object_pattern"))
    if not commas_in_calls(before):
        kinds.add("arguments")
    known = {line.strip() for line in before.data.split(b"\n")}
    file = SourceFile(before.path, after)
    commas = []
    for node in find_all(file.root, *kinds) if kinds else ():
        comma = node.children[-2]
        first_line = file.data[file.line_start(node.start_byte) : file.line_end(node.start_byte)].strip()
        if text_of(comma) == "," and comma.end_point.row < node.end_point.row and first_line not in known:
            commas.append(comma.start_byte)
    for at in sorted(commas, reverse=True):
        after = after[:at] + after[at + 1 :]
    return after
