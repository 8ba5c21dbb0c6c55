"""The generator of a subscription goes through the relay: wrapped, and laid out as Prettier and Biome would."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from migrations.discovery.chains import chain_of
from migrations.discovery.imports import find_import
from migrations.discovery.trpc_client import property_of
from migrations.engine import Blocked
from migrations.engine.syntax import find_all, text_of
from migrations.kit_files import kit_path
from migrations.transforms.long_lines import commas_in_calls, width_of
from migrations.transforms.object_members import broken, columns, line_before, line_behind, one_line

if TYPE_CHECKING:
    from tree_sitter import Node

    from migrations.discovery.chains import Call
    from migrations.discovery.layout import Layout
    from migrations.discovery.procedures import Procedure
    from migrations.engine import FileEdit, SourceFile

WRAPPER = "throughRelay"
WRAPPER_FILE = "server/through-relay.ts"
_FUNCTIONS = frozenset(
    {
        "arrow_function",
        "function_expression",
        "function_declaration",
        "generator_function",
        "generator_function_declaration",
        "method_definition",
    }
)
_BY_HAND = "make it an async generator function that yields the reply piece by piece, and run this again"


def wrapping(procedure: Procedure, layout: Layout) -> Node | None:
    """The call of the kit's throughRelay around the generator, if it is there."""
    given = _given(procedure.arguments)
    function = given.child_by_field_name("function") if given is not None and given.type == "call_expression" else None
    found = find_import(procedure.file, text_of(function)) if function is not None else None
    if found is None or found[1].imported != WRAPPER:
        return None
    target = kit_path(layout, WRAPPER_FILE)
    specifier, importer = found[0].specifier, procedure.file.path
    is_kit = layout.resolve(importer, specifier) == target or layout.specifier(importer, target) == specifier
    return given if is_kit else None


def refusal_to_wrap(procedure: Procedure, layout: Layout) -> Blocked | None:
    """Why a subscription cannot be wrapped: it is no async generator, or what comes out of it is checked or used."""
    file = procedure.file
    given = _given(procedure.arguments)
    generator = procedure.generator
    outputs = [call for call in chain_of(procedure.call)[1] if call.name == "output"]
    if outputs:
        return Blocked(
            f"the output of {procedure.path} is checked by .output(), which does not know what goes over the relay",
            file.path,
            file.line_of(outputs[0].arguments[0].start_byte if outputs[0].arguments else procedure.node.start_byte),
            "take .output() away from the subscription, and run this again",
        )
    is_other_call = given is not None and given.type == "call_expression" and wrapping(procedure, layout) is None
    if given is None or generator is None or is_other_call:
        what = "goes through a function that is not known" if is_other_call else "is no async generator function"
        if given is not None and re.search(r"\bobservable\b", text_of(given)):
            what = "is written with observable(), which tRPC 11 gives up"
        line = file.line_of(given.start_byte) if given is not None else procedure.line
        return Blocked(f"the subscription {procedure.path} {what}", file.path, line, _BY_HAND)
    if not re.match(r"(export\s+(default\s+)?)?async\b", text_of(generator)):
        return Blocked(
            f"the generator of {procedure.path} is not async", file.path, file.line_of(generator.start_byte), _BY_HAND
        )
    returned = _returned_value(generator)
    if returned is not None:
        return Blocked(
            f"the generator of {procedure.path} returns a value, which no client ever sees",
            file.path,
            file.line_of(returned.start_byte),
            "let it `yield` what is to be seen and return nothing, and run this again",
        )
    return None


def options_of_wrapper(procedure: Procedure, layout: Layout, transformer: str) -> str:
    """The second argument of throughRelay: what is there already, with the app's transformer; "" for none."""
    own = "{ transformer }" if transformer == "transformer" else f"{{ transformer: {transformer} }}"
    there = _options(wrapping(procedure, layout))
    if there is None:
        return own if transformer else ""
    if not transformer or there.type != "object" or property_of(there, "transformer") is not None:
        return text_of(there)
    return one_line([own[2:-2], *(text_of(member) for member in there.named_children)])


def is_wrapped(procedure: Procedure, layout: Layout, options: str) -> bool:
    """Whether the generator goes through the relay with these options already."""
    call = wrapping(procedure, layout)
    there = _options(call)
    return call is not None and (text_of(there) if there is not None else "") == options


