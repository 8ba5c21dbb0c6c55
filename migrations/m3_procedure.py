"""The streaming procedure is live, and what it yields goes through the relay."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from migrations.discovery.chat import find_chat
from migrations.discovery.commented import comment_runs
from migrations.discovery.imports import ImportChanges
from migrations.discovery.layout import find_layout
from migrations.discovery.procedures import CommentedProcedure, Procedure, procedures_of
from migrations.discovery.requirements import refusal_of_kit
from migrations.discovery.route_handler import find_route_handlers
from migrations.discovery.transformer import find_transformer
from migrations.engine import Applied, Blocked, Edits, FileChange, FileEdit, Leftover, NotApplicable, Pending
from migrations.engine.syntax import text_of
from migrations.hints import AppHints
from migrations.kit_files import kit_changes, kit_path
from migrations.transforms.derive_subscription import derive_subscription
from migrations.transforms.long_lines import break_long_lines, width_of
from migrations.transforms.method_override import allow_method_override
from migrations.transforms.track_id import fit_track_id, needs_zod
from migrations.transforms.uncomment import ensure_comma, missing_names, uncomment, uncomment_imports, unknown_types
from migrations.transforms.wrap_subscription import (
    WRAPPER,
    WRAPPER_FILE,
    is_wrapped,
    options_of_wrapper,
    refusal_to_wrap,
    wrap_subscription,
)

if TYPE_CHECKING:
    from tree_sitter import Node

    from migrations.discovery.chat import Chat
    from migrations.discovery.layout import Layout
    from migrations.discovery.transformer import Transformer
    from migrations.engine import AppView, Outcome, SourceFile

_SAYS_DISABLED = re.compile(r"\b(disabled?|commented|vercel|web[ -]?sockets?)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class StreamingProcedure:
    """The subscription un-commented, left or derived, wrapped by `throughRelay`; the route handler takes its POST."""

    hints: AppHints = field(default_factory=AppHints)
    number: int = 3
    title: str = "Enable the streaming procedure, through the relay"

    def plan(self, view: AppView) -> Outcome:
        layout = find_layout(view)
        chat = find_chat(view, layout, self.hints)
        if isinstance(chat, NotApplicable):
            return _with_commented(view, chat)
        refusal = refusal_of_kit(view, layout)
        if refusal is not None:
            return refusal
        if isinstance(chat, Blocked):
            return chat
        work = _Work(view, layout)
        try:
            name = chat.stream_name
            path = (chat.subscription or chat.mutation).file.path
            work.enable(chat, name)
            width = width_of(work.find(path, name).file)
            fitted = work.fit_input(path, name)
            work.wrap(path, name, width, anew=fitted)
            leftovers = work.open_route(self.hints, path)
        except _Refused as refused:
            return _with_doubt(refused.blocked) if chat.guessed else refused.blocked
        work.write(kit_changes(work.view, layout, "server"))
        leftovers += work.comment_above(path, name)
        changes = tuple(
            FileChange(path, work.view.read(path))
            for path in sorted(work.changed)
            if work.view.read(path) != view.read(path)
        )
        return Pending(changes, leftovers=leftovers) if changes else Applied(leftovers)


def _with_doubt(blocked: Blocked) -> Blocked:
    """What is refused may be no chat at all."""
    return replace(
        blocked, next_step=f"{blocked.next_step}; if it is not the chat, name the one: app.mutation in partyconfig.toml"
    )


class _Refused(Exception):
    def __init__(self, blocked: Blocked) -> None:
        super().__init__(blocked.reason)
        self.blocked = blocked


@dataclass
class _Work:
    """The app as it becomes, one step after the other; each reads what the one before it wrote."""

    view: AppView
    layout: Layout
    changed: set[str] = field(default_factory=set)
    _found: Procedure | None = None

    def enable(self, chat: Chat, name: str) -> None:
        """Make the subscription live."""
        subscription = chat.subscription
        if isinstance(subscription, CommentedProcedure):
            _refuse_syntax_error(subscription.file, subscription.container)
            self.write({subscription.file.path: uncomment(subscription.file, subscription)})
            self._bring_imports(subscription.file.path, name)
        elif subscription is None:
            self._derive(chat.mutation, name)
        else:
            _refuse_syntax_error(subscription.file, subscription.node)

    def _bring_imports(self, path: str, name: str) -> None:
        """See that what the un-commented code names is there; refused where that cannot be had."""
        procedure = self.find(path, name)
        missing = missing_names(self.view, procedure.file, procedure.node)
        types = unknown_types(procedure.file, procedure.node)
        self.write({path: uncomment_imports(procedure.file, {*missing, *types})})
        procedure = self.find(path, name)
        missing = missing_names(self.view, procedure.file, procedure.node)
        if "tracked" in missing:
            del missing["tracked"]
            self._import(procedure.file, "@trpc/server", "tracked")
        for unknown, node in missing.items():
            what = f"{procedure.path} uses {unknown}, which is neither declared nor imported"
            at = procedure.file.line_of(node.start_byte)
            raise _Refused(
                Blocked(what, path, at, f"import {unknown}, or take it out of the commented code, and run this again")
            )

    def _derive(self, mutation: Procedure, name: str) -> None:
        container = mutation.container
        path = mutation.file.path
        commented = _commented_subscription(mutation.file)
        if commented:
            raise _Refused(
                Blocked(
                    "a subscription is commented out here in a way that cannot be undone for certain",
                    path,
                    commented,
                    "bring it back yourself, or delete the comment, and run this again",
                )
            )
        if container is None:
            raise _Refused(
                Blocked(
                    f"{mutation.path} does not stand in the object of its router",
                    path,
                    mutation.line,
                    f"write the subscription {name} beside it, and run this again",
                )
            )
        _refuse_syntax_error(mutation.file, container)
        taken = next((member for member in container.named_children if _key_of(member) == name), None)
        if taken is not None:
            at = mutation.file.line_of(taken.start_byte)
            raise _Refused(
                Blocked(
                    f"{name} is there already, and is not the stream of {mutation.path}",
                    path,
                    at,
                    "rename it, or name the stream: app.subscription in partyconfig.toml",
                )
            )
        transformer = self._transformer(mutation.file)
        options = f"{{ transformer: {transformer.name} }}" if transformer.name else ""
        options = "{ transformer }" if transformer.name == "transformer" else options
        derived = derive_subscription(self.view, self.layout, mutation, name, options=options)
        if isinstance(derived, Blocked):
            raise _Refused(derived)
        edit = FileEdit(mutation.file)
        style = mutation.file.style
        at = ensure_comma(edit, mutation.node, container.end_byte)
        at = mutation.file.line_end(at) if mutation.file.data[at : mutation.file.line_end(at)].strip() else at
        indent = mutation.file.indentation_of(mutation.node.start_byte)
        gap = style.newline * (2 if _has_gaps(mutation.file, container) else 1)
        edit.insert(at, f"{gap}{indent}{derived.member}")
        imports = ImportChanges(mutation.file)
        for specifier, imported in derived.imports:
            imports.add(specifier, imported)
        self._add_relay_imports(imports, path, transformer)
        imports.apply(edit)
        self.write({path: edit.result()})

    def fit_input(self, path: str, name: str) -> bool:
        """Let the input take a track id; tells whether the procedure's own file changed for that."""
        edits = Edits(self.view)
        blocked = fit_track_id(self.view, self.layout, self.find(path, name), edits)
        if blocked is not None:
            raise _Refused(blocked)
        changed = {change.path: change.after or b"" for change in edits.changes()}
        self.write(changed)
        file = self.find(path, name).file
        if path in changed and needs_zod(file):
            self._import(file, "zod", "z")
        return path in changed

    def wrap(self, path: str, name: str, width: int, *, anew: bool) -> None:
        """Send what the subscription yields through the relay; lay it out `anew` although it is wrapped already."""
        procedure = self.find(path, name)
        blocked = refusal_to_wrap(procedure, self.layout)
        if blocked is not None:
            raise _Refused(blocked)
        transformer = self._transformer(procedure.file)
        options = options_of_wrapper(procedure, self.layout, transformer.name)
        if is_wrapped(procedure, self.layout, options) and not anew:
            return
        edit = FileEdit(procedure.file)
        wrap_subscription(edit, procedure, options, width)
        imports = ImportChanges(procedure.file)
        self._add_relay_imports(imports, path, transformer)
        imports.apply(edit)
        self.write({path: break_long_lines(procedure.file, edit.result(), width)})

    def open_route(self, hints: AppHints, path: str) -> tuple[Leftover, ...]:
        """Let the route handler take the POST that starts a reply."""
        handlers = find_route_handlers(self.view, self.layout, hints, path)
        if isinstance(handlers, Blocked):
            raise _Refused(handlers)
        edits = Edits(self.view)
        leftovers: list[Leftover] = []
        seen: set[tuple[str, int]] = set()
        for handler in handlers:
            place = handler.options
            key = (place.file.path, place.node.start_byte) if place is not None else (handler.file.path, handler.line)
            if key in seen:
                continue
            seen.add(key)
            if place is not None:
                _refuse_syntax_error(place.file, place.node)
            left = allow_method_override(handler, edits)
            if isinstance(left, Blocked):
                raise _Refused(left)
            if left is not None:
                leftovers.append(left)
        self.write({change.path: change.after or b"" for change in edits.changes()})
        return tuple(leftovers)

    def comment_above(self, path: str, name: str) -> tuple[Leftover, ...]:
        """The comment above the subscription, if it still says that it is disabled: a person wrote it."""
        procedure = self.find(path, name)
        file, node = procedure.file, procedure.node
        while node.type != "pair" and node.parent is not None and node.parent.type != "program":
            node = node.parent
        before = node.prev_sibling
        found: list[Leftover] = []
        while before is not None and before.type in ("comment", ","):
            alone = not file.data[file.line_start(before.start_byte) : before.start_byte].strip()
            if before.type == "comment" and alone and _SAYS_DISABLED.search(text_of(before)):
                what = f"the comment above {name} says why it was not in use"
                line = file.line_of(before.start_byte)
                found = [Leftover(path, line, what, "remove it, or say that the reply now goes over the relay")]
            before = before.prev_sibling
        return tuple(found)

    def find(self, path: str, name: str) -> Procedure:
        """The live subscription as the file now stands."""
        file = self.view.file(path)
        assert file is not None
        if self._found is None or self._found.file is not file:
            procedures = procedures_of(self.view, self.layout, file, "subscription")
            self._found = next(procedure for procedure in procedures if procedure.name == name)
        return self._found

    def write(self, changes: dict[str, bytes]) -> None:
        changed = {path: data for path, data in changes.items() if self.view.read(path) != data}
        self.view = self.view.with_changes(changed)
        self.changed.update(changed)

    def _transformer(self, file: SourceFile) -> Transformer:
        found = find_transformer(self.view, self.layout, file)
        if isinstance(found, Blocked):
            raise _Refused(found)
        return found

    def _add_relay_imports(self, imports: ImportChanges, path: str, transformer: Transformer) -> None:
        imports.add(self.layout.specifier(path, kit_path(self.layout, WRAPPER_FILE)), WRAPPER)
        if transformer.imported == "default":
            imports.add(transformer.specifier, default=transformer.name)
        elif transformer.imported:
            same = transformer.imported == transformer.name
            imports.add(
                transformer.specifier, transformer.name if same else f"{transformer.imported} as {transformer.name}"
            )

    def _import(self, file: SourceFile, specifier: str, name: str) -> None:
        edit = FileEdit(file)
        imports = ImportChanges(file)
        imports.add(specifier, name)
        imports.apply(edit)
        self.write({file.path: edit.result()})


