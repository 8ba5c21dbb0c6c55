"""What becomes of a mutation's `catch` in its streaming twin.

In the mutation what the catch clause answers stands in the place of the reply. In the stream a part of the reply may be
on the page by then, and nothing can take its place any more: there the error is thrown on, as late as the clause would
have left, so that what it writes or logs is done. Where no text has come yet, the clause answers as it did.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from migrations.discovery.declarations import declarators_in
from migrations.discovery.nodes import block_of, field, is_within, own_nodes, without_comments
from migrations.engine.syntax import text_of
from migrations.transforms.edited_copy import fresh_name

if TYPE_CHECKING:
    from tree_sitter import Node

    from migrations.transforms.edited_copy import EditedCopy


class CatchClauses:
    """The catch clauses that an error of the model's stream reaches, and that do not throw it on themselves."""

    def __init__(self, copy: EditedCopy, statement: Node, body: Node) -> None:
        """`statement` is that of the model's call, in the function's `body`."""
        self.copy = copy
        self.clauses = [clause for clause in _around(statement, body) if _may_answer(clause)]
        self.flag = fresh_name(body, "hasBegun", "replyHasBegun") if self.clauses else ""

    def marking(self) -> str:
        """The statement of the loop that says that the reply has begun; "" where nobody asks."""
        return f"{self.flag} = true;" if self.flag else ""

    def guard(self, node: Node) -> str:
        """The statement before the return `node`, or "" where it is in none of the clauses. Raises Refused."""
        clause = next((clause for clause in self.clauses if is_within(node, clause)), None)
        return self._guard(clause) if clause is not None else ""

    def write(self) -> None:
        """The edits outside of the loop and the returns. Raises Refused."""
        if not self.clauses:
            return
        copy = self.copy
        for clause in self.clauses:
            block = field(clause, "body")
            if clause.child_by_field_name("parameter") is None:
                copy.replace(block.start_byte, block.start_byte, f"({self._error(clause)}) ")
            if not _always_leaves(block):
                self._write_at_end(clause, block)
        outermost = self.clauses[-1].parent
        assert outermost is not None
        if block_of(outermost) is None:
            raise copy.refuse("the `try` around the model's call is not a statement of a block", outermost)
        declaration = copy.statement(f"let {self.flag} = false")
        start = outermost.start_byte
        copy.replace(start, start, f"{declaration}\n{copy.indentation(outermost)}")

    def _write_at_end(self, clause: Node, block: Node) -> None:
        copy = self.copy
        base = copy.indentation(clause)
        last = block.named_children[-1].end_byte if block.named_children else block.start_byte + 1
        copy.replace(last, block.end_byte - 1, f"\n{base}{copy.style.indent}{self._guard(clause)}\n{base}")

    def _guard(self, clause: Node) -> str:
        return self.copy.statement(f"if ({self.flag}) throw {self._error(clause)}")

    def _error(self, clause: Node) -> str:
        """The name that the error has in a clause, or gets."""
        parameter = clause.child_by_field_name("parameter")
        if parameter is None:
            return fresh_name(clause, "error", "cause")
        name = text_of(parameter)
        if parameter.type != "identifier" or declarators_in(clause, name):
            raise self.copy.refuse("the error that this catch answers cannot be thrown on by name", clause)
        return name


def _around(statement: Node, body: Node) -> list[Node]:
    """The catch clauses of the `try` blocks that a statement is in, the innermost first."""
    found = []
    node = statement
    while node != body and node.parent is not None:
        outer = node.parent
        clause = outer.child_by_field_name("handler") if outer.type == "try_statement" else None
        if clause is not None and outer.child_by_field_name("body") == node:
            found.append(clause)
        node = outer
    return found


def _may_answer(clause: Node) -> bool:
    """Whether a clause can be left without an error."""
    block = field(clause, "body")
    return not _always_leaves(block) or next(own_nodes(block, "return_statement"), None) is not None


def _always_leaves(node: Node) -> bool:
    """Whether nothing behind a statement is reached, as far as its last statement tells."""
    if node.type in ("return_statement", "throw_statement"):
        return True
    if node.type in ("statement_block", "else_clause"):
        inner = without_comments(node)
        return bool(inner) and _always_leaves(inner[-1])
    if node.type == "if_statement":
        other = node.child_by_field_name("alternative")
        return other is not None and _always_leaves(field(node, "consequence")) and _always_leaves(other)
    return False
