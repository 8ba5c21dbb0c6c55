"""The chat of an app: the mutation that answers in one piece, and the subscription that streams, if there is one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from migrations.discovery.importers import is_in_use
from migrations.discovery.model_calls import asks_model
from migrations.discovery.procedures import (
    CommentedProcedure,
    Procedure,
    commented_procedures,
    find_procedures,
    is_test,
    procedures_of,
)
from migrations.engine import Blocked, NotApplicable
from migrations.engine.syntax import find_all, parse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tree_sitter import Node

    from migrations.discovery.layout import Layout
    from migrations.engine import AppView, SourceFile
    from migrations.hints import AppHints


# The words of a chat in a procedure's name or its router's. A model is asked for many other things.
_CHATTY = re.compile(
    r"chat|messag|msg|\bask|ask[A-Z]|send|prompt|repl(y|ies)|answer|respon[ds]|convers|talk|question|complet|assistant|bot\b"
    r"|generate(Text|Content|Response|Reply)?$",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Chat:
    """`subscription` is None where the app has only the mutation. `guessed`: it is the chat by what it does alone."""

    mutation: Procedure
    subscription: Procedure | CommentedProcedure | None
    guessed: bool = False

    @property
    def stream_name(self) -> str:
        """What the streaming procedure is called, or shall be."""
        return self.subscription.name if self.subscription is not None else f"{self.mutation.name}Stream"


def find_chat(view: AppView, layout: Layout, hints: AppHints) -> Chat | Blocked | NotApplicable:
    """The chat of the app, by structure: a mutation with a streaming twin, else the one that asks a model.

    Blocked where several would do and neither the page's calls nor `hints` decide; NotApplicable where there is none.
    """
    return view.once(("chat", hints), lambda: _find_chat(view, layout, hints))


def _find_chat(view: AppView, layout: Layout, hints: AppHints) -> Chat | Blocked | NotApplicable:
    mutations = list(find_procedures(view, layout, "mutation"))
    if hints.mutation:
        named = [mutation for mutation in mutations if _is_named(mutation, hints.mutation)]
        if len(named) != 1:
            return _not_there("mutation", hints.mutation, named)
        return _with_subscription(view, layout, hints, named[0])
    candidates = _likeliest(view, layout, [mutation for mutation in mutations if not mutation.is_generator])
    if not any(_twins(view, layout, candidate) for candidate in candidates):
        streaming = _streams_already(view, layout)
        if streaming:  # what else asks a model (for a title, say) is not the chat
            return NotApplicable(f"{_listed(streaming)} {_verb(streaming, 'stream')} already, and a page reads it")
    called = [mutation for mutation in candidates if is_called(view, mutation)]
    candidates = called or candidates
    if not candidates:
        return _none(view, layout, mutations)
    if not any(_twins(view, layout, candidate) for candidate in candidates):
        likely = [candidate for candidate in candidates if _CHATTY.search(candidate.path)]
        if not likely:
            return NotApplicable(
                f"{_listed(candidates)} {_verb(candidates, 'ask')} a model, but no name says that this is the chat: "
                f'if it is, set app.mutation = "{candidates[0].path}" in partyconfig.toml'
            )
        candidates = likely
    if len(candidates) > 1:
        first, *others = candidates
        return Blocked(
            f"{_listed(candidates)} could each be the chat's mutation",
            first.file.path,
            first.line,
            f'say which one: app.mutation = "{first.path}" in partyconfig.toml, or "{others[0].path}"',
        )
    return _with_subscription(view, layout, hints, candidates[0])


def _none(view: AppView, layout: Layout, mutations: Sequence[Procedure]) -> Blocked | NotApplicable:
    """Why there is no chat."""
    for file in view.sources(".mutation("):
        if file.syntax_error_line is not None and not is_test(file.path) and is_in_use(view, layout, file.path):
            return Blocked(
                "the file cannot be read from here on, so whether the chat's mutation is in it is not known",
                file.path,
                file.syntax_error_line,
                "mend the syntax error, or name the mutation: app.mutation in partyconfig.toml",
            )
    streaming = [mutation for mutation in mutations if mutation.is_generator and _asks(view, layout, mutation)]
    if streaming:
        return NotApplicable(f"{_listed(streaming)} {_verb(streaming, 'stream')} the answer already, over HTTP")
    return NotApplicable(
        "no mutation was found that answers a chat; if one does, name it: app.mutation in partyconfig.toml"
    )


# How a page reads a subscription by itself, without the kit's hook.
SUBSCRIBING = ("useSubscription", "subscriptionOptions", "subscribe")
_HOOKS = ("useMutation", "mutationOptions", "mutate", *SUBSCRIBING)
_NO_CODE = frozenset({"comment", "string_fragment", "jsx_text"})


def is_called(view: AppView, procedure: Procedure | CommentedProcedure, *methods: str) -> bool:
    """Whether a page or a component calls it, by one of these methods only; else also through the kit's hook."""
    path = r"\s*[?!]?\.\s*".join(map(re.escape, procedure.path.split(".")))
    through = "" if methods else r"|\s*,"
    call = re.compile(rf"\.\s*{path}(\s*\.\s*({'|'.join(methods or _HOOKS)})\b{through})".encode())
    files = [file for file in view.sources(procedure.name) if not is_test(file.path)]
    return any(_is_code(file, found.start()) for file in files for found in call.finditer(file.data))


def _is_code(file: SourceFile, at: int) -> bool:
    """Whether a byte is of the code that runs: who has the subscription commented out has its call so, too."""
    node = file.root.descendant_for_byte_range(at, at + 1)
    return node is None or node.type not in _NO_CODE


