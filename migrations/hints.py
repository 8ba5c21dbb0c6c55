"""What the app's owner has said of the app, where reading it does not decide."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AppHints:
    """The keys of `[app]` in partyconfig.toml; "" is not set. Paths are seen from the app's folder, with `/`.

    A procedure is named as the client calls it (`chat.sendMessage`) or by its file (`src/server/chat.ts:sendMessage`).
    `target` is deploy.target: where the relay goes.
    """

    mutation: str = ""
    subscription: str = ""
    client: str = ""
    route_handler: str = ""
    component: str = ""
    env_schema: str = ""
    target: str = ""
