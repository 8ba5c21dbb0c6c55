"""The call `api.chat.sendMessage.useMutation(options)` written as a call of the kit's drop-in hook."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from migrations.discovery.calls import HOOK
from migrations.discovery.component_state import Component, State
from migrations.discovery.imports import find_import
from migrations.discovery.trpc_client import declaration_of
from migrations.engine.syntax import find_all, text_of
from migrations.transforms.links_text import WIDTH, Look
from migrations.transforms.object_members import columns

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tree_sitter import Node

    from migrations.discovery.calls import MutationCall
    from migrations.discovery.input_fields import InputField
    from migrations.engine import FileEdit, SourceFile
    from migrations.transforms.live_text import LiveText

LIVE_STATE = "useLiveState"
_NAME = re.compile(r"[A-Za-z_$][\w$]*")
_TRACK_ID = "trackId"
# tRPC fills it in when a subscription goes on after a break.
_FILLED_IN = frozenset({"lastEventId"})


class MissingField(Exception):
    """A field of the subscription's input for which the component has nothing."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(name)
        self.name = name
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Input:
    """How the subscription's input is made: `shared` fields come from the mutation's variables, `found` from the
    component. `is_all` says that `shared` are all the variables there are.
    """

    shared: tuple[str, ...]
    found: tuple[str, ...]
    is_all: bool

    def lines(self, room: int) -> list[str]:
        """The option `input` as canonical lines, each at most `room` columns with the comma behind the last."""
        fields = [*self.shared, _TRACK_ID, *self.found]
        spread = ["...variables", _TRACK_ID, *self.found]
        if self.is_all and not self.found:
            return _arrow("input: (variables, trackId) =>", spread, room)
        names = ", ".join(self.shared)
        if all(_NAME.fullmatch(name) for name in self.shared):
            pattern = f"{{ {names} }}" if names else "_variables"
            head = f"input: ({pattern}, trackId) =>"
            if len(head) + len(" ({") <= room:
                return _arrow(head, fields, room)
        if self.is_all:
            return _arrow("input: (variables, trackId) =>", spread, room)
        picked = [f"{name}: variables.{name}" if _NAME.fullmatch(name) else _quoted(name) for name in self.shared]
        return _arrow("input: (variables, trackId) =>", [*picked, _TRACK_ID, *self.found], room)


def _quoted(name: str) -> str:
    return f'"{name}": variables["{name}"]'


def _arrow(head: str, fields: list[str], room: int) -> list[str]:
    line = f"{head} ({{ {', '.join(fields)} }})"
    return [line] if len(line) + 1 <= room else [f"{head} ({{", *(f"  {field}," for field in fields), "})"]


def make_input(call: MutationCall, mutation: Mapping[str, InputField], subscription: Mapping[str, InputField]) -> Input:
    """How the component makes the subscription's input. Raises MissingField."""
    shared: list[str] = []
    found: list[str] = []
    if _TRACK_ID not in subscription:
        raise MissingField(_TRACK_ID, "the subscription's input has no trackId, by which its reply is known")
    for name, wanted in subscription.items():
        if name == _TRACK_ID or (name in _FILLED_IN and name not in mutation):
            continue
        if name in mutation:
            if mutation[name].is_optional and not wanted.is_optional:
                raise MissingField(name, f"the mutation may be called without `{name}`, which the subscription needs")
            shared.append(name)
        elif _NAME.fullmatch(name) and _is_in_scope(call, name, wanted):
            found.append(name)
        elif not wanted.is_optional:
            raise MissingField(name, f"the subscription needs `{name}`, and this component has nothing of that name")
    return Input(tuple(shared), tuple(found), is_all=set(mutation) - {_TRACK_ID} <= set(shared))


