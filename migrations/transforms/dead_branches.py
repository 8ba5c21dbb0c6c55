"""A branch of a function that only made a WebSocket link: taken out with its condition, the other one left."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from migrations.discovery.nodes import is_within, without_comments
from migrations.discovery.trpc_client import FUNCTIONS
from migrations.engine.syntax import find_all, text_of
from migrations.transforms.links_text import names_in

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from tree_sitter import Node

    from migrations.discovery.trpc_client import Place
    from migrations.transforms.links_sweep import FileWork

_SOCKET = "createWSClient"
# Texts are cut and joined, nothing else happens.
_HARMLESS_CALLS = frozenset({"replace", "replaceAll", "toString", "trim", "concat", "slice", "startsWith", "endsWith"})


@dataclass(frozen=True, eq=False)
class DeadBranch:
    """`gone` are the statements that go, in their order; `kept` the branch that comes out of its condition, if one
    does: a block or a single statement within `gone`.
    """

    gone: tuple[Node, ...]
    kept: Node | None = None

    @classmethod
    def of(cls, place: Place, others: Iterable[Node]) -> DeadBranch | None:
        """The branch that returns the link at `place`, where what is left is one of the shapes that can be made simple:
        `others` are what the function returns besides. None for any other shape.
        """
        returned = _statement_of(place.node)
        block = returned.parent if returned is not None else None
        if returned is None or block is None:
            return None
        if block.type == "statement_block" and block.parent is not None and block.parent.type in FUNCTIONS:
            return _after_condition(returned, block, list(others))
        condition = block if block.type in ("if_statement", "else_clause") else block.parent
        if block.type == "statement_block" and not _only_sockets(block, returned):
            return None
        if condition is not None and condition.type == "else_clause":
            above = condition.parent
            kept = above.child_by_field_name("consequence") if above is not None else None
            return cls((above,), kept) if above is not None and kept is not None and _is_last(above) else None
        if condition is None or condition.type != "if_statement":
            return None
        alternative = condition.child_by_field_name("alternative")
        if condition.parent is None or condition.parent.type != "statement_block":
            return None
        if alternative is None:
            left = any(other.start_byte > condition.end_byte for other in others)
            return cls((condition,)) if left else None
        kept = without_comments(alternative)[0] if without_comments(alternative) else None
        if kept is None or kept.type == "if_statement" or not _is_last(condition):
            return None
        return cls((condition,), kept)

    def remove(self, work: FileWork) -> None:
        """Edit the file so that the branch is gone."""
        file = work.file
        first, last = self.gone[0], self.gone[-1]
        base = file.indentation_of(first.start_byte)
        if self.kept is not None:
            data = file.data
            inside = self.kept.named_children if self.kept.type == "statement_block" else [self.kept]
            text = data[inside[0].start_byte : inside[-1].end_byte].decode()
            work.written.append(text)
            work.edit.replace(first.start_byte, last.end_byte, work.look.rebased(text, base))
            return
        start, end = file.line_start(first.start_byte), file.line_end(last.end_byte - 1)
        above = file.data[file.line_start(start - 1) : start].strip() if start else b""
        following = file.data[end : file.line_end(end)] if end < len(file.data) else b""
        if not following.strip() and (not above or above.endswith(b"{")):
            end += len(following)
        work.edit.replace(start, end, "")


def _after_condition(returned: Node, body: Node, others: list[Node]) -> DeadBranch | None:
    """`if (...) { return http; } ... return ws;`: the condition goes, its branch stays."""
    statements = body.named_children
    conditions = [
        one for one in statements if one.type == "if_statement" and any(is_within(other, one) for other in others)
    ]
    if len(conditions) != 1 or without_comments(body)[-1] != returned:
        return None
    condition = conditions[0]
    kept = condition.child_by_field_name("consequence")
    if kept is None or condition.child_by_field_name("alternative") is not None:
        return None
    if not all(is_within(other, kept) for other in others) or not _leaves(kept):
        return None
    used = {text_of(node) for node in names_in(kept)}
    between = [one for one in statements if condition.end_byte <= one.start_byte < returned.start_byte]
    if not all(_makes_only_socket(one, used) for one in between):
        return None
    return DeadBranch((condition, *between, returned), kept)


def _statement_of(node: Node) -> Node | None:
    """The return statement that gives back this very expression."""
    above = node.parent
    while above is not None and above.type in ("parenthesized_expression", "as_expression", "satisfies_expression"):
        above = above.parent
    return above if above is not None and above.type == "return_statement" else None


def _only_sockets(block: Node, returned: Node) -> bool:
    return all(one == returned or _makes_only_socket(one, set()) for one in block.named_children)


def _makes_only_socket(statement: Node, used: Collection[str]) -> bool:
    """Whether a statement does nothing that is wanted without the WebSocket: a comment, the making of the socket, or of
    values that are not `used` by what is kept.
    """
    if statement.type == "comment":
        return True
    if statement.type in ("if_statement", "expression_statement"):
        calls = {
            text_of(call.child_by_field_name("function") or call) for call in find_all(statement, "call_expression")
        }
        return calls == {_SOCKET}
    if statement.type not in ("lexical_declaration", "variable_declaration"):
        return False
    for declared in without_comments(statement):
        name = declared.child_by_field_name("name")
        if name is None or name.type != "identifier" or text_of(name) in used:
            return False
        for call in find_all(declared, "call_expression", "new_expression", "await_expression"):
            function = call.child_by_field_name("function")
            called = text_of(function) if function is not None else ""
            if (
                called != _SOCKET
                and called.rpartition(".")[2] not in _HARMLESS_CALLS
                and not _is_in_socket(call, declared)
            ):
                return False
    return True


def _is_in_socket(node: Node, outer: Node) -> bool:
    """Whether a call is part of what a socket is made with."""
    above = node.parent
    while above is not None and above != outer:
        function = above.child_by_field_name("function") if above.type == "call_expression" else None
        if function is not None and text_of(function) == _SOCKET:
            return True
        above = above.parent
    return False


def _is_last(statement: Node) -> bool:
    block = statement.parent
    return block is not None and block.type == "statement_block" and without_comments(block)[-1] == statement


def _leaves(branch: Node) -> bool:
    last = without_comments(branch)[-1:] if branch.type == "statement_block" else [branch]
    return bool(last) and last[0].type in ("return_statement", "throw_statement")
