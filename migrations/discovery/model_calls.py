"""Whether code asks a language model: by what it imports, followed through the app's own files."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from migrations.discovery.imports import imports_of
from migrations.engine.syntax import SOURCE_SUFFIXES, find_all, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Node

    from migrations.discovery.layout import Layout
    from migrations.engine import AppView, SourceFile

_SDK = re.compile(
    r"(openai|groq-sdk|ollama|replicate|cohere-ai|together-ai|ai|langchain|llamaindex)(/|$)"
    r"|@(ai-sdk|anthropic-ai|google/generative-ai|google/genai|google-cloud/vertexai|langchain|mistralai|huggingface"
    r"|azure/openai|aws-sdk/client-bedrock-runtime|openrouter)(/|$)"
)
# An API's address, or the call that every copy of OpenAI's SDK has, on whatever object it is made (`ctx.openai`, say).
_API = re.compile(
    r"api\.openai\.com|generativelanguage\.googleapis|api\.anthropic\.com|openrouter\.ai|api\.groq\.com"
    r"|/chat/completions|\.chat\s*\.completions\s*\.create\b"
)
# What else an SDK's client does: no chat is in it.
_OTHER_WORK = re.compile(
    r"\.(models\s*\.(list|retrieve)|moderations|images|audio|embeddings|files|fineTuning|batches)\b"
)
# From the procedure to a helper of the app, to what that one calls; further away it is no longer the procedure's work.
_FILES_DEEP = 3
# What is longer was generated (a database client, say), and nobody's helper.
_LONGEST_HELPER = 200_000


def is_model_sdk(specifier: str) -> bool:
    """Whether a module is a model maker's SDK, or one that stands in front of several."""
    return _SDK.match(specifier) is not None


def asks_model(view: AppView, layout: Layout, file: SourceFile, node: Node) -> bool:
    """Whether the code below `node` reaches a model: through an SDK's object, an API's address, or a helper."""
    return _Search(view, layout).code(file, node, _FILES_DEEP)


def declarations_of(file: SourceFile, name: str) -> tuple[Node, ...]:
    """The file's own top-level declarations of a name."""
    return file.once("declarations", lambda: _declarations(file)).get(name, ())


class _Search:
    """What is known of an export or a declaration is known for the whole view; what is being looked into is no yes."""

    def __init__(self, view: AppView, layout: Layout) -> None:
        self._view = view
        self._layout = layout
        self._known: dict[tuple[str, str, str, int], bool] = view.once("asks_model", dict)

    def code(self, file: SourceFile, node: Node, depth: int) -> bool:
        """Whether the code below `node` does; `depth` files further on it does not count."""
        names = file.once(("asks", node.start_byte, node.end_byte), lambda: _names_used(node))
        if names is None:
            return True
        imported = file.once(
            "imported", lambda: {name.local: (i.specifier, name.imported) for i in imports_of(file) for name in i.names}
        )
        return any(
            self._imported(file, *imported[name], depth) if name in imported else self._declared(file, name, depth)
            for name in names
        )

    def _imported(self, file: SourceFile, specifier: str, exported: str, depth: int) -> bool:
        return is_model_sdk(specifier) or self._export(self._layout.resolve(file.path, specifier), exported, depth)

    def _declared(self, file: SourceFile, name: str, depth: int) -> bool:
        key = ("declared", file.path, name, depth)
        if key not in self._known:
            self._known[key] = False
            self._known[key] = any(self.code(file, found, depth) for found in declarations_of(file, name))
        return self._known[key]

    def _export(self, path: str | None, exported: str, depth: int) -> bool:
        """Whether what the file `path` exports under a name does; from there it may be another's export."""
        if path is None or depth == 0 or not path.endswith(SOURCE_SUFFIXES) or path.endswith(".d.ts"):
            return False
        key = ("export", path, exported, depth)
        if key not in self._known:
            self._known[key] = False
            file = self._view.file(path)
            if file is not None and len(file.data) <= _LONGEST_HELPER:
                self._known[key] = any(
                    self.code(file, found, depth - 1) for found in _exports_of(file, exported)
                ) or any(
                    self._imported(file, specifier, name, depth - 1) for specifier, name in _passed_on(file, exported)
                )
        return self._known[key]


def _names_used(node: Node) -> tuple[str, ...] | None:
    """The names that code uses, each once; None where it is plain that it asks a model."""
    if _API.search(text_of(node)):
        return None
    found = find_all(node, "identifier", "shorthand_property_identifier")
    return tuple(dict.fromkeys(text_of(name) for name in found if not _is_for_other_work(name)))


def _is_for_other_work(name: Node) -> bool:
    """Whether a client is only asked for something else there, as in `openai.models.list()`."""
    chain = name
    while chain.parent is not None and chain.parent.type == "member_expression" and chain.parent.children[0] == chain:
        chain = chain.parent
    return chain != name and _OTHER_WORK.match(text_of(chain).removeprefix(text_of(name))) is not None


def _declarations(file: SourceFile) -> dict[str, tuple[Node, ...]]:
    found: dict[str, tuple[Node, ...]] = {}
    for statement in file.root.children:
        inner = statement.child_by_field_name("declaration") if statement.type == "export_statement" else statement
        if inner is None:
            continue
        named = inner.named_children if inner.type in ("lexical_declaration", "variable_declaration") else [inner]
        for declared in named:
            identifier = declared.child_by_field_name("name")
            if identifier is not None:
                name = text_of(identifier)
                found[name] = (*found.get(name, ()), declared)
    return found


def _export_statements(file: SourceFile) -> list[Node]:
    return file.once("exports", lambda: [node for node in file.root.children if node.type == "export_statement"])


def _exports_of(file: SourceFile, exported: str) -> Iterator[Node]:
    """The file's own code behind one of its exports."""
    if exported == "*":
        yield file.root
        return
    if exported == "default":
        for statement in _export_statements(file):
            if any(child.type == "default" for child in statement.children):
                yield statement
    yield from declarations_of(file, exported)
    for statement in _export_statements(file):
        if statement.child_by_field_name("source") is None:
            for name in _names_inside(statement, exported):
                yield from declarations_of(file, name)


def _passed_on(file: SourceFile, exported: str) -> Iterator[tuple[str, str]]:
    """The modules that an export comes from, and its name there."""
    for statement in _export_statements(file):
        source = statement.child_by_field_name("source")
        if source is not None:
            for name in _names_inside(statement, exported):
                yield text_of(source)[1:-1], name


def _names_inside(statement: Node, exported: str) -> Iterator[str]:
    """What `export { name as exported }` or `export *` gives out as `exported`, by the name that it has inside."""
    for clause in statement.named_children:
        for specifier in clause.named_children if clause.type == "export_clause" else ():
            name, alias = specifier.child_by_field_name("name"), specifier.child_by_field_name("alias")
            if name is not None and (exported == "*" or text_of(alias or name) == exported):
                yield text_of(name)
    if any(child.type == "*" for child in statement.children):
        yield exported
