"""What a subscription takes that streams what a mutation answers: the mutation's input and a trackId, and `signal`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from migrations.discovery.declarations import declared_at_top
from migrations.discovery.imports import find_import, imports_of, local_name
from migrations.discovery.model_calls import declarations_of
from migrations.discovery.nodes import NAMES, TRANSPARENT, arguments_of, key_name, method_of, without_comments
from migrations.discovery.openai_answer import is_logged
from migrations.engine.syntax import find_all, text_of
from migrations.transforms.edited_copy import fresh_name

if TYPE_CHECKING:
    from tree_sitter import Node

    from migrations.discovery.layout import Layout
    from migrations.discovery.openai_answer import ModelCall
    from migrations.discovery.procedures import Procedure
    from migrations.engine import AppView, SourceFile
    from migrations.transforms.edited_copy import EditedCopy

_ZOD = ("zod", "zod/v3", "zod/v4")
# Methods of a z.object after which `.extend` is there and adds to it (zod's documentation, "Objects"; 3 and 4).
_EXTENDABLE = frozenset(
    "strict strip passthrough loose catchall extend merge pick omit partial required describe".split(" ")  # noqa: SIM905
)
# Those, and what checks the object and leaves it as it is, after which a field can still be added to the literal.
_CHECKS = frozenset("strict strip passthrough loose catchall extend merge describe refine superRefine".split(" "))  # noqa: SIM905
_FILES_DEEP = 4


class SubscriptionInput:
    """The schema. `imports` are what the file must import for it, as (specifier, name)."""

    def __init__(self, view: AppView, layout: Layout, mutation: Procedure, copy: EditedCopy) -> None:
        self.view = view
        self.layout = layout
        self.mutation = mutation
        self.copy = copy
        self.imports: list[tuple[str, str]] = []

    def schema(self) -> str:
        """The mutation's schema with a trackId, or one with nothing else where it has none. Raises Refused."""
        schema = self.mutation.input
        if schema is None:
            return f"{self._zod()}.object({{ trackId: {self._zod()}.string() }})"
        base, methods = _schema_chain(schema)
        literal = self._object_of_zod(self.copy.file, base)
        if literal is not None and literal.type == "object" and set(methods) <= _CHECKS:
            track = next((item for item in literal.named_children if key_name(item) == "trackId"), None)
            if track is None:
                self.copy.edit(literal, self.copy.with_member(literal, f"trackId: {self._zod()}.string()"))
            elif track.type == "pair" and (value := track.child_by_field_name("value")) is not None:
                self.copy.edit(value, f"{self._zod()}.string()")
            return self.copy.text(schema)
        if not self._is_extendable(self.copy.file, schema, _FILES_DEEP):
            raise self.copy.refuse("the input is not a z.object that can be extended", schema)
        return f"{self.copy.text(schema)}.extend({{ trackId: {self._zod()}.string() }})"

    def _zod(self) -> str:
        """What the file calls zod's `z`; it is imported if it is not there."""
        for imported in ("z", "default", "*"):
            found = local_name(self.copy.file, imported, *_ZOD)
            if found is not None:
                return found
        if find_import(self.copy.file, "z") is not None or any(declarations_of(self.copy.file, "z")):
            raise self.copy.refuse("`z` is not zod's in this file", self.mutation.node)
        modules = [i.specifier for other in self.view.sources("zod", "import") for i in imports_of(other)]
        module = next((module for module in modules if module in _ZOD), None)
        if module is None:
            raise self.copy.refuse("the app does not import zod", self.mutation.node)
        if (module, "z") not in self.imports:
            self.imports.append((module, "z"))
        return "z"

    def _object_of_zod(self, file: SourceFile, node: Node) -> Node | None:
        """The argument of `z.object(...)`, if `node` is one."""
        function = node.child_by_field_name("function") if node.type == "call_expression" else None
        made = function.child_by_field_name("object") if function is not None else None
        kind = function.child_by_field_name("property") if function is not None else None
        arguments = node.child_by_field_name("arguments")
        if made is None or kind is None or arguments is None or len(arguments.named_children) != 1:
            return None
        found = find_import(file, text_of(made))
        is_zod = found is not None and found[0].specifier in _ZOD and found[1].imported in ("z", "default", "*")
        is_object = text_of(kind) in ("object", "strictObject", "looseObject")
        return arguments.named_children[0] if is_zod and is_object else None

    def _is_extendable(self, file: SourceFile, schema: Node, depth: int) -> bool:
        """Whether a schema is a z.object with nothing on it that takes `.extend` away."""
        base, methods = _schema_chain(schema)
        if not set(methods) <= _EXTENDABLE or not depth:
            return False
        if base.type != "identifier":
            return self._object_of_zod(file, base) is not None
        declared = declared_at_top(self.view, self.layout, file, text_of(base), depth)
        if len(declared) != 1:
            return False
        value = declared[0][1].child_by_field_name("value")
        return value is not None and self._is_extendable(declared[0][0], value, depth - 1)


