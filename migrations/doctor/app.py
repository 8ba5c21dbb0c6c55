"""The app's code: its parts, its migrations, and the tRPC that it is written with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from migrations.discovery.imports import imports_of
from migrations.discovery.parts import find_parts
from migrations.discovery.procedures import is_test
from migrations.discovery.requirements import trpc_major
from migrations.doctor.findings import Finding, Fix, bad, bad_for, check, good, unknown
from migrations.doctor.versions import installed_version, is_prerelease, read_version
from migrations.engine import detect_package_manager
from migrations.engine.syntax import find_all, text_of
from migrations.m1_packages import packages_of
from migrations.mode import MODE_KEY, current_mode, env_values
from relay_server.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from migrations.doctor.findings import Situation
    from migrations.doctor.versions import Version
    from migrations.engine import AppView

_CONFIG = "partyconfig.toml"
_TRPC = ("@trpc/server", "@trpc/client", "@trpc/react-query", "@trpc/next", "@trpc/tanstack-react-query")
_LOWEST: Version = (11, 0, 0)
_TRANSFORMERS = ("superjson", "devalue")


def check_app(situation: Situation) -> list[Finding]:
    """Every check of this module."""
    checks = (
        check_config,
        check_parts,
        check_migrations,
        check_leftovers,
        check_mode,
        check_trpc,
        check_trpc_faults,
        check_transformer,
    )
    return [make(situation) for make in checks]


@check("config")
def check_config(situation: Situation) -> Finding:
    """partyconfig.toml can be read and says nothing that is not known."""
    if situation.config_error is not None:
        return bad_for(situation.config_error)
    if not situation.view.exists(_CONFIG):
        return unknown(f"there is no {_CONFIG}; defaults are used", "chatops init")
    return good(_CONFIG)


@check("parts")
def check_parts(situation: Situation) -> Finding:
    """The parts of the app are found, those that partyconfig.toml names among them."""
    parts = find_parts(situation.view, situation.hints)
    missing = next((part for part in parts if part.problem and part.name != "package manager"), None)
    if missing is not None:
        mend = f"set {missing.key} in {_CONFIG}" if missing.key else "see chatops init --dry-run"
        return bad(f"{missing.name}: {missing.problem}", mend)
    found = [part.detail for part in parts if part.name in ("mutation", "subscription") and part.value]
    return good(", ".join(found))


@check("migrations")
def check_migrations(situation: Situation) -> Finding:
    """Nothing stands in the way of a migration; and none is missing while the app is told to stream."""
    plan = situation.plan
    if plan is None:
        return bad_for(situation.plan_error) if situation.plan_error else unknown("not planned")
    if plan.interrupted:
        return bad("an earlier run was cut off in the middle", "chatops migrate up, which takes that back first")
    if plan.blocked:
        step = plan.blocked[0]
        next_step = getattr(step.outcome, "next_step", "") or "chatops plan"
        return bad(f"migration {step.number} ({step.title}) is blocked: {step.reason}", next_step)
    if plan.pending:
        number = len(plan.pending)
        said = "1 migration is pending" if number == 1 else f"{number} migrations are pending"
        if current_mode(situation.view) == "streaming":
            mend = "chatops migrate up, or chatops mode send-message until then"
            return bad(f"the mode is streaming, and {said}", mend)
        return unknown(said, "chatops migrate up")
    applied = [step for step in plan.steps if step.state == "applied"]
    if not applied:
        return bad(f"none is for this app: {plan.steps[0].reason}", "see chatops plan")
    return good(f"{len(applied)} applied")


@check("leftovers")
def check_leftovers(situation: Situation) -> Finding:
    """The places that only a person can finish; whether one of them stops the stream is for a person to judge."""
    leftovers = situation.plan.leftovers if situation.plan is not None else ()
    if not leftovers:
        return good("nothing is left to you") if situation.plan else unknown("the migrations are not known")
    first = leftovers[0]
    place = f"{first.file}:{first.line}" if first.line else first.file
    more = f", and {len(leftovers) - 1} more" if len(leftovers) > 1 else ""
    return unknown(f"left to you: {place} {first.what}{more}", "chatops migrate status lists them")


@check("mode")
def check_mode(situation: Situation) -> Finding:
    """partyconfig.toml and the app's env name the same mode."""
    now, configured = current_mode(situation.view), situation.mode
    if not configured:
        return good(f"{now}; app.mode says nothing")
    if configured == now:
        return good(now)
    said = f"app.mode in {_CONFIG} says {configured}, the app's env {now}"
    if not env_values(situation.view, MODE_KEY):
        return bad(f"{said}, as it does not set {MODE_KEY}", f"chatops mode {configured}")
    fix = Fix(lambda view: (situation.set_config(view, {"app.mode": current_mode(view)}),))
    return bad(said, f"set app.mode to {now}, or chatops mode {configured}", fix)


