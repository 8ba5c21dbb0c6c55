"""PartyKit's own CLI, run as a child process, and what its answers mean.

Facts are from the CLI's source (partykit 0.0.115, `dist/bin.mjs`): it is configured by environment variables, shows the
text of a refusal without its status, crashes with a stack trace on every error, and ends with 0 when it is interrupted.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from dataclasses import dataclass
from importlib.resources import as_file, files
from typing import TYPE_CHECKING

import msgspec

from migrations.deploy.node_tools import find_installed, node_version
from migrations.deploy.partykit_sign_in import how_to_sign_in
from migrations.deploy.target import Passing
from relay_server.client.failures import one_line
from relay_server.errors import ChatopsError, CheckFailed, Denied, Unreachable, UsageError
from relay_server.process import NotRun, TookTooLong, run

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

# The one that this project is tested with.
TESTED_VERSION = "0.0.115"
OLDEST_NODE = 18
DEFAULT_API = "https://api.partykit.dev"

_PASSING = "workers.api.error.unknown"
_FAULTS = {
    "ECONNREFUSED": ("connection_refused", "nothing listens there"),
    "ENOTFOUND": ("unknown_host", "its host name is not known"),
    "EAI_AGAIN": ("unknown_host", "its host name cannot be looked up now"),
    "UND_ERR_CONNECT_TIMEOUT": ("timeout", "it does not answer in time"),
    "UND_ERR_HEADERS_TIMEOUT": ("timeout", "it does not answer in time"),
    "UND_ERR_BODY_TIMEOUT": ("timeout", "it does not answer in time"),
}


class Answer(msgspec.Struct, omit_defaults=True):
    """A request of the CLI and its fate, as `partykit_watch.cjs` writes it; with neither status nor fault it is under
    way. `sign_in`: the CLI was about to open a browser.
    """

    method: str = ""
    path: str = ""
    status: int = 0
    fault: str = ""
    sign_in: bool = False


@dataclass(frozen=True, slots=True)
class CliRun:
    """How a run of the CLI ended. `timed_out`: it was ended after so many seconds."""

    code: int
    output: str
    answers: Sequence[Answer]
    timed_out_s: float | None = None

    @property
    def good(self) -> bool:
        return self.code == 0 and self.timed_out_s is None


@dataclass(frozen=True, slots=True)
class PartyKitCli:
    """The CLI of an app. `argv` is how it is started, `version` what it says it is."""

    argv: tuple[str, ...]
    version: str
    node: str

    @property
    def shown(self) -> str:
        return f"partykit {self.version}, Node {self.node}"

    def run(self, *arguments: str, cwd: Path, timeout_s: float, stdin: bytes | None = None) -> CliRun:
        """Run it in the folder `cwd`, which must not be the app's (see `staging`). Raises UsageError: not startable."""
        answers = cwd / ".answers"
        answers.unlink(missing_ok=True)
        with as_file(files("migrations.deploy") / "partykit_watch.cjs") as watch:
            environment = {**_QUIET, "NODE_OPTIONS": _node_options(watch), "CHATOPS_ANSWERS": str(answers)}
            try:
                ended = run(self.argv + arguments, cwd, seconds=timeout_s, environment=environment, stdin=stdin)
            except TookTooLong:
                return CliRun(1, "", _read(answers), timed_out_s=timeout_s)
            except NotRun as error:
                raise UsageError(
                    f"PartyKit's CLI cannot be run: {error}",
                    next_step="install Node.js and the app's packages",
                    code="no_partykit",
                ) from None
        return CliRun(ended.code, ended.output, _read(answers))


_QUIET = {"NO_UPDATE_NOTIFIER": "1", "NO_COLOR": "1", "FORCE_COLOR": None, "NODE_DEBUG": None}


def find_cli(app: Path) -> PartyKitCli:
    """The CLI that the app has installed, else the tested one through npx. Raises UsageError: missing or too old."""
    node = node_version(app, OLDEST_NODE, "PartyKit's CLI")
    installed = find_installed(app, "partykit")
    if installed is not None:
        return PartyKitCli(("node", str(installed.script)), installed.version, node)
    if shutil.which("npx") is None:
        raise UsageError(
            "the app has no partykit in its node_modules, and there is no npx on PATH",
            next_step="install the app's packages: npm install --save-dev partykit",
            code="no_partykit",
        )
    return PartyKitCli(("npx", "--yes", f"partykit@{TESTED_VERSION}"), TESTED_VERSION, node)