def _refuse_syntax_error(file: SourceFile, node: Node) -> None:
    if node.has_error:
        raise _Refused(
            Blocked(
                "there is a syntax error here",
                file.path,
                file.syntax_error_line or file.line_of(node.start_byte),
                "mend it, and run this again",
            )
        )


def _commented_subscription(file: SourceFile) -> int:
    """The line of a comment that seems to hold a subscription, 0 if there is none."""
    if b".subscription(" in file.data:
        for run in comment_runs(file):
            for number, code in enumerate(run.code):
                if ".subscription(" in code:
                    return file.line_of(run.offset(number))
    return 0


def _with_commented(view: AppView, nothing: NotApplicable) -> NotApplicable:
    """The same, with the place where a chat seems to be commented out whole."""
    for file in view.sources(".subscription(", ".mutation("):
        line = _commented_subscription(file)
        if line:
            return NotApplicable(f"{nothing.reason} (one seems to be commented out whole in {file.path}:{line})")
    return nothing


def _key_of(member: Node) -> str:
    key = member.child_by_field_name("key") or member.child_by_field_name("name")
    return text_of(key).strip("\"'") if key is not None else ""


def _has_gaps(file: SourceFile, container: Node) -> bool:
    """Whether the members of an object stand apart by empty lines; one alone is taken to."""
    members = [child for child in container.named_children if child.type != "comment"]
    pairs = list(itertools.pairwise(members))
    gaps = [re.search(rb"\n[ \t]*\r?\n", file.data[a.end_byte : b.start_byte]) is not None for a, b in pairs]
    return not gaps or any(gaps)