@check("trpc")
def check_trpc(situation: Situation) -> Finding:
    """tRPC 11, the same version in all of its packages."""
    view = situation.view
    major = trpc_major(view)
    if major is not None and major != _LOWEST[0]:
        return bad(f"tRPC {major}: streaming over the relay needs tRPC 11", "npx @trpc/upgrade")
    versions = trpc_versions(view)
    if not versions:
        return unknown("no @trpc package is installed, so its version is not known", "install the app's packages")
    if len(set(versions.values())) > 1:
        told = ", ".join(f"{package} {version}" for package, version in versions.items())
        return bad(f"the @trpc packages differ: {told}", "bring all of them to one version (trpc/trpc #6237)")
    version = next(iter(versions.values()))
    if is_prerelease(version) and (read_version(version) or _LOWEST) <= _LOWEST:
        return bad(f"tRPC {version} is from before 11.0.0, where parts are named otherwise", "take a released 11")
    return good(version)


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault of tRPC from 11.0.0 on that `fixed` does not have. `used` says whether an app does what meets it."""

    fixed: Version
    used: Callable[[AppView], bool]
    what: str
    see: str


def _mentions(*words: str) -> Callable[[AppView], bool]:
    """Whether the app's code, comments left out, has one of these names."""

    def used(view: AppView) -> bool:
        return any(
            text_of(node) in words
            for word in words
            for file in view.sources(word)
            if not is_test(file.path)
            for node in find_all(file.root, "identifier", "property_identifier", "shorthand_property_identifier")
        )

    return used


FAULTS = (
    Fault(
        (11, 1, 1),
        _mentions("applyWSSHandler"),
        "anybody can end its WebSocket server with one message",
        "GHSA-pj3v-9cm8-gvj8",
    ),
    Fault(
        (11, 8, 0),
        _mentions("experimental_caller", "experimental_nextAppDirCaller"),
        "a form can change Object.prototype on the server through experimental_caller",
        "GHSA-43p4-m455-4f4j",
    ),
    Fault(
        (11, 12, 0),
        _mentions("maxDurationMs"),
        "a subscription over HTTP neither ends at sse.maxDurationMs nor comes back after it",
        "trpc/trpc #6991, #7094",
    ),
)


@check("trpc faults")
def check_trpc_faults(situation: Situation) -> Finding:
    """Faults of the installed tRPC that the app's code meets."""
    version = min((read_version(text) or _LOWEST for text in trpc_versions(situation.view).values()), default=None)
    if version is None:
        return unknown("no @trpc package is installed, so its version is not known")
    if version < _LOWEST:
        return unknown("only those of tRPC 11 are known")
    met = [fault for fault in FAULTS if version < fault.fixed and fault.used(situation.view)]
    if met:
        newest = ".".join(map(str, max(fault.fixed for fault in met)))
        told = "; ".join(f"{fault.what} ({fault.see})" for fault in met)
        return bad(told, f"bring all @trpc packages to {newest} or newer")
    return good("none that is known here meets this app")


@check("transformer")
def check_transformer(situation: Situation) -> Finding:
    """The data transformer that the code imports is a package of the app."""
    view = situation.view
    listed = packages_of(view)
    used = False
    for package in _TRANSFORMERS:
        for file in view.sources(package):
            if is_test(file.path) or all(statement.specifier != package for statement in imports_of(file)):
                continue
            used = True
            if package not in listed:
                return bad(f"{file.path} imports {package}, which package.json does not list", f"add {package}")
    return good("listed in package.json" if used else "the app imports none")


def trpc_versions(view: AppView) -> dict[str, str]:
    """The installed version of every @trpc package that package.json lists."""
    try:
        folder = detect_package_manager(view).folder
    except UsageError:
        folder = ""
    listed = packages_of(view)
    found = {package: installed_version(view, package, folder) for package in _TRPC if package in listed}
    return {package: version for package, version in found.items() if version}
