"""What a run of wrangler that was not good means: sign-in, configuration, network, or the platform."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from migrations.deploy.target import Passing
from relay_server.client.failures import one_line
from relay_server.errors import ChatopsError, CheckFailed, Denied, Unreachable, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from migrations.deploy.cloudflare_wrangler import WranglerRun

# Cloudflare's codes for credentials that it does not know, cannot read, or that may not do this.
_REFUSED = {6003, 6111, 9103, 9106, 9109, 10000, 10001, 10405}
_PASSING_CODE = 10013
_PASSING = "workers.api.error.unknown"
_NOT_SIGNED_IN = re.compile(
    r"non-interactive environment, it's necessary to set a CLOUDFLARE_API_TOKEN|[Nn]ot logged in|loggedIn\W+false"
    r"|auth token has expired"
)
_NO_NETWORK = re.compile(r"fetch failed|likely due to a connectivity issue|could not be reached|ENOTFOUND|ECONNREFUSED")
_STATUS = re.compile(r" -> (\d{3})\b")  # where the answer is no JSON: method, path, status
_SAID = re.compile(r"^\s*(\S.*?) \[code: (\d+)\]\s*$", re.MULTILINE)


def how_to_sign_in() -> str:
    """What to do; in CI nobody can log in by hand."""
    how = "set CLOUDFLARE_API_TOKEN to a token that may edit Workers (and CLOUDFLARE_ACCOUNT_ID)"
    return how if os.environ.get("CI") else f"{how}, or run `npx wrangler login`"


def failure(ran: WranglerRun, doing: str, hidden: Sequence[str] = ()) -> ChatopsError:
    """The error of that run. `doing` completes "Cloudflare refused ..."; `hidden` are secrets that may be repeated."""
    if ran.timed_out_s is not None:
        return Unreachable(
            f"Cloudflare did not answer within {ran.timed_out_s:g} s while {doing}",
            next_step="look whether it was done all the same (`npx wrangler deployments list`), then run this again",
            code="timeout",
        )
    failed = ran.entry("command-failed")
    message = failed.message if failed is not None else ""
    said, code = _said(ran.output, failed.code if failed is not None else None)
    text = f"{message}\n{ran.output}"
    status = _STATUS.search(text)
    because = _hidden(f": {said}" if said else "", hidden)
    if code == _PASSING_CODE or _PASSING in text or (status is not None and status[1] == "504"):
        shown = "504" if status is not None and status[1] == "504" else _PASSING
        return Passing(
            f"Cloudflare's platform failed with {shown} while {doing}",
            next_step="such faults pass: run this again later (www.cloudflarestatus.com says what is known)",
            code="platform_fault",
        )
    if _NOT_SIGNED_IN.search(text):
        return Denied("there is no sign-in for Cloudflare", next_step=how_to_sign_in(), code="no_sign_in")
    if code in _REFUSED or (status is not None and status[1] in ("401", "403")):
        return Denied(
            f"Cloudflare refused the sign-in ({code or (status[1] if status else '')}) while {doing}{because}",
            next_step=f"see that the token is right and may edit Workers of that account; {how_to_sign_in()}",
            code="sign_in",
        )
    if status is not None and status[1].startswith("5"):
        return Unreachable(
            f"Cloudflare's platform failed ({status[1]}) while {doing}{because}",
            next_step="run this again later (www.cloudflarestatus.com says what is known)",
            code="platform_error",
        )
    if _NO_NETWORK.search(text):
        return Unreachable(
            f"Cloudflare cannot be reached while {doing}",
            next_step="check the network, and a proxy or firewall in between; then run this again",
            code="unreachable",
        )
    return _of_the_project(message, because, code, doing, text, hidden)


def _of_the_project(
    message: str, because: str, code: int | None, doing: str, text: str, hidden: Sequence[str]
) -> ChatopsError:
    if "workers.dev subdomain" in text or "/workers/onboarding" in text:
        return UsageError(
            "the account has no workers.dev subdomain yet",
            next_step="register one in Cloudflare's dashboard (Workers & Pages), or give a --domain of your own",
            code="no_subdomain",
        )
    built = re.search(r"^(?:\W*)(.+?:\d+:\d+: ERROR: .+)$", text, re.MULTILINE)
    if "Build failed" in text:
        what = _hidden(one_line(built[1] if built else message), hidden)
        return UsageError(f"the relay cannot be built: {what}", next_step="mend that line", code="build_failed")
    if code is not None:
        return CheckFailed(
            f"Cloudflare refused {doing} ({code}){because}",
            next_step="see what Cloudflare says about that, and wrangler.jsonc; nothing is known to have changed",
            code="refused",
        )
    why = _hidden(one_line(message), hidden) or "it ended without a word"
    return UsageError(
        f"wrangler gave up while {doing}: {why}",
        next_step="check wrangler.jsonc, and run `npx wrangler deploy --dry-run` to see more",
        code="wrangler_failed",
    )


def _said(output: str, code: int | None) -> tuple[str, int | None]:
    """The API's own text and its code; wrangler's message has only the path."""
    found = _SAID.search(output)
    if found is None:
        return "", code
    return one_line(found[1]), code if code is not None else int(found[2])


def _hidden(text: str, hidden: Sequence[str]) -> str:
    for secret in hidden:
        if secret:
            text = text.replace(secret, "***")
    return text
