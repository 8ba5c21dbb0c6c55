"""Target `cloudflare`: the relay as a Worker with a Durable Object a room, on the team's own account, by wrangler.

The secret goes with the code, in the one upload: a first deployment has no Worker that could be given one before, and
no moment passes in which the new code has no secret.
"""

from __future__ import annotations

import json
import os
import tempfile
from typing import TYPE_CHECKING, Any

from migrations.deploy.cloudflare_faults import failure, how_to_sign_in
from migrations.deploy.cloudflare_wrangler import Wrangler, WranglerRun, find_wrangler
from migrations.deploy.history import History
from migrations.deploy.names import check_domain, check_name
from migrations.deploy.target import Uploaded
from migrations.engine import AppView
from migrations.m6_own_account import own_worker
from relay_server.errors import CheckFailed, Denied, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from migrations.deploy.history import Deployment
    from migrations.deploy.target import Request, Tell

_SECRET = "RELAY_SECRET"  # noqa: S105  # its name
_TOKEN = "CLOUDFLARE_API_TOKEN"  # noqa: S105  # likewise
_ACCOUNT = "CLOUDFLARE_ACCOUNT_ID"
_PREFLIGHT_S = 60.0


class CloudflareTarget:
    """The account that CLOUDFLARE_API_TOKEN, or `wrangler login`, gives."""

    name = "cloudflare"
    remote = True

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self._environment = environment

    def preflight(self, request: Request, tell: Tell) -> str:
        """Look at Node, wrangler, the app's settings, the sign-in with its account, and build the Worker once."""
        tell("looking at Node.js, wrangler and the app's settings")
        wrangler, settings = self._look(request)
        tell("building the Worker, without sending it")
        self._build(wrangler, request, settings)
        tell("asking Cloudflare who is signed in")
        who = self._sign_in(wrangler, request, settings)
        return f"{wrangler.shown}, {who}"

    def dry_run(self, request: Request, to: Deployment | None = None) -> list[str]:
        wrangler, settings = self._look(request)
        token = f"{_TOKEN} in the environment" if self._environment.get(_TOKEN) else "the login of `wrangler login`"
        who = f"{wrangler.shown}; signed in by {token}"
        if to is not None:
            return [who, f"wrangler {' '.join(_rollback_arguments(request, settings, to))}"]
        return [
            who,
            f'printf %s \'{{"{_SECRET}": "***"}}\' | wrangler {" ".join(self._deploy_arguments(request, settings))}',
            f"sent: the bundle of {settings['main']}, RELAY_BUILD={request.build}, {_SECRET} as a secret, the names "
            "and versions of the packages in package.json; nothing of the app's .env",
        ]

    def store_secret(self, request: Request, tell: Tell) -> str:
        return f"{_SECRET} is sent with the code, as a secret of the Worker"

    def upload(self, request: Request, tell: Tell) -> Uploaded:
        wrangler, settings = self._look(request)
        tell("wrangler uploads the Worker and its secret")
        secrets = json.dumps({_SECRET: request.secret}).encode() if request.secret else b"{}"
        ran = wrangler.run(*self._deploy_arguments(request, settings), timeout_s=request.timeout_s, stdin=secrets)
        if not ran.good:
            raise failure(ran, "uploading", self._hidden(request))
        return _uploaded(ran, request)

    def way_back(self, app: Path, name: str, preview: str) -> Deployment:
        to = History(app).to_go_back_to(self.name, name, preview)
        if not to.version:
            raise UsageError(
                f"the version of the build {to.build} was not recorded",
                next_step="choose it from `npx wrangler versions list`, and run `npx wrangler rollback VERSION`",
                code="nothing_kept",
            )
        return to

    def rollback(self, request: Request, to: Deployment, tell: Tell) -> Uploaded:
        """Deploy the version of that time again: its code, its build id and its secret. The rooms stay."""
        wrangler, settings = self._look(request)
        tell(f"wrangler goes back to the version {to.version}")
        ran = wrangler.run(*_rollback_arguments(request, settings, to), timeout_s=request.timeout_s)
        if not ran.good:
            raise failure(ran, "rolling back", self._hidden(request))
        return Uploaded(to.url, f"the version {to.version} is deployed again", version=to.version)

    def abandon(self, request: Request) -> None:
        """Nothing of it runs here."""

    def _look(self, request: Request) -> tuple[Wrangler, dict[str, Any]]:
        """Everything about this machine and the app. Raises UsageError."""
        settings = _settings(request)
        where = "deploy.name, or the name in wrangler.jsonc, or --preview,"
        check_name(_worker_name(request, settings), "the name of a Worker on Cloudflare", where)
        if _domain(request):
            check_domain(_domain(request))
        return find_wrangler(request.app), settings

    def _build(self, wrangler: Wrangler, request: Request, settings: dict[str, Any]) -> None:
        with tempfile.TemporaryDirectory(prefix="chatops-bundle-") as folder:
            arguments = ("--dry-run", "--outdir", folder)
            ran = wrangler.run(
                *("deploy", *_worker_arguments(request, settings), *arguments),
                timeout_s=min(_PREFLIGHT_S, request.timeout_s),
            )
        if not ran.good:
            raise failure(ran, "building the Worker", self._hidden(request))

    def _sign_in(self, wrangler: Wrangler, request: Request, settings: dict[str, Any]) -> str:
        """Who is signed in, and the account; gives one line. Raises Denied, UsageError and Unreachable."""
        ran = wrangler.run("whoami", "--json", timeout_s=min(_PREFLIGHT_S, request.timeout_s))
        try:
            said: Any = json.loads(ran.stdout[ran.stdout.index("{") : ran.stdout.rindex("}") + 1])
        except ValueError:
            said = None
        if not isinstance(said, dict) or said.get("loggedIn") is not True:
            if isinstance(said, dict) and said.get("loggedIn") is False:
                raise Denied("there is no sign-in for Cloudflare", next_step=how_to_sign_in(), code="no_sign_in")
            raise failure(ran, "asking who is signed in", self._hidden(request))
        accounts = {str(a.get("id")): str(a.get("name")) for a in said.get("accounts") or [] if isinstance(a, dict)}
        wanted = self._environment.get(_ACCOUNT) or settings.get("account_id") or ""
        if wanted and accounts and wanted not in accounts:
            raise Denied(
                f"the sign-in is not for the account {wanted}",
                next_step=f"set {_ACCOUNT} to one of its own: {', '.join(accounts)}",
                code="wrong_account",
            )
        if not wanted and len(accounts) != 1:
            found = ", ".join(f"{key} ({name})" for key, name in accounts.items()) or "none that it may list"
            raise UsageError(
                f"it is not clear which account of Cloudflare is meant: the sign-in is for {found}",
                next_step=f'set {_ACCOUNT} in the environment, or "account_id" in wrangler.jsonc',
                code="account_unclear",
            )
        shown = accounts.get(wanted) or next(iter(accounts.values()), wanted)
        return f"signed in for the account {shown}"

    def _deploy_arguments(self, request: Request, settings: dict[str, Any]) -> list[str]:
        domain = ["--domain", _domain(request)] if _domain(request) else []
        return [
            *("deploy", *_worker_arguments(request, settings), *domain),
            *("--var", f"RELAY_BUILD:{request.build}", "--secrets-file", "/dev/stdin", "--autoconfig=false"),
        ]

    def _hidden(self, request: Request) -> list[str]:
        return [request.secret, self._environment.get(_TOKEN, "")]


