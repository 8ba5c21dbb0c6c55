"""The text of links: options taken from one call and written into another, in the way of the file they go to."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING

from migrations.discovery.trpc_client import FUNCTIONS, Place
from migrations.engine.source import SourceFile
from migrations.engine.syntax import find_all, parse, text_of, walk
from migrations.transforms.links_model import HTTP_LINKS, argument_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tree_sitter import Node

    from migrations.engine import AppView, FileEdit, Style

WIDTH = 80
_SAMPLE = 40
_HTTP_CALL = re.compile(rf"(?:unstable_)?(?:{'|'.join(HTTP_LINKS)})\s*(?:<[^()]*>)?\(")
_NAMES = ("identifier", "shorthand_property_identifier", "type_identifier")


@dataclass(frozen=True, slots=True)
class Look:
    """How a file is written, with what `Style` does not say: `(op) =>` or `op =>`, and commas after the last member."""

    style: Style
    parentheses: bool
    last_comma: str

    @classmethod
    def of(cls, file: SourceFile, view: AppView | None = None) -> Look:
        """What `file` does, and what the app's other files do where it shows nothing."""
        bare = with_parentheses = commas = without = 0
        for node in walk(file.root):
            if node.type == "arrow_function":
                parameters = node.child_by_field_name("parameters")
                bare += parameters is None
                with_parentheses += parameters is not None and re.fullmatch(r"\(\w+\)", text_of(parameters)) is not None
            elif node.type == "object" and len(node.children) > 2 and _is_broken(node):
                commas += node.children[-2].type == ","
                without += node.children[-2].type not in (",", "comment")
        style = file.style
        if view is not None and not re.search(rb"^[ \t]+\S", file.data, re.MULTILINE):
            style = replace(style, indent=view.style.indent)
        if view is not None and not bare + with_parentheses:
            for other in islice(view.sources("=>"), _SAMPLE):
                bare += len(re.findall(rb"[(,=:]\s*\w+ =>", other.data))
                with_parentheses += len(re.findall(rb"\(\w+\) =>", other.data))
        return cls(style, with_parentheses >= bare, "" if without > commas else ",")

    def object_call(self, name: str, members: Iterable[str], base: str) -> str:
        """`name({ ... })` with each member on lines of its own; they are based one step in from `base` already."""
        inner = base + self.style.indent
        lines = [f"{name}({{", *(f"{inner}{member}," for member in members)]
        lines[-1] = lines[-1][:-1] + self.last_comma
        return self.style.newline.join([*lines, f"{base}}})"])

    @property
    def is_subscription(self) -> str:
        """The condition of a splitLink that lets subscriptions through."""
        op = "(op)" if self.parentheses else "op"
        return f"{op} => op.type === {self.style.quote}subscription{self.style.quote}"

    def rebased(self, text: str, base: str) -> str:
        """Code whose last line is indented as the whole was, moved to `base`; what is inside literals stays."""
        lines = text.replace("\r\n", "\n").split("\n")
        old = lines[-1][: len(lines[-1]) - len(lines[-1].lstrip())] if len(lines) > 1 else ""
        fixed = _rows_in_literals("\n".join(lines))
        moved = [
            line
            if number in fixed or not number
            else base + line.removeprefix(old)
            if line.startswith(old) and line.strip()
            else line.strip(" \t") and base + line.lstrip()
            for number, line in enumerate(lines)
        ]
        return self.style.newline.join(moved)

    def fitted(self, text: str, base: str, before: int) -> str:
        """A link that has been moved, with the object broken of each line that got too long by it.

        Its first line is indented by `base` and has `before` columns of other text before it.
        """
        lines = text.split(self.style.newline)
        for number, line in enumerate(lines):
            ahead = "" if number else base + " " * before
            width = len((ahead + line).replace("\t", "  ")) + 1
            if width <= WIDTH:
                continue
            for given in find_all(parse(text.encode()).root_node, "object"):
                if given.start_point.row == given.end_point.row == number and given.named_children:
                    outer = self.style.newline + (line[: len(line) - len(line.lstrip())] if number else base)
                    inner = outer + self.style.indent
                    members = f",{inner}".join(text_of(member) for member in given.named_children)
                    broken = f"{{{inner}{members}{self.last_comma}{outer}}}"
                    data = text.encode()
                    whole = data[: given.start_byte] + broken.encode() + data[given.end_byte :]
                    return self.fitted(whole.decode(), base, before)
        return text


