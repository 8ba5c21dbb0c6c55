"""JSON files (comments and trailing commas allowed) changed in place: order, indentation, line ends and comments stay.

The text is read with the TypeScript grammar, as the expression it also is; so the one parser gives the spans. Every
function takes the file's bytes and gives the new ones, and changes nothing where the file says so already.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, TypeAlias

from migrations.engine.style import style_of
from migrations.engine.syntax import find_all, first_error, parse, text_of
from relay_server.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tree_sitter import Node

Keys: TypeAlias = "Sequence[str]"

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_OPEN = b"("


class _Document:
    """The parsed text; spans of nodes are moved back by the bracket that makes an expression of it."""

    def __init__(self, data: bytes, path: str) -> None:
        self.path = path
        self.mark = _BYTE_ORDER_MARK if data.startswith(_BYTE_ORDER_MARK) else b""
        self.data = data.removeprefix(self.mark)
        try:
            self.data.decode()
        except UnicodeDecodeError as error:
            raise self._bad(error.start, "it is not UTF-8") from None
        root = parse(_OPEN + self.data + b"\n)").root_node
        error_node = first_error(root)
        if error_node is not None:
            raise self._bad(error_node.start_byte - 1, "it is not JSON")
        values = [node for node in find_all(root, "parenthesized_expression") if node.start_byte == 0]
        inside = [node for node in values[0].named_children if node.type != "comment"] if values else []
        if len(inside) != 1 or values[0].end_byte != root.end_byte:
            raise self._bad(0, "it is not JSON")
        self.value = inside[0]

    def _bad(self, at: int, what: str) -> UsageError:
        line = self.data.count(b"\n", 0, max(at, 0)) + 1
        return UsageError(f"{self.path}:{line}: {what}", next_step=f"mend {self.path}", code="bad_file")

    def evaluate(self, node: Node) -> Any:
        if node.type == "object":
            return {key: self.evaluate(value) for key, _, value in self.members(node)}
        if node.type == "array":
            return [self.evaluate(item) for item in node.named_children if item.type != "comment"]
        if node.type in ("string", "number", "true", "false", "null", "unary_expression"):
            try:
                return json.loads(text_of(node))
            except ValueError:
                pass
        raise self._bad(node.start_byte - 1, "it is not JSON")

    def members(self, node: Node) -> list[tuple[str, Node, Node]]:
        """Key, member and value of each member of an object."""
        members = []
        for pair in node.named_children:
            if pair.type == "comment":
                continue
            key, value = pair.child_by_field_name("key"), pair.child_by_field_name("value")
            if pair.type != "pair" or key is None or value is None or key.type != "string":
                raise self._bad(pair.start_byte - 1, "it is not JSON")
            members.append((self.evaluate(key), pair, value))
        return members

    def child(self, node: Node, key: str) -> tuple[Node, Node] | None:
        """Member and value under a key; the last one counts, as in every JSON reader."""
        if node.type != "object":
            return None
        found = [(pair, value) for name, pair, value in self.members(node) if name == key]
        return found[-1] if found else None

    def spliced(self, start: int, end: int, new: str) -> bytes:
        """The file with the span (of the parsed text) replaced; line ends in `new` become the file's own."""
        newline = style_of(self.data).newline
        return self.mark + self.data[: start - 1] + new.replace("\n", newline).encode() + self.data[end - 1 :]


def parse_json(data: bytes, path: str = "the file") -> Any:
    """The value. Raises UsageError with `path` and the line where it is not JSON."""
    document = _Document(data, path)
    return document.evaluate(document.value)


def set_json(data: bytes, keys: Keys, value: object, path: str = "the file", *, in_order: bool = False) -> bytes:
    """Set the value under `keys`, making the objects on the way there. A new key comes last; with `in_order` at its
    place in the alphabet, if the others are in order. Raises UsageError: not JSON, or not an object on the way.
    """
    document = _Document(data, path)
    node = document.value
    document.evaluate(node)
    for depth, key in enumerate(keys):
        if node.type != "object":
            where = ".".join(keys[:depth]) or "the top"
            raise UsageError(f"{path}: {where} is not an object", next_step=f"mend {path}", code="bad_file")
        found = document.child(node, key)
        if found is None:
            for missing in reversed(keys[depth + 1 :]):
                value = {missing: value}
            return _with_member(document, node, key, value, in_order=in_order)
        node = found[1]
    if _same(document.evaluate(node), value):
        return data
    return document.spliced(node.start_byte, node.end_byte, _dump(document, node, value))


def remove_json(data: bytes, keys: Keys, path: str = "the file") -> bytes:
    """Remove what is under `keys`, if there is anything. An object that becomes empty stays. Raises UsageError."""
    document = _Document(data, path)
    document.evaluate(document.value)
    node, pair = document.value, None
    for key in keys:
        found = document.child(node, key)
        if found is None:
            return data
        pair, node = found
    assert pair is not None, "the whole file is not a member"
    return _without(document, pair)


def append_json(data: bytes, keys: Keys, value: object, path: str = "the file") -> bytes:
    """Append to the array under `keys` what it does not hold yet; a missing array is made. Raises UsageError."""
    document = _Document(data, path)
    node: Node | None = document.value
    for key in keys:
        found = document.child(node, key) if node is not None else None
        node = None if found is None else found[1]
    if node is None:
        return set_json(data, keys, [value], path)
    items = document.evaluate(node)
    if node.type != "array":
        where = ".".join(keys) or "the top"
        raise UsageError(f"{path}: {where} is not an array", next_step=f"mend {path}", code="bad_file")
    if any(_same(item, value) for item in items):
        return data
    return _with_item(document, node, _dump(document, node, value, inside=True))


