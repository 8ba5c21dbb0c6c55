"""The component that calls the chat's mutation calls it through the kit's hook, whose reply may grow on the page."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from migrations.discovery.calls import HOOK, HOOK_FILE, Calls, MutationCall, find_calls, users_of
from migrations.discovery.chat import SUBSCRIBING, find_chat, is_called
from migrations.discovery.component_state import Component
from migrations.discovery.imports import ImportChanges, find_import, uses_of
from migrations.discovery.input_fields import input_fields
from migrations.discovery.layout import find_layout
from migrations.discovery.mutation_result import result_of
from migrations.discovery.procedures import Procedure
from migrations.discovery.requirements import refusal_of_kit
from migrations.discovery.text_values import TextReader
from migrations.discovery.trpc_client import Place, property_of
from migrations.engine import Applied, AppView, Blocked, Edits, FileEdit, Leftover, NotApplicable, Pending
from migrations.engine.syntax import find_all, text_of
from migrations.hints import AppHints
from migrations.kit_files import kit_changes, kit_path
from migrations.transforms.items import find_handlers, text_option
from migrations.transforms.live_text import DeadState, LiveText, NotLive, dead_state, live_text, missing_dependencies
from migrations.transforms.made_values import ONCE, make_once
from migrations.transforms.streaming_hook import (
    LIVE_STATE,
    MissingField,
    make_input,
    make_live,
    write_call,
)
from migrations.transforms.wrapping import wrapped

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tree_sitter import Node

    from migrations.discovery.chat import Chat
    from migrations.discovery.input_fields import InputField
    from migrations.discovery.layout import Layout
    from migrations.discovery.text_values import Yields
    from migrations.engine import Outcome, SourceFile

_LIVE_FILE = "client/live-state.ts"
_WIDTH = 80


class _Refused(Exception):
    def __init__(self, blocked: Blocked) -> None:
        super().__init__(blocked.reason)
        self.blocked = blocked


@dataclass(frozen=True, slots=True)
class StreamingComponent:
    """`api.chat.sendMessage.useMutation(options)` becomes the kit's drop-in hook, with the same options."""

    hints: AppHints = field(default_factory=AppHints)
    number: int = 5
    title: str = "Call the chat through the hook that can stream"

    def plan(self, view: AppView) -> Outcome:
        layout = find_layout(view)
        chat = find_chat(view, layout, self.hints)
        if isinstance(chat, (Blocked, NotApplicable)):
            return chat if isinstance(chat, NotApplicable) else refusal_of_kit(view, layout) or chat
        calls = find_calls(view, layout, chat.mutation, self.hints.component)
        if not (calls.plain or calls.streaming or calls.others):
            where = f" in {self.hints.component}, which app.component names" if self.hints.component else ""
            return NotApplicable(f"no page calls {chat.mutation.path}{where}")
        stream = chat.subscription
        if isinstance(stream, Procedure) and is_called(view, stream, *SUBSCRIBING):
            return NotApplicable(f"a page subscribes to {stream.path} itself, so its reply streams there already")
        try:
            return _plan(view, layout, chat, calls, self.hints)
        except _Refused as refused:
            return refused.blocked


def _plan(view: AppView, layout: Layout, chat: Chat, calls: Calls, hints: AppHints) -> Outcome:
    unfit = refusal_of_kit(view, layout)
    if unfit is not None:
        raise _Refused(unfit)
    if not (calls.plain or calls.streaming):
        raise _Refused(_other_way(calls.others[0], chat))
    stream = chat.subscription
    if not isinstance(stream, Procedure):
        raise _Refused(
            Blocked(
                f"{chat.mutation.path} has no live subscription beside it from which its reply could stream",
                chat.mutation.file.path,
                stream.line if stream is not None else chat.mutation.line,
                "the migration of the procedure comes first: see what it says",
            )
        )
    if not calls.plain:
        changes = Edits(view)
        _add_kit(changes, view, layout)
        opened = _Opened(view, layout, calls)
        found = tuple(_leftovers(view, layout, chat.mutation, stream, calls, opened))
        written = changes.changes()
        return Pending(written, leftovers=found) if written else Applied(found)
    replayable = _with_values_made_once(view, layout, calls)
    work = _Work(replayable, layout, chat.mutation, stream, Edits(replayable), view)
    problems = work.every_file(find_calls(replayable, layout, chat.mutation, hints.component))
    if problems and replayable is not view:  # told by the lines that the person has open
        problems = _Work(view, layout, chat.mutation, stream, Edits(view), view).every_file(calls)
    if problems:
        first, *others = problems
        if others:
            places = ", ".join(f"{other.file}:{other.line}" for other in others)
            first = Blocked(f"{first.reason} (and so in {places})", first.file, first.line, first.next_step)
        return first
    _add_kit(work.edits, view, layout)
    changed = work.edits.changes()
    after = view.with_changes({change.path: change.after for change in changed})
    new_layout = find_layout(after)
    result = find_calls(after, new_layout, chat.mutation, hints.component)
    opened = _Opened(view, layout, calls)
    return Pending(changed, leftovers=tuple(_leftovers(after, new_layout, chat.mutation, stream, result, opened)))


