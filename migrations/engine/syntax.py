"""Syntax trees of TypeScript and JavaScript (tree-sitter), on a file's own bytes: a node's span is a place in the file.

The TSX grammar reads .js, .mjs, .cjs and .jsx too: JavaScript is a part of it. It does not know everything that
TypeScript does (variance annotations, `<in out T>`), so an error in a tree is a reason to refuse a change at that
place, not to refuse an app.
"""

from __future__ import annotations

from functools import cache
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import tree_sitter_typescript
from tree_sitter import Language, Parser

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Node, Tree

TYPESCRIPT_SUFFIXES = (".ts", ".tsx", ".mts", ".cts")
SOURCE_SUFFIXES = (*TYPESCRIPT_SUFFIXES, ".js", ".jsx", ".mjs", ".cjs")


@cache
def _parser(*, jsx: bool) -> Parser:
    grammar = tree_sitter_typescript.language_tsx() if jsx else tree_sitter_typescript.language_typescript()
    return Parser(Language(grammar))


def parse(data: bytes, path: str = "snippet.tsx") -> Tree:
    """The tree of a file's bytes; the grammar goes by the suffix of `path`."""
    return _parser(jsx=PurePosixPath(path).suffix not in (".ts", ".mts", ".cts")).parse(data)


def walk(node: Node) -> Iterator[Node]:
    """`node` and everything below it, in the order of the text."""
    # A cursor does not leave the node that it began at, and makes no lists of children: half the time of a stack.
    cursor = node.walk()
    while (here := cursor.node) is not None:
        yield here
        if cursor.goto_first_child():
            continue
        while not cursor.goto_next_sibling():
            if not cursor.goto_parent():
                return


def find_all(node: Node, *types: str) -> Iterator[Node]:
    """The named nodes of these types at and below `node`, in the order of the text.

    Named only: the keyword `string` is a nameless node with the type of a string literal.
    """
    return (found for found in walk(node) if found.type in types and found.is_named)


def text_of(node: Node) -> str:
    """The source text of a node."""
    return (node.text or b"").decode()


def first_error(node: Node) -> Node | None:
    """The first place at or below `node` that the grammar could not read, or None."""
    while node.has_error:
        if node.is_error or node.is_missing:
            return node
        inner = next((child for child in node.children if child.has_error or child.is_missing), None)
        if inner is None:
            return node
        node = inner
    return node if node.is_missing else None
