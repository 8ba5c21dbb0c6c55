"""What a file imports, and changes to that in the file's own way."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from migrations.engine.syntax import find_all, text_of

if TYPE_CHECKING:
    from tree_sitter import Node

    from migrations.engine import FileEdit, SourceFile

_WIDTH = 80
_NAMES = frozenset({"identifier", "type_identifier", "shorthand_property_identifier"})


@dataclass(frozen=True, slots=True)
class ImportedName:
    """`imported` is the exporter's name, "default" or "*"; `local` what it is called here."""

    local: str
    imported: str
    type_only: bool

    @property
    def text(self) -> str:
        """As it stands between the braces."""
        name = self.imported if self.imported == self.local else f"{self.imported} as {self.local}"
        return f"type {name}" if self.type_only else name


@dataclass(frozen=True, slots=True)
class Import:
    """One import statement. One without names is there for its side effects."""

    statement: Node
    specifier: str
    type_only: bool
    names: tuple[ImportedName, ...]


def imports_of(file: SourceFile) -> tuple[Import, ...]:
    """The file's import statements, in their order."""
    return file.once(
        "imports",
        lambda: tuple(_import(n) for n in file.root.children if n.type == "import_statement" and _source(n)),
    )


def find_import(file: SourceFile, local: str) -> tuple[Import, ImportedName] | None:
    """The import that the name `local` comes from."""
    return next(((i, name) for i in imports_of(file) for name in i.names if name.local == local), None)


def local_name(file: SourceFile, imported: str, *specifiers: str) -> str | None:
    """What the file calls something that it imports as a value from one of these modules; None if it does not."""
    for statement in imports_of(file):
        for name in statement.names:
            is_value = not (statement.type_only or name.type_only)
            if is_value and statement.specifier in specifiers and name.imported == imported:
                return name.local
    return None


def uses_of(file: SourceFile, local: str) -> tuple[Node, ...]:
    """Every identifier of that name outside import statements, in types and JSX too; what shadows it counts as well."""
    return tuple(
        node
        for statement in file.root.children
        if statement.type != "import_statement"
        for node in find_all(statement, *_NAMES)
        if text_of(node) == local
    )


@dataclass
class ImportChanges:
    """Names that a file shall import, and names that it shall no more; all of a file's go through one of these."""

    file: SourceFile
    _added: dict[str, list[ImportedName]] = field(default_factory=dict)
    _removed: set[str] = field(default_factory=set)

    def add(self, specifier: str, *names: str, default: str = "", type_only: bool = False) -> None:
        """Import `names` from a module, unless they are; one that is imported as a type only becomes a value.

        A name may be written `exported as local`; `default` is the local name of the default export.
        """
        wanted = [ImportedName(default, "default", type_only)] if default else []
        for name in names:
            imported, _, local = name.partition(" as ")
            wanted.append(ImportedName(local or imported, imported, type_only))
        there = self._added.setdefault(specifier, [])
        there.extend(name for name in wanted if name not in there)

    def remove(self, *names: str) -> None:
        """No longer import these local names. Whether they are still used is the caller's to know."""
        self._removed.update(names)

    def apply(self, edit: FileEdit) -> None:
        """Write the changes, once."""
        statements = imports_of(self.file)
        missing = {specifier: list(names) for specifier, names in self._added.items()}
        for statement in statements:
            wanted = missing.get(statement.specifier, [])
            kept = [name for name in statement.names if name.local not in self._removed]
            for name in list(wanted):
                there = next((k for k in kept if (k.imported, k.local) == (name.imported, name.local)), None)
                if there is not None and (name.type_only or not (there.type_only or statement.type_only)):
                    wanted.remove(name)
                elif there is not None:
                    kept.remove(there)
            if statement.names and not any(name.imported == "*" for name in statement.names):
                for name in list(wanted):
                    if name.type_only >= statement.type_only:
                        has_default = any(k.imported == "default" for k in kept)
                        if not (name.imported == "default" and has_default):
                            kept = _inserted(kept, name)
                            wanted.remove(name)
            if kept == list(statement.names):
                continue
            if kept:
                text = _statement(statement.specifier, kept, type_only=statement.type_only)
                edit.replace_node(statement.statement, self.file.style.adapt(text))
            else:
                edit.delete_lines(*self._lines_of(statement.statement))
        for specifier, names in missing.items():
            if names:
                type_only = all(name.type_only for name in names)
                edit.insert_line(self._place(specifier, statements), _statement(specifier, names, type_only=type_only))

    def _lines_of(self, statement: Node) -> tuple[int, int]:
        """The bytes to delete with a statement: also the empty line after one that stands alone between two."""
        file, start, end = self.file, statement.start_byte, statement.end_byte
        above, below = file.line_start(start), file.line_end(end - 1)
        next_end = file.line_end(below) if below < len(file.data) else below
        before = file.data[file.line_start(above - 1) : above] if above > 0 else b"\n"
        return start, next_end if not before.strip() and not file.data[below:next_end].strip() else end

    def _place(self, specifier: str, statements: tuple[Import, ...]) -> int:
        """The beginning of the line before which a new import goes: in the order of Biome's organizeImports (packages,
        aliases, paths; each by name) if the file keeps it, else after those of its kind.
        """
        chunk = _chunk(specifier, statements)
        if not chunk:
            return self._top()
        key = _order(specifier)
        keys = [_order(statement.specifier) for statement in chunk]
        if keys == sorted(keys):
            before = [n for n, other in enumerate(keys) if other <= key]
            index = before[-1] if before else -1
            follower = index + 1
            if index < 0 or (follower < len(chunk) and keys[index][0] != key[0] == keys[follower][0]):
                return self.file.line_start(chunk[follower].statement.start_byte)
        else:
            alike = [n for n, other in enumerate(keys) if other[0] == key[0]]
            index = alike[-1] if alike else len(chunk) - 1
        return self.file.line_end(chunk[max(index, 0)].statement.end_byte - 1)

    def _top(self) -> int:
        """Before the first statement that is neither a directive nor a comment at the very top."""
        for node in self.file.root.children:
            if node.type == "comment" or (
                node.type == "expression_statement" and node.named_children and node.named_children[0].type == "string"
            ):
                continue
            return self.file.line_start(node.start_byte)
        return len(self.file.data)