def failure(ran: CliRun, doing: str, hidden: Sequence[str] = ()) -> ChatopsError:
    """What a run that was not good means. `doing` completes "PartyKit refused ..."; `hidden` are secrets that the
    platform may have repeated.
    """
    said = said_by(ran.output, hidden)
    own = [answer for answer in ran.answers if answer.path != "/flags"]
    if any(answer.sign_in for answer in ran.answers):
        return _sign_in("PartyKit's CLI no longer takes this kind of sign-in and asks for a new one")
    last = own[-1] if own else None
    at_sign_in = last is not None and last.path.startswith("/v1/")
    if "Session expired" in ran.output or "No session" in ran.output:
        return _sign_in("PartyKit's sign-in has expired")
    if "Authentication timed out" in ran.output:
        return _unreachable("PartyKit's sign-in service", next((a.fault for a in own if a.fault), ""), doing)
    if ran.timed_out_s is not None:
        return Unreachable(
            f"{api()} did not answer within {ran.timed_out_s:g} s while {doing}",
            next_step="look whether it was done all the same (npx partykit list), then run this again",
            code="timeout",
        )
    if last is None:
        return _of_the_cli(ran.output, said)
    if last.status == 504 or _PASSING in ran.output:
        shown = f"{last.status} {_PASSING}" if _PASSING in ran.output else "504"
        return Passing(
            f"PartyKit's platform failed with {shown} while {doing}",
            next_step="such faults pass: run this again later, or deploy to your own account: --target cloudflare",
            code="platform_fault",
        )
    if last.status == 0 or last.fault:
        return _unreachable("PartyKit's sign-in service" if at_sign_in else api(), last.fault, doing)
    if last.status < 400:
        return _of_the_cli(ran.output, said)
    return _refused(last.status, doing, said)


def _refused(status: int, doing: str, said: str) -> ChatopsError:
    because = f": {said}" if said else ""
    if status == 401:
        return _sign_in(f"PartyKit refused the sign-in (401) while {doing}{because}")
    if status == 403:
        return Denied(
            f"this sign-in may not do that at PartyKit (403, {doing}){because}",
            next_step="sign in as a member of the team that owns the project (`npx partykit whoami`), or choose "
            "another name",
            code="forbidden",
        )
    if status == 404:
        return UsageError(
            f"PartyKit knows no such account or project (404, {doing}){because}",
            next_step="check the login or team, and the project's name in partykit.json",
            code="not_found",
        )
    if status == 409:
        return CheckFailed(
            f"PartyKit reports a conflict (409, {doing}){because}",
            next_step="another deployment may be under way, or the name is taken: wait, or choose another name",
            code="conflict",
        )
    if status == 429:
        return Unreachable(
            f"PartyKit takes no more requests now (429, {doing}){because}", next_step="wait, then run this again",
            code="busy",
        )  # fmt: skip
    if status >= 500:
        return Unreachable(
            f"PartyKit's platform failed ({status}, {doing}){because}",
            next_step="run this again later, or deploy to your own account: --target cloudflare",
            code="platform_error",
        )
    return UsageError(
        f"PartyKit refused the request ({status}, {doing}){because}",
        next_step="check partykit.json, and that the partykit package is the current one",
        code="refused",
    )


def _sign_in(message: str) -> Denied:
    return Denied(message, next_step=how_to_sign_in(again=" again"), code="sign_in")


def _unreachable(where: str, fault: str, doing: str) -> Unreachable:
    code, why = _FAULTS.get(fault, ("connection_lost", "the connection broke off"))
    if not fault:
        code, why = "timeout", "it does not answer in time"
    return Unreachable(
        f"{where} cannot be reached: {why} ({doing})",
        next_step="check the network, and a proxy or firewall in between; then run this again",
        code=code,
    )


def _of_the_cli(output: str, said: str) -> UsageError:
    """It failed before it sent anything, or after it was answered well."""
    if "Build failed" in output:
        places = re.findall(r"^(.+: ERROR: .+)$", output, re.MULTILINE)
        what = one_line(places[0]) if places else said
        return UsageError(f"the relay cannot be built: {what}", next_step="mend that line", code="build_failed")
    lines = [line for line in output.splitlines() if "ERROR" in line]
    why = one_line(lines[-1].rpartition("]")[2]) if lines else said
    return UsageError(
        f"PartyKit's CLI gave up: {why or 'it ended without a word'}",
        next_step="check partykit.json, and run `npx partykit deploy` by hand to see more",
        code="partykit_failed",
    )


def said_by(output: str, hidden: Sequence[str] = ()) -> str:
    """The message of the error that the CLI crashed with, in one short line."""
    found = re.search(r"^\w*Error: (.*?)(?=\n\s+at |\Z)", output, re.MULTILINE | re.DOTALL)
    text = found[1] if found else ""
    try:
        value = json.loads(text)
        errors = value.get("errors") or [value.get("error") or value.get("message") or ""]
        first = errors[0]
        text = str(first.get("message", "")) if isinstance(first, dict) else str(first)
    except (ValueError, AttributeError, LookupError, TypeError):
        text = re.sub(r"<[^>]*>", " ", text)
    for secret in hidden:
        if secret:
            text = text.replace(secret, "***")
    return one_line(text)


def api() -> str:
    """The control plane that the CLI talks to."""
    return os.environ.get("PARTYKIT_API_BASE") or DEFAULT_API


def _node_options(watch: Path) -> str:
    quoted = str(watch).replace("\\", "\\\\").replace('"', '\\"')
    return f'{os.environ.get("NODE_OPTIONS", "")} --require "{quoted}"'.strip()


def _read(path: Path) -> list[Answer]:
    try:
        lines = path.read_bytes().splitlines()
    except FileNotFoundError:
        return []
    answers = []
    for line in lines:
        try:
            answers.append(msgspec.json.decode(line, type=Answer))
        except msgspec.MsgspecError:  # cut off when the CLI was ended
            break
    return answers