def _is_in_scope(call: MutationCall, name: str, wanted: InputField) -> bool:
    declared = declaration_of(call.call, name)
    if declared is None:
        found = find_import(call.file, name)
        return found is not None and not (found[0].type_only or found[1].type_only)
    component = Component.of(call.file, call.component) if call.component is not None else None
    states = component.states if component is not None else ()
    state = next((state for state in states if state.declarator == declared), None)
    if state is None:
        return True
    return state.value == name and (not wanted.kind or _kind_of(state) in ("", wanted.kind))


def _kind_of(state: State) -> str:
    """string, number, boolean, array or object; "" where the declaration does not say."""
    annotation, initial = state.type_argument, state.initial
    if annotation is not None:
        kinds = {"array_type": "array", "object_type": "object", "predefined_type": text_of(annotation)}
        return kinds.get(
            annotation.type, "array" if text_of(annotation).startswith(("Array<", "ReadonlyArray<")) else ""
        )
    literals = {
        "string": "string",
        "template_string": "string",
        "number": "number",
        "true": "boolean",
        "false": "boolean",
    }
    return {**literals, "array": "array", "object": "object"}.get(initial.type, "") if initial is not None else ""


# --- the text of the call


def write_call(
    edit: FileEdit, call: MutationCall, subscription: str, made: Input, options: Sequence[str], live: LiveText | None
) -> None:
    """Put the hook's call in place of the mutation's: `subscription` as the file names it, further options as canonical
    snippets, the reply shown by `live`; the options that are there come last, as they stand.
    """
    file, style, look = call.file, call.file.style, Look.of(call.file)
    start, lead, base, column = _place(call)
    names = f"{call.path}, {subscription}"
    is_hugged = column + len(f"{HOOK}({names}, {{") <= WIDTH
    outer = base if is_hugged else base + style.indent
    inner = outer + style.indent
    lines = [*made.lines(WIDTH - columns(inner))]
    for option in options:
        lines[-1] += ","
        lines += option.split("\n")
    if not look.parentheses:
        lines = [re.sub(r"\((\w+)\) =>", r"\1 =>", line) for line in lines]
    new = style.newline.join(inner + _in_style(line, file) for line in lines)
    if live is not None:
        new += f",{style.newline}{inner}{_live(call, live, inner)}"
    text = _with_options(call, new, outer, look.last_comma)
    if is_hugged:
        text = f"{HOOK}({names}, {text})"
    else:
        parts = [f"{HOOK}(", f"{outer}{call.path},", f"{outer}{subscription},"]
        text = style.newline.join([*parts, f"{outer}{text}{argument_comma(file)}", f"{base})"])
    edit.replace(start, call.call.end_byte, lead + text)


def make_live(edit: FileEdit, state: State) -> None:
    """Put `useLiveState` in place of `useState`. Unlike that it wants an initial value."""
    edit.replace_node(state.maker, LIVE_STATE)
    if state.initial is None:
        given = state.type_argument
        if given is not None:
            edit.replace_node(given, f"{text_of(given)} | undefined")
        arguments = state.call.child_by_field_name("arguments")
        if arguments is not None:
            edit.replace_node(arguments, "(undefined)")


def _place(call: MutationCall) -> tuple[int, str, str, int]:
    """Where the new call begins, what goes between that place and it, the indentation of its line, and its column."""
    file = call.file
    at = call.call.start_byte
    before = file.data[file.line_start(at) : at].decode()
    base = file.indentation_of(at)
    opening = len(f"{HOOK}(")
    if before.strip():
        equals = before.rstrip()
        is_long = equals.endswith("=") and columns(before) + opening > WIDTH
        if is_long or equals.endswith("=>"):
            base += file.style.indent
            return (
                at - len(before.encode()) + len(equals.encode()),
                file.style.newline + base,
                base,
                columns(base),
            )
        return at, "", base, columns(before)
    head = file.data[:at].rstrip()
    above = head[file.line_start(len(head)) :].decode()
    if above.endswith("=") and columns(above) + 1 + opening <= WIDTH:
        return len(head), " ", file.indentation_of(len(head)), columns(above) + 1
    return at, "", base, columns(base)


