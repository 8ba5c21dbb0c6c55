"""Every migration, in order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from migrations.discovery.chat import find_chat
from migrations.discovery.layout import find_layout
from migrations.engine import Applied, NotApplicable
from migrations.m1_packages import Packages
from migrations.m2_relay import RelayFiles
from migrations.m3_procedure import StreamingProcedure
from migrations.m4_client import ClientMigration
from migrations.m5_component import StreamingComponent
from migrations.m6_own_account import EitherHome, OwnAccount

if TYPE_CHECKING:
    from migrations.engine import AppView, Migration, Outcome
    from migrations.hints import AppHints


@dataclass(frozen=True)
class OnlyWithChat:
    """A migration that is for nothing in an app without a chat, although it could be carried out there."""

    migration: Migration
    hints: AppHints

    @property
    def number(self) -> int:
        return self.migration.number

    @property
    def title(self) -> str:
        return self.migration.title

    def plan(self, view: AppView) -> Outcome:
        outcome = self.migration.plan(view)
        if isinstance(outcome, Applied):
            return outcome
        chat = find_chat(view, find_layout(view), self.hints)
        return chat if isinstance(chat, NotApplicable) else outcome


def all_migrations(hints: AppHints) -> tuple[Migration, ...]:
    """The migrations that `chatops migrate` knows."""
    return (
        OnlyWithChat(EitherHome(Packages()), hints),
        OnlyWithChat(EitherHome(RelayFiles(hints)), hints),
        StreamingProcedure(hints),
        OnlyWithChat(ClientMigration(hints), hints),
        StreamingComponent(hints),
        OnlyWithChat(OwnAccount(hints), hints),
    )
