"""Members taken out of object literals, lists and interface bodies; the others, and their commas, stay as written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from migrations.engine.syntax import text_of
from migrations.legacy.line_removal import SOCKET_WORDS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tree_sitter import Node

    from migrations.engine.edits import FileEdit
    from migrations.engine.source import SourceFile

_SEPARATORS = (",", ";")


def remove_members(edit: FileEdit, container: Node, members: Sequence[Node]) -> None:
    """Take these children out of their container, each with its comma, the comment that is for it and its lines. A
    container without a last comma has none afterwards; one that loses everything closes up.
    """
    file = edit.source
    kept = [child for child in _members(container) if child not in members]
    comments = [child for child in container.named_children if child.type == "comment"]
    taken = {comment for member in members for comment in (*_comments_above(file, member), *_comment_behind(member))}
    opening, closing = container.children[0], container.children[-1]
    if not kept and all(comment in taken for comment in comments):
        edit.replace(opening.end_byte, closing.start_byte, "")
        return
    spans = [span for member in members for span in _spans(file, container, member, kept)]
    for start, end in _merged(spans):
        edit.replace(start, end, "")


def _members(container: Node) -> list[Node]:
    return [child for child in container.named_children if child.type != "comment"]


def _spans(file: SourceFile, container: Node, member: Node, kept: Sequence[Node]) -> Iterator[tuple[int, int]]:
    end = _with_separator(member).end_byte
    comments = _comments_above(file, member)
    start = comments[0].start_byte if comments else member.start_byte
    behind = _comment_behind(member)
    last = behind[-1].end_byte if behind else end
    before = [other for other in kept if other.end_byte <= member.start_byte]
    is_last = all(other.start_byte < member.start_byte for other in kept)
    if _is_alone(file, start, last):
        yield _whole_lines(file, container, start, last)
        if is_last and before and end == member.end_byte:
            comma = _with_separator(before[-1])
            yield (comma.start_byte, comma.end_byte) if comma != before[-1] else (comma.end_byte, comma.end_byte)
    elif not is_last:
        following = _with_separator(member).next_sibling
        ends_line = following is not None and following.start_point.row > member.end_point.row
        if ends_line and before and before[-1].end_point.row == member.start_point.row:
            yield _with_separator(before[-1]).end_byte, end
        else:
            yield start, following.start_byte if following is not None else last
    elif before:
        anchor = _with_separator(before[-1])
        if anchor != before[-1] and end == member.end_byte:  # the last one, without a comma: nor has the new last one
            yield before[-1].end_byte, last
        else:
            yield anchor.end_byte, last
    else:
        yield start, last


def _whole_lines(file: SourceFile, container: Node, start: int, last: int) -> tuple[int, int]:
    """The lines of a member, and an empty line beside it that would stand alone."""
    top, bottom = file.line_start(start), file.line_end(last - 1)
    above = file.data[file.line_start(top - 1) : top] if top > 0 else b""
    below = file.data[bottom : file.line_end(bottom)] if bottom < len(file.data) else b""
    inside_top = file.line_start(container.start_byte) if container.children else top
    if not above.strip() and (not below.strip() or below.strip()[:1] in (b"}", b"]")) and top - 1 > inside_top:
        return file.line_start(top - 1), bottom
    if not below.strip() and above.rstrip().endswith((b"{", b"[")):
        return top, file.line_end(bottom)
    return top, bottom


def _with_separator(member: Node) -> Node:
    """The separator behind a member, or the member itself if there is none."""
    following = member.next_sibling
    while following is not None and following.type == "comment":
        following = following.next_sibling
    return following if following is not None and following.type in _SEPARATORS else member


def _comments_above(file: SourceFile, member: Node) -> list[Node]:
    """The comments on lines of their own right above a member that are for nothing but it."""
    found: list[Node] = []
    row, before = member.start_point.row, member.prev_sibling
    while before is not None and before.type == "comment" and before.end_point.row == row - 1:
        if file.data[file.line_start(before.start_byte) : before.start_byte].strip():
            break
        found.insert(0, before)
        row, before = before.start_point.row, before.prev_sibling
    if not found or text_of(found[-1]).startswith("/**"):
        return found[-1:]
    text = " ".join(text_of(comment) for comment in found)
    name = member.child_by_field_name("key") or member.child_by_field_name("name") or member
    if SOCKET_WORDS.search(text.encode()) or text_of(name).strip("\"'") in text:
        return found
    following = _with_separator(member).next_sibling
    is_heading = (
        following is not None and following.is_named and following.start_point.row == member.end_point.row + 1
        and following.type != "comment"
    )  # fmt: skip
    return [] if is_heading else found


def _comment_behind(member: Node) -> list[Node]:
    """The comment on the rest of a member's line."""
    following = _with_separator(member).next_sibling
    if following is None or following.type != "comment" or following.start_point.row != member.end_point.row:
        return []
    after = following.next_sibling
    return [following] if after is None or after.start_point.row > following.end_point.row else []


def _is_alone(file: SourceFile, start: int, end: int) -> bool:
    before = file.data[file.line_start(start) : start]
    after = file.data[end : file.line_end(end)] if end < len(file.data) else b""
    if end > 0 and file.data[end - 1 : end] == b"\n":
        after = b""
    return not before.strip() and not after.strip()


def _merged(spans: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    current: tuple[int, int] | None = None
    for start, end in sorted(span for span in spans if span[0] < span[1]):
        if current is None:
            current = (start, end)
        elif start <= current[1]:
            current = (current[0], max(current[1], end))
        else:
            yield current
            current = (start, end)
    if current is not None:
        yield current
