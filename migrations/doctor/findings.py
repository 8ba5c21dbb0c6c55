"""What a check found, and what the checks are given."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import wraps
from typing import TYPE_CHECKING, TypeAlias

from migrations.engine import AppView, FileChange
from relay_server.errors import ChatopsError

if TYPE_CHECKING:
    from migrations.engine import Plan
    from migrations.hints import AppHints

# Works out, on the app as it is then, the files as they shall be.
Changes: TypeAlias = Callable[[AppView], Sequence[FileChange]]
Check: TypeAlias = Callable[["Situation"], "Finding"]


@dataclass(frozen=True, slots=True)
class Fix:
    """What mends a finding without a question: files to write, and files that only their owner shall read."""

    changes: Changes = lambda _view: ()
    owner_only: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found. `ok` None: it could not be made, or there is nothing yet to check, and `detail` says why;
    `mend` says what to do about it ("" where there is nothing to do). No text holds a secret.
    """

    ok: bool | None
    detail: str
    mend: str = ""
    fix: Fix | None = field(default=None, repr=False)
    name: str = ""

    def named(self, name: str) -> Finding:
        """The same, as what the check of this name found."""
        return replace(self, name=name)

    def as_json(self) -> dict[str, object]:
        return {
            "name": self.name,
            "ok": self.ok,
            "detail": self.detail,
            "mend": self.mend or None,
            "fixable": self.fix is not None,
        }


def good(detail: str) -> Finding:
    return Finding(True, detail)


def bad(detail: str, mend: str, fix: Fix | None = None) -> Finding:
    return Finding(False, detail, mend, fix)


def unknown(why: str, mend: str = "") -> Finding:
    return Finding(None, why, mend)


def bad_for(error: ChatopsError) -> Finding:
    """The finding that an error is."""
    return Finding(False, error.message, error.next_step)


def check(name: str) -> Callable[[Check], Check]:
    """Give a check its name. An error that it meets, such as a file that cannot be read, is what it has found."""

    def wrap(look: Check) -> Check:
        @wraps(look)
        def made(situation: Situation) -> Finding:
            try:
                return look(situation).named(name)
            except ChatopsError as error:
                return bad_for(error).named(name)

        return made

    return wrap


@dataclass(frozen=True, slots=True)
class Situation:
    """An app, what is configured for it, and the machine.

    `plan` is where its migrations stand, None where `plan_error` says why that is not known; `config_error` is what is
    wrong with partyconfig.toml, whose values are then the defaults. `relay_url`, `mode`, `target` and `domain` are
    configured ("" is not set). `secret` is the relay's if the configuration gives it, `secret_file` the file of the app
    that holds it ("" if none). `set_config` makes the change of partyconfig.toml that gives keys (`section.key`)
    values. A step of a check of the network takes `timeout_s` seconds at most.
    """

    view: AppView
    hints: AppHints
    environment: Mapping[str, str]
    set_config: Callable[[AppView, dict[str, str]], FileChange]
    plan: Plan | None = None
    plan_error: ChatopsError | None = None
    config_error: ChatopsError | None = None
    relay_url: str = ""
    mode: str = ""
    target: str = "partykit"
    domain: str = ""
    secret: str | None = field(default=None, repr=False)
    secret_error: ChatopsError | None = None
    secret_file: str = ""
    timeout_s: float = 5.0

    def state_of(self, number: int) -> str:
        """The state of a migration, "" if it is not known."""
        steps = self.plan.steps if self.plan is not None else ()
        return next((step.state for step in steps if step.number == number), "")
