"""The call of OpenAI's chat completions in a mutation: where it is, and whether it asks for one plain text.

found = find_model_call(view, layout, mutation)   # ModelCall; raises Refused
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from migrations.discovery.declarations import declarators_in, declared_at_top, fixed_value
from migrations.discovery.model_calls import declarations_of
from migrations.discovery.nodes import arguments_of, field, key_name, own_nodes, short_text
from migrations.discovery.openai_answer import AnswerReader, ModelCall
from migrations.discovery.openai_client import check_client
from migrations.discovery.refused import Refused
from migrations.engine.syntax import find_all, first_error, text_of

if TYPE_CHECKING:
    from tree_sitter import Node

    from migrations.discovery.layout import Layout
    from migrations.discovery.procedures import Procedure
    from migrations.engine import AppView, SourceFile

_CREATE = re.compile(r"\.\s*chat\s*\.\s*completions\s*\.\s*create$")
_FILES_DEEP = 4
# Parameters with which the reply is no longer one text that arrives piece by piece.
_NOT_TEXT = {
    "tools": "the model may call tools",
    "tool_choice": "the model may call tools",
    "functions": "the model may call functions",
    "function_call": "the model may call functions",
    "response_format": "the reply is not plain text",
    "modalities": "the reply is not plain text",
    "audio": "the reply is not plain text",
    "n": "more than one reply is asked for",
    "stream_options": "it is about streaming already",
}


def find_model_call(view: AppView, layout: Layout, mutation: Procedure) -> ModelCall:
    """The call whose text `mutation` returns, of a client that is known to be OpenAI's. Raises Refused."""
    file, resolver = mutation.file, mutation.resolver
    error = first_error(mutation.node)
    if error is not None:
        raise Refused("the procedure cannot be read: a syntax error", error, file)
    if resolver is None:
        raise Refused("the procedure's function stands elsewhere", mutation.call, file)
    body = field(resolver, "body")
    calls = [call for call in own_nodes(body, "call_expression") if _is_create(call)]
    if not calls:
        raise _no_call(view, layout, mutation, resolver)
    refused: list[Refused] = []
    for call in calls:
        try:
            answer = AnswerReader(file, body, call)
            found = answer.read(_request(file, body, call))
        except Refused as refusal:
            refused.append(refusal)
        else:
            client = _object_of(_object_of(_object_of(found.call)))
            check_client(view, layout, file, client, resolver)
            return found
    raise refused[-1]


def _is_create(call: Node) -> bool:
    """Whether it is `<anything>.chat.completions.create(...)`."""
    return _CREATE.search(text_of(field(call, "function"))) is not None


def _object_of(node: Node) -> Node:
    """What a method is called on, or a property taken of."""
    return field(field(node, "function") if node.type == "call_expression" else node, "object")


def _no_call(view: AppView, layout: Layout, mutation: Procedure, resolver: Node) -> Refused:
    """Where the model is called instead, if that can be found."""
    file = mutation.file
    inner = next((call for call in find_all(resolver, "call_expression") if _is_create(call)), None)
    if inner is not None:
        return Refused("the model is called in a function inside the procedure", inner, file)
    text = text_of(resolver)
    if "createChatCompletion" in text:
        return Refused("it calls the SDK of OpenAI before version 4", resolver, file)
    if re.search(r"\.responses\s*\.\s*(create|stream)\b", text):
        return Refused("it calls OpenAI's Responses API, not chat completions", resolver, file)
    if re.search(r"\.chat\s*\.\s*completions\s*\.\s*\w+", text):
        return Refused("it does not call create of OpenAI's chat completions", resolver, file)
    helper = _helper(view, layout, file, resolver, _FILES_DEEP, set())
    if helper is not None:
        where, call = helper
        return Refused("the model is called in a helper function, not in the procedure itself", call, where)
    return Refused("the procedure does not call OpenAI's chat completions", mutation.node, file)


def _helper(
    view: AppView, layout: Layout, file: SourceFile, node: Node, depth: int, seen: set[tuple[str, str]]
) -> tuple[SourceFile, Node] | None:
    """The call of the model in what `node` calls."""
    for name in dict.fromkeys(text_of(found) for found in find_all(node, "identifier")):
        if (file.path, name) in seen or not depth:
            continue
        seen.add((file.path, name))
        for where, declared in declared_at_top(view, layout, file, name, depth):
            call = next((c for c in find_all(declared, "call_expression") if _is_create(c)), None)
            if call is not None:
                return where, call
            found = _helper(view, layout, where, declared, depth - 1, seen)
            if found is not None:
                return found
    return None


# --- its parameters


def _request(file: SourceFile, scope: Node, call: Node) -> Node:
    """The parameters of a call: an object, or the name of a constant that is one. Raises Refused."""
    arguments = arguments_of(call)
    if not 1 <= len(arguments) <= 2:
        raise Refused("the call of the model has no parameters that can be read", call, file)
    _check_request(file, scope, arguments[0], _FILES_DEEP)
    return arguments[0]


def _check_request(file: SourceFile, scope: Node, node: Node, depth: int) -> None:
    literal = node
    if node.type == "identifier":
        name = text_of(node)
        value = fixed_value(file, declarators_in(scope, name) or list(declarations_of(file, name)))
        if value is not None and depth:
            literal = value
            while literal.type in ("parenthesized_expression", "satisfies_expression"):
                literal = literal.named_children[0]
    if literal.type != "object":
        raise Refused(f"the parameters of the model's call cannot be read from `{short_text(node)}`", node, file)
    for item in literal.named_children:
        if item.type == "comment":
            continue
        if item.type == "spread_element":
            _check_request(file, scope, item.named_children[0], depth - 1)
            continue
        name, value = key_name(item), item.child_by_field_name("value")
        if not name:
            raise Refused(f"the parameters of the model's call cannot be read from `{short_text(item)}`", item, file)
        given = text_of(value) if value is not None else ""
        if name == "stream" and given != "false":
            raise Refused("the model's call streams already", item, file)
        if name == "n" and given == "1":
            continue
        if name == "response_format" and re.fullmatch(r"\{\s*type:\s*([\"'])text\1,?\s*\}", given):
            continue
        if name in _NOT_TEXT and given not in ("undefined", "null"):
            raise Refused(f"{_NOT_TEXT[name]} (`{name}`)", item, file)