class GeneratorParameters:
    """The parameters of the generator whose body is made of the mutation's `body`."""

    def __init__(self, mutation: Procedure, copy: EditedCopy, resolver: Node, body: Node, model: ModelCall) -> None:
        self.mutation = mutation
        self.copy = copy
        self.resolver = resolver
        self.body = body
        self.model = model

    def text(self) -> str:
        """The parameters, and with `signal`, if the call of the model can take it. Raises Refused."""
        single = self.resolver.child_by_field_name("parameter")
        formal = self.resolver.child_by_field_name("parameters")
        listed = without_comments(formal) if formal is not None else []
        if len(listed) > 1:
            raise self.copy.refuse("the procedure's function has more than one parameter", listed[1])
        if single is None and listed:
            parameter = listed[0]
            if parameter.child_by_field_name("type") is not None or parameter.child_by_field_name("value") is not None:
                raise self.copy.refuse("the parameter of the procedure's function is typed or has a default", parameter)
            single = parameter.child_by_field_name("pattern")
        if single is None:
            return f"({{ {self._signal_member()} }})" if self.takes_signal() else "()"
        if single.type == "identifier":
            if self.mutation.input is not None:
                self._check_options(text_of(single))
            return f"({text_of(single)})"
        if single.type != "object_pattern":
            raise self.copy.refuse("the parameter of the procedure's function cannot be read", single)
        for item in single.named_children:
            if item.type == "rest_pattern":
                raise self.copy.refuse("the parameter of the procedure's function takes the rest on", item)
            if self.mutation.input is not None and key_name(item) == "input":
                self._keep_track_id_out(item)
        if not self.takes_signal() or self._given_signal(single) is not None:
            return f"({self.copy.text(single)})"
        return f"({self.copy.with_member(single, self._signal_member())})"

    def takes_signal(self) -> bool:
        """Whether the call of the model has no signal of its own."""
        second = arguments_of(self.model.call)[1:]
        return not (
            second and second[0].type == "object" and any(key_name(i) == "signal" for i in second[0].named_children)
        )

    def _given_signal(self, pattern: Node) -> str | None:
        """What a pattern of parameters calls the signal, if it takes it already."""
        for item in pattern.named_children:
            if key_name(item) == "signal":
                value = item.child_by_field_name("value")
                return text_of(value) if value is not None else "signal"
        return None

    def _signal_member(self) -> str:
        name = fresh_name(self.body, "signal", "stopSignal")
        return "signal" if name == "signal" else f"signal: {name}"

    def signal(self) -> str:
        """The signal as an object's member: `signal`, or `signal: opts.signal`."""
        single = self.resolver.child_by_field_name("parameter")
        formal = self.resolver.child_by_field_name("parameters")
        for item in formal.named_children if formal is not None else ():
            single = item.child_by_field_name("pattern") or single
        if single is not None and single.type == "identifier":
            return f"signal: {text_of(single)}.signal"
        given = self._given_signal(single) if single is not None else None
        if given is not None:
            return "signal" if given == "signal" else f"signal: {given}"
        return self._signal_member()

    def _keep_track_id_out(self, item: Node) -> None:
        """The input that the body sees has to be the mutation's where it is handed on whole: without the trackId."""
        pattern = item.child_by_field_name("value")
        name = text_of(pattern if pattern is not None else item)
        if pattern is not None and pattern.type == "object_pattern":
            if any(key_name(member) == "trackId" for member in pattern.named_children):
                return
            if any(member.type == "rest_pattern" for member in pattern.named_children):
                self.copy.edit(pattern, self.copy.with_member(pattern, "trackId: _trackId"))
        elif not self._has_track_id() and any(not _is_taken_apart(use) for use in _uses(self.body, name)):
            self.copy.edit(item, f"input: {{ trackId: _trackId, ...{name} }}")

    def _check_options(self, options: str) -> None:
        """That the procedure's options, and the input in them, are only taken apart."""
        for use in _uses(self.body, options):
            parent = use.parent
            inputs: list[Node] = []
            if parent is not None and parent.type == "member_expression":
                if text_of(parent).endswith(".input"):
                    inputs.append(parent)
            elif parent is not None and parent.type == "variable_declarator" and _is_taken_apart(use):
                pattern = parent.child_by_field_name("name")
                for item in pattern.named_children if pattern is not None else ():
                    value = item.child_by_field_name("value")
                    if key_name(item) == "input" and (value is None or value.type == "identifier"):
                        inputs += _uses(self.body, text_of(value if value is not None else item))
                    elif key_name(item) == "input" and value is not None and _rest(value):
                        inputs.append(value)
            else:
                raise self.copy.refuse(f"`{options}` is handed on as a whole", use)
            whole = next((found for found in inputs if not _is_taken_apart(found)), None)
            if whole is not None and not self._has_track_id():
                raise self.copy.refuse("the input is handed on as a whole, and the trackId would go with it", whole)

    def _has_track_id(self) -> bool:
        """Whether the mutation's own input has a trackId, as far as its literal shows."""
        schema = self.mutation.input
        members = find_all(schema, "pair", "shorthand_property_identifier") if schema is not None else ()
        return any(key_name(member) == "trackId" for member in members)


# --- nodes


def _rest(pattern: Node) -> bool:
    return any(item.type == "rest_pattern" for item in pattern.named_children)


def _schema_chain(schema: Node) -> tuple[Node, list[str]]:
    """What a schema begins with, `z.object(...)` or anything else, and the methods called on it."""
    node, methods = schema, []
    while node.type == "call_expression":
        function = node.child_by_field_name("function")
        inner = function.child_by_field_name("object") if function is not None else None
        if inner is None:
            break
        name = text_of(method_of(node))
        if inner.type == "identifier" and name in ("object", "strictObject", "looseObject"):
            break
        methods.append(name)
        node = inner
    return node, methods


def _uses(body: Node, name: str) -> list[Node]:
    return [node for node in find_all(body, *NAMES) if text_of(node) == name]


def _is_taken_apart(use: Node) -> bool:
    """Whether only parts of an object are used, or it is only logged."""
    node, parent = use, use.parent
    while parent is not None and parent.type in TRANSPARENT:
        node, parent = parent, parent.parent
    if parent is None:
        return False
    if parent.type in ("member_expression", "subscript_expression"):
        return parent.child_by_field_name("object") == node
    if parent.type == "variable_declarator":
        pattern = parent.child_by_field_name("name")
        return pattern is not None and pattern.type == "object_pattern" and not _rest(pattern)
    return is_logged(node, parent)
