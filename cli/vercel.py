"""The environment of a deployment on Vercel: what it needs, as commands of Vercel's CLI, shown or run.

Values go in through stdin (`vercel env`, https://vercel.com/docs/cli/env), so that none stands in argv.
"""

from __future__ import annotations

import shlex
import shutil
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from relay_server.errors import CheckFailed, UsageError
from relay_server.process import NotRun, cleaned, run

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from relay_server.process import Finished

_ENVIRONMENT = "production"
_TIMEOUT_S = 120
_AFTERWARDS = "redeploy: Next.js builds NEXT_PUBLIC_ values in (vercel deploy --prod)"


@dataclass(frozen=True, slots=True)
class EnvVariable:
    """A variable of the deployment; the value of a secret one is shown nowhere. "" is not known here."""

    key: str
    value: str = field(repr=False)
    secret: bool = False

    @property
    def arguments(self) -> list[str]:
        """What follows `vercel`; `--force` replaces a value that is there."""
        sensitive = ["--sensitive"] if self.secret else []
        return ["env", "add", self.key, _ENVIRONMENT, "--force", *sensitive]

    @property
    def shown(self) -> str:
        """What a person types; the CLI asks for a secret, and for what is not known."""
        command = " ".join(["vercel", *self.arguments])
        return command if self.secret or not self.value else f"printf %s {shlex.quote(self.value)} | {command}"


def instructions(variables: Sequence[EnvVariable]) -> list[str]:
    """What to do for the deployment, a line each."""
    return [*(variable.shown for variable in variables), _AFTERWARDS]


def check_vercel() -> None:
    """Raises UsageError where Vercel's CLI is not there."""
    if shutil.which("vercel") is None:
        raise UsageError(
            "Vercel's CLI is not on PATH",
            next_step="npm install --global vercel, then vercel link in the app; or run this without --vercel",
            code="no_vercel",
        )


def set_variables(app: Path, variables: Sequence[EnvVariable]) -> None:
    """Run the commands in the app's folder. Raises UsageError without the CLI, CheckFailed with what it said."""
    check_vercel()
    done: list[str] = []
    for variable in variables:
        command = ["vercel", *variable.arguments]
        try:
            ran = run(
                command, app, seconds=_TIMEOUT_S, environment={"NO_COLOR": "1"}, stdin=variable.value.encode()
            )  # fmt: skip
        except NotRun as error:
            raise _failed(variable, str(error), done) from None
        if ran.code:
            raise _failed(variable, _said(ran, variable), done)
        done.append(variable.key)


def _said(ran: Finished, variable: EnvVariable) -> str:
    """The last line of what it said, without the value."""
    lines = [line.strip() for line in cleaned((ran.stderr or ran.stdout).decode(errors="replace")).splitlines()]
    said = next((line for line in reversed(lines) if line), f"exit code {ran.code}")
    return said.replace(variable.value, "***") if variable.value else said


def _failed(variable: EnvVariable, reason: str, done: Sequence[str]) -> CheckFailed:
    already = f" ({', '.join(done)} was set already)" if done else ""
    return CheckFailed(
        f"vercel env add {variable.key} failed: {reason}{already}",
        next_step="see that `vercel whoami` and `vercel link` work in the app, and run this again",
        code="vercel",
    )
