"""The body of a generator that streams what a mutation answers in one piece: the mutation's, statement by statement."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from migrations.discovery.nodes import (
    FUNCTION_NODES,
    NAMES,
    arguments_of,
    block_of,
    field,
    is_within,
    key_name,
    without_comments,
)
from migrations.engine.syntax import text_of
from migrations.transforms.derived_catches import CatchClauses
from migrations.transforms.edited_copy import GONE, fresh_name, reindented, without_gone
from migrations.transforms.object_members import columns

if TYPE_CHECKING:
    from tree_sitter import Node

    from migrations.discovery.openai_answer import ModelCall, TextName
    from migrations.discovery.reply_shape import Return
    from migrations.transforms.derived_input import GeneratorParameters
    from migrations.transforms.edited_copy import EditedCopy


class GeneratorBody:
    """The statements of the generator. They stand `shift` columns further to the right than the mutation's."""

    def __init__(
        self, copy: EditedCopy, model: ModelCall, body: Node, parameters: GeneratorParameters, shift: int
    ) -> None:
        self.copy = copy
        self.parameters = parameters
        self.model = model
        self.body = body
        self.shift = shift
        self.catches = CatchClauses(copy, model.statement, body)
        self.returns = {found.node.start_byte: found for found in model.returns}
        self.unused = self._unused()
        self.folded = self._folded()
        names = ("text", "replyText", "answerText")
        self.name = self.folded.name if self.folded is not None else fresh_name(body, *names)

    def written(self) -> str:
        """The block's text."""
        model, copy = self.model, self.copy
        reads = [read for read in (*model.reads, *model.guards) if not self._is_folded(read)]
        for read in reads:
            self._replace_read(read)
        for read in reads:
            self._join(read)
        for alias in model.aliases:
            copy.edit(alias, GONE)
        for name in self.unused:
            if name.statement.start_byte != model.statement.start_byte:
                copy.edit(name.statement, GONE)
        if self.folded is not None and self.folded.statement.start_byte != model.statement.start_byte:
            copy.edit(self.folded.statement, GONE)
        if self.body.type != "statement_block":
            base = copy.file.indentation_of(self.body.end_byte - 1)
            inner = base + copy.style.indent
            lines = [*self._call(inner), *self._reply(model.returns[0], inner, is_last=True)]
            return "{\n" + "\n".join(inner + line for line in lines) + f"\n{base}}}"
        for found in model.returns:
            if found.node.start_byte != model.statement.start_byte:
                self._write_return(found)
        self.catches.write()
        self._write_call(copy.indentation(model.statement))
        return without_gone(copy.text(self.body))

    # --- which names stay

    def _unused(self) -> list[TextName]:
        """The constants that nothing is left to use once the text is not returned any more."""
        gone = [found.node for found in self.model.returns if found.role == "reply"]
        unused: list[TextName] = []
        while True:
            more = [
                name
                for name in self.model.names
                if name not in unused and not name.is_pattern and all(_is_in_any(use, gone) for use in name.uses)
            ]
            if not more:
                return unused
            unused += more
            gone += [name.statement for name in more]

    def _folded(self) -> TextName | None:
        """The constant that the collected text can take the place of."""
        block = block_of(self.model.statement)
        for name in self.model.names:
            in_function = any(_is_in_function(use, self.body) for use in name.uses)
            if name.is_text and name not in self.unused and block_of(name.statement) == block and not in_function:
                used = [use for use in name.uses if not self._is_gone(use)]
                if used:
                    return name
        return None

    def _is_gone(self, node: Node) -> bool:
        return _is_in_any(
            node,
            [
                *(found.node for found in self.model.returns if found.role == "reply"),
                *(name.statement for name in self.unused),
            ],
        )

    def _needs_text(self) -> bool:
        """Whether anything asks for the whole text."""
        if self.folded is not None or any(found.fallback is not None for found in self.model.returns):
            return True
        return any(not self._is_gone(read) for read in (*self.model.reads, *self.model.guards))

    # --- the edits

    def _replace_read(self, read: Node) -> None:
        if read.type == "shorthand_property_identifier":
            self.copy.edit(read, f"{text_of(read)}: {self.name}")
        elif read.type == "parenthesized_expression":
            self.copy.edit(read, f"({self.name})")
        else:
            self.copy.edit(read, self.name)

    def _is_folded(self, read: Node) -> bool:
        """Whether a read is a use of the name that the collected text has."""
        return self.folded is not None and self.folded.is_pattern and read in self.folded.uses

    def _join(self, read: Node) -> None:
        """Take up on one line again what was broken only because the read was long."""
        node = read
        while (parent := node.parent) is not None and parent.type in (
            "binary_expression",
            "non_null_expression",
            "member_expression",
            "call_expression",
        ):
            if parent.type == "call_expression" and parent.child_by_field_name("function") != node:
                break
            node = parent
        if parent is None or parent.type not in ("variable_declarator", "pair", "assignment_expression"):
            return
        part = "right" if parent.type == "assignment_expression" else "value"
        before = node.prev_sibling
        if parent.child_by_field_name(part) != node or before is None:
            return
        copy = self.copy
        if "\n" not in copy.raw(before.end_byte, node.end_byte):
            return
        text = copy.text(node)
        if re.search(r"[{`]|//|/\*", text):
            return
        text = re.sub(r"\s*\n\s*(?=\.|\?\.)", "", text)
        text = re.sub(r"\s*\n\s*", " ", text)
        line = copy.raw(copy.file.line_start(before.start_byte), before.end_byte)
        if columns(line) + self.shift + 1 + len(text) + 1 <= copy.width:
            copy.replace(before.end_byte, node.end_byte, f" {text}")

    def _write_call(self, base: str) -> None:
        statement, copy = self.model.statement, self.copy
        lines = self._call(base)
        found = self.returns.get(statement.start_byte)
        gone = {name.statement.start_byte for name in self.unused}
        if self.folded is not None:
            gone.add(self.folded.statement.start_byte)
        if found is not None:
            lines += self._reply(found, base, is_last=_is_last(statement, self.body))
        elif not self._takes_apart(statement) and statement.start_byte not in gone:
            lines.append(copy.text(statement))
        copy.edit(statement, f"\n{base}".join(lines))

    def _takes_apart(self, statement: Node) -> bool:
        """Whether the statement of the call does nothing but name the answer, or its parts."""
        declarator = statement.named_children[0]
        value = declarator.child_by_field_name("value") if declarator.type == "variable_declarator" else None
        return value is not None and not any(is_within(read, statement) for read in self.model.reads)

    def _call(self, base: str) -> list[str]:
        """The call of the model and the loop over its pieces; the lines behind the first have their indentation."""
        copy = self.copy
        stream, chunk, piece = (
            fresh_name(self.body, *names)
            for names in (("stream", "completionStream"), ("chunk", "part"), ("piece", "pieceText"))
        )
        call = copy.statement(f"const {stream} = await {self._streaming_call(base)}")
        read = f"const {piece} = {chunk}.choices[0]?.delta?.content;"
        collected = f'{self.name} = ({self.name} ?? "") + {piece};' if self._needs_text() else ""
        before = [line for line in (collected, self.catches.marking()) if line]
        give = f"yield {piece};"
        steps = [f"if (!{piece}) continue;", *before, give] if before else [f"if ({piece}) {give}"]
        lines = [f"for await (const {chunk} of {stream}) {{", *(f"  {step}" for step in (read, *steps)), "}"]
        if collected:
            lines.insert(0, f"let {self.name}: string | null = null;")
        return [call, copy.snippet("\n".join(lines), base)]

    def _streaming_call(self, base: str) -> str:
        """The call of the model as one that streams, in a statement that is indented by `base`."""
        copy, call, inner = self.copy, self.model.call, base + self.copy.style.indent
        callee = copy.raw(call.start_byte, field(call, "arguments").start_byte)
        request = self.model.request
        if request.type == "identifier":
            first = f"{{ ...{text_of(request)}, stream: true }}"
        else:
            stream = next((item for item in request.named_children if key_name(item) == "stream"), None)
            value = stream.child_by_field_name("value") if stream is not None else None
            if value is not None:
                copy.edit(value, "true")
                first = copy.text(request)
            else:
                first = copy.with_member(request, "stream: true")
        second = f"{{ {self.parameters.signal()} }}"
        given = arguments_of(call)[1:]
        if given and given[0].type == "object" and not self.parameters.takes_signal():
            second = copy.text(given[0])
        elif given and given[0].type == "object":
            second = copy.with_member(given[0], self.parameters.signal())
        elif given:
            second = f"{{ ...{text_of(given[0])}, {self.parameters.signal()} }}"
        if "\n" not in first and "\n" not in second:
            return f"{callee}({first}, {second})"
        parts = [
            reindented(part, copy.file.indentation_of(node.end_byte - 1), inner)
            for part, node in ((first, request), (second, given[0] if given else request))
        ]
        return f"{callee}(\n{inner}{parts[0]},\n{inner}{parts[1]}{copy.argument_comma}\n{base})"

    def _write_return(self, found: Return) -> None:
        copy, node = self.copy, found.node
        is_last = _is_last(node, self.body)
        base = copy.indentation(node)
        block = block_of(node)
        if block is None:
            outer = node.parent
            if outer is None or outer.type not in ("if_statement", "else_clause"):
                raise copy.refuse("a return stands where no more than one statement can", node)
            base = copy.indentation(outer) + copy.style.indent
        if found.role == "reply":
            lines = self._reply(found, base, is_last=is_last)
        elif found.role == "text":
            assert found.value is not None
            lines = [self._yield(found.value, base)]
            if not is_last:
                lines.append(copy.statement("return"))
        else:
            lines = [copy.statement("return")]
        guard = self.catches.guard(node)
        if guard:
            lines.insert(0, guard)
        if not lines:
            others = without_comments(block) if block is not None else []
            if block is not None and (block == self.body or len(others) > 1):
                copy.edit(node, GONE)
                return
            lines = [copy.statement("return")]
        if block is not None or (len(lines) == 1 and not lines[0].startswith("if")):
            copy.edit(node, f"\n{base}".join(lines))
            return
        before = node.prev_sibling
        start = before.end_byte if before is not None and not copy.raw(before.end_byte, node.start_byte).strip() else -1
        outer_indent = base.removesuffix(copy.style.indent)
        text = " {\n" + "".join(f"{base}{line}\n" for line in lines) + f"{outer_indent}}}"
        if start < 0:
            copy.edit(node, text.lstrip())
        else:
            copy.replace(start, node.end_byte, text)

    def _reply(self, found: Return, base: str, *, is_last: bool) -> list[str]:
        """What a return of the model's text becomes: nothing, as it has been yielded, but for the fallback."""
        lines = []
        if found.fallback is not None:
            kept = found.value is not None and found.value.type in NAMES
            value = found.value if kept and found.value is not None else found.fallback
            if kept and any(name.name == text_of(value) for name in self.unused):
                value = found.fallback
            lines.append(f"if (!{self.name}) {self._yield(value, base)}")
        if not is_last:
            lines.append(self.copy.statement("return"))
        return lines

    def _yield(self, value: Node, base: str) -> str:
        while value.type in ("parenthesized_expression", "as_expression"):
            value = value.named_children[0]
        copy = self.copy
        text = reindented(copy.text(value), copy.indentation(value), base)
        return copy.statement(f"yield {text}")


# --- nodes


def _is_in_any(node: Node, outer: list[Node]) -> bool:
    return any(is_within(node, one) for one in outer)


def _is_in_function(node: Node, body: Node) -> bool:
    """Whether it stands in a function inside `body`."""
    parent = node.parent
    while parent is not None and parent != body:
        if parent.type in FUNCTION_NODES:
            return True
        parent = parent.parent
    return False


def _is_last(node: Node, body: Node) -> bool:
    """Whether nothing of the function's comes after a statement, so that leaving it out leaves too."""
    while node != body:
        parent = node.parent
        if parent is None:
            return False
        if parent.type == "statement_block":
            following = [item for item in parent.named_children if item.start_byte > node.start_byte]
            if any(item.type != "comment" for item in following):
                return False
        elif parent.type not in ("if_statement", "else_clause", "try_statement", "catch_clause"):
            return False
        node = parent
    return True
