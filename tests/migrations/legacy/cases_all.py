"""Every case, the ones in which nothing may change first."""

from __future__ import annotations

from tests.migrations.legacy.cases_builds import BUILDS, PACKAGES
from tests.migrations.legacy.cases_busy_servers import BUSY_SERVERS
from tests.migrations.legacy.cases_clients import CLIENTS
from tests.migrations.legacy.cases_deployments import DEPLOYMENTS
from tests.migrations.legacy.cases_environment import ENVIRONMENT
from tests.migrations.legacy.cases_formats import FORMATS
from tests.migrations.legacy.cases_needed import NEEDED
from tests.migrations.legacy.cases_needed_elsewhere import NEEDED_ELSEWHERE
from tests.migrations.legacy.cases_scripts import SCRIPTS
from tests.migrations.legacy.cases_servers import SERVERS
from tests.migrations.legacy.cases_sse import SSE
from tests.migrations.legacy.cases_untouched import UNTOUCHED

CASES = (
    *UNTOUCHED, *NEEDED, *BUSY_SERVERS, *NEEDED_ELSEWHERE,
    *CLIENTS, *SERVERS, *SCRIPTS, *BUILDS, *PACKAGES, *ENVIRONMENT, *DEPLOYMENTS, *FORMATS, *SSE,
)  # fmt: skip
