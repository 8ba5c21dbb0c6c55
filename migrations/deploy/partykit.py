"""Target `partykit`: the relay on PartyKit's platform, deployed by PartyKit's own CLI.

The platform keeps no older version to go back to, so the sources of good deployments are kept and sent again.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any

from migrations.deploy.history import History
from migrations.deploy.names import check_domain, check_name
from migrations.deploy.partykit_cli import CliRun, api, failure, find_cli
from migrations.deploy.partykit_sign_in import find_sign_in
from migrations.deploy.staging import CONFIG, project_settings, restaged, sent_files, staged
from migrations.deploy.target import Uploaded
from migrations.engine import AppView
from relay_server.errors import CheckFailed, Denied, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path

    from migrations.deploy.history import Deployment
    from migrations.deploy.partykit_cli import PartyKitCli
    from migrations.deploy.target import Request, Tell

_SECRET = "RELAY_SECRET"  # noqa: S105  # its name
_DEPLOYED = re.compile(r"^Deployed .* to (https?://\S+)$", re.MULTILINE)
_CLOUDFLARE = ("CLOUDFLARE_ACCOUNT_ID", "CLOUDFLARE_API_TOKEN")
_PREFLIGHT_S = 60.0


class PartyKit:
    """The platform, for one deployment."""

    name = "partykit"
    remote = True

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self._environment = environment
        self._cli: PartyKitCli | None = None
        self._secret_after_upload = False

    def preflight(self, request: Request, tell: Tell) -> str:
        tell("looking at Node.js, PartyKit's CLI, the sign-in and the project")
        cli, settings = self._look(request)
        sign_in = find_sign_in(self._environment)
        tell(f"asking {api()} whether it takes the sign-in of {sign_in.login}")
        with self._staged(request, settings) as stage:
            ran = cli.run("list", "--format", "json", cwd=stage, timeout_s=min(_PREFLIGHT_S, request.timeout_s))
        answered = [answer.status for answer in ran.answers if answer.path.startswith("/parties/") and answer.status]
        # What it says beyond the sign-in (an account without projects, a passing fault) is not decisive yet.
        if not ran.good and (not answered or answered[-1] in (401, 403)):
            raise failure(ran, "looking at the sign-in", [sign_in.token])
        return f"{cli.shown}, signed in as {sign_in.login} by {sign_in.source}"

    def dry_run(self, request: Request, to: Deployment | None = None) -> list[str]:
        cli, _ = self._look(request)
        try:
            sign_in = find_sign_in(self._environment)
            who = [f"signed in as {sign_in.login} by {sign_in.source}"]
        except Denied as missing:
            who = [f"not possible yet: {missing.message}", f"  {missing.next_step}"]
        what = f"the bundle of {_main(request)}" if to is None else f"what was kept of the build {to.build}"
        return [
            f"{cli.shown}; to {api()}",
            *who,
            f"printf %s '***' | partykit {' '.join(self._env_arguments(request))}",
            f"partykit {' '.join(self._deploy_arguments(request))}",
            f"sent: {what}, RELAY_BUILD={request.build}; nothing of the app's .env",
        ]

    def store_secret(self, request: Request, tell: Tell) -> str:
        tell("storing the relay's secret at PartyKit")
        cli, settings = self._look(request)
        with self._staged(request, settings) as stage:
            ran = self._send_secret(cli, stage, request)
        if ran.good:
            return f"{_SECRET} is stored at PartyKit"
        if ran.answers and ran.answers[-1].status == 404:
            self._secret_after_upload = True
            return f"{_SECRET} is stored after the first upload, which makes the project"
        raise failure(ran, "storing the secret", self._hidden(request))

    def upload(self, request: Request, tell: Tell) -> Uploaded:
        cli, settings = self._look(request)
        with self._staged(request, settings) as stage:
            return self._upload(cli, stage, request, tell)

    def way_back(self, app: Path, name: str, preview: str) -> Deployment:
        history = History(app)
        to = history.to_go_back_to(self.name, name, preview)
        if not (history.kept_upload(to.build) / CONFIG).is_file():
            raise UsageError(
                f"what was sent for the build {to.build} is no longer kept, and PartyKit's platform keeps nothing",
                next_step="check out the code of that time, and run chatops deploy",
                code="nothing_kept",
            )
        return to

    def rollback(self, request: Request, to: Deployment, tell: Tell) -> Uploaded:
        """Send again what was kept of that deployment."""
        cli, _ = self._look(request)
        with restaged(request.app, History(request.app).kept_upload(to.build)) as stage:
            return self._upload(cli, stage, request, tell)

    def abandon(self, request: Request) -> None:
        """Nothing of it runs here."""

    def _upload(self, cli: PartyKitCli, stage: Path, request: Request, tell: Tell) -> Uploaded:
        tell(f"uploading to {api()}; a first deployment can take minutes")
        sent = sent_files(stage)
        url = self._deploy(cli, stage, request)
        if self._secret_after_upload:
            tell("storing the relay's secret, and uploading again so that it takes effect")
            ran = self._send_secret(cli, stage, request)
            if not ran.good:
                raise failure(ran, "storing the secret", self._hidden(request))
            self._secret_after_upload = False
            url = self._deploy(cli, stage, request)
        return Uploaded(url, f"PartyKit took it for {url}", sent=sent)

    def _deploy(self, cli: PartyKitCli, stage: Path, request: Request) -> str:
        ran = cli.run(*self._deploy_arguments(request), cwd=stage, timeout_s=request.timeout_s)
        if not ran.good:
            raise failure(ran, "uploading", self._hidden(request))
        deployed = _DEPLOYED.search(ran.output)
        if deployed is None:
            raise CheckFailed(
                "PartyKit's CLI ended well and did not say where the relay is",
                next_step="look with `npx partykit list` whether it was deployed",
                code="no_address",
            )
        return deployed[1]

    def _send_secret(self, cli: PartyKitCli, stage: Path, request: Request) -> CliRun:
        arguments = self._env_arguments(request)
        return cli.run(*arguments, cwd=stage, timeout_s=request.timeout_s, stdin=request.secret.encode())

    def _env_arguments(self, request: Request) -> list[str]:
        return ["env", "add", _SECRET, *_project(request)]

    def _deploy_arguments(self, request: Request) -> list[str]:
        domain = ["--domain", request.domain] if request.domain else []
        return ["deploy", *_project(request), *domain, "--var", f"RELAY_BUILD={request.build}"]

    def _look(self, request: Request) -> tuple[PartyKitCli, dict[str, Any]]:
        """Everything about this machine and the app. Raises UsageError; Denied for a missing credential."""
        view = AppView.of_folder(request.app)
        settings = project_settings(view)
        check_name(request.name, "the name of a project on PartyKit", "deploy.name, or the name in partykit.json,")
        if request.preview:
            check_name(request.preview, "the name of a preview", "--preview")
        if request.domain:
            check_domain(request.domain)
            missing = [name for name in _CLOUDFLARE if not self._environment.get(name)]
            if missing:
                raise Denied(
                    f"a domain of your own needs {' and '.join(missing)} in the environment",
                    next_step="set them to your Cloudflare account, or leave the domain out",
                    code="no_sign_in",
                )
        self._cli = self._cli or find_cli(request.app)
        return self._cli, {**settings, "name": request.name}

    def _staged(self, request: Request, settings: dict[str, Any]) -> AbstractContextManager[Path]:
        return staged(AppView.of_folder(request.app), settings)

    def _hidden(self, request: Request) -> list[str]:
        return [request.secret, find_sign_in(self._environment).token]


def _project(request: Request) -> list[str]:
    preview = ["--preview", request.preview] if request.preview else []
    return ["--config", CONFIG, "--name", request.name, *preview]


def _main(request: Request) -> str:
    return str(project_settings(AppView.of_folder(request.app))["main"])
