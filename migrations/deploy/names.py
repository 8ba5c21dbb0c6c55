"""Names that become part of a host name."""

from __future__ import annotations

import re

from relay_server.errors import UsageError

_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_NAME = re.compile(_LABEL)
_DOMAIN = re.compile(rf"(?=.{{4,253}}$)({_LABEL}\.)+(?=[a-z]){_LABEL}")


def check_name(name: str, what: str, where: str) -> None:
    """Raises UsageError for a name that no host can have. `what` is taken by that name, and `where` is it set."""
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{what} cannot be {name!r}: it is a to z, 0 to 9 and -, at most 63",
            next_step=f"set {where} to such a one",
            code="bad_name",
        )


def check_domain(domain: str) -> None:
    """Raises UsageError for what is no host name."""
    if not _DOMAIN.fullmatch(domain):
        raise UsageError(
            f"{domain!r} is no domain: that is a host name such as relay.example.com",
            next_step="give one with --domain or deploy.domain, or leave it out",
            code="bad_name",
        )
