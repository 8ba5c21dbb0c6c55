"""Everything that `chatops init` looks for in an app, each part with where it is or why it was not found."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from migrations.discovery.calls import find_calls
from migrations.discovery.chat import Chat, find_chat
from migrations.discovery.env_schema import find_env_schema
from migrations.discovery.layout import find_layout
from migrations.discovery.procedures import is_test
from migrations.discovery.route_handler import find_route_handlers
from migrations.discovery.trpc_client import find_trpc_clients
from migrations.engine import Blocked, NotApplicable, detect_package_manager
from relay_server.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from migrations.discovery.layout import Layout
    from migrations.engine import AppView
    from migrations.hints import AppHints

_LEGACY = re.compile(r"\bapplyWSSHandler\s*(?:<[^>]*>)?\(")


@dataclass(frozen=True, slots=True)
class Part:
    """One part. `key` is its key in partyconfig.toml ("" for what is read from the app each time) and `value` what
    belongs there; `detail` tells a person; `problem` says why it was not found and what to do.
    """

    name: str
    key: str = ""
    value: str = ""
    detail: str = ""
    problem: str = ""

    def as_json(self) -> dict[str, str | None]:
        return {
            "name": self.name,
            "key": self.key or None,
            "value": self.value or None,
            "detail": self.detail or None,
            "problem": self.problem or None,
        }


def find_parts(view: AppView, hints: AppHints) -> tuple[Part, ...]:
    """The parts of the app, in the order of their names' use. Raises UsageError where a file cannot be read."""
    layout = find_layout(view)
    chat = find_chat(view, layout, hints)
    return (
        _package_manager(view),
        Part("router", detail=_router(layout)),
        Part("import alias", detail=f"{layout.alias}*" if layout.alias else "none: relative imports"),
        _client(view, layout, hints),
        *_procedures(chat),
        _route_handler(view, layout, hints, chat),
        _component(view, layout, hints, chat),
        _env_schema(view, layout, hints),
        _legacy_server(view),
    )


def _package_manager(view: AppView) -> Part:
    try:
        manager = detect_package_manager(view)
    except UsageError as error:
        return Part("package manager", problem=f"{error.message}: {error.next_step}")
    return Part("package manager", detail=f"{manager.name} ({manager.lock or 'no lock file'})")


def _router(layout: Layout) -> str:
    where = f" in {layout.source_root.rstrip('/')}" if layout.source_root else ""
    kinds = {"app": "app router", "pages": "pages router", "both": "app and pages router"}
    return f"{kinds[layout.router]}{where}" if layout.router in kinds else "neither app/ nor pages/"


def _client(view: AppView, layout: Layout, hints: AppHints) -> Part:
    key, name = "app.client", "tRPC client"
    found = find_trpc_clients(view, hints, layout)
    if isinstance(found, (Blocked, NotApplicable)):
        return Part(name, key, problem=_told(found, key))
    return Part(name, key, found[0].file.path, f"{found[0].file.path}:{found[0].line}")


def _procedures(chat: Chat | Blocked | NotApplicable) -> Iterator[Part]:
    if not isinstance(chat, Chat):
        yield Part("mutation", "app.mutation", problem=_told(chat, "app.mutation"))
        return
    for name, procedure in (("mutation", chat.mutation), ("subscription", chat.subscription)):
        if procedure is None:
            yield Part(name, detail="none yet: chatops derives it from the mutation")
            continue
        place = f"{procedure.file.path}:{procedure.line}"
        value = procedure.path if procedure.router else f"{procedure.file.path}:{procedure.name}"
        state = "" if hasattr(procedure, "call") else ", commented out"
        yield Part(name, f"app.{name}", value, f"{procedure.path} ({place}{state})")


def _route_handler(view: AppView, layout: Layout, hints: AppHints, chat: Chat | Blocked | NotApplicable) -> Part:
    key, name = "app.route_handler", "route handler"
    router_file = chat.mutation.file.path if isinstance(chat, Chat) else ""
    found = find_route_handlers(view, layout, hints, router_file)
    if isinstance(found, Blocked):
        return Part(name, key, problem=_told(found, key))
    detail = ", ".join(f"{handler.file.path}:{handler.line}" for handler in found)
    return Part(name, key, found[0].file.path if len(found) == 1 else "", detail)


def _component(view: AppView, layout: Layout, hints: AppHints, chat: Chat | Blocked | NotApplicable) -> Part:
    key, name = "app.component", "component"
    if not isinstance(chat, Chat):
        return Part(name, key, problem="looked for when the mutation is known")
    found = find_calls(view, layout, chat.mutation, hints.component)
    calls = (*found.plain, *found.streaming)
    if not calls:
        return Part(
            name, key, problem=f"nothing calls {chat.mutation.path} by useMutation: set {key} to the file that does"
        )
    files = tuple(dict.fromkeys(call.file.path for call in calls))
    detail = ", ".join(f"{call.file.path}:{call.line}" for call in calls)
    return Part(name, key, files[0] if len(files) == 1 else "", detail)


def _env_schema(view: AppView, layout: Layout, hints: AppHints) -> Part:
    found = find_env_schema(view, hints, layout)
    if found is None:
        return Part("env schema")
    return Part("env schema", "app.env_schema", found.path, f"{found.path}:{found.line}")


def _legacy_server(view: AppView) -> Part:
    """Files that serve tRPC over WebSockets, commented out or not."""
    places = []
    for file in view.sources("applyWSSHandler"):
        call = _LEGACY.search(file.text)
        if call is not None and not is_test(file.path):
            line = file.text.count("\n", 0, call.start()) + 1
            start = file.text.rfind("\n", 0, call.start()) + 1
            is_comment = file.text[start : call.start()].lstrip().startswith(("//", "*", "/*"))
            places.append(f"{file.path}:{line}{' (commented out)' if is_comment else ''}")
    return Part("legacy server", detail=", ".join(places))


def _told(found: Blocked | NotApplicable, key: str) -> str:
    if isinstance(found, NotApplicable):
        return found.reason if key in found.reason else f"{found.reason}; if it does all the same, set {key}"
    place = f"{found.file}:{found.line}: " if found.line else ""
    return f"{place}{found.reason}{': ' if found.next_step else ''}{found.next_step}"