def _likeliest(view: AppView, layout: Layout, mutations: Sequence[Procedure]) -> list[Procedure]:
    """Those that ask a model and have a streaming twin, else those that ask one, else those with a twin."""
    asking = [mutation for mutation in mutations if mutation.input is not None and _asks(view, layout, mutation)]
    twins = {id(mutation): _twins(view, layout, mutation) for mutation in mutations}
    both = [m for m in mutations if twins[id(m)] and (m in asking or any(_asks(view, layout, t) for t in twins[id(m)]))]
    return both or asking or [mutation for mutation in mutations if twins[id(mutation)]]


def _streams_already(view: AppView, layout: Layout) -> list[Procedure]:
    """The subscriptions that ask a model and that a page reads."""
    return [
        subscription
        for subscription in find_procedures(view, layout, "subscription")
        if is_called(view, subscription, *SUBSCRIBING) and _asks(view, layout, subscription)
    ]


def _with_subscription(
    view: AppView, layout: Layout, hints: AppHints, mutation: Procedure
) -> Chat | Blocked | NotApplicable:
    if hints.subscription:
        every: list[Procedure | CommentedProcedure] = list(find_procedures(view, layout, "subscription"))
        for file in view.sources(".subscription("):
            every += commented_procedures(view, layout, file)
        named = [subscription for subscription in every if _is_named(subscription, hints.subscription)]
        if len(named) != 1:
            return _not_there("subscription", hints.subscription, named)
        return Chat(mutation, named[0])
    every_twin = _twins(view, layout, mutation)
    twins = [twin for twin in every_twin if isinstance(twin, Procedure)] or every_twin
    if len(twins) > 1:
        return Blocked(
            f"{_listed(twins)} could each be the stream of {mutation.path}",
            twins[0].file.path,
            twins[0].line,
            f'say which one: app.subscription = "{twins[0].path}" in partyconfig.toml, or "{twins[1].path}"',
        )
    return Chat(mutation, twins[0] if twins else None, guessed=not twins and not hints.mutation)


def _twins(view: AppView, layout: Layout, mutation: Procedure) -> list[Procedure | CommentedProcedure]:
    """The streaming subscriptions beside a mutation, by their name or by asking a model as it does.

    One that bears the name and asks a model is a twin although it is no generator: an observable of tRPC 10's kind.
    """
    if b".subscription(" not in mutation.file.data:
        return []
    beside: list[Procedure | CommentedProcedure] = [
        other
        for other in procedures_of(view, layout, mutation.file, "subscription")
        if _is_beside(other, mutation) and (other.is_generator or _asks(view, layout, other))
    ]
    beside += [
        other
        for other in commented_procedures(view, layout, mutation.file)
        if _is_beside(other, mutation) and (_is_generator(other) or _asks(view, layout, other))
    ]
    named = [other for other in beside if _is_of_stem(other.name, mutation.name)]
    if named or not _asks(view, layout, mutation):
        return named
    return [other for other in beside if _asks(view, layout, other) and not is_called(view, other, *SUBSCRIBING)]


def _is_of_stem(stream: str, mutation: str) -> bool:
    """Whether the names tell that both do the same: sendMessage and sendMessageStream, streamSendMessage, ..."""
    stem = re.sub(r"stream(ing|ed)?|live|subscri(be|ption)", "", stream, flags=re.IGNORECASE).lower()
    return stream.lower().startswith(mutation.lower()) or stem == mutation.lower()


def _is_beside(other: Procedure | CommentedProcedure, mutation: Procedure) -> bool:
    """Whether two procedures of a file are of one router."""
    if other.container is not None and mutation.container is not None:
        return other.container == mutation.container
    return other.router == mutation.router


def _asks(view: AppView, layout: Layout, procedure: Procedure | CommentedProcedure) -> bool:
    if isinstance(procedure, Procedure):
        return asks_model(view, layout, procedure.file, procedure.arguments)
    return asks_model(view, layout, procedure.file, _parsed(procedure))


def _is_generator(commented: CommentedProcedure) -> bool:
    return next(find_all(_parsed(commented), "generator_function"), None) is not None


def _parsed(commented: CommentedProcedure) -> Node:
    return parse(f"({{\n{commented.code}\n}})".encode()).root_node


def _is_named(procedure: Procedure | CommentedProcedure, given: str) -> bool:
    if re.split(r"[.:]", given)[-1] != procedure.name:  # where the client finds it takes a while to follow
        return False
    return given in (procedure.path, f"{procedure.file.path}:{procedure.name}")


def _listed(procedures: Sequence[Procedure | CommentedProcedure]) -> str:
    places = [f"{p.path} ({p.file.path}:{p.line})" for p in procedures]
    return " and ".join(filter(None, [", ".join(places[:-1]), places[-1]]))


def _verb(procedures: Sequence[Procedure], verb: str) -> str:
    return verb if len(procedures) > 1 else f"{verb}s"


def _not_there(kind: str, given: str, found: Sequence[Procedure | CommentedProcedure]) -> Blocked:
    if found:
        return Blocked(
            f'app.{kind} = "{given}" in partyconfig.toml fits {_listed(found)}',
            found[0].file.path,
            found[0].line,
            f'name it by its file: "{found[0].file.path}:{found[0].name}"',
        )
    return Blocked(
        f'there is no {kind} "{given}", which app.{kind} in partyconfig.toml names',
        "partyconfig.toml",
        0,
        f'set app.{kind} to what the page calls, such as "chat.sendMessage", or to its file: "src/chat.ts:sendMessage"',
    )
