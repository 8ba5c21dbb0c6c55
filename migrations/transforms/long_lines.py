"""Lines that have become too long by moving right, broken where Prettier and Biome would break them.

Not a formatter: it knows the statements and expressions that server code is mostly made of, each by the rule that
Prettier 3 has for it (its `printAssignment`, `printMemberChain`, `printCallArguments`), and leaves any other line long.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from migrations.engine.source import SourceFile
from migrations.engine.syntax import find_all, text_of, walk
from migrations.transforms.links_text import WIDTH
from migrations.transforms.object_members import columns

if TYPE_CHECKING:
    from collections.abc import Callable

    from tree_sitter import Node

_MOST_BREAKS = 300
_SHORT_ARGUMENT = WIDTH // 4
_PREFIXES = frozenset({"await_expression", "yield_expression", "unary_expression", "non_null_expression"})
_LITERALS = frozenset({"object", "array"})
_CASTS = frozenset({"as_expression", "satisfies_expression"})
_CALLS = frozenset({"call_expression", "new_expression"})
_MEMBERS = frozenset({"member_expression", "subscript_expression", "non_null_expression"})


def width_of(file: SourceFile) -> int:
    """The columns that a file keeps to: 80, or what its longest line without a literal shows. A tab counts two."""
    inside = {
        row
        for node in find_all(file.root, "template_string", "comment")
        for row in range(node.start_point.row, node.end_point.row + 1)
    }
    longest = max(
        (
            columns(line.decode(errors="replace").rstrip("\r"))
            for row, line in enumerate(file.data.split(b"\n"))
            if row not in inside and not re.search(rb"[\"']", line)
        ),
        default=0,
    )
    return next((width for width in (WIDTH, 100, 120) if longest <= width), longest)


def commas_in_calls(file: SourceFile) -> bool:
    """Whether the last argument of a call that is broken over lines is followed by a comma in this file."""
    with_comma = without = 0
    for arguments in find_all(file.root, "arguments"):
        last, closing = arguments.children[-2], arguments.children[-1]
        if len(arguments.children) > 2 and last.end_point.row < closing.start_point.row and last.type != "comment":
            with_comma += last.type == ","
            without += last.type != ","
    return with_comma >= without


def break_long_lines(before: SourceFile, after: bytes, width: int = 0) -> bytes:
    """`after` with its too long lines broken, but for those that are as in `before`, whose ways it keeps. `width` is
    what the file keeps to; by default what `before` shows.
    """
    width, commas = width or width_of(before), commas_in_calls(before)

    def is_long(line: bytes) -> bool:
        return columns(line.rstrip(b"\r").decode(errors="replace")) > width

    known = {line.strip() for line in before.data.split(b"\n") if is_long(line)}
    given_up: set[bytes] = set()
    for _ in range(_MOST_BREAKS):
        file = SourceFile(before.path, after)
        lines = after.split(b"\n")
        rows = [n for n, line in enumerate(lines) if is_long(line) and line.strip() not in known | given_up]
        fixed = _fixed_rows(file, is_long) if rows else set()
        row = next((row for row in rows if row not in fixed), None)
        if row is None:
            break
        edits = _Line(file, row, width, commas).edits()
        if not edits:
            given_up.add(lines[row].strip())
        for start, end, text in sorted(edits, reverse=True):
            after = after[:start] + text.encode() + after[end:]
    return after


class _Line:
    """One line that is too long: what to put between its parts."""

    def __init__(self, file: SourceFile, row: int, width: int, commas: bool) -> None:
        self.file, self.row, self.width, self.commas = file, row, width, commas
        start = file.data.split(b"\n")
        self.at = sum(len(line) + 1 for line in start[:row])
        self.line = start[row].decode().rstrip("\r")
        self.base = self.line[: len(self.line) - len(self.line.lstrip(" \t"))]
        self.newline, self.unit = file.style.newline, file.style.indent

    def edits(self) -> list[tuple[int, int, str]]:
        first = self.at + len(self.base)
        node = next((n for n in walk(self.file.root) if n.is_named and n.start_byte == first), None)
        if node is None or node.type == "program":
            node = next((n for n in self.file.root.named_children if n.start_byte == first), None)
        if node is not None and node.type == "if_statement":
            return self._if(node)
        return self._element(node) if node is not None and node.end_point.row == self.row else []

    def _element(self, node: Node) -> list[tuple[int, int, str]]:
        """A statement, or a member or an argument on a line of its own."""
        if node.type in ("lexical_declaration", "variable_declaration"):
            declared = [child for child in node.named_children if child.type == "variable_declarator"]
            value = declared[0].child_by_field_name("value") if len(declared) == 1 else None
            return self._assigned(value) if value is not None else []
        if node.type == "pair":
            value = node.child_by_field_name("value")
            return self._assigned(value) if value is not None else []
        if node.type == "expression_statement":
            inner = node.named_children[0]
            if inner.type in ("assignment_expression", "augmented_assignment_expression"):
                right = inner.child_by_field_name("right")
                return self._assigned(right) if right is not None else []
            return self._expression(inner)
        if node.type in ("return_statement", "throw_statement"):
            value = next(iter(node.named_children), None)
            if value is not None and value.type == "binary_expression":
                inside = self.newline + self.base + self.unit
                return [
                    (value.start_byte, value.start_byte, f"({inside}"),
                    (value.end_byte, value.end_byte, f"{self.newline}{self.base})"),
                ]
            return self._expression(value) if value is not None else []
        if node.type == "spread_element":
            return self._expression(node.named_children[0])
        if node.type == "binary_expression":
            return self._operators(node, self.base)
        return self._expression(node)

    def _if(self, node: Node) -> list[tuple[int, int, str]]:
        condition, body = node.child_by_field_name("condition"), node.child_by_field_name("consequence")
        if condition is None or body is None or condition.end_point.row != self.row:
            return []
        if body.type != "statement_block" and body.start_point.row == self.row:
            return [self._line_at(condition.end_byte, body.start_byte, self.base + self.unit)]
        inner = condition.named_children[0]
        return [
            self._line_at(condition.start_byte + 1, inner.start_byte, self.base + self.unit),
            *(self._operators(inner, self.base + self.unit) if inner.type == "binary_expression" else ()),
            self._line_at(inner.end_byte, condition.end_byte - 1, self.base),
        ]

    def _assigned(self, value: Node) -> list[tuple[int, int, str]]:
        """The right side of `=` or `:`: on a line of its own, or broken where it stands."""
        inner = value
        while inner.type in ("await_expression", "unary_expression", "non_null_expression") and inner.named_children:
            inner = inner.named_children[-1]
        test = value.child_by_field_name("condition") if value.type == "ternary_expression" else None
        behind = (
            (value.type == "binary_expression" and not self._is_inlined(value))
            or (test is not None and test.type == "binary_expression" and not self._is_inlined(test))
            or inner.type in ("string", "member_expression")
            or (value.type == "call_expression" and _is_poorly_breakable(value))
            or (value.type in _CASTS and _is_plain(value.named_children[-1]))
        )
        if behind:
            before = value.prev_sibling
            return (
                [self._line_at(before.end_byte, value.start_byte, self.base + self.unit)] if before is not None else []
            )
        return self._expression(value)

    def _expression(self, node: Node) -> list[tuple[int, int, str]]:
        """Break an expression where it stands, at its outermost place."""
        while node.type in _PREFIXES and node.named_children:
            node = node.named_children[-1]
        if node.type == "parenthesized_expression" or (node.type == "binary_expression" and self._is_inlined(node)):
            return self._expression(node.named_children[-1])
        if node.type in _LITERALS:
            return self._members(node)
        if node.type == "ternary_expression":
            return [
                self._line_at(mark.prev_sibling.end_byte, mark.start_byte, self.base + self.unit)
                for mark in node.children
                if mark.type in ("?", ":") and mark.prev_sibling is not None
            ]
        if node.type in _CASTS:
            return self._type_arguments(node.named_children[-1]) if len(node.named_children) == 2 else []
        if node.type in _CALLS:
            return self._call(node)
        if node.type == "arrow_function":
            return self._arrow(node)
        return []

    def _call(self, node: Node) -> list[tuple[int, int, str]]:
        arguments = node.child_by_field_name("arguments")
        if arguments is None or arguments.type != "arguments" or any(c.type == "comment" for c in arguments.children):
            return []
        dotted = [call for call in _calls_of(node) if _has_member(call)]
        if len(dotted) > 1:
            return self._chain(node, _calls_of(node))
        given = arguments.named_children
        if not given:
            types = node.child_by_field_name("type_arguments")
            is_list = types is not None and len(types.named_children) > 1 and self._fits(types.start_byte + 1)
            return self._members(types, last_comma="") if is_list and types is not None else []
        if not self._fits(arguments.start_byte + 1):
            function = node.child_by_field_name("function")
            inner = function.child_by_field_name("object") if function is not None else None
            return self._call(inner) if inner is not None and inner.type in _CALLS else []
        last = given[-1]
        others = {argument.type for argument in given[:-1]}
        is_alone = not others & {"arrow_function", "object", "array"}
        if last.type in _LITERALS and last.named_children and is_alone and self._fits(last.start_byte + 1):
            return self._members(last)
        if last.type == "arrow_function" and not others & {"arrow_function", "function_expression"}:
            body = last.child_by_field_name("body")
            inner = body.named_children[0] if body is not None and body.type == "parenthesized_expression" else body
            if inner is not None and inner.type in _LITERALS and inner.named_children:
                return self._members(inner) if self._fits(inner.start_byte + 1) else []
            return []
        return self._members(arguments)

    def _chain(self, node: Node, calls: list[Node]) -> list[tuple[int, int, str]]:
        """Two calls or more of a chain, each on a line of its own behind what the chain begins with."""
        dots: list[Node] = []
        for call in calls:
            function = call.child_by_field_name("function")
            if function is None or function.type != "member_expression":
                continue
            owner = function.child_by_field_name("object")
            dot = next((child for child in function.children if child.type in (".", "?.", "optional_chain")), None)
            if dot is not None and owner is not None:
                dots.append(dot)
        first = _root_of(node)
        if len(dots) != len(calls) or text_of(first) == "this" or re.match(r"[A-Z_$]", text_of(first)):
            return []
        places = []
        for dot in dots:
            # What stands between two calls, such as `[0].delta`, begins the line of the next one.
            owner = dot.parent.child_by_field_name("object") if dot.parent is not None else None
            while owner is not None and owner.type in _MEMBERS and dot is not dots[0]:
                inner = owner.child_by_field_name("object") or owner.named_children[0]
                mark = next((c for c in owner.children if c.type in (".", "?.", "optional_chain", "[", "!")), None)
                if mark is None or mark.type in ("[", "!"):
                    return []
                dot, owner = mark, inner
            places.append(dot)
        return [self._line_at(dot.start_byte, dot.start_byte, self.base + self.unit) for dot in places]

    def _arrow(self, node: Node) -> list[tuple[int, int, str]]:
        body = node.child_by_field_name("body")
        arrow = next((child for child in node.children if child.type == "=>"), None)
        inner = body.named_children[0] if body is not None and body.type == "parenthesized_expression" else body
        if body is None or inner is None or arrow is None:
            return []
        if inner.type in _LITERALS:
            return self._members(inner)
        if body.type in ("statement_block", "template_string", "ternary_expression", "arrow_function"):
            return []
        return [self._line_at(arrow.end_byte, body.start_byte, self.base + self.unit)]

    def _type_arguments(self, node: Node) -> list[tuple[int, int, str]]:
        arguments = next((child for child in node.named_children if child.type == "type_arguments"), None)
        if arguments is None or node.type != "generic_type" or not self._fits(arguments.start_byte + 1):
            return []
        return self._members(arguments, last_comma="")

    def _members(self, node: Node, last_comma: str | None = None) -> list[tuple[int, int, str]]:
        """Each member of brackets on a line of its own."""
        members = [child for child in node.children if child.is_named]
        if not members or any(member.type == "comment" for member in members):
            return []
        inner = self.base + self.unit
        edits = []
        at = node.children[0].end_byte
        for member in members:
            edits.append(self._line_at(at, member.start_byte, inner))
            comma = member.next_sibling
            at = comma.end_byte if comma is not None and comma.type == "," else member.end_byte
        comma_text = "," if node.type != "arguments" or self.commas else ""
        text = (comma_text if last_comma is None else last_comma) + self.newline + self.base
        return [*edits, (members[-1].end_byte, node.children[-1].start_byte, text)]

    def _operators(self, node: Node, indent: str) -> list[tuple[int, int, str]]:
        """A chain of operators of one precedence, a line behind each."""
        operator = node.child_by_field_name("operator")
        left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
        if operator is None or left is None or right is None:
            return []
        if text_of(operator) in ("===", "!==", "==", "!=", "<", ">", "<=", ">=", "in", "instanceof"):
            return []
        edits = [self._line_at(operator.end_byte, right.start_byte, indent)]
        inner = left.child_by_field_name("operator") if left.type == "binary_expression" else None
        if inner is not None and text_of(inner) == text_of(operator):
            edits = [*self._operators(left, indent), *edits]
        return edits

    def _is_inlined(self, node: Node) -> bool:
        """`a ?? {...}`: broken inside the object."""
        operator, right = node.child_by_field_name("operator"), node.child_by_field_name("right")
        is_logical = operator is not None and text_of(operator) in ("&&", "||", "??")
        return is_logical and right is not None and right.type in _LITERALS and bool(right.named_children)

    def _fits(self, until: int) -> bool:
        return columns(self.file.data[self.at : until].decode()) <= self.width

    def _line_at(self, start: int, end: int, indent: str) -> tuple[int, int, str]:
        return start, end, self.newline + indent


def _is_poorly_breakable(call: Node) -> bool:
    """A call, of a member or not, that takes nothing or one short thing: breaking inside it gains little."""
    calls = _calls_of(call)
    if sum(map(_has_member, calls)) > 1 or call.child_by_field_name("type_arguments") is not None:
        return False
    given = [one.child_by_field_name("arguments") for one in calls]
    members = [arguments.named_children if arguments is not None else [] for arguments in given]
    return all(not m or (len(m) == 1 and _is_short(m[0])) for m in members)


def _is_plain(type_: Node) -> bool:
    """A type without arguments that could be broken over lines: those of one plain type cannot."""
    arguments = next((child for child in type_.named_children if child.type == "type_arguments"), None)
    if type_.type != "generic_type" or arguments is None:
        return type_.type in ("type_identifier", "predefined_type", "nested_type_identifier")
    inner = arguments.named_children
    return len(inner) == 1 and inner[0].type in ("type_identifier", "predefined_type")


def _calls_of(node: Node) -> list[Node]:
    """The calls of a chain, in their order."""
    calls: list[Node] = []
    current: Node | None = node
    while current is not None and current.type in {*_MEMBERS, "call_expression"}:
        if current.type == "call_expression":
            calls.append(current)
            current = current.child_by_field_name("function")
        else:
            current = current.child_by_field_name("object") or current.named_children[0]
    return calls[::-1]


def _root_of(node: Node) -> Node:
    while node.type in {*_MEMBERS, "call_expression"}:
        inner = node.child_by_field_name("function") or node.child_by_field_name("object")
        node = inner if inner is not None else node.named_children[0]
    return node


def _has_member(call: Node) -> bool:
    function = call.child_by_field_name("function")
    return function is not None and function.type == "member_expression"


def _is_short(argument: Node) -> bool:
    text = text_of(argument)
    if argument.type in ("identifier", "this", "number", "true", "false", "null", "undefined"):
        return len(text) <= _SHORT_ARGUMENT
    return argument.type == "string" and len(text) <= _SHORT_ARGUMENT


def _fixed_rows(file: SourceFile, is_long: Callable[[bytes], bool]) -> set[int]:
    """The lines that begin inside a literal, are comments, or are too long by the comment at their end alone."""
    rows: set[int] = set()
    for node in find_all(file.root, "template_string", "comment"):
        row = node.start_point.row
        rows.update(range(row + 1, node.end_point.row + 1))
        if node.type == "comment" and not is_long(
            file.data[file.line_start(node.start_byte) : node.start_byte].rstrip()
        ):
            rows.add(row)
    return rows
