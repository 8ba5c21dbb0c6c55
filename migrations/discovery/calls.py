"""The pages' calls of the chat's mutation: as `.useMutation(...)`, through the kit's hook, and in other ways."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from migrations.discovery.imports import find_import, imports_of
from migrations.discovery.nodes import arguments_of
from migrations.discovery.procedures import find_procedures, is_test
from migrations.discovery.trpc_client import FUNCTIONS, Place, definition_of, trpc_name, unwrapped
from migrations.engine.syntax import find_all, text_of
from migrations.kit_files import kit_path

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Node

    from migrations.discovery.layout import Layout
    from migrations.discovery.procedures import Procedure
    from migrations.engine import AppView, SourceFile

HOOK_FILE = "client/use-streaming-mutation.ts"
HOOK = "useStreamingMutation"
_CLIENT_MAKERS = ("createTRPCReact", "createTRPCNext")
_OTHER_WAYS = ("mutationOptions", "mutate")


@dataclass(frozen=True, eq=False)
class MutationCall:
    """`call` is the whole hook call, `procedure` the `api.chat.sendMessage` in it, `options` its options (None: none
    given). `is_streaming` says that it is the kit's hook already.
    """

    file: SourceFile
    call: Node
    procedure: Node
    options: Node | None
    is_streaming: bool

    @property
    def line(self) -> int:
        return self.file.line_of(self.call.start_byte)

    @property
    def path(self) -> str:
        """The procedure as the file names it, without white space: `api.chat.sendMessage`."""
        return ".".join(chain_of(self.procedure) or ())

    @property
    def component(self) -> Node | None:
        """The function that calls the hook: a component or a custom hook."""
        node = self.call.parent
        while node is not None and node.type not in FUNCTIONS:
            node = node.parent
        return node

    @property
    def hook_name(self) -> str:
        """The name of the custom hook that the call stands in, "" if it stands in a component."""
        function = self.component
        name = function.child_by_field_name("name") if function is not None else None
        if name is None and function is not None and function.parent is not None:
            name = function.parent.child_by_field_name("name")
        found = text_of(name) if name is not None else ""
        return found if re.match(r"use[A-Z]", found) else ""

    @property
    def target(self) -> Node | None:
        """What the result is bound to: a name or a pattern; None where it is handed on at once."""
        parent = self.call.parent
        while parent is not None and unwrapped(parent) == self.call:
            parent = parent.parent
        return (
            parent.child_by_field_name("name") if parent is not None and parent.type == "variable_declarator" else None
        )

    @property
    def result_name(self) -> str:
        """The name that the result is bound to, "" if it is not one name."""
        return text_of(self.target) if self.target is not None and self.target.type == "identifier" else ""


@dataclass(frozen=True)
class Calls:
    """The calls of one mutation in the app's pages, by file; `others` are those that are not `.useMutation(...)`."""

    plain: tuple[MutationCall, ...]
    streaming: tuple[MutationCall, ...]
    others: tuple[Place, ...]


def find_calls(view: AppView, layout: Layout, mutation: Procedure, component: str = "") -> Calls:
    """The calls of `mutation`, in the file `component` only if one is named."""
    keys = tuple(mutation.path.split("."))
    is_only_one = (
        bool(mutation.router)
        or sum(other.name == mutation.name for other in find_procedures(view, layout, "mutation", mutation.name)) == 1
    )
    plain: list[MutationCall] = []
    streaming: list[MutationCall] = []
    others: list[Place] = []
    for file in view.sources(mutation.name):
        if is_test(file.path) or file.path.startswith(layout.kit_folder) or (component and file.path != component):
            continue
        if not any(way in file.data for way in (b"useMutation", HOOK.encode(), b"mutationOptions", b".mutate")):
            continue
        hook = _kit_hook(layout, file)
        for call in find_all(file.root, "call_expression"):
            function, given = call.child_by_field_name("function"), arguments_of(call)
            if function is None:
                continue
            if hook is not None and text_of(function) == hook and len(given) == 3:
                if _is_procedure(view, layout, file, given[0], keys, is_only_one):
                    streaming.append(MutationCall(file, call, given[0], given[2], True))
                continue
            owner, method = function.child_by_field_name("object"), function.child_by_field_name("property")
            if owner is None or method is None or text_of(method) not in ("useMutation", *_OTHER_WAYS):
                continue
            if text_of(method) == "useMutation":
                if _is_procedure(view, layout, file, owner, keys, is_only_one):
                    plain.append(MutationCall(file, call, owner, given[0] if given else None, False))
            elif _matches(owner, keys, is_only_one) and _is_from_client(view, layout, file, owner):
                others.append(Place(file, call))
    return Calls(tuple(plain), tuple(streaming), tuple(others))