def _with_options(call: MutationCall, new: str, outer: str, comma: str) -> str:
    """The options' object, `new` at its beginning, its closing brace at the indentation `outer`."""
    file, options = call.file, call.options
    newline, inner = file.style.newline, outer + file.style.indent
    end = f"{newline}{outer}}}"
    if options is None or (options.type == "object" and not options.named_children):
        return f"{{{newline}{new}{comma}{end}"
    if options.type != "object":
        text = text_of(options)
        is_simple = options.type in ("identifier", "member_expression", "call_expression")
        return f"{{{newline}{new},{newline}{inner}...{text if is_simple else f'({text})'}{comma}{end}"
    first, last = options.named_children[0], options.named_children[-1]
    old = file.indentation_of(options.end_byte - 1)
    if first.start_point.row == options.start_point.row and first.type != "comment":
        members = []
        for member in options.named_children:
            text = moved(file, member.start_byte, member.end_byte, old, outer if _is_broken(options) else inner)
            members.append(text if member.type == "comment" else text + ("," if member != last else comma))
        return f"{{{newline}{new},{newline}" + newline.join(inner + member for member in members) + end
    line = file.line_end(options.start_byte)
    comment = file.data[options.start_byte + 1 : line].decode().strip()
    rest = moved(file, line, options.end_byte, old, outer)
    opening = f"{{{newline}{inner}{comment}" if comment else "{"
    return f"{opening}{newline}{new},{newline}{rest}"


def _is_broken(node: Node) -> bool:
    return node.start_point.row != node.end_point.row


def moved(file: SourceFile, start: int, end: int, old: str, new: str) -> str:
    """The text of a span whose lines are indented from `old` on, indented from `new` on; literals stay as they are."""
    literal: set[int] = set()
    for node in find_all(file.root, "template_string"):
        literal.update(range(node.start_point.row + 1, node.end_point.row + 1))
    row = file.line_of(start) - 1
    begins_line = file.line_start(start) == start
    lines = file.data[start:end].decode().split("\n")
    for number, line in enumerate(lines):
        if (number or begins_line) and row + number not in literal and line.strip() and line.startswith(old):
            lines[number] = new + line.removeprefix(old)
    return "\n".join(lines)


def _live(call: MutationCall, live: LiveText, inner: str) -> str:
    """The option `live`: the whole onSuccess, or a function with the statements of it that write the reply."""
    if live.is_whole:
        return "live: true"
    file, newline = call.file, call.file.style.newline
    parameters = live.parameters
    while parameters and not any(live.mentions(name) for name in live.names_of(parameters[-1])):
        parameters = parameters[:-1]
    body = []
    for statement in live.statements:
        old = file.indentation_of(statement.start_byte)
        deeper = inner + file.style.indent
        body.append(deeper + moved(file, statement.start_byte, statement.end_byte, old, deeper))
    head = ", ".join(text_of(parameter) for parameter in parameters)
    return newline.join([f"live: ({head}) => {{", *body, f"{inner}}}"])


def _in_style(line: str, file: SourceFile) -> str:
    """A canonical line in the file's style."""
    style = file.style
    bare = line.lstrip(" ")
    if style.quote == "'" and "'" not in bare:
        bare = bare.replace('"', "'")
    if not style.semicolons:
        bare = bare.removesuffix(";")
    return style.indent * ((len(line) - len(line.lstrip(" "))) // 2) + bare


def argument_comma(file: SourceFile) -> str:
    """`,` behind the last of arguments that stand on lines of their own, unless the file has it otherwise."""
    with_comma = without = 0
    for node in find_all(file.root, "arguments", "formal_parameters"):
        last = node.children[-2] if len(node.children) > 2 else None
        if last is not None and node.children[1].start_point.row > node.start_point.row:
            with_comma += last.type == ","
            without += last.type not in (",", "comment")
    return Look.of(file).last_comma if with_comma >= without else ""