def _settings(request: Request) -> dict[str, Any]:
    """The app's wrangler settings, which must be the relay's. Raises UsageError."""
    found = own_worker(AppView.of_folder(request.app))
    if found is None:
        raise UsageError(
            "the app's relay is not set up for your own Cloudflare account: there is no wrangler.jsonc that runs it",
            next_step='with deploy.target = "cloudflare" in partyconfig.toml, run `chatops migrate up`',
            code="not_set_up",
        )
    path, settings = found
    objects = settings.get("durable_objects")
    bindings = objects.get("bindings") if isinstance(objects, dict) else None
    if not any(isinstance(b, dict) and b.get("name") == "Main" for b in bindings or []):
        raise UsageError(
            f"{path} has no Durable Object binding named Main, in which the rooms live",
            next_step='add {"name": "Main", "class_name": "Main"} to durable_objects.bindings, and its migration',
            code="bad_wrangler_config",
        )
    return settings


def _domain(request: Request) -> str:
    """The domain is production's: a preview that was given it would take it away."""
    return "" if request.preview else request.domain


def _describes_preview(request: Request, settings: dict[str, Any]) -> bool:
    """Whether wrangler's settings have an environment of the preview's name."""
    environments = settings.get("env")
    return bool(request.preview) and isinstance(environments, dict) and request.preview in environments


def _worker_name(request: Request, settings: dict[str, Any]) -> str:
    name = request.name or str(settings.get("name") or "")
    return f"{name}-{request.preview}" if request.preview else name


def _worker_arguments(request: Request, settings: dict[str, Any]) -> list[str]:
    """The Worker: a preview is one of its own, named as wrangler names those of an environment.

    Where wrangler's settings describe that environment, it is used. An environment that they do not describe would
    have no rooms, as bindings are not inherited.
    """
    if _describes_preview(request, settings):
        return ["--env", request.preview]
    return ["--name", _worker_name(request, settings)]


def _rollback_arguments(request: Request, settings: dict[str, Any], to: Deployment) -> list[str]:
    message = f"chatops deploy --rollback to {to.build}"
    return ["rollback", to.version, *_worker_arguments(request, settings), "--yes", "--message", message]


def _uploaded(ran: WranglerRun, request: Request) -> Uploaded:
    deployed = ran.entry("deploy")
    targets = (deployed.targets or []) if deployed is not None else []
    workers_dev = next((target for target in targets if target.startswith("https://")), "")
    url = f"https://{_domain(request)}" if _domain(request) else workers_dev
    if not url:
        raise CheckFailed(
            "wrangler ended well and named no address of the Worker",
            next_step='see that "workers_dev" is not off in wrangler.jsonc, or give a --domain',
            code="no_address",
        )
    worker = (deployed.worker_name or request.name) if deployed is not None else request.name
    return Uploaded(url, f"the Worker {worker}", version=(deployed.version_id or "") if deployed is not None else "")
