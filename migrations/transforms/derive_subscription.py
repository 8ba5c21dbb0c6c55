"""The streaming twin of a chat's mutation, written from the mutation's own source.

Used so:

    derived = derive_subscription(view, layout, mutation, chat.stream_name, options="{ transformer: superjson }")
    if isinstance(derived, Blocked):
        return derived
    for specifier, name in derived.imports:
        imports.add(specifier, name)  # ImportChanges
    # `derived.member` goes behind the mutation's member and its comma, on a line of its own, after `indentation_of` the
    # mutation's line: its first line is without indentation, the others have theirs, its last character is the comma.

The generator's body is the mutation's, statement by statement: rows are written, limits checked and errors thrown where
they were. The one awaited call of the model becomes a loop that yields each piece; what follows works on the whole text
as it did on `choices[0].message.content`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from migrations.discovery.nodes import field, method_of
from migrations.discovery.openai_call import find_model_call
from migrations.discovery.refused import Refused
from migrations.engine.syntax import text_of
from migrations.transforms.derived_body import GeneratorBody
from migrations.transforms.derived_input import GeneratorParameters, SubscriptionInput
from migrations.transforms.edited_copy import EditedCopy, reindented
from migrations.transforms.object_members import columns
from migrations.transforms.wrapping import wrapped

if TYPE_CHECKING:
    from tree_sitter import Node

    from migrations.discovery.layout import Layout
    from migrations.discovery.openai_answer import ModelCall
    from migrations.discovery.procedures import Procedure
    from migrations.engine import AppView, Blocked


@dataclass(frozen=True, slots=True)
class Derived:
    """`member` is the text of the new router member, in the file's own style and line ends, indented for its place but
    for its first line, with its trailing comma. `imports` are what the file must import for it, as (specifier, name),
    besides throughRelay and what the options name.
    """

    member: str
    imports: tuple[tuple[str, str], ...]


def derive_subscription(
    view: AppView, layout: Layout, mutation: Procedure, name: str, *, options: str = ""
) -> Derived | Blocked:
    """The subscription `name` that streams what `mutation` answers in one piece; Blocked, with the place, where that
    cannot be told for certain. `options` is the second argument of throughRelay, `{ transformer: superjson }` or "".
    """
    try:
        return _Twin(view, layout, mutation, name, options).derived()
    except Refused as refused:
        return refused.as_blocked(f"write the subscription {name} by hand beside {mutation.name}, then run this again")


class _Twin:
    """The work on one mutation."""

    def __init__(self, view: AppView, layout: Layout, mutation: Procedure, name: str, options: str) -> None:
        self.view = view
        self.layout = layout
        self.mutation = mutation
        self.name = name
        self.options = options
        self.copy = EditedCopy(mutation.file)
        self.input = SubscriptionInput(view, layout, mutation, self.copy)

    def derived(self) -> Derived:
        """Raises Refused."""
        node, file, copy = self.mutation.node, self.mutation.file, self.copy
        if not file.path.endswith((".ts", ".tsx")):
            raise copy.refuse("the app kit is TypeScript, and this file is not", node)
        if self.mutation.container is None or node.type != "pair":
            raise copy.refuse("the procedure stands by itself, not in the object of a router", node)
        if field(node, "value") != self.mutation.call:
            raise copy.refuse("the procedure is wrapped or typed, which its twin cannot be", node)
        resolver = self.mutation.resolver
        if resolver is None or resolver.parent != self.mutation.arguments:
            raise copy.refuse("the procedure's function does not stand in the procedure itself", self.mutation.call)
        model = find_model_call(self.view, self.layout, self.mutation)
        key = field(node, "key")
        quote = copy.text(key)[0] if key.type == "string" else ""
        text = f"{quote}{self.name}{quote}: {self._chain(resolver, model)},"
        return Derived(self._wrapped(text), tuple(self.input.imports))

    def _wrapped(self, member: str) -> str:
        """The member with the file's line ends, and with its too long lines broken."""
        file, newline = self.mutation.file, self.copy.style.newline
        head, end = f"({{\n{self.copy.indentation(self.mutation.node)}", "\n})\n"
        code = f"{head}{member}{end}".replace("\n", newline).encode()
        done = wrapped(file, code, self.copy.width, is_new=True).decode()
        return done.removeprefix(head.replace("\n", newline)).removesuffix(end.replace("\n", newline))

    def _chain(self, resolver: Node, model: ModelCall) -> str:
        """The procedure's whole chain of calls, `.subscription(...)` at its end."""
        calls: list[Node] = []
        node = self.mutation.call
        while node.type == "call_expression":
            function = field(node, "function")
            if function.type != "member_expression":
                break
            calls.insert(0, node)
            node = field(function, "object")
        base = node
        schema = self.mutation.input
        if schema is not None:
            self.copy.edit(schema, self.input.schema())
        if self.mutation.output is not None:
            self._check_output(self.mutation.output)
        gaps, links = [], []
        end = base.end_byte
        for call in calls[:-1]:
            name = method_of(call)
            gap, link = self.copy.raw(end, name.start_byte), self.copy.written(name.start_byte, call.end_byte)
            end = call.end_byte
            if name.text != b"output":
                gaps.append(gap)
                links.append(link)
        last = method_of(calls[-1])
        gaps.append(self.copy.raw(end, last.start_byte))
        if schema is None:
            gaps.insert(len(gaps) - 1, gaps[-1])
            links.append(f"input({self.input.schema()})")
        links.append("subscription(")
        was_broken = any("\n" in gap for gap in gaps)
        indent = self.copy.indentation(self.mutation.node)
        line = f"{indent}{self.name}: {self.copy.text(base)}.{'.'.join(links)}"
        fits = "\n" not in line and columns(line) <= self.copy.width
        body = field(resolver, "body")
        before = " ".join(self.copy.raw(self.mutation.node.start_byte, body.start_byte + 1).split()).replace(" .", ".")
        would_fit = columns(indent + before) <= self.copy.width
        is_plain = all(not gap.strip(". \t\n") for gap in gaps)
        if was_broken and is_plain and len(links) <= 2 and fits and not would_fit:
            gaps = ["."] * len(gaps)
        elif not was_broken and (len(links) > max(2, len(calls)) or (len(links) == 2 and not fits)):
            gaps = [f"\n{indent}{self.copy.style.indent}."] * len(gaps)
        place = gaps[-1].rpartition("\n")[2].removesuffix(".") if "\n" in gaps[-1] else indent
        chain = "".join(gap + link for gap, link in zip(gaps, links, strict=True))
        return self.copy.text(base) + chain + self._argument(resolver, body, model, place)

    def _argument(self, resolver: Node, body: Node, model: ModelCall, place: str) -> str:
        """What stands behind `.subscription(`, which begins in a line that is indented by `place`."""
        unit = self.copy.style.indent
        comma = self.copy.argument_comma
        inner = place + unit * (2 if self.options else 1)
        parameters = GeneratorParameters(self.mutation, self.copy, resolver, body, model)
        written = parameters.text()
        own = self.copy.file.indentation_of(body.end_byte - 1)
        block = GeneratorBody(self.copy, model, body, parameters, columns(inner) - columns(own)).written()
        block = reindented(block, own, inner, "async function* f() ")
        function = f"async function* {written} {block}"
        if not self.options:
            return f"\n{inner}throughRelay({function}){comma}\n{place})"
        both = f"{inner}{function},\n{inner}{self.copy.snippet(self.options, '')}{comma}"
        return f"\n{place}{unit}throughRelay(\n{both}\n{place}{unit}){comma}\n{place})"

    def _check_output(self, output: Node) -> None:
        allowed = r"\w+\.string\(\)(\.(nullable|optional|nullish)\(\)|\.describe\([^()]*\))*"
        if not re.fullmatch(allowed, "".join(text_of(output).split())):
            raise self.copy.refuse("`.output` says more than that the reply is a string", output)