@dataclass(frozen=True, eq=False)
class Option:
    """A member of a link's options: `text` as written where it came from; `key` is "" for a spread."""

    key: str
    text: str
    node: Node | None = None

    @property
    def value(self) -> Node | None:
        """The expression, or the whole method."""
        if self.node is not None and self.node.type == "pair":
            return self.node.child_by_field_name("value")
        return self.node


@dataclass(frozen=True, eq=False)
class Options:
    """What a link is called with: an object literal's members, or (`name`) an object made elsewhere."""

    place: Place
    members: tuple[Option, ...] = ()
    name: str = ""

    def __getitem__(self, key: str) -> Option | None:
        return next((member for member in self.members if member.key == key), None)


def options_of(call: Place) -> Options | None:
    """The options of a link; None if they are neither an object literal nor a name."""
    given = argument_of(call.node)
    if given is None:
        return None
    place = Place(call.file, given)
    if given.type in ("identifier", "member_expression"):
        return Options(place, name=text_of(given))
    if given.type != "object":
        return None
    return Options(place, tuple(_option(member) for member in given.named_children if member.type != "comment"))


def _option(member: Node) -> Option:
    if member.type == "spread_element":
        return Option("", text_of(member), member)
    key = member.child_by_field_name("key") or member.child_by_field_name("name") or member
    return Option(text_of(key).strip("\"'"), text_of(member), member)


def type_arguments(call: Node) -> str:
    """`<AppRouter>`, or ""."""
    arguments = call.child_by_field_name("type_arguments")
    return "" if arguments is None else text_of(arguments)


def as_constant(function: Node) -> str:
    """A function without parameters, or a method, as an expression that a constant can hold."""
    if function.type != "method_definition":
        return text_of(function)
    body, result = function.child_by_field_name("body"), function.child_by_field_name("return_type")
    is_async = any(child.type == "async" for child in function.children)
    head = ("async " if is_async else "") + "()" + (text_of(result) if result is not None else "")
    return f"{head} => {text_of(body) if body is not None else '{}'}"


def names_in(node: Node) -> Iterator[Node]:
    """The names that an expression uses, with those that it declares itself; not its properties' names."""
    return find_all(node, *_NAMES)


def is_long_function(value: Node) -> bool:
    """Whether a function is better written once: it takes nothing, and does more than give one short value."""
    if value.type not in FUNCTIONS or "\n" not in text_of(value):
        return False
    parameters = value.child_by_field_name("parameters")
    return parameters is not None and not parameters.named_children


# --- an HTTP link that is commented out


@dataclass(frozen=True, eq=False)
class CommentedLink:
    """A call of an HTTP link inside comments. `start` and `end` are bytes of the file: whole lines."""

    call: Place
    start: int
    end: int


def commented_links(file: SourceFile, within: Node, look: Look) -> list[CommentedLink]:
    """The HTTP links that are commented out at or below `within`, in their order."""
    found: list[CommentedLink] = []
    run: list[Node] = []
    for node in [*find_all(within, "comment"), None]:
        follows = run and node is not None and run[-1].start_point.row + 1 == node.start_point.row
        if run and not (follows and node is not None and _is_own_line(file, node)):
            found += _in_run(file, run, look)
            run = []
        if node is not None and _is_own_line(file, node):
            run.append(node)
    return found


def _in_run(file: SourceFile, run: list[Node], look: Look) -> Iterator[CommentedLink]:
    lines: list[tuple[int, str]] = []  # where the line begins in the file, and its code
    for comment in run:
        at = file.line_start(comment.start_byte)
        for line in file.data[at : file.line_end(comment.end_byte - 1)].decode().splitlines(keepends=True):
            code = re.sub(r"^(\s*)(?://|/\*+|\*(?!/))[ ]?", r"\1", line.rstrip())
            lines.append((at, re.sub(r"\s*\*/$", "", code)))
            at += len(line.encode())
    first = 0
    while first < len(lines):
        match = _HTTP_CALL.search(lines[first][1])
        before = lines[first][1][: match.start()].strip() if match is not None else ""
        if match is None or not re.fullmatch(r"(?:(?:true|false|return)\b:?)?", before):
            first += 1
            continue
        for last in range(first, len(lines)):
            text = "\n".join([lines[first][1][match.start() :], *(code for _, code in lines[first + 1 : last + 1])])
            source = SourceFile(file.path, _reindented(re.sub(r"[,;]\s*$", "", text), look).encode())
            statement = source.root.named_children[0] if source.root.named_children else None
            call = statement.named_children[0] if statement is not None and statement.named_children else None
            if source.syntax_error_line is None and call is not None and call.type == "call_expression":
                end = lines[last + 1][0] if last + 1 < len(lines) else file.line_end(run[-1].end_byte - 1)
                yield CommentedLink(Place(source, call), lines[first][0], end)
                first = last
                break
        first += 1