def remove_item_json(data: bytes, keys: Keys, value: object, path: str = "the file") -> bytes:
    """Remove a value from the array under `keys`, if it is there. Raises UsageError: not JSON."""
    document = _Document(data, path)
    node = document.value
    document.evaluate(node)
    for key in keys:
        found = document.child(node, key)
        if found is None:
            return data
        node = found[1]
    for item in node.named_children if node.type == "array" else ():
        if item.type != "comment" and _same(document.evaluate(item), value):
            return _without(document, item)
    return data


def _same(one: object, other: object) -> bool:
    """Equal as JSON: true is not 1, the order of keys counts for nothing."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def _with_member(document: _Document, node: Node, key: str, value: object, *, in_order: bool) -> bytes:
    members = document.members(node)
    names = [name for name, _, _ in members]
    text = f"{json.dumps(key, ensure_ascii=False)}: {_dump(document, node, value, inside=True)}"
    if in_order and names == sorted(names):
        later = next((pair for name, pair, _ in members if name > key), None)
        if later is not None:
            space = _space_before(document, later)
            return document.spliced(later.start_byte, later.start_byte, f"{text},{space or ' '}")
    return _with_item(document, node, text)


def _with_item(document: _Document, node: Node, text: str) -> bytes:
    """The object or array with `text` as its last member."""
    items = [item for item in node.named_children if item.type != "comment"]
    if not items:
        if node.named_children:  # only comments: before the closing bracket, on a line of its own
            close = node.children[-1].start_byte
            outer = _indentation(document, close)
            before = document.data[: close - 1].rstrip(b" \t")
            unit = style_of(document.data).indent
            return document.spliced(len(before) + 1, close, f"{outer}{unit}{text}\n{outer}")
        outer = _indentation(document, node.start_byte)
        inner = outer + style_of(document.data).indent
        brackets = "{}" if node.type == "object" else "[]"
        new = f"[{text}]" if node.type == "array" else f"{brackets[0]}\n{inner}{text}\n{outer}{brackets[1]}"
        return document.spliced(node.start_byte, node.end_byte, new)
    last = items[-1]
    space = _space_before(document, last)
    if space is None:  # the first and only one, right after its bracket
        space = " "
    after = last.next_sibling
    if after is not None and after.type == ",":  # a trailing comma stays one
        return document.spliced(after.end_byte, after.end_byte, f"{space}{text},")
    return document.spliced(last.end_byte, last.end_byte, f",{space}{text}")


def _without(document: _Document, member: Node) -> bytes:
    """The file without a member: with its comma, and with its line if it stood on one of its own."""
    data = document.data
    start, end = member.start_byte, member.end_byte
    following, before = member.next_sibling, _previous(member)
    if following is not None and following.type == ",":
        end = following.end_byte
        next_item = following.next_sibling
        if next_item is not None and next_item.type not in ("}", "]"):
            # Up to the next member, or the comment before it: what stands before the member now stands before that.
            same_line = b"\n" not in data[end - 1 : next_item.start_byte - 1]
            if next_item.type == "comment" and same_line:
                return document.spliced(_gap_start(document, start), next_item.end_byte, "")
            return document.spliced(start, next_item.start_byte, "")
        return document.spliced(_gap_start(document, start), end, "")
    if before is not None and before.type == ",":
        between = data[before.end_byte - 1 : start - 1]
        if not between.strip():  # no comment between: the comma goes with the member
            return document.spliced(before.start_byte, end, "")
        with_comma = document.spliced(_gap_start(document, start), end, "")
        mark = len(document.mark)
        at = mark + before.start_byte - 1
        return with_comma[:at] + with_comma[at + 1 :]
    # The only one: the brackets close up, unless there are comments.
    parent = member.parent
    if parent is not None and all(child.type != "comment" for child in parent.children):
        return document.spliced(parent.children[0].end_byte, parent.children[-1].start_byte, "")
    return document.spliced(_gap_start(document, start), end, "")


def _previous(node: Node) -> Node | None:
    before = node.prev_sibling
    while before is not None and before.type == "comment":
        before = before.prev_sibling
    return before


def _gap_start(document: _Document, at: int) -> int:
    """The beginning of the white space that ends at `at`."""
    return len(document.data[: at - 1].rstrip()) + 1


def _space_before(document: _Document, member: Node) -> str | None:
    """The white space that stands between members here; None where this member shows none."""
    gap = document.data[_gap_start(document, member.start_byte) - 1 : member.start_byte - 1].decode()
    gap = gap.replace("\r\n", "\n")
    if "\n" in gap:
        return "\n" + gap.rsplit("\n", 1)[1]
    before = member.prev_sibling
    if gap or (before is not None and before.type == ","):
        return gap
    return None


def _indentation(document: _Document, at: int) -> str:
    line = document.data[document.data.rfind(b"\n", 0, at - 1) + 1 :]
    return line[: len(line) - len(line.lstrip(b" \t"))].decode()


def _dump(document: _Document, node: Node, value: object, *, inside: bool = False) -> str:
    """A value as this file would write it: on lines of its own if it is an object, indented like its place."""
    if not isinstance(value, (dict, list)) or not value:
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, list) and not any(isinstance(item, (dict, list)) for item in value):
        return json.dumps(value, ensure_ascii=False)
    unit = style_of(document.data).indent
    base = _indentation(document, node.start_byte) + (unit if inside else "")
    return json.dumps(value, ensure_ascii=False, indent=unit).replace("\n", "\n" + base)
