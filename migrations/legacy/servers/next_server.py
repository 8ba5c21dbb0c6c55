"""Whether `next start` would do what a server file does with Next.js."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from migrations.discovery.nodes import arguments_of, key_name
from migrations.engine.syntax import find_all, text_of
from migrations.legacy.module_names import bare

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tree_sitter import Node

    from migrations.legacy.servers.values import Value

# Options of `next()` that change nothing of what is served (Next.js's documentation, "Custom server").
_OPTIONS = frozenset(
    {"dev", "hostname", "port", "quiet", "turbo", "turbopack", "webpack", "customServer", "httpServer"}
)
_HERE = frozenset({"'.'", '"."', "'./'", '"./"', "process.cwd()"})
_DEFAULT_PORT = "3000"
_EVERYWHERE = frozenset({"0.0.0.0", "::", ""})  # noqa: S104 - read in the app, not bound to
_NUMBER_OF = frozenset({"parseInt", "Number", "Number.parseInt", "String"})
_DEEPEST = 8


def unusual_option(call: Node) -> Node | None:
    """The option of a call of `next()` that `next start` would not have."""
    given = arguments_of(call)
    if not given:
        return None
    options = bare(given[0])
    if options.type != "object":
        return options
    for member in options.named_children:
        if member.type == "comment":
            continue
        name, value = key_name(member), member.child_by_field_name("value")
        if name in _OPTIONS or (name == "dir" and value is not None and text_of(value) in _HERE):
            continue
        return member
    return None


def unusual_listening(call: Node, scope: Mapping[str, Value]) -> Node | None:
    """What makes `server.listen(...)` listen elsewhere than `next start`, which does on all addresses at `PORT`, else
    at 3000 (Next.js's documentation, "next CLI").
    """
    given = arguments_of(call)
    if not given:
        return call
    port, host = given[0], given[1] if len(given) > 1 else None
    if port.type == "object":
        members = {key_name(member): member.child_by_field_name("value") or member for member in port.named_children}
        if "port" not in members:
            return port
        port, host = members["port"], members.get("host")
    wrong = _unusual_port(port, scope, _DEEPEST)
    if wrong is not None or host is None:
        return wrong
    return _unusual_host(host, scope)


def is_redirect_to_https(statement: Node) -> bool:
    """Whether an `if` does nothing but to send a request that came over plain HTTP to https."""
    condition, body = statement.child_by_field_name("condition"), statement.child_by_field_name("consequence")
    if condition is None or body is None or statement.child_by_field_name("alternative") is not None:
        return False
    calls = [text_of(call.child_by_field_name("function") or call) for call in find_all(body, "call_expression")]
    return (
        re.search(r"(?i)proto", text_of(condition)) is not None
        and bool(calls)
        and all(re.fullmatch(r"\w+\.(writeHead|end|redirect)(\(.*\)\.end)?", call, re.DOTALL) for call in calls)
        and re.search(r"\b30[1278]|\b303|redirect", text_of(body)) is not None
        and "https://" in text_of(body)
    )


def is_own_address(node: Node, scope: Mapping[str, Value], depth: int = _DEEPEST) -> bool:
    """Whether it is the request's address as it came, `parse(req.url, true)`: `next start` knows no other."""
    node = bare(node)
    if node.type == "identifier":
        known = scope.get(text_of(node))
        value = known.node if known is not None and known.kind == "plain" else None
        return is_own_address(value, scope, depth - 1) if value is not None and depth else text_of(node) == "url"
    if node.type in ("call_expression", "new_expression"):
        maker = node.child_by_field_name("function") or node.child_by_field_name("constructor")
        given = arguments_of(node)
        is_parsed = maker is not None and re.search(r"(^|\.)(parse|URL|parseUrl|urlParse)$", text_of(maker))
        return bool(is_parsed and given) and is_own_address(given[0], scope, depth - 1)
    if node.type == "binary_expression":
        left = node.child_by_field_name("left")
        return (
            left is not None
            and any(child.type in ("||", "??") for child in node.children)
            and is_own_address(left, scope, depth - 1)
        )
    return node.type == "undefined" or re.fullmatch(r"\w+\??\.url", text_of(node)) is not None


def _unusual_port(node: Node, scope: Mapping[str, Value], depth: int) -> Node | None:
    node = bare(node)
    if node.type in ("identifier", "shorthand_property_identifier"):
        known = scope.get(text_of(node))
        if known is None or known.node is None or known.kind != "plain" or not depth:
            return node
        return _unusual_port(known.node, scope, depth - 1)
    if node.type == "call_expression" and text_of(node.child_by_field_name("function") or node) in _NUMBER_OF:
        given = arguments_of(node)
        return _unusual_port(given[0], scope, depth - 1) if given and depth else node
    if node.type == "unary_expression" and text_of(node).startswith("+") and node.named_children:
        return _unusual_port(node.named_children[0], scope, depth - 1)
    if node.type == "binary_expression":
        left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
        if left is not None and right is not None and any(child.type in ("||", "??") for child in node.children):
            return _unusual_port(left, scope, depth - 1) or _unusual_port(right, scope, depth - 1)
    if node.type == "ternary_expression":
        sides = [node.child_by_field_name(name) for name in ("consequence", "alternative")]
        if text_of(node.child_by_field_name("condition") or node) == "process.env.PORT":
            wrong = [_unusual_port(side, scope, depth - 1) for side in sides if side is not None]
            return next((found for found in wrong if found is not None), None)
    is_usual = text_of(node) == "process.env.PORT" or text_of(node).strip("\"'`") == _DEFAULT_PORT
    return None if is_usual else node


def _unusual_host(host: Node, scope: Mapping[str, Value]) -> Node | None:
    node = bare(host)
    if node.type in ("arrow_function", "function_expression"):
        return None
    if node.type == "identifier":
        known = scope.get(text_of(node))
        if known is not None and known.kind == "function":
            return None
        node = bare(known.node) if known is not None and known.kind == "plain" and known.node is not None else node
    is_usual = node.type == "string" and text_of(node).strip("\"'") in _EVERYWHERE
    return None if is_usual else node
