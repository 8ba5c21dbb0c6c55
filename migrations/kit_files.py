"""The app kit's files as an app gets them: one source, `migrations/kit/src`, in the app's own format."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

    from migrations.discovery.layout import Layout
    from migrations.engine import AppView

KitPart: TypeAlias = Literal["server", "link", "hook"]

_SHARED = ("shared.ts",)
_FILES: dict[KitPart, tuple[str, ...]] = {
    "server": (*_SHARED, "server/publisher.ts", "server/reply-log.ts", "server/through-relay.ts"),
    "link": (
        *_SHARED,
        "client/event-stream.ts",
        "client/relay-link.ts",
        "client/reply.ts",
        "client/room-socket.ts",
    ),
    "hook": (
        *_SHARED,
        "client/live-state.ts",
        "client/room.ts",
        "client/use-room-replies.ts",
        "client/use-streaming-mutation.ts",
    ),
}


def kit_path(layout: Layout, file: str) -> str:
    """Where a file of the kit, such as `client/relay-link.ts`, stands in the app."""
    return layout.kit_folder + file


def kit_changes(view: AppView, layout: Layout, *parts: KitPart) -> dict[str, bytes]:
    """The files of these parts of the kit that the app does not have yet, by path; an edited one counts as there."""
    wanted = dict.fromkeys(kit_path(layout, file) for part in parts for file in _FILES[part])
    return {
        path: view.style.whole_file(_text(path.removeprefix(layout.kit_folder)))
        for path in wanted
        if not view.exists(path)
    }


@cache
def _text(file: str) -> str:
    """A file of the kit in the canonical form of snippets; its tabs count two columns there already."""
    source: Traversable = files("migrations") / "kit" / "src"
    for part in file.split("/"):
        source = source / part
    lines = source.read_text(encoding="utf-8").split("\n")
    return "\n".join("  " * (len(line) - len(line.lstrip("\t"))) + line.lstrip("\t") for line in lines)
