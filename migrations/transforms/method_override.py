"""The route handler lets a subscription be started with a POST, which the relay link does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from migrations.discovery.trpc_client import property_of
from migrations.engine import Blocked, Leftover
from migrations.engine.syntax import text_of
from migrations.transforms.object_members import add_member

if TYPE_CHECKING:
    from migrations.discovery.route_handler import RouteHandler
    from migrations.engine import Edits

_OPTION = "allowMethodOverride: true"


def allow_method_override(handler: RouteHandler, edits: Edits) -> Blocked | Leftover | None:
    """Add `allowMethodOverride: true` behind the handler's router. A Leftover where its options are not known, Blocked
    where somebody has said false.
    """
    if handler.options is None:
        if "allowMethodOverride" in handler.file.text:
            return None
        return Leftover(
            handler.file.path,
            handler.line,
            "a tRPC handler whose options are made elsewhere",
            f"give it `{_OPTION}`: the relay link starts a reply with a POST",
        )
    file, literal = handler.options.file, handler.options.node
    value = handler.method_override
    if value is not None:
        if text_of(value) != "false":
            return None
        return Blocked(
            "allowMethodOverride is false, and the relay link starts a reply with a POST",
            file.path,
            file.line_of(value.start_byte),
            "set it to true, if nothing speaks against it, and run this again",
        )
    router = property_of(literal, "router")
    member = router if router is None or router.type == "shorthand_property_identifier" else router.parent
    if member is not None and member.parent != literal:
        member = None
    add_member(edits.source(file.path), literal, _OPTION, behind=member)
    return None
