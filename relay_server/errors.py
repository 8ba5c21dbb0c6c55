"""The errors a person sees: one tree, each with what went wrong, what to do next and the exit code.

    ChatopsError                  exit code
    ├── CheckFailed               1  a check ran and its answer is no
    ├── UsageError                2  wrong usage or configuration
    ├── Unreachable               3  relay or model cannot be reached
    └── Denied                    4  refused: secret, sign-in

Refusals on the wire are `relay_server.protocol.Refusal`; they reach a person only as one of these.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Mapping


class ChatopsError(Exception):
    """Base of every error that ends a command.

    `message` says what and where in one line; `next_step` says what to do about it; `code` is a stable
    word for scripts (`--json`: `error.code`). `report` is what was found all the same: the other keys of
    the `--json` output.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, next_step: str, code: str, report: Mapping[str, object] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.next_step = next_step
        self.code = code
        self.report = report or {}

    def as_json(self) -> dict[str, str]:
        """The `error` object of every `--json` output."""
        return {"code": self.code, "message": self.message, "next_step": self.next_step}


class CheckFailed(ChatopsError):
    """A check ran to its end and what it looked at is not right."""

    exit_code = 1


class UsageError(ChatopsError):
    """Wrong usage or configuration; nothing was tried."""

    exit_code = 2


class Unreachable(ChatopsError):
    """The relay or the model does not answer, or something else answers in its place."""

    exit_code = 3


class Denied(ChatopsError):
    """The other side answered and refused: a wrong or missing secret, key or sign-in."""

    exit_code = 4
