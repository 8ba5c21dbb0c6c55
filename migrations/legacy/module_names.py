"""What the names of a file stand for that come out of other modules: by import, `require` or `await import()`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from migrations.discovery.imports import imports_of
from migrations.discovery.nodes import TRANSPARENT, arguments_of, without_comments
from migrations.engine.syntax import find_all, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tree_sitter import Node

    from migrations.engine.source import SourceFile


@dataclass(frozen=True, slots=True)
class ModuleName:
    """`imported` is the exporter's name, "default" or "*" (the whole module); `type_only`: not there when it runs."""

    specifier: str
    imported: str
    type_only: bool = False

    def member(self, name: str) -> ModuleName:
        """What `.name` of it is: of a whole module, or of a default export that stands for it."""
        if self.imported in ("*", "default") and name != "default":
            return ModuleName(self.specifier, name)
        return ModuleName(self.specifier, "default" if name == "default" else f"{self.imported}.{name}")


def module_names(file: SourceFile) -> Mapping[str, ModuleName]:
    """Every name that the file takes from another module, wherever in the file it does."""
    return file.once("module_names", lambda: dict(_names(file)))


def module_value(file: SourceFile, node: Node) -> ModuleName | None:
    """What of another module an expression is: a name, a member of one, `require("x").y`, `(0, x.y)`."""
    node = bare(node)
    if node.type in ("identifier", "shorthand_property_identifier"):
        found = module_names(file).get(text_of(node))
        return None if found is None or found.type_only else found
    if node.type in ("member_expression", "nested_identifier"):
        owner, name = node.child_by_field_name("object"), node.child_by_field_name("property")
        whole = module_value(file, owner) if owner is not None else None
        return whole.member(text_of(name)) if whole is not None and name is not None else None
    specifier = loaded_module(node)
    return ModuleName(specifier, "*") if specifier is not None else None


def loaded_module(node: Node) -> str | None:
    """The module that `require("x")` or `import("x")` loads."""
    node = bare(node)
    function = node.child_by_field_name("function") if node.type == "call_expression" else None
    if function is None or text_of(function) not in ("require", "import"):
        return None
    given = arguments_of(node)
    return text_of(given[0])[1:-1] if given and given[0].type == "string" else None


def bare(node: Node) -> Node:
    """The expression inside parentheses, `as`, `!`, `await`, `void` and the `(0, x)` of compilers."""
    while True:
        inner = without_comments(node)
        if node.type == "sequence_expression" and inner:
            node = inner[-1]
        elif (node.type in TRANSPARENT or node.type == "await_expression" or _is_void(node)) and inner:
            node = inner[0]
        else:
            return node


def _is_void(node: Node) -> bool:
    return node.type == "unary_expression" and text_of(node).startswith("void")


def _names(file: SourceFile) -> Iterator[tuple[str, ModuleName]]:
    for statement in imports_of(file):
        for name in statement.names:
            yield name.local, ModuleName(statement.specifier, name.imported, statement.type_only or name.type_only)
    for clause in find_all(file.root, "import_require_clause"):
        source = clause.child_by_field_name("source")
        if source is not None and clause.named_children:
            yield text_of(clause.named_children[0]), ModuleName(text_of(source)[1:-1], "*")
    for declarator in find_all(file.root, "variable_declarator"):
        pattern, value = declarator.child_by_field_name("name"), declarator.child_by_field_name("value")
        if pattern is None or value is None or not ({b"require", b"import"} & _words(value)):
            continue
        whole = _loaded(value)
        if whole is None:
            continue
        if pattern.type == "identifier":
            yield text_of(pattern), whole
        else:
            yield from ((local, whole.member(name)) for name, local in pattern_names(pattern))


def _words(value: Node) -> set[bytes]:
    text = value.text or b""
    return {word for word in (b"require", b"import") if word in text}


def _loaded(value: Node) -> ModuleName | None:
    """`require("x")`, a member of it, or what a compiler wraps it in."""
    value = bare(value)
    if value.type == "member_expression":
        owner, name = value.child_by_field_name("object"), value.child_by_field_name("property")
        whole = _loaded(owner) if owner is not None else None
        return whole.member(text_of(name)) if whole is not None and name is not None else None
    specifier = loaded_module(value)
    if specifier is not None:
        return ModuleName(specifier, "*")
    function = value.child_by_field_name("function") if value.type == "call_expression" else None
    if function is not None and text_of(function).rpartition(".")[2] in ("__importDefault", "__importStar", "__toESM"):
        given = arguments_of(value)
        specifier = loaded_module(given[0]) if given else None
    return ModuleName(specifier, "*") if specifier is not None else None


def pattern_names(pattern: Node) -> Iterator[tuple[str, str]]:
    """The members that an object pattern takes, as (name of the member, what it is called here)."""
    for part in pattern.named_children if pattern.type == "object_pattern" else ():
        if part.type == "shorthand_property_identifier_pattern":
            yield text_of(part), text_of(part)
        elif part.type == "object_assignment_pattern" and part.named_children:
            name = text_of(part.named_children[0])
            yield name, name
        elif part.type == "pair_pattern":
            key, value = part.child_by_field_name("key"), part.child_by_field_name("value")
            names = list(find_all(value, "identifier")) if value is not None else []
            if key is not None and names:
                yield text_of(key).strip("\"'"), text_of(names[0])
