"""Every case, the ones in which nothing may change first."""

from __future__ import annotations

from tests.migrations.legacy.cases_clients import CLIENTS
from tests.migrations.legacy.cases_needed import NEEDED
from tests.migrations.legacy.cases_needed_elsewhere import NEEDED_ELSEWHERE
from tests.migrations.legacy.cases_scripts import SCRIPTS
from tests.migrations.legacy.cases_servers import SERVERS
from tests.migrations.legacy.cases_sse import SSE
from tests.migrations.legacy.cases_surroundings import SURROUNDINGS
from tests.migrations.legacy.cases_untouched import UNTOUCHED

CASES = (*UNTOUCHED, *NEEDED, *NEEDED_ELSEWHERE, *CLIENTS, *SERVERS, *SCRIPTS, *SURROUNDINGS, *SSE)
