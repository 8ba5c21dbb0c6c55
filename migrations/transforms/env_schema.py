"""The kit's variables declared in an app's env schema, each as optional: without them the app answers in one piece."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from migrations.discovery.env_schema import CLIENT_PREFIX, SIDES, Side, keys_of
from migrations.engine.outcome import Leftover
from migrations.engine.syntax import text_of
from migrations.transforms.links_text import WIDTH, Look
from migrations.transforms.object_members import columns

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tree_sitter import Node

    from migrations.discovery.env_schema import EnvGroup, EnvSchema, Unclear
    from migrations.discovery.trpc_client import Place
    from migrations.engine import AppView, Edits, SourceFile, Style


@dataclass(frozen=True, slots=True)
class EnvVariable:
    """A variable of the kit; `choices` are the texts that it may have, () is any."""

    name: str
    choices: tuple[str, ...] = ()

    @property
    def side(self) -> Side:
        return "client" if self.name.startswith(CLIENT_PREFIX) else "server"


KIT_VARIABLES = (
    EnvVariable("RELAY_SECRET"),
    EnvVariable("RELAY_URL"),
    EnvVariable("NEXT_PUBLIC_RELAY_HOST"),
    EnvVariable("NEXT_PUBLIC_CHAT_MODE", ("send-message", "streaming")),
)


def declare_variables(edits: Edits, schema: EnvSchema) -> tuple[Leftover, ...]:
    """Declare those of the kit's variables that the schema does not have, on the sides that it has.

    What is left over are the places that are not understood, until they name the variables.
    """
    lines: dict[tuple[str, int], list[_Line]] = {}
    places: dict[tuple[str, int], Place] = {}
    for group in schema.groups:
        for variable in KIT_VARIABLES:
            if variable.side == group.side and variable.name not in schema.names:
                for place, line in _lines(group, variable):
                    key = (place.file.path, place.node.start_byte)
                    places[key] = place
                    lines.setdefault(key, []).append(line)
    for key, place in places.items():
        _add(edits, place, lines[key])
    return tuple(_leftovers(edits.view, schema))


@dataclass(frozen=True, slots=True)
class _Line:
    """`name: value` on one line, and its value where that is too long: an inner line between head and tail."""

    name: str
    value: str
    head: str
    inner: tuple[str, ...]
    tail: str

    def write(self, indent: str, style: Style, comma: str, comma_inside: str) -> str:
        line = f"{indent}{self.name}: {self.value}{comma}"
        if columns(line) <= WIDTH or not self.inner:
            return line
        parts = [f"{indent}{self.name}:{self.head}", *(indent + style.indent + text for text in self.inner)]
        if self.tail:  # of a call, whose last argument has a comma if members of objects do
            parts[-1] += comma_inside
            parts.append(indent + self.tail)
        return style.newline.join(parts) + comma


def _lines(group: EnvGroup, variable: EnvVariable) -> Iterator[tuple[Place, _Line]]:
    name = variable.name
    if group.values is not None and name not in keys_of(group.values.node):
        value = f"process.env.{name}"
        yield group.values, _Line(name, value, "", (value,), "")
    validator = group.validator
    quote = group.declared.file.style.quote
    inner = f"{validator.name}.string()"
    if variable.choices and not group.typed_values:
        choices = ", ".join(f"{quote}{choice}{quote}" for choice in variable.choices)
        inner = f"{validator.name}.{validator.choice}([{choices}])"
    if validator.functional:
        call = f"{validator.name}.optional("
        yield group.declared, _Line(name, f"{call}{inner})", f" {call}", (inner,), ")")
    else:
        chained = inner.removeprefix(validator.name)
        yield (
            group.declared,
            _Line(name, f"{inner}.optional()", f" {validator.name}", (chained, ".optional()"), ""),
        )


def _add(edits: Edits, place: Place, lines: Sequence[_Line]) -> None:
    """Write the lines as the last of an object literal."""
    file, node = place.file, place.node
    edit, style = edits.source(file.path), file.style
    opening, closing = node.children[0], node.children[-1]
    members = [child for child in node.named_children if child.type != "comment"]
    outer = file.indentation_of(opening.start_byte)
    if _line(opening) == _line(closing):
        indent = outer + style.indent
        kept = [indent + text_of(child) + ("" if child.type == "comment" else ",") for child in node.named_children]
        last_comma = Look.of(file).last_comma
        written = _written(lines, indent, style, last_comma)
        edit.replace_node(node, style.newline.join(["{", *kept, *written, f"{outer}}}"]))
        return
    has_comma = _ends_with_comma(node)
    indent = file.indentation_of(closing.start_byte) + style.indent
    if members and _begins_line(file, members[-1]):
        indent = file.indentation_of(members[-1].start_byte)
    last_comma = ("," if has_comma else "") if members else Look.of(file).last_comma
    text = style.newline.join(_written(lines, indent, style, last_comma))
    if members and not has_comma:
        edit.insert(members[-1].end_byte, ",")
    if not members or _begins_line(file, closing):
        edit.insert(file.line_start(closing.start_byte), text + style.newline)
    else:  # the bracket stands behind the last member
        edit.insert((closing.prev_sibling or closing).end_byte, style.newline + text)


def _written(lines: Sequence[_Line], indent: str, style: Style, last_comma: str) -> list[str]:
    commas = [","] * (len(lines) - 1) + [last_comma]
    return [line.write(indent, style, comma, last_comma) for line, comma in zip(lines, commas, strict=True)]


def _ends_with_comma(node: Node) -> bool:
    """Whether the last member of an object or list has a comma behind it."""
    inside = [child for child in node.children[:-1] if child.type != "comment"]
    return inside[-1].type == ","


def _begins_line(file: SourceFile, node: Node) -> bool:
    return not file.data[file.line_start(node.start_byte) : node.start_byte].strip()


def _line(node: Node) -> int:
    return node.start_point.row


def _leftovers(view: AppView, schema: EnvSchema) -> Iterator[Leftover]:
    for unclear in schema.unclear:
        text = view.read(unclear.path) or b""
        names = [v.name for v in KIT_VARIABLES if v.side in unclear.sides and v.name.encode() not in text]
        if names:
            yield Leftover(unclear.path, unclear.line, unclear.what, _how(unclear, names))


def _how(unclear: Unclear, names: Sequence[str]) -> str:
    if unclear.how:
        return unclear.how
    sides = " and ".join(side for side in SIDES if side in unclear.sides)
    return f"declare {', '.join(names)} there ({sides}), as optional texts"
