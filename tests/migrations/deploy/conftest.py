"""What holds for every test of a deployment: no argument list of any process shows a secret."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests import control_plane
from tests.migrations.deploy import cloudflare_api
from tests.process_watch import watched
from tests.servers import SECRET

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def no_secret_in_any_process_list(request: pytest.FixtureRequest) -> Iterator[None]:
    if "world" in request.fixturenames:  # it watches for itself
        yield
        return
    with watched(SECRET, control_plane.TOKEN, cloudflare_api.TOKEN):
        yield
