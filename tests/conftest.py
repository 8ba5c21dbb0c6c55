"""What holds for every test: settings of whoever runs them stay out."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.servers import RunningRelay

# A script that starts the tests in the background has them, and all that they start, ignore Ctrl-C.
signal.signal(signal.SIGINT, signal.default_int_handler)

# How long an example takes says more of the machine's other work than of the code.
settings.register_profile("any machine", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")

_OURS = ("CHATOPS_", "RELAY_", "OPENAI_")
_TERMINAL = ("CI", "NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES", "TERM", "PYTHONIOENCODING")


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(_OURS) or name in _TERMINAL:
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def bundled_relay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningRelay]:
    """A bundled relay for tests that do not mind what others do in other rooms."""
    from tests.servers import running_relay

    with running_relay("bundled", tmp_path_factory.mktemp("relay")) as relay:
        yield relay
