"""What a server file does besides serving tRPC over WebSocket."""

from __future__ import annotations

from typing import TYPE_CHECKING

from migrations.discovery.nodes import own_nodes, short_text
from migrations.engine.syntax import text_of
from migrations.legacy.module_names import ModuleName, module_names, module_value
from migrations.legacy.servers.calls import ServerWalker
from migrations.legacy.servers.values import IDLE_CLASS, WORKING_CALL, WORKING_CLASS
from migrations.legacy.servers.walk import Does, Work

if TYPE_CHECKING:
    from tree_sitter import Node

    from migrations.discovery.layout import Layout
    from migrations.engine.source import SourceFile
    from migrations.engine.view import AppView


def work_of(view: AppView, layout: Layout, file: SourceFile) -> Work:
    """What the file does when it runs."""
    work = Work(any(_is_next(name) for name in module_names(file).values()))
    try:
        walker = ServerWalker(view, layout, file, work)
        walker.program()
        walker.check_sockets()
    except Does as found:
        work.does, work.node = found.what, found.node
    return work


def effect_of(view: AppView, layout: Layout, file: SourceFile) -> tuple[str, Node] | None:
    """What a module does when it is imported, besides making what it exports; None if nothing."""
    walker = ServerWalker(view, layout, file, Work())
    walker.hoist(file.root, walker.top)
    try:
        for statement in file.root.named_children:
            is_directive = text_of(statement).startswith(("'", '"'))
            if statement.type in ("expression_statement", "import_statement") and not is_directive:
                walker.statement(statement, walker.top)
            for made in own_nodes(statement, "new_expression"):
                maker = made.child_by_field_name("constructor") or made
                if WORKING_CLASS.search(text_of(maker)) or _is_of_package(file, maker):
                    raise Does(short_text(made), made)
            for call in own_nodes(statement, "call_expression"):
                name = text_of(call.child_by_field_name("function") or call).rpartition(".")[2]
                if WORKING_CALL.fullmatch(name):
                    raise Does(f"calls {short_text(call.child_by_field_name('function') or call)}()", call)
        if walker.doubts:
            raise walker.doubts[0]
    except Does as found:
        return found.what, found.node
    return None


def _is_of_package(file: SourceFile, maker: Node) -> bool:
    """Whether a class is a package's of which it is not known that its objects do nothing by themselves."""
    module = module_value(file, maker)
    if module is None or module.specifier.startswith((".", "/", "~", "@/", "#")):
        return False
    return module.specifier != "ws" and not IDLE_CLASS.fullmatch(text_of(maker).rpartition(".")[2])


def _is_next(name: ModuleName) -> bool:
    return name.specifier == "next" and name.imported in ("default", "*", "next") and not name.type_only