def chain_of(node: Node) -> tuple[str, ...] | None:
    """The names of `a.b.c`; None for anything else."""
    names: list[str] = []
    while node.type in ("member_expression", "non_null_expression"):
        if node.type == "non_null_expression":
            node = node.named_children[0]
            continue
        owner, name = node.child_by_field_name("object"), node.child_by_field_name("property")
        if owner is None or name is None:
            return None
        names.append(text_of(name))
        node = owner
    return (text_of(node), *reversed(names)) if node.type == "identifier" else None


def _kit_hook(layout: Layout, file: SourceFile) -> str | None:
    """What the file calls the kit's hook."""
    for statement in imports_of(file):
        for name in statement.names:
            if name.imported == HOOK and layout.resolve(file.path, statement.specifier) == kit_path(layout, HOOK_FILE):
                return name.local
    return None


def _matches(node: Node, keys: tuple[str, ...], is_only_one: bool) -> bool:
    chain = chain_of(node)
    if chain is None:
        return False
    return chain[1:] == keys or (len(keys) == 1 and is_only_one and len(chain) > 1 and chain[-1:] == keys)


def _is_procedure(
    view: AppView, layout: Layout, file: SourceFile, node: Node, keys: tuple[str, ...], is_only_one: bool
) -> bool:
    return _matches(node, keys, is_only_one) and _is_client(view, layout, file, _root_of(node))


def _root_of(node: Node) -> Node:
    while node.type in ("member_expression", "non_null_expression"):
        node = node.child_by_field_name("object") or node.named_children[0]
    return node


def _is_client(view: AppView, layout: Layout, file: SourceFile, root: Node) -> bool:
    """Whether a name is tRPC's client for React. One from a package of the workspace cannot be looked into."""
    made = definition_of(view, layout, Place(file, root))
    if made is None:
        found = find_import(file, text_of(root))
        return found is not None and layout.resolve(file.path, found[0].specifier) is None
    function = unwrapped(made.node).child_by_field_name("function")
    return function is not None and trpc_name(made.file, function) in _CLIENT_MAKERS


def _is_from_client(view: AppView, layout: Layout, file: SourceFile, owner: Node) -> bool:
    """Whether `trpc.chat.send` in `trpc.chat.send.mutationOptions()` leads to a tRPC client or proxy of the browser."""
    root = _root_of(owner)
    made = definition_of(view, layout, Place(file, root))
    if made is None:
        found = find_import(file, text_of(root))
        return found is not None
    function = unwrapped(made.node).child_by_field_name("function")
    if function is None:
        return False
    name = trpc_name(made.file, function) or text_of(function)
    return name in (*_CLIENT_MAKERS, "createTRPCClient", "createTRPCProxyClient", "createTRPCOptionsProxy") or (
        name.startswith("use") and "trpc" in name.lower()
    )


def users_of(view: AppView, layout: Layout, file: SourceFile) -> Iterator[SourceFile]:
    """The files of the app that import `file`."""
    stem = file.path.rsplit("/", 1)[-1].split(".")[0]
    needle = file.path.rsplit("/", 2)[-2] if stem == "index" and "/" in file.path else stem
    for other in view.sources(needle, "import"):
        if any(layout.resolve(other.path, statement.specifier) == file.path for statement in imports_of(other)):
            yield other
