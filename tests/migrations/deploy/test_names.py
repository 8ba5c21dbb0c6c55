"""Names that a host can have, and those that none can."""

from __future__ import annotations

import pytest

from migrations.deploy.names import check_domain, check_name
from relay_server.errors import UsageError


@pytest.mark.parametrize("name", ["a", "chat-app", "0", "a" * 63])
def test_names_that_are_taken(name: str) -> None:
    check_name(name, "the name", "deploy.name")


@pytest.mark.parametrize("name", ["", "Chat", "a.b", "-a", "a-", "a" * 64, "a/b", "a\n"])
def test_names_that_are_refused_with_where_they_are_set(name: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_name(name, "the name", "deploy.name")
    assert caught.value.code == "bad_name"
    assert "deploy.name" in caught.value.next_step


@pytest.mark.parametrize("domain", ["relay.example.com", "a.io", "x-1.y2.museum", "xn--bcher-kva.example"])
def test_domains_that_are_taken(domain: str) -> None:
    check_domain(domain)


@pytest.mark.parametrize(
    "domain", ["example", "https://a.io", "a.io/x", "a..io", "-a.io", "a.1", "a.io:443", f"{'a' * 64}.io"]
)
def test_what_is_no_domain_is_refused(domain: str) -> None:
    with pytest.raises(UsageError, match="no domain"):
        check_domain(domain)