def _with_values_made_once(view: AppView, layout: Layout, calls: Calls) -> AppView:
    """The app with what replayed callbacks make anew, ids and times, made once a reply; the import is still to come."""
    changes: dict[str, bytes | None] = {}
    for file in dict.fromkeys(call.file for call in calls.plain):
        made = {}
        for call in calls.plain:
            live = live_text(call, _users(view, layout, call)) if call.file == file else None
            if isinstance(live, LiveText):
                made.update(dict.fromkeys(live.made, live.callback))
        if made:
            edit = FileEdit(file)
            make_once(edit, made)
            changes[file.path] = edit.result()
    return view.with_changes(changes) if changes else view


def _other_way(place: Place, chat: Chat) -> Blocked:
    function = place.node.child_by_field_name("function")
    method = text_of(function).rpartition(".")[2].strip() if function is not None else ""
    return Blocked(
        f"{chat.mutation.path} is called through `{method}`, which the hook cannot stand in for",
        place.file.path,
        place.line,
        f"call it as `api.{chat.mutation.path}.useMutation(...)`, on a client from createTRPCReact",
    )


def _add_kit(edits: Edits, view: AppView, layout: Layout) -> None:
    for path, data in kit_changes(view, layout, "hook", "link").items():
        edits.write(path, data)