def _reindented(text: str, look: Look) -> str:
    """Code out of a comment, which no formatter has touched, with the indentation of the file."""
    lines = text.split("\n")
    depths = [len(line.expandtabs(2)) - len(line.expandtabs(2).lstrip()) for line in lines]
    margin = depths[-1]
    unit = min((depth - margin for depth in depths[1:] if depth > margin), default=0)
    fixed = _rows_in_literals(text)
    return "\n".join(
        line
        if number in fixed or not number or not unit
        else look.style.indent * ((depths[number] - margin) // unit) + line.lstrip()
        for number, line in enumerate(lines)
    )


def _is_own_line(file: SourceFile, comment: Node) -> bool:
    before = file.data[file.line_start(comment.start_byte) : comment.start_byte].strip()
    after = file.data[comment.end_byte : file.line_end(comment.end_byte - 1)].strip()
    return not before and not after


# --- places


def broken_base(edit: FileEdit, node: Node, look: Look, done: set[int]) -> str:
    """The indentation of what goes to `node`'s place on several lines.

    Arrays and objects that begin on the same line around it are broken, as formatters do when something inside is;
    `done` holds where those begin that are already.
    """
    file = edit.source
    row = node.start_point.row
    around: list[Node] = []
    above = node.parent
    while above is not None and above.start_point.row == row and above.type not in ("program", "statement_block"):
        if above.type in ("array", "object"):
            around.append(above)
        above = above.parent
    base = file.indentation_of(node.start_byte)
    indent, newline = look.style.indent, look.style.newline
    outermost = around[-1] if around else node
    parent = outermost.parent
    if parent is not None and parent.type == "ternary_expression" and parent.start_point.row != row:
        base += "\t" if indent == "\t" else "  "
    comma = look.last_comma
    for container in reversed(around):
        members = [child for child in container.children if child.is_named]
        deeper = base + indent
        if container.start_byte in done:
            base = deeper
            continue
        done.add(container.start_byte)
        at = container.children[0].end_byte
        for member in members:
            edit.replace(at, member.start_byte, newline + deeper)
            follower = member.next_sibling
            at = follower.end_byte if follower is not None and follower.type == "," else member.end_byte
        has_comma = container.children[-2].type == ","
        edit.replace(at, container.children[-1].start_byte, ("" if has_comma else comma) + newline + base)
        base = deeper
    return base


def _is_broken(node: Node) -> bool:
    """Whether an object's closing brace is on a line of its own."""
    before = node.children[-2]
    return before.end_point.row < node.children[-1].start_point.row


def _rows_in_literals(text: str) -> set[int]:
    rows: set[int] = set()
    for node in find_all(parse(text.encode()).root_node, "template_string"):
        rows.update(range(node.start_point.row + 1, node.end_point.row + 1))
    return rows


def statement_before(users: list[Node], *, is_outermost: bool) -> Node:
    """The statement before which a constant can stand that all of `users`, nodes of one file, can use.

    Of the file, or of the innermost block around them all; it is its first comment where one is right above.
    """
    around = [_blocks_around(user) for user in users]
    shared = [block for block in around[0] if all(block in others for others in around)]
    block = shared[-1] if is_outermost else shared[0]
    first = min(user.start_byte for user in users)
    node = next(child for child in block.children if child.end_byte > first)
    before = node.prev_sibling
    while before is not None and before.type == "comment" and before.end_point.row == node.start_point.row - 1:
        node, before = before, before.prev_sibling
    return node


def _blocks_around(node: Node | None) -> list[Node]:
    """The blocks around a node, the innermost first, the whole file last."""
    blocks = []
    while node is not None:
        if node.type in ("statement_block", "program"):
            blocks.append(node)
        node = node.parent
    return blocks
