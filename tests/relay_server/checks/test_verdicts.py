"""What is remembered of the last stream test through a relay."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from relay_server.checks.verdicts import keep_verdict, last_verdict

if TYPE_CHECKING:
    from pathlib import Path

RELAY = "https://relay.example.com"


def test_nothing_is_known_of_a_relay_that_was_never_tested(tmp_path: Path) -> None:
    assert last_verdict(tmp_path, RELAY) is None
    keep_verdict(tmp_path, "https://other.example.com", ok=True)
    assert last_verdict(tmp_path, RELAY) is None


def test_the_last_test_counts_and_each_relay_has_its_own(tmp_path: Path) -> None:
    keep_verdict(tmp_path, RELAY, ok=True)
    keep_verdict(tmp_path, "http://127.0.0.1:1999", ok=True)
    keep_verdict(tmp_path, RELAY, ok=False, reason="3 frames were lost")
    verdict = last_verdict(tmp_path, RELAY)
    assert verdict is not None
    assert (verdict.ok, verdict.reason) == (False, "3 frames were lost")
    other = last_verdict(tmp_path, "http://127.0.0.1:1999")
    assert other is not None
    assert other.ok


def test_one_relay_may_be_written_in_several_ways(tmp_path: Path) -> None:
    keep_verdict(tmp_path, "wss://Relay.Example.com/", ok=True)
    assert last_verdict(tmp_path, RELAY) is not None


def test_git_sees_nothing_of_it(tmp_path: Path) -> None:
    keep_verdict(tmp_path, RELAY, ok=True)
    assert {path.name for path in (tmp_path / ".chatops").iterdir()} == {".gitignore", "stream-tests.json"}
    assert (tmp_path / ".chatops" / ".gitignore").read_text() == "*\n"


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'[{"relay": 1}]', b"\xff"])
def test_a_file_that_does_not_tell_is_as_none(content: bytes, tmp_path: Path) -> None:
    keep_verdict(tmp_path, RELAY, ok=True)
    (tmp_path / ".chatops" / "stream-tests.json").write_bytes(content)
    assert last_verdict(tmp_path, RELAY) is None
    keep_verdict(tmp_path, RELAY, ok=True)
    assert last_verdict(tmp_path, RELAY) is not None
