"""A procedure that is commented out comes back, to the byte, and the imports that it needs with it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from migrations.discovery.commented import comment_runs, without_marks
from migrations.discovery.imports import imports_of
from migrations.engine.edits import FileEdit
from migrations.engine.source import SourceFile
from migrations.engine.syntax import find_all, parse, text_of

if TYPE_CHECKING:
    from tree_sitter import Node

    from migrations.discovery.procedures import CommentedProcedure
    from migrations.engine import AppView

_BINDERS = {
    "variable_declarator": "name",
    "arrow_function": "parameter",
    "catch_clause": "parameter",
    "for_in_statement": "left",
    "function_declaration": "name",
    "generator_function_declaration": "name",
    "function_expression": "name",
    "generator_function": "name",
    "class_declaration": "name",
    "enum_declaration": "name",
    "interface_declaration": "name",
    "type_alias_declaration": "name",
    "type_parameter": "name",
}
_PATTERN_NAMES = ("identifier", "shorthand_property_identifier_pattern", "type_identifier")
# What code on a server may use without declaring it: of the language, the web's and Node.js's.
_GLOBAL_NAMES = """
__dirname __filename AbortController AbortSignal AggregateError arguments Array ArrayBuffer atob Atomics BigInt
BigInt64Array BigUint64Array Blob Boolean BroadcastChannel btoa Buffer ByteLengthQueuingStrategy clearImmediate
clearInterval clearTimeout CompressionStream console CountQueuingStrategy Crypto crypto CryptoKey CustomEvent
DataView Date decodeURI decodeURIComponent DecompressionStream document DOMException encodeURI encodeURIComponent
Error escape eval EvalError Event EventSource EventTarget exports fetch File FileReader FinalizationRegistry
Float32Array Float64Array FormData Function global globalThis Headers Infinity Int16Array Int32Array Int8Array Intl
isFinite isNaN Iterator JSON localStorage location Map Math MessageChannel MessageEvent MessagePort module NaN
navigator Number Object parseFloat parseInt performance Performance process Promise Proxy queueMicrotask RangeError
ReadableStream ReferenceError Reflect RegExp Request require Response self sessionStorage Set setImmediate
setInterval setTimeout SharedArrayBuffer String structuredClone SubtleCrypto Symbol SyntaxError TextDecoder
TextDecoderStream TextEncoder TextEncoderStream TransformStream TypeError Uint16Array Uint32Array Uint8Array
Uint8ClampedArray undefined unescape URIError URL URLSearchParams WeakMap WeakRef WeakSet WebAssembly WebSocket
window WritableStream
"""
_GLOBALS = frozenset(_GLOBAL_NAMES.split())


def uncomment(file: SourceFile, commented: CommentedProcedure) -> bytes:
    """The file with the procedure live, and with the commas that its object then needs."""
    edit = FileEdit(file)
    code = commented.code
    members = [child for child in commented.container.named_children if child.type != "comment"]
    before = [member for member in members if member.end_byte <= commented.start]
    behind = [member for member in members if member.start_byte >= commented.end]
    if before:
        ensure_comma(edit, before[-1], commented.start)
    if behind:
        code = _with_comma(code)
    edit.replace(commented.start, commented.end, code)
    return edit.result()


def ensure_comma(edit: FileEdit, member: Node, until: int) -> int:
    """See that an object's member is followed by a comma; gives where that ends."""
    token = member.next_sibling
    while token is not None and token.start_byte < until:
        if token.type == ",":
            return token.end_byte
        token = token.next_sibling
    edit.insert(member.end_byte, ",")
    return member.end_byte


def missing_names(view: AppView, file: SourceFile, node: Node) -> dict[str, Node]:
    """The values that code below `node` uses and nobody declares or imports, each with its first place.

    A name that is declared anywhere in the file counts as known.
    """
    known = {name.local for statement in imports_of(file) for name in statement.names} | _GLOBALS | _declared(file.root)
    missing: dict[str, Node] = {}
    for used in find_all(node, "identifier", "shorthand_property_identifier"):
        name = text_of(used)
        if name not in known and name not in missing and not _is_ambient(view, name):
            missing[name] = used
    return missing


def unknown_types(file: SourceFile, node: Node) -> set[str]:
    """The types that code below `node` names and the file neither declares nor imports; global ones are among them."""
    known = {name.local for statement in imports_of(file) for name in statement.names} | _declared(file.root)
    return {text_of(found) for found in find_all(node, "type_identifier")} - known


def uncomment_imports(file: SourceFile, names: set[str]) -> bytes:
    """The file with those of its commented-out imports live that bring in nothing but `names`."""
    edit = FileEdit(file)
    for run in comment_runs(file):
        if run.parent is None or run.parent.type != "program" or run.is_block:
            continue
        for first, last, imported in _commented_imports(run.code):
            if imported and imported <= names:
                lines = run.lines[first : last + 1]
                edit.replace(run.offset(first), run.offset(last + 1), without_marks(lines, ""))
                names = names - imported
    return edit.result()


def _commented_imports(codes: list[str]) -> list[tuple[int, int, set[str]]]:
    """The imports among lines of code: first and last line, and the names that they bring."""
    found: list[tuple[int, int, set[str]]] = []
    first = 0
    while first < len(codes):
        if re.match(r"import\b", codes[first]):
            for last in range(first, len(codes)):
                text = "\n".join(codes[first : last + 1])
                if re.search(r"from\s*[\"'][^\"']+[\"'];?\s*$", text):
                    source = SourceFile("snippet.ts", text.encode())
                    statements = imports_of(source)
                    if source.syntax_error_line is None and len(statements) == 1:
                        found.append((first, last, {name.local for name in statements[0].names}))
                        first = last
                    break
        first += 1
    return found


def _declared(root: Node) -> set[str]:
    names: set[str] = set()
    for node in find_all(root, "formal_parameters", *_BINDERS):
        bound = node if node.type == "formal_parameters" else node.child_by_field_name(_BINDERS[node.type])
        if bound is not None:
            names.update(text_of(name) for name in find_all(bound, *_PATTERN_NAMES))
    return names


def _is_ambient(view: AppView, name: str) -> bool:
    declaration = re.compile(rf"\b(?:declare\s+(?:const|let|var|function|class)|var)\s+{re.escape(name)}\b")
    return any(declaration.search(file.text) is not None for file in view.sources("declare", name))


def _with_comma(code: str) -> str:
    """A member's code with a comma behind the member."""
    opening = "({\n"
    data = f"{opening}{code}\n}})".encode()
    pair = next(find_all(parse(data).root_node, "pair"), None)
    if pair is None or (pair.next_sibling is not None and pair.next_sibling.type == ","):
        return code
    at = pair.end_byte - len(opening)
    return (code.encode()[:at] + b"," + code.encode()[at:]).decode()
