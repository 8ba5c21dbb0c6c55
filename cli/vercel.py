"""The environment of a deployment on Vercel: what it needs, as commands of Vercel's CLI, shown or run.

Values go in through stdin (`vercel env`, https://vercel.com/docs/cli/env), so that none stands in argv.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from relay_server.errors import CheckFailed, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

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


def set_variables(app: Path, variables: Sequence[EnvVariable]) -> None:
    """Run the commands in the app's folder. Raises UsageError without the CLI, CheckFailed with what it said."""
    if shutil.which("vercel") is None:
        raise UsageError(
            "Vercel's CLI is not on PATH",
            next_step="npm install --global vercel, then vercel link in the app; or run this without --vercel",
            code="no_vercel",
        )
    for variable in variables:
        try:
            done = subprocess.run(
                ["vercel", *variable.arguments],
                cwd=app,
                input=variable.value,
                capture_output=True,
                encoding="utf-8",
                errors="replace",
                timeout=_TIMEOUT_S,
                env={**os.environ, "NO_COLOR": "1"},
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise _failed(variable, type(error).__name__) from None
        if done.returncode:
            said = [line for line in (done.stderr or done.stdout).splitlines() if line.strip()]
            reason = said[-1].strip() if said else f"exit code {done.returncode}"
            raise _failed(variable, reason.replace(variable.value, "***"))


def _failed(variable: EnvVariable, reason: str) -> CheckFailed:
    return CheckFailed(
        f"vercel env add {variable.key} failed: {reason}",
        next_step="see that `vercel whoami` and `vercel link` work in the app, and run this again",
        code="vercel",
    )
