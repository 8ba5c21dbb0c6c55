"""What a migration says about an app, and what a migration is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeAlias

if TYPE_CHECKING:
    from migrations.engine.view import AppView


@dataclass(frozen=True, slots=True)
class Leftover:
    """A place that a person has to see to: `what` is there, `how` to do it. `line` is from 1; 0 is the whole file."""

    file: str
    line: int
    what: str
    how: str

    def as_json(self) -> dict[str, str | int]:
        return {"file": self.file, "line": self.line, "what": self.what, "how": self.how}


@dataclass(frozen=True, slots=True)
class FileChange:
    """A file as it shall be: its whole bytes, or None for gone. A file that is there keeps its mode; a new one gets
    the usual one, 0o755 if `executable`, or 0o600 if `private`.
    """

    path: str
    after: bytes | None
    executable: bool = False
    private: bool = False


@dataclass(frozen=True, slots=True)
class AddPackage:
    """A dependency that package.json shall have, as `name: range`; one that is there in either section is set there."""

    name: str
    range: str
    dev: bool = False


@dataclass(frozen=True, slots=True)
class RemovePackage:
    """A dependency that package.json shall not have, in any section."""

    name: str


PackageChange: TypeAlias = AddPackage | RemovePackage


@dataclass(frozen=True, slots=True)
class Applied:
    """The app has it. `leftovers` are the places that only a person can finish, still open."""

    leftovers: tuple[Leftover, ...] = ()


@dataclass(frozen=True, slots=True)
class Pending:
    """It can be applied: these files and packages change, these places are left to a person."""

    changes: tuple[FileChange, ...] = ()
    packages: tuple[PackageChange, ...] = ()
    leftovers: tuple[Leftover, ...] = ()


@dataclass(frozen=True, slots=True)
class NotApplicable:
    """The app has nothing that this migration is for."""

    reason: str


@dataclass(frozen=True, slots=True)
class Blocked:
    """It would be for this app, but what stands at this place is not known well enough to change it."""

    reason: str
    file: str = ""
    line: int = 0
    next_step: str = ""


Outcome: TypeAlias = Applied | Pending | NotApplicable | Blocked


class Migration(Protocol):
    """One change to an app, with one reason to exist. `number` gives the order and is never reused."""

    @property
    def number(self) -> int: ...
    @property
    def title(self) -> str:
        """A short sentence in the imperative, such as "Add partykit and partysocket"."""

    def plan(self, view: AppView) -> Outcome:
        """What to do on the app as it stands in `view`; pure, and by the code alone: no state is kept elsewhere.

        Planned anew on what it led to, it says Applied (or Pending with nothing but what is new). UsageError may be
        raised for files that cannot be read.
        """
