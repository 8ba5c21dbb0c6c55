"""How a file is written (line ends, indentation, quotes, semicolons), and a snippet rewritten in that way.

Snippets are given in one canonical form, Prettier's default: `\\n`, two spaces, double quotes, semicolons.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

from migrations.engine.syntax import parse, walk

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tree_sitter import Node

_STATEMENTS = frozenset({"expression_statement", "lexical_declaration", "import_statement", "return_statement"})
_LITERAL_LINES = frozenset({"template_string", "jsx_text", "string"})
# A line that starts with one of these would be read as part of the statement before it.
_CONTINUES = tuple("([`+-*/,.<")
_NODES_LOOKED_AT = 20_000


@dataclass(frozen=True, slots=True)
class Style:
    """`indent` is one unit; `final_newline` says whether the last line ends with a line end."""

    newline: str = "\n"
    indent: str = "  "
    quote: str = '"'
    jsx_quote: str = '"'
    semicolons: bool = True
    final_newline: bool = True

    def adapt(self, snippet: str, base: str = "") -> str:
        """A canonical snippet in this style, every line after `base` (the indentation of the place it goes to).

        The inner lines of template literals stay as they are. The snippet's own outer indentation is removed, and so
        are empty lines at its beginning and end; there is no line end after the last line. For `whole_file` see there.
        """
        text = _dedented(snippet)
        if not (self.quote == self.jsx_quote == '"' and self.semicolons):
            data = text.encode()
            root = parse(data).root_node
            text = _spliced(data, [*self._quote_edits(root), *self._semicolon_edits(data, root)]).decode()
        if base or self.indent != "  ":
            text = self._indented(text, base)
        return text.replace("\n", self.newline)

    def whole_file(self, snippet: str) -> bytes:
        """A canonical snippet as a new file."""
        return _whole_file(self, snippet)

    def _quote_edits(self, root: Node) -> list[tuple[int, int, bytes]]:
        edits: list[tuple[int, int, bytes]] = []
        for node in walk(root):
            wanted = self.jsx_quote if _is_jsx_value(node) else self.quote
            literal = node.text or b""
            # One with a quote inside stays: Prettier and Biome choose by which there are more of.
            if _is_string(node) and wanted == "'" and literal[:1] == b'"' and not {34, 39} & set(literal[1:-1]):
                edits.append((node.start_byte, node.end_byte, b"'" + literal[1:-1] + b"'"))
        return edits

    def _semicolon_edits(self, data: bytes, root: Node) -> list[tuple[int, int, bytes]]:
        if self.semicolons:
            return []
        edits = []
        for node in walk(root):
            parent = node.parent
            if node.type != ";" or node.is_missing or parent is None:
                continue
            header = parent.parent if parent.type == "lexical_declaration" else parent
            if parent.type == "empty_statement" or (header is not None and header.type == "for_statement"):
                continue
            rest = data[node.end_byte :].decode()
            if re.match(r"[ \t]*(//[^\n]*)?(\n|$)", rest) and not _first_code(rest).startswith(_CONTINUES):
                edits.append((node.start_byte, node.end_byte, b""))
        return edits

    def _indented(self, text: str, base: str) -> str:
        untouched = _literal_lines(text)
        lines = []
        for number, line in enumerate(text.split("\n")):
            if number not in untouched and line:
                depth, rest = divmod(len(line) - len(line.lstrip(" ")), 2)
                line = base + self.indent * depth + " " * rest + line.lstrip(" ")
            lines.append(line)
        return "\n".join(lines)


@lru_cache(maxsize=64)
def _whole_file(style: Style, snippet: str) -> bytes:
    """A plan asks for the same files again and again."""
    return (style.adapt(snippet) + style.newline).encode()


def style_of(data: bytes, root: Node | None = None, default: Style = Style()) -> Style:
    """The style of a file; what it does not show is taken from `default`. `root` is its tree, if it is source code."""
    style = replace(
        default,
        newline=_newline(data) or default.newline,
        indent=_indent(data) or default.indent,
        final_newline=data.endswith(b"\n") or not data,
    )
    if root is None:
        return style
    quotes: Counter[bytes] = Counter()
    jsx_quotes: Counter[bytes] = Counter()
    ends: Counter[bool] = Counter()
    for count, node in enumerate(walk(root)):
        if count > _NODES_LOOKED_AT:
            break
        if _is_string(node):
            literal = node.text or b""
            if not literal[1:-1].count(b"'") + literal[1:-1].count(b'"'):  # else the other quote was the only good one
                (jsx_quotes if _is_jsx_value(node) else quotes)[literal[:1]] += 1
        elif node.type in _STATEMENTS and (node.parent is None or node.parent.type != "for_statement"):
            ends[node.children[-1].type == ";" if node.children else False] += 1
    return replace(
        style,
        quote=_more(quotes, default.quote),
        jsx_quote=_more(jsx_quotes, default.jsx_quote),
        semicolons=default.semicolons if ends[True] == ends[False] else ends[True] > ends[False],
    )


def common_style(styles: Iterable[Style]) -> Style:
    """What most of these files do, each trait by itself."""
    found = list(styles)
    if not found:
        return Style()

    def most(name: str) -> object:
        return Counter(getattr(style, name) for style in found).most_common(1)[0][0]

    return Style(**{name: most(name) for name in Style.__dataclass_fields__})  # type: ignore[arg-type]


def _more(quotes: Counter[bytes], default: str) -> str:
    if quotes[b"'"] == quotes[b'"']:
        return default
    return "'" if quotes[b"'"] > quotes[b'"'] else '"'


def _newline(data: bytes) -> str | None:
    lines = data.count(b"\n")
    return None if not lines else "\r\n" if data.count(b"\r\n") * 2 > lines else "\n"


def _indent(data: bytes) -> str | None:
    """One unit: a tab, or the step by which the indentation most often grows from one line to the next."""
    tabs = 0
    steps: Counter[int] = Counter()
    previous = 0
    for match in re.finditer(rb"^([ \t]*)(\S)", data, re.MULTILINE):
        space, first = match[1], match[2]
        if first == b"*":  # inside a block comment
            continue
        tabs += space.startswith(b"\t")
        if b"\t" not in space:
            step, previous = len(space) - previous, len(space)
            if 2 <= step <= 8:
                steps[step] += 1
    if tabs > steps.total():
        return "\t"
    return " " * steps.most_common(1)[0][0] if steps else None


def _is_string(node: Node) -> bool:
    return node.is_named and node.type == "string"


def _is_jsx_value(node: Node) -> bool:
    return node.parent is not None and node.parent.type == "jsx_attribute"


def _dedented(snippet: str) -> str:
    """Like textwrap.dedent, but only by what the literal-free lines share."""
    lines = snippet.split("\n")
    while lines and not lines[0].strip():
        del lines[0]
    while lines and not lines[-1].strip():
        del lines[-1]
    text = "\n".join(lines)
    if lines and lines[0][:1] not in (" ", "\t") and not re.search(r"[ \t]$", text, re.MULTILINE):
        return text
    untouched = _literal_lines(text)
    free = [n for n, line in enumerate(lines) if n not in untouched and line.strip()]
    margin = min((len(lines[n]) - len(lines[n].lstrip(" ")) for n in free), default=0)
    return "\n".join(line if n in untouched else line[margin:].rstrip() for n, line in enumerate(lines))


def _literal_lines(text: str) -> set[int]:
    """Numbers (from 0) of the lines that begin inside a literal, so that their indentation is content."""
    lines: set[int] = set()
    for node in walk(parse(text.encode()).root_node):
        if node.is_named and node.type in _LITERAL_LINES and node.type != "jsx_text":
            lines.update(range(node.start_point.row + 1, node.end_point.row + 1))
    return lines


def _first_code(text: str) -> str:
    """What comes after leading white space and comments."""
    return re.sub(r"\A(\s+|//[^\n]*|/\*.*?\*/)*", "", text, flags=re.DOTALL)


def _spliced(data: bytes, edits: list[tuple[int, int, bytes]]) -> bytes:
    for start, end, new in sorted(edits, reverse=True):
        data = data[:start] + new + data[end:]
    return data
