"""Types that the server's context has for WebSocket connections."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from migrations.discovery.nodes import is_within
from migrations.discovery.procedures import is_test
from migrations.engine.edits import Edits
from migrations.engine.syntax import find_all, text_of
from migrations.legacy.contexts.narrowed_unions import narrow_union
from migrations.legacy.contexts.removed_code import Removal, declared_name
from migrations.legacy.contexts.socket_data import moves_to_sse, socket_data
from migrations.legacy.contexts.ws_types import NEEDLES, SocketTypes, outer_unions, union_members
from migrations.legacy.pieces import Found, Piece

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Node

    from migrations.engine.edits import FileEdit
    from migrations.engine.source import SourceFile
    from migrations.legacy.pieces import Action, LegacyApp

_PARAMETERS = frozenset({"required_parameter", "optional_parameter"})
_FUNCTIONS = ("arrow_function", "function_declaration", "function_expression")
# What a WebSocket has and a response over HTTP has not.
_OF_A_SOCKET = frozenset(
    {"readyState", "terminate", "ping", "pong", "bufferedAmount", "binaryType", "isPaused", "onmessage"}
)


def clean_contexts(app: LegacyApp) -> Found:
    """Take the types of WebSocket connections out of the contexts, once no server gives any."""
    if any(app.view.exists(server.file.path) and not server.is_commented for server in app.servers):
        return Found()
    # Without a server in the app, there may be one beside it, which a client of the app still asks.
    if not app.servers and any(True for _ in app.view.sources("wsLink")):
        return Found()
    edits = Edits(app.view)
    pieces: list[Piece] = []
    needs = list(socket_data(app))
    for file in app.view.sources("ContextFn"):
        if any(needle in file.data for needle in NEEDLES) and not is_test(file.path):
            context = _Context(app, file)
            context.clean(edits)
            pieces += context.pieces
            needs += context.needs
    return Found(tuple(pieces), tuple(needs), edits.changes())


class _Context:
    """One file that has a context's types in it."""

    def __init__(self, app: LegacyApp, file: SourceFile) -> None:
        self._app = app
        self._file = file
        self._types = SocketTypes(file)
        self._removal = Removal(app.view, app.layout, file)
        self._gone: list[Node] = []
        self.pieces: list[Piece] = []
        self.needs: list[Piece] = []

    def clean(self, edits: Edits) -> None:
        unions = [union for union in outer_unions(self._file) if self._remaining(union) is not None]
        functions = list(self._functions_for_sockets())
        if not unions and not functions:
            return
        if self._file.syntax_error_line is not None:
            line = self._file.syntax_error_line
            self.needs.append(self._piece(line, "a file with a syntax error", "keep", "mend it, then run this again"))
            return
        edit = edits.source(self._file.path)
        for union in unions:
            if any(is_within(union, outer) and union != outer for outer in unions):
                why = "write this type out by hand without the sockets, then run this again"
                what = "a context type for WebSocket connections inside another"
                self.needs.append(self._piece(self._line(union), what, "keep", why))
            else:
                self._narrow(union, edit)
        for statement in functions:
            self._drop(statement)
        if not self._gone:
            return
        self._check_uses()
        self._removal.apply(edit)

    def _remaining(self, union: Node) -> list[Node] | None:
        """The members of a union that are not for sockets; None if none or all of them are."""
        members = union_members(union)
        kept = [member for member in members if not self._is_socket_in(union, member)]
        return kept if 0 < len(kept) < len(members) else None

    def _is_socket_in(self, union: Node, member: Node) -> bool:
        """Whether a member is for sockets; a response's alternative is one too, `ServerResponse | ws`."""
        if self._types.is_socket(member):
            return True
        generic = union.parent.parent if union.parent is not None and union.parent.type == "type_arguments" else None
        is_context = generic is not None and b"CreateContextFnOptions" in (generic.text or b"")
        return is_context and self._types.is_ws_name(member)

    def _narrow(self, union: Node, edit: FileEdit) -> None:
        kept = self._remaining(union)
        assert kept is not None
        gone = [member for member in union_members(union) if member not in kept]
        self._gone += gone
        for member in gone:
            self._removal.span(member.start_byte, member.end_byte)
        narrow_union(edit, union, gone)
        line = self._line(gone[0])
        what = "a context type for WebSocket connections"
        self.pieces.append(self._piece(line, what, "rewrite", "no server gives any"))
        guard = _type_guard(union)
        if guard is not None:
            what = "a type guard that tells requests from WebSocket connections"
            why = "take it out with what is done for connections, then run this again"
            self.needs.append(self._piece(self._line(guard), what, "keep", why))

    # --- functions that only a socket's connection could call

    def _functions_for_sockets(self) -> Iterator[Node]:
        for statement in self._file.root.named_children:
            name = declared_name(statement)
            if name is not None and any(self._is_for_sockets(node) for node in find_all(statement, *_FUNCTIONS)):
                yield statement

    def _is_for_sockets(self, function: Node) -> bool:
        parameters = function.child_by_field_name("parameters")
        for parameter in parameters.named_children if parameters is not None else ():
            annotation = parameter.child_by_field_name("type") if parameter.type in _PARAMETERS else None
            if annotation is not None and any(self._types.is_socket(child) for child in annotation.named_children):
                return True
        return False

    def _drop(self, statement: Node) -> None:
        name = declared_name(statement)
        assert name is not None
        line = self._line(statement)
        if self._removal.is_used(name, statement):
            why = f"it is still used: have it made for HTTP requests alone ({name})"
            self.pieces.append(self._piece(line, "a context for WebSocket connections", "by-hand", why))
            return
        self._gone.append(statement)
        self._removal.statement(statement)
        self.pieces.append(
            self._piece(line, f"{name}, the context of WebSocket connections", "rewrite", "nothing uses it")
        )

    # --- code that asks for what is gone

    def _check_uses(self) -> None:
        literals = self._lost_literals()
        for node in find_all(self._file.root, "binary_expression", "member_expression", "string"):
            if any(gone.start_byte <= node.start_byte < gone.end_byte for gone in self._gone):
                continue
            if node.type == "string":
                if (
                    text_of(node)[1:-1] in literals
                    and node.parent is not None
                    and node.parent.type == "binary_expression"
                ):
                    self.needs.append(self._asks(node, "keep"))
            elif node.type == "member_expression":
                self._check_member(node)
            elif self._tells_sockets(node):
                self.pieces.append(self._asks(node, "by-hand"))

    def _check_member(self, node: Node) -> None:
        name, owner = text_of(node.child_by_field_name("property") or node), node.child_by_field_name("object")
        is_socket = owner is not None and re.search(r"(^|\.)res$", text_of(owner)) and name in _OF_A_SOCKET
        if is_socket or (name == "connectionParams" and moves_to_sse(self._app)):
            self.needs.append(self._asks(node, "keep"))
        elif name == "connectionParams":
            self.pieces.append(self._asks(node, "by-hand"))

    def _asks(self, node: Node, action: Action) -> Piece:
        what = "code for WebSocket connections in the context"
        if action == "keep":
            return self._piece(
                self._line(node), what, "keep", "it needs what they give: take it out, then run this again"
            )
        return self._piece(self._line(node), what, "by-hand", "no connection comes any more: take it out")

    def _tells_sockets(self, node: Node) -> bool:
        left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
        operators = {child.type for child in node.children}
        if left is None or right is None:
            return False
        if "instanceof" in operators:
            return self._types.is_ws_name(right)
        return "in" in operators and text_of(left).strip("\"'") in ("ws", "client", "connectionParams", "socket")

    def _lost_literals(self) -> set[str]:
        """The texts that only the types that are gone had, such as "ws" of `{ type: "ws" }`."""
        lost = {text_of(node)[1:-1] for gone in self._gone for node in _literal_types(gone)}
        kept = {
            text_of(node)[1:-1]
            for node in _literal_types(self._file.root)
            if not any(gone.start_byte <= node.start_byte < gone.end_byte for gone in self._gone)
        }
        return lost - kept

    def _line(self, node: Node) -> int:
        """A node's line in the app as it stands; the clients' stage may have changed the file before."""
        line = self._file.line_of(node.start_byte)
        before = self._app.before.read(self._file.path)
        if before is None or before == self._file.data:
            return line
        text = self._file.data.splitlines()[line - 1]
        return next((n for n, other in enumerate(before.splitlines(), 1) if other == text), 0)

    def _piece(self, line: int, what: str, action: Action, why: str) -> Piece:
        return Piece(self._file.path, line, what, action, why)


def _type_guard(union: Node) -> Node | None:
    """The `x is A` of the function of whose parameter a union is the type."""
    node: Node | None = union
    while node is not None and node.type not in _FUNCTIONS:
        node = node.parent
    returned = node.child_by_field_name("return_type") if node is not None else None
    return returned if returned is not None and b" is " in (returned.text or b"") else None


def _literal_types(node: Node) -> Iterator[Node]:
    for literal in find_all(node, "literal_type"):
        yield from (child for child in literal.named_children if child.type == "string")