def _import(node: Node) -> Import:
    names: list[ImportedName] = []
    clause = next((child for child in node.children if child.type == "import_clause"), None)
    for part in clause.named_children if clause is not None else ():
        if part.type == "identifier":
            names.append(ImportedName(text_of(part), "default", False))
        elif part.type == "namespace_import":
            names.append(ImportedName(text_of(part.named_children[-1]), "*", False))
        elif part.type == "named_imports":
            for item in part.named_children:
                if item.type == "import_specifier":
                    name, alias = item.child_by_field_name("name"), item.child_by_field_name("alias")
                    imported = text_of(name) if name is not None else ""
                    type_only = any(child.type == "type" and not child.is_named for child in item.children)
                    names.append(ImportedName(text_of(alias) if alias is not None else imported, imported, type_only))
    type_only = any(child.type == "type" and not child.is_named for child in node.children)
    return Import(node, _source(node), type_only, tuple(names))


def _source(node: Node) -> str:
    source = node.child_by_field_name("source")
    return text_of(source)[1:-1] if source is not None else ""


def _statement(specifier: str, names: list[ImportedName], *, type_only: bool) -> str:
    """An import in the canonical form of snippets, broken over lines where it is too long for one."""
    head = "import type " if type_only else "import "
    parts = [name.local for name in names if name.imported == "default"]
    parts += [f"* as {name.local}" for name in names if name.imported == "*"]
    braced = [
        ImportedName(n.local, n.imported, n.type_only and not type_only) for n in names if n.imported not in "default*"
    ]
    tail = f' from "{specifier}";'
    if not braced:
        return head + ", ".join(parts) + tail
    line = head + ", ".join([*parts, "{ " + ", ".join(name.text for name in braced) + " }"]) + tail
    if len(line) <= _WIDTH or (len(braced) == 1 and not parts):  # one name alone is never broken, as Prettier has it
        return line
    inner = "".join(f"  {name.text},\n" for name in braced)
    return head + ", ".join([*parts, "{\n" + inner + "}"]) + tail


def _inserted(names: list[ImportedName], new: ImportedName) -> list[ImportedName]:
    """With the new name where it belongs if the names are sorted, else at the end."""
    keys = [_natural(name.imported) for name in names]
    if new.imported == "default":
        return [new, *names]
    if keys != sorted(keys):
        return [*names, new]
    at = sum(key <= _natural(new.imported) for key in keys)
    return [*names[:at], new, *names[at:]]


def _chunk(specifier: str, statements: tuple[Import, ...]) -> list[Import]:
    """The run of imports, unbroken by one that is there for its side effects, that a new one joins."""
    chunks: list[list[Import]] = [[]]
    for statement in statements:
        if statement.names:
            chunks[-1].append(statement)
        else:
            chunks.append([])
    kind = _order(specifier)[0]
    filled = [chunk for chunk in chunks if chunk]
    alike = [chunk for chunk in filled if any(_order(s.specifier)[0] == kind for s in chunk)]
    return (alike or filled or [[]])[-1]


def _order(specifier: str) -> tuple[int, list[tuple[int, int, str]]]:
    if re.match(r"https?:", specifier):
        distance = 0
    elif re.match(r"[\w-]+:", specifier):
        distance = 1
    elif specifier.startswith(("@/", "#", "~", "$", "%")):
        distance = 3
    elif specifier.startswith((".", "/")):
        distance = 4
    else:
        distance = 2
    return distance, _natural(specifier)


def _natural(text: str) -> list[tuple[int, int, str]]:
    """Numbers by their value, letters without case first."""
    return [(0, int(part), "") if part.isdigit() else (1, 0, part.lower()) for part in re.findall(r"\d+|\D", text)]