@dataclass(frozen=True, eq=False)
class _Work:
    """The edits of every file that calls the mutation. `before` is the app as it was before values were made once."""

    view: AppView
    layout: Layout
    mutation: Procedure
    stream: Procedure
    edits: Edits
    before: AppView

    def every_file(self, calls: Calls) -> list[Blocked]:
        """Rewrite the calls of every file; what stands in the way of it."""
        files = dict.fromkeys(call.file for call in calls.plain)
        return [problem for file in files for problem in self.file(file, calls)]

    def file(self, file: SourceFile, calls: Calls) -> list[Blocked]:
        """Rewrite the calls of one file; what stands in the way of it."""
        if file.syntax_error_line is not None:
            return [Blocked("the file has a syntax error", file.path, file.syntax_error_line, "mend it")]
        result = result_of(self.view, self.layout, self.mutation)
        if result is None:
            return [
                Blocked(
                    f"what {self.mutation.path} returns cannot be made of the reply's text alone",
                    self.mutation.file.path,
                    self.mutation.line,
                    "let it return the text, or an object with the text in one field and fixed values beside it",
                )
            ]
        yields = TextReader(self.view, self.layout).yields(self.stream)
        text = ""
        if not (yields.has_text or yields.unknown):
            found = text_option(yields.shapes)
            if found is None:
                return [
                    Blocked(
                        f"what {self.stream.path} yields has no text in a field that is known",
                        self.stream.file.path,
                        self.stream.line,
                        "yield strings, or objects with the text in `text`",
                    )
                ]
            text = found
        edit, imports = FileEdit(file), ImportChanges(file)
        problems = []
        live_states: dict[int, None] = {}
        before = self.before.file(file.path)
        assert before is not None
        if file.data != before.data:
            imports.add(self.layout.specifier(file.path, kit_path(self.layout, _LIVE_FILE)), ONCE)
        for call in calls.plain:
            if call.file == file:
                problem = self._call(edit, imports, call, result, text, yields, live_states)
                if problem is not None:
                    problems.append(problem)
        imports.add(self.layout.specifier(file.path, kit_path(self.layout, HOOK_FILE)), HOOK)
        imports.apply(edit)
        if not problems:
            self.edits.write(file.path, wrapped(before, edit.result(), _WIDTH))
        return problems

    def _call(
        self,
        edit: FileEdit,
        imports: ImportChanges,
        call: MutationCall,
        result: str,
        text: str,
        yields: Yields,
        live_states: dict[int, None],
    ) -> Blocked | None:
        try:
            made = make_input(call, self._fields(self.mutation), self._fields(self.stream))
        except MissingField as missing:
            return Blocked(
                f"{missing.reason} ({self.stream.path}, {self.stream.file.path}:{self.stream.line})",
                call.file.path,
                call.line,
                f"keep `{missing.name}` in the component under that name, or make it optional in the subscription",
            )
        options = [f"result: {result}"] if result else []
        if text:
            options.append(f"text: {text}")
        elif yields.shapes and not _has_option(call, "onItem"):
            handlers = find_handlers(self.view, self.layout, call.file, yields.shapes)
            if len(handlers) == 1:
                options.append(f"onItem: (item) => {{\n  {handlers[0].call};\n}}")
        live = live_text(call, _users(self.view, self.layout, call))
        dead = None
        if isinstance(live, LiveText):
            self._make_live(edit, imports, call, live, live_states)
        else:
            dead = dead_state(call)
        write_call(edit, call, self._subscription(call), made, options, live if isinstance(live, LiveText) else None)
        if dead is not None:
            self._wire(edit, imports, call, dead)
        return None

    def _fields(self, procedure: Procedure) -> dict[str, InputField]:
        if procedure.input is None:
            return {}
        fields = input_fields(self.view, self.layout, Place(procedure.file, procedure.input))
        if fields is None:
            raise _Refused(
                Blocked(
                    f"the input of {procedure.path} is not a z.object(...) that can be read",
                    procedure.file.path,
                    procedure.file.line_of(procedure.input.start_byte),
                    "write it as z.object({ ... })",
                )
            )
        return fields

    def _subscription(self, call: MutationCall) -> str:
        client, *keys = call.path.split(".")
        same_router = self.stream.router == self.mutation.router
        return ".".join([client, *keys[:-1], self.stream.name] if same_router else [client, self.stream.path])

    def _make_live(
        self, edit: FileEdit, imports: ImportChanges, call: MutationCall, live: LiveText, done: dict[int, None]
    ) -> None:
        assert call.component is not None
        component = Component.of(call.file, call.component)
        states = tuple(state for state in live.states if state.declarator.start_byte not in done)
        done.update(dict.fromkeys(state.declarator.start_byte for state in states))
        for state in states:
            make_live(edit, state)
        for dependencies, names in missing_dependencies(component, states):
            end = dependencies.end_byte - 1
            listed = bool(dependencies.named_children)
            edit.insert(end, (", " if listed else "") + ", ".join(names))
        if states:
            imports.add(self.layout.specifier(call.file.path, kit_path(self.layout, _LIVE_FILE)), LIVE_STATE)
            _drop_unused(call.file, imports, done)

    def _wire(self, edit: FileEdit, imports: ImportChanges, call: MutationCall, dead: DeadState) -> None:
        """Take the state that nothing sets away, and let its name stand for the growing reply."""
        file, target = call.file, call.target
        assert target is not None
        statement = dead.state.declarator.parent
        assert statement is not None
        partial = f"{call.result_name}.partial" if call.result_name else "partial"
        if target.type == "object_pattern":
            last = target.named_children[-1]
            is_broken = target.start_point.row != target.end_point.row
            newline = f"{file.style.newline}{file.indentation_of(last.start_byte)}" if is_broken else " "
            edit.insert(last.end_byte, f",{newline}partial")
        value = f"{partial} ? [{partial}] : []" if dead.is_list else partial
        end = call.call.end_byte
        while file.data[end : end + 1] not in (b"\n", b""):
            end += 1
        base = file.indentation_of(statement.start_byte)
        line = file.style.adapt(f"const {dead.state.value} = {value};", base)
        edit.insert(end + 1, line + file.style.newline)
        edit.delete_lines(statement.start_byte, statement.end_byte)
        _drop_unused(file, imports, {dead.state.declarator.start_byte: None})