def wrap_subscription(edit: FileEdit, procedure: Procedure, options: str, width: int = 0) -> None:
    """Write `throughRelay(<the generator>, <options>)` as the subscription's argument, and lay the chain out anew, in
    `width` columns; by default what the file shows.
    """
    file = edit.source
    width = width or width_of(file)
    newline, indent = file.style.newline, file.style.indent
    given = _given(procedure.arguments)
    assert given is not None
    inner = _given(given.child_by_field_name("arguments")) if given.type == "call_expression" else given
    assert inner is not None
    is_inline = inner.type in _FUNCTIONS
    line_base = file.indentation_of(procedure.node.start_byte)
    base = _lay_out_chain(edit, procedure, width, "" if is_inline else f"{WRAPPER}({_joined(text_of(inner), options)})")
    if base is None:
        base = file.indentation_of(_method_of(procedure.call).start_byte)
    comma = "," if commas_in_calls(file) else ""
    one, two = base + indent, base + indent * 2
    if not is_inline:
        call = f"{WRAPPER}({_joined(text_of(inner), options)})"
        before = (
            columns(base) + len(".subscription(")
            if base != line_base
            else columns(line_before(file, procedure.arguments.start_byte)) + 1
        )
        if before + len(call) + columns(line_behind(file, procedure.arguments.end_byte)) + 1 <= width:
            text = f"({call})"
        elif columns(one) + len(call) + len(comma) <= width or not options:
            text = f"({newline}{one}{call}{comma}{newline}{base})"
        else:
            arguments = f"{newline}{two}{text_of(inner)},{newline}{two}{options}{comma}{newline}{one}"
            text = f"({newline}{one}{WRAPPER}({arguments}){comma}{newline}{base})"
        edit.replace_node(procedure.arguments, text)
    elif options:
        function = _moved(file, inner, two, columns(two), width)
        second = _options_text(file, options, two, comma, width)
        text = f"{newline}{two}{function},{newline}{two}{second}{comma}{newline}{one}"
        edit.replace_node(procedure.arguments, f"({newline}{one}{WRAPPER}({text}){comma}{newline}{base})")
    else:
        function = _moved(file, inner, one, columns(one) + len(WRAPPER) + 1, width)
        edit.replace_node(procedure.arguments, f"({newline}{one}{WRAPPER}({function}){comma}{newline}{base})")


def _given(arguments: Node | None) -> Node | None:
    nodes = [node for node in arguments.named_children if node.type != "comment"] if arguments is not None else []
    return nodes[0] if nodes else None


def _options(call: Node | None) -> Node | None:
    arguments = call.child_by_field_name("arguments") if call is not None else None
    given = [node for node in arguments.named_children if node.type != "comment"] if arguments is not None else []
    return given[1] if len(given) > 1 else None


def _joined(inner: str, options: str) -> str:
    return f"{inner}, {options}" if options else inner


def _options_text(file: SourceFile, options: str, base: str, comma: str, width: int) -> str:
    """The options on one line, or broken where that is too long; those of another shape stay as they are."""
    if re.search(r"\n|[({\[].*[({\[]", options) or columns(base + options + comma) <= width:
        return options
    return broken(file, [part.strip() for part in options.strip("{} ").split(",") if part.strip()], base)


def _returned_value(generator: Node) -> Node | None:
    """The first `return` with a value that is the generator's own."""
    body = generator.child_by_field_name("body")
    stack = [body] if body is not None else []
    while stack:
        node = stack.pop()
        if node.type == "return_statement":
            value = _given(node)
            if value is not None and text_of(value) not in ("undefined", "void 0"):
                return node
        elif node is body or node.type not in _FUNCTIONS:
            stack.extend(reversed(node.named_children))
    return None


# --- layout


