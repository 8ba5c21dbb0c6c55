"""The kit's variables in the file that shows what an app's `.env` is to hold. Secrets are never written."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from migrations.engine.line_edits import get_env

if TYPE_CHECKING:
    from migrations.engine import AppView, Edits

_EXAMPLES = (".env.example", ".env.local.example", ".env.sample", ".env.template", ".env.dist", "env.example")
_OTHERS = (".env", ".env.local", ".env.development", ".env.development.local", ".env.production", ".env.test")
_ASSIGNMENT = re.compile(
    r"""^[ \t#]*(?:export[ \t]+)?[A-Z][A-Z0-9_]*[ \t]*=[ \t]*(?P<quote>["']?)(?P<inner>[^\s"'#]?)""", re.MULTILINE
)

# Name, value and what it is for. The address is where `partykit dev` listens.
_VARIABLES = (
    ("RELAY_SECRET", "", "The relay takes replies only with this secret; it is the same here and there."),
    ("NEXT_PUBLIC_RELAY_HOST", "127.0.0.1:1999", "Where the chat's relay is: host, and port if it has one."),
    ("NEXT_PUBLIC_CHAT_MODE", "send-message", 'How replies arrive: "streaming", or "send-message" in one piece.'),
)


def show_variables(edits: Edits, *, has_schema: bool) -> None:
    """Add those that are missing. The file is made if the app has another `.env` file, or a schema for such files."""
    view = edits.view
    path = example_path(view)
    if not view.exists(path) and not has_schema and not any(view.exists(other) for other in _OTHERS):
        return
    data = view.read(path) or b""
    quote = _quote(data.decode(errors="replace"))
    missing = [variable for variable in _VARIABLES if get_env(data, variable[0]) is None]
    for number, (key, value, comment) in enumerate(missing):
        line = f"{key}={quote}{value}{quote}"
        if number == 0:  # an empty line before it
            edits.add_lines(path, [line], comment=[comment])
        else:
            edits.add_lines(path, [f"# {comment}", line])


def example_path(view: AppView) -> str:
    """The file by its usual names, `.env.example` if there is none yet."""
    return next((path for path in _EXAMPLES if view.exists(path)), _EXAMPLES[0])


def _quote(text: str) -> str:
    """The quote around values, by what most lines do (those that are comments too); as T3 does if nothing shows it."""
    shown = [m["quote"] for m in _ASSIGNMENT.finditer(text) if m["quote"] or m["inner"]]
    return max(('"', "'", ""), key=shown.count) if shown else '"'
