"""What the cleanup says about an app, piece by piece, and what its stages work on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias

from migrations.hints import AppHints

if TYPE_CHECKING:
    from migrations.discovery.layout import Layout
    from migrations.engine.outcome import FileChange, RemovePackage
    from migrations.engine.source import SourceFile
    from migrations.engine.view import AppView

Action: TypeAlias = Literal["remove", "rewrite", "keep", "by-hand"]


@dataclass(frozen=True, slots=True)
class Piece:
    """One piece of the WebSocket server, or one place that is for it.

    `line` is from 1, in the file as it stands before anything is changed; 0 is the whole file. `what` names the piece
    ("the WebSocket server for tRPC", "script dev:ws"). `why` says why it can go, must stay, or, by hand, what to do.
    """

    file: str
    line: int
    what: str
    action: Action
    why: str

    def as_json(self) -> dict[str, str | int]:
        return {"file": self.file, "line": self.line, "what": self.what, "action": self.action, "why": self.why}


@dataclass(frozen=True, slots=True)
class Found:
    """What a stage found and wants. `needs` are those who still need the server (action "keep"): a single one of them,
    of any stage, and nothing in the whole app is changed.
    """

    pieces: tuple[Piece, ...] = ()
    needs: tuple[Piece, ...] = ()
    changes: tuple[FileChange, ...] = ()
    packages: tuple[RemovePackage, ...] = ()


ServerKind: TypeAlias = Literal["sockets", "next", "shared"]


@dataclass(frozen=True, eq=False)
class LegacyServer:
    """A file that hands a WebSocketServer to tRPC.

    `line` is that of `applyWSSHandler`. `kind`: "sockets" serves only tRPC's WebSocket (whatever it answers over plain
    HTTP is a stub); "next" is the whole Next.js server too; "shared" does more than both, and `does` says what and
    `does_line` where. `is_commented`: the whole file is commented out.
    """

    file: SourceFile
    line: int
    kind: ServerKind
    is_commented: bool = False
    does: str = ""
    does_line: int = 0


@dataclass(frozen=True)
class LegacyApp:
    """What a stage works on. `before` is the app as it stands, `view` as the stages before left it; `layout` is read
    from `before`. `to_sse`: subscriptions move to httpSubscriptionLink.
    """

    before: AppView
    view: AppView
    layout: Layout
    servers: tuple[LegacyServer, ...]
    hints: AppHints = field(default_factory=AppHints)
    to_sse: bool = False

    @property
    def gone(self) -> frozenset[str]:
        """The files that the stages before have removed."""
        return frozenset(self.before.paths) - frozenset(self.view.paths)


class Stage(Protocol):
    """One stage of the cleanup; pure."""

    def __call__(self, app: LegacyApp) -> Found: ...