def _lay_out_chain(edit: FileEdit, procedure: Procedure, width: int, wrapped: str) -> str | None:
    """Put the calls of `a.input(b).subscription(...)` on one line or on lines of their own, whichever a formatter
    would now; gives the indentation of the line with `.subscription`, or None where the chain stays as it is.

    Prettier and Biome keep two calls on one line if that line is short enough up to where the generator breaks it;
    with three calls or more the chain is broken already. `wrapped` is the argument if it is short.
    """
    file = edit.source
    newline, indent = file.style.newline, file.style.indent
    root, calls = chain_of(procedure.call)
    if len(calls) != 2 or calls[0].name != "input" or len(calls[0].arguments) != 1:
        return None
    schema = calls[0].arguments[0]
    chain = file.data[root.start_byte : procedure.arguments.start_byte].decode()
    between = chain.replace(text_of(schema), "", 1)
    if "//" in between or "/*" in between or "\n" in text_of(schema) + text_of(root):
        return None
    base = file.indentation_of(procedure.node.start_byte)
    head = line_before(file, root.start_byte) + text_of(root) + f".input({text_of(schema)}).subscription("
    dots = [_dot_of(call) for call in calls]
    is_short = columns(head) <= width
    if wrapped:
        is_short = columns(head + wrapped + ")" + line_behind(file, procedure.arguments.end_byte)) <= width
    if is_short:
        edit.replace(root.end_byte, dots[0].end_byte, ".")
        edit.replace(calls[0].node.end_byte, dots[1].end_byte, ".")
        arguments = f"({text_of(schema)})"
    else:
        edit.replace(root.end_byte, dots[0].end_byte, f"{newline}{base}{indent}.")
        edit.replace(calls[0].node.end_byte, dots[1].end_byte, f"{newline}{base}{indent}.")
        arguments = _input_text(file, schema, base + indent, width)
    node = calls[0].node.child_by_field_name("arguments")
    assert node is not None
    edit.replace_node(node, arguments)
    return base if is_short else base + indent


def _input_text(file: SourceFile, schema: Node, base: str, width: int) -> str:
    """`(z.object({ ... }))` behind `.input` on a line that begins with `base`, broken as far as it has to be."""
    newline, inner = file.style.newline, base + file.style.indent
    comma = "," if commas_in_calls(file) else ""
    text = text_of(schema)
    if columns(base) + len(f".input({text})") <= width:
        return f"({text})"
    root, calls = chain_of(schema)
    literal = calls[-1].arguments[0] if calls and calls[-1].arguments else None
    is_one_object = len(calls) == 1 and literal is not None and literal.type == "object"
    if columns(inner) + len(text + comma) > width and is_one_object and literal is not None:
        members = [text_of(member) for member in literal.named_children]
        text = f"{text_of(root)}.{calls[0].name}({broken(file, members, inner)})"
    return f"({newline}{inner}{text}{comma}{newline}{base})"


def _dot_of(call: Call) -> Node:
    """The `.` before the name of a method that is called."""
    function = call.node.child_by_field_name("function")
    assert function is not None
    return next(child for child in function.children if child.type in (".", "?."))


def _method_of(call: Node) -> Node:
    function = call.child_by_field_name("function")
    name = function.child_by_field_name("property") if function is not None else None
    assert name is not None
    return name


def _moved(file: SourceFile, function: Node, base: str, before: int, width: int) -> str:
    """A function's text with its last line, and all others with it, moved to `base`; it begins at column `before`.

    What is inside template literals is content and stays, and so do block comments that are no JSDoc.
    """
    old = file.indentation_of(function.end_byte - 1)
    fixed: set[int] = set()
    for node in find_all(function, "template_string", "string", "comment"):
        is_doc = node.type == "comment" and all(
            line.lstrip().startswith("*") for line in text_of(node).split("\n")[1:] if line.strip()
        )
        # The code in a template's `${}` is none of its text.
        parts = [part for part in node.children if part.type != "template_substitution"]
        for part in parts if node.type == "template_string" else () if is_doc else (node,):
            fixed.update(range(part.start_point.row + 1, part.end_point.row + 1))
    body = function.child_by_field_name("body")
    assert body is not None
    head = file.data[function.start_byte : body.start_byte].decode()
    laid_out = _head(head, before, file, base, width)
    lines = []
    row = body.start_point.row
    for number, line in enumerate(file.data[body.start_byte : function.end_byte].decode().split("\n")):
        is_free = number and row + number not in fixed and line.startswith(old) and line.strip()
        lines.append(base + line.removeprefix(old) if is_free else line)
    if laid_out is None:
        rest = head.split("\n")
        laid_out = "\n".join([rest[0], *(base + line.removeprefix(old) for line in rest[1:])])
    return laid_out + "\n".join(lines)


def _head(head: str, before: int, file: SourceFile, base: str, width: int) -> str | None:
    """`async function* ({ input, signal }) ` on one line, or broken if it is too long; None for a head that is more
    than names.
    """
    match = re.fullmatch(r"(async function\*\s*\w*\s*\()\{([\w\s,]*)\}(\)\s*)", head)
    if match is None:
        return None
    names = [name.strip() for name in match[2].split(",") if name.strip()]
    line = f"{match[1]}{{ {', '.join(names)} }}{match[3]}"
    if before + len(line) + 1 <= width:
        return line
    return f"{match[1]}{broken(file, names, base)}{match[3]}"