def _drop_unused(file: SourceFile, imports: ImportChanges, gone: dict[int, None]) -> None:
    """`useState` is no longer imported where every call of it is gone."""
    for name in {text_of(node) for node in find_all(file.root, "identifier")}:
        found = find_import(file, name)
        if found is None or (found[0].specifier, found[1].imported) != ("react", "useState"):
            continue
        if all(_declarator_at(use) in gone for use in uses_of(file, name)):
            imports.remove(name)


def _declarator_at(use: Node) -> int:
    node: Node | None = use
    while node is not None and node.type != "variable_declarator":
        node = node.parent
    return node.start_byte if node is not None else -1


# --- what is left to a person


@dataclass(frozen=True, eq=False)
class _Opened:
    """The app as the person has it open, to whom places are told in it: before the migration while that is pending."""

    view: AppView
    layout: Layout
    calls: Calls

    def places(self, calls: Calls) -> list[MutationCall]:
        """The calls here that became the hook's; those themselves where they cannot be told apart."""
        here = sorted((*self.calls.plain, *self.calls.streaming), key=_place_of)
        return here if len(here) == len(calls.streaming) else sorted(calls.streaming, key=_place_of)


def _place_of(call: MutationCall) -> tuple[str, int]:
    return call.file.path, call.call.start_byte


def _leftovers(
    view: AppView, layout: Layout, mutation: Procedure, stream: Procedure, calls: Calls, opened: _Opened
) -> list[Leftover]:
    """The places that only a person can finish in the app as it is after the migration, as they stand in `opened`."""
    found = []
    yields = TextReader(view, layout).yields(stream)
    for call, place in zip(sorted(calls.streaming, key=_place_of), opened.places(calls), strict=True):
        name = f"`{call.result_name}.partial`" if call.result_name else "the hook's `partial`"
        if not _has_option(call, "live") and not _shows_partial(view, layout, call):
            live = live_text(place, _users(opened.view, opened.layout, place))
            why = (
                ""
                if isinstance(live, LiveText)
                else f": {live.reason}" + (f" (line {live.line})" if live.line and live.line != place.line else "")
            )
            is_typed = isinstance(live, NotLive) and live.is_typed
            once = ", and let onSuccess set the whole text at once" if is_typed else ""
            found.append(
                Leftover(
                    place.file.path,
                    place.line,
                    f"the reply grows in {name}, which nothing shows yet{why}",
                    f"show {name} where the answer goes while the mutation is pending{once}",
                )
            )
        if yields.shapes and not (_has_option(call, "onItem") or _has_option(call, "text")):
            kinds = dict.fromkeys(
                shape.fields.get("type") or "{ " + ", ".join(shape.fields) + " }" for shape in yields.shapes
            )
            found.append(
                Leftover(
                    place.file.path,
                    place.line,
                    f"{stream.path} also yields what is no text ({', '.join(kinds)}), and nothing takes it",
                    "add `onItem: (item) => { ... }` to the hook's options",
                )
            )
        if yields.unknown and not yields.has_text and not _has_option(call, "text"):
            unknown = yields.unknown[0]
            found.append(
                Leftover(
                    place.file.path,
                    place.line,
                    f"{stream.path} yields a value that may not be text ({unknown.file.path}:{unknown.line})",
                    "if it is neither a string nor an object with `text`, add `text: (value) => ...` to the hook's "
                    "options; if it is a string, `text: (value) => value` says so",
                )
            )
    found += [
        Leftover(
            other.file.path,
            other.line,
            f"{mutation.path} is called here in another way than by `.useMutation(...)`",
            f"call it through `{HOOK}` if its reply shall stream here too",
        )
        for other in opened.calls.others
    ]
    return found


def _has_option(call: MutationCall, name: str) -> bool:
    return call.options is not None and property_of(call.options, name) is not None


def _shows_partial(view: AppView, layout: Layout, call: MutationCall) -> bool:
    """Whether the growing text is used: in the file of the call, or, of a custom hook, in a file that imports it."""
    if _reads_partial(call.file):
        return True
    if not call.hook_name:
        return False
    return any(_reads_partial(file) for file in _users(view, layout, call))


def _users(view: AppView, layout: Layout, call: MutationCall) -> Iterable[SourceFile]:
    return users_of(view, layout, call.file) if call.hook_name else ()


def _reads_partial(file: SourceFile) -> bool:
    if b"partial" not in file.data:
        return False
    kinds = ("property_identifier", "shorthand_property_identifier_pattern")
    return any(text_of(node) == "partial" for node in find_all(file.root, *kinds))
