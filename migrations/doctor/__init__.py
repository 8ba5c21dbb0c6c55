"""Everything that could stop the way from an app to a streaming one: each check a finding, with how to mend it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from migrations.doctor.app import check_app
from migrations.doctor.env import check_env
from migrations.doctor.findings import Finding, Fix, Situation
from migrations.doctor.platform import check_platform
from migrations.doctor.relay import check_relay
from migrations.doctor.tools import check_tools

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Finding", "Fix", "Situation", "examine"]


def examine(situation: Situation, progress: Callable[[str], None] = lambda _line: None) -> list[Finding]:
    """Make every check. Those that ask programs and the network run while the app is read."""
    with ThreadPoolExecutor(2) as pool:
        tools, relay = pool.submit(check_tools, situation), pool.submit(check_relay, situation)
        progress("reading the app")
        of_app, of_env, of_platform = check_app(situation), check_env(situation), check_platform(situation)
        progress("asking the tools and the relay")
        return [*tools.result(), *of_platform, *of_app, *of_env, *relay.result()]
